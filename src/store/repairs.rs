//! What was repaired, dropped or refused on its way in: counted by day, and the newest one by one.

use super::value::params;
use super::{Db, Tx};
use crate::clock::{DAY, Millis};
use crate::error::Result;
use crate::model::{ProjectId, Repair};

/// How often something came of what a key sent on a day.
#[derive(Debug, Clone)]
pub struct Count {
    /// Its first millisecond, UTC.
    pub day: Millis,
    /// 0: the ingest token.
    pub key: i64,
    pub outcome: String,
    pub reason: String,
    pub count: i64,
}

/// One of the newest.
#[derive(Debug, Clone)]
pub struct Recent {
    pub at: Millis,
    pub key: i64,
    pub outcome: String,
    pub reason: String,
    pub field: String,
}

/// Adds to the count of a repair, for the key that asks.
pub fn count(tx: &Tx, project: ProjectId, repair: Repair, times: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO repairs (project_id, day, key_id, outcome, reason, count) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (project_id, day, key_id, outcome, reason) DO UPDATE SET count = count + excluded.count",
        params![
            project.0,
            tx.now().div_euclid(DAY) * DAY,
            tx.who().actor.key_number().unwrap_or_default(),
            repair.outcome.as_str(),
            repair.reason,
            times,
        ],
    )?;
    Ok(())
}

/// Adds one to the newest.
pub fn remember(tx: &Tx, project: ProjectId, repair: Repair) -> Result<()> {
    tx.execute(
        "INSERT INTO recent_repairs (project_id, at, key_id, outcome, reason, field)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            project.0,
            tx.now(),
            tx.who().actor.key_number().unwrap_or_default(),
            repair.outcome.as_str(),
            repair.reason,
            repair.field,
        ],
    )?;
    Ok(())
}

/// The counts since a day, the newest day and the largest number first.
pub fn counts(db: &Db, project: ProjectId, since: Millis) -> Result<Vec<Count>> {
    let sql = "SELECT day, key_id, outcome, reason, count FROM repairs
               WHERE project_id = ?1 AND day >= ?2 ORDER BY day DESC, count DESC, outcome, reason, key_id";
    db.rows(sql, params![project.0, since], |row| {
        Ok(Count {
            day: row.get(0)?,
            key: row.get(1)?,
            outcome: row.get(2)?,
            reason: row.get(3)?,
            count: row.get(4)?,
        })
    })
}

/// The newest, the last one first.
pub fn recent(db: &Db, project: ProjectId, limit: u32) -> Result<Vec<Recent>> {
    let sql = "SELECT at, key_id, outcome, reason, field FROM recent_repairs
               WHERE project_id = ?1 ORDER BY id DESC LIMIT ?2";
    db.rows(sql, params![project.0, limit], |row| {
        Ok(Recent {
            at: row.get(0)?,
            key: row.get(1)?,
            outcome: row.get(2)?,
            reason: row.get(3)?,
            field: row.get(4)?,
        })
    })
}

/// Forgets counts of days before one, up to `limit` rows. Returns how many.
pub fn prune(tx: &Tx, before: Millis, limit: i64) -> Result<usize> {
    tx.execute(
        "DELETE FROM repairs WHERE (project_id, day, key_id, outcome, reason) IN
             (SELECT project_id, day, key_id, outcome, reason FROM repairs WHERE day < ?1 LIMIT ?2)",
        params![before, limit],
    )
}

/// Forgets all but the newest `keep` of a project, up to `limit` rows. Returns how many.
pub fn keep_newest(tx: &Tx, project: ProjectId, keep: u32, limit: i64) -> Result<usize> {
    tx.execute(
        "DELETE FROM recent_repairs WHERE id IN
             (SELECT id FROM recent_repairs WHERE project_id = ?1 AND id <=
                 (SELECT id FROM recent_repairs WHERE project_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
              LIMIT ?3)",
        params![project.0, keep, limit],
    )
}
