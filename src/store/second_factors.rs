//! Second factors of admins, and their recovery codes.

use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::AdminId;

/// An admin's second factor, as it is kept.
pub struct SecondFactor {
    /// Sealed; empty where it ended.
    pub secret: Vec<u8>,
    pub created_at: Millis,
    /// None: nobody has entered a code yet.
    pub confirmed_at: Option<Millis>,
    pub last_step: i64,
}

pub fn of(db: &Db, admin: AdminId) -> Result<Option<SecondFactor>> {
    let sql = "SELECT secret, created_at, confirmed_at, last_step FROM second_factors WHERE admin_id = ?1";
    db.row(sql, params![admin.0], |row| {
        Ok(SecondFactor {
            secret: row.get(0)?,
            created_at: row.get(1)?,
            confirmed_at: row.get(2)?,
            last_step: row.get(3)?,
        })
    })
}

/// Keeps a secret in the place of one that may have been there.
pub fn put(tx: &Tx, admin: AdminId, sealed: &[u8], confirmed_at: Option<Millis>) -> Result<()> {
    tx.execute(
        "INSERT INTO second_factors (admin_id, secret, created_at, confirmed_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (admin_id) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at,
             confirmed_at = excluded.confirmed_at, last_step = 0",
        params![admin.0, sealed, tx.now(), confirmed_at],
    )?;
    Ok(())
}

/// A code was entered for the first time.
pub fn confirm(tx: &Tx, admin: AdminId) -> Result<()> {
    let sql = "UPDATE second_factors SET confirmed_at = ?2 WHERE admin_id = ?1";
    tx.execute(sql, params![admin.0, tx.now()])?;
    Ok(())
}

/// The code of this step was taken.
pub fn note_step(tx: &Tx, admin: AdminId, step: i64) -> Result<()> {
    tx.execute("UPDATE second_factors SET last_step = ?2 WHERE admin_id = ?1", params![admin.0, step])?;
    Ok(())
}

/// No step after `newest` was taken.
pub fn cut(tx: &Tx, newest: i64) -> Result<usize> {
    tx.execute("UPDATE second_factors SET last_step = ?1 WHERE last_step > ?1", params![newest])
}

/// False: there was none.
pub fn remove(tx: &Tx, admin: AdminId) -> Result<bool> {
    Ok(tx.execute("DELETE FROM second_factors WHERE admin_id = ?1", params![admin.0])? > 0)
}

/// The digests of the recovery codes that are left.
pub fn recovery_codes(db: &Db, admin: AdminId) -> Result<Vec<[u8; 32]>> {
    let sql = "SELECT digest FROM recovery_codes WHERE admin_id = ?1 ORDER BY digest";
    db.rows(sql, params![admin.0], |row| row.get(0))
}

pub fn add_recovery_code(tx: &Tx, admin: AdminId, digest: &[u8; 32]) -> Result<()> {
    let sql = "INSERT INTO recovery_codes (admin_id, digest) VALUES (?1, ?2)";
    tx.execute(sql, params![admin.0, digest])?;
    Ok(())
}

/// False: there was none with this digest.
pub fn remove_recovery_code(tx: &Tx, admin: AdminId, digest: &[u8; 32]) -> Result<bool> {
    let sql = "DELETE FROM recovery_codes WHERE admin_id = ?1 AND digest = ?2";
    Ok(tx.execute(sql, params![admin.0, digest])? > 0)
}

/// Whether everybody must have one.
pub fn is_needed(db: &Db) -> Result<bool> {
    let sql = "SELECT is_second_factor_needed FROM sign_in_rules";
    Ok(db.row(sql, params![], |row| row.get(0))?.unwrap_or(false))
}

pub fn set_needed(tx: &Tx, needed: bool) -> Result<()> {
    tx.execute(
        "INSERT INTO sign_in_rules (one, is_second_factor_needed) VALUES (1, ?1)
         ON CONFLICT (one) DO UPDATE SET is_second_factor_needed = excluded.is_second_factor_needed",
        params![needed],
    )?;
    Ok(())
}
