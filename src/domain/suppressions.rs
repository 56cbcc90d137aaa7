//! Who is kept out for good, or for some days: messages for them are answered as any other, and
//! dropped. A suppression covers the identifier and the anonymous ids that the person had then.

use crate::clock::{DAY, Millis};
use crate::domain::repairs;
use crate::domain::users::{self, Subject};
use crate::error::{Error, Place, Result};
use crate::ledger::{Act, Pseudonym, Suppressing};
use crate::model::{Dropped, Identifier, ProjectId, Received, Repair};
use crate::store::suppressions::New;
pub use crate::store::suppressions::{Digest, Suppression};
use crate::store::tombstones::Named;
use crate::store::{Db, Tx, aliases, audit, projects, regulations, suppressions};

/// Names that Usher draws for visitors itself begin so: they are drawn anew instead.
pub const VISITOR: &str = "visitor-";

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
    keep_out(tx, project, identifier, policy, false)
}

/// The same, until the API that asks for it erases the person.
pub fn add_until_erased(tx: &Tx, project: ProjectId, identifier: &Identifier) -> Result<Digest> {
    keep_out(tx, project, identifier, Policy::Forever, true)
}

fn keep_out(
    tx: &Tx,
    project: ProjectId,
    identifier: &Identifier,
    policy: Policy,
    with_person: bool,
) -> Result<Digest> {
    let until = policy.until(tx.now());
    let subject = digest_of(tx, project, identifier);
    put(tx, project, &subject, &subject, until, with_person)?;
    let user = users::holder(tx, project, identifier.as_str())?;
    if let Some(user) = &user {
        for anonymous_id in aliases::unshared(tx, user.id)? {
            if !anonymous_id.starts_with(VISITOR) {
                let digest = suppressions::digest_of(tx, project, Named::Anonymous(&anonymous_id));
                put(tx, project, &digest, &subject, until, false)?;
            }
        }
    }
    let entry = audit::Entry {
        action: "suppress",
        subject: user.map(|user| users::pseudonym(tx, &user)),
        project: Some(project),
        ..audit::Entry::default()
    };
    audit::note(tx, &entry)?;
    Ok(subject)
}

/// Keeps a name out, here and in the ledger: a database from before does it, too.
fn put(
    tx: &Tx,
    project: ProjectId,
    digest: &Digest,
    subject: &Digest,
    until: Option<Millis>,
    with_person: bool,
) -> Result<()> {
    let (name, whose) = (pseudonym(digest)?, pseudonym(subject)?);
    tx.enter(Act::Suppressed { project, name, subject: whose, until, with_person });
    let new = New { digest, subject, from: tx.now(), until, ends_with_user: with_person };
    suppressions::put(tx, project, &new)
}

/// The digest is keyed, and as long as what stands for anybody in the ledger.
fn pseudonym(digest: &Digest) -> Result<Pseudonym> {
    let bytes = digest.as_slice().try_into().map_err(Error::internal)?;
    Ok(Pseudonym(bytes))
}

/// Does again what the ledger orders: the ones that were made and are not over, and those that
/// were lifted. True: there was something to do.
pub fn replay(tx: &Tx, at: Millis, ordered: &Suppressing) -> Result<bool> {
    match *ordered {
        Suppressing::Made { project, name, subject, until, with_person } => {
            // A project made since is gone, and what it kept out with it.
            if until.is_some_and(|until| until <= tx.now()) || projects::by_id(tx, project)?.is_none() {
                return Ok(false);
            }
            let (digest, subject) = (name.0.to_vec(), subject.0.to_vec());
            let new =
                New { digest: &digest, subject: &subject, from: at, until, ends_with_user: with_person };
            suppressions::put(tx, project, &new).map(|()| true)
        }
        Suppressing::Lifted { project, subject } => {
            let subject = subject.0.to_vec();
            if suppressions::remove(tx, project, &subject)? == 0 {
                return Ok(false);
            }
            regulations::forget(tx, project, &subject).map(|()| true)
        }
    }
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
    tx.enter(Act::Unsuppressed { project, subject: pseudonym(subject)? });
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
