//! Opening files that somebody else names, or may have put there.

use std::fs::{File, OpenOptions};
use std::io::{Error, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// Opens a file to be read, and does not wait for somebody to write to it: a pipe that nobody writes to
/// is empty.
pub fn open(path: &Path) -> Result<File> {
    open_with(path, OFlags::NONBLOCK)
}

/// The same for one in a folder that others may write to: no link is followed, which might lead to what
/// its maker may not read, and nothing but a file is opened.
pub fn open_beside(path: &Path) -> Result<File> {
    let file = open_with(path, OFlags::NONBLOCK | OFlags::NOFOLLOW).map_err(|error| {
        match error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) {
            true => Error::other("it is a link, which is not followed: put the file itself there"),
            false => error,
        }
    })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(Error::other("it is no file")) }
}

/// Options for a file to write that is no link: where others may write to its folder, they could have put
/// one there.
pub fn no_link() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

fn open_with(path: &Path, flags: OFlags) -> Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}
