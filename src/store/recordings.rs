//! Pieces of sessions' recordings.

use rusqlite::params;

use super::{Db, Tx};
use crate::error::Result;
use crate::model::{SessionId, UserId};

/// Appends a piece. `seq` continues the pieces that are there.
pub fn append(tx: &Tx, session: SessionId, user: UserId, data: &[u8]) -> Result<()> {
    tx.execute(
        "INSERT INTO recordings (session_id, user_id, seq, created_at, data)
         VALUES (?1, ?2, (SELECT coalesce(max(seq), 0) + 1 FROM recordings WHERE session_id = ?1), ?3, ?4)",
        params![session.0, user.0, tx.now(), data],
    )?;
    Ok(())
}

/// The pieces of a recording, in order.
pub fn read(db: &Db, session: SessionId) -> Result<Vec<Vec<u8>>> {
    let sql = "SELECT data FROM recordings WHERE session_id = ?1 ORDER BY seq";
    db.rows(sql, params![session.0], |row| row.get(0))
}
