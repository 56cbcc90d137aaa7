//! The audit log: who did what, to whom and when, each row chained to the one before it.
//! A subject is a keyed pseudonym, so the log stays valid, and nameless, after an erasure.

use super::row::Row;
use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{JobId, KeyId, ProjectId};
use crate::proof::audit::{self, GENESIS, Head, Link, Position};
use crate::proof::hex::Hex;

/// What is written down of an act; who, when and in which request is the transaction's.
#[derive(Debug, Clone, Default)]
pub struct Entry<'a> {
    pub action: &'a str,
    pub subject: Option<[u8; 16]>,
    pub project: Option<ProjectId>,
    pub job: Option<JobId>,
    pub reason: Option<&'a str>,
}

/// Writes an act down.
pub fn append(tx: &Tx, entry: &Entry) -> Result<()> {
    let last = position(tx)?;
    let row = audit::Row {
        seq: last.seq + 1,
        at: tx.now(),
        actor: tx.who().actor.to_string(),
        action: entry.action.to_owned(),
        subject: entry.subject.map(Hex),
        project: entry.project.map(|project| project.0),
        job: entry.job.map(|job| job.0),
        reason: entry.reason.map(str::to_owned),
        request_id: tx.who().request.map(|request| request.to_string()),
    };
    let hash = audit::hash(&last.head.0, &row);
    tx.execute(
        "INSERT INTO audit (seq, at, actor, action, subject, project_id, job_id, reason, request_id, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            i64::try_from(row.seq).map_err(Error::internal)?,
            row.at,
            row.actor,
            row.action,
            entry.subject,
            row.project,
            row.job,
            row.reason,
            row.request_id,
            hash,
        ],
    )?;
    Ok(())
}

/// Where the log ends.
pub fn position(db: &Db) -> Result<Position> {
    let last = db.row("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", params![], |row| {
        Ok((row.get::<i64>(0)?, row.get::<[u8; 32]>(1)?))
    })?;
    let (seq, hash) = last.unwrap_or((0, GENESIS));
    Ok(Position { seq: u64::try_from(seq).map_err(Error::internal)?, head: Hex(hash) })
}

fn read(row: &Row) -> Result<Link> {
    Ok(Link {
        row: audit::Row {
            seq: row.get::<i64>(0)?.unsigned_abs(),
            at: row.get(1)?,
            actor: row.get(2)?,
            action: row.get(3)?,
            subject: row.get::<Option<[u8; 16]>>(4)?.map(Hex),
            project: row.get(5)?,
            job: row.get(6)?,
            reason: row.get(7)?,
            request_id: row.get(8)?,
        },
        hash: row.get(9)?,
    })
}

const COLUMNS: &str = "seq, at, actor, action, subject, project_id, job_id, reason, request_id, hash";

/// Rows after one, in the order of the log.
pub fn after(db: &Db, seq: u64, limit: u32) -> Result<Vec<Link>> {
    let sql = const_format::formatcp!("SELECT {COLUMNS} FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    db.rows(sql, params![i64::try_from(seq).map_err(Error::internal)?, limit], read)
}

/// Some rows about one registration after one, in the order of the log.
pub fn of_subject(db: &Db, subject: &[u8; 16], seq: u64) -> Result<Vec<Link>> {
    let sql = const_format::formatcp!(
        "SELECT {COLUMNS} FROM audit WHERE subject = ?1 AND seq > ?2 ORDER BY seq LIMIT 200"
    );
    db.rows(sql, params![*subject, i64::try_from(seq).map_err(Error::internal)?], read)
}

/// Rows about one registration before one, the newest first.
pub fn of_subject_before(db: &Db, subject: &[u8; 16], seq: Option<u64>, limit: u32) -> Result<Vec<Link>> {
    let below = seq.map_or(Ok(i64::MAX), i64::try_from).map_err(Error::internal)?;
    let sql = const_format::formatcp!(
        "SELECT {COLUMNS} FROM audit WHERE subject = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3"
    );
    db.rows(sql, params![*subject, below, limit], read)
}

/// The numbers of rows that no log has: the first one is 1.
pub fn strays(db: &Db) -> Result<Vec<i64>> {
    db.rows("SELECT seq FROM audit WHERE seq < 1 ORDER BY seq", params![], |row| row.get(0))
}

/// Rows before one, the newest first.
pub fn before(db: &Db, seq: Option<u64>, limit: u32) -> Result<Vec<Link>> {
    let below = seq.map_or(Ok(i64::MAX), i64::try_from).map_err(Error::internal)?;
    let sql =
        const_format::formatcp!("SELECT {COLUMNS} FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2");
    db.rows(sql, params![below, limit], read)
}

/// A row that says that another state was put in the place of what went before.
pub struct Gap {
    pub row: u64,
    /// When the row before it was written, which the state that was put back has last.
    pub from: Millis,
    pub until: Millis,
}

/// The rows of an action, as gaps.
pub fn gaps(db: &Db, action: &str) -> Result<Vec<Gap>> {
    let sql = "SELECT seq, (SELECT at FROM audit AS last WHERE last.seq = audit.seq - 1), at
               FROM audit WHERE action = ?1 ORDER BY seq";
    db.rows(sql, params![action], |row| {
        let from = row.get::<Option<Millis>>(1)?.unwrap_or(Millis::MIN);
        Ok(Gap { row: row.get::<i64>(0)?.unsigned_abs(), from, until: row.get(2)? })
    })
}

/// Keeps a signed head.
pub fn keep_head(tx: &Tx, head: &Head) -> Result<()> {
    tx.execute(
        "INSERT INTO audit_heads (seq, hash, at, signature) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (seq) DO NOTHING",
        params![i64::try_from(head.seq).map_err(Error::internal)?, head.hash, head.at, head.signature.0],
    )?;
    Ok(())
}

/// The signed heads, the oldest first.
pub fn heads(db: &Db) -> Result<Vec<Head>> {
    db.rows("SELECT seq, hash, at, signature FROM audit_heads ORDER BY seq", params![], read_head)
}

/// The signed head that reaches farthest.
pub fn last_head(db: &Db) -> Result<Option<Head>> {
    let sql = "SELECT seq, hash, at, signature FROM audit_heads ORDER BY seq DESC LIMIT 1";
    db.row(sql, params![], read_head)
}

fn read_head(row: &Row) -> Result<Head> {
    Ok(Head {
        seq: row.get::<i64>(0)?.unsigned_abs(),
        hash: row.get(1)?,
        at: row.get(2)?,
        signature: Hex(row.get::<[u8; 64]>(3)?),
    })
}

/// Adds reads over the API to a key's count of a day.
pub fn count_reads(tx: &Tx, key: KeyId, day: Millis, reads: u64) -> Result<()> {
    tx.execute(
        "INSERT INTO api_reads (key_id, day, reads) VALUES (?1, ?2, ?3)
         ON CONFLICT (key_id, day) DO UPDATE SET reads = reads + excluded.reads",
        params![key.0, day, i64::try_from(reads).map_err(Error::internal)?],
    )?;
    Ok(())
}
