//! `usher import`: with and without a server, from a file as it lies there.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::import_files as files;
use crate::process::{Process, begin, directory, sqlite, usher};

/// What a command printed, and how it ended.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(dir: &Path, args: &[&str]) -> Ended {
    let Output { status, stdout, stderr } =
        usher(dir, &[&["import"], args].concat()).output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// A file beside the data directory.
fn put(dir: &Path, name: &str, bytes: &[u8]) -> String {
    let path = dir.join(name);
    fs::write(&path, bytes).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

fn count(dir: &Path, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    sqlite(dir).query_row(&sql, [], |row| row.get(0)).expect("a count")
}

const TABLE: &[u8] =
    b"id,email,Name,plan,password\n1,ann@example.com,Ann,pro,x\n2,bob@example.com,Bob,free,y\n";

fn goes_through(dir: &Path, files: &Path) {
    let table = put(files, "users.csv", TABLE);
    let done = run(dir, &[&table]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert!(done.err.contains("users.csv: users, a table with the columns id, email"), "{}", done.err);
    assert!(
        done.err.contains("id names the user") && done.err.contains("never taken: password"),
        "{}",
        done.err
    );
    assert!(done.out.contains("new users              2\n"), "{}", done.out);
    assert!(done.out.contains("secrets, left out      2\n"), "{}", done.out);
    let again = run(dir, &[&table]);
    assert_eq!(again.code, Some(0));
    assert!(again.out.contains("was imported before"), "{}", again.out);
    let all = run(dir, &["--json", "--restart", &table]);
    let all: Value = serde_json::from_str(&all.out).expect("JSON");
    assert_eq!((&all["data"]["users"], &all["files"][0]["from"]), (&0.into(), &"users".into()), "{all}");
    let zip = files::zip(&[
        ("1/a.json.gz", files::gzip(&files::amplitude())),
        ("1/b.json.gz", files::gzip(&files::amplitude())),
        ("__MACOSX/1/._a.json", b"junk".to_vec()),
    ]);
    let zip = put(files, "amplitude.zip", &zip);
    let done = run(dir, &[&zip]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert!(done.out.contains("events                 320\n"), "{}", done.out);
    assert!(done.out.contains("duplicates             320\n"), "{}", done.out);
}

#[test]
fn a_file_is_imported_without_a_server() {
    let (dir, files) = (directory(), directory());
    begin(dir.path());
    goes_through(dir.path(), files.path());
    assert_eq!(count(dir.path(), "imports"), 2);
}

#[test]
fn a_file_is_imported_by_a_running_server() {
    let (dir, files) = (directory(), directory());
    let _server = Process::start(dir.path());
    goes_through(dir.path(), files.path());
}

#[test]
fn faults_end_with_5_and_go_to_the_rejects() {
    let (dir, files) = (directory(), directory());
    begin(dir.path());
    let table =
        put(files.path(), "a.csv", b"id,created_at\n1,2026-01-01\n2,soon\n,2026-01-01\n3,2026-01-02\n");
    let rejects = files.path().join("rejects.csv");
    let done = run(dir.path(), &["--rejects", rejects.to_str().expect("UTF-8"), &table]);
    assert_eq!(done.code, Some(5), "{}{}", done.out, done.err);
    assert!(done.out.contains("a.csv line 3 /created_at: must be"), "{}", done.out);
    assert!(done.out.contains("faults                 2\n"), "{}", done.out);
    let text = fs::read_to_string(&rejects).expect("rejects");
    assert_eq!(text, "id,created_at\n2,soon\n,2026-01-01\n");
    // What was wrong is put right there, and imported.
    let better = text.replace("soon", "2026-01-03").replace("\n,", "\n4,");
    let better = put(files.path(), "better.csv", better.as_bytes());
    assert_eq!(run(dir.path(), &[&better]).code, Some(0));
    assert_eq!(count(dir.path(), "users"), 4);
    let json = run(dir.path(), &["--json", "--restart", &table]);
    assert_eq!(json.code, Some(5), "{}", json.out);
}

#[test]
fn a_wrong_command_says_what_is_right() {
    let (dir, files) = (directory(), directory());
    begin(dir.path());
    let odd = put(files.path(), "odd.csv", b"colour,size\nred,1\n");
    for (args, code, said) in [
        (&["--from", "excel", &odd][..], 2, "must be auto, usher, segment"),
        (&["--map", "colour", &odd][..], 2, "field=Column"),
        (&["--type", "buy", &odd][..], 2, "identify, track"),
        (&[][..], 2, "FILE"),
        (&["/nowhere.csv"][..], 1, "cannot read /nowhere.csv"),
        (&[odd.as_str()][..], 1, "--from csv --map userId=COLUMN"),
        (&["--map", "userId=shoe", &odd][..], 1, "userId is not in the first row"),
    ] {
        let done = run(dir.path(), args);
        assert_eq!(done.code, Some(code), "{args:?} {}{}", done.out, done.err);
        assert!(done.err.contains(said), "{args:?} {}", done.err);
    }
    assert_eq!(count(dir.path(), "users"), 0);
}

#[test]
fn a_dry_run_of_a_command_writes_nothing() {
    let (dir, files) = (directory(), directory());
    begin(dir.path());
    let table = put(files.path(), "users.csv", TABLE);
    let done = run(dir.path(), &["--dry-run", &table]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.contains("dry run") && done.out.contains("new users              2\n"), "{}", done.out);
    assert_eq!((count(dir.path(), "users"), count(dir.path(), "imports")), (0, 0));
}
