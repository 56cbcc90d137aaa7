//! Names that are kept out, as keyed digests: without the secret, which lies outside the file,
//! they say nothing of anybody. Each suppression stands for itself: by whom it was asked for, and
//! which names it covers.

use const_format::formatcp;

use super::erased_identifiers::{Named, digest};
use super::row::Row;
use super::value::params;
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
    /// By whom it was asked for.
    pub source: String,
    /// What callers know it by.
    pub handle: Handle,
    pub created_at: Millis,
    /// None: until it is lifted.
    pub until: Option<Millis>,
    /// Messages under its own name that were kept out.
    pub hits: i64,
    pub reason: Option<String>,
}

pub(super) const COLUMNS: &str = "digest, handle, created_at, until, hits, reason, source";

pub(super) fn read(row: &Row) -> Result<Suppression> {
    Ok(Suppression {
        digest: row.get(0)?,
        handle: row.get(1)?,
        created_at: row.get(2)?,
        until: row.get(3)?,
        hits: row.get(4)?,
        reason: row.get(5)?,
        source: row.get(6)?,
    })
}

/// A suppression: of whom, and by whom it was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Which<'a> {
    pub project: ProjectId,
    pub subject: &'a Digest,
    pub source: &'a str,
}

/// Keeps a name out from now on until then.
pub fn put(tx: &Tx, which: Which, named: Named, until: Option<Millis>) -> Result<()> {
    put_digest(tx, which, &digest(tx, which.project, named), tx.now(), until)
}

/// The same for a name whose digest is at hand.
pub fn put_digest(tx: &Tx, which: Which, name: &Digest, from: Millis, until: Option<Millis>) -> Result<()> {
    tx.execute(
        "INSERT INTO suppressions (project_id, digest, subject, source, created_at, until, handle)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, CASE WHEN ?2 = ?3 THEN randomblob(16) END)
         ON CONFLICT (project_id, digest, subject, source) DO UPDATE SET until = excluded.until",
        params![which.project.0, name, which.subject, which.source, from, until],
    )?;
    Ok(())
}

/// The digest under which a name would be kept out.
pub fn digest_of(tx: &Tx, project: ProjectId, named: Named) -> Digest {
    digest(tx, project, named)
}

/// Whether a name is kept out now.
pub fn is_kept_out(tx: &Tx, project: ProjectId, named: Named) -> Result<bool> {
    let sql = "SELECT 1 FROM suppressions
               WHERE project_id = ?1 AND digest = ?2 AND (until IS NULL OR until > ?3) LIMIT 1";
    Ok(tx.row(sql, params![project.0, digest(tx, project, named), tx.now()], |_| Ok(()))?.is_some())
}

/// Those by which a name is kept out now: the subject, and by whom each was asked for.
pub fn keeping_out(tx: &Tx, project: ProjectId, named: Named) -> Result<Vec<(Digest, String)>> {
    let sql = "SELECT subject, source FROM suppressions
               WHERE project_id = ?1 AND digest = ?2 AND (until IS NULL OR until > ?3)
               ORDER BY created_at, source";
    let digest = digest(tx, project, named);
    tx.rows(sql, params![project.0, digest, tx.now()], |row| Ok((row.get(0)?, row.get(1)?)))
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

/// Ends a suppression with all names that it covers. Returns how many names those were.
pub fn remove(tx: &Tx, which: Which) -> Result<usize> {
    let sql = "DELETE FROM suppressions WHERE project_id = ?1 AND subject = ?2 AND source = ?3";
    tx.execute(sql, params![which.project.0, which.subject, which.source])
}

/// For whose sake a name is kept out that goes with somebody, as far as this source is asked.
pub fn went_with(db: &Db, project: ProjectId, source: &str, name: &Digest) -> Result<Vec<(Digest, String)>> {
    let sql = "SELECT subject, source FROM suppressions
               WHERE project_id = ?1 AND digest = ?2 AND subject <> digest AND source IN (?3, '')";
    db.rows(sql, params![project.0, name, source], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Lets one name in. Returns how many rows that were.
pub fn remove_name(tx: &Tx, which: Which, name: &Digest) -> Result<usize> {
    tx.execute(
        "DELETE FROM suppressions WHERE project_id = ?1 AND digest = ?2 AND subject = ?3 AND source = ?4",
        params![which.project.0, name, which.subject, which.source],
    )
}

/// Says why a subject is kept out.
pub fn set_reason(tx: &Tx, which: Which, reason: Option<&str>) -> Result<()> {
    let sql = "UPDATE suppressions SET reason = ?4
               WHERE project_id = ?1 AND digest = ?2 AND subject = ?2 AND source = ?3";
    tx.execute(sql, params![which.project.0, which.subject, which.source, reason])?;
    Ok(())
}

/// What is kept of a subject, if this source keeps it out now.
pub fn of_subject(db: &Db, which: Which, now: Millis) -> Result<Option<Suppression>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM suppressions
         WHERE project_id = ?1 AND digest = ?2 AND subject = ?2 AND source = ?3
             AND (until IS NULL OR until > ?4)"
    );
    db.row(sql, params![which.project.0, which.subject, which.source, now], read)
}

/// The same by what callers know it by.
pub fn by_handle(db: &Db, project: ProjectId, handle: Handle, now: Millis) -> Result<Option<Suppression>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM suppressions
         WHERE project_id = ?1 AND handle = ?2 AND (until IS NULL OR until > ?3)"
    );
    db.row(sql, params![project.0, handle, now], read)
}

/// The subjects that a source keeps out, by digest, behind one of them.
pub fn list(
    db: &Db,
    project: ProjectId,
    source: &str,
    after: Option<&Digest>,
    limit: u32,
    now: Millis,
) -> Result<Vec<Suppression>> {
    let none = Digest::new();
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM suppressions
         WHERE project_id = ?1 AND digest > ?2 AND digest = subject AND source IN (?5, '')
             AND (until IS NULL OR until > ?4)
         GROUP BY digest ORDER BY digest LIMIT ?3"
    );
    db.rows(sql, params![project.0, after.unwrap_or(&none), limit, now, source], read)
}

/// All of them, by handle.
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
        "DELETE FROM suppressions WHERE (project_id, digest, subject, source) IN
             (SELECT project_id, digest, subject, source FROM suppressions WHERE until <= ?1 LIMIT ?2)",
        params![tx.now(), limit],
    )
}
