//! Root works on a directory as its owner. What root made in it the owner could not read; and no link
//! that the owner, or who has broken into their service, has put there leads root anywhere.

use std::collections::BTreeMap;
use std::io::{Error, Result};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// In the place of root's own group, which a folder of somebody else may have.
const NO_GROUP: u32 = 65_534;

/// Makes this process the owner's of a directory, and returns whose it is now. None: it stays whose it
/// was, for root does not run it, or nobody else could change anything on the way to the directory. To be
/// called before there is another thread: those that come later take after this one.
pub fn become_owner_of(path: &Path) -> Result<Option<u32>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let owners = owners(&std::path::absolute(path)?);
    let mut others = owners.into_iter().filter(|(user, _)| *user != 0);
    let (Some((user, group)), further) = (others.next(), others.next()) else { return Ok(None) };
    if let Some((further, _)) = further {
        return Err(Error::other(format!(
            "on the way to {} there is something of user {user} and of user {further}: root would go where \
             either leads. Run this as the one whose data it is (sudo -u)",
            path.display()
        )));
    }
    let group = if group == 0 { NO_GROUP } else { group };
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    set_thread_groups(&[group])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(Some(user.as_raw()))
}

/// Whose the folders and links are that a path leads through, with the group of the last one of each: as
/// it is written, and as it is with its links followed.
fn owners(path: &Path) -> BTreeMap<u32, u32> {
    let real = path.ancestors().find_map(|path| path.canonicalize().ok());
    let mut ways: Vec<&Path> = real.iter().flat_map(|real| real.ancestors()).collect();
    ways.extend(path.ancestors());
    ways.reverse();
    let about = ways.into_iter().filter_map(|path| path.symlink_metadata().ok());
    about.map(|about| (about.uid(), about.gid())).collect()
}
