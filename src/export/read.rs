//! A person's rows one after the other, of which a stretch is in memory at a time.

use std::collections::VecDeque;

use super::{Export, Subject};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Event, Interaction, Message, Session, User, UserId};
use crate::store::Db;
use crate::store::export::{self as rows, Alias, Piece, Stretch};
use crate::store::users::Direction;

/// Rows, read when they are asked for.
pub struct Rows<'a, T> {
    fetch: Box<dyn FnMut() -> Result<Vec<T>> + 'a>,
    read: VecDeque<T>,
    is_over: bool,
}

impl<'a, T> Rows<'a, T> {
    /// `fetch` reads the next stretch; an empty one is the end.
    fn new(fetch: impl FnMut() -> Result<Vec<T>> + 'a) -> Rows<'a, T> {
        Rows { fetch: Box::new(fetch), read: VecDeque::new(), is_over: false }
    }

    pub fn next(&mut self) -> Result<Option<T>> {
        if self.read.is_empty() && !self.is_over {
            self.read = (self.fetch)()?.into();
            self.is_over = self.read.is_empty();
        }
        Ok(self.read.pop_front())
    }
}

/// Where a row stands among a person's.
type Key = (Millis, i64);

/// The next stretch of all members together: each is read as far as the shortest that has more, so that
/// their rows come in one order, and one that moves from a member to another is neither lost nor doubled.
fn merged<T>(
    db: &Db,
    subject: &Subject,
    (after, end): (Key, i64),
    direction: Direction,
    key: impl Fn(&T) -> Key,
    read: impl Fn(&Db, Stretch) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    let is_before = |one: Key, two: Key| match direction {
        Direction::Ascending => one < two,
        Direction::Descending => one > two,
    };
    let (mut all, mut reach): (Vec<T>, Option<Key>) = (Vec::new(), None);
    let branches = subject.branches(db)?;
    for (user, since) in &branches {
        let after = match direction {
            Direction::Ascending => after.max((*since, i64::MAX)),
            Direction::Descending => after,
        };
        let found = read(db, Stretch { user: *user, since: *since, after, end })?;
        if branches.len() > 1
            && let Some(last) = found.last().map(&key)
            && reach.is_none_or(|reach| is_before(last, reach))
        {
            reach = Some(last);
        }
        all.extend(found);
    }
    if let Some(reach) = reach {
        all.retain(|row| !is_before(reach, key(row)));
        all.sort_by(|one, two| match direction {
            Direction::Ascending => key(one).cmp(&key(two)),
            Direction::Descending => key(two).cmp(&key(one)),
        });
    }
    Ok(all)
}

impl<'a> Export<'a> {
    /// The live people of the project, the one who came first first.
    pub fn people(&'a self) -> Rows<'a, User> {
        let mut after = UserId(i64::MIN);
        Rows::new(move || {
            let found = self.store.read(|db| rows::people(db, self.project.id, after, self.end("users")))?;
            after = found.last().map_or(after, |user| user.id);
            Ok(found)
        })
    }

    pub fn aliases(&'a self, subject: &'a Subject) -> Rows<'a, Alias> {
        let mut after = String::new();
        Rows::new(move || {
            let found = self.store.read(|db| {
                subject.branches(db)?;
                // Those of a visitor go to whom it is merged into at once: only the user itself has any.
                rows::aliases(db, subject.id, &after)
            })?;
            after = found.last().map_or_else(String::new, |alias| alias.anonymous_id.clone());
            Ok(found)
        })
    }

    /// By their starts, each with its name in the file.
    pub fn sessions(&'a self, subject: &'a Subject) -> Rows<'a, (String, Session)> {
        let mut after = (Millis::MIN, i64::MIN);
        Rows::new(move || {
            let key = |session: &Session| (session.started_at, session.id.0);
            let found = self.store.read(|db| {
                let bounds = (after, self.end("sessions"));
                let found = merged(db, subject, bounds, Direction::Ascending, key, rows::sessions)?;
                found.into_iter().map(|session| Ok((session_name(db, &session)?, session))).collect()
            });
            let found: Vec<(String, Session)> = found?;
            after = found.last().map_or(after, |(_, session)| key(session));
            Ok(found)
        })
    }

    /// By time.
    pub fn events(&'a self, subject: &'a Subject, direction: Direction) -> Rows<'a, Event> {
        let mut after = match direction {
            Direction::Ascending => (Millis::MIN, i64::MIN),
            Direction::Descending => (Millis::MAX, i64::MAX),
        };
        Rows::new(move || {
            let key = |(id, event): &(i64, Event)| (event.at, *id);
            let found = self.store.read(|db| {
                let bounds = (after, self.end("events"));
                let read = |db: &Db, stretch: Stretch| rows::events(db, stretch, direction);
                merged(db, subject, bounds, direction, key, read)
            })?;
            after = found.last().map_or(after, key);
            Ok(found.into_iter().map(|(_, event)| event).collect())
        })
    }

    /// The pieces of a session's recording.
    pub fn pieces(&'a self, subject: &'a Subject, session: &Session) -> Rows<'a, Piece> {
        let (id, mut after) = (session.id, i64::MIN);
        Rows::new(move || {
            let found = self.store.read(|db| {
                subject.branches(db)?;
                rows::piece(db, id, after, self.end("recordings"))
            })?;
            after = found.as_ref().map_or(after, |piece| piece.seq);
            Ok(found.into_iter().collect())
        })
    }

    /// By their beginnings.
    pub fn conversations(&'a self, subject: &'a Subject) -> Rows<'a, Interaction> {
        let mut after = (Millis::MIN, i64::MIN);
        Rows::new(move || {
            let key = |interaction: &Interaction| (interaction.created_at, interaction.id);
            let found = self.store.read(|db| {
                let bounds = (after, self.end("interactions"));
                merged(db, subject, bounds, Direction::Ascending, key, rows::interactions)
            })?;
            after = found.last().map_or(after, key);
            Ok(found)
        })
    }

    /// In the order in which they were said.
    pub fn messages(&'a self, subject: &'a Subject, conversation: &Interaction) -> Rows<'a, Message> {
        let (id, mut after) = (conversation.id, i64::MIN);
        Rows::new(move || {
            let found = self.store.read(|db| {
                subject.branches(db)?;
                rows::messages(db, id, after, self.end("messages"))
            })?;
            after = found.last().map_or(after, |message| message.id);
            Ok(found)
        })
    }
}

/// The name that the client gave it, if no older one of the person has the same; else its number.
pub fn session_name(db: &Db, session: &Session) -> Result<String> {
    match &session.external_id {
        Some(name) if !rows::has_older_namesake(db, session)? => Ok(name.clone()),
        _ => Ok(session.id.to_string()),
    }
}
