//! The rows of an erasure leave, some at a time; what leaves, what is emptied and what stays comes
//! from the inventory.

use std::time::Instant;

use crate::error::{Error, Result};
use crate::model::{Erasure, Job, JobStatus, Origin, State, Step, UserId};
use crate::people::erasures;
use crate::store::fragments::FragmentCollector;
use crate::store::{Db, Tx, data_inventory, jobs, mentions, users};

/// Rows taken by one statement; the time is looked at in between.
const ROWS: i64 = 250;

/// Takes rows of a running job until there are none or the time is up. True: none is
/// left; what remains is to prove it.
pub fn some(tx: &Tx, job: &mut Job, deadline: Instant) -> Result<bool> {
    let Some(user) = job.user else {
        return Err(Error::internal("a running job has no user"));
    };
    let mut collector = FragmentCollector::new(tx, job.id)?;
    // The user's own row refers to nothing but is referred to: it goes last.
    let mut members = users::members(tx, user)?;
    members.reverse();
    while let Some(taken) = data_inventory::take(
        tx,
        &members,
        job.erasure,
        job.cutoff,
        ROWS,
        &mut collector,
        job.bounds.as_ref(),
    )? {
        job.count(taken.table, usize::try_from(taken.rows).unwrap_or(0));
        job.count_later(taken.table, taken.later);
        // It gets on: faults are counted from here again.
        forget_faults(job);
        if Instant::now() >= deadline {
            jobs::update(tx, job)?;
            return Ok(false);
        }
    }
    if job.erasure == Erasure::Activity
        && users::by_id(tx, None, user)?.is_some_and(|row| row.state == State::Detached)
    {
        bury_empty(tx, job, user, &mut collector)?;
    }
    rows_are_gone(tx, job)?;
    Ok(true)
}

/// Whether rows are left that the job was to take.
pub fn any_left(db: &Db, job: &Job) -> Result<bool> {
    job.user.map_or(Ok(false), |user| data_inventory::any_left(db, user, job.erasure, job.cutoff))
}

/// What remains is to clean and search the files.
pub fn rows_are_gone(tx: &Tx, job: &mut Job) -> Result<()> {
    // Scheduled by a name, which is needed no longer and must go before the files are
    // cleaned; any other job was never told one.
    if job.origin == Origin::Schedule {
        job.reference = erasures::unnamed()?;
    }
    job.step = Some(Step::Scrubbing);
    job.erased_at = Some(tx.now());
    tx.wake_worker();
    jobs::update(tx, job)
}

/// Removes the row of one whose account is gone, unless something is left that it did: then
/// it is about nobody.
fn bury_empty(tx: &Tx, job: &mut Job, user: UserId, collector: &mut FragmentCollector) -> Result<()> {
    let mut members = users::members(tx, user)?;
    for member in &members {
        if data_inventory::any_left(tx, *member, Erasure::Activity, None)? {
            return Ok(());
        }
    }
    members.reverse();
    while let Some(taken) =
        data_inventory::take(tx, &members, Erasure::Everything, None, ROWS, collector, None)?
    {
        job.count(taken.table, usize::try_from(taken.rows).unwrap_or(0));
    }
    Ok(())
}

/// The files were searched and nothing was found: the job is completed.
pub fn complete(tx: &Tx, job: &mut Job) -> Result<()> {
    job.status = JobStatus::Completed;
    job.step = None;
    job.user = None;
    job.came_at = None;
    mentions::forget(tx, job.id)?;
    job.finished_at = Some(tx.now());
    forget_faults(job);
    job.rows_total = job.rows_erased;
    jobs::update(tx, job)
}

fn forget_faults(job: &mut Job) {
    job.attempts = 0;
    job.retry_at = None;
    job.error = None;
}
