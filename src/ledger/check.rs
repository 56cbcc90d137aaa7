//! The whole file, line by line, offline: what was altered, dropped, swapped, put in or cut
//! off, and where.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use super::entry::{Chain, Entry, Header, UNSEALED, VERSION};
use super::lines::{LINE_MAX, Line, Lines};
use super::{LedgerId, MacKey, Position};

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// None: the first line cannot be read.
    pub ledger: Option<LedgerId>,
    /// Of the format; 0 as above.
    pub version: u64,
    /// Entries that can be read.
    pub entries: u64,
    /// The first and the last of them.
    pub first: Option<Entry>,
    pub last: Option<Entry>,
    /// In the order in which they were met. None: the ledger is good.
    pub faults: Vec<LedgerFault>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerFault {
    /// From 1, the header; 0: the file as a whole.
    pub line: u64,
    pub what: String,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for LedgerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

/// Checks every line of the file. Nothing in the file itself says where it ends: that its
/// tail was cut off between two lines is found against what a database, a receipt or a signed
/// head has recorded. A fault of one line does not hide another's. A file that cannot be read
/// has that as its fault. Without the seal the chain alone is checked, which anybody can make.
pub fn check(path: &Path, recorded: Option<&Position>, mac_key: Option<&MacKey>) -> Report {
    let mut checking = Checking { recorded, mac_key, ..Checking::default() };
    if let Err(error) = File::open(path).and_then(|file| checking.run(file)) {
        checking.fault(0, format!("the file cannot be read: {error}"));
    }
    checking.report
}

/// How far a check has come.
#[derive(Default)]
struct Checking<'a> {
    recorded: Option<&'a Position>,
    mac_key: Option<&'a MacKey>,
    report: Report,
    /// The number of the entry that stands last in its place.
    seq: u64,
    /// Chain values that the next entry may follow; none: any.
    chains: Vec<Chain>,
    /// The last entry did not stand in its place: the next one cannot follow from it.
    excused: bool,
    /// Which of the faults says that the last entry was altered, and how many of `chains`,
    /// after the first, are values that it should have had.
    mark_dirty: Option<(usize, usize)>,
    /// Lines since that entry that cannot be read.
    unread: u64,
    /// Entries that stood before those they belong behind.
    early: Vec<Entry>,
}

impl Checking<'_> {
    fn run(&mut self, file: File) -> io::Result<()> {
        let mut lines = Lines::from(BufReader::new(file), 1);
        match lines.next().transpose()? {
            None => self.fault(1, "the file is empty".into()),
            Some(line) => self.header(&line),
        }
        let mut last = 1;
        let mut next = lines.next().transpose()?.map(read);
        while let Some((line, entry)) = next {
            last = line;
            next = lines.next().transpose()?.map(read);
            match entry {
                Ok(entry) => {
                    let follower = next.as_ref().and_then(|(_, next)| Some(next.as_ref().ok()?.seq));
                    self.entry(line, entry, follower);
                }
                Err(what) => {
                    self.unread += 1;
                    self.fault(line, what);
                }
            }
        }
        if let Some(recorded) = self.recorded
            && self.seq < recorded.seq
        {
            let (here, there) = (self.seq, recorded.seq);
            let what =
                format!("the tail is cut off: entry {here} is the last, and entry {there} was recorded");
            self.fault(last, what);
        }
        Ok(())
    }

    fn header(&mut self, line: &Line) {
        let header = match Header::parse(&line.bytes) {
            Ok(header) if line.ended => header,
            Ok(_) => return self.fault(1, "the file ends before the line does".into()),
            Err(bad) => return self.fault(1, bad.to_string()),
        };
        self.report.ledger = Some(header.ledger);
        self.report.version = if header.mac.is_some() { VERSION } else { UNSEALED };
        if let (Some(mac_key), Some(_)) = (self.mac_key, header.mac)
            && !mac_key.fits(&header.hash(), header.mac.as_ref())
        {
            self.fault(1, "the header was not written by this installation: its `mac` is not valid".into());
        }
        self.chains = vec![header.hash()];
        let Some(recorded) = self.recorded else { return };
        if recorded.ledger != header.ledger {
            let what = format!("the ledger is {}, and {} was recorded", header.ledger, recorded.ledger);
            self.fault(1, what);
        } else if recorded.seq == 0 && recorded.head != header.hash() {
            self.fault(1, "the header is not the one that was recorded".into());
        }
    }

    /// Looks at an entry; `follower` is the number of the entry in the next line.
    fn entry(&mut self, line: u64, entry: Entry, follower: Option<u64>) {
        self.report.entries += 1;
        self.report.first.get_or_insert_with(|| entry.clone());
        self.report.last = Some(entry.clone());
        let seq = entry.seq;
        let due = self.seq + 1;
        // Each line that cannot be read may have been an entry, or may have been put in.
        let place = due + self.unread;
        if seq == due {
            self.in_turn(line, &entry);
            while let Some(at) = self.early.iter().position(|early| early.seq == self.seq + 1) {
                let early = self.early.swap_remove(at);
                self.stand(line, early.seq, vec![early.chain]);
            }
        } else if seq > due && seq <= place {
            self.stand(line, seq, vec![entry.chain]);
        } else if self.renumbered(&entry, place) {
            self.fault(line, format!("the number of entry {place} was altered: it is {seq}"));
            self.stand(line, place, vec![entry.chain]);
        } else if follower == Some(place + 1) {
            self.fault(line, format!("it is entry {seq}, where entry {place} is due"));
            self.stand(line, place, vec![entry.chain]);
            self.excused = true;
        } else if follower == Some(place) && seq > place {
            self.fault(line, format!("entry {seq} stands before entry {place}"));
            self.early.push(entry);
        } else if seq > place {
            let what = match seq - place {
                1 => format!("entry {place} is missing before it"),
                _ => format!("entries {place} to {} are missing before it", seq - 1),
            };
            self.fault(line, what);
            self.stand(line, seq, vec![entry.chain]);
        } else {
            self.fault(line, format!("entry {seq} stands there again, where entry {place} is due"));
            if seq == self.seq {
                // Which of the two was put in shows when the next entry follows.
                self.chains.push(entry.chain);
            }
        }
    }

    /// An entry with the number that is due.
    fn in_turn(&mut self, line: u64, entry: &Entry) {
        let seq = entry.seq;
        let computed: Vec<Chain> = self.chains.iter().map(|chain| entry.follow(chain)).collect();
        let fits = computed.iter().position(|chain| *chain == entry.chain);
        // The chain value that stands in the last line comes first: what follows from the
        // other, which the line should have had, says that the value alone was altered.
        if let (Some(fits), Some((mark_dirty, count))) = (fits, self.mark_dirty)
            && (1..=count).contains(&fits)
        {
            self.report.faults[mark_dirty].what = format!("the chain value of entry {} was altered", seq - 1);
        }
        if fits.is_some() && !self.is_sealed(entry) {
            let what = match (entry.mac, self.report.version) {
                (Some(_), UNSEALED) => "has a `mac`, and the header says that there are none",
                (Some(_), _) => "was not written by this installation: its `mac` is not valid",
                (None, _) => "was not written by this installation: it has no `mac`",
            };
            self.fault(line, format!("entry {seq} {what}"));
        }
        if fits.is_some() || computed.is_empty() || self.excused {
            return self.stand(line, seq, vec![entry.chain]);
        }
        self.fault(
            line,
            if seq == 1 {
                "entry 1 does not follow from the header: one of the two was altered".into()
            } else {
                format!("entry {seq} was altered: it does not follow from the line before it")
            },
        );
        let mark_dirty = (self.report.faults.len() - 1, computed.len());
        self.stand(line, seq, [vec![entry.chain], computed].concat());
        self.mark_dirty = Some(mark_dirty);
    }

    /// Whether an entry has the MAC that it must have.
    fn is_sealed(&self, entry: &Entry) -> bool {
        match (self.report.version, self.mac_key) {
            (UNSEALED, _) => entry.mac.is_none(),
            (_, None) => entry.mac.is_some(),
            (_, Some(mac_key)) => mac_key.fits(&entry.chain, entry.mac.as_ref()),
        }
    }

    /// Whether an entry is the one that belongs in this place, but for its number.
    fn renumbered(&self, entry: &Entry, place: u64) -> bool {
        let entry_in_place = Entry { seq: place, ..entry.clone() };
        self.chains.iter().any(|chain| entry_in_place.follow(chain) == entry.chain)
    }

    /// The entry that stands in its place is this one from now on.
    fn stand(&mut self, line: u64, seq: u64, chains: Vec<Chain>) {
        if let Some(recorded) = self.recorded
            && recorded.seq == seq
            && chains.first() != Some(&recorded.head)
        {
            self.fault(line, format!("entry {seq} is not the one that was recorded"));
        }
        self.seq = seq;
        self.chains = chains;
        self.excused = false;
        self.mark_dirty = None;
        self.unread = 0;
    }

    fn fault(&mut self, line: u64, what: String) {
        self.report.faults.push(LedgerFault { line, what });
    }
}

/// The number of a line, and its entry or why it has none.
fn read(line: Line) -> (u64, Result<Entry, String>) {
    let entry = if line.too_long() {
        Err(format!("it is longer than {LINE_MAX} bytes"))
    } else if line.ended {
        Entry::parse(&line.bytes)
    } else {
        Err("the file ends before the line does".into())
    };
    (line.number, entry)
}
