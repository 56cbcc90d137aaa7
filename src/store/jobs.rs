//! Erasures that are asked for, under way, or done.

use const_format::formatcp;
use rusqlite::{Row, params};

use super::{Db, Tx, corrupt, sequences};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Erasure, Job, JobId, JobStatus, Origin, ProjectId, UserId};

const COLUMNS: &str = "id, project_id, erasure, origin, status, reference, user_id, cutoff, created_at, \
    updated_at, start_at, finished_at, attempts, retry_at, error, rows_total, rows_erased";

fn read(row: &Row) -> rusqlite::Result<Job> {
    Ok(Job {
        id: JobId(row.get(0)?),
        project: ProjectId(row.get(1)?),
        erasure: Erasure::parse(row.get_ref(2)?.as_str()?).ok_or_else(|| corrupt("a job's erasure"))?,
        origin: Origin::parse(row.get_ref(3)?.as_str()?).ok_or_else(|| corrupt("a job's origin"))?,
        status: JobStatus::parse(row.get_ref(4)?.as_str()?).ok_or_else(|| corrupt("a job's status"))?,
        reference: row.get(5)?,
        user: row.get::<_, Option<i64>>(6)?.map(UserId),
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
    })
}

/// What a new job is made of.
pub struct New<'a> {
    pub project: ProjectId,
    pub erasure: Erasure,
    pub origin: Origin,
    pub status: JobStatus,
    pub reference: &'a str,
    pub user: Option<UserId>,
    pub cutoff: Option<Millis>,
    pub start_at: Millis,
    pub rows_total: i64,
}

pub fn insert(tx: &Tx, new: &New) -> Result<Job> {
    let job = Job {
        id: JobId(sequences::next(tx, "job")?),
        project: new.project,
        erasure: new.erasure,
        origin: new.origin,
        status: new.status,
        reference: new.reference.to_owned(),
        user: new.user,
        cutoff: new.cutoff,
        created_at: tx.now(),
        updated_at: tx.now(),
        start_at: new.start_at,
        finished_at: None,
        attempts: 0,
        retry_at: None,
        error: None,
        rows_total: new.rows_total,
        rows_erased: 0,
    };
    tx.execute(
        "INSERT INTO jobs (id, project_id, erasure, origin, status, reference, user_id, cutoff, created_at,
             updated_at, start_at, rows_total)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11)",
        params![
            job.id.0,
            job.project.0,
            job.erasure.as_str(),
            job.origin.as_str(),
            job.status.as_str(),
            job.reference,
            job.user.map(|user| user.0),
            job.cutoff,
            job.created_at,
            job.start_at,
            job.rows_total,
        ],
    )?;
    Ok(job)
}

/// Writes everything back that changes in a job's life; `updated_at` becomes now.
pub fn update(tx: &Tx, job: &mut Job) -> Result<()> {
    job.updated_at = tx.now();
    tx.execute(
        "UPDATE jobs SET status = ?2, reference = ?3, user_id = ?4, cutoff = ?5, updated_at = ?6, start_at = ?7,
             finished_at = ?8, attempts = ?9, retry_at = ?10, error = ?11, rows_total = ?12, rows_erased = ?13
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
        ],
    )?;
    Ok(())
}

pub fn by_id(db: &Db, id: JobId) -> Result<Option<Job>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
    db.row(sql, params![id.0], read)
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

/// The project's jobs that were caused in one way, the newest first.
pub fn list_of(db: &Db, project: ProjectId, origin: Origin, limit: u32) -> Result<Vec<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs WHERE project_id = ?1 AND origin = ?2 ORDER BY id DESC LIMIT ?3"
    );
    db.rows(sql, params![project.0, origin.as_str(), limit], read)
}

/// The scheduled job that is due first.
pub fn first_scheduled(db: &Db) -> Result<Option<Job>> {
    let sql =
        formatcp!("SELECT {COLUMNS} FROM jobs WHERE status = 'scheduled' ORDER BY start_at, id LIMIT 1");
    db.row(sql, [], read)
}

/// The running job, not waiting for a retry at `now`, that was touched longest ago: so
/// they take turns.
pub fn next_running(db: &Db, now: Millis) -> Result<Option<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs WHERE status = 'running' AND coalesce(retry_at, 0) <= ?1
         ORDER BY updated_at, id LIMIT 1"
    );
    db.row(sql, params![now], read)
}

/// When the first of the running jobs that wait for a retry may go on.
pub fn first_retry(db: &Db) -> Result<Option<Millis>> {
    let sql = "SELECT min(retry_at) FROM jobs WHERE status = 'running'";
    Ok(db.row(sql, [], |row| row.get(0))?.flatten())
}

/// The unfinished job that takes this user's rows.
pub fn taking(db: &Db, user: UserId) -> Result<Option<Job>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM jobs WHERE status IN ('running', 'failed') AND user_id = ?1 ORDER BY id DESC LIMIT 1"
    );
    db.row(sql, params![user.0], read)
}

/// Puts `scrubbed` in the place of an identifier in every job that no longer needs it.
pub fn scrub(tx: &Tx, project: ProjectId, reference: &str, scrubbed: &str) -> Result<()> {
    tx.execute(
        "UPDATE jobs SET reference = ?3 WHERE reference = ?1 AND project_id = ?2 AND status <> 'scheduled'",
        params![reference, project.0, scrubbed],
    )?;
    Ok(())
}

/// A user has another identifier from now on: so have the jobs that name it.
pub fn rename(tx: &Tx, project: ProjectId, from: &str, to: &str) -> Result<()> {
    let sql = "UPDATE jobs SET reference = ?3 WHERE reference = ?1 AND project_id = ?2";
    tx.execute(sql, params![from, project.0, to])?;
    Ok(())
}

/// Whether there are jobs in a state; for tests' teardown and the pages' head.
pub fn any_in(db: &Db, status: JobStatus) -> Result<bool> {
    let sql = "SELECT 1 FROM jobs WHERE status = ?1 LIMIT 1";
    Ok(db.row(sql, params![status.as_str()], |_| Ok(()))?.is_some())
}
