//! One reading of a whole ledger, checked line by line: each entry follows from the one before
//! it and has its MAC. It answers of any number of places whether the ledger has come to them.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Seek, SeekFrom};
use std::path::Path;

use super::entry::{Act, BadHeader, Chain, Entry, Header, UNSEALED, newer_act};
use super::error::LedgerError;
use super::lines::{LINE_MAX, Line, Lines};
use super::{LedgerId, MacKey, Position};
use crate::clock::Millis;

/// What a reading came to.
#[derive(Debug, Clone)]
pub struct Seen {
    /// After the last whole line.
    pub end: Position,
    /// The chain value of the first line.
    pub begin: Chain,
    /// When its last entry was made; where there is none, the ledger.
    pub last_at: Millis,
    /// The ledger that this one was begun in the place of.
    pub lost: Option<LedgerId>,
    /// Bytes behind the last whole line.
    pub torn: u64,
    /// Where each of the places lies that were asked for, or why the ledger is refused for it.
    pub places: Vec<Result<Position, LedgerError>>,
}

/// Reads all of a ledger of version 2. `see` is handed each entry, with the place behind it.
/// Whatever is wrong with a line is a refusal of the whole; a place that the ledger has not come
/// to, or has come to otherwise, is one of that place alone.
pub fn look(
    path: &Path,
    mac_key: &MacKey,
    places: &[Position],
    see: impl FnMut(&Entry, &Position),
) -> Result<Seen, LedgerError> {
    match File::open(path) {
        Ok(file) => Looking { path, file: &file, mac_key: Some(mac_key) }.run(places, see),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(LedgerError::Missing { path: path.to_owned() })
        }
        Err(error) => Err(LedgerError::io(path, error)),
    }
}

/// A ledger that is being read.
pub(super) struct Looking<'a> {
    pub path: &'a Path,
    pub file: &'a File,
    /// None: it is of version 1.
    pub mac_key: Option<&'a MacKey>,
}

/// A place that was asked for, on the way to it.
struct Wanted {
    place: Position,
    /// Which of those that were asked for.
    number: usize,
}

impl Looking<'_> {
    pub fn run(
        &self,
        places: &[Position],
        mut see: impl FnMut(&Entry, &Position),
    ) -> Result<Seen, LedgerError> {
        let mut lines = self.lines()?;
        let (header, mut end) = self.header(&mut lines, places)?;
        // In version 1 each line was shorter, and a place may say how far it was then.
        let mut unsealed = header.unsealed_length();
        let mut wanted: Vec<Wanted> =
            places.iter().copied().enumerate().map(|(number, place)| Wanted { place, number }).collect();
        wanted.sort_by_key(|wanted| std::cmp::Reverse(wanted.place.seq));
        let mut answers: Vec<Option<Result<Position, LedgerError>>> = vec![None; places.len()];
        let mut answer = |end: &Position, unsealed: u64| {
            while let Some(next) = wanted.pop_if(|wanted| wanted.place.seq <= end.seq) {
                answers[next.number] = Some(self.place(&next.place, end, unsealed));
            }
        };
        answer(&end, unsealed);
        let (mut torn, mut last_at, mut lost) = (0, header.at, None);
        for line in lines {
            let line = line.map_err(|error| LedgerError::io(self.path, error))?;
            if !line.ended {
                torn = line.length;
                break;
            }
            let entry = self.follow(&line, &end)?;
            let offset = end.offset + line.length;
            unsealed += entry.unsealed_length();
            end = Position { seq: entry.seq, head: entry.chain, offset, ..end };
            last_at = entry.at;
            if let Act::Anew { lost: ledger, .. } = entry.act {
                lost = Some(ledger);
            }
            answer(&end, unsealed);
            see(&entry, &end);
        }
        let length = end.offset + torn;
        let older = |place: &Position| match place.ledger == end.ledger {
            true => LedgerError::Older { path: self.path.to_owned(), length, last: end.seq, seq: place.seq },
            false => self.foreign(place, &end),
        };
        let places = answers.into_iter().zip(places);
        let places = places.map(|(answer, place)| answer.unwrap_or_else(|| Err(older(place)))).collect();
        Ok(Seen { end, begin: header.hash(), last_at, lost, torn, places })
    }

    /// A place whose entry ends here, in this version and in version 1.
    fn place(&self, place: &Position, end: &Position, unsealed: u64) -> Result<Position, LedgerError> {
        if place.ledger != end.ledger {
            return Err(self.foreign(place, end));
        }
        let is_there = (place.seq, place.head) == (end.seq, end.head);
        if is_there && (place.offset == end.offset || place.offset == unsealed) {
            return Ok(*end);
        }
        Err(LedgerError::Rewritten { path: self.path.to_owned(), seq: place.seq, offset: place.offset })
    }

    fn foreign(&self, place: &Position, end: &Position) -> LedgerError {
        LedgerError::Foreign { path: self.path.to_owned(), found: end.ledger, recorded: place.ledger }
    }

    /// The first line, and the place behind it. One of another installation, whose MAC nobody
    /// here can check, is told by the places that are asked for.
    pub fn header(
        &self,
        lines: &mut Lines<BufReader<&File>>,
        places: &[Position],
    ) -> Result<(Header, Position), LedgerError> {
        let line = lines.next().transpose().map_err(|error| LedgerError::io(self.path, error))?;
        let line = line.ok_or_else(|| self.damaged(1, "it is empty".into()))?;
        if !line.ended {
            return Err(self.damaged(1, "it has no end".into()));
        }
        let header = Header::parse(&line.bytes).map_err(|bad| match bad {
            BadHeader::Version(version) => LedgerError::Newer { path: self.path.to_owned(), version },
            BadHeader::Other(what) => self.damaged(1, what),
        })?;
        let position = Position { ledger: header.ledger, seq: 0, head: header.hash(), offset: line.length };
        if let Some(place) = places.first().filter(|place| place.ledger != header.ledger)
            && places.iter().all(|place| place.ledger != header.ledger)
        {
            return Err(self.foreign(place, &position));
        }
        match (self.mac_key, header.mac) {
            (Some(mac_key), Some(mac)) if !mac_key.fits(&header.hash(), Some(&mac)) => {
                return Err(LedgerError::Forged { path: self.path.to_owned(), line: 1 });
            }
            (Some(_), None) => return Err(LedgerError::Unsealed { path: self.path.to_owned() }),
            (None, Some(_)) => return Err(self.damaged(1, format!("it is not of version {UNSEALED}"))),
            (Some(_), Some(_)) | (None, None) => {}
        }
        Ok((header, position))
    }

    /// The entry in a whole line, which must follow what stands at `before`.
    fn follow(&self, line: &Line, before: &Position) -> Result<Entry, LedgerError> {
        let damaged = |what| self.damaged(line.number, what);
        if line.too_long() {
            return Err(damaged(format!("it is longer than {LINE_MAX} bytes")));
        }
        let entry = Entry::parse(&line.bytes).map_err(|what| {
            match self.mac_key.and_then(|mac_key| newer_act(&line.bytes, &before.head, mac_key)) {
                Some(act) => LedgerError::NewerAct { path: self.path.to_owned(), line: line.number, act },
                None => damaged(what),
            }
        })?;
        let due = before.seq + 1;
        if entry.seq != due {
            return Err(damaged(format!("it is entry {}, where entry {due} is due", entry.seq)));
        }
        if entry.follow(&before.head) != entry.chain {
            let what = format!("entry {due} does not follow from the line before it: it was altered");
            return Err(damaged(what));
        }
        match self.mac_key {
            Some(mac_key) if !mac_key.fits(&entry.chain, entry.mac.as_ref()) => {
                Err(LedgerError::Forged { path: self.path.to_owned(), line: line.number })
            }
            None if entry.mac.is_some() => {
                Err(damaged(format!("it has a `mac`, and the ledger is of version {UNSEALED}")))
            }
            Some(_) | None => Ok(entry),
        }
    }

    pub fn lines(&self) -> Result<Lines<BufReader<&File>>, LedgerError> {
        let mut file = self.file;
        file.seek(SeekFrom::Start(0)).map_err(|error| LedgerError::io(self.path, error))?;
        Ok(Lines::from(BufReader::new(file), 1))
    }

    fn damaged(&self, line: u64, what: String) -> LedgerError {
        LedgerError::Damaged { path: self.path.to_owned(), line, what }
    }
}
