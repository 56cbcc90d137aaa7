//! How a person stands in the ledger and in the audit log: by keyed pseudonyms.

use crate::error::Result;
use crate::ledger::{Act, Pseudonym};
use crate::model::{Incarnation, User};
use crate::store::{Db, NormalTx, Store, Tx, audit, users};

/// Writes an act on a user down in the ledger: for each registration that makes it up.
pub fn append_to_ledger(tx: &Tx, user: &User, act: impl Fn(Pseudonym) -> Act) -> Result<()> {
    for incarnation in users::incarnations(tx, user)? {
        tx.append_to_ledger(act(tx.names().person(&incarnation)));
    }
    Ok(())
}

/// Writes an act on a user down in the audit log.
pub fn append_to_audit_log(tx: &Tx, user: &User, action: &str) -> Result<()> {
    let subject = Some(pseudonym(tx, user));
    audit::append(
        tx,
        &audit::Entry { action, subject, project: Some(user.project), ..audit::Entry::default() },
    )
}

/// What the audit log's names of registrations are keyed for.
const SUBJECT: &str = "audit subject";

/// Names a registration in the audit log.
pub fn pseudonym(tx: &Tx, user: &User) -> [u8; 16] {
    tx.keyed(SUBJECT, &[&user.incarnation])[..16].try_into().unwrap_or_default()
}

/// The same for who reads the log.
pub fn known_as(store: &Store, incarnation: &Incarnation) -> [u8; 16] {
    store.keyed(SUBJECT, &[incarnation])[..16].try_into().unwrap_or_default()
}

/// The names in the audit log of all registrations that make a person up.
pub fn all_known_as(db: &Db, store: &Store, user: &User) -> Result<Vec<[u8; 16]>> {
    let incarnations = users::incarnations(db, user)?;
    Ok(incarnations.iter().map(|incarnation| known_as(store, incarnation)).collect())
}

/// Somebody looks at a person's page.
pub fn note_view(tx: &NormalTx, user: &User) -> Result<()> {
    append_to_audit_log(tx, user, "view user")
}
