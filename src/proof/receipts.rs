//! The receipts on disk: `DIR/receipts/000001-<id>.json` and so on, in the order in which the
//! installation made them. The directory is a chain of files: where it ends, the next goes on, in
//! a place that was never used, as far as is known. Each project has a chain of its own besides,
//! that of the receipts which it is handed. A receipt that is in it is final.
//!
//! They lie beside the database, not in it, so that a database put back loses none.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::check::{self, BYTES_MAX};
use super::draft::{Draft, Links};
use super::figures::handed_out;
use super::form;
use super::hex::Hex;
use super::receipt::{self, Id, Receipt};
use super::signing::Signer;
use crate::atomic_file;

/// The end of a chain of receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// 0: there is no receipt. Of the folder, it is the place; of a project, the receipt's number.
    pub number: u64,
    /// SHA-256 of the receipt's file, or, in a project's chain, of the receipt as it was handed
    /// out; zeros where there is none.
    pub hash: Hex<32>,
}

impl Last {
    pub const NONE: Last = Last { number: 0, hash: Hex::ZERO };
}

/// A receipt and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// With its figures filled in.
    pub receipt: Receipt,
    pub path: PathBuf,
    /// What is handed out.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes: what the next receipt of the project names as the previous one.
    pub hash: Hex<32>,
}

/// A receipt that is there, unread: what is in its file is final, so that it may be read
/// while others are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its place in the folder.
    pub number: u64,
    pub id: Id,
    pub path: PathBuf,
}

impl Listed {
    /// What is handed out of it; of a damaged file, all its bytes.
    pub fn bytes(&self) -> Result<Vec<u8>, ReceiptError> {
        self.file_bytes().map(handed_out)
    }

    /// The bytes of the file, whatever they are: the organisation's.
    pub fn file_bytes(&self) -> Result<Vec<u8>, ReceiptError> {
        read(&self.path)
    }

    /// What it is called.
    pub fn file_name(&self) -> String {
        receipt::file_name(self.number, self.id)
    }

    /// [`ReceiptError::Damaged`]: its file was changed so that it cannot be read. The signature is
    /// not checked here.
    pub fn read(self) -> Result<Stored, ReceiptError> {
        let file = self.file_bytes()?;
        match check::read_unsigned(&file) {
            Ok(receipt) => {
                let bytes = handed_out(file);
                Ok(Stored { receipt, path: self.path, hash: Hex::sha256(&bytes), bytes })
            }
            Err(fault) => Err(ReceiptError::Damaged { path: self.path, fault }),
        }
    }
}

/// Why a receipt could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The file was changed.
    #[error("{} is no longer a valid receipt: {fault}", path.display())]
    Damaged { path: PathBuf, fault: check::ReceiptFault },
    /// A fault of the program: what it did is not what a receipt may say.
    #[error("this is not what a receipt may say: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Form(Vec<form::FormatError>),
}

/// The directory, held by one process.
pub struct Receipts {
    folder: PathBuf,
    numbers: HashMap<Id, u64>,
    ids: BTreeMap<u64, Id>,
    last: Last,
    /// Places up to this one were used, whether or not the files are there.
    used: u64,
    /// The ends of the projects' chains, as far as they are known.
    chains: HashMap<Hex<16>, Last>,
    /// A receipt is under its name, but a power cut might still undo that.
    unsettled: bool,
}

impl Receipts {
    /// The receipts in this directory, which is made if it is not there. What a stop left half
    /// written is removed. Files that are no receipts are left alone and not counted.
    pub fn open(folder: &Path) -> Result<Receipts, ReceiptError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(trouble("make", folder))?;
        Receipts::read(folder, true)
    }

    /// The same of a folder in which nothing is changed; there may be none.
    pub fn look(folder: &Path) -> Result<Receipts, ReceiptError> {
        Receipts::read(folder, false)
    }

    fn read(folder: &Path, sweeps: bool) -> Result<Receipts, ReceiptError> {
        let mut names = Vec::new();
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound && !sweeps => None,
            entries => Some(entries.map_err(trouble("read", folder))?),
        };
        for entry in entries.into_iter().flatten() {
            let name = entry.map_err(trouble("read", folder))?.file_name();
            let Some(name) = name.to_str() else { continue };
            if sweeps && atomic_file::is_draft(name) {
                let path = folder.join(name);
                atomic_file::remove(&path).map_err(trouble("remove", &path))?;
            }
            names.extend(receipt::of_file_name(name));
        }
        names.sort_unstable();
        let last = match names.last() {
            None => Last::NONE,
            Some(&(number, id)) => {
                let path = folder.join(receipt::file_name(number, id));
                Last { number, hash: Hex::sha256(&read(&path)?) }
            }
        };
        let mut numbers = HashMap::with_capacity(names.len());
        let ids = names.iter().copied().collect();
        for (number, id) in names {
            // Of two with one id the first is the one that was made.
            numbers.entry(id).or_insert(number);
        }
        // A stop may have come between the naming of the last one and the sync of that.
        let used = last.number;
        let chains = HashMap::new();
        Ok(Receipts { folder: folder.to_owned(), numbers, ids, last, used, chains, unsettled: true })
    }

    /// A receipt of this number was made, as is known from elsewhere: none that comes has it
    /// again, though its file be gone. The gap is for all to see.
    pub fn go_on_after(&mut self, number: u64) {
        self.used = self.used.max(number);
    }

    /// Where the chain of a project ends. None: nobody has said so yet, see [`Receipts::follow`].
    pub fn chain(&self, project: Hex<16>) -> Option<Last> {
        self.chains.get(&project).copied()
    }

    /// The chain of a project ends here, or farther, if that is known.
    pub fn follow(&mut self, project: Hex<16>, last: Last) {
        let known = self.chains.entry(project).or_insert(last);
        if known.number < last.number {
            *known = last;
        }
    }

    /// The receipts from this place on, in their order.
    pub fn after(&self, place: u64) -> Vec<Listed> {
        self.ids.range(place.saturating_add(1)..).map(|(place, id)| self.listed(*place, *id)).collect()
    }

    /// Where the folder ends: what the next receipt follows, and what to remember elsewhere, so
    /// that a cut tail is noticed.
    pub fn last(&self) -> Last {
        self.last
    }

    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The receipt of this id. None: there is none; [`ReceiptError::Damaged`]: its file was changed
    /// so that it cannot be read. The signature is not checked here.
    pub fn find(&self, id: Id) -> Result<Option<Stored>, ReceiptError> {
        self.numbers.get(&id).map(|number| self.listed(*number, id).read()).transpose()
    }

    /// Where the receipt of this id lies.
    pub fn of_id(&self, id: Id) -> Option<Listed> {
        self.numbers.get(&id).map(|number| self.listed(*number, id))
    }

    /// The receipt of this place.
    pub fn numbered(&self, number: u64) -> Option<Listed> {
        self.ids.get(&number).map(|id| self.listed(number, *id))
    }

    /// Receipts below a number, the newest first.
    pub fn below(&self, number: Option<u64>, limit: usize) -> Vec<Listed> {
        let below = self.ids.range(..number.unwrap_or(u64::MAX)).rev().take(limit);
        below.map(|(number, id)| self.listed(*number, *id)).collect()
    }

    fn listed(&self, number: u64, id: Id) -> Listed {
        Listed { number, id, path: self.folder.join(receipt::file_name(number, id)) }
    }

    /// The receipt of this draft's id: the one that there is already, as it is, or the draft
    /// signed and put at the end of the chain. When this returns, it outlasts a power cut. A
    /// [`ReceiptError::Form`] or a full disk leaves the chain as it was; the same call may come again.
    pub fn next(&mut self, signer: &Signer, draft: &Draft) -> Result<Stored, ReceiptError> {
        let stored = match self.find(draft.id)? {
            Some(stored) => stored,
            None => self.write(signer, draft)?,
        };
        if self.unsettled {
            atomic_file::sync_folder(&self.folder).map_err(trouble("sync", &self.folder))?;
            self.unsettled = false;
        }
        Ok(stored)
    }

    /// Somebody may have removed it: what comes is proven all the same, with numbers that go on,
    /// so that all can see that some are missing.
    fn make_folder(&self) -> Result<(), ReceiptError> {
        if self.folder.exists() {
            return Ok(());
        }
        log::error!(
            "{} was removed, with {} receipts: it is made anew; put them back from a copy",
            self.folder.display(),
            self.ids.len()
        );
        let top = self.folder.parent().unwrap_or(Path::new("."));
        DirBuilder::new()
            .mode(0o700)
            .create(&self.folder)
            .and_then(|()| atomic_file::sync_folder(top))
            .map_err(trouble("make", &self.folder))
    }

    fn write(&mut self, signer: &Signer, draft: &Draft) -> Result<Stored, ReceiptError> {
        let chain = self.chain(draft.project).unwrap_or(Last::NONE);
        let links = Links {
            number: chain.number + 1,
            previous: chain.hash,
            place: self.used + 1,
            file_before: self.last.hash,
        };
        let kept = draft.seal(signer, links).map_err(ReceiptError::Form)?;
        let (name, file) = (kept.file_name(), kept.bytes());
        let path = self.folder.join(&name);
        self.make_folder()?;
        atomic_file::write(&self.folder, &name, &file, 0o600).map_err(trouble("write", &path))?;
        // It is there from now on, also if the sync of the folder fails: it is never made twice.
        let bytes = kept.receipt.bytes();
        let hash = Hex::sha256(&bytes);
        let receipt = kept.figures.fill(kept.receipt);
        self.unsettled = true;
        self.numbers.insert(receipt.id, links.place);
        self.ids.insert(links.place, receipt.id);
        self.last = Last { number: links.place, hash: Hex::sha256(&file) };
        self.used = links.place;
        self.chains.insert(draft.project, Last { number: links.number, hash });
        Ok(Stored { receipt, path, bytes, hash })
    }
}

/// The whole file, or a little more than a receipt can have.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ReceiptError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(trouble("read", path))?;
    Ok(bytes)
}

fn trouble<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> ReceiptError + 'a {
    move |source| ReceiptError::Io { doing, path: path.to_owned(), source }
}
