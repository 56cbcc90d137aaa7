//! Files that are there whole or not at all, whenever the machine stops.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The file under its name, written and synced under another and then renamed. It is sure to
/// outlast a power cut after [`sync_folder`].
pub fn write(folder: &Path, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    let draft = folder.join(draft_of(name));
    remove(&draft)?;
    let make = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        // The mask of the process may have taken more away than is meant.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, folder.join(name))
    };
    make().inspect_err(|_| {
        // On a full disk the draft's bytes are wanted back; if it stays, it is removed later.
        let _ = remove(&draft);
    })
}

/// The same by its path, and sure to outlast a power cut.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder_of(path);
    let name = path.file_name().and_then(OsStr::to_str).ok_or(ErrorKind::InvalidFilename)?;
    write(folder, name, bytes, mode)?;
    sync_folder(folder)
}

/// Makes a folder for its owner alone, if it is not there.
pub fn make_private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// What was named in a folder is under its name for good.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The new name of a file is there for good.
pub fn sync_name(path: &Path) -> io::Result<()> {
    sync_folder(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes a file if it is there.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The name of the file that becomes `name`.
fn draft_of(name: &str) -> String {
    format!(".{name}.new")
}

/// A file of this name was left by a stop in the middle of [`write()`].
pub fn is_draft(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".new")
}
