//! An import that is killed goes on: nothing is lost, nothing is there twice. `IMPORT_KILLS=10` kills
//! it so often.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use usher::clock::rfc3339;

use crate::common::{START, number};
use crate::process::{begin, directory, sqlite, usher, wait_until};

const RECORDS: i64 = 6_000;
const PEOPLE: i64 = 200;

/// Events of some people, each with a time, some of them broken.
fn file(path: &Path) {
    let line = |n: i64| match n % 500 {
        77 => "broken\n".to_owned(),
        _ => {
            let person = n % PEOPLE;
            let message = json!({
                "type": if n < PEOPLE { "identify" } else { "track" }, "event": "Opened", "messageId": format!("m-{n}"),
                "userId": format!("person-{person}"), "timestamp": rfc3339(START - 40_000_000 + n * 5_000),
                "traits": { "plan": "free" }, "properties": { "n": n },
            });
            format!("{message}\n")
        }
    };
    fs::write(path, (0..RECORDS).map(line).collect::<String>()).expect("a file");
}

/// All that is held, and what the import says of itself.
fn held(dir: &Path) -> Vec<String> {
    let conn = sqlite(dir);
    let mut all = Vec::new();
    for sql in [
        "SELECT concat_ws('|', identifier, attributes, created_at, updated_at, first_seen, last_seen, session_count,
             event_count) FROM users",
        "SELECT concat_ws('|', identifier, name, at, message_id, data) FROM events JOIN users ON users.id = user_id",
        "SELECT concat_ws('|', identifier, started_at, ended_at, sessions.event_count)
         FROM sessions JOIN users ON users.id = user_id",
        "SELECT concat_ws('|', status, record, counts, faults) FROM imports",
    ] {
        let mut rows = conn.prepare(sql).expect("a query");
        let rows = rows.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        all.extend(rows.map(|row| row.expect("a row")));
    }
    all.sort();
    all
}

fn done_so_far(dir: &Path) -> i64 {
    sqlite(dir).query_row("SELECT coalesce(max(record), 0) FROM imports", [], |row| row.get(0)).unwrap_or(0)
}

#[test]
fn a_killed_import_ends_as_one_that_was_not() {
    let files = directory();
    let path = files.path().join("events.ndjson");
    file(&path);
    let path = path.to_str().expect("UTF-8");
    let kills = i64::try_from(number("IMPORT_KILLS").unwrap_or(3)).expect("a number");
    let dir = directory();
    begin(dir.path());
    for kill in 1..=kills {
        let mut child = usher(dir.path(), &["import", path])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        let until = RECORDS * kill / (kills + 1);
        wait_until("the import goes on", || (done_so_far(dir.path()) >= until).then_some(()));
        child.kill().expect("a kill");
        child.wait().expect("an end");
    }
    let before = done_so_far(dir.path());
    assert!(before > 0 && before < RECORDS, "it was never killed in the middle: {before}");
    let output = usher(dir.path(), &["import", path]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&format!("went on after record {before}")), "{said}");

    let whole = directory();
    begin(whole.path());
    let output = usher(whole.path(), &["import", path]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(held(dir.path()), held(whole.path()));
    let verified = usher(dir.path(), &["verify"]).output().expect("the program runs");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
