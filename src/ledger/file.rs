//! The file: made, opened at the place that a database has recorded, appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::entry::{Act, Entry, Header};
use super::error::LedgerError;
use super::look::{Looking, look};
use super::{LedgerId, MacKey, Position};
use crate::atomic_file;
use crate::clock::Millis;

/// The open ledger. One at a time: the process that holds the data directory.
pub struct Ledger<M = File> {
    medium: M,
    mac_key: MacKey,
    position: Position,
    /// There may be bytes after `position` that a failed append has left.
    leavings: bool,
}

/// What a ledger is written on: a file. Tests put one in its place that fails.
pub trait Medium {
    /// Writes all of the bytes at this place.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes what was written, and the length, survive a power cut.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to this length, and makes that survive a power cut.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Medium for File {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.sync_all()
    }
}

/// What opening did beside opening.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opened {
    /// So many bytes at the end were cut off: a line that a crash had left unfinished. Nobody
    /// was told that it was written.
    pub cut: u64,
}

impl Ledger {
    /// A new ledger without entries, readable by its owner alone. It is there whole, or not at
    /// all, also after a power cut. [`ErrorKind::AlreadyExists`] if something has that name:
    /// a ledger is never written over.
    pub fn create(path: &Path, now: Millis, mac_key: &MacKey) -> io::Result<Ledger> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let ledger = LedgerId::random().map_err(io::Error::other)?;
        let header = Header::sealed(ledger, now, mac_key);
        let line = header.line();
        atomic_file::replace(path, line.as_bytes(), 0o600)?;
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let position = Position { ledger, seq: 0, head: header.hash(), offset: line.len() as u64 };
        Ok(Ledger::on(file, position, mac_key))
    }

    /// Opens the ledger at the place that a database has recorded, and gives the entries that
    /// the database has not seen. A database without a mark adopts a ledger with all its
    /// entries. All of it is read, and each line checked. A line at the end that a crash left
    /// unfinished is cut off; what is given is safe from a power cut.
    pub fn open(
        path: &Path,
        mark: Option<&Position>,
        mac_key: &MacKey,
    ) -> Result<(Ledger, Vec<Entry>, Opened), LedgerError> {
        let failed = |error| LedgerError::io(path, error);
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(LedgerError::Missing { path: path.to_owned() });
            }
            Err(error) => return Err(failed(error)),
        };
        let mut entries = Vec::new();
        let seen = Looking { path, file: &file, mac_key: Some(mac_key) }.run(
            mark.map(std::slice::from_ref).unwrap_or_default(),
            |entry, _| {
                if mark.is_none_or(|mark| entry.seq > mark.seq) {
                    entries.push(entry.clone());
                }
            },
        )?;
        seen.places.into_iter().collect::<Result<Vec<Position>, LedgerError>>()?;
        if seen.torn > 0 {
            file.set_len(seen.end.offset).map_err(failed)?;
        }
        // A killed program may have left entries that were never synced. A database that
        // records them must not outlive them; nor one that records a file put back by hand.
        file.sync_all().and_then(|()| atomic_file::sync_name(path)).map_err(failed)?;
        Ok((Ledger::on(file, seen.end, mac_key), entries, Opened { cut: seen.torn }))
    }

    /// The entries after a place in the ledger, read beside the process that writes it: nothing is cut
    /// off, and a line that is being written is not there yet. The refusals are those of
    /// [`Ledger::open`].
    pub fn after(path: &Path, mark: &Position, mac_key: &MacKey) -> Result<Vec<Entry>, LedgerError> {
        let mut entries = Vec::new();
        let seen = look(path, mac_key, &[*mark], |entry, _| {
            if entry.seq > mark.seq {
                entries.push(entry.clone());
            }
        })?;
        seen.places.into_iter().collect::<Result<Vec<Position>, LedgerError>>()?;
        Ok(entries)
    }
}

impl<M: Medium> Ledger<M> {
    /// A ledger that stands at this position of the medium, with nothing after it.
    pub fn on(medium: M, position: Position, mac_key: &MacKey) -> Ledger<M> {
        Ledger { medium, mac_key: mac_key.clone(), position, leavings: false }
    }

    /// Where the ledger ends: what a database records that has seen all of it.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Writes the acts down, all at one time. See [`Ledger::append_each`].
    pub fn append(&mut self, at: Millis, acts: &[Act]) -> io::Result<Position> {
        self.append_each(acts.iter().map(|act| (at, act.clone())))
    }

    /// Writes acts down, each with its time, with one write and one sync; the position after
    /// them. On a fault (a full disk) nothing counts as written, and what was is cut off,
    /// again before the next append if it cannot be now. [`ErrorKind::InvalidInput`] for an
    /// act that cannot be (a `Void` of what does not stand before it, say).
    pub fn append_each(&mut self, acts: impl IntoIterator<Item = (Millis, Act)>) -> io::Result<Position> {
        let mut after = self.position;
        let mut lines = String::new();
        for (at, act) in acts {
            let entry = Entry::after(after.seq, &after.head, at, act).sealed(&self.mac_key);
            if let Some(why) = entry.act.fault(entry.seq) {
                return Err(io::Error::new(ErrorKind::InvalidInput, why));
            }
            lines.push_str(&entry.line());
            after = Position { seq: entry.seq, head: entry.chain, ..after };
        }
        if lines.is_empty() {
            return Ok(after);
        }
        self.tidy()?;
        after.offset += lines.len() as u64;
        let start = self.position.offset;
        self.leavings = true;
        if let Err(error) = self.medium.write_at(lines.as_bytes(), start).and_then(|()| self.medium.sync()) {
            // If it fails now, it is tried again before the next append; the error that is
            // told is the first.
            let _ = self.tidy();
            return Err(error);
        }
        self.leavings = false;
        self.position = after;
        Ok(after)
    }

    /// Cuts off what a failed append has left.
    fn tidy(&mut self) -> io::Result<()> {
        if self.leavings {
            self.medium.cut(self.position.offset)?;
            self.leavings = false;
        }
        Ok(())
    }
}
