//! By which name a scheduled erasure knows whom it is for. Once nobody has the name any more, it
//! is kept as a keyed digest: the user who has it next is meant, and no name stays in a file.
//! One that nobody ever had stays as it was asked by, as its API has it.

use crate::error::Result;
use crate::ledger::Pseudonym;
use crate::model::ProjectId;
use crate::store::erased_identifiers::{self, Named};
use crate::store::{Tx, jobs};

/// What stands before a digest.
const DIGEST: &str = "name:";

/// What a job has in a name's place.
pub fn digest(name: Pseudonym) -> String {
    format!("{DIGEST}{name}")
}

/// Nobody has the name that the job was asked by.
pub fn is_digest(reference: &str) -> bool {
    reference.starts_with(DIGEST)
}

/// The digest that a job has in a name's place.
pub fn named_by(reference: &str) -> Option<Pseudonym> {
    Pseudonym::parse(reference.strip_prefix(DIGEST)?)
}

/// Whether somebody had this name who was erased, or has another since: as far back as late events
/// are told by it.
pub fn was_anybodys(tx: &Tx, project: ProjectId, name: &str) -> Result<bool> {
    Ok(erased_identifiers::erased_as(tx, project, &Named::as_anonymous(name))?.is_some())
}

/// Nobody has this name from now on. Jobs that are over get `scrubbed` in its place. Returns
/// how many jobs named it.
pub fn forget(tx: &Tx, project: ProjectId, name: &str, scrubbed: &str) -> Result<usize> {
    let waiting = jobs::rename_waiting(tx, project, name, &digest(tx.names().name(project, name)))?;
    Ok(waiting + jobs::scrub(tx, project, name, scrubbed)?)
}

/// The same for a name that is taken from somebody who is not erased yet: jobs that are over keep
/// it as long as the row does.
pub fn release(tx: &Tx, project: ProjectId, name: &str) -> Result<()> {
    jobs::rename_waiting(tx, project, name, &digest(tx.names().name(project, name)))?;
    Ok(())
}
