//! Deleting a project: it is gone for every caller at once, and its users are erased one by one, each
//! with a job, a receipt and an entry of the ledger, as if each of them had asked.
//!
//! The ledger knows that the project was deleted, so that a copy of the database from before deletes it
//! again. What is left to be done is in the database alone: it goes on after a kill.

use crate::access::{keys, rotation};
use crate::erasure;
use crate::erasure::jobs;
use crate::error::{Error, Place, Result};
use crate::ledger::{Act, Pseudonym};
use crate::model::{Credential, Erasure, Origin, Project, ProjectId, State};
use crate::people::holds;
use crate::projects;
use crate::secrets;
pub use crate::store::deleted_projects::Counts;
use crate::store::deleted_projects::{self as rows, Deletion};
use crate::store::{Db, ErasingTx, Tx, audit, keys as key_rows, old_secrets, projects as project_rows};
use crate::trace::LegalBasis;

/// So many erasures are at work at a time: the next ones begin when these are proven.
const AT_ONCE: u32 = 1_000;
/// So many rows of a project are removed by one statement.
const ROWS: i64 = 500;

/// What a deletion would take. It reads an index entry a user: for scans.
pub fn preview(db: &Db, project: ProjectId) -> Result<Counts> {
    rows::counts(db, project)
}

/// What stands for a project in the ledger.
fn pseudonym(tx: &Tx, project: &Project) -> Pseudonym {
    tx.names().credential("project", project.id, &project.key)
}

/// [`begin`], where its name was typed to confirm it. [`Error::Invalid`] on `confirm`, which was given in
/// this place, unless it is the name; [`Error::ProjectNotFound`].
pub fn begin_confirmed(
    tx: &ErasingTx,
    id: ProjectId,
    (place, typed): (Place, &str),
    origin: Origin,
) -> Result<Project> {
    if projects::get(tx, id)?.name != typed {
        return Err(Error::invalid(place, "confirm", "must be the name of the project"));
    }
    begin(tx, id, origin)
}

/// Deletes a project: from now on nobody finds it, its keys and its token open nothing, and it has no
/// settings. Its users are erased by [`step`]. [`Error::ProjectNotFound`]; [`Error::Held`] while somebody of
/// them is kept from being erased.
pub fn begin(tx: &ErasingTx, id: ProjectId, origin: Origin) -> Result<Project> {
    let project = projects::get(tx, id)?;
    holds::check_project(tx, id)?;
    for key in key_rows::list(tx)? {
        if key.project == Some(id) && key.revoked_at.is_none() {
            keys::revoke(tx, key.id)?;
        }
    }
    for old in rotation::good_old(tx, Credential::Token(id), tx.now())? {
        rotation::end(tx, &old, tx.now())?;
    }
    rotation::of_token(tx, id, 0)?;
    if projects::client_secret(tx, id)?.is_some() {
        projects::set_client_secret(tx, id, None)?;
    }
    // The last: a crash that tears the entries apart leaves a project without keys, not one that is
    // half deleted.
    tx.append_to_ledger(Act::CredentialEnded { credential: pseudonym(tx, &project) });
    mark(tx, &project, origin, tx.who().legal_basis)?;
    Ok(project)
}

fn mark(tx: &Tx, project: &Project, origin: Origin, legal_basis: LegalBasis) -> Result<()> {
    rows::mark(tx, &Deletion { project: project.id, origin, legal_basis })?;
    holds::forget_project(tx, project.id)?;
    let entry =
        audit::Entry { action: "delete project", project: Some(project.id), ..audit::Entry::default() };
    audit::append(tx, &entry)?;
    tx.wake_worker();
    Ok(())
}

/// One short step of what is left to be done of deleted projects. False: there is nothing to do now.
pub fn step(tx: &Tx) -> Result<bool> {
    let Some(deletion) = rows::first(tx)? else { return Ok(false) };
    let project = deletion.project;
    if let Some(user) = rows::next_user(tx, project)? {
        if jobs::running(tx, AT_ONCE)? >= AT_ONCE {
            return Ok(false);
        }
        // Whose account is gone has activity alone; its row goes with the last of it.
        let erasure = match user.state {
            State::Detached => Erasure::Activity,
            _ => Erasure::Everything,
        };
        erasure::begin_for(tx, &user, erasure, deletion.origin, deletion.legal_basis)?;
        return Ok(true);
    }
    // Scheduled deletions are not needed any more: all users are being erased.
    if let Some(job) = rows::next_scheduled(tx, project)? {
        jobs::cancel_within(tx, Some(project), job)?;
        return Ok(true);
    }
    if rows::any_user(tx, project)? {
        return Ok(false);
    }
    if !rows::forget(tx, project, ROWS)? {
        rows::note_emptied(tx, project, tx.now())?;
    }
    Ok(true)
}

/// Whether [`step`] has something to do that waited for erasures to be proven.
pub fn is_due(db: &Db) -> Result<bool> {
    match rows::first(db)? {
        Some(deletion) if jobs::running(db, AT_ONCE)? < AT_ONCE => {
            Ok(rows::next_user(db, deletion.project)?.is_some() || !rows::any_user(db, deletion.project)?)
        }
        _ => Ok(false),
    }
}

/// Deletes again the projects of a copy that the ledger says were deleted. How many.
pub fn replay(tx: &Tx, has_ended: impl Fn(Pseudonym) -> bool) -> Result<u64> {
    let mut deleted = 0;
    for project in projects::list(tx)? {
        if !has_ended(pseudonym(tx, &project)) {
            continue;
        }
        for key in key_rows::list(tx)? {
            if key.project == Some(project.id) && key.revoked_at.is_none() {
                keys::revoke_silently(tx, key.id)?;
            }
        }
        for old in rotation::good_old(tx, Credential::Token(project.id), tx.now())? {
            old_secrets::set_end(tx, &old.hash, tx.now())?;
        }
        project_rows::set_ingest_token(tx, project.id, &secrets::token(secrets::TOKEN_PREFIX)?)?;
        mark(tx, &project, Origin::Ledger, LegalBasis::default())?;
        deleted += 1;
    }
    Ok(deleted)
}
