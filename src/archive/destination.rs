//! The place that backups and the ledger are copied to: a directory, say on another disk,
//! or a command that takes a file away.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::catalog::{self, Listed};
use super::command::BackupCommand;
use super::error::{BackupError, Result};
use super::files::{self, CHUNK, Draft, Spilt, Tally};
use super::manifest;
use super::retention;
use crate::clock::Millis;
use crate::files::open_beside;

/// Bytes of a ledger's first line, which tells it from others.
const HEADER: u64 = 100;
/// What tells the versions of a ledger from each other, in that line.
const VERSION_1: &str = r#""version":1,"#;
const VERSION_2: &str = r#""version":2,"#;
/// How much of the copy's end is compared at every step, once all of it was.
const TAIL: u64 = 4 * 1024;

pub struct Destination {
    kind: Kind,
    /// Copies that are under way end as soon as they can.
    abandoned: AtomicBool,
    /// Length of the ledger's copy that was compared with the ledger, byte for byte, or
    /// written by us.
    followed: AtomicU64,
}

enum Kind {
    Directory(PathBuf),
    Command(BackupCommand),
}

/// Whether there was anything to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    Now,
    /// The very same file was there.
    Already,
}

impl Destination {
    /// It need not be there yet, and is never made: an empty mount point looks the same.
    pub fn directory(path: impl Into<PathBuf>) -> Destination {
        Destination::new(Kind::Directory(path.into()))
    }

    /// A program and the arguments before the file's path, divided by spaces; each run of
    /// it may take `time_out`. None: there is no word in `words`.
    pub fn command(words: &str, time_out: Duration) -> Option<Destination> {
        BackupCommand::parse(words, time_out).map(|command| Destination::new(Kind::Command(command)))
    }

    fn new(kind: Kind) -> Destination {
        Destination { kind, abandoned: AtomicBool::new(false), followed: AtomicU64::new(0) }
    }

    /// Ends what is under way, and refuses what comes, with [`BackupError::Abandoned`].
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
    }

    fn goes_on(&self) -> bool {
        !self.abandoned.load(Ordering::SeqCst)
    }

    /// What tells this place from another, if what was taken there cannot be seen.
    pub(super) fn blind(&self) -> Option<String> {
        match &self.kind {
            Kind::Directory(_) => None,
            Kind::Command(command) => Some(command.digest()),
        }
    }

    /// Copies a finished file. In a directory: skipped when the same is there, otherwise
    /// under another name until it is whole. A backup that is damaged here replaces
    /// nothing there: [`BackupError::Damaged`].
    pub fn copy_file(&self, path: &Path) -> Result<Copied> {
        match &self.kind {
            Kind::Command(command) => {
                command.run(path, &|| self.goes_on())?;
                Ok(Copied::Now)
            }
            Kind::Directory(folder) => self.copy_into(folder, path),
        }
    }

    /// The same for a file that never changes: one of its name and length is not looked into.
    pub(super) fn copy_once(&self, path: &Path) -> Result<Copied> {
        let bytes = fs::metadata(path).map_err(|error| BackupError::io("read", path, error))?.len();
        match self.has(name_of(path)?, bytes) {
            Some(true) => Ok(Copied::Already),
            _ => self.copy_file(path),
        }
    }

    fn copy_into(&self, folder: &Path, path: &Path) -> Result<Copied> {
        let reading = |error| BackupError::io("read", path, error);
        let name = name_of(path)?;
        ensure(folder)?;
        let target = folder.join(name);
        // It may be in a folder of somebody else's.
        let mut source = open_beside(path).map_err(reading)?;
        let about = source.metadata().map_err(reading)?;
        if let Some(there) = about_of(&target)? {
            if (there.dev(), there.ino()) == (about.dev(), about.ino()) {
                return Err(BackupError::SamePlace { path: target });
            }
            if there.len() == about.len() && self.digest(&target)? == self.digest(path)? {
                return Ok(Copied::Already);
            }
        }
        let draft = Draft::create(folder, name)?;
        if catalog::is_name(name) {
            // The first line as it is; the rest must be what that line says.
            let opened = manifest::open(path)?;
            self.pour(&mut (&mut source).take(opened.line), path, &mut &draft.file, &draft.path)?;
            let mut sealed = Tally::new(&draft.file);
            self.pour(&mut source, path, &mut sealed, &draft.path)?;
            if sealed.end().1 != opened.manifest.sealed_sha256 {
                return Err(BackupError::damaged(
                    path,
                    opened.line,
                    "its encrypted part is not what was written",
                ));
            }
        } else {
            self.pour(&mut source, path, &mut &draft.file, &draft.path)?;
        }
        draft.publish()?;
        Ok(Copied::Now)
    }

    /// Brings the copy of a ledger to its first `upto` bytes, which are those that are on
    /// our own disk for good; returns how many were added. A copy that was cut off half
    /// way is taken up where it ends. A copy that has more ([`BackupError::CopyAhead`]) or
    /// something else ([`BackupError::CopyDiffers`]) is left as it is.
    pub fn follow_ledger(&self, path: &Path, upto: u64) -> Result<u64> {
        let followed = self.followed.load(Ordering::SeqCst);
        let folder = match &self.kind {
            Kind::Directory(folder) => folder,
            Kind::Command(_) if followed >= upto => return Ok(0),
            Kind::Command(command) => {
                command.run(path, &|| self.goes_on())?;
                self.followed.store(upto, Ordering::SeqCst);
                return Ok(upto - followed);
            }
        };
        ensure(folder)?;
        let target = folder.join(name_of(path)?);
        let reading = |error| BackupError::io("read", path, error);
        let writing = |error| BackupError::io("write", &target, error);
        let mut ours = File::open(path).map_err(reading)?;
        let about = ours.metadata().map_err(reading)?;
        if about.len() < upto {
            let shrunk = io::Error::new(ErrorKind::UnexpectedEof, "it is shorter than it was");
            return Err(reading(shrunk));
        }
        let known = about_of(&target)?.is_some();
        let mut copy = files::private().create(true).truncate(false).open(&target).map_err(writing)?;
        let there = copy.metadata().map_err(writing)?;
        if (there.dev(), there.ino()) == (about.dev(), about.ino()) {
            return Err(BackupError::SamePlace { path: target });
        }
        if is_brought_over(&ours, &copy, upto).map_err(reading)? {
            // What the copy has is in ours, line by line, and each has its MAC now.
            let draft = Draft::create(folder, name_of(path)?)?;
            ours.rewind().map_err(reading)?;
            self.pour(&mut ours.take(upto), path, &mut &draft.file, &draft.path)?;
            draft.publish()?;
            self.followed.store(upto, Ordering::SeqCst);
            return Ok(upto);
        }
        let mut have = there.len();
        // Of another installation, whichever is longer.
        let both = have.min(upto).min(HEADER);
        if have > upto
            && let Some(at) = self.first_difference(&mut ours, path, &mut copy, &target, 0..both)?
        {
            return Err(BackupError::CopyDiffers { path: target, at });
        }
        if have > upto {
            return Err(BackupError::CopyAhead { path: target, have, ours: upto });
        }
        // All of it the first time, and whenever it is not as we left it.
        let from = if have == followed { have.saturating_sub(TAIL) } else { 0 };
        if let Some(at) = self.first_difference(&mut ours, path, &mut copy, &target, from..have)? {
            if !ends_in_zeros(&mut copy, at).map_err(writing)? {
                return Err(BackupError::CopyDiffers { path: target, at });
            }
            // A power cut left room without what was written there: nothing is lost by it.
            copy.set_len(at).map_err(writing)?;
            have = at;
        }
        ours.seek(SeekFrom::Start(have)).map_err(reading)?;
        copy.seek(SeekFrom::Start(have)).map_err(writing)?;
        self.pour(&mut ours.take(upto - have), path, &mut copy, &target)?;
        copy.sync_all().map_err(writing)?;
        if !known {
            files::sync_folder(folder)?;
        }
        self.followed.store(upto, Ordering::SeqCst);
        Ok(upto - have)
    }

    /// Removes the copy of a backup that was pruned; whether there was one. What a command
    /// took away is pruned where it lies, by those who keep it.
    pub fn remove(&self, name: &str) -> Result<bool> {
        if !catalog::is_name(name) {
            return Err(BackupError::BadName { name: name.to_owned() });
        }
        let Kind::Directory(folder) = &self.kind else { return Ok(false) };
        ensure(folder)?;
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Ok(()) => files::sync_folder(folder).map(|()| true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(BackupError::io("remove", &path, error)),
        }
    }

    /// Removes the copies that have had their time, as [`super::prune`] does, also those
    /// whose originals are long gone.
    pub fn prune(&self, now: Millis, keep: Millis) -> Result<()> {
        let Kind::Directory(folder) = &self.kind else { return Ok(()) };
        ensure(folder)?;
        let pruned = retention::prune(folder, now, keep)?;
        pruned.failed.into_iter().next().map_or(Ok(()), Err)
    }

    /// The backups that are there, oldest first; none where that cannot be seen.
    pub(super) fn list(&self) -> Result<Vec<Listed>> {
        let Kind::Directory(folder) = &self.kind else { return Ok(Vec::new()) };
        ensure(folder)?;
        catalog::list(folder)
    }

    /// Whether a file of this name and length is there; None where that cannot be seen.
    pub(super) fn has(&self, name: &str, bytes: u64) -> Option<bool> {
        let Kind::Directory(folder) = &self.kind else { return None };
        Some(fs::metadata(folder.join(name)).is_ok_and(|about| about.len() == bytes))
    }

    /// All of `from`, read at `read_at`, to `to`, written at `write_at`.
    fn pour(&self, from: &mut dyn Read, read_at: &Path, to: &mut dyn Write, write_at: &Path) -> Result<()> {
        match files::pour(from, to, &|| self.goes_on()) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(BackupError::Abandoned),
            Err(Spilt::Reading(error)) => Err(BackupError::io("read", read_at, error)),
            Err(Spilt::Writing(error)) => Err(BackupError::io("write", write_at, error)),
        }
    }

    fn digest(&self, path: &Path) -> Result<String> {
        let mut file = File::open(path).map_err(|error| BackupError::io("read", path, error))?;
        let mut tally = Tally::new(io::sink());
        self.pour(&mut file, path, &mut tally, path)?;
        Ok(tally.end().1)
    }

    /// The first byte within `range` at which two files differ.
    fn first_difference(
        &self,
        ours: &mut File,
        path: &Path,
        copy: &mut File,
        target: &Path,
        range: std::ops::Range<u64>,
    ) -> Result<Option<u64>> {
        let reading = |error| BackupError::io("read", path, error);
        let copying = |error| BackupError::io("read", target, error);
        ours.seek(SeekFrom::Start(range.start)).map_err(reading)?;
        copy.seek(SeekFrom::Start(range.start)).map_err(copying)?;
        let (mut mine, mut theirs) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut at = range.start;
        while at < range.end {
            if !self.goes_on() {
                return Err(BackupError::Abandoned);
            }
            let most = usize::try_from(range.end - at).unwrap_or(CHUNK).min(CHUNK);
            ours.read_exact(&mut mine[..most]).map_err(reading)?;
            copy.read_exact(&mut theirs[..most]).map_err(copying)?;
            let same = mine[..most].iter().zip(&theirs[..most]).take_while(|(a, b)| a == b).count();
            at += same as u64;
            if same < most {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }
}

fn name_of(path: &Path) -> Result<&str> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.ok_or_else(|| BackupError::BadName { name: path.display().to_string() })
}

/// [`BackupError::NoPlace`] unless the directory is there.
fn ensure(folder: &Path) -> Result<()> {
    match fs::metadata(folder) {
        Ok(about) if about.is_dir() => Ok(()),
        Ok(_) => Err(BackupError::NoPlace { path: folder.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(BackupError::NoPlace { path: folder.to_owned() })
        }
        Err(error) => Err(BackupError::io("read the folder", folder, error)),
    }
}

fn about_of(path: &Path) -> Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(about) => Ok(Some(about)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BackupError::io("read", path, error)),
    }
}

/// Whether a copy is our ledger as version 1 had it: each of its lines is the beginning of ours,
/// which go on with a MAC, and it has no line that we have not.
fn is_brought_over(ours: &File, copy: &File, upto: u64) -> io::Result<bool> {
    let (mut ours, mut copy) = (ours, copy);
    ours.seek(SeekFrom::Start(0))?;
    copy.seek(SeekFrom::Start(0))?;
    let mut mine = BufReader::new(ours.take(upto)).split(b'\n');
    for (number, line) in BufReader::new(copy).split(b'\n').enumerate() {
        let (line, Some(mine)) = (line?, mine.next().transpose()?) else { return Ok(false) };
        let mine = match number {
            0 => String::from_utf8_lossy(&mine).replacen(VERSION_2, VERSION_1, 1).into_bytes(),
            _ => mine,
        };
        let body = line.strip_suffix(b"}").unwrap_or(&line);
        let is_same = mine.strip_prefix(body).is_some_and(|rest| rest.starts_with(b",\"mac\":\""));
        if !is_same {
            return Ok(false);
        }
    }
    Ok(ours.metadata()?.len() > 0 && copy.metadata()?.len() > 0)
}

/// From `at` to its end a file has zeros only, which no ledger has.
fn ends_in_zeros(file: &mut File, at: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(at))?;
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(true),
            read if chunk[..read].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}
