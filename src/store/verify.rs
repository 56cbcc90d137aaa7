//! Looking at the bytes of the files for what should not be there any more.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use super::Store;
use super::file::Pages;
use super::file_kind::FileKind;
use super::fragment::{SearchKey, SearchTarget};
use super::layout::{self, PAGE};
use super::search::{Found, Scanner};
use crate::archive;
use crate::error::{Error, Result};
use crate::model::JobId;

/// Pages of the file looked at in one go by a survey.
const STRETCH: u32 = 4_096;
/// Bytes of another file read at once; pieces overlap by the length of the longest fragment.
const BUFFER: usize = 1 << 20;
const OVERLAP: usize = 64;
/// The database's own files, which are looked at page by page.
const DATABASE: [&str; 3] = ["usher.db", "usher.db-wal", "usher.db-shm"];
const WAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// What of the files is looked at.
#[derive(Debug)]
pub enum Scope {
    /// These pages, and these of the other files, each from a byte on: see
    /// [`super::search_scope`].
    Written {
        pages: Vec<u32>,
        files: Vec<(PathBuf, FileKind, u64)>,
    },
    Whole,
}

/// What a look at the bytes came to.
#[derive(Debug, Default)]
pub struct Verdict {
    pub found: BTreeMap<JobId, Found>,
    /// Pages with bytes in what is free, or that do not read as pages. None should.
    pub stale: Vec<u32>,
    pub pages: u64,
    pub bytes: u64,
    pub fragments: u64,
}

/// A file's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub length: u64,
    pub written_at: Option<SystemTime>,
    pub kind: FileKind,
}

impl Stamp {
    fn of(about: &Metadata, kind: FileKind) -> Stamp {
        Stamp { length: about.len(), written_at: about.modified().ok(), kind }
    }
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.stale.is_empty() && self.found.values().all(Found::is_clean)
    }
}

impl Store {
    /// Looks at every page of the file once, and has those scrubbed that hold stale bytes:
    /// what an unclean end, a restored file or another program's visit left. Returns how
    /// many. It blocks; requests are served meanwhile.
    pub fn full_scan(&self, go_on: &dyn Fn() -> bool) -> Result<u64> {
        let mut found = 0;
        let mut from: u32 = 1;
        while go_on() {
            let end = from.saturating_add(STRETCH).min(self.file().count()? + 1);
            if from >= end {
                break;
            }
            let mut stale = Vec::new();
            self.file().range(from..end, |number, page| {
                if self.file().is_stale(number, page) == Ok(true) {
                    stale.push(number);
                }
            })?;
            found += stale.len() as u64;
            if !stale.is_empty() {
                self.mark_dirty(stale)?;
                while go_on() && self.scrub()? > 0 {}
            }
            from = end;
        }
        let (mut leaves, mut trunks) = used_free(self.file())?;
        found += (leaves.len() + trunks.len()) as u64;
        while go_on() && !leaves.is_empty() {
            leaves = self.blank(leaves)?;
        }
        while go_on() && !trunks.is_empty() {
            trunks = self.trim(trunks)?;
        }
        if go_on() {
            self.scanned.store(true, Ordering::SeqCst);
        }
        Ok(found)
    }

    /// Whether every page was looked at since the start.
    pub fn is_scanned(&self) -> bool {
        self.scanned.load(Ordering::SeqCst)
    }

    /// Searches pages of the database, its WAL and other files for the fragments of jobs.
    /// It blocks, off the writer's thread.
    pub fn verify(&self, fragments: &[SearchTarget], scope: Scope) -> Result<Verdict> {
        look(self.file(), &self.path, Scanner::new(self.search_key(), fragments), scope)
    }

    /// The files beside the database that a search looks at; of the receipts, these alone.
    pub fn others(&self, receipts: Vec<PathBuf>) -> Result<HashMap<PathBuf, Stamp>> {
        let mut found = others(&self.folder, Some(Path::new("receipts")))?;
        let stamp = |path: PathBuf| {
            let about = std::fs::metadata(&path).ok()?;
            Some((path, Stamp::of(&about, FileKind::Receipt)))
        };
        found.extend(receipts.into_iter().filter_map(stamp));
        Ok(found)
    }
}

/// Searches all files of a directory for fragments, as [`Store::verify`] does, beside a server as well.
/// `file` is its database. Left out are these folders, in which a backup is being made: what
/// others say of somebody is there, too, and not told apart.
pub fn search_all(
    file: &Pages,
    database: &Path,
    key: SearchKey,
    fragments: &[SearchTarget],
    under_way: &[PathBuf],
) -> Result<Verdict> {
    let mut files = others(database.parent().unwrap_or(Path::new("")), None)?;
    files.retain(|path, _| !under_way.iter().any(|folder| path.starts_with(folder)));
    let files = files.into_iter().map(|(path, stamp)| (path, stamp.kind, 0)).collect();
    let pages = (1..file.count()? + 1).collect();
    look(file, database, Scanner::new(key, fragments), Scope::Written { pages, files })
}

/// Pages of the freelist that hold bytes.
pub fn used_leaves(file: &Pages) -> Result<Vec<u32>> {
    used_free(file).map(|(leaves, trunks)| [leaves, trunks].concat())
}

/// Leaves of the freelist that are not blank, and trunks that are stale.
fn used_free(file: &Pages) -> Result<(Vec<u32>, Vec<u32>)> {
    let (mut leaves, mut trunks) = (Vec::new(), Vec::new());
    file.trunks(|trunk, on_it| {
        trunks.push(trunk);
        leaves.extend(on_it);
    })?;
    let pages = file.count()?;
    let that = |mut numbers: Vec<u32>, is_used: &dyn Fn(&[u8]) -> bool| -> Result<Vec<u32>> {
        numbers.sort_unstable();
        let mut used = Vec::new();
        file.each(&numbers, |number, page| {
            if is_used(page) {
                used.push(number);
            }
        })?;
        Ok(used)
    };
    let leaves = that(leaves, &|page| page.iter().any(|byte| *byte != 0))?;
    Ok((leaves, that(trunks, &|page| layout::is_stale_trunk(page, pages) == Ok(true))?))
}

fn look(file: &Pages, database: &Path, mut scanner: Scanner, scope: Scope) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let free = free_pages(file)?;
    // It may have been taken into use before it was read: what is free was so before and is so
    // after.
    let is_in = |free: &[u32], number: u32| free.binary_search(&number).is_ok();
    let is_free =
        |number: u32| is_in(&free, number) && free_pages(file).map_or(true, |free| is_in(&free, number));
    let mut see = |number: u32, page: &[u8]| {
        verdict.pages += 1;
        match file.is_of_tree(number, page) {
            true => scanner.page(number, page, || is_free(number), "usher.db"),
            false => scanner.other_page(number, page, || is_free(number), "usher.db"),
        }
        // One that does not read as a page cannot be said to be clean.
        if file.is_stale(number, page) != Ok(false) {
            verdict.stale.push(number);
        }
    };
    let files = match scope {
        Scope::Written { pages, files } => {
            file.each(&pages, &mut see)?;
            files
        }
        Scope::Whole => {
            file.range(1..file.count()? + 1, &mut see)?;
            let others = others(database.parent().unwrap_or(Path::new("")), None)?;
            others.into_iter().map(|(path, stamp)| (path, stamp.kind, 0)).collect()
        }
    };
    search_wal(&mut scanner, &super::wal_of(database))?;
    let top = database.parent().unwrap_or(Path::new(""));
    for (path, kind, from) in files {
        let name = path.strip_prefix(top).unwrap_or(&path).to_string_lossy();
        search_file(&mut scanner, &path, &name, kind, from)?;
    }
    verdict.bytes = scanner.bytes();
    verdict.found = scanner.into_found();
    verdict.fragments = verdict.found.values().map(|found| found.fragments).sum();
    Ok(verdict)
}

/// The trunks and leaves of the freelist, in order.
fn free_pages(file: &Pages) -> Result<Vec<u32>> {
    let mut free = Vec::new();
    file.trunks(|trunk, leaves| {
        free.push(trunk);
        free.extend(leaves);
    })?;
    free.sort_unstable();
    Ok(free)
}

/// The files of a directory but the database. Not the finished backups, which are encrypted
/// and have their own term, nor the secrets.
fn others(top: &Path, but: Option<&Path>) -> Result<HashMap<PathBuf, Stamp>> {
    let mut found = HashMap::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(Error::from_io)? {
            let entry = entry.map_err(Error::from_io)?;
            let Ok(about) = entry.metadata() else { continue };
            let path = entry.path();
            let inside = path.strip_prefix(top).unwrap_or(&path);
            if about.is_dir() && inside != Path::new("secrets") && Some(inside) != but {
                folders.push(path);
            } else if about.is_file() && !is_left_out(inside) {
                let stamp = Stamp::of(&about, FileKind::of(inside));
                found.insert(path, stamp);
            }
        }
    }
    Ok(found)
}

/// By the path inside the directory: files of these names may lie elsewhere in it, and be
/// anybody's.
fn is_left_out(inside: &Path) -> bool {
    match inside.strip_prefix("backups") {
        Ok(name) => name.to_str().is_some_and(archive::is_name),
        Err(_) => DATABASE.iter().any(|file| inside == Path::new(file)),
    }
}

/// The WAL's frames are pages too. One that is being written ends the search: it is of
/// after the erasure. What is free in the file may be in use here, and what is freed here is
/// blank.
fn search_wal(scanner: &mut Scanner, path: &Path) -> Result<()> {
    let Some(mut file) = open(path)? else { return Ok(()) };
    let mut header = [0; WAL_HEADER];
    if !fill(&mut file, &mut header)? {
        return Ok(());
    }
    let mut frame = vec![0; FRAME_HEADER + PAGE];
    while fill(&mut file, &mut frame)? {
        let number = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
        scanner.page(number, &frame[FRAME_HEADER..], || false, "usher.db-wal");
    }
    Ok(())
}

/// Whether a file has, from a byte on, but what Usher itself writes there: words of its own,
/// which may be somebody's, too. One that is gone has nothing.
pub fn is_own(path: &Path, kind: FileKind, from: u64) -> Result<bool> {
    let Some(mut file) = open(path)? else { return Ok(true) };
    match kind {
        FileKind::Ledger => {
            // From a line's end on, if it is one.
            file.seek(SeekFrom::Start(from.saturating_sub(1))).map_err(Error::from_io)?;
            for line in BufReader::new(file).split(b'\n') {
                if !kind.is_own(&line.map_err(Error::from_io)?) {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        FileKind::Receipt | FileKind::PublicKey | FileKind::Numbers => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(Error::from_io)?;
            Ok(kind.is_own(&bytes))
        }
        FileKind::Plain | FileKind::Foreign => Ok(false),
    }
}

/// Searches a file from a byte on. One of Usher's own form is not searched as a whole, but
/// for what does not read so.
fn search_file(scanner: &mut Scanner, path: &Path, name: &str, kind: FileKind, from: u64) -> Result<()> {
    let Some(mut file) = open(path)? else { return Ok(()) };
    match kind {
        FileKind::Ledger => {
            let mut at = from.saturating_sub(1);
            file.seek(SeekFrom::Start(at)).map_err(Error::from_io)?;
            for line in BufReader::new(file).split(b'\n') {
                let line = line.map_err(Error::from_io)?;
                scanner.skip(line.len() as u64);
                if !kind.is_own(&line) {
                    scanner.bytes_of(&line, at, name);
                }
                at += line.len() as u64 + 1;
            }
            Ok(())
        }
        _ if is_own(path, kind, from)? => {
            scanner.skip(file.metadata().map_err(Error::from_io)?.len());
            Ok(())
        }
        _ => search_bytes(scanner, file, name),
    }
}

fn search_bytes(scanner: &mut Scanner, mut file: File, name: &str) -> Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER + OVERLAP);
    // Where in the file the buffer begins.
    let mut from = 0;
    loop {
        let past = buffer.len().saturating_sub(OVERLAP);
        buffer.drain(..past);
        from += past as u64;
        let read = (&mut file).take(BUFFER as u64).read_to_end(&mut buffer).map_err(Error::from_io)?;
        if read == 0 {
            return Ok(());
        }
        scanner.bytes_of(&buffer, from, name);
    }
}

/// None: it is gone.
fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::from_io(error)),
    }
}

/// False: the file ended before.
fn fill(file: &mut File, bytes: &mut [u8]) -> Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(Error::from_io(error)),
    }
}
