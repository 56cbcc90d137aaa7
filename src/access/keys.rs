//! API keys: 256 random bits, shown once, stored as a hash.

use crate::access::{key_addresses, key_ends, rotation};
use crate::clock::{self, Millis};
use crate::error::{Error, FieldError, Place, Result};
use crate::ledger::Act;
use crate::model::{Credential, Key, KeyId, ProjectId, Scope, Scopes};
use crate::projects::label;
use crate::secrets;
pub use crate::store::keys::good;
use crate::store::{BackgroundTx, Db, ErasingTx, NormalTx, Tx, audit, keys, projects};

/// When a key ends, and from where it is good.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    pub expires_at: Option<Millis>,
    /// Addresses and ranges; empty: from everywhere.
    pub addresses: Vec<String>,
}

/// What a key may do.
#[derive(Debug, Clone, Copy)]
pub enum Powers {
    Scopes(Scopes),
    /// It stands where anybody can read it: it is good for ingestion alone.
    Public,
}

/// A new key of a project, or of the whole organisation; and its secret, which nobody can read again.
/// [`Error::Invalid`] by field; [`Error::ProjectNotFound`].
pub fn create(
    tx: &NormalTx,
    project: Option<ProjectId>,
    name: &str,
    powers: Powers,
    bounds: &Bounds,
) -> Result<(Key, String)> {
    let name = name.trim();
    let addresses = checked(tx, name, bounds.expires_at, &bounds.addresses)?;
    if let Some(project) = project {
        projects::by_id(tx, project)?.ok_or(Error::ProjectNotFound)?;
    }
    let secret = secrets::token(secrets::KEY_PREFIX)?;
    let (scopes, is_public) = match powers {
        Powers::Scopes(scopes) => (scopes, false),
        Powers::Public => (Scopes::of(&[Scope::Ingest]), true),
    };
    let new = keys::New {
        project,
        name,
        hint: &secrets::hint(&secret),
        hash: &secrets::hash(&secret),
        scopes,
        is_public,
        expires_at: bounds.expires_at,
        addresses: &addresses,
    };
    let key = keys::insert(tx, &new)?;
    note(tx, "create key", key.id, project)?;
    Ok((key, secret))
}

/// The addresses as they are kept. [`Error::Invalid`] names every fault.
fn checked(tx: &Tx, name: &str, end: Option<Millis>, addresses: &[String]) -> Result<Vec<String>> {
    let mut faults: Vec<FieldError> = Vec::new();
    let mut gather = |error: Error| match error {
        Error::Invalid(some) => {
            faults.extend(some);
            Ok(())
        }
        error => Err(error),
    };
    label::check(name, 100).or_else(&mut gather)?;
    if end.is_some_and(|end| end <= tx.now()) {
        gather(Error::invalid(Place::Body, "expiresAt", "must be later than now"))?;
    }
    let addresses = match key_addresses::parse(addresses) {
        Ok(addresses) => addresses,
        Err(error) => gather(error).map(|()| Vec::new())?,
    };
    if faults.is_empty() { Ok(addresses) } else { Err(Error::Invalid(faults)) }
}

/// Reads an end as people write it: a day, whose first millisecond is meant (UTC), or a time.
/// [`Error::Invalid`] on `expiresAt`.
pub fn parse_end(text: &str) -> Result<Millis> {
    let text = text.trim();
    clock::parse_date(text).or_else(|| clock::parse_rfc3339(text)).ok_or_else(|| {
        let why = "must be a day such as 2030-01-31, or a time such as 2030-01-31T12:00:00Z";
        Error::invalid(Place::Body, "expiresAt", why)
    })
}

/// What is to change of a key. None leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub name: Option<String>,
    /// None inside: it has no end.
    pub expires_at: Option<Option<Millis>>,
    pub addresses: Option<Vec<String>>,
}

/// Changes what is given. [`Error::Invalid`] names every fault, and nothing is changed then;
/// [`Error::KeyNotFound`].
pub fn change(tx: &ErasingTx, id: KeyId, change: &Change) -> Result<Key> {
    let old = good(tx, id)?;
    let name = change.name.as_deref().unwrap_or(&old.name).trim().to_owned();
    let expires_at = change.expires_at.unwrap_or(old.expires_at);
    // One that has passed already may stay.
    let given = expires_at.filter(|_| expires_at != old.expires_at);
    let addresses = checked(tx, &name, given, change.addresses.as_ref().unwrap_or(&old.addresses))?;
    if let Some(end) = given.filter(|end| old.expires_at.is_none_or(|old| *end < old)) {
        // An older copy has a later end. One that is put off needs no entry: what a copy then ends too
        // early is given another secret.
        if old.has_secret() {
            tx.append_to_ledger(Act::CredentialEnds { credential: tx.names().key(&old.hash), until: end });
        }
        for secret in rotation::good_old(tx, Credential::Key(id), tx.now())? {
            if end < secret.ends_at {
                rotation::end(tx, &secret, end)?;
            }
        }
    }
    key_ends::addresses(tx, &old, &addresses);
    let new = Key { name, expires_at, addresses, ..old };
    keys::update(tx, &new)?;
    note(tx, "change key", id, new.project)?;
    Ok(new)
}

/// [`Error::KeyNotFound`] if there is no such key, or it is revoked already.
pub fn revoke(tx: &ErasingTx, id: KeyId) -> Result<()> {
    let key = good(tx, id)?;
    tx.append_to_ledger(Act::CredentialEnded { credential: tx.names().key(&key.hash) });
    // An older copy has one of these as the present one.
    for old in rotation::good_old(tx, Credential::Key(id), tx.now())? {
        tx.append_to_ledger(Act::CredentialEnded { credential: tx.names().key(&old.hash) });
    }
    note(tx, "revoke key", key.id, key.project)?;
    revoke_silently(tx, id)
}

/// The same, as the ledger orders it.
pub fn revoke_silently(tx: &Tx, id: KeyId) -> Result<()> {
    keys::revoke(tx, id).map(|_| ())
}

fn note(tx: &Tx, action: &str, id: KeyId, project: Option<ProjectId>) -> Result<()> {
    let reason = format!("key {id}");
    audit::append(tx, &audit::Entry { action, project, reason: Some(&reason), ..audit::Entry::default() })
}

/// All keys, revoked ones included.
pub fn list(db: &Db) -> Result<Vec<Key>> {
    keys::list(db)
}

/// Writes down how many reads over the API each key made on a day.
pub fn note_reads(tx: &BackgroundTx, reads: &[(KeyId, Millis, u64)]) -> Result<()> {
    reads.iter().try_for_each(|(id, day, reads)| audit::count_reads(tx, *id, *day, *reads))
}

/// Writes down when keys were last used.
pub fn note_uses(tx: &BackgroundTx, uses: &[(KeyId, Millis)]) -> Result<()> {
    uses.iter().try_for_each(|(id, at)| keys::note_use(tx, *id, *at))
}

/// Writes down how many requests came from addresses that their keys are not good from.
pub fn note_refused_addresses(tx: &BackgroundTx, counts: &[(KeyId, u64)]) -> Result<()> {
    counts.iter().try_for_each(|(id, count)| {
        keys::note_refused_addresses(tx, *id, i64::try_from(*count).unwrap_or(i64::MAX))
    })
}

/// Writes down when keys that are not public last came from a browser.
pub fn note_browsers(tx: &BackgroundTx, seen: &[(KeyId, Millis)]) -> Result<()> {
    seen.iter().try_for_each(|(id, at)| keys::note_browser(tx, *id, *at))
}
