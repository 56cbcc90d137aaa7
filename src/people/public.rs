//! What a public credential may do: one that stands in a page or an app, so that anybody has it.
//! It takes part in nothing that could undo a deletion, have somebody deleted, change by whom a
//! deletion finds a person, or tell who exists.

use crate::clock::{DAY, Millis};
use crate::error::{Error, Result};
use crate::model::{
    Dropped, Profile, ProfileChange, ProjectId, PublicWrites, Received, Repair, Session, User,
};
use crate::people::subject::Subject;
use crate::people::{holder, repairs};
use crate::store::{Tx, aliases, ids, projects, sessions};

/// Whether what a client says of a person may be written: `known` is the person, if there is one.
/// Dropped and counted otherwise.
pub fn may_describe(tx: &Tx, project: ProjectId, known: Option<&User>) -> Result<Received<()>> {
    if !tx.who().actor.is_public() {
        return Ok(Ok(()));
    }
    let writes = projects::intake(tx, project)?.unwrap_or_default().public_writes;
    let allowed = match writes {
        PublicWrites::Open => true,
        PublicWrites::OwnVisitors => known.is_none_or(|user| user.identifier.is_none()),
        PublicWrites::EventsOnly => false,
    };
    if allowed {
        return Ok(Ok(()));
    }
    repairs::note(tx, project, Repair::dropped(Dropped::NotPublic))?;
    Ok(Err(Dropped::NotPublic))
}

/// The most anonymous ids that public credentials may link to one person: an erasure takes all of
/// them at once.
const CLAIMED_MAX: u32 = 1_000;
/// Names that are drawn for a visitor's day are used until the day after it.
const DRAWN_LASTS: Millis = 3 * DAY;

/// Whether a public credential may link one more anonymous id to a person. Counted otherwise.
pub fn may_claim(tx: &Tx, person: &User) -> Result<bool> {
    if !tx.who().actor.is_public() || !aliases::has_claimed(tx, person.id, CLAIMED_MAX)? {
        return Ok(true);
    }
    // Somebody who comes without cookies has another name each day: what is past makes room.
    aliases::forget_drawn(tx, person.id, tx.now() - DRAWN_LASTS)?;
    if !aliases::has_claimed(tx, person.id, CLAIMED_MAX)? {
        return Ok(true);
    }
    repairs::note(tx, person.project, Repair::of("anonymousId", "1000 anonymous ids of one user"))?;
    Ok(false)
}

/// Whether somebody may be registered for a message. An anonymous id by which a deletion finds an
/// identified person becomes nobody else's identifier: the deletion would take a decoy. One that a
/// public credential alone linked finds nobody, and keeps nobody from their own name.
pub fn may_register(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<Received<()>> {
    let Some(identifier) = subject.identifier.as_ref().filter(|_| tx.who().actor.is_public()) else {
        return Ok(Ok(()));
    };
    let name = identifier.as_str();
    if aliases::trusted_user(tx, project, name)?.is_none() || holder::holder(tx, project, name)?.is_some() {
        return Ok(Ok(()));
    }
    if holder::alias_holder(tx, project, name)?.is_none_or(|person| person.identifier.is_none()) {
        return Ok(Ok(()));
    }
    repairs::note(tx, project, Repair::refused("userId", "anonymous id of another user"))?;
    Ok(Err(Dropped::NotPublic))
}

/// The profile after what the credential may change of it. What outgrows it only together with what
/// is held already is left out with a public one: the answer must not tell that there is somebody.
pub fn applied(tx: &Tx, user: &User, change: &ProfileChange) -> Result<Profile> {
    let change = guarded(tx, user, change)?;
    match change.apply(&user.profile) {
        Err(Error::Invalid(_)) if tx.who().actor.is_public() && change.apply(&Profile::default()).is_ok() => {
            repairs::note(tx, user.project, Repair::of("attributes", "attributes over the limit"))?;
            let (set, set_once, extra) = Default::default();
            ProfileChange { set, set_once, extra, ..change }.apply(&user.profile)
        }
        outcome => outcome,
    }
}

/// The part of a change that the credential may make: an identified person's e-mail, once there is
/// one, is neither changed nor removed by a public one. The other is kept beside it.
fn guarded(tx: &Tx, user: &User, change: &ProfileChange) -> Result<ProfileChange> {
    let mut change = change.clone();
    if !tx.who().actor.is_public() || user.identifier.is_none() || user.profile.email.is_none() {
        return Ok(change);
    }
    let Some(said) = change.email.take() else { return Ok(change) };
    if said != user.profile.email {
        change.claimed_email = said.map(Some);
        repairs::note(tx, user.project, Repair::of("email", "second e-mail kept apart"))?;
    }
    Ok(change)
}

/// Whether a recording may be added to a session: a public credential adds to those alone that it
/// opened itself, within a day.
pub fn may_record(tx: &Tx, session: &Session) -> Result<bool> {
    let actor = tx.who().actor;
    if !actor.is_public() {
        return Ok(true);
    }
    let young = tx.now() - ids::made_at(session.id.0) < DAY;
    Ok(young && sessions::opened_by(tx, session.id)? == actor.key_number())
}
