//! How much a database that is put back would have to do once more, counted for many places
//! in the ledger from one reading of it.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::entry::{Act, Entry};
use super::error::LedgerError;
use super::look::look;
use super::state::{Person, order};
use super::{MacKey, Position, Pseudonym};

/// What was ordered after a place. It is the most that a database which stands there has to
/// do: a user who came later than it and is gone again counts, too, for the ledger does not say
/// who came when; and one who goes by several incarnations counts as often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayEstimate {
    /// People to be erased, wholly or in part.
    pub erased: u64,
    pub hidden: u64,
    /// Credentials of any kind that ended: keys, tokens, passwords, rights.
    pub keys: u64,
}

impl ReplayEstimate {
    /// For each of the places, in their order; or why a database that stands there is
    /// refused, as by [`super::Ledger::open`]. It reads the ledger once, beside the process that writes.
    pub fn count(
        path: &Path,
        places: &[Position],
        mac_key: &MacKey,
    ) -> Vec<Result<ReplayEstimate, LedgerError>> {
        let oldest = places.iter().map(|place| place.seq).min().unwrap_or(u64::MAX);
        let mut tail: Vec<Entry> = Vec::new();
        let seen = look(path, mac_key, places, |entry, _| {
            if entry.seq > oldest {
                tail.push(entry.clone());
            }
        });
        let found = match seen {
            Ok(seen) => seen.places,
            Err(refusal) => vec![Err(refusal); places.len()],
        };
        let mut answers: Vec<(usize, Result<ReplayEstimate, LedgerError>)> =
            found.into_iter().map(|found| found.map(|_| ReplayEstimate::default())).enumerate().collect();
        answers.sort_by_key(|(n, _)| std::cmp::Reverse(places[*n].seq));
        let mut counting = Counting::default();
        let mut entries = tail.iter().rev().peekable();
        for (n, answer) in &mut answers {
            while let Some(entry) = entries.next_if(|entry| entry.seq > places[*n].seq) {
                counting.take(entry);
            }
            if let Ok(again) = answer {
                *again = counting.again;
            }
        }
        answers.sort_by_key(|(n, _)| *n);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }
}

/// The count on the way from the ledger's end to its beginning.
struct Counting {
    again: ReplayEstimate,
    people: HashMap<Pseudonym, Person>,
    keys: HashSet<Pseudonym>,
    /// Entries from here on are void, as one that stands after them says.
    void_from: u64,
}

impl Default for Counting {
    fn default() -> Counting {
        let (people, keys) = (HashMap::new(), HashSet::new());
        Counting { again: ReplayEstimate::default(), people, keys, void_from: u64::MAX }
    }
}

impl Counting {
    fn take(&mut self, entry: &Entry) {
        match entry.act {
            Act::Void { from } => self.void_from = self.void_from.min(from),
            _ if entry.seq >= self.void_from => {}
            Act::KeyRevoked { key: credential }
            | Act::CredentialEnded { credential }
            | Act::CredentialEnds { credential, .. } => {
                self.again.keys += u64::from(self.keys.insert(credential));
            }
            _ => {
                let Some((who, ordered)) = order(entry) else { return };
                let person = self.people.entry(who).or_default();
                let before = *person;
                *person = before.and(&ordered);
                self.again.erased += u64::from(person.is_erased() && !before.is_erased());
                // Whoever was erased before that is hidden no more.
                self.again.hidden += u64::from(person.is_hidden());
                self.again.hidden -= u64::from(before.is_hidden());
            }
        }
    }
}
