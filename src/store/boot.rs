//! Whether the machine has run on since the database was opened last. Then the index of the WAL,
//! which is never synced, is as the last process left it; after a power cut it may be an older one.
//!
//! The lock file keeps the number that the kernel draws at each start of the machine. Behind it stand the
//! salts of the WAL in which a commit failed last: its frames may lie there, and look acknowledged.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rustix::fs::OFlags;

const NUMBER: &str = "/proc/sys/kernel/random/boot_id";

fn lock_of(database: &Path) -> PathBuf {
    database.with_file_name("usher.lock")
}

/// None: the machine does not say.
fn number() -> Option<Vec<u8>> {
    let text = fs::read_to_string(NUMBER).ok()?;
    HEXLOWER.decode(text.trim().replace('-', "").as_bytes()).ok()
}

/// False where that is not known.
pub fn is_the_same(database: &Path) -> bool {
    noted(database).is_some()
}

/// Whether a commit failed in the WAL with these salts, since the machine started.
pub fn has_failed_commits(database: &Path, salts: [u8; 8]) -> bool {
    noted(database).is_some_and(|salts_of_failed| salts_of_failed == salts)
}

/// What the lock says behind the number of this run of the machine.
fn noted(database: &Path) -> Option<Vec<u8>> {
    fs::read(lock_of(database)).ok()?.strip_prefix(number()?.as_slice()).map(<[u8]>::to_vec)
}

/// The database is open, and its index is of now. Where this cannot be noted, less is known.
pub fn note(database: &Path) {
    if !is_the_same(database) {
        write(database, &[]);
    }
}

/// A commit failed. Where this cannot be noted, the next start may take its frames for damage.
pub fn note_failed_commit(database: &Path) {
    let mut salts = [0; 8];
    let wal = File::open(super::wal_of(database));
    if wal.and_then(|wal| wal.read_exact_at(&mut salts, 16)).is_ok() {
        write(database, &salts);
    }
}

fn write(database: &Path, salts: &[u8]) {
    let Some(mut noted) = number() else { return };
    noted.extend(salts);
    let mut options = OpenOptions::new();
    options.write(true).truncate(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let _ = options.open(lock_of(database)).and_then(|mut lock| lock.write_all(&noted));
}
