//! A server that reads and writes nothing: what it answers, what it refuses, and that no byte changes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use usher::clock::DAY;
use usher::people::listings;

use crate::harness::{Reply, Server, TestProject};
use crate::process::{Process, agent, directory, key, lines, post, refused};
use crate::restore::{House, wait_for_proof};

/// All that lies below a folder: what kind, which bytes, and when it was last changed.
fn all(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            let about = path.symlink_metadata().expect("a file");
            let bytes = if about.is_file() { fs::read(&path).expect("bytes") } else { Vec::new() };
            found.insert(path.clone(), (about.mode(), bytes, about.mtime(), about.mtime_nsec()));
            if about.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// A directory with somebody who lives, somebody in the trash and somebody who was erased; and a key.
fn inhabited(dir: &Path) -> (House, String) {
    let key = key(dir, "main");
    let house = House::open(dir, &key, &[]);
    for name in ["ann-the-living", "ben-the-hidden", "cat-the-erased"] {
        house.did(name, "Came By");
    }
    house.delete("ben-the-hidden", "");
    house.erase(dir, "cat-the-erased");
    (house, key)
}

/// What a read-only server answers on such a directory, and that it answers no write.
fn answers(dir: &Path, key: &str) {
    let house = House::open(dir, key, &["--read-only"]);
    let found = ["ann-the-living", "ben-the-hidden", "cat-the-erased"].map(|name| house.status(name));
    assert_eq!(found, [200, 404, 404]);
    let server = &house.server;
    let ready = agent().get(server.url("/readyz")).call().expect("an answer");
    assert_eq!(ready.into_body().read_to_string().expect("text"), "ready, read-only\n");
    assert_eq!(agent().get(server.url("/healthz")).call().expect("an answer").status(), 200);
    let body = json!({ "userId": "dan", "event": "Came By" });
    let (status, said) = post(&agent(), &server.url("/v1/track"), key, &body).expect("an answer");
    assert!(status == 503 && said.contains("read-only"), "{status} {said}");
    assert!(!server.greeting.contains("setup") && !server.greeting.contains("AGE-SECRET-KEY"));
    assert!(house.server.terminate().success());
}

#[test]
fn a_read_only_server_changes_no_byte() {
    let dir = directory();
    let (house, key) = inhabited(dir.path());
    assert!(house.server.terminate().success());
    let before = all(dir.path());
    answers(dir.path(), &key);
    assert_eq!(lines(dir.path(), &["key", "list", "--read-only"]).len(), 1);
    let said = lines(dir.path(), &["verify", "--read-only"]).join("\n");
    assert!(!said.contains("WRONG"), "{said}");
    for args in [&["project", "create", "x"][..], &["backup", "/tmp"], &["demo"], &["restore", "x"]] {
        let why = refused(dir.path(), &[args, &["--read-only"]].concat());
        assert!(why.contains("read-only"), "{args:?}: {why}");
    }
    assert_eq!(all(dir.path()), before);
    // The twin: a usual start changes some.
    assert!(Process::start(dir.path()).terminate().success());
    assert_ne!(all(dir.path()), before);
}

#[test]
fn what_a_kill_left_in_the_wal_is_read_without_writing() {
    let dir = directory();
    let (house, key) = inhabited(dir.path());
    house.did("dan-the-late", "Came By");
    house.server.kill();
    assert!(fs::metadata(dir.path().join("usher.db-wal")).expect("a WAL").len() > 0);
    for index in [true, false] {
        if !index {
            fs::remove_file(dir.path().join("usher.db-shm")).expect("an index");
        }
        let before = all(dir.path());
        answers(dir.path(), &key);
        let house = House::open(dir.path(), &key, &["--read-only"]);
        assert_eq!(house.status("dan-the-late"), 200, "who stands in the WAL is answered");
        assert!(house.server.terminate().success());
        let said = lines(dir.path(), &["verify", "--read-only"]).join("\n");
        assert!(!said.contains("WRONG"), "{said}");
        assert_eq!(all(dir.path()), before, "index: {index}");
    }
}

/// A disk in memory. None: the tests may not mount one.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new() -> Option<Mount> {
        let at = directory();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "none"]).arg(at.path());
        if !mount.output().is_ok_and(|output| output.status.success()) {
            assert!(
                std::env::var("CI").is_err(),
                "only root mounts a disk, and the tests do not run as root"
            );
            eprintln!("SKIPPED: only root mounts a disk");
            return None;
        }
        Some(Mount(at))
    }

    fn remount(&self, how: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{how}")]).arg(self.0.path());
        assert!(mount.status().expect("mount runs").success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_is_mounted_read_only_is_served_by_the_flag() {
    let Some(mount) = Mount::new() else { return };
    let dir = mount.0.path().join("data");
    fs::create_dir(&dir).expect("a folder");
    let (house, key) = inhabited(&dir);
    house.server.kill();
    mount.remount("ro");
    for args in [&["serve", "--listen", "127.0.0.1:0"][..], &["verify"], &["project", "list"]] {
        let why = refused(&dir, args);
        assert!(why.contains("--read-only") && why.contains("Read-only file system"), "{args:?}: {why}");
    }
    answers(&dir, &key);
    let said = lines(&dir, &["verify", "--read-only"]).join("\n");
    assert!(!said.contains("WRONG"), "{said}");
    // Where nobody can write, the file that is locked need not be there.
    mount.remount("rw");
    fs::remove_file(dir.join("usher.lock")).expect("a lock");
    let why = refused(&dir, &["serve", "--listen", "127.0.0.1:0", "--read-only"]);
    assert!(why.contains("usher.lock"), "{why}");
    mount.remount("ro");
    answers(&dir, &key);
    mount.remount("rw");
    assert!(Process::start(&dir).terminate().success());
}

#[test]
fn a_directory_that_may_not_be_written_is_refused_with_the_flag() {
    let dir = directory();
    let (house, key) = inhabited(dir.path());
    assert!(house.server.terminate().success());
    // Root works as the owner, and would write anywhere else.
    for path in all(dir.path()).into_keys().chain([dir.path().to_owned()]) {
        let _ = chown(&path, Some(64_206), Some(64_207));
        let mode = if path.is_dir() { 0o500 } else { 0o400 };
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("a mode");
    }
    let why = refused(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(why.contains("give --read-only") && why.contains("Permission denied"), "{why}");
    answers(dir.path(), &key);
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).expect("a mode");
}

#[test]
fn readers_share_a_directory_and_keep_writers_out() {
    let dir = directory();
    let (house, key) = inhabited(dir.path());
    let why = refused(dir.path(), &["serve", "--listen", "127.0.0.1:0", "--read-only"]);
    assert!(why.contains("an Usher server is") && why.contains("writes there"), "{why}");
    assert!(house.server.terminate().success());
    let first = Process::start_with(dir.path(), &["--read-only"]);
    answers(dir.path(), &key);
    let why = refused(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(why.contains("an Usher server is"), "{why}");
    assert!(first.terminate().success());
    assert!(Process::start(dir.path()).terminate().success());
}

#[test]
fn flags_that_change_something_do_not_go_with_read_only() {
    let dir = directory();
    let (house, _) = inhabited(dir.path());
    assert!(house.server.terminate().success());
    let serve = ["serve", "--listen", "127.0.0.1:0", "--read-only"];
    for flag in [&["--new-ledger"][..], &["--ledger-head", "1"], &["--accept-loss"]] {
        let why = refused(dir.path(), &[&serve, flag].concat());
        assert!(why.contains("without --read-only"), "{flag:?}: {why}");
    }
    let empty = directory();
    let why = refused(empty.path(), &serve);
    assert!(why.contains("there is no usher.db"), "{why}");
    assert!(all(empty.path()).is_empty());
}

#[test]
fn what_the_ledger_orders_and_is_not_done_is_no_start() {
    let (dir, aside) = (directory(), directory());
    let key = key(dir.path(), "main");
    let house = House::open(dir.path(), &key, &[]);
    house.did("ann-the-erased", "Came By");
    assert!(house.server.terminate().success());
    fs::copy(dir.path().join("usher.db"), aside.path().join("usher.db")).expect("a copy");
    let house = House::open(dir.path(), &key, &[]);
    house.erase(dir.path(), "ann-the-erased");
    assert!(house.server.terminate().success());
    let newest = fs::read(dir.path().join("usher.db")).expect("the database");
    fs::copy(aside.path().join("usher.db"), dir.path().join("usher.db")).expect("a copy");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--read-only"];
    let before = all(dir.path());
    let why = refused(dir.path(), &serve);
    assert!(why.contains("who are erased") && why.contains("without --read-only"), "{why}");
    assert_eq!(all(dir.path()), before);
    // The twin: the one that has done it.
    fs::write(dir.path().join("usher.db"), newest).expect("the newest");
    let house = House::open(dir.path(), &key, &["--read-only"]);
    assert_eq!(house.status("ann-the-erased"), 404);
    wait_for_proof(dir.path());
}

/// The same server, read-only.
pub fn read_only(server: Server) -> Server {
    let (project, clock) = (server.project().clone(), server.clock.clone());
    let server = Server::over(server.stop(), |options| {
        options.clock = clock;
        options.read_only = Some(project);
    });
    server.expect_faults();
    server
}

/// A write of each API.
fn writes(server: &Server) -> Vec<(&'static str, Reply)> {
    let TestProject { key, token, all, .. } = server.project().clone();
    let px = |method: &str, path: &str| server.request(method, path).header("X-APTRINSIC-API-KEY", &all);
    let person = json!({ "identifyId": "dan" });
    let alloy = server.post("/users").bearer(&all).header("x-api-version", "2025-09");
    let alloy = alloy.json(json!({ "username": "dan" }));
    vec![
        ("Segment", server.post("/v1/identify").bearer(&all).json(json!({ "userId": "dan" })).send()),
        ("Vemetric", server.post("/i").header("Token", &token).json(json!({ "identifier": "dan" })).send()),
        ("Gainsight", px("POST", "/v1/users").json(person).send()),
        ("Gainsight deletes", px("DELETE", "/v1/users/ann").send()),
        ("OpenReplay", server.delete(&format!("/api/v1/{key}/users/ann")).bearer(&all).send()),
        ("Alloy", alloy.send()),
        (
            "native",
            server
                .post("/api/activity")
                .bearer(&all)
                .json(json!({ "activity": [{ "type": "page", "userId": "dan" }] }))
                .send(),
        ),
    ]
}

#[test]
fn every_api_refuses_a_write_in_its_own_words() {
    let server = Server::start();
    server.seed("ann").events(1).insert();
    let server = read_only(server);
    for (api, reply) in writes(&server) {
        assert_eq!(reply.status, 503, "{api}: {}", reply.text);
        assert!(reply.text.contains("read-only"), "{api}: {}", reply.text);
        assert!(reply.header("retry-after").is_none(), "{api}: it is the same in a second");
    }
    let metrics = server.get("/metrics").bearer(&server.project().all.clone()).send();
    assert!(metrics.status == 401 || metrics.status == 403, "a project's key sees no figures");
}

/// The twin: the same are taken by a server that writes.
#[test]
fn the_same_writes_are_taken_by_a_usual_server() {
    let server = Server::start();
    server.seed("ann").events(1).insert();
    for (api, reply) in writes(&server) {
        assert!(reply.status < 500 && !reply.text.contains("read-only"), "{api}: {}", reply.text);
    }
}

#[test]
fn readiness_and_figures_say_that_it_is_read_only() {
    let server = Server::start();
    let key = server.key(None, "admin,read");
    let ready = |server: &Server| -> Value { server.get("/readyz").bearer(&key).send().expect(200).json() };
    assert_eq!(ready(&server)["readOnly"], false);
    assert!(server.get("/metrics").bearer(&key).send().expect(200).text.contains("\nusher_read_only 0\n"));
    let server = read_only(server);
    let found = ready(&server);
    assert_eq!((&found["readOnly"], &found["ready"]), (&json!(true), &json!(true)));
    assert!(server.ready(&key, "write").1.contains("nothing is written"));
    assert!(server.get("/metrics").bearer(&key).send().expect(200).text.contains("\nusher_read_only 1\n"));
}

#[test]
fn the_seven_days_end_though_nobody_reaps() {
    let server = Server::start();
    server.seed("ann").events(1).insert();
    let trash = |server: &Server| server.read(|db| listings::trash(db, None, 10, server.clock.now())).len();
    server.delete("/v1/users/ann").header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    let server = read_only(server);
    server.clock.advance(7 * DAY - 1);
    assert_eq!(trash(&server), 1);
    server.clock.advance(1);
    assert_eq!(trash(&server), 0);
}
