//! What a record says of a person: a profile as of some time.

use super::{Counts, How, Person};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Identifier, Profile, ProfileChange, ProjectId, Received, Said, State, User};
use crate::people::late::{self, Speaks};
use crate::people::subject::Subject;
use crate::people::{admission, holder, merge, profile, registration};
use crate::store::users::Activity;
use crate::store::{Tx, users as rows};

/// Creates the person, or adds to what is known. A field is taken only where there is none, or where what
/// is known is older than the record. Someone in the trash stays there, unless it is asked for.
pub(super) fn take(
    tx: &Tx,
    project: ProjectId,
    said: &Person,
    at: Option<Millis>,
    how: How,
    counts: &mut Counts,
) -> Result<Received<()>> {
    said.change.check()?;
    let when = at.map_or(Said::Nothing, Said::at);
    let subject = match admission::receive(tx, project, &said.subject, when, Speaks::OfThePast)? {
        Ok(subject) => without_erased(tx, project, subject, when)?,
        Err(dropped) => return Ok(Err(dropped)),
    };
    let before = tx.registrations();
    let as_of = known_as_of(tx, project, &subject)?;
    let mut user = named(tx, project, &subject)?;
    let is_new = tx.registrations() > before;
    // Joining two ids, or giving a visitor a name, says nothing new of the person's data.
    let is_touched = match as_of.filter(|as_of| *as_of < user.updated_at) {
        Some(as_of) => {
            user.updated_at = as_of;
            true
        }
        None => false,
    };
    let user = match how.revive && user.state == State::Hidden {
        true => profile::update_and_restore(tx, user, &ProfileChange::default())?,
        false => user,
    };
    if write(tx, (&user, is_touched), said, at, is_new, how)? && !is_new {
        counts.updated += 1;
    }
    if said.is_activity {
        profile::record_activity(tx, &user, when)?;
    }
    note_seen(tx, &user, said)?;
    Ok(Ok(()))
}

/// As of when the person's data is known, under either name. None: nobody is known.
fn known_as_of(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<Option<Millis>> {
    let mut known = None;
    if let Some(identifier) = &subject.identifier {
        known = holder::holder(tx, project, identifier.as_str())?.map(|user| user.updated_at);
    }
    if let Some(anonymous_id) = &subject.anonymous_id {
        let visitor = holder::alias_holder(tx, project, anonymous_id.as_str())?;
        known = known.max(visitor.map(|visitor| visitor.updated_at));
    }
    Ok(known)
}

fn named(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<User> {
    match (&subject.identifier, &subject.anonymous_id) {
        (Some(identifier), Some(anonymous_id)) => merge::unite(tx, project, anonymous_id, identifier),
        _ => registration::ensure(tx, project, subject),
    }
}

/// Without an anonymous id that was an erased person's: it would come back as another's.
fn without_erased(tx: &Tx, project: ProjectId, mut subject: Subject, said: Said) -> Result<Subject> {
    if let (Some(_), Some(anonymous_id)) = (&subject.identifier, &subject.anonymous_id) {
        let visitor = Subject { identifier: None, anonymous_id: Some(Identifier::clone(anonymous_id)) };
        if late::check(tx, project, &visitor, said, Speaks::OfThePast)?.is_err() {
            subject.anonymous_id = None;
        }
    }
    Ok(subject)
}

/// True: something was written.
fn write(
    tx: &Tx,
    (user, is_touched): (&User, bool),
    said: &Person,
    at: Option<Millis>,
    is_new: bool,
    how: How,
) -> Result<bool> {
    let goes_before = is_new || at.is_some_and(|at| at >= user.updated_at);
    let profile = if goes_before {
        said.change.apply(&user.profile)?
    } else if how.again {
        user.profile.clone()
    } else {
        filling(&user.profile, &said.change).apply(&user.profile)?
    };
    let mut after = User { profile, ..user.clone() };
    if let Some(at) = at.filter(|_| goes_before) {
        after.updated_at = at.min(tx.now());
    }
    let began = [said.created_at, at.filter(|_| said.is_activity || is_new)].into_iter().flatten().min();
    after.created_at = began.map_or(user.created_at, |began| began.min(user.created_at));
    let is_changed = after.profile != user.profile;
    if is_changed || is_touched || after.updated_at != user.updated_at {
        rows::update(tx, &after)?;
    }
    if after.created_at != user.created_at {
        rows::set_created(tx, user.id, after.created_at)?;
    }
    Ok(is_changed)
}

fn note_seen(tx: &Tx, user: &User, said: &Person) -> Result<()> {
    let since = user.activity_since();
    let seen = |at: Option<Millis>| at.map(|at| at.min(tx.now())).filter(|at| *at > since);
    let (first, last) = (seen(said.first_seen), seen(said.last_seen));
    if first.is_none() && last.is_none() {
        return Ok(());
    }
    let activity = Activity { first: first.or(last), last: last.or(first), ..Activity::default() };
    rows::add_activity(tx, user.id, activity)
}

/// The part of a change that fills what is open.
fn filling(known: &Profile, change: &ProfileChange) -> ProfileChange {
    let open = |known: &Option<String>, said: &Option<Option<String>>| match known {
        Some(_) => None,
        None => said.clone().filter(Option::is_some),
    };
    let mut set_once = change.set.clone();
    set_once.extend(change.set_once.clone());
    let mut extra = change.extra.clone();
    extra.retain(|name, value| !value.is_null() && !known.extra.contains_key(name));
    ProfileChange {
        email: open(&known.email, &change.email),
        first_name: open(&known.first_name, &change.first_name),
        last_name: open(&known.last_name, &change.last_name),
        display_name: open(&known.display_name, &change.display_name),
        avatar_url: open(&known.avatar_url, &change.avatar_url),
        country: open(&known.country, &change.country),
        city: open(&known.city, &change.city),
        claimed_email: open(&known.claimed_email, &change.claimed_email),
        set_once,
        extra,
        ..ProfileChange::default()
    }
}
