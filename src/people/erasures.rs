//! An erasure that is asked for: its job, and its entry in the ledger. What it does, and when it is
//! proven, is told in [`crate::erasure`].

use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::ledger::Act;
use crate::model::{Erasure, Job, JobStatus, Origin, ReceiptId, Step, User};
use crate::people::person;
use crate::store::{Tx, jobs, users};
use crate::trace::LegalBasis;

/// Begins the erasure of what an anonymous user did up to an instant: it becomes part of a
/// user whose activity up to then is erased.
pub fn begin_before(tx: &Tx, user: &User, cutoff: Millis) -> Result<()> {
    let mut job = insert(tx, user, Erasure::Activity, Origin::Request, tx.who().legal_basis)?;
    job.cutoff = Some(cutoff);
    enter(tx, &job, user, job.cutoff)?;
    run(tx, &mut job, user)
}

/// What the reaper takes was asked for when it was hidden.
pub fn insert(
    tx: &Tx,
    user: &User,
    erasure: Erasure,
    origin: Origin,
    legal_basis: LegalBasis,
) -> Result<Job> {
    let hidden_at = user.deleted_at.filter(|_| origin == Origin::Reaper);
    let new = jobs::New {
        project: user.project,
        erasure,
        origin,
        // The job needs no name to find its rows, so it is not told one.
        reference: &scrubbed(tx, user),
        legal_basis: match hidden_at {
            Some(_) => users::hidden_ground(tx, user.id)?,
            None => legal_basis,
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
pub fn enter(tx: &Tx, job: &Job, user: &User, cutoff: Option<Millis>) -> Result<()> {
    if job.origin == Origin::Ledger {
        return Ok(());
    }
    // What an activity's erasure takes is told by its time, if nothing else is said.
    let cutoff = (job.erasure == Erasure::Activity).then(|| cutoff.unwrap_or(tx.now()));
    person::append_to_ledger(tx, user, |person| Act::Erased { person, erasure: job.erasure, cutoff })
}

/// From now on the job takes the user's rows.
pub fn run(tx: &Tx, job: &mut Job, user: &User) -> Result<()> {
    job.begun_at = Some(tx.now());
    job.pseudonym = Some(person::pseudonym(tx, user));
    job.user = Some(user.id);
    job.status = JobStatus::Running;
    job.step = Some(Step::Erasing);
    tx.wake_worker();
    jobs::update(tx, job)
}

/// Known from the hiding on, for then the person is handed the token.
pub fn reapers_receipt(tx: &Tx, user: &User, hidden_at: Option<Millis>) -> ReceiptId {
    let hidden_at = hidden_at.unwrap_or_default().to_be_bytes();
    tx.keyed("reaper's receipt", &[&user.incarnation, &hidden_at])[..16].try_into().unwrap_or_default()
}

const SCRUBBED: &str = "erased:";

/// What stands in the place of a user's identifier: the same for all of their rows,
/// and nobody without the secret can tell whose it is.
pub fn scrubbed(tx: &Tx, user: &User) -> String {
    let digest = tx.keyed("what stands for the erased", &[&user.incarnation]);
    format!("{SCRUBBED}{}", data_encoding::HEXLOWER.encode(&digest[..6]))
}

/// The same for a job that found nobody.
pub fn unnamed() -> Result<String> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(Error::internal)?;
    Ok(format!("{SCRUBBED}{}", data_encoding::HEXLOWER.encode(&random)))
}
