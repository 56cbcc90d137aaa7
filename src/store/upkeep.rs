//! When work that comes round was done last, and that a database was put back.

use rusqlite::params;

use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;

/// In a database out of a backup, until that is written down: when the backup was made.
pub const RESTORED: &str = "restored";

/// When the backup was made from before this version's schema, as long as that is there.
pub const UPGRADED: &str = "upgraded";

/// A random number for the run of the program that has the database open; a signed head of the
/// ledger has the same.
pub const RUN: &str = "run";

/// When a task was done last.
pub fn done_at(db: &Db, task: &str) -> Result<Option<Millis>> {
    db.row("SELECT done_at FROM upkeep WHERE task = ?1", params![task], |row| row.get(0))
}

/// A task is done, as of the transaction's time.
pub fn note(tx: &Tx, task: &str) -> Result<()> {
    keep(tx, task, tx.now())
}

/// Keeps a number that is no time under a task's name.
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
