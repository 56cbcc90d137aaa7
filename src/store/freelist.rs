//! What another program has left in the freelist, without `secure_delete`: in its leaves, and in
//! its trunks behind the numbers of their leaves, for a page becomes a trunk as it is.

use std::collections::HashSet;

use rusqlite::Connection;

use super::from_sql;
use super::layout::{self, PAGE};
use super::scrub::{Scrub, read, write};
use crate::error::Result;

/// Pages that are zeroed in one transaction at most.
const PAGES: usize = 256;

/// Zeroes some of these pages, as far as they are leaves. Returns those it did not come to.
pub fn blank(conn: &Connection, scrub: &Scrub, mut leaves: Vec<u32>) -> Result<Vec<u32>> {
    let some = some_of(&mut leaves);
    scrub.transaction(conn, || {
        each(conn, |trunk| {
            let here = trunk.leaves.iter().filter(|leaf| some.contains(*leaf));
            here.copied().try_for_each(|leaf| write(conn, leaf, &[0; PAGE]))
        })
    })?;
    Ok(leaves)
}

/// Zeroes the unused rest of some of these pages, as far as they are trunks. Returns those it
/// did not come to.
pub fn trim(conn: &Connection, scrub: &Scrub, mut trunks: Vec<u32>) -> Result<Vec<u32>> {
    let some = some_of(&mut trunks);
    scrub.transaction(conn, || {
        each(conn, |mut trunk| {
            if !some.contains(&trunk.number) {
                return Ok(());
            }
            trunk.page[trunk.rest..].fill(0);
            write(conn, trunk.number, &trunk.page)
        })
    })?;
    Ok(trunks)
}

fn some_of(pages: &mut Vec<u32>) -> HashSet<u32> {
    pages.drain(pages.len().saturating_sub(PAGES)..).collect()
}

struct Trunk {
    number: u32,
    page: Vec<u8>,
    leaves: Vec<u32>,
    /// Where its unused rest begins.
    rest: usize,
}

/// Hands over each trunk, as it is in the open transaction.
fn each(conn: &Connection, mut see: impl FnMut(Trunk) -> Result<()>) -> Result<()> {
    let pages: u32 = conn.pragma_query_value(None, "page_count", |row| row.get(0)).map_err(from_sql)?;
    let first = read(conn, 1)?.unwrap_or_default();
    let mut number = first.get(32..36).map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    // More trunks than pages: a circle.
    for _ in 0..pages {
        let Some(page) = read(conn, number)?.filter(|_| number != 0) else { break };
        let Ok((next, leaves, rest)) = layout::trunk(&page) else { break };
        see(Trunk { number, page, leaves, rest })?;
        number = next;
    }
    Ok(())
}
