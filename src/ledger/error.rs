//! Why a ledger is not opened.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{LedgerId, UNSEALED, VERSION};

/// Why a ledger is not opened. Each says the way out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    #[error(
        "there is no ledger of erasures at {path}, and without it people who were erased since a backup \
         could come back with it: put its newest copy there, from the place that backups are copied to. Where there \
         is no copy, `usher serve --new-ledger` goes on with this database, and `usher restore FILE \
         --without-ledger` with a backup: both say what is given up"
    )]
    Missing { path: PathBuf },
    #[error(
        "the ledger of erasures {path} is older than the database: it ends after {length} bytes with entry \
         {last}, and the database has seen entry {seq}; put back its newest copy, from the place that backups \
         are copied to. Where there is no newer one, move it away: `usher serve --new-ledger` begins another"
    )]
    Older { path: PathBuf, length: u64, last: u64, seq: u64 },
    #[error(
        "the ledger of erasures {path} belongs to another database: it is {found}, and the database was \
         written beside {recorded}; put the newest copy of that one in its place, or the database that belongs to this one. Where \
         that one is lost, `usher restore FILE --without-ledger` takes a backup without it"
    )]
    Foreign { path: PathBuf, found: LedgerId, recorded: LedgerId },
    #[error(
        "the ledger of erasures {path} is not the one that the database has seen: entry {seq}, which ends at \
         byte {offset}, is another; put back its newest copy, from the place that backups are copied to"
    )]
    Rewritten { path: PathBuf, seq: u64, offset: u64 },
    #[error(
        "the ledger of erasures {path} is damaged in line {line}: {what}; put back its newest copy, from the \
         place that backups are copied to. Where there is none that is whole, move it away: `usher serve \
         --new-ledger` begins another, and says what is given up"
    )]
    Damaged { path: PathBuf, line: u64, what: String },
    #[error(
        "the ledger of erasures {path} is damaged in line {line}, or was forged there: its `mac` is not what \
         secrets/store.key makes of it; put back its newest copy, from the place that backups are copied to, \
         and see who can write there"
    )]
    Forged { path: PathBuf, line: u64 },
    #[error(
        "the ledger of erasures {path} is of version {UNSEALED}, which has no `mac`, where one of version \
         {VERSION} is due; put its newest copy there, from the place that backups are copied to"
    )]
    Unsealed { path: PathBuf },
    #[error(
        "the ledger of erasures {path} is of version {UNSEALED}, which has no `mac`, but {by} names version \
         {VERSION} of it: somebody has put an old or a forged one there; put its newest copy back, from the \
         place that backups are copied to"
    )]
    Stripped { path: PathBuf, by: String },
    #[error(
        "the ledger of erasures {path} has the version {version}, which this program does not know (line 1): \
         start the newer program that wrote it"
    )]
    Newer { path: PathBuf, version: u64 },
    #[error(
        "the ledger of erasures {path} says {act:?} in line {line}, which this program does not know: start \
         the newer program that wrote it, for this one would not do what is ordered there"
    )]
    NewerAct { path: PathBuf, line: u64, act: String },
    #[error("the ledger of erasures {path} cannot be read or written: {error}; see to that, and start again")]
    Io { path: PathBuf, error: Arc<io::Error> },
}

impl LedgerError {
    pub(super) fn io(path: &Path, error: io::Error) -> LedgerError {
        LedgerError::Io { path: path.to_owned(), error: Arc::new(error) }
    }
}
