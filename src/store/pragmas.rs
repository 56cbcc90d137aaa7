//! How every connection is set up, and what SQLite must have been built with.

use rusqlite::Connection;

use super::ScrubMode;
use crate::error::{Error, Result};

const PAGE_SIZE: u32 = 4_096;
/// Bytes that a WAL keeps when it begins anew, after a burst or a reader has let it grow: four times what
/// is folded in at once. SQLite shortens it at the commit that begins it anew.
const WAL_KEPT: u32 = 16 * 1024 * 1024;

/// `secure_delete` must be on before the first row, and `auto_vacuum` off before the
/// first table. FULL, for NORMAL loses acknowledged writes when the power fails.
/// Only the writer checkpoints, when it chooses to.
const COMMON: &str = "
    PRAGMA secure_delete = ON;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA busy_timeout = 5000;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
    PRAGMA wal_autocheckpoint = 0;
";

/// KiB of pages that the writer keeps. It fills with whatever was written last, recordings too, and is
/// never given back: all of it counts towards what the program takes after a load, at most 60 MB.
const WRITER_CACHE: i64 = 24 * 1024;

/// Statements kept prepared on each connection.
const CACHED: usize = 128;

/// Brings a file of ours that another program made over, without our settings, back to them:
/// what `auto_vacuum` moves about would be left behind, and a page may be what it does not
/// look like. True: it was written anew as a whole.
pub fn rebuild(conn: &Connection) -> rusqlite::Result<bool> {
    let number = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let empty = number("page_count")? == 0;
    if empty || (number("auto_vacuum")? == 0 && number("page_size")? == i64::from(PAGE_SIZE)) {
        return Ok(false);
    }
    // Only outside of WAL mode does VACUUM change the size of pages. Its temporary files
    // would hold people's rows, outside of the directory.
    conn.execute_batch(&format!(
        "PRAGMA temp_store = MEMORY;
         PRAGMA journal_mode = DELETE;
         PRAGMA secure_delete = ON;
         PRAGMA auto_vacuum = NONE;
         PRAGMA page_size = {PAGE_SIZE};
         VACUUM;"
    ))?;
    Ok(true)
}

pub fn writer(conn: &Connection, scrub_mode: ScrubMode) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(CACHED);
    conn.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_SIZE};
         PRAGMA auto_vacuum = NONE;
         PRAGMA journal_mode = WAL;
         {COMMON}
         PRAGMA journal_size_limit = {WAL_KEPT};
         PRAGMA mmap_size = 0;
         PRAGMA cache_size = -{WRITER_CACHE};"
    ))?;
    if scrub_mode == ScrubMode::NoScrubNorSecureDelete {
        conn.execute_batch("PRAGMA secure_delete = OFF")?;
    }
    Ok(())
}

pub fn reader(conn: &mut Connection) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(CACHED);
    conn.execute_batch(&format!(
        "{COMMON}
         PRAGMA mmap_size = 1073741824;
         PRAGMA query_only = ON;"
    ))
}

/// The options come from `.cargo/config.toml`; an install that did not read it gives a
/// program that cannot keep its word on erasure.
pub fn check_build() -> Result<()> {
    let conn = Connection::open_in_memory().map_err(super::from_sql)?;
    let options = || -> rusqlite::Result<Vec<String>> {
        conn.prepare("SELECT compile_options FROM pragma_compile_options")?
            .query_map([], |row| row.get(0))?
            .collect()
    };
    let options = options().map_err(super::from_sql)?;
    let has = |name: &str| options.iter().any(|option| option == name);
    if !has("ENABLE_DBPAGE_VTAB") || has("ENABLE_STAT4") {
        return Err(Error::Unavailable(
            "this program was built without the options for SQLite that erasure needs; \
             build it inside its own folder, whose .cargo/config.toml sets them",
        ));
    }
    Ok(())
}
