//! Figures of the whole installation, for those who watch over it.

use super::value::params;
use super::writer::{Load, Writer};
use super::{Db, Store, Tx, sequences};
use crate::clock::Millis;
use crate::error::Result;

/// Jobs that are not over, in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// A status; of running ones their step.
    pub state: String,
    pub count: i64,
    /// When the one that was due first was due.
    pub due: Option<Millis>,
}

/// Jobs that are not over. It reads those alone, through their indexes.
pub fn open_jobs(db: &Db) -> Result<Vec<Open>> {
    let sql = "SELECT 'scheduled', count(*), min(start_at) FROM jobs WHERE status = 'scheduled'
         UNION ALL SELECT coalesce(step, 'running'), count(*), min(start_at) FROM jobs WHERE status = 'running' GROUP BY 1
         UNION ALL SELECT 'failed', count(*), min(start_at) FROM jobs WHERE status = 'failed'";
    db.rows(sql, params![], |row| Ok(Open { state: row.get(0)?, count: row.get(1)?, due: row.get(2)? }))
}

/// How often something came of messages since a day, by what came of them.
pub fn repairs_since(db: &Db, day: Millis) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT outcome, sum(count) FROM repairs WHERE day >= ?1 GROUP BY outcome ORDER BY outcome";
    db.rows(sql, params![day], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// When the newest row of the audit log was written.
pub fn last_act(db: &Db) -> Result<Option<Millis>> {
    db.row("SELECT at FROM audit ORDER BY seq DESC LIMIT 1", params![], |row| row.get(0))
}

/// Reads a row, for those who ask whether that can be done.
pub fn probe(db: &Db) -> Result<()> {
    db.row("SELECT value FROM sequences LIMIT 1", params![], |_| Ok(())).map(drop)
}

/// Writes a row, which is another each time: what is as it was SQLite would not write.
pub fn probe_write(tx: &Tx) -> Result<()> {
    sequences::next(tx, "probe").map(drop)
}

impl Store {
    pub fn load(&self) -> Load {
        let wal = std::fs::metadata(&self.wal).map_or(0, |about| about.len());
        Load { wal, ..self.writer.as_ref().map(Writer::load).unwrap_or_default() }
    }

    /// Whether a part of the database that does not read was met since the start, and which.
    pub fn damage(&self) -> Option<&str> {
        self.alarm.met()
    }
}
