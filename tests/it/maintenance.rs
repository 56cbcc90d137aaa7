//! What comes round: signed heads, counted reads, the daily search, backups.

use std::fs;
use std::path::PathBuf;

use usher::access::keys;
use usher::app::BackupPolicy;
use usher::archive::{KEEP, RecoveryKey};
use usher::clock::{DAY, HOUR, MINUTE};
use usher::proof::audit::check;
use usher::proof::signing::Signer;
use usher::store::{audit, jobs};

use crate::harness::{START, Server};

fn count(server: &Server, sql: &str) -> i64 {
    server.sqlite().query_row(sql, [], |row| row.get(0)).expect("a count")
}

fn track(server: &Server, name: &str, message: &str) {
    let body = format!(r#"{{"userId":"{name}","event":"Came By","messageId":"{message}"}}"#);
    server.post("/v1/track").bearer(&server.project().all).body(body, "application/json").send().expect(200);
}

fn erase(server: &Server, name: &str) {
    let path = format!("/v1/users/{name}?hardDelete=true");
    server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    server.tick();
}

#[test]
fn the_head_of_the_audit_log_is_signed_each_hour_if_it_moved() {
    let server = Server::start();
    server.tick();
    let heads = || server.app.read(audit::heads).expect("heads");
    let first = heads();
    assert_eq!(first.len(), 1);
    track(&server, "ann-the-erased", "1");
    erase(&server, "ann-the-erased");
    server.clock.advance(HOUR - 1);
    server.tick();
    assert_eq!(heads(), first);
    server.clock.advance(1);
    server.tick();
    let second = heads();
    assert_eq!(second.len(), 2);
    assert_eq!(second[1].at, START + HOUR);
    server.clock.advance(HOUR);
    server.tick();
    assert_eq!(heads(), second, "nothing was written since");
    let rows = server.app.read(|db| audit::after(db, 0, 1_000)).expect("rows");
    assert_eq!(second[1].seq, rows.len() as u64);
    assert!(check(rows, &second, &[], &Signer::of(&[9; 32]).public()).is_good());
}

#[test]
fn reads_over_the_api_are_counted_per_key_and_day() {
    let server = Server::start();
    track(&server, "ann", "1");
    let look = |status: u16| {
        let path = "/v1/users/single?identifier=ann";
        server.get(path).bearer(&server.project().all).send().expect(status);
    };
    look(200);
    look(200);
    // To the last millisecond of the day, and to the next one's first.
    server.clock.advance(DAY - START % DAY - 1);
    look(200);
    server.clock.advance(1);
    look(200);
    assert_eq!(count(&server, "SELECT COUNT(*) FROM api_reads"), 0);
    server.tick();
    let reads = |day: i64| count(&server, &format!("SELECT sum(reads) FROM api_reads WHERE day = {day}"));
    let today = START - START % DAY;
    assert_eq!((reads(today), reads(today + DAY)), (3, 1));
    look(200);
    track(&server, "ann", "2");
    server.tick();
    server.tick();
    assert_eq!((reads(today), reads(today + DAY)), (3, 2), "a write is no read");
    assert_eq!(count(&server, "SELECT COUNT(DISTINCT key_id) FROM api_reads"), 1);
}

/// They may be why it was revoked.
#[test]
fn the_last_reads_with_a_revoked_key_are_stored() {
    let server = Server::start();
    track(&server, "ann", "1");
    server.tick();
    let key = server.key(Some(server.project().id), "read");
    for _ in 0..2 {
        server.get("/v1/users/single?identifier=ann").bearer(&key).send().expect(200);
    }
    server.write(|tx| {
        let last = keys::list(tx)?.into_iter().map(|key| key.id).max();
        keys::revoke(tx, last.expect("a key"))
    });
    server.app.reload_keys().expect("keys");
    server.get("/v1/users/single?identifier=ann").bearer(&key).send().expect(401);
    server.tick();
    server.tick();
    assert_eq!(count(&server, "SELECT coalesce(sum(reads), 0) FROM api_reads"), 2);
    let used = "SELECT COUNT(*) FROM api_keys WHERE revoked_at IS NOT NULL AND last_used_at IS NOT NULL";
    assert_eq!(count(&server, used), 1);
}

#[test]
fn once_a_day_all_files_are_searched_for_the_erased() {
    let server = Server::start();
    server.tick();
    track(&server, "ann-the-erased", "message-of-ann");
    track(&server, "ben-the-living", "message-of-ben");
    erase(&server, "ann-the-erased");
    let needles = || count(&server, "SELECT COUNT(*) FROM needles");
    assert!(needles() > 0);
    server.clock.advance(DAY - 1);
    server.tick();
    assert!(needles() > 0, "not before its time");
    server.clock.advance(1);
    server.tick();
    assert_eq!(needles(), 0);
    assert_eq!(count(&server, "SELECT COUNT(*) FROM jobs WHERE status = 'completed'"), 1);
}

#[test]
fn a_find_of_the_daily_search_fails_its_job_by_place() {
    let server = Server::start();
    server.tick();
    for name in ["ann-the-erased", "cat-the-erased"] {
        track(&server, name, &format!("message of {name}"));
        erase(&server, name);
    }
    let folder = server.path().parent().expect("a folder").to_owned();
    fs::write(folder.join("notes.txt"), "do not forget ann-the-erased").expect("a file");
    server.clock.advance(DAY);
    server.tick();
    let list = server.app.read(|db| jobs::list(db, None, None, 10)).expect("jobs");
    let failed: Vec<_> = list.iter().filter(|job| job.error.is_some()).collect();
    assert_eq!(failed.len(), 1);
    assert!(failed[0].error.as_ref().is_some_and(|error| error.contains("notes.txt")), "{failed:?}");
    assert_eq!(count(&server, "SELECT COUNT(*) FROM jobs WHERE status = 'failed'"), 1);
    assert_eq!(count(&server, "SELECT COUNT(DISTINCT job_id) FROM needles"), 1, "of the failed one alone");
    let id = failed[0].id;
    let retry = || {
        server.write(move |tx| usher::erasure::jobs::retry(tx, id));
        server.tick();
    };
    retry();
    assert_eq!(count(&server, "SELECT COUNT(*) FROM jobs WHERE status = 'failed'"), 1, "it is there still");
    // Once the place is clean, a retry completes it with the receipt that it has.
    fs::remove_file(folder.join("notes.txt")).expect("a file");
    retry();
    assert_eq!(count(&server, "SELECT COUNT(*) FROM jobs WHERE status = 'completed'"), 2);
    assert_eq!(fs::read_dir(folder.join("receipts")).expect("receipts").count(), 2);
}

/// It reads a file piece by piece, of 1 MiB and what lies across two of them.
#[test]
fn a_find_in_a_large_file_is_named_once_by_its_place() {
    // Files are searched a MiB at a time: what matters is where these end.
    const MIB: usize = 1 << 20;
    let server = Server::start();
    server.tick();
    let folder = server.path().parent().expect("a folder").to_owned();
    let places = [0, MIB - 64, MIB - 40, MIB - 14, MIB - 5, MIB, 3 * MIB + 7, 4 * MIB - 14];
    for (n, at) in places.iter().enumerate() {
        let name = format!("ann-the-{n}rased");
        track(&server, &name, &format!("{n}"));
        erase(&server, &name);
        let mut bytes = vec![b'.'; (at + 64).next_multiple_of(MIB)];
        bytes[*at..at + name.len()].copy_from_slice(name.as_bytes());
        fs::write(folder.join(format!("{n}.txt")), bytes).expect("a file");
    }
    server.clock.advance(DAY);
    server.tick();
    let list = server.app.read(|db| jobs::list(db, None, None, 20)).expect("jobs");
    let mut said: Vec<_> = list.iter().filter_map(|job| job.error.as_deref()).collect();
    said.sort_by_key(|said| said.find(".txt").map(|at| said[..at].to_owned()));
    assert_eq!(said.len(), places.len());
    for (n, (said, at)) in said.iter().zip(places).enumerate() {
        assert!(said.ends_with(&format!("{n}.txt, at byte {at}")), "{said}");
        assert_eq!(said.matches(".txt").count(), 1, "{said}");
    }
}

/// Gives a server's directory its keys, as a data directory has them.
pub fn furnish(server: &Server) -> PathBuf {
    let dir = server.path().parent().expect("a folder").to_owned();
    let secrets = dir.join("secrets");
    fs::create_dir_all(&secrets).expect("a folder");
    fs::write(secrets.join("store.key"), [7; 32]).expect("a file");
    fs::write(secrets.join("signing.key"), [9; 32]).expect("a file");
    fs::write(dir.join("signing.pub"), Signer::of(&[9; 32]).public().file_text()).expect("a file");
    RecoveryKey::create(&secrets).expect("a key").keep(&secrets).expect("a place for it");
    dir
}

fn keeper(every: Option<i64>) -> (Server, PathBuf) {
    let server = Server::start();
    let dir = furnish(&server);
    server.app.set_backup_policy(BackupPolicy { every, keep: KEEP, copies: None });
    (server, dir)
}

fn names(dir: &std::path::Path) -> Vec<String> {
    usher::archive::list(&dir.join("backups"))
        .expect("a list")
        .into_iter()
        .map(|backup| backup.name)
        .collect()
}

#[test]
fn daily_backups_are_kept_for_30_days_and_in_receipts() {
    let (server, dir) = keeper(Some(DAY));
    track(&server, "ann-the-erased", "1");
    server.tick();
    assert_eq!(names(&dir).len(), 1);
    server.clock.advance(DAY - 1);
    server.tick();
    assert_eq!(names(&dir).len(), 1);
    server.clock.advance(1);
    server.tick();
    let both = names(&dir);
    assert_eq!(both.len(), 2);
    erase(&server, "ann-the-erased");
    let receipt = fs::read_dir(dir.join("receipts")).expect("receipts").next().expect("one").expect("one");
    let receipt: serde_json::Value =
        serde_json::from_slice(&fs::read(receipt.path()).expect("a file")).expect("JSON");
    let held = receipt["receipt"]["backups"].as_array().expect("a list");
    assert_eq!(held.iter().map(|held| held["name"].as_str().expect("a name")).collect::<Vec<_>>(), both);
    assert_eq!(held[0]["pruned_at"], START + KEEP);
    // The last day of the first.
    for _ in 0..28 {
        server.clock.advance(DAY);
        server.tick();
    }
    assert_eq!(names(&dir).len(), 30);
    assert!(names(&dir).contains(&both[0]));
    server.clock.advance(DAY);
    server.tick();
    assert_eq!(names(&dir).len(), 30);
    assert!(!names(&dir).contains(&both[0]));
    assert_eq!(
        fs::read_dir(dir.join("backups")).expect("a folder").count(),
        30,
        "nothing else is left there"
    );
}

#[test]
fn a_backup_that_fails_is_tried_again_beside_the_last_good() {
    let (server, dir) = keeper(Some(DAY));
    server.tick();
    let first = names(&dir);
    let public = dir.join("secrets/recovery.pub");
    let key = fs::read(&public).expect("a file");
    fs::remove_file(&public).expect("a file");
    server.clock.advance(40 * DAY);
    server.tick();
    assert_eq!(names(&dir), first, "it is past its time, and the only one");
    fs::write(&public, key).expect("a file");
    server.clock.advance(10 * MINUTE - 1);
    server.tick();
    assert_eq!(names(&dir), first);
    server.clock.advance(1);
    server.tick();
    let second = names(&dir);
    assert_eq!(second.len(), 1, "the old one went after a good new one");
    assert_ne!(first, second);
}

#[test]
fn without_a_schedule_no_backup_is_made() {
    let (server, dir) = keeper(None);
    server.tick();
    server.clock.advance(3 * DAY);
    server.tick();
    assert!(names(&dir).is_empty());
}

/// Receipts name the day on which a backup goes: also of the only one.
#[test]
fn the_last_good_backup_goes_once_a_new_one_is_made() {
    let (server, dir) = keeper(None);
    let make = || usher::backup::make(&server.app, &dir.join("backups")).expect("a backup");
    make();
    server.tick();
    let first = names(&dir);
    // No whole day after the last look.
    server.clock.advance(KEEP - DAY + HOUR);
    server.tick();
    server.clock.advance(DAY - HOUR - 1);
    server.tick();
    assert_eq!(names(&dir), first);
    server.clock.advance(1);
    server.tick();
    let second = names(&dir);
    assert_eq!(second.len(), 1);
    assert_ne!(second, first);
    // With a younger one, no other is needed.
    server.clock.advance(DAY);
    make();
    let third = names(&dir).pop().expect("a third");
    server.clock.advance(KEEP - DAY);
    server.tick();
    assert_eq!(names(&dir), [third]);
}

/// The demo does its work in the past, on a clock of its own.
#[test]
fn a_tick_at_another_time_makes_no_backup_and_signs_nothing() {
    let (server, dir) = keeper(Some(DAY));
    track(&server, "ann", "1");
    let past = server.app.at(usher::clock::Clock::manual(START - 30 * DAY));
    usher::worker::tick(&past).expect("a tick");
    assert!(names(&dir).is_empty());
    assert_eq!(count(&server, "SELECT COUNT(*) FROM upkeep WHERE task <> 'run'"), 0);
}
