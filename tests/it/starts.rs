//! Starts on files that do not belong together: refused in words, with the way out, and nothing
//! is changed.

use std::fs;
use std::path::Path;

use serde_json::json;
use usher::clock::{MINUTE, Millis};
use usher::proof::signing::Signer;

use crate::harness::Server;
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
fn an_old_file_beside_a_newer_wal_is_refused() {
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
    told_in(&refused_start(house.dir.path()));
    let server = Process::start_with(house.dir.path(), &["--accept-loss"]);
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
fn another_store_key_is_refused() {
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
fn a_ledger_older_than_the_receipts_is_refused() {
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
    told_in(&refused_start(house.dir.path()));
    let server = Process::start_with(house.dir.path(), &["--accept-loss"]);
    assert_eq!(house.status(&server, "erased-user"), 404);
}

/// Bytes of a header of a WAL, and of one frame with its page.
const HEADER: usize = 32;
const FRAME: usize = 24 + 4096;

/// A directory whose server was killed; its WAL, and in how many frames a commit ends.
fn killed() -> (House, Vec<u8>, Vec<usize>) {
    let house = House::new();
    let server = Process::start(house.dir.path());
    for n in 0..6 {
        house.track(&server, &format!("user-{n}"));
    }
    server.kill();
    let wal = fs::read(house.at("usher.db-wal")).expect("a WAL");
    let frames = wal[HEADER..].chunks_exact(FRAME);
    let of_this = |frame: &[u8]| frame[8..16] == wal[16..24] && frame[4..8] != [0; 4];
    let commits = frames.enumerate().filter(|(_, frame)| of_this(frame)).map(|(n, _)| n).collect();
    (house, wal, commits)
}

/// The start is refused twice, in words, changes nothing, and goes on once the loss is accepted.
fn loss_is_told(house: &House, words: &str) {
    // One without a byte is none.
    let wal_now = || fs::read(house.at("usher.db-wal")).unwrap_or_default();
    let wal = wal_now();
    for _ in 0..2 {
        let why = refused_start(house.dir.path());
        for words in [words, "copy usher.db", "usher restore", "--accept-loss"] {
            assert!(why.contains(words), "{words}: {why}");
        }
        let now = wal_now();
        assert!(now == wal, "the WAL was changed: {} bytes, {} before", now.len(), wal.len());
        // Which changes nothing of what the next start finds.
        let verified = usher(house.dir.path(), &["verify"]).output().expect("it runs");
        assert!(!verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
}

#[test]
fn a_wal_with_a_flipped_bit_is_refused() {
    for of_index in [true, false] {
        let (house, mut wal, commits) = killed();
        assert!(commits.len() > 3);
        wal[HEADER + commits[1] * FRAME + 1_000] ^= 4;
        fs::write(house.at("usher.db-wal"), &wal).expect("a WAL");
        if !of_index {
            // After a power cut nothing but the frames themselves tells.
            fs::remove_file(house.at("usher.db-shm")).expect("an index");
        }
        loss_is_told(&house, if of_index { "cut off" } else { "is damaged" });
        let server = Process::start_with(house.dir.path(), &["--accept-loss"]);
        assert_eq!(house.status(&server, "user-5"), 404);
        assert!(server.terminate().success());
        drop(Process::start(house.dir.path()));
    }
}

#[test]
fn a_wal_whose_header_is_damaged_is_refused() {
    for at in [0, 9, 17, 25] {
        let (house, mut wal, _) = killed();
        wal[at] ^= 64;
        fs::write(house.at("usher.db-wal"), &wal).expect("a WAL");
        fs::remove_file(house.at("usher.db-shm")).expect("an index");
        loss_is_told(&house, "is damaged");
    }
}

#[test]
fn a_wal_that_was_cut_is_refused() {
    let (house, wal, commits) = killed();
    fs::write(house.at("usher.db-wal"), &wal[..HEADER + (commits[1] + 1) * FRAME]).expect("a WAL");
    loss_is_told(&house, "was cut off");
    // The twin: an older index of the same WAL knows of less, as after a power cut.
    let index = fs::read(house.at("usher.db-shm")).expect("an index");
    fs::write(house.at("usher.db-wal"), &wal).expect("a WAL");
    fs::write(house.at("usher.db-shm"), index).expect("an index");
    drop(Process::start(house.dir.path()));
}

#[test]
fn a_wal_that_was_lost_or_replaced_is_refused() {
    for left in [None, Some(vec![]), Some(killed().1)] {
        let (house, ..) = killed();
        let lose = || match &left {
            None => fs::remove_file(house.at("usher.db-wal")).expect("a WAL"),
            Some(bytes) => fs::write(house.at("usher.db-wal"), bytes).expect("a WAL"),
        };
        lose();
        loss_is_told(&house, "is not the one that was there");
        if left.as_ref().is_none_or(|bytes| bytes.is_empty()) {
            let server = Process::start_with(house.dir.path(), &["--accept-loss"]);
            assert_eq!(house.status(&server, "user-5"), 404);
            assert!(server.terminate().success());
            drop(Process::start(house.dir.path()));
        }
    }
    // The twin: after a power cut the index may be of a WAL that was emptied since, and is not believed; that
    // something is missing is told by the ledger's signed head.
    let (house, ..) = killed();
    fs::remove_file(house.at("usher.db-wal")).expect("a WAL");
    fs::write(house.at("usher.lock"), [7; 16]).expect("the lock");
    let why = refused_start(house.dir.path());
    assert!(why.contains("secrets/ledger.head") && !why.contains("is not the one that was there"), "{why}");
    drop(Process::start_with(house.dir.path(), &["--accept-loss"]));
}

/// The twin: a power cut leaves half of one transaction, which was not acknowledged.
#[test]
fn one_torn_transaction_at_the_end_is_no_damage() {
    let (house, mut wal, commits) = killed();
    let last = *commits.last().expect("a commit");
    let first = commits[commits.len() - 2] + 1;
    wal.truncate(HEADER + (last + 1) * FRAME);
    assert!(last > first);
    wal[HEADER + first * FRAME + 500] ^= 1;
    fs::write(house.at("usher.db-wal"), &wal).expect("a WAL");
    fs::remove_file(house.at("usher.db-shm")).expect("an index");
    let server = Process::start(house.dir.path());
    assert_eq!(house.status(&server, "user-3"), 200);
}

/// As 0.1 left it behind when its start was killed: the mark was changed twice in one WAL.
#[test]
fn a_wal_that_an_older_version_marked_twice_is_taken() {
    let (house, ..) = killed();
    let conn = sqlite(house.dir.path());
    conn.execute_batch("PRAGMA wal_autocheckpoint = 0").expect("a setting");
    let keeps = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    conn.set_db_config(keeps, true).expect("a setting");
    conn.execute("UPDATE wal_mark SET before = now, now = randomblob(16)", []).expect("a mark");
    conn.execute("UPDATE wal_mark SET before = now, now = randomblob(16)", []).expect("a mark");
    drop(conn);
    let server = Process::start(house.dir.path());
    for n in 0..6 {
        assert_eq!(house.status(&server, &format!("user-{n}")), 200);
    }
}

#[test]
fn damage_of_the_database_is_refused_with_a_way_out() {
    let house = House::new();
    let server = Process::start(house.dir.path());
    house.track(&server, "staying-user");
    assert!(server.terminate().success());
    let good = fs::read(house.at("usher.db")).expect("the database");
    let mut refused = 0;
    for page in 0..good.len() / 4096 {
        let mut bad = good.clone();
        bad[page * 4096..][..4096].fill(0x5A);
        fs::write(house.at("usher.db"), &bad).expect("a file");
        let _ = fs::remove_file(house.at("usher.db-shm"));
        let _ = fs::remove_file(house.at("usher.db-wal"));
        let output = usher(house.dir.path(), &["project", "list"]).output().expect("it runs");
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(!why.contains("panicked"), "page {page}: {why}");
        if !output.status.success() {
            refused += 1;
            assert!(why.contains("usher restore"), "page {page}: {why}");
        }
    }
    assert!(refused > 5, "{refused}");
}

/// Two people erased so far apart, and a database from before both put back beside the ledger.
fn behind_the_ledger(gap: Millis) -> tempfile::TempDir {
    let server = Server::start();
    server.seed("first-user").insert();
    server.seed("second-user").insert();
    server.seed("staying-user").insert();
    let key = server.project().all.clone();
    let dir = server.stop();
    let old = fs::read(dir.path().join("usher.db")).expect("the database");
    let server = Server::over(dir, |_| {});
    let erase = |name: &str| {
        let path = format!("/v1/users/{name}?hardDelete=true");
        server.delete(&path).header("X-APTRINSIC-API-KEY", &key).send().expect(200);
    };
    erase("first-user");
    server.clock.advance(gap);
    erase("second-user");
    server.tick();
    let dir = server.stop();
    fs::write(dir.path().join("usher.db"), old).expect("an old file");
    // What the program has beside it, and a server of the tests has not.
    let secrets = dir.path().join("secrets");
    fs::create_dir_all(&secrets).expect("a folder");
    fs::write(secrets.join("store.key"), [7; 32]).expect("a key");
    fs::write(secrets.join("signing.key"), [9; 32]).expect("a key");
    fs::write(dir.path().join("signing.pub"), Signer::of(&[9; 32]).public().file_text()).expect("a key");
    dir
}

fn people(dir: &Path) -> Vec<String> {
    let conn = sqlite(dir);
    let mut rows =
        conn.prepare("SELECT identifier FROM users WHERE identifier IS NOT NULL").expect("a query");
    rows.query_map([], |row| row.get(0)).expect("rows").map(|name| name.expect("a name")).collect()
}

#[test]
fn a_database_far_behind_its_ledger_is_refused() {
    // Entries of one moment are what a kill leaves; it has signed none of them.
    let dir = behind_the_ledger(MINUTE);
    fs::remove_file(dir.path().join("secrets/ledger.head")).expect("a head");
    lines(dir.path(), &["project", "list"]);
    assert_eq!(people(dir.path()), ["staying-user"]);
    let dir = behind_the_ledger(MINUTE + 1);
    fs::remove_file(dir.path().join("secrets/ledger.head")).expect("a head");
    for _ in 0..2 {
        let why = refused(dir.path(), &["project", "list"]);
        for words in
            ["older than erasures.ledger", "copy the data directory", "usher restore", "--accept-loss"]
        {
            assert!(why.contains(words), "{words}: {why}");
        }
    }
    assert_eq!(people(dir.path()).len(), 3, "it was changed");
    lines(dir.path(), &["project", "list", "--accept-loss"]);
    assert_eq!(people(dir.path()), ["staying-user"]);
    lines(dir.path(), &["project", "list"]);
}

/// The start is refused twice, in words, and taken with --accept-loss, once for good.
fn older_is_told(house: &House) {
    for _ in 0..2 {
        told_in(&refused_start(house.dir.path()));
    }
    lines(house.dir.path(), &["project", "list", "--accept-loss"]);
    lines(house.dir.path(), &["project", "list"]);
}

fn told_in(why: &str) {
    for words in ["usher.db is an older copy", "copy the data directory", "usher restore", "--accept-loss"] {
        assert!(why.contains(words), "{words}: {why}");
    }
}

#[test]
fn an_older_database_of_an_earlier_run_is_refused() {
    for erased in [0, 1, 3] {
        let house = House::new();
        let server = Process::start(house.dir.path());
        for n in 0..3 {
            house.track(&server, &format!("user-{n}"));
        }
        assert!(server.terminate().success());
        let old = fs::read(house.at("usher.db")).expect("a database");
        let server = Process::start(house.dir.path());
        house.track(&server, "lost-user");
        for n in 0..erased {
            house.erase(&server, &format!("user-{n}"));
        }
        assert!(server.terminate().success());
        // The twin: the newest is taken.
        lines(house.dir.path(), &["project", "list"]);
        fs::write(house.at("usher.db"), &old).expect("an old file");
        if erased == 0 {
            told_in(&refused(house.dir.path(), &["project", "list", "--read-only"]));
        }
        older_is_told(&house);
    }
}

#[test]
fn an_older_database_of_one_run_is_told_by_an_erasure() {
    let house = House::new();
    let server = Process::start(house.dir.path());
    house.track(&server, "erased-user");
    house.track(&server, "staying-user");
    house.erase(&server, "staying-user");
    let old = fs::read(house.at("usher.db")).expect("a database");
    house.erase(&server, "erased-user");
    assert!(server.terminate().success());
    fs::write(house.at("usher.db"), &old).expect("an old file");
    older_is_told(&house);
}

#[test]
fn runs_that_end_before_they_sign_are_no_older_copy() {
    let house = House::new();
    drop(Process::start(house.dir.path()));
    // Where the new head is written first, nothing can be.
    let draft = house.at("secrets/.ledger.head.new");
    fs::create_dir(&draft).expect("a folder");
    for _ in 0..3 {
        let why = refused(house.dir.path(), &["project", "list"]);
        assert!(why.contains("cannot be signed"), "{why}");
    }
    fs::remove_dir(&draft).expect("a folder");
    lines(house.dir.path(), &["project", "list"]);
}

#[test]
fn what_lies_in_the_way_is_named_with_a_way_out() {
    for (name, words) in [("numbers", "is made anew"), ("reserve", "next start makes another")] {
        let house = House::new();
        fs::remove_file(house.at(name)).expect("a file");
        fs::create_dir(house.at(name)).expect("a folder");
        for _ in 0..2 {
            let why = refused_start(house.dir.path());
            assert!(why.contains(&format!("/{name}")) && why.contains(words), "{name}: {why}");
        }
        // The twin: as it says.
        fs::remove_dir(house.at(name)).expect("a folder");
        let server = Process::start(house.dir.path());
        house.track(&server, "a-user");
        assert_eq!(house.status(&server, "a-user"), 200);
        assert!(house.at(name).is_file(), "{name}");
    }
}

/// The header of the index, twice there, is changed, with the checksum that SQLite keeps of it.
fn change_index(house: &House, change: impl FnOnce(&mut [u8])) {
    let mut index = fs::read(house.at("usher.db-shm")).expect("an index");
    let mut header = index[..48].to_vec();
    change(&mut header);
    let (mut one, mut two) = (0_u32, 0_u32);
    for pair in header[..40].chunks_exact(8) {
        let number = |at: usize| u32::from_ne_bytes([pair[at], pair[at + 1], pair[at + 2], pair[at + 3]]);
        one = one.wrapping_add(number(0)).wrapping_add(two);
        two = two.wrapping_add(number(4)).wrapping_add(one);
    }
    header[40..44].copy_from_slice(&one.to_ne_bytes());
    header[44..48].copy_from_slice(&two.to_ne_bytes());
    index[..48].copy_from_slice(&header);
    index[48..96].copy_from_slice(&header);
    fs::write(house.at("usher.db-shm"), index).expect("an index");
}

#[test]
fn a_kill_within_the_header_of_a_new_wal_is_no_damage() {
    for begun in [true, false] {
        let (house, ..) = killed();
        let conn = sqlite(house.dir.path());
        let keeps = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        conn.set_db_config(keeps, true).expect("a setting");
        if begun {
            conn.execute_batch("PRAGMA wal_checkpoint(PASSIVE)").expect("a checkpoint");
        } else {
            conn.execute_batch("SELECT COUNT(*) FROM users").expect("a read");
        }
        drop(conn);
        // The first half of the header is of the new one, which counts up, the other is of the old.
        let mut wal = fs::read(house.at("usher.db-wal")).expect("a WAL");
        wal[15] = wal[15].wrapping_add(1);
        fs::write(house.at("usher.db-wal"), &wal).expect("a WAL");
        let salt = u32::from_be_bytes([wal[16], wal[17], wal[18], wal[19]]).wrapping_add(1);
        if begun {
            change_index(&house, |header| {
                header[16..20].copy_from_slice(&[0; 4]);
                header[32..36].copy_from_slice(&salt.to_be_bytes());
            });
            let server = Process::start(house.dir.path());
            for n in 0..6 {
                assert_eq!(house.status(&server, &format!("user-{n}")), 200);
            }
        } else {
            // The twin: its index knows of frames, so that this is damage.
            let why = refused_start(house.dir.path());
            assert!(why.contains("--accept-loss"), "{why}");
        }
    }
}
