//! What root restores for a service that runs as somebody else.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::{directory, lines};
use crate::restore_kills::{Shelf, shim};

/// Somebody who is not root, and need not have a name.
const UID: u32 = 64_206;
const GID: u32 = 64_207;

/// All there is below a folder, and the folder.
fn all(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        match entry.file_type().expect("a type").is_dir() {
            true => all.extend(self::all(&entry.path())),
            false => all.push(entry.path()),
        }
    }
    all
}

/// The program, where anybody may run it.
fn program(folder: &Path) -> PathBuf {
    let program = folder.join("usher");
    fs::copy(env!("CARGO_BIN_EXE_usher"), &program).expect("a copy");
    fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).expect("a mode");
    program
}

/// As the directory's owner.
fn project_list(program: &Path, dir: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(["project", "list", "--data"]).arg(dir).uid(UID).gid(GID);
    command.output().expect("the program runs")
}

fn check(dir: &Path, program: &Path) {
    for path in all(dir) {
        let about = path.symlink_metadata().expect("a file");
        assert_eq!((about.uid(), about.gid()), (UID, GID), "{}", path.display());
    }
    let output = project_list(program, dir);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\tdefault"));
}

#[test]
fn what_root_restores_belongs_to_whoever_owns_the_directory_who_can_start_on_it() {
    let (machine, tools) = (directory(), directory());
    let dir = machine.path();
    if chown(dir, Some(UID), Some(GID)).is_err() {
        assert!(std::env::var("CI").is_err(), "only root gives files away, and the tests do not run as root");
        eprintln!("SKIPPED: only root gives files away");
        return;
    }
    let program = program(tools.path());
    let shelf = Shelf::new();
    let restored = shelf.restore(dir, None);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    check(dir, &program);
    // Over the database that is there; whatever of ours is root's by then goes back, too. What
    // is not ours stays as it is.
    let theirs = dir.join("lost+found");
    fs::create_dir(&theirs).expect("a folder");
    for path in all(&dir.join("receipts")).into_iter().chain([dir.join("usher.db"), dir.join("ballast")]) {
        lchown(path, Some(0), Some(0)).expect("a change");
    }
    let restored = shelf.restore(dir, None);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(theirs.metadata().expect("a folder").uid(), 0);
    fs::remove_dir(theirs).expect("a folder");
    check(dir, &program);
}

/// Until the new database is there: what comes after is handed over at the end.
#[test]
fn a_restore_of_roots_that_is_killed_leaves_nothing_that_the_owner_cannot_read_or_remove() {
    let (machine, tools) = (directory(), directory());
    let dir = machine.path();
    if chown(dir, Some(UID), Some(GID)).is_err() {
        assert!(std::env::var("CI").is_err(), "only root gives files away, and the tests do not run as root");
        eprintln!("SKIPPED: only root gives files away");
        return;
    }
    let (program, shim, shelf) = (program(tools.path()), shim(tools.path()), Shelf::new());
    let mut at = 0;
    loop {
        at += 1;
        let machine = directory();
        let dir = machine.path();
        chown(dir, Some(UID), Some(GID)).expect("a change");
        if shelf.restore(dir, Some((&shim, at))).status.success() {
            break;
        }
        let output = project_list(&program, dir);
        let said = String::from_utf8_lossy(&output.stderr);
        eprintln!("step {at}: {said}");
        assert!(!said.contains("ermission"), "step {at}: {said}");
    }
    assert!(at > 10, "only {at} steps: nothing was killed");
}

/// A first backup makes keys, which the service reads with the next one.
#[test]
fn what_another_command_of_roots_makes_belongs_to_the_owner_too() {
    let (machine, tools, shelf) = (directory(), directory(), directory());
    let dir = machine.path();
    if chown(dir, Some(UID), Some(GID)).is_err() {
        assert!(std::env::var("CI").is_err(), "only root gives files away, and the tests do not run as root");
        eprintln!("SKIPPED: only root gives files away");
        return;
    }
    lines(dir, &["demo", "--users", "50", "--heavy", "0"]);
    lines(dir, &["backup", &shelf.path().to_string_lossy()]);
    check(dir, &program(tools.path()));
}
