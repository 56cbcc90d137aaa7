//! Links by which what is held of a person is downloaded.

use const_format::formatcp;

use super::row::Row;
use super::value::params;
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Handle, ProjectId, UserId};

/// A link. Its secret is not kept.
#[derive(Debug, Clone)]
pub struct Link {
    pub id: i64,
    /// What callers know it by.
    pub handle: Handle,
    pub user: UserId,
    pub project: ProjectId,
    pub hash: [u8; 32],
    /// A keyed digest. None: no PIN is asked for.
    pub pin: Option<[u8; 32]>,
    pub created_at: Millis,
    pub expires_at: Millis,
    pub downloads_left: i64,
    /// Wrong PINs that are still taken.
    pub tries_left: i64,
}

const COLUMNS: &str =
    "id, handle, user_id, project_id, hash, pin, created_at, expires_at, downloads_left, tries_left";
const OPEN: &str = "expires_at > ?2 AND downloads_left > 0 AND tries_left > 0";

fn read(row: &Row) -> Result<Link> {
    Ok(Link {
        id: row.get(0)?,
        handle: row.get(1)?,
        user: UserId(row.get(2)?),
        project: ProjectId(row.get(3)?),
        hash: row.get(4)?,
        pin: row.get(5)?,
        created_at: row.get(6)?,
        expires_at: row.get(7)?,
        downloads_left: row.get(8)?,
        tries_left: row.get(9)?,
    })
}

/// Keeps a new link. Its number is drawn here.
pub fn insert(tx: &Tx, link: &Link) -> Result<()> {
    tx.execute(
        "INSERT INTO export_links (id, handle, user_id, project_id, hash, pin, created_at, expires_at,
             downloads_left, tries_left)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            link.id,
            link.handle,
            link.user.0,
            link.project.0,
            link.hash,
            link.pin,
            link.created_at,
            link.expires_at,
            link.downloads_left,
            link.tries_left,
        ],
    )?;
    Ok(())
}

/// The link with this secret, if it still opens.
pub fn open(db: &Db, hash: &[u8; 32], now: Millis) -> Result<Option<Link>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM export_links WHERE hash = ?1 AND {OPEN}");
    db.row(sql, params![*hash, now], read)
}

/// Links of a project that still open, behind one, the oldest first.
pub fn list(db: &Db, project: ProjectId, now: Millis, after: i64, limit: u32) -> Result<Vec<Link>> {
    let sql = formatcp!(
        "SELECT {COLUMNS} FROM export_links WHERE project_id = ?1 AND {OPEN} AND id > ?3 ORDER BY id LIMIT ?4"
    );
    db.rows(sql, params![project.0, now, after, limit], read)
}

/// The link that a caller knows by this handle, open or not.
pub fn by_handle(db: &Db, project: ProjectId, handle: Handle) -> Result<Option<Link>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM export_links WHERE handle = ?1");
    let found = db.row(sql, params![handle], read)?;
    Ok(found.filter(|link| link.project == project))
}

/// Writes back how often it opens.
pub fn update(tx: &Tx, link: &Link) -> Result<()> {
    let sql = "UPDATE export_links SET downloads_left = ?2, tries_left = ?3 WHERE id = ?1";
    tx.execute(sql, params![link.id, link.downloads_left, link.tries_left])?;
    Ok(())
}

pub fn remove(tx: &Tx, id: i64) -> Result<()> {
    tx.execute("DELETE FROM export_links WHERE id = ?1", params![id])?;
    Ok(())
}

/// Forgets those that have ended. Returns how many.
pub fn prune(tx: &Tx) -> Result<usize> {
    tx.execute("DELETE FROM export_links WHERE expires_at <= ?1", params![tx.now()])
}
