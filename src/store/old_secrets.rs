//! Secrets that others have replaced, by their hash.

use super::row::Row;
use super::value::{odd_row, params};
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Credential, KeyId, OldSecret, ProjectId};

fn read(row: &Row) -> Result<OldSecret> {
    let (key, project) = (row.get::<Option<i64>>(1)?, row.get::<Option<i64>>(2)?);
    let of = match (key, project) {
        (Some(key), None) => Credential::Key(KeyId(key)),
        (None, Some(project)) => Credential::Token(ProjectId(project)),
        _ => return Err(odd_row()),
    };
    Ok(OldSecret {
        hash: row.get(0)?,
        of,
        hint: row.get(3)?,
        replaced_at: row.get(4)?,
        ends_at: row.get(5)?,
        last_used_at: row.get(6)?,
    })
}

pub fn insert(tx: &Tx, old: &OldSecret) -> Result<()> {
    let (key, project) = match old.of {
        Credential::Key(id) => (Some(id.0), None),
        Credential::Token(id) => (None, Some(id.0)),
    };
    tx.execute(
        "INSERT INTO old_secrets (hash, key_id, project_id, hint, replaced_at, ends_at, last_used_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![old.hash, key, project, old.hint, old.replaced_at, old.ends_at, old.last_used_at],
    )?;
    Ok(())
}

/// All of them, those that have ended too, the one that ends first first.
pub fn list(db: &Db) -> Result<Vec<OldSecret>> {
    let sql = "SELECT hash, key_id, project_id, hint, replaced_at, ends_at, last_used_at FROM old_secrets
               ORDER BY ends_at, hash";
    db.rows(sql, params![], read)
}

/// Has one end at another time.
pub fn set_end(tx: &Tx, hash: &[u8; 32], ends_at: Millis) -> Result<()> {
    tx.execute("UPDATE old_secrets SET ends_at = ?2 WHERE hash = ?1", params![hash, ends_at])?;
    Ok(())
}

pub fn remove(tx: &Tx, hash: &[u8; 32]) -> Result<()> {
    tx.execute("DELETE FROM old_secrets WHERE hash = ?1", params![hash])?;
    Ok(())
}

pub fn note_use(tx: &Tx, hash: &[u8; 32], at: Millis) -> Result<()> {
    tx.execute("UPDATE old_secrets SET last_used_at = ?2 WHERE hash = ?1", params![hash, at])?;
    Ok(())
}
