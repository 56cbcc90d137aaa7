//! Whom a scheduled erasure means that is due and may not begin yet, because the clock is not
//! trusted: who has its name at the instant when it is due. It is bound to this person then, and
//! nobody who has the name later is meant.

use std::collections::HashMap;

use crate::error::Result;
use crate::ledger::{Act, Pseudonym};
use crate::people::{bindings, names, references};
use crate::store::{Tx, jobs};

/// Binds the job that is due first, if one is that was not bound.
pub fn bind_due(tx: &Tx) -> Result<bool> {
    let Some(job) = jobs::first_unbound(tx)?.filter(|job| job.start_at <= tx.now()) else {
        return Ok(false);
    };
    let user = names::meant(tx, &job)?;
    bindings::bind(tx, job, user.as_ref()).map(|()| true)
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
        for (digest, name) in names::spelled(tx, |name| digests.contains_key(&name))? {
            jobs::rename_unbound(tx, digests[&digest], &references::digest(digest), &name)?;
        }
    }
    Ok(count)
}
