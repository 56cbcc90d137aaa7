//! A data directory and a backup that version 0.1 made are opened by this version, and everybody
//! that its ledger, receipts and audit log speak of is found again. See tests/fixtures/0.1.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{
    Process, agent, begin, directory, get, lines, post, refused, sqlite, usher, wait_until,
};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/0.1").join(name)
}

/// Modes are not kept by version control.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).expect("a mode");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copy");
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
    }
}

pub fn opened() -> TempDir {
    let dir = directory();
    copy(&fixture("data"), dir.path());
    dir
}

pub fn known() -> Value {
    serde_json::from_slice(&fs::read(fixture("known.json")).expect("a file")).expect("JSON")
}

struct House {
    server: Process,
    agent: ureq::Agent,
    key: String,
}

impl House {
    fn open(dir: &Path) -> House {
        let key = format!("Bearer {}", known()["key"].as_str().expect("a key"));
        House { server: Process::start(dir), agent: agent(), key }
    }

    fn user(&self, name: &str) -> (u16, Value) {
        let url = self.server.url(&format!("/v1/users/single?identifier={name}"));
        get(&self.agent, &url, &self.key)
    }

    /// What was erased at once, or is left of what was kept.
    fn check_people(&self) {
        for name in ["ann", "hal", "eve"] {
            let (status, body) = self.user(name);
            assert_eq!(status, 200, "{name}: {body}");
            assert_eq!(body["user"]["data"]["plan"], "team", "{name}");
        }
        for name in ["bea", "cai", "dan", "gus"] {
            assert_eq!(self.user(name).0, 404, "{name}");
        }
    }
}

#[test]
fn a_directory_of_0_1_opens_with_everybody_as_they_were() {
    let dir = opened();
    let house = House::open(dir.path());
    house.check_people();
    let events = |name: &str| {
        let sql = "SELECT event_count FROM users WHERE identifier = ?1";
        sqlite(dir.path()).query_row(sql, [name], |row| row.get::<_, i64>(0)).expect("a user")
    };
    assert_eq!(events("ann"), 6);
    assert_eq!(events("eve"), 0);
    assert!(house.server.terminate().success());
    lines(dir.path(), &["verify"]);
}

#[test]
fn an_admin_of_0_1_is_an_owner_of_all_projects() {
    let dir = opened();
    let all = lines(dir.path(), &["admin", "list"]);
    assert!(all.len() == 1 && all[0].starts_with("mia\towner\t(all projects)\tsince "), "{all:?}");
}

#[test]
fn tokens_of_0_1_show_whose_the_receipts_are() {
    let dir = opened();
    let house = House::open(dir.path());
    let key = fixture("data/signing.pub");
    let key = key.to_string_lossy();
    for (name, token) in known()["tokens"].as_object().expect("tokens") {
        let token = token.as_str().expect("a token");
        let id = token.split('.').next().expect("a receipt's id");
        let mut reply = house
            .agent
            .get(house.server.url(&format!("/api/receipts/{id}")))
            .header("Authorization", &house.key)
            .call()
            .expect("an answer");
        let file = dir.path().join(format!("of-{name}.json"));
        fs::write(&file, reply.body_mut().read_to_vec().expect("a receipt")).expect("a file");
        let file = file.to_string_lossy();
        let whose = |name: &str| {
            let args = ["verify", "--receipt", &file, "--key", &key, "--token", token, "--identifier", name];
            usher(dir.path(), &args).output().expect("the program runs").status.success()
        };
        assert!(whose(name), "{name}");
        assert!(!whose("hal"), "{name}'s receipt is said to be another person's");
    }
}

#[test]
fn a_key_that_0_1_revoked_stays_revoked() {
    let dir = opened();
    let house = House::open(dir.path());
    let status = |key: &str| {
        let key = format!("Bearer {}", known()[key].as_str().expect("a key"));
        get(&house.agent, &house.server.url("/v1/project"), &key).0
    };
    assert_eq!(status("revoked"), 401);
    assert_eq!(status("key"), 200);
}

/// Erased identifiers are found under the digests that 0.1 wrote.
#[test]
fn a_late_event_for_someone_0_1_erased_is_dropped() {
    let dir = opened();
    let house = House::open(dir.path());
    let event = |name: &str| {
        json!({ "type": "track", "userId": name, "event": "Late", "timestamp": "2026-11-29T00:00:00Z",
            "messageId": format!("late-{name}") })
    };
    let batch = json!({ "batch": [event("cai"), event("gus"), event("visitor-of-cai"), event("new")] });
    let (status, said) =
        post(&house.agent, &house.server.url("/v1/batch"), &house.key, &batch).expect("an answer");
    assert_eq!(status, 200, "{said}");
    for name in ["cai", "gus"] {
        assert_eq!(house.user(name).0, 404, "{name}");
    }
    // The twin: somebody else is registered by such an event.
    assert_eq!(house.user("new").0, 200);
}

#[test]
fn a_backup_of_0_1_brings_back_nobody_whom_its_ledger_erased() {
    let dir = opened();
    let backup = fixture("usher.backup");
    lines(dir.path(), &["restore", &backup.to_string_lossy()]);
    let house = House::open(dir.path());
    house.check_people();
    wait_until("the proof", || {
        let sql = "SELECT COUNT(*) FROM jobs WHERE status = 'running'";
        let open: i64 = sqlite(dir.path()).query_row(sql, [], |row| row.get(0)).expect("a count");
        (open == 0).then_some(())
    });
    assert!(house.server.terminate().success());
    lines(dir.path(), &["verify"]);
}

#[test]
fn a_backup_of_0_1_opens_with_its_recovery_key_alone() {
    let (place, new) = (directory(), directory());
    fs::copy(fixture("data/erasures.ledger"), place.path().join("erasures.ledger")).expect("a copy");
    let backup = place.path().join("usher-20261129T230421Z-0b05c929.backup");
    fs::copy(fixture("usher.backup"), &backup).expect("a copy");
    let backup = backup.to_string_lossy().into_owned();
    // The twin: without the key it does not.
    assert!(refused(new.path(), &["restore", &backup]).contains("no key opens"));
    let key = fixture("recovery-key.txt");
    lines(new.path(), &["restore", &backup, "--recovery-key", &key.to_string_lossy()]);
    let house = House::open(new.path());
    house.check_people();
}

#[test]
fn an_anonymous_id_of_a_0_1_deletion_that_waits_is_trusted() {
    let dir = opened();
    let alias = |name: &str| {
        let sql = "SELECT min(a.anonymous_id) FROM aliases a JOIN users u ON u.id = a.user_id
                   WHERE u.identifier = ?1";
        sqlite(dir.path()).query_row(sql, [name], |row| row.get::<_, String>(0)).expect("an alias")
    };
    let (named, other) = (alias("hal"), alias("ann"));
    let ordered = "UPDATE jobs SET reference = ?1, start_at = 99999999999999 WHERE status = 'scheduled'";
    assert_eq!(sqlite(dir.path()).execute(ordered, [&named]).expect("a job"), 1);
    begin(dir.path());
    let is_trusted = |alias: &str| {
        let sql = "SELECT is_trusted FROM aliases WHERE anonymous_id = ?1";
        sqlite(dir.path()).query_row(sql, [alias], |row| row.get::<_, bool>(0)).expect("an alias")
    };
    assert!(is_trusted(&named), "the deletion was ordered when it was believed");
    assert!(!is_trusted(&other), "nobody waits for this one");
}

/// Its receipts were numbered through the installation; those that come are numbered in their
/// project, go on after them, and name the last of them.
#[test]
fn a_projects_own_chain_follows_on_its_last_receipt_of_0_1() {
    let dir = opened();
    let house = House::open(dir.path());
    let bytes = |path: &str| {
        let url = house.server.url(path);
        let reply = house.agent.get(url).header("Authorization", &house.key).call().expect("an answer");
        let is_there = reply.status().as_u16() == 200;
        is_there.then(|| reply.into_body().read_to_vec().expect("a receipt"))
    };
    let last = |from: u64| (from..20).take_while(|n| bytes(&format!("/api/receipts/{n}")).is_some()).last();
    assert!(last(1) >= Some(4), "those of 0.1 have the numbers that they had");
    let url = house.server.url("/v1/users/ann?hardDelete=true");
    let key = house.key.trim_start_matches("Bearer ");
    let reply = house.agent.delete(url).header("X-APTRINSIC-API-KEY", key).call().expect("an answer");
    let token = reply.headers().get("usher-receipt").expect("a token").to_str().expect("a text").to_owned();
    let path = format!("/api/receipts/{}", token.split('.').next().expect("a receipt's id"));
    let receipt = wait_until("the receipt", || bytes(&path));
    let receipt: Value = serde_json::from_slice(&receipt).expect("JSON");
    let number = receipt["number"].as_u64().expect("a number");
    assert_eq!((&receipt["version"], number >= 5), (&json!(2), true), "{receipt}");
    let before = bytes(&format!("/api/receipts/{}", number - 1)).expect("the one before");
    assert_eq!(receipt["previous"], usher::proof::hex::Hex::sha256(&before).to_string());
    assert!(house.server.terminate().success());
    lines(dir.path(), &["verify"]);
}
