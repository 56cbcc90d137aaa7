//! The first line of a backup: what it is, readable without a key.
//!
//! `usher-backup 2 {…}`, filled up with spaces, because its last figures are known only
//! after the rest is written. Nothing in it is secret. The same figures lie encrypted inside,
//! and the length and the digest of the encrypted part are held against the file itself. Its
//! last field is a signature by the installation's signing key over the object as it would be
//! without that field: what the line says of the ledger of erasures is believed without the
//! rest, where somebody else's ledger may lie beside it. Format 1 had none, and its words
//! count for nothing there.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::{BackupError, Result};
use super::keys::RecipientFingerprints;
use crate::clock::Millis;
use crate::files;
use crate::proof::hex::Hex;
use crate::proof::signing::{PublicKey, Signer};

/// How every backup begins, of whatever format.
const MAGIC: &[u8] = b"usher-backup ";
/// No first line is longer, in bytes.
const LINE_MAX: u64 = 16 * 1024;

/// A place in the ledger of erasures: what a backup knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerPosition {
    /// The ledger's id, 32 hex digits.
    pub ledger: String,
    /// Of the last entry that the database knows.
    pub seq: u64,
    /// That entry's chain value, 64 hex digits.
    pub head: String,
    /// Where it ends in the file, in bytes.
    pub offset: u64,
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub made_at: Millis,
    /// Of the program that made it.
    pub version: String,
    /// Of the database.
    pub schema: i64,
    pub ledger: LedgerPosition,
    pub database_bytes: u64,
    /// SHA-256 of the database, in hex.
    pub database_sha256: String,
    pub recipients: RecipientFingerprints,
    /// Length of the encrypted part.
    pub sealed_bytes: u64,
    /// SHA-256 of the encrypted part, in hex.
    pub sealed_sha256: String,
    /// The public half of the key that signed it. None: it is of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Hex<32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Hex<64>>,
}

impl Manifest {
    /// What lies encrypted inside: all but what is known only after the encryption.
    pub(super) fn inside(&self) -> Map<String, Value> {
        let mut fields = match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            // A struct of texts and numbers is an object.
            _ => Map::new(),
        };
        fields.retain(|name, _| !matches!(name.as_str(), "sealed_bytes" | "sealed_sha256" | "signature"));
        fields
    }

    /// Signs what is known now.
    pub(super) fn sign(&mut self, signer: &Signer) {
        self.key = Some(signer.public().hex());
        self.signature = Some(signer.sign(self.signed_text().as_bytes()));
    }

    /// Whether this key signed it, and nobody changed it since.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let Some(signature) = &self.signature else { return false };
        self.key == Some(key.hex()) && key.verify(self.signed_text().as_bytes(), signature)
    }

    /// Whether the key that it names signed it, or it is of the format that names none.
    pub(super) fn is_whole(&self) -> bool {
        match (self.key, self.signature) {
            (None, None) => true,
            (Some(key), Some(_)) => PublicKey::from_bytes(&key.0).is_ok_and(|key| self.is_signed_by(&key)),
            _ => false,
        }
    }

    fn signed_text(&self) -> String {
        Manifest { signature: None, ..self.clone() }.json()
    }

    fn format(&self) -> u64 {
        if self.key.is_some() { 2 } else { 1 }
    }

    /// The name of the first field that is not as it was packed.
    pub(super) fn differs(&self, inside: &Map<String, Value>) -> Option<String> {
        let ours = self.inside();
        let names = ours.keys().chain(inside.keys());
        names.into_iter().find(|name| ours.get(*name) != inside.get(*name)).cloned()
    }

    /// The line, with its newline. It is as long before the encrypted part is known
    /// ([`Manifest::unsealed`]) as after.
    pub(super) fn line(&self) -> Vec<u8> {
        let widest = self.unsealed().json().len();
        format!("usher-backup {} {:widest$}\n", self.format(), self.json()).into_bytes()
    }

    /// With the longest figures in the place of those that are not known yet.
    pub(super) fn unsealed(&self) -> Manifest {
        let signature = self.key.map(|_| Hex([0; 64]));
        Manifest { sealed_bytes: u64::MAX, sealed_sha256: "0".repeat(64), signature, ..self.clone() }
    }

    fn json(&self) -> String {
        // A struct of texts and numbers serialises.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Reads what a backup says of itself. Its figures are as good as the file: only
/// [`super::check`] knows. [`BackupError::NotABackup`], [`BackupError::NewerFormat`],
/// [`BackupError::CutShort`], [`BackupError::Damaged`].
pub fn read_manifest(path: &Path) -> Result<Manifest> {
    open(path).map(|opened| opened.manifest)
}

/// A backup whose first line was read.
pub(super) struct Opened {
    pub manifest: Manifest,
    /// Length of the first line: where the encrypted part begins.
    pub line: u64,
    /// At the encrypted part.
    pub rest: BufReader<File>,
}

pub(super) fn open(path: &Path) -> Result<Opened> {
    let failed = |error| BackupError::io("read", path, error);
    let file = files::open(path).map_err(failed)?;
    let have = file.metadata().map_err(failed)?.len();
    let mut rest = BufReader::with_capacity(super::files::CHUNK, file);
    let mut line = Vec::new();
    rest.by_ref().take(LINE_MAX).read_until(b'\n', &mut line).map_err(failed)?;
    let manifest = parse(path, &line)?;
    let line = line.len() as u64;
    let want = line.saturating_add(manifest.sealed_bytes);
    match have {
        _ if have < want => Err(BackupError::CutShort { path: path.to_owned(), have, want: Some(want) }),
        _ if have > want => Err(BackupError::damaged(path, want, "it goes on beyond its end")),
        _ => Ok(Opened { manifest, line, rest }),
    }
}

fn parse(path: &Path, line: &[u8]) -> Result<Manifest> {
    let have = line.len() as u64;
    let cut = || BackupError::CutShort { path: path.to_owned(), have, want: None };
    let alien = || BackupError::NotABackup { path: path.to_owned() };
    if MAGIC.starts_with(line) {
        return Err(cut());
    }
    let rest = line.strip_prefix(MAGIC).ok_or_else(alien)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (format, rest) = rest.split_at(digits);
    match std::str::from_utf8(format).ok().filter(|format| !format.is_empty() && *format != "0") {
        None => return Err(alien()),
        Some(_) if rest.is_empty() => return Err(cut()),
        Some("1" | "2") => {}
        Some(format) => {
            return Err(BackupError::NewerFormat { path: path.to_owned(), format: format.to_owned() });
        }
    }
    let begin = (MAGIC.len() + digits) as u64;
    let Some(text) = rest.strip_suffix(b"\n") else {
        if have == LINE_MAX {
            return Err(BackupError::damaged(path, begin, "its first line never ends"));
        }
        return Err(cut());
    };
    let manifest: Manifest = serde_json::from_slice(text).map_err(|error| {
        let column = u64::try_from(error.column().saturating_sub(1)).unwrap_or(0);
        BackupError::damaged(path, begin + column, "its first line cannot be read")
    })?;
    // Read generously, then held against our own wording: what JSON would forgive, such
    // as a space that became a tab, is a change of the file all the same.
    let ours = manifest.line();
    if line != ours {
        let same = line.iter().zip(&ours).take_while(|(theirs, ours)| theirs == ours).count();
        return Err(BackupError::damaged(path, same as u64, "its first line is not as it was written"));
    }
    Ok(manifest)
}
