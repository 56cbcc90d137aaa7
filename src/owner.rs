//! Root works on a directory as its owner. What root made in it the owner could not read; and no link
//! that the owner, or who has broken into their service, has put there leads root anywhere.

use std::io::Result;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// Makes this process the owner's of a directory, or of the nearest above it that is there, and returns
/// whose it is now. None: it stays whose it was, for root does not run it, or is the owner. To be called
/// before there is another thread: those that come later take after this one.
pub fn become_owner_of(path: &Path) -> Result<Option<u32>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let path = std::path::absolute(path)?;
    let Some(about) = path.ancestors().find_map(|path| path.metadata().ok()) else { return Ok(None) };
    if about.uid() == 0 {
        return Ok(None);
    }
    let (user, group) = (Uid::from_raw(about.uid()), Gid::from_raw(about.gid()));
    set_thread_groups(&[group])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(Some(user.as_raw()))
}
