//! SIGKILL in the middle: what was acknowledged is there, nothing is there twice, and an
//! erasure goes on to its end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::process::{Process, agent, check_file, directory, get, key, post, sqlite, wait_until};

const MESSAGES: usize = 40;
const CLIENTS: usize = 4;

fn batch(client: usize, number: usize) -> Value {
    let messages: Vec<Value> = (0..MESSAGES)
        .map(|n| {
            let name = format!("{client}-{number}-{n}");
            json!({ "type": "track", "event": name, "messageId": name, "userId": format!("user {}", n % 7) })
        })
        .collect();
    json!({ "batch": messages })
}

/// Batch `number` of `client`, as its names in the file.
fn names(client: usize, number: usize) -> impl Iterator<Item = String> {
    (0..MESSAGES).map(move |n| format!("{client}-{number}-{n}"))
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_once_after_it() {
    let dir = directory();
    let key = key(dir.path(), "test");
    let acknowledged: Arc<Mutex<BTreeSet<(usize, usize)>>> = Arc::default();
    let next = Arc::new(AtomicUsize::new(0));
    for round in 0..4 {
        let server = Process::start(dir.path());
        let before = acknowledged.lock().expect("a set").len();
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (acknowledged, next, key) = (Arc::clone(&acknowledged), Arc::clone(&next), key.clone());
                let url = server.url("/v1/batch");
                scope.spawn(move || {
                    let agent = agent();
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        // A broken connection is what the kill looks like from here.
                        let Ok((status, text)) = post(&agent, &url, &key, &batch(client, number)) else {
                            return;
                        };
                        assert_eq!((status, text.as_str()), (200, r#"{"success":true}"#));
                        acknowledged.lock().expect("a set").insert((client, number));
                    }
                });
            }
            let enough = before + 10 + 7 * round;
            wait_until("acknowledged batches", || {
                (acknowledged.lock().expect("a set").len() >= enough).then_some(())
            });
            server.kill();
        });
    }

    // A client sends again what it got no answer to, and some of what it did.
    let server = Process::start(dir.path());
    let agent = agent();
    let last = next.load(Ordering::SeqCst);
    let acknowledged = acknowledged.lock().expect("a set").clone();
    check_file(dir.path());
    let stored = counts(&sqlite(dir.path()));
    for (client, number) in &acknowledged {
        for name in names(*client, *number) {
            assert_eq!(stored.iter().find(|(known, _)| *known == name).map(|(_, n)| *n), Some(1), "{name}");
        }
    }
    for (client, number) in
        acknowledged.iter().take(5).copied().chain((0..CLIENTS).map(|client| (client, last)))
    {
        assert_eq!(
            post(&agent, &server.url("/v1/batch"), &key, &batch(client, number)).expect("an answer").0,
            200
        );
    }
    assert!(server.terminate().success());
    check_file(dir.path());
    let conn = sqlite(dir.path());
    let stored = counts(&conn);
    assert!(stored.iter().all(|(_, n)| *n == 1), "something is there twice");
    // A batch is there whole or not at all.
    assert_eq!(stored.len() % MESSAGES, 0);
    let uneven: i64 = conn
        .query_row(
            "SELECT COUNT(*) FROM users u WHERE event_count <>
             (SELECT COUNT(*) FROM events e WHERE e.user_id = u.id)",
            [],
            |row| row.get(0),
        )
        .expect("a count");
    assert_eq!(uneven, 0, "a counter does not fit the events");
}

fn counts(conn: &Connection) -> Vec<(String, i64)> {
    let mut statement = conn.prepare("SELECT name, COUNT(*) FROM events GROUP BY name").expect("a query");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

/// Gives a user many events, past the program.
pub fn give_events(conn: &Connection, identifier: &str, number: i64) -> i64 {
    let user: i64 = conn
        .query_row("SELECT id FROM users WHERE identifier = ?1", [identifier], |row| row.get(0))
        .expect("the user");
    conn.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?2)
         INSERT INTO events (user_id, message_key, session_id, kind, name, at, message_id, url, data)
         SELECT ?1, n, NULL, 'event', 'Report Exported', 1700000000000 + n, 'bulk-' || n, NULL,
                '{\"file\":\"quarter-' || n || '.csv\"}' FROM n",
        [user, number],
    )
    .expect("events");
    conn.execute("UPDATE users SET event_count = event_count + ?2 WHERE id = ?1", [user, number])
        .expect("a count");
    user
}

#[test]
fn an_erasure_that_is_killed_again_and_again_completes() {
    let dir = directory();
    let key = key(dir.path(), "test");
    let server = Process::start(dir.path());
    let agent = agent();
    for name in ["ann", "ben"] {
        let body = json!({ "userId": name, "event": "Signed Up", "messageId": name });
        assert_eq!(post(&agent, &server.url("/v1/track"), &key, &body).expect("an answer").0, 200);
    }
    assert!(server.terminate().success());
    let user = give_events(&sqlite(dir.path()), "ann", 120_000);

    let server = Process::start(dir.path());
    let mut response = agent
        .delete(server.url("/v1/users/ann?hardDelete=true"))
        .header("X-APTRINSIC-API-KEY", &key)
        .call()
        .expect("an answer");
    assert_eq!(response.status(), 200, "{:?}", response.body_mut().read_to_string());
    server.kill();

    let conn = sqlite(dir.path());
    let left = || -> i64 {
        conn.query_row("SELECT COUNT(*) FROM events WHERE user_id = ?1", [user], |row| row.get(0))
            .expect("a count")
    };
    let taken = || -> i64 {
        conn.query_row("SELECT SUM(rows_erased) FROM jobs", [], |row| row.get(0)).expect("a count")
    };
    let mut kills = 0;
    let mut before = left();
    assert!(before > 100_000, "the answer waited for the rows");
    while before > 0 && kills < 8 {
        let server = Process::start(dir.path());
        let (status, _) =
            get(&agent, &server.url("/v1/users/single?identifier=ann"), &format!("Bearer {key}"));
        assert_eq!(status, 404, "back after a kill");
        wait_until("progress", || (left() < before).then_some(()));
        server.kill();
        kills += 1;
        before = left();
        // Two of 120,003 rows are the session's and the user's own.
        let rows = 120_001 - before;
        assert!(
            (rows..=rows + 2).contains(&taken()),
            "the job does not know what it took: {} of {rows}",
            taken()
        );
    }
    assert!(kills > 1, "it was over before it could be killed");
    let server = Process::start(dir.path());
    wait_until("the end of the job", || {
        let status: String = conn
            .query_row("SELECT status FROM jobs ORDER BY id DESC LIMIT 1", [], |row| row.get(0))
            .expect("a job");
        (status == "completed").then_some(())
    });
    assert_eq!(left(), 0);
    assert_eq!(taken(), 120_003);
    let people: i64 = conn.query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0)).expect("a count");
    assert_eq!(people, 1, "ben alone is left");
    let (status, ben) = get(&agent, &server.url("/v1/users/single?identifier=ben"), &format!("Bearer {key}"));
    assert_eq!((status, ben["user"]["identifier"].as_str()), (200, Some("ben")));
    assert!(server.terminate().success());
    check_file(dir.path());
}
