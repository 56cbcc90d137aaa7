//! Why a backup was not made, opened or copied, in words for whoever runs Usher.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;

pub type Result<T> = std::result::Result<T, BackupError>;

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is not a backup of Usher", .path.display())]
    NotABackup { path: PathBuf },
    #[error(
        "{} is a backup of format {format}, which this version does not know: use the version of Usher \
         that made it, or a later one",
        .path.display()
    )]
    NewerFormat { path: PathBuf, format: String },
    /// `want` is None when not even the line is there that says it.
    #[error("{} is cut short: {}; take another copy of it", .path.display(), short(*.have, *.want))]
    CutShort { path: PathBuf, have: u64, want: Option<u64> },
    #[error("{} is damaged at byte {at}: {what}; take another copy of it", .path.display())]
    Damaged { path: PathBuf, at: u64, what: &'static str },
    /// What its first line says is not what was encrypted with it.
    #[error("the first line of {} was edited: {field} is not what was packed; take another copy of it", .path.display())]
    Edited { path: PathBuf, field: String },
    /// It opens, but what is in it is not what we pack.
    #[error("{} was not made by Usher: {what}", .path.display())]
    Unexpected { path: PathBuf, what: String },
    #[error(
        "no key fits {}: it opens with the recovery key {recovery} or, on the machine that made it, with \
         {machine}; tried {tried}",
        .path.display()
    )]
    NoKeyFits { path: PathBuf, recovery: String, machine: String, tried: Fingerprints },

    #[error("{} is missing: no recovery key was made for this directory yet", .path.display())]
    NoRecoveryKey { path: PathBuf },
    #[error("{} is there already: backups are encrypted to that recovery key", .path.display())]
    RecoveryKeyExists { path: PathBuf },
    #[error(
        "{} is not the recovery key that this directory has had: somebody else could open its backups. Put it back \
         from a copy; where the owner has changed it, remove {}, and the next start takes it as it is",
        .path.display(), .seal.display()
    )]
    OtherRecoveryKey { path: PathBuf, seal: PathBuf },
    /// `from` says where the text came from; the text itself is never shown.
    #[error("{from} holds no key: {why}")]
    BadKey { from: String, why: &'static str },

    #[error("{} changed while it was being packed", .path.display())]
    Changed { path: PathBuf },
    #[error("{} has {have} bytes, which is more than the {most} that a backup takes", .path.display())]
    TooLarge { path: PathBuf, have: u64, most: u64 },

    #[error("{} is not there: is its disk mounted? It is not made, for it might fill another disk", .path.display())]
    NoPlace { path: PathBuf },
    #[error(
        "{} has {have} bytes, the ledger has {ours}: the ledger is older than its copy. Nothing was written; \
         stop Usher and put the copy in the ledger's place",
        .path.display()
    )]
    CopyAhead { path: PathBuf, have: u64, ours: u64 },
    #[error(
        "{} is not a copy of this ledger: they differ at byte {at}. Nothing was written; name another place, \
         or put the right ledger back",
        .path.display()
    )]
    CopyDiffers { path: PathBuf, at: u64 },
    #[error("{} is the file itself: name another place for the copies", .path.display())]
    SamePlace { path: PathBuf },
    #[error("{name:?} is not the name of a backup")]
    BadName { name: String },
    #[error("the backup command {} ended with {outcome}", .program.display())]
    CommandFailed { program: PathBuf, outcome: String },
    #[error("the backup command {} did not end within {} s and was stopped", .program.display(), .after.as_secs())]
    CommandStuck { program: PathBuf, after: Duration },
    #[error("the copy was abandoned: Usher stops")]
    Abandoned,

    #[error("cannot {doing} {}: no room is left on its disk", .path.display())]
    NoRoom { doing: &'static str, path: PathBuf },
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot encrypt: {0}")]
    Cipher(String),
}

impl BackupError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> BackupError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BackupError::NoRoom { doing, path },
            _ => BackupError::Io { doing, path, source },
        }
    }

    /// As the one error.
    pub fn into_error(self) -> Error {
        match self {
            BackupError::NoRoom { .. } => Error::DiskFull,
            BackupError::Io { .. } => Error::DiskFails(self.to_string()),
            refusal => Error::internal(refusal),
        }
    }

    pub(super) fn damaged(path: &Path, at: u64, what: &'static str) -> BackupError {
        BackupError::Damaged { path: path.to_owned(), at, what }
    }
}

fn short(have: u64, want: Option<u64>) -> String {
    match want {
        Some(want) => format!("{have} of {want} bytes are there"),
        None => format!("it ends in its first line, after {have} bytes"),
    }
}

/// Fingerprints of keys, for a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprints(pub Vec<String>);

impl fmt::Display for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("no key"),
            keys => f.write_str(&keys.join(", ")),
        }
    }
}
