//! What a client says of a person.

use crate::error::Result;
use crate::model::{ProfileChange, ProjectId, Received, Said, User};
use crate::people::holder::meant;
use crate::people::late::Speaks;
use crate::people::subject::Subject;
use crate::people::{admission, merge, profile, public, registration};
use crate::store::Tx;

/// Takes in what a client says about a user: creates, restores, updates, and, when both ids are
/// given, makes the anonymous user part of the named one, unless it is somebody else's.
pub fn identify(
    tx: &Tx,
    project: ProjectId,
    subject: &Subject,
    change: &ProfileChange,
    said: impl Into<Said>,
) -> Result<Received<User>> {
    let said = said.into();
    let subject = match admitted(tx, project, subject, change, (said, Speaks::ForThePerson))? {
        Ok(subject) => subject,
        Err(dropped) => return Ok(Err(dropped)),
    };
    let user = match (&subject.identifier, &subject.anonymous_id) {
        (Some(identifier), Some(anonymous_id)) => merge::unite(tx, project, anonymous_id, identifier)?,
        _ => registration::ensure(tx, project, &subject)?,
    };
    let user = profile::update_and_restore(tx, user, change)?;
    profile::record_activity(tx, &user, said)?;
    Ok(Ok(user))
}

/// Takes in what a client says of a user without saying who it is: creates and updates, but
/// restores and merges nobody.
pub fn describe_from_event(
    tx: &Tx,
    project: ProjectId,
    subject: &Subject,
    change: &ProfileChange,
    said: impl Into<Said>,
) -> Result<Received<User>> {
    let said = said.into();
    let subject = match admitted(tx, project, subject, change, (said, Speaks::OfActivity))? {
        Ok(subject) => subject,
        Err(dropped) => return Ok(Err(dropped)),
    };
    let user = registration::ensure(tx, project, &subject)?;
    let user = profile::update(tx, user, change)?;
    profile::record_activity(tx, &user, said)?;
    Ok(Ok(user))
}

/// Whom the message is about, if it is taken in and may describe the person. Asked before anybody is
/// created for it.
fn admitted(
    tx: &Tx,
    project: ProjectId,
    subject: &Subject,
    change: &ProfileChange,
    (said, speaks): (Said, Speaks),
) -> Result<Received<Subject>> {
    change.check()?;
    let subject = match admission::receive(tx, project, subject, said, speaks)? {
        Ok(subject) => subject,
        Err(dropped) => return Ok(Err(dropped)),
    };
    let known = meant(tx, project, &subject)?;
    Ok(public::may_describe(tx, project, known.as_ref())?.map(|()| subject))
}
