//! What of the erased is searched for, until all files were searched: see [`super::search`].

use serde_json::Value as Json;

use super::fragment::{Fragment, SearchKey, SearchTarget};
use super::value::{Value, params};
use super::{Db, Tx, jobs};
use crate::error::{Error, Result};
use crate::model::JobId;

/// The most fragments of one job. What comes later is not searched for, only scrubbed.
const MOST: i64 = 10_000;

/// Takes down the fragments of one job.
pub struct FragmentCollector<'a> {
    tx: &'a Tx<'a>,
    job: JobId,
    key: SearchKey,
    count: i64,
}

impl<'a> FragmentCollector<'a> {
    pub fn new(tx: &'a Tx<'a>, job: JobId) -> Result<FragmentCollector<'a>> {
        let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM needles WHERE job_id = ?1 LIMIT ?2)";
        let count = tx.row(sql, params![job.0, MOST], |row| row.get(0))?.unwrap_or(0);
        Ok(FragmentCollector { tx, job, key: tx.search_key(), count })
    }

    pub fn is_full(&self) -> bool {
        self.count >= MOST
    }

    /// A value that is about to go; of JSON, its texts.
    pub fn see(&mut self, value: Value) -> Result<()> {
        match value {
            Value::Text(text) => match serde_json::from_str::<Json>(&text) {
                Ok(json @ (Json::Object(_) | Json::Array(_))) => self.see_json(&json),
                _ => self.add(text.as_bytes()),
            },
            Value::Blob(bytes) => {
                self.add(bytes.get(..64).unwrap_or(&bytes))?;
                self.add(bytes.get(bytes.len() / 2..bytes.len() / 2 + 64).unwrap_or_default())
            }
            Value::Null | Value::Int(_) => Ok(()),
        }
    }

    fn see_json(&mut self, json: &Json) -> Result<()> {
        match json {
            Json::String(text) => self.add(text.as_bytes()),
            Json::Array(list) => list.iter().try_for_each(|value| self.see_json(value)),
            Json::Object(map) => map.values().try_for_each(|value| self.see_json(value)),
            _ => Ok(()),
        }
    }

    pub fn text(&mut self, text: &str) -> Result<()> {
        self.add(text.as_bytes())
    }

    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        if self.is_full() {
            return Ok(());
        }
        let mut fragments = Vec::new();
        self.key.fragments(bytes, |fragment| fragments.push(fragment));
        for fragment in fragments {
            let added = self.tx.execute(
                "INSERT INTO needles (job_id, word, digest, length) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                params![self.job.0, fragment.word, fragment.digest, fragment.length],
            )?;
            self.count += i64::try_from(added).map_err(Error::internal)?;
        }
        Ok(())
    }
}

/// The fragments of a job; and, planted, the random name of its receipt, which its row has.
pub fn of(db: &Db, key: SearchKey, job: JobId) -> Result<Vec<SearchTarget>> {
    let sql = "SELECT word, digest, length FROM needles WHERE job_id = ?1";
    let mut all = db.rows(sql, params![job.0], |row| {
        let fragment = Fragment { word: row.get(0)?, digest: row.get(1)?, length: row.get(2)? };
        Ok(SearchTarget { job, fragment, planted: false })
    })?;
    if let Some(row) = jobs::by_id(db, job)? {
        all.extend(key.piece(&row.receipt).map(|fragment| SearchTarget { job, fragment, planted: true }));
    }
    Ok(all)
}

/// Jobs that ended and whose fragments are still here, the oldest first.
pub fn of_ended(db: &Db, limit: u32) -> Result<Vec<JobId>> {
    let sql = "SELECT id FROM jobs WHERE status IN ('completed', 'cancelled')
                   AND EXISTS (SELECT 1 FROM needles WHERE job_id = jobs.id) ORDER BY id LIMIT ?1";
    db.rows(sql, params![limit], |row| Ok(JobId(row.get(0)?)))
}

/// Forgets up to `limit` fragments of a job. Returns how many.
pub fn forget(tx: &Tx, job: JobId, limit: u32) -> Result<usize> {
    tx.execute(
        "DELETE FROM needles WHERE job_id = ?1 AND (word, digest) IN
             (SELECT word, digest FROM needles WHERE job_id = ?1 LIMIT ?2)",
        params![job.0, limit],
    )
}
