//! API keys, by the hash of their secret.

use const_format::formatcp;
use rusqlite::{Row, params};

use super::{Db, Tx, sequences};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Key, KeyId, ProjectId, Scopes};

const COLUMNS: &str =
    "id, project_id, name, hint, hash, scopes, created_at, last_used_at, revoked_at, is_public, browser_at";

fn read(row: &Row) -> rusqlite::Result<Key> {
    Ok(Key {
        id: KeyId(row.get(0)?),
        project: row.get::<_, Option<i64>>(1)?.map(ProjectId),
        name: row.get(2)?,
        hint: row.get(3)?,
        hash: row.get(4)?,
        scopes: Scopes(row.get(5)?),
        created_at: row.get(6)?,
        last_used_at: row.get(7)?,
        revoked_at: row.get(8)?,
        is_public: row.get(9)?,
        browser_at: row.get(10)?,
    })
}

pub fn insert(
    tx: &Tx,
    project: Option<ProjectId>,
    name: &str,
    hint: &str,
    hash: &[u8; 32],
    scopes: Scopes,
    is_public: bool,
) -> Result<Key> {
    let key = Key {
        id: KeyId(sequences::next(tx, "key")?),
        project,
        name: name.to_owned(),
        hint: hint.to_owned(),
        hash: *hash,
        scopes,
        is_public,
        created_at: tx.now(),
        last_used_at: None,
        revoked_at: None,
        browser_at: None,
    };
    tx.execute(
        "INSERT INTO api_keys (id, project_id, name, hint, hash, scopes, created_at, is_public)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            key.id.0,
            project.map(|project| project.0),
            name,
            hint,
            hash,
            scopes.0,
            key.created_at,
            is_public
        ],
    )?;
    Ok(key)
}

/// All keys, the revoked ones too, in the order in which they were made.
pub fn list(db: &Db) -> Result<Vec<Key>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM api_keys ORDER BY id");
    db.rows(sql, [], read)
}

/// False if there is no such key that is not revoked yet.
pub fn revoke(tx: &Tx, id: KeyId) -> Result<bool> {
    let sql = "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
    Ok(tx.execute(sql, params![id.0, tx.now()])? == 1)
}

pub fn note_use(tx: &Tx, id: KeyId, at: Millis) -> Result<()> {
    tx.execute("UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1", params![id.0, at])?;
    Ok(())
}

/// Notes that a key that is not public came from a browser.
pub fn note_browser(tx: &Tx, id: KeyId, at: Millis) -> Result<()> {
    tx.execute("UPDATE api_keys SET browser_at = ?2 WHERE id = ?1", params![id.0, at])?;
    Ok(())
}
