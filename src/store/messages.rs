//! What users said to agents.

use const_format::formatcp;

use super::row::Row;
use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Handle, Interaction, Message};

pub(super) const COLUMNS: &str = "id, handle, interaction_id, parent, depth, content, created_at";

pub(super) fn read(row: &Row) -> Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        handle: row.get(1)?,
        interaction: row.get(2)?,
        parent: row.get(3)?,
        depth: row.get(4)?,
        content: row.get(5)?,
        created_at: row.get(6)?,
    })
}

/// A new message under the parent, now.
pub fn insert(
    tx: &Tx,
    interaction: &Interaction,
    handle: Handle,
    parent: Option<&Message>,
    content: &str,
) -> Result<Message> {
    let message = Message {
        id: tx.next_id(),
        handle,
        interaction: interaction.id,
        parent: parent.map(|parent| parent.handle),
        depth: parent.map_or(0, |parent| parent.depth + 1),
        content: content.to_owned(),
        created_at: tx.now().max(interaction.created_at),
    };
    tx.execute(
        "INSERT INTO messages (id, handle, interaction_id, user_id, parent, depth, content, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            message.id,
            message.handle,
            message.interaction,
            interaction.user.0,
            message.parent,
            message.depth,
            message.content,
            message.created_at,
        ],
    )?;
    Ok(message)
}

/// A message with the names, the place and the time that it had.
pub fn insert_as_it_was(
    tx: &Tx,
    interaction: &Interaction,
    (handle, parent, depth): (Handle, Option<Handle>, i64),
    content: &str,
    at: Millis,
) -> Result<()> {
    tx.execute(
        "INSERT INTO messages (id, handle, interaction_id, user_id, parent, depth, content, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![tx.next_id(), handle, interaction.id, interaction.user.0, parent, depth, content, at],
    )?;
    Ok(())
}

/// The message with this handle, and the handle of its interaction, of whichever user.
pub fn by_handle(db: &Db, handle: Handle) -> Result<Option<(Message, Handle)>> {
    let sql = formatcp!(
        "SELECT {COLUMNS}, (SELECT handle FROM interactions WHERE interactions.id = interaction_id)
         FROM messages WHERE handle = ?1"
    );
    db.row(sql, params![handle], |row| Ok((read(row)?, row.get(7)?)))
}

/// An interaction's messages behind the message with the id `after`, the newest first.
pub fn page(db: &Db, interaction: i64, after: Option<i64>, limit: u32) -> Result<Vec<Message>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM messages WHERE interaction_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
    );
    db.rows(sql, params![interaction, after.unwrap_or(i64::MAX), limit], read)
}

/// Removes up to `limit` messages of an interaction. Returns how many.
pub fn take(tx: &Tx, interaction: i64, limit: u32) -> Result<usize> {
    tx.execute(
        "DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE interaction_id = ?1 LIMIT ?2)",
        params![interaction, limit],
    )
}
