//! Erasing: at once out of sight, then the rows in chunks.
//!
//! From the transaction of the request on, nobody can reach what is erased; the rows
//! leave as a job that goes on after a kill at any instant. What leaves, what is
//! emptied and what stays comes from the registry of holdings.

use crate::clock::Millis;
use crate::erasure::{delete_rows, jobs, token};
use crate::error::{Error, Result};
use crate::model::{Erasure, Identifier, Job, JobStatus, Origin, ProjectId, State, User};
use crate::people::erasures::{enter, insert, run, scrubbed};
use crate::people::expired::{gone_at, is_of_another};
use crate::people::{holder, holds, merge, person, references, suppressions};
use crate::proof::receipt::{self, Token};
use crate::store::erased_identifiers::{self, Named};
use crate::store::fragments::FragmentCollector;
use crate::store::{
    Db, ErasingTx, Tx, aliases, audit, data_inventory, events, ids, mentions, sessions, users, waiting,
};
use crate::trace::LegalBasis;

/// Begins an erasure of a live, hidden or (activity only) detached user. The job takes
/// the rows. [`Error::Conflict`] for [`Erasure::Hide`], which is no erasure.
pub fn begin(tx: &ErasingTx, user: &User, erasure: Erasure, origin: Origin) -> Result<Job> {
    begin_for(tx, user, erasure, origin, tx.who().legal_basis)
}

/// [`begin`] with a legal basis that was stated earlier: the writer is another than who asked.
pub fn begin_for(
    tx: &Tx,
    user: &User,
    erasure: Erasure,
    origin: Origin,
    legal_basis: LegalBasis,
) -> Result<Job> {
    let job = insert(tx, user, erasure, origin, legal_basis)?;
    start(tx, job, Some(user))
}

/// Begins to erase everything of one of many, whom a caller named so; who is kept from it is erased by a job
/// that waits for the end of the hold.
pub fn begin_or_wait(tx: &Tx, user: &User, name: &Identifier, legal_basis: LegalBasis) -> Result<Job> {
    // Of many nobody asked for this one by themselves: it is as if it were scheduled.
    let user = &merge::with_namesake(tx, user)?;
    match holds::blocks(tx, user, Origin::Schedule, legal_basis)? {
        None => begin_for(tx, user, Erasure::Everything, Origin::Request, legal_basis),
        Some(_) => jobs::wait(tx, user, name, legal_basis),
    }
}

/// Begins the erasure of a person's activity up to an instant again, as the ledger orders it.
pub fn begin_again(tx: &Tx, user: &User, cutoff: Millis) -> Result<()> {
    let mut job = insert(tx, user, Erasure::Activity, Origin::Ledger, tx.who().legal_basis)?;
    job.cutoff = Some(cutoff);
    job.subject = Some(receipt::subject(&token::salt(tx, user), &token::name(tx, user)?).0);
    job.came_at = Some(came_at(tx, user)?);
    let (events, first) = events::tally(tx, user.id, cutoff)?;
    let activity = users::Activity {
        sessions: sessions::tally(tx, user.id, cutoff)?,
        events,
        first,
        last: user.last_seen.filter(|last| *last > cutoff),
    };
    data_inventory::reset_statistics(tx, user.id)?;
    users::add_activity(tx, user.id, activity)?;
    users::set_activity_erased(tx, user.id, cutoff)?;
    run(tx, &mut job, user)
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
        subject: Some(person::pseudonym(tx, user)),
        project: Some(job.project),
        job: Some(job.id),
        reason: Some(receipt::right(job.origin, job.legal_basis)),
    };
    audit::append(tx, &entry)
}

/// Whether this can be begun for a user in this state.
pub fn may_begin(user: &User, erasure: Erasure) -> bool {
    match user.state {
        State::Live | State::Hidden => erasure != Erasure::Hide,
        State::Detached => erasure == Erasure::Activity,
        State::Waiting | State::Erasing | State::Merged => false,
    }
}

/// Puts a user out of sight for a job that begins now. With nobody to erase, only the name
/// that the job was asked by is left to go. Every erasure comes by here: [`Error::Held`] if the user is
/// kept from it.
pub fn start(tx: &Tx, mut job: Job, user: Option<&User>) -> Result<Job> {
    let Some(user) = user else {
        job.begun_at = Some(tx.now());
        FragmentCollector::new(tx, job.id)?.text(&job.reference)?;
        job.status = JobStatus::Running;
        delete_rows::rows_are_gone(tx, &mut job)?;
        return Ok(job);
    };
    let user = &match job.origin {
        // The visitor has an entry of its own.
        Origin::Ledger => user.clone(),
        _ => merge::with_namesake(tx, user)?,
    };
    if let Some(block) = holds::blocks(tx, user, job.origin, job.legal_basis)? {
        return Err(block.error());
    }
    job.subject = Some(receipt::subject(&token::salt(tx, user), &token::name(tx, user)?).0);
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
            data_inventory::reset_statistics(tx, user.id)?;
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

/// Empties the profile, frees every name, and remembers the names as digests.
fn forget_names(tx: &Tx, user: &User, job: &mut Job) -> Result<()> {
    data_inventory::see_person(tx, user.id, &mut FragmentCollector::new(tx, job.id)?)?;
    data_inventory::each_name(tx, user.id, |name| mentions::see(tx, job.id, name))?;
    let gone = gone_at(tx, user);
    if let Some(identifier) = &user.identifier {
        erased_identifiers::record_as_of(tx, user.project, Named::Identifier(identifier), gone)?;
        job.count("jobs", references::forget(tx, user.project, identifier, &scrubbed(tx, user))?);
    }
    for (anonymous_id, is_trusted) in aliases::with_trust(tx, user.id)? {
        if is_trusted || !is_of_another(tx, user, &anonymous_id)? {
            erased_identifiers::record_as_of(
                tx,
                user.project,
                Named::alias(&anonymous_id, is_trusted),
                gone,
            )?;
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
    data_inventory::clear_person(tx, user.id)
}

fn is_anybodys(tx: &Tx, user: &User, name: &str) -> Result<bool> {
    Ok(users::by_identifier(tx, user.project, name)?.is_some()
        || aliases::user(tx, user.project, name)?.is_some())
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

/// Erases whom a caller means by a name, hidden or live; what the person is to be handed. [`Error::UserNotFound`] if it
/// means nobody.
pub fn by_identifier(
    tx: &ErasingTx,
    project: ProjectId,
    identifier: &str,
    kind: Erasure,
    origin: Origin,
) -> Result<Token> {
    let user = holder::named(tx, project, identifier)?.ok_or_else(|| Error::user_not_found(identifier))?;
    let job = begin(tx, &user, kind, origin)?;
    Ok(token::of(tx, &job, &user))
}

/// Erases the user at once, and the switches with them. What somebody else asked for stays.
pub fn with_switches(tx: &ErasingTx, project: ProjectId, identifier: &Identifier) -> Result<Token> {
    let name = identifier.as_str();
    let user = holder::named(tx, project, name)?.ok_or_else(|| Error::user_not_found(name))?;
    let job = begin(tx, &user, Erasure::Everything, Origin::Request)?;
    suppressions::end_switches(tx, project, user.identifier.as_deref().unwrap_or(name))?;
    Ok(token::of(tx, &job, &user))
}
