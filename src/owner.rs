//! Whose files are. Root may be asked to restore for a service that runs as somebody else, who
//! could then not read what root has made.

use std::fs;
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

/// Gives a file or folder to whoever owns a folder.
pub fn give(path: &Path, to_owner_of: &Path) -> Result<()> {
    let owner = fs::metadata(to_owner_of)?;
    let about = fs::symlink_metadata(path)?;
    if (about.uid(), about.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    // Not what a link leads to: the owner may have put it there, and root must not follow.
    match lchown(path, Some(owner.uid()), Some(owner.gid())) {
        // Only root gives files away. Without it, the service is whoever runs this.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        outcome => outcome,
    }
}
