//! Jobs: scheduled, running, completed, failed or cancelled.
//!
//! A scheduled job is bound to an identifier, and erases whoever holds it when it falls
//! due. Everything a job knows of its progress is in the database, so it goes on after a
//! kill; it says completed when it found nothing left, never before.

use std::time::{Duration, Instant};

use crate::clock::{MINUTE, Millis, SECOND, next_midnight};
use crate::domain::{erase, merge, reap, users};
use crate::error::{Error, Result};
use crate::model::{Erasure, Identifier, Job, JobId, JobStatus, Origin, ProjectId, State};
use crate::store::{Db, Tx, admins, jobs, tombstones, users as rows};

/// A chunk of background work holds the writer no longer than about this.
const CHUNK: Duration = Duration::from_millis(8);
/// The longest list of jobs.
const LIST_MAX: u32 = 10_000;
/// So many faults in a row, and a job is failed until somebody retries it.
const ATTEMPTS: i64 = 5;

/// A job that erases whoever has this identifier at the next midnight, UTC.
pub fn schedule(tx: &Tx, project: ProjectId, identifier: &Identifier) -> Result<Job> {
    let job = jobs::insert(
        tx,
        &jobs::New {
            project,
            erasure: Erasure::Everything,
            origin: Origin::Schedule,
            status: JobStatus::Scheduled,
            reference: identifier.as_str(),
            user: None,
            cutoff: None,
            start_at: next_midnight(tx.now()),
            rows_total: 0,
        },
    )?;
    tx.wake_worker();
    Ok(job)
}

/// The job of this number. [`Error::JobNotFound`] if there is none in the project.
pub fn get(db: &Db, project: Option<ProjectId>, id: JobId) -> Result<Job> {
    jobs::by_id(db, id)?
        .filter(|job| project.is_none_or(|project| job.project == project))
        .ok_or(Error::JobNotFound)
}

/// The project's jobs that were scheduled by identifier, the newest first.
pub fn scheduled_ever(db: &Db, project: ProjectId) -> Result<Vec<Job>> {
    let jobs = jobs::list(db, Some(project), None, LIST_MAX)?;
    Ok(jobs.into_iter().filter(|job| job.origin == Origin::Schedule).collect())
}

/// All jobs below a number, the newest first.
pub fn list(db: &Db, below: Option<JobId>, limit: u32) -> Result<Vec<Job>> {
    jobs::list(db, None, below, limit)
}

/// Whether any job is at work.
pub fn any_running(db: &Db) -> Result<bool> {
    jobs::any_in(db, JobStatus::Running)
}

/// Whether [`cancel`] would stop this job.
pub fn may_cancel(job: &Job) -> bool {
    job.origin == Origin::Schedule && !matches!(job.status, JobStatus::Completed | JobStatus::Cancelled)
}

/// Stops a job. One that has begun leaves what it has not taken yet under the bare id,
/// as an account-only erasure does. [`Error::JobEnded`] if it is completed or cancelled,
/// [`Error::Conflict`] if it was never scheduled: its user was gone at once.
pub fn cancel(tx: &Tx, project: Option<ProjectId>, id: JobId) -> Result<Job> {
    let mut job = get(tx, project, id)?;
    if matches!(job.status, JobStatus::Completed | JobStatus::Cancelled) {
        return Err(Error::JobEnded);
    }
    if !may_cancel(&job) {
        return Err(Error::Conflict("an erasure that began at once cannot be cancelled"));
    }
    if let Some(user) = job.user {
        if let Some(row) = rows::by_id(tx, None, user)?
            && row.state == State::Erasing
        {
            rows::set_state(tx, user, State::Detached, None)?;
        }
        if !job.reference.starts_with("erased:") {
            job.reference = erase::unnamed()?;
        }
    }
    job.status = JobStatus::Cancelled;
    job.finished_at = Some(tx.now());
    job.retry_at = None;
    jobs::update(tx, &mut job)?;
    Ok(job)
}

/// Lets a failed job go on. [`Error::Conflict`] if it has not failed.
pub fn retry(tx: &Tx, id: JobId) -> Result<Job> {
    let mut job = get(tx, None, id)?;
    if job.status != JobStatus::Failed {
        return Err(Error::Conflict("only a failed job can be retried"));
    }
    job.status = JobStatus::Running;
    job.attempts = 0;
    job.retry_at = None;
    job.error = None;
    jobs::update(tx, &mut job)?;
    tx.wake_worker();
    Ok(job)
}

/// Notes a fault: again later, or failed after too many.
pub fn note_fault(tx: &Tx, id: JobId, error: &str) -> Result<()> {
    let mut job = get(tx, None, id)?;
    job.attempts += 1;
    job.error = Some(error.to_owned());
    if job.attempts >= ATTEMPTS {
        job.status = JobStatus::Failed;
        job.retry_at = None;
    } else {
        job.retry_at = Some(tx.now() + ((10 * SECOND) << job.attempts).min(60 * MINUTE));
    }
    jobs::update(tx, &mut job)
}

/// What a step of background work did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// There is more to do now.
    pub more: bool,
    pub began: u64,
    pub reaped: u64,
    pub completed: u64,
    pub faults: u64,
}

/// One short step of all the background work that is due at the transaction's time: no
/// input, may be called at any time, and does nothing if nothing is due.
pub fn step(tx: &Tx) -> Result<Step> {
    let deadline = Instant::now() + CHUNK;
    let mut step = Step::default();
    while Instant::now() < deadline {
        if start_due(tx)? {
            step.began += 1;
        } else if reap::sweep(tx)? {
            step.reaped += 1;
        } else if let Some(job) = jobs::next_running(tx, tx.now())? {
            advance(tx, job, deadline, &mut step)?;
        } else if !merge::chunk(tx)? && !prune(tx)? {
            return Ok(step);
        }
    }
    step.more = true;
    Ok(step)
}

fn advance(tx: &Tx, job: Job, deadline: Instant, step: &mut Step) -> Result<()> {
    let id = job.id;
    let mut job = job;
    match tx.nested(|| erase::chunk(tx, &mut job, deadline)) {
        Ok(done) => step.completed += u64::from(done),
        // No room is no fault of the job's: the whole step comes again.
        Err(error @ Error::Unavailable(_)) => return Err(error),
        Err(error) => {
            log::error!("job {id} met a fault: {error}");
            note_fault(tx, id, &error.to_string())?;
            step.faults += 1;
        }
    }
    Ok(())
}

/// Begins the scheduled job that is due first, if one is.
fn start_due(tx: &Tx) -> Result<bool> {
    let Some(job) = jobs::first_scheduled(tx)?.filter(|job| job.start_at <= tx.now()) else {
        return Ok(false);
    };
    let holder = users::holder(tx, job.project, &job.reference)?;
    erase::start(tx, job, holder.as_ref())?;
    Ok(true)
}

fn prune(tx: &Tx) -> Result<bool> {
    let late = tombstones::prune(tx, tx.now() - erase::LATE_EVENTS, 500)?;
    let signed_out = admins::prune_sessions(tx)?;
    Ok(late + signed_out > 0)
}

/// When something falls due next, as far as the database knows.
pub fn next_due(db: &Db) -> Result<Option<Millis>> {
    let scheduled = jobs::first_scheduled(db)?.map(|job| job.start_at);
    let retry = jobs::first_retry(db)?;
    let hidden = rows::hidden_since(db)?.map(|at| at + crate::model::REVIVABLE);
    Ok([scheduled, retry, hidden].into_iter().flatten().min())
}
