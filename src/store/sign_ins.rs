//! Sign-ins of admins, by the hash of the cookie's secret.

use std::net::IpAddr;

use super::row::Row;
use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{AdminId, SignIn};

const COLUMNS: &str = "hash, admin_id, created_at, seen_at, address, browser";

fn read(row: &Row) -> Result<SignIn> {
    Ok(SignIn {
        hash: row.get(0)?,
        admin: AdminId(row.get(1)?),
        created_at: row.get(2)?,
        seen_at: row.get(3)?,
        address: row.get::<Option<String>>(4)?.and_then(|text| text.parse().ok()),
        browser: row.get(5)?,
    })
}

/// Opens one, as of the transaction's time.
pub fn open(
    tx: &Tx,
    hash: &[u8; 32],
    admin: AdminId,
    expires_at: Millis,
    address: Option<IpAddr>,
    browser: Option<&str>,
) -> Result<()> {
    tx.execute(
        "INSERT INTO admin_sessions (hash, admin_id, created_at, seen_at, expires_at, address, browser)
         VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6)",
        params![hash, admin.0, tx.now(), expires_at, address.map(|address| address.to_string()), browser],
    )?;
    Ok(())
}

/// The sign-in with this hash, unless it has expired at `now` or was not seen after `idle_since`.
pub fn by_hash(db: &Db, hash: &[u8; 32], now: Millis, idle_since: Millis) -> Result<Option<SignIn>> {
    let sql =
        format!("SELECT {COLUMNS} FROM admin_sessions WHERE hash = ?1 AND expires_at > ?2 AND seen_at > ?3");
    db.row(&sql, params![hash, now, idle_since], read)
}

/// An admin's, the newest first; see [`by_hash`].
pub fn of(db: &Db, admin: AdminId, now: Millis, idle_since: Millis) -> Result<Vec<SignIn>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM admin_sessions WHERE admin_id = ?1 AND expires_at > ?2 AND seen_at > ?3
         ORDER BY created_at DESC, hash"
    );
    db.rows(&sql, params![admin.0, now, idle_since], read)
}

/// It is used now.
pub fn note_seen(tx: &Tx, hash: &[u8; 32]) -> Result<()> {
    let sql = "UPDATE admin_sessions SET seen_at = ?2 WHERE hash = ?1 AND seen_at < ?2";
    tx.execute(sql, params![hash, tx.now()])?;
    Ok(())
}

/// False: there was none.
pub fn close(tx: &Tx, hash: &[u8; 32]) -> Result<bool> {
    Ok(tx.execute("DELETE FROM admin_sessions WHERE hash = ?1", params![hash])? > 0)
}

/// Ends those of an admin but for one. How many.
pub fn close_all_of(tx: &Tx, admin: AdminId, but: Option<&[u8; 32]>) -> Result<usize> {
    let sql = "DELETE FROM admin_sessions WHERE admin_id = ?1 AND (?2 IS NULL OR hash <> ?2)";
    tx.execute(sql, params![admin.0, but])
}

/// Ends every sign-in.
pub fn sign_everybody_out(tx: &Tx) -> Result<()> {
    tx.execute("DELETE FROM admin_sessions", params![])?;
    Ok(())
}

/// Forgets the sign-ins that have expired, or were not seen after `idle_since`.
pub fn prune(tx: &Tx, idle_since: Millis) -> Result<usize> {
    let sql = "DELETE FROM admin_sessions WHERE expires_at <= ?1 OR seen_at <= ?2";
    tx.execute(sql, params![tx.now(), idle_since])
}
