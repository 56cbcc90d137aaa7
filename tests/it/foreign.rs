//! Whose file `usher.db` is: one that is not ours, or is too new, is left byte for byte as
//! it is; one that is ours and was made over is brought back.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tempfile::TempDir;

use crate::needs::SmallDisk;
use crate::process::{Process, begin, check_file, directory, lines, refused, sqlite, usher};

/// All that lies in a directory, but for what whoever looks into a database makes: the lock
/// and the index of a WAL.
fn files(dir: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry"));
    let entries = entries.filter(|entry| entry.path().is_file());
    let mut files: BTreeMap<_, _> =
        entries.map(|entry| (entry.file_name(), fs::read(entry.path()).expect("a file"))).collect();
    for passing in ["usher.lock", "usher.db-shm"] {
        files.remove(&OsString::from(passing));
    }
    files
}

/// A directory with a secret, and with a database that another program has made.
fn theirs(make: impl FnOnce(&Connection)) -> TempDir {
    let dir = directory();
    fs::create_dir(dir.path().join("secrets")).expect("a folder");
    fs::write(dir.path().join("secrets/store.key"), [1; 32]).expect("a file");
    let conn = sqlite(dir.path());
    make(&conn);
    drop(conn);
    dir
}

fn leave_wal(conn: &Connection) {
    conn.execute_batch("PRAGMA journal_mode = WAL").expect("a mode");
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).expect("a setting");
}

#[track_caller]
fn left_as_it_is(dir: &Path, why: &str) {
    let before = files(dir);
    for args in [&["project", "list"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let words = refused(dir, args);
        assert!(words.contains(why), "{words}");
        let after = files(dir);
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
        assert!(after == before, "bytes were changed");
    }
}

const FOREIGN: &str = "was not made by Usher; it is left as it is";
const NEWER: &str = "was written by a newer version of Usher";
const TABLE: &str = "CREATE TABLE theirs (a); INSERT INTO theirs VALUES ('something of theirs');";

#[test]
fn a_database_of_another_program_is_left_byte_for_byte_as_it_is() {
    let plain = theirs(|conn| conn.execute_batch(TABLE).expect("a table"));
    left_as_it_is(plain.path(), FOREIGN);

    // In a form that ours would be brought back from.
    let other = "PRAGMA auto_vacuum = FULL; PRAGMA page_size = 8192;";
    let formed = theirs(|conn| conn.execute_batch(&format!("{other}{TABLE}")).expect("a table"));
    left_as_it_is(formed.path(), FOREIGN);

    let signed = theirs(|conn| conn.execute_batch("PRAGMA application_id = 7").expect("a signature"));
    left_as_it_is(signed.path(), FOREIGN);
}

#[test]
fn what_another_program_had_not_finished_is_left_for_it() {
    // All of it is in the WAL still; then some.
    let young = theirs(|conn| {
        leave_wal(conn);
        conn.execute_batch(TABLE).expect("a table");
    });
    assert!(young.path().join("usher.db-wal").metadata().expect("a WAL").len() > 0);
    left_as_it_is(young.path(), FOREIGN);
    let older = theirs(|conn| {
        conn.execute_batch(TABLE).expect("a table");
        leave_wal(conn);
        conn.execute_batch("INSERT INTO theirs VALUES (2)").expect("a row");
    });
    assert!(older.path().join("usher.db-wal").metadata().expect("a WAL").len() > 0);
    left_as_it_is(older.path(), FOREIGN);

    // A transaction that was cut off: whoever reads the file would roll it back.
    let cut = theirs(|conn| conn.execute_batch(TABLE).expect("a table"));
    let conn = sqlite(cut.path());
    conn.execute_batch(
        "PRAGMA cache_size = 2; PRAGMA cache_spill = 1; BEGIN;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO theirs SELECT hex(randomblob(500)) FROM n",
    )
    .expect("a transaction");
    let half = theirs(|_| {});
    for name in ["usher.db", "usher.db-journal"] {
        fs::copy(cut.path().join(name), half.path().join(name)).expect("a copy");
    }
    assert!(half.path().join("usher.db-journal").metadata().expect("a journal").len() > 0);
    left_as_it_is(half.path(), FOREIGN);
}

#[test]
fn a_database_of_a_newer_version_is_left_byte_for_byte_as_it_is() {
    let dir = directory();
    begin(dir.path());
    let conn = sqlite(dir.path());
    let version: i64 =
        conn.pragma_query_value(None, "user_version", |row| row.get(0)).expect("the schema's number");
    conn.pragma_update(None, "user_version", 99).expect("a pragma");
    drop(conn);
    left_as_it_is(dir.path(), NEWER);
    // That version may have other settings, and may have been killed.
    sqlite(dir.path())
        .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = FULL; VACUUM")
        .expect("another form");
    left_as_it_is(dir.path(), NEWER);
    let conn = sqlite(dir.path());
    leave_wal(&conn);
    conn.pragma_update(None, "user_version", 100).expect("a pragma");
    drop(conn);
    assert!(dir.path().join("usher.db-wal").metadata().expect("a WAL").len() > 0);
    left_as_it_is(dir.path(), NEWER);

    // Its twin: what is ours is taken up, from the WAL too.
    let conn = sqlite(dir.path());
    leave_wal(&conn);
    conn.pragma_update(None, "user_version", version).expect("a pragma");
    drop(conn);
    begin(dir.path());
}

#[test]
fn a_first_start_that_was_killed_early_is_taken_up() {
    let dir = directory();
    let server = Process::start(dir.path());
    server.kill();
    // As the file is before the WAL is folded in for the first time.
    let young = theirs(|conn| {
        leave_wal(conn);
    });
    assert!(young.path().join("usher.db").metadata().expect("a file").len() > 0);
    for dir in [dir.path(), young.path()] {
        assert_eq!(lines(dir, &["project", "list"]).len(), 1);
        check_file(dir);
    }
}

#[test]
fn a_rebuilt_database_is_written_nowhere_else_meanwhile() {
    let dir = directory();
    begin(dir.path());
    sqlite(dir.path())
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
             INSERT INTO upkeep (task, done_at) SELECT hex(randomblob(4000)), 1 FROM n;
             PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = FULL; PRAGMA page_size = 8192; VACUUM",
        )
        .expect("another form");
    // Where temporary files would be made there is no room for any.
    let Some(tiny) = SmallDisk::of(64) else { return };
    let output =
        usher(dir.path(), &["project", "list"]).env("SQLITE_TMPDIR", tiny.path()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let setting = |name: &str| -> i64 {
        sqlite(dir.path()).pragma_query_value(None, name, |row| row.get(0)).expect("a setting")
    };
    assert_eq!((setting("auto_vacuum"), setting("page_size")), (0, 4_096));
    check_file(dir.path());
}
