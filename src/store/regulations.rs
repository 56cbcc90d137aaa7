//! Regulations and their people, who are in them as a job, as a digest, or not at all.

use const_format::formatcp;

use super::row::Row;
use super::suppressions::Digest;
use super::value::{odd_row, params};
use super::{Db, Tx, sequences};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{
    Handle, JobId, JobStatus, ProjectId, Regulated, RegulatedJob, Regulation, RegulationKind,
};

const COLUMNS: &str = "id, handle, project_id, kind, is_single, created_at, withdrawn_at";

fn read(row: &Row) -> Result<Regulation> {
    let kind = RegulationKind::parse(row.text(3)?);
    Ok(Regulation {
        id: row.get(0)?,
        handle: row.get(1)?,
        project: row.get::<Option<i64>>(2)?.map(ProjectId),
        kind: kind.ok_or_else(odd_row)?,
        is_single: row.get(4)?,
        created_at: row.get(5)?,
        withdrawn_at: row.get(6)?,
    })
}

pub fn insert(
    tx: &Tx,
    project: Option<ProjectId>,
    kind: RegulationKind,
    handle: Handle,
    is_single: bool,
) -> Result<Regulation> {
    let id = sequences::next(tx, "regulation")?;
    tx.execute(
        "INSERT INTO regulations (id, handle, project_id, kind, is_single, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id, handle, project.map(|project| project.0), kind.as_str(), is_single, tx.now()],
    )?;
    Ok(Regulation { id, handle, project, kind, is_single, created_at: tx.now(), withdrawn_at: None })
}

/// One of the people, at a place that none of the others has.
pub struct New<'a> {
    pub place: i64,
    pub project: ProjectId,
    pub job: Option<JobId>,
    pub digest: Option<&'a Digest>,
    pub stand_in: &'a str,
}

pub fn add(tx: &Tx, regulation: i64, new: &New) -> Result<()> {
    tx.execute(
        "INSERT INTO regulation_subjects (regulation_id, place, project_id, job_id, digest, stand_in)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![regulation, new.place, new.project.0, new.job.map(|job| job.0), new.digest, new.stand_in],
    )?;
    Ok(())
}

pub fn by_handle(db: &Db, handle: Handle) -> Result<Option<Regulation>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM regulations WHERE handle = ?1");
    db.row(sql, params![handle], read)
}

/// Those below a number, the newest first; of one project, or of all and of several.
pub fn below(db: &Db, project: Option<ProjectId>, id: i64, limit: u32) -> Result<Vec<Regulation>> {
    match project {
        Some(project) => {
            let sql = formatcp!(
                "SELECT {COLUMNS} FROM regulations WHERE project_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
            );
            db.rows(sql, params![project.0, id, limit], read)
        }
        None => {
            let sql = formatcp!("SELECT {COLUMNS} FROM regulations WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
            db.rows(sql, params![id, limit], read)
        }
    }
}

/// A regulation's people, as they were named.
pub fn people(db: &Db, regulation: i64) -> Result<Vec<Regulated>> {
    db.rows(
        "SELECT s.project_id, s.digest, s.stand_in, j.status, j.reference, j.finished_at
         FROM regulation_subjects s LEFT JOIN jobs j ON j.id = s.job_id
         WHERE s.regulation_id = ?1 ORDER BY s.place",
        params![regulation],
        |row| {
            let status: Option<String> = row.get(3)?;
            let job = match status.as_deref() {
                None => None,
                Some(status) => Some(RegulatedJob {
                    status: JobStatus::parse(status).ok_or_else(odd_row)?,
                    reference: row.get(4)?,
                    finished_at: row.get(5)?,
                }),
            };
            Ok(Regulated { project: ProjectId(row.get(0)?), digest: row.get(1)?, stand_in: row.get(2)?, job })
        },
    )
}

pub fn set_withdrawn(tx: &Tx, regulation: i64, at: Millis) -> Result<()> {
    tx.execute("UPDATE regulations SET withdrawn_at = ?2 WHERE id = ?1", params![regulation, at])?;
    Ok(())
}

/// Of suppressions that are over no regulation keeps the digest: of this one, or of all.
pub fn forget_ended(tx: &Tx, which: Option<(ProjectId, &Digest)>) -> Result<()> {
    let (project, digest) = which.map_or((None, None), |(project, digest)| (Some(project.0), Some(digest)));
    tx.execute(
        "UPDATE regulation_subjects SET digest = NULL
         WHERE digest IS NOT NULL AND (?1 IS NULL OR project_id = ?1 AND digest = ?2)
             AND NOT EXISTS (SELECT 1 FROM suppressions s JOIN regulations r ON r.id = regulation_id
                 WHERE s.project_id = regulation_subjects.project_id AND s.digest = regulation_subjects.digest
                     AND s.subject = s.digest
                     AND s.source IN ('', CASE WHEN r.is_single THEN 'regulation ' || r.id ELSE 'regulations' END))",
        params![project, digest],
    )?;
    Ok(())
}
