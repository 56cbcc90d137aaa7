//! Room that is kept for erasing: a file of no use but its size, which is given up when the
//! disk is full, so that a deletion can still be written down, done and proven. While it is
//! given up, only erasing writes; it is taken up again when there is room.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Beside the reserve this much must be free before it is taken up again: else the next
/// write would meet a full disk at once.
const SPARE: u64 = 8 * 1024 * 1024;
/// What is written to see whether there is any room: the index of a WAL begins with as much.
const PROBE: usize = 64 * 1024;
/// The wait between two tries.
const PAUSE: Duration = Duration::from_secs(5);
/// The unit in which the system counts what a file takes on the disk.
const BLOCK: u64 = 512;
/// Written at a time.
const CHUNK: usize = 1 << 20;

/// Its name in the data directory.
const NAME: &str = "reserve";
/// Its name in 0.1.
const OLD_NAME: &str = "ballast";

pub struct DiskReserve {
    path: PathBuf,
    /// 0: none is kept.
    bytes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    given_up: bool,
    tried: Option<Instant>,
}

impl DiskReserve {
    /// In a folder, where an earlier start may have made it.
    pub fn of(folder: &Path, bytes: u64) -> DiskReserve {
        DiskReserve { path: folder.join(NAME), bytes, state: Mutex::default() }
    }

    /// What 0.1 left, a file and no link, goes on under today's name.
    fn adopt(&self) {
        let old = self.path.with_file_name(OLD_NAME);
        let is_file = fs::symlink_metadata(&old).is_ok_and(|about| about.is_file());
        if is_file && fs::symlink_metadata(&self.path).is_err() {
            // Where that fails there are two files, and as much room.
            let _ = fs::rename(&old, &self.path);
        }
    }

    /// Makes it if it is not there as a whole, and there is room. One that was copied with holes in it
    /// has its length and no room. [`Error::Internal`] with the way out if something else lies there: no
    /// room would ever be kept, as if the disk were full.
    pub fn take(&self) -> Result<()> {
        let mut state = self.state();
        if self.bytes > 0 {
            self.adopt();
        }
        let about = fs::symlink_metadata(&self.path);
        if self.bytes > 0 && about.as_ref().is_ok_and(|about| !about.is_file()) {
            return Err(Error::Internal(format!(
                "{} is no file, but room is kept there for erasing on a full disk: move what lies there to another \
                 place; the next start makes another",
                self.path.display()
            )));
        }
        let (length, taken) =
            about.map_or((0, 0), |about| (about.len(), about.blocks().saturating_mul(BLOCK)));
        if state.given_up || length == self.bytes && taken >= self.bytes {
            return Ok(());
        }
        if length == self.bytes {
            log::info!("the reserve is sparse and reserves no space: it is rewritten");
        }
        if let Err(error) = self.make() {
            log::warn!(
                "there is no room for the reserve, which erasing needs when the disk is full: {error}"
            );
            state.given_up = true;
        }
        Ok(())
    }

    /// Gives the room up. False: it is given up already, or none is kept.
    pub fn give_up(&self) -> bool {
        let mut state = self.state();
        if state.given_up || self.bytes == 0 {
            return false;
        }
        state.given_up = true;
        match fs::remove_file(&self.path) {
            Ok(()) => {
                log::warn!("the disk is full: the reserve is given up, and only erasing is written");
                true
            }
            // There was never room for it.
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => {
                log::error!("the reserve cannot be given up: {error}");
                false
            }
        }
    }

    /// Gives the room up if the disk is full, as far as a small file tells.
    pub fn give_up_if_full(&self) -> bool {
        let probe = self.path.with_extension("probe");
        let full = fs::write(&probe, vec![1; PROBE])
            .is_err_and(|error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded));
        let _ = fs::remove_file(&probe);
        full && self.give_up()
    }

    /// Whether only erasing may write. Looks from time to time whether there is room again.
    pub fn is_given_up(&self) -> bool {
        let mut state = self.state();
        if !state.given_up {
            return false;
        }
        if state.tried.is_some_and(|tried| tried.elapsed() < PAUSE) {
            return true;
        }
        state.tried = Some(Instant::now());
        if self.make().is_ok() {
            log::info!("there is room again: the reserve is taken up");
            *state = State::default();
        }
        state.given_up
    }

    /// Written out, for a file with holes keeps no room. Zeros are read in no time by the searches for the
    /// erased; where a copy has made holes of them, the next start sees it.
    fn make(&self) -> std::io::Result<()> {
        let write = || -> std::io::Result<()> {
            let mut file: File =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path)?;
            let zeros = vec![0; CHUNK];
            let mut left = self.bytes + SPARE;
            while left > 0 {
                let some = left.min(CHUNK as u64);
                file.write_all(&zeros[..usize::try_from(some).unwrap_or(CHUNK)])?;
                left -= some;
            }
            file.set_len(self.bytes)?;
            file.sync_all()
        };
        let written = write();
        if written.is_err() {
            // What was written of it is room as well.
            let _ = fs::remove_file(&self.path);
        }
        written
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
