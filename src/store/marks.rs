//! How far the numbers of sequences have come, in a file beside the database: a database that is
//! put back from a backup has forgotten which it gave out since, and must not give them out again.
//!
//! `DIR/numbers` has a line for each time, `name number`, and the largest counts. It is synced
//! before the transaction commits that gives the number out. It is written anew at a start.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::atomic_file;

use super::{Db, from_sql, sequences};
use crate::error::{Error, Result};

/// What sequences are called; those of a project have its number besides.
const SEQUENCES: [&str; 8] = ["job", "regulation", "admin", "project", "key", "receipt", "probe", "import"];
/// What the file is called.
const NAME: &str = "numbers";

pub struct Marks {
    path: PathBuf,
    file: RefCell<Option<File>>,
    /// Given out, and not yet in the file.
    given: RefCell<BTreeMap<String, i64>>,
    /// What was written last may have been cut short: a line begins anew.
    broken: Cell<bool>,
    were_there: bool,
}

impl Marks {
    /// Reads the file beside a database, if there is one, and lets the sequences go on after what
    /// it says; then it says what they have come to.
    pub fn open(conn: &Connection, database: &Path) -> Result<Marks> {
        let path = database.with_file_name(NAME);
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(Error::Internal(format!(
                    "cannot read {}: {error}. Put the file back from a copy; where there is none, move what lies there \
                     to another place, and it is made anew from usher.db",
                    path.display()
                )));
            }
        };
        let known = read(conn)?;
        let marked = largest(&text);
        for (name, number) in &marked {
            let last = known.get(name).copied().unwrap_or_default();
            if last < *number {
                // An older database, a transaction that failed, or a digit that the disk has changed.
                log::warn!(
                    "the file of numbers is ahead of the database: {name} goes on after {number}, not {last}"
                );
                conn.execute(sequences::RAISE, rusqlite::params![name, number]).map_err(from_sql)?;
            }
        }
        // One that says nothing is as good as none.
        let were_there = !marked.is_empty();
        if let Some((name, number)) = behind(&known, &marked).filter(|_| !text.is_empty()) {
            log::warn!(
                "the file of numbers is damaged, or not the newest one: it does not have {name} {number}. It is \
                 written anew from the database"
            );
        }
        let (file, given, broken) = (RefCell::default(), RefCell::default(), Cell::new(false));
        let marks = Marks { path, file, given, broken, were_there };
        // On a full disk the old file does as well.
        if let Err(error) = marks.begin(&read(conn)?) {
            log::warn!("the file of numbers could not be written anew: {error}");
        }
        Ok(marks)
    }

    /// There was a file.
    pub fn were_there(&self) -> bool {
        self.were_there
    }

    /// A number was given out in the open transaction.
    pub fn note(&self, name: &str, number: i64) {
        let mut given = self.given.borrow_mut();
        let last = given.entry(name.to_owned()).or_insert(number);
        *last = number.max(*last);
    }

    /// Before the commit: what was given out is in the file. If it cannot be written, that is tried
    /// again with the next: an erasure does not wait for it.
    pub fn settle(&self) {
        let mut given = self.given.borrow_mut();
        if given.is_empty() {
            return;
        }
        let mut lines: String = given.iter().map(|(name, number)| format!("{name} {number}\n")).collect();
        if self.broken.get() {
            lines.insert(0, '\n');
        }
        let outcome = self.append(lines.as_bytes());
        self.broken.set(outcome.is_err());
        match outcome {
            Ok(()) => given.clear(),
            Err(error) => log::warn!("the file of numbers could not be written: {error}"),
        }
    }

    fn append(&self, lines: &[u8]) -> std::io::Result<()> {
        let mut file = self.file.borrow_mut();
        if file.is_none() {
            *file = Some(OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?);
        }
        let Some(open) = file.as_mut() else { return Ok(()) };
        open.write_all(lines).and_then(|()| open.sync_data())
    }

    fn begin(&self, known: &BTreeMap<String, i64>) -> std::io::Result<()> {
        let lines: String = known.iter().map(|(name, number)| format!("{name} {number}\n")).collect();
        atomic_file::replace(&self.path, lines.as_bytes(), 0o600)
    }
}

/// What the database says; not the mark of [`super::ids`], which runs ahead and follows the time.
fn read(conn: &Connection) -> Result<BTreeMap<String, i64>> {
    let sql = "SELECT name, value FROM sequences WHERE name <> 'id'";
    let mut statement = conn.prepare(sql).map_err(from_sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(from_sql)?;
    rows.collect::<rusqlite::Result<_>>().map_err(from_sql)
}

/// What the file beside a database does not say of it. One that knows more is good: the numbers of a
/// transaction that failed stand there, too.
pub fn faults(db: &Db, database: &Path) -> Result<Vec<String>> {
    // In this order: the file is ahead.
    let known = read(db.conn)?;
    let way_out = "the next start writes it anew from the database";
    let text = match std::fs::read(database.with_file_name(NAME)) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(vec![format!("it is missing; {way_out}")]);
        }
        Err(error) => return Err(Error::from_io(error)),
    };
    let strange = |(n, line): (usize, &str)| {
        (!is_own(line)).then(|| format!("line {} is not what Usher writes there; {way_out}", n + 1))
    };
    // The last line may have been cut off by a stop.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut faults: Vec<String> = whole.lines().enumerate().filter_map(strange).collect();
    faults.extend(behind(&known, &largest(&text)).map(|(name, number)| {
        format!("{name} {number} was given out, as the database says, and is not in it: it is another one; {way_out}")
    }));
    Ok(faults)
}

/// The first sequence of the database that the file does not have as far.
fn behind<'a>(known: &'a BTreeMap<String, i64>, marked: &BTreeMap<String, i64>) -> Option<(&'a str, i64)> {
    let lacks = |(name, number): &(&String, &i64)| marked.get(*name).is_none_or(|marked| marked < *number);
    known.iter().filter(|(_, number)| **number > 0).find(lacks).map(|(name, number)| (name.as_str(), *number))
}

/// Whether a line, or what a stop has left of one, is what is written there: a sequence and a
/// number.
pub fn is_own(line: &str) -> bool {
    if line.is_empty() {
        return true;
    }
    let words: Vec<&str> = line.split(' ').collect();
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    match words.as_slice() {
        [name, rest @ ..] if rest.len() <= 2 => SEQUENCES.contains(name) && rest.iter().all(is_number),
        _ => false,
    }
}

/// The largest number of each sequence. A line that a stop has cut, or that somebody wrote, does
/// not count.
fn largest(text: &str) -> BTreeMap<String, i64> {
    let mut largest = BTreeMap::new();
    let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    for line in lines.filter(|line| is_own(line)) {
        let Some((name, number)) = line.rsplit_once(' ') else { continue };
        let Some(number) = number.parse::<i64>().ok().filter(|number| *number > 0) else { continue };
        let last = largest.entry(name.to_owned()).or_insert(number);
        *last = number.max(*last);
    }
    largest
}
