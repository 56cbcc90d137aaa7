//! Copies of backups: the thread that makes them, commands that take them, and what needs a
//! process of its own. The files themselves are in `tests/quick/archive.rs`.

mod child;
mod commands;
mod copier;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A program for `/bin/sh`.
pub fn script(path: &Path, body: &str) {
    // Written aside: a program that is open for writing does not run.
    let draft = path.with_extension("draft");
    fs::write(&draft, format!("#!/bin/sh\n{body}")).expect("a script");
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o700)).expect("a mode");
    fs::rename(&draft, path).expect("a name");
}
