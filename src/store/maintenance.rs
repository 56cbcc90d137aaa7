//! When work that comes round was done last, and that a database was put back.

use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;

/// In a database out of a backup, until that is written down: when the backup was made.
pub const RESTORED: &str = "restored";

/// When the backup was made from before this version's schema, as long as that is there.
pub const UPGRADED: &str = "upgraded";

/// The id of the last event whose message key has a key; no row: all have. See `message_keys.rs`.
pub const MESSAGE_KEYS: &str = "message keys";

/// A random number for the run of the program that has the database open; a signed head of the
/// ledger has the same.
const RUN: &str = "run";

/// The number that the signed head had when that run began: a kill may come before it signs its own.
const RUN_BEFORE: &str = "run before";

/// The latest time that work was done or a backup was made, of those within bounds. Rows that hold
/// a number which is no time are left out.
pub fn latest(db: &Db, bounds: (Millis, Millis)) -> Result<Option<Millis>> {
    let sql = "SELECT max(done_at) FROM upkeep WHERE task NOT IN (?1, ?2, ?3) AND done_at BETWEEN ?4 AND ?5";
    Ok(db.row(sql, params![RUN, RUN_BEFORE, MESSAGE_KEYS, bounds.0, bounds.1], |row| row.get(0))?.flatten())
}

/// The numbers of a run and of the one whose head it found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Runs {
    pub this: Option<i64>,
    pub before: Option<i64>,
}

/// Those of the run that wrote in the database last.
pub fn runs(db: &Db) -> Result<Runs> {
    Ok(Runs { this: done_at(db, RUN)?, before: done_at(db, RUN_BEFORE)? })
}

/// A run begins.
pub fn note_run(tx: &Tx, this: i64, before: Option<i64>) -> Result<()> {
    keep(tx, RUN, this)?;
    match before {
        Some(before) => keep(tx, RUN_BEFORE, before),
        None => forget(tx, RUN_BEFORE),
    }
}

/// When a task was done last.
pub fn done_at(db: &Db, task: &str) -> Result<Option<Millis>> {
    db.row("SELECT done_at FROM upkeep WHERE task = ?1", params![task], |row| row.get(0))
}

/// A task is done, as of the transaction's time.
pub fn note(tx: &Tx, task: &str) -> Result<()> {
    keep(tx, task, tx.now())
}

/// Keeps a number under a task's name. One that is no time has to be left out in [`latest`].
pub fn keep(tx: &Tx, task: &str, number: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO upkeep (task, done_at) VALUES (?1, ?2)
         ON CONFLICT (task) DO UPDATE SET done_at = excluded.done_at",
        params![task, number],
    )?;
    Ok(())
}

pub fn forget(tx: &Tx, task: &str) -> Result<()> {
    tx.execute("DELETE FROM upkeep WHERE task = ?1", params![task])?;
    Ok(())
}
