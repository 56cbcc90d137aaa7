//! Registering: a name becomes a person's.

use crate::error::{Error, Place, Result};
use crate::model::{Identifier, Profile, ProfileChange, ProjectId, User, UserId};
use crate::people::holder::{alias_holder, holder, meant};
use crate::people::subject::Subject;
use crate::people::{names, profile};
use crate::store::{Tx, aliases, users};

/// A new live user, or the visitor of this very name, who is live from then on. The caller has found
/// nobody with the identifier.
pub fn register(
    tx: &Tx,
    project: ProjectId,
    identifier: &Identifier,
    change: &ProfileChange,
) -> Result<User> {
    let user = insert(tx, project, Some(identifier), change)?;
    profile::update_and_restore(tx, user, &ProfileChange::default())
}

/// The live or hidden user a message is about, created if need be; hidden ones stay
/// hidden.
pub fn ensure(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<User> {
    match (&subject.identifier, &subject.anonymous_id) {
        (Some(identifier), _) => match holder(tx, project, identifier.as_str())? {
            Some(user) => Ok(user),
            None => insert(tx, project, Some(identifier), &ProfileChange::default()),
        },
        (None, Some(anonymous_id)) => match meant(tx, project, subject)? {
            Some(user) => Ok(user),
            None => {
                let user = insert(tx, project, None, &ProfileChange::default())?;
                names::give(tx, project, anonymous_id.as_str())?;
                aliases::link(tx, project, anonymous_id.as_str(), user.id)?;
                Ok(user)
            }
        },
        (None, None) => Err(nobody_named()),
    }
}

/// A new live user, or the visitor of this very name. The caller has found nobody with the identifier.
pub fn insert(
    tx: &Tx,
    project: ProjectId,
    identifier: Option<&Identifier>,
    change: &ProfileChange,
) -> Result<User> {
    let profile = change.apply(&Profile { live_mode: true, ..Profile::default() })?;
    if let Some(identifier) = identifier
        && let Some(visitor) = take_name(tx, project, identifier)?
    {
        return profile::update(tx, visitor, change);
    }
    if let Some(identifier) = identifier {
        names::give(tx, project, identifier.as_str())?;
    }
    tx.note_registration()?;
    users::insert(tx, project, identifier.map(Identifier::as_str), &profile)
}

/// The visitor whose anonymous id becomes an identifier has it from now on, and stays in the trash if it
/// is there. An identified person keeps such an anonymous id only on the word of a key that is not
/// public. The caller has found nobody with the identifier.
pub fn take_name(tx: &Tx, project: ProjectId, identifier: &Identifier) -> Result<Option<User>> {
    let name = identifier.as_str();
    let Some(mut visitor) = visitor_named(tx, project, name)? else { return Ok(None) };
    visitor.identifier = Some(name.to_owned());
    visitor.updated_at = tx.now();
    users::update(tx, &visitor)?;
    names::give(tx, project, name)?;
    Ok(Some(visitor))
}

/// The visitor of a name that becomes an identifier; an identified person loses it where a public
/// credential alone said that it is the caller's.
pub fn visitor_named(tx: &Tx, project: ProjectId, name: &str) -> Result<Option<User>> {
    let Some(holder) = alias_holder(tx, project, name)? else { return Ok(None) };
    if holder.identifier.is_none() {
        return Ok(Some(holder));
    }
    if aliases::trusted_user(tx, project, name)? != Some(holder.id) {
        aliases::release(tx, project, name)?;
    }
    Ok(None)
}

/// One more anonymous id of a visitor. The caller has found nobody who has it.
pub fn link(tx: &Tx, project: ProjectId, name: &Identifier, visitor: UserId) -> Result<()> {
    names::give(tx, project, name.as_str())?;
    aliases::link(tx, project, name.as_str(), visitor)
}

/// The error for a message that names no user.
pub fn nobody_named() -> Error {
    Error::invalid(Place::Body, "userId", "userId or anonymousId is required")
}
