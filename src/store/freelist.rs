//! The trunks of the freelist. A page becomes one as it is: without `secure_delete`, behind the
//! numbers of its leaves, what it held before is left.

use rusqlite::{Connection, params};

use super::from_sql;
use super::layout;
use super::scrub::Scrub;
use crate::error::Result;

/// Trunks that are trimmed in one transaction at most.
const TRUNKS: usize = 128;

/// Zeroes the unused rest of some of these pages, as far as they are trunks. Returns those it
/// did not come to.
pub fn trim(conn: &Connection, scrub: &Scrub, mut trunks: Vec<u32>) -> Result<Vec<u32>> {
    let some = trunks.split_off(trunks.len().saturating_sub(TRUNKS));
    scrub.transaction(conn, || zero(conn, &some))?;
    Ok(trunks)
}

fn zero(conn: &Connection, trunks: &[u32]) -> Result<()> {
    let pages: u32 = conn.pragma_query_value(None, "page_count", |row| row.get(0)).map_err(from_sql)?;
    let mut next = read(conn, 1)?.get(32..36).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    // More trunks than pages: a circle.
    for _ in 0..pages {
        if next == 0 {
            break;
        }
        let mut page = read(conn, next)?;
        let Ok((after, _, rest)) = layout::trunk(&page) else { break };
        if trunks.contains(&next) {
            page[rest..].fill(0);
            conn.prepare_cached("UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1")
                .and_then(|mut update| update.execute(params![next, page]))
                .map_err(from_sql)?;
        }
        next = after;
    }
    Ok(())
}

fn read(conn: &Connection, page: u32) -> Result<Vec<u8>> {
    conn.prepare_cached("SELECT data FROM sqlite_dbpage WHERE pgno = ?1")
        .and_then(|mut select| select.query_row(params![page], |row| row.get(0)))
        .map_err(from_sql)
}
