//! What exports read: in stretches, each behind the row with which the last one ended, and never a row
//! with a higher number than there was when the export began. No read is long, and none is large.

use std::ops::ControlFlow;

use const_format::formatcp;

use super::erased_identifiers::{Named, digest_with};
use super::row::Row;
use super::suppressions::Suppression;
use super::users::Direction;
use super::value::params;
use super::{Db, Store, events, interactions, jobs, messages, sessions, suppressions, users};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Event, Interaction, Job, Message, ProjectId, Session, SessionId, User, UserId};

/// A stretch ends after so many bytes of events.
const BYTES: i64 = 256 * 1024;
/// And after so many rows of any kind.
pub const ROWS: u32 = 500;

/// An anonymous id of a user.
#[derive(Debug, Clone)]
pub struct Alias {
    pub anonymous_id: String,
    pub created_at: Millis,
    /// A key that is not public said whose it is.
    pub is_trusted: bool,
    /// Another person's client has sent it, too.
    pub is_shared: bool,
}

/// A piece of a recording.
#[derive(Debug)]
pub struct Piece {
    pub seq: i64,
    pub created_at: Millis,
    pub data: Vec<u8>,
}

/// Which rows of a user: those behind the row at `after`, up to the number `end`. Where one goes back in time,
/// what happened after `since`; else `after` is not before that. One bound on each side: of two on one side
/// SQLite takes the one that is no help, and reads all rows again for each stretch.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    pub user: UserId,
    pub since: Millis,
    pub after: (Millis, i64),
    pub end: i64,
}

/// Some live users of a project behind an id, the oldest first; nobody whose data is only kept.
pub fn people(db: &Db, project: ProjectId, after: UserId, end: i64) -> Result<Vec<User>> {
    const PEOPLE: u32 = 50;
    let sql = formatcp!(
        "SELECT {} FROM users WHERE state = 'live' AND project_id = ?1 AND id > ?2 AND id <= ?3 AND {}
         ORDER BY id LIMIT {PEOPLE}",
        users::COLUMNS,
        users::NOT_RESTRICTED
    );
    db.rows(sql, params![project.0, after.0, end], users::read)
}

/// Some anonymous ids of a user behind one, by name.
pub fn aliases(db: &Db, user: UserId, after: &str) -> Result<Vec<Alias>> {
    let sql = formatcp!(
        "SELECT anonymous_id, created_at, is_trusted, is_shared FROM aliases
         WHERE user_id = ?1 AND anonymous_id > ?2 ORDER BY anonymous_id LIMIT {ROWS}"
    );
    db.rows(sql, params![user.0, after], |row| {
        Ok(Alias {
            anonymous_id: row.get(0)?,
            created_at: row.get(1)?,
            is_trusted: row.get(2)?,
            is_shared: row.get(3)?,
        })
    })
}

/// Some sessions, by their starts.
pub fn sessions(db: &Db, stretch: Stretch) -> Result<Vec<Session>> {
    let sql = formatcp!(
        "SELECT {} FROM sessions
         WHERE user_id = ?1 AND (started_at, id) > (?2, ?3) AND id <= ?4
         ORDER BY started_at, id LIMIT {ROWS}",
        sessions::COLUMNS
    );
    let Stretch { user, after: (at, id), end, .. } = stretch;
    db.rows(sql, params![user.0, at, id, end], sessions::read)
}

/// Whether an older session of the same user has the same name.
pub fn has_older_namesake(db: &Db, session: &Session) -> Result<bool> {
    let sql = "SELECT 1 FROM sessions
               WHERE external_id = ?1 AND project_id = ?2 AND user_id = ?3 AND id < ?4 LIMIT 1";
    let values = params![session.external_id, session.project.0, session.user.0, session.id.0];
    Ok(db.row(sql, values, |_| Ok(()))?.is_some())
}

/// Some events, each with its number, by time and number.
pub fn events(db: &Db, stretch: Stretch, direction: Direction) -> Result<Vec<(i64, Event)>> {
    const SELECT: &str = formatcp!(
        "SELECT {}, id, length(data) + length(name) + length(coalesce(url, '')) FROM events
         WHERE user_id = ?1 AND id <= ?4 AND ?5 = ?5",
        events::COLUMNS
    );
    let sql = match direction {
        Direction::Ascending => {
            formatcp!("{SELECT} AND (at, id) > (?2, ?3) ORDER BY at, id LIMIT {ROWS}")
        }
        Direction::Descending => {
            formatcp!("{SELECT} AND (at, id) < (?2, ?3) AND at > ?5 ORDER BY at DESC, id DESC LIMIT {ROWS}")
        }
    };
    let Stretch { user, since, after: (at, id), end } = stretch;
    let (mut found, mut bytes) = (Vec::new(), 0_i64);
    db.walk(sql, params![user.0, at, id, end, since], |row| {
        found.push((row.get(events::COLUMN_COUNT)?, events::read(row)?));
        bytes += row.get::<i64>(events::COLUMN_COUNT + 1)?;
        Ok(if bytes < BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}

/// The next piece of a recording.
pub fn piece(db: &Db, session: SessionId, after: i64, end: i64) -> Result<Option<Piece>> {
    let sql = "SELECT seq, created_at, data FROM recordings
               WHERE session_id = ?1 AND seq > ?2 AND id <= ?3 ORDER BY seq LIMIT 1";
    let read = |row: &Row| Ok(Piece { seq: row.get(0)?, created_at: row.get(1)?, data: row.get(2)? });
    db.row(sql, params![session.0, after, end], read)
}

/// Some conversations, by their beginnings.
pub fn interactions(db: &Db, stretch: Stretch) -> Result<Vec<Interaction>> {
    let sql = formatcp!(
        "SELECT {} FROM interactions
         WHERE user_id = ?1 AND (created_at, id) > (?2, ?3) AND id <= ?4 AND deleted = 0
         ORDER BY created_at, id LIMIT {ROWS}",
        interactions::COLUMNS
    );
    let Stretch { user, after: (at, id), end, .. } = stretch;
    db.rows(sql, params![user.0, at, id, end], interactions::read)
}

/// Some messages of a conversation, in the order in which they were said.
pub fn messages(db: &Db, interaction: i64, after: i64, end: i64) -> Result<Vec<Message>> {
    const MESSAGES: u32 = 50;
    let sql = formatcp!(
        "SELECT {} FROM messages WHERE interaction_id = ?1 AND id > ?2 AND id <= ?3
         ORDER BY id LIMIT {MESSAGES}",
        messages::COLUMNS
    );
    db.rows(sql, params![interaction, after, end], messages::read)
}

/// Deletions that were asked for by a name, and are done or to come.
pub fn deletions(db: &Db, project: ProjectId, name: &str) -> Result<Vec<Job>> {
    let sql = formatcp!(
        "SELECT {} FROM jobs WHERE reference = ?1 AND project_id = ?2 ORDER BY id LIMIT {ROWS}",
        jobs::COLUMNS
    );
    db.rows(sql, params![name, project.0], jobs::read)
}

impl Store {
    /// The suppressions under this name, from every source.
    pub fn suppressions_of(
        &self,
        db: &Db,
        project: ProjectId,
        named: Named,
        now: Millis,
    ) -> Result<Vec<Suppression>> {
        let sql = formatcp!(
            "SELECT {} FROM suppressions
             WHERE project_id = ?1 AND digest = ?2 AND subject = ?2 AND (until IS NULL OR until > ?3)
             ORDER BY created_at, source",
            suppressions::COLUMNS
        );
        let digest = digest_with(&self.secret, project, named);
        db.rows(sql, params![project.0, digest, now], suppressions::read)
    }
}
