//! A database that is read, and beside which nothing is written: no WAL, no index of one, no lock.
//!
//! The process holds `usher.lock` meanwhile, so that no other Usher writes to the file.

use std::path::Path;

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Loss, Running, book};
use super::{
    Options, Store, backup::Glance, foreign, from_sql, has_wal, ledger_of, migrations, pragmas, upkeep,
};
use crate::error::{Error, Result};
use crate::ledger::{Seal, look};

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

impl Store {
    /// Opens the database at `path` to be read alone; nothing is written there, and every write is
    /// [`Error::ReadOnly`]. Whatever a start would have to change first is refused with the way out:
    /// an older schema, and above all what the ledger of erasures orders and the database has not done,
    /// for it would show people who are erased.
    pub fn open_read_only(path: &Path, options: &Options) -> Result<Store> {
        pragmas::check_build()?;
        let schema = foreign::check(path, migrations::NEWEST, Loss::Refuse, Access::ReadOnly)
            .map_err(super::with_way_out)?;
        if schema < migrations::NEWEST {
            return Err(Error::Unavailable(
                "usher.db is of an older version, and has to be brought to this version's schema first: start \
                 once without --read-only, on a disk that can be written (a copy of the directory will do), or \
                 start the version that wrote it",
            ));
        }
        check_caught_up(path, &options.secret)?;
        Store::assembled(path, options, Running::read_only(path, options), Access::ReadOnly)
    }
}

/// [`Error::Unavailable`] unless all that the ledger orders is done.
fn check_caught_up(path: &Path, secret: &[u8; 32]) -> Result<()> {
    let glance = Glance::open_as(path, Access::ReadOnly)?;
    let (mark, restored) = glance.read(|db| {
        book::check_secret(db.conn, secret)?;
        Ok((book::position(db)?, upkeep::done_at(db, upkeep::RESTORED)?))
    })?;
    let seen = look(&ledger_of(path), &Seal::new(secret), &[mark], |_, _| {}).map_err(Error::internal)?;
    seen.places.into_iter().try_for_each(|place| place.map(drop)).map_err(Error::internal)?;
    if seen.end.seq > mark.seq || restored.is_some() {
        return Err(Error::Unavailable(
            "the ledger of erasures orders what this usher.db has not done yet: read-only, it would show people \
             who are erased. Start once without --read-only, on a disk that can be written (a copy of the whole \
             directory will do): that start does it",
        ));
    }
    Ok(())
}
