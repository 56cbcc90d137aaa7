//! BackupPolicy people out on the command line, with and without a server.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::process::{Process, begin, directory, lines, refused, sqlite, usher};

fn suppress(dir: &Path, args: &[&str]) -> Vec<String> {
    lines(dir, &[&["suppress"], args].concat())
}

fn rows(dir: &Path) -> i64 {
    let sql = "SELECT COUNT(*) FROM suppressions";
    sqlite(dir).query_row(sql, [], |row| row.get(0)).expect("a count")
}

fn goes_through(dir: &Path) {
    let made = suppress(dir, &["add", "ann", "--days", "9", "--reason", "a case"]);
    let parts: Vec<&str> = made[0].split('\t').collect();
    let [id, since, until, hits, reason] = parts[..] else { panic!("{made:?}") };
    assert!(since.starts_with("since ") && until.starts_with("until "), "{made:?}");
    assert_eq!((id.len(), hits, reason), (32, "0 dropped", "a case"));
    assert_eq!(suppress(dir, &["list"]), made);
    assert_eq!(suppress(dir, &["check", "ann"]), [format!("suppressed\t{}", made[0])]);
    assert_eq!(suppress(dir, &["check", "bob"]), ["not suppressed"]);
    assert!(suppress(dir, &["add", "bob"])[0].contains("\tforever\t"));
    suppress(dir, &["remove", "ann"]);
    assert!(refused(dir, &["suppress", "remove", "ann"]).contains("no such suppression"));
    assert_eq!(suppress(dir, &["list"]).len(), 1);
    let id = suppress(dir, &["list"])[0].split('\t').next().expect("an id").to_owned();
    suppress(dir, &["remove", "--id", &id]);
    assert_eq!((suppress(dir, &["list"]).len(), rows(dir)), (0, 0));
}

#[test]
fn people_are_kept_out_and_let_in_while_a_server_runs() {
    let dir = directory();
    let _server = Process::start(dir.path());
    goes_through(dir.path());
}

#[test]
fn people_are_kept_out_and_let_in_without_a_server() {
    let dir = directory();
    begin(dir.path());
    goes_through(dir.path());
}

#[test]
fn a_name_is_read_from_standard_input() {
    let dir = directory();
    begin(dir.path());
    let mut child = usher(dir.path(), &["suppress", "add", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program runs");
    child.stdin.take().expect("a pipe").write_all(b"ann\n").expect("it reads");
    assert!(child.wait().expect("an end").success());
    assert!(suppress(dir.path(), &["check", "ann"])[0].starts_with("suppressed\t"));
    assert_eq!(suppress(dir.path(), &["check", "x", "--by", "anonymous-id"]), ["not suppressed"]);
}

#[test]
fn of_several_projects_one_must_be_named() {
    let dir = directory();
    begin(dir.path());
    let key = lines(dir.path(), &["project", "create", "second"]).remove(0);
    assert!(refused(dir.path(), &["suppress", "add", "ann"]).contains("--project KEY"));
    suppress(dir.path(), &["add", "ann", "--project", &key]);
    assert_eq!(suppress(dir.path(), &["list", "--project", &key]).len(), 1);
    assert!(refused(dir.path(), &["suppress", "list", "--project", "NOPE"]).contains("no such project"));
}

#[test]
fn a_fault_is_named_by_its_flag() {
    let dir = directory();
    begin(dir.path());
    assert!(refused(dir.path(), &["suppress", "add", "ann", "--days", "0"]).contains("--days"));
    assert!(refused(dir.path(), &["suppress", "add", "ann", "--reason", "for ann"]).contains("--reason"));
    assert!(refused(dir.path(), &["suppress", "add", ""]).contains("NAME"));
    assert!(
        refused(dir.path(), &["suppress", "add", "x@example.com", "--by", "email"]).contains("no such user")
    );
    assert_eq!(rows(dir.path()), 0);
}
