//! Steps that bring a database to this version's schema, each in a transaction of its
//! own. `schema.sql` is step 1; `user_version` says how many were made.

use rusqlite::Connection;

use super::from_sql;
use crate::error::{Error, Result};

/// Marks a file as Usher's: "Ushr".
pub const APPLICATION_ID: i64 = 0x5573_6872;

const STEPS: &[&str] = &[
    include_str!("../../../schema.sql"),
    include_str!("2_intake.sql"),
    include_str!("3_interactions.sql"),
    include_str!("4_visitors.sql"),
    include_str!("5_origins.sql"),
    include_str!("6_regulations.sql"),
    include_str!("7_suppressions.sql"),
    include_str!("8_sources.sql"),
    include_str!("9_waiting.sql"),
    include_str!("10_tenants.sql"),
    include_str!("11_keys.sql"),
    include_str!("12_sign_in.sql"),
    include_str!("13_roles.sql"),
    include_str!("14_deleted_projects.sql"),
    include_str!("15_message_keys.sql"),
    include_str!("16_exports.sql"),
    include_str!("17_imports.sql"),
    include_str!("19_holds.sql"),
];

/// How many there are.
pub const NEWEST: usize = STEPS.len();

/// For a file that [`super::open_guard::check`] has let pass.
pub fn run(conn: &mut Connection) -> Result<()> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(from_sql)?;
    let done = usize::try_from(version).map_err(Error::internal)?;
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
