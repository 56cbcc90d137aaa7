//! Whether a message is taken in, and whom it is about.

use crate::error::Result;
use crate::model::{ProjectId, Received, Repair, Said};
use crate::people::holder::holder;
use crate::people::late::Speaks;
use crate::people::subject::Subject;
use crate::people::{late, placeholders, public, registration, repairs, suppressions};
use crate::store::Tx;

/// Whether a message is taken in, and whom it is about. In the order in which it may be dropped:
/// too late, suppressed.
pub fn receive(
    tx: &Tx,
    project: ProjectId,
    subject: &Subject,
    said: Said,
    speaks: Speaks,
) -> Result<Received<Subject>> {
    if subject.judged_by().is_none() {
        return Err(registration::nobody_named());
    }
    let subject = by_identifier(tx, without_placeholders(tx, subject, project)?, project)?;
    if said.believed(tx.now()) != said {
        repairs::note(tx, project, Repair::of("", "time in the future"))?;
    }
    if let Err(dropped) = late::check(tx, project, &subject, said, speaks)? {
        return Ok(Err(dropped));
    }
    Ok(admit(tx, project, &subject)?.map(|()| subject))
}

/// Whether anything is taken in of whom a subject names: they are not kept out, and the credential may
/// register them if nobody has the name.
pub fn admit(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<Received<()>> {
    match suppressions::check(tx, project, subject)? {
        Ok(()) => public::may_register(tx, project, subject),
        dropped => Ok(dropped),
    }
}

/// Under the identifier of a person, where an anonymous id by itself is one.
fn by_identifier(tx: &Tx, mut subject: Subject, project: ProjectId) -> Result<Subject> {
    if let (None, Some(name)) = (&subject.identifier, &subject.anonymous_id)
        && holder(tx, project, name.as_str())?.is_some()
    {
        subject.identifier = subject.anonymous_id.take();
    }
    Ok(subject)
}

/// The same without a name that stands for nobody, if another is left.
fn without_placeholders(tx: &Tx, subject: &Subject, project: ProjectId) -> Result<Subject> {
    let (Some(identifier), Some(anonymous_id)) = (&subject.identifier, &subject.anonymous_id) else {
        return Ok(subject.clone());
    };
    let mut subject = subject.clone();
    if placeholders::is_one(tx, project, identifier)? {
        repairs::note(tx, project, Repair::of("userId", "placeholder id"))?;
        subject.identifier = None;
    } else if placeholders::is_one(tx, project, anonymous_id)? {
        repairs::note(tx, project, Repair::of("anonymousId", "placeholder id"))?;
        subject.anonymous_id = None;
    }
    Ok(subject)
}
