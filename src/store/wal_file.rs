//! The WAL as bytes, looked at before SQLite opens it: SQLite takes what is good up to the first
//! bad frame and drops the rest without a word, and acknowledged transactions with it.
//!
//! A power cut may leave one transaction half written behind the good frames; it was never
//! acknowledged. More than one says that the file was damaged. That a WAL was cut shows in its
//! index, which outlasts a kill and knows of a frame only once that is synced. After a power cut
//! the index may be an older one: of the same WAL that knows of fewer frames; of another it says
//! nothing of this. Without one, an index of another WAL says that this one was lost.
//!
//! Source: the SQLite file format, "The Write-Ahead Log" and "WAL-Index Format".

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use super::layout::PAGE;
use super::{boot, index_of, wal_of};
use crate::error::{Error, Result};

pub const HEADER: usize = 32;
pub const FRAME_HEADER: usize = 24;
/// Read at once.
const BUFFER: usize = 1 << 20;

/// What the WAL of a database is found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// There is nothing in it, or all of it is good.
    Whole,
    /// Behind what is good lies one transaction that is not: a power cut leaves that.
    Torn,
    /// Behind what is good lie transactions that were acknowledged and cannot be read.
    Damaged,
    /// Its index knows of more acknowledged frames than it has, or of those of another WAL, which
    /// is not there.
    Cut,
    /// The same, and of those that are missing some are in the database already: what is left
    /// would put older pages over newer ones.
    Mixed,
}

impl Found {
    /// What is said of it. None: nothing is wrong.
    pub fn fault(self) -> Option<&'static str> {
        match self {
            Found::Whole | Found::Torn => None,
            Found::Damaged => Some(
                "usher.db-wal is damaged, and behind the damage it holds writes that were acknowledged. Keep it: \
                 copy usher.db, usher.db-wal and usher.db-shm to another place before anything else. Then put a \
                 good copy of usher.db-wal back, restore a backup with `usher restore`, or start once with \
                 --accept-loss, which gives up what lies behind the damage",
            ),
            Found::Cut => Some(
                "usher.db-wal was cut off, is damaged, or is not the one that was there: writes that were \
                 acknowledged are missing. Keep what is there: copy usher.db, usher.db-wal and usher.db-shm to another place before anything else. Then \
                 put the whole usher.db-wal back, restore a backup with `usher restore`, or start once with \
                 --accept-loss, which goes on without what is missing",
            ),
            Found::Mixed => Some(
                "usher.db-wal was cut off in its middle and no longer matches usher.db. Keep what is there: copy \
                 usher.db, usher.db-wal and usher.db-shm to another place before anything else. Then put the \
                 whole usher.db-wal back, or restore a backup with `usher restore`",
            ),
        }
    }
}

/// Looks at the WAL of a database, and at its index. Only before SQLite opens either: it makes
/// the index anew.
pub fn look(database: &Path) -> Result<Found> {
    let log = Log::read(&wal_of(database)).map_err(Error::internal)?;
    let Some(log) = log else { return Ok(Found::Whole) };
    let index = Index::read(&index_of(database)).map_err(Error::internal)?;
    let (same, other): (Option<Index>, Option<Index>) = match index {
        Some(index) if log.salts == Some(index.salts) => (Some(index), None),
        index => (None, index),
    };
    if other.as_ref().is_some_and(|index| index.frames > index.folded) && boot::is_the_same(database) {
        return Ok(Found::Cut);
    }
    let has_failed_commits =
        same.as_ref().is_some_and(|index| boot::has_failed_commits(database, index.salts));
    if let Some(index) = same.filter(|index| index.frames > log.good) {
        return Ok(match log.good {
            // The database stands alone, and has had all of them.
            0 if index.folded >= index.frames => Found::Whole,
            0 => Found::Cut,
            good if index.folded > good => Found::Mixed,
            _ => Found::Cut,
        });
    }
    // All of it is in the database, and it was being begun anew: a kill came into its new header.
    if other.is_some_and(|index| index.begins_after(&log)) && boot::is_the_same(database) {
        return Ok(Found::Whole);
    }
    Ok(match log.commits_behind {
        0 => Found::Whole,
        // All that the index knows of is good: what lies behind are transactions that failed with their sync,
        // and were answered so.
        _ if has_failed_commits => Found::Torn,
        1 => Found::Torn,
        _ => Found::Damaged,
    })
}

/// What the bytes of a WAL say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Log {
    /// None: its header is not good, or is not there.
    salts: Option<[u8; 8]>,
    /// Those of the frames, where the header is not good.
    left: Option<[u8; 8]>,
    /// Frames up to the last good commit.
    good: u32,
    /// Commits of the same WAL behind the first bad frame.
    commits_behind: u32,
}

impl Log {
    /// None: it has pages of another size, so that another program has written it.
    fn read(path: &Path) -> std::io::Result<Option<Log>> {
        let mut log = Log::default();
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(log)),
            Err(error) => return Err(error),
        };
        let mut file = BufReader::with_capacity(BUFFER, file);
        let mut header = [0; HEADER];
        if !fill(&mut file, &mut header)? {
            return Ok(Some(log));
        }
        let is_big = header[3] & 1 == 1;
        let mut sum = checksum((0, 0), &header[..24], is_big);
        let mut is_good = header[..3] == [0x37, 0x7F, 0x06] && bytes_of(sum) == header[24..32];
        if is_good && four(&header, 8) as usize != PAGE {
            return Ok(None);
        }
        let mut salts: Option<[u8; 8]> = is_good.then(|| eight(&header, 16));
        log.salts = salts;
        let (mut frame, mut number) = (vec![0; FRAME_HEADER + PAGE], 0);
        while fill(&mut file, &mut frame)? {
            number += 1;
            let (here, commits) = (eight(&frame, 8), four(&frame, 4) != 0);
            if is_good {
                sum = checksum(checksum(sum, &frame[..8], is_big), &frame[FRAME_HEADER..], is_big);
                is_good = salts == Some(here) && four(&frame, 0) != 0 && bytes_of(sum) == frame[16..24];
            }
            if is_good {
                log.good = if commits { number } else { log.good };
            } else if *salts.get_or_insert(here) == here && here != [0; 8] {
                log.commits_behind += u32::from(commits);
            }
        }
        log.left = salts.filter(|_| log.salts.is_none());
        Ok(Some(log))
    }
}

/// What the index says of the WAL that it was made of.
struct Index {
    frames: u32,
    /// So many of them are in the database.
    folded: u32,
    salts: [u8; 8],
}

impl Index {
    const VERSION: u32 = 3_007_000;
    /// It is there twice; what follows says how far checkpoints have come.
    const HEADER: usize = 48;

    /// Whether it is of the WAL that follows this one in the same file, and has no frame yet. The first
    /// half of the salts counts up; SQLite begins anew only when the database has all frames.
    fn begins_after(&self, log: &Log) -> bool {
        let first = |salts: &[u8; 8]| four(salts, 0);
        self.frames == 0 && log.left.is_some_and(|left| first(&self.salts) == first(&left).wrapping_add(1))
    }

    /// None: there is none, or it was caught in the middle of a change, and does not tell.
    fn read(path: &Path) -> std::io::Result<Option<Index>> {
        let mut bytes = [0; 2 * Index::HEADER + 4];
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if !fill(&mut file, &mut bytes)? {
            return Ok(None);
        }
        // Numbers are as this machine writes them, but for the salts.
        let number = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (first, second) = bytes[..2 * Index::HEADER].split_at(Index::HEADER);
        let sum = checksum((0, 0), &first[..40], cfg!(target_endian = "big"));
        let is_good = first == second && number(0) == Index::VERSION && (number(40), number(44)) == sum;
        let (frames, folded) = (number(16), number(2 * Index::HEADER));
        Ok(is_good.then(|| Index { frames, folded, salts: eight(&bytes, 32) }))
    }
}

/// Whether `bytes` stand in a frame of a page, of all frames that are there.
pub fn has(database: &Path, page: u32, bytes: &[u8]) -> Result<bool> {
    let file = match File::open(wal_of(database)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::internal(error)),
    };
    let mut file = BufReader::with_capacity(BUFFER, file);
    let mut header = [0; HEADER];
    if !fill(&mut file, &mut header).map_err(Error::internal)? {
        return Ok(false);
    }
    let mut frame = vec![0; FRAME_HEADER + PAGE];
    while fill(&mut file, &mut frame).map_err(Error::internal)? {
        let is_of_it = frame[8..16] == header[16..24] && four(&frame, 0) == page;
        if is_of_it && frame[FRAME_HEADER..].windows(bytes.len()).any(|some| some == bytes) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn checksum((mut one, mut two): (u32, u32), bytes: &[u8], is_big: bool) -> (u32, u32) {
    let number = |bytes: &[u8]| {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    for pair in bytes.chunks_exact(8) {
        one = one.wrapping_add(number(&pair[..4])).wrapping_add(two);
        two = two.wrapping_add(number(&pair[4..])).wrapping_add(one);
    }
    (one, two)
}

fn bytes_of((one, two): (u32, u32)) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&one.to_be_bytes());
    bytes[4..].copy_from_slice(&two.to_be_bytes());
    bytes
}

fn four(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn eight(bytes: &[u8], at: usize) -> [u8; 8] {
    let mut some = [0; 8];
    some.copy_from_slice(&bytes[at..at + 8]);
    some
}

/// False: the file ended before.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
