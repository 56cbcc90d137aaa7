//! The rules where they meet one another: erasures of several kinds at work on one user,
//! faults in between, writes of many in one transaction.

use std::sync::mpsc;
use std::time::Duration;
use usher::store::NormalTx;

use serde_json::json;
use usher::clock::{HOUR, MINUTE, Millis};
use usher::erasure;
use usher::erasure::trash;
use usher::model::{Dropped, Erasure, Origin, ProfileChange, State, TRASH_PERIOD, UserId};
use usher::people::subject::Subject;
use usher::people::{activity, find, recordings, registration, users};

use crate::harness::{START, Server, event, named};
use crate::segment::{batch, check_counters, count, find, names, send, user};

fn erase(server: &Server, name: &'static str, kind: Erasure) {
    let project = server.project().id;
    server.write(move |tx| {
        let user = find::get(tx, project, name)?;
        erasure::begin(tx, &user, kind, Origin::Request).map(|_| ())
    });
}

fn delete_logs(server: &Server, user: UserId) -> u16 {
    let path = format!("/users/{:024x}/logs", user.0);
    server.delete(&path).bearer(&server.project().all).header("x-api-version", "2025-09").send().status
}

fn unfinished(server: &Server) -> i64 {
    count(server, "jobs WHERE status IN ('running', 'failed')")
}

#[test]
fn activity_between_two_deletions_stays() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    erase(&server, "ann", Erasure::Activity);
    server.clock.advance(MINUTE);
    batch(&server, json!([{ "type": "track", "userId": "ann", "event": "between" }]));
    erase(&server, "ann", Erasure::Account);
    let report = server.tick();
    assert_eq!((report.completed, report.faults), (2, 0));
    // The event, its session, and the bare row.
    assert_eq!(server.rows_of(id), 3);
    assert_eq!(delete_logs(&server, id), 200);
    server.tick();
    assert_eq!((server.rows_of(id), unfinished(&server)), (0, 0));
}

#[test]
fn all_three_within_one_millisecond_leave_nothing() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    erase(&server, "ann", Erasure::Activity);
    batch(&server, json!([{ "type": "track", "userId": "ann", "event": "between" }]));
    erase(&server, "ann", Erasure::Account);
    assert_eq!(delete_logs(&server, id), 200);
    let report = server.tick();
    assert_eq!((report.completed, report.faults), (3, 0));
    assert_eq!(server.rows_of(id), 0);
}

#[test]
fn a_deleted_account_leaves_a_bare_row_until_its_logs_go() {
    let server = Server::start();
    let id = server.seed("ann").insert();
    erase(&server, "ann", Erasure::Account);
    server.tick();
    assert_eq!(server.rows_of(id), 1);
    assert_eq!(delete_logs(&server, id), 200);
    server.tick();
    assert_eq!((server.rows_of(id), delete_logs(&server, id)), (0, 404));
}

#[test]
fn a_second_deletion_of_the_logs_takes_what_the_first_did_not() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    for round in 0..3 {
        erase(&server, "ann", Erasure::Activity);
        server.clock.advance(1);
        batch(&server, json!([{ "type": "track", "userId": "ann", "event": format!("after {round}") }]));
    }
    server.tick();
    assert_eq!(names(&server, "ann"), ["after 2"]);
    assert_eq!((server.rows_of(id), unfinished(&server)), (3, 0));
    check_counters(&server);
}

#[test]
fn everything_overtakes_an_erasure_that_is_at_work() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    erase(&server, "ann", Erasure::Activity);
    erase(&server, "ann", Erasure::Everything);
    let report = server.tick();
    assert_eq!((report.completed, report.faults), (2, 0));
    assert_eq!((server.rows_of(id), unfinished(&server)), (0, 0));
}

#[test]
fn a_recording_goes_and_stays_with_its_session() {
    let server = Server::start();
    let project = server.project().id;
    let record = || {
        server.write(move |tx| {
            let user = find::get(tx, project, "ann")?;
            let session = activity::sessions(tx, &user, (0, Millis::MAX), 50)?.pop().expect("a session");
            let name = session.id.to_string();
            recordings::append(tx, project, &name, "text/plain", b"x", 1_000).map(|_| session.id)
        })
    };
    server.seed("ann").events(1).insert();
    let old = record();
    server.clock.advance(HOUR);
    record();
    erase(&server, "ann", Erasure::Activity);
    // In the same millisecond: this visit is after the erasure, and so is its recording.
    batch(&server, json!([{ "type": "page", "userId": "ann" }]));
    let young = record();
    assert_ne!(old, young);
    let gone = server.app.write_blocking(move |tx| {
        recordings::append(tx, project, &old.to_string(), "text/plain", b"x", 1_000).map(|_| ())
    });
    assert!(gone.is_err(), "a visit that is erased takes nothing any more");
    let report = server.tick();
    assert_eq!((report.completed, report.faults), (1, 0));
    assert_eq!(count(&server, &format!("recordings WHERE session_id = {}", young.0)), 1);
    assert_eq!((count(&server, "recordings"), count(&server, "sessions")), (1, 1));
}

#[test]
fn an_old_unfit_erasure_keeps_no_other_waiting() {
    let server = Server::start();
    let (ann, bob) = (server.seed("ann").events(2).insert(), server.seed("bob").events(2).insert());
    let broken = format!(
        "CREATE TRIGGER broken BEFORE DELETE ON events WHEN OLD.user_id = {ann}
         BEGIN SELECT RAISE(ABORT, 'broken'); END"
    );
    server.sqlite().execute_batch(&broken).expect("a trigger");
    erase(&server, "ann", Erasure::Everything);
    erase(&server, "bob", Erasure::Everything);
    let report = server.tick();
    assert_eq!((report.faults, report.completed), (1, 1));
    assert_eq!((server.rows_of(bob), server.rows_of(ann)), (0, 4));
    server.sqlite().execute_batch("DROP TRIGGER broken").expect("no trigger");
    server.clock.advance(HOUR);
    assert_eq!(server.tick().completed, 1);
    assert_eq!(server.rows_of(ann), 0);
}

/// Holds the writer until the sender is dropped, so that what is sent meanwhile becomes one
/// group.
pub fn hold(server: &Server) -> mpsc::Sender<()> {
    let (go_on, told) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel::<()>();
    let app = server.app.clone();
    std::thread::spawn(move || {
        app.write_blocking(move |_: &NormalTx| {
            let _ = begin.send(());
            let _ = told.recv();
            Ok(())
        })
    });
    begun.recv().expect("it has begun");
    go_on
}

#[test]
fn a_write_that_ends_the_transaction_spoils_no_other() {
    let server = Server::start();
    server.expect_faults();
    let rollback = "CREATE TRIGGER ends BEFORE INSERT ON users WHEN NEW.identifier = 'culprit'
                    BEGIN SELECT RAISE(ROLLBACK, 'the end'); END";
    server.sqlite().execute_batch(rollback).expect("a trigger");
    let go_on = hold(&server);
    let statuses: Vec<(String, u16)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..24)
            .map(|n| {
                let name = if n == 5 { "culprit".to_owned() } else { format!("user {n}") };
                let server = &server;
                let thread = scope.spawn(move || {
                    let body = json!({ "userId": name, "event": "x", "messageId": format!("m{n}") });
                    let status = send(server, "/v1/track", body).status;
                    (name, status)
                });
                // One after the other: the culprit is neither the first nor the last.
                std::thread::sleep(Duration::from_millis(20));
                thread
            })
            .collect();
        drop(go_on);
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    for (name, status) in statuses {
        assert_eq!(status, if name == "culprit" { 500 } else { 200 }, "{name}");
        assert_eq!(find(&server, &name).is_some(), name != "culprit", "{name}");
    }
    assert_eq!((count(&server, "users"), count(&server, "events")), (23, 23));
    send(&server, "/v1/track", json!({ "userId": "later", "event": "x" })).expect(200);
    check_counters(&server);
}

#[test]
fn a_write_that_panics_is_undone_and_spoils_no_other() {
    let server = Server::start();
    let project = server.project().id;
    let go_on = hold(&server);
    let app = &server.app;
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|n| {
                let name = named(&format!("user {n}"));
                scope.spawn(move || {
                    app.write_blocking(move |tx| {
                        users::create_or_update(tx, project, &name, &ProfileChange::default())?
                            .expect("taken");
                        assert_ne!(n, 3, "a panic within a savepoint");
                        tx.nested(|| trash::hide(tx, &find::get(tx, project, name.as_str())?))
                    })
                    .is_ok()
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(100));
        drop(go_on);
        threads.into_iter().map(|thread| thread.join().expect("an end")).collect()
    });
    assert_eq!(outcomes, [true, true, true, false, true, true]);
    assert_eq!(count(&server, "users WHERE state = 'hidden'"), 5);
    assert_eq!(count(&server, "users"), 5);
}

#[test]
fn the_states_of_a_life_are_told_apart_by_everyone_who_looks() {
    let server = Server::start();
    let project = server.project().id;
    let id = server.seed("ann").events(1).insert();
    assert_eq!(user(&server, "ann").state, State::Live);
    let subject = Subject { identifier: Some(named("ann")), anonymous_id: None };
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
    server.clock.advance(TRASH_PERIOD - 1);
    let ensured = |subject: &Subject| {
        let subject = subject.clone();
        server.write(move |tx: &NormalTx| {
            registration::ensure(tx, project, &subject).map(|user| (user.id, user.state))
        })
    };
    assert_eq!(ensured(&subject), (id, State::Hidden));
    server.clock.advance(1);
    let (new, state) = ensured(&subject);
    assert_eq!(state, State::Live);
    assert_ne!(new, id);
    let late = server.write(move |tx: &NormalTx| {
        activity::record(tx, project, &event(&named("ann"), "x", START + TRASH_PERIOD))
    });
    assert_eq!(late, activity::Taken::Dropped(Dropped::Late));
}
