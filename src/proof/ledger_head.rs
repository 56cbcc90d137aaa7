//! How far the ledger of erasures had come, signed: `DIR/secrets/ledger.head`. Who cuts the end
//! off the ledger, or puts an older copy in its place, has no key to sign that again.
//!
//! One line of JSON with its fields in one order and without spaces; the signature is over the
//! line as it would be without its last field.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::hex::Hex;
use super::signing::{PublicKey, Signer};
use crate::atomic_file;
use crate::clock::Millis;

const FORMAT: &str = "usher-ledger-head";
/// The version of the ledger that it is of: the first that has heads.
const VERSION: u64 = 2;
const NAME: &str = "ledger.head";

/// An entry of the ledger that was committed, and so all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub ledger: Hex<16>,
    /// 0: only the first line.
    pub seq: u64,
    /// Its chain value.
    pub chain: Hex<32>,
    /// When it was signed.
    pub at: Millis,
    /// Which run of the program signed it: the database knows it, too.
    pub run: Hex<8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    format: String,
    version: u64,
    ledger: Hex<16>,
    seq: u64,
    chain: Hex<32>,
    at: Millis,
    run: Hex<8>,
    signature: Hex<64>,
}

/// Why a file is no head that can be believed. Each says the way out.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    #[error(
        "{} {what}: the ledger of erasures cannot be checked against it. If erasures.ledger is the newest copy, \
         remove that file: the next start signs a new one",
        path.display()
    )]
    Bad { path: PathBuf, what: &'static str },
    #[error("cannot read {}: {error}; fix that and start again", path.display())]
    Io { path: PathBuf, error: io::Error },
}

impl Head {
    /// The head in a data directory, if there is one.
    pub fn read(dir: &Path, key: &PublicKey) -> Result<Option<Head>, HeadError> {
        let path = path(dir);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(HeadError::Io { path, error }),
        };
        match Head::parse(&bytes, key) {
            Ok(head) => Ok(Some(head)),
            Err(what) => Err(HeadError::Bad { path, what }),
        }
    }

    /// Signs it and puts it there, whole or not at all. Its bytes outlast a power cut, but the
    /// name may still be that of the one before: then the head lags.
    pub fn keep(&self, dir: &Path, signer: &Signer) -> io::Result<()> {
        let folder = dir.join("secrets");
        atomic_file::make_private(&folder)?;
        atomic_file::write(&folder, NAME, self.line(signer).as_bytes(), 0o600)
    }

    /// As it lies in its file.
    pub fn line(&self, signer: &Signer) -> String {
        let body = self.body();
        format!("{body},\"signature\":\"{}\"}}\n", signer.sign((body.clone() + "}").as_bytes()))
    }

    fn body(&self) -> String {
        let Head { ledger, seq, chain, at, run } = self;
        format!(
            r#"{{"format":"{FORMAT}","version":{VERSION},"ledger":"{ledger}","seq":{seq},"chain":"{chain}","at":{at},"run":"{run}""#
        )
    }

    /// Reads a line that this key signed; what is wrong with it otherwise.
    pub fn parse(bytes: &[u8], key: &PublicKey) -> Result<Head, &'static str> {
        let line: Line = serde_json::from_slice(bytes).map_err(|_| "does not read")?;
        let Line { format, version, ledger, seq, chain, at, run, signature } = line;
        if (format.as_str(), version) != (FORMAT, VERSION) {
            return Err("is of a version that this program does not know");
        }
        let head = Head { ledger, seq, chain, at, run };
        let body = head.body();
        if format!("{body},\"signature\":\"{signature}\"}}\n").as_bytes() != bytes {
            return Err("is not written in the one way that it is written");
        }
        if !key.verify((body + "}").as_bytes(), &signature) {
            return Err("is not signed by the key in secrets/signing.key");
        }
        Ok(head)
    }
}

/// Where it lies in a data directory.
pub fn path(dir: &Path) -> PathBuf {
    dir.join("secrets").join(NAME)
}
