//! Many clients at once, on the built program.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::kills::give_events;
use crate::process::{PATIENCE, Process, agent, check_file, directory, key, post, sqlite, wait_until};

const CLIENTS: usize = 64;
const TIME: Duration = Duration::from_secs(30);

#[test]
fn of_64_clients_writes_nothing_is_lost_or_counted_twice() {
    let dir = directory();
    let key = key(dir.path(), "test");
    let server = Process::start(dir.path());
    let sent = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, key, sent) = (&server, &key, &sent);
            scope.spawn(move || {
                let agent = agent();
                let url = server.url("/v1/track");
                let mut number = 0;
                while started.elapsed() < TIME {
                    let id = format!("{client}-{number}");
                    // Everybody writes to everybody's users.
                    let user = format!("user {}", (client + number) % 100);
                    let body = json!({ "userId": user, "event": id, "messageId": id });
                    for _ in 0..2 {
                        let (status, text) = post(&agent, &url, key, &body).expect("an answer");
                        assert_eq!((status, text.as_str()), (200, r#"{"success":true}"#), "{id}");
                    }
                    number += 1;
                }
                sent.fetch_add(number, Ordering::SeqCst);
            });
        }
    });
    assert!(server.terminate().success());
    check_file(dir.path());
    let conn = sqlite(dir.path());
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    let sent = i64::try_from(sent.load(Ordering::SeqCst)).expect("a number");
    assert!(sent > 1_000, "only {sent} messages were sent");
    assert_eq!(count("SELECT COUNT(DISTINCT name) FROM events"), sent, "something is lost");
    assert_eq!(count("SELECT COUNT(*) FROM events"), sent, "something is there twice");
    assert_eq!(count("SELECT SUM(event_count) FROM users"), sent);
    assert_eq!(count("SELECT SUM(event_count) FROM sessions"), sent);
    assert_eq!(count("SELECT COUNT(*) FROM users"), 100);
}

#[test]
fn erasing_400_000_events_holds_up_no_other_answer() {
    let dir = directory();
    let key = key(dir.path(), "test");
    let agent = agent();
    let server = Process::start(dir.path());
    let body = json!({ "userId": "ann", "event": "Signed Up" });
    assert_eq!(post(&agent, &server.url("/v1/track"), &key, &body).expect("an answer").0, 200);
    assert!(server.terminate().success());
    let user = give_events(&sqlite(dir.path()), "ann", 1_000_000);

    let server = Process::start(dir.path());
    let write = |n: i64| {
        let body = json!({ "userId": "ben", "event": "Going on", "messageId": n.to_string() });
        assert_eq!(post(&agent, &server.url("/v1/track"), &key, &body).expect("an answer").0, 200);
    };
    let conn = sqlite(dir.path());
    let left = || -> i64 {
        conn.query_row("SELECT COUNT(*) FROM events WHERE user_id = ?1", [user], |row| row.get(0))
            .expect("a count")
    };
    let delete = server.url("/v1/users/ann?hardDelete=true");
    let deleted = agent.delete(&delete).header("X-APTRINSIC-API-KEY", &key).call().expect("an answer");
    assert_eq!(deleted.status(), 200);
    let seen = agent
        .get(server.url("/v1/users/single?identifier=ann"))
        .header("Authorization", &key)
        .call()
        .expect("an answer");
    assert_eq!(seen.status(), 404, "still to be seen after the answer");
    assert!(left() > 900_000, "the answer waited for the rows to go");

    let any = || -> bool {
        let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE user_id = ?1)";
        conn.query_row(sql, [user], |row| row.get(0)).expect("an answer")
    };
    let mut served = 0;
    let started = Instant::now();
    while any() {
        write(served);
        served += 1;
        assert!(started.elapsed() < PATIENCE, "the rows do not go");
    }
    assert!(served >= 10, "only {served} writes were answered while the rows were leaving");
    wait_until("the end of the job", || {
        let open = "SELECT COUNT(*) FROM jobs WHERE status <> 'completed'";
        let open: i64 = conn.query_row(open, [], |row| row.get(0)).expect("a count");
        (open == 0).then_some(())
    });
    assert!(server.terminate().success());
    check_file(dir.path());
}
