//! Erasing: at once out of sight, then the rows in chunks.
//!
//! From the transaction of the request on, nobody can reach what is erased; the rows
//! leave as a job that goes on after a kill at any instant. What leaves, what is
//! emptied and what stays comes from the registry of holdings.

use std::time::Instant;

use crate::clock::Millis;
use crate::domain::{merge, references, users as people};
use crate::error::{Error, Result};
use crate::ledger::Act;
use crate::model::{Erasure, Job, JobStatus, Origin, REVIVABLE, ReceiptId, State, Step, User, UserId};
use crate::proof::hex::Hex;
use crate::proof::receipt::{self, Token};
use crate::store::holdings::Subject;
pub use crate::store::holdings::{Fate, Held};
use crate::store::needles::Gather;
use crate::store::tombstones::{self, Named};
use crate::store::{Db, Tx, aliases, audit, events, holdings, ids, jobs, mentions, sessions, users, waiting};
use crate::trace::Ground;

/// Rows taken by one statement; the time is looked at in between.
const ROWS: i64 = 250;

/// Begins an erasure of a live, hidden or (activity only) detached user. The job takes
/// the rows. [`Error::Conflict`] for [`Erasure::Hide`], which is no erasure.
pub fn begin(tx: &Tx, user: &User, erasure: Erasure, origin: Origin) -> Result<Job> {
    begin_for(tx, user, erasure, origin, tx.who().ground)
}

/// The same for a ground that was stated before, by somebody else than whoever writes now.
pub fn begin_for(tx: &Tx, user: &User, erasure: Erasure, origin: Origin, ground: Ground) -> Result<Job> {
    let job = insert(tx, user, erasure, origin, ground)?;
    start(tx, job, Some(user))
}

/// Begins the erasure of what an anonymous user did up to an instant: it becomes part of a
/// user whose activity up to then is erased.
pub fn begin_before(tx: &Tx, user: &User, cutoff: Millis) -> Result<()> {
    let mut job = insert(tx, user, Erasure::Activity, Origin::Request, tx.who().ground)?;
    job.cutoff = Some(cutoff);
    enter(tx, &job, user, job.cutoff)?;
    run(tx, &mut job, user)
}

/// The same for what the ledger orders, of anybody.
pub fn begin_again(tx: &Tx, user: &User, cutoff: Millis) -> Result<()> {
    let mut job = insert(tx, user, Erasure::Activity, Origin::Ledger, tx.who().ground)?;
    job.cutoff = Some(cutoff);
    job.subject = Some(receipt::subject(&salt(tx, user), &name(tx, user)?).0);
    job.came_at = Some(came_at(tx, user)?);
    let (events, first) = events::tally(tx, user.id, cutoff)?;
    let activity = users::Activity {
        sessions: sessions::tally(tx, user.id, cutoff)?,
        events,
        first,
        last: user.last_seen.filter(|last| *last > cutoff),
    };
    holdings::reset_statistics(tx, user.id)?;
    users::add_activity(tx, user.id, activity)?;
    users::set_activity_erased(tx, user.id, cutoff)?;
    run(tx, &mut job, user)
}

/// What the reaper takes was asked for when it was hidden.
fn insert(tx: &Tx, user: &User, erasure: Erasure, origin: Origin, ground: Ground) -> Result<Job> {
    let hidden_at = user.deleted_at.filter(|_| origin == Origin::Reaper);
    let new = jobs::New {
        project: user.project,
        erasure,
        origin,
        // The job needs no name to find its rows, so it is not told one.
        reference: &scrubbed(tx, user),
        ground: match hidden_at {
            Some(_) => users::hidden_ground(tx, user.id)?,
            None => ground,
        },
        asked_at: hidden_at.unwrap_or(tx.now()),
        start_at: tx.now(),
        receipt: (origin == Origin::Reaper)
            .then(|| reapers_receipt(tx, user, user.hidden_as.or(user.deleted_at))),
        bounds: None,
    };
    jobs::insert(tx, &new)
}

/// What the ledger orders is not written down there again.
fn enter(tx: &Tx, job: &Job, user: &User, cutoff: Option<Millis>) -> Result<()> {
    if job.origin == Origin::Ledger {
        return Ok(());
    }
    // What an activity's erasure takes is told by its time, if nothing else is said.
    let cutoff = (job.erasure == Erasure::Activity).then(|| cutoff.unwrap_or(tx.now()));
    people::enter(tx, user, |person| Act::Erased { person, erasure: job.erasure, cutoff })
}

fn note(tx: &Tx, job: &Job, user: &User) -> Result<()> {
    let action = match job.erasure {
        Erasure::Hide => "hide",
        Erasure::Account => "erase account",
        Erasure::Activity => "erase activity",
        Erasure::Everything => "erase everything",
    };
    let entry = audit::Entry {
        action,
        subject: Some(people::pseudonym(tx, user)),
        project: Some(job.project),
        job: Some(job.id),
        reason: Some(receipt::right(job.origin, job.ground)),
    };
    audit::note(tx, &entry)
}

/// From now on the job takes the user's rows.
fn run(tx: &Tx, job: &mut Job, user: &User) -> Result<()> {
    job.begun_at = Some(tx.now());
    job.pseudonym = Some(people::pseudonym(tx, user));
    job.user = Some(user.id);
    job.status = JobStatus::Running;
    job.step = Some(Step::Erasing);
    tx.wake_worker();
    jobs::update(tx, job)
}

/// Whether this can be begun for a user in this state.
pub fn may_begin(user: &User, erasure: Erasure) -> bool {
    match user.state {
        State::Live | State::Hidden => erasure != Erasure::Hide,
        State::Detached => erasure == Erasure::Activity,
        State::Waiting | State::Erasing | State::Merged => false,
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

/// Puts a user out of sight for a job that begins now. With nobody to erase, only the name
/// that the job was asked by is left to go.
pub fn start(tx: &Tx, mut job: Job, user: Option<&User>) -> Result<Job> {
    let Some(user) = user else {
        job.begun_at = Some(tx.now());
        Gather::new(tx, job.id)?.text(&job.reference)?;
        job.status = JobStatus::Running;
        rows_are_gone(tx, &mut job)?;
        return Ok(job);
    };
    let user = &match job.origin {
        // The visitor has an entry of its own.
        Origin::Ledger => user.clone(),
        _ => merge::with_namesake(tx, user)?,
    };
    job.subject = Some(receipt::subject(&salt(tx, user), &name(tx, user)?).0);
    job.came_at = Some(came_at(tx, user)?);
    enter(tx, &job, user, None)?;
    note(tx, &job, user)?;
    let activity = user.event_count + user.session_count;
    match job.erasure {
        Erasure::Hide => return Err(Error::Conflict("hiding is not an erasure")),
        Erasure::Account => {
            forget_names(tx, user, &mut job)?;
            users::set_state(tx, user.id, State::Detached, None)?;
            job.count("users", 1);
            job.rows_total = 1;
        }
        Erasure::Activity => {
            // Whose account is gone does nothing more: all of it leaves.
            job.cutoff = (user.state != State::Detached).then(|| tx.now());
            holdings::reset_statistics(tx, user.id)?;
            users::set_activity_erased(tx, user.id, tx.now())?;
            job.rows_total = activity;
        }
        Erasure::Everything => {
            forget_names(tx, user, &mut job)?;
            users::set_state(tx, user.id, State::Erasing, None)?;
            job.rows_total = activity + 1;
        }
    }
    run(tx, &mut job, user)?;
    Ok(job)
}

/// What the person is handed to show that the receipt is theirs. It is not kept, and cannot
/// be made again once they are gone.
pub fn token(tx: &Tx, job: &Job, user: &User) -> Token {
    Token { receipt: Hex(job.receipt), salt: salt(tx, user) }
}

/// The same for one who is being hidden now: of the receipt that the reaper will have, unless
/// the user comes back before.
pub fn token_of_hidden(tx: &Tx, user: &User) -> Token {
    Token { receipt: Hex(reapers_receipt(tx, user, Some(tx.now()))), salt: salt(tx, user) }
}

/// Known from the hiding on, for then the person is handed the token.
fn reapers_receipt(tx: &Tx, user: &User, hidden_at: Option<Millis>) -> ReceiptId {
    let hidden_at = hidden_at.unwrap_or_default().to_be_bytes();
    tx.keyed("reaper's receipt", &[&user.incarnation, &hidden_at])[..16].try_into().unwrap_or_default()
}

/// What the person is called in a receipt: its identifier, else an anonymous id, else the
/// bare number.
fn name(tx: &Tx, user: &User) -> Result<String> {
    if let Some(identifier) = user.identifier.as_ref().or(user.freed_identifier.as_ref()) {
        return Ok(identifier.clone());
    }
    let anonymous_id = match user.state {
        State::Waiting => waiting::aliases(tx, user.id)?.into_iter().next(),
        _ => aliases::of(tx, user.id, 1)?.pop(),
    };
    Ok(anonymous_id.unwrap_or_else(|| user.id.to_string()))
}

/// What a receipt may have called a person that is here: by any of the names it has.
pub fn subjects(tx: &Tx, user: &User) -> Result<Vec<[u8; 32]>> {
    let mut names = aliases::of(tx, user.id, u32::MAX)?;
    names.extend(user.identifier.clone());
    names.push(user.id.to_string());
    let salt = salt(tx, user);
    Ok(names.iter().map(|name| receipt::subject(&salt, name).0).collect())
}

/// Only the person is given it, and it cannot be made again once the registration is gone.
fn salt(tx: &Tx, user: &User) -> [u8; 32] {
    tx.keyed("receipt salt", &[&user.incarnation])
}

/// Empties the profile, frees every name, and remembers the names as digests.
fn forget_names(tx: &Tx, user: &User, job: &mut Job) -> Result<()> {
    holdings::see_person(tx, user.id, &mut Gather::new(tx, job.id)?)?;
    holdings::each_name(tx, user.id, |name| mentions::see(tx, job.id, name))?;
    let gone = gone_at(tx, user);
    if let Some(identifier) = &user.identifier {
        tombstones::bury_as_of(tx, user.project, Named::Identifier(identifier), gone)?;
        job.count("jobs", references::forget(tx, user.project, identifier, &scrubbed(tx, user))?);
    }
    for (anonymous_id, is_trusted) in aliases::with_trust(tx, user.id)? {
        if is_trusted || !is_of_another(tx, user, &anonymous_id)? {
            tombstones::bury_as_of(tx, user.project, Named::alias(&anonymous_id, is_trusted), gone)?;
        }
        job.count("jobs", references::forget(tx, user.project, &anonymous_id, &scrubbed(tx, user))?);
    }
    // Those were buried when they were taken, and somebody else may have them now.
    for name in waiting::aliases(tx, user.id)?.iter().chain(&user.freed_identifier) {
        if !is_anybodys(tx, user, name)? {
            job.count("jobs", references::forget(tx, user.project, name, &scrubbed(tx, user))?);
        }
    }
    if job.bounds.is_some() {
        job.count_later("aliases", aliases::since(tx, user.id, job.created_at)?);
    }
    job.count("aliases", aliases::unlink(tx, user.id)? + waiting::forget_aliases(tx, user.id)?);
    holdings::clear_person(tx, user.id)
}

/// As of when a user's names are free that are taken from it now. Who was hidden for 7 days was
/// gone then, whenever somebody comes by to see it: what has happened since is somebody new's.
pub fn gone_at(tx: &Tx, user: &User) -> Millis {
    user.deleted_at.map_or(tx.now(), |at| tx.now().min(at + REVIVABLE))
}

fn is_anybodys(tx: &Tx, user: &User, name: &str) -> Result<bool> {
    Ok(users::by_identifier(tx, user.project, name)?.is_some()
        || aliases::user(tx, user.project, name)?.is_some())
}

/// Whether somebody else has a name as their identifier: on a public credential's word alone it was
/// never this user's.
pub fn is_of_another(tx: &Tx, user: &User, name: &str) -> Result<bool> {
    Ok(users::by_identifier(tx, user.project, name)?.is_some_and(|other| other.id != user.id))
}

/// Takes rows of a running job until there are none or the time is up. True: none is
/// left; what remains is to prove it.
pub fn chunk(tx: &Tx, job: &mut Job, deadline: Instant) -> Result<bool> {
    let Some(user) = job.user else {
        return Err(Error::internal("a running job has no user"));
    };
    let mut gather = Gather::new(tx, job.id)?;
    // The user's own row refers to nothing but is referred to: it goes last.
    let mut members = users::members(tx, user)?;
    members.reverse();
    while let Some(taken) =
        holdings::take(tx, &members, job.erasure, job.cutoff, ROWS, &mut gather, job.bounds.as_ref())?
    {
        job.count(taken.table, usize::try_from(taken.rows).unwrap_or(0));
        job.count_later(taken.table, taken.later);
        // It gets on: faults are counted from here again.
        forget_faults(job);
        if Instant::now() >= deadline {
            jobs::update(tx, job)?;
            return Ok(false);
        }
    }
    if job.erasure == Erasure::Activity
        && users::by_id(tx, None, user)?.is_some_and(|row| row.state == State::Detached)
    {
        bury_empty(tx, job, user, &mut gather)?;
    }
    rows_are_gone(tx, job)?;
    Ok(true)
}

/// What remains is to clean and search the files.
fn rows_are_gone(tx: &Tx, job: &mut Job) -> Result<()> {
    // Scheduled by a name, which is needed no longer and must go before the files are
    // cleaned; any other job was never told one.
    if job.origin == Origin::Schedule {
        job.reference = unnamed()?;
    }
    job.step = Some(Step::Scrubbing);
    job.erased_at = Some(tx.now());
    tx.wake_worker();
    jobs::update(tx, job)
}

fn forget_faults(job: &mut Job) {
    job.attempts = 0;
    job.retry_at = None;
    job.error = None;
}

/// When something of a person came in first: no backup from before holds them. Times that callers
/// gave do not count.
fn came_at(db: &Db, user: &User) -> Result<Millis> {
    let mut first = user.created_at.min(ids::made_at(user.id.0));
    for member in users::members(db, user.id)? {
        first = first.min(ids::made_at(member.0));
    }
    if let Some(alias) = aliases::first(db, user.id)? {
        first = first.min(alias);
    }
    if let Some(session) = sessions::first(db, user.id)? {
        first = first.min(ids::made_at(session.0));
    }
    Ok(first)
}

/// Whether rows are left that the job was to take.
pub fn any_left(db: &Db, job: &Job) -> Result<bool> {
    job.user.map_or(Ok(false), |user| holdings::any_left(db, user, job.erasure, job.cutoff))
}

/// The files were searched and nothing was found: the job is completed.
pub fn complete(tx: &Tx, job: &mut Job) -> Result<()> {
    job.status = JobStatus::Completed;
    job.step = None;
    job.user = None;
    job.came_at = None;
    mentions::forget(tx, job.id)?;
    job.finished_at = Some(tx.now());
    forget_faults(job);
    job.rows_total = job.rows_erased;
    jobs::update(tx, job)
}

/// Removes the row of one whose account is gone, unless something is left that it did: then
/// it is about nobody.
fn bury_empty(tx: &Tx, job: &mut Job, user: UserId, gather: &mut Gather) -> Result<()> {
    let mut members = users::members(tx, user)?;
    for member in &members {
        if holdings::any_left(tx, *member, Erasure::Activity, None)? {
            return Ok(());
        }
    }
    members.reverse();
    while let Some(taken) = holdings::take(tx, &members, Erasure::Everything, None, ROWS, gather, None)? {
        job.count(taken.table, usize::try_from(taken.rows).unwrap_or(0));
    }
    Ok(())
}

const SCRUBBED: &str = "erased:";

/// What stands in the place of a user's identifier: the same for all that was theirs,
/// and nobody without the secret can tell whose it is.
fn scrubbed(tx: &Tx, user: &User) -> String {
    let digest = tx.keyed("what stands for the erased", &[&user.incarnation]);
    format!("{SCRUBBED}{}", data_encoding::HEXLOWER.encode(&digest[..6]))
}

/// The same for a job that found nobody.
pub fn unnamed() -> Result<String> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(Error::internal)?;
    Ok(format!("{SCRUBBED}{}", data_encoding::HEXLOWER.encode(&random)))
}
