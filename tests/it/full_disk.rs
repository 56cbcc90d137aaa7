//! A disk that is full takes no more events, and a deletion all the same.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::needs::SmallDisk;
use crate::process::{
    Process, agent, begin, check_file, directory, key, lines, post, refused, sqlite, usher, wait_until,
};

/// Takes all the room that there is.
pub fn fill(disk: &SmallDisk) -> PathBuf {
    let filler = disk.path().join("filler");
    let status = Command::new("dd")
        .args(["if=/dev/zero", "bs=64k", "status=none"])
        .arg(format!("of={}", filler.display()))
        .stderr(std::process::Stdio::null())
        .status()
        .expect("dd runs");
    assert!(!status.success(), "the disk did not fill");
    filler
}

fn statuses(dir: &Path) -> Vec<String> {
    let conn = sqlite(dir);
    let mut statement = conn.prepare("SELECT status FROM jobs ORDER BY id").expect("a query");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.map(|status| status.expect("a status")).collect()
}

#[test]
fn a_full_disk_refuses_events_and_goes_on_erasing() {
    let Some(disk) = SmallDisk::of(160 * 1024) else { return };
    let dir = disk.path().join("data");
    let key = key(&dir, "test");
    let server = Process::start(&dir);
    let agent = agent();
    let track = |user: &str, n: usize| {
        let text = "x".repeat(20_000);
        let body = json!({ "userId": user, "event": "Report Exported", "messageId": format!("{user}-{n}"),
                           "properties": { "text": format!("{user}-{n}-{text}") } });
        post(&agent, &server.url("/v1/track"), &key, &body).expect("an answer").0
    };
    for n in 0..100 {
        assert_eq!((track("ann", n), track("ben", n)), (200, 200));
    }
    let filler = fill(&disk);
    let mut refused = 0;
    for n in 100..2_000 {
        match track("ben", n) {
            200 => {}
            status => {
                assert_eq!(status, 503);
                refused += 1;
            }
        }
        if refused > 3 {
            break;
        }
    }
    assert!(refused > 3, "the disk is not full");
    let delete = |user: &str| {
        let url = server.url(&format!("/v1/users/{user}?hardDelete=true"));
        agent.delete(url).header("X-APTRINSIC-API-KEY", &key).call().expect("an answer")
    };
    let deleted = delete("ann");
    assert_eq!(deleted.status(), 200);
    assert!(deleted.headers().contains_key("usher-receipt"));
    wait_until("the end of the job", || (statuses(&dir) == ["completed"]).then_some(()));
    assert_eq!(std::fs::read_dir(dir.join("receipts")).expect("receipts").count(), 1);
    // The room is for erasing: events are still refused.
    assert_eq!(track("ben", 5_000), 503);
    std::fs::remove_file(filler).expect("room");
    wait_until("events again", || (track("ben", 5_001) == 200).then_some(()));
    assert!(dir.join("reserve").exists());
    assert!(server.terminate().success());
    check_file(&dir);
}

#[test]
fn a_start_on_a_full_disk_gives_the_reserve_up_and_erases() {
    let Some(disk) = SmallDisk::of(160 * 1024) else { return };
    let dir = disk.path().join("data");
    let key = key(&dir, "test");
    let server = Process::start(&dir);
    let body = json!({ "userId": "ann", "event": "Came By", "messageId": "1" });
    assert_eq!(post(&agent(), &server.url("/v1/track"), &key, &body).expect("an answer").0, 200);
    assert!(server.terminate().success());
    let filler = fill(&disk);
    assert!(dir.join("reserve").exists());
    let server = Process::start(&dir);
    assert!(!dir.join("reserve").exists());
    let refused = post(&agent(), &server.url("/v1/track"), &key, &json!({ "userId": "ben", "event": "x" }));
    assert_eq!(refused.expect("an answer").0, 503);
    let erase = server.url("/v1/users/ann?hardDelete=true");
    let answer = agent().delete(erase).header("X-APTRINSIC-API-KEY", &key).call().expect("an answer");
    assert_eq!(answer.status(), 200);
    wait_until("a receipt", || (statuses(&dir) == ["completed"]).then_some(()));
    assert!(server.terminate().success());
    // With what the reserve left free, but too little for another one, too.
    let server = Process::start(&dir);
    assert!(!dir.join("reserve").exists());
    assert!(server.terminate().success());
    std::fs::remove_file(filler).expect("room");
    check_file(&dir);
}

#[test]
fn a_reserve_with_holes_is_written_anew() {
    let dir = directory();
    begin(dir.path());
    let reserve = dir.path().join("reserve");
    let about = || std::fs::metadata(&reserve).expect("a reserve");
    let (bytes, written) = (about().len(), about().modified().expect("a time"));
    assert!(about().blocks() * 512 >= bytes && bytes > 0);
    begin(dir.path());
    assert_eq!(about().modified().expect("a time"), written, "a whole one was written anew");
    std::fs::File::create(&reserve).and_then(|file| file.set_len(bytes)).expect("holes");
    assert_eq!((about().len(), about().blocks()), (bytes, 0));
    begin(dir.path());
    assert_eq!(about().len(), bytes);
    assert!(about().blocks() * 512 >= bytes, "it keeps no room");
}

#[test]
fn a_reserve_of_0_1_is_renamed_and_a_link_is_not() {
    let dir = directory();
    begin(dir.path());
    let (old, new) = (dir.path().join("ballast"), dir.path().join("reserve"));
    std::fs::rename(&new, &old).expect("a file");
    let inode = std::fs::metadata(&old).expect("a file").ino();
    begin(dir.path());
    assert_eq!(std::fs::metadata(&new).expect("a reserve").ino(), inode);
    assert!(!old.exists());
    let elsewhere = directory();
    let target = elsewhere.path().join("a file");
    std::fs::rename(&new, &target).expect("a file");
    std::os::unix::fs::symlink(&target, &old).expect("a link");
    begin(dir.path());
    assert!(old.is_symlink() && new.is_file() && !new.is_symlink());
}

#[test]
fn a_backup_that_does_not_fit_leaves_erasing_its_room() {
    let Some(disk) = SmallDisk::of(160 * 1024) else { return };
    let dir = disk.path().join("data");
    let key = key(&dir, "test");
    let server = Process::start(&dir);
    let text = "x".repeat(20_000);
    for n in 0..400 {
        let body = json!({ "userId": "ann", "event": "Came By", "messageId": n.to_string(), "properties": { "text": text } });
        assert_eq!(post(&agent(), &server.url("/v1/track"), &key, &body).expect("an answer").0, 200);
    }
    let backups = dir.join("backups");
    let shelf = backups.to_string_lossy().into_owned();
    let made = || std::fs::read_dir(&backups).map_or(0, Iterator::count);
    let before = made();
    lines(&dir, &["backup", &shelf]);
    assert_eq!(made(), before + 1);
    // Room for one of the two files that a backup takes, and no more.
    let filler = fill(&disk);
    let length = std::fs::metadata(&filler).expect("a file").len();
    let file = std::fs::OpenOptions::new().write(true).open(&filler).expect("a file");
    file.set_len(length - 14 * 1024 * 1024).expect("some room");
    drop(file);
    let why = refused(&dir, &["backup", &shelf]);
    assert!(why.contains("no room for a backup") && why.contains("make room"), "{why}");
    assert_eq!(made(), before + 1, "something of it was left");
    assert!(dir.join("reserve").exists(), "the room for erasing was taken");
    // The same where only erasing writes.
    fill(&disk);
    let url = server.url("/v1/users/ann?hardDelete=true");
    let answer = agent().delete(url).header("X-APTRINSIC-API-KEY", &key).call().expect("an answer");
    assert_eq!(answer.status(), 200);
    wait_until("the end of the job", || (statuses(&dir) == ["completed"]).then_some(()));
    refused(&dir, &["backup", &shelf]);
    assert_eq!(made(), before + 1);
    std::fs::remove_file(filler).expect("room");
    // Whether there is room again is looked at from time to time.
    wait_until("a backup", || {
        let backup = usher(&dir, &["backup", &shelf]).output().expect("it runs");
        backup.status.success().then_some(())
    });
    assert_eq!(made(), before + 2);
    assert!(server.terminate().success());
}

#[test]
fn a_restore_on_a_full_disk_says_so_and_changes_nothing() {
    let Some(disk) = SmallDisk::of(80 * 1024) else { return };
    let shelf = tempfile::tempdir().expect("a directory");
    let dir = disk.path().join("data");
    begin(&dir);
    let backup = lines(&dir, &["backup", &shelf.path().to_string_lossy()]).remove(0);
    let read = || std::fs::read(dir.join("usher.db")).expect("a file");
    let filler = fill(&disk);
    let before = read();
    let why = refused(&dir, &["restore", &backup]);
    assert!(why.contains("the disk is full") && !why.contains("unreadable"), "{why}");
    assert!(read() == before, "the database was changed");
    std::fs::remove_file(filler).expect("room");
    lines(&dir, &["restore", &backup]);
    check_file(&dir);
}
