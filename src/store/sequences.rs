//! Small numbers that are never reused: not after their row is gone, nor after an older database
//! was put back, as far as `marks.rs` reach.

use super::value::params;
use super::{Db, Tx};
use crate::error::{Error, Result};

/// The largest number that is drawn: one that every program reads as it is.
const DRAWN_MAX: i64 = i32::MAX as i64;

/// Raises a sequence to a number, unless it has come farther.
pub(super) const RAISE: &str = "INSERT INTO sequences (name, value) VALUES (?1, ?2)
     ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";

/// The next number of the sequence `name`, from 1.
pub fn next(tx: &Tx, name: &str) -> Result<i64> {
    let number = tx
        .execute_for_row(
            "INSERT INTO sequences (name, value) VALUES (?1, 1)
             ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            params![name],
            |row| row.get(0),
        )?
        .ok_or_else(|| Error::internal("a sequence gave no number"))?;
    tx.note_number(name, number);
    Ok(number)
}

/// The last number of a sequence; 0: none was given out.
pub fn last(db: &Db, name: &str) -> Result<i64> {
    Ok(db.row("SELECT value FROM sequences WHERE name = ?1", params![name], |row| row.get(0))?.unwrap_or(0))
}

/// The sequence goes on after this number.
pub fn go_on_after(tx: &Tx, name: &str, number: i64) -> Result<()> {
    tx.execute(RAISE, params![name, number])?;
    tx.note_number(name, number);
    Ok(())
}

/// The sequences of jobs go on so many numbers farther.
pub fn leave_room(tx: &Tx, numbers: i64) -> Result<()> {
    let sql = "SELECT names.name, coalesce(value, 0)
         FROM (SELECT 'job' AS name UNION ALL SELECT 'job ' || id FROM projects) AS names
             LEFT JOIN sequences ON sequences.name = names.name";
    let all: Vec<(String, i64)> = tx.rows(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let after = |value: i64| value.saturating_add(numbers);
    all.iter()
        .filter(|(_, value)| after(*value) > 0)
        .try_for_each(|(name, value)| go_on_after(tx, name, after(*value)))
}

/// A number that says nothing of how many there are, and that no row of the table has; nor, but
/// for one case in many millions, one that is gone.
pub fn draw(tx: &Tx, table: &'static str) -> Result<i64> {
    let sql = format!("SELECT 1 FROM {table} WHERE id = ?1");
    loop {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(Error::internal)?;
        let number = i64::from_be_bytes(random).rem_euclid(DRAWN_MAX) + 1;
        if tx.row(&sql, params![number], |_| Ok(()))?.is_none() {
            return Ok(number);
        }
    }
}
