//! SIGKILL at every step of the way, from the request to the receipt: after the restart the
//! same end, one receipt, chains whole.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use serde_json::json;

use crate::kills::give_events;
use crate::process::{Process, agent, check_file, directory, key, post, sqlite, usher, wait_until};

const KILLS: usize = 200;
/// People erased one after the other while the kills go on.
const PEOPLE: usize = 60;
const EVENTS: i64 = 1_500;

#[test]
fn kills_lose_no_erasure_and_make_no_second_receipt() {
    let dir = directory();
    let key = key(dir.path(), "test");
    let server = Process::start(dir.path());
    let client = agent();
    for n in 0..PEOPLE {
        let body = json!({ "userId": format!("person-number-{n}"), "event": "Signed Up", "messageId": n.to_string() });
        assert_eq!(post(&client, &server.url("/v1/track"), &key, &body).expect("an answer").0, 200);
    }
    assert!(server.terminate().success());
    {
        let conn = sqlite(dir.path());
        (0..PEOPLE).for_each(|n| _ = give_events(&conn, &format!("person-number-{n}"), EVENTS));
    }

    let mut rng = Rng::with_seed(7);
    let mut accepted = BTreeSet::new();
    let mut doubtful = BTreeSet::new();
    let mut next = 0;
    // How long a request has before the kill, at most, in microseconds.
    let mut window = 60_000_u64;
    for _ in 0..KILLS {
        let server = Process::start(dir.path());
        // Every third start someone asks; the others meet the work of those before.
        if next < PEOPLE && rng.u8(..3) == 0 {
            let url = server.url(&format!("/v1/users/person-number-{next}?hardDelete=true"));
            let request = client.delete(url).header("X-APTRINSIC-API-KEY", &key);
            std::thread::scope(|scope| {
                let asked = scope.spawn(|| request.call().map(|response| response.status().as_u16()));
                std::thread::sleep(Duration::from_micros(rng.u64(..window)));
                server.kill();
                match asked.join().expect("an end") {
                    Ok(status) => {
                        assert_eq!(status, 200);
                        accepted.insert(next);
                    }
                    // On a slow machine a kill waits longer, so that some are accepted before it.
                    Err(_) => {
                        doubtful.insert(next);
                        window += 5_000;
                    }
                }
            });
            next += 1;
        } else {
            std::thread::sleep(Duration::from_micros(rng.u64(..90_000)));
            server.kill();
        }
    }
    assert!(accepted.len() > 10, "only {} were accepted before a kill", accepted.len());

    let server = Process::start(dir.path());
    wait_until("the end of the jobs", || {
        let open = "SELECT COUNT(*) FROM jobs WHERE status <> 'completed'";
        let open: i64 = sqlite(dir.path()).query_row(open, [], |row| row.get(0)).expect("a count");
        (open == 0).then_some(())
    });
    assert!(server.terminate().success());
    check_file(dir.path());
    let conn = sqlite(dir.path());
    let gone: BTreeSet<usize> = (0..PEOPLE)
        .filter(|n| {
            let sql = "SELECT COUNT(*) FROM users WHERE identifier = ?1";
            let held: i64 =
                conn.query_row(sql, [format!("person-number-{n}")], |row| row.get(0)).expect("a count");
            held == 0
        })
        .collect();
    assert!(accepted.is_subset(&gone), "an accepted erasure was forgotten");
    let asked: BTreeSet<usize> = accepted.union(&doubtful).copied().collect();
    assert!(gone.is_subset(&asked), "somebody was erased whom nobody had asked for");
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    let left = count("SELECT COUNT(*) FROM events");
    let people = i64::try_from(PEOPLE - gone.len()).expect("a number");
    assert_eq!(left, people * (EVENTS + 1), "rows of the erased are left, or others' are gone");
    // One receipt for each, and every job has its own.
    let receipts = std::fs::read_dir(dir.path().join("receipts")).expect("receipts").count();
    assert_eq!(receipts, gone.len());
    let of_jobs = count("SELECT COUNT(DISTINCT receipt_no) FROM jobs WHERE receipt_no IS NOT NULL");
    assert_eq!(usize::try_from(of_jobs).expect("a number"), gone.len());
    drop(conn);
    let verified = usher(dir.path(), &["verify"]).output().expect("the program runs");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
