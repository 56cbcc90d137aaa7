//! The backup before a database of an older version is brought to this one's schema.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use usher::archive::{self, BeforeUpgrade, Listed, UPGRADE_KEEP, prune_upgrade};
use usher::clock::{DAY, Millis};

use crate::needs::SmallDisk;
use crate::process::{Process, agent, directory, get, lines, refused, sqlite, wait_until};
use crate::version_0_1::{copy, fixture, known, opened};

fn schema(dir: &Path) -> i64 {
    sqlite(dir).pragma_query_value(None, "user_version", |row| row.get(0)).expect("a number")
}

fn backups(dir: &Path) -> Vec<Listed> {
    archive::list(&dir.join("backups")).expect("a list")
}

/// The one backup that there is, and when it was made.
#[track_caller]
fn only(dir: &Path) -> (PathBuf, Millis) {
    let listed = backups(dir);
    assert_eq!(listed.len(), 1, "{listed:?}");
    (listed[0].path.clone(), listed[0].made_at().expect("a time"))
}

/// A directory of 0.1 that this version has opened, and its schema before.
fn upgraded() -> (TempDir, i64) {
    let dir = opened();
    let old = schema(dir.path());
    lines(dir.path(), &["project", "list"]);
    assert!(schema(dir.path()) > old);
    (dir, old)
}

#[test]
fn a_database_of_0_1_is_backed_up_before_it_is_migrated() {
    let (dir, old) = upgraded();
    let (path, _) = only(dir.path());
    assert_eq!(archive::read_manifest(&path).expect("a manifest").schema, old);
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Nothing is left beside it, and the next command makes no other.
    lines(dir.path(), &["project", "list"]);
    lines(dir.path(), &["verify"]);
    assert_eq!(fs::read_dir(dir.path().join("backups")).expect("a folder").count(), 1);
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let sql = "SELECT COUNT(*) FROM audit WHERE action = 'back up' AND reason = ?1";
    let noted: i64 = sqlite(dir.path()).query_row(sql, [name], |row| row.get(0)).expect("a count");
    assert_eq!(noted, 1);
    // It opens elsewhere with the recovery key, beside the ledger, with everybody in it.
    let (place, new) = (directory(), directory());
    fs::copy(dir.path().join("erasures.ledger"), place.path().join("erasures.ledger")).expect("a copy");
    let file = place.path().join(path.file_name().expect("a name"));
    fs::copy(&path, &file).expect("a copy");
    let key = fixture("recovery-key.txt");
    let args = ["restore", &file.to_string_lossy(), "--recovery-key", &key.to_string_lossy()];
    lines(new.path(), &args);
    // It is a backup itself: no other is made of what comes out of it.
    assert!(!new.path().join("backups").exists() || backups(new.path()).is_empty());
    let server = Process::start(new.path());
    let key = format!("Bearer {}", known()["key"].as_str().expect("a key"));
    let user =
        |name: &str| get(&agent(), &server.url(&format!("/v1/users/single?identifier={name}")), &key).0;
    assert_eq!((user("ann"), user("bea")), (200, 404));
}

#[track_caller]
fn refuses(dir: &Path, why: &str) {
    let (old, bytes) = (schema(dir), fs::read(dir.join("usher.db")).expect("a file"));
    for command in ["project list", "serve --listen 127.0.0.1:0"] {
        let said = refused(dir, &command.split(' ').collect::<Vec<_>>());
        assert!(said.contains(why) && said.contains("--without-backup"), "{said}");
        assert_eq!(schema(dir), old);
    }
    assert!(fs::read(dir.join("usher.db")).expect("a file") == bytes, "the database is as it was");
    let left = fs::read_dir(dir.join("backups")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing half made is left");
    lines(dir, &["project", "list", "--without-backup"]);
    assert!(schema(dir) > old && backups(dir).is_empty());
}

#[test]
fn without_a_recovery_key_nothing_is_migrated() {
    let dir = opened();
    fs::remove_file(dir.path().join("secrets/recovery.pub")).expect("removed");
    refuses(dir.path(), "has no recovery key yet");
}

#[test]
fn without_room_for_the_backup_nothing_is_migrated() {
    let bytes = fs::metadata(fixture("data/usher.db")).expect("a file").len();
    let kib = u32::try_from(bytes / 1_024).expect("a small file");
    // Room for the database and its log, and not for a copy of it.
    let Some(disk) = SmallDisk::of(kib + kib / 2 + 256) else { return };
    let dir = disk.path().join("data");
    copy(&fixture("data"), &dir);
    let old = schema(&dir);
    let said = refused(&dir, &["project", "list"]);
    assert!(said.contains("full") && said.contains("--without-backup"), "{said}");
    assert_eq!(schema(&dir), old);
    // The twin: with room it goes on.
    disk.grow(128 * 1_024);
    lines(&dir, &["project", "list"]);
    assert!(schema(&dir) > old);
    only(&dir);
}

#[test]
fn it_goes_with_the_next_good_backup() {
    let (dir, _) = upgraded();
    // Nobody was there for more than a day: nothing is pruned before somebody confirms the clock.
    lines(dir.path(), &["clock", "confirm"]);
    let (old, _) = only(dir.path());
    // One elsewhere is none that this folder could lose.
    let elsewhere = directory();
    lines(dir.path(), &["backup", &elsewhere.path().to_string_lossy()]);
    assert_eq!(only(dir.path()).0, old);
    let new = lines(dir.path(), &["backup", &dir.path().join("backups").to_string_lossy()]).remove(0);
    assert_eq!(only(dir.path()).0, Path::new(&new));
    assert_ne!(old, Path::new(&new));
    // That one is an ordinary backup, and stays when another is made.
    lines(dir.path(), &["backup", &dir.path().join("backups").to_string_lossy()]);
    assert_eq!(backups(dir.path()).len(), 2);
}

#[test]
fn it_goes_after_30_days_where_there_is_no_other() {
    let (dir, _) = upgraded();
    let (path, at) = only(dir.path());
    let folder = dir.path().join("backups");
    let pruned = |now: Millis| prune_upgrade(&folder, at, now).expect("a word");
    // One that is younger and does not read is no good one.
    let broken = folder.join("usher-20990101T000000Z-00000000.backup");
    fs::write(&broken, "x").expect("written");
    assert_eq!(UPGRADE_KEEP, 30 * DAY);
    assert_eq!(pruned(at + UPGRADE_KEEP - 1), BeforeUpgrade::Stays);
    assert!(path.exists());
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(pruned(at + UPGRADE_KEEP), BeforeUpgrade::Removed(name));
    assert!(!path.exists() && broken.exists());
    assert_eq!(pruned(at + UPGRADE_KEEP), BeforeUpgrade::Gone);
}

#[test]
fn a_receipt_names_it_as_every_backup() {
    let (dir, _) = upgraded();
    let (path, _) = only(dir.path());
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let server = Process::start(dir.path());
    let key = known()["key"].as_str().expect("a key").to_owned();
    let erase =
        agent().delete(server.url("/v1/users/ann?hardDelete=true")).header("X-APTRINSIC-API-KEY", &key);
    let token =
        erase.call().expect("an answer").headers()["usher-receipt"].to_str().expect("a text").to_owned();
    let url = server.url(&format!("/api/receipts/{}", token.split('.').next().expect("an id")));
    let receipt: Value = wait_until("the receipt", || {
        let (status, body) = get(&agent(), &url, &format!("Bearer {key}"));
        (status == 200).then_some(body)
    });
    assert!(receipt["backups"].to_string().contains(&name), "{receipt}");
    assert!(server.terminate().success());
}

#[test]
fn a_new_directory_has_nothing_to_back_up() {
    let dir = directory();
    crate::process::begin(dir.path());
    assert!(!dir.path().join("backups").exists() || backups(dir.path()).is_empty());
}
