//! Who has a name now. A person whose 7 days in the trash are over has none: a verb that needs the
//! name takes it from them.

use crate::error::Result;
use crate::model::{ProjectId, User};
use crate::people::expired;
use crate::people::subject::Subject;
use crate::store::{Tx, aliases, users};

/// The live or revivable user with this identifier. From one that is hidden for too long the names
/// are taken, so that they are free.
pub fn holder(tx: &Tx, project: ProjectId, identifier: &str) -> Result<Option<User>> {
    let user = users::by_identifier(tx, project, identifier)?;
    unless_expired(tx, user)
}

/// The same by anonymous id.
pub fn alias_holder(tx: &Tx, project: ProjectId, anonymous_id: &str) -> Result<Option<User>> {
    let Some(id) = aliases::user(tx, project, anonymous_id)? else { return Ok(None) };
    let user = users::by_id(tx, Some(project), id)?;
    unless_expired(tx, user)
}

fn unless_expired(tx: &Tx, user: Option<User>) -> Result<Option<User>> {
    match user {
        Some(user) if user.is_expired(tx.now()) => {
            expired::take_names(tx, &user)?;
            Ok(None)
        }
        other => Ok(other),
    }
}

/// Whom an erasure means by a name: the live or revivable user with this identifier, else the one
/// of whom this anonymous id is a part. An identified user is meant by an anonymous id only if a
/// key that is not public said that it is the caller's: anybody can plant an id on somebody else with a
/// public one, and have their own erased.
pub fn named(tx: &Tx, project: ProjectId, name: &str) -> Result<Option<User>> {
    if let Some(user) = holder(tx, project, name)? {
        return Ok(Some(user));
    }
    let Some(user) = alias_holder(tx, project, name)? else { return Ok(None) };
    let meant = user.identifier.is_none() || aliases::trusted_user(tx, project, name)? == Some(user.id);
    Ok(meant.then_some(user))
}

/// The live or hidden user whom a message is about, by whichever name, if there is one.
pub fn meant(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<Option<User>> {
    match (&subject.identifier, &subject.anonymous_id) {
        (Some(identifier), _) => holder(tx, project, identifier.as_str()),
        (None, Some(anonymous_id)) => match holder(tx, project, anonymous_id.as_str())? {
            Some(user) => Ok(Some(user)),
            None => alias_holder(tx, project, anonymous_id.as_str()),
        },
        (None, None) => Ok(None),
    }
}
