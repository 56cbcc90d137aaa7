//! Who is kept out for good, or for some days: messages for them are answered as any other, and
//! dropped. A suppression covers the identifier and the anonymous ids that the person had then.

use crate::clock::{DAY, Millis};
use crate::error::{Error, Place, Result};
use crate::ledger::{Act, Pseudonym, Suppressing};
pub use crate::model::AskedBy as Source;
use crate::model::{Dropped, Handle, Identifier, ProjectId, Received, Repair, User};
use crate::people::subject::Subject;
use crate::people::subject::VISITOR;
use crate::people::subjects::{Meant, Subject as Whom};
use crate::people::{holder, person, repairs, subjects};
use crate::store::erased_identifiers::Named;
use crate::store::suppressions::Which;
pub use crate::store::suppressions::{Digest, Suppression};
use crate::store::{Db, ErasingTx, NormalTx, Tx, aliases, audit, projects, regulations, suppressions};

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

/// Keeps out the person with this name, known or not, as regulations ask for it.
pub fn add(tx: &Tx, project: ProjectId, name: &Identifier, policy: Policy) -> Result<Digest> {
    add_for(tx, project, Source::Regulations, name, policy)
}

/// Keeps out the person whom a name means, and users who come with the name. An anonymous id that
/// somebody else's client has sent, too, is not covered, nor is a name that Usher drew for a visitor.
pub fn add_for(
    tx: &Tx,
    project: ProjectId,
    source: Source,
    name: &Identifier,
    policy: Policy,
) -> Result<Digest> {
    let user = holder::named(tx, project, name.as_str())?;
    cover(tx, project, source, Named::Identifier(name.as_str()), user.as_ref(), policy)
}

fn cover(
    tx: &Tx,
    project: ProjectId,
    source: Source,
    named: Named,
    user: Option<&User>,
    policy: Policy,
) -> Result<Digest> {
    let until = policy.until(tx.now());
    let subject = suppressions::digest_of(tx, project, named);
    let keep = |named: Named| keep_out(tx, project, source, &subject, named, until);
    keep(named)?;
    if let Some(user) = user {
        if let Some(identifier) = &user.identifier {
            keep(Named::Identifier(identifier))?;
        }
        for (anonymous_id, is_trusted) in aliases::unshared(tx, user.id)? {
            if !anonymous_id.starts_with(VISITOR) {
                keep(Named::alias(&anonymous_id, is_trusted))?;
            }
        }
    }
    let entry = audit::Entry {
        action: "suppress",
        subject: user.map(|user| person::pseudonym(tx, user)),
        project: Some(project),
        ..audit::Entry::default()
    };
    audit::append(tx, &entry)?;
    Ok(subject)
}

/// Keeps a name out, here and in the ledger: a database from before does it, too.
fn keep_out(
    tx: &Tx,
    project: ProjectId,
    source: Source,
    subject: &Digest,
    named: Named,
    until: Option<Millis>,
) -> Result<()> {
    let name = pseudonym(&suppressions::digest_of(tx, project, named))?;
    tx.append_to_ledger(Act::Suppressed { project, name, subject: pseudonym(subject)?, until, source });
    suppressions::put(tx, Which { project, subject, source: &source.text() }, named, until)
}

/// The digest is keyed, and as long as what stands for anybody in the ledger.
fn pseudonym(digest: &Digest) -> Result<Pseudonym> {
    Ok(Pseudonym(digest.as_slice().try_into().map_err(Error::internal)?))
}

/// Does again what the ledger orders: those that were made and are not over, and those that were
/// lifted. True: there was something to do.
pub fn replay(tx: &Tx, at: Millis, ordered: &Suppressing) -> Result<bool> {
    match *ordered {
        Suppressing::Made { project, name, subject, until, source } => {
            // A project that was made since is gone, and what it kept out with it.
            if until.is_some_and(|until| until <= tx.now()) || projects::by_id(tx, project)?.is_none() {
                return Ok(false);
            }
            let which = Which { project, subject: &subject.0.to_vec(), source: &source.text() };
            suppressions::put_digest(tx, which, &name.0.to_vec(), at, until).map(|()| true)
        }
        Suppressing::Lifted { project, subject, name, source } => {
            let which = Which { project, subject: &subject.0.to_vec(), source: &source.text() };
            let gone = match name {
                Some(name) => suppressions::remove_name(tx, which, &name.0.to_vec())?,
                None => suppressions::remove(tx, which)?,
            };
            regulations::forget_ended(tx, Some((project, which.subject)))?;
            Ok(gone > 0)
        }
    }
}

/// Keeps somebody out as our own API and commands ask for it, and says whether they were in before.
/// Who has no identifier is kept out by their anonymous ids. Who is kept out already is from now on
/// kept out like this, and by whom else it was asked for. [`Error::Invalid`] on `reason`; else as [`subjects::resolve`].
pub fn request(
    tx: &ErasingTx,
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
    let (digest, source) = (suppressions::digest_of(tx, project, meant.named()), Source::Own.text());
    let which = Which { project, subject: &digest, source: &source };
    let was_in = suppressions::of_subject(tx, which, tx.now())?.is_none();
    cover(tx, project, Source::Own, meant.named(), meant.user.as_ref(), policy)?;
    suppressions::set_reason(tx, which, reason)?;
    let made = suppressions::of_subject(tx, which, tx.now())?;
    Ok((made.ok_or_else(|| Error::internal("a suppression is gone as it is made"))?, was_in))
}

/// Says why somebody was kept out, in words that came with them. Words that name the person are left out.
pub(super) fn note_reason(
    tx: &Tx,
    project: ProjectId,
    name: &Identifier,
    reason: Option<&str>,
) -> Result<()> {
    let whom = Whom::Identifier(name.clone());
    let meant = subjects::resolve(tx, project, &whom)?;
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    let Some(reason) = reason.filter(|reason| reason_fault(reason, &meant).is_none()) else { return Ok(()) };
    let (digest, source) =
        (suppressions::digest_of(tx, project, Named::Identifier(name.as_str())), Source::Own.text());
    suppressions::set_reason(tx, Which { project, subject: &digest, source: &source }, Some(reason))
}

/// It stays longer than the person: a name in it would outlive their erasure.
fn reason_fault(reason: &str, meant: &Meant) -> Option<&'static str> {
    if reason.chars().count() > REASON_MAX || reason.chars().any(char::is_control) {
        return Some("must have at most 1000 characters and no control characters");
    }
    meant.is_in(reason).then_some("must not name the person")
}

/// Whether somebody is kept out, and by which suppression: the first, if there are several.
pub fn status(tx: &NormalTx, project: ProjectId, whom: &Whom) -> Result<Option<Option<Suppression>>> {
    let meant = subjects::resolve(tx, project, whom)?;
    let named = meant.named();
    let found = match named {
        Named::Identifier(name) => kept_out_as(tx, project, &Named::as_identifier(name))?,
        Named::Anonymous(name) | Named::Claimed(name) => {
            kept_out_as(tx, project, &Named::as_anonymous(name))?
        }
    };
    let Some(named) = found else { return Ok(None) };
    for (subject, source) in suppressions::keeping_out(tx, project, named)? {
        let which = Which { project, subject: &subject, source: &source };
        if let Some(found) = suppressions::of_subject(tx, which, tx.now())? {
            return Ok(Some(Some(found)));
        }
    }
    Ok(Some(None))
}

/// Ends a suppression by what callers know it by, whichever caller asked for it. Those that others asked for
/// stay. [`Error::NotFound`] if there is none.
pub fn end(tx: &ErasingTx, project: ProjectId, handle: Handle) -> Result<()> {
    let found = suppressions::by_handle(tx, project, handle, tx.now())?.ok_or(NOT_FOUND)?;
    let source = Source::parse(&found.source).ok_or_else(|| Error::internal("nobody asks by this word"))?;
    lift_whole(tx, project, &found.digest, source, Others::Stay)?;
    match source {
        Source::Regulation(id) => regulations::set_withdrawn(tx, id, tx.now()),
        _ => Ok(()),
    }
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

/// Lets the person with this name in again, as regulations ask for it. False: they kept nobody out by it.
pub fn lift(tx: &Tx, project: ProjectId, name: &Identifier) -> Result<bool> {
    lift_for(tx, project, Source::Regulations, name)
}

/// The same for any source. A name that went with somebody as one of their anonymous ids is let in by
/// itself, and they stay out.
pub fn lift_for(tx: &Tx, project: ProjectId, source: Source, name: &Identifier) -> Result<bool> {
    let (by_source, unknown) = (source.text(), Source::Unknown.text());
    let mut lifted = false;
    for named in Named::as_anonymous(name.as_str()) {
        let digest = suppressions::digest_of(tx, project, named);
        for (subject, by) in suppressions::keeping_out(tx, project, named)? {
            let is_whole = matches!(named, Named::Identifier(_)) || subject == digest;
            if is_whole && (by == by_source || by == unknown) {
                lifted |= lift_whole(tx, project, &subject, source, Others::UnknownToo)?;
            }
        }
        for (subject, by) in suppressions::went_with(tx, project, &by_source, &digest)? {
            let asked = if by == unknown { Source::Unknown } else { source };
            let (whose, name) = (pseudonym(&subject)?, Some(pseudonym(&digest)?));
            tx.append_to_ledger(Act::Unsuppressed { project, subject: whose, name, source: asked });
            suppressions::remove_name(tx, Which { project, subject: &subject, source: &by }, &digest)?;
            note_lifted(tx, project)?;
            lifted = true;
        }
    }
    Ok(lifted)
}

/// The same for somebody whose digest is at hand.
pub fn lift_subject(tx: &Tx, project: ProjectId, source: Source, subject: &Digest) -> Result<bool> {
    lift_whole(tx, project, subject, source, Others::UnknownToo)
}

/// A user goes, and with them what they and the app chose for them.
pub fn end_switches(tx: &Tx, project: ProjectId, name: &str) -> Result<()> {
    let subject = &suppressions::digest_of(tx, project, Named::Identifier(name));
    for source in [Source::Denylist, Source::Preference] {
        lift_whole(tx, project, subject, source, Others::Stay)?;
    }
    Ok(())
}

/// What becomes of those of whom it is not known who asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    UnknownToo,
    Stay,
}

/// Lets a subject in with all names that went with it, as far as this source is asked.
fn lift_whole(tx: &Tx, project: ProjectId, subject: &Digest, source: Source, others: Others) -> Result<bool> {
    let mut lifted = false;
    let unknown_too = others == Others::UnknownToo && source != Source::Unknown;
    for source in [Some(source), unknown_too.then_some(Source::Unknown)].into_iter().flatten() {
        if suppressions::remove(tx, Which { project, subject, source: &source.text() })? > 0 {
            tx.append_to_ledger(Act::Unsuppressed {
                project,
                subject: pseudonym(subject)?,
                name: None,
                source,
            });
            lifted = true;
        }
    }
    if lifted {
        regulations::forget_ended(tx, Some((project, subject)))?;
        note_lifted(tx, project)?;
    }
    Ok(lifted)
}

fn note_lifted(tx: &Tx, project: ProjectId) -> Result<()> {
    audit::append(
        tx,
        &audit::Entry { action: "unsuppress", project: Some(project), ..audit::Entry::default() },
    )
}

/// Whether the person with this identifier is kept out.
pub fn is_suppressed(tx: &Tx, project: ProjectId, identifier: &str) -> Result<bool> {
    Ok(kept_out_as(tx, project, &Named::as_identifier(identifier))?.is_some())
}

/// Whether a source keeps out the person with this identifier, or, with `others`, any but this one.
pub fn is_kept_out_by(
    tx: &Tx,
    project: ProjectId,
    identifier: &str,
    source: Source,
    others: bool,
) -> Result<bool> {
    let source = source.text();
    for named in Named::as_identifier(identifier) {
        let found = suppressions::keeping_out(tx, project, named)?;
        if found.iter().any(|(_, by)| (*by == source) != others) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an anonymous id is kept out: it is linked to nobody.
pub fn covers_anonymous(tx: &Tx, project: ProjectId, anonymous_id: &str) -> Result<bool> {
    Ok(kept_out_as(tx, project, &Named::as_anonymous(anonymous_id))?.is_some())
}

/// Whether one of several names is kept out.
pub(super) fn keeps_out(tx: &Tx, project: ProjectId, names: &[Named]) -> Result<bool> {
    Ok(kept_out_as(tx, project, names)?.is_some())
}

/// The first of several names that is kept out.
fn kept_out_as<'a>(tx: &Tx, project: ProjectId, names: &[Named<'a>]) -> Result<Option<Named<'a>>> {
    for named in names {
        if suppressions::is_kept_out(tx, project, *named)? {
            return Ok(Some(*named));
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
    let Some(named) = kept_out_as(tx, project, &subject.judged_as())? else { return Ok(Ok(())) };
    suppressions::note_hit(tx, project, named)?;
    repairs::note(tx, project, Repair::dropped(Dropped::Suppressed))?;
    Ok(Err(Dropped::Suppressed))
}

/// The same for a user that was found: by the identifier, else by the anonymous ids.
pub fn check_user(tx: &Tx, user: &User) -> Result<Received<()>> {
    let mut subjects = vec![Subject::of(user)];
    if user.identifier.is_none() && suppressions::any(tx, user.project)? {
        let names = aliases::of(tx, user.id, u32::MAX)?;
        subjects =
            names.iter().filter_map(|name| Identifier::new(name).ok()).map(Subject::anonymous).collect();
    }
    for subject in &subjects {
        if let Err(dropped) = check(tx, user.project, subject)? {
            return Ok(Err(dropped));
        }
    }
    Ok(Ok(()))
}

/// The subjects that regulations keep out now, in the order of their digests, behind one of them.
pub fn list(
    db: &Db,
    project: ProjectId,
    after: Option<&Digest>,
    limit: u32,
    now: Millis,
) -> Result<Vec<Suppression>> {
    suppressions::list(db, project, &Source::Regulations.text(), after, limit, now)
}

/// What stands for a subject where a name would be shown: `suppressed:` and 12 hex digits.
pub fn shown(digest: &Digest) -> String {
    format!("suppressed:{}", data_encoding::HEXLOWER.encode(&digest[..digest.len().min(6)]))
}

/// Forgets some of those whose days are over. False: there are none.
pub fn prune(tx: &Tx) -> Result<bool> {
    let any = suppressions::prune(tx, 500)? > 0;
    if any {
        regulations::forget_ended(tx, None)?;
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
            Err(Error::invalid(Place::Body, "days", "is allowed only with the policy days"))
        }
        (Some("days"), Some(number)) => days(Place::Body, "days", number),
        (Some("days"), None) => Err(Error::invalid(Place::Body, "days", "is required for the policy days")),
        (_, _) => Err(Error::invalid(Place::Body, "policy", "must be forever or days")),
    }
}
