//! Names that are kept out, as keyed digests: without the secret, which lies outside the file,
//! they say nothing of anybody.

use rusqlite::params;

use super::tombstones::{Named, digest};
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::ProjectId;

/// What stands for a name.
pub type Digest = Vec<u8>;

/// A name that is kept out.
#[derive(Debug, Clone)]
pub struct Suppression {
    pub digest: Digest,
    pub created_at: Millis,
    /// None: until it is lifted.
    pub until: Option<Millis>,
    pub hits: i64,
}

/// A name that is to be kept out, for the sake of the subject.
#[derive(Debug, Clone)]
pub struct New<'a> {
    pub digest: &'a Digest,
    pub subject: &'a Digest,
    pub from: Millis,
    pub until: Option<Millis>,
    /// It ends when the subject is erased in the API that made it.
    pub ends_with_user: bool,
}

/// Keeps a name out. Kept out for another's sake, it stays so for the longer of the two.
pub fn put(tx: &Tx, project: ProjectId, new: &New) -> Result<()> {
    let New { digest, subject, from, until, ends_with_user } = new;
    tx.execute(
        "INSERT INTO suppressions (project_id, digest, subject, created_at, until, ends_with_user)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (project_id, digest) DO UPDATE SET ends_with_user = excluded.ends_with_user, until = CASE
             WHEN suppressions.subject = excluded.subject THEN excluded.until
             WHEN suppressions.until IS NULL OR excluded.until IS NULL THEN NULL
             WHEN excluded.until > suppressions.until THEN excluded.until
             ELSE suppressions.until END",
        params![project.0, digest, subject, from, until, ends_with_user],
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

/// Whether a subject's suppression ends when the subject is erased in the API that made it.
pub fn ends_with_user(db: &Db, project: ProjectId, subject: &Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM suppressions WHERE project_id = ?1 AND digest = ?2 AND ends_with_user = 1";
    Ok(db.row(sql, params![project.0, subject], |_| Ok(()))?.is_some())
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
    db.rows(
        "SELECT digest, created_at, until, hits FROM suppressions
         WHERE project_id = ?1 AND digest > ?2 AND digest = subject AND (until IS NULL OR until > ?4)
         ORDER BY digest LIMIT ?3",
        params![project.0, after.unwrap_or(&none), limit, now],
        |row| {
            Ok(Suppression {
                digest: row.get(0)?,
                created_at: row.get(1)?,
                until: row.get(2)?,
                hits: row.get(3)?,
            })
        },
    )
}

/// Forgets up to `limit` of those whose time is over. Returns how many.
pub fn prune(tx: &Tx, limit: i64) -> Result<usize> {
    tx.execute(
        "DELETE FROM suppressions WHERE (project_id, digest) IN
             (SELECT project_id, digest FROM suppressions WHERE until <= ?1 LIMIT ?2)",
        params![tx.now(), limit],
    )
}
