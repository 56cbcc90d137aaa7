//! A user's life up to its deletion: registered, changed, renamed.
//!
//! A user hidden for 7 days or more is gone for every verb here, whether or not the
//! reaper has come by; a verb that needs its names takes them from it. Only the reaper erases it.

use crate::error::{Error, Result};
use crate::ledger::{Act, Pseudonym};
use crate::model::{Identifier, Profile, ProfileChange, ProjectId, Received, State, User, UserId};
use crate::people::holder::holder;
use crate::people::profile::update_and_restore;
use crate::people::registration::{register, visitor_named};
use crate::people::subject::Subject;
use crate::people::{admission, find, merge, names, profile, public, suppressions};
use crate::store::erased_identifiers::{self, Named};
use crate::store::{NormalTx, Tx, jobs, users};

/// What a registration found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Nobody,
    Hidden,
    Live,
}

/// Creates the user, or restores it, or updates it: whatever it takes. Dropped if it is suppressed.
pub fn create_or_update(
    tx: &Tx,
    project: ProjectId,
    identifier: &Identifier,
    change: &ProfileChange,
) -> Result<Received<(User, Found)>> {
    change.check()?;
    if let Err(dropped) = admission::admit(tx, project, &Subject::named(identifier))? {
        return Ok(Err(dropped));
    }
    let known = holder(tx, project, identifier.as_str())?;
    if let Err(dropped) = public::may_describe(tx, project, known.as_ref())? {
        return Ok(Err(dropped));
    }
    match known {
        Some(user) => {
            let found = if user.state == State::Hidden { Found::Hidden } else { Found::Live };
            Ok(Ok((update_and_restore(tx, user, change)?, found)))
        }
        None => Ok(Ok((register(tx, project, identifier, change)?, Found::Nobody))),
    }
}

/// Creates the user, or restores it. Dropped if it is suppressed. [`Error::IdentifierTaken`] if it
/// is live.
pub fn create(
    tx: &NormalTx,
    project: ProjectId,
    identifier: &Identifier,
    change: &ProfileChange,
) -> Result<Received<User>> {
    change.check()?;
    if let Err(dropped) = admission::admit(tx, project, &Subject::named(identifier))? {
        return Ok(Err(dropped));
    }
    match holder(tx, project, identifier.as_str())? {
        Some(user) if user.state == State::Live => Err(Error::IdentifierTaken),
        Some(user) => update_and_restore(tx, user, change).map(Ok),
        None => register(tx, project, identifier, change).map(Ok),
    }
}

/// What [`create`] would have made of a user who is kept out: for an answer that must not tell that
/// nothing was. [`Error::IdentifierTaken`] as there.
pub fn as_if_created(
    tx: &Tx,
    project: ProjectId,
    identifier: &Identifier,
    change: &ProfileChange,
) -> Result<User> {
    match holder(tx, project, identifier.as_str())? {
        Some(user) if user.state == State::Live => Err(Error::IdentifierTaken),
        Some(user) => as_if_edited(tx, user, change),
        None => Ok(User {
            id: UserId(tx.next_id()),
            project,
            incarnation: [0; 16],
            state: State::Live,
            identifier: Some(identifier.as_str().to_owned()),
            profile: change.apply(&Profile { live_mode: true, ..Profile::default() })?,
            created_at: tx.now(),
            updated_at: tx.now(),
            first_seen: None,
            last_seen: None,
            session_count: 0,
            event_count: 0,
            deleted_at: None,
            freed_identifier: None,
            hidden_as: None,
            activity_erased_at: None,
            restricted_at: None,
        }),
    }
}

/// The same of what [`rename`] would have made. [`Error::IdentifierTaken`] as there.
pub fn as_if_renamed(tx: &Tx, mut user: User, identifier: &Identifier) -> Result<User> {
    let holder = holder(tx, user.project, identifier.as_str())?;
    if holder.is_some_and(|holder| holder.id != user.id) {
        return Err(Error::IdentifierTaken);
    }
    user.identifier = Some(identifier.as_str().to_owned());
    Ok(user)
}

/// The same of what [`edit`] would have made.
pub fn as_if_edited(tx: &Tx, mut user: User, change: &ProfileChange) -> Result<User> {
    let profile = public::applied(tx, &user, change)?;
    if profile != user.profile || user.state == State::Hidden {
        user.updated_at = tx.now();
    }
    user.profile = profile;
    user.state = State::Live;
    Ok(user)
}

/// Updates the user, restoring it. Dropped if it is suppressed. [`Error::UserNotFound`] if there is
/// none to restore.
pub fn update(
    tx: &NormalTx,
    project: ProjectId,
    identifier: &str,
    change: &ProfileChange,
) -> Result<Received<User>> {
    change.check()?;
    edit(tx, find::get_hidden_too(tx, project, identifier, tx.now())?, change)
}

/// Writes what an API says of a user that it has found, and restores it. Dropped if the user is
/// suppressed.
pub fn edit(tx: &Tx, user: User, change: &ProfileChange) -> Result<Received<User>> {
    if let Err(dropped) = suppressions::check_user(tx, &user)? {
        return Ok(Err(dropped));
    }
    update_and_restore(tx, user, change).map(Ok)
}

/// The same, but a hidden user stays hidden.
pub fn amend(tx: &NormalTx, user: User, change: &ProfileChange) -> Result<Received<User>> {
    amend_within(tx, user, change)
}

/// [`amend`] as a part of another verb.
pub(super) fn amend_within(tx: &Tx, user: User, change: &ProfileChange) -> Result<Received<User>> {
    if let Err(dropped) = suppressions::check_user(tx, &user)? {
        return Ok(Err(dropped));
    }
    profile::update(tx, user, change).map(Ok)
}

/// Gives a live user another identifier. What was sent under the old one and comes in
/// late is dropped, as after an erasure: it must not make a second user of this one.
/// Dropped if the user is suppressed, or would be under the new one: else a suppression would end
/// with a name. [`Error::IdentifierTaken`] if another live or hidden user has it.
pub fn rename(tx: &Tx, mut user: User, identifier: &Identifier) -> Result<Received<User>> {
    if user.identifier.as_deref() == Some(identifier.as_str()) {
        return Ok(Ok(user));
    }
    for subject in [Subject::of(&user), Subject::named(identifier)] {
        if let Err(dropped) = suppressions::check(tx, user.project, &subject)? {
            return Ok(Err(dropped));
        }
    }
    if holder(tx, user.project, identifier.as_str())?.is_some() {
        return Err(Error::IdentifierTaken);
    }
    if let Some(old) = user.identifier.replace(identifier.as_str().to_owned()) {
        erased_identifiers::record(tx, user.project, Named::Identifier(&old))?;
        // A job that waits was meant for this person; ones that ended are scrubbed by name.
        for job in jobs::waiting_for(tx, user.project, &old)? {
            let name = tx.names().name(user.project, identifier.as_str());
            let request = Pseudonym(job.receipt);
            tx.append_to_ledger(Act::Scheduled { request, project: user.project, name, due: job.start_at });
            names::enter_again(tx, &job)?;
        }
        jobs::rename(tx, user.project, &old, identifier.as_str())?;
    }
    names::give(tx, user.project, identifier.as_str())?;
    user.updated_at = tx.now();
    users::update(tx, &user)?;
    // A visitor who came under the new name is the same person from now on.
    visitor_named(tx, user.project, identifier.as_str())?;
    merge::with_namesake(tx, &user).map(Ok)
}
