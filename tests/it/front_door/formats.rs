//! `docs/check_formats.py` was written from `docs/formats.md` alone: it finds good what the program
//! writes, today's and that of 0.1, and names what was changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::root;
use crate::clients::folder;
use crate::needs::installed;
use crate::process::{Process, agent, begin, directory, key, lines, post, recovery_key, sqlite};
use crate::restore::wait_for_proof;
use crate::version_0_1::{copy, fixture, opened};

/// What the check says: Ok where all is good.
fn check(dir: &Path, args: &[&str]) -> Option<Result<String, String>> {
    let python = installed(folder().join("venv/bin/python"))?;
    let mut command = Command::new(python);
    command.arg("-B").arg(root().join("docs/check_formats.py")).arg(dir).args(args);
    let output = command.output().expect("it runs");
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Some(if output.status.success() { Ok(said.into_owned()) } else { Err(wrong.into_owned()) })
}

/// A directory that was lived in, with a backup and the token of somebody who was erased.
struct Past {
    dir: TempDir,
    /// Beside the directory: the backup and the recovery key.
    shelf: TempDir,
    backup: PathBuf,
    token: String,
    /// A key that was revoked.
    ended: String,
}

impl Past {
    fn new() -> Past {
        let (dir, shelf) = (directory(), directory());
        let path = dir.path();
        let recovery = recovery_key(&begin(path));
        fs::write(shelf.path().join("key.txt"), format!("The key: {recovery}\n")).expect("a file");
        let key = key(path, "main");
        let (server, agent) = (Process::start(path), agent());
        for name in ["ann", "ben", "cat", "dan"] {
            let body = json!({ "userId": name, "event": "Came \"in\"\u{1}", "properties": { "a": "ü" } });
            let sent = post(&agent, &server.url("/v1/track"), &key, &body).expect("an answer");
            assert_eq!(sent.0, 200, "{}", sent.1);
        }
        let delete = |name: &str, query: &str| {
            let request = agent.delete(server.url(&format!("/v1/users/{name}{query}")));
            let reply = request.header("X-APTRINSIC-API-KEY", &key).call().expect("an answer");
            reply.headers()["usher-receipt"].to_str().expect("a token").to_owned()
        };
        delete("ben", "");
        let project = lines(path, &["project", "list"]).remove(0);
        let project = project.split('\t').next().expect("a key").to_owned();
        let tonight = agent.delete(server.url(&format!("/api/v1/{project}/users/dan")));
        assert_eq!(tonight.header("Authorization", &key).call().expect("an answer").status(), 200);
        let token = delete("ann", "?hardDelete=true");
        wait_for_proof(path);
        delete("cat", "?hardDelete=true");
        wait_for_proof(path);
        lines(path, &["suppress", "add", "kim"]);
        let ended = lines(path, &["key", "create", "--org", "--name", "spare"]).remove(0);
        lines(path, &["key", "revoke", "2"]);
        let backup = PathBuf::from(&lines(path, &["backup", &shelf.path().to_string_lossy()])[0]);
        assert!(server.terminate().success());
        Past { dir, shelf, backup, token, ended }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn check(&self) -> Option<Result<String, String>> {
        let key = self.shelf.path().join("key.txt");
        let (backup, key) = (self.backup.to_string_lossy(), key.to_string_lossy());
        let of = ["--token", &self.token, "--identifier", "ann", "--suppressed", "1:kim"];
        let and =
            ["--scheduled", "1:dan", "--ended", &self.ended, "--backup", &backup, "--recovery-key", &key];
        check(self.path(), &[&of[..], &and].concat())
    }
}

/// Puts one text in the place of another in a file, once.
fn change(path: &Path, from: &[u8], to: &[u8]) {
    let bytes = fs::read(path).expect("a file");
    let at = bytes.windows(from.len()).position(|window| window == from).expect("the text is there");
    fs::write(path, [&bytes[..at], to, &bytes[at + from.len()..]].concat()).expect("a file");
}

fn nth_receipt(dir: &Path, nth: usize) -> PathBuf {
    let entries = fs::read_dir(dir.join("receipts")).expect("receipts");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.swap_remove(nth)
}

#[test]
fn a_program_from_the_page_finds_good_what_is_written() {
    let past = Past::new();
    let Some(said) = past.check() else { return };
    let said = said.unwrap_or_else(|wrong| panic!("{wrong}"));
    let parts = ["ledger", "head", "audit log", "receipts: 2", "trash: 1", "numbers", "token"];
    for part in parts.into_iter().chain(["suppressed", "scheduled", "credential_ended"]) {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("backup: all of it"), "{said}");
}

#[test]
fn a_program_from_the_page_finds_0_1_good() {
    let dir = opened();
    assert!(Process::start(dir.path()).terminate().success());
    let shelf = directory();
    copy(&fixture("."), shelf.path());
    let name = |file: &str| shelf.path().join(file).to_string_lossy().into_owned();
    let args = ["--backup", &name("usher.backup"), "--recovery-key", &name("recovery-key.txt")];
    let Some(said) = check(dir.path(), &args) else { return };
    let said = said.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(said.contains("receipts: 4") && said.contains("backup: all of it"), "{said}");
}

#[test]
fn a_program_from_the_page_names_what_was_changed() {
    type Change = fn(&Past);
    let changes: [(&str, Change); 9] = [
        ("entry 1 of the ledger", |past| {
            change(&past.path().join("erasures.ledger"), b"\"act\":\"hidden\"", b"\"act\":\"revived\"");
        }),
        ("the MAC of line 1", |past| {
            let ledger = fs::read_to_string(past.path().join("erasures.ledger")).expect("a ledger");
            let (_, mac) = ledger.split_once("\"mac\":\"").expect("a MAC");
            let other = if mac.starts_with('0') { "1" } else { "0" };
            change(
                &past.path().join("erasures.ledger"),
                format!("\"mac\":\"{}", &mac[..1]).as_bytes(),
                format!("\"mac\":\"{other}").as_bytes(),
            );
        }),
        ("the ledger has come to its head", |past| {
            let path = past.path().join("erasures.ledger");
            let text = fs::read_to_string(&path).expect("a ledger");
            let cut: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
            fs::write(path, cut).expect("a file");
        }),
        ("the head's signature", |past| {
            change(&past.path().join("secrets/ledger.head"), b"\"at\":1", b"\"at\":2");
        }),
        ("row 2 of the audit log follows", |past| {
            let conn: Connection = sqlite(past.path());
            conn.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 2", []).expect("a change");
        }),
        ("has a good signature", |past| {
            change(&nth_receipt(past.path(), 0), b"\"mentions\":0", b"\"mentions\":1");
        }),
        ("is of its figures", |past| {
            change(&nth_receipt(past.path(), 1), b"\"took_ms\":", b"\"took_ms\":1");
        }),
        ("receipt", |past| fs::remove_file(nth_receipt(past.path(), 0)).expect("it goes")),
        ("the encrypted part has the digest", |past| {
            let mut bytes = fs::read(&past.backup).expect("a backup");
            *bytes.last_mut().expect("bytes") ^= 1;
            fs::write(&past.backup, bytes).expect("a file");
        }),
    ];
    let past = Past::new();
    let kept = directory();
    copy(past.path(), kept.path());
    let backup = fs::read(&past.backup).expect("a backup");
    for (wanted, change) in changes {
        change(&past);
        let Some(said) = past.check() else { return };
        let wrong = said.expect_err(wanted);
        assert!(wrong.contains(wanted), "{wanted}: {wrong}");
        // As it was, for the next.
        for name in ["erasures.ledger", "usher.db", "secrets/ledger.head"] {
            fs::copy(kept.path().join(name), past.path().join(name)).expect("a copy");
        }
        let _ = fs::remove_file(past.path().join("usher.db-wal"));
        copy(&kept.path().join("receipts"), &past.path().join("receipts"));
        fs::write(&past.backup, &backup).expect("a file");
    }
    assert!(past.check().expect("it ran before").is_ok());
    for (args, wanted) in [
        (&["--token", &past.token, "--identifier", "ben"][..], "is about the person"),
        (&["--suppressed", "1:dan"], "what was named is suppressed"),
        (&["--suppressed", "2:kim"], "what was named is suppressed"),
        (&["--scheduled", "1:kim"], "what was named is scheduled"),
        (&["--ended", "ush_another"], "what was named is credential_ended"),
    ] {
        let said = check(past.path(), args).expect("it ran before").expect_err(wanted);
        assert!(said.contains(wanted), "{said}");
    }
}
