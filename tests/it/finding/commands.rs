//! `usher user find`, with and without a server.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::process::{Process, begin, directory, key, lines, refused, usher};

fn fill(dir: &Path) {
    let key = key(dir, "find");
    let server = Process::start(dir);
    let agent = ureq::Agent::new_with_defaults();
    for (identifier, first, email) in
        [("u-1", "Annabel", "annabel@example.com"), ("u-2", "Björn", "b@example.com")]
    {
        let body =
            json!({ "identifyId": identifier, "firstName": first, "lastName": "Johnson", "email": email });
        let request = agent.post(format!("{}/v1/users", server.base)).header("X-APTRINSIC-API-KEY", &key);
        request.send_json(body).expect("a user");
    }
    assert!(server.terminate().success());
}

fn goes_through(dir: &Path, flags: &[&str]) {
    let find = |args: &[&str]| lines(dir, &[&["user", "find"], args, flags].concat());
    let found = find(&["bjorn"]);
    assert_eq!(found.len(), 1, "{found:?}");
    let parts: Vec<&str> = found[0].split('\t').collect();
    assert_eq!(parts[1..], ["u-2", "b@example.com", "Björn Johnson", "live", "name start"], "{found:?}");
    assert_eq!(find(&["johnson"]).len(), 2);
    assert_eq!(
        find(&["jonson"]),
        ["none: no user matches", "did you mean: Björn Johnson", "did you mean: Annabel Johnson"]
    );
    let first = find(&["johnson", "--limit", "1"]);
    assert_eq!(first.len(), 2, "{first:?}");
    let cursor = first[1].strip_prefix("next: --cursor ").expect("a cursor").to_owned();
    let second = find(&["johnson", "--limit", "1", "--cursor", &cursor]);
    assert!(second[0].contains("u-1") && second.len() == 1, "{second:?}");
    let answer = find(&["johnson", "--json"]);
    let answer: Value = serde_json::from_str(&answer[0]).expect("JSON");
    assert_eq!(answer["data"].as_array().map(Vec::len), Some(2));
    assert!(refused(dir, &["user", "find", ""]).contains("must not be empty"));
    assert!(refused(dir, &["user", "find", "a", "--cursor", "x"]).contains("is no cursor of this search"));
}

#[test]
fn users_are_found_while_a_server_runs() {
    let dir = directory();
    fill(dir.path());
    let server = Process::start(dir.path());
    goes_through(dir.path(), &[]);
    assert!(server.terminate().success());
}

#[test]
fn users_are_found_without_a_server_and_read_only() {
    let dir = directory();
    fill(dir.path());
    goes_through(dir.path(), &[]);
    goes_through(dir.path(), &["--read-only"]);
}

#[test]
fn a_server_without_the_names_says_so() {
    let dir = directory();
    fill(dir.path());
    let server = Process::start_with(dir.path(), &["--find", "off"]);
    let found = lines(dir.path(), &["user", "find", "nnabel"]);
    assert_eq!(found[0], "none: no user matches");
    assert!(found[1].starts_with("note: this server runs with --find off"), "{found:?}");
    assert!(lines(dir.path(), &["user", "find", "annabel@"])[0].contains("u-1"));
    assert!(server.terminate().success());
}

#[test]
fn what_is_looked_for_is_read_from_standard_input() {
    let dir = directory();
    fill(dir.path());
    let mut child = usher(dir.path(), &["user", "find", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    child.stdin.take().expect("a pipe").write_all(b"bjorn\n").expect("it reads");
    let output = child.wait_with_output().expect("an end");
    assert!(String::from_utf8_lossy(&output.stdout).contains("u-2"), "{output:?}");
    begin(dir.path());
}
