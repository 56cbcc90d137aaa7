//! What requests do: the rules of a user's life, in short, and what each writes down.

use usher::ledger::{Act, Pseudonym, Seen};
use usher::model::{Erasure, ProjectId, State};

use super::world::{Erases, Flaw, Op, Row, Tx, World, choose};

const PROJECT: ProjectId = ProjectId(1);
const NAMES: u8 = 4;

impl World {
    pub fn run(&mut self, tx: &mut Tx, op: Op) {
        let now = self.now;
        match op {
            Op::Register(name) => {
                let name = self.name(name);
                match self.holder(tx, name) {
                    Some(n) => {
                        self.revive(tx, n);
                        tx.db.rows[n].act(now);
                    }
                    None => self.register(tx, Some(name)),
                }
            }
            Op::Visit => self.register(tx, None),
            Op::Act(which) => {
                if let Some(n) = tx.one(which, |row| row.is_reachable(now)) {
                    tx.db.rows[n].act(now);
                }
            }
            Op::Hide(which) => {
                if let Some(n) = tx.one(which, |row| row.state == State::Live) {
                    tx.db.rows[n].see(Seen::HiddenSince(now));
                    self.write(tx, n, |person| Act::Hidden { person });
                }
            }
            Op::Revive(which) => {
                if let Some(n) = tx.one(which, |row| row.is_revivable(now)) {
                    self.revive(tx, n);
                }
            }
            Op::Schedule(name, time) => {
                let (request, name, due) = (self.random(), self.name(name), now + time);
                tx.db.waiting.insert(request, (name, due));
                tx.acts.push((now, Act::Scheduled { request, project: PROJECT, name, due }));
            }
            Op::Cancel(which) => {
                let waiting: Vec<Pseudonym> = tx.db.waiting.keys().copied().collect();
                if let Some(n) = choose(which, waiting.len()) {
                    tx.db.waiting.remove(&waiting[n]);
                    tx.acts.push((now, Act::Cancelled { request: waiting[n] }));
                }
            }
            Op::BeginDue => self.begin_due(tx),
            Op::Erase(which, erases) => {
                let open = |row: &Row| {
                    row.is_reachable(now) || (row.state == State::Detached && erases == Erases::Activity)
                };
                if let Some(n) = tx.one(which, open) {
                    self.erase(tx, n, erases);
                }
            }
            Op::Reap => {
                while let Some(n) = tx.one(0, |row| row.is_expired(now)) {
                    self.erase(tx, n, Erases::Everything);
                }
            }
            Op::Merge(visitor, person) => self.merge(tx, visitor, person),
            Op::Name(visitor, name) => {
                let name = self.name(name);
                if self.holder(tx, name).is_none()
                    && let Some(n) = tx.one(visitor, |row| row.is_visitor(now))
                {
                    self.revive(tx, n);
                    tx.db.rows[n].name = Some(name);
                }
            }
            Op::Rename(which, name) => {
                let name = self.name(name);
                if self.holder(tx, name).is_none()
                    && let Some(n) = tx.one(which, |row| row.state == State::Live && row.name.is_some())
                {
                    let old = tx.db.rows[n].name.replace(name);
                    tx.db.waiting.values_mut().filter(|job| Some(job.0) == old).for_each(|job| job.0 = name);
                }
            }
            Op::CreateKey => {
                let key = self.random();
                tx.db.keys.insert(key, false);
            }
            Op::RevokeKey(which) => {
                let good: Vec<Pseudonym> =
                    tx.db.keys.iter().filter(|(_, revoked)| !**revoked).map(|(key, _)| *key).collect();
                if let Some(n) = choose(which, good.len()) {
                    tx.db.keys.insert(good[n], true);
                    tx.acts.push((now, Act::KeyRevoked { key: good[n] }));
                }
            }
        }
    }

    fn random(&mut self) -> Pseudonym {
        self.last += 1;
        let mut bytes = [0xff; 16];
        bytes[..8].copy_from_slice(&self.last.to_be_bytes());
        Pseudonym(bytes)
    }

    fn name(&self, which: u8) -> Pseudonym {
        Pseudonym([which % NAMES; 16])
    }

    fn register(&mut self, tx: &mut Tx, name: Option<Pseudonym>) {
        let people = vec![self.random()];
        let mut row = Row { people, name, state: State::Live, hidden_since: None, deeds: Vec::new() };
        row.act(self.now);
        tx.db.rows.push(row);
    }

    /// The live or revivable holder of a name; one that is expired is erased.
    fn holder(&self, tx: &mut Tx, name: Pseudonym) -> Option<usize> {
        let n = tx.db.rows.iter().position(|row| row.name == Some(name))?;
        if tx.db.rows[n].is_expired(self.now) {
            self.erase(tx, n, Erases::Everything);
            return None;
        }
        Some(n)
    }

    /// Writes an act down for each incarnation of a person.
    fn write(&self, tx: &mut Tx, n: usize, act: impl Fn(Pseudonym) -> Act) {
        for (nth, person) in tx.db.rows[n].people.clone().into_iter().enumerate() {
            if nth > 0 && self.has(Flaw::NotWrittenForEachIncarnation) {
                tx.unwritten.push(tx.acts.len());
            }
            tx.acts.push((self.now, act(person)));
        }
    }

    fn revive(&self, tx: &mut Tx, n: usize) {
        if tx.db.rows[n].state == State::Hidden {
            tx.db.rows[n].see(Seen::Live);
            self.write(tx, n, |person| Act::Revived { person });
        }
    }

    fn erase(&self, tx: &mut Tx, n: usize, erases: Erases) {
        let row = &mut tx.db.rows[n];
        let (erasure, cutoff) = match erases {
            Erases::Everything => (Erasure::Everything, None),
            Erases::Account => (Erasure::Account, None),
            Erases::Activity => (Erasure::Activity, Some(self.now)),
        };
        match erases {
            Erases::Everything => row.erase(),
            Erases::Account => row.detach(),
            Erases::Activity => row.empty(self.now),
        }
        self.write(tx, n, |person| Act::Erased { person, erasure, cutoff });
    }

    fn begin_due(&self, tx: &mut Tx) {
        let due: Vec<(Pseudonym, Pseudonym)> = tx
            .db
            .waiting
            .iter()
            .filter(|(_, (_, due))| *due <= self.now)
            .map(|(request, (name, _))| (*request, *name))
            .collect();
        for (request, name) in due {
            tx.db.waiting.remove(&request);
            let holder = self.holder(tx, name);
            let begun = (self.now, Act::Begun { request });
            if self.has(Flaw::BegunBeforeErased) {
                tx.acts.push(begun.clone());
            }
            if let Some(n) = holder {
                tx.took.insert(request, tx.db.rows[n].people.clone());
                self.erase(tx, n, Erases::Everything);
            }
            if !self.has(Flaw::BegunBeforeErased) {
                tx.acts.push(begun);
            }
        }
    }

    fn merge(&self, tx: &mut Tx, visitor: u8, person: u8) {
        let now = self.now;
        let Some(from) = tx.one(visitor, |row| row.is_visitor(now)) else { return };
        let Some(into) = tx.one(person, |row| row.name.is_some() && row.is_reachable(now)) else { return };
        let before = tx.acts.len();
        self.revive(tx, from);
        if self.has(Flaw::MergedVisitorsNotRevived) {
            tx.unwritten.extend(before..tx.acts.len());
        }
        self.revive(tx, into);
        let visitor = tx.db.rows[from].clone();
        tx.db.rows[into].people.extend(visitor.people);
        tx.db.rows[into].deeds.extend(visitor.deeds);
        tx.db.rows.remove(from);
    }
}
