//! What everybody was told: kept apart from the ledger, by simpler rules, to judge it by.

use std::collections::{BTreeMap, HashMap, HashSet};

use usher::clock::Millis;
use usher::ledger::{Act, Pseudonym, Seen};
use usher::model::Erasure;

/// What holds for an incarnation, or was told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub erased: bool,
    pub account_erased: bool,
    /// Activity up to here is erased.
    pub cutoff: Option<Millis>,
    pub seen: Seen,
}

const UNHEARD_OF: Known = Known { erased: false, account_erased: false, cutoff: None, seen: Seen::Live };

/// Something told of an incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    Erased,
    AccountErased,
    ErasedUpTo(Millis),
    Seen(Seen),
}

/// What an act says of an incarnation, if it speaks of one.
fn fact(at: Millis, act: &Act) -> Option<(Pseudonym, Fact)> {
    Some(match act {
        Act::Hidden { person } => (*person, Fact::Seen(Seen::HiddenSince(at))),
        Act::Revived { person } => (*person, Fact::Seen(Seen::Live)),
        Act::Erased { person, erasure: Erasure::Account, .. } => (*person, Fact::AccountErased),
        Act::Erased { person, cutoff: Some(cutoff), .. } => (*person, Fact::ErasedUpTo(*cutoff)),
        Act::Erased { person, .. } => (*person, Fact::Erased),
        _ => return None,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    Open,
    Ended,
}

#[derive(Default)]
pub struct Truth {
    people: HashMap<Pseudonym, Known>,
    pub requests: BTreeMap<Pseudonym, Promise>,
    pub revoked: HashSet<Pseudonym>,
    /// All that was told, in its order: a database knows it up to some place.
    log: Vec<(Pseudonym, Fact)>,
}

impl Truth {
    pub fn of(&self, person: Pseudonym) -> Known {
        self.people.get(&person).copied().unwrap_or(UNHEARD_OF)
    }

    /// How much was told so far.
    pub fn told(&self) -> usize {
        self.log.len()
    }

    pub fn tell(&mut self, person: Pseudonym, fact: Fact) {
        let known = self.people.entry(person).or_insert(UNHEARD_OF);
        match fact {
            Fact::Erased => known.erased = true,
            Fact::AccountErased => known.account_erased = true,
            Fact::ErasedUpTo(cutoff) => known.cutoff = known.cutoff.max(Some(cutoff)),
            Fact::Seen(seen) => known.seen = seen,
        }
        self.log.push((person, fact));
    }

    /// These acts count from now on. A request has begun when all it `took` are erased.
    pub fn accept(&mut self, acts: &[(Millis, Act)], took: &HashMap<Pseudonym, Vec<Pseudonym>>) {
        for (at, act) in acts {
            match act {
                Act::Scheduled { request, .. } => drop(self.requests.insert(*request, Promise::Open)),
                Act::Cancelled { request } => drop(self.requests.insert(*request, Promise::Ended)),
                Act::KeyRevoked { key } => drop(self.revoked.insert(*key)),
                _ => fact(*at, act).into_iter().for_each(|(person, fact)| self.tell(person, fact)),
            }
        }
        for (_, act) in acts {
            if let Act::Begun { request } = act
                && took.get(request).into_iter().flatten().all(|person| self.of(*person).erased)
            {
                self.requests.insert(*request, Promise::Ended);
            }
        }
    }

    /// A database in which these are one person learns what was told since `known`: what was
    /// told of one of them is true of all.
    pub fn share(&mut self, people: &[Pseudonym], known: usize) {
        let since = self.log[known..].to_vec();
        let theirs = || since.iter().filter(|(person, _)| people.contains(person)).map(|(_, fact)| *fact);
        let mut facts: Vec<Fact> = theirs().filter(|fact| !matches!(fact, Fact::Seen(_))).collect();
        facts.extend(theirs().rfind(|fact| matches!(fact, Fact::Seen(_))));
        for person in people {
            for fact in &facts {
                let known = self.of(*person);
                let told = match fact {
                    Fact::Erased => known.erased,
                    Fact::AccountErased => known.account_erased,
                    Fact::ErasedUpTo(cutoff) => known.cutoff >= Some(*cutoff),
                    Fact::Seen(seen) => known.seen == *seen,
                };
                if !told {
                    self.tell(*person, *fact);
                }
            }
        }
    }
}
