//! What a database has to do about the entries that it has not seen. Pure: no file, no
//! clock, no database.
//!
//! A person in a database is one or several incarnations: its own, and those of the
//! visitors that were merged into it. What was ordered for one of them holds for the whole
//! person, as when the person is named by any of its names: what a visitor did cannot be
//! told from the rest once it was merged.

use std::collections::{HashMap, HashSet};

use super::entry::{Act, Entry};
use super::{LedgerId, Pseudonym};
use crate::clock::Millis;
use crate::model::{AskedBy, Erasure, ProjectId, State};

/// The entries beyond a database's mark, put together: what counts of them in the end.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    people: HashMap<Pseudonym, Person>,
    requests: HashMap<Pseudonym, Stand>,
    bound: HashMap<Pseudonym, Bound>,
    credentials: HashSet<Pseudonym>,
    /// When secrets end that were replaced.
    ends: HashMap<Pseudonym, Millis>,
    /// In the order in which they were made and lifted.
    suppressions: Vec<(Millis, Suppressing)>,
    reaches_back: Option<u64>,
    lost: Option<Lost>,
}

/// A ledger that was lost, and how far it was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    pub ledger: LedgerId,
    pub seq: u64,
}

/// What was ordered about names that are kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suppressing {
    Made {
        project: ProjectId,
        name: Pseudonym,
        subject: Pseudonym,
        until: Option<Millis>,
        source: AskedBy,
    },
    /// All names, or one.
    Lifted {
        project: ProjectId,
        subject: Pseudonym,
        name: Option<Pseudonym>,
        source: AskedBy,
    },
}

/// What was ordered for one incarnation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Person {
    everything: Option<Millis>,
    account: Option<Millis>,
    activity: Option<Cutoff>,
    seen: Option<Last>,
    hold: Option<Said<Holding>>,
    restriction: Option<Said<Restricting>>,
}

/// What was said last of something, and when.
#[derive(Debug, Clone, Copy)]
struct Said<T> {
    seq: u64,
    at: Millis,
    what: T,
}

/// Whether a person may be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Not, until then; None: until it is released.
    Held {
        until: Option<Millis>,
    },
    Released,
}

/// Whether a person's data is only kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restricting {
    Restricted,
    Unrestricted,
}

/// The latest cut-off, and when it was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cutoff {
    cutoff: Millis,
    at: Millis,
}

/// The last time that somebody was hidden or revived.
#[derive(Debug, Clone, Copy)]
struct Last {
    seq: u64,
    at: Millis,
    seen: Seen,
}

/// Whether a person can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Live,
    /// The 7 days run from here.
    HiddenSince(Millis),
}

/// A request that was accepted, and is neither withdrawn nor begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub request: Pseudonym,
    pub project: ProjectId,
    /// Of the user who has it when the request falls due.
    pub name: Pseudonym,
    pub due: Millis,
    /// When it was accepted.
    pub at: Millis,
}

/// Whom a request means that could not begin when it was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    pub at: Millis,
    /// None: nobody.
    pub person: Option<Pseudonym>,
}

/// How a request ended, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Cancelled(Millis),
    /// Whom it took is ordered to be erased, person by person.
    Begun(Millis),
}

#[derive(Debug, Clone, Copy)]
enum Stand {
    Pending(Request),
    Ended(Ended),
}

/// What is to be erased of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erase {
    Everything,
    /// The account; and, if there is a cut-off, the activity up to it.
    Account {
        activity: Option<Millis>,
    },
    /// The activity up to the cut-off.
    Activity {
        cutoff: Millis,
    },
}

/// What was ordered for a person, whatever the state it has in the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PersonOrders {
    pub erase: Option<Erase>,
    /// Hidden since then, and not revived.
    pub hidden_at: Option<Millis>,
    /// Revived, and not hidden again.
    pub revived: bool,
    /// What was said last of a hold, and when.
    pub hold: Option<(Millis, Holding)>,
    pub restriction: Option<(Millis, Restricting)>,
}

impl From<&[Entry]> for Orders {
    /// The orders for a database that stands at the mark before these entries. Those that
    /// were declared void are left out before anything else is looked at.
    fn from(entries: &[Entry]) -> Orders {
        let mut orders = Orders::default();
        // Backwards: the entries from here on are void, as one that stands after them says.
        let mut void_from = u64::MAX;
        let mut kept = Vec::new();
        for entry in entries.iter().rev() {
            match entry.act {
                Act::Void { from } => void_from = void_from.min(from),
                _ if entry.seq >= void_from => {}
                _ => kept.push(entry),
            }
        }
        if let Some(first) = entries.first() {
            orders.reaches_back = Some(void_from).filter(|from| *from < first.seq);
        }
        kept.into_iter().rev().for_each(|entry| orders.take(entry));
        orders
    }
}

impl Orders {
    fn take(&mut self, entry: &Entry) {
        let at = entry.at;
        match entry.act {
            Act::Scheduled { request, project, name, due } => {
                let pending = Request { request, project, name, due, at };
                self.bound.remove(&request);
                self.requests.insert(request, Stand::Pending(pending));
            }
            Act::Cancelled { request } => {
                self.requests.insert(request, Stand::Ended(Ended::Cancelled(at)));
            }
            Act::Begun { request } => {
                self.requests.insert(request, Stand::Ended(Ended::Begun(at)));
            }
            Act::KeyRevoked { key: credential } | Act::CredentialEnded { credential } => {
                self.credentials.insert(credential);
            }
            Act::CredentialEnds { credential, until } => {
                // The earliest: an end that was put off is not written down.
                let end = self.ends.entry(credential).or_insert(until);
                *end = until.min(*end);
            }
            Act::Suppressed { project, name, subject, until, source } => {
                let made = Suppressing::Made { project, name, subject, until, source };
                self.suppressions.push((at, made));
            }
            Act::Unsuppressed { project, subject, name, source } => {
                self.suppressions.push((at, Suppressing::Lifted { project, subject, name, source }));
            }
            Act::Bound { request, person } => {
                self.bound.insert(request, Bound { at, person });
            }
            Act::Hidden { .. }
            | Act::Revived { .. }
            | Act::Erased { .. }
            | Act::Held { .. }
            | Act::Released { .. }
            | Act::Restricted { .. }
            | Act::Unrestricted { .. }
            | Act::Void { .. } => {}
            Act::Anew { lost, seq } => self.lost = Some(Lost { ledger: lost, seq }),
        }
        if let Some((who, ordered)) = order(entry) {
            let person = self.people.entry(who).or_default();
            *person = person.and(&ordered);
        }
    }

    /// Nothing has to be done.
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
            && self.requests.is_empty()
            && self.bound.is_empty()
            && self.credentials.is_empty()
            && self.ends.is_empty()
            && self.suppressions.is_empty()
    }

    /// The incarnations that something was ordered for, in no order.
    pub fn people(&self) -> impl Iterator<Item = Pseudonym> {
        self.people.keys().copied()
    }

    /// Whether something was ordered for this incarnation.
    pub fn concern(&self, person: Pseudonym) -> bool {
        self.people.contains_key(&person)
    }

    /// What was ordered for a person, given its own incarnation and those merged into it.
    pub fn for_person(&self, people: &[Pseudonym]) -> PersonOrders {
        self.whole(people).orders()
    }

    /// The acts that some incarnations of a person have and others lack, for those that lack
    /// them: to be appended, each with its time, when the orders for the person are applied.
    /// So a user erased or hidden as a part of another is so in every older copy, too,
    /// where it stands alone. Empty as a rule: it takes an append that was torn by a crash,
    /// or a restore to before a merge and then to after it.
    pub fn complement(&self, people: &[Pseudonym]) -> Vec<(Millis, Act)> {
        let whole = self.whole(people);
        let mut acts = Vec::new();
        for person in people.iter().copied() {
            let own = self.people.get(&person).copied().unwrap_or_default();
            let erased = |at, erasure, cutoff| Some((at, Act::Erased { person, erasure, cutoff }));
            acts.extend(match whole.everything {
                Some(at) if own.everything.is_none() => erased(at, Erasure::Everything, None),
                _ => None,
            });
            if whole.everything.is_some() {
                continue;
            }
            acts.extend(match whole.account {
                Some(at) if own.account.is_none() => erased(at, Erasure::Account, None),
                _ => None,
            });
            acts.extend(match whole.activity {
                Some(new) if own.activity.is_none_or(|own| own.cutoff < new.cutoff) => {
                    erased(new.at, Erasure::Activity, Some(new.cutoff))
                }
                _ => None,
            });
            acts.extend(match whole.hold {
                Some(last) if own.hold.map(|own| own.what) != Some(last.what) => Some(match last.what {
                    Holding::Held { until } => (last.at, Act::Held { person, until }),
                    Holding::Released => (last.at, Act::Released { person }),
                }),
                _ => None,
            });
            acts.extend(match whole.restriction {
                Some(last) if own.restriction.map(|own| own.what) != Some(last.what) => {
                    Some(match last.what {
                        Restricting::Restricted => (last.at, Act::Restricted { person }),
                        Restricting::Unrestricted => (last.at, Act::Unrestricted { person }),
                    })
                }
                _ => None,
            });
            if whole.account.is_some() {
                continue;
            }
            acts.extend(match whole.seen {
                Some(last) if own.seen.map(|own| own.seen) != Some(last.seen) => Some(match last.seen {
                    Seen::Live => (last.at, Act::Revived { person }),
                    Seen::HiddenSince(at) => (at, Act::Hidden { person }),
                }),
                _ => None,
            });
        }
        acts
    }

    fn whole(&self, people: &[Pseudonym]) -> Person {
        people.iter().filter_map(|person| self.people.get(person)).fold(Person::default(), Person::and)
    }

    /// Requests that are pending, the one that is due first first. One that the database does
    /// not know has to be put there.
    pub fn pending(&self) -> Vec<Request> {
        let mut pending: Vec<Request> = self
            .requests
            .values()
            .filter_map(|stand| match stand {
                Stand::Pending(request) => Some(*request),
                Stand::Ended(_) => None,
            })
            .collect();
        pending.sort_by_key(|request| (request.due, request.at, request.request));
        pending
    }

    /// The pending requests that are bound to this name.
    pub fn pending_for(&self, name: Pseudonym) -> Vec<Request> {
        let mut pending = self.pending();
        pending.retain(|request| request.name == name);
        pending
    }

    /// Requests that are bound, in no order, and to whom. One that is pending and not among them is
    /// not bound any more.
    pub fn bound(&self) -> impl Iterator<Item = (Pseudonym, Bound)> {
        self.bound.iter().map(|(request, bound)| (*request, *bound))
    }

    /// To whom this request is bound, if it is.
    pub fn binding_of(&self, request: Pseudonym) -> Option<Bound> {
        self.bound.get(&request).copied()
    }

    /// Requests that have ended, in no order. One that waits in the database must not wait
    /// there any longer.
    pub fn ended(&self) -> impl Iterator<Item = (Pseudonym, Ended)> {
        self.requests.iter().filter_map(|(request, stand)| match stand {
            Stand::Pending(_) => None,
            Stand::Ended(ended) => Some((*request, *ended)),
        })
    }

    /// How this request ended, if it did.
    pub fn end_of(&self, request: Pseudonym) -> Option<Ended> {
        match self.requests.get(&request)? {
            Stand::Pending(_) => None,
            Stand::Ended(ended) => Some(*ended),
        }
    }

    /// The credentials that ended, in no order.
    pub fn ended_credentials(&self) -> impl Iterator<Item = Pseudonym> {
        self.credentials.iter().copied()
    }

    /// Whether this credential ended.
    pub fn has_ended(&self, credential: Pseudonym) -> bool {
        self.credentials.contains(&credential)
    }

    /// When this secret ends or has ended, if another has replaced it.
    pub fn end_of_secret(&self, credential: Pseudonym) -> Option<Millis> {
        self.ends.get(&credential).copied()
    }

    /// What was ordered about names that are kept out, the oldest first, each with its time.
    pub fn suppressions(&self) -> &[(Millis, Suppressing)] {
        &self.suppressions
    }

    /// The ledger that this one was begun in the place of, if its beginning is not seen yet.
    pub fn lost(&self) -> Option<Lost> {
        self.lost
    }

    /// An entry that the database has seen, and that was declared void afterwards: the disk
    /// kept a commit that it had reported as failed. Whoever asked was told that it failed.
    pub fn reaches_back(&self) -> Option<u64> {
        self.reaches_back
    }
}

/// What one entry orders, and for whom.
pub(super) fn order(entry: &Entry) -> Option<(Pseudonym, Person)> {
    let at = entry.at;
    let none = Person::default();
    let seen = |seen| Person { seen: Some(Last { seq: entry.seq, at, seen }), ..none };
    let hold = |what| Person { hold: Some(Said { seq: entry.seq, at, what }), ..none };
    let restriction = |what| Person { restriction: Some(Said { seq: entry.seq, at, what }), ..none };
    match entry.act {
        Act::Held { person, until } => Some((person, hold(Holding::Held { until }))),
        Act::Released { person } => Some((person, hold(Holding::Released))),
        Act::Restricted { person } => Some((person, restriction(Restricting::Restricted))),
        Act::Unrestricted { person } => Some((person, restriction(Restricting::Unrestricted))),
        Act::Hidden { person } => Some((person, seen(Seen::HiddenSince(at)))),
        Act::Revived { person } => Some((person, seen(Seen::Live))),
        Act::Erased { person, erasure, cutoff } => {
            let cutoff = cutoff.unwrap_or(at);
            let ordered = match erasure {
                Erasure::Everything => Person { everything: Some(at), ..none },
                Erasure::Account => Person { account: Some(at), ..none },
                Erasure::Activity => Person { activity: Some(Cutoff { cutoff, at }), ..none },
                // No line of a ledger says so, and none can be written.
                Erasure::Hide => none,
            };
            Some((person, ordered))
        }
        Act::Scheduled { .. }
        | Act::Bound { .. }
        | Act::Cancelled { .. }
        | Act::Begun { .. }
        | Act::KeyRevoked { .. }
        | Act::CredentialEnded { .. }
        | Act::CredentialEnds { .. }
        | Act::Suppressed { .. }
        | Act::Unsuppressed { .. }
        | Act::Anew { .. }
        | Act::Void { .. } => None,
    }
}

impl Person {
    pub(super) fn is_erased(&self) -> bool {
        self.orders().erase.is_some()
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.orders().hidden_at.is_some()
    }

    /// What holds for a person of whom both are incarnations, or who has both orders.
    pub(super) fn and(self, other: &Person) -> Person {
        Person {
            everything: self.everything.or(other.everything),
            account: self.account.or(other.account),
            activity: self.activity.max(other.activity),
            seen: [self.seen, other.seen].into_iter().flatten().max_by_key(|last| last.seq),
            hold: later(self.hold, other.hold),
            restriction: later(self.restriction, other.restriction),
        }
    }

    fn orders(self) -> PersonOrders {
        let activity = self.activity.map(|activity| activity.cutoff);
        let erase = match (self.everything, self.account, activity) {
            (Some(_), _, _) => Some(Erase::Everything),
            (None, Some(_), activity) => Some(Erase::Account { activity }),
            (None, None, Some(cutoff)) => Some(Erase::Activity { cutoff }),
            (None, None, None) => None,
        };
        // Without an account there is nobody to hide or to revive.
        let seen = match erase {
            Some(Erase::Everything | Erase::Account { .. }) => None,
            Some(Erase::Activity { .. }) | None => self.seen.map(|last| last.seen),
        };
        PersonOrders {
            erase,
            hidden_at: match seen {
                Some(Seen::HiddenSince(at)) => Some(at),
                _ => None,
            },
            revived: seen == Some(Seen::Live),
            hold: self.hold.map(|last| (last.at, last.what)),
            restriction: self.restriction.map(|last| (last.at, last.what)),
        }
    }
}

/// What was said later.
fn later<T>(one: Option<Said<T>>, other: Option<Said<T>>) -> Option<Said<T>> {
    [one, other].into_iter().flatten().max_by_key(|said| said.seq)
}

/// The state that a person has in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub state: State,
    /// `User::deleted_at`.
    pub hidden_since: Option<Millis>,
}

/// What has to be done to a person in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayAction {
    /// Everything goes, for good.
    Erase,
    /// The account goes; and the activity up to the cut-off, if there is one.
    Detach { activity: Option<Millis> },
    /// It stays; is hidden or made live first, if told so; and loses its activity up to the
    /// cut-off, if there is one.
    Keep { seen: Option<Seen>, activity: Option<Millis> },
}

impl ReplayAction {
    /// Nothing has to be done.
    pub const LEAVE: ReplayAction = ReplayAction::Keep { seen: None, activity: None };
}

/// Decides what has to be done to a person that stands so in the database. Applied twice, it
/// does nothing the second time but erase activity again up to the same cut-off: that the
/// person has lost it already does not say that what was merged into it has.
pub fn fate(standing: Standing, orders: &PersonOrders) -> ReplayAction {
    let activity = match orders.erase {
        Some(Erase::Activity { cutoff }) => Some(cutoff),
        Some(Erase::Account { activity }) => activity,
        Some(Erase::Everything) | None => None,
    };
    match (standing.state, orders.erase) {
        // Its rows are leaving, or go wherever the rows go of whom it was merged into.
        (State::Erasing | State::Merged, _) => ReplayAction::LEAVE,
        (_, Some(Erase::Everything)) => ReplayAction::Erase,
        (State::Detached, _) => ReplayAction::Keep { seen: None, activity },
        (State::Live | State::Hidden | State::Waiting, Some(Erase::Account { .. })) => {
            ReplayAction::Detach { activity }
        }
        (State::Live | State::Hidden | State::Waiting, Some(Erase::Activity { .. }) | None) => {
            let stands = match standing.state {
                State::Hidden | State::Waiting => standing.hidden_since.map(Seen::HiddenSince),
                _ => Some(Seen::Live),
            };
            let told = orders.hidden_at.map(Seen::HiddenSince).or(orders.revived.then_some(Seen::Live));
            ReplayAction::Keep { seen: told.filter(|told| Some(*told) != stands), activity }
        }
    }
}
