//! A new secret for a key or an ingest token. The one before stays good for a while, so that programs
//! can be given the new one, and then ends.
//!
//! The end stands in the ledger from the beginning: a copy from before, put back, has the old secret
//! as the present one, and must not take it beyond its end.

use crate::clock::{DAY, Millis};
use crate::error::{Error, Place, Result};
use crate::ledger::{Act, Pseudonym};
use crate::model::{Credential, Key, KeyId, OldSecret, Project, ProjectId};
use crate::secrets;
use crate::store::{BackgroundTx, Db, ErasingTx, Tx, audit, keys, old_secrets, projects};

/// How long the secret before stays good unless somebody says otherwise.
pub const OVERLAP: Millis = DAY;
/// The longest that it may.
pub const OVERLAP_MAX: Millis = 30 * DAY;

/// A new secret for a key, which nobody can read again. [`Error::KeyNotFound`] if it is revoked,
/// [`Error::Conflict`] if its date has come, [`Error::Invalid`] on `overlap`.
pub fn of_key(tx: &ErasingTx, id: KeyId, overlap: Millis) -> Result<(Key, String)> {
    check(overlap)?;
    let key = keys::good(tx, id)?;
    if key.is_expired(tx.now()) {
        return Err(Error::Conflict("the key has expired: set a new expiry first"));
    }
    if key.has_secret() {
        retire(tx, Credential::Key(id), key.hash, &key.hint, key.last_used_at, overlap)?;
    }
    let secret = secrets::token(secrets::KEY_PREFIX)?;
    keys::set_secret(tx, id, &secrets::hash(&secret), &secrets::hint(&secret))?;
    note(tx, "rotate key", Credential::Key(id), key.project)?;
    Ok((keys::good(tx, id)?, secret))
}

/// A new ingest token for a project. [`Error::ProjectNotFound`], [`Error::Invalid`] on `overlap`.
pub fn of_token(tx: &ErasingTx, id: ProjectId, overlap: Millis) -> Result<Project> {
    check(overlap)?;
    let project = projects::by_id(tx, id)?.ok_or(Error::ProjectNotFound)?;
    let (hash, hint) = (secrets::hash(&project.ingest_token), secrets::hint(&project.ingest_token));
    retire(tx, Credential::Token(id), hash, &hint, project.token_used_at, overlap)?;
    projects::set_ingest_token(tx, id, &secrets::token(secrets::TOKEN_PREFIX)?)?;
    note(tx, "rotate ingest token", Credential::Token(id), Some(id))?;
    projects::by_id(tx, id)?.ok_or(Error::ProjectNotFound)
}

fn check(overlap: Millis) -> Result<()> {
    if (0..=OVERLAP_MAX).contains(&overlap) {
        return Ok(());
    }
    Err(Error::invalid(Place::Body, "overlap", "must be from 0 hours to 30 days"))
}

fn retire(
    tx: &Tx,
    of: Credential,
    hash: [u8; 32],
    hint: &str,
    last_used_at: Option<Millis>,
    overlap: Millis,
) -> Result<()> {
    let ends_at = tx.now() + overlap;
    for old in old_secrets::list(tx)? {
        if old.of == of && old.ends_at <= tx.now() {
            old_secrets::remove(tx, &old.hash)?;
        }
    }
    tx.append_to_ledger(Act::CredentialEnds { credential: tx.names().key(&hash), until: ends_at });
    let hint = hint.to_owned();
    old_secrets::insert(tx, &OldSecret { of, hash, hint, replaced_at: tx.now(), ends_at, last_used_at })
}

/// Ends at once what is still good of the secrets that were replaced. [`Error::Conflict`] if nothing
/// is.
pub fn end_old(tx: &ErasingTx, of: Credential) -> Result<()> {
    let project = match of {
        Credential::Key(id) => keys::good(tx, id)?.project,
        Credential::Token(id) => Some(projects::by_id(tx, id)?.ok_or(Error::ProjectNotFound)?.id),
    };
    let good = good_old(tx, of, tx.now())?;
    if good.is_empty() {
        return Err(Error::Conflict("there is no previous secret that is still valid"));
    }
    for old in good {
        end(tx, &old, tx.now())?;
    }
    note(tx, "end replaced secret", of, project)
}

/// Has a replaced secret end at an earlier time.
pub fn end(tx: &Tx, old: &OldSecret, at: Millis) -> Result<()> {
    tx.append_to_ledger(Act::CredentialEnds { credential: tx.names().key(&old.hash), until: at });
    old_secrets::set_end(tx, &old.hash, at)
}

/// The replaced secrets of a key or a token that are still good.
pub fn good_old(db: &Db, of: Credential, now: Millis) -> Result<Vec<OldSecret>> {
    let mut all = old_secrets::list(db)?;
    all.retain(|old| old.of == of && now < old.ends_at);
    Ok(all)
}

/// Writes down when ingest tokens, and secrets that were replaced, were last used.
pub fn note_uses(
    tx: &BackgroundTx,
    tokens: &[(ProjectId, Millis)],
    old: &[([u8; 32], Millis)],
) -> Result<()> {
    tokens.iter().try_for_each(|(id, at)| projects::note_token_use(tx, *id, *at))?;
    old.iter().try_for_each(|(hash, at)| old_secrets::note_use(tx, hash, *at))
}

/// Every replaced secret that is kept, those that have ended too. None outlives its key.
pub fn list(db: &Db) -> Result<Vec<OldSecret>> {
    let (keys, mut all) = (keys::list(db)?, old_secrets::list(db)?);
    for old in &mut all {
        let key = keys.iter().find(|key| old.of == Credential::Key(key.id));
        if let Some(end) = key.and_then(|key| key.expires_at) {
            old.ends_at = old.ends_at.min(end);
        }
    }
    Ok(all)
}

fn note(tx: &Tx, action: &str, of: Credential, project: Option<ProjectId>) -> Result<()> {
    let reason = match of {
        Credential::Key(id) => Some(format!("key {id}")),
        Credential::Token(_) => None,
    };
    audit::append(tx, &audit::Entry { action, project, reason: reason.as_deref(), ..audit::Entry::default() })
}

/// Ends secrets as the ledger orders it: `end_of` says when. In a database that was put back one that is
/// the present one was replaced since by one that no copy has: a project then gets a token that nobody
/// knows yet, and a key has none until it is rotated. After a mere stop nobody has the new one, and the
/// present one stays. How many.
pub fn replay(tx: &Tx, is_put_back: bool, end_of: impl Fn(Pseudonym) -> Option<Millis>) -> Result<u64> {
    let mut ended = 0;
    for old in old_secrets::list(tx)? {
        if let Some(end) = end_of(tx.names().key(&old.hash)).filter(|end| *end < old.ends_at) {
            old_secrets::set_end(tx, &old.hash, end)?;
            ended += 1;
        }
    }
    if !is_put_back {
        return Ok(ended);
    }
    let now = tx.now();
    for key in keys::list(tx)?.into_iter().filter(|key| key.revoked_at.is_none()) {
        let Some(ends_at) = end_of(tx.names().key(&key.hash)) else { continue };
        let Key { hash, hint, last_used_at, .. } = key;
        let of = Credential::Key(key.id);
        old_secrets::insert(tx, &OldSecret { of, hash, hint, replaced_at: now, ends_at, last_used_at })?;
        // Of a secret that is thrown away.
        keys::set_secret(tx, key.id, &secrets::hash(&secrets::token("")?), "")?;
        ended += 1;
    }
    for project in projects::list(tx)? {
        let hash = secrets::hash(&project.ingest_token);
        let Some(ends_at) = end_of(tx.names().key(&hash)) else { continue };
        let (of, hint) = (Credential::Token(project.id), secrets::hint(&project.ingest_token));
        let last_used_at = project.token_used_at;
        old_secrets::insert(tx, &OldSecret { of, hash, hint, replaced_at: now, ends_at, last_used_at })?;
        projects::set_ingest_token(tx, project.id, &secrets::token(secrets::TOKEN_PREFIX)?)?;
        ended += 1;
    }
    Ok(ended)
}
