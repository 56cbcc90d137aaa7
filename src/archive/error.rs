//! Why a backup was not made, opened or copied, in words for the operator.

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
    #[error("{} is cut short: {}; use another copy of it", .path.display(), short(*.have, *.want))]
    CutShort { path: PathBuf, have: u64, want: Option<u64> },
    #[error("{} is damaged at byte {at}: {what}; use another copy of it", .path.display())]
    Damaged { path: PathBuf, at: u64, what: &'static str },
    /// What its first line says is not what was encrypted with it.
    #[error("the first line of {} was edited: {field} is not the original; use another copy of it", .path.display())]
    Edited { path: PathBuf, field: String },
    /// It opens, but what is in it is not what we pack.
    #[error("{} was not made by Usher: {what}", .path.display())]
    Unexpected { path: PathBuf, what: String },
    #[error(
        "no key opens {}: it needs the recovery key {recovery} or, on the machine that made it, {machine}; {tried}",
        .path.display()
    )]
    NoKeyFits { path: PathBuf, recovery: String, machine: String, tried: Fingerprints },

    #[error("{} is missing: this directory has no recovery key yet", .path.display())]
    NoRecoveryKey { path: PathBuf },
    #[error("{} already exists: backups are encrypted to that recovery key", .path.display())]
    RecoveryKeyExists { path: PathBuf },
    #[error(
        "{} is not the recovery key of this directory: someone else could open its backups. Put it back from a \
         copy. If you changed it yourself, remove {}: the next start accepts the new one",
        .path.display(), .seal.display()
    )]
    OtherRecoveryKey { path: PathBuf, seal: PathBuf },
    /// `from` says where the text came from; the text itself is never shown.
    #[error("{from} has no key: {why}")]
    BadKey { from: String, why: &'static str },

    #[error("{} changed while it was being packed", .path.display())]
    Changed { path: PathBuf },
    #[error("{} has {have} bytes, more than the {most} a backup can hold", .path.display())]
    TooLarge { path: PathBuf, have: u64, most: u64 },

    #[error("{} does not exist: is its disk mounted? It is not created, because it could fill another disk", .path.display())]
    NoPlace { path: PathBuf },
    #[error(
        "{} has {have} bytes, the ledger has {ours}: the ledger is older than its copy. Nothing was written; \
         stop Usher and replace the ledger with the copy",
        .path.display()
    )]
    CopyAhead { path: PathBuf, have: u64, ours: u64 },
    #[error(
        "{} is not a copy of this ledger: they differ at byte {at}. Nothing was written; name another place, \
         or put the right ledger back",
        .path.display()
    )]
    CopyDiffers { path: PathBuf, at: u64 },
    #[error("{} is the file itself: use another place for the copies", .path.display())]
    SamePlace { path: PathBuf },
    #[error("{name:?} is not the name of a backup")]
    BadName { name: String },
    #[error("the backup command {} ended with {outcome}", .program.display())]
    CommandFailed { program: PathBuf, outcome: String },
    #[error("the backup command {} did not end within {} s and was stopped", .program.display(), .after.as_secs())]
    CommandStuck { program: PathBuf, after: Duration },
    #[error("the copy was stopped: Usher is shutting down")]
    Abandoned,

    #[error("cannot {doing} {}: its disk is full", .path.display())]
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
        Some(want) => format!("it has {have} of {want} bytes"),
        None => format!("it ends in its first line, after {have} bytes"),
    }
}

/// Fingerprints of keys, for a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprints(pub Vec<String>);

impl fmt::Display for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("no key given, use --recovery-key"),
            keys => write!(f, "tried {}", keys.join(", ")),
        }
    }
}
