//! How much room a disk has.

use std::io;
use std::path::Path;

/// Bytes of the disk that a path lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What a program that is not root may still write.
    pub free: u64,
    pub all: u64,
}

/// The room of the disk that `path` lies on.
pub fn room(path: &Path) -> io::Result<Room> {
    let about = rustix::fs::statvfs(path)?;
    Ok(Room {
        free: about.f_bavail.saturating_mul(about.f_frsize),
        all: about.f_blocks.saturating_mul(about.f_frsize),
    })
}
