//! Backups and their way back, with the program as its users run it: nobody who was erased
//! returns with a backup.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::process::{
    Process, agent, begin, check_file, directory, get, key, lines, post, recovery_key, refused, sqlite,
    usher, wait_until,
};

/// A server with a client and a key.
pub struct House {
    pub server: Process,
    agent: ureq::Agent,
    pub key: String,
}

impl House {
    pub fn open(dir: &Path, key: &str, args: &[&str]) -> House {
        House { server: Process::start_with(dir, args), agent: agent(), key: key.to_owned() }
    }

    pub fn did(&self, name: &str, event: &str) {
        let body = json!({ "userId": name, "event": event, "messageId": format!("{name}-{event}"),
                           "context": { "traits": { "email": format!("{name}@mail.example") } } });
        assert_eq!(
            post(&self.agent, &self.server.url("/v1/track"), &self.key, &body).expect("an answer").0,
            200
        );
    }

    /// Somebody says who it is: an event without a time brings nobody back who was erased.
    pub fn registers(&self, name: &str) {
        let body = json!({ "userId": name });
        let url = self.server.url("/v1/identify");
        assert_eq!(post(&self.agent, &url, &self.key, &body).expect("an answer").0, 200);
    }

    pub fn status(&self, name: &str) -> u16 {
        self.status_with(name, &self.key)
    }

    pub fn status_with(&self, name: &str, key: &str) -> u16 {
        let url = self.server.url(&format!("/v1/users/single?identifier={name}"));
        get(&self.agent, &url, &format!("Bearer {key}")).0
    }

    pub fn delete(&self, name: &str, query: &str) {
        let request = self.agent.delete(self.server.url(&format!("/v1/users/{name}{query}")));
        let status = request.header("X-APTRINSIC-API-KEY", &self.key).call().expect("an answer").status();
        assert_eq!(status, 200);
    }

    /// Erases for good, and waits for the proof.
    pub fn erase(&self, dir: &Path, name: &str) {
        self.delete(name, "?hardDelete=true");
        wait_for_proof(dir);
    }
}

pub fn wait_for_proof(dir: &Path) {
    let conn = sqlite(dir);
    wait_until("the end of the jobs", || {
        let open: i64 = conn
            .query_row("SELECT COUNT(*) FROM jobs WHERE status = 'running'", [], |row| row.get(0))
            .expect("a count");
        (open == 0).then_some(())
    });
}

fn count(dir: &Path, sql: &str) -> i64 {
    sqlite(dir).query_row(sql, [], |row| row.get(0)).expect("a count")
}

/// All files below a folder, with what is in them.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = fs::read(&path).expect("a file");
                files.insert(path, bytes);
            }
        }
    }
    files
}

/// In which files a text is.
fn found(dir: &Path, text: &str) -> Vec<PathBuf> {
    let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    files(dir).into_iter().filter(|(_, bytes)| has(bytes)).map(|(path, _)| path).collect()
}

fn only_file(folder: &Path, ending: &str) -> PathBuf {
    let all = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut fit: Vec<PathBuf> = all.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    assert_eq!(fit.len(), 1, "{fit:?}");
    fit.remove(0)
}

/// A directory with a past, and a backup from before its last part.
struct Past {
    dir: TempDir,
    shelf: TempDir,
    backup: PathBuf,
    key: String,
    revoked: String,
    recovery: String,
}

impl Past {
    fn new() -> Past {
        let (dir, shelf) = (directory(), directory());
        let recovery = recovery_key(&begin(dir.path()));
        let (key, revoked) = (key(dir.path(), "main"), key(dir.path(), "lost"));
        let house = House::open(dir.path(), &key, &[]);
        assert!(!house.server.greeting.contains("AGE-SECRET-KEY"), "the recovery key is shown twice");
        for name in ["ann-the-erased", "ben-the-hidden", "cat-the-returned", "dan-the-living"] {
            house.did(name, "Old History");
        }
        house.erase(dir.path(), "cat-the-returned");
        house.registers("cat-the-returned");
        house.did("cat-the-returned", "New History");
        let made = lines(dir.path(), &["backup", &shelf.path().to_string_lossy()]);
        assert_eq!(made.len(), 1, "the path alone: {made:?}");
        let backup = PathBuf::from(&made[0]);
        assert_eq!(backup, only_file(shelf.path(), ".backup"));
        assert_eq!(backup.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(dir.path().join("backups")).expect("a folder").count(),
            0,
            "the copy is left"
        );
        // After the backup.
        house.erase(dir.path(), "ann-the-erased");
        house.delete("ben-the-hidden", "");
        house.did("eve-the-late", "Came Later");
        let id = lines(dir.path(), &["key", "list"]).into_iter().find(|line| line.contains("\tlost\t"));
        let id = id.expect("the key").split('\t').next().expect("an id").to_owned();
        lines(dir.path(), &["key", "revoke", &id]);
        let why = refused(dir.path(), &["restore", &backup.to_string_lossy()]);
        assert!(why.contains("an Usher server is using") && why.contains("stop"), "{why}");
        assert_eq!(house.status("eve-the-late"), 200);
        assert!(house.server.terminate().success());
        Past { dir, shelf, backup, key, revoked, recovery }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn file(&self) -> String {
        self.backup.to_string_lossy().into_owned()
    }

    /// As it must be after any way back.
    fn check(&self, dir: &Path) {
        let house = House::open(dir, &self.key, &[]);
        assert_eq!(house.status("ann-the-erased"), 404, "the first answer after the restore");
        assert_eq!(house.status("ben-the-hidden"), 404);
        assert_eq!(house.status("cat-the-returned"), 200);
        assert_eq!(house.status("dan-the-living"), 200);
        assert_eq!(house.status("eve-the-late"), 404);
        assert_eq!(house.status_with("dan-the-living", &self.revoked), 401);
        wait_for_proof(dir);
        assert!(house.server.terminate().success());
        check_file(dir);
        let history = "SELECT COUNT(*) FROM events e JOIN users u ON u.id = e.user_id
                       WHERE u.identifier = 'cat-the-returned' AND e.name = ";
        assert_eq!(count(dir, &format!("{history}'New History'")), 1);
        assert_eq!(count(dir, &format!("{history}'Old History'")), 0);
        assert_eq!(count(dir, "SELECT COUNT(*) FROM users WHERE state = 'hidden'"), 1);
        assert_eq!(count(dir, "SELECT COUNT(*) FROM jobs WHERE status NOT IN ('completed')"), 0);
        assert_eq!(found(dir, "ann-the-erased"), Vec::<PathBuf>::new(), "down to the bytes");
        assert!(!dir.join("usher.db.before-restore").exists());
    }
}

#[test]
fn a_backup_from_before_an_erasure_brings_nobody_back() {
    let past = Past::new();
    let dir = past.path();
    sqlite(dir)
        .execute_batch(
            "INSERT INTO admins (id, name, password_hash, created_at) VALUES (9, 'mia', 'x', 1);
             INSERT INTO admin_sessions (hash, admin_id, created_at, expires_at) VALUES (x'00', 9, 1, 9999999999999)",
        )
        .expect("a sign-in");
    let said = lines(dir, &["restore", &past.file()]);
    assert!(
        said[0].ends_with(
            "Up to 1 erasures will be repeated, up to 1 users moved to trash, up to 1 credentials revoked (keys, tokens, \
             passwords, rights)."
        ),
        "{said:?}"
    );
    assert!(said[1].contains("is restored. All admins are signed out"), "{said:?}");
    assert!(
        said[2].contains("1 users erased, 1 moved to trash, 0 restored, 1 credentials revoked"),
        "{said:?}"
    );
    assert_eq!(count(dir, "SELECT COUNT(*) FROM admin_sessions"), 0);
    let reason: String = sqlite(dir)
        .query_row("SELECT reason FROM audit WHERE action = 'restore backup'", [], |row| row.get(0))
        .expect("a row of the log");
    assert!(reason.contains("entries followed"), "{reason}");
    past.check(dir);
    // Once more, over the restored one.
    lines(dir, &["restore", &past.file()]);
    past.check(dir);
}

/// The ledger says of nobody whether they were there when a backup was made.
#[test]
fn a_restore_tells_beforehand_how_many_it_erases_again() {
    let past = Past::new();
    let dir = past.path();
    let backups = dir.join("backups");
    let file = backups.join(past.backup.file_name().expect("a name"));
    fs::create_dir_all(&backups).expect("a folder");
    fs::copy(&past.backup, &file).expect("a copy");
    let admin = lines(dir, &["key", "create", "--org", "--name", "ops", "--scopes", "admin"]).remove(0);
    let house = House::open(dir, &past.key, &[]);
    for name in ["fay-the-late", "gus-the-late"] {
        house.did(name, "Came Later");
        house.erase(dir, name);
    }
    let (status, told) = get(&agent(), &house.server.url("/api/backups"), &format!("Bearer {admin}"));
    assert_eq!((status, &told["data"][0]["erasuresSince"]), (200, &json!(3)), "{told}");
    assert!(house.server.terminate().success());

    let file = file.to_string_lossy();
    let said = lines(dir, &["restore", &file]);
    assert!(
        said[0].ends_with(
            "Up to 3 erasures will be repeated, up to 1 users moved to trash, up to 1 credentials revoked (keys, tokens, \
             passwords, rights)."
        ),
        "{said:?}"
    );
    assert!(
        said[2].contains(": 1 users erased, 1 moved to trash, 0 restored, 1 credentials revoked"),
        "{said:?}"
    );
    past.check(dir);
    // What was done again is in the ledger once: a second restore has no more to do.
    assert_eq!(lines(dir, &["restore", &file])[0], said[0]);
}

#[test]
fn an_old_file_copied_back_by_hand_brings_nobody_back() {
    let (dir, old) = (directory(), directory());
    let key = key(dir.path(), "main");
    let house = House::open(dir.path(), &key, &[]);
    house.did("ann-the-erased", "Old History");
    house.did("ben-the-hidden", "Old History");
    house.did("dan-the-living", "Old History");
    assert!(house.server.terminate().success());
    fs::copy(dir.path().join("usher.db"), old.path().join("usher.db")).expect("a copy");
    let house = House::open(dir.path(), &key, &[]);
    house.erase(dir.path(), "ann-the-erased");
    house.delete("ben-the-hidden", "");
    assert!(house.server.terminate().success());
    fs::copy(old.path().join("usher.db"), dir.path().join("usher.db")).expect("a copy");
    let why = refused(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(why.contains("older copy"), "{why}");
    let house = House::open(dir.path(), &key, &["--accept-loss"]);
    assert_eq!(house.status("ann-the-erased"), 404);
    assert_eq!(house.status("ben-the-hidden"), 404);
    assert_eq!(house.status("dan-the-living"), 200);
    wait_for_proof(dir.path());
    assert!(house.server.terminate().success());
    assert_eq!(found(dir.path(), "ann-the-erased"), Vec::<PathBuf>::new());
}

/// The recovery key is there before the first backup is due.
#[test]
fn a_first_start_makes_the_first_backup_at_once() {
    for _ in 0..5 {
        let dir = directory();
        let server = Process::start_with(dir.path(), &["--backup-every", "24"]);
        let folder = dir.path().join("backups");
        wait_until("a backup", || {
            let mut there = fs::read_dir(&folder).ok()?.flatten();
            there.any(|entry| entry.file_name().to_string_lossy().ends_with(".backup")).then_some(())
        });
        assert!(server.terminate().success());
    }
}

/// Each state that is put back goes its own way from there on, and receipts were written on all.
#[test]
fn an_older_and_then_a_newer_state_are_seen_to_be_whole() {
    let (dir, shelf) = (directory(), directory());
    let backup = || lines(dir.path(), &["backup", &shelf.path().to_string_lossy()]).remove(0);
    let restore = |file: &str| lines(dir.path(), &["restore", file]);
    let key = key(dir.path(), "main");
    let house = House::open(dir.path(), &key, &[]);
    house.did("ann-the-erased", "Old History");
    let older = backup();
    for n in 0..8 {
        house.did(&format!("somebody-{n}"), "Old History");
        house.erase(dir.path(), &format!("somebody-{n}"));
    }
    let newer = backup();
    house.erase(dir.path(), "ann-the-erased");
    assert!(house.server.terminate().success());
    for state in [&older, &newer, &older, &newer] {
        restore(state);
        let house = House::open(dir.path(), &key, &[]);
        assert_eq!(house.status("ann-the-erased"), 404);
        wait_for_proof(dir.path());
        assert!(house.server.terminate().success());
        lines(dir.path(), &["verify"]);
    }
    // The twin: what no restore explains is found.
    let conn = sqlite(dir.path());
    conn.execute_batch("DELETE FROM audit WHERE action IN ('restore backup', 'replay ledger')")
        .expect("rows");
    drop(conn);
    let seen = usher(dir.path(), &["verify"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&seen.stdout);
    assert_eq!(seen.status.code(), Some(1), "{said}");
    assert!(said.contains("WRONG  audit log"), "{said}");
}

#[test]
fn an_empty_machine_restores_with_copies_and_recovery_key() {
    let (dir, place) = (directory(), directory());
    let there = place.path().to_string_lossy().into_owned();
    let recovery = recovery_key(&begin(dir.path()));
    let key = key(dir.path(), "main");
    let house = House::open(dir.path(), &key, &["--backup-copy", &there, "--backup-every", "24"]);
    // The first scheduled backup comes with the start; this one knows the people.
    house.did("ann-the-erased", "Old History");
    house.did("dan-the-living", "Old History");
    let folder = dir.path().join("backups");
    let made = PathBuf::from(lines(dir.path(), &["backup", &folder.to_string_lossy()]).remove(0));
    house.erase(dir.path(), "ann-the-erased");
    let copy = place.path().join(made.file_name().expect("a name"));
    wait_until("the copies", || {
        let ours = dir.path().join("erasures.ledger").metadata().expect("a ledger").len();
        let theirs = place.path().join("erasures.ledger").metadata().map_or(0, |about| about.len());
        let receipt = fs::read_dir(place.path())
            .expect("a folder")
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("000001-"));
        (copy.exists() && ours == theirs && receipt).then_some(())
    });
    house.server.kill();

    let new = directory();
    let why = refused(new.path(), &["restore", &copy.to_string_lossy()]);
    assert!(why.contains("no key opens"), "{why}");
    let output = usher(new.path(), &["restore", &copy.to_string_lossy()])
        .env("USHER_RECOVERY_KEY", &recovery)
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 users erased"));
    for same in ["secrets/recovery.pub", "secrets/store.key", "secrets/signing.key", "signing.pub"] {
        let read = |dir: &Path| fs::read(dir.join(same)).expect("a file");
        assert_eq!(read(dir.path()), read(new.path()), "{same}");
    }
    let said = lines(new.path(), &["verify"]).join("\n");
    assert!(said.contains("receipts: 2 in one chain"), "{said}");
    let numbers = count(new.path(), "SELECT min(number) FROM jobs");
    assert!(numbers > 1, "job 1 was another, whose receipt is there: {numbers}");
    let house = House::open(new.path(), &key, &[]);
    assert!(!house.server.greeting.contains("AGE-SECRET-KEY"), "the owner's key goes on");
    assert_eq!(house.status("ann-the-erased"), 404);
    assert_eq!(house.status("dan-the-living"), 200);
    assert!(house.server.terminate().success());
    assert_eq!(found(new.path(), "ann-the-erased"), Vec::<PathBuf>::new());

    // Without the receipts it is told what is missing.
    let (alone, newer) = (directory(), directory());
    for file in ["erasures.ledger", &*copy.file_name().expect("a name").to_string_lossy()] {
        fs::copy(place.path().join(file), alone.path().join(file)).expect("a copy");
    }
    let house = House::open(new.path(), &key, &[]);
    let folder = alone.path().to_string_lossy().into_owned();
    let late = lines(new.path(), &["backup", &folder]).remove(0);
    fs::copy(new.path().join("erasures.ledger"), alone.path().join("erasures.ledger")).expect("a copy");
    assert!(house.server.terminate().success());
    let output = usher(newer.path(), &["restore", &late]).env("USHER_RECOVERY_KEY", &recovery).output();
    let output = output.expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("2 receipts were written before the backup, but only 0 valid ones are beside it"),
        "{said}"
    );
    // The copies from before hold people, too, and receipts name them.
    let house = House::open(new.path(), &key, &["--backup-copy", &there]);
    let young = PathBuf::from(
        lines(new.path(), &["backup", &new.path().join("backups").to_string_lossy()]).remove(0),
    );
    let young = young.file_name().expect("a name");
    wait_until("a look", || place.path().join(young).exists().then_some(()));
    house.erase(new.path(), "dan-the-living");
    assert!(house.server.terminate().success());
    let receipts = files(&new.path().join("receipts"));
    let last = receipts.keys().find(|path| path.to_string_lossy().contains("/000003-")).expect("a third");
    let receipt = fs::read_to_string(last).expect("a receipt");
    for held in [made.file_name().expect("a name"), young] {
        assert!(receipt.contains(&*held.to_string_lossy()), "{held:?}: {receipt}");
    }
}

#[test]
fn a_restore_that_does_not_fit_is_refused_with_a_way_out() {
    let past = Past::new();
    let dir = past.path();
    let key_file = past.shelf.path().join("key.txt");
    let new = directory();
    let restore = |dir: &Path, file: &Path, words: &str, more: &[&str]| {
        // The lock file is made by whoever looks.
        lines_or_nothing(dir);
        let before = files(dir);
        let why = refused(dir, &[&["restore", &file.to_string_lossy()], more].concat());
        assert!(why.contains(words), "{words}: {why}");
        assert!(files(dir) == before, "{words}: something was changed");
    };
    fn lines_or_nothing(dir: &Path) {
        fs::create_dir_all(dir).expect("a folder");
        fs::write(dir.join("usher.lock"), "").expect("a file");
    }
    // Keys.
    fs::write(&key_file, "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
        .expect("a file");
    let given = key_file.to_string_lossy().into_owned();
    let ledger = dir.join("erasures.ledger");
    fs::copy(&ledger, past.shelf.path().join("erasures.ledger")).expect("a copy");
    restore(new.path(), &past.backup, "no key opens", &["--recovery-key", &given]);
    restore(new.path(), &past.backup, "no key opens", &[]);
    restore(new.path(), &past.backup, "cannot read", &["--recovery-key", "/nowhere"]);
    fs::write(&key_file, &past.recovery).expect("a file");
    // The file.
    let whole = fs::read(&past.backup).expect("a file");
    for at in [0, 40, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let bad = past.shelf.path().join("bad.backup");
        fs::write(&bad, bytes).expect("a file");
        restore(dir, &bad, "", &[]);
    }
    let cut = past.shelf.path().join("cut.backup");
    fs::write(&cut, &whole[..whole.len() - 9]).expect("a file");
    restore(dir, &cut, "is cut short", &[]);
    restore(dir, &dir.join("usher.db"), "is not a backup", &[]);
    // The ledger, where the database is and on an empty machine.
    let good = fs::read(&ledger).expect("a ledger");
    let text = String::from_utf8(good.clone()).expect("text");
    let short = text.lines().take(1).map(|line| format!("{line}\n")).collect::<String>();
    let other = directory();
    begin(other.path());
    let foreign = fs::read(other.path().join("erasures.ledger")).expect("a ledger");
    let mut altered = good.clone();
    let last = altered.len() - 12;
    // Another digit: `^ 1` makes no digit of an `a` or `f`.
    altered[last] = if altered[last] == b'0' { b'1' } else { b'0' };
    for (bytes, words) in [
        (Some(short.into_bytes()), "is older than the database"),
        (Some(foreign), "belongs to another database"),
        (Some(altered), "is damaged or forged in line"),
        (None, "there is no ledger of erasures"),
    ] {
        let beside = past.shelf.path().join("erasures.ledger");
        for path in [&ledger, &beside] {
            match &bytes {
                Some(bytes) => fs::write(path, bytes).expect("a file"),
                None => fs::remove_file(path).expect("a file"),
            }
        }
        restore(dir, &past.backup, words, &[]);
        let words = if bytes.is_some() { words } else { "must be beside the backup" };
        restore(new.path(), &past.backup, words, &["--recovery-key", &given]);
    }
    fs::write(&ledger, &good).expect("a file");
    // Of another installation.
    let why = refused(other.path(), &["restore", &past.file(), "--recovery-key", &given]);
    assert!(why.contains("belongs to another database"), "{why}");
    // And then it goes.
    lines(dir, &["restore", &past.file()]);
    past.check(dir);
}

#[test]
fn a_killed_restore_leaves_a_database_that_serves() {
    let past = Past::new();
    let dir = past.path();
    let (mut done, mut killed) = (0, 0);
    for round in 0..24_u64 {
        let mut child =
            usher(dir, &["restore", &past.file()]).stdout(Stdio::null()).spawn().expect("the program starts");
        std::thread::sleep(Duration::from_millis(4 * round));
        if child.try_wait().expect("a look").is_some() {
            done += 1;
        } else {
            child.kill().expect("a kill");
            child.wait().expect("an end");
            killed += 1;
        }
        let house = House::open(dir, &past.key, &[]);
        assert_eq!(house.status("ann-the-erased"), 404, "round {round}");
        assert_eq!(house.status("ben-the-hidden"), 404);
        assert_eq!(house.status("dan-the-living"), 200);
        assert_eq!(house.status_with("dan-the-living", &past.revoked), 401);
        house.server.kill();
        check_file(dir);
        let left: Vec<_> = files(dir)
            .into_keys()
            .filter(|path| {
                let path = path.to_string_lossy();
                path.contains(".unpacked-") || path.contains("before-restore")
            })
            .collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "round {round}");
    }
    eprintln!("{killed} restores were killed, {done} came to their end");
    assert!(killed > 3);
    lines(dir, &["restore", &past.file()]);
    past.check(dir);
}

#[test]
fn a_database_that_does_not_read_any_more_is_replaced() {
    let past = Past::new();
    let dir = past.path();
    fs::write(dir.join("usher.db"), [0x55; 3 * 4096]).expect("a file");
    fs::write(dir.join("usher.db-wal"), [0x55; 4096]).expect("a file");
    let output = usher(dir, &["restore", &past.file()]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("is unreadable and is replaced"), "{said}");
    past.check(dir);
    assert!(!dir.join("usher.db.before-restore-wal").exists());
}

#[test]
fn a_foreign_or_held_database_is_not_replaced() {
    let past = Past::new();
    let (dir, database) = (past.path(), past.path().join("usher.db"));
    let ours = fs::read(&database).expect("a file");
    fs::remove_file(&database).expect("a file");
    let theirs = sqlite(dir);
    theirs.execute_batch("CREATE TABLE theirs (a)").expect("a table");
    drop(theirs);
    let refuses = |words: &str| {
        let why = refused(dir, &["restore", &past.file()]);
        assert!(
            why.contains(words) && why.contains("cannot be read, so it is not replaced"),
            "{words}: {why}"
        );
        assert!(!why.contains("and is replaced"), "{why}");
    };
    let before = files(dir);
    refuses("ledger_mark");
    assert!(files(dir) == before, "something was changed");
    fs::write(&database, &ours).expect("a file");
    // Who reads the file here would end the lock.
    let holder = sqlite(dir);
    holder.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT").expect("a lock");
    refuses("another program holds the database");
    drop(holder);
    lines(dir, &["restore", &past.file()]);
    past.check(dir);
}

/// A kill may come between the moving of that WAL and the change of the database.
#[test]
fn a_wal_comes_back_where_nothing_was_replaced() {
    let dir = directory();
    let key = key(dir.path(), "main");
    let house = House::open(dir.path(), &key, &[]);
    house.did("dan-the-living", "Only In The WAL");
    house.server.kill();
    let (database, wal) = (dir.path().join("usher.db"), dir.path().join("usher.db-wal"));
    assert!(wal.metadata().expect("a WAL").len() > 0);
    for with_link in [false, true] {
        fs::rename(&wal, dir.path().join("usher.db.before-restore-wal")).expect("a move");
        if with_link {
            fs::hard_link(&database, dir.path().join("usher.db.before-restore")).expect("a link");
        }
        let house = House::open(dir.path(), &key, &[]);
        assert_eq!(house.status("dan-the-living"), 200);
        house.did("dan-the-living", &format!("Once More {with_link}"));
        house.server.kill();
        assert!(!dir.path().join("usher.db.before-restore").exists());
    }
}

#[test]
fn a_backup_has_all_writes_that_were_answered_before_it() {
    let (dir, shelf, new) = (directory(), directory(), directory());
    let recovery = recovery_key(&begin(dir.path()));
    let key = key(dir.path(), "main");
    let house = House::open(dir.path(), &key, &[]);
    let answered = std::sync::atomic::AtomicUsize::new(0);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (before, after) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                let number = answered.load(std::sync::atomic::Ordering::SeqCst);
                house.did("dan-the-living", &format!("Event {number}"));
                answered.store(number + 1, std::sync::atomic::Ordering::SeqCst);
            }
        });
        let count = || answered.load(std::sync::atomic::Ordering::SeqCst);
        wait_until("some events", || (count() > 50).then_some(()));
        let before = count();
        lines(dir.path(), &["backup", &shelf.path().to_string_lossy()]);
        let after = count();
        wait_until("more events", || (count() > after + 20).then_some(()));
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        (before, after)
    });
    assert!(after > before, "nothing was written while the backup was made");
    fs::copy(dir.path().join("erasures.ledger"), shelf.path().join("erasures.ledger")).expect("a copy");
    let output = usher(new.path(), &["restore", &only_file(shelf.path(), ".backup").to_string_lossy()])
        .env("USHER_RECOVERY_KEY", recovery)
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    check_file(new.path());
    let events = usize::try_from(count(new.path(), "SELECT COUNT(*) FROM events")).expect("a number");
    assert!((before..=after + 1).contains(&events), "{events} of {before} to {after}");
}
