//! Parts of a directory, or of what the system lends, that are missing or somebody else's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::harness::Server;
use crate::process::{Process, agent, begin, directory, key, lines, post, refused, sqlite, usher};

#[test]
fn an_erasure_is_proven_though_the_receipts_were_removed() {
    let server = Server::start();
    let erase = |name: &str| {
        server.seed(name).events(3).insert();
        let path = format!("/v1/users/{name}?hardDelete=true");
        server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
        server.tick()
    };
    assert_eq!(erase("ann").completed, 1);
    let folder = server.path().with_file_name("receipts");
    fs::remove_dir_all(&folder).expect("a folder");
    let report = erase("ben");
    assert_eq!((report.completed, report.faults), (1, 0));
    let names: Vec<String> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.len(), 1);
    // The gap is for all to see.
    assert!(names[0].starts_with("000002-"), "{names:?}");
    assert_eq!(fs::metadata(&folder).expect("a folder").permissions().mode() & 0o777, 0o700);
}

/// Serves with so many files that may be open, softly or at most.
fn with_files(dir: &Path, how: &str, files: u32) -> Command {
    let serve = usher(dir, &["serve", "--listen", "127.0.0.1:0", "--workers", "2"]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {how} {files} && exec \"$0\" \"$@\"")]);
    command.arg(serve.get_program()).args(serve.get_args()).env_remove("RUST_LOG");
    command
}

#[test]
fn too_few_open_files_are_refused_in_words() {
    let dir = directory();
    begin(dir.path());
    for files in [24, 32, 40, 64, 95] {
        let Output { status, stderr, .. } =
            with_files(dir.path(), "-n", files).stdin(Stdio::null()).output().expect("it runs");
        let why = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(1), "{files}: {why}");
        assert!(!why.contains("panicked"), "{files}: {why}");
        assert!(why.contains("needs 96") && why.contains("ulimit -n") && why.contains("--workers"), "{why}");
    }
    // The twins: as many as it needs, and a soft limit that it raises itself.
    let key = key(dir.path(), "test");
    for (how, files) in [("-n", 96), ("-Sn", 32)] {
        let server = Process::run(dir.path(), with_files(dir.path(), how, files));
        let client = agent();
        for n in 0..20 {
            let body = json!({ "userId": "ann", "event": "Came By", "messageId": format!("{files}-{n}") });
            assert_eq!(post(&client, &server.url("/v1/track"), &key, &body).expect("an answer").0, 200);
        }
        assert!(server.terminate().success());
    }
}

#[test]
fn a_recovery_key_that_is_damaged_is_refused() {
    let dir = directory();
    begin(dir.path());
    let at = dir.path().join("secrets/recovery.pub");
    let own = fs::read(&at).expect("a key");
    for bad in [&b""[..], b"age1", &own[..own.len() - 3], b"\xFF\xFE"] {
        fs::write(&at, bad).expect("a key");
        let why = refused(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
        assert!(why.contains("recovery.pub"), "{why}");
        let verified = usher(dir.path(), &["verify"]).output().expect("it runs");
        let said = String::from_utf8_lossy(&verified.stdout);
        assert!(!verified.status.success() && said.contains("recovery.pub"), "{said}");
    }
    fs::write(&at, own).expect("a key");
    begin(dir.path());
    lines(dir.path(), &["verify"]);
}

#[test]
fn a_recovery_key_of_somebody_else_is_refused() {
    let (dir, other, shelf) = (directory(), directory(), directory());
    begin(dir.path());
    begin(other.path());
    let at = dir.path().join("secrets/recovery.pub");
    let own = fs::read(&at).expect("a key");
    let theirs = fs::read(other.path().join("secrets/recovery.pub")).expect("a key");
    let backup = ["backup", &*shelf.path().to_string_lossy()];
    fs::write(&at, &theirs).expect("a key");
    let why = refused(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(why.contains("is not the recovery key") && why.contains("recovery.seal"), "{why}");
    assert!(!usher(dir.path(), &["verify"]).output().expect("it runs").status.success());
    refused(dir.path(), &backup);
    fs::write(&at, &own).expect("a key");
    // While it serves.
    let server = Process::start(dir.path());
    fs::write(&at, &theirs).expect("a key");
    let why = refused(dir.path(), &backup);
    assert!(why.contains("is not the recovery key"), "{why}");
    fs::write(&at, &own).expect("a key");
    lines(dir.path(), &backup);
    assert!(server.terminate().success());
    // The owner may change it.
    fs::write(&at, &theirs).expect("a key");
    fs::remove_file(dir.path().join("secrets/recovery.seal")).expect("a seal");
    begin(dir.path());
    lines(dir.path(), &["verify"]);
}

#[test]
fn a_lock_of_another_program_is_no_full_disk() {
    let dir = directory();
    let key = key(dir.path(), "test");
    let server = Process::start(dir.path());
    let client = agent();
    let body = json!({ "userId": "ann", "event": "Came By", "messageId": "1" });
    assert_eq!(post(&client, &server.url("/v1/track"), &key, &body).expect("an answer").0, 200);
    let holder = sqlite(dir.path());
    holder.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let erase = || {
        let url = server.url("/v1/users/ann?hardDelete=true");
        client.delete(url).header("X-APTRINSIC-API-KEY", &key).call().expect("an answer").status().as_u16()
    };
    // Both wait for the lock as long as they may; they do so together.
    let ((status, said), erased) = std::thread::scope(|scope| {
        let erased = scope.spawn(erase);
        let written = post(&client, &server.url("/v1/track"), &key, &body).expect("an answer");
        (written, erased.join().expect("an answer"))
    });
    assert_eq!(status, 503);
    assert!(said.contains("another program holds the database") && !said.contains("full"), "{said}");
    assert_eq!(erased, 503);
    assert!(dir.path().join("reserve").exists(), "the reserve was given up");
    holder.execute_batch("ROLLBACK").expect("no lock");
    assert_eq!(erase(), 200);
    assert!(server.terminate().success());
}
