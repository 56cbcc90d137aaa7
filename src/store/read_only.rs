//! A database that is read, and beside which nothing is written: no WAL, no index of one, no lock.
//!
//! The process holds `usher.lock` meanwhile, so that no other Usher writes to the file.

use std::path::Path;

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{from_sql, has_wal, pragmas};
use crate::error::{Error, Result};

/// Whether a database may be written beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// SQLite may make what it needs for reading.
    Usual,
    /// Not a byte is written.
    ReadOnly,
}

const FLAGS: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_URI).union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// The address of the file for a connection that writes nothing.
fn address(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or(Error::Unavailable("the path of the database is not UTF-8"))?;
    let path = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    // Immutable: neither a WAL nor locks are looked for. What is in a WAL must be read, though: without
    // locks SQLite makes its index in memory.
    let how = if has_wal(Path::new(text)) { "vfs=unix-none" } else { "immutable=1" };
    Ok(format!("file:{path}?{how}"))
}

/// To be called before anything is read.
fn begin(conn: &Connection) -> rusqlite::Result<()> {
    // Exclusive: the index of the WAL is made in memory and shared with nobody.
    conn.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
    // The WAL stays as it is.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop)
}

/// A connection to look into a file with.
pub fn connection(path: &Path) -> Result<Connection> {
    let conn = Connection::open_with_flags(address(path)?, FLAGS).map_err(from_sql)?;
    begin(&conn).map_err(from_sql)?;
    Ok(conn)
}

/// Connections for a pool.
pub fn manager(path: &Path) -> Result<SqliteConnectionManager> {
    Ok(SqliteConnectionManager::file(address(path)?).with_flags(FLAGS).with_init(|conn| {
        begin(conn)?;
        pragmas::reader(conn)
    }))
}
