//! Starts on files that do not belong together: refused in words, with the way out, and nothing
//! is changed.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::process::{Process, agent, directory, get, key, lines, post, refused, sqlite, usher, wait_until};

struct House {
    dir: tempfile::TempDir,
    key: String,
}

impl House {
    fn new() -> House {
        let dir = directory();
        let key = key(dir.path(), "test");
        House { dir, key }
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn track(&self, server: &Process, name: &str) {
        let body = json!({ "userId": name, "event": "Came By", "messageId": name });
        assert_eq!(post(&agent(), &server.url("/v1/track"), &self.key, &body).expect("an answer").0, 200);
    }

    fn status(&self, server: &Process, name: &str) -> u16 {
        get(&agent(), &server.url(&format!("/v1/users/single?identifier={name}")), &self.key).0
    }

    /// Erases them, and waits for the receipt.
    fn erase(&self, server: &Process, name: &str) {
        let url = server.url(&format!("/v1/users/{name}?hardDelete=true"));
        let answer = agent().delete(url).header("X-APTRINSIC-API-KEY", &self.key).call().expect("an answer");
        assert_eq!(answer.status(), 200);
        wait_until("a receipt", || (running(self.dir.path()) == 0).then_some(()));
    }
}

fn running(dir: &Path) -> i64 {
    let sql = "SELECT COUNT(*) FROM jobs WHERE status <> 'completed'";
    sqlite(dir).query_row(sql, [], |row| row.get(0)).expect("a count")
}

/// Starts it where that must be refused; what it said.
fn refused_start(dir: &Path) -> String {
    refused(dir, &["serve", "--listen", "127.0.0.1:0"])
}

#[test]
fn an_old_file_beside_the_wal_of_the_one_that_it_replaced_is_refused_until_the_wal_is_gone() {
    let house = House::new();
    let server = Process::start(house.dir.path());
    house.track(&server, "erased-user");
    house.track(&server, "staying-user");
    assert!(server.terminate().success());
    let old = fs::read(house.at("usher.db")).expect("the database");
    let server = Process::start(house.dir.path());
    house.erase(&server, "erased-user");
    for n in 0..300 {
        house.track(&server, &format!("new-user-{n}"));
    }
    server.kill();
    // The twin: beside its own file the same WAL is good.
    assert!(fs::metadata(house.at("usher.db-wal")).expect("a WAL").len() > 0);
    assert!(usher(house.dir.path(), &["verify"]).output().expect("it runs").status.success());

    fs::write(house.at("usher.db"), &old).expect("an old file");
    let wal = fs::read(house.at("usher.db-wal")).expect("a WAL");
    for _ in 0..2 {
        let why = refused_start(house.dir.path());
        assert!(why.contains("usher.db-wal") && why.contains("remove"), "{why}");
    }
    let verified = usher(house.dir.path(), &["verify"]).output().expect("it runs");
    assert!(!verified.status.success());
    assert_eq!(fs::read(house.at("usher.db")).expect("the database"), old, "it was changed");
    assert_eq!(fs::read(house.at("usher.db-wal")).expect("a WAL"), wal, "it was changed");

    fs::remove_file(house.at("usher.db-wal")).expect("a file");
    let _ = fs::remove_file(house.at("usher.db-shm"));
    let server = Process::start(house.dir.path());
    assert_eq!((house.status(&server, "erased-user"), house.status(&server, "staying-user")), (404, 200));
    wait_until("all jobs to end", || (running(house.dir.path()) == 0).then_some(()));
    assert!(server.terminate().success());
    // What the log lost with the newer file is no false alarm.
    lines(house.dir.path(), &["verify"]);
}

#[test]
fn a_wal_that_a_kill_left_is_good_again_and_again() {
    let house = House::new();
    for n in 0..6 {
        let server = Process::start(house.dir.path());
        house.track(&server, &format!("user-{n}"));
        if n % 2 == 0 {
            house.erase(&server, &format!("user-{n}"));
        }
        server.kill();
    }
    let server = Process::start(house.dir.path());
    let found: Vec<u16> = (0..6).map(|n| house.status(&server, &format!("user-{n}"))).collect();
    assert_eq!(found, [404, 200, 404, 200, 404, 200]);
}

#[test]
fn another_store_key_is_refused_for_with_it_the_erased_would_be_nobody() {
    let house = House::new();
    let key = house.at("secrets/store.key");
    let own = fs::read(&key).expect("a key");
    fs::write(&key, [9; 32]).expect("another key");
    let why = refused_start(house.dir.path());
    assert!(why.contains("store.key") && why.contains("put that one back"), "{why}");
    fs::write(&key, own).expect("the key");
    drop(Process::start(house.dir.path()));
}

#[test]
fn a_ledger_that_is_older_than_the_receipts_is_refused_though_the_database_is_as_old() {
    let house = House::new();
    let server = Process::start(house.dir.path());
    house.track(&server, "erased-user");
    assert!(server.terminate().success());
    let old = ["usher.db", "erasures.ledger"].map(|name| (name, fs::read(house.at(name)).expect("a file")));
    let server = Process::start(house.dir.path());
    house.erase(&server, "erased-user");
    assert!(server.terminate().success());
    let newest = fs::read(house.at("erasures.ledger")).expect("the ledger");
    for (name, bytes) in old {
        fs::write(house.at(name), bytes).expect("an old file");
    }
    let why = refused_start(house.dir.path());
    assert!(why.contains("older than the signed head") && why.contains("newest copy"), "{why}");
    let head = fs::read(house.at("secrets/ledger.head")).expect("a head");
    fs::remove_file(house.at("secrets/ledger.head")).expect("a file");
    let why = refused_start(house.dir.path());
    assert!(why.contains("older than receipt 1") && why.contains("newest copy"), "{why}");
    fs::write(house.at("secrets/ledger.head"), head).expect("the head");
    fs::write(house.at("erasures.ledger"), newest).expect("the ledger");
    let server = Process::start(house.dir.path());
    assert_eq!(house.status(&server, "erased-user"), 404);
}
