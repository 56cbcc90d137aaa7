//! Conversations of users with agents.

use const_format::formatcp;

use super::row::Row;
use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Handle, Interaction, UserId};

pub(super) const COLUMNS: &str = "id, handle, user_id, agent_id, name, message_count, created_at, updated_at";

pub(super) fn read(row: &Row) -> Result<Interaction> {
    Ok(Interaction {
        id: row.get(0)?,
        handle: row.get(1)?,
        user: UserId(row.get(2)?),
        agent: row.get(3)?,
        name: row.get(4)?,
        message_count: row.get(5)?,
        created_at: row.get(6)?,
        updated_at: row.get(7)?,
    })
}

pub fn insert(tx: &Tx, user: UserId, handle: Handle, agent: &str, at: Millis) -> Result<Interaction> {
    let id = tx.next_id();
    tx.execute(
        "INSERT INTO interactions (id, handle, user_id, agent_id, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        params![id, handle, user.0, agent, at],
    )?;
    let (agent, name) = (agent.to_owned(), String::new());
    Ok(Interaction { id, handle, user, agent, name, message_count: 0, created_at: at, updated_at: at })
}

/// The interaction with this handle, of whichever user; deleted ones excluded.
pub fn by_handle(db: &Db, handle: Handle) -> Result<Option<Interaction>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM interactions WHERE handle = ?1 AND deleted = 0");
    db.row(sql, params![handle], read)
}

/// Which of a user's interactions, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Page<'a> {
    /// Those with this agent.
    pub agent: Option<&'a str>,
    /// Those that lie behind this one.
    pub after: Option<&'a Interaction>,
    pub limit: u32,
}

/// The user's interactions that were begun after `since`. Where an agent is asked for, it
/// may read all of them: for scans.
pub fn page(db: &Db, user: UserId, since: Millis, page: &Page) -> Result<Vec<Interaction>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM interactions
         WHERE user_id = ?1 AND created_at > ?2 AND (created_at, id) < (?3, ?4) AND deleted = 0
             AND (?5 IS NULL OR agent_id = ?5)
         ORDER BY created_at DESC, id DESC LIMIT ?6"
    );
    let (at, id) = page.after.map_or((i64::MAX, i64::MAX), |after| (after.created_at, after.id));
    db.rows(sql, params![user.0, since, at, id, page.agent, page.limit], read)
}

/// Writes name, count and `updated_at` back.
pub fn update(tx: &Tx, interaction: &Interaction) -> Result<()> {
    tx.execute(
        "UPDATE interactions SET name = ?2, message_count = ?3, updated_at = ?4 WHERE id = ?1",
        params![interaction.id, interaction.name, interaction.message_count, interaction.updated_at],
    )?;
    Ok(())
}

/// From now on it is there for nobody.
pub fn mark_deleted(tx: &Tx, id: i64) -> Result<()> {
    tx.execute("UPDATE interactions SET deleted = 1 WHERE id = ?1", params![id])?;
    Ok(())
}

/// Some deleted interaction whose rows have not all left.
pub fn deleted(db: &Db) -> Result<Option<i64>> {
    db.row("SELECT id FROM interactions WHERE deleted = 1 ORDER BY id LIMIT 1", params![], |row| row.get(0))
}

/// Removes the row itself. Its messages must be gone.
pub fn delete(tx: &Tx, id: i64) -> Result<()> {
    tx.execute("DELETE FROM interactions WHERE id = ?1", params![id])?;
    Ok(())
}
