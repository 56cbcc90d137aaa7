//! Messages of a database of 0.1, whose keys had no secret, meet their copies before, while and after
//! they get keys that have one.

use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use usher::clock::Clock;

use crate::harness::{START, Server};

const KEY_0_1: fn(&str) -> i64 = |message_id| {
    let digest = Sha256::digest(message_id.as_bytes());
    i64::from_be_bytes(digest[..8].try_into().expect("8 bytes"))
};

fn track(server: &Server, user: &str, messages: std::ops::Range<usize>) {
    for some in messages.collect::<Vec<_>>().chunks(500) {
        let batch: Vec<_> = some
            .iter()
            .map(|n| json!({ "type": "track", "event": "seen", "userId": user, "messageId": format!("m-{n}") }))
            .collect();
        let body = json!({ "batch": batch });
        server.post("/v1/batch").bearer(&server.project().all).json(body).send().expect(200);
    }
}

fn count(server: &Server, sql: &str) -> i64 {
    server.sqlite().query_row(sql, [], |row| row.get(0)).expect("a count")
}

/// How many events have a key as 0.1 made it.
fn old(server: &Server) -> usize {
    let conn = server.sqlite();
    let mut rows = conn.prepare("SELECT message_id, message_key FROM events").expect("the table");
    let rows = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)));
    let rows: Vec<(String, i64)> = rows.expect("rows").map(|row| row.expect("a row")).collect();
    rows.iter().filter(|(id, key)| *key == KEY_0_1(id)).count()
}

/// Makes the keys of the events up to an id those of 0.1, as an upgrade finds them, or one that was
/// stopped after `done`.
fn made_old(server: Server, done: i64) -> Server {
    let conn = server.sqlite();
    let rows: Vec<(i64, String)> = {
        let mut rows = conn.prepare("SELECT id, message_id FROM events WHERE id > ?1").expect("the table");
        let rows = rows.query_map([done], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    };
    for (id, message_id) in rows {
        let sql = "UPDATE events SET message_key = ?2 WHERE id = ?1";
        conn.execute(sql, (id, KEY_0_1(&message_id))).expect("a change");
    }
    conn.execute("INSERT INTO upkeep (task, done_at) VALUES ('message keys', ?1)", [done]).expect("a row");
    drop(conn);
    let now = server.clock.now();
    at(server.stop(), now)
}

fn at(dir: TempDir, now: i64) -> Server {
    Server::over(dir, |options| options.clock = Clock::manual(now))
}

#[test]
fn a_message_of_0_1_meets_its_copy_at_every_time() {
    let server = Server::start();
    track(&server, "ann", 0..1_000);
    // The twin: none has a key that can be computed without the secret.
    assert_eq!(old(&server), 0);
    let last: i64 = count(&server, "SELECT max(id) FROM events");
    for done in [0, last / 2, last] {
        let server = made_old(at(copy(&server), START), done);
        assert_eq!(
            old(&server),
            usize::try_from(count(&server, &format!("SELECT COUNT(*) FROM events WHERE id > {done}")))
                .expect("a count")
        );
        track(&server, "ann", 0..1_000);
        assert_eq!(count(&server, "SELECT COUNT(*) FROM events"), 1_000, "before, from {done}");
        server.tick();
        assert_eq!(old(&server), 0, "from {done}");
        assert_eq!(count(&server, "SELECT COUNT(*) FROM upkeep WHERE task = 'message keys'"), 0);
        track(&server, "ann", 0..1_001);
        assert_eq!(count(&server, "SELECT COUNT(*) FROM events"), 1_001, "after, from {done}");
        let now = server.clock.now();
        let server = at(server.stop(), now);
        track(&server, "ann", 0..1_001);
        assert_eq!(count(&server, "SELECT COUNT(*) FROM events"), 1_001, "at the next start");
    }
}

/// The file as it is, in a directory of its own.
fn copy(server: &Server) -> TempDir {
    let dir = crate::common::folder();
    let from = server.path();
    let from = from.parent().expect("a folder");
    let to = dir.path().join("usher.db");
    server.sqlite().execute("VACUUM INTO ?1", [to.to_string_lossy()]).expect("a copy");
    for name in
        ["erasures.ledger", "secrets/store.key", "secrets/signing.key", "secrets/ledger.head", "signing.pub"]
    {
        let to = dir.path().join(name);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        std::fs::copy(from.join(name), to).expect("a copy");
    }
    dir
}

#[test]
fn copies_of_two_people_of_0_1_are_one_after_a_merge() {
    let server = Server::start();
    let send = |server: &Server, body: serde_json::Value| {
        server
            .post("/v1/batch")
            .bearer(&server.project().all)
            .json(json!({ "batch": [body] }))
            .send()
            .expect(200);
    };
    let seen =
        |name: &str, id: &str| json!({ "type": "track", "event": "seen", name: "ann", "messageId": id });
    for id in ["one", "both"] {
        send(&server, seen("anonymousId", id));
    }
    let server = made_old(server, 0);
    // The user's copy comes in under a new key, while the visitor's has its old one.
    for id in ["both", "two"] {
        send(&server, json!({ "type": "track", "event": "seen", "userId": "user", "messageId": id }));
    }
    send(
        &server,
        json!({ "type": "identify", "userId": "user", "anonymousId": "ann", "messageId": "three" }),
    );
    server.tick();
    let ids = "SELECT COUNT(*) FROM events WHERE message_id IN ('one', 'two', 'both')";
    assert_eq!(count(&server, ids), 3);
    assert_eq!(count(&server, "SELECT COUNT(*) FROM events WHERE message_id = 'both'"), 1);
    assert_eq!(old(&server), 0);
}
