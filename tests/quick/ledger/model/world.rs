//! A database, its backups, its ledger, and what may happen to them.

use std::collections::{BTreeMap, HashMap};

use usher::clock::Millis;
use usher::ledger::{Act, Entry, Orders, Pseudonym, ReplayAction, Seen, Standing, fate};
use usher::model::{State, TRASH_PERIOD};

use super::truth::Truth;
use crate::ledger::MADE;

/// Something that happens. Numbers choose among what there is.
#[derive(Debug, Clone)]
pub enum Step {
    /// Requests that the writer takes as one group.
    Group(Vec<Op>, Outcome),
    Backup,
    /// A backup is put back. The first try may crash after some lines of its own.
    Restore(u8, Option<usize>),
    Restart(Option<usize>),
    Wait(Millis),
}

#[derive(Debug, Clone, Copy)]
pub enum Op {
    /// Whoever has the name is created, seen or revived.
    Register(u8),
    /// Somebody without a name comes by.
    Visit,
    /// Somebody does something.
    Act(u8),
    Hide(u8),
    Revive(u8),
    /// Erase whoever has the name when the time has passed.
    Schedule(u8, Millis),
    Cancel(u8),
    BeginDue,
    Erase(u8, Erases),
    Reap,
    /// A visitor turns out to be somebody.
    Merge(u8, u8),
    /// A visitor gets a name.
    Name(u8, u8),
    Rename(u8, u8),
    CreateKey,
    RevokeKey(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erases {
    Everything,
    Account,
    Activity,
}

/// How far a group comes.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    Answered,
    /// Committed; the program is killed before it answers.
    NotAnswered,
    CrashBeforeAppend,
    /// Some lines of the append are on the disk (as many as there are, at most); nothing was
    /// committed.
    CrashAfterLines(usize),
    /// The appended entries are declared void, and the program goes on.
    CommitFails,
    CommitFailsThenCrash,
}

/// What a world may leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    NothingReplayed,
    PeopleNotReplayed,
    RequestsNotReplayed,
    KeysNotReplayed,
    VoidsNotHeeded,
    VoidsNotWritten,
    HiddenFromTheReplayOn,
    NotWrittenForEachIncarnation,
    BegunBeforeErased,
    MergedVisitorsNotRevived,
    NoComplement,
}

impl Flaw {
    pub const ALL: [Flaw; 11] = [
        Flaw::NothingReplayed,
        Flaw::PeopleNotReplayed,
        Flaw::RequestsNotReplayed,
        Flaw::KeysNotReplayed,
        Flaw::VoidsNotHeeded,
        Flaw::VoidsNotWritten,
        Flaw::HiddenFromTheReplayOn,
        Flaw::NotWrittenForEachIncarnation,
        Flaw::BegunBeforeErased,
        Flaw::MergedVisitorsNotRevived,
        Flaw::NoComplement,
    ];
}

/// A person in a database. Rows stay when everything is erased, to be looked at.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its own incarnation, then those of the visitors merged into it.
    pub people: Vec<Pseudonym>,
    pub name: Option<Pseudonym>,
    pub state: State,
    pub hidden_since: Option<Millis>,
    pub deeds: Vec<Deed>,
}

#[derive(Debug, Clone, Copy)]
pub struct Deed {
    pub of: Pseudonym,
    pub at: Millis,
    pub gone: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Db {
    pub rows: Vec<Row>,
    /// Requests that wait: the name they are bound to, and when they are due.
    pub waiting: BTreeMap<Pseudonym, (Pseudonym, Millis)>,
    /// Whether each is revoked.
    pub keys: BTreeMap<Pseudonym, bool>,
    /// Entries of the ledger that it has seen.
    pub mark: usize,
    /// How much of the truth it has seen.
    pub told: usize,
}

/// A group's transaction.
pub struct Tx {
    pub db: Db,
    /// What it does that somebody is told of, each with its time.
    pub acts: Vec<(Millis, Act)>,
    /// Which of them are left out of the ledger: with some flaws only.
    pub unwritten: Vec<usize>,
    /// Whom each request took.
    pub took: HashMap<Pseudonym, Vec<Pseudonym>>,
}

pub struct World {
    pub flaw: Option<Flaw>,
    pub now: Millis,
    /// For pseudonyms: nothing random is given out twice, whatever is put back.
    pub last: u64,
    pub db: Db,
    pub backups: Vec<Db>,
    pub ledger: Vec<Entry>,
    pub truth: Truth,
}

impl Row {
    pub fn is_revivable(&self, now: Millis) -> bool {
        self.state == State::Hidden && self.hidden_since.is_some_and(|at| at > now - TRASH_PERIOD)
    }

    pub fn is_expired(&self, now: Millis) -> bool {
        self.state == State::Hidden && !self.is_revivable(now)
    }

    pub fn is_reachable(&self, now: Millis) -> bool {
        self.state == State::Live || self.is_revivable(now)
    }

    pub fn is_visitor(&self, now: Millis) -> bool {
        self.name.is_none() && self.is_reachable(now)
    }

    pub fn act(&mut self, at: Millis) {
        self.deeds.push(Deed { of: self.people[0], at, gone: false });
    }

    pub fn see(&mut self, seen: Seen) {
        (self.state, self.hidden_since) = match seen {
            Seen::Live => (State::Live, None),
            Seen::HiddenSince(at) => (State::Hidden, Some(at)),
        };
    }

    pub fn empty(&mut self, cutoff: Millis) {
        self.deeds.iter_mut().filter(|deed| deed.at <= cutoff).for_each(|deed| deed.gone = true);
    }

    pub fn detach(&mut self) {
        (self.state, self.name, self.hidden_since) = (State::Detached, None, None);
    }

    pub fn erase(&mut self) {
        self.detach();
        self.state = State::Erasing;
        self.empty(Millis::MAX);
    }
}

impl Tx {
    /// One of the rows that are so.
    pub fn one(&self, which: u8, are: impl Fn(&Row) -> bool) -> Option<usize> {
        let rows: Vec<usize> = (0..self.db.rows.len()).filter(|n| are(&self.db.rows[*n])).collect();
        choose(which, rows.len()).map(|n| rows[n])
    }
}

pub fn choose(which: u8, count: usize) -> Option<usize> {
    usize::from(which).checked_rem(count)
}

impl World {
    pub fn new(flaw: Option<Flaw>) -> World {
        World {
            flaw,
            now: MADE,
            last: 0,
            db: Db::default(),
            backups: Vec::new(),
            ledger: Vec::new(),
            truth: Truth::default(),
        }
    }

    pub fn take(&mut self, step: &Step) {
        self.now += 1;
        match step {
            Step::Group(ops, outcome) => self.group(ops, *outcome),
            Step::Backup => self.backups.push(self.db.clone()),
            Step::Restore(which, torn) => {
                if let Some(n) = choose(*which, self.backups.len()) {
                    self.db = self.backups[n].clone();
                    self.start(*torn);
                }
            }
            Step::Restart(torn) => self.start(*torn),
            Step::Wait(time) => self.now += time,
        }
    }

    pub fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn group(&mut self, ops: &[Op], outcome: Outcome) {
        let db = self.db.clone();
        let mut tx = Tx { db, acts: Vec::new(), unwritten: Vec::new(), took: HashMap::new() };
        for op in ops {
            self.now += 1;
            self.run(&mut tx, *op);
        }
        let mut written = tx.acts.clone();
        for n in tx.unwritten.iter().rev() {
            written.remove(*n);
        }
        match outcome {
            Outcome::CrashBeforeAppend => written.clear(),
            Outcome::CrashAfterLines(lines) => written.truncate(lines),
            _ => {}
        }
        let start = self.ledger.len() as u64 + 1;
        self.append(&written);
        match outcome {
            Outcome::Answered | Outcome::NotAnswered => {
                self.truth.accept(&tx.acts, &tx.took);
                self.db = tx.db;
                if !written.is_empty() {
                    self.db.mark = self.ledger.len();
                }
                self.db.told = self.truth.told();
            }
            // Whoever asked knows nothing: what the ledger has counts.
            Outcome::CrashBeforeAppend | Outcome::CrashAfterLines(_) => {
                self.truth.accept(&written, &tx.took);
            }
            // Whoever asked was told that it failed.
            Outcome::CommitFails | Outcome::CommitFailsThenCrash
                if !written.is_empty() && !self.has(Flaw::VoidsNotWritten) =>
            {
                self.append(&[(self.now, Act::Void { from: start })]);
            }
            Outcome::CommitFails | Outcome::CommitFailsThenCrash => {}
        }
        if !matches!(outcome, Outcome::Answered | Outcome::CommitFails) {
            self.start(None);
        }
    }

    fn append(&mut self, acts: &[(Millis, Act)]) {
        for (at, act) in acts {
            let seq = self.ledger.len() as u64 + 1;
            // The chain is the file's, which has tests of its own.
            self.ledger.push(Entry { seq, at: *at, act: act.clone(), chain: [0; 32], mac: None });
        }
    }

    /// The start of the program on the database as it is: what the ledger has beyond its mark
    /// is made good, before anything else is done. With `torn`, it crashes in its first try,
    /// when it has written so many lines of its own, and starts again.
    fn start(&mut self, torn: Option<usize>) {
        if self.has(Flaw::NothingReplayed) {
            self.db.mark = self.ledger.len();
            return;
        }
        let mut db = self.db.clone();
        let acts = self.replay(&mut db);
        if let Some(lines) = torn {
            let acts = &acts[..lines.min(acts.len())];
            self.append(acts);
            self.truth.accept(acts, &HashMap::new());
            return self.start(None);
        }
        self.append(&acts);
        for row in &self.db.rows {
            self.truth.share(&row.people, self.db.told);
        }
        db.mark = self.ledger.len();
        db.told = self.truth.told();
        self.db = db;
        assert!(self.replay(&mut self.db.clone()).is_empty(), "a second replay has more to write");
    }

    /// Applies the orders beyond the mark; the acts that are to be written down with that.
    fn replay(&self, db: &mut Db) -> Vec<(Millis, Act)> {
        let mut entries = self.ledger[db.mark..].to_vec();
        if self.has(Flaw::VoidsNotHeeded) {
            entries.retain(|entry| !matches!(entry.act, Act::Void { .. }));
        }
        let orders = Orders::from(entries.as_slice());
        let mut acts = Vec::new();
        for row in db.rows.iter_mut().filter(|_| !self.has(Flaw::PeopleNotReplayed)) {
            let mut ordered = orders.for_person(&row.people);
            if self.has(Flaw::HiddenFromTheReplayOn) {
                ordered.hidden_at = ordered.hidden_at.map(|_| self.now);
            }
            if !self.has(Flaw::NoComplement) {
                acts.extend(orders.complement(&row.people));
            }
            let standing = Standing { state: row.state, hidden_since: row.hidden_since };
            match fate(standing, &ordered) {
                ReplayAction::Erase => row.erase(),
                ReplayAction::Detach { activity } => {
                    row.detach();
                    activity.into_iter().for_each(|cutoff| row.empty(cutoff));
                }
                ReplayAction::Keep { seen, activity } => {
                    seen.into_iter().for_each(|seen| row.see(seen));
                    activity.into_iter().for_each(|cutoff| row.empty(cutoff));
                }
            }
        }
        if !self.has(Flaw::RequestsNotReplayed) {
            for request in orders.pending() {
                db.waiting.entry(request.request).or_insert((request.name, request.due));
            }
            db.waiting.retain(|request, _| orders.end_of(*request).is_none());
        }
        if !self.has(Flaw::KeysNotReplayed) {
            db.keys.iter_mut().for_each(|(key, revoked)| *revoked |= orders.has_ended(*key));
        }
        acts
    }
}
