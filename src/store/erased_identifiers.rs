//! Which identifiers were erased, as keyed digests: an event that comes in later than the
//! erasure it belongs before must not bring its user back.

use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::ledger::mac;
use crate::model::ProjectId;

/// What is told apart: an identifier and an anonymous id may be the same text.
#[derive(Debug, Clone, Copy)]
pub enum Named<'a> {
    Identifier(&'a str),
    /// An anonymous id, on the word of a key that is not public: the person's name in either place.
    Anonymous(&'a str),
    /// An anonymous id on the word of a public credential alone: it may be what somebody else is called.
    Claimed(&'a str),
}

impl<'a> Named<'a> {
    /// An anonymous id, and whether a key that is not public said whose it is.
    pub fn alias(name: &'a str, is_trusted: bool) -> Named<'a> {
        if is_trusted { Named::Anonymous(name) } else { Named::Claimed(name) }
    }

    /// As what a name in an identifier's place may have been kept. A client may send an identifier where
    /// another has an anonymous id: it is the same person's name in either place.
    pub fn as_identifier(name: &'a str) -> [Named<'a>; 2] {
        [Named::Identifier(name), Named::Anonymous(name)]
    }

    /// As what a name in an anonymous id's place may have been kept.
    pub fn as_anonymous(name: &'a str) -> [Named<'a>; 3] {
        [Named::Identifier(name), Named::Anonymous(name), Named::Claimed(name)]
    }

    pub fn name(self) -> &'a str {
        let (Named::Identifier(name) | Named::Anonymous(name) | Named::Claimed(name)) = self;
        name
    }
}

/// Notes that the user who had this name is erased as of now.
pub fn record(tx: &Tx, project: ProjectId, named: Named) -> Result<()> {
    record_as_of(tx, project, named, tx.now())
}

/// The same as of another time; the latest counts.
pub fn record_as_of(tx: &Tx, project: ProjectId, named: Named, at: Millis) -> Result<()> {
    let digest = digest(tx, project, named);
    tx.execute(
        "INSERT INTO erased_identifiers (project_id, digest, erased_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (project_id, digest) DO UPDATE SET erased_at = excluded.erased_at
             WHERE excluded.erased_at > erased_identifiers.erased_at",
        params![project.0, digest, at],
    )?;
    Ok(())
}

/// When a user who had this name was last erased.
pub fn erased_at(tx: &Tx, project: ProjectId, named: Named) -> Result<Option<Millis>> {
    let digest = digest(tx, project, named);
    let sql = "SELECT erased_at FROM erased_identifiers WHERE project_id = ?1 AND digest = ?2";
    tx.row(sql, params![project.0, digest], |row| row.get(0))
}

/// Nobody was erased later than now: the clock was set back. Returns how many were.
pub fn cut(tx: &Tx) -> Result<usize> {
    tx.execute("UPDATE erased_identifiers SET erased_at = ?1 WHERE erased_at > ?1", params![tx.now()])
}

/// Forgets up to `limit` of a project's that were erased up to `before`. Returns how many.
pub fn prune(tx: &Tx, project: ProjectId, before: Millis, limit: i64) -> Result<usize> {
    tx.execute(
        "DELETE FROM erased_identifiers WHERE project_id = ?1 AND digest IN
             (SELECT digest FROM erased_identifiers WHERE +project_id = ?1 AND erased_at <= ?2 LIMIT ?3)",
        params![project.0, before, limit],
    )
}

/// Whether a project has any that were erased up to `before`.
pub fn any(db: &Db, project: ProjectId, before: Millis) -> Result<bool> {
    let sql = "SELECT 1 FROM erased_identifiers WHERE +project_id = ?1 AND erased_at <= ?2 LIMIT 1";
    Ok(db.row(sql, params![project.0, before], |_| Ok(()))?.is_some())
}

/// Whether a project has any at all.
pub fn any_ever(db: &Db, project: ProjectId) -> Result<bool> {
    let sql = "SELECT 1 FROM erased_identifiers WHERE project_id = ?1 LIMIT 1";
    Ok(db.row(sql, params![project.0], |_| Ok(()))?.is_some())
}

/// The latest of several names'.
pub fn erased_as(tx: &Tx, project: ProjectId, names: &[Named]) -> Result<Option<Millis>> {
    let mut latest = None;
    for named in names {
        latest = latest.max(erased_at(tx, project, *named)?);
    }
    Ok(latest)
}

/// What stands for a name: keyed, so that it says nothing without the secret.
pub(super) fn digest(tx: &Tx, project: ProjectId, named: Named) -> Vec<u8> {
    digest_with(tx.secret(), project, named)
}

/// The same for who has the secret at hand.
pub(super) fn digest_with(secret: &[u8; 32], project: ProjectId, named: Named) -> Vec<u8> {
    let (kind, name) = match named {
        Named::Identifier(name) => (b'i', name),
        Named::Anonymous(name) => (b'a', name),
        Named::Claimed(name) => (b'c', name),
    };
    mac(secret, &[&[kind], &project.0.to_be_bytes(), name.as_bytes()])[..16].to_vec()
}
