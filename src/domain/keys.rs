//! API keys: 256 random bits, shown once, stored as a hash.

use crate::domain::{names, secrets};
use crate::error::{Error, Result};
use crate::ledger::Act;
use crate::model::{Key, KeyId, ProjectId, Scope, Scopes};
use crate::store::{Db, Tx, audit, keys, projects};

/// A new key of a project, or of the whole organisation; and its secret, which nobody
/// can read again.
pub fn create(tx: &Tx, project: Option<ProjectId>, name: &str, scopes: Scopes) -> Result<(Key, String)> {
    insert(tx, project, name, scopes, false)
}

/// The same for one that stands where anybody can read it: it is good for ingestion alone.
pub fn create_public(tx: &Tx, project: ProjectId, name: &str) -> Result<(Key, String)> {
    insert(tx, Some(project), name, Scopes::of(&[Scope::Ingest]), true)
}

fn insert(
    tx: &Tx,
    project: Option<ProjectId>,
    name: &str,
    scopes: Scopes,
    is_public: bool,
) -> Result<(Key, String)> {
    let name = name.trim();
    names::check(name, 100)?;
    if let Some(project) = project {
        projects::by_id(tx, project)?.ok_or(Error::ProjectNotFound)?;
    }
    let secret = secrets::token("ush_")?;
    let hint: String = secret.chars().take(8).collect();
    let key = keys::insert(tx, project, name, &hint, &secrets::hash(&secret), scopes, is_public)?;
    note(tx, "create key", key.id, project)?;
    Ok((key, secret))
}

/// [`Error::KeyNotFound`] if there is no such key, or it is revoked already.
pub fn revoke(tx: &Tx, id: KeyId) -> Result<()> {
    let key = keys::list(tx)?.into_iter().find(|key| key.id == id && key.revoked_at.is_none());
    let key = key.ok_or(Error::KeyNotFound)?;
    tx.enter(Act::CredentialEnded { credential: tx.names().key(&key.hash) });
    note(tx, "revoke key", key.id, key.project)?;
    revoke_silently(tx, id)
}

/// The same, as the ledger orders it.
pub fn revoke_silently(tx: &Tx, id: KeyId) -> Result<()> {
    keys::revoke(tx, id).map(|_| ())
}

fn note(tx: &Tx, action: &str, id: KeyId, project: Option<ProjectId>) -> Result<()> {
    let reason = format!("key {id}");
    audit::note(tx, &audit::Entry { action, project, reason: Some(&reason), ..audit::Entry::default() })
}

/// All keys, revoked ones included.
pub fn list(db: &Db) -> Result<Vec<Key>> {
    keys::list(db)
}

/// Writes down how many reads over the API each key made on a day.
pub fn note_reads(tx: &Tx, reads: &[(KeyId, crate::clock::Millis, u64)]) -> Result<()> {
    reads.iter().try_for_each(|(id, day, reads)| audit::count_reads(tx, *id, *day, *reads))
}

/// Writes down when keys were last used.
pub fn note_uses(tx: &Tx, uses: &[(KeyId, crate::clock::Millis)]) -> Result<()> {
    uses.iter().try_for_each(|(id, at)| keys::note_use(tx, *id, *at))
}

/// Writes down when keys that are not public last came from a browser.
pub fn note_browsers(tx: &Tx, seen: &[(KeyId, crate::clock::Millis)]) -> Result<()> {
    seen.iter().try_for_each(|(id, at)| keys::note_browser(tx, *id, *at))
}
