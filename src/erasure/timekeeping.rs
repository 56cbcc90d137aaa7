//! What goes with the clock: the sign of life, and what a clock that was set back leaves of times
//! to come. Which clock is in force is told in [`crate::clock::Watch`].

use std::collections::HashMap;

use crate::access::totp;
use crate::clock::{Millis, Reading, Waited};
use crate::erasure::trash;
use crate::error::Result;
use crate::ledger::{Act, Pseudonym};
use crate::model::TRASH_PERIOD;
use crate::people::{names, references};
use crate::store::{
    BackgroundTx, ErasingTx, Tx, audit, erased_identifiers, jobs, second_factors, sign_of_life, users,
    waiting as rows,
};

/// Users returned to the trash at a time.
const CHUNK: u32 = 500;

/// What is written down of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// This was trusted.
    Trusted(Millis),
    /// So much of the grace of a start was waited out.
    Waited(Waited),
}

impl Sign {
    /// None: nobody knows the time for sure, or nobody watches.
    pub fn of(reading: &Reading) -> Option<Sign> {
        reading.sign.map(Sign::Trusted).or(reading.waited.map(Sign::Waited))
    }
}

/// Writes the sign of life.
pub fn note(tx: &BackgroundTx, sign: Sign) -> Result<()> {
    match sign {
        Sign::Trusted(at) => sign_of_life::note(tx, at),
        Sign::Waited(waited) => sign_of_life::note_waited(tx, waited),
    }
}

/// Writes the sign of life that a start goes by.
pub fn begin(tx: &ErasingTx, sign: Millis) -> Result<()> {
    sign_of_life::set(tx, sign)
}

/// Somebody says that the wall clock is right.
pub fn confirm(tx: &ErasingTx, before: &str) -> Result<()> {
    let entry = audit::Entry { action: "confirm clock", reason: Some(before), ..audit::Entry::default() };
    audit::append(tx, &entry)
}

/// What a setback changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    /// Users in the trash, and erased names, with a time that was still to come.
    pub hidden: usize,
    pub names: usize,
    /// Users whose 7 days are not over any more, and scheduled jobs that are not due any more.
    pub returned: usize,
    pub unbound: usize,
}

/// Nothing has happened later than now: cuts hidden-since and the digests of erased names down,
/// and undoes what only stood because the 7 days, or a job's hour, seemed to be over.
pub fn cut(tx: &BackgroundTx) -> Result<Cut> {
    let mut cut = Cut {
        unbound: unbind_early(tx)?,
        hidden: users::cut_hidden(tx)?,
        names: erased_identifiers::cut(tx)?,
        returned: 0,
    };
    // Else codes would be refused until the clock is there again.
    second_factors::cut(tx, totp::newest_step(tx.now()))?;
    loop {
        let some = rows::since(tx, tx.now() - TRASH_PERIOD, CHUNK)?;
        if some.is_empty() {
            break;
        }
        for user in some {
            trash::return_to_trash(tx, &user)?;
            cut.returned += 1;
        }
    }
    if cut != Cut::default() {
        let reason = format!(
            "{} in the trash and {} erased names had a time that was still to come; {} are in the trash again, {} \
             jobs are not due any more",
            cut.hidden, cut.names, cut.returned, cut.unbound
        );
        let entry =
            audit::Entry { action: "clock set back", reason: Some(&reason), ..audit::Entry::default() };
        audit::append(tx, &entry)?;
    }
    tx.wake_worker();
    Ok(cut)
}

/// Jobs that are not due any more, as the clock was set back, mean again who has their names when
/// they are. Returns how many.
fn unbind_early(tx: &Tx) -> Result<usize> {
    let early = jobs::bound_early(tx)?;
    let count = early.len();
    let mut digests = HashMap::new();
    for mut job in early {
        job.bound_at = None;
        job.bound_user = None;
        let name = match references::named_by(&job.reference) {
            Some(digest) => {
                digests.insert(digest, job.project);
                digest
            }
            None => tx.names().name(job.project, &job.reference),
        };
        let request = Pseudonym(job.receipt);
        tx.append_to_ledger(Act::Scheduled { request, project: job.project, name, due: job.start_at });
        jobs::update(tx, &mut job)?;
    }
    // Somebody new may have a name by now that nobody had any more.
    if !digests.is_empty() {
        for (digest, name) in names::spelled(tx, |name| digests.contains_key(&name))? {
            jobs::rename_unbound(tx, digests[&digest], &references::digest(digest), &name)?;
        }
    }
    Ok(count)
}
