//! Steps that bring a database to this version's schema, each in a transaction of its
//! own. `schema.sql` is step 1; `user_version` says how many were made.

use rusqlite::Connection;

use super::from_sql;
use crate::error::{Error, Result};

const STEPS: &[&str] = &[include_str!("../../schema.sql")];

/// Marks a file as Usher's: "Ushr".
const APPLICATION_ID: i64 = 0x5573_6872;

/// [`Error::Unavailable`] if the file is newer than this program, or not Usher's.
pub fn run(conn: &mut Connection) -> Result<()> {
    let read = |conn: &Connection, name: &str| {
        conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(from_sql)
    };
    let version = read(conn, "user_version")?;
    let owner = read(conn, "application_id")?;
    let tables: i64 =
        conn.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(from_sql)?;
    if owner != APPLICATION_ID && (owner != 0 || tables > 0) {
        return Err(Error::Unavailable("usher.db was not made by Usher; it is left as it is"));
    }
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if done > STEPS.len() {
        return Err(Error::Unavailable(
            "usher.db was written by a newer version of Usher; start that version",
        ));
    }
    for (made, step) in STEPS.iter().enumerate().skip(done) {
        let tx = conn.transaction().map_err(from_sql)?;
        tx.execute_batch(step).map_err(from_sql)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(from_sql)?;
        tx.pragma_update(None, "user_version", i64::try_from(made + 1).map_err(Error::internal)?)
            .map_err(from_sql)?;
        tx.commit().map_err(from_sql)?;
    }
    Ok(())
}
