//! People who sign in to the pages, and their sign-ins.

use const_format::formatcp;
use rusqlite::{Row, params};

use super::{Db, Tx, sequences};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Admin, AdminId};

const COLUMNS: &str = "id, name, password_hash, created_at";

fn read(row: &Row) -> rusqlite::Result<Admin> {
    Ok(Admin {
        id: AdminId(row.get(0)?),
        name: row.get(1)?,
        password_hash: row.get(2)?,
        created_at: row.get(3)?,
    })
}

pub fn insert(tx: &Tx, name: &str, password_hash: &str) -> Result<Admin> {
    let id = AdminId(sequences::next(tx, "admin")?);
    tx.execute(
        "INSERT INTO admins (id, name, password_hash, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![id.0, name, password_hash, tx.now()],
    )?;
    Ok(Admin { id, name: name.to_owned(), password_hash: password_hash.to_owned(), created_at: tx.now() })
}

pub fn by_name(db: &Db, name: &str) -> Result<Option<Admin>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM admins WHERE name = ?1");
    db.row(sql, params![name], read)
}

/// Everybody, in the order in which they were made.
pub fn list(db: &Db) -> Result<Vec<Admin>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM admins ORDER BY id");
    db.rows(sql, [], read)
}

pub fn any(db: &Db) -> Result<bool> {
    Ok(db.row("SELECT 1 FROM admins LIMIT 1", [], |_| Ok(()))?.is_some())
}

pub fn open_session(tx: &Tx, hash: &[u8; 32], admin: AdminId, expires_at: Millis) -> Result<()> {
    tx.execute(
        "INSERT INTO admin_sessions (hash, admin_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
        params![hash, admin.0, tx.now(), expires_at],
    )?;
    Ok(())
}

/// Whose sign-in this is, unless it has expired at `now`.
pub fn by_session(db: &Db, hash: &[u8; 32], now: Millis) -> Result<Option<Admin>> {
    let sql = "SELECT a.id, a.name, a.password_hash, a.created_at FROM admin_sessions s
               JOIN admins a ON a.id = s.admin_id WHERE s.hash = ?1 AND s.expires_at > ?2";
    db.row(sql, params![hash, now], read)
}

/// False: there was none.
pub fn close_session(tx: &Tx, hash: &[u8; 32]) -> Result<bool> {
    Ok(tx.execute("DELETE FROM admin_sessions WHERE hash = ?1", params![hash])? > 0)
}

/// Ends every sign-in.
pub fn sign_everybody_out(tx: &Tx) -> Result<()> {
    tx.execute("DELETE FROM admin_sessions", [])?;
    Ok(())
}

/// Forgets the sign-ins that have expired.
pub fn prune_sessions(tx: &Tx) -> Result<usize> {
    tx.execute("DELETE FROM admin_sessions WHERE expires_at <= ?1", params![tx.now()])
}
