//! A scheduled erasure that is due is bound to the person whom its name means at that instant, also
//! where it may not begin yet: nobody who has the name later is meant.

use crate::clock::Millis;
use crate::error::Result;
use crate::ledger::{Act, Pseudonym};
use crate::model::{Job, User};
use crate::store::{Tx, jobs};

pub fn bind(tx: &Tx, mut job: Job, user: Option<&User>) -> Result<()> {
    job.bound_at = Some(tx.now());
    job.bound_user = user.map(|user| user.id);
    enter(tx, &job, user);
    jobs::update(tx, &mut job)
}

pub fn enter(tx: &Tx, job: &Job, user: Option<&User>) {
    let person = user.map(|user| tx.names().person(&user.incarnation));
    tx.append_to_ledger(Act::Bound { request: Pseudonym(job.receipt), person });
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
