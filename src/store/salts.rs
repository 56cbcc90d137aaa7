//! Random salts, one for each UTC day, under which visitors' names are drawn.

use std::ops::RangeInclusive;

use super::value::params;
use super::{Db, Tx};
use crate::error::{Error, Result};

pub type Salt = [u8; 32];

/// The salt of a day, counted from 1970.
pub fn of(db: &Db, day: i64) -> Result<Option<Salt>> {
    db.row("SELECT salt FROM visitor_salts WHERE day = ?1", params![day], |row| row.get(0))
}

/// A new one for a day that has none.
pub fn insert(tx: &Tx, day: i64) -> Result<Salt> {
    let mut salt: Salt = [0; 32];
    getrandom::fill(&mut salt).map_err(Error::internal)?;
    tx.execute("INSERT INTO visitor_salts (day, salt) VALUES (?1, ?2)", params![day, salt])?;
    Ok(salt)
}

/// Whether there is one of another day than these.
pub fn any_but(db: &Db, days: RangeInclusive<i64>) -> Result<bool> {
    let sql = "SELECT 1 FROM visitor_salts WHERE day NOT BETWEEN ?1 AND ?2";
    Ok(db.row(sql, params![days.start(), days.end()], |_| Ok(()))?.is_some())
}

/// Deletes those of all other days.
pub fn delete_all_but(tx: &Tx, days: RangeInclusive<i64>) -> Result<usize> {
    let sql = "DELETE FROM visitor_salts WHERE day NOT BETWEEN ?1 AND ?2";
    tx.execute(sql, params![days.start(), days.end()])
}
