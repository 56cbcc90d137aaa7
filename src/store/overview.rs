//! What the first page of the admin pages is made of. Each query reads a bounded number of rows, however
//! many there are.

use super::Db;
use super::value::params;
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{JobId, JobStatus, ProjectId};

/// A job that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    pub id: JobId,
    pub project: ProjectId,
    pub due: Millis,
}

/// Jobs in a state, `limit` at most: of failed ones the newest, of scheduled ones those that are due first.
/// Reads so many rows through the index of that state. A state that ends a job has none.
pub fn open_jobs(db: &Db, status: JobStatus, limit: u32) -> Result<Vec<Open>> {
    let sql = match status {
        JobStatus::Failed => {
            "SELECT id, project_id, start_at FROM jobs WHERE status = 'failed' ORDER BY id DESC LIMIT ?1"
        }
        JobStatus::Scheduled => {
            "SELECT id, project_id, start_at FROM jobs WHERE status = 'scheduled' ORDER BY start_at LIMIT ?1"
        }
        JobStatus::Running => "SELECT id, project_id, start_at FROM jobs WHERE status = 'running' LIMIT ?1",
        JobStatus::Completed | JobStatus::Cancelled => return Ok(Vec::new()),
    };
    db.rows(sql, params![limit], |row| {
        Ok(Open { id: JobId(row.get(0)?), project: ProjectId(row.get(1)?), due: row.get(2)? })
    })
}

/// The projects of users who came into the trash after an instant and no later than another, one each,
/// `limit` at most. Reads about so many rows through the index of the trash.
pub fn trashed_between(db: &Db, after: Millis, until: Millis, limit: u32) -> Result<Vec<ProjectId>> {
    let sql = "SELECT project_id FROM users
         WHERE state = 'hidden' AND deleted_at > ?1 AND deleted_at <= ?2
             AND project_id IN (SELECT id FROM projects WHERE deleted_at IS NULL)
         LIMIT ?3";
    db.rows(sql, params![after, until, limit], |row| Ok(ProjectId(row.get(0)?)))
}

/// How many live users a project has, `limit` at most. Reads so many entries of an index.
pub fn count_users(db: &Db, project: ProjectId, limit: i64) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM users WHERE state = 'live' AND project_id = ?1 LIMIT ?2)";
    Ok(db.row(sql, params![project.0, limit], |row| row.get(0))?.unwrap_or_default())
}

/// How many live users of a project were registered from one instant to before another, `limit` at most.
/// Reads so many entries of an index.
pub fn count_registered(db: &Db, project: ProjectId, from: Millis, to: Millis, limit: i64) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM (
            SELECT 1 FROM users
            WHERE state = 'live' AND project_id = ?1 AND created_at >= ?2 AND created_at < ?3 LIMIT ?4
        )";
    Ok(db.row(sql, params![project.0, from, to, limit], |row| row.get(0))?.unwrap_or_default())
}

/// A job, by its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dated {
    pub project: ProjectId,
    pub created_at: Millis,
    /// None: it is not completed.
    pub completed_at: Option<Millis>,
}

/// The newest `limit` jobs, which is what it reads.
pub fn newest_jobs(db: &Db, limit: u32) -> Result<Vec<Dated>> {
    let sql = "SELECT project_id, created_at, CASE status WHEN 'completed' THEN finished_at END
         FROM jobs ORDER BY id DESC LIMIT ?1";
    db.rows(sql, params![limit], |row| {
        Ok(Dated { project: ProjectId(row.get(0)?), created_at: row.get(1)?, completed_at: row.get(2)? })
    })
}

/// What came of messages since a day, by project and outcome: of `limit` counts, each of a key, a reason and
/// a day, which is what it reads.
pub fn repairs_since(db: &Db, day: Millis, limit: u32) -> Result<Vec<(ProjectId, String, i64)>> {
    let sql = "SELECT project_id, outcome, sum(count) FROM (
            SELECT project_id, outcome, count FROM repairs WHERE day >= ?1 LIMIT ?2
        ) GROUP BY project_id, outcome ORDER BY project_id, outcome";
    db.rows(sql, params![day, limit], |row| Ok((ProjectId(row.get(0)?), row.get(1)?, row.get(2)?)))
}
