//! Visits.

use const_format::formatcp;
use rusqlite::{Row, params};

use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Device, Kind, ProjectId, SESSION_GAP, Session, SessionId, User, UserId};

const COLUMNS: &str = "id, project_id, user_id, external_id, started_at, ended_at, event_count, page_count, \
    error_count, os, browser, device, country, recording_type, recording_bytes";

fn read(row: &Row) -> rusqlite::Result<Session> {
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

/// Sessions of a project that their clients gave this name; two at most, to tell
/// whether it is unambiguous.
pub fn by_external_id(db: &Db, project: ProjectId, external_id: &str) -> Result<Vec<Session>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM sessions WHERE external_id = ?1 AND project_id = ?2 ORDER BY id DESC LIMIT 2"
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

/// The user's session, begun after `since`, whose span lies within [`SESSION_GAP`] of
/// `at`; the latest if several do.
pub fn near(db: &Db, user: UserId, at: Millis, since: Millis) -> Result<Option<Session>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM sessions WHERE user_id = ?1 AND started_at <= ?2 AND started_at > ?3
         ORDER BY started_at DESC LIMIT 1"
    );
    let latest = db.row(sql, params![user.0, at.saturating_add(SESSION_GAP), since], read)?;
    Ok(latest.filter(|session| session.ended_at.saturating_add(SESSION_GAP) >= at))
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
             country)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9)",
        params![
            id.0,
            user.project.0,
            user.id.0,
            external_id,
            at,
            device.os,
            device.browser,
            device.device,
            device.country
        ],
    )?;
    Ok(id)
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

/// The first start and the last start of the user's sessions after `since`.
pub fn span(db: &Db, user: UserId, since: Millis) -> Result<Option<(Millis, Millis)>> {
    let sql = "SELECT (SELECT min(started_at) FROM sessions WHERE user_id = ?1 AND started_at > ?2),
                      (SELECT max(started_at) FROM sessions WHERE user_id = ?1 AND started_at > ?2)";
    let span = db.row(sql, params![user.0, since], |row| {
        Ok((row.get::<_, Option<Millis>>(0)?, row.get::<_, Option<Millis>>(1)?))
    })?;
    Ok(span.and_then(|(first, last)| first.zip(last)))
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

/// Notes what was appended to the session's recording.
pub fn add_recording(tx: &Tx, id: SessionId, content_type: &str, bytes: i64) -> Result<()> {
    tx.execute(
        "UPDATE sessions SET recording_type = ?2, recording_bytes = recording_bytes + ?3 WHERE id = ?1",
        params![id.0, content_type, bytes],
    )?;
    Ok(())
}
