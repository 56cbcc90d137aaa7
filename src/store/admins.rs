//! People who sign in to the pages.

use const_format::formatcp;

use super::row::Row;
use super::value::{odd_row, params};
use super::{Db, Tx, sequences};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Admin, AdminId, ProjectId, Reach, Role};

const COLUMNS: &str = "id, name, password_hash, created_at, role, all_projects,
    (SELECT json_group_array(project_id) FROM admin_projects p WHERE p.admin_id = admins.id), signed_in_at";

fn read(row: &Row) -> Result<Admin> {
    Ok(Admin {
        id: AdminId(row.get(0)?),
        name: row.get(1)?,
        password_hash: row.get(2)?,
        created_at: row.get(3)?,
        role: Role::parse(&row.get::<String>(4)?).ok_or_else(odd_row)?,
        reach: match row.get(5)? {
            true => Reach::All,
            false => {
                let listed: Vec<ProjectId> =
                    serde_json::from_str(&row.get::<String>(6)?).map_err(|_| odd_row())?;
                Reach::Only(listed)
            }
        },
        signed_in_at: row.get(7)?,
    })
}

pub fn insert(tx: &Tx, name: &str, password_hash: &str, role: Role, reach: &Reach) -> Result<Admin> {
    let id = AdminId(sequences::next(tx, "admin")?);
    tx.execute(
        "INSERT INTO admins (id, name, password_hash, created_at, role) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id.0, name, password_hash, tx.now(), role.as_str()],
    )?;
    set_reach(tx, id, reach)?;
    by_id(tx, id)?.ok_or_else(|| crate::error::Error::internal("an admin that was just made is not there"))
}

pub fn by_id(db: &Db, id: AdminId) -> Result<Option<Admin>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM admins WHERE id = ?1");
    db.row(sql, params![id.0], read)
}

pub fn rename(tx: &Tx, id: AdminId, name: &str) -> Result<()> {
    tx.execute("UPDATE admins SET name = ?2 WHERE id = ?1", params![id.0, name])?;
    Ok(())
}

pub fn set_role(tx: &Tx, id: AdminId, role: Role) -> Result<()> {
    tx.execute("UPDATE admins SET role = ?2 WHERE id = ?1", params![id.0, role.as_str()])?;
    Ok(())
}

pub fn set_reach(tx: &Tx, id: AdminId, reach: &Reach) -> Result<()> {
    tx.execute("UPDATE admins SET all_projects = ?2 WHERE id = ?1", params![id.0, reach.is_all()])?;
    tx.execute("DELETE FROM admin_projects WHERE admin_id = ?1", params![id.0])?;
    let Reach::Only(projects) = reach else { return Ok(()) };
    projects.iter().try_for_each(|project| {
        let sql = "INSERT INTO admin_projects (admin_id, project_id) VALUES (?1, ?2)";
        tx.execute(sql, params![id.0, project.0]).map(|_| ())
    })
}

/// An empty hash is no password's.
pub fn set_password(tx: &Tx, id: AdminId, password_hash: &str) -> Result<()> {
    tx.execute("UPDATE admins SET password_hash = ?2 WHERE id = ?1", params![id.0, password_hash])?;
    Ok(())
}

pub fn note_sign_in(tx: &Tx, id: AdminId) -> Result<()> {
    tx.execute("UPDATE admins SET signed_in_at = ?2 WHERE id = ?1", params![id.0, tx.now()])?;
    Ok(())
}

/// With all that hangs on it, but for the sign-ins, which end first.
pub fn remove(tx: &Tx, id: AdminId) -> Result<()> {
    tx.execute("DELETE FROM admins WHERE id = ?1", params![id.0])?;
    Ok(())
}

/// Keeps the link that sets an admin's password, in the place of the one before it.
pub fn keep_link(tx: &Tx, id: AdminId, hash: &[u8; 32], expires_at: Millis) -> Result<()> {
    let sql = "INSERT INTO admin_links (admin_id, hash, expires_at) VALUES (?1, ?2, ?3)
               ON CONFLICT (admin_id) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at";
    tx.execute(sql, params![id.0, hash, expires_at])?;
    Ok(())
}

/// Whose password this link sets, and until when.
pub fn by_link(db: &Db, hash: &[u8; 32]) -> Result<Option<(Admin, Millis)>> {
    let sql = "SELECT admin_id, expires_at FROM admin_links WHERE hash = ?1";
    let found = db.row(sql, params![hash], |row| Ok((AdminId(row.get(0)?), row.get(1)?)))?;
    let Some((id, expires_at)) = found else { return Ok(None) };
    Ok(by_id(db, id)?.map(|admin| (admin, expires_at)))
}

pub fn forget_link(tx: &Tx, id: AdminId) -> Result<()> {
    tx.execute("DELETE FROM admin_links WHERE admin_id = ?1", params![id.0])?;
    Ok(())
}

pub fn forget_links(tx: &Tx) -> Result<()> {
    tx.execute("DELETE FROM admin_links", params![])?;
    Ok(())
}

pub fn by_name(db: &Db, name: &str) -> Result<Option<Admin>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM admins WHERE name = ?1");
    db.row(sql, params![name], read)
}

/// Everybody, in the order in which they were made.
pub fn list(db: &Db) -> Result<Vec<Admin>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM admins ORDER BY id");
    db.rows(sql, params![], read)
}

/// Whether anybody has a password.
pub fn any(db: &Db) -> Result<bool> {
    Ok(db.row("SELECT 1 FROM admins WHERE password_hash <> '' LIMIT 1", params![], |_| Ok(()))?.is_some())
}

/// Forgets the links that have expired.
pub fn prune_links(tx: &Tx) -> Result<usize> {
    tx.execute("DELETE FROM admin_links WHERE expires_at <= ?1", params![tx.now()])
}
