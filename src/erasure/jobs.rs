//! Jobs: scheduled, running, completed, failed or cancelled.
//!
//! A scheduled job is bound to an identifier, and erases the user who has it when it falls
//! due. One that cannot begin then is bound to a person; see `people/bindings.rs`. Everything a job knows
//! of its progress is in the database, so it goes on after a kill; it says completed when it
//! found nothing left, never before.

use crate::clock::{MINUTE, Millis, SECOND, next_midnight};
use crate::erasure::{delete_rows, token};
use crate::error::{Error, Result};
use crate::ledger::{Act, Pseudonym, Request};
use crate::model::{
    Erasure, Identifier, Job, JobId, JobStatus, Origin, ProjectId, State, Step as JobStep, User,
};
use crate::people::{bindings, erasures, holder, holds, person, references};
use crate::proof::figures::JobNumbers;
use crate::proof::receipt::{self, Token};
use crate::store::data_inventory;
use crate::store::jobs::Bounds;
use crate::store::{BackgroundTx, Db, ErasingTx, Tx, audit, jobs, mentions, sequences, users as rows};
use crate::trace::LegalBasis;

/// Jobs of a project that wait for names that nobody has, at most.
const UNKNOWN_MAX: u32 = 1_000;
/// Jobs proven together at most.
const UNPROVEN_MAX: u32 = 5_000;
/// So many faults in a row, and a job is failed until somebody retries it.
const ATTEMPTS: i64 = 5;

/// A job that erases the user who has this identifier at the next midnight, UTC. It is answered under
/// the name that it was asked by, also where it is not kept under it: see [`references`].
/// [`Error::RateLimited`] where too many wait for names that nobody has; [`Error::Held`].
pub fn schedule(tx: &ErasingTx, project: ProjectId, identifier: &Identifier) -> Result<Job> {
    let user = holder::named(tx, project, identifier.as_str())?;
    if let Some(user) = &user {
        holds::check(tx, user)?;
    }
    if user.is_none() && jobs::waiting_for_unknown(tx, project, UNKNOWN_MAX)? >= UNKNOWN_MAX {
        // At midnight they are done.
        let left = (next_midnight(tx.now()) - tx.now()) / SECOND;
        return Err(Error::RateLimited { retry_after: u64::try_from(left).unwrap_or_default() + 1 });
    }
    let meant = name_of(user.as_ref(), identifier);
    let name = tx.names().name(project, meant);
    let gone = user.is_none() && references::was_anybodys(tx, project, identifier.as_str())?;
    let reference = if gone { references::digest(name) } else { meant.to_owned() };
    let mut job = jobs::insert(
        tx,
        &jobs::New {
            project,
            erasure: Erasure::Everything,
            origin: Origin::Schedule,
            reference: &reference,
            legal_basis: tx.who().legal_basis,
            asked_at: tx.now(),
            start_at: next_midnight(tx.now()),
            receipt: None,
            // With nobody there, all that goes came later.
            bounds: Some(match &user {
                Some(user) => data_inventory::bounds(tx, &rows::members(tx, user.id)?)?,
                None => Bounds::new(),
            }),
        },
    )?;
    identifier.as_str().clone_into(&mut job.reference);
    tx.append_to_ledger(Act::Scheduled { request: Pseudonym(job.receipt), project, name, due: job.start_at });
    note_scheduled(tx, &job, user.as_ref())?;
    tx.wake_worker();
    Ok(job)
}

/// Whom it is for is told as of now: it is the user who has the name at midnight.
fn note_scheduled(tx: &Tx, job: &Job, user: Option<&User>) -> Result<()> {
    audit::append(
        tx,
        &audit::Entry {
            action: "schedule erasure",
            subject: user.map(|user| person::pseudonym(tx, user)),
            project: Some(job.project),
            job: Some(job.id),
            reason: Some(receipt::right(job.origin, job.legal_basis)),
        },
    )
}

/// Whether a job waits for the end of a hold or a restriction.
pub fn is_held(db: &Db, job: &Job) -> Result<bool> {
    Ok(job.bound_user.is_some() && jobs::is_held(db, job.id)?)
}

/// A job that erases a user once nothing keeps them from it. It is due, and bound to the user at once:
/// nobody who has the name later is meant.
pub fn wait(tx: &Tx, user: &User, asked: &Identifier, legal_basis: LegalBasis) -> Result<Job> {
    let meant = name_of(Some(user), asked);
    let new = jobs::New {
        project: user.project,
        erasure: Erasure::Everything,
        origin: Origin::Schedule,
        reference: meant,
        legal_basis,
        asked_at: tx.now(),
        start_at: tx.now(),
        receipt: None,
        bounds: Some(data_inventory::bounds(tx, &rows::members(tx, user.id)?)?),
    };
    let job = jobs::insert(tx, &new)?;
    let (request, name) = (Pseudonym(job.receipt), tx.names().name(user.project, meant));
    tx.append_to_ledger(Act::Scheduled { request, project: user.project, name, due: job.start_at });
    note_scheduled(tx, &job, Some(user))?;
    bindings::bind(tx, job.clone(), Some(user))?;
    tx.wake_worker();
    Ok(job)
}

/// The name that a job is bound to. Who was meant by an anonymous id is meant by their own name from
/// then on: somebody else may be called like the anonymous id by midnight.
fn name_of<'a>(user: Option<&'a User>, asked: &'a Identifier) -> &'a str {
    user.and_then(|user| user.identifier.as_deref()).unwrap_or(asked.as_str())
}

/// The same, with the receipt's token for the person who has the name now, but one job at a time:
/// [`Error::Conflict`] while one for this name waits or runs. Once its rows are gone, a running
/// job does not keep the name, so a new one is allowed then.
pub fn schedule_once(
    tx: &ErasingTx,
    project: ProjectId,
    identifier: &Identifier,
) -> Result<(Job, Option<Token>)> {
    let holder = holder::named(tx, project, identifier.as_str())?;
    let name = name_of(holder.as_ref(), identifier);
    let digest = references::digest(tx.names().name(project, name));
    if jobs::any_under(tx, project, Origin::Schedule, [name, &digest])? {
        return Err(Error::Conflict("a deletion job for this user is already scheduled or running"));
    }
    let job = schedule(tx, project, identifier)?;
    let token = holder.map(|user| token::of(tx, &job, &user));
    Ok((job, token))
}

/// The job of this number. [`Error::JobNotFound`] if there is none in the project.
pub fn get(db: &Db, project: Option<ProjectId>, id: JobId) -> Result<Job> {
    jobs::by_id(db, id)?
        .filter(|job| project.is_none_or(|project| job.project == project))
        .ok_or(Error::JobNotFound)
}

/// The project's job of this number. [`Error::JobNotFound`].
pub fn numbered(db: &Db, project: ProjectId, number: i64) -> Result<Job> {
    jobs::numbered(db, project, number)?.ok_or(Error::JobNotFound)
}

/// The job whose receipt has this number in the project. [`Error::ReceiptNotFound`].
pub fn of_receipt_number(db: &Db, project: ProjectId, number: i64) -> Result<Job> {
    jobs::of_receipt_number(db, project, number)?.ok_or(Error::ReceiptNotFound)
}

/// The job whose receipt has this id. [`Error::ReceiptNotFound`] if there is none in the
/// project, or a database from before it was put back.
pub fn of_receipt(db: &Db, project: Option<ProjectId>, receipt: receipt::Id) -> Result<Job> {
    jobs::by_receipt(db, receipt.0)?
        .filter(|job| project.is_none_or(|project| job.project == project))
        .ok_or(Error::ReceiptNotFound)
}

/// The job of a receipt. None: the database is from before it.
pub fn find_of_receipt(db: &Db, id: receipt::Id) -> Result<Option<Job>> {
    match of_receipt(db, None, id) {
        Ok(job) => Ok(Some(job)),
        Err(Error::ReceiptNotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What went wrong with a job, as a project is told: where in the files something was found, and
/// what the machine said, is of the whole installation.
pub fn told(job: &Job) -> Option<&'static str> {
    job.error.as_ref().map(|_| match job.status {
        JobStatus::Failed => "the erasure failed; the operator's pages say why",
        _ => "the erasure met a fault, and is tried again",
    })
}

/// The project's receipt that was made last, as far as the database knows: its number and its
/// place among all.
pub fn last_receipt_of(db: &Db, project: ProjectId) -> Result<Option<(i64, i64)>> {
    jobs::last_receipt_of(db, project)
}

/// The last number of a receipt that may be of any project; 0: there is none.
pub fn last_receipt_of_any(db: &Db) -> Result<i64> {
    sequences::last(db, "receipt")
}

/// It was completed once, with a receipt, and is not any more: a later search found something
/// of the person's.
pub fn failed_later(job: &Job) -> bool {
    job.receipt_no.is_some() && job.status != JobStatus::Completed
}

/// A page of the project's jobs that were scheduled by identifier, the newest first. It reads
/// all before it: for scans.
pub fn scheduled_page(db: &Db, project: ProjectId, limit: u32, offset: u32) -> Result<Vec<Job>> {
    jobs::list_of(db, project, Origin::Schedule, (limit, offset))
}

/// The project's job of this number, if it was scheduled by identifier. [`Error::JobNotFound`]
/// if not.
pub fn scheduled(db: &Db, project: ProjectId, number: i64) -> Result<Job> {
    let job = numbered(db, project, number)?;
    if job.origin == Origin::Schedule { Ok(job) } else { Err(Error::JobNotFound) }
}

/// Jobs about a user whose name is known: at work, waiting, or over and asked for by the name. The newest first.
pub fn about(db: &Db, user: &User, limit: u32) -> Result<Vec<Job>> {
    jobs::about(db, user.project, user.id, user.identifier.as_deref(), limit)
}

/// All jobs below a number, the newest first.
pub fn list(db: &Db, below: Option<JobId>, limit: u32) -> Result<Vec<Job>> {
    jobs::list(db, None, below, limit)
}

/// Whether any job is at work.
pub fn any_running(db: &Db) -> Result<bool> {
    jobs::any_in(db, JobStatus::Running)
}

/// How many jobs are at work, counted up to a number.
pub fn running(db: &Db, most: u32) -> Result<u32> {
    jobs::running(db, most)
}

/// Whether [`cancel`] would stop this job.
pub fn may_cancel(job: &Job) -> bool {
    job.origin == Origin::Schedule && !matches!(job.status, JobStatus::Completed | JobStatus::Cancelled)
}

/// Jobs that the database does not know have had these numbers, and their receipts of version 1
/// those up to `receipt`: no other has them again.
pub fn go_on_after(tx: &ErasingTx, known: &[JobNumbers], receipt: u64) -> Result<()> {
    if receipt > 0 {
        sequences::go_on_after(tx, "receipt", i64::try_from(receipt).map_err(Error::internal)?)?;
    }
    for job in known {
        let number = |number: u64| i64::try_from(number).map_err(Error::internal);
        let project = ProjectId(number(job.project)?);
        sequences::go_on_after(tx, "job", number(job.id)?)?;
        sequences::go_on_after(tx, &jobs::of_project(project), number(job.number)?)?;
    }
    Ok(())
}

/// A request of the ledger's that the database does not know waits again: under its name,
/// or, where nobody is held by that name, under the name's digest.
pub fn renew(tx: &Tx, request: &Request, name: Option<&str>) -> Result<()> {
    let digest = references::digest(request.name);
    let new = jobs::New {
        project: request.project,
        erasure: Erasure::Everything,
        origin: Origin::Schedule,
        reference: name.unwrap_or(&digest),
        legal_basis: tx.who().legal_basis,
        asked_at: tx.now(),
        start_at: request.due,
        receipt: Some(request.request.0),
        bounds: None,
    };
    jobs::insert(tx, &new)?;
    tx.wake_worker();
    Ok(())
}

/// Ends a job that the ledger says was withdrawn.
pub fn cancel_silently(tx: &Tx, mut job: Job) -> Result<()> {
    job.status = JobStatus::Cancelled;
    job.finished_at = Some(tx.now());
    jobs::update(tx, &mut job)
}

/// Stops a job. One that has begun leaves what it has not taken yet under the bare id,
/// as an account-only erasure does. [`Error::JobEnded`] if it is completed or cancelled,
/// [`Error::Conflict`] if it was never scheduled: its user was gone at once.
pub fn cancel(tx: &ErasingTx, project: Option<ProjectId>, id: JobId) -> Result<Job> {
    cancel_within(tx, project, id)
}

/// [`cancel`] as a part of another verb.
pub(super) fn cancel_within(tx: &Tx, project: Option<ProjectId>, id: JobId) -> Result<Job> {
    let mut job = get(tx, project, id)?;
    // Once the rows are gone there is nothing left to cancel.
    let gone = matches!(job.step, Some(JobStep::Scrubbing | JobStep::Verifying));
    if gone || matches!(job.status, JobStatus::Completed | JobStatus::Cancelled) {
        return Err(Error::JobEnded);
    }
    if !may_cancel(&job) {
        return Err(Error::Conflict("an erasure that starts immediately cannot be cancelled"));
    }
    if let Some(user) = job.user.take() {
        if let Some(row) = rows::by_id(tx, None, user)?
            && row.state == State::Erasing
        {
            rows::set_state(tx, user, State::Detached, None)?;
        }
        // It has begun: who was meant is gone, and so is the name.
        job.reference = erasures::unnamed()?;
    } else if holder::named(tx, job.project, &job.reference)?.is_none() {
        // Nobody has the name, so nothing would take it away later.
        job.reference = erasures::unnamed()?;
    }
    if job.status == JobStatus::Scheduled {
        tx.append_to_ledger(Act::Cancelled { request: Pseudonym(job.receipt) });
    }
    note(tx, &job, "cancel erasure")?;
    mentions::forget(tx, job.id)?;
    job.status = JobStatus::Cancelled;
    job.step = None;
    job.finished_at = Some(tx.now());
    job.retry_at = None;
    job.bound_user = None;
    jobs::update(tx, &mut job)?;
    Ok(job)
}

fn note(tx: &Tx, job: &Job, action: &str) -> Result<()> {
    audit::append(
        tx,
        &audit::Entry {
            action,
            subject: job.pseudonym,
            project: Some(job.project),
            job: Some(job.id),
            reason: job.error.as_deref(),
        },
    )
}

/// Lets a failed job go on. [`Error::Conflict`] if it has not failed.
pub fn retry(tx: &ErasingTx, id: JobId) -> Result<Job> {
    let mut job = get(tx, None, id)?;
    if job.status != JobStatus::Failed {
        return Err(Error::Conflict("only a failed job can be retried"));
    }
    note(tx, &job, "retry erasure")?;
    job.status = JobStatus::Running;
    if job.step == Some(JobStep::Verifying) {
        job.step = Some(JobStep::Scrubbing);
    }
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

/// Jobs whose rows are gone, and whose files are to be cleaned and searched.
pub fn unproven(db: &Db, now: Millis) -> Result<Vec<Job>> {
    jobs::unproven(db, now, UNPROVEN_MAX)
}

/// Jobs that are not over: they run, or failed and may be retried.
pub fn open(db: &Db) -> Result<Vec<JobId>> {
    jobs::open(db)
}

/// The files hold no stale byte as of now: they are searched next.
pub fn note_scrubbed(tx: &BackgroundTx, ids: &[JobId]) -> Result<()> {
    for id in ids {
        let mut job = get(tx, None, *id)?;
        job.step = Some(JobStep::Verifying);
        job.scrubbed_at = Some(tx.now());
        jobs::update(tx, &mut job)?;
    }
    Ok(())
}

/// What a search of the files found for a job.
#[derive(Debug, Clone)]
pub struct Searched {
    pub id: JobId,
    pub mentions: u64,
    /// Where something was found that should not be there.
    pub places: Vec<String>,
    /// Of the receipt that was written: its place, and its number in the project.
    pub receipt: Option<(i64, i64)>,
}

/// Completes a job for which nothing was found, fails one for which something was. False:
/// it is not completed.
pub fn conclude(tx: &BackgroundTx, searched: &Searched) -> Result<bool> {
    let mut job = get(tx, None, searched.id)?;
    if job.status != JobStatus::Running {
        return Ok(false);
    }
    if delete_rows::any_left(tx, &job)? {
        job.step = Some(JobStep::Erasing);
        jobs::update(tx, &mut job)?;
        tx.wake_worker();
        return Ok(false);
    }
    // One that it has already stays, with what it says: it was handed out.
    if job.receipt_no.is_none() {
        job.mentions = i64::try_from(searched.mentions).unwrap_or(i64::MAX);
    }
    if let Some((place, number)) = searched.receipt {
        (job.receipt_no, job.receipt_number) = (Some(place), Some(number));
    }
    if searched.places.is_empty() {
        delete_rows::complete(tx, &mut job)?;
        note(tx, &job, "erasure completed")?;
        return Ok(true);
    }
    job.status = JobStatus::Failed;
    job.error = Some(found(&searched.places));
    jobs::update(tx, &mut job)?;
    note(tx, &job, "erasure failed")?;
    Ok(false)
}

/// Fails a job that had ended: a later search found values of the person's in these places.
pub fn fail(tx: &BackgroundTx, id: JobId, places: &[String]) -> Result<()> {
    let mut job = get(tx, None, id)?;
    job.status = JobStatus::Failed;
    job.step = Some(JobStep::Verifying);
    job.error = Some(found(places));
    jobs::update(tx, &mut job)?;
    note(tx, &job, "erasure failed")
}

fn found(places: &[String]) -> String {
    format!("values of the person were found in {}", places.join("; "))
}
