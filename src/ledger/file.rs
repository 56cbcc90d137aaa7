//! The file: made, opened at the place that a database has recorded, appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::entry::{Act, BadHeader, Entry, Header};
use super::lines::{LINE_MAX, Line, Lines};
use super::{LedgerId, Position};
use crate::clock::Millis;

/// The open ledger. One at a time: whoever holds the data directory holds it.
pub struct Ledger<M = File> {
    medium: M,
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

/// Why a ledger is not opened. Each says the way out.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(
        "there is no ledger of erasures at {path}, and without it whoever was erased since a backup could \
         come back with it: put its newest copy there, from the place that backups are copied to"
    )]
    Missing { path: PathBuf },
    #[error(
        "the ledger of erasures {path} is older than the database: it ends after {length} bytes, and the \
         database has seen {recorded} (entry {seq}); put back its newest copy, from the place that backups \
         are copied to"
    )]
    Older { path: PathBuf, length: u64, recorded: u64, seq: u64 },
    #[error(
        "the ledger of erasures {path} belongs to another database: it is {found}, and the database was \
         written beside {recorded}; put that one in its place, or the database that belongs to this one"
    )]
    Foreign { path: PathBuf, found: LedgerId, recorded: LedgerId },
    #[error(
        "the ledger of erasures {path} is not the one that the database has seen: entry {seq}, which ends at \
         byte {offset}, is another; put back its newest copy, from the place that backups are copied to"
    )]
    Rewritten { path: PathBuf, seq: u64, offset: u64 },
    #[error(
        "the ledger of erasures {path} is damaged in line {line}: {what}; put back its newest copy, from the \
         place that backups are copied to"
    )]
    Damaged { path: PathBuf, line: u64, what: String },
    #[error(
        "the ledger of erasures {path} has the version {version}, which this program does not know (line 1): \
         start the newer program that wrote it"
    )]
    Newer { path: PathBuf, version: u64 },
    #[error("the ledger of erasures {path} cannot be read or written: {error}; see to that, and start again")]
    Io { path: PathBuf, error: io::Error },
}

impl Ledger {
    /// A new ledger without entries, readable by its owner alone. It is there whole, or not at
    /// all, also after a power cut. [`ErrorKind::AlreadyExists`] if something has that name:
    /// a ledger is never written over.
    pub fn create(path: &Path, now: Millis) -> io::Result<Ledger> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let ledger = LedgerId::random().map_err(io::Error::other)?;
        let header = Header { ledger, at: now };
        let line = header.line();
        let mut draft = path.as_os_str().to_owned();
        draft.push(".new");
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        sync_folder(path)?;
        let position = Position { ledger, seq: 0, head: header.hash(), offset: line.len() as u64 };
        Ok(Ledger::on(file, position))
    }

    /// Opens the ledger at the place that a database has recorded, and gives the entries that
    /// the database has not seen. A database without a mark adopts a ledger with all its
    /// entries. A line at the end that a crash left unfinished is cut off; what is given is
    /// safe from a power cut.
    pub fn open(path: &Path, mark: Option<&Position>) -> Result<(Ledger, Vec<Entry>, Opened), Refusal> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Refusal::Missing { path: path.to_owned() });
            }
            Err(error) => return Err(Refusal::Io { path: path.to_owned(), error }),
        };
        Opening { path, file: &file }.read(mark).map(|(position, entries, opened)| {
            let ledger = Ledger::on(file, position);
            (ledger, entries, opened)
        })
    }

    /// The entries after a place in the ledger, read beside whoever writes it: nothing is cut
    /// off, and a line that is being written is not there yet. The refusals are those of
    /// [`Ledger::open`].
    pub fn after(path: &Path, mark: &Position) -> Result<Vec<Entry>, Refusal> {
        Ledger::look(path, |opening| {
            opening.check(mark)?;
            opening.entries(mark).map(|(_, entries, _)| entries)
        })
    }

    /// That the ledger has come to this place, whatever lies beyond.
    pub(super) fn check_place(path: &Path, mark: &Position) -> Result<(), Refusal> {
        Ledger::look(path, |opening| opening.check(mark))
    }

    fn look<T>(path: &Path, look: impl FnOnce(Opening) -> Result<T, Refusal>) -> Result<T, Refusal> {
        match File::open(path) {
            Ok(file) => look(Opening { path, file: &file }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(Refusal::Missing { path: path.to_owned() })
            }
            Err(error) => Err(Refusal::Io { path: path.to_owned(), error }),
        }
    }
}

impl<M: Medium> Ledger<M> {
    /// A ledger that stands at this position of the medium, with nothing after it.
    pub fn on(medium: M, position: Position) -> Ledger<M> {
        Ledger { medium, position, leavings: false }
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
            let entry = Entry::after(after.seq, &after.head, at, act);
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

/// A ledger that is being opened.
struct Opening<'a> {
    path: &'a Path,
    file: &'a File,
}

impl Opening<'_> {
    fn read(&self, mark: Option<&Position>) -> Result<(Position, Vec<Entry>, Opened), Refusal> {
        let from = match mark {
            Some(mark) => self.check(mark).map(|()| *mark)?,
            None => self.header()?,
        };
        let (position, entries, opened) = self.entries(&from)?;
        if opened.cut > 0 {
            self.file.set_len(position.offset).map_err(|error| self.io(error))?;
        }
        // A killed program may have left entries that were never synced. A database that
        // records them must not outlive them; nor one that records a file put back by hand.
        self.file.sync_all().and_then(|()| sync_folder(self.path)).map_err(|error| self.io(error))?;
        Ok((position, entries, opened))
    }

    /// The entries after a position, where they end, and what stands there unfinished.
    fn entries(&self, mark: &Position) -> Result<(Position, Vec<Entry>, Opened), Refusal> {
        let mut position = *mark;
        let mut opened = Opened::default();
        let mut entries = Vec::new();
        for line in self.lines(position.offset, position.seq + 2)? {
            let line = line.map_err(|error| self.io(error))?;
            if !line.ended {
                opened.cut = line.length;
                break;
            }
            let entry = follow(&line, &position).map_err(|what| self.damaged(line.number, what))?;
            let offset = position.offset + line.length;
            position = Position { seq: entry.seq, head: entry.chain, offset, ..position };
            entries.push(entry);
        }
        Ok((position, entries, opened))
    }

    /// The position after the header.
    fn header(&self) -> Result<Position, Refusal> {
        let line = self.lines(0, 1)?.next().transpose().map_err(|error| self.io(error))?;
        let line = line.ok_or_else(|| self.damaged(1, "it is empty".into()))?;
        if !line.ended {
            return Err(self.damaged(1, "it has no end".into()));
        }
        let header = Header::parse(&line.bytes).map_err(|bad| match bad {
            BadHeader::Version(version) => Refusal::Newer { path: self.path.to_owned(), version },
            BadHeader::Other(what) => self.damaged(1, what),
        })?;
        Ok(Position { ledger: header.ledger, seq: 0, head: header.hash(), offset: line.length })
    }

    /// That the ledger is the one that the database has seen, and no older.
    fn check(&self, mark: &Position) -> Result<(), Refusal> {
        let begun = self.header()?;
        let length = self.file.metadata().map_err(|error| self.io(error))?.len();
        let path = self.path.to_owned();
        if mark.ledger != begun.ledger {
            return Err(Refusal::Foreign { path, found: begun.ledger, recorded: mark.ledger });
        }
        let Position { seq, offset, .. } = *mark;
        if length < offset {
            return Err(Refusal::Older { path, length, recorded: offset, seq });
        }
        let same = if seq == 0 {
            *mark == begun
        } else {
            let entry = self.entry_before(offset)?;
            entry.is_some_and(|entry| (entry.seq, entry.chain) == (seq, mark.head))
        };
        if same { Ok(()) } else { Err(Refusal::Rewritten { path, seq, offset }) }
    }

    /// The entry whose line ends at this byte, if one does.
    fn entry_before(&self, offset: u64) -> Result<Option<Entry>, Refusal> {
        let start = offset.saturating_sub(LINE_MAX as u64);
        let mut window = vec![0; usize::try_from(offset - start).unwrap_or(LINE_MAX)];
        self.file.read_exact_at(&mut window, start).map_err(|error| self.io(error))?;
        let line = window.strip_suffix(b"\n").and_then(|text| text.rsplit(|byte| *byte == b'\n').next());
        Ok(line.and_then(|line| Entry::parse(line).ok()))
    }

    fn lines(&self, offset: u64, number: u64) -> Result<Lines<BufReader<&File>>, Refusal> {
        let mut file = self.file;
        file.seek(SeekFrom::Start(offset)).map_err(|error| self.io(error))?;
        Ok(Lines::from(BufReader::new(file), number))
    }

    fn io(&self, error: io::Error) -> Refusal {
        Refusal::Io { path: self.path.to_owned(), error }
    }

    fn damaged(&self, line: u64, what: String) -> Refusal {
        Refusal::Damaged { path: self.path.to_owned(), line, what }
    }
}

/// The entry in a whole line, which must follow what stands at `before`.
fn follow(line: &Line, before: &Position) -> Result<Entry, String> {
    if line.too_long() {
        return Err(format!("it is longer than {LINE_MAX} bytes"));
    }
    let entry = Entry::parse(&line.bytes)?;
    let due = before.seq + 1;
    if entry.seq != due {
        return Err(format!("it is entry {}, where entry {due} is due", entry.seq));
    }
    if entry.follow(&before.head) != entry.chain {
        return Err(format!("entry {due} does not follow from the line before it: it was altered"));
    }
    Ok(entry)
}

/// Makes a new name in a folder survive a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
