//! Names that are kept out, as keyed digests: without the secret, which lies outside the file,
//! they say nothing of anybody.

use const_format::formatcp;
use rusqlite::{Row, params};

use super::tombstones::{Named, digest};
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Handle, ProjectId};

/// What stands for a name.
pub type Digest = Vec<u8>;

/// A subject that is kept out.
#[derive(Debug, Clone)]
pub struct Suppression {
    pub digest: Digest,
    /// What callers know it by.
    pub handle: Handle,
    pub created_at: Millis,
    /// None: until it is lifted.
    pub until: Option<Millis>,
    /// Messages under its own name that were kept out.
    pub hits: i64,
    pub reason: Option<String>,
}

const COLUMNS: &str = "digest, handle, created_at, until, hits, reason";

fn read(row: &Row) -> rusqlite::Result<Suppression> {
    Ok(Suppression {
        digest: row.get(0)?,
        handle: row.get(1)?,
        created_at: row.get(2)?,
        until: row.get(3)?,
        hits: row.get(4)?,
        reason: row.get(5)?,
    })
}

/// Keeps a name out, for the sake of the subject, from now on until then. Kept out for another's sake,
/// it stays so for the longer of the two, and for its own sake once that is asked for.
pub fn put(tx: &Tx, project: ProjectId, named: Named, subject: &Digest, until: Option<Millis>) -> Result<()> {
    let digest = digest(tx, project, named);
    tx.execute(
        "INSERT INTO suppressions (project_id, digest, subject, created_at, until, handle)
         VALUES (?1, ?2, ?3, ?4, ?5, CASE WHEN ?2 = ?3 THEN randomblob(16) END)
         ON CONFLICT (project_id, digest) DO UPDATE SET
             ends_with_user = 0,
             until = CASE
                 WHEN suppressions.subject = excluded.subject THEN excluded.until
                 WHEN suppressions.until IS NULL OR excluded.until IS NULL THEN NULL
                 WHEN excluded.until > suppressions.until THEN excluded.until
                 ELSE suppressions.until END,
             handle = coalesce(suppressions.handle, excluded.handle),
             subject = CASE
                 WHEN excluded.subject = excluded.digest THEN excluded.subject
                 ELSE suppressions.subject END",
        params![project.0, digest, subject, tx.now(), until],
    )?;
    Ok(())
}

/// The digest under which a name would be kept out.
pub fn digest_of(tx: &Tx, project: ProjectId, named: Named) -> Digest {
    digest(tx, project, named)
}

/// Whether a name is kept out now.
pub fn is_kept_out(tx: &Tx, project: ProjectId, named: Named) -> Result<bool> {
    let sql =
        "SELECT 1 FROM suppressions WHERE project_id = ?1 AND digest = ?2 AND (until IS NULL OR until > ?3)";
    Ok(tx.row(sql, params![project.0, digest(tx, project, named), tx.now()], |_| Ok(()))?.is_some())
}

/// Whether the project keeps anybody out.
pub fn any(db: &Db, project: ProjectId) -> Result<bool> {
    let sql = "SELECT 1 FROM suppressions WHERE project_id = ?1 LIMIT 1";
    Ok(db.row(sql, params![project.0], |_| Ok(()))?.is_some())
}

/// Counts a message that was kept out.
pub fn note_hit(tx: &Tx, project: ProjectId, named: Named) -> Result<()> {
    let sql = "UPDATE suppressions SET hits = hits + 1 WHERE project_id = ?1 AND digest = ?2";
    tx.execute(sql, params![project.0, digest(tx, project, named)])?;
    Ok(())
}

/// Lets a subject and all names that went with it in again. Returns how many names those were.
pub fn remove(tx: &Tx, project: ProjectId, subject: &Digest) -> Result<usize> {
    tx.execute("DELETE FROM suppressions WHERE project_id = ?1 AND subject = ?2", params![project.0, subject])
}

/// Which switches of the subject's own made its suppression, as bits: it ends with the subject. None:
/// it is not kept out now; 0: somebody asked for it, and it stays.
pub fn switches(tx: &Tx, project: ProjectId, subject: &Digest) -> Result<Option<i64>> {
    let sql = "SELECT ends_with_user FROM suppressions
               WHERE project_id = ?1 AND digest = ?2 AND (until IS NULL OR until > ?3)";
    tx.row(sql, params![project.0, subject, tx.now()], |row| row.get(0))
}

pub fn set_switches(tx: &Tx, project: ProjectId, subject: &Digest, bits: i64) -> Result<()> {
    let sql = "UPDATE suppressions SET ends_with_user = ?3 WHERE project_id = ?1 AND subject = ?2";
    tx.execute(sql, params![project.0, subject, bits])?;
    Ok(())
}

/// Says why a subject is kept out.
pub fn set_reason(tx: &Tx, project: ProjectId, subject: &Digest, reason: Option<&str>) -> Result<()> {
    let sql = "UPDATE suppressions SET reason = ?3 WHERE project_id = ?1 AND digest = ?2";
    tx.execute(sql, params![project.0, subject, reason])?;
    Ok(())
}

/// For whose sake a name is kept out now: the subject's digest.
pub fn subject_of(tx: &Tx, project: ProjectId, named: Named) -> Result<Option<Digest>> {
    let sql = "SELECT subject FROM suppressions
               WHERE project_id = ?1 AND digest = ?2 AND (until IS NULL OR until > ?3)";
    tx.row(sql, params![project.0, digest(tx, project, named), tx.now()], |row| row.get(0))
}

/// What is kept of a subject, if it is kept out now.
pub fn of_subject(db: &Db, project: ProjectId, subject: &Digest, now: Millis) -> Result<Option<Suppression>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM suppressions WHERE project_id = ?1 AND digest = ?2 AND digest = subject
             AND (until IS NULL OR until > ?3)"
    );
    db.row(sql, params![project.0, subject, now], read)
}

/// The same by what callers know it by.
pub fn by_handle(db: &Db, project: ProjectId, handle: Handle, now: Millis) -> Result<Option<Suppression>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM suppressions
         WHERE project_id = ?1 AND handle = ?2 AND (until IS NULL OR until > ?3)"
    );
    db.row(sql, params![project.0, handle, now], read)
}

/// The subjects that are kept out, by digest, behind one of them.
pub fn list(
    db: &Db,
    project: ProjectId,
    after: Option<&Digest>,
    limit: u32,
    now: Millis,
) -> Result<Vec<Suppression>> {
    let none = Digest::new();
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM suppressions
         WHERE project_id = ?1 AND digest > ?2 AND digest = subject AND (until IS NULL OR until > ?4)
         ORDER BY digest LIMIT ?3"
    );
    db.rows(sql, params![project.0, after.unwrap_or(&none), limit, now], read)
}

/// The same by handle.
pub fn list_by_handle(
    db: &Db,
    project: ProjectId,
    after: Option<Handle>,
    limit: u32,
    now: Millis,
) -> Result<Vec<Suppression>> {
    let none: &[u8] = &[];
    let after = after.as_ref().map_or(none, |handle| handle);
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM suppressions
         WHERE project_id = ?1 AND handle > ?2 AND (until IS NULL OR until > ?4)
         ORDER BY handle LIMIT ?3"
    );
    db.rows(sql, params![project.0, after, limit, now], read)
}

/// Forgets up to `limit` of those whose time is over. Returns how many.
pub fn prune(tx: &Tx, limit: i64) -> Result<usize> {
    tx.execute(
        "DELETE FROM suppressions WHERE (project_id, digest) IN
             (SELECT project_id, digest FROM suppressions WHERE until <= ?1 LIMIT ?2)",
        params![tx.now(), limit],
    )
}
