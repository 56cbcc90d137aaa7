//! `/readyz` and `usher health`: ready when it writes, reads, and its files are those that it opened.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Reply, Server};
use crate::needs::SmallDisk;
use crate::process::{Process, agent, begin, directory, key, lines, usher, wait_until};

/// All that is looked at.
const CHECKS: [&str; 11] = [
    "write",
    "read",
    "damage",
    "clock",
    "log",
    "usher.db",
    "usher.db-wal",
    "erasures.ledger",
    "secrets/store.key",
    "secrets/signing.key",
    "receipts",
];

fn asked(server: &Server, key: &str) -> Reply {
    server.clock.advance(500);
    server.get("/readyz").bearer(key).send()
}

/// The names of the checks that are not good.
fn bad(body: &Value) -> Vec<&str> {
    let checks = body["checks"].as_array().expect("checks").iter();
    checks.filter(|check| check["ok"] == false).map(|check| check["name"].as_str().expect("a name")).collect()
}

fn looks(server: &Server) -> i64 {
    let sql = "SELECT value FROM sequences WHERE name = 'probe'";
    server.sqlite().query_row(sql, [], |row| row.get(0)).expect("a count")
}

#[test]
fn everybody_hears_a_word_and_an_admins_key_the_reasons() {
    let server = Server::start();
    assert_eq!(server.get("/readyz").send().expect(200).text, "ready\n");
    let others =
        [server.project().all.clone(), server.key(None, "ingest,read,write,delete"), "ush_no".into()];
    for key in others {
        assert_eq!(asked(&server, &key).expect(200).text, "ready\n");
    }
    let reply = asked(&server, &server.key(None, "admin")).expect(200);
    let body = reply.json();
    assert_eq!(body["ready"], true);
    let names: Vec<&Value> =
        body["checks"].as_array().expect("checks").iter().map(|check| &check["name"]).collect();
    assert_eq!(names, CHECKS);
    let words = |check: &Value| check["words"].as_str().is_some_and(|words| !words.is_empty());
    assert!(
        body["checks"].as_array().expect("checks").iter().all(|check| check["ok"] == true && words(check))
    );
}

#[test]
fn a_file_that_is_gone_or_another_one_is_told() {
    let server = Server::start();
    server.expect_faults();
    let key = server.key(None, "admin");
    let folder = server.path().parent().expect("a folder").to_owned();
    for name in ["usher.db", "usher.db-wal", "erasures.ledger", "receipts"] {
        let (at, aside): (PathBuf, PathBuf) = (folder.join(name), folder.join("aside"));
        let is_folder = at.is_dir();
        asked(&server, &key).expect(200);
        fs::rename(&at, &aside).expect("a move");
        let reply = asked(&server, &key).expect(503);
        assert_eq!(bad(&reply.json()), [name], "{}", reply.text);
        assert!(reply.text.contains("is gone"), "{}", reply.text);
        server.clock.advance(500);
        assert_eq!(server.get("/readyz").send().expect(503).text, "not ready\n");
        // One of the same name is no better.
        if is_folder {
            fs::create_dir(&at).expect("a folder")
        } else {
            fs::write(&at, "").expect("a file")
        }
        let reply = asked(&server, &key).expect(503);
        assert_eq!(bad(&reply.json()), [name], "{}", reply.text);
        assert!(reply.text.contains("is not the"), "{}", reply.text);
        if is_folder {
            fs::remove_dir(&at).expect("removed")
        } else {
            fs::remove_file(&at).expect("removed")
        }
        fs::rename(&aside, &at).expect("a move back");
        asked(&server, &key).expect(200);
    }
}

#[test]
fn a_write_that_does_not_come_through_is_told_within_a_second() {
    let server = Server::start();
    server.expect_faults();
    let key = server.key(None, "admin");
    let other = server.sqlite();
    other.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let began = std::time::Instant::now();
    let reply = asked(&server, &key).expect(503);
    assert!(began.elapsed().as_millis() < 2_000, "it took {:?}", began.elapsed());
    assert_eq!(bad(&reply.json()), ["write"], "{}", reply.text);
    other.execute_batch("ROLLBACK").expect("unlocked");
    asked(&server, &key).expect(200);
}

#[test]
fn a_full_disk_is_not_ready_until_there_is_room() {
    let Some(disk) = SmallDisk::of(160 * 1024) else { return };
    let dir = disk.path().join("data");
    let key = key(&dir, "test");
    let server = Process::start(&dir);
    let status = || agent().get(server.url("/readyz")).call().expect("an answer").status().as_u16();
    assert_eq!(status(), 200);
    let filler = crate::full_disk::fill(&disk);
    // What the WAL has room for already is written still.
    let event =
        json!({ "type": "track", "userId": "ann", "event": "x", "properties": { "x": "x".repeat(9_000) } });
    wait_until("not ready", || {
        let sent = agent().post(server.url("/v1/track")).header("Authorization", &format!("Bearer {key}"));
        sent.send_json(&event).expect("an answer");
        (status() == 503).then_some(())
    });
    fs::remove_file(filler).expect("room");
    wait_until("ready", || (status() == 200).then_some(()));
    assert!(server.terminate().success());
}

/// Lets a process write no file any more, or any again. What it writes then fails as on a broken disk.
fn may_write(server: &Process, bytes: &str) {
    let id = server.id().to_string();
    let set = Command::new("prlimit").args(["--pid", &id, &format!("--fsize={bytes}:unlimited")]).status();
    assert!(set.expect("prlimit runs (Debian: util-linux)").success());
}

#[test]
fn a_disk_that_takes_no_write_is_not_ready_until_it_does() {
    let dir = directory();
    begin(dir.path());
    // The shell ignores the signal that would end the process, and so does what it becomes.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_usher"), "serve"]);
    command.args(["--listen", "127.0.0.1:0", "--data"]).arg(dir.path());
    let server = Process::run(dir.path(), command);
    let status = || agent().get(server.url("/readyz")).call().expect("an answer").status().as_u16();
    assert_eq!(status(), 200);
    may_write(&server, "0");
    wait_until("not ready", || (status() == 503).then_some(()));
    may_write(&server, "unlimited");
    wait_until("ready", || (status() == 200).then_some(()));
    assert!(server.terminate().success());
}

#[test]
fn however_often_it_is_asked_it_looks_twice_a_second() {
    let server = Server::start();
    server.get("/readyz").send().expect(200);
    let before = looks(&server);
    for _ in 0..30 {
        server.get("/readyz").send().expect(200);
    }
    server.clock.advance(499);
    server.get("/readyz").send().expect(200);
    assert_eq!(looks(&server), before);
    server.clock.advance(1);
    server.get("/readyz").send().expect(200);
    assert_eq!(looks(&server), before + 1);
}

#[test]
fn secrets_that_are_gone_are_told_and_health_says_a_word() {
    let dir = directory();
    begin(dir.path());
    // The machine's own key comes with the first backup.
    lines(dir.path(), &["backup", &dir.path().join("backups").to_string_lossy()]);
    let org =
        lines(dir.path(), &["key", "create", "--org", "--name", "watch", "--scopes", "admin"]).remove(0);
    let server = Process::start(dir.path());
    let addr = server.base.strip_prefix("http://").expect("an address").to_owned();
    let port = addr.rsplit(':').next().expect("a port").to_owned();
    // Every address of the machine is asked at its own.
    for listen in [addr.clone(), format!("0.0.0.0:{port}")] {
        assert_eq!(health(&listen), (Some(0), "ready\n".to_owned()));
    }
    for name in ["secrets/store.key", "secrets/signing.key", "secrets/backup.key", "secrets/recovery.pub"] {
        let at = dir.path().join(name);
        fs::rename(&at, dir.path().join("aside")).expect("a move");
        wait_until("not ready", || (health(&addr) == (Some(1), "not ready\n".to_owned())).then_some(()));
        let (status, body) = crate::process::get(&agent(), &server.url("/readyz"), &format!("Bearer {org}"));
        assert_eq!((status, bad(&body)), (503, vec![name]));
        fs::rename(dir.path().join("aside"), &at).expect("a move back");
        wait_until("ready", || (health(&addr).0 == Some(0)).then_some(()));
    }
    assert!(server.terminate().success());
    let (code, said) = health(&addr);
    assert_eq!((code, said.as_str()), (Some(1), ""));
}

fn health(listen: &str) -> (Option<i32>, String) {
    let dir = directory();
    let output = usher(dir.path(), &["health", "--listen", listen]).output().expect("the program runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
}
