//! What all users of a project did within a span of time, one user after the other.
//!
//! Events have no project and no index by time alone: each such index would cost every event
//! that comes in. So the users are walked that were seen since the span began, and of each
//! the part of its own timeline that lies within.

use std::ops::ControlFlow;

use const_format::formatcp;

use super::users::{Direction, Filter, NOT_RESTRICTED};
use super::value::{Value, params};
use super::{Db, events, sessions};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Event, Kind, ProjectId, Session, UserId};

/// Users read at a time.
const CHUNK: u32 = 500;

/// A live user, as far as a walk has to know it.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    pub id: UserId,
    /// Its activity is to be seen after this instant.
    pub since: Millis,
    pub events: i64,
    pub sessions: i64,
}

/// Which part of one member's timeline, both ends included.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub member: UserId,
    pub since: Millis,
    pub from: Millis,
    pub to: Millis,
}

/// Some identified users behind `after` that were seen at `seen` or later, by their ids; none:
/// there are no more.
pub fn people(db: &Db, project: ProjectId, who: &Filter, seen: Millis, after: UserId) -> Result<Vec<Person>> {
    let mut values = vec![Value::from(project.0), Value::from(seen), Value::from(after.0)];
    let who = who.sql(&mut values);
    let sql = format!(
        "SELECT id, activity_erased_at, event_count, session_count FROM users
         WHERE state = 'live' AND project_id = ?1 AND identifier IS NOT NULL AND last_seen >= ?2
             AND id > ?3 AND {who} AND {NOT_RESTRICTED}
         ORDER BY id LIMIT {CHUNK}"
    );
    db.rows(&sql, &values, |row| {
        let since: Option<Millis> = row.get(1)?;
        Ok(Person {
            id: UserId(row.get(0)?),
            since: since.unwrap_or(Millis::MIN),
            events: row.get(2)?,
            sessions: row.get(3)?,
        })
    })
}

/// Whether rows of any user are on their way to another one.
pub fn is_merging(db: &Db) -> Result<bool> {
    let sql = "SELECT 1 FROM users WHERE merged_into IS NOT NULL LIMIT 1";
    Ok(db.row(sql, params![], |_| Ok(()))?.is_some())
}

const OF_EVENTS: &str = "user_id = ?1 AND at > ?2 AND at >= ?3 AND at <= ?4";
const OF_SESSIONS: &str = "user_id = ?1 AND started_at > ?2 AND started_at >= ?3 AND started_at <= ?4";

/// Hands over the events of one kind, each with its number, until told to stop. Those of one
/// instant come in the order of their numbers.
pub fn walk_events(
    db: &Db,
    part: Part,
    kind: Kind,
    direction: Direction,
    mut see: impl FnMut(i64, Event) -> Result<ControlFlow<()>>,
) -> Result<()> {
    const SELECT: &str =
        formatcp!("SELECT {}, id FROM events WHERE {OF_EVENTS} AND kind = ?5", events::COLUMNS);
    let sql = match direction {
        Direction::Ascending => formatcp!("{SELECT} ORDER BY at, id"),
        Direction::Descending => formatcp!("{SELECT} ORDER BY at DESC, id DESC"),
    };
    let Part { member, since, from, to } = part;
    db.walk(sql, params![member.0, since, from, to, kind.as_str()], |row| {
        see(row.get(events::COLUMN_COUNT)?, events::read(row)?)
    })
}

/// The same for sessions, by their starts.
pub fn walk_sessions(
    db: &Db,
    part: Part,
    direction: Direction,
    mut see: impl FnMut(Session) -> Result<ControlFlow<()>>,
) -> Result<()> {
    const SELECT: &str = formatcp!("SELECT {} FROM sessions WHERE {OF_SESSIONS}", sessions::COLUMNS);
    let sql = match direction {
        Direction::Ascending => formatcp!("{SELECT} ORDER BY started_at, id"),
        Direction::Descending => formatcp!("{SELECT} ORDER BY started_at DESC, id DESC"),
    };
    let Part { member, since, from, to } = part;
    db.walk(sql, params![member.0, since, from, to], |row| see(sessions::read(row)?))
}

/// How many events of all kinds there are, which is what a count has to read, and how many
/// of this one.
pub fn count_events(db: &Db, part: Part, kind: Kind) -> Result<(i64, i64)> {
    let sql = formatcp!("SELECT COUNT(*), COUNT(*) FILTER (WHERE kind = ?5) FROM events WHERE {OF_EVENTS}");
    let Part { member, since, from, to } = part;
    let kind = kind.as_str();
    let values = params![member.0, since, from, to, kind];
    Ok(db.row(sql, values, |row| Ok((row.get(0)?, row.get(1)?)))?.unwrap_or_default())
}

pub fn count_sessions(db: &Db, part: Part) -> Result<i64> {
    let sql = formatcp!("SELECT COUNT(*) FROM sessions WHERE {OF_SESSIONS}");
    let Part { member, since, from, to } = part;
    Ok(db.row(sql, params![member.0, since, from, to], |row| row.get(0))?.unwrap_or_default())
}
