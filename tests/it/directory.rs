//! What a data directory must have, and which commands make one.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::process::{Process, begin, directory, key, lines, refused, usher};
use crate::restore::{House, wait_for_proof};

/// Every command that works on a directory, and makes none.
const COMMANDS: [&[&str]; 8] = [
    &["project", "list"],
    &["project", "create", "shop"],
    &["key", "list"],
    &["key", "create", "--org", "--name", "k"],
    &["key", "revoke", "1"],
    &["admin", "create", "mia"],
    &["verify"],
    &["backup", "/"],
];

fn refuses(dir: &Path, args: &[&str]) -> String {
    let output = usher(dir, args).stdin(Stdio::null()).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{args:?} should have been refused");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_command_makes_no_data_directory_and_says_what_makes_one() {
    let dir = directory();
    let (nowhere, empty) = (dir.path().join("nowhere"), dir.path().join("empty"));
    fs::create_dir(&empty).expect("a folder");
    for args in COMMANDS {
        for place in [&nowhere, &empty] {
            let why = refuses(place, args);
            for words in [&*place.to_string_lossy(), "`usher serve`", "--data"] {
                assert!(why.contains(words), "{args:?}, {words}: {why}");
            }
        }
        assert!(!nowhere.exists() && names(&empty).is_empty(), "{args:?} made something");
    }
    // A start does, and then they work.
    begin(&nowhere);
    assert_eq!(lines(&nowhere, &["project", "list"]).len(), 1);
}

#[test]
fn a_demo_makes_a_data_directory() {
    let dir = directory();
    let new = dir.path().join("new");
    lines(&new, &["demo", "--users", "50", "--heavy", "0"]);
    assert_eq!(lines(&new, &["project", "list"]).len(), 2);
}

#[test]
fn a_backup_goes_into_no_folder_that_is_not_there_but_its_own() {
    let (dir, place) = (directory(), directory());
    begin(dir.path());
    let (missing, file) = (place.path().join("not-mounted"), place.path().join("file"));
    fs::write(&file, "").expect("a file");
    for with_a_server in [false, true] {
        let server = with_a_server.then(|| Process::start(dir.path()));
        for folder in [&missing, &missing.join("deeper"), &file] {
            let why = refused(dir.path(), &["backup", &folder.to_string_lossy()]);
            assert!(why.contains(&*folder.to_string_lossy()) && why.contains("create it"), "{why}");
        }
        assert_eq!(names(place.path()), ["file"]);
        let own = dir.path().join("backups");
        if own.exists() {
            fs::remove_dir_all(&own).expect("a folder");
        }
        lines(dir.path(), &["backup", &own.to_string_lossy()]);
        assert_eq!(names(&own).len(), 1);
        drop(server);
    }
}

/// Lived in, with a receipt and a backup.
fn lived_in() -> (tempfile::TempDir, String, String) {
    let dir = directory();
    let path = dir.path();
    let key = key(path, "main");
    let house = House::open(path, &key, &[]);
    house.did("ann-the-erased", "Old History");
    house.did("dan-the-living", "Old History");
    let backup = lines(path, &["backup", &path.join("backups").to_string_lossy()]).remove(0);
    house.erase(path, "ann-the-erased");
    assert!(house.server.terminate().success());
    (dir, key, backup)
}

#[test]
fn a_lost_database_is_not_begun_anew_beside_its_ledger() {
    let (dir, key, backup) = lived_in();
    let path = dir.path();
    for how in ["is missing", "is empty"] {
        fs::remove_file(path.join("usher.db")).expect("a file");
        if how == "is empty" {
            fs::write(path.join("usher.db"), "").expect("a file");
        }
        let before = names(path);
        let serve: &[&str] = &["serve", "--listen", "127.0.0.1:0"];
        let demo: &[&str] = &["demo", "--users", "50"];
        for args in COMMANDS.into_iter().chain([serve, demo]) {
            let why = refuses(path, args);
            for words in [
                how,
                "erasures.ledger",
                "receipts",
                "put usher.db back",
                "`usher restore`",
                "start from scratch",
            ] {
                assert!(why.contains(words), "{args:?}, {words}: {why}");
            }
            assert_eq!(names(path), before, "{args:?} made something");
        }
        let output = usher(path, &["verify"]).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.starts_with("WRONG  database: ") && said.contains(how), "{said}");
        lines(path, &["restore", &backup]);
        let house = House::open(path, &key, &[]);
        assert_eq!((house.status("ann-the-erased"), house.status("dan-the-living")), (404, 200));
        wait_for_proof(path);
        assert!(house.server.terminate().success());
        assert!(usher(path, &["verify"]).output().expect("the program runs").status.success());
    }
    // The ways out: each of the two is enough to refuse, and without both a new one begins.
    let kept = fs::read(path.join("usher.db")).expect("a file");
    fs::remove_file(path.join("usher.db")).expect("a file");
    let ledger = fs::read(path.join("erasures.ledger")).expect("a ledger");
    fs::remove_file(path.join("erasures.ledger")).expect("a file");
    let why = refuses(path, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(why.contains("receipts") && !why.contains("erasures.ledger"), "{why}");
    fs::rename(path.join("receipts"), path.join("away")).expect("a move");
    fs::write(path.join("erasures.ledger"), &ledger).expect("a file");
    let why = refuses(path, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(why.contains("erasures.ledger") && !why.contains("receipts"), "{why}");
    fs::rename(path.join("away"), path.join("receipts")).expect("a move");
    fs::write(path.join("usher.db"), kept).expect("a file");
    assert_eq!(lines(path, &["project", "list"]).len(), 1);
    fs::remove_file(path.join("usher.db")).expect("a file");
    fs::remove_file(path.join("erasures.ledger")).expect("a file");
    fs::remove_dir_all(path.join("receipts")).expect("a folder");
    begin(path);
}
