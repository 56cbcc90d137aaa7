//! `usher verify` of a whole directory: good where it is good, and whatever was tampered
//! with is found and named.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::process::{Process, begin, directory, key, lines, sqlite, usher};
use crate::restore::{House, wait_for_proof};

const CHECKS: [&str; 11] = [
    "signing key",
    "receipts",
    "audit log",
    "ledger of erasures",
    "receipts in the ledger",
    "database",
    "numbers",
    "free space",
    "traces of the erased",
    "backups",
    "leftovers",
];

/// The exit code, and the lines.
fn verify(dir: &Path) -> (Option<i32>, String) {
    let output = usher(dir, &["verify"]).output().expect("the program runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
}

#[track_caller]
fn good(dir: &Path) -> String {
    let (code, said) = verify(dir);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.lines().count(), CHECKS.len(), "{said}");
    for (line, check) in said.lines().zip(CHECKS) {
        assert!(line.starts_with(&format!("good   {check}: ")), "{check}: {said}");
    }
    said
}

fn in_folder(folder: &Path, nth: usize) -> PathBuf {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = entries.collect();
    paths.sort();
    paths.swap_remove(nth)
}

/// A directory with erasures, receipts, keys, backups.
fn lived_in() -> (TempDir, String) {
    let dir = directory();
    let path = dir.path();
    let key = key(path, "main");
    lines(path, &["key", "create", "--org", "--name", "spare"]);
    let house = House::open(path, &key, &[]);
    for name in ["ann-the-erased", "ben-the-hidden", "cat-the-erased", "dan-the-living"] {
        house.did(name, "Old History");
    }
    house.erase(path, "ann-the-erased");
    lines(path, &["backup", &path.join("backups").to_string_lossy()]);
    house.erase(path, "cat-the-erased");
    house.delete("ben-the-hidden", "");
    assert!(house.server.terminate().success());
    (dir, key)
}

fn copy_of(dir: &Path) -> TempDir {
    let copy = directory();
    copy_folder(dir, copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).expect("a folder");
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file");
        }
    }
}

#[test]
fn a_used_directory_is_good_and_verify_changes_nothing() {
    let (dir, key) = lived_in();
    let before = fs::read(dir.path().join("usher.db")).expect("a file");
    let said = good(dir.path());
    assert_eq!(fs::read(dir.path().join("usher.db")).expect("a file"), before);
    for words in ["receipts: 2 in one chain", "2 found at their positions", "1 opened and complete"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let texts = said.lines().find(|line| line.contains("traces")).expect("a line");
    assert!(texts.contains("values of 2 erasures") && !texts.contains("for 0 values"), "{texts}");
    let house = House::open(dir.path(), &key, &[]);
    house.did("eve-the-late", "Came Later");
    good(dir.path());
    house.server.kill();
    // What a kill has left is in the WAL.
    house_is_good_after_a_kill(dir.path());
    // After a restore, which loses rows of the audit log that receipts name.
    let backup = in_folder(&dir.path().join("backups"), 0);
    lines(dir.path(), &["restore", &backup.to_string_lossy()]);
    let said = good(dir.path());
    assert!(said.contains("1 replaced by restores"), "{said}");
}

fn house_is_good_after_a_kill(dir: &Path) {
    good(dir);
    let server = Process::start(dir);
    wait_for_proof(dir);
    server.kill();
    good(dir);
}

/// Something that is done to a directory.
type Deed = fn(&Path);

fn flip(path: &Path, at: impl Fn(&[u8]) -> usize) {
    let mut bytes = fs::read(path).expect("a file");
    let at = at(&bytes);
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("a file");
}

fn at_text(text: &'static str) -> impl Fn(&[u8]) -> usize {
    move |bytes| {
        let found = bytes.windows(text.len()).position(|window| window == text.as_bytes());
        found.expect("the text") + text.len()
    }
}

fn sql(dir: &Path, sql: &str) {
    let conn: Connection = sqlite(dir);
    conn.execute_batch("PRAGMA foreign_keys = OFF").expect("a pragma");
    assert!(conn.execute(sql, []).expect("it runs") > 0, "{sql}");
}

fn put_row(dir: &Path, seq: i64) {
    sql(
        dir,
        &format!(
            "INSERT INTO audit (seq, at, actor, action, hash)
             VALUES ({seq}, 1, 'admin 1', 'view user', zeroblob(32))"
        ),
    );
}

/// A copy of a database that a kill has left.
fn leave(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    fs::write(folder.join("usher.db"), "SQLite format 3\0 of cat-the-erased").expect("a file");
}

/// A page of rows with room in it: its number and the room's end.
fn room(bytes: &[u8]) -> (usize, usize) {
    let pages = bytes.chunks_exact(4096).enumerate().skip(1);
    let fit = pages.filter(|(_, page)| page[0] == 13).find_map(|(number, page)| {
        let two = |at: usize| usize::from(u16::from_be_bytes([page[at], page[at + 1]]));
        (two(5) > 8 + 2 * two(3) + 200).then(|| (number, two(5)))
    });
    fit.expect("a page with room")
}

#[test]
fn whatever_was_tampered_with_is_found_and_named() {
    let (dir, _) = lived_in();
    let deeds: [(&str, &str, Deed); 29] = [
        ("receipts", "signature", |dir| {
            flip(&in_folder(&dir.join("receipts"), 0), at_text("\"mentions\":"));
        }),
        ("receipts", "receipt 1 is missing", |dir| {
            fs::remove_file(in_folder(&dir.join("receipts"), 0)).expect("a file");
        }),
        ("receipts", "the end of the chain is missing", |dir| {
            fs::remove_file(in_folder(&dir.join("receipts"), 1)).expect("a file");
        }),
        ("audit log", "row 3 was changed", |dir| {
            sql(dir, "UPDATE audit SET actor = 'mallory' WHERE seq = 3")
        }),
        ("audit log", "the hash of row 3", |dir| {
            sql(dir, "UPDATE audit SET hash = zeroblob(32) WHERE seq = 3");
        }),
        ("audit log", "row 3 is missing", |dir| sql(dir, "DELETE FROM audit WHERE seq = 3")),
        ("audit log", "its tail was cut", |dir| {
            sql(dir, "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)");
        }),
        ("audit log", "signature of the head", |dir| {
            sql(dir, "UPDATE audit_heads SET at = at + 1 WHERE seq = (SELECT max(seq) FROM audit_heads)");
        }),
        ("audit log", "row 0 ", |dir| put_row(dir, 0)),
        ("audit log", "row -1 ", |dir| put_row(dir, -1)),
        ("audit log", "row -9223372036854775808 ", |dir| put_row(dir, i64::MIN)),
        ("ledger of erasures", "line 2", |dir| {
            flip(&dir.join("erasures.ledger"), |bytes| {
                bytes.iter().position(|byte| *byte == b'\n').expect("a line") + 20
            });
        }),
        ("ledger of erasures", "the tail is cut off", |dir| {
            let path = dir.join("erasures.ledger");
            let text = fs::read_to_string(&path).expect("text");
            let short = text.lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
            fs::write(path, short).expect("a file");
        }),
        ("ledger of erasures", "is not the one that was recorded", |dir| {
            sql(dir, "UPDATE ledger_mark SET head = zeroblob(32)");
        }),
        ("receipts in the ledger", "receipt 1 names entry", |dir| {
            let path = dir.join("erasures.ledger");
            let text = fs::read_to_string(&path).expect("text");
            let first = text.lines().next().expect("a header");
            fs::write(path, format!("{first}\n")).expect("a file");
        }),
        ("free space", "has data in its free space", |dir| {
            let path = dir.join("usher.db");
            let (number, end) = room(&fs::read(&path).expect("a file"));
            let file = fs::OpenOptions::new().write(true).open(path).expect("a file");
            file.write_all_at(b"left over", (number * 4096 + end - 60) as u64).expect("bytes");
        }),
        ("traces of the erased", "gap", |dir| {
            let path = dir.join("usher.db");
            let (number, end) = room(&fs::read(&path).expect("a file"));
            let file = fs::OpenOptions::new().write(true).open(path).expect("a file");
            file.write_all_at(b"ann-the-erased", (number * 4096 + end - 60) as u64).expect("bytes");
        }),
        ("traces of the erased", "notes.txt", |dir| {
            fs::write(dir.join("notes.txt"), "do not forget cat-the-erased").expect("a file");
        }),
        ("traces of the erased", "backups/.copy-0badcafe/usher.db", |dir| {
            leave(&dir.join("backups/.copy-0badcafe"));
        }),
        ("traces of the erased", ".unpacked-0badcafe/usher.db", |dir| leave(&dir.join(".unpacked-0badcafe"))),
        ("traces of the erased", "notes.txt", |dir| {
            // Of one whose erasure failed.
            sql(dir, "UPDATE jobs SET status = 'failed', error = 'disk I/O error' WHERE id = 2");
            fs::write(dir.join("notes.txt"), "do not forget cat-the-erased").expect("a file");
        }),
        ("traces of the erased", "1 erasure failed and needs attention: job 2", |dir| {
            sql(dir, "UPDATE jobs SET status = 'failed', error = 'disk I/O error' WHERE id = 2");
        }),
        (
            "leftovers",
            "backups/.copy-0badcafe is an unencrypted leftover from a crash: the next start",
            |dir| {
                leave(&dir.join("backups/.copy-0badcafe"));
            },
        ),
        ("leftovers", ".unpacked-0badcafe is", |dir| leave(&dir.join(".unpacked-0badcafe"))),
        ("leftovers", "usher.db.before-restore is", |dir| {
            fs::copy(dir.join("usher.db"), dir.join("usher.db.before-restore")).map(drop).expect("a copy");
        }),
        ("backups", "is damaged", |dir| {
            flip(&in_folder(&dir.join("backups"), 0), |bytes| bytes.len() / 2);
        }),
        ("database", "refer to rows of users", |dir| sql(dir, "DELETE FROM users WHERE state = 'live'")),
        ("database", "", |dir| {
            // An index that lacks what its table has.
            let conn = sqlite(dir);
            conn.execute_batch(
                "PRAGMA writable_schema = ON;
                 UPDATE sqlite_schema SET sql = 'CREATE INDEX users_hidden ON users (created_at)'
                     WHERE name = 'users_hidden'",
            )
            .expect("a change");
        }),
        ("signing key", "does not match", |dir| {
            let other = directory();
            begin(other.path());
            fs::copy(other.path().join("signing.pub"), dir.join("signing.pub")).expect("a copy");
        }),
    ];
    for (check, words, deed) in deeds {
        let copy = copy_of(dir.path());
        deed(copy.path());
        let (code, said) = verify(copy.path());
        assert_eq!(code, Some(1), "{check}, {words}: {said}");
        let wrong = format!("WRONG  {check}: ");
        let begin = said.find(&wrong).unwrap_or_else(|| panic!("{check}, {words}: {said}"));
        let rest = &said[begin..];
        let end = rest.find("\ngood").unwrap_or(rest.len());
        assert!(rest[..end].contains(words), "{check}, {words}: {said}");
    }
    good(dir.path());
}

#[test]
fn what_is_no_directory_of_ushers_is_told_so() {
    let dir = directory();
    let nowhere = dir.path().join("nowhere");
    let output = usher(&nowhere, &["verify"]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no usher.db"));
    assert!(!nowhere.exists());
}

#[test]
fn a_start_removes_what_a_kill_has_left() {
    let (dir, _) = lived_in();
    leave(&dir.path().join("backups/.copy-0badcafe"));
    leave(&dir.path().join(".unpacked-0badcafe"));
    assert_eq!(verify(dir.path()).0, Some(1));
    lines(dir.path(), &["project", "list"]);
    good(dir.path());
}

/// The numbers of the receipts that are there.
fn numbers(dir: &Path) -> Vec<u64> {
    let entries = fs::read_dir(dir.join("receipts")).expect("receipts");
    let number = |name: String| name.split('-').next().and_then(|number| number.parse().ok());
    let mut numbers: Vec<u64> = entries
        .filter_map(|entry| number(entry.expect("an entry").file_name().into_string().ok()?))
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn the_number_of_a_receipt_that_was_cut_off_is_not_used_again() {
    let (dir, key) = lived_in();
    let path = dir.path();
    assert_eq!(numbers(path), [1, 2]);
    fs::remove_file(in_folder(&path.join("receipts"), 1)).expect("a file");
    let house = House::open(path, &key, &[]);
    house.erase(path, "dan-the-living");
    assert!(house.server.terminate().success());
    assert_eq!(numbers(path), [1, 3]);
    let (code, said) = verify(path);
    assert!(code == Some(1) && said.contains("WRONG  receipts: receipt 2 is missing"), "{said}");
    // All of them.
    for nth in [1, 0] {
        fs::remove_file(in_folder(&path.join("receipts"), nth)).expect("a file");
    }
    let house = House::open(path, &key, &[]);
    house.did("eve-the-late", "Came Later");
    house.erase(path, "eve-the-late");
    assert!(house.server.terminate().success());
    assert_eq!(numbers(path), [4]);
    let (code, said) = verify(path);
    assert!(code == Some(1) && said.contains("receipts 1 to 3 are missing"), "{said}");
}

#[test]
fn a_backup_of_another_installation_is_named() {
    let (dir, _) = lived_in();
    let other = directory();
    begin(other.path());
    let backups = dir.path().join("backups");
    let own = in_folder(&backups, 0);
    let foreign = lines(other.path(), &["backup", &other.path().join("backups").to_string_lossy()]).remove(0);
    good(dir.path());
    fs::copy(foreign, &own).expect("a file");
    let (code, said) = verify(dir.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("WRONG  backups: ") && said.contains("belongs to another installation"), "{said}");
    let output = usher(dir.path(), &["doctor"]).output().expect("the program runs");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(said.contains("belongs to another installation"), "{said}");
}

#[test]
fn numbers_that_are_not_the_newest_are_named() {
    let (dir, _) = lived_in();
    let path = dir.path().join("numbers");
    let whole = fs::read_to_string(&path).expect("a file");
    let other = directory();
    begin(other.path());
    let foreign = fs::read_to_string(other.path().join("numbers")).expect("a file");
    let first = whole.lines().next().expect("a line");
    let cases: [(&str, Option<String>); 6] = [
        ("missing", None),
        ("empty", Some(String::new())),
        ("zeros", Some("\0".repeat(whole.len()))),
        ("cut", Some(first[..first.len() - 1].to_owned())),
        ("foreign", Some(foreign)),
        ("a strange line", Some(format!("{whole}ann 3\n"))),
    ];
    for (what, text) in cases {
        match text {
            Some(text) => fs::write(&path, text).expect("a file"),
            None => fs::remove_file(&path).expect("a file"),
        }
        let (code, said) = verify(dir.path());
        assert_eq!(code, Some(1), "{what}: {said}");
        assert!(said.contains("WRONG  numbers: "), "{what}: {said}");
    }
    // What a stop has cut of the last line is no fault, nor is a number that nobody has.
    fs::write(&path, format!("{whole}job 9999\nkey 1")).expect("a file");
    good(dir.path());
    fs::write(&path, "").expect("a file");
    begin(dir.path());
    good(dir.path());
}
