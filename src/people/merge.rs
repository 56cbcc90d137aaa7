//! Merging an anonymous user into a named one: linked at once, moved in chunks.
//!
//! A merge is one step deep: only an anonymous user is merged, and only into a named one,
//! who is never merged itself.

use crate::error::{Error, Result};
use crate::ledger::Act;
use crate::model::{
    Attributes, Identifier, Profile, ProfileChange, ProjectId, Received, Repair, Said, State, User, UserId,
};
use crate::people::late::Speaks;
use crate::people::subject::Subject;
use crate::people::{
    admission, erasures, holder, holds, late, names, person, placeholders, profile, public, registration,
    repairs, suppressions,
};
use crate::store::erased_identifiers::{self, Named};
use crate::store::users::Activity;
use crate::store::{Tx, aliases, data_inventory, events, jobs, sessions, users as rows};

/// Rows moved by one statement.
const ROWS: i64 = 250;
const TAKEN: &str = "names no anonymous visitor who could become this user";

/// The named user, live or hidden, of whom the anonymous id is now a part. A user that has not been
/// seen yet is created. An anonymous id that is somebody else's, or is kept out, stays what it is:
/// only an anonymous user that was never merged becomes part of another.
pub fn unite(
    tx: &Tx,
    project: ProjectId,
    anonymous_id: &Identifier,
    identifier: &Identifier,
) -> Result<User> {
    let named = match holder::holder(tx, project, identifier.as_str())? {
        Some(named) => Some(named),
        None => registration::take_name(tx, project, identifier)?,
    };
    if suppressions::covers_anonymous(tx, project, anonymous_id.as_str())? {
        return registered(tx, project, identifier, named);
    }
    let visitor = holder::alias_holder(tx, project, anonymous_id.as_str())?;
    let trusts = !tx.who().actor.is_public();
    match (named, visitor) {
        (Some(named), Some(visitor)) if named.id == visitor.id => {
            if trusts {
                aliases::trust(tx, project, anonymous_id.as_str())?;
            }
            Ok(named)
        }
        (named, Some(visitor))
            if visitor.identifier.is_some()
                || is_called_so_by_another(tx, project, anonymous_id, named.as_ref())?
                || !trusts && is_out_of_reach(tx, project, anonymous_id, named.as_ref(), &visitor)? =>
        {
            aliases::note_shared(tx, project, anonymous_id.as_str())?;
            repairs::note(tx, project, Repair::of("anonymousId", "anonymous id of another user"))?;
            registered(tx, project, identifier, named)
        }
        (Some(named), _) if !public::may_claim(tx, &named)? => Ok(named),
        (Some(named), Some(visitor)) => absorb(tx, named, visitor),
        // The visitor gets a name: nothing has to move.
        (None, Some(mut visitor)) => {
            names::give(tx, project, identifier.as_str())?;
            visitor.identifier = Some(identifier.as_str().to_owned());
            visitor.updated_at = tx.now();
            rows::update(tx, &visitor)?;
            aliases::relink(tx, visitor.id, visitor.id)?;
            Ok(visitor)
        }
        (named, None) => {
            let named = registered(tx, project, identifier, named)?;
            // A client may give a person the same name twice.
            if anonymous_id != identifier && is_an_identifier(tx, project, anonymous_id)? {
                repairs::note(tx, project, Repair::of("anonymousId", "anonymous id of another user"))?;
                return Ok(named);
            }
            names::give(tx, project, anonymous_id.as_str())?;
            aliases::link(tx, project, anonymous_id.as_str(), named.id)?;
            Ok(named)
        }
    }
}

/// Whether a public credential leaves a visitor what it is: it brings none out of the trash, nor any in
/// with the user it names, and takes none from a deletion that waits for it.
fn is_out_of_reach(
    tx: &Tx,
    project: ProjectId,
    anonymous_id: &Identifier,
    named: Option<&User>,
    visitor: &User,
) -> Result<bool> {
    Ok(visitor.state == State::Hidden
        || named.is_some_and(|named| named.state == State::Hidden)
        || !jobs::waiting_for(tx, project, anonymous_id.as_str())?.is_empty())
}

/// Whether an anonymous id is the identifier of somebody else than the named user.
fn is_called_so_by_another(
    tx: &Tx,
    project: ProjectId,
    anonymous_id: &Identifier,
    named: Option<&User>,
) -> Result<bool> {
    let holder = holder::holder(tx, project, anonymous_id.as_str())?;
    Ok(holder.is_some_and(|holder| named.is_none_or(|named| named.id != holder.id)))
}

/// The user together with a visitor whose anonymous id is the user's identifier, if there is one: what
/// happens to the user from now on happens to both.
pub fn with_namesake(tx: &Tx, user: &User) -> Result<User> {
    let Some(identifier) = &user.identifier else { return Ok(user.clone()) };
    let Some(id) = aliases::user(tx, user.project, identifier)?.filter(|id| *id != user.id) else {
        return Ok(user.clone());
    };
    match rows::by_id(tx, Some(user.project), id)? {
        Some(visitor)
            if visitor.identifier.is_none() && matches!(visitor.state, State::Live | State::Hidden) =>
        {
            absorb(tx, user.clone(), visitor)
        }
        _ => Ok(user.clone()),
    }
}

/// Whether an anonymous id is what somebody is called, or was until an erasure: as an alias it would
/// lead a deletion to another person, and keep an erased name.
fn is_an_identifier(tx: &Tx, project: ProjectId, anonymous_id: &Identifier) -> Result<bool> {
    let name = anonymous_id.as_str();
    Ok(holder::holder(tx, project, name)?.is_some()
        || erased_identifiers::erased_at(tx, project, Named::Identifier(name))?.is_some())
}

fn registered(tx: &Tx, project: ProjectId, identifier: &Identifier, known: Option<User>) -> Result<User> {
    match known {
        Some(user) => Ok(user),
        None => registration::insert(tx, project, Some(identifier), &ProfileChange::default()),
    }
}

/// Makes `previous`, an anonymous id, part of the named user, who stays hidden if it is. A name
/// that is the user's already is nothing new. [`Error::Conflict`] if `previous` is another user's
/// name, part of somebody else, in the trash, kept out, or a name that stands for nobody; a
/// public credential is not told which.
pub fn alias(
    tx: &Tx,
    project: ProjectId,
    previous: &Identifier,
    subject: &Subject,
    said: impl Into<Said>,
) -> Result<Received<()>> {
    let said = said.into();
    let Some(identifier) = &subject.identifier else { return Err(registration::nobody_named()) };
    let subject = Subject::named(identifier);
    if let Err(dropped) = admission::receive(tx, project, &subject, said, Speaks::OfActivity)? {
        return Ok(Err(dropped));
    }
    if previous == identifier {
        return Ok(Ok(()));
    }
    // The name that is given up may be an erased person's: it must not come back as an alias.
    let given_up = Subject { identifier: None, anonymous_id: Some(previous.clone()) };
    let kept_out = suppressions::covers_anonymous(tx, project, previous.as_str())?;
    if !kept_out && let Err(dropped) = late::check(tx, project, &given_up, said, Speaks::OfActivity)? {
        return Ok(Err(dropped));
    }
    let visitor = holder::alias_holder(tx, project, previous.as_str())?;
    let named = holder::holder(tx, project, identifier.as_str())?;
    let mergeable = match &visitor {
        Some(visitor) if named.as_ref().is_some_and(|named| named.id == visitor.id) => true,
        Some(visitor) => {
            visitor.state == State::Live
                && visitor.identifier.is_none()
                && !is_called_so_by_another(tx, project, previous, named.as_ref())?
        }
        None => holder::holder(tx, project, previous.as_str())?.is_none(),
    };
    let usable = mergeable
        && !kept_out
        && !placeholders::is_one(tx, project, previous)?
        && !placeholders::is_one(tx, project, identifier)?;
    if let Err(dropped) = public::may_describe(tx, project, named.as_ref())? {
        return Ok(Err(dropped));
    }
    if !usable {
        if !tx.who().actor.is_public() {
            return Err(Error::Conflict(TAKEN));
        }
        repairs::note(tx, project, Repair::refused("previousId", "anonymous id of another user"))?;
        return Ok(Ok(()));
    }
    let user = unite(tx, project, previous, identifier)?;
    profile::record_activity(tx, &user, said)?;
    Ok(Ok(()))
}

/// The visitor is the named user from now on. Its counters and names come along at once.
fn absorb(tx: &Tx, named: User, visitor: User) -> Result<User> {
    if let Some(erased_at) = visitor.activity_erased_at {
        // The row that knows it goes.
        for (anonymous_id, is_trusted) in aliases::with_trust(tx, visitor.id)? {
            let named = Named::alias(&anonymous_id, is_trusted);
            erased_identifiers::record_as_of(tx, visitor.project, named, erased_at)?;
        }
    }
    if visitor.state == State::Hidden {
        // Else an older copy, in which it stands alone, would let it expire, and its erasure
        // would take the named user along.
        person::append_to_ledger(tx, &visitor, |person| Act::Revived { person })?;
    }
    let activity = activity_since(tx, &visitor, &named)?;
    aliases::relink(tx, visitor.id, named.id)?;
    data_inventory::clear_person(tx, visitor.id)?;
    rows::set_merged(tx, visitor.id, named.id)?;
    rows::note_merged(tx, &visitor, named.id)?;
    holds::carry_over(tx, &visitor, &named)?;
    jobs::rebind(tx, visitor.id, named.id)?;
    rows::add_activity(tx, named.id, activity)?;
    let change = filling(&named.profile, visitor.profile);
    let (id, project) = (named.id, named.project);
    // What would not fit is left out.
    if change.apply(&named.profile).is_ok() {
        profile::update(tx, named, &change)?;
    }
    tx.wake_worker();
    rows::by_id(tx, Some(project), id)?.ok_or_else(|| Error::user_not_found(id.to_string()))
}

/// What the visitor's activity adds to the named user's counters. If the named user had its
/// own erased up to `since`, the visitor's is as old as that, and leaves.
fn activity_since(tx: &Tx, visitor: &User, named: &User) -> Result<Activity> {
    let since = named.activity_since();
    if visitor.first_seen.is_none_or(|first| first > since) {
        return Ok(Activity {
            sessions: visitor.session_count,
            events: visitor.event_count,
            first: visitor.first_seen,
            last: visitor.last_seen,
        });
    }
    // Else it leaves when the hold is over.
    if !holds::keeps_either(tx, visitor, named)? {
        erasures::begin_before(tx, visitor, since)?;
    }
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
        claimed_email: open(&named.claimed_email, visitor.claimed_email),
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
    if moved.rows == 0 && data_inventory::rehome(tx, from, to, ROWS)? == 0 {
        rows::delete(tx, from)?;
    }
    Ok(())
}
