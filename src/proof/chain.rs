//! Are these all the receipts, in their order, and none of them changed? Reads the directory
//! and writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use super::check::{self, check_one};
use super::figures::handed_out;
use super::hex::Hex;
use super::receipt::{self, Id, Receipt};
use super::receipts::{self, Last, ReceiptError};
use super::signing::PublicKey;
use crate::atomic_file;

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// Receipts that are good by themselves.
    pub good: u64,
    /// The last file in the chain. [`Last::NONE`]: there is no receipt.
    pub last: Last,
    /// In the order of the chain; what is no receipt comes first, a cut tail last.
    pub faults: Vec<ChainFault>,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A fault of the chain, and the file that shows it; None: a file that is not there.
#[derive(Debug)]
pub struct ChainFault {
    pub file: Option<String>,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    /// A file that has no place in the directory.
    Stranger,
    Unreadable(ReceiptError),
    /// The file itself is no good receipt.
    Bad(check::ReceiptFault),
    /// The file is a good receipt, but not the one that its name says: it was renamed, or
    /// swapped with another.
    Misnamed {
        number: u64,
        id: Id,
    },
    /// There is another file of this number: one of them was put in.
    SameNumber(u64),
    /// The receipt of this number has the same id: an erasure has one receipt.
    SameId(u64),
    /// These are not there, from the first to the second.
    Missing(u64, u64),
    /// It does not name the receipt before it by its hash: that one was replaced by another,
    /// or this one was not made after it.
    Previous(u64),
    /// The receipts from the first of these to the second were made, and are not there: the
    /// tail was cut.
    Cut(u64, u64),
    /// This is not the receipt that is known to have had this number.
    NotTheKnown(u64),
    /// In the chain of its project it is not the one after this number: that one is not here, or
    /// is another.
    OfProject(u64),
}

/// All that is wrong with the receipts in this directory. `known` is a receipt that is known
/// to have been made, from elsewhere: without it nobody can tell that the last ones were cut
/// off. [`ReceiptError::Io`] if the directory cannot be read.
pub fn check_chain(folder: &Path, key: &PublicKey, known: Option<Last>) -> Result<Report, ReceiptError> {
    let mut report = Report { good: 0, last: Last::NONE, faults: Vec::new() };
    let files = files(folder, &mut report)?;
    let mut ids: BTreeMap<Id, u64> = BTreeMap::new();
    let mut before = Before { number: 0, hashes: vec![Hex::ZERO], is_good: true };
    let mut projects = Projects::default();
    for (number, id) in files {
        let name = receipt::file_name(number, id);
        let mut faults = Vec::new();
        if number == before.number {
            faults.push(What::SameNumber(number));
        } else if number > before.number + 1 {
            let missing = What::Missing(before.number + 1, number - 1);
            report.faults.push(ChainFault { file: None, what: missing });
        }
        match ids.get(&id) {
            Some(first) => faults.push(What::SameId(*first)),
            None => drop(ids.insert(id, number)),
        }
        let bytes = receipts::read(&folder.join(&name));
        let hash = bytes.as_deref().map_or(Hex::ZERO, Hex::sha256);
        let checked = bytes.map_err(What::Unreadable).and_then(|bytes| {
            let receipt = check_one(&bytes, key).map_err(What::Bad)?;
            // Of version 2 the figures name the file before, and the receipt the one of its project.
            let previous = check::figures(&bytes).map_or(receipt.previous, |figures| figures.previous);
            projects.handed_out = Hex::sha256(&handed_out(bytes));
            Ok((receipt, previous))
        });
        let mut is_good = false;
        match checked {
            Err(what) => faults.push(what),
            Ok((receipt, _)) if (receipt.place, receipt.id) != (Some(number), id) => {
                report.good += 1;
                // One that was handed out, and put here, has no place.
                let place = receipt.place.unwrap_or(receipt.number);
                faults.push(What::Misnamed { number: place, id: receipt.id });
            }
            Ok((receipt, previous)) => {
                report.good += 1;
                is_good = true;
                // After one that is bad itself, or not there, nothing can be said.
                let may_tell = number == before.number + 1 && before.is_good;
                let follows = before.hashes.contains(&previous);
                if may_tell && !follows {
                    faults.push(What::Previous(before.number));
                }
                projects.see(&receipt, may_tell && follows, &mut faults);
            }
        }
        if known.is_some_and(|known| is_good && known.number == number && known.hash != hash) {
            faults.push(What::NotTheKnown(number));
        }
        report.faults.extend(faults.into_iter().map(|what| ChainFault { file: Some(name.clone()), what }));
        if number == before.number {
            before.hashes.push(hash);
            before.is_good &= is_good;
        } else {
            before = Before { number, hashes: vec![hash], is_good };
        }
    }
    report.last = Last { number: before.number, hash: before.hashes.first().copied().unwrap_or(Hex::ZERO) };
    if let Some(known) = known.filter(|known| known.number > before.number) {
        let cut = What::Cut(before.number + 1, known.number);
        report.faults.push(ChainFault { file: None, what: cut });
    }
    Ok(report)
}

/// What the next receipt must follow on.
struct Before {
    number: u64,
    /// Of the files of this number; there should be one.
    hashes: Vec<Hex<32>>,
    is_good: bool,
}

/// The chains of the projects: what each is handed.
#[derive(Default)]
struct Projects {
    /// Of the receipt that is looked at.
    handed_out: Hex<32>,
    /// The last of each: its number and hash.
    last: BTreeMap<Hex<16>, Last>,
    /// Those of version 1, which do not say whose they are: the first of version 2 follows on one.
    first: BTreeSet<Hex<32>>,
}

impl Projects {
    /// `may_tell`: nothing is missing before it, and what is there is good.
    fn see(&mut self, receipt: &Receipt, may_tell: bool, faults: &mut Vec<What>) {
        let hash = self.handed_out;
        let Some(project) = receipt.project else {
            self.first.insert(hash);
            return;
        };
        let before = self.last.insert(project, Last { number: receipt.number, hash });
        let number = before.map_or(receipt.number - 1, |before| before.number);
        let follows = match before {
            Some(before) => receipt.number > before.number && receipt.previous == before.hash,
            None => receipt.previous == Hex::ZERO || self.first.contains(&receipt.previous),
        };
        // Where one is missing, or was changed, that is what is said.
        if may_tell && !follows {
            faults.push(What::OfProject(number));
        }
    }
}

/// The receipts' numbers and ids in their order; the rest goes to the report.
fn files(folder: &Path, report: &mut Report) -> Result<Vec<(u64, Id)>, ReceiptError> {
    let trouble = |source| ReceiptError::Io { doing: "read", path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(trouble)? {
        let name = entry.map_err(trouble)?.file_name();
        let name = name.to_string_lossy();
        match receipt::of_file_name(&name) {
            Some(file) => files.push(file),
            // One that a stop left half written: the next start removes it.
            None if atomic_file::is_draft(&name) => {}
            None => {
                let name = name.escape_debug().to_string();
                report.faults.push(ChainFault { file: Some(name), what: What::Stranger });
            }
        }
    }
    report.faults.sort_by(|a, b| a.file.cmp(&b.file));
    files.sort_unstable();
    Ok(files)
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        match &self.what {
            What::Stranger => f.write_str("this file is no receipt; somebody put it here"),
            What::Unreadable(trouble) => trouble.fmt(f),
            What::Bad(fault) => fault.fmt(f),
            What::Misnamed { number, id } => {
                write!(f, "this is receipt {number}, {id}: it was renamed or swapped with another")
            }
            What::SameNumber(number) => {
                write!(f, "there are two receipts of number {number}: one was put in")
            }
            What::SameId(first) => write!(f, "it has the same id as receipt {first}: one of them was put in"),
            What::Missing(from, to) if from == to => write!(f, "receipt {from} is missing"),
            What::Missing(from, to) => write!(f, "receipts {from} to {to} are missing"),
            What::Previous(0) => f.write_str("it is the first, but it names one before it"),
            What::Previous(before) => {
                write!(f, "it does not follow on receipt {before} as it is here: that one was replaced")
            }
            What::Cut(from, to) if from == to => {
                write!(f, "receipt {from} was made, but the chain ends before it: its tail was cut")
            }
            What::Cut(from, to) => {
                write!(
                    f,
                    "receipts {from} to {to} were made, but the chain ends before them: its tail was cut"
                )
            }
            What::OfProject(0) => {
                f.write_str("in the chain of its project it is the first, but it names one before it")
            }
            What::OfProject(before) => {
                write!(
                    f,
                    "in the chain of its project it does not follow on receipt {before} as it is here: one is \
                     missing or was replaced"
                )
            }
            What::NotTheKnown(number) => {
                write!(f, "it is not the receipt that is known to have had number {number}: it was replaced")
            }
        }
    }
}
