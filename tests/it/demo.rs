//! `usher demo`: a directory of its own, which can be removed again, and nothing else can.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::{Process, check_file, directory, lines, refused, sqlite, usher};

const SMALL: [&str; 5] = ["demo", "--users", "200", "--heavy", "0"];

/// The program in a folder, without a word about where its data is.
fn at(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    command.args(args).current_dir(folder).env("USHER_DATA", "of-the-real-users");
    command.output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    found.sort();
    found
}

#[test]
fn a_demo_has_a_directory_of_its_own() {
    let folder = directory();
    let made = at(folder.path(), &SMALL);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let data = folder.path().join("usher-demo");
    assert_eq!(files(folder.path()), [data.as_path()]);
    // A line for each step, as standard error is no terminal.
    let steps = text(&made.stderr);
    assert!(steps.lines().count() == 3 && steps.starts_with("Creating the project demo"), "{steps}");
    let said = text(&made.stdout);
    assert!(said.ends_with("next: usher serve --data usher-demo\n"), "{said}");
    check_file(&data);
    let verified = usher(&data, &["verify"]).output().expect("it runs");
    assert!(verified.status.success(), "{}", text(&verified.stdout));
    // The same after a server has finished what was at work.
    let server = Process::start(&data);
    assert!(server.terminate().success());
    assert!(usher(&data, &["verify"]).output().expect("it runs").status.success());

    let again = at(folder.path(), &SMALL);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("--remove"), "{}", text(&again.stderr));
    let removed = at(folder.path(), &["demo", "--remove"]);
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    assert!(files(folder.path()).is_empty());
    let again = at(folder.path(), &["demo", "--remove"]);
    assert!(!again.status.success() && text(&again.stderr).contains("nothing to remove"));
}

#[test]
fn names_in_a_demos_addresses_are_spelled_right() {
    let dir = directory();
    let data = dir.path().join("demo");
    lines(&data, &SMALL);
    let conn = sqlite(&data);
    let mut statement = conn
        .prepare("SELECT first_name, last_name, identifier FROM users WHERE first_name IS NOT NULL")
        .expect("a statement");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
    let plain = |name: &str| {
        let from = ["ã", "á", "é", "ë", "í", "ø", "ř", "'"];
        let to = ["a", "a", "e", "e", "i", "o", "r", ""];
        from.iter().zip(to).fold(name.to_lowercase(), |name, (from, to)| name.replace(from, to))
    };
    let mut accented = 0;
    for row in rows {
        let (first, last, identifier): (String, String, Option<String>) = row.expect("a row");
        let Some(identifier) = identifier else { continue };
        let start = format!("{}.{}", plain(&first), plain(&last));
        assert!(start.is_ascii() && identifier.starts_with(&start), "{first} {last}: {identifier}");
        accented += usize::from(!first.is_ascii() || !last.is_ascii());
    }
    assert!(accented > 10, "{accented}");
}

#[test]
fn a_demo_shows_no_failure_that_it_made_up() {
    let dir = directory();
    let server = Process::start(dir.path());
    lines(dir.path(), &SMALL);
    let conn = sqlite(dir.path());
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    assert_eq!(count("SELECT COUNT(*) FROM jobs WHERE status = 'failed' OR error IS NOT NULL"), 0);
    for status in ["scheduled", "completed", "cancelled"] {
        assert!(count(&format!("SELECT COUNT(*) FROM jobs WHERE status = '{status}'")) > 0, "{status}");
    }
    drop(conn);
    // It is the directory of real users: nothing here is a demo's to remove.
    let why = refused(dir.path(), &["demo", "--remove"]);
    assert!(why.contains("not a demo directory"), "{why}");
    drop(server);
}

#[test]
fn only_a_demos_directory_is_removed() {
    let dir = directory();
    let data = dir.path().join("demo");
    lines(&data, &SMALL);
    let kept = files(&data);

    let server = Process::start(&data);
    let why = refused(&data, &["demo", "--remove"]);
    assert!(why.contains("stop it first"), "{why}");
    assert!(server.terminate().success());

    fs::write(data.join("thesis.txt"), "mine").expect("a file");
    let why = refused(&data, &["demo", "--remove"]);
    assert!(why.contains("thesis.txt") && why.contains("Nothing was removed"), "{why}");
    fs::remove_file(data.join("thesis.txt")).expect("a file");

    let link = dir.path().join("link");
    symlink(&data, &link).expect("a link");
    assert!(refused(&link, &["demo", "--remove"]).contains("is not a directory"));

    let marker = data.join("usher-demo.txt");
    let away = dir.path().join("away");
    fs::rename(&marker, &away).expect("a move");
    assert!(refused(&data, &["demo", "--remove"]).contains("usher-demo.txt"));
    fs::rename(&away, &marker).expect("a move");
    for path in &kept {
        assert!(path.exists(), "{} was removed", path.display());
    }
    // The twin.
    assert_eq!(lines(&data, &["demo", "--remove"]), [format!("removed {}", data.display())]);
    assert!(!data.exists());
}

/// A folder with other files never becomes a demo's.
#[test]
fn a_folder_that_was_there_is_never_removed() {
    let dir = directory();
    fs::write(dir.path().join("thesis.txt"), "mine").expect("a file");
    lines(dir.path(), &SMALL);
    fs::remove_file(dir.path().join("thesis.txt")).expect("a file");
    assert!(refused(dir.path(), &["demo", "--remove"]).contains("not a demo directory"));
    assert!(dir.path().join("usher.db").exists());
    let flags = usher(dir.path(), &["demo", "--remove", "--users", "50"]).output().expect("it runs");
    assert_eq!(flags.status.code(), Some(2));
}
