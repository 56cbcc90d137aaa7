//! How a message comes in: when it says it happened, what of it was repaired, and why it was not
//! taken.

use crate::clock::{Millis, SECOND};

/// When a message says it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Said {
    /// It has no time of its own.
    #[default]
    Nothing,
    /// The same, and it was sent then: what it tells of was done no later.
    Sent(Millis),
    /// It has one that cannot be read. When it was sent, if it says so.
    Unreadable(Option<Millis>),
    At {
        /// Corrected for a clock that is ahead.
        at: Millis,
        /// The earliest of the times in it. An erased person is kept out by this one.
        earliest: Millis,
    },
}

/// A clock may be ahead by so much without being wrong.
pub const AHEAD_MAX: Millis = 10 * SECOND;

impl Said {
    /// The same, as it is believed when it comes in: what has a time that is still to come may be of
    /// any age, as a clock, an offset or a calendar is wrong.
    pub fn believed(self, now: Millis) -> Said {
        match self {
            Said::At { at, earliest } if at > now.saturating_add(AHEAD_MAX) => {
                Said::Unreadable(Some(earliest))
            }
            said => said,
        }
    }

    pub fn at(at: Millis) -> Said {
        Said::At { at, earliest: at }
    }

    pub fn time(self) -> Option<Millis> {
        match self {
            Said::At { at, .. } => Some(at),
            Said::Nothing | Said::Sent(_) | Said::Unreadable(_) => None,
        }
    }

    /// What it tells of was done by then, as far as it says: an erasure keeps out what was done before.
    pub fn latest(self) -> Option<Millis> {
        match self {
            Said::Nothing => None,
            Said::Sent(sent_at) => Some(sent_at),
            Said::Unreadable(sent_at) => sent_at,
            Said::At { at, earliest } => Some(at.min(earliest)),
        }
    }
}

impl From<Option<Millis>> for Said {
    fn from(at: Option<Millis>) -> Said {
        at.map_or(Said::Nothing, Said::at)
    }
}

/// Why a message was dropped. The client is done with it all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// It was said before the person was erased, or nobody can tell that it was not.
    Late,
    /// The person is suppressed.
    Suppressed,
    /// The project does not take this from public credentials.
    NotPublic,
}

impl Dropped {
    pub fn as_str(self) -> &'static str {
        match self {
            Dropped::Late => "late",
            Dropped::Suppressed => "suppressed",
            Dropped::NotPublic => "not public",
        }
    }
}

/// What a message led to, unless it was dropped.
pub type Received<T> = Result<T, Dropped>;

/// What became of a message, or of a part of it, that was not taken as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The message was taken; a part of it was changed or left out.
    Repaired,
    /// The message was dropped, as the rules ask.
    Dropped,
    /// The message was refused, and the client was told.
    Refused,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Repaired => "repaired",
            Outcome::Dropped => "dropped",
            Outcome::Refused => "refused",
        }
    }
}

/// A repair, a drop or a refusal, without any value: the words are ours, never a client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repair {
    pub outcome: Outcome,
    pub reason: &'static str,
    /// The field's name in the API that was called; empty for the message as a whole.
    pub field: &'static str,
}

impl Repair {
    pub const fn of(field: &'static str, reason: &'static str) -> Repair {
        Repair { outcome: Outcome::Repaired, reason, field }
    }

    pub fn dropped(why: Dropped) -> Repair {
        Repair { outcome: Outcome::Dropped, reason: why.as_str(), field: "" }
    }

    pub const fn refused(field: &'static str, reason: &'static str) -> Repair {
        Repair { outcome: Outcome::Refused, reason, field }
    }
}

/// What public credentials may write in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PublicWrites {
    /// Events, and what people say of themselves.
    #[default]
    Open,
    /// Events, and what visitors and new people say of themselves; nobody who is known is changed.
    OwnVisitors,
    /// Events alone.
    EventsOnly,
}

impl PublicWrites {
    pub const ALL: [PublicWrites; 3] =
        [PublicWrites::Open, PublicWrites::OwnVisitors, PublicWrites::EventsOnly];

    pub fn as_str(self) -> &'static str {
        match self {
            PublicWrites::Open => "open",
            PublicWrites::OwnVisitors => "own visitors",
            PublicWrites::EventsOnly => "events only",
        }
    }

    pub fn parse(text: &str) -> Option<PublicWrites> {
        PublicWrites::ALL.into_iter().find(|writes| writes.as_str() == text)
    }

    /// As one word, for the API and the command line.
    pub fn word(self) -> &'static str {
        match self {
            PublicWrites::Open => "open",
            PublicWrites::OwnVisitors => "own-visitors",
            PublicWrites::EventsOnly => "events-only",
        }
    }

    /// Reads [`PublicWrites::word`].
    pub fn from_word(word: &str) -> Option<PublicWrites> {
        PublicWrites::ALL.into_iter().find(|writes| writes.word() == word)
    }
}

/// How a project takes messages in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intake {
    pub public_writes: PublicWrites,
    /// New people that one address may make in an hour with public credentials; None: the usual
    /// number.
    pub people_per_address: Option<u32>,
    /// The same for the whole project.
    pub people_per_hour: Option<u32>,
    /// Names that stand for nobody; None: the usual ones.
    pub placeholders: Option<Vec<String>>,
    /// For how many days digests of erased identifiers are kept; None: for good.
    pub erased_kept_days: Option<u32>,
    /// Why they are kept for good.
    pub erased_kept_why: Option<String>,
}

impl Intake {
    /// What one address may make in an hour, unless the project says otherwise.
    pub const PEOPLE_PER_ADDRESS: u32 = 1_000;
    /// What all of a project may.
    pub const PEOPLE_PER_HOUR: u32 = 100_000;

    /// The number in force.
    pub fn per_address(&self) -> u32 {
        self.people_per_address.unwrap_or(Intake::PEOPLE_PER_ADDRESS)
    }

    /// The number in force.
    pub fn per_hour(&self) -> u32 {
        self.people_per_hour.unwrap_or(Intake::PEOPLE_PER_HOUR)
    }
}
