//! Whether the machine has run on since the database was opened last. Then the index of the WAL,
//! which is never synced, is as the last process left it; after a power cut it may be an older one.
//!
//! The lock file keeps the number that the kernel draws at each start of the machine.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
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
    number().is_some_and(|number| fs::read(lock_of(database)).is_ok_and(|noted| noted == number))
}

/// The database is open, and its index is of now. Where this cannot be noted, less is known.
pub fn note(database: &Path) {
    let Some(number) = number() else { return };
    if is_the_same(database) {
        return;
    }
    let mut options = OpenOptions::new();
    options.write(true).truncate(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let _ = options.open(lock_of(database)).and_then(|mut lock| lock.write_all(&number));
}
