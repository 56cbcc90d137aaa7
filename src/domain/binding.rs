//! Whom a scheduled erasure means that is due and may not begin yet, because the clock is not
//! trusted: who has its name at the instant when it is due. It is bound to this person then, and
//! nobody who has the name later is meant.

use std::collections::HashMap;

use crate::clock::Millis;
use crate::domain::{references, replay, users};
use crate::error::Result;
use crate::ledger::{Act, Pseudonym};
use crate::model::{Job, ProjectId, State, User};
use crate::store::{Tx, jobs, users as rows};

/// Binds the job that is due first, if one is that was not bound.
pub fn bind_due(tx: &Tx) -> Result<bool> {
    let Some(job) = jobs::first_unbound(tx)?.filter(|job| job.start_at <= tx.now()) else {
        return Ok(false);
    };
    let user = meant(tx, &job)?;
    bind(tx, job, user.as_ref()).map(|()| true)
}

/// Whom a job means now, by its name or because it is bound.
pub fn meant(tx: &Tx, job: &Job) -> Result<Option<User>> {
    if job.bound_at.is_none() {
        return match references::is_digest(&job.reference) {
            true => Ok(None),
            false => users::named(tx, job.project, &job.reference),
        };
    }
    let Some(id) = job.bound_user else { return Ok(None) };
    let user = rows::by_id(tx, Some(job.project), id)?;
    // Who was erased meanwhile needs no erasure.
    Ok(user.filter(|user| matches!(user.state, State::Live | State::Hidden | State::Waiting)))
}

/// Somebody new is about to have a name: jobs under it that are due are for who has it until now.
pub fn before_new_holder(tx: &Tx, project: ProjectId, name: &str) -> Result<()> {
    let digest = references::digest(tx.names().name(project, name));
    for reference in [name, digest.as_str()] {
        for job in jobs::unbound(tx, project, reference)? {
            let user = meant(tx, &job)?;
            bind(tx, job, user.as_ref())?;
        }
    }
    Ok(())
}

/// A user whose 7 days are over, as of `gone`, loses a name: jobs under it that were due before
/// are for this user, the others that are due for nobody.
pub fn end_of_name(tx: &Tx, user: &User, name: &str, gone: Millis) -> Result<()> {
    for job in jobs::unbound(tx, user.project, name)? {
        let bound = (job.start_at < gone).then_some(user);
        bind(tx, job, bound)?;
    }
    Ok(())
}

/// Jobs that are not due any more, as the clock was set back, mean again who has their names when
/// they are. Returns how many.
pub fn unbind_early(tx: &Tx) -> Result<usize> {
    let early = jobs::bound_early(tx)?;
    let count = early.len();
    let mut digests = HashMap::new();
    for mut job in early {
        job.bound_at = None;
        job.bound_user = None;
        let name = match references::named_by(&job.reference) {
            Some(digest) => {
                digests.insert(digest, job.project);
                digest
            }
            None => tx.names().name(job.project, &job.reference),
        };
        let request = Pseudonym(job.receipt);
        tx.enter(Act::Scheduled { request, project: job.project, name, due: job.start_at });
        jobs::update(tx, &mut job)?;
    }
    // Somebody new may have a name by now that nobody had any more.
    if !digests.is_empty() {
        for (digest, name) in replay::spelled(tx, |name| digests.contains_key(&name))? {
            jobs::rename_unbound(tx, digests[&digest], &references::digest(digest), &name)?;
        }
    }
    Ok(count)
}

/// A request that was entered in the ledger anew is bound as before.
pub fn enter_again(tx: &Tx, job: &Job) -> Result<()> {
    if job.bound_at.is_some() {
        let user = meant(tx, job)?;
        enter(tx, job, user.as_ref());
    }
    Ok(())
}

fn enter(tx: &Tx, job: &Job, user: Option<&User>) {
    let person = user.map(|user| tx.names().person(&user.incarnation));
    tx.enter(Act::Bound { request: Pseudonym(job.receipt), person });
}

fn bind(tx: &Tx, mut job: Job, user: Option<&User>) -> Result<()> {
    job.bound_at = Some(tx.now());
    job.bound_user = user.map(|user| user.id);
    enter(tx, &job, user);
    jobs::update(tx, &mut job)
}
