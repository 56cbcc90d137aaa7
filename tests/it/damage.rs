//! Damage that is met while serving: 503 and an alarm, never 500; and `usher verify`, which reads every row.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusqlite::Connection;

use crate::harness::Server;
use crate::process::{Process, agent, directory, key, lines, post, usher};

/// A change past the program, and what `usher verify` says of the row.
const ODD: [(&str, &str); 9] = [
    ("UPDATE users SET attributes = '{\"a\":'", "attributes is no JSON object"),
    ("UPDATE users SET extra = '[]'", "extra is no JSON object"),
    ("UPDATE users SET state = 'lively'", "state is no word that this version knows"),
    ("UPDATE users SET email = CAST(X'ff41' AS TEXT)", "email is not UTF-8"),
    ("UPDATE users SET first_name = X'4142'", "first_name is no text"),
    ("UPDATE users SET created_at = 'Ann Elk'", "created_at is no whole number"),
    ("UPDATE users SET live_mode = 7", "live_mode is out of its range"),
    ("UPDATE users SET incarnation = X'01'", "incarnation is not as long as it should be"),
    ("UPDATE users SET created_at = 400000000000000", "created_at is out of its range"),
];

fn alter(conn: &Connection, sql: &str) {
    conn.execute_batch(&format!("PRAGMA ignore_check_constraints = ON; {sql}")).expect("a change");
}

fn bad_checks(server: &Server) -> Vec<String> {
    server.clock.advance(500);
    let body = server.get("/readyz").bearer(&server.key(None, "admin")).send().json();
    let checks = body["checks"].as_array().expect("checks").clone();
    let bad = checks.iter().filter(|check| check["ok"] == false);
    bad.map(|check| check["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_row_that_does_not_read_is_503_and_an_alarm() {
    let names = ["attributes", "email", "first_name", "live_mode", "incarnation"];
    let those = ODD.iter().filter(|(sql, _)| names.iter().any(|name| sql.contains(&format!("SET {name} "))));
    for (sql, what) in those.filter(|(_, what)| !what.contains("live_mode")) {
        let server = Server::start();
        server.expect_faults();
        server.seed("ann").email("ann@example.com").insert();
        let get = || server.get("/v1/users/ann").header("X-APTRINSIC-API-KEY", &server.project().all).send();
        get().expect(200);
        assert!(bad_checks(&server).is_empty());
        alter(&server.sqlite(), sql);
        let reply = get();
        assert_eq!(reply.status, 503, "{what}: {}", reply.text);
        assert!(!reply.text.contains("ann@example.com"), "{}", reply.text);
        assert_eq!(bad_checks(&server), ["damage"], "{what}");
        // So is a write that meets it.
        let put = server.put("/v1/users/ann").header("X-APTRINSIC-API-KEY", &server.project().all);
        assert_eq!(put.json(serde_json::json!({ "firstName": "Ann" })).send().status, 503, "{what}");
        server.get("/healthz").send().expect(200);
    }
}

#[test]
fn a_message_that_meets_damage_is_not_acknowledged() {
    let server = Server::start();
    server.expect_faults();
    server.seed("ann").insert();
    alter(&server.sqlite(), ODD[0].0);
    // A message that changes the profile: activity alone does not read it.
    let identify = |user: &str| {
        let body = serde_json::json!({ "userId": user, "traits": { "plan": "pro" }, "messageId": user });
        server.post("/v1/identify").bearer(&server.project().all).json(body).send().status
    };
    assert_eq!((identify("ann"), identify("ben")), (503, 200));
    assert_eq!(bad_checks(&server), ["damage"]);
}

#[test]
fn a_page_that_does_not_read_is_503_and_an_alarm() {
    let server = Server::start();
    server.seed("ann").events(50).insert();
    let dir = server.stop();
    spoil(dir.path(), "sessions");
    let server = Server::over(dir, |_| {});
    server.expect_faults();
    let key = server.key(None, "read");
    let path = format!("/api/v1/{}/users/ann/sessions", server.project().key);
    let reply = server.get(&path).header("Authorization", &key).send();
    assert_eq!(reply.status, 503, "{}", reply.text);
    assert_eq!(bad_checks(&server), ["damage"]);
    // Not dropped as others are: it is not sound.
    drop(server.stop());
}

/// Zeroes the first page of a table in a file that nobody has open.
fn spoil(dir: &Path, table: &str) {
    let path = dir.join("usher.db");
    let conn = Connection::open(&path).expect("the file opens");
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: u32 = conn.query_row(sql, [table], |row| row.get(0)).expect("a page");
    drop(conn);
    let file = OpenOptions::new().write(true).open(&path).expect("the file");
    file.write_all_at(&[0x5A; 4_096], u64::from(page - 1) * 4_096).expect("written");
}

/// A directory with a person and an event, that nobody serves.
fn lived_in() -> tempfile::TempDir {
    let dir = directory();
    let key = key(dir.path(), "main");
    let server = Process::start(dir.path());
    let body = serde_json::json!({ "userId": "ann", "event": "Came By", "messageId": "1" });
    assert_eq!(post(&agent(), &server.url("/v1/track"), &key, &body).expect("an answer").0, 200);
    let body = serde_json::json!({ "userId": "ann", "traits": { "email": "ann@example.com" } });
    assert_eq!(post(&agent(), &server.url("/v1/identify"), &key, &body).expect("an answer").0, 200);
    assert!(server.terminate().success());
    dir
}

fn verified(dir: &Path) -> (Option<i32>, String) {
    let output = usher(dir, &["verify"]).output().expect("the program runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
}

#[test]
fn verify_reads_every_row_and_names_what_is_wrong() {
    let dir = lived_in();
    let path = dir.path().join("usher.db");
    let good = fs::read(&path).expect("a file");
    let (code, said) = verified(dir.path());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("pages valid, all references valid; ") && said.contains(" rows read"), "{said}");
    let others = [
        ("UPDATE events SET kind = 'Ann Elk'", "events, row 1: kind is no word that this version knows"),
        ("UPDATE events SET data = 'Ann Elk'", "events, row 1: data is no JSON object"),
        ("UPDATE api_keys SET hash = X'00'", "api_keys, row 1: hash is not as long as it should be"),
        ("UPDATE projects SET late_events = -1", "projects, row 1: late_events is out of its range"),
        ("UPDATE sequences SET value = 'Ann Elk'", "value is no whole number"),
    ];
    for (sql, what) in ODD.into_iter().chain(others) {
        let conn = Connection::open(&path).expect("the file opens");
        let id: i64 = conn.query_row("SELECT id FROM users", [], |row| row.get(0)).expect("a user");
        alter(&conn, sql);
        conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("folded in");
        drop(conn);
        let (code, said) = verified(dir.path());
        assert_eq!(code, Some(1), "{sql}: {said}");
        let row = if sql.contains("users") { format!("users, row {id}: {what}") } else { what.to_owned() };
        assert!(said.contains(&row), "{row}: {said}");
        for value in ["Ann Elk", "lively", "ann@example.com"] {
            assert!(!said.contains(value), "{said}");
        }
        fs::write(&path, &good).expect("put back");
    }
    assert_eq!(verified(dir.path()).0, Some(0));
}

#[test]
fn verify_reads_on_behind_a_page_that_is_damaged() {
    let dir = lived_in();
    let conn = Connection::open(dir.path().join("usher.db")).expect("the file opens");
    alter(&conn, "UPDATE users SET live_mode = 7; PRAGMA wal_checkpoint(TRUNCATE)");
    drop(conn);
    spoil(dir.path(), "events");
    let (code, said) = verified(dir.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("events cannot be read from its first row on: database disk image is malformed"),
        "{said}"
    );
    assert!(said.contains("live_mode is out of its range"), "{said}");
    // Its backup is made of a sound file or not at all.
    let output = usher(dir.path(), &["backup", &dir.path().join("backups").to_string_lossy()]).output();
    assert_eq!(output.expect("the program runs").status.code(), Some(1));
    assert!(!lines(dir.path(), &["project", "list"]).is_empty());
}
