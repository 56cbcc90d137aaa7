//! What there is of a project, and its row once it is deleted.

use const_format::formatcp;

use super::users::{COLUMNS, read};
use super::value::{odd_row, params};
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{JobId, Origin, ProjectId, User};
use crate::trace::LegalBasis;

/// How much there is of a project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub live: i64,
    pub trash: i64,
    /// Whose account is gone and whose activity stays.
    pub detached: i64,
    /// Jobs that wait for their hour.
    pub scheduled: i64,
    /// Keys that are not revoked.
    pub keys: i64,
    /// Names that are kept out.
    pub suppressions: i64,
}

/// It reads an index entry a user: for scans.
pub fn counts(db: &Db, project: ProjectId) -> Result<Counts> {
    let count = |sql: &str| -> Result<i64> {
        Ok(db.row(sql, params![project.0], |row| row.get(0))?.unwrap_or_default())
    };
    Ok(Counts {
        live: count("SELECT count(*) FROM users WHERE project_id = ?1 AND state = 'live'")?,
        trash: count(
            "SELECT count(*) FROM users
             WHERE project_id = ?1 AND state IN ('hidden', 'detached') AND state = 'hidden'",
        )?,
        detached: count(
            "SELECT count(*) FROM users
             WHERE project_id = ?1 AND state IN ('hidden', 'detached') AND state = 'detached'",
        )?,
        scheduled: count("SELECT count(*) FROM jobs WHERE project_id = ?1 AND status = 'scheduled'")?,
        keys: count("SELECT count(*) FROM api_keys WHERE project_id = ?1 AND revoked_at IS NULL")?,
        suppressions: count("SELECT count(DISTINCT subject) FROM suppressions WHERE project_id = ?1")?,
    })
}

/// By what its users are erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    pub project: ProjectId,
    pub origin: Origin,
    pub legal_basis: LegalBasis,
}

/// The project is deleted from now on: its settings go, and its name, under which another may be made.
/// The row stays, under a name that says so.
pub fn mark(tx: &Tx, deletion: &Deletion) -> Result<()> {
    tx.execute(
        "UPDATE projects SET deleted_at = ?2, deleted_by = ?3, deleted_ground = ?4, name = 'deleted ' || key,
             origins = '', placeholders = NULL, proficient_client_secret = NULL, public_writes = 'events only',
             people_per_address = NULL, people_per_hour = NULL, erased_kept_days = NULL, erased_kept_why = NULL
         WHERE id = ?1",
        params![deletion.project.0, tx.now(), deletion.origin.as_str(), deletion.legal_basis.as_str()],
    )?;
    Ok(())
}

/// A deleted project of which something may be left.
pub fn first(db: &Db) -> Result<Option<Deletion>> {
    let sql = "SELECT id, deleted_by, deleted_ground FROM projects
               WHERE deleted_at IS NOT NULL AND emptied_at IS NULL ORDER BY id LIMIT 1";
    db.row(sql, params![], |row| {
        let origin = Origin::parse(row.text(1)?);
        let legal_basis = LegalBasis::parse(row.text(2)?);
        Ok(Deletion {
            project: ProjectId(row.get(0)?),
            origin: origin.ok_or_else(odd_row)?,
            legal_basis: legal_basis.ok_or_else(odd_row)?,
        })
    })
}

/// A user of the project whose erasure has not begun. One whose account or activity is being erased
/// comes after that: see [`any_user`].
pub fn next_user(db: &Db, project: ProjectId) -> Result<Option<User>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM users WHERE project_id = ?1 AND state IN ('hidden', 'detached') AND NOT EXISTS
             (SELECT 1 FROM jobs WHERE user_id = users.id AND status = 'running')
         ORDER BY id LIMIT 1"
    );
    if let Some(user) = db.row(sql, params![project.0], read)? {
        return Ok(Some(user));
    }
    let live =
        formatcp!("SELECT {COLUMNS} FROM users WHERE project_id = ?1 AND state = 'live' ORDER BY id LIMIT 1");
    db.row(live, params![project.0], read)
}

/// Whether there is a user of the project whose erasure has not begun, or is of a part.
pub fn any_user(db: &Db, project: ProjectId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE project_id = ?1 AND state = 'live')
                   OR EXISTS (SELECT 1 FROM users WHERE project_id = ?1 AND state IN ('hidden', 'detached'))";
    Ok(db.row(sql, params![project.0], |row| row.get(0))?.unwrap_or(false))
}

/// A job of the project that waits for its hour.
pub fn next_scheduled(db: &Db, project: ProjectId) -> Result<Option<JobId>> {
    let sql = "SELECT id FROM jobs WHERE project_id = ?1 AND status = 'scheduled' ORDER BY start_at LIMIT 1";
    db.row(sql, params![project.0], |row| row.get(0).map(JobId))
}

/// Removes some of what is about the project alone. False: none is left.
pub fn forget(tx: &Tx, project: ProjectId, limit: i64) -> Result<bool> {
    const STEPS: [&str; 8] = [
        "UPDATE regulation_subjects SET digest = NULL WHERE (regulation_id, place) IN
             (SELECT regulation_id, place FROM regulation_subjects
              WHERE project_id = ?1 AND digest IS NOT NULL LIMIT ?2)",
        "DELETE FROM erased_identifiers WHERE (project_id, digest) IN
             (SELECT project_id, digest FROM erased_identifiers WHERE project_id = ?1 LIMIT ?2)",
        "DELETE FROM suppressions WHERE (project_id, digest, subject, source) IN
             (SELECT project_id, digest, subject, source FROM suppressions WHERE project_id = ?1 LIMIT ?2)",
        "DELETE FROM recent_repairs WHERE id IN (SELECT id FROM recent_repairs WHERE project_id = ?1 LIMIT ?2)",
        "DELETE FROM repairs WHERE (project_id, day, key_id, outcome, reason) IN
             (SELECT project_id, day, key_id, outcome, reason FROM repairs WHERE project_id = ?1 LIMIT ?2)",
        "DELETE FROM old_secrets WHERE hash IN (SELECT hash FROM old_secrets WHERE project_id = ?1 LIMIT ?2)",
        "DELETE FROM admin_projects WHERE (admin_id, project_id) IN
             (SELECT admin_id, project_id FROM admin_projects WHERE project_id = ?1 LIMIT ?2)",
        "DELETE FROM imports WHERE id IN (SELECT id FROM imports WHERE project_id = ?1 LIMIT ?2)",
    ];
    for sql in STEPS {
        if tx.execute(sql, params![project.0, limit])? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

pub fn note_emptied(tx: &Tx, project: ProjectId, at: Millis) -> Result<()> {
    tx.execute("UPDATE projects SET emptied_at = ?2 WHERE id = ?1", params![project.0, at])?;
    Ok(())
}
