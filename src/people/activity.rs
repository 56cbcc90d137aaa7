//! Taking in what users do.

use crate::clock::Millis;
use crate::error::{Error, Place, Result};
use crate::model::{
    Attributes, Device, Dropped, Event, Identifier, Kind, ProfileChange, Project, ProjectId, Said, Session,
    SessionId, State, TOO_DEEP, User, UserId, is_too_deep,
};
use crate::people::late::Speaks;
use crate::people::subject::Subject;
use crate::people::{admission, holder, late, profile, public, registration, users};
use crate::store::users::Activity;
use crate::store::{Db, Tx, events, projects, sessions, users as rows};

/// The largest event, in bytes of its JSON. A page of PX's has a thousand of them, all in memory.
pub const EVENT_MAX: usize = 64 * 1024;

/// Something a client says a user did.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub subject: Subject,
    pub kind: Kind,
    pub name: String,
    /// Nothing said: now. A time in the future is taken as now.
    pub at: Said,
    /// What makes a repetition recognisable. None: each is counted.
    pub message_id: Option<String>,
    /// The client's own name for the session.
    pub session: Option<Identifier>,
    pub url: Option<String>,
    pub data: Attributes,
    pub device: Device,
}

/// What became of it. In each case the client is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Stored,
    /// The same message was here before.
    Again,
    Dropped(Dropped),
}

/// Stores an event, with its user and its session created if need be. A hidden user
/// stays hidden. A message that comes again is counted once.
pub fn record(tx: &Tx, project: ProjectId, incoming: &Incoming) -> Result<Taken> {
    record_as(tx, project, incoming, Speaks::OfActivity, Visits::Opened)
}

/// Whether an event that names no session belongs to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visits {
    /// To the one that runs; one is opened if none does.
    Opened,
    /// To none.
    AsTold,
}

/// The same for what does not come in as it happens.
pub(super) fn record_as(
    tx: &Tx,
    project: ProjectId,
    incoming: &Incoming,
    speaks: Speaks,
    visits: Visits,
) -> Result<Taken> {
    check(incoming)?;
    let subject = match admission::receive(tx, project, &incoming.subject, incoming.at, speaks)? {
        Ok(subject) => subject,
        Err(dropped) => return Ok(Taken::Dropped(dropped)),
    };
    let user = registration::ensure(tx, project, &subject)?;
    let since = user.activity_since();
    if incoming.at.latest().is_some_and(|latest| latest <= since) {
        late::note(tx, project)?;
        return Ok(Taken::Dropped(Dropped::Late));
    }
    if let Some(message_id) = &incoming.message_id {
        for member in rows::members(tx, user.id)? {
            if events::exists(tx, member, message_id)? {
                return Ok(Taken::Again);
            }
        }
    }
    // Without a time of its own it happens now, which is after any erasure.
    let at = incoming.at.time().unwrap_or(tx.now()).min(tx.now()).max(since.saturating_add(1));
    let (session, opened) = match (visits, &incoming.session) {
        (Visits::AsTold, None) => (None, false),
        _ => join_session(tx, &user, incoming, at)?,
    };
    let event = Event {
        session,
        kind: incoming.kind,
        name: incoming.name.clone(),
        at,
        message_id: match &incoming.message_id {
            Some(message_id) => message_id.clone(),
            None => format!("usher-{:x}", tx.next_id()),
        },
        url: incoming.url.clone(),
        data: incoming.data.clone(),
    };
    events::insert(tx, user.id, &event)?;
    if let Some(session) = session {
        sessions::add_event(tx, session, event.kind, at)?;
    }
    let added = Activity { sessions: i64::from(opened), events: 1, first: Some(at), last: Some(at) };
    rows::add_activity(tx, user.id, added)?;
    projects::note_event(tx, project, at)?;
    Ok(Taken::Stored)
}

/// Stores an event, and what it says of its user's profile; a hidden user stays hidden.
/// [`Error::Invalid`] by the fields of either.
pub fn record_with_profile(
    tx: &Tx,
    project: ProjectId,
    incoming: &Incoming,
    change: &ProfileChange,
) -> Result<Taken> {
    change.check()?;
    // Asked before anybody is created for it.
    let known = holder::meant(tx, project, &incoming.subject)?;
    let taken = record(tx, project, incoming)?;
    if taken == Taken::Stored && *change != ProfileChange::default() {
        let user = registration::ensure(tx, project, &incoming.subject)?;
        if public::may_describe(tx, project, known.as_ref())?.is_ok() {
            _ = users::amend_within(tx, user, change)?;
        }
    }
    Ok(taken)
}

/// [`Error::Invalid`] on `name`, `messageId` or `properties` if one is too large or has
/// characters that it may not have.
pub fn check(incoming: &Incoming) -> Result<()> {
    let fault = |field: &str, message: &str| Err(Error::invalid(Place::Body, field, message));
    if incoming.name.chars().count() > 1_024 {
        return fault("name", "must have at most 1024 characters");
    }
    if incoming.name.chars().any(char::is_control) {
        return fault("name", "must not contain control characters");
    }
    if incoming.message_id.as_ref().is_some_and(|id| id.len() > 1_024) {
        return fault("messageId", "must have at most 1024 bytes");
    }
    if is_too_deep(&incoming.data) {
        return fault("properties", TOO_DEEP);
    }
    let size = serde_json::to_string(&incoming.data).map_err(Error::internal)?.len()
        + incoming.url.as_ref().map_or(0, String::len);
    if size > EVENT_MAX {
        return fault("properties", "must have at most 65536 bytes as JSON");
    }
    Ok(())
}

/// The session of an event: the one it names, or one of the user's within
/// 30 minutes, or a new one. True: it is new. Interactions and logs, which no visit
/// produces, join only what they name.
fn join_session(tx: &Tx, user: &User, incoming: &Incoming, at: Millis) -> Result<(Option<SessionId>, bool)> {
    if incoming.session.is_none() && matches!(incoming.kind, Kind::Interaction | Kind::Log) {
        return Ok((None, false));
    }
    let mut found: Option<Session> = None;
    for (member, since) in rows::branches(tx, user.id, user.activity_since())? {
        let theirs = match &incoming.session {
            Some(name) => sessions::named(tx, member, name.as_str(), since, user.project)?,
            None => sessions::near(tx, member, at, since)?,
        };
        let later = |one: &Session| found.as_ref().is_none_or(|other| other.started_at < one.started_at);
        if theirs.as_ref().is_some_and(later) {
            found = theirs;
        }
    }
    if let Some(session) = found {
        return Ok((Some(session.id), false));
    }
    let name = incoming.session.as_ref().map(Identifier::as_str);
    Ok((Some(sessions::insert(tx, user, name, at, &incoming.device)?), true))
}

/// The user is still there: the session that is running goes on until now. False: none is.
pub fn stay(tx: &Tx, user: &User) -> Result<bool> {
    let mut running: Option<Session> = None;
    for (member, since) in rows::branches(tx, user.id, user.activity_since())? {
        let near = sessions::near(tx, member, tx.now(), since)?;
        if near.as_ref().is_some_and(|one| running.as_ref().is_none_or(|two| two.started_at < one.started_at))
        {
            running = near;
        }
    }
    let Some(session) = running else { return Ok(false) };
    sessions::extend(tx, session.id, tx.now())?;
    profile::record_activity(tx, user, Said::Nothing)?;
    Ok(true)
}

/// The user's timeline, the newest first.
pub fn timeline(
    db: &Db,
    user: &User,
    from: Millis,
    to: Millis,
    limit: u32,
    offset: u32,
) -> Result<Vec<Event>> {
    let stretch = events::Stretch { from, to, limit, offset };
    events::timeline(db, &rows::branches(db, user.id, user.activity_since())?, stretch)
}

/// When the user's newest event happened.
pub fn last_at(db: &Db, user: &User) -> Result<Option<Millis>> {
    let mut last = None;
    for (member, since) in rows::branches(db, user.id, user.activity_since())? {
        last = last.max(events::last_at(db, member, since)?);
    }
    Ok(last)
}

/// The user's sessions that began within the bounds (inclusive), the oldest first.
pub fn sessions(db: &Db, user: &User, bounds: (Millis, Millis), limit: u32) -> Result<Vec<Session>> {
    let mut found = Vec::new();
    for (member, since) in rows::branches(db, user.id, user.activity_since())? {
        found.extend(sessions::list(db, member, since, bounds, limit)?);
    }
    found.sort_by_key(|session| (session.started_at, session.id));
    found.truncate(limit as usize);
    Ok(found)
}

/// A session's events, the oldest first. [`Error::SessionNotFound`] if the project has
/// no such session, or its user is not to be seen.
pub fn of_session(db: &Db, project: &Project, id: SessionId, limit: u32) -> Result<Vec<Event>> {
    let (session, user) = session(db, project.id, id)?;
    let mut found = Vec::new();
    // While a merge goes on, a session and its events may be of different members.
    for member in rows::members(db, user.id)? {
        found.extend(events::of_session(db, member, id, (session.started_at, session.ended_at), limit)?);
    }
    found.sort_by_key(|event| event.at);
    found.truncate(limit as usize);
    Ok(found)
}

/// A session that can be seen, and whose it is.
pub fn session(db: &Db, project: ProjectId, id: SessionId) -> Result<(Session, User)> {
    let session = sessions::by_id(db, id)?.filter(|session| session.project == project);
    let session = session.ok_or(Error::SessionNotFound)?;
    let user = owner(db, &session)?.ok_or(Error::SessionNotFound)?;
    let branches = rows::branches(db, user.id, user.activity_since())?;
    let seen = |(member, since): &(UserId, Millis)| *member == session.user && session.started_at > *since;
    if branches.iter().any(seen) { Ok((session, user)) } else { Err(Error::SessionNotFound) }
}

/// The live user a session belongs to, through a merge that is still going on.
fn owner(db: &Db, session: &Session) -> Result<Option<User>> {
    let Some(mut user) = rows::by_id(db, Some(session.project), session.user)? else { return Ok(None) };
    if user.state == State::Merged {
        let into = rows::merged_into(db, user.id)?.map(|into| rows::by_id(db, Some(session.project), into));
        let Some(into) = into.transpose()?.flatten() else { return Ok(None) };
        user = into;
    }
    Ok(Some(user).filter(|user| user.state == State::Live))
}
