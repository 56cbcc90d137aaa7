//! What both test programs share: `quick`, which needs nothing, and `it`, which starts servers.

#![allow(dead_code, reason = "each of the two uses a part")]

pub mod app;
pub mod figures;
pub mod house;
pub mod receipts;
pub mod sources;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use usher::clock::{MINUTE, Millis};

/// 2026-03-04T10:00:00Z, a Wednesday: when every test begins.
pub const START: Millis = 1_772_618_400_000;

/// How long a clock is doubted after a jump, in every test.
pub const GRACE: Millis = 15 * MINUTE;

/// How long may be waited for what should be there at once.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own; in memory, where the machine has room for it. Whether a disk has what was synced
/// to it is shown where programs are killed; to wait for one at each commit shows nothing.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let has_room = rustix::fs::statvfs(memory)
        .is_ok_and(|about| about.f_bavail.saturating_mul(about.f_frsize) > 4 << 30);
    match tempfile::tempdir_in(memory) {
        Ok(folder) if has_room => folder,
        _ => tempfile::tempdir().expect("a folder"),
    }
}

/// The number in a variable, with which somebody asks for the long form of a test.
pub fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Asks until the answer is as wanted. It must be so within [`PATIENCE`].
#[track_caller]
pub fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The names of all that is in a folder, hidden ones included, sorted.
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}
