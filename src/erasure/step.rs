//! One step of the background work: what is due at the transaction's time, in pieces short enough for
//! requests to pass in between.

use std::time::{Duration, Instant};

use crate::access::sign_ins;
use crate::clock::Millis;
use crate::erasure;
use crate::erasure::{delete_rows, jobs, project_deletion, trash};
use crate::error::{Error, Result};
use crate::ledger::{Act, Pseudonym};
use crate::model::{Job, TRASH_PERIOD};
use crate::people::{bindings, holds, interactions, merge, names, repairs, suppressions};
use crate::store::{BackgroundTx, Db, Tx, export_links, jobs as rows, message_keys, users};

/// A chunk of background work holds the writer no longer than about this.
const CHUNK: Duration = Duration::from_millis(8);

/// What a step of background work did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// There is more to do now.
    pub more: bool,
    pub began: u64,
    pub reaped: u64,
    pub faults: u64,
}

/// One short step of all the background work that is due at the transaction's time: no
/// input, may be called at any time, and does nothing if nothing is due.
pub fn step(tx: &BackgroundTx) -> Result<Step> {
    let deadline = Instant::now() + CHUNK;
    let mut step = Step::default();
    while Instant::now() < deadline {
        // Before what waits for it.
        if holds::end_due(tx)? {
            continue;
        }
        if let Some(due) = start_due(tx)? {
            step.began += u64::from(due == Due::Begun);
        } else if trash::sweep(tx)? {
            step.reaped += 1;
        } else if let Some(job) = rows::next_erasing(tx, tx.now())? {
            advance(tx, job, deadline, &mut step)?;
        // Rows move between users once their keys are comparable.
        } else if !(message_keys::renew_some(tx)?
            || merge::chunk(tx)?
            || interactions::chunk(tx)?
            || project_deletion::step(tx)?
            || tx.trusts_clock() && prune(tx)?)
        {
            return Ok(step);
        }
    }
    step.more = true;
    Ok(step)
}

fn advance(tx: &Tx, job: Job, deadline: Instant, step: &mut Step) -> Result<()> {
    let id = job.id;
    let mut job = job;
    match tx.nested(|| delete_rows::some(tx, &mut job, deadline)) {
        Ok(_) => {}
        // No room is no fault of the job's: the whole step comes again.
        Err(error @ (Error::Unavailable(_) | Error::DiskFull | Error::DiskFails(_))) => return Err(error),
        Err(error) => {
            log::error!("job {id} met a fault: {error}");
            jobs::note_fault(tx, id, &error.to_string())?;
            step.faults += 1;
        }
    }
    Ok(())
}

/// What became of a job that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Begun,
    /// It waits, and means from now on whom it meant at its hour.
    Bound,
}

/// Begins the scheduled job that is due first, if one is. As long as the clock is not trusted it is
/// bound to whom it means, and waits; so does a job for a user who is held.
fn start_due(tx: &Tx) -> Result<Option<Due>> {
    if !tx.trusts_clock() {
        return bind_due(tx);
    }
    let Some(mut job) = rows::first_scheduled(tx)?.filter(|job| job.start_at <= tx.now()) else {
        return Ok(None);
    };
    let mut user = names::meant(tx, &job)?;
    if let Some(found) = &user {
        let found = merge::with_namesake(tx, found)?;
        if holds::blocks(tx, &found, job.origin, job.legal_basis)?.is_some() {
            return bindings::bind(tx, job, Some(&found)).map(|()| Some(Due::Bound));
        }
        user = Some(found);
    }
    job.bound_user = None;
    let request = Pseudonym(job.receipt);
    erasure::start(tx, job, user.as_ref())?;
    // After what it took: a crash that tears the two apart leaves it pending.
    tx.append_to_ledger(Act::Begun { request });
    Ok(Some(Due::Begun))
}

fn prune(tx: &Tx) -> Result<bool> {
    let signed_out = sign_ins::prune(tx)?;
    let links = export_links::prune(tx)?;
    let forgotten = suppressions::prune(tx)? | repairs::prune(tx)?;
    Ok(forgotten || signed_out > 0 || links > 0)
}

/// What waits because the clock is not trusted: users whose 7 days are over, and scheduled jobs that
/// are due. It looks at an index entry each: for scans.
pub fn held_up(db: &Db, now: Millis) -> Result<(i64, i64)> {
    Ok((users::count_hidden_until(db, now - TRASH_PERIOD)?, rows::count_due(db, now)?))
}

/// When something falls due next, as far as the database knows. While the clock is not trusted
/// scheduled jobs are only bound, and the reaper waits.
pub fn next_due(db: &Db, trusts_clock: bool) -> Result<Option<Millis>> {
    let scheduled = if trusts_clock { rows::first_scheduled(db)? } else { rows::first_unbound(db)? };
    let scheduled = scheduled.map(|job| job.start_at);
    let retry = rows::first_retry(db)?;
    let hidden = users::hidden_since(db)?.filter(|_| trusts_clock).map(|at| at + TRASH_PERIOD);
    let held = holds::next_end(db, trusts_clock)?;
    Ok([scheduled, retry, hidden, held].into_iter().flatten().min())
}

/// Binds the job that is due first, if one is that was not bound.
fn bind_due(tx: &Tx) -> Result<Option<Due>> {
    let Some(job) = rows::first_unbound(tx)?.filter(|job| job.start_at <= tx.now()) else {
        return Ok(None);
    };
    let user = names::meant(tx, &job)?;
    bindings::bind(tx, job, user.as_ref()).map(|()| Some(Due::Bound))
}
