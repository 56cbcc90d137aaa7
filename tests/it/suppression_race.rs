//! Somebody is suppressed and erased while many clients go on sending for them: nothing of theirs
//! is there afterwards.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use usher::erasure;
use usher::model::{Erasure, Origin};
use usher::people::suppressions::Policy;
use usher::people::{find, suppressions};

use crate::harness::{Server, named};
use crate::segment::count;
use crate::tolerance::times;

const THREADS: usize = 32;
/// `ROUNDS=1000` in place of it.
const ROUNDS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(30);

/// In each round somebody else is there, and erased in one write, in the same breath suppressed or
/// not, while all threads send for them.
fn race(server: &Server, rounds: usize, suppressed: bool) {
    let (round, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let project = server.project().id;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (round, over) = (&round, &over);
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    let name = format!("person {}", round.load(Ordering::SeqCst));
                    let device = format!("device {thread} of {name}");
                    let body = json!({ "batch": [
                        { "type": "identify", "userId": name, "anonymousId": device },
                        { "type": "track", "userId": name, "anonymousId": device, "event": "x" },
                    ] });
                    let post = server.post("/v1/batch").bearer(&server.project().token);
                    post.json(body).send().expect(200);
                }
            });
        }
        for number in 0..rounds {
            let name = named(&format!("person {number}"));
            let began = Instant::now();
            while server.app.read(|db| find::get(db, project, name.as_str())).is_err() {
                assert!(began.elapsed() < PATIENCE, "nobody is there in round {number}");
                std::thread::sleep(Duration::from_micros(200));
            }
            server.write(move |tx| {
                let user = find::get(tx, project, name.as_str())?;
                if suppressed {
                    suppressions::add(tx, project, &name, Policy::Forever)?;
                }
                erasure::begin(tx, &user, Erasure::Everything, Origin::Request).map(|_| ())
            });
            // Some of the threads go on for this one until they look again.
            round.store(number + 1, Ordering::SeqCst);
        }
        over.store(true, Ordering::SeqCst);
    });
    // What they sent for somebody of the round that never was.
    let last = named(&format!("person {rounds}"));
    server.write(move |tx| match find::get(tx, project, last.as_str()) {
        Ok(user) => erasure::begin(tx, &user, Erasure::Everything, Origin::Request).map(|_| ()),
        Err(_) => Ok(()),
    });
    let erased = "users WHERE state = 'erasing'";
    let began = Instant::now();
    while count(server, erased) > 0 {
        assert!(began.elapsed() < PATIENCE, "the rows do not leave");
        server.write(usher::erasure::step::step);
    }
}

#[test]
fn nothing_of_who_is_suppressed_and_erased_comes_back() {
    let server = Server::start();
    race(&server, crate::common::number("ROUNDS").unwrap_or(ROUNDS), true);
    for table in ["users", "aliases", "events", "sessions"] {
        assert_eq!(count(&server, table), 0, "{table}");
    }
    assert!(times(&server, "dropped", "suppressed") > 0, "nobody sent for who was suppressed");
}

#[test]
fn who_is_erased_and_not_suppressed_does_come_back() {
    let server = Server::start();
    race(&server, 30, false);
    assert!(count(&server, "users") > 0, "the race is none");
}
