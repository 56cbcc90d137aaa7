//! What was repaired, dropped or refused on its way in, and why: counted per project, key, reason
//! and day. No value of a message is kept.

use std::collections::BTreeMap;

use crate::clock::{DAY, Millis};
use crate::error::Result;
use crate::model::{ProjectId, Repair};
use crate::people::reasons::REASONS;
pub use crate::store::repairs::{Count, Recent};
use crate::store::{BackgroundTx, Db, Tx, keys, projects, repairs};
use crate::trace::Source;

/// Counts are kept for so many days.
pub const DAYS: i64 = 30;
/// So many of the newest are kept one by one.
pub const RECENT: u32 = 100;
/// Rows forgotten in one transaction.
const CHUNK: i64 = 500;
/// Of a message in a request with more new people than public credentials may make.
pub const OVER_THE_HOUR: Repair = Repair::refused("", "over the hourly limit for new people");

/// Counts one.
pub fn note(tx: &Tx, project: ProjectId, repair: Repair) -> Result<()> {
    note_all(tx, project, &[repair])
}

/// Counts those of one request, each kind once.
pub fn note_all(tx: &Tx, project: ProjectId, all: &[Repair]) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    let mut times: BTreeMap<Repair, i64> = BTreeMap::new();
    for repair in all {
        // Fields are told apart among the newest alone.
        *times.entry(Repair { field: "", ..*repair }).or_default() += 1;
    }
    for (repair, times) in times {
        repairs::count(tx, project, repair, times)?;
    }
    let newest = all.len().saturating_sub(RECENT as usize);
    all[newest..].iter().try_for_each(|repair| repairs::remember(tx, project, *repair))?;
    // Bounded here: who is kept busy by what is written never comes to prune.
    repairs::keep_newest(tx, project, RECENT, CHUNK).map(drop)
}

/// Half of the new people that public credentials may make in an hour were made: it may be an attack.
pub fn raise_alarm(tx: &BackgroundTx, source: Source) -> Result<()> {
    log::warn!(
        "project {}: half of the new people of an hour were made with public credentials",
        source.project
    );
    note(tx, ProjectId(source.project), Repair::of("", "half the hourly limit for new people"))
}

/// The counts of the last days, today included; the newest day and the largest number first.
pub fn counts(db: &Db, project: ProjectId, days: i64, now: Millis) -> Result<Vec<Count>> {
    repairs::counts(db, project, first_day(now, days))
}

/// What the project's own keys are called, by their numbers: a number is of the installation, and
/// is not told to a project.
pub fn key_names(db: &Db, project: ProjectId) -> Result<BTreeMap<i64, String>> {
    let own = keys::list(db)?.into_iter().filter(|key| key.project == Some(project));
    Ok(own.map(|key| (key.id.0, key.name)).collect())
}

/// How often something came of messages, whichever key sent them.
pub struct Sum {
    pub outcome: String,
    pub reason: String,
    pub count: i64,
}

/// The sums of the last days, today included; the largest first.
pub fn sums(db: &Db, project: ProjectId, days: i64, now: Millis) -> Result<Vec<Sum>> {
    let mut sums: BTreeMap<(String, String), i64> = BTreeMap::new();
    for one in counts(db, project, days, now)? {
        *sums.entry((one.outcome, one.reason)).or_default() += one.count;
    }
    let sum = |((outcome, reason), count)| Sum { outcome, reason, count };
    let mut sums: Vec<Sum> = sums.into_iter().map(sum).collect();
    sums.sort_by_key(|sum| std::cmp::Reverse(sum.count));
    Ok(sums)
}

/// What a reason means, in plain words. None: a version that counted it had other ones.
pub fn meaning(reason: &str) -> Option<&'static str> {
    REASONS.iter().find(|(known, _)| *known == reason).map(|(_, meaning)| *meaning)
}

/// The newest ones, the last one first.
pub fn recent(db: &Db, project: ProjectId) -> Result<Vec<Recent>> {
    repairs::recent(db, project, RECENT)
}

/// Forgets some of what is too old. False: there is nothing to forget.
pub fn prune(tx: &Tx) -> Result<bool> {
    let mut gone = repairs::prune(tx, first_day(tx.now(), DAYS), CHUNK)?;
    for project in projects::list(tx)? {
        gone += repairs::keep_newest(tx, project.id, RECENT, CHUNK)?;
    }
    Ok(gone > 0)
}

fn first_day(now: Millis, days: i64) -> Millis {
    (now.div_euclid(DAY) - days + 1) * DAY
}
