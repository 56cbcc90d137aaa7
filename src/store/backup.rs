//! Copies of the database: made while writing goes on, looked into, made ready to be put
//! back.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use super::rows::{self, Rows};
use super::{
    Access, Db, Store, from_sql, has_wal, index_of, ledger_writer, maintenance, marks, migrations, read_only,
    snapshot, wal_of, wal_pairing, wal_watch,
};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::ledger::Position;

/// How the folders are called in which copies are made: they are not encrypted.
const FOLDER: &str = ".copy-";
/// Faults of a file that are named; there may be one a row.
const FAULTS: u32 = 20;

/// A database that is only looked into: nothing is written, the WAL stays as it is.
pub struct OfflineDatabase {
    conn: Connection,
}

impl OfflineDatabase {
    /// [`Error::Internal`] if it cannot be opened.
    pub fn open(path: &Path) -> Result<OfflineDatabase> {
        OfflineDatabase::open_as(path, Access::Usual)
    }

    /// The same, with the word whether anything may be written beside it.
    pub fn open_as(path: &Path, access: Access) -> Result<OfflineDatabase> {
        let mark = wal_pairing::of_file(path);
        let conn = match access {
            Access::Usual => OfflineDatabase::usual(path)?,
            Access::ReadOnly => read_only::connection(path)?,
        };
        conn.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF").map_err(from_sql)?;
        wal_pairing::check(&conn, path, mark)?;
        Ok(OfflineDatabase { conn })
    }

    fn usual(path: &Path) -> Result<Connection> {
        // Not read-only: where there is a WAL, its index may have to be made.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags).map_err(from_sql)?;
        conn.busy_timeout(Duration::from_secs(5)).map_err(from_sql)?;
        // Without a WAL there is nothing to fold in: closing removes the empty one.
        let keeps_wal = has_wal(path);
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keeps_wal).map_err(from_sql)?;
        Ok(conn)
    }

    /// All queries of `run` see one state of the file.
    pub fn read<T>(&self, run: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        snapshot(&self.conn, run)
    }

    /// How far it has seen the ledger. [`Error::Internal`] if it never saw one.
    pub fn ledger(&self) -> Result<Position> {
        self.read(ledger_writer::position)
    }

    /// What is wrong with the file of numbers beside it. None: it is of a schema that has no such file.
    pub fn faults_of_numbers(&self, path: &Path) -> Result<Option<Vec<String>>> {
        match usize::try_from(self.schema()?) {
            Ok(schema) if schema >= migrations::NEWEST => self.read(|db| marks::faults(db, path)).map(Some),
            _ => Ok(None),
        }
    }

    /// The number of its schema.
    pub fn schema(&self) -> Result<i64> {
        self.setting("user_version")
    }

    /// Which program has made it; 0 if that does not say.
    pub fn application_id(&self) -> Result<i64> {
        self.setting("application_id")
    }

    pub fn has_tables(&self) -> Result<bool> {
        self.conn
            .query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
            .map_err(from_sql)
    }

    fn setting(&self, name: &str) -> Result<i64> {
        self.conn.pragma_query_value(None, name, |row| row.get(0)).map_err(from_sql)
    }

    /// What SQLite finds wrong with the file, and rows that refer to what is not there.
    pub fn faults(&self) -> Result<Vec<String>> {
        let texts = |sql: &str| -> Result<Vec<String>> {
            let mut statement = self.conn.prepare(sql).map_err(from_sql)?;
            let rows = statement.query_map([], |row| row.get(0)).map_err(from_sql)?;
            rows.collect::<rusqlite::Result<Vec<String>>>().map_err(from_sql)
        };
        let mut faults = texts(&format!("PRAGMA integrity_check({FAULTS})"))?;
        faults.retain(|fault| fault != "ok");
        // The table and the number of rows: not which rows, they may be somebody's.
        faults.extend(texts(
            "SELECT COUNT(*) || ' rows of ' || \"table\" || ' refer to rows of ' || parent || ' that are not there'
             FROM pragma_foreign_key_check GROUP BY \"table\", parent",
        )?);
        Ok(faults)
    }
}

impl OfflineDatabase {
    /// Reads every row of every table.
    pub fn rows(&self) -> Result<Rows> {
        self.read(|db| rows::read_all(db, FAULTS as usize))
    }
}

/// How far the database at `path` has seen the ledger. None: it is damaged, or is no database
/// at all. Whatever else is in the way is an error: [`Error::DiskFull`], [`Error::Unavailable`] for
/// another program that holds it, [`Error::Internal`] for a database of somebody else.
pub fn seen(path: &Path) -> Result<Option<Position>> {
    let offline = match OfflineDatabase::open(path) {
        Err(Error::Damaged(_)) => return Ok(None),
        offline => offline?,
    };
    let looked = offline.conn.query_row("SELECT count(seq) FROM ledger_mark", [], |row| row.get::<_, i64>(0));
    match looked {
        Ok(_) => offline.ledger().map(Some),
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(from_sql(error)),
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// A copy of the database, removed when this is dropped.
pub struct Copy {
    folder: Folder,
    pub ledger: Position,
    pub schema: i64,
}

impl Copy {
    pub fn database(&self) -> PathBuf {
        self.folder.0.join("usher.db")
    }
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now is swept at the next start.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Store {
    /// How large a copy becomes: the pages that are in use.
    pub fn bytes_of_copy(&self) -> Result<u64> {
        let sql = "SELECT (page_count - freelist_count) * page_size
                   FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        let bytes: Option<i64> = self.read(|db| db.row(sql, &[], |row| row.get(0)))?;
        Ok(bytes.unwrap_or(0).max(0).unsigned_abs())
    }

    /// Copies the database, as it is at one instant, into a new folder inside `folder`, and
    /// looks the copy over. Writing goes on; what is written meanwhile is not in it. It
    /// blocks, and reads all of the database. [`Error::Internal`] names what is wrong with
    /// the copy.
    pub fn copy(&self, folder: &Path) -> Result<Copy> {
        let (folder, target) = begin(folder)?;
        let conn =
            Connection::open_with_flags(self.path(), OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(from_sql)?;
        // While it reads, the WAL only grows.
        conn.progress_handler(super::STEPS, Some(wal_watch::must_end(&self.watch))).map_err(from_sql)?;
        let copied = vacuum(&conn, &target);
        if copied
            .as_ref()
            .is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted))
        {
            return Err(Error::Unavailable(
                "the backup was cut off, for what was written meanwhile let usher.db-wal grow too large; make it \
                 again when less is written, or where there is more room",
            ));
        }
        self.alarm.heed(copied.map_err(from_sql))?;
        drop(conn);
        finish(folder, &target)
    }
}

/// Whether a database that nobody has open, of this schema or an older one, was begun to be used: a first
/// start ends with a project.
pub fn has_projects(path: &Path) -> Result<bool> {
    let offline = OfflineDatabase::open(path)?;
    let sql = "SELECT EXISTS (SELECT 1 FROM projects)";
    offline.conn.query_row(sql, [], |row| row.get(0)).map_err(from_sql)
}

/// The same of a database that nobody has open, of this schema or an older one. It stays as it is.
pub fn copy_closed(path: &Path, folder: &Path) -> Result<Copy> {
    let (folder, target) = begin(folder)?;
    let offline = OfflineDatabase::open(path)?;
    // The copy counts as a write of this connection.
    offline.conn.execute_batch("PRAGMA query_only = OFF").map_err(from_sql)?;
    vacuum(&offline.conn, &target).map_err(from_sql)?;
    drop(offline);
    finish(folder, &target)
}

/// A new folder inside `folder`, and the file in it that a copy goes into.
fn begin(folder: &Path) -> Result<(Folder, PathBuf)> {
    let private =
        |path: &Path, nested| DirBuilder::new().recursive(nested).mode(0o700).create(path).map_err(trouble);
    private(folder, true)?;
    let folder = Folder(folder.join(format!("{FOLDER}{:08x}", fastrand::u32(..))));
    private(&folder.0, false)?;
    let target = folder.0.join("usher.db");
    // SQLite takes an empty file; one that it makes everybody could read.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target).map_err(trouble)?;
    Ok((folder, target))
}

fn vacuum(conn: &Connection, target: &Path) -> rusqlite::Result<()> {
    // Its temporary files would hold rows, too.
    conn.execute_batch("PRAGMA busy_timeout = 5000; PRAGMA temp_store = MEMORY")?;
    conn.execute("VACUUM INTO ?1", params![target.to_string_lossy()]).map(drop)
}

/// What a backup has none of, for it lasts longer: a visitor's name is to be as good as random after a
/// day; a sign-in, with its address and browser, and a link for a password end within hours; and a
/// second factor that is being set up is none yet.
const SHORT_LIVED: [(&str, &str); 4] = [
    ("visitor_salts", "true"),
    ("admin_sessions", "true"),
    ("admin_links", "true"),
    ("second_factors", "confirmed_at IS NULL"),
];

/// Looks the copy over.
fn finish(folder: Folder, target: &Path) -> Result<Copy> {
    let copy = Connection::open_with_flags(target, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(from_sql)?;
    copy.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA secure_delete = ON").map_err(from_sql)?;
    for (table, which) in SHORT_LIVED {
        // A database from before its migration may have no such table.
        let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)";
        if copy.query_row(sql, params![table], |row| row.get(0)).map_err(from_sql)? {
            copy.execute_batch(&format!("DELETE FROM {table} WHERE {which}")).map_err(from_sql)?;
        }
    }
    drop(copy);
    let offline = OfflineDatabase::open(target)?;
    if let Some(fault) = offline.faults()?.first() {
        return Err(Error::internal(format!("the copy of the database is not sound: {fault}")));
    }
    Ok(Copy { ledger: offline.ledger()?, schema: offline.schema()?, folder })
}

/// Removes copies that a kill has left in `folder`. Only for the process that holds the data
/// directory.
pub fn sweep(folder: &Path) -> Result<()> {
    left(folder)?.iter().try_for_each(|copy| fs::remove_dir_all(copy).map_err(trouble))
}

/// Copies that lie in `folder`: of a backup under way, or what a kill has left.
pub fn left(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(trouble(error)),
    };
    let mut left = Vec::new();
    for entry in entries {
        let entry = entry.map_err(trouble)?;
        if entry.file_name().to_string_lossy().starts_with(FOLDER) {
            left.push(entry.path());
        }
    }
    Ok(left)
}

/// Makes a database out of a backup ready to be put back: nobody is signed in, and it knows
/// that it was put back, which its first start writes down.
pub fn prepare(path: &Path, made_at: Millis) -> Result<()> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(from_sql)?;
    conn.execute_batch("PRAGMA secure_delete = ON; PRAGMA synchronous = FULL; BEGIN IMMEDIATE")
        .map_err(from_sql)?;
    conn.execute("DELETE FROM admin_sessions", []).map_err(from_sql)?;
    conn.execute(
        "INSERT INTO upkeep (task, done_at) VALUES (?1, ?2)
         ON CONFLICT (task) DO UPDATE SET done_at = excluded.done_at",
        params![maintenance::RESTORED, made_at],
    )
    .map_err(from_sql)?;
    conn.execute_batch("COMMIT").map_err(from_sql)
}

/// Takes the WAL of a database that nobody serves into its file, and removes it: so that the
/// file can be replaced. False: it is damaged, and both are as they were.
pub fn fold(path: &Path) -> Result<bool> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(from_sql)?;
    match conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)) {
        Ok(0) => {}
        Ok(_) => return Err(Error::Unavailable("another program holds the database")),
        Err(error) if is_damage(&error) => return Ok(false),
        Err(error) => return Err(from_sql(error)),
    }
    conn.close().map_err(|(_, error)| from_sql(error))?;
    forget_wal(path)?;
    Ok(true)
}

/// Removes the WAL of a database and its index; that first, which without the WAL would say that it was
/// lost.
pub fn forget_wal(path: &Path) -> Result<()> {
    for file in [index_of(path), wal_of(path)] {
        match fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(trouble(error)),
        }
    }
    Ok(())
}

fn trouble(error: std::io::Error) -> Error {
    Error::of_file("a copy of the database", &error)
}
