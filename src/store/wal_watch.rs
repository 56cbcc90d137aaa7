//! Watches a WAL that a reader holds up. SQLite keeps each page that a reader may still ask
//! for, so that while one reads on and on the WAL only grows. Our own readers are cut off after
//! some seconds, but another program's cannot be: it is told of, and before the disk is full
//! only erasing writes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::layout::PAGE;
use super::wal_file::FRAME_HEADER;

const MIB: u64 = 1024 * 1024;
/// Held up this far, it is told of; and again each time that it has doubled.
const TOLD: u64 = 64 * MIB;
/// Held up this long, it is told of, too, if it is not small.
const LONG: Duration = Duration::from_secs(60);
const SMALL: u64 = 8 * MIB;
/// With less room on the disk a WAL that is held up grows no further. More than is kept for
/// erasing.
const ROOM: u64 = 256 * MIB;
/// Between two looks at the disk, and two tries to take a WAL that is too large into the file.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two tries if it is not.
const LONG_PAUSE: Duration = Duration::from_secs(5);

pub struct WalWatch {
    folder: PathBuf,
    limit: u64,
    state: Mutex<Option<Held>>,
}

struct Held {
    since: Instant,
    bytes: u64,
    /// It was told of at this size.
    told: Option<u64>,
    is_too_large: bool,
    looked: Option<Instant>,
    tried: Option<Instant>,
}

impl WalWatch {
    pub fn new(database: &Path, limit: u64) -> WalWatch {
        let folder = database.parent().unwrap_or(Path::new(".")).to_owned();
        WalWatch { folder, limit, state: Mutex::default() }
    }

    /// A reader holds up this many frames, or nobody does.
    pub fn see(&self, frames: Option<u32>) {
        let mut state = self.state();
        let Some(frames) = frames else {
            if state.take().is_some_and(|held| held.told.is_some()) {
                log::info!("usher.db-wal is held up no longer: it is in usher.db");
            }
            return;
        };
        let held = state.get_or_insert_with(|| Held {
            since: Instant::now(),
            bytes: 0,
            told: None,
            is_too_large: false,
            looked: None,
            tried: None,
        });
        held.bytes = u64::from(frames) * (FRAME_HEADER + PAGE) as u64;
        let was_too_large = held.is_too_large;
        held.is_too_large = held.bytes > self.limit || held.bytes > SMALL && self.is_short_of_room(held);
        let is_long = held.since.elapsed() > LONG && held.bytes > SMALL;
        let is_news = match held.told {
            None => held.bytes > TOLD || is_long || held.is_too_large,
            Some(told) => held.bytes >= 2 * told,
        };
        if is_news || held.is_too_large && !was_too_large {
            held.told = Some(held.bytes);
            log::warn!("{}", held.note());
        }
    }

    /// Whether only erasing may write.
    pub fn is_too_large(&self) -> bool {
        self.state().as_ref().is_some_and(|held| held.is_too_large)
    }

    /// Whether it is time to try to take it into the file again.
    pub fn is_time_to_try(&self) -> bool {
        let mut state = self.state();
        let Some(held) = state.as_mut().filter(|held| held.told.is_some()) else { return false };
        let pause = if held.is_too_large { PAUSE } else { LONG_PAUSE };
        let is_time = held.tried.is_none_or(|tried| tried.elapsed() > pause);
        if is_time {
            held.tried = Some(Instant::now());
        }
        is_time
    }

    /// What is to be said of it. None: nothing.
    pub fn note(&self) -> Option<String> {
        self.state().as_ref().filter(|held| held.told.is_some()).map(Held::note)
    }

    fn is_short_of_room(&self, held: &mut Held) -> bool {
        if held.looked.is_some_and(|looked| looked.elapsed() < PAUSE) {
            return held.is_too_large;
        }
        held.looked = Some(Instant::now());
        // What cannot be asked is not short.
        rustix::fs::statvfs(&self.folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < ROOM)
    }

    fn state(&self) -> MutexGuard<'_, Option<Held>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn note(&self) -> String {
        let refused = if self.is_too_large { "; until then only erasing writes" } else { "" };
        format!(
            "usher.db-wal has {} MiB, which a reader has held up for {} s: end the program that has usher.db open \
             (a shell of SQLite, a copying tool){refused}",
            self.bytes / MIB,
            self.since.elapsed().as_secs()
        )
    }
}

/// For a reader of ours that takes long: whether it is to end, for the WAL that it holds up is
/// too large.
pub fn must_end(watch: &Arc<WalWatch>) -> impl FnMut() -> bool + Send + use<> {
    let watch = Arc::clone(watch);
    move || watch.is_too_large()
}
