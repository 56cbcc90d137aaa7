//! Keeps the database file free of stale bytes.
//!
//! SQLite leaves copies of rows in the gaps of b-tree pages, `secure_delete` or not. So
//! every page that is written is looked at again, and what is free in it is zeroed, before
//! a checkpoint takes it into the file: the file never holds a stale byte, and what is
//! still to be scrubbed is always what the WAL names, which survives a crash. The cost
//! follows what was written, not how large the file is.
//!
//! The writer's thread alone scrubs and checkpoints, here.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::kinds::Trees;
use super::layout::{self, PAGE};
use super::reserve::DiskReserve;
use super::{ScrubMode, from_sql, wal_pairing};
use crate::error::{Error, Result};

/// Pages scrubbed in one transaction: some milliseconds.
const CHUNK: usize = 128;
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// What is known of the pages that were written.
pub struct Scrub {
    wal: PathBuf,
    /// The WAL that was read last, and how many of its frames.
    salts: [u8; 8],
    seen: u32,
    /// May hold stale bytes.
    suspects: BTreeSet<u32>,
    /// Written since the WAL was last emptied.
    written: BTreeSet<u32>,
    totals: Totals,
    scrub_mode: ScrubMode,
    reserve: Arc<DiskReserve>,
    /// The file has all of the WAL, and nothing was written since.
    fresh: Cell<bool>,
}

/// Work done since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Pages looked at, and those of them that had stale bytes.
    pub pages: u64,
    pub changed: u64,
    /// Frames that checkpoints took into the file.
    pub frames: u64,
}

/// What a checkpoint that empties the WAL came to.
#[derive(Debug)]
pub enum Emptied {
    /// A reader still needs the WAL.
    Busy,
    /// The file has everything and the WAL no byte. The pages are those written since the
    /// last time.
    Done { written: Vec<u32>, totals: Totals },
}

impl Scrub {
    pub fn new(
        conn: &Connection,
        database: &Path,
        scrub_mode: ScrubMode,
        reserve: Arc<DiskReserve>,
    ) -> Result<Scrub> {
        // What a kill has left in the WAL has changed the mark already, unless that alone was cut
        // off: then the mark in the WAL is the file's own, and may stay.
        let fresh = Cell::new(Scrub::frames(conn)? == 0);
        Ok(Scrub {
            wal: super::wal_of(database),
            salts: [0; 8],
            seen: 0,
            suspects: BTreeSet::new(),
            written: BTreeSet::new(),
            totals: Totals::default(),
            scrub_mode,
            reserve,
            fresh,
        })
    }

    /// Begins a transaction, as every one begins that may write.
    pub fn begin(&self, conn: &Connection) -> Result<()> {
        // IMMEDIATE: a deferred transaction that reads first cannot be upgraded once
        // another has committed, and SQLite says so without waiting.
        execute(conn, "BEGIN IMMEDIATE")?;
        if self.fresh.get() { wal_pairing::change(conn) } else { Ok(()) }
    }

    /// It was committed.
    pub fn committed(&self) {
        self.fresh.set(false);
    }

    /// Frames in the WAL, as SQLite counts the valid ones.
    pub fn frames(conn: &Connection) -> Result<u32> {
        let frames: i64 =
            conn.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1)).map_err(from_sql)?;
        Ok(u32::try_from(frames).unwrap_or(0))
    }

    /// Reads which pages the frames name that came since the last time.
    pub fn collect(&mut self, conn: &Connection) -> Result<()> {
        let frames = Scrub::frames(conn)?;
        if frames == 0 {
            self.seen = 0;
            return Ok(());
        }
        let wal = File::open(&self.wal).map_err(Error::from_io)?;
        let mut salts = [0; 8];
        wal.read_exact_at(&mut salts, 16).map_err(Error::from_io)?;
        if salts != self.salts || frames < self.seen {
            self.salts = salts;
            self.seen = 0;
        }
        let mut number = [0; 4];
        for frame in self.seen..frames {
            let at = WAL_HEADER + u64::from(frame) * (FRAME_HEADER + PAGE as u64);
            wal.read_exact_at(&mut number, at).map_err(Error::from_io)?;
            let page = u32::from_be_bytes(number);
            self.suspects.insert(page);
            self.written.insert(page);
        }
        self.seen = frames;
        Ok(())
    }

    /// How many pages wait.
    pub fn waiting(&self) -> usize {
        self.suspects.len()
    }

    /// Adds pages that a look at the file found to be stale.
    pub fn mark_dirty(&mut self, pages: impl IntoIterator<Item = u32>) {
        self.suspects.extend(pages);
    }

    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Scrubs some pages in one transaction. What it writes is clean, so it is not looked
    /// at again.
    pub fn chunk(&mut self, conn: &Connection) -> Result<()> {
        self.collect(conn)?;
        let some: Vec<u32> = self.suspects.iter().take(CHUNK).copied().collect();
        if some.is_empty() {
            return Ok(());
        }
        if self.scrub_mode != ScrubMode::Whole {
            some.iter().for_each(|number| _ = self.suspects.remove(number));
            return Ok(());
        }
        let changed = self.transaction(conn, || {
            let pages = page_count(conn)?;
            some.iter().try_fold(0, |changed, number| Ok(changed + u64::from(scrub(conn, *number, pages)?)))
        })?;
        some.iter().for_each(|number| _ = self.suspects.remove(number));
        self.seen = Scrub::frames(conn)?;
        self.totals.pages += some.len() as u64;
        self.totals.changed += changed;
        Ok(())
    }

    /// Scrubs all that waits, however long it takes.
    pub fn drain(&mut self, conn: &Connection) -> Result<()> {
        self.collect(conn)?;
        while !self.suspects.is_empty() {
            self.chunk(conn)?;
        }
        Ok(())
    }

    /// Takes the WAL into the file, as far as readers allow. True: all of it.
    pub fn checkpoint(&mut self, conn: &Connection) -> Result<bool> {
        self.drain(conn)?;
        self.fold(conn, "PASSIVE")
    }

    /// The same, and empties the WAL: its old frames hold what the file no longer does.
    pub fn empty(&mut self, conn: &Connection) -> Result<Emptied> {
        self.drain(conn)?;
        // A reader is not waited for: the writer has others to serve.
        conn.execute_batch("PRAGMA busy_timeout = 0").map_err(from_sql)?;
        let outcome = self.fold(conn, "TRUNCATE");
        conn.execute_batch("PRAGMA busy_timeout = 5000").map_err(from_sql)?;
        match outcome {
            Ok(true) => {
                let written = std::mem::take(&mut self.written).into_iter().collect();
                Ok(Emptied::Done { written, totals: self.totals })
            }
            Ok(false) => Ok(Emptied::Busy),
            Err(Error::DiskFull) => {
                self.reserve.give_up();
                Ok(Emptied::Busy)
            }
            Err(error) => Err(error),
        }
    }

    fn fold(&mut self, conn: &Connection, mode: &str) -> Result<bool> {
        let frames = Scrub::frames(conn)?;
        let done = conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        let (busy, log, moved) = done.map_err(from_sql)?;
        let all = busy == 0 && log == moved;
        if all {
            self.totals.frames += u64::from(frames);
            self.fresh.set(true);
        }
        Ok(all)
    }

    /// All of it or nothing; after a fault no transaction is left open.
    pub fn transaction<T>(&self, conn: &Connection, run: impl FnOnce() -> Result<T>) -> Result<T> {
        let outcome = self.begin(conn).and_then(|()| run());
        let outcome = outcome.and_then(|value| execute(conn, "COMMIT").map(|()| value));
        match outcome {
            Ok(_) => self.committed(),
            // A full disk may have ended it already.
            Err(_) if !conn.is_autocommit() => execute(conn, "ROLLBACK")?,
            Err(_) => {}
        }
        outcome
    }
}

fn page_count(conn: &Connection) -> Result<u32> {
    conn.prepare_cached("PRAGMA page_count")
        .and_then(|mut count| count.query_row([], |row| row.get(0)))
        .map_err(from_sql)
}

/// `pages` is how many the file has.
fn scrub(conn: &Connection, number: u32, pages: u32) -> Result<bool> {
    // A page past the end: the file was shortened since.
    let Some(mut page) = read(conn, number)? else { return Ok(false) };
    let trees = Trees { pages, read: &|other| read(conn, other).ok().flatten() };
    if !trees.have(number, &page) {
        return Ok(false);
    }
    match layout::scrub(&mut page, number) {
        Ok(false) => Ok(false),
        Ok(true) => write(conn, number, &page).map(|()| true),
        Err(odd) => {
            log::error!("page {number} of the database is not as SQLite writes it: {}", odd.0);
            Ok(false)
        }
    }
}

/// A page as the open transaction has it. None: it is past the end.
pub fn read(conn: &Connection, number: u32) -> Result<Option<Vec<u8>>> {
    conn.prepare_cached("SELECT data FROM sqlite_dbpage WHERE pgno = ?1")
        .and_then(|mut select| select.query_row(params![number], |row| row.get(0)).optional())
        .map_err(from_sql)
}

pub fn write(conn: &Connection, number: u32, page: &[u8]) -> Result<()> {
    conn.prepare_cached("UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1")
        .and_then(|mut update| update.execute(params![number, page]))
        .map_err(from_sql)?;
    Ok(())
}

fn execute(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(from_sql)?;
    Ok(())
}
