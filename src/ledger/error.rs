//! Why a ledger is not opened.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{LedgerId, UNSEALED, VERSION};

/// Why a ledger is not opened. Each says the way out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    #[error(
        "there is no ledger of erasures at {path}: without it, users erased since a backup could come back. Put \
         its newest copy there, from where backups are copied to. If there is no copy, continue with this database \
         with `usher serve --new-ledger`, or with a backup with `usher restore FILE --without-ledger`: both print \
         what is lost"
    )]
    Missing { path: PathBuf },
    #[error(
        "the ledger of erasures {path} is older than the database: it ends after {length} bytes with entry \
         {last}, but the database has entry {seq}; put back its newest copy, from where backups are copied to. If \
         there is no newer one, move it away and start a new one with `usher serve --new-ledger`"
    )]
    Older { path: PathBuf, length: u64, last: u64, seq: u64 },
    #[error(
        "the ledger of erasures {path} belongs to another database: it is {found}, but the database belongs to \
         {recorded}; put the newest copy of that one in its place, or the database that belongs to this one. If \
         it is lost, restore a backup without it: `usher restore FILE --without-ledger`"
    )]
    Foreign { path: PathBuf, found: LedgerId, recorded: LedgerId },
    #[error(
        "the ledger of erasures {path} is not the one of the database: entry {seq}, which ends at byte {offset}, \
         differs; put back its newest copy, from where backups are copied to"
    )]
    Rewritten { path: PathBuf, seq: u64, offset: u64 },
    #[error(
        "the ledger of erasures {path} is damaged in line {line}: {what}; put back its newest copy, from where \
         backups are copied to. If there is no complete copy, move it away and start a new one with `usher serve \
         --new-ledger`, which prints what is lost"
    )]
    Damaged { path: PathBuf, line: u64, what: String },
    #[error(
        "the ledger of erasures {path} is damaged or forged in line {line}: its `mac` does not match \
         secrets/store.key; put back its newest copy, from where backups are copied to, and check who can write \
         there"
    )]
    Forged { path: PathBuf, line: u64 },
    #[error(
        "the ledger of erasures {path} has version {UNSEALED}, without a `mac`, but version {VERSION} is \
         required; put its newest copy there, from where backups are copied to"
    )]
    Unsealed { path: PathBuf },
    #[error(
        "the ledger of erasures {path} has version {UNSEALED}, without a `mac`, but {by} names version {VERSION}: \
         it is an old or a forged one; put back its newest copy, from where backups are copied to"
    )]
    Stripped { path: PathBuf, by: String },
    #[error(
        "the ledger of erasures {path} has the version {version}, which this program does not know (line 1): \
         start the newer program that wrote it"
    )]
    Newer { path: PathBuf, version: u64 },
    #[error(
        "the ledger of erasures {path} has {act:?} in line {line}, which this program does not know: start the \
         newer program that wrote it, because this one would not carry it out"
    )]
    NewerAct { path: PathBuf, line: u64, act: String },
    #[error("the ledger of erasures {path} cannot be read or written: {error}; fix that and start again")]
    Io { path: PathBuf, error: Arc<io::Error> },
}

impl LedgerError {
    pub(super) fn io(path: &Path, error: io::Error) -> LedgerError {
        LedgerError::Io { path: path.to_owned(), error: Arc::new(error) }
    }
}
