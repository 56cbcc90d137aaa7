//! What the users of a project did, page by page: events of one kind, or sessions.
//!
//! A page begins behind the entry with which the last one ended, so entries that come in
//! meanwhile shift nothing. Only what is of live, identified users is shown.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{Event, Kind, ProjectId, Session, SessionId, User, UserId};
use crate::store::history::{self, Part, Person};
use crate::store::users::{Direction, Filter};
use crate::store::{Db, sessions, users};

/// A count reads so many entries, and about as many as one user has more. What lies beyond is
/// estimated by the users' figures, which are not too low.
const COUNTED: i64 = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Events(Kind),
    Sessions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// One user after the other, each from its oldest entry on: a page costs no more than
    /// what is on it.
    Users,
    /// All together by time: a page looks at each user that was active.
    Time(Direction),
}

/// Which entries, in which order.
#[derive(Debug, Clone)]
pub struct History {
    pub project: ProjectId,
    pub what: What,
    pub who: Filter,
    /// From and to, both included.
    pub span: (Millis, Millis),
    pub order: Order,
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub user: Rc<User>,
    pub at: Millis,
    number: i64,
    pub record: Record,
}

#[derive(Debug, Clone)]
pub enum Record {
    Event(Event),
    Session(Session),
}

/// Where an entry stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    at: Millis,
    number: i64,
    user: UserId,
}

impl Entry {
    pub fn place(&self) -> Place {
        Place { at: self.at, number: self.number, user: self.user.id }
    }

    fn key(&self) -> Key {
        (self.at, self.number)
    }
}

/// What cannot be asked of the database about an entry.
pub type Trial<'a> = Option<&'a dyn Fn(&Entry) -> bool>;

/// Entries of one list by time; no two have the same.
type Key = (Millis, i64);

fn is_behind(key: Key, other: Key, direction: Direction) -> bool {
    match direction {
        Direction::Ascending => key > other,
        Direction::Descending => key < other,
    }
}

/// Up to `limit` entries behind a place. It may read all of the span: for scans.
pub fn page(
    db: &Db,
    history: &History,
    after: Option<&Place>,
    limit: usize,
    trial: Trial,
) -> Result<Vec<Entry>> {
    match history.order {
        Order::Users => by_user(db, history, after, limit, trial),
        Order::Time(direction) => by_time(db, history, direction, after, limit, trial),
    }
}

fn by_user(
    db: &Db,
    history: &History,
    after: Option<&Place>,
    limit: usize,
    trial: Trial,
) -> Result<Vec<Entry>> {
    let mut found: Vec<Entry> = Vec::new();
    // The last user of the page before may have more.
    let from = after.map(|place| UserId(place.user.0.saturating_sub(1)));
    each_person(db, history, from, |person, members| {
        let last = after.filter(|place| place.user == person.id).map(|place| (place.at, place.number));
        let from = last.map_or(history.span.0, |(at, _)| at.max(history.span.0));
        let wanted = limit - found.len();
        let mut own = BTreeMap::new();
        for (member, since) in members {
            let part = Part { member: *member, since: *since, from, to: history.span.1 };
            let mut taken = 0;
            walk(db, history, person, part, Direction::Ascending, |entry| {
                let is_new = last.is_none_or(|last| entry.key() > last);
                if is_new && trial.is_none_or(|holds| holds(&entry)) {
                    own.insert(entry.key(), entry);
                    taken += 1;
                }
                Ok(if taken == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
        }
        found.extend(own.into_values().take(wanted));
        Ok(if found.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(found)
}

/// The best of each user are put together; what is no better than the worst of a full page
/// ends the walk through a user's timeline, so of most users one row of an index is read.
fn by_time(
    db: &Db,
    history: &History,
    direction: Direction,
    after: Option<&Place>,
    limit: usize,
    trial: Trial,
) -> Result<Vec<Entry>> {
    let last = after.map(|place| (place.at, place.number));
    let mut best: BTreeMap<Key, Entry> = BTreeMap::new();
    let worst = |best: &BTreeMap<Key, Entry>| {
        let key = match direction {
            Direction::Ascending => best.last_key_value(),
            Direction::Descending => best.first_key_value(),
        };
        key.map(|(key, _)| *key).filter(|_| best.len() >= limit)
    };
    each_person(db, history, None, |person, members| {
        for (member, since) in members {
            let (mut from, mut to) = history.span;
            let (near, far) = (last.map(|(at, _)| at), worst(&best).map(|(at, _)| at));
            match direction {
                Direction::Ascending => {
                    (from, to) = (near.unwrap_or(from).max(from), far.unwrap_or(to).min(to))
                }
                Direction::Descending => {
                    (from, to) = (far.unwrap_or(from).max(from), near.unwrap_or(to).min(to))
                }
            }
            let part = Part { member: *member, since: *since, from, to };
            walk(db, history, person, part, direction, |entry| {
                let key = entry.key();
                if last.is_some_and(|last| !is_behind(key, last, direction)) {
                    return Ok(ControlFlow::Continue(()));
                }
                let worst = worst(&best);
                if worst.is_some_and(|worst| is_behind(key, worst, direction)) {
                    return Ok(ControlFlow::Break(()));
                }
                if trial.is_none_or(|holds| holds(&entry)) {
                    if let Some(worst) = worst {
                        best.remove(&worst);
                    }
                    best.insert(key, entry);
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(match direction {
        Direction::Ascending => best.into_values().collect(),
        Direction::Descending => best.into_values().rev().collect(),
    })
}

/// How many entries there are on all pages: never too low, and exact unless there are very
/// many, as clients stop at it. For scans.
pub fn count(db: &Db, history: &History, trial: Trial) -> Result<i64> {
    let (mut total, mut read) = (0, 0);
    each_person(db, history, None, |person, members| {
        if read > COUNTED {
            total += match history.what {
                What::Events(_) => person.events,
                What::Sessions => person.sessions,
            };
            return Ok(ControlFlow::Continue(()));
        }
        for (member, since) in members {
            let part = Part { member: *member, since: *since, from: history.span.0, to: history.span.1 };
            match (trial, history.what) {
                (None, What::Events(kind)) => {
                    let (all, of_kind) = history::count_events(db, part, kind)?;
                    (total, read) = (total + of_kind, read + all);
                }
                (None, What::Sessions) => {
                    let all = history::count_sessions(db, part)?;
                    (total, read) = (total + all, read + all);
                }
                (Some(holds), _) => walk(db, history, person, part, Direction::Ascending, |entry| {
                    (total, read) = (total + i64::from(holds(&entry)), read + 1);
                    Ok(ControlFlow::Continue(()))
                })?,
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(total)
}

/// By what name the session of an entry is known: its client's, or else its number.
pub fn session_name(db: &Db, id: SessionId) -> Result<String> {
    let session = sessions::by_id(db, id)?;
    Ok(session.and_then(|session| session.external_id).unwrap_or_else(|| id.to_string()))
}

/// Hands over the users behind `after` that may have entries, with the members whose
/// timelines make theirs up, until told to stop.
fn each_person(
    db: &Db,
    history: &History,
    after: Option<UserId>,
    mut see: impl FnMut(&Person, &[(UserId, Millis)]) -> Result<ControlFlow<()>>,
) -> Result<()> {
    // Most of the time no rows are moving, and nobody need be asked for more of them.
    let is_merging = history::is_merging(db)?;
    let mut after = after.unwrap_or(UserId(i64::MIN));
    loop {
        let people = history::people(db, history.project, &history.who, history.span.0, after)?;
        let Some(last) = people.last() else { return Ok(()) };
        after = last.id;
        for person in &people {
            let flow = match is_merging {
                true => see(person, &users::branches(db, person.id, person.since)?)?,
                false => see(person, &[(person.id, person.since)])?,
            };
            if flow.is_break() {
                return Ok(());
            }
        }
    }
}

/// Hands over the entries of a part of somebody's timeline. Who it is, is read with the first.
fn walk(
    db: &Db,
    history: &History,
    person: &Person,
    part: Part,
    direction: Direction,
    mut see: impl FnMut(Entry) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut known: Option<Rc<User>> = None;
    let mut user = || match &known {
        Some(user) => Ok(Rc::clone(user)),
        None => {
            let user = users::by_id(db, Some(history.project), person.id)?;
            let user = Rc::new(user.ok_or_else(|| Error::internal("a user is gone within one read"))?);
            known = Some(Rc::clone(&user));
            Ok::<Rc<User>, Error>(user)
        }
    };
    match history.what {
        What::Events(kind) => history::walk_events(db, part, kind, direction, |number, event| {
            see(Entry { user: user()?, at: event.at, number, record: Record::Event(event) })
        }),
        What::Sessions => history::walk_sessions(db, part, direction, |session| {
            let (at, number) = (session.started_at, session.id.0);
            see(Entry { user: user()?, at, number, record: Record::Session(session) })
        }),
    }
}
