//! A start that is cut off at any change it makes to a file: by a kill, by a power cut, by a
//! full disk. The next start opens what is left, and nothing is lost.
//!
//! A start is run once with its changes written down (`trace_writes.c`). Each state that a cut
//! could have left is then made from them, and opened by the program. `LONG=1` goes deeper: the
//! recovery of some states is cut off again, at any change, and power cuts, full disks and first
//! starts are tried at more points. `POWER_CUTS=10000` makes a tenth of them here; see `power_cuts`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fastrand::Rng;
use serde_json::json;

use crate::process::{Process, agent, directory, key, post, sqlite, usher, wait_until};
use crate::shim::{Change, RESERVE, SECTOR, Shim, copied, copied_without_index, number};

fn long() -> bool {
    std::env::var_os("LONG").is_some()
}

/// A directory that was killed, with acknowledged rows in its WAL alone.
struct Past {
    dir: tempfile::TempDir,
    users: BTreeSet<String>,
}

impl Past {
    fn new() -> Past {
        let dir = directory();
        let key = key(dir.path(), "test");
        let server = Process::start(dir.path());
        let client = agent();
        let track = |name: &str, text: &str| {
            let body = json!({ "userId": name, "event": "Signed Up", "properties": { "text": text } });
            assert_eq!(post(&client, &server.url("/v1/track"), &key, &body).expect("an answer").0, 200);
        };
        track("erased-user", "x");
        let names = (0..4).map(|n| format!("user-{n}")).collect::<BTreeSet<String>>();
        names.iter().for_each(|name| track(name, &"long ".repeat(200)));
        let url = server.url("/v1/users/erased-user?hardDelete=true");
        let answer = client.delete(url).header("X-APTRINSIC-API-KEY", &key).call().expect("an answer");
        assert_eq!(answer.status(), 200);
        wait_until("a receipt", || (open_jobs(dir.path()) == 0).then_some(()));
        track("user-4", "the last one");
        server.kill();
        let users = names.into_iter().chain(["user-4".to_owned()]).collect();
        let past = Past { dir, users };
        assert!(fs::metadata(past.dir.path().join("usher.db-wal")).expect("a WAL").len() > 0);
        past
    }

    /// What is left of it opens, and has all of it.
    fn check(&self, dir: &Path, what: &str) {
        let output = usher(dir, &["project", "list"]).output().expect("the program runs");
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{what}: {why}");
        assert!(!why.contains("panicked"), "{what}: {why}");
        let conn = sqlite(dir);
        let mut rows =
            conn.prepare("SELECT identifier FROM users WHERE identifier IS NOT NULL").expect("a query");
        let found: BTreeSet<String> =
            rows.query_map([], |row| row.get(0)).expect("rows").map(|name| name.expect("a name")).collect();
        assert_eq!(found, self.users, "{what}");
        let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(sound, "ok", "{what}");
    }
}

fn open_jobs(dir: &Path) -> i64 {
    let sql = "SELECT COUNT(*) FROM jobs WHERE status <> 'completed'";
    sqlite(dir).query_row(sql, [], |row| row.get(0)).expect("a count")
}

/// Cuts a start on `before` off behind each of its changes, and in the middle of each write.
fn cut_everywhere(shim: &Shim, past: &Past, before: &Path, deeper: u32) -> usize {
    let traced = copied(before);
    let changes = shim.trace_start(traced.path());
    let rolling = copied_without_index(before);
    let mut states = 0;
    for (n, change) in changes.iter().enumerate() {
        // Nothing else than what was before it.
        let is_seen = change.kind != b's' && change.name != RESERVE && change.name != "usher.sock";
        if is_seen && change.kind == b'w' && change.bytes.len() > 512 {
            let torn = copied(rolling.path());
            change.make(torn.path(), change.bytes.len() / 2);
            past.check(torn.path(), &format!("cut in change {n}, to {}", change.name));
            states += 1;
        }
        change.all(rolling.path());
        if is_seen {
            let cut = copied(rolling.path());
            if deeper > 0 && n % 7 == 0 {
                states += cut_everywhere(shim, past, cut.path(), deeper - 1);
            }
            past.check(cut.path(), &format!("cut after change {n}, of {}", change.name));
            states += 1;
        }
    }
    states
}

#[test]
fn a_start_that_is_killed_at_any_change_loses_nothing() {
    let (shim, past) = (Shim::new(), Past::new());
    let states = cut_everywhere(&shim, &past, past.dir.path(), u32::from(long()));
    assert!(states > 50, "only {states} states");
    eprintln!("opened {states} states");
}

/// As [`power_cuts`] makes them.
#[test]
fn a_power_cut_at_any_sync_of_a_start_loses_nothing() {
    let (shim, past) = (Shim::new(), Past::new());
    let changes = shim.trace_start(copied(past.dir.path()).path());
    let syncs = changes.iter().filter(|change| change.kind == b's').count();
    let rounds = number("POWER_CUTS").map(|states| (states / 10).div_ceil(syncs));
    let (states, each) = power_cuts(&past, &changes, rounds.unwrap_or(if long() { 200 } else { 8 }));
    assert!(states >= each && each > 4, "{states} states of {each} syncs");
    eprintln!("opened {states} states of {each} syncs");
}

/// Before each sync of a file, some of the writes since its last sync are lost, or half there.
fn power_cuts(past: &Past, changes: &[Change], rounds: usize) -> (usize, usize) {
    let mut rng = Rng::with_seed(11);
    let (mut states, mut syncs) = (0, 0);
    for (n, change) in changes.iter().enumerate().filter(|(_, change)| change.kind == b's') {
        syncs += 1;
        for round in 0..rounds {
            let dir = copied_without_index(past.dir.path());
            for (earlier, made) in changes[..n].iter().enumerate() {
                let is_synced =
                    changes[earlier..n].iter().any(|later| later.kind == b's' && later.name == made.name);
                match rng.u8(..3) {
                    _ if is_synced || made.kind != b'w' => made.all(dir.path()),
                    0 => {}
                    // A disk writes a sector whole.
                    1 => made.make(dir.path(), made.bytes.len() / 2 / SECTOR * SECTOR),
                    _ => made.all(dir.path()),
                }
            }
            past.check(
                dir.path(),
                &format!("round {round}, a power cut before change {n}, of {}", change.name),
            );
            states += 1;
        }
    }
    (states, syncs)
}

#[test]
fn a_start_on_a_disk_that_fills_at_any_write_loses_nothing() {
    let (shim, past) = (Shim::new(), Past::new());
    let mut from = 0;
    loop {
        from += 1;
        let dir = copied(past.dir.path());
        let output = shim.open_full(dir.path(), from);
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(!why.contains("panicked") && output.status.code().is_some(), "write {from}: {why}");
        past.check(dir.path(), &format!("full from write {from} on"));
        // Past its last write.
        if output.status.success() && why.is_empty() {
            break;
        }
        if !long() && from > 10 {
            from += 4;
        }
    }
    assert!(from > 10, "only {from} writes");
}

/// The first start: there is nothing to lose yet, but the next one must not be refused.
#[test]
fn a_first_start_that_is_killed_at_any_change_is_begun_again() {
    let shim = Shim::new();
    let (traced, rolling) = (directory(), directory());
    let changes = shim.trace_start(traced.path());
    let mut states = 0;
    for (n, change) in changes.iter().enumerate() {
        change.all(rolling.path());
        let is_name = change.kind != b'w' || change.name != "usher.db-wal" || long() || n % 8 == 0;
        if change.kind == b's' || change.name == RESERVE || change.name == "usher.sock" || !is_name {
            continue;
        }
        let dir = copied(rolling.path());
        // It says where it serves, or the test fails with what it said instead.
        eprintln!("begun again after change {n}, of {}", change.name);
        Process::start(dir.path()).kill();
        states += 1;
    }
    assert!(states > 20, "only {states} states");
}
