//! `usher export`.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use super::{lines, of};
use crate::process::{Process, agent, begin, directory, key, refused, sqlite, usher};

fn fill(dir: &Path, server: &Process, people: u32) {
    let key = key(dir, "k");
    for n in 0..people {
        let entry = json!({ "type": "event", "userId": format!("u-{n}"), "name": "seen", "messageId": format!("m{n}") });
        let body = json!({ "activity": [entry] });
        let url = server.url("/api/activity");
        let sent = agent().post(&url).header("Authorization", &format!("Bearer {key}")).send_json(&body);
        assert_eq!(sent.expect("an answer").status(), 200);
    }
}

fn exported(dir: &Path, args: &[&str]) -> Vec<u8> {
    let output = usher(dir, &[&["export"], args].concat()).output().expect("the program runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).expect("gzip");
    text
}

#[test]
fn a_command_exports_the_same_with_a_server_and_without() {
    let dir = directory();
    let server = Process::start(dir.path());
    fill(dir.path(), &server, 3);
    let with = String::from_utf8(exported(dir.path(), &["u-1", "--format", "ndjson"])).expect("UTF-8");
    assert!(server.terminate().success());
    let without = String::from_utf8(exported(dir.path(), &["u-1", "--format", "ndjson"])).expect("UTF-8");
    assert_eq!(with.lines().skip(1).collect::<Vec<_>>(), without.lines().skip(1).collect::<Vec<_>>());
    let lines = lines(&with);
    assert_eq!(of(&lines, "track")[0]["userId"], "u-1");
    assert_eq!(lines.last().expect("a line")["type"], "end");
    let noted = "SELECT COUNT(*) FROM audit WHERE action = 'export user' AND actor = 'operator'";
    assert_eq!(sqlite(dir.path()).query_row(noted, [], |row| row.get::<_, i64>(0)).expect("a count"), 2);
}

#[test]
fn a_whole_project_is_one_file() {
    let dir = directory();
    let server = Process::start(dir.path());
    fill(dir.path(), &server, 120);
    let file = dir.path().join("all.ndjson.gz");
    exported(dir.path(), &["--all", "-o", file.to_str().expect("a path")]);
    let lines = lines(&unpacked(&fs::read(&file).expect("a file")));
    assert_eq!(of(&lines, "user").len(), 120);
    let end = lines.last().expect("a line");
    assert_eq!((&end["users"], &end["events"]), (&json!(120), &json!(120)));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!dir.path().join("all.ndjson.gz.part").exists());
}

#[test]
fn a_name_comes_from_standard_input() {
    let dir = directory();
    let server = Process::start(dir.path());
    fill(dir.path(), &server, 1);
    let mut child = usher(dir.path(), &["export", "-", "--format", "ndjson"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    child.stdin.take().expect("a pipe").write_all(b"u-0\n").expect("it reads");
    let output = child.wait_with_output().expect("an end");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"u-0\""));
}

#[test]
fn an_encrypted_export_opens_with_the_key_alone() {
    let dir = directory();
    let server = Process::start(dir.path());
    fill(dir.path(), &server, 1);
    let (mine, other) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
    let recipient = mine.to_public().to_string();
    let sealed = exported(dir.path(), &["u-0", "--format", "ndjson", "--age", &recipient]);
    assert!(!sealed.windows(3).any(|part| part == b"u-0"));
    let open = |identity: &age::x25519::Identity| {
        let decryptor = age::Decryptor::new(&sealed[..]).expect("an age file");
        let mut text = String::new();
        let identity = std::iter::once(identity as &dyn age::Identity);
        decryptor.decrypt(identity).map(|mut reader| {
            reader.read_to_string(&mut text).expect("it is whole");
            text
        })
    };
    assert!(lines(&open(&mine).expect("it opens")).last().expect("a line")["type"] == "end");
    assert!(open(&other).is_err());
    let why = refused(dir.path(), &["export", "u-0", "--age", "age1nonsense"]);
    assert!(why.contains("no age recipient"), "{why}");
}

#[test]
fn an_export_of_nobody_leaves_no_file() {
    let dir = directory();
    begin(dir.path());
    let file = dir.path().join("nobody.ndjson");
    let why = refused(dir.path(), &["export", "nobody", "-o", file.to_str().expect("a path")]);
    assert!(why.contains("no such user"), "{why}");
    assert!(!file.exists() && !dir.path().join("nobody.ndjson.part").exists());
}
