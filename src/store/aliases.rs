//! Anonymous ids and whose they are.

use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{ProjectId, UserId};

pub fn user(db: &Db, project: ProjectId, anonymous_id: &str) -> Result<Option<UserId>> {
    let sql = "SELECT user_id FROM aliases WHERE anonymous_id = ?1 AND project_id = ?2";
    db.row(sql, params![anonymous_id, project.0], |row| Ok(UserId(row.get(0)?)))
}

/// When something came in last under this name, if it was drawn from a salt.
pub fn visited_at(db: &Db, project: ProjectId, anonymous_id: &str) -> Result<Option<Millis>> {
    let sql = "SELECT visited_at FROM aliases WHERE anonymous_id = ?1 AND project_id = ?2";
    Ok(db.row(sql, params![anonymous_id, project.0], |row| row.get(0))?.flatten())
}

/// Something came in under this name, which was drawn from a salt.
pub fn note_visit(tx: &Tx, project: ProjectId, anonymous_id: &str) -> Result<()> {
    let sql = "UPDATE aliases SET visited_at = ?3 WHERE anonymous_id = ?1 AND project_id = ?2";
    tx.execute(sql, params![anonymous_id, project.0, tx.now()])?;
    Ok(())
}

/// Makes an anonymous id the user's, on the word of the credential that asks.
pub fn link(tx: &Tx, project: ProjectId, anonymous_id: &str, user: UserId) -> Result<()> {
    tx.execute(
        "INSERT INTO aliases (anonymous_id, project_id, user_id, created_at, is_trusted)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (anonymous_id, project_id) DO UPDATE
             SET user_id = excluded.user_id, is_trusted = excluded.is_trusted",
        params![anonymous_id, project.0, user.0, tx.now(), !tx.who().actor.is_public()],
    )?;
    Ok(())
}

/// Gives all of one user's to another, on the word of the credential that asks.
pub fn relink(tx: &Tx, from: UserId, to: UserId) -> Result<()> {
    let trusted = !tx.who().actor.is_public();
    let sql = "UPDATE aliases SET user_id = ?2, is_trusted = ?3 WHERE user_id = ?1";
    tx.execute(sql, params![from.0, to.0, trusted])?;
    Ok(())
}

/// A key that is not public says that this anonymous id is its user's.
pub fn trust(tx: &Tx, project: ProjectId, anonymous_id: &str) -> Result<()> {
    let sql =
        "UPDATE aliases SET is_trusted = 1 WHERE anonymous_id = ?1 AND project_id = ?2 AND is_trusted = 0";
    tx.execute(sql, params![anonymous_id, project.0])?;
    Ok(())
}

/// Dates a link back to when it was made, if that was before.
pub fn date_back(tx: &Tx, project: ProjectId, anonymous_id: &str, at: Millis) -> Result<()> {
    let sql =
        "UPDATE aliases SET created_at = ?3 WHERE anonymous_id = ?1 AND project_id = ?2 AND created_at > ?3";
    tx.execute(sql, params![anonymous_id, project.0, at])?;
    Ok(())
}

/// A public credential alone had said whose it is.
pub fn distrust(tx: &Tx, project: ProjectId, anonymous_id: &str) -> Result<()> {
    let sql = "UPDATE aliases SET is_trusted = 0 WHERE anonymous_id = ?1 AND project_id = ?2";
    tx.execute(sql, params![anonymous_id, project.0])?;
    Ok(())
}

/// Notes that somebody else's client has sent this anonymous id, too.
pub fn note_shared(tx: &Tx, project: ProjectId, anonymous_id: &str) -> Result<()> {
    let sql =
        "UPDATE aliases SET is_shared = 1 WHERE anonymous_id = ?1 AND project_id = ?2 AND is_shared = 0";
    tx.execute(sql, params![anonymous_id, project.0])?;
    Ok(())
}

/// Whose an anonymous id is, if a key that is not public said so.
pub fn trusted_user(db: &Db, project: ProjectId, anonymous_id: &str) -> Result<Option<UserId>> {
    let sql = "SELECT user_id FROM aliases WHERE anonymous_id = ?1 AND project_id = ?2 AND is_trusted = 1";
    db.row(sql, params![anonymous_id, project.0], |row| Ok(UserId(row.get(0)?)))
}

/// The user's anonymous ids that no other person's client has sent, too, and whether each is trusted.
pub fn unshared(db: &Db, user: UserId) -> Result<Vec<(String, bool)>> {
    let sql = "SELECT anonymous_id, is_trusted FROM aliases WHERE user_id = ?1 AND is_shared = 0";
    db.rows(sql, params![user.0], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The user's anonymous ids, and whether a key that is not public said of each whose it is.
pub fn with_trust(db: &Db, user: UserId) -> Result<Vec<(String, bool)>> {
    let sql = "SELECT anonymous_id, is_trusted FROM aliases WHERE user_id = ?1 ORDER BY anonymous_id";
    db.rows(sql, params![user.0], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Whether public credentials alone linked so many anonymous ids to the user, or more.
pub fn has_claimed(db: &Db, user: UserId, many: u32) -> Result<bool> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM aliases WHERE user_id = ?1 AND is_trusted = 0 LIMIT ?2)";
    let count: Option<u32> = db.row(sql, params![user.0, many], |row| row.get(0))?;
    Ok(count.is_some_and(|count| count >= many))
}

/// Forgets the user's names that were drawn from salts, and under which nothing came in since: the salts
/// are gone, and so nothing ever will.
pub fn forget_drawn(tx: &Tx, user: UserId, since: Millis) -> Result<()> {
    tx.execute("DELETE FROM aliases WHERE user_id = ?1 AND visited_at < ?2", params![user.0, since])?;
    Ok(())
}

/// An anonymous id belongs to no user any more.
pub fn release(tx: &Tx, project: ProjectId, anonymous_id: &str) -> Result<()> {
    let sql = "DELETE FROM aliases WHERE anonymous_id = ?1 AND project_id = ?2";
    tx.execute(sql, params![anonymous_id, project.0])?;
    Ok(())
}

/// The user's anonymous ids, `limit` at most.
pub fn of(db: &Db, user: UserId, limit: u32) -> Result<Vec<String>> {
    let sql = "SELECT anonymous_id FROM aliases WHERE user_id = ?1 ORDER BY anonymous_id LIMIT ?2";
    db.rows(sql, params![user.0, limit], |row| row.get(0))
}

/// Hands over every anonymous id that is held.
pub fn each(db: &Db, mut see: impl FnMut(ProjectId, &str)) -> Result<()> {
    db.each("SELECT project_id, anonymous_id FROM aliases", params![], |row| {
        see(ProjectId(row.get(0)?), &row.get::<String>(1)?);
        Ok(())
    })
}

/// When the first of the user's was linked, to whomever it was.
pub fn first(db: &Db, user: UserId) -> Result<Option<Millis>> {
    let sql = "SELECT min(created_at) FROM aliases WHERE user_id = ?1";
    Ok(db.row(sql, params![user.0], |row| row.get(0))?.flatten())
}

/// How many of the user's were linked after an instant.
pub fn since(db: &Db, user: UserId, after: Millis) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM aliases WHERE user_id = ?1 AND created_at > ?2";
    Ok(db.row(sql, params![user.0, after], |row| row.get(0))?.unwrap_or(0))
}

/// Removes all of the user's. Returns how many.
pub fn unlink(tx: &Tx, user: UserId) -> Result<usize> {
    tx.execute("DELETE FROM aliases WHERE user_id = ?1", params![user.0])
}

/// Whether another person's client has sent this anonymous id, too.
pub fn is_shared(db: &Db, project: ProjectId, anonymous_id: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM aliases WHERE anonymous_id = ?1 AND project_id = ?2 AND is_shared = 1";
    Ok(db.row(sql, params![anonymous_id, project.0], |_| Ok(()))?.is_some())
}
