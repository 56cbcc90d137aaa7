//! Users whose 7 days are over, and whose names are free for others, until the reaper comes.

use const_format::formatcp;

use super::users::{COLUMNS, read};
use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{User, UserId};

/// Takes the names from a hidden user whose 7 days are over: they are free for others from now
/// on. The row keeps what they were.
pub fn free_names(tx: &Tx, id: UserId) -> Result<()> {
    tx.execute(
        "INSERT INTO freed_aliases (user_id, anonymous_id, project_id, created_at, is_trusted, is_shared,
             visited_at)
         SELECT user_id, anonymous_id, project_id, created_at, is_trusted, is_shared, visited_at
         FROM aliases WHERE user_id = ?1",
        params![id.0],
    )?;
    tx.execute("DELETE FROM aliases WHERE user_id = ?1", params![id.0])?;
    tx.execute(
        "UPDATE users SET freed_at = ?2, freed_identifier = coalesce(identifier, freed_identifier),
             identifier = NULL
         WHERE id = ?1",
        params![id.0, tx.now()],
    )?;
    Ok(())
}

/// Gives a user who waits its names back, as far as nobody else has them: it is hidden as before.
pub fn return_names(tx: &Tx, id: UserId) -> Result<()> {
    tx.execute(
        "INSERT INTO aliases (anonymous_id, project_id, user_id, created_at, is_trusted, is_shared, visited_at)
         SELECT anonymous_id, project_id, user_id, created_at, is_trusted, is_shared, visited_at
         FROM freed_aliases WHERE user_id = ?1 AND NOT EXISTS (
             SELECT 1 FROM users other
             WHERE other.identifier = freed_aliases.anonymous_id AND other.project_id = freed_aliases.project_id)
         ON CONFLICT (anonymous_id, project_id) DO NOTHING",
        params![id.0],
    )?;
    tx.execute("DELETE FROM freed_aliases WHERE user_id = ?1", params![id.0])?;
    tx.execute(
        "UPDATE users SET freed_at = NULL, identifier = CASE WHEN EXISTS (
             SELECT 1 FROM users other
             WHERE other.identifier = users.freed_identifier AND other.project_id = users.project_id)
             THEN NULL ELSE freed_identifier END
         WHERE id = ?1",
        params![id.0],
    )?;
    // One that is somebody else's is kept: the receipt will be about it.
    tx.execute(
        "UPDATE users SET freed_identifier = NULL WHERE id = ?1 AND identifier IS NOT NULL",
        params![id.0],
    )?;
    Ok(())
}

/// The anonymous ids of a user who waits.
pub fn aliases(db: &Db, id: UserId) -> Result<Vec<String>> {
    let sql = "SELECT anonymous_id FROM freed_aliases WHERE user_id = ?1 ORDER BY anonymous_id";
    db.rows(sql, params![id.0], |row| row.get(0))
}

/// Removes them. Returns how many.
pub fn forget_aliases(tx: &Tx, id: UserId) -> Result<usize> {
    tx.execute("DELETE FROM freed_aliases WHERE user_id = ?1", params![id.0])
}

/// Users who wait and whose 7 days began after an instant, the last first; `limit` at most.
pub fn since(db: &Db, since: Millis, limit: u32) -> Result<Vec<User>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM users WHERE state = 'hidden' AND deleted_at > ?1 AND freed_at IS NOT NULL
         ORDER BY deleted_at DESC, id DESC LIMIT ?2"
    );
    db.rows(sql, params![since, limit], read)
}
