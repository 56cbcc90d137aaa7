//! A database that is behind its ledger or the ledger's signed head: it was put back from an older
//! copy, or lost what was written last.

use anyhow::bail;

use crate::clock::{MINUTE, Millis, written};
use crate::error::Result;
use crate::ledger::{Act, Entry};
use crate::proof::ledger_head::Head;
use crate::store::{Store, ledger_position, maintenance};

/// What one commit enters is of one moment; a kill leaves no more than that in the ledger alone.
const FAR: Millis = MINUTE;

/// Refuses such a database, unless it came out of a backup or the operator accepts it.
pub fn check(store: &Store, unseen: &[Entry], head: Option<&Head>, is_accepted: bool) -> anyhow::Result<()> {
    if is_restored(store)? {
        return Ok(());
    }
    let older = match head.map(|head| is_before(store, unseen, head).map(|is| is.then_some(head))) {
        Some(outcome) => outcome?,
        None => None,
    };
    let why = match older {
        Some(head) => format!(
            "usher.db is an older copy, or its latest data is lost: secrets/ledger.head, signed at {}, names a later \
             run of Usher or a later erasure",
            written(head.at)
        ),
        None if is_far_ahead(unseen) => format!(
            "usher.db is older than erasures.ledger beside it, which has {} entries that usher.db does not have",
            unseen.len()
        ),
        None => return Ok(()),
    };
    if is_accepted {
        log::warn!("{why}; it is used anyway, because of --accept-loss");
        return Ok(());
    }
    bail!(
        "{why}: data sent since is missing. Before anything else, copy the data directory to another place. Then put \
         the newest usher.db with its usher.db-wal back, or restore a backup with `usher restore`. If you put an \
         older usher.db there on purpose, start once with --accept-loss: users erased since are erased again"
    )
}

fn is_restored(store: &Store) -> Result<bool> {
    store.read(|db| maintenance::done_at(db, maintenance::RESTORED)).map(|at| at.is_some())
}

/// Whether a database is older than the head of its own ledger. A head is signed by a run that the
/// database knows before, and of what was committed there before. A ledger that is itself behind its
/// head is refused elsewhere, in words of its own.
fn is_before(store: &Store, unseen: &[Entry], head: &Head) -> Result<bool> {
    let (position, runs) = store.read(|db| Ok((ledger_position(db)?, maintenance::runs(db)?)))?;
    let end = unseen.last().map_or(position.seq, |entry| entry.seq);
    let run = Some(i64::from_be_bytes(head.run.0));
    let is_known = runs.this == run || runs.before == run;
    let is_of_it = head.ledger.0 == position.ledger.0 && head.seq <= end;
    Ok(is_of_it && (head.seq > position.seq || !is_known))
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
