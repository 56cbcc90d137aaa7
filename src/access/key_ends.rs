//! Where keys were good from and are no longer, in the ledger: a copy of the database from before does not
//! open that again. The ledger has digests alone, so that each range is entered by itself. A list that came
//! later is not in it: after such a copy is put back the key is good from less, until somebody sets it again.

use crate::access::key_addresses::NOWHERE;
use crate::error::Result;
use crate::ledger::{Act, Pseudonym};
use crate::model::Key;
use crate::store::{Tx, audit, keys};

/// What stands for a range that a key is good from. The time tells a key from another that has the number
/// in a copy that was put back.
fn of_range(tx: &Tx, key: &Key, range: &str) -> Pseudonym {
    let stored = [&key.created_at.to_be_bytes()[..], range.as_bytes()].concat();
    tx.names().of_key("address", key.id, &stored)
}

/// The same for a key without a list.
fn of_everywhere(tx: &Tx, key: &Key) -> Pseudonym {
    of_range(tx, key, "everywhere")
}

/// The key has another list of addresses: what the new one does not name has ended. That is so too where
/// the new one is wider: when it is made narrower, nobody knows any more what an older copy has.
pub fn addresses(tx: &Tx, key: &Key, new: &[String]) {
    if key.addresses.is_empty() && !new.is_empty() {
        tx.append_to_ledger(Act::CredentialEnded { credential: of_everywhere(tx, key) });
    }
    for range in key.addresses.iter().filter(|range| !new.contains(range) && *range != NOWHERE) {
        tx.append_to_ledger(Act::CredentialEnded { credential: of_range(tx, key, range) });
    }
}

/// Takes from the keys of a copy what has ended since. How many lost something.
pub fn replay(tx: &Tx, has_ended: impl Fn(Pseudonym) -> bool) -> Result<u64> {
    let mut lost = 0;
    for key in keys::list(tx)?.into_iter().filter(|key| key.revoked_at.is_none()) {
        let mut kept = key.addresses.clone();
        kept.retain(|range| !has_ended(of_range(tx, &key, range)));
        let is_closed = key.addresses.is_empty() && has_ended(of_everywhere(tx, &key));
        if kept.len() == key.addresses.len() && !is_closed {
            continue;
        }
        if kept.is_empty() {
            kept.push(NOWHERE.to_owned());
        }
        let reason = format!("key {}", key.id);
        let project = key.project;
        keys::update(tx, &Key { addresses: kept, ..key })?;
        let action = "end addresses of key";
        audit::append(
            tx,
            &audit::Entry { action, project, reason: Some(&reason), ..audit::Entry::default() },
        )?;
        lost += 1;
    }
    Ok(lost)
}
