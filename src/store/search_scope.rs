//! Which pages and files are still to be searched for which jobs.
//!
//! A search covers what was written since the job was first there: what lay in the files
//! before had no stale byte. Jobs overlap, and each search is for some of them only, so it is
//! kept when each page was written last, in rounds: one ends each time the WAL was emptied.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::file_kind::FileKind;
use super::verify::{Scope, Stamp};
use crate::error::Result;
use crate::model::JobId;

/// Kept in memory: for a job from before the start, everything is searched.
#[derive(Debug, Default)]
pub struct SearchScope {
    round: u64,
    /// The last round whose jobs are known.
    listed: u64,
    /// The round in which each was written last, as far as a job needs it.
    pages: HashMap<u32, u64>,
    files: HashMap<PathBuf, Seen>,
    /// The first round of each job. 0: before the start.
    since: BTreeMap<JobId, u64>,
    /// The number of the last receipt that was looked at.
    receipt: u64,
}

/// A file beside the database.
#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    /// The rounds in which it was written, each with the first byte that was; none before one
    /// in which all of it was.
    writes: Vec<(u64, u64)>,
}

impl SearchScope {
    /// At the start, with the jobs that are not over and the number of the last receipt.
    pub fn after_start(jobs: Vec<JobId>, receipt: u64) -> SearchScope {
        let since = jobs.into_iter().map(|job| (job, 0)).collect();
        SearchScope { since, receipt, ..SearchScope::default() }
    }

    /// The receipts that [`SearchScope::files`] has not been handed yet, up to this one. Those of
    /// before are never written again, and too many to be listed each time.
    pub fn receipts(&self, last: u64) -> RangeInclusive<u64> {
        self.receipt + 1..=last
    }

    /// The WAL was emptied: these pages were written since the last time.
    pub fn wrote(&mut self, pages: Vec<u32>) {
        self.round += 1;
        let round = self.round;
        self.pages.extend(pages.into_iter().map(|page| (page, round)));
    }

    /// These jobs are not over, as was read after the WAL was emptied.
    pub fn list(&mut self, jobs: &[JobId]) {
        let first = self.listed + 1;
        self.since = jobs.iter().map(|job| (*job, self.since.get(job).copied().unwrap_or(first))).collect();
        self.listed = self.round;
        // For the others everything is searched.
        let oldest = self.since.values().copied().filter(|since| *since > 0).min().unwrap_or(u64::MAX);
        self.pages.retain(|_, round| *round >= oldest);
        self.files.values_mut().for_each(|file| file.writes.retain(|(round, _)| *round >= oldest));
    }

    /// The files there are beside the database, as of now; of the receipts, those that it was not
    /// handed before, up to `last`. `is_own` looks whether one, from a
    /// byte on, has but what Usher writes there, which belongs to no user: then it is not searched.
    pub fn files(
        &mut self,
        files: HashMap<PathBuf, Stamp>,
        last: u64,
        is_own: impl Fn(&Path, FileKind, u64) -> Result<bool>,
    ) -> Result<()> {
        let round = self.round;
        let (receipts, mut known) = std::mem::take(&mut self.files)
            .into_iter()
            .partition::<HashMap<_, _>, _>(|(_, file)| file.stamp.kind == FileKind::Receipt);
        self.files = receipts.into_iter().filter(|(_, file)| !file.writes.is_empty()).collect();
        for (path, stamp) in files {
            let before = known.remove(&path).filter(|before| before.stamp.kind == stamp.kind);
            let from = match &before {
                Some(before) if stamp.kind == FileKind::Ledger && stamp.length >= before.stamp.length => {
                    before.stamp.length
                }
                _ => 0,
            };
            let same = before.as_ref().is_some_and(|before| before.stamp == stamp);
            let mut writes = before.map(|before| before.writes).unwrap_or_default();
            // A foreign one may have had it in it before the job began.
            if (!same || stamp.kind == FileKind::Foreign) && !is_own(&path, stamp.kind, from)? {
                if from == 0 {
                    writes.clear();
                }
                writes.push((round, from));
            }
            self.files.insert(path, Seen { stamp, writes });
        }
        self.receipt = last;
        Ok(())
    }

    /// What is to be searched for these jobs.
    pub fn scope(&self, jobs: &[JobId]) -> Scope {
        let since = jobs.iter().map(|job| self.since.get(job).copied().unwrap_or(0)).min();
        let Some(since) = since.filter(|since| *since > 0) else { return Scope::Whole };
        let pages = self.pages.iter().filter(|(_, round)| **round >= since);
        let mut pages: Vec<u32> = pages.map(|(page, _)| *page).collect();
        pages.sort_unstable();
        let files = self.files.iter().filter_map(|(path, file)| {
            let writes = file.writes.iter().filter(|(round, _)| *round >= since);
            writes.map(|(_, from)| *from).min().map(|from| (path.clone(), file.stamp.kind, from))
        });
        Scope::Written { pages, files: files.collect() }
    }
}
