//! Taking in what another system kept: with its own times and ids, each record once, and nobody back
//! who was erased. Nothing in here knows how a file is read.

mod kept;
mod person;
mod progress;
mod take;
mod times;

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::error::Error;
use crate::model::{Device, Handle, Identifier, ProfileChange};
use crate::people::activity::{Incoming, Visits};
use crate::people::subject::Subject;

pub use progress::{Begun, File, advance, begin, finish, get, list};
pub use take::{Taken, take};

/// So many faults are kept one by one; all are counted.
pub const FAULTS_KEPT: usize = 1_000;
/// A clock that is ahead by more than this is wrong, and so is what it dated.
pub const AHEAD: Millis = crate::clock::DAY;

/// An anonymous id and whose it is, as an export of ours has it.
#[derive(Debug, Clone)]
pub struct Link {
    pub subject: Subject,
    pub name: Identifier,
    /// When it was linked.
    pub at: Option<Millis>,
    /// A key that is not public said so.
    pub is_trusted: bool,
    /// Another person's client has sent it, too.
    pub is_shared: bool,
}

/// One thing that a record says.
#[derive(Debug, Clone)]
pub enum Entry {
    Person(Box<Person>),
    Event(Box<Incoming>, Visits),
    /// The anonymous id was the same person.
    Alias {
        previous: Identifier,
        subject: Subject,
        at: Option<Millis>,
    },
    /// An anonymous id of a person, as an export of ours has it.
    Name(Box<Link>),
    Session(Box<Span>),
    Recording(Box<Piece>),
    Conversation(Box<Conversation>),
    Message(Box<Said>),
    Suppression {
        subject: Subject,
        until: Option<Millis>,
        reason: Option<String>,
    },
    /// Activity up to then is erased.
    ActivityErased {
        subject: Subject,
        at: Millis,
    },
}

impl Entry {
    /// When what it tells of happened. None: it has no time, or keeps its own, as what is said of a person.
    fn at(&self) -> Option<Millis> {
        match self {
            Entry::Event(incoming, _) => incoming.at.time(),
            Entry::Alias { at, .. } => *at,
            Entry::Session(span) => Some(span.started_at),
            Entry::Recording(piece) => Some(piece.at),
            Entry::Conversation(conversation) => Some(conversation.created_at),
            Entry::Message(said) => Some(said.created_at),
            Entry::Person(_) | Entry::Name(_) | Entry::Suppression { .. } | Entry::ActivityErased { .. } => {
                None
            }
        }
    }

    /// Whom it is about.
    fn subject(&self) -> Option<&Subject> {
        Some(match self {
            Entry::Person(person) => &person.subject,
            Entry::Event(incoming, _) => &incoming.subject,
            Entry::Alias { subject, .. }
            | Entry::Suppression { subject, .. }
            | Entry::ActivityErased { subject, .. } => subject,
            Entry::Name(link) => &link.subject,
            Entry::Session(span) => &span.subject,
            Entry::Recording(piece) => &piece.subject,
            Entry::Conversation(conversation) => &conversation.subject,
            Entry::Message(said) => &said.subject,
        })
    }
}

/// What is said of a person.
#[derive(Debug, Clone, Default)]
pub struct Person {
    pub subject: Subject,
    pub change: ProfileChange,
    /// As of when. None: a list of people without times, as of when it was made.
    pub at: Option<Millis>,
    pub created_at: Option<Millis>,
    pub first_seen: Option<Millis>,
    pub last_seen: Option<Millis>,
    /// Saying it is something that the person did.
    pub is_activity: bool,
}

/// A session with its whole length.
#[derive(Debug, Clone)]
pub struct Span {
    pub subject: Subject,
    pub name: Identifier,
    pub started_at: Millis,
    pub ended_at: Millis,
    pub device: Device,
}

/// A piece of a session's recording.
#[derive(Debug, Clone)]
pub struct Piece {
    pub subject: Subject,
    pub session: Identifier,
    pub content_type: String,
    pub seq: i64,
    pub at: Millis,
    pub data: Vec<u8>,
}

/// A conversation with an agent.
#[derive(Debug, Clone)]
pub struct Conversation {
    pub subject: Subject,
    pub handle: Handle,
    pub agent: String,
    pub name: String,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// A message of a conversation.
#[derive(Debug, Clone)]
pub struct Said {
    pub subject: Subject,
    pub conversation: Handle,
    pub handle: Handle,
    pub parent: Option<Handle>,
    pub depth: i64,
    pub content: String,
    pub created_at: Millis,
}

/// A record of a file, and what it says.
#[derive(Debug, Clone)]
pub struct Record {
    /// From 1.
    pub number: u64,
    /// Where a person finds it: the line, or the place in a list.
    pub line: u64,
    /// Where it ends in the unpacked text.
    pub offset: u64,
    pub says: Result<Vec<Entry>, Fault>,
    /// It is of a kind that is not taken in.
    pub is_skipped: bool,
    /// Values in it that are never taken: passwords, tokens.
    pub left_out: u64,
    /// As it stands in the file, where somebody wants those that cannot be taken.
    pub raw: Option<Vec<u8>>,
}

/// Why a record, or a part of it, was not taken. Nothing of its content is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub line: u64,
    /// Of the field, as the file has it; empty for the record as a whole.
    pub pointer: String,
    pub code: String,
    pub message: String,
}

impl Fault {
    /// Of a field; the line is filled in by who reads the file.
    pub fn new(pointer: &str, code: &str, message: impl Into<String>) -> Fault {
        Fault { line: 0, pointer: pointer.to_owned(), code: code.to_owned(), message: message.into() }
    }

    /// What a rule refused. The words are the rule's own and quote no value.
    fn of(error: &Error) -> Fault {
        match error {
            Error::Invalid(faults) => match faults.first() {
                Some(fault) => Fault::new(&format!("/{}", fault.field), "invalid", fault.message.clone()),
                None => Fault::new("", "invalid", "cannot be taken"),
            },
            error => Fault::new("", "refused", error.to_string()),
        }
    }
}

/// How much came of a file so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    pub records: u64,
    /// Created.
    pub users: u64,
    /// Of known users, whose data was added to or changed.
    pub updated: u64,
    pub events: u64,
    pub sessions: u64,
    /// Recordings' pieces, conversations and their messages.
    pub others: u64,
    /// What was there already.
    pub duplicates: u64,
    /// Of people who were erased, or dated before an erasure.
    pub erased: u64,
    pub suppressed: u64,
    /// Of kinds that are not taken in.
    pub skipped: u64,
    /// Passwords, tokens and the like that were left out.
    pub left_out: u64,
    pub faults: u64,
    /// The same by code.
    pub faults_by_code: std::collections::BTreeMap<String, u64>,
}

impl Counts {
    pub fn add(&mut self, more: &Counts) {
        for (sum, more) in [
            (&mut self.records, more.records),
            (&mut self.users, more.users),
            (&mut self.updated, more.updated),
            (&mut self.events, more.events),
            (&mut self.sessions, more.sessions),
            (&mut self.others, more.others),
            (&mut self.duplicates, more.duplicates),
            (&mut self.erased, more.erased),
            (&mut self.suppressed, more.suppressed),
            (&mut self.skipped, more.skipped),
            (&mut self.left_out, more.left_out),
            (&mut self.faults, more.faults),
        ] {
            *sum += more;
        }
        for (code, more) in &more.faults_by_code {
            *self.faults_by_code.entry(code.clone()).or_default() += more;
        }
    }

    fn fault(&mut self, fault: &Fault) {
        self.faults += 1;
        *self.faults_by_code.entry(fault.code.clone()).or_default() += 1;
    }
}

/// How records are taken in.
#[derive(Debug, Clone, Copy, Default)]
pub struct How {
    /// Restore people from the trash whom a record speaks of.
    pub revive: bool,
    /// Each record was taken in before: what a person has lost since is not filled in again.
    pub again: bool,
    /// What has no time happened now.
    pub at_import: bool,
    /// All of it will be undone: new people are named by a hash, as they come again.
    pub dry_run: bool,
}
