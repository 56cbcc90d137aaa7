//! Visits.

use const_format::formatcp;

use super::row::Row;
use super::users::Direction;
use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Device, Kind, ProjectId, SESSION_GAP, Session, SessionId, User, UserId};

/// Whether an event of the first user is one that the second has as well.
pub(super) const COPY: &str = "EXISTS (SELECT 1 FROM events AS copy
    WHERE copy.user_id = ?2 AND copy.message_key = events.message_key)";

pub(super) const COLUMNS: &str = "id, project_id, user_id, external_id, started_at, ended_at, event_count, page_count, \
    error_count, os, browser, device, country, recording_type, recording_bytes";

pub(super) fn read(row: &Row) -> Result<Session> {
    Ok(Session {
        id: SessionId(row.get(0)?),
        project: ProjectId(row.get(1)?),
        user: UserId(row.get(2)?),
        external_id: row.get(3)?,
        started_at: row.get(4)?,
        ended_at: row.get(5)?,
        event_count: row.get(6)?,
        page_count: row.get(7)?,
        error_count: row.get(8)?,
        device: Device {
            os: row.get(9)?,
            browser: row.get(10)?,
            device: row.get(11)?,
            country: row.get(12)?,
        },
        recording_type: row.get(13)?,
        recording_bytes: row.get(14)?,
    })
}

pub fn by_id(db: &Db, id: SessionId) -> Result<Option<Session>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM sessions WHERE id = ?1");
    db.row(sql, params![id.0], read)
}

/// The session of the user that came in first.
pub fn first(db: &Db, user: UserId) -> Result<Option<SessionId>> {
    let sql = "SELECT min(id) FROM sessions WHERE user_id = ?1";
    Ok(db.row(sql, params![user.0], |row| row.get::<Option<i64>>(0))?.flatten().map(SessionId))
}

/// So many sessions of one name are looked at, and so many are told.
const NAMESAKES: (u32, u32) = (1_000, 100);

/// Sessions of a project that their clients gave this name, those with a recording first.
pub fn by_external_id(db: &Db, project: ProjectId, external_id: &str) -> Result<Vec<Session>> {
    const LOOKED_AT: u32 = NAMESAKES.0;
    const TOLD: u32 = NAMESAKES.1;
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM
             (SELECT * FROM sessions WHERE external_id = ?1 AND project_id = ?2 LIMIT {LOOKED_AT})
         ORDER BY recording_type IS NULL, id LIMIT {TOLD}"
    );
    db.rows(sql, params![external_id, project.0], read)
}

/// The user's session of this name that began after `since`.
pub fn named(
    db: &Db,
    user: UserId,
    external_id: &str,
    since: Millis,
    project: ProjectId,
) -> Result<Option<Session>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM sessions
         WHERE external_id = ?1 AND project_id = ?2 AND user_id = ?3 AND started_at > ?4"
    );
    db.row(sql, params![external_id, project.0, user.0, since], read)
}

/// Sessions that are named by their clients may overlap: so many of the latest are looked
/// at, for one that is long over may not be the only one.
const OVERLAPPING: u32 = 20;

/// The user's session, begun after `since`, whose span lies within [`SESSION_GAP`] of
/// `at`; the latest if several do.
pub fn near(db: &Db, user: UserId, at: Millis, since: Millis) -> Result<Option<Session>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM
             (SELECT * FROM sessions WHERE user_id = ?1 AND started_at <= ?2 AND started_at > ?3
              ORDER BY started_at DESC LIMIT {OVERLAPPING})
         WHERE ended_at >= ?4 ORDER BY started_at DESC LIMIT 1"
    );
    let (from, to) = (at.saturating_sub(SESSION_GAP), at.saturating_add(SESSION_GAP));
    db.row(sql, params![user.0, to, since, from], read)
}

pub fn insert(
    tx: &Tx,
    user: &User,
    external_id: Option<&str>,
    at: Millis,
    device: &Device,
) -> Result<SessionId> {
    let id = SessionId(tx.next_id());
    tx.execute(
        "INSERT INTO sessions (id, project_id, user_id, external_id, started_at, ended_at, os, browser, device,
             country, opened_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            id.0,
            user.project.0,
            user.id.0,
            external_id,
            at,
            device.os,
            device.browser,
            device.device,
            device.country,
            tx.who().actor.key_number(),
        ],
    )?;
    Ok(id)
}

/// The number of the key that opened a session; 0 is the ingest token, None is not known.
pub fn opened_by(db: &Db, id: SessionId) -> Result<Option<i64>> {
    let sql = "SELECT opened_by FROM sessions WHERE id = ?1";
    Ok(db.row(sql, params![id.0], |row| row.get(0))?.flatten())
}

/// Counts an event in, and stretches the span over it.
pub fn add_event(tx: &Tx, id: SessionId, kind: Kind, at: Millis) -> Result<()> {
    let pages = i64::from(matches!(kind, Kind::Page | Kind::Screen));
    let errors = i64::from(kind == Kind::Error);
    tx.execute(
        "UPDATE sessions SET started_at = min(started_at, ?2), ended_at = max(ended_at, ?2),
             event_count = event_count + 1, page_count = page_count + ?3, error_count = error_count + ?4
         WHERE id = ?1",
        params![id.0, at, pages, errors],
    )?;
    Ok(())
}

/// What several events add to a session.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// The start of its span, where that moves. None: it stays, and the index of starts is left alone.
    pub started_at: Option<Millis>,
    pub ended_at: Millis,
    pub events: i64,
    pub pages: i64,
    pub errors: i64,
}

/// Counts events in, and stretches the span over them.
pub fn grow(tx: &Tx, id: SessionId, growth: &Growth) -> Result<()> {
    const COUNTERS: &str = "ended_at = max(ended_at, ?2), event_count = event_count + ?3, \
        page_count = page_count + ?4, error_count = error_count + ?5";
    let Growth { started_at, ended_at, events, pages, errors } = *growth;
    match started_at {
        Some(started_at) => tx.execute(
            formatcp!("UPDATE sessions SET started_at = min(started_at, ?6), {COUNTERS} WHERE id = ?1"),
            params![id.0, ended_at, events, pages, errors, started_at],
        )?,
        None => tx.execute(
            formatcp!("UPDATE sessions SET {COUNTERS} WHERE id = ?1"),
            params![id.0, ended_at, events, pages, errors],
        )?,
    };
    Ok(())
}

/// An id for a session that is written later.
pub fn new_id(tx: &Tx) -> SessionId {
    SessionId(tx.next_id())
}

/// A session that several events have opened and made.
#[derive(Debug, Clone, Copy)]
pub struct Opened<'a> {
    pub id: SessionId,
    pub project: ProjectId,
    pub user: UserId,
    pub external_id: Option<&'a str>,
    pub started_at: Millis,
    pub ended_at: Millis,
    pub events: i64,
    pub pages: i64,
    pub errors: i64,
    pub device: &'a Device,
}

/// Writes it once, as [`insert`] and [`add_event`] would have left it.
pub fn insert_grown(tx: &Tx, session: &Opened) -> Result<()> {
    tx.execute(
        "INSERT INTO sessions (id, project_id, user_id, external_id, started_at, ended_at, event_count,
             page_count, error_count, os, browser, device, country, opened_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            session.id.0,
            session.project.0,
            session.user.0,
            session.external_id,
            session.started_at,
            session.ended_at,
            session.events,
            session.pages,
            session.errors,
            session.device.os,
            session.device.browser,
            session.device.device,
            session.device.country,
            tx.who().actor.key_number(),
        ],
    )?;
    Ok(())
}

/// Whether a session of the user, other than this one, began then or later.
pub fn any_since(db: &Db, user: UserId, at: Millis, other_than: SessionId) -> Result<bool> {
    let sql = "SELECT 1 FROM sessions WHERE user_id = ?1 AND started_at >= ?2 AND id <> ?3 LIMIT 1";
    Ok(db.row(sql, params![user.0, at, other_than.0], |_| Ok(()))?.is_some())
}

/// What the user's sessions were on, those that began after `since` and lie partly within the
/// bounds (inclusive): each kind of device once.
pub fn devices(db: &Db, user: UserId, since: Millis, (from, to): (Millis, Millis)) -> Result<Vec<Device>> {
    let sql = "SELECT DISTINCT os, browser, device, country FROM sessions
               WHERE user_id = ?1 AND started_at > ?2 AND started_at <= ?4 AND ended_at >= ?3";
    db.rows(sql, params![user.0, since, from, to], |row| {
        Ok(Device { os: row.get(0)?, browser: row.get(1)?, device: row.get(2)?, country: row.get(3)? })
    })
}

/// The session goes on until an instant.
pub fn extend(tx: &Tx, id: SessionId, until: Millis) -> Result<()> {
    tx.execute("UPDATE sessions SET ended_at = max(ended_at, ?2) WHERE id = ?1", params![id.0, until])?;
    Ok(())
}

/// The first start and the last start of the user's sessions after `since`.
pub fn span(db: &Db, user: UserId, since: Millis) -> Result<Option<(Millis, Millis)>> {
    let sql = "SELECT (SELECT min(started_at) FROM sessions WHERE user_id = ?1 AND started_at > ?2),
                      (SELECT max(started_at) FROM sessions WHERE user_id = ?1 AND started_at > ?2)";
    let span = db.row(sql, params![user.0, since], |row| {
        Ok((row.get::<Option<Millis>>(0)?, row.get::<Option<Millis>>(1)?))
    })?;
    Ok(span.and_then(|(first, last)| first.zip(last)))
}

/// How many of the user's sessions began after `since`.
pub fn tally(db: &Db, user: UserId, since: Millis) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM sessions WHERE user_id = ?1 AND started_at > ?2";
    Ok(db.row(sql, params![user.0, since], |row| row.get(0))?.unwrap_or_default())
}

/// Counts events out of their sessions that another user has as well, up to a message key.
/// Returns how many sessions had nothing else, and are gone.
pub fn forget_copies(tx: &Tx, from: UserId, to: UserId, last: i64) -> Result<usize> {
    let of =
        format!("FROM events WHERE user_id = ?1 AND message_key <= ?3 AND session_id IS NOT NULL AND {COPY}");
    let named = params![from.0, to.0, last];
    tx.execute(
        &format!(
            "UPDATE sessions SET event_count = event_count - copies.events,
                 page_count = page_count - copies.pages, error_count = error_count - copies.errors
             FROM (SELECT session_id, COUNT(*) AS events,
                       COUNT(*) FILTER (WHERE kind IN ('page', 'screen')) AS pages,
                       COUNT(*) FILTER (WHERE kind = 'error') AS errors
                   {of} GROUP BY session_id) AS copies
             WHERE sessions.id = copies.session_id"
        ),
        named,
    )?;
    tx.execute(
        &format!(
            "DELETE FROM sessions WHERE event_count = 0 AND recording_bytes = 0
                 AND id IN (SELECT session_id {of})"
        ),
        named,
    )
}

/// The user's sessions that began after `since` and within the bounds (inclusive), the
/// oldest first.
pub fn list(
    db: &Db,
    user: UserId,
    since: Millis,
    (start, end): (Millis, Millis),
    limit: u32,
) -> Result<Vec<Session>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM sessions
         WHERE user_id = ?1 AND started_at > ?2 AND started_at >= ?3 AND started_at <= ?4
         ORDER BY started_at, id LIMIT ?5"
    );
    db.rows(sql, params![user.0, since, start, end, limit], read)
}

/// A page of the user's sessions that began after `since` and within the bounds (inclusive),
/// by their start.
pub fn page(
    db: &Db,
    (user, since): (UserId, Millis),
    (start, end): (Millis, Millis),
    direction: Direction,
    (limit, offset): (u32, u32),
) -> Result<Vec<Session>> {
    let direction = direction.sql();
    let sql = format!(
        "SELECT {COLUMNS} FROM sessions
         WHERE user_id = ?1 AND started_at > ?2 AND started_at >= ?3 AND started_at <= ?4
         ORDER BY started_at {direction}, id {direction} LIMIT ?5 OFFSET ?6"
    );
    db.rows(&sql, params![user.0, since, start, end, limit, offset], read)
}

/// How many sessions there are on all pages. Reads an index entry for each.
pub fn count(db: &Db, (user, since): (UserId, Millis), (start, end): (Millis, Millis)) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM sessions
         WHERE user_id = ?1 AND started_at > ?2 AND started_at >= ?3 AND started_at <= ?4";
    Ok(db.row(sql, params![user.0, since, start, end], |row| row.get(0))?.unwrap_or_default())
}

/// Notes what was appended to the session's recording.
pub fn add_recording(tx: &Tx, id: SessionId, content_type: &str, bytes: i64) -> Result<()> {
    tx.execute(
        "UPDATE sessions SET recording_type = ?2, recording_bytes = recording_bytes + ?3 WHERE id = ?1",
        params![id.0, content_type, bytes],
    )?;
    Ok(())
}
