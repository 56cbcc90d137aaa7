//! Files that are imported, and how far each came.

use const_format::formatcp;

use super::row::Row;
use super::value::{odd_row, params};
use super::{Db, Tx, sequences};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::ProjectId;

/// How an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Running,
    Done,
    /// Too much of it could not be taken.
    Failed,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Done => "done",
            Status::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Option<Status> {
        [Status::Running, Status::Done, Status::Failed].into_iter().find(|status| status.as_str() == text)
    }
}

/// An import as it is kept.
#[derive(Debug, Clone)]
pub struct Import {
    pub id: i64,
    pub project: ProjectId,
    pub source: String,
    pub size: i64,
    pub status: Status,
    /// The last record that is done.
    pub record: i64,
    pub offset: i64,
    /// As JSON.
    pub counts: String,
    /// As JSON.
    pub faults: String,
    /// All of it was taken in before.
    pub again: bool,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub finished_at: Option<Millis>,
}

const COLUMNS: &str = "id, project_id, source, size, status, record, byte_offset, counts, faults, again, created_at, \
    updated_at, finished_at";

fn read(row: &Row) -> Result<Import> {
    Ok(Import {
        id: row.get(0)?,
        project: ProjectId(row.get(1)?),
        source: row.get(2)?,
        size: row.get(3)?,
        status: Status::parse(row.text(4)?).ok_or_else(odd_row)?,
        record: row.get(5)?,
        offset: row.get(6)?,
        counts: row.get(7)?,
        faults: row.get(8)?,
        again: row.get(9)?,
        created_at: row.get(10)?,
        updated_at: row.get(11)?,
        finished_at: row.get(12)?,
    })
}

/// By what a file is known again.
#[derive(Debug, Clone)]
pub struct Key<'a> {
    pub project: ProjectId,
    pub source: &'a str,
    pub size: i64,
    pub digest: [u8; 32],
}

/// The import of a file, if it was begun.
pub fn find(db: &Db, key: &Key) -> Result<Option<Import>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM imports WHERE project_id = ?1 AND source = ?2 AND size = ?3 AND digest = ?4"
    );
    db.row(sql, params![key.project.0, key.source, key.size, key.digest], read)
}

/// A project's import by its number.
pub fn by_id(db: &Db, project: ProjectId, id: i64) -> Result<Option<Import>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM imports WHERE id = ?1 AND project_id = ?2");
    db.row(sql, params![id, project.0], read)
}

/// A project's imports below a number, the newest first.
pub fn list(db: &Db, project: ProjectId, below: i64, limit: u32) -> Result<Vec<Import>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM imports WHERE project_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
    );
    db.rows(sql, params![project.0, below, limit], read)
}

/// Begins one; returns its number.
pub fn insert(tx: &Tx, key: &Key, counts: &str, faults: &str) -> Result<i64> {
    let id = sequences::next(tx, "import")?;
    tx.execute(
        "INSERT INTO imports (id, project_id, source, size, digest, status, counts, faults, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'running', ?6, ?7, ?8, ?8)",
        params![id, key.project.0, key.source, key.size, key.digest, counts, faults, tx.now()],
    )?;
    Ok(id)
}

/// Begins it from the first record.
pub fn restart(tx: &Tx, id: i64, again: bool, counts: &str, faults: &str) -> Result<()> {
    tx.execute(
        "UPDATE imports SET status = 'running', record = 0, byte_offset = 0, counts = ?2, faults = ?3, again = ?4,
             updated_at = ?5, finished_at = NULL
         WHERE id = ?1",
        params![id, counts, faults, again, tx.now()],
    )?;
    Ok(())
}

/// Notes that it came from one record to another. False: something else moved it meanwhile.
pub fn advance(tx: &Tx, id: i64, from: i64, to: (i64, i64), counts: &str, faults: &str) -> Result<bool> {
    let moved = tx.execute(
        "UPDATE imports SET record = ?3, byte_offset = ?4, counts = ?5, faults = ?6, updated_at = ?7
         WHERE id = ?1 AND record = ?2 AND status = 'running'",
        params![id, from, to.0, to.1, counts, faults, tx.now()],
    )?;
    Ok(moved > 0)
}

/// It ends so.
pub fn finish(tx: &Tx, id: i64, status: Status) -> Result<()> {
    tx.execute(
        "UPDATE imports SET status = ?2, updated_at = ?3, finished_at = ?3 WHERE id = ?1",
        params![id, status.as_str(), tx.now()],
    )?;
    Ok(())
}

/// Forgets those of a project that nobody went on with since.
pub fn prune(tx: &Tx, project: ProjectId, before: Millis) -> Result<usize> {
    tx.execute("DELETE FROM imports WHERE project_id = ?1 AND updated_at < ?2", params![project.0, before])
}
