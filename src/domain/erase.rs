//! Erasing: at once out of sight, then the rows in chunks.
//!
//! From the transaction of the request on, nobody can reach what is erased; the rows
//! leave as a job that goes on after a kill at any instant. What leaves, what is
//! emptied and what stays comes from the registry of holdings.

use std::time::Instant;

use crate::clock::{DAY, Millis};
use crate::error::{Error, Result};
use crate::model::{Erasure, Job, JobStatus, Origin, State, User, UserId};
use crate::store::holdings::Subject;
pub use crate::store::holdings::{Fate, Held};
use crate::store::tombstones::{self, Named};
use crate::store::{Db, Tx, aliases, holdings, jobs, users};

/// Events of an erased user are recognised as late for this long.
pub const LATE_EVENTS: Millis = 30 * DAY;
/// Rows taken by one statement; the time is looked at in between.
const ROWS: i64 = 250;

/// Begins an erasure of a live, hidden or (activity only) detached user. The job takes
/// the rows. [`Error::Conflict`] for [`Erasure::Hide`], which is no erasure.
pub fn begin(tx: &Tx, user: &User, erasure: Erasure, origin: Origin) -> Result<Job> {
    let job = jobs::insert(
        tx,
        &jobs::New {
            project: user.project,
            erasure,
            origin,
            status: JobStatus::Running,
            // The job needs no name to find its rows, so it is not told one.
            reference: &scrubbed(user),
            user: Some(user.id),
            cutoff: None,
            start_at: tx.now(),
            rows_total: 0,
        },
    )?;
    start(tx, job, Some(user))
}

/// Whether this can be begun for a user in this state.
pub fn may_begin(user: &User, erasure: Erasure) -> bool {
    match user.state {
        State::Live | State::Hidden => erasure != Erasure::Hide,
        State::Detached => erasure == Erasure::Activity,
        State::Erasing | State::Merged => false,
    }
}

/// What an erasure would do to the rows of one table.
#[derive(Debug, Clone)]
pub struct Outlook {
    pub held: Held,
    pub fate: Fate,
}

/// What an erasure would do, table by table, without doing it. It reads an index entry a
/// row: for scans.
pub fn dry_run(db: &Db, user: &User, erasure: Erasure) -> Result<Vec<Outlook>> {
    let held = holdings::inventory(db, user, &users::members(db, user.id)?)?;
    let outlook = held.into_iter().map(|held| {
        let table = holdings::TABLES.iter().find(|table| table.name == held.table);
        let fate = table.map_or(Fate::Stays, |table| match (table.subject, user.state) {
            // With the last of its activity a row without an account goes too.
            (Subject::Itself, State::Detached) => Fate::Leaves,
            _ => table.fate(erasure),
        });
        Outlook { held, fate }
    });
    Ok(outlook.collect())
}

/// Puts a user out of sight for a job that begins now. With nobody to erase, the job is
/// completed with zero rows.
pub fn start(tx: &Tx, mut job: Job, user: Option<&User>) -> Result<Job> {
    let Some(user) = user else {
        job.reference = unnamed()?;
        job.status = JobStatus::Completed;
        job.finished_at = Some(tx.now());
        jobs::update(tx, &mut job)?;
        return Ok(job);
    };
    let activity = user.event_count + user.session_count;
    match job.erasure {
        Erasure::Hide => return Err(Error::Conflict("hiding is not an erasure")),
        Erasure::Account => {
            forget_names(tx, user)?;
            users::set_state(tx, user.id, State::Detached, None)?;
            job.rows_total = 1;
        }
        Erasure::Activity => {
            job.cutoff = Some(tx.now());
            holdings::reset_statistics(tx, user.id)?;
            users::set_activity_erased(tx, user.id, tx.now())?;
            job.rows_total = activity;
        }
        Erasure::Everything => {
            forget_names(tx, user)?;
            users::set_state(tx, user.id, State::Erasing, None)?;
            job.rows_total = activity + 1;
        }
    }
    job.user = Some(user.id);
    job.status = JobStatus::Running;
    jobs::update(tx, &mut job)?;
    tx.wake_worker();
    Ok(job)
}

/// Empties the profile, frees every name, and remembers the names as digests.
fn forget_names(tx: &Tx, user: &User) -> Result<()> {
    if let Some(identifier) = &user.identifier {
        tombstones::bury(tx, user.project, Named::Identifier(identifier))?;
        jobs::scrub(tx, user.project, identifier, &scrubbed(user))?;
    }
    for anonymous_id in aliases::of(tx, user.id, u32::MAX)? {
        tombstones::bury(tx, user.project, Named::Anonymous(&anonymous_id))?;
    }
    aliases::unlink(tx, user.id)?;
    holdings::clear_person(tx, user.id)
}

/// Takes rows of a running job until there are none or the time is up. True: none is
/// left, and the job is completed.
pub fn chunk(tx: &Tx, job: &mut Job, deadline: Instant) -> Result<bool> {
    let Some(user) = job.user else {
        return Err(Error::internal("a running job has no user"));
    };
    // The user's own row refers to nothing but is referred to: it goes last.
    let mut members = users::members(tx, user)?;
    members.reverse();
    for member in members {
        loop {
            let taken = take(tx, member, job)?;
            if taken == 0 {
                break;
            }
            job.rows_erased += taken;
            if Instant::now() >= deadline {
                jobs::update(tx, job)?;
                return Ok(false);
            }
        }
    }
    finish(tx, job, user)?;
    Ok(true)
}

fn take(tx: &Tx, user: UserId, job: &Job) -> Result<i64> {
    holdings::take(tx, user, job.erasure, job.cutoff, ROWS)
}

/// Nothing is left that the job was to take.
fn finish(tx: &Tx, job: &mut Job, user: UserId) -> Result<()> {
    if job.erasure == Erasure::Activity
        && let Some(row) = users::by_id(tx, None, user)?
        && row.state == State::Detached
    {
        // Its account was gone before: an empty row is left, about nobody.
        users::delete(tx, user)?;
        job.rows_erased += 1;
    }
    if job.erasure == Erasure::Account {
        job.rows_erased = 1;
    }
    job.reference = if job.reference.starts_with(SCRUBBED) { job.reference.clone() } else { unnamed()? };
    job.status = JobStatus::Completed;
    job.user = None;
    job.finished_at = Some(tx.now());
    job.error = None;
    job.rows_total = job.rows_erased;
    jobs::update(tx, job)
}

const SCRUBBED: &str = "erased:";

/// What stands in the place of a user's identifier: the same for all that was theirs,
/// and made from a random number, so that it leads back to nobody.
fn scrubbed(user: &User) -> String {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(user.incarnation);
    format!("{SCRUBBED}{}", data_encoding::HEXLOWER.encode(&hash[..6]))
}

/// The same for a job that found nobody.
pub fn unnamed() -> Result<String> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(Error::internal)?;
    Ok(format!("{SCRUBBED}{}", data_encoding::HEXLOWER.encode(&random)))
}
