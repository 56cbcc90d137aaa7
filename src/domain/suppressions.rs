//! Who is kept out for good, or for some days: messages for them are answered as any other, and
//! dropped. A suppression covers the identifier and the anonymous ids that the person had then.

use crate::clock::{DAY, Millis};
use crate::domain::repairs;
use crate::domain::subjects::{self, Meant, Subject as Whom};
use crate::domain::users::{self, Subject};
use crate::error::{Error, Place, Result};
use crate::model::{Dropped, Handle, Identifier, ProjectId, Received, Repair, User};
pub use crate::store::suppressions::{Digest, Suppression};
use crate::store::tombstones::Named;
use crate::store::{Db, Tx, aliases, audit, regulations, suppressions};

/// Names that Usher draws for visitors itself begin so: they are drawn anew instead.
pub const VISITOR: &str = "visitor-";

/// The longest reason, in characters.
const REASON_MAX: usize = 1_000;
const NOT_FOUND: Error = Error::NotFound("suppression");

/// How long somebody is kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Forever,
    Days(u32),
}

impl Policy {
    fn until(self, now: Millis) -> Option<Millis> {
        match self {
            Policy::Forever => None,
            Policy::Days(days) => Some(now + Millis::from(days) * DAY),
        }
    }
}

/// Keeps out the person with this identifier, known or not. An anonymous id that somebody else's
/// client has sent, too, is not covered, nor is a name that Usher drew for a visitor.
pub fn add(tx: &Tx, project: ProjectId, identifier: &Identifier, policy: Policy) -> Result<Digest> {
    let user = users::holder(tx, project, identifier.as_str())?;
    cover(tx, project, Named::Identifier(identifier.as_str()), user.as_ref(), policy)
}

fn cover(tx: &Tx, project: ProjectId, named: Named, user: Option<&User>, policy: Policy) -> Result<Digest> {
    let until = policy.until(tx.now());
    let subject = suppressions::digest_of(tx, project, named);
    suppressions::put(tx, project, named, &subject, until)?;
    if let Some(user) = user {
        for anonymous_id in aliases::unshared(tx, user.id)? {
            if !anonymous_id.starts_with(VISITOR) {
                suppressions::put(tx, project, Named::Anonymous(&anonymous_id), &subject, until)?;
            }
        }
    }
    let entry = audit::Entry {
        action: "suppress",
        subject: user.map(|user| users::pseudonym(tx, user)),
        project: Some(project),
        ..audit::Entry::default()
    };
    audit::note(tx, &entry)?;
    Ok(subject)
}

/// Keeps somebody out as our own API and commands ask for it, and says whether they were in before.
/// Who has no identifier is kept out by their anonymous ids. Who is kept out already is from now on
/// kept out like this. [`Error::Invalid`] on `reason`; else as [`subjects::resolve`].
pub fn request(
    tx: &Tx,
    project: ProjectId,
    whom: &Whom,
    policy: Policy,
    reason: Option<&str>,
) -> Result<(Suppression, bool)> {
    let meant = subjects::resolve(tx, project, whom)?;
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    if let Some(why) = reason.and_then(|reason| reason_fault(reason, &meant)) {
        return Err(Error::invalid(Place::Body, "reason", why));
    }
    let digest = suppressions::digest_of(tx, project, meant.named());
    let was_in = suppressions::of_subject(tx, project, &digest, tx.now())?.is_none();
    cover(tx, project, meant.named(), meant.user.as_ref(), policy)?;
    suppressions::set_reason(tx, project, &digest, reason)?;
    let made = suppressions::of_subject(tx, project, &digest, tx.now())?;
    Ok((made.ok_or_else(|| Error::internal("a suppression is gone as it is made"))?, was_in))
}

/// It stays longer than the person: a name in it would outlive their erasure.
fn reason_fault(reason: &str, meant: &Meant) -> Option<&'static str> {
    if reason.chars().count() > REASON_MAX || reason.chars().any(char::is_control) {
        return Some("must have at most 1000 characters, none of them control");
    }
    meant.is_in(reason).then_some("must not name the person")
}

/// Whether somebody is kept out, and by which suppression. One that took them along as somebody
/// else's name may have ended: then there is none to be named.
pub fn status(tx: &Tx, project: ProjectId, whom: &Whom) -> Result<Option<Option<Suppression>>> {
    let meant = subjects::resolve(tx, project, whom)?;
    let (Named::Identifier(name) | Named::Anonymous(name)) = meant.named();
    let Some(named) = kept_out_as(tx, project, name)? else { return Ok(None) };
    match suppressions::subject_of(tx, project, named)? {
        Some(subject) => Ok(Some(suppressions::of_subject(tx, project, &subject, tx.now())?)),
        None => Ok(None),
    }
}

/// Ends a suppression by what callers know it by. [`Error::NotFound`] if there is none.
pub fn end(tx: &Tx, project: ProjectId, handle: Handle) -> Result<()> {
    let found = suppressions::by_handle(tx, project, handle, tx.now())?.ok_or(NOT_FOUND)?;
    lift_subject(tx, project, &found.digest)?;
    Ok(())
}

/// A page of who is kept out now, and behind which the next one lies, if there is one.
pub fn page(
    db: &Db,
    project: ProjectId,
    after: Option<Handle>,
    limit: u32,
    now: Millis,
) -> Result<(Vec<Suppression>, Option<Handle>)> {
    let mut found = suppressions::list_by_handle(db, project, after, limit + 1, now)?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| last.handle);
    Ok((found, next))
}

/// Lets the person with this identifier in again. False: they were not kept out.
pub fn lift(tx: &Tx, project: ProjectId, identifier: &Identifier) -> Result<bool> {
    lift_subject(tx, project, &digest_of(tx, project, identifier))
}

/// What stands for an identifier.
pub fn digest_of(tx: &Tx, project: ProjectId, identifier: &Identifier) -> Digest {
    suppressions::digest_of(tx, project, Named::Identifier(identifier.as_str()))
}

/// The same for somebody whose digest is at hand.
pub fn lift_subject(tx: &Tx, project: ProjectId, subject: &Digest) -> Result<bool> {
    if suppressions::remove(tx, project, subject)? == 0 {
        return Ok(false);
    }
    regulations::forget(tx, project, subject)?;
    audit::note(
        tx,
        &audit::Entry { action: "unsuppress", project: Some(project), ..audit::Entry::default() },
    )?;
    Ok(true)
}

/// Whether the person with this identifier is kept out.
pub fn is_suppressed(tx: &Tx, project: ProjectId, identifier: &str) -> Result<bool> {
    suppressions::is_kept_out(tx, project, Named::Identifier(identifier))
}

/// Whether an anonymous id is kept out: it is linked to nobody.
pub fn covers_anonymous(tx: &Tx, project: ProjectId, anonymous_id: &str) -> Result<bool> {
    Ok(kept_out_as(tx, project, anonymous_id)?.is_some())
}

/// As what a name is kept out. A client may send an identifier where another has an anonymous id: it
/// is the same person's name in either place.
fn kept_out_as<'a>(tx: &Tx, project: ProjectId, name: &'a str) -> Result<Option<Named<'a>>> {
    for named in [Named::Identifier(name), Named::Anonymous(name)] {
        if suppressions::is_kept_out(tx, project, named)? {
            return Ok(Some(named));
        }
    }
    Ok(None)
}

/// Drops and counts a message of somebody who is kept out. It is judged by its `userId`, and by
/// its `anonymousId` only if it has none.
pub fn check(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<Received<()>> {
    if !suppressions::any(tx, project)? {
        return Ok(Ok(()));
    }
    let named = match (&subject.identifier, &subject.anonymous_id) {
        (Some(name), _) | (None, Some(name)) => kept_out_as(tx, project, name.as_str())?,
        (None, None) => None,
    };
    let Some(named) = named else { return Ok(Ok(())) };
    suppressions::note_hit(tx, project, named)?;
    repairs::note(tx, project, Repair::dropped(Dropped::Suppressed))?;
    Ok(Err(Dropped::Suppressed))
}

/// The subjects that are kept out now, in the order of their digests, behind one of them.
pub fn list(
    db: &Db,
    project: ProjectId,
    after: Option<&Digest>,
    limit: u32,
    now: Millis,
) -> Result<Vec<Suppression>> {
    suppressions::list(db, project, after, limit, now)
}

/// What stands for a subject where a name would be shown: `suppressed:` and 12 hex digits.
pub fn shown(digest: &Digest) -> String {
    format!("suppressed:{}", data_encoding::HEXLOWER.encode(&digest[..digest.len().min(6)]))
}

/// Forgets some of those whose days are over. False: there are none.
pub fn prune(tx: &Tx) -> Result<bool> {
    let any = suppressions::prune(tx, 500)? > 0;
    if any {
        regulations::forget_ended(tx)?;
    }
    Ok(any)
}

/// `days` of a policy. [`Error::Invalid`] unless it is 1 to 36,500.
pub fn days(place: Place, field: &str, days: i64) -> Result<Policy> {
    match u32::try_from(days) {
        Ok(days @ 1..=36_500) => Ok(Policy::Days(days)),
        _ => Err(Error::invalid(place, field, "must be 1 to 36500 days")),
    }
}

/// A policy by its word, and the days that go with `days` alone. [`Error::Invalid`] on either.
pub fn policy(word: Option<&str>, number: Option<i64>) -> Result<Policy> {
    match (word, number) {
        (Some("forever"), None) => Ok(Policy::Forever),
        (Some("forever"), Some(_)) => {
            Err(Error::invalid(Place::Body, "days", "goes with the policy days alone"))
        }
        (Some("days"), Some(number)) => days(Place::Body, "days", number),
        (Some("days"), None) => Err(Error::invalid(Place::Body, "days", "is required by the policy days")),
        (_, _) => Err(Error::invalid(Place::Body, "policy", "must be forever or days")),
    }
}
