//! Small numbers that are never reused.

use rusqlite::params;

use super::Tx;
use crate::error::{Error, Result};

/// The next number of the sequence `name`, from 1.
pub fn next(tx: &Tx, name: &str) -> Result<i64> {
    tx.row(
        "INSERT INTO sequences (name, value) VALUES (?1, 1)
         ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
        params![name],
        |row| row.get(0),
    )?
    .ok_or_else(|| Error::internal("a sequence gave no number"))
}
