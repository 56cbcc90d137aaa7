//! `usher doctor`: a line for what is wrong, a line for what to do, and an exit code.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::process::{Process, directory, key, lines, usher};

fn asked(dir: &Path) -> (Option<i32>, String) {
    let output = usher(dir, &["doctor"]).output().expect("the program runs");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    (output.status.code(), said + &String::from_utf8_lossy(&output.stderr))
}

/// A directory with a backup, in which nothing is wrong.
fn well() -> TempDir {
    let dir = directory();
    set_mode(dir.path(), 0o700);
    key(dir.path(), "main");
    lines(dir.path(), &["backup", &dir.path().join("backups").to_string_lossy()]);
    dir
}

/// Each finding has a line with what to do after it.
#[track_caller]
fn finds(dir: &Path, what: &str, todo: &str) {
    let (code, said) = asked(dir);
    assert_eq!(code, Some(1), "{said}");
    let found: Vec<&str> = said.lines().collect();
    assert!(
        found.len().is_multiple_of(2)
            && found.chunks(2).all(|two| two[0].starts_with("WRONG  ") && two[1].starts_with("   do  ")),
        "{said}"
    );
    assert!(found.chunks(2).any(|two| two[0].contains(what) && two[1].contains(todo)), "{what}: {said}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn where_nothing_is_wrong_it_says_so_with_and_without_a_server() {
    let dir = well();
    let good = (Some(0), "good   nothing is wrong\n".to_owned());
    assert_eq!(asked(dir.path()), good);
    let server = Process::start(dir.path());
    assert_eq!(asked(dir.path()), good);
    assert!(server.terminate().success());
}

#[test]
fn what_others_may_open_is_told() {
    let dir = well();
    for (name, open, tight) in
        [("", 0o755, 0o700), ("secrets", 0o750, 0o700), ("secrets/store.key", 0o644, 0o600)]
    {
        let at = dir.path().join(name);
        set_mode(&at, open);
        finds(dir.path(), &format!("(its mode is 0{open:o})"), &format!("chmod {tight:o}"));
        set_mode(&at, tight);
        assert_eq!(asked(dir.path()).0, Some(0));
    }
}

#[test]
fn secrets_beside_the_data_and_missing_backups_are_told() {
    let dir = well();
    let beside = dir.path().join("recovery-key.txt");
    fs::write(&beside, "AGE-SECRET-KEY-1").expect("a file");
    set_mode(&beside, 0o600);
    finds(dir.path(), "the recovery key is stored beside the data", "another machine");
    let (_, said) = asked(dir.path());
    assert!(!said.contains("AGE-SECRET"), "{said}");
    fs::remove_file(beside).expect("moved away");
    fs::write(dir.path().join("setup-link.txt"), "old").expect("a file");
    set_mode(&dir.path().join("setup-link.txt"), 0o600);
    finds(dir.path(), "left from a crashed server", "rm ");
    fs::remove_file(dir.path().join("setup-link.txt")).expect("removed");
    let backups = dir.path().join("backups");
    let made = fs::read_dir(&backups).expect("a folder").next().expect("a backup").expect("an entry").path();
    let aside = dir.path().join("aside");
    fs::rename(&made, &aside).expect("a move");
    finds(dir.path(), "there is no valid backup", "--backup-every 24");
    // One that does not read is none.
    fs::write(&made, "no backup").expect("a file");
    finds(dir.path(), "there is no valid backup", "--backup-every 24");
    fs::rename(aside, made).expect("a move back");
    let (code, said) = asked(dir.path());
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_verify_finds_is_told_with_what_to_do() {
    let dir = well();
    let conn = rusqlite::Connection::open(dir.path().join("usher.db")).expect("the file opens");
    conn.execute_batch("UPDATE projects SET late_events = -1").expect("a change");
    drop(conn);
    finds(dir.path(), "projects, row 1: late_events is out of its range", "usher restore");
    let key = dir.path().join("signing.pub");
    fs::rename(&key, dir.path().join("aside")).expect("a move");
    finds(dir.path(), "signing key: cannot read", "from the same copy");
}

#[test]
fn what_a_server_says_of_itself_is_told() {
    let dir = well();
    let server = Process::start(dir.path());
    let ledger = dir.path().join("erasures.ledger");
    fs::rename(&ledger, dir.path().join("aside")).expect("a move");
    finds(dir.path(), "the server is not ready: erasures.ledger", "/readyz");
    fs::rename(dir.path().join("aside"), &ledger).expect("a move back");
    assert!(server.terminate().success());
}

#[test]
fn a_database_that_was_lost_is_told() {
    let dir = well();
    fs::remove_file(dir.path().join("usher.db")).expect("removed");
    finds(dir.path(), "usher.db is missing", "usher restore");
}

#[test]
fn where_there_is_nothing_it_cannot_tell() {
    let dir = directory();
    let (code, said) = asked(dir.path());
    assert!(code == Some(2) && said.contains("there is no usher.db"), "{code:?} {said}");
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 0, "something was made");
}
