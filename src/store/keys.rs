//! API keys, by the hash of their secret.

use const_format::formatcp;

use super::row::Row;
use super::value::params;
use super::{Db, Tx, sequences};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{Key, KeyId, ProjectId, Scopes};

const COLUMNS: &str = "id, project_id, name, hint, hash, scopes, created_at, last_used_at, revoked_at, is_public, \
    browser_at, expires_at, addresses, refused_addresses";

fn read(row: &Row) -> Result<Key> {
    Ok(Key {
        id: KeyId(row.get(0)?),
        project: row.get::<Option<i64>>(1)?.map(ProjectId),
        name: row.get(2)?,
        hint: row.get(3)?,
        hash: row.get(4)?,
        scopes: Scopes(row.get(5)?),
        created_at: row.get(6)?,
        last_used_at: row.get(7)?,
        revoked_at: row.get(8)?,
        is_public: row.get(9)?,
        browser_at: row.get(10)?,
        expires_at: row.get(11)?,
        addresses: row.get::<String>(12)?.lines().map(str::to_owned).collect(),
        refused_addresses: row.get(13)?,
    })
}

/// What a new key is.
pub struct New<'a> {
    pub project: Option<ProjectId>,
    pub name: &'a str,
    pub hint: &'a str,
    pub hash: &'a [u8; 32],
    pub scopes: Scopes,
    pub is_public: bool,
    pub expires_at: Option<Millis>,
    pub addresses: &'a [String],
}

pub fn insert(tx: &Tx, new: &New) -> Result<Key> {
    let key = Key {
        id: KeyId(sequences::next(tx, "key")?),
        project: new.project,
        name: new.name.to_owned(),
        hint: new.hint.to_owned(),
        hash: *new.hash,
        scopes: new.scopes,
        is_public: new.is_public,
        created_at: tx.now(),
        last_used_at: None,
        revoked_at: None,
        browser_at: None,
        expires_at: new.expires_at,
        addresses: new.addresses.to_vec(),
        refused_addresses: 0,
    };
    tx.execute(
        "INSERT INTO api_keys (id, project_id, name, hint, hash, scopes, created_at, is_public, expires_at, addresses)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            key.id.0,
            key.project.map(|project| project.0),
            key.name,
            key.hint,
            key.hash,
            key.scopes.0,
            key.created_at,
            key.is_public,
            key.expires_at,
            key.addresses.join("\n"),
        ],
    )?;
    Ok(key)
}

/// All keys, the revoked ones too, in the order in which they were made.
pub fn list(db: &Db) -> Result<Vec<Key>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM api_keys ORDER BY id");
    db.rows(sql, params![], read)
}

pub fn by_id(db: &Db, id: KeyId) -> Result<Option<Key>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM api_keys WHERE id = ?1");
    db.row(sql, params![id.0], read)
}

/// False if there is no such key that is not revoked yet.
pub fn revoke(tx: &Tx, id: KeyId) -> Result<bool> {
    let sql = "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
    Ok(tx.execute(sql, params![id.0, tx.now()])? == 1)
}

/// Writes back the name, the end and the addresses.
pub fn update(tx: &Tx, key: &Key) -> Result<()> {
    let sql = "UPDATE api_keys SET name = ?2, expires_at = ?3, addresses = ?4 WHERE id = ?1";
    tx.execute(sql, params![key.id.0, key.name, key.expires_at, key.addresses.join("\n")])?;
    Ok(())
}

/// Replaces the secret, by one that nobody has used yet.
pub fn set_secret(tx: &Tx, id: KeyId, hash: &[u8; 32], hint: &str) -> Result<()> {
    let sql = "UPDATE api_keys SET hash = ?2, hint = ?3, last_used_at = NULL WHERE id = ?1";
    tx.execute(sql, params![id.0, hash, hint])?;
    Ok(())
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

/// Counts requests from addresses that a key is not good from.
pub fn note_refused_addresses(tx: &Tx, id: KeyId, count: i64) -> Result<()> {
    let sql = "UPDATE api_keys SET refused_addresses = refused_addresses + ?2 WHERE id = ?1";
    tx.execute(sql, params![id.0, count])?;
    Ok(())
}

/// The key, if it is not revoked: one whose date has come can be given another.
/// [`Error::KeyNotFound`].
pub fn good(db: &Db, id: KeyId) -> Result<Key> {
    by_id(db, id)?.filter(|key| key.revoked_at.is_none()).ok_or(Error::KeyNotFound)
}
