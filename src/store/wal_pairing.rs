//! That a WAL belongs to the file beside it: laid over another file, it makes one that never
//! was, and nobody would notice.
//!
//! The first transaction of a WAL changes a random mark, and keeps the one that the file then
//! has. A WAL keeps all that was written since the file had that one, and what is taken into the
//! file meanwhile is in it, too. So a WAL that has the mark of the file anywhere, as the mark or
//! as the one before, belongs to it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{from_sql, has_wal, wal_file};
use crate::error::{Error, Result};

type Mark = [u8; 16];

/// Changes the mark, in the open transaction.
pub fn change(conn: &Connection) -> Result<()> {
    let sql = "INSERT INTO wal_mark (one, before, now) VALUES (1, zeroblob(16), randomblob(16))
               ON CONFLICT (one) DO UPDATE SET before = now, now = randomblob(16)";
    conn.prepare_cached(sql).and_then(|mut upsert| upsert.execute([])).map_err(from_sql)?;
    Ok(())
}

/// The mark in the file itself, whatever its WAL says. None: there is no WAL, or the file
/// cannot be read without it, which is nothing to tell by.
pub fn of_file(path: &Path) -> Option<Mark> {
    if !has_wal(path) {
        return None;
    }
    let encoded = percent_encoding::utf8_percent_encode(path.to_str()?, percent_encoding::NON_ALPHANUMERIC);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // Immutable: neither the WAL nor locks are looked at.
    let conn = Connection::open_with_flags(format!("file:{encoded}?immutable=1"), flags).ok()?;
    conn.query_row("SELECT now FROM wal_mark", [], |row| row.get(0)).ok()
}

/// [`Error::Unavailable`] if the WAL that was laid over the file at `path` belongs to another
/// one.
pub fn check(conn: &Connection, path: &Path, of_file: Option<Mark>) -> Result<()> {
    let Some(of_file) = of_file else { return Ok(()) };
    let sql = "SELECT before, now FROM wal_mark";
    let known: Option<(Mark, Mark)> =
        conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(from_sql)?;
    if known.is_none_or(|(before, now)| of_file == before || of_file == now) {
        return Ok(());
    }
    // Changed more than once in one WAL: an older version of Usher did, at a start that was
    // killed.
    let root = "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = 'wal_mark'";
    let page = conn.query_row(root, [], |row| row.get(0)).map_err(from_sql)?;
    if wal_file::has(path, page, &of_file)? {
        return Ok(());
    }
    Err(Error::Unavailable(
        "usher.db-wal belongs to another usher.db than the one beside it. Keep it: copy usher.db, usher.db-wal \
         and usher.db-shm to another place before anything else, for it may be all that is left of the last \
         writes. Then put the usher.db back that it belongs to; only where an older usher.db was put there on \
         purpose, remove usher.db-wal and usher.db-shm and start again",
    ))
}
