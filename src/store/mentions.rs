//! Where other people's rows of a project read like the name of somebody who was erased.
//!
//! The project's own rows are read, one by one, and nobody else's: what is counted here is told
//! to the project, which must not learn from it what others have. Case is folded, on both sides.

use std::collections::{BTreeMap, HashMap};

use super::data_inventory;
use super::fragment::{Fragment, SearchKey, SearchTarget};
use super::search::Scanner;
use super::value::params;
use super::{Db, Store, Tx};
use crate::error::Result;
use crate::model::{JobId, ProjectId, UserId};

/// People whose rows are read in one transaction.
const PEOPLE: u32 = 200;
/// Bytes of text that are read for one proof; the newest people come first.
const BYTES: u64 = 512 << 20;

/// What was counted, job by job.
#[derive(Debug, Default)]
pub struct Counted {
    pub places: BTreeMap<JobId, u64>,
    /// Every row was read.
    pub all: bool,
}

/// Takes down what somebody is called, for one job.
pub fn see(tx: &Tx, job: JobId, name: &str) -> Result<()> {
    let mut fragments = Vec::new();
    tx.search_key().names(name, |fragment| fragments.push(fragment));
    for Fragment { word, length, digest } in fragments {
        tx.execute(
            "INSERT INTO mention_needles (job_id, word, digest, length) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
            params![job.0, word, digest, length],
        )?;
    }
    Ok(())
}

/// What a job's person was called.
pub fn of(db: &Db, job: JobId) -> Result<Vec<SearchTarget>> {
    let sql = "SELECT word, digest, length FROM mention_needles WHERE job_id = ?1";
    db.rows(sql, params![job.0], |row| {
        let fragment = Fragment { word: row.get(0)?, digest: row.get(1)?, length: row.get(2)? };
        Ok(SearchTarget { job, fragment, planted: false })
    })
}

/// They were counted, or there is nothing to count.
pub fn forget(tx: &Tx, job: JobId) -> Result<()> {
    tx.execute("DELETE FROM mention_needles WHERE job_id = ?1", params![job.0])?;
    Ok(())
}

impl Store {
    /// Counts places in a project's rows, for several jobs at once; `own` are people that are left
    /// of those whom a job erased: what they did names them, and is not others'. It blocks.
    pub fn mentions(
        &self,
        project: ProjectId,
        fragments: &[SearchTarget],
        own: &HashMap<UserId, Vec<JobId>>,
    ) -> Result<Counted> {
        let mut scanner = Scanner::new(self.search_key(), fragments);
        let mut counted = Counted { all: true, ..Counted::default() };
        let nobody = Vec::new();
        let mut below = i64::MAX;
        loop {
            let people = self.read(|db| {
                let sql = "SELECT id FROM users WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
                let people: Vec<i64> = db.rows(sql, params![below, PEOPLE], |row| row.get(0))?;
                if let Some(from) = people.last() {
                    data_inventory::each_text(db, project, *from..below, |user, text| {
                        let not_for = own.get(&user).unwrap_or(&nobody);
                        scanner
                            .mentions_in(text, not_for, |job| *counted.places.entry(job).or_default() += 1);
                        Ok(())
                    })?;
                }
                Ok(people)
            })?;
            let Some(from) = people.last() else { return Ok(counted) };
            below = *from;
            if scanner.bytes() > BYTES {
                counted.all = false;
                return Ok(counted);
            }
        }
    }
}

impl SearchKey {
    /// The fragments of a name, in each form in which it may stand in a row, its case folded.
    fn names(&self, name: &str, mut add: impl FnMut(Fragment)) {
        self.forms(name.to_lowercase().as_bytes(), |form| {
            // Percent-encoding writes capital letters.
            let folded = form.to_ascii_lowercase();
            let longest = folded.len().min(usize::from(u8::MAX));
            if let Some(fragment) = self.piece(&folded[..longest]) {
                add(fragment);
            }
        });
    }
}
