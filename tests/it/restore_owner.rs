//! Root works on the directory of a service that runs as somebody else as that one.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::process::{directory, lines, usher};
use crate::restore_kills::{Shelf, shim};

/// Somebody who is not root, and need not have a name.
const UID: u32 = 64_206;
const GID: u32 = 64_207;

/// A directory of theirs, and the program where they may run it. None: the tests do not run as root.
fn theirs() -> Option<(TempDir, TempDir, PathBuf)> {
    let (machine, tools) = (directory(), directory());
    if chown(machine.path(), Some(UID), Some(GID)).is_err() {
        assert!(std::env::var("CI").is_err(), "only root gives files away, and the tests do not run as root");
        eprintln!("SKIPPED: only root gives files away");
        return None;
    }
    let program = tools.path().join("usher");
    fs::copy(env!("CARGO_BIN_EXE_usher"), &program).expect("a copy");
    fs::set_permissions(tools.path(), PermissionsExt::from_mode(0o755)).expect("a mode");
    Some((machine, tools, program))
}

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

/// As the directory's owner.
fn project_list(program: &Path, dir: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(["project", "list", "--data"]).arg(dir).uid(UID).gid(GID);
    command.output().expect("the program runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn check(dir: &Path, program: &Path) {
    for path in all(dir) {
        let about = path.symlink_metadata().expect("a file");
        assert_eq!((about.uid(), about.gid()), (UID, GID), "{}", path.display());
    }
    let output = project_list(program, dir);
    assert!(output.status.success(), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\tdefault"));
}

#[test]
fn what_root_restores_belongs_to_the_directorys_owner() {
    let Some((machine, _tools, program)) = theirs() else { return };
    let shelf = Shelf::new();
    // Twice: also over the database that is there.
    for _ in 0..2 {
        let restored = shelf.restore(machine.path(), None);
        assert!(restored.status.success(), "{}", said(&restored));
        check(machine.path(), &program);
    }
}

#[test]
fn what_the_owner_cannot_read_is_named_with_the_way_out() {
    let Some((machine, _tools, _)) = theirs() else { return };
    let shelf = Shelf::new();
    shelf.hide();
    let refused = shelf.restore(machine.path(), None);
    let words = said(&refused);
    assert!(!refused.status.success(), "{words}");
    assert!(words.contains("as its owner, user 64206") && words.contains("(chown)"), "{words}");
}

/// Until the new database is there.
#[test]
fn a_killed_restore_of_roots_leaves_nothing_that_is_roots() {
    let Some((_machine, tools, program)) = theirs() else { return };
    let (shim, shelf) = (shim(tools.path()), Shelf::new());
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
        let said = said(&output);
        eprintln!("step {at}: {said}");
        assert!(!said.contains("ermission"), "step {at}: {said}");
    }
    assert!(at > 10, "only {at} steps: nothing was killed");
}

/// A first backup makes keys, which the service reads with the next one.
#[test]
fn what_another_command_of_roots_makes_is_the_owners_too() {
    let Some((machine, tools, program)) = theirs() else { return };
    let dir = machine.path();
    let shelf = directory();
    chown(shelf.path(), Some(UID), Some(GID)).expect("a change");
    lines(dir, &["demo", "--users", "50", "--heavy", "0"]);
    lines(dir, &["backup", &shelf.path().to_string_lossy()]);
    check(dir, &program);
    drop(tools);
}

/// In place of each file that Usher makes, the owner puts a link to a file of root's.
#[test]
fn a_link_of_the_owners_leads_root_nowhere() {
    let Some((machine, _tools, _)) = theirs() else { return };
    let dir = machine.path();
    lines(dir, &["demo", "--users", "50", "--heavy", "0"]);
    let (shelf, roots) = (directory(), directory());
    chown(shelf.path(), Some(UID), Some(GID)).expect("a change");
    lines(dir, &["backup", &shelf.path().to_string_lossy()]);
    let victim = roots.path().join("victim");
    let mut names: Vec<PathBuf> = all(dir).into_iter().filter(|path| path.is_file()).collect();
    let drafts = ["usher.lock", "reserve", ".recovery-key.txt.new", ".numbers.new", ".erasures.ledger.new"];
    let secrets = [".recovery.pub.part", ".backup.key.part", ".store.key.new", ".ledger.head.new"];
    names.extend(drafts.map(|name| dir.join(name)));
    names.extend(secrets.map(|name| dir.join("secrets").join(name)));
    for name in names {
        let aside = name.with_extension("aside");
        let is_there = name.exists();
        if is_there {
            fs::rename(&name, &aside).expect("a change");
        }
        fs::write(&victim, "root's").expect("a file");
        fs::set_permissions(&victim, PermissionsExt::from_mode(0o600)).expect("a mode");
        symlink(&victim, &name).expect("a link");
        let _ = usher(dir, &["backup", &shelf.path().to_string_lossy()]).output().expect("the program runs");
        let about = fs::metadata(&victim).expect("it is still there");
        assert_eq!((about.uid(), about.mode() & 0o777), (0, 0o600), "{}", name.display());
        assert_eq!(fs::read_to_string(&victim).expect("a text"), "root's", "{}", name.display());
        let _ = fs::remove_file(&name);
        if is_there {
            fs::rename(&aside, &name).expect("a change");
        }
    }
}

/// The data directory itself is a link of the owner's, to a folder of root's that everybody may write to.
#[test]
fn a_directory_that_is_a_link_leads_root_nowhere() {
    let Some((machine, tools, program)) = theirs() else { return };
    let roots = directory();
    fs::set_permissions(roots.path(), PermissionsExt::from_mode(0o1777)).expect("a mode");
    let victim = tools.path().join("victim");
    fs::write(&victim, "root's").expect("a file");
    fs::set_permissions(&victim, PermissionsExt::from_mode(0o660)).expect("a mode");
    fs::create_dir(roots.path().join("secrets")).expect("a folder");
    symlink(&victim, roots.path().join("secrets/.store.key.new")).expect("a link");
    let data = machine.path().join("data");
    symlink(roots.path(), &data).expect("a link");
    std::os::unix::fs::lchown(&data, Some(UID), Some(0)).expect("a change");
    chown(machine.path(), Some(UID), Some(0)).expect("a change");
    let mut command = Command::new(&program);
    command.args(["demo", "--users", "50", "--heavy", "0", "--data"]).arg(&data);
    let _ = command.output().expect("the program runs");
    assert_eq!(fs::read_to_string(&victim).expect("a text"), "root's");
    let made = all(roots.path()).into_iter().filter(|path| path.is_file());
    for path in made.filter(|path| !path.ends_with(".store.key.new")) {
        let about = path.symlink_metadata().expect("a file");
        assert!(about.uid() == UID && about.gid() != 0, "{}", path.display());
    }
}

/// Either could lead root where the other may not go.
#[test]
fn a_way_through_folders_of_two_users_is_refused() {
    let Some((machine, _tools, _)) = theirs() else { return };
    let inner = machine.path().join("data");
    fs::create_dir(&inner).expect("a folder");
    chown(&inner, Some(UID + 1), Some(GID)).expect("a change");
    let output = usher(&inner, &["project", "list"]).output().expect("the program runs");
    assert!(said(&output).contains("user 64206 and of user 64207"), "{}", said(&output));
}
