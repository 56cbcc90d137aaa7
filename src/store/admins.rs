//! People who sign in to the pages.

use const_format::formatcp;
use rusqlite::{Row, params};

use super::{Db, Tx, sequences};
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

pub fn by_id(db: &Db, id: AdminId) -> Result<Option<Admin>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM admins WHERE id = ?1");
    db.row(sql, params![id.0], read)
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

pub fn set_password(tx: &Tx, id: AdminId, password_hash: &str) -> Result<()> {
    tx.execute("UPDATE admins SET password_hash = ?2 WHERE id = ?1", params![id.0, password_hash])?;
    Ok(())
}
