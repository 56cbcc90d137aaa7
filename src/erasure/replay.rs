//! Catching up with the ledger: a database that was put back from a backup does what was
//! ordered since, before anybody is served. So nobody who was erased comes back with it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use crate::access::{admin_ends, credentials, key_ends, keys, rotation};
use crate::clock::{self, Millis};
use crate::erasure;
use crate::erasure::{jobs, project_deletion, token, trash};
use crate::error::Result;
use crate::ledger::{Act, Ended, Lost, Orders, Pseudonym, ReplayAction, Request, Seen, Standing, fate};
use crate::model::{Erasure, JobStatus, Origin, ProjectId, State, User, UserId};
use crate::people::{holds, names, suppressions};
use crate::projects as houses;
use crate::proof::receipt::Receipt;
use crate::store::{
    ErasingTx, Tx, admins, audit, jobs as job_rows, keys as key_rows, ledger_position, maintenance, projects,
    sign_ins, users as rows,
};

/// What a replay did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// People erased again, wholly or in part.
    pub erased: u64,
    pub hidden: u64,
    pub revived: u64,
    /// Scheduled erasures that are waiting again, and that wait no longer.
    pub scheduled: u64,
    pub ended: u64,
    /// Credentials that ended: keys, tokens, passwords, second factors, and what an admin or a key could do
    /// and can no longer.
    pub keys: u64,
    pub projects: u64,
    /// Names that are kept out again, or let in.
    pub suppressions: u64,
    /// People who are held or restricted again, or no longer.
    pub holds: u64,
    /// People erased because a receipt says so, where the ledger was lost.
    pub by_receipts: u64,
}

/// Why the database has not seen what the ledger has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LagCause {
    /// It was put back from an older state, or somebody has put the ledger there.
    PutBack,
    /// The program stopped between the two: nobody was answered, and nothing is missing here.
    Stopped,
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Replayed { erased, hidden, revived, keys, projects, suppressions, holds, .. } = self;
        write!(
            f,
            "{erased} people erased again, {hidden} hidden, {revived} revived, {keys} credentials ended, \
             {projects} projects deleted, {suppressions} names kept out or let in, {holds} people held, restricted or \
             released"
        )
    }
}

/// What the audit log calls the putting back of a backup. The rows that the log had from
/// this one's number on, until this one's time, went with the database that was replaced.
pub const RESTORED: &str = "restore backup";
/// What it calls the first word of a ledger in the place of a lost one.
const ANEW: &str = "begin new ledger";
/// What it calls the catching up after a stop between ledger and database.
const CAUGHT_UP: &str = "finish after stop";
/// What it calls the catching up with the ledger.
pub const REPLAYED: &str = "replay ledger";

/// Writes down that the database came out of a backup, if it did: before anything else is
/// written. `entries` of the ledger have followed.
pub fn note_restored(tx: &ErasingTx, entries: usize) -> Result<()> {
    let Some(made_at) = maintenance::done_at(tx, maintenance::RESTORED)? else { return Ok(()) };
    // One that was used since would set a password once more.
    admins::forget_links(tx)?;
    // Each job has an entry, and one that a restore makes is for one.
    tx.leave_room(2 * i64::try_from(entries).unwrap_or(i64::MAX / 2))?;
    let reason = format!(
        "made {}, at entry {} of the ledger; {entries} entries followed; what this log had from here on, up to \
         now, is not in it",
        clock::rfc3339(made_at),
        ledger_position(tx)?.seq,
    );
    audit::append(tx, &audit::Entry { action: RESTORED, reason: Some(&reason), ..audit::Entry::default() })?;
    maintenance::forget(tx, maintenance::RESTORED)
}

/// Does what the entries order that the database has not seen. In the transaction that
/// records that it has seen them. `receipts` are those of good signature; they are looked at
/// where the ledger was lost.
pub fn run(tx: &ErasingTx, orders: &Orders, behind: LagCause, receipts: &[Receipt]) -> Result<Replayed> {
    let mut done = Replayed::default();
    if let Some(seq) = orders.reaches_back() {
        log::warn!("entry {seq} of the ledger was voided after the database had seen it");
    }
    if !orders.is_empty() {
        match behind {
            LagCause::PutBack => {
                // First: what a receipt says of the log as it was counts up to here.
                let reason = "what this log had from here on, up to now, is not in it";
                note(tx, REPLAYED, reason)?;
                // Who signed out since would be signed in again.
                sign_ins::sign_everybody_out(tx)?;
                admins::forget_links(tx)?;
            }
            LagCause::Stopped => note(tx, CAUGHT_UP, "the ledger was written, and nobody was answered yet")?,
        }
        // First: what concerns a project that is gone concerns nobody.
        done.projects += project_deletion::replay(tx, |project| orders.has_ended(project))?;
        // Before anybody is heard.
        for (at, ordered) in orders.suppressions() {
            done.suppressions += u64::from(suppressions::replay(tx, *at, ordered)?);
        }
        end_requests(tx, orders, &mut done)?;
        for id in concerned(tx, orders)? {
            if let Some(user) = rows::by_id(tx, None, id)? {
                settle(tx, orders, behind, &user, &mut done)?;
            }
        }
        renew_requests(tx, orders, &mut done)?;
        bind_requests(tx, orders)?;
        for key in key_rows::list(tx)?.into_iter().filter(|key| key.revoked_at.is_none()) {
            if orders.has_ended(tx.names().key(&key.hash)) {
                keys::revoke_silently(tx, key.id)?;
                done.keys += 1;
            }
        }
        done.keys +=
            rotation::replay(tx, behind == LagCause::PutBack, |secret| orders.end_of_secret(secret))?;
        done.keys += key_ends::replay(tx, |credential| orders.has_ended(credential))?;
        done.keys += houses::end_client_secrets(tx, |credential| orders.has_ended(credential))?;
        done.keys += admin_ends::replay(tx, |credential| orders.has_ended(credential))?;
        // After a mere stop the admin was not answered, and has nothing else to come in by.
        if behind == LagCause::PutBack {
            done.keys += credentials::end_again(tx, |credential| orders.has_ended(credential))?;
        }
        note(tx, "done again", &done.to_string())?;
    }
    if let Some(lost) = orders.lost() {
        begin_anew(tx, lost, receipts, &mut done)?;
    }
    tx.caught_up();
    Ok(done)
}

fn note(tx: &Tx, action: &str, reason: &str) -> Result<()> {
    audit::append(tx, &audit::Entry { action, reason: Some(reason), ..audit::Entry::default() })
}

/// Erases again whom the receipts name, where the ledger that ordered it was lost, and writes that
/// into the new one. A receipt names a registration by a hash that is salted for it alone.
fn begin_anew(tx: &Tx, lost: Lost, receipts: &[Receipt], done: &mut Replayed) -> Result<()> {
    let named: HashMap<[u8; 32], Vec<&Receipt>> =
        receipts.iter().fold(HashMap::new(), |mut named, receipt| {
            named.entry(receipt.subject.0).or_default().push(receipt);
            named
        });
    let mut users = BTreeSet::new();
    rows::each_registration(tx, |id, _| {
        users.insert(id);
    })?;
    for id in users {
        let Some(user) = rows::by_id(tx, None, id)? else { continue };
        let mut found: Vec<&Receipt> = Vec::new();
        for subject in token::subjects(tx, &user)? {
            found.extend(named.get(&subject).into_iter().flatten());
        }
        // What takes the most comes last: nothing is left for another then.
        found.sort_by_key(|receipt| (receipt.asked.erasure == Erasure::Everything, receipt.done.began_at));
        let before = done.by_receipts;
        for receipt in found {
            let Some(user) = rows::by_id(tx, None, id)? else { continue };
            let (erasure, at) = (receipt.asked.erasure, receipt.done.began_at);
            if !erasure::may_begin(&user, erasure) {
                continue;
            }
            let cutoff = (erasure == Erasure::Activity).then_some(at);
            for incarnation in rows::incarnations(tx, &user)? {
                let person = tx.names().person(&incarnation);
                tx.append_to_ledger_at(at, Act::Erased { person, erasure, cutoff });
            }
            match cutoff {
                Some(cutoff) => erasure::begin_again(tx, &user, cutoff)?,
                None => {
                    erasure::begin_for(tx, &user, erasure, Origin::Ledger, tx.who().legal_basis).map(drop)?
                }
            }
            done.by_receipts = before + 1;
        }
    }
    let reason = format!(
        "ledger {} was lost, and {} of its entries were known: users erased, hidden or kept out, and \
         whatever key was revoked by one that was not, may be back; {} people were erased again, as the {} \
         receipts beside it say",
        lost.ledger,
        lost.seq,
        done.by_receipts,
        receipts.len()
    );
    note(tx, ANEW, &reason)
}

/// The users that something was ordered for, whichever of their registrations it names.
fn concerned(tx: &Tx, orders: &Orders) -> Result<BTreeSet<UserId>> {
    let mut found = BTreeSet::new();
    rows::each_registration(tx, |id, incarnation| {
        if orders.concern(tx.names().person(incarnation)) {
            found.insert(id);
        }
    })?;
    Ok(found)
}

fn settle(tx: &Tx, orders: &Orders, behind: LagCause, user: &User, done: &mut Replayed) -> Result<()> {
    let people: Vec<Pseudonym> =
        rows::incarnations(tx, user)?.iter().map(|incarnation| tx.names().person(incarnation)).collect();
    let stopped = behind == LagCause::Stopped;
    for (at, act) in orders.complement(&people) {
        if !(stopped && matches!(act, Act::Revived { .. })) {
            tx.append_to_ledger_at(at, act);
        }
    }
    let standing = Standing { state: user.state, hidden_since: user.deleted_at };
    let ordered = orders.for_person(&people);
    match fate(standing, &ordered) {
        ReplayAction::Erase => {
            erasure::begin_for(tx, user, Erasure::Everything, Origin::Ledger, tx.who().legal_basis)?;
            done.erased += 1;
        }
        ReplayAction::Detach { activity } => {
            erasure::begin_for(tx, user, Erasure::Account, Origin::Ledger, tx.who().legal_basis)?;
            done.erased += 1;
            lose_activity(tx, user, activity)?;
        }
        ReplayAction::Keep { seen, activity } => {
            if seen.is_some() && user.state == State::Waiting {
                trash::return_to_trash(tx, user)?;
            }
            match seen {
                Some(Seen::HiddenSince(at)) => {
                    rows::set_state(tx, user.id, State::Hidden, Some(at))?;
                    tx.wake_worker();
                    done.hidden += 1;
                }
                // What came with the return is not in the ledger, and the caller was not
                // answered: all of it is left undone, and every older copy learns that.
                Some(Seen::Live) if stopped => {
                    let at = user.deleted_at.unwrap_or(tx.now());
                    people
                        .iter()
                        .for_each(|person| tx.append_to_ledger_at(at, Act::Hidden { person: *person }));
                }
                Some(Seen::Live) => {
                    rows::set_state(tx, user.id, State::Live, None)?;
                    done.revived += 1;
                }
                None => {}
            }
            done.erased += u64::from(lose_activity(tx, user, activity)?);
        }
    }
    done.holds += u64::from(holds::replay(tx, user.id, &ordered)?);
    Ok(())
}

/// Erases what a user did up to an instant. False: it did nothing.
fn lose_activity(tx: &Tx, user: &User, cutoff: Option<Millis>) -> Result<bool> {
    let Some(cutoff) = cutoff else { return Ok(false) };
    let Some(user) = rows::by_id(tx, None, user.id)? else { return Ok(false) };
    erasure::begin_again(tx, &user, cutoff)?;
    Ok(true)
}

/// Requests that were withdrawn or have begun since wait no longer.
fn end_requests(tx: &Tx, orders: &Orders, done: &mut Replayed) -> Result<()> {
    for (request, ended) in orders.ended() {
        let Some(job) = job_rows::by_receipt(tx, request.0)? else { continue };
        if job.status != JobStatus::Scheduled {
            continue;
        }
        done.ended += 1;
        match ended {
            Ended::Cancelled(_) => jobs::cancel_silently(tx, job)?,
            // Whom it took is erased by orders of their own: the job finds nobody.
            Ended::Begun(_) => erasure::start(tx, job, None).map(|_| ())?,
        }
    }
    Ok(())
}

/// Requests that the database does not know wait again.
fn renew_requests(tx: &Tx, orders: &Orders, done: &mut Replayed) -> Result<()> {
    let mut unknown: Vec<Request> = Vec::new();
    for request in orders.pending() {
        let known = job_rows::by_receipt(tx, request.request.0)?.is_some();
        // A project made since is gone, and all its users with it.
        if !known && projects::by_id(tx, request.project)?.is_some() {
            unknown.push(request);
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let wanted: HashMap<Pseudonym, ProjectId> =
        unknown.iter().map(|request| (request.name, request.project)).collect();
    let names = names::spelled(tx, |name| wanted.contains_key(&name))?;
    for request in unknown {
        jobs::renew(tx, &request, names.get(&request.name).map(String::as_str))?;
        done.scheduled += 1;
    }
    Ok(())
}

/// Requests that were due and could not begin mean whom they meant then; ones that the clock's being
/// set back made wait again mean nobody yet.
fn bind_requests(tx: &Tx, orders: &Orders) -> Result<()> {
    for request in orders.pending().into_iter().map(|pending| pending.request) {
        if orders.binding_of(request).is_none()
            && let Some(mut job) = job_rows::by_receipt(tx, request.0)?
            && job.bound_at.take().is_some()
        {
            job.bound_user = None;
            job_rows::update(tx, &mut job)?;
        }
    }
    let wanted: BTreeSet<Pseudonym> = orders.bound().filter_map(|(_, bound)| bound.person).collect();
    let mut people = HashMap::new();
    if !wanted.is_empty() {
        rows::each_registration(tx, |id, incarnation| {
            let person = tx.names().person(incarnation);
            if wanted.contains(&person) {
                people.insert(person, id);
            }
        })?;
    }
    for (request, bound) in orders.bound() {
        if let Some(mut job) = job_rows::by_receipt(tx, request.0)?
            && job.status == JobStatus::Scheduled
        {
            job.bound_at = Some(bound.at);
            job.bound_user = bound.person.and_then(|person| people.get(&person).copied());
            job_rows::update(tx, &mut job)?;
        }
    }
    Ok(())
}
