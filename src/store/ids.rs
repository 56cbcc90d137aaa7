//! The generator of user and session ids: milliseconds, then a part that is drawn, in 63 bits.
//! Ordered by time and never reused, though the clock be set back or every row gone:
//! a mark in `sequences` stands above every id that was ever handed out.

use std::cell::Cell;

use rusqlite::{Connection, OptionalExtension, params};
use siphasher::sip::SipHasher13;

use super::from_sql;
use crate::clock::{Millis, SECOND};
use crate::error::{Error, Result};

const COUNTER_BITS: u32 = 20;
/// Two ids of one millisecond are at most this far apart, and one more.
const STRIDE: u64 = (1 << 10) - 1;
/// The mark is moved this far ahead, so that it is written once in a while only.
const AHEAD: Millis = 60 * SECOND;

/// When an id was handed out.
pub fn made_at(id: i64) -> Millis {
    id >> COUNTER_BITS
}

pub struct Ids {
    last: Cell<i64>,
    /// The mark on disk, and the one the open transaction writes.
    marked: Cell<i64>,
    marking: Cell<i64>,
    /// What the distances are drawn with.
    key: [u8; 16],
}

impl Ids {
    /// Takes up above every id handed out before.
    pub fn load(conn: &Connection) -> Result<Ids> {
        let mark: i64 = conn
            .query_row("SELECT value FROM sequences WHERE name = 'id'", [], |row| row.get(0))
            .optional()
            .map_err(from_sql)?
            .unwrap_or(0);
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(Error::internal)?;
        Ok(Ids { last: Cell::new(mark), marked: Cell::new(mark), marking: Cell::new(mark), key })
    }

    /// A new id. Within a transaction only, after [`Ids::reserve`]. How far it is from the one
    /// before is drawn: else a caller who has two could count those that others were given between.
    pub fn next(&self, now: Millis) -> i64 {
        let drawn = SipHasher13::new_with_key(&self.key).hash(&self.last.get().to_be_bytes());
        let id = match self.last.get() < now << COUNTER_BITS {
            // The first of its millisecond, in the lower half of what that has.
            true => (now << COUNTER_BITS) + (drawn >> (64 - COUNTER_BITS + 1)).cast_signed(),
            false => self.last.get() + 1 + (drawn & STRIDE).cast_signed(),
        };
        self.last.set(id);
        id
    }

    /// Moves the mark ahead, if ids near it, as part of the transaction that is open.
    pub fn reserve(&self, conn: &Connection, now: Millis) -> rusqlite::Result<()> {
        let floor = self.last.get().max(now << COUNTER_BITS);
        if floor + (AHEAD << COUNTER_BITS) / 2 < self.marked.get() {
            // A mark that was rolled back is none.
            self.marking.set(self.marked.get());
            return Ok(());
        }
        let mark = floor + (AHEAD << COUNTER_BITS);
        conn.prepare_cached(
            "INSERT INTO sequences (name, value) VALUES ('id', ?1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![mark])?;
        self.marking.set(mark);
        Ok(())
    }

    /// The transaction that moved the mark is on disk.
    pub fn reserved(&self) {
        self.marked.set(self.marking.get().max(self.marked.get()));
    }
}
