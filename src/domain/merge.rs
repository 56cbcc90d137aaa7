//! Merging an anonymous user into a named one: linked at once, moved in chunks.
//!
//! A merge is one step deep: only an anonymous user is merged, and only into a named one,
//! who is never merged itself.

use crate::clock::Millis;
use crate::domain::users::{self, Subject};
use crate::domain::{erase, references};
use crate::error::{Error, Result};
use crate::ledger::Act;
use crate::model::{Attributes, Identifier, Profile, ProfileChange, ProjectId, State, User, UserId};
use crate::store::tombstones::{self, Named};
use crate::store::users::Activity;
use crate::store::{Tx, aliases, events, holdings, sessions, users as rows};

/// Rows moved by one statement.
const ROWS: i64 = 250;
const TAKEN: &str = "names no anonymous visitor who could become this user";

/// The named user, live or hidden, of whom the anonymous id is now a part. Whoever has not
/// been seen yet is created. [`Error::Conflict`] if the anonymous id is part of somebody
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
        (Some(named), Some(visitor)) if named.id == visitor.id => Ok(named),
        (_, Some(visitor)) if visitor.identifier.is_some() => Err(Error::Conflict(TAKEN)),
        (Some(named), Some(visitor)) => absorb(tx, named, visitor),
        // The visitor gets a name: nothing has to move.
        (None, Some(mut visitor)) => {
            visitor.identifier = Some(identifier.as_str().to_owned());
            visitor.updated_at = tx.now();
            rows::update(tx, &visitor)?;
            references::recall(tx, project, identifier.as_str())?;
            Ok(visitor)
        }
        (named, None) => {
            let named = match named {
                Some(named) => named,
                None => users::insert(tx, project, Some(identifier), &ProfileChange::default())?,
            };
            aliases::link(tx, project, anonymous_id.as_str(), named.id)?;
            references::recall(tx, project, anonymous_id.as_str())?;
            Ok(named)
        }
    }
}

/// Makes `previous`, an anonymous id, part of the named user, who stays hidden if it is.
/// Dropped and counted if it was said before that user was erased. [`Error::Conflict`] if
/// `previous` is a user's name, part of somebody else, or hidden.
pub fn alias(
    tx: &Tx,
    project: ProjectId,
    previous: &Identifier,
    subject: &Subject,
    at: Option<Millis>,
) -> Result<()> {
    let Some(identifier) = &subject.identifier else { return Err(users::nobody_named()) };
    if users::drop_late(tx, project, subject, at)? {
        return Ok(());
    }
    let mergeable = match users::alias_holder(tx, project, previous)? {
        Some(visitor) => visitor.state == State::Live || visitor.identifier.is_some(),
        None => users::holder(tx, project, previous.as_str())?.is_none(),
    };
    if !mergeable {
        return Err(Error::Conflict(TAKEN));
    }
    let user = unite(tx, project, previous, identifier)?;
    users::touch(tx, &user, at)
}

/// The visitor is the named user from now on. Its counters and names come along at once.
fn absorb(tx: &Tx, named: User, visitor: User) -> Result<User> {
    if let Some(erased_at) = visitor.activity_erased_at {
        // The row that knows it goes.
        for anonymous_id in aliases::of(tx, visitor.id, u32::MAX)? {
            tombstones::bury_as_of(tx, visitor.project, Named::Anonymous(&anonymous_id), erased_at)?;
        }
    }
    if visitor.state == State::Hidden {
        // Else an older copy, in which it stands alone, would let it expire, and its erasure
        // would take the named user along.
        users::enter(tx, &visitor, |person| Act::Revived { person })?;
    }
    let activity = activity_since(tx, &visitor, named.activity_since())?;
    aliases::relink(tx, visitor.id, named.id)?;
    holdings::clear_person(tx, visitor.id)?;
    rows::set_merged(tx, visitor.id, named.id)?;
    rows::note_merged(tx, &visitor, named.id)?;
    rows::add_activity(tx, named.id, activity)?;
    let change = filling(&named.profile, visitor.profile);
    let (id, project) = (named.id, named.project);
    // What would not fit is left out.
    if change.apply(&named.profile).is_ok() {
        users::adjust(tx, named, &change)?;
    }
    tx.wake_worker();
    rows::by_id(tx, Some(project), id)?.ok_or_else(|| Error::user_not_found(id.to_string()))
}

/// What the visitor's activity adds to the named user's counters. If the named user had its
/// own erased up to `since`, the visitor's is as old as that, and leaves.
fn activity_since(tx: &Tx, visitor: &User, since: Millis) -> Result<Activity> {
    if visitor.first_seen.is_none_or(|first| first > since) {
        return Ok(Activity {
            sessions: visitor.session_count,
            events: visitor.event_count,
            first: visitor.first_seen,
            last: visitor.last_seen,
        });
    }
    erase::begin_before(tx, visitor, since)?;
    let since = since.max(visitor.activity_since());
    let (events, first) = events::tally(tx, visitor.id, since)?;
    Ok(Activity {
        sessions: sessions::tally(tx, visitor.id, since)?,
        events,
        first,
        last: visitor.last_seen.filter(|last| *last > since),
    })
}

/// What the visitor said of itself fills what the named user left open.
fn filling(named: &Profile, visitor: Profile) -> ProfileChange {
    let open = |known: &Option<String>, said: Option<String>| match known {
        Some(_) => None,
        None => said.map(Some),
    };
    let missing = |(name, _): &(String, serde_json::Value)| !named.extra.contains_key(name);
    ProfileChange {
        email: open(&named.email, visitor.email),
        first_name: open(&named.first_name, visitor.first_name),
        last_name: open(&named.last_name, visitor.last_name),
        display_name: open(&named.display_name, visitor.display_name),
        avatar_url: open(&named.avatar_url, visitor.avatar_url),
        country: open(&named.country, visitor.country),
        city: open(&named.city, visitor.city),
        set_once: visitor.attributes,
        extra: visitor.extra.into_iter().filter(missing).collect::<Attributes>(),
        ..ProfileChange::default()
    }
}

/// Moves some rows of a merged user. False: there is nothing to move.
pub fn chunk(tx: &Tx) -> Result<bool> {
    let Some((from, to)) = rows::merging(tx)? else { return Ok(false) };
    move_some(tx, from, to)?;
    Ok(true)
}

fn move_some(tx: &Tx, from: UserId, to: UserId) -> Result<()> {
    let moved = events::rehome(tx, from, to, ROWS)?;
    if moved.copies > 0 {
        // Counted for both of them, and there once.
        let twice = Activity { events: -moved.copies, sessions: -moved.emptied, ..Activity::default() };
        rows::add_activity(tx, to, twice)?;
    }
    if moved.rows == 0 && holdings::rehome(tx, from, to, ROWS)? == 0 {
        rows::delete(tx, from)?;
    }
    Ok(())
}
