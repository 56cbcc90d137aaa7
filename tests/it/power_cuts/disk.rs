//! What a disk may have of a run when it is cut off: made from the changes that were written down.
//!
//! A kill leaves all changes up to it. A power cut leaves all that was synced; of the rest, each
//! write may be lost, half there or whole, and the changes of names are there up to some point, as
//! a file system writes them in their order. What a sync failed to write is lost as well, whatever
//! syncs follow: the system takes it for written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fastrand::Rng;

use crate::shim::{Change, RESERVE, SECTOR};

/// What is made anew at each start, stands in no file, or is taken away by its reader.
const NOT_KEPT: [&str; 5] = ["usher.db-shm", "usher.sock", "setup-link.txt", "recovery-key.txt", RESERVE];

/// How the run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The program alone ends.
    Kill,
    /// It ends in the middle of its last write.
    Torn,
    /// What was not synced may be lost.
    Power,
    /// What was synced is lost as well: of a disk that lies. It must be noticed.
    SyncedToo,
}

/// Names, and the files that they mean; folders have none.
#[derive(Clone, Default)]
struct Names(BTreeMap<String, Option<usize>>);

impl Names {
    fn remember(&mut self, change: &Change, new: usize) {
        match change.kind {
            b'c' => _ = self.0.insert(change.name.clone(), Some(new)),
            b'm' => _ = self.0.insert(change.name.clone(), None),
            b'u' | b'd' => _ = self.0.remove(&change.name),
            b'l' => {
                if let Some(file) = self.0.get(&change.name).copied() {
                    self.0.insert(change.second.clone(), file);
                }
            }
            b'r' => {
                let inside = format!("{}/", change.name);
                let moved: Vec<String> = self
                    .0
                    .keys()
                    .filter(|name| **name == change.name || name.starts_with(&inside))
                    .cloned()
                    .collect();
                for name in moved {
                    let file = self.0.remove(&name).expect("it is there");
                    self.0.insert(name.replacen(&change.name, &change.second, 1), file);
                }
            }
            _ => {}
        }
    }
}

/// A run: what was there before, and each change with the file that it was made to.
pub struct Run {
    names: Names,
    files: Vec<Vec<u8>>,
    pub changes: Vec<Change>,
    /// Of a change: its file, if it has one; and the sync that makes it last.
    of: Vec<Option<usize>>,
    lasts: Vec<usize>,
}

fn is_of_names(change: &Change) -> bool {
    b"crulmd".contains(&change.kind)
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Run {
    pub fn new(before: &Path, changes: Vec<Change>) -> Run {
        let (mut names, mut files) = (Names::default(), Vec::new());
        read_folder(before, "", &mut names, &mut files);
        let mut later = names.clone();
        let mut number = files.len();
        let mut of = Vec::new();
        for change in &changes {
            // One that is created is a new file, whatever had its name.
            number += usize::from(change.kind == b'c');
            later.remember(change, number.saturating_sub(1));
            let name = if matches!(change.kind, b'r' | b'l') { &change.second } else { &change.name };
            of.push(later.0.get(name).copied().flatten());
        }
        let syncs: Vec<usize> =
            (0..changes.len()).filter(|n| matches!(changes[*n].kind, b's' | b'f')).collect();
        let lasts = changes.iter().enumerate().map(|(n, change)| {
            let covers = |sync: usize| match is_of_names(change) {
                true => {
                    let folders = [folder_of(&change.name), folder_of(&change.second)];
                    let synced = &changes[sync].name;
                    let is_in = folders[0] == synced || (!change.second.is_empty() && folders[1] == synced);
                    is_in || (change.kind == b'c' && of[sync] == of[n])
                }
                false => of[n].is_some() && of[sync] == of[n],
            };
            let from = syncs.partition_point(|sync| *sync <= n);
            let first = syncs[from..].iter().copied().find(|sync| covers(*sync));
            first.filter(|sync| changes[*sync].kind == b's').unwrap_or(usize::MAX)
        });
        Run { names, files, lasts: lasts.collect(), of, changes }
    }

    /// Where the trace ended before a change.
    pub fn time(&self, upto: usize) -> u64 {
        upto.checked_sub(1).map_or(0, |last| self.changes[last].end)
    }

    /// Changes that are seen in a file or folder that lasts, in a part of the trace.
    pub fn points(&self, from: u64, to: u64) -> Vec<usize> {
        let is_in = |n: &usize| {
            let change = &self.changes[*n];
            (from..=to).contains(&change.end) && !NOT_KEPT.contains(&&*change.name)
        };
        (0..self.changes.len()).filter(is_in).collect()
    }

    /// Makes in a directory what the run has left when it is cut before a change.
    pub fn make(&self, upto: usize, cut: Cut, rng: &mut Rng, into: &Path) {
        let is_lost = |n: usize| match cut {
            Cut::Kill | Cut::Torn => false,
            Cut::Power => self.lasts[n] >= upto,
            Cut::SyncedToo => true,
        };
        let last_kept = (0..upto).rev().find(|n| is_of_names(&self.changes[*n]) && !is_lost(*n));
        let kept = last_kept.map_or(0, |last| last + 1);
        let names_upto = if cut == Cut::Power { rng.usize(kept..=upto) } else { upto };
        // From cuts that lose nearly nothing to those that lose all.
        let harshness = if cut == Cut::Power { rng.u8(1..=100) } else { 100 };
        let (mut names, mut files) = (self.names.clone(), self.files.clone());
        files.resize(files.len() + self.changes.iter().filter(|change| change.kind == b'c').count(), vec![]);
        let mut number = self.files.len();
        let mut stuck = vec![false; files.len()];
        for (n, change) in self.changes[..upto].iter().enumerate() {
            number += usize::from(change.kind == b'c');
            if is_of_names(change) && n < names_upto {
                names.remember(change, number.saturating_sub(1));
            }
            let (b'w' | b't', Some(file)) = (change.kind, self.of[n]) else { continue };
            let mut bytes = change.bytes.len();
            if is_lost(n) && (stuck[file] || rng.u8(..100) < harshness) {
                // What follows a cut of a file lies in blocks that it has only then.
                stuck[file] |= change.kind == b't';
                bytes = bytes / 2 / SECTOR * SECTOR;
                if stuck[file] || bytes == 0 || cut == Cut::SyncedToo || rng.bool() {
                    continue;
                }
            } else if cut == Cut::Torn && n + 1 == upto {
                bytes = bytes / 2 / SECTOR * SECTOR;
            }
            apply(&mut files[file], change, bytes);
        }
        put(&names, &files, into);
    }

    /// What the trace says is there at the end, other than the files have it.
    pub fn differences(&self, real: &Path) -> Vec<String> {
        let made = crate::process::directory();
        self.make(self.changes.len(), Cut::Kill, &mut Rng::with_seed(0), made.path());
        let (made, real) = (all_in(made.path()), all_in(real));
        let both = made.keys().chain(real.keys());
        both.filter(|name| made.get(*name) != real.get(*name)).cloned().collect()
    }
}

/// Every name with its bytes; folders have none.
fn all_in(dir: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let (mut names, mut files) = (Names::default(), Vec::new());
    read_folder(dir, "", &mut names, &mut files);
    names.0.into_iter().map(|(name, file)| (name, file.map(|file| files[file].clone()))).collect()
}

fn apply(file: &mut Vec<u8>, change: &Change, bytes: usize) {
    let at = usize::try_from(change.at).expect("a length");
    if change.kind == b't' {
        file.resize(at, 0);
        return;
    }
    let end = at + bytes;
    if file.len() < end {
        file.resize(end, 0);
    }
    file[at..end].copy_from_slice(&change.bytes[..bytes]);
}

fn read_folder(dir: &Path, below: &str, names: &mut Names, files: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().expect("a type");
        if NOT_KEPT.contains(&&*name) {
            continue;
        } else if kind.is_dir() {
            read_folder(&entry.path(), &format!("{name}/"), names, files);
            names.0.insert(name, None);
        } else if kind.is_file() {
            files.push(fs::read(entry.path()).expect("a file"));
            names.0.insert(name, Some(files.len() - 1));
        }
    }
}

/// Folders come before what is in them, as names are sorted.
fn put(names: &Names, files: &[Vec<u8>], into: &Path) {
    for (name, file) in names.0.iter().filter(|(name, _)| !NOT_KEPT.contains(&&***name)) {
        let path = into.join(name);
        match file {
            None => fs::create_dir_all(path).expect("a folder"),
            Some(file) => {
                // Its folder may have been lost; then so is it.
                let _ = fs::write(path, &files[*file]);
            }
        }
    }
    if !names.0.contains_key("usher.db") {
        return;
    }
    // Kept for erasing; it takes no room here.
    let reserve = fs::File::create(into.join(RESERVE)).expect("a file");
    reserve.set_len(32 * 1024 * 1024).expect("a length");
}
