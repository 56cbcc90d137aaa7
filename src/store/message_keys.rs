//! Where a message lies among its user's: 8 bytes of a keyed digest of its id. Databases of 0.1 have
//! digests without a key; their rows get the new one some at a time, and until the next start they
//! are looked for under both.

use sha2::{Digest, Sha256};

use super::value::params;
use super::{Tx, maintenance};
use crate::error::Result;
use crate::ledger::mac;

/// Rows that get their new key in one go.
const ROWS: u32 = 200;

pub struct MessageKeys {
    key: [u8; 32],
    /// At the start there were rows with keys of 0.1.
    had_old: bool,
}

impl MessageKeys {
    pub(super) fn new(secret: &[u8; 32], had_old: bool) -> MessageKeys {
        MessageKeys { key: super::keyed(secret, "message key", &[]), had_old }
    }

    pub fn of(&self, message_id: &str) -> i64 {
        first_8(&mac(&self.key, &[message_id.as_bytes()]))
    }

    /// What it was in 0.1. None: no row has such a one.
    pub fn old(&self, message_id: &str) -> Option<i64> {
        self.had_old.then(|| first_8(&Sha256::digest(message_id.as_bytes())))
    }
}

fn first_8(digest: &[u8]) -> i64 {
    digest.iter().take(8).fold(0, |key: i64, byte| (key << 8) | i64::from(*byte))
}

/// Gives some rows of 0.1 their new key. False: all have it.
pub fn renew_some(tx: &Tx) -> Result<bool> {
    let keys = tx.message_keys();
    if !keys.had_old {
        return Ok(false);
    }
    let Some(after) = maintenance::done_at(tx, maintenance::MESSAGE_KEYS)? else { return Ok(false) };
    let sql = "SELECT id, message_id FROM events WHERE id > ?1 ORDER BY id LIMIT ?2";
    let rows: Vec<(i64, String)> =
        tx.rows(sql, params![after, ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((last, _)) = rows.last() else {
        maintenance::forget(tx, maintenance::MESSAGE_KEYS)?;
        return Ok(false);
    };
    for (id, message_id) in &rows {
        tx.execute("UPDATE events SET message_key = ?2 WHERE id = ?1", params![id, keys.of(message_id)])?;
    }
    maintenance::keep(tx, maintenance::MESSAGE_KEYS, *last)?;
    Ok(true)
}
