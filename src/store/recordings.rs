//! Pieces of sessions' recordings.

use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
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

/// Whether a recording has the piece of this number.
pub fn has(db: &Db, session: SessionId, seq: i64) -> Result<bool> {
    let sql = "SELECT 1 FROM recordings WHERE session_id = ?1 AND seq = ?2";
    Ok(db.row(sql, params![session.0, seq], |_| Ok(()))?.is_some())
}

/// Adds a piece under its number, which no other has.
pub fn insert(
    tx: &Tx,
    (session, user): (SessionId, UserId),
    seq: i64,
    at: Millis,
    data: &[u8],
) -> Result<()> {
    tx.execute(
        "INSERT INTO recordings (session_id, user_id, seq, created_at, data) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![session.0, user.0, seq, at, data],
    )?;
    Ok(())
}

/// The first of a recording's pieces after one, with its number. None: there are no more.
pub fn next(db: &Db, session: SessionId, after: i64) -> Result<Option<(i64, Vec<u8>)>> {
    let sql = "SELECT seq, data FROM recordings WHERE session_id = ?1 AND seq > ?2 ORDER BY seq LIMIT 1";
    db.row(sql, params![session.0, after], |row| Ok((row.get(0)?, row.get(1)?)))
}
