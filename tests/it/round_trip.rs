//! An export of everything, imported into an empty instance: the same people with the same data, and
//! the same export again.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::process::{Process, agent, begin, directory, key, lines, post, sqlite};

/// The lines of an export of the whole project, but for the first, which says when it was made.
fn exported(dir: &Path, name: &str) -> Vec<Value> {
    let file = dir.join(name);
    lines(dir, &["export", "--all", "-o", file.to_str().expect("a path")]);
    let mut text = String::new();
    GzDecoder::new(&fs::read(&file).expect("a file")[..]).read_to_string(&mut text).expect("gzip");
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(all[0]["format"], "usher-export");
    all[1..].to_vec()
}

/// People of every kind, with what they did.
fn fill(dir: &Path) {
    let key = key(dir, "app");
    let server = Process::start(dir);
    let client = agent();
    let send = |batch: Value| {
        let body = json!({ "batch": batch });
        assert_eq!(post(&client, &server.url("/v1/batch"), &key, &body).expect("an answer").0, 200);
    };
    let day = |n: usize| format!("2026-0{}-1{}T09:30:00.{:03}Z", 1 + n % 8, n % 9, n);
    let mut batch = Vec::new();
    for n in 0..60 {
        let user = format!("user-{n}@example.com");
        batch.push(json!({
            "type": "identify", "userId": user, "messageId": format!("i-{n}"), "timestamp": day(n),
            "traits": { "firstName": format!("Ann {n}"), "email": user, "plan": "team", "seats": n, "deep": { "a": [1, "x", null] } },
        }));
        for m in 0..3 {
            batch.push(json!({
                "type": (["track", "page", "screen"][m]), "event": "Report Exported", "name": "Report",
                "userId": user, "messageId": format!("t-{n}-{m}"), "timestamp": day(n),
                "properties": { "n": m, "url": "https://app.example.com/?a=1", "name": "Zoë \u{202e}" },
            }));
        }
    }
    // A visitor who became a user, and one who stayed a visitor.
    for (n, id) in ["was-a-visitor", "stays-a-visitor"].iter().enumerate() {
        batch.push(json!({ "type": "track", "event": "Seen", "anonymousId": id, "messageId": format!("v-{n}"), "timestamp": day(n) }));
    }
    batch.push(json!({ "type": "identify", "userId": "user-1@example.com", "anonymousId": "was-a-visitor", "messageId": "m", "timestamp": day(2) }));
    send(json!(batch));
    assert!(server.terminate().success());
}

/// How many rows a table has.
fn count(dir: &Path, table: &str) -> i64 {
    sqlite(dir).query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0)).expect("a count")
}

#[test]
fn an_export_makes_the_same_instance_again() {
    let (first, second) = (directory(), directory());
    fill(first.path());
    let before = exported(first.path(), "a.ndjson.gz");
    assert!(before.len() > 300, "{}", before.len());
    let file = first.path().join("a.ndjson.gz");
    begin(second.path());
    lines(second.path(), &["import", file.to_str().expect("a path")]);
    for table in ["users", "events", "sessions", "aliases"] {
        assert_eq!(count(first.path(), table), count(second.path(), table), "{table}");
    }
    let after = exported(second.path(), "b.ndjson.gz");
    for (one, two) in before.iter().zip(&after) {
        assert_eq!(one, two);
    }
    assert_eq!(before.len(), after.len());
    // And again: nothing is there twice.
    lines(second.path(), &["import", "--restart", file.to_str().expect("a path")]);
    assert_eq!(exported(second.path(), "c.ndjson.gz"), after);
}
