//! Of whom nothing is erased for now, until when, and why.

use const_format::formatcp;

use super::row::Row;
use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{ProjectId, User, UserId};

/// A hold on a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub user: UserId,
    pub created_at: Millis,
    /// None: until it is released.
    pub until: Option<Millis>,
    /// Text about the person; it goes with them.
    pub reason: Option<String>,
}

const COLUMNS: &str = "user_id, created_at, until, reason";
/// Whose erasure may still begin.
const IS_THERE: &str = "state IN ('live', 'hidden', 'detached')";

fn read(row: &Row) -> Result<Hold> {
    Ok(Hold { user: UserId(row.get(0)?), created_at: row.get(1)?, until: row.get(2)?, reason: row.get(3)? })
}

pub fn insert(tx: &Tx, project: ProjectId, hold: &Hold) -> Result<()> {
    tx.execute(
        "INSERT INTO holds (id, user_id, project_id, created_at, until, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![tx.next_id(), hold.user.0, project.0, hold.created_at, hold.until, hold.reason],
    )?;
    Ok(())
}

/// The holds on a user, the one that lasts longest first.
pub fn of(db: &Db, user: UserId) -> Result<Vec<Hold>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM holds WHERE user_id = ?1 ORDER BY until IS NOT NULL, until DESC, created_at, id"
    );
    db.rows(sql, params![user.0], read)
}

/// Removes all that are on a user. Returns how many.
pub fn remove(tx: &Tx, user: UserId) -> Result<usize> {
    tx.execute("DELETE FROM holds WHERE user_id = ?1", params![user.0])
}

/// Removes those on a user that are over.
pub fn remove_ended(tx: &Tx, user: UserId) -> Result<()> {
    tx.execute("DELETE FROM holds WHERE user_id = ?1 AND until <= ?2", params![user.0, tx.now()])?;
    Ok(())
}

/// Those of somebody who becomes part of another are the other's.
pub fn relink(tx: &Tx, from: UserId, to: UserId) -> Result<()> {
    tx.execute("UPDATE holds SET user_id = ?2 WHERE user_id = ?1", params![from.0, to.0])?;
    Ok(())
}

/// Removes all of a project, and all its restrictions.
pub fn forget_project(tx: &Tx, project: ProjectId) -> Result<()> {
    tx.execute("DELETE FROM holds WHERE project_id = ?1", params![project.0])?;
    let sql = "UPDATE users SET restricted_at = NULL WHERE project_id = ?1 AND restricted_at IS NOT NULL";
    tx.execute(sql, params![project.0])?;
    Ok(())
}

/// Somebody of whom a hold is over.
pub fn first_ended(db: &Db, now: Millis) -> Result<Option<UserId>> {
    let sql = "SELECT user_id FROM holds WHERE until <= ?1 ORDER BY until LIMIT 1";
    db.row(sql, params![now], |row| Ok(UserId(row.get(0)?)))
}

/// When the next one ends.
pub fn next_end(db: &Db) -> Result<Option<Millis>> {
    let sql = "SELECT until FROM holds WHERE until IS NOT NULL ORDER BY until LIMIT 1";
    db.row(sql, params![], |row| row.get(0))
}

/// How many people of a project are held at an instant, and how many more have data that is only kept.
pub fn count(db: &Db, project: ProjectId, at: Millis) -> Result<(i64, i64)> {
    const HELD: &str = "SELECT user_id FROM holds WHERE project_id = ?1 AND (until IS NULL OR until > ?2)";
    let held = formatcp!("SELECT count(*) FROM users WHERE id IN ({HELD}) AND {IS_THERE}");
    let kept = formatcp!(
        "SELECT count(*) FROM users
         WHERE project_id = ?1 AND restricted_at IS NOT NULL AND {IS_THERE} AND id NOT IN ({HELD})"
    );
    let number = |sql: &str| -> Result<i64> {
        Ok(db.row(sql, params![project.0, at], |row| row.get(0))?.unwrap_or_default())
    };
    Ok((number(held)?, number(kept)?))
}

/// Users of a project behind an id who are held, or whose data is only kept, the oldest first.
pub fn people(db: &Db, project: ProjectId, after: UserId, limit: u32) -> Result<Vec<User>> {
    let sql = formatcp!(
        "SELECT {} FROM users WHERE id IN (
             SELECT user_id FROM holds WHERE project_id = ?1
             UNION SELECT id FROM users WHERE project_id = ?1 AND restricted_at IS NOT NULL
         ) AND id > ?2 AND {IS_THERE} ORDER BY id LIMIT ?3",
        super::users::COLUMNS
    );
    db.rows(sql, params![project.0, after.0, limit], super::users::read)
}
