//! Erasures that are asked for, under way, or done.

use std::collections::BTreeMap;

use const_format::formatcp;

use super::row::Row;
use super::value::{odd_row, params};
use super::{Db, Tx, sequences};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{Erasure, Job, JobId, JobStatus, Origin, ProjectId, ReceiptId, Step, UserId};
use crate::trace::LegalBasis;

pub(super) const COLUMNS: &str = "id, project_id, erasure, origin, status, reference, user_id, cutoff, created_at, \
    updated_at, start_at, finished_at, attempts, retry_at, error, rows_total, rows_erased, counts, step, receipt, \
    subject, pseudonym, begun_at, erased_at, scrubbed_at, mentions, receipt_no, ground, bound_at, bound_user, \
    number, receipt_number, came_at, bounds, later";

pub(super) fn read(row: &Row) -> Result<Job> {
    let step = match row.text_or_null(18)? {
        Some(step) => Some(Step::parse(step).ok_or_else(odd_row)?),
        None => None,
    };
    Ok(Job {
        id: JobId(row.get(0)?),
        project: ProjectId(row.get(1)?),
        erasure: Erasure::parse(row.text(2)?).ok_or_else(odd_row)?,
        origin: Origin::parse(row.text(3)?).ok_or_else(odd_row)?,
        status: JobStatus::parse(row.text(4)?).ok_or_else(odd_row)?,
        reference: row.get(5)?,
        user: row.get::<Option<i64>>(6)?.map(UserId),
        cutoff: row.get(7)?,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
        start_at: row.get(10)?,
        finished_at: row.get(11)?,
        attempts: row.get(12)?,
        retry_at: row.get(13)?,
        error: row.get(14)?,
        rows_total: row.get(15)?,
        rows_erased: row.get(16)?,
        counts: serde_json::from_str(row.text(17)?).map_err(|_| odd_row())?,
        step,
        receipt: row.get(19)?,
        subject: row.get(20)?,
        pseudonym: row.get(21)?,
        begun_at: row.get(22)?,
        erased_at: row.get(23)?,
        scrubbed_at: row.get(24)?,
        mentions: row.get(25)?,
        receipt_no: row.get(26)?,
        legal_basis: LegalBasis::parse(row.text(27)?).ok_or_else(odd_row)?,
        bound_at: row.get(28)?,
        bound_user: row.get::<Option<i64>>(29)?.map(UserId),
        number: row.get(30)?,
        receipt_number: row.get(31)?,
        came_at: row.get(32)?,
        bounds: match row.text_or_null(33)? {
            Some(text) => Some(serde_json::from_str(text).map_err(|_| odd_row())?),
            None => None,
        },
        later: serde_json::from_str(row.text(34)?).map_err(|_| odd_row())?,
    })
}

/// The last row of each table that there is of a user. What has a later one came after.
pub type Bounds = BTreeMap<String, i64>;

/// What a new job is made of.
pub struct New<'a> {
    pub project: ProjectId,
    pub erasure: Erasure,
    pub origin: Origin,
    pub reference: &'a str,
    pub legal_basis: LegalBasis,
    /// When it was asked for.
    pub asked_at: Millis,
    pub start_at: Millis,
    /// None: a new one.
    pub receipt: Option<ReceiptId>,
    /// The last rows of whom it is for, if it is to wait.
    pub bounds: Option<Bounds>,
}

/// A job that waits for its hour.
pub fn insert(tx: &Tx, new: &New) -> Result<Job> {
    let receipt = match new.receipt {
        Some(receipt) => receipt,
        None => {
            let mut receipt: ReceiptId = [0; 16];
            getrandom::fill(&mut receipt).map_err(Error::internal)?;
            receipt
        }
    };
    let job = Job {
        id: JobId(sequences::next(tx, "job")?),
        number: sequences::next(tx, &of_project(new.project))?,
        project: new.project,
        erasure: new.erasure,
        origin: new.origin,
        legal_basis: new.legal_basis,
        status: JobStatus::Scheduled,
        reference: new.reference.to_owned(),
        user: None,
        cutoff: None,
        created_at: new.asked_at,
        updated_at: tx.now(),
        start_at: new.start_at,
        finished_at: None,
        attempts: 0,
        retry_at: None,
        error: None,
        rows_total: 0,
        rows_erased: 0,
        counts: BTreeMap::new(),
        step: None,
        receipt,
        subject: None,
        pseudonym: None,
        begun_at: None,
        erased_at: None,
        scrubbed_at: None,
        mentions: 0,
        receipt_no: None,
        bound_at: None,
        bound_user: None,
        receipt_number: None,
        came_at: None,
        bounds: new.bounds.clone(),
        later: BTreeMap::new(),
    };
    let bounds = job.bounds.as_ref().map(serde_json::to_string).transpose().map_err(Error::internal)?;
    tx.execute(
        "INSERT INTO jobs (id, project_id, erasure, origin, status, reference, receipt, created_at, updated_at,
             start_at, ground, number, bounds)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            job.id.0,
            job.project.0,
            job.erasure.as_str(),
            job.origin.as_str(),
            job.status.as_str(),
            job.reference,
            job.receipt,
            job.created_at,
            job.updated_at,
            job.start_at,
            job.legal_basis.as_str(),
            job.number,
            bounds,
        ],
    )?;
    Ok(job)
}

/// Writes everything back that changes in a job's life; `updated_at` becomes now.
pub fn update(tx: &Tx, job: &mut Job) -> Result<()> {
    job.updated_at = tx.now();
    tx.execute(
        "UPDATE jobs SET status = ?2, reference = ?3, user_id = ?4, cutoff = ?5, updated_at = ?6, start_at = ?7,
             finished_at = ?8, attempts = ?9, retry_at = ?10, error = ?11, rows_total = ?12, rows_erased = ?13,
             counts = ?14, step = ?15, subject = ?16, pseudonym = ?17, begun_at = ?18, erased_at = ?19,
             scrubbed_at = ?20, mentions = ?21, receipt_no = ?22, receipt_number = ?23, came_at = ?24,
             later = ?25, bound_at = ?26, bound_user = ?27
         WHERE id = ?1",
        params![
            job.id.0,
            job.status.as_str(),
            job.reference,
            job.user.map(|user| user.0),
            job.cutoff,
            job.updated_at,
            job.start_at,
            job.finished_at,
            job.attempts,
            job.retry_at,
            job.error,
            job.rows_total,
            job.rows_erased,
            serde_json::to_string(&job.counts).map_err(Error::internal)?,
            job.step.map(Step::as_str),
            job.subject,
            job.pseudonym,
            job.begun_at,
            job.erased_at,
            job.scrubbed_at,
            job.mentions,
            job.receipt_no,
            job.receipt_number,
            job.came_at,
            serde_json::to_string(&job.later).map_err(Error::internal)?,
            job.bound_at,
            job.bound_user.map(|user| user.0),
        ],
    )?;
    Ok(())
}

pub fn by_id(db: &Db, id: JobId) -> Result<Option<Job>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
    db.row(sql, params![id.0], read)
}

/// The project's job of a number.
pub fn numbered(db: &Db, project: ProjectId, number: i64) -> Result<Option<Job>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM jobs WHERE project_id = ?1 AND number = ?2");
    db.row(sql, params![project.0, number], read)
}

/// The project's job whose receipt has this number.
pub fn of_receipt_number(db: &Db, project: ProjectId, number: i64) -> Result<Option<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs WHERE project_id = ?1 AND receipt_number = ?2 ORDER BY id DESC LIMIT 1"
    );
    db.row(sql, params![project.0, number], read)
}

/// The project's receipt that was made last: its number and its place.
pub fn last_receipt_of(db: &Db, project: ProjectId) -> Result<Option<(i64, i64)>> {
    let sql = "SELECT receipt_number, receipt_no FROM jobs
         WHERE project_id = ?1 AND receipt_number IS NOT NULL AND receipt_no IS NOT NULL
         ORDER BY receipt_number DESC LIMIT 1";
    db.row(sql, params![project.0], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The name of the sequence of a project's jobs.
pub fn of_project(project: ProjectId) -> String {
    format!("job {project}")
}

/// The job whose receipt, or request, has this name.
pub fn by_receipt(db: &Db, receipt: ReceiptId) -> Result<Option<Job>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM jobs WHERE receipt = ?1");
    db.row(sql, params![receipt], read)
}

/// Jobs at work on a user, and those that were asked for by a name, the newest first. Reads an index entry
/// for each.
pub fn about(db: &Db, project: ProjectId, user: UserId, name: Option<&str>, limit: u32) -> Result<Vec<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs WHERE id IN (
            SELECT id FROM jobs WHERE user_id = ?1
            UNION SELECT id FROM jobs WHERE ?2 IS NOT NULL AND reference = ?2 AND project_id = ?3
         ) ORDER BY id DESC LIMIT ?4"
    );
    db.rows(sql, params![user.0, name, project.0, limit], read)
}

/// The scheduled jobs that name this.
pub fn waiting_for(db: &Db, project: ProjectId, reference: &str) -> Result<Vec<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs WHERE reference = ?1 AND project_id = ?2 AND status = 'scheduled' ORDER BY id"
    );
    db.rows(sql, params![reference, project.0], read)
}

/// How many scheduled jobs of a project name somebody whom nobody knows, `most` at most; of the
/// newest few thousand.
pub fn waiting_for_unknown(db: &Db, project: ProjectId, most: u32) -> Result<u32> {
    let sql = "SELECT COUNT(*) FROM (
            SELECT 1 FROM (
                SELECT reference FROM jobs
                WHERE project_id = ?1 AND status = 'scheduled' AND origin = 'schedule'
                ORDER BY id DESC LIMIT 5000
            ) AS waiting
            WHERE NOT EXISTS (
                SELECT 1 FROM users WHERE project_id = ?1 AND identifier = waiting.reference
            )
            LIMIT ?2
         )";
    Ok(db.row(sql, params![project.0, most], |row| row.get(0))?.unwrap_or_default())
}

/// The newest first; those of one project, those below a number.
pub fn list(db: &Db, project: Option<ProjectId>, below: Option<JobId>, limit: u32) -> Result<Vec<Job>> {
    let below = below.map_or(i64::MAX, |id| id.0);
    match project {
        Some(project) => {
            let sql = formatcp!(
                "SELECT {COLUMNS} FROM jobs WHERE project_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
            );
            db.rows(sql, params![project.0, below, limit], read)
        }
        None => {
            let sql = formatcp!("SELECT {COLUMNS} FROM jobs WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
            db.rows(sql, params![below, limit], read)
        }
    }
}

/// Failed jobs below a number, the newest first. Reads those through their index.
pub fn list_failed(db: &Db, below: Option<JobId>, limit: u32) -> Result<Vec<Job>> {
    let sql =
        formatcp!("SELECT {COLUMNS} FROM jobs WHERE status = 'failed' AND id < ?1 ORDER BY id DESC LIMIT ?2");
    db.rows(sql, params![below.map_or(i64::MAX, |id| id.0), limit], read)
}

/// The project's jobs that were caused in one way, the newest first.
pub fn list_of(db: &Db, project: ProjectId, origin: Origin, (limit, offset): (u32, u32)) -> Result<Vec<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs WHERE project_id = ?1 AND origin = ?2
         ORDER BY id DESC LIMIT ?3 OFFSET ?4"
    );
    db.rows(sql, params![project.0, origin.as_str(), limit, offset], read)
}

/// Whether a job that was caused in one way waits or runs under one of two references.
pub fn any_under(db: &Db, project: ProjectId, origin: Origin, references: [&str; 2]) -> Result<bool> {
    let sql = "SELECT 1 FROM jobs
         WHERE reference IN (?1, ?2) AND project_id = ?3 AND origin = ?4
             AND status IN ('scheduled', 'running') LIMIT 1";
    let [one, other] = references;
    Ok(db.row(sql, params![one, other, project.0, origin.as_str()], |_| Ok(()))?.is_some())
}

/// It is bound to a person who is held, or whose data is only kept and who did not ask for it themselves.
const IS_HELD: &str = "(EXISTS (SELECT 1 FROM holds WHERE holds.user_id = jobs.bound_user)
    OR jobs.ground <> 'request' AND EXISTS
        (SELECT 1 FROM users WHERE users.id = jobs.bound_user AND users.restricted_at IS NOT NULL))";

/// The scheduled job that is due first, of those that no hold keeps waiting.
pub fn first_scheduled(db: &Db) -> Result<Option<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs WHERE status = 'scheduled' AND NOT {IS_HELD} ORDER BY start_at, id LIMIT 1"
    );
    db.row(sql, params![], read)
}

/// Whether a job waits for the end of a hold or of a restriction.
pub fn is_held(db: &Db, id: JobId) -> Result<bool> {
    let sql = formatcp!("SELECT 1 FROM jobs WHERE id = ?1 AND status = 'scheduled' AND {IS_HELD}");
    Ok(db.row(sql, params![id.0], |_| Ok(()))?.is_some())
}

/// The one of those that is due first and not bound to anybody.
pub fn first_unbound(db: &Db) -> Result<Option<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs WHERE status = 'scheduled' AND bound_at IS NULL ORDER BY start_at, id LIMIT 1"
    );
    db.row(sql, params![], read)
}

/// How many are scheduled and due.
pub fn count_due(db: &Db, now: Millis) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM jobs WHERE status = 'scheduled' AND start_at <= ?1";
    Ok(db.row(sql, params![now], |row| row.get(0))?.unwrap_or_default())
}

/// Scheduled jobs under this reference that are due and not bound to anybody.
pub fn unbound(tx: &Tx, project: ProjectId, reference: &str) -> Result<Vec<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs
         WHERE reference = ?1 AND project_id = ?2 AND status = 'scheduled' AND bound_at IS NULL AND start_at <= ?3
         ORDER BY id"
    );
    tx.rows(sql, params![reference, project.0, tx.now()], read)
}

/// Scheduled jobs that are bound and not due any more: the clock was set back.
pub fn bound_early(tx: &Tx) -> Result<Vec<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs WHERE status = 'scheduled' AND bound_at IS NOT NULL AND start_at > ?1"
    );
    tx.rows(sql, params![tx.now()], read)
}

/// Jobs that are bound to a visitor are bound to whom it is merged into.
pub fn rebind(tx: &Tx, from: UserId, to: UserId) -> Result<()> {
    let sql = "UPDATE jobs SET bound_user = ?2 WHERE bound_user = ?1 AND status = 'scheduled'";
    tx.execute(sql, params![from.0, to.0])?;
    Ok(())
}

/// The job whose rows are leaving, not waiting for a retry at `now`, that was touched
/// longest ago: so they take turns.
pub fn next_erasing(db: &Db, now: Millis) -> Result<Option<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs WHERE status = 'running' AND step = 'erasing' AND coalesce(retry_at, 0) <= ?1
         ORDER BY updated_at, id LIMIT 1"
    );
    db.row(sql, params![now], read)
}

/// Jobs whose rows are gone and whose files are still to be cleaned and searched, not
/// waiting for a retry at `now`; the oldest first.
pub fn unproven(db: &Db, now: Millis, limit: u32) -> Result<Vec<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs
         WHERE status = 'running' AND step IN ('scrubbing', 'verifying') AND coalesce(retry_at, 0) <= ?1
         ORDER BY id LIMIT ?2"
    );
    db.rows(sql, params![now, limit], read)
}

/// Jobs that are not over: they run, or failed and may be retried.
pub fn open(db: &Db) -> Result<Vec<JobId>> {
    let sql =
        "SELECT id FROM jobs WHERE status = 'running' UNION ALL SELECT id FROM jobs WHERE status = 'failed'";
    db.rows(sql, params![], |row| Ok(JobId(row.get(0)?)))
}

/// Jobs that failed and wait for somebody.
pub fn failed(db: &Db) -> Result<Vec<JobId>> {
    db.rows("SELECT id FROM jobs WHERE status = 'failed' ORDER BY id", params![], |row| {
        Ok(JobId(row.get(0)?))
    })
}

/// The largest number of a receipt that a job has.
pub fn last_receipt(db: &Db) -> Result<Option<i64>> {
    Ok(db.row("SELECT max(receipt_no) FROM jobs", params![], |row| row.get(0))?.flatten())
}

/// When the first of the running jobs that wait for a retry may go on.
pub fn first_retry(db: &Db) -> Result<Option<Millis>> {
    let sql = "SELECT min(retry_at) FROM jobs WHERE status = 'running'";
    Ok(db.row(sql, params![], |row| row.get(0))?.flatten())
}

/// Jobs that wait for their hour get another reference. Returns how many.
pub fn rename_waiting(tx: &Tx, project: ProjectId, from: &str, to: &str) -> Result<usize> {
    tx.execute(
        "UPDATE jobs SET reference = ?3 WHERE reference = ?1 AND project_id = ?2 AND status = 'scheduled'",
        params![from, project.0, to],
    )
}

/// The same for those that are not bound to anybody.
pub fn rename_unbound(tx: &Tx, project: ProjectId, from: &str, to: &str) -> Result<usize> {
    tx.execute(
        "UPDATE jobs SET reference = ?3
         WHERE reference = ?1 AND project_id = ?2 AND status = 'scheduled' AND bound_at IS NULL",
        params![from, project.0, to],
    )
}

/// Puts `scrubbed` in the place of an identifier in every job that no longer needs it.
/// Returns in how many.
pub fn scrub(tx: &Tx, project: ProjectId, reference: &str, scrubbed: &str) -> Result<usize> {
    tx.execute(
        "UPDATE jobs SET reference = ?3 WHERE reference = ?1 AND project_id = ?2 AND status <> 'scheduled'",
        params![reference, project.0, scrubbed],
    )
}

/// A user has another identifier from now on: so have the jobs that name it.
pub fn rename(tx: &Tx, project: ProjectId, from: &str, to: &str) -> Result<()> {
    let sql = "UPDATE jobs SET reference = ?3 WHERE reference = ?1 AND project_id = ?2";
    tx.execute(sql, params![from, project.0, to])?;
    Ok(())
}

/// How many jobs are at work, counted up to a number.
pub fn running(db: &Db, most: u32) -> Result<u32> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE status = 'running' LIMIT ?1)";
    Ok(db.row(sql, params![most], |row| row.get(0))?.unwrap_or_default())
}

/// Whether there are jobs in a state; for tests' teardown and the pages' head.
pub fn any_in(db: &Db, status: JobStatus) -> Result<bool> {
    let sql = "SELECT 1 FROM jobs WHERE status = ?1 LIMIT 1";
    Ok(db.row(sql, params![status.as_str()], |_| Ok(()))?.is_some())
}
