//! Anonymous ids and whose they are.

use rusqlite::params;

use super::{Db, Tx};
use crate::error::Result;
use crate::model::{ProjectId, UserId};

pub fn user(db: &Db, project: ProjectId, anonymous_id: &str) -> Result<Option<UserId>> {
    let sql = "SELECT user_id FROM aliases WHERE anonymous_id = ?1 AND project_id = ?2";
    db.row(sql, params![anonymous_id, project.0], |row| Ok(UserId(row.get(0)?)))
}

/// Makes an anonymous id the user's, whosever it was.
pub fn link(tx: &Tx, project: ProjectId, anonymous_id: &str, user: UserId) -> Result<()> {
    tx.execute(
        "INSERT INTO aliases (anonymous_id, project_id, user_id, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (anonymous_id, project_id) DO UPDATE SET user_id = excluded.user_id",
        params![anonymous_id, project.0, user.0, tx.now()],
    )?;
    Ok(())
}

/// Gives all of one user's to another.
pub fn relink(tx: &Tx, from: UserId, to: UserId) -> Result<()> {
    tx.execute("UPDATE aliases SET user_id = ?2 WHERE user_id = ?1", params![from.0, to.0])?;
    Ok(())
}

/// The user's anonymous ids, `limit` at most.
pub fn of(db: &Db, user: UserId, limit: u32) -> Result<Vec<String>> {
    let sql = "SELECT anonymous_id FROM aliases WHERE user_id = ?1 ORDER BY anonymous_id LIMIT ?2";
    db.rows(sql, params![user.0, limit], |row| row.get(0))
}

/// Removes all of the user's. Returns how many.
pub fn unlink(tx: &Tx, user: UserId) -> Result<usize> {
    tx.execute("DELETE FROM aliases WHERE user_id = ?1", params![user.0])
}
