//! Anonymous ids and whose they are.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::params;
use sha2::Sha256;

use super::{Db, Tx, from_sql};
use crate::clock::DAY;
use crate::error::{Error, Result};
use crate::model::{ProjectId, UserId};

/// An anonymous id for who gave none: the same for one sender in one project on one day.
/// A keyed digest: what the sender is told by is not kept, and without the secret, which
/// lies outside the file, this leads back to nobody.
pub fn of_sender(tx: &Tx, project: ProjectId, sender: &str) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(tx.secret()).map_err(Error::internal)?;
    // Another first byte than the digests of erased names have.
    mac.update(b"v");
    mac.update(&project.0.to_be_bytes());
    mac.update(&tx.now().div_euclid(DAY).to_be_bytes());
    mac.update(sender.as_bytes());
    Ok(format!("visitor-{}", HEXLOWER.encode(&mac.finalize().into_bytes()[..16])))
}

pub fn user(db: &Db, project: ProjectId, anonymous_id: &str) -> Result<Option<UserId>> {
    let sql = "SELECT user_id FROM aliases WHERE anonymous_id = ?1 AND project_id = ?2";
    db.row(sql, params![anonymous_id, project.0], |row| Ok(UserId(row.get(0)?)))
}

/// Makes an anonymous id the user's, on the word of the credential that asks.
pub fn link(tx: &Tx, project: ProjectId, anonymous_id: &str, user: UserId) -> Result<()> {
    tx.execute(
        "INSERT INTO aliases (anonymous_id, project_id, user_id, created_at, is_trusted)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (anonymous_id, project_id) DO UPDATE
             SET user_id = excluded.user_id, is_trusted = excluded.is_trusted",
        params![anonymous_id, project.0, user.0, tx.now(), !tx.who().actor.is_public()],
    )?;
    Ok(())
}

/// Gives all of one user's to another, on the word of the credential that asks.
pub fn relink(tx: &Tx, from: UserId, to: UserId) -> Result<()> {
    let trusted = !tx.who().actor.is_public();
    let sql = "UPDATE aliases SET user_id = ?2, is_trusted = ?3 WHERE user_id = ?1";
    tx.execute(sql, params![from.0, to.0, trusted])?;
    Ok(())
}

/// A key that is not public says that this anonymous id is its user's.
pub fn trust(tx: &Tx, project: ProjectId, anonymous_id: &str) -> Result<()> {
    let sql =
        "UPDATE aliases SET is_trusted = 1 WHERE anonymous_id = ?1 AND project_id = ?2 AND is_trusted = 0";
    tx.execute(sql, params![anonymous_id, project.0])?;
    Ok(())
}

/// Notes that somebody else's client has sent this anonymous id, too.
pub fn note_shared(tx: &Tx, project: ProjectId, anonymous_id: &str) -> Result<()> {
    let sql =
        "UPDATE aliases SET is_shared = 1 WHERE anonymous_id = ?1 AND project_id = ?2 AND is_shared = 0";
    tx.execute(sql, params![anonymous_id, project.0])?;
    Ok(())
}

/// Whose an anonymous id is, if a key that is not public said so.
pub fn trusted_user(db: &Db, project: ProjectId, anonymous_id: &str) -> Result<Option<UserId>> {
    let sql = "SELECT user_id FROM aliases WHERE anonymous_id = ?1 AND project_id = ?2 AND is_trusted = 1";
    db.row(sql, params![anonymous_id, project.0], |row| Ok(UserId(row.get(0)?)))
}

/// The user's anonymous ids that no other person's client has sent, too.
pub fn unshared(db: &Db, user: UserId) -> Result<Vec<String>> {
    let sql = "SELECT anonymous_id FROM aliases WHERE user_id = ?1 AND is_shared = 0";
    db.rows(sql, params![user.0], |row| row.get(0))
}

/// The user's anonymous ids, `limit` at most.
pub fn of(db: &Db, user: UserId, limit: u32) -> Result<Vec<String>> {
    let sql = "SELECT anonymous_id FROM aliases WHERE user_id = ?1 ORDER BY anonymous_id LIMIT ?2";
    db.rows(sql, params![user.0, limit], |row| row.get(0))
}

/// Hands over every anonymous id that is held.
pub fn each(db: &Db, mut see: impl FnMut(ProjectId, &str)) -> Result<()> {
    db.each("SELECT project_id, anonymous_id FROM aliases", [], |row| {
        see(ProjectId(row.get(0).map_err(from_sql)?), &row.get::<_, String>(1).map_err(from_sql)?);
        Ok(())
    })
}

/// Removes all of the user's. Returns how many.
pub fn unlink(tx: &Tx, user: UserId) -> Result<usize> {
    tx.execute("DELETE FROM aliases WHERE user_id = ?1", params![user.0])
}
