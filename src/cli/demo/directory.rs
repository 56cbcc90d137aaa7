//! The directory of a demo: marked as one when it is made, so that it can be removed again, and nothing
//! else can.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::data_dir::DataDir;
use crate::start;

/// In the directory of a demo alone.
const MARKER: &str = "usher-demo.txt";
const TEXT: &str = "`usher demo` created this directory. `usher demo --remove` removes it.\n";

/// How the names begin of what lies in a data directory.
const OWN: [&str; 12] = [
    "usher.",
    "erasures.ledger",
    "signing.pub",
    "numbers",
    ".numbers",
    "receipts",
    "backups",
    "secrets",
    "ballast",
    "reserve",
    "recovery-key.txt",
    "setup-link.txt",
];

/// Marks a directory as a demo's, where there is nothing in it yet. One that holds anything already
/// stays what it is, and is never removed.
pub fn mark(path: &Path) -> anyhow::Result<()> {
    let is_empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if !is_empty {
        return Ok(());
    }
    let at = path.join(MARKER);
    let write = || {
        // Not through a link that somebody has put there meanwhile.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&at)?;
        file.write_all(TEXT.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", at.display()))
}

/// Whether it is the directory of a demo.
pub fn is_marked(path: &Path) -> bool {
    path.join(MARKER).symlink_metadata().is_ok_and(|about| about.is_file())
}

/// Removes the directory of a demo. Another one is refused, and nothing of it is touched.
pub fn remove(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("there is no {shown}: nothing to remove; name another directory with --data")
        }
        Err(error) => return Err(error).with_context(|| format!("cannot look at {shown}")),
        Ok(about) => {
            ensure!(
                about.is_dir(),
                "{shown} is not a directory: `usher demo --remove` removes only a demo directory"
            )
        }
    }
    ensure!(
        is_marked(path),
        "{shown} is not a demo directory: it lacks the file {MARKER}, which `usher demo` creates. Nothing was removed"
    );
    let Some(data) = DataDir::hold(path)? else {
        bail!("an Usher server is using {shown}: stop it first");
    };
    start::sweep(&data)?;
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.with_context(|| format!("cannot look into {shown}"))?;
    let other = entries.iter().map(fs::DirEntry::file_name).find(|name| {
        name != MARKER && !name.to_str().is_some_and(|name| OWN.iter().any(|own| name.starts_with(own)))
    });
    if let Some(other) = other {
        bail!(
            "{} in {shown} is not part of a demo: move it away first. Nothing was removed",
            other.display()
        );
    }
    // The marker last: after a kill in between the same command does the rest.
    for entry in entries.iter().filter(|entry| entry.file_name() != MARKER) {
        let at = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_folder { fs::remove_dir_all(&at) } else { fs::remove_file(&at) };
        removed.with_context(|| format!("cannot remove {}", at.display()))?;
    }
    drop(data);
    let at = path.join(MARKER);
    fs::remove_file(&at).with_context(|| format!("cannot remove {}", at.display()))?;
    fs::remove_dir(path).with_context(|| format!("cannot remove {shown}"))
}
