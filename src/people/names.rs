//! A name and the scheduled erasures that were asked for by it: whom they mean, also when somebody
//! else has it next.

use std::collections::HashMap;

use crate::error::Result;
use crate::ledger::Pseudonym;
use crate::model::{Job, ProjectId, State, User};
use crate::people::{bindings, holder, references};
use crate::store::{Tx, aliases, jobs, users as rows};

/// Somebody will have this name from now on, who has not: to be called before. Jobs that are due
/// are not for them.
pub fn give(tx: &Tx, project: ProjectId, name: &str) -> Result<()> {
    before_new_holder(tx, project, name)?;
    jobs::rename_unbound(tx, project, &references::digest(tx.names().name(project, name)), name)?;
    Ok(())
}

/// Somebody new is about to have a name: jobs under it that are due are for who has it until now.
fn before_new_holder(tx: &Tx, project: ProjectId, name: &str) -> Result<()> {
    let digest = references::digest(tx.names().name(project, name));
    for reference in [name, digest.as_str()] {
        for job in jobs::unbound(tx, project, reference)? {
            let user = meant(tx, &job)?;
            bindings::bind(tx, job, user.as_ref())?;
        }
    }
    Ok(())
}

/// Whom a job means now, by its name or because it is bound.
pub fn meant(tx: &Tx, job: &Job) -> Result<Option<User>> {
    if job.bound_at.is_none() {
        return match references::is_digest(&job.reference) {
            true => Ok(None),
            false => holder::named(tx, job.project, &job.reference),
        };
    }
    let Some(id) = job.bound_user else { return Ok(None) };
    let user = rows::by_id(tx, Some(job.project), id)?;
    // Who was erased meanwhile needs no erasure.
    Ok(user.filter(|user| matches!(user.state, State::Live | State::Hidden | State::Waiting)))
}

/// A request that was entered in the ledger anew is bound as before.
pub fn enter_again(tx: &Tx, job: &Job) -> Result<()> {
    if job.bound_at.is_some() {
        let user = meant(tx, job)?;
        bindings::enter(tx, job, user.as_ref());
    }
    Ok(())
}

/// The names, of all that are held, whose digests are wanted. It reads every user.
pub fn spelled(tx: &Tx, wanted: impl Fn(Pseudonym) -> bool) -> Result<HashMap<Pseudonym, String>> {
    let mut found = HashMap::new();
    let mut see = |project: ProjectId, name: &str| {
        let digest = tx.names().name(project, name);
        if wanted(digest) {
            found.insert(digest, name.to_owned());
        }
    };
    aliases::each(tx, &mut see)?;
    rows::each_identifier(tx, &mut see)?;
    Ok(found)
}
