//! Taking in the records of a file.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::times::{FUTURE, NO_TIME, checked, fault_of_time};
use super::{Counts, Entry, Fault, How, Person, Record, kept, person};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{Dropped, Identifier, ProjectId, Received, Said};
use crate::people::activity::{self, Incoming, Taken as Outcome, Visits};
use crate::people::late::{self, Speaks};
use crate::people::subject::Subject;
use crate::people::{holder, merge};
use crate::store::{BackgroundTx, Tx, users as rows};

/// What became of some records.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// So many of them are done.
    pub done: usize,
    pub counts: Counts,
    /// With the place of the record among those that were handed over.
    pub faults: Vec<(usize, Fault)>,
    /// Of a dry run: hashes of the names of new people, who are not counted.
    pub created: Vec<u64>,
}

/// Takes in records, each part by itself, until `is_enough` says so; at least one. A fault of the store
/// ends it, and so does the end of the project.
pub fn take(
    tx: &BackgroundTx,
    project: ProjectId,
    records: &[Record],
    how: How,
    is_enough: &dyn Fn() -> bool,
) -> Result<Taken> {
    let mut taken = Taken::default();
    for (place, record) in records.iter().enumerate() {
        take_record(tx, project, (place, record), how, &mut taken)?;
        taken.done += 1;
        if is_enough() {
            break;
        }
    }
    Ok(taken)
}

fn take_record(
    tx: &Tx,
    project: ProjectId,
    (place, record): (usize, &Record),
    how: How,
    taken: &mut Taken,
) -> Result<()> {
    taken.counts.records += 1;
    taken.counts.left_out += record.left_out;
    taken.counts.skipped += u64::from(record.is_skipped);
    let mut note = |fault: Fault, counts: &mut Counts| {
        let fault = Fault { line: record.line, ..fault };
        counts.fault(&fault);
        taken.faults.push((place, fault));
    };
    let entries = match &record.says {
        Ok(entries) => entries,
        Err(fault) => {
            note(fault.clone(), &mut taken.counts);
            return Ok(());
        }
    };
    for entry in entries {
        let mut counts = Counts::default();
        let before = tx.registrations();
        let outcome = tx.nested(|| {
            let outcome = take_entry(tx, project, entry, how, &mut counts)?;
            if outcome.is_ok() && tx.registrations() > before {
                note_beginning(tx, project, entry)?;
            }
            Ok(outcome)
        });
        match outcome {
            Ok(Ok(())) => {
                let made = tx.registrations() - before;
                match entry.subject().filter(|_| how.dry_run && made > 0) {
                    Some(subject) => taken.created.push(hash_of(subject)),
                    None => counts.users = u64::from(made),
                }
                taken.counts.add(&counts);
            }
            Ok(Err(Dropped::Suppressed)) => taken.counts.suppressed += 1,
            Ok(Err(Dropped::Late | Dropped::NotPublic)) => taken.counts.erased += 1,
            Err(error @ Error::ProjectNotFound) => return Err(error),
            Err(error) if error.is_of_the_store() => return Err(error),
            Err(error) => {
                let fault = match &error {
                    Error::Invalid(faults) if faults.iter().any(|fault| fault.field == NO_TIME) => {
                        Fault::new("/timestamp", "no_time", "has no time: give it one, or use --at-import")
                    }
                    Error::Invalid(faults) if faults.iter().any(|fault| fault.field == FUTURE) => {
                        Fault::new("/timestamp", "future_time", "is more than 24 hours ahead")
                    }
                    error => Fault::of(error),
                };
                note(fault, &mut taken.counts);
            }
        }
    }
    Ok(())
}

/// A person whom something of the past is the first word of is known since then: what a later record
/// says of them is newer.
fn note_beginning(tx: &Tx, project: ProjectId, entry: &Entry) -> Result<()> {
    let (Some(subject), Some(at)) = (entry.subject(), entry.at()) else { return Ok(()) };
    match holder::meant(tx, project, subject)? {
        Some(user) => rows::set_known_since(tx, user.id, at.min(tx.now())),
        None => Ok(()),
    }
}

fn hash_of(subject: &Subject) -> u64 {
    let mut hasher = DefaultHasher::new();
    subject.judged_by().hash(&mut hasher);
    hasher.finish()
}

fn take_entry(
    tx: &Tx,
    project: ProjectId,
    entry: &Entry,
    how: How,
    counts: &mut Counts,
) -> Result<Received<()>> {
    match entry {
        Entry::Person(said) => take_person(tx, project, said, how, counts),
        Entry::Event(incoming, visits) => take_event(tx, project, incoming, *visits, how, counts),
        Entry::Alias { previous, subject, at } => {
            let at = needed(tx, *at, how)?;
            if let Err(dropped) = may_join(tx, project, subject, previous, at)? {
                return Ok(Err(dropped));
            }
            merge::alias(tx, project, previous, subject, Said::at(at))
        }
        Entry::Name(link) => kept::name(tx, project, link, counts),
        Entry::Session(span) => kept::session(tx, project, span, counts),
        Entry::Recording(piece) => kept::recording(tx, project, piece, counts),
        Entry::Conversation(conversation) => kept::conversation(tx, project, conversation, counts),
        Entry::Message(said) => kept::message(tx, project, said, counts),
        Entry::Suppression { subject, until, reason } => {
            kept::suppression(tx, project, subject, *until, reason.as_deref(), counts)
        }
        Entry::ActivityErased { subject, at } => kept::activity_erased(tx, project, subject, *at),
    }
}

fn take_person(
    tx: &Tx,
    project: ProjectId,
    said: &Person,
    how: How,
    counts: &mut Counts,
) -> Result<Received<()>> {
    let at = match (checked(tx, said.at)?, said.is_activity) {
        (None, true) => Some(needed(tx, None, how)?),
        (None, false) => how.at_import.then(|| tx.now()),
        (at, _) => at,
    };
    for time in [said.created_at, said.first_seen, said.last_seen] {
        checked(tx, time)?;
    }
    person::take(tx, project, said, at, how, counts)
}

fn take_event(
    tx: &Tx,
    project: ProjectId,
    incoming: &Incoming,
    visits: Visits,
    how: How,
    counts: &mut Counts,
) -> Result<Received<()>> {
    let at = needed(tx, incoming.at.time(), how)?;
    let incoming = Incoming { at: Said::at(at), ..incoming.clone() };
    Ok(match activity::record_as(tx, project, &incoming, Speaks::OfThePast, visits)? {
        Outcome::Stored => {
            counts.events += 1;
            Ok(())
        }
        Outcome::Again => {
            counts.duplicates += 1;
            Ok(())
        }
        Outcome::Dropped(dropped) => Err(dropped),
    })
}

/// The time of what happened at one.
fn needed(tx: &Tx, at: Option<Millis>, how: How) -> Result<Millis> {
    match checked(tx, at)? {
        Some(at) => Ok(at),
        None if how.at_import => Ok(tx.now()),
        None => Err(fault_of_time(NO_TIME)),
    }
}

/// Neither of the two names may be an erased person's.
fn may_join(
    tx: &Tx,
    project: ProjectId,
    subject: &Subject,
    previous: &Identifier,
    at: Millis,
) -> Result<Received<()>> {
    if let Err(dropped) = late::check(tx, project, subject, Said::at(at), Speaks::OfThePast)? {
        return Ok(Err(dropped));
    }
    let given_up = Subject { identifier: None, anonymous_id: Some(previous.clone()) };
    late::check(tx, project, &given_up, Said::at(at), Speaks::OfThePast)
}
