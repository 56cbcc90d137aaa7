//! Finding one person by any of their names, and what is held of them.

use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{ProjectId, State, User, UserId};
pub use crate::store::data_inventory::Held;
use crate::store::{Db, aliases, data_inventory, projects, sessions, users};

/// The live user with this identifier. [`Error::UserNotFound`] if there is none.
pub fn get(db: &Db, project: ProjectId, identifier: &str) -> Result<User> {
    users::by_identifier(db, project, identifier)?
        .filter(|user| user.state == State::Live)
        .ok_or_else(|| Error::user_not_found(identifier))
}

/// The live user with this id. [`Error::UserNotFound`] if there is none.
pub fn get_by_id(db: &Db, project: ProjectId, id: UserId) -> Result<User> {
    users::by_id(db, Some(project), id)?
        .filter(|user| user.state == State::Live)
        .ok_or_else(|| Error::user_not_found(id.to_string()))
}

/// The live or revivable user with this identifier.
pub fn get_hidden_too(db: &Db, project: ProjectId, identifier: &str, now: Millis) -> Result<User> {
    users::by_identifier(db, project, identifier)?
        .filter(|user| !user.is_expired(now))
        .ok_or_else(|| Error::user_not_found(identifier))
}

/// The live or revivable user with this id.
pub fn get_hidden_too_by_id(db: &Db, project: ProjectId, id: UserId, now: Millis) -> Result<User> {
    users::by_id(db, Some(project), id)?
        .filter(|user| user.state == State::Live || user.is_revivable(now))
        .ok_or_else(|| Error::user_not_found(id.to_string()))
}

/// The live user with this id, or what is left of one whose account is gone and whose
/// activity stays. [`Error::UserNotFound`] if there is neither.
pub fn get_detached_too_by_id(db: &Db, project: ProjectId, id: UserId) -> Result<User> {
    users::by_id(db, Some(project), id)?
        .filter(|user| matches!(user.state, State::Live | State::Detached))
        .ok_or_else(|| Error::user_not_found(id.to_string()))
}

/// Sessions of a user: how many, the first start and the last.
#[derive(Debug, Clone, Copy)]
pub struct Stats {
    pub sessions: i64,
    /// Without sessions: the first and last time it was seen, or was registered.
    pub first: Millis,
    pub last: Millis,
}

pub fn stats(db: &Db, user: &User) -> Result<Stats> {
    let mut span = None;
    for (member, since) in users::branches(db, user.id, user.activity_since())? {
        if let Some((first, last)) = sessions::span(db, member, since)? {
            let (earlier, later) = span.unwrap_or((first, last));
            span = Some((first.min(earlier), last.max(later)));
        }
    }
    let (first, last) = span.unwrap_or_else(|| {
        let first = user.first_seen.unwrap_or(user.created_at);
        (first, user.last_seen.unwrap_or(first))
    });
    Ok(Stats { sessions: user.session_count, first, last })
}

/// So many users of a project with one e-mail are found.
const FOUND_MAX: u32 = 100;

/// By what somebody was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    Identifier,
    AnonymousId,
    Id,
    Email,
    ClaimedEmail,
}

/// Who has this as a whole name: identifier, id (in any API's form), anonymous id, or e-mail in any letter
/// case; each is one probe. Live and revivable users; one may be found by several.
pub fn whole(
    db: &Db,
    projects: &[ProjectId],
    text: &str,
    ids: &[UserId],
    now: Millis,
) -> Result<Vec<(User, Whole)>> {
    let mut found = Vec::new();
    for project in projects {
        let mut add = |users: Vec<User>, by| found.extend(users.into_iter().map(|user| (user, by)));
        add(users::by_identifier(db, *project, text)?.into_iter().collect(), Whole::Identifier);
        if let Some(id) = aliases::user(db, *project, text)? {
            add(users::by_id(db, Some(*project), id)?.into_iter().collect(), Whole::AnonymousId);
        }
        for id in ids {
            add(users::by_id(db, Some(*project), *id)?.into_iter().collect(), Whole::Id);
        }
        add(users::by_email(db, *project, text, FOUND_MAX)?, Whole::Email);
        add(users::by_claimed_email(db, *project, text, FOUND_MAX)?, Whole::ClaimedEmail);
    }
    found.retain(|(user, _)| user.state == State::Live || user.is_revivable(now));
    Ok(found)
}

/// The same, each of them once.
pub fn find(db: &Db, projects: &[ProjectId], text: &str, ids: &[UserId], now: Millis) -> Result<Vec<User>> {
    let mut seen = std::collections::HashSet::new();
    let found = whole(db, projects, text, ids, now)?.into_iter().map(|(user, _)| user);
    Ok(found.filter(|user| seen.insert(user.id)).collect())
}

/// What is held under an id, whatever its state: a live or revivable user, what is left
/// of one whose account is gone, or of one that is being erased. An anonymous user that
/// was merged is whom it was merged into. [`Error::UserNotFound`] if nothing is held, or
/// it was hidden for 7 days, or its project is deleted.
pub fn held(db: &Db, id: UserId, now: Millis) -> Result<User> {
    let mut user = users::by_id(db, None, id)?;
    if user.as_ref().is_some_and(|user| user.state == State::Merged)
        && let Some(into) = users::merged_into(db, id)?
    {
        user = users::by_id(db, None, into)?;
    }
    let user = user.filter(|user| !user.is_expired(now));
    let user = user.ok_or_else(|| Error::user_not_found(id.to_string()))?;
    match projects::by_id(db, user.project)? {
        Some(_) => Ok(user),
        None => Err(Error::user_not_found(id.to_string())),
    }
}

/// How many rows of each table are about a user. It reads an index entry a row: for scans.
pub fn inventory(db: &Db, user: &User) -> Result<Vec<Held>> {
    data_inventory::inventory(db, user, &users::members(db, user.id)?)
}

/// The user's anonymous ids, `limit` at most.
pub fn anonymous_ids(db: &Db, user: &User, limit: u32) -> Result<Vec<String>> {
    aliases::of(db, user.id, limit)
}
