//! Merging an anonymous user into a named one: linked at once, moved in chunks.

use crate::clock::Millis;
use crate::domain::users::{self, Subject};
use crate::error::{Error, Result};
use crate::model::{Identifier, ProfileChange, ProjectId, User, UserId};
use crate::store::users::Activity;
use crate::store::{Tx, aliases, events, holdings, users as rows};

/// Rows moved by one statement.
const ROWS: i64 = 250;

/// The named user, live, of whom the anonymous id is now a part. Whoever has not been
/// seen yet is created. [`Error::Conflict`] if the anonymous id is part of somebody
/// else: only an anonymous user that was never merged can be.
pub fn unite(
    tx: &Tx,
    project: ProjectId,
    anonymous_id: &Identifier,
    identifier: &Identifier,
) -> Result<User> {
    let named = users::holder(tx, project, identifier.as_str())?;
    let visitor = users::alias_holder(tx, project, anonymous_id)?;
    match (named, visitor) {
        (Some(named), Some(visitor)) if named.id == visitor.id => users::apply(tx, named, &no_change()),
        (_, Some(visitor)) if visitor.identifier.is_some() => {
            Err(Error::Conflict("anonymousId belongs to another user"))
        }
        (Some(named), Some(visitor)) => {
            let named = users::apply(tx, named, &no_change())?;
            absorb(tx, &named, &visitor)?;
            rows::by_id(tx, Some(project), named.id)?
                .ok_or_else(|| Error::user_not_found(identifier.as_str()))
        }
        // The visitor gets a name: nothing has to move.
        (None, Some(mut visitor)) => {
            visitor.identifier = Some(identifier.as_str().to_owned());
            visitor.updated_at = tx.now();
            rows::update(tx, &visitor)?;
            users::apply(tx, visitor, &no_change())
        }
        (named, None) => {
            let named = match named {
                Some(named) => users::apply(tx, named, &no_change())?,
                None => users::insert(tx, project, Some(identifier), &no_change())?,
            };
            aliases::link(tx, project, anonymous_id.as_str(), named.id)?;
            Ok(named)
        }
    }
}

/// The visitor is the named user from now on. Its counters and names come along at once.
fn absorb(tx: &Tx, named: &User, visitor: &User) -> Result<()> {
    aliases::relink(tx, visitor.id, named.id)?;
    let profile = visitor.profile.clone();
    holdings::clear_person(tx, visitor.id)?;
    rows::set_merged(tx, visitor.id, named.id)?;
    rows::note_merged(tx, visitor, named.id)?;
    let activity = Activity {
        sessions: visitor.session_count,
        events: visitor.event_count,
        first: visitor.first_seen,
        last: visitor.last_seen,
    };
    rows::add_activity(tx, named.id, activity)?;
    // What the visitor said of itself fills what the named user left open.
    let change = ProfileChange { set_once: profile.attributes, ..ProfileChange::default() };
    users::apply(tx, named.clone(), &change)?;
    tx.wake_worker();
    Ok(())
}

fn no_change() -> ProfileChange {
    ProfileChange::default()
}

/// Moves some rows of a merged user. False: there is nothing to move.
pub fn chunk(tx: &Tx) -> Result<bool> {
    let Some((from, to)) = rows::merging(tx)? else { return Ok(false) };
    move_some(tx, from, to)?;
    Ok(true)
}

fn move_some(tx: &Tx, from: UserId, to: UserId) -> Result<()> {
    let (moved, copies) = events::rehome(tx, from, to, ROWS)?;
    if copies > 0 {
        rows::add_activity(tx, to, Activity { events: -copies, ..Activity::default() })?;
    }
    if moved == 0 && holdings::rehome(tx, from, to, ROWS)? == 0 {
        rows::delete(tx, from)?;
    }
    Ok(())
}

/// Makes `previous`, an anonymous id, part of the named user. Dropped and counted if it
/// was said before that user was erased.
pub fn alias(
    tx: &Tx,
    project: ProjectId,
    previous: &Identifier,
    subject: &Subject,
    at: Option<Millis>,
) -> Result<()> {
    let named = Subject { identifier: subject.identifier.clone(), anonymous_id: Some(previous.clone()) };
    users::identify(tx, project, &named, &no_change(), at).map(|_| ())
}
