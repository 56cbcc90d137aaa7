//! A database that is far behind its ledger: it was put back from an older copy, or lost what
//! was written last.

use anyhow::bail;

use crate::clock::{MINUTE, Millis};
use crate::error::Result;
use crate::ledger::{Act, Entry};
use crate::store::{Store, upkeep};

/// What one commit enters is of one moment; a kill leaves no more than that in the ledger alone.
const FAR: Millis = MINUTE;

/// Refuses such a database, unless it came out of a backup or the operator accepts it.
pub fn check((store, unseen): &(Store, Vec<Entry>), is_accepted: bool) -> anyhow::Result<()> {
    if !is_far_ahead(unseen) || is_restored(store)? {
        return Ok(());
    }
    if is_accepted {
        log::warn!(
            "usher.db is older than the ledger beside it; it is used all the same, as --accept-loss says"
        );
        return Ok(());
    }
    bail!(
        "usher.db is older than erasures.ledger beside it, which has {} entries that it has not seen: what was sent \
         meanwhile is missing in it. Keep it: copy the data directory to another place before anything else. Then \
         put the newest usher.db with its usher.db-wal back, restore a backup with `usher restore`, or, where an \
         older usher.db was put there on purpose, start once with --accept-loss: who was erased meanwhile is \
         erased again",
        unseen.len()
    )
}

fn is_restored(store: &Store) -> Result<bool> {
    store.read(|db| upkeep::done_at(db, upkeep::RESTORED)).map(|at| at.is_some())
}

/// Of what took effect.
fn is_far_ahead(unseen: &[Entry]) -> bool {
    let mut done: Vec<&Entry> = Vec::new();
    for entry in unseen {
        match entry.act {
            Act::Void { from } => done.retain(|earlier| earlier.seq < from),
            _ => done.push(entry),
        }
    }
    let times = || done.iter().map(|entry| entry.at);
    times().max().zip(times().min()).is_some_and(|(last, first)| last - first > FAR)
}
