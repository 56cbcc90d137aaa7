//! How much a database that is put back would have to do once more, counted for many places
//! in the ledger from one reading of it.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::entry::{Act, Entry};
use super::file::{Ledger, Refusal};
use super::state::{Person, order};
use super::{Position, Pseudonym};

/// What was ordered after a place. It is the most that a database which stands there has to
/// do: whoever came later than it and is gone again counts too, for the ledger does not say
/// who came when; and one who goes by several incarnations counts as often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Again {
    /// People to be erased, wholly or in part.
    pub erased: u64,
    pub hidden: u64,
    pub keys: u64,
}

impl Again {
    /// For each of the places, in their order; or why a database that stands there is
    /// refused, as by [`Ledger::open`]. It reads beside whoever writes.
    pub fn count(path: &Path, places: &[Position]) -> Vec<Result<Again, Refusal>> {
        let mut oldest_first: Vec<usize> = (0..places.len()).collect();
        oldest_first.sort_by_key(|n| places[*n].seq);
        let mut tail: Option<Vec<Entry>> = None;
        let mut answers: Vec<(usize, Result<Again, Refusal>)> = Vec::new();
        for n in &oldest_first {
            // The oldest that is sound is read from; the others lie in what it read.
            let known = match &tail {
                Some(_) => Ledger::check_place(path, &places[*n]),
                None => Ledger::after(path, &places[*n]).map(|entries| tail = Some(entries)),
            };
            answers.push((*n, known.map(|()| Again::default())));
        }
        let mut counting = Counting::default();
        let mut entries = tail.as_deref().unwrap_or_default().iter().rev().peekable();
        for (n, answer) in answers.iter_mut().rev() {
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
    again: Again,
    people: HashMap<Pseudonym, Person>,
    keys: HashSet<Pseudonym>,
    /// Entries from here on are void, as one that stands after them says.
    void_from: u64,
}

impl Default for Counting {
    fn default() -> Counting {
        let (people, keys) = (HashMap::new(), HashSet::new());
        Counting { again: Again::default(), people, keys, void_from: u64::MAX }
    }
}

impl Counting {
    fn take(&mut self, entry: &Entry) {
        match entry.act {
            Act::Void { from } => self.void_from = self.void_from.min(from),
            _ if entry.seq >= self.void_from => {}
            Act::KeyRevoked { key } => self.again.keys += u64::from(self.keys.insert(key)),
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
