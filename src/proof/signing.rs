//! The key that receipts and the heads of the audit log are signed with: Ed25519, made at
//! the first start. `DIR/secrets/signing.key` holds its 32 secret bytes; `DIR/signing.pub`
//! its public half, for everybody who wants to check.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::hex::Hex;
use crate::atomic_file;

const SECRETS: &str = "secrets";
const SECRET: &str = "signing.key";
const PUBLIC: &str = "signing.pub";

/// What stands before the 32 bytes of an Ed25519 key in the form that other programs read
/// (RFC 8410, SubjectPublicKeyInfo).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

/// What to do where there is no key. The caller knows whether anything was signed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing was signed yet: make one.
    Make,
    /// There are receipts, or heads of an audit log: a new key would sign a chain that begins
    /// with another's signatures, and nobody who has the old public half could check it.
    Refuse,
}

/// Why there is no key to sign with. Each says the way out.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error(
        "{} is missing, but there are receipts that it signed: put it back from a copy or a backup. If it is \
         lost, move the receipts out of the directory and keep {PUBLIC} with them: it is needed to verify them",
        .0.display()
    )]
    Missing(PathBuf),
    #[error("{} is damaged: it must have 32 bytes; put it back from a copy or a backup", .0.display())]
    Damaged(PathBuf),
    #[error(
        "{} does not match {SECRETS}/{SECRET}: one of them belongs to another installation. Put both back from \
         the same copy. If only {PUBLIC} is wrong, remove it: it is created again",
        .0.display()
    )]
    OtherPublic(PathBuf),
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the system gives no random bytes")]
    NoRandom,
}

/// Signs. Its secret is never shown.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
}

/// The public half of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A text is no public key of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    #[error("must be 64 hex digits, or the text of a {PUBLIC} file")]
    Form,
    #[error("names two different keys, one in hex digits and one in the block below them")]
    Two,
    /// Ed25519 has a few keys under which anybody can make signatures.
    #[error("is not a key that Ed25519 signatures can be checked with")]
    Weak,
}

impl Signer {
    /// The key in this data directory; `missing` says what happens where there is none. The
    /// public half is written beside it if it is not there. Each [`SigningError`] may come.
    pub fn open(dir: &Path, missing: Missing) -> Result<Signer, SigningError> {
        match (Signer::read(dir), missing) {
            (Ok(signer), _) => {
                signer.publish(dir, Beside::MustAgree)?;
                Ok(signer)
            }
            (Err(SigningError::Missing(_)), Missing::Make) => {
                let signer = Signer::make(&dir.join(SECRETS))?;
                signer.publish(dir, Beside::IsReplaced)?;
                Ok(signer)
            }
            (Err(refusal), _) => Err(refusal),
        }
    }

    /// The same where nothing is written: both halves must be there, and agree.
    pub fn look(dir: &Path) -> Result<Signer, SigningError> {
        let (signer, at) = (Signer::read(dir)?, dir.join(PUBLIC));
        match fs::read_to_string(&at) {
            Ok(text) if text.parse() == Ok(signer.public()) => Ok(signer),
            Ok(_) => Err(SigningError::OtherPublic(at)),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(SigningError::OtherPublic(at)),
            Err(error) => Err(io_fault("read", &at)(error)),
        }
    }

    fn read(dir: &Path) -> Result<Signer, SigningError> {
        let at = dir.join(SECRETS).join(SECRET);
        let mut file = match File::open(&at) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(SigningError::Missing(at)),
            file => file.map_err(io_fault("read", &at))?,
        };
        let mut text = Vec::new();
        file.by_ref().take(33).read_to_end(&mut text).map_err(io_fault("read", &at))?;
        let secret = text.try_into().map_err(|_| SigningError::Damaged(at))?;
        Ok(Signer::of(&secret))
    }

    /// The key with this secret half.
    pub fn of(secret: &[u8; 32]) -> Signer {
        Signer { key: SigningKey::from_bytes(secret) }
    }

    fn make(folder: &Path) -> Result<Signer, SigningError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| SigningError::NoRandom)?;
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io_fault("make", folder))?;
        atomic_file::replace(&folder.join(SECRET), &secret, 0o600)
            .map_err(io_fault("write", &folder.join(SECRET)))?;
        Ok(Signer::of(&secret))
    }

    /// Sees to it that the public half lies in the directory.
    fn publish(&self, dir: &Path, beside: Beside) -> Result<(), SigningError> {
        let at = dir.join(PUBLIC);
        let own = self.public();
        match (fs::read_to_string(&at), beside) {
            (Ok(text), Beside::MustAgree) if text == own.file_text() => return Ok(()),
            // The same key in another way, such as other letters: somebody wrote into the file.
            (Ok(text), Beside::MustAgree) if text.parse() == Ok(own) => {}
            (Ok(_), Beside::MustAgree) => return Err(SigningError::OtherPublic(at)),
            (Err(error), Beside::MustAgree) if error.kind() == ErrorKind::InvalidData => {
                return Err(SigningError::OtherPublic(at));
            }
            (Err(error), _) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
                return Err(io_fault("read", &at)(error));
            }
            _ => {}
        }
        atomic_file::replace(&dir.join(PUBLIC), own.file_text().as_bytes(), 0o644)
            .map_err(io_fault("write", &at))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.key.verifying_key())
    }

    /// The same bytes always get the same signature.
    pub fn sign(&self, bytes: &[u8]) -> Hex<64> {
        Hex(self.key.sign(bytes).to_bytes())
    }
}

/// What a public half that lies in the directory already may be.
#[derive(Clone, Copy)]
enum Beside {
    MustAgree,
    /// It is of a key that is no more.
    IsReplaced,
}

impl PublicKey {
    /// [`NotAKey::Weak`] for 32 bytes that are no point of the curve, or one of its few weak ones.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<PublicKey, NotAKey> {
        VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak()).map(PublicKey).ok_or(NotAKey::Weak)
    }

    pub fn hex(&self) -> Hex<32> {
        Hex(self.0.to_bytes())
    }

    /// Strict: of one text and one key there is one signature that is accepted.
    pub fn verify(&self, bytes: &[u8], signature: &Hex<64>) -> bool {
        self.0.verify_strict(bytes, &Signature::from_bytes(&signature.0)).is_ok()
    }

    /// The text of `signing.pub`: the key in hex digits for people to compare, and the block
    /// that openssl and others read.
    pub fn file_text(&self) -> String {
        let block = BASE64.encode(&[&SPKI[..], &self.0.to_bytes()[..]].concat());
        format!("Usher signing key (Ed25519): {}\n{PEM_BEGIN}\n{block}\n{PEM_END}\n", self.hex())
    }
}

impl FromStr for PublicKey {
    type Err = NotAKey;

    /// 64 hex digits (of either case), or the text of `signing.pub`, or its block alone.
    fn from_str(text: &str) -> Result<PublicKey, NotAKey> {
        if let Ok(hex) = text.trim().to_ascii_lowercase().parse::<Hex<32>>() {
            return PublicKey::from_bytes(&hex.0);
        }
        let (before, rest) = text.split_once(PEM_BEGIN).ok_or(NotAKey::Form)?;
        let (block, after) = rest.split_once(PEM_END).ok_or(NotAKey::Form)?;
        if !after.trim().is_empty() {
            return Err(NotAKey::Form);
        }
        let block: String = block.split_ascii_whitespace().collect();
        let der = BASE64.decode(block.as_bytes()).map_err(|_| NotAKey::Form)?;
        let bytes = der.strip_prefix(&SPKI).ok_or(NotAKey::Form)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| NotAKey::Form)?;
        let says: Option<Hex<32>> = before.split_ascii_whitespace().find_map(|word| word.parse().ok());
        if says.is_some_and(|hex| hex.0 != bytes) {
            return Err(NotAKey::Two);
        }
        PublicKey::from_bytes(&bytes)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hex().fmt(f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hex().fmt(f)
    }
}

fn io_fault<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> SigningError + 'a {
    move |source| SigningError::Io { doing, path: path.to_owned(), source }
}
