//! Who was erased stays out: a message that was said before the erasure brings nobody back.

use crate::error::Result;
pub use crate::model::UNDATED_LATE_PERIOD;
use crate::model::{Dropped, ProjectId, Received, Repair, Said, TRASH_PERIOD};
use crate::people::subject::Subject;
use crate::people::{holder, repairs};
use crate::store::erased_identifiers::{self, Named};
use crate::store::{Tx, projects, users as rows};

/// Whether a message speaks for its person's registration, or only of what the person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// Without a time of its own it is said now.
    ForThePerson,
    /// Without a time of its own it may be of any age.
    OfActivity,
    /// It is a line of an import. Whatever time it has, it brings nobody back who was erased: it is taken
    /// where somebody registered with the name since, and it says that it is of later than the erasure.
    OfThePast,
}

/// Drops and counts a message that was said before the erasure of the person it names: by its
/// `userId`, else by its `anonymousId`. The bound is the erasure itself, never a later registration.
pub fn check(
    tx: &Tx,
    project: ProjectId,
    subject: &Subject,
    said: Said,
    speaks: Speaks,
) -> Result<Received<()>> {
    let Some(name) = subject.judged_by() else { return Ok(Ok(())) };
    let said = said.believed(tx.now());
    free_expired(tx, project, subject)?;
    let Some(erased_at) = erased_identifiers::erased_as(tx, project, subject.judged_as().as_slice())? else {
        return Ok(Ok(()));
    };
    let was_before = said.latest().is_some_and(|latest| latest <= erased_at);
    let late = was_before
        || match (said, speaks) {
            (said, Speaks::OfThePast) => said.latest().is_none() || !is_registered(tx, project, name)?,
            (Said::At { .. }, _) | (Said::Nothing | Said::Sent(_), Speaks::ForThePerson) => false,
            (Said::Nothing | Said::Sent(_), Speaks::OfActivity) | (Said::Unreadable(_), _) => {
                tx.now() - erased_at < UNDATED_LATE_PERIOD && !is_registered(tx, project, name)?
            }
        };
    if !late {
        return Ok(Ok(()));
    }
    note(tx, project)?;
    Ok(Err(Dropped::Late))
}

/// Counts a message that came too late.
pub fn note(tx: &Tx, project: ProjectId) -> Result<()> {
    projects::note_late_event(tx, project)?;
    repairs::note(tx, project, Repair::dropped(Dropped::Late))
}

/// Whether somebody has the name, which is free from an erasure on.
fn is_registered(tx: &Tx, project: ProjectId, name: &str) -> Result<bool> {
    Ok(holder::holder(tx, project, name)?.is_some() || holder::alias_holder(tx, project, name)?.is_some())
}

/// A person who has been in the trash for too long, and was not noticed so far, loses the names
/// first: they count as erased since the seventh day.
fn free_expired(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<()> {
    let (identifier, anonymous_id) = (subject.identifier.as_ref(), subject.anonymous_id.as_ref());
    let named = match (identifier, anonymous_id) {
        (Some(identifier), _) => Named::Identifier(identifier.as_str()),
        (None, Some(anonymous_id)) => Named::Anonymous(anonymous_id.as_str()),
        (None, None) => return Ok(()),
    };
    if rows::is_hidden_since(tx, project, named, tx.now() - TRASH_PERIOD)? {
        match named {
            Named::Identifier(name) => _ = holder::holder(tx, project, name)?,
            Named::Anonymous(name) | Named::Claimed(name) => _ = holder::alias_holder(tx, project, name)?,
        }
    }
    Ok(())
}
