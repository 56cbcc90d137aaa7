//! What users did.

use std::ops::ControlFlow;

use const_format::formatcp;

use super::row::Row;
use super::users::Direction;
use super::value::{odd_row, params};
use super::{Db, Tx, sessions};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{Attributes, Event, Kind, SessionId, UserId};

pub(super) const COLUMNS: &str = "session_id, kind, name, at, message_id, url, data";
pub(super) const COLUMN_COUNT: usize = 7;

pub(super) fn read(row: &Row) -> Result<Event> {
    Ok(Event {
        session: row.get::<Option<i64>>(0)?.map(SessionId),
        kind: kind(row)?,
        name: row.get(2)?,
        at: row.get(3)?,
        message_id: row.get(4)?,
        url: row.get(5)?,
        data: serde_json::from_str(row.text(6)?).map_err(|_| odd_row())?,
    })
}

fn kind(row: &Row) -> Result<Kind> {
    Kind::parse(row.text(1)?).ok_or_else(odd_row)
}

pub fn exists(tx: &Tx, user: UserId, message_id: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM events WHERE user_id = ?1 AND message_key = ?2";
    let is_under = |key: i64| Ok(tx.row(sql, params![user.0, key], |_| Ok(()))?.is_some());
    let keys = tx.message_keys();
    match keys.old(message_id) {
        _ if is_under(keys.of(message_id))? => Ok(true),
        Some(old) => is_under(old),
        None => Ok(false),
    }
}

pub fn insert(tx: &Tx, user: UserId, event: &Event) -> Result<()> {
    write(tx, INSERT, user, &NewEvent::of(event)).map(drop)
}

/// False: the user has one under this message id already, and nothing is written. Keys of 0.1 are not
/// looked for.
pub fn insert_once(tx: &Tx, user: UserId, event: &NewEvent) -> Result<bool> {
    const ONCE: &str = formatcp!("{INSERT} ON CONFLICT (user_id, message_key) DO NOTHING");
    Ok(write(tx, ONCE, user, event)? > 0)
}

/// Whether an event under this message id may lie under a key of 0.1.
pub fn may_have_old_key(tx: &Tx, message_id: &str) -> bool {
    tx.message_keys().old(message_id).is_some()
}

/// An event on its way in.
#[derive(Debug, Clone, Copy)]
pub struct NewEvent<'a> {
    pub session: Option<SessionId>,
    pub kind: Kind,
    pub name: &'a str,
    pub at: Millis,
    pub message_id: &'a str,
    pub url: Option<&'a str>,
    pub data: &'a Attributes,
}

impl<'a> NewEvent<'a> {
    fn of(event: &'a Event) -> NewEvent<'a> {
        NewEvent {
            session: event.session,
            kind: event.kind,
            name: &event.name,
            at: event.at,
            message_id: &event.message_id,
            url: event.url.as_deref(),
            data: &event.data,
        }
    }
}

const INSERT: &str = "INSERT INTO events
    (user_id, message_key, session_id, kind, name, at, message_id, url, data)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

fn write(tx: &Tx, sql: &str, user: UserId, event: &NewEvent) -> Result<usize> {
    tx.execute(
        sql,
        params![
            user.0,
            tx.message_keys().of(event.message_id),
            event.session.map(|session| session.0),
            event.kind.as_str(),
            event.name,
            event.at,
            event.message_id,
            event.url,
            serde_json::to_string(event.data).map_err(Error::internal)?,
        ],
    )
}

/// A stretch of a user's timeline.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// From and to, both included.
    pub from: Millis,
    pub to: Millis,
    pub limit: u32,
    pub offset: u32,
}

const TIMELINE: &str = formatcp!(
    "SELECT {COLUMNS} FROM events WHERE user_id = ?1 AND at > ?2 AND at >= ?3 AND at <= ?4
     ORDER BY at DESC, id DESC LIMIT ?5 OFFSET ?6"
);

/// The newest first, over all of `branches`: users, each with the instant after which its
/// events are to be seen.
pub fn timeline(db: &Db, branches: &[(UserId, Millis)], stretch: Stretch) -> Result<Vec<Event>> {
    // With rows still moving in from an anonymous user, each is asked for the whole
    // stretch from its beginning, and the offset is applied to all of them together.
    let [(user, since)] = branches else {
        let mut events = Vec::new();
        let reach = stretch.offset.saturating_add(stretch.limit);
        for (user, since) in branches {
            let values = params![user.0, since, stretch.from, stretch.to, reach, 0];
            events.extend(db.rows(TIMELINE, values, read)?);
        }
        events.sort_by_key(|event| std::cmp::Reverse(event.at));
        return Ok(events.into_iter().skip(stretch.offset as usize).take(stretch.limit as usize).collect());
    };
    let values = params![user.0, since, stretch.from, stretch.to, stretch.limit, stretch.offset];
    db.rows(TIMELINE, values, read)
}

/// A place in a timeline: the time of an event, and its number.
pub type Place = (Millis, i64);

/// A part of a timeline, the newest first.
pub struct Looked {
    pub events: Vec<(Place, Event)>,
    /// So many were looked at that it ends here, though there may be more.
    pub stopped: Option<Place>,
}

/// Up to `limit` events before a place, of one kind or of all. Looks at `most` of them.
pub fn before(
    db: &Db,
    (user, since): (UserId, Millis),
    (at, number): Place,
    wanted: Option<Kind>,
    (limit, most): (usize, usize),
) -> Result<Looked> {
    let sql = formatcp!(
        "SELECT {COLUMNS}, id FROM events
         WHERE user_id = ?1 AND at > ?2 AND at <= ?3 AND (at < ?3 OR id < ?4)
         ORDER BY at DESC, id DESC"
    );
    let mut looked = Looked { events: Vec::new(), stopped: None };
    let mut seen = 0;
    db.walk(sql, params![user.0, since, at, number], |row| {
        let place = (row.get(3)?, row.get(COLUMN_COUNT)?);
        seen += 1;
        if wanted.is_none() || wanted == Some(kind(row)?) {
            looked.events.push((place, read(row)?));
        }
        let is_full = looked.events.len() == limit;
        if !is_full && seen == most {
            looked.stopped = Some(place);
        }
        Ok(if is_full || seen == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(looked)
}

/// A session's events, the oldest first. `span` are its start and end.
pub fn of_session(
    db: &Db,
    user: UserId,
    session: SessionId,
    span: (Millis, Millis),
    limit: u32,
) -> Result<Vec<Event>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM events WHERE user_id = ?1 AND at >= ?2 AND at <= ?3 AND session_id = ?4
         ORDER BY at, id LIMIT ?5"
    );
    db.rows(sql, params![user.0, span.0, span.1, session.0, limit], read)
}

/// What a page of a session's events is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    At,
    Name,
}

/// A page of a session's events from one instant to another, both included. Equal ones are
/// ordered by when they came in.
pub fn session_page(
    db: &Db,
    (user, session): (UserId, SessionId),
    (from, to): (Millis, Millis),
    (column, direction): (Column, Direction),
    (limit, offset): (u32, u32),
) -> Result<Vec<Event>> {
    let column = match column {
        Column::At => "at",
        Column::Name => "name",
    };
    let direction = direction.sql();
    let sql = format!(
        "SELECT {COLUMNS} FROM events WHERE user_id = ?1 AND at >= ?2 AND at <= ?3 AND session_id = ?4
         ORDER BY {column} {direction}, id {direction} LIMIT ?5 OFFSET ?6"
    );
    db.rows(&sql, params![user.0, from, to, session.0, limit, offset], read)
}

/// How many events there are on all pages. Reads each of them.
pub fn session_count(
    db: &Db,
    (user, session): (UserId, SessionId),
    (from, to): (Millis, Millis),
) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM events
         WHERE user_id = ?1 AND at >= ?2 AND at <= ?3 AND session_id = ?4";
    Ok(db.row(sql, params![user.0, from, to, session.0], |row| row.get(0))?.unwrap_or_default())
}

/// The newest event's time, if there is one later than `since`.
pub fn last_at(db: &Db, user: UserId, since: Millis) -> Result<Option<Millis>> {
    let sql = "SELECT at FROM events WHERE user_id = ?1 AND at > ?2 ORDER BY at DESC LIMIT 1";
    db.row(sql, params![user.0, since], |row| row.get(0))
}

/// How many events are later than `since`, and the oldest of them. Reads an index entry for
/// each.
pub fn tally(db: &Db, user: UserId, since: Millis) -> Result<(i64, Option<Millis>)> {
    let sql = "SELECT COUNT(*), min(at) FROM events WHERE user_id = ?1 AND at > ?2";
    Ok(db.row(sql, params![user.0, since], |row| Ok((row.get(0)?, row.get(1)?)))?.unwrap_or_default())
}

/// When the newest event of a stretch happened whose kind and name are asked for and that
/// passes the test. Reads no further than to that event, and the data of those alone whose
/// name is asked for. The stretch's limit and offset count before all tests.
pub fn latest(
    db: &Db,
    (user, since): (UserId, Millis),
    stretch: Stretch,
    asked_for: impl Fn(Kind, &str) -> bool,
    passes: impl Fn(&Event) -> bool,
) -> Result<Option<Millis>> {
    let values = params![user.0, since, stretch.from, stretch.to, stretch.limit, stretch.offset];
    let mut latest = None;
    db.walk(TIMELINE, values, |row| {
        if asked_for(kind(row)?, row.text(2)?) {
            latest = Some(read(row)?).filter(|event| passes(event)).map(|event| event.at);
        }
        Ok(if latest.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(latest)
}

/// Hands over a stretch's events, the newest first, until `see` has seen enough. Its limit and
/// offset count all of them.
pub fn walk(
    db: &Db,
    (user, since): (UserId, Millis),
    stretch: Stretch,
    mut see: impl FnMut(Event) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let values = params![user.0, since, stretch.from, stretch.to, stretch.limit, stretch.offset];
    db.walk(TIMELINE, values, |row| see(read(row)?))
}

/// What became of some events that went from one user to another.
pub struct Moved {
    /// So many left the first.
    pub rows: i64,
    /// So many of these were there already, under the same message id, and are kept once.
    pub copies: i64,
    /// Sessions that had nothing but copies, and are gone.
    pub emptied: i64,
}

/// Gives up to `limit` events of one user to another.
pub fn rehome(tx: &Tx, from: UserId, to: UserId, limit: i64) -> Result<Moved> {
    let count = |n: usize| i64::try_from(n).map_err(Error::internal);
    let sql = "SELECT message_key FROM events WHERE user_id = ?1 ORDER BY message_key LIMIT 1 OFFSET ?2";
    let last = tx.row(sql, params![from.0, limit - 1], |row| row.get(0))?.unwrap_or(i64::MAX);
    let copy = format!("user_id = ?1 AND message_key <= ?3 AND {}", sessions::COPY);
    let named = params![from.0, to.0, last];
    let there: Option<()> =
        tx.row(&format!("SELECT 1 FROM events WHERE {copy} LIMIT 1"), named, |_| Ok(()))?;
    let (mut copies, mut emptied) = (0, 0);
    if there.is_some() {
        emptied = count(sessions::forget_copies(tx, from, to, last)?)?;
        copies = count(tx.execute(&format!("DELETE FROM events WHERE {copy}"), named)?)?;
    }
    let sql = "UPDATE events SET user_id = ?2 WHERE user_id = ?1 AND message_key <= ?3";
    let moved = count(tx.execute(sql, named)?)?;
    Ok(Moved { rows: moved + copies, copies, emptied })
}
