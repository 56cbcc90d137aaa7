//! Files that appear whole or not at all, that only their owner may read, and that are on
//! the disk before anybody is told.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::error::{BackupError, Result};
use crate::atomic_file;
use crate::files::no_link;

/// Bytes that are moved at a time.
pub(super) const CHUNK: usize = 64 * 1024;

/// Options for a new file that only its owner may read.
pub(super) fn private() -> OpenOptions {
    let mut options = no_link();
    options.read(true).write(true).mode(0o600);
    options
}

/// Makes a folder, and those above it, for its owner alone.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    atomic_file::make_private(path).map_err(|error| BackupError::io("make the folder", path, error))
}

/// Names in a folder are on the disk only after this.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    atomic_file::sync_folder(path).map_err(|error| BackupError::io("write the folder", path, error))
}

/// A file under another name until it is whole. Dropped before that, it is removed; left
/// by a kill, [`sweep`] removes it.
pub(super) struct Draft {
    pub file: File,
    pub path: PathBuf,
    target: PathBuf,
    published: bool,
}

impl Draft {
    /// `folder` must exist.
    pub fn create(folder: &Path, name: &str) -> Result<Draft> {
        let path = folder.join(format!(".{name}.part"));
        let failed = |error| BackupError::io("make", &path, error);
        loop {
            let file = private().create(true).truncate(false).open(&path).map_err(failed)?;
            match file.try_lock() {
                // Somebody else writes the very same file, or sweeps: that file is not ours to touch.
                Err(fs::TryLockError::WouldBlock) => {
                    return Err(failed(io::Error::new(ErrorKind::ResourceBusy, "it is being written")));
                }
                // Some network file systems have no locks; nobody sweeps there either.
                Ok(()) | Err(fs::TryLockError::Error(_)) => {}
            }
            // Swept between its making and its locking: once more.
            if file.metadata().map_err(failed)?.nlink() > 0 {
                file.set_len(0).map_err(failed)?;
                return Ok(Draft { file, target: folder.join(name), path, published: false });
            }
        }
    }

    /// Gives it its name, in the place of what may have had it.
    pub fn publish(mut self) -> Result<PathBuf> {
        self.file.sync_all().map_err(|error| BackupError::io("write", &self.path, error))?;
        fs::rename(&self.path, &self.target).map_err(|error| BackupError::io("make", &self.target, error))?;
        self.published = true;
        if let Some(folder) = self.target.parent() {
            sync_folder(folder)?;
        }
        Ok(self.target.clone())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // Whoever waits for its room sees the outcome of the whole; a sweep comes later.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes a small file whole.
pub(super) fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let mut draft = Draft::create(folder, name)?;
    draft.file.write_all(bytes).map_err(|error| BackupError::io("write", &draft.path, error))?;
    draft.publish().map(drop)
}

/// Removes what writers that were killed have left in a folder; returns how many files.
/// One that is being written is locked, and stays.
pub fn sweep(folder: &Path) -> Result<u64> {
    let failed = |error| BackupError::io("read the folder", folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let mut swept = 0;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".part"));
        if !ours || !entry.file_type().map_err(failed)?.is_file() {
            continue;
        }
        let path = entry.path();
        // Gone or published since the folder was read: not a leftover.
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_ok() {
            match fs::remove_file(&path) {
                Ok(()) => swept += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(BackupError::io("remove", &path, error)),
            }
        }
    }
    Ok(swept)
}

/// Reads a small file. [`BackupError::TooLarge`] beyond `most` bytes.
pub(super) fn read_small(path: &Path, most: u64) -> Result<Vec<u8>> {
    let failed = |error| BackupError::io("read", path, error);
    let file = File::open(path).map_err(failed)?;
    let have = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read <= most) {
        return Ok(bytes);
    }
    Err(BackupError::TooLarge { path: path.to_owned(), have, most })
}

/// Which side of a [`pour`] failed.
#[derive(Debug)]
pub(super) enum Spilt {
    Reading(io::Error),
    Writing(io::Error),
}

/// Moves all of `from`, a chunk at a time, as long as `go_on` says so; how many bytes.
/// None: told to stop.
pub(super) fn pour(
    from: &mut dyn Read,
    to: &mut dyn Write,
    go_on: &dyn Fn() -> bool,
) -> std::result::Result<Option<u64>, Spilt> {
    let mut chunk = vec![0; CHUNK];
    let mut moved = 0;
    while go_on() {
        let read = match from.read(&mut chunk) {
            Ok(0) => return Ok(Some(moved)),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Spilt::Reading(error)),
        };
        to.write_all(&chunk[..read]).map_err(Spilt::Writing)?;
        moved += read as u64;
    }
    Ok(None)
}

/// Passes on what is written to it, counted and digested.
pub(super) struct Tally<W> {
    to: W,
    digest: Sha256,
    pub bytes: u64,
}

impl<W: Write> Tally<W> {
    pub fn new(to: W) -> Tally<W> {
        Tally { to, digest: Sha256::new(), bytes: 0 }
    }

    /// What it wrote to, and the SHA-256 in hex of all that was written.
    pub fn end(self) -> (W, String) {
        (self.to, HEXLOWER.encode(&self.digest.finalize()))
    }
}

impl<W: Write> Write for Tally<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
