//! Erasing somebody of whom a visitor is a part, or becomes one, while rows are moving.

use serde_json::json;
use usher::clock::{HOUR, MINUTE, Millis};
use usher::erasure;
use usher::model::{Erasure, Origin};
use usher::people::{activity, find, listings, recordings};

use crate::harness::{START, Server};
use crate::merging::{holder, identify, move_some, page, track, wander};
use crate::segment::{batch, check_counters, count, find, late, names, user};

#[test]
fn an_erasure_amid_a_merge_takes_all_by_either_name() {
    for (by, moves) in [("ann", 0), ("ann", 1), ("ann", 100), ("v", 0), ("v", 1), ("v", 100)] {
        let server = Server::start();
        let project = server.project().id;
        track(&server, "ann", "before", START);
        track(&server, "bob", "stays", START);
        let visitor = wander(&server, "v", 600);
        batch(&server, json!([identify("ann", "v")]));
        let ann = user(&server, "ann").id;
        (0..moves).for_each(|_| _ = move_some(&server));
        server.write(move |tx| {
            erasure::by_identifier(tx, project, by, Erasure::Everything, Origin::Request).map(|_| ())
        });
        assert_eq!(find(&server, "ann").map(|user| user.id), None);
        assert!(holder(&server, "v").is_none());
        // Both names are somebody new's, whom the work that goes on does not touch.
        server.clock.advance(1);
        let (mut seen, mut done) =
            (page("v", "new"), json!({ "type": "track", "userId": "ann", "event": "new" }));
        assert_eq!(late(&server, json!([seen, done])), [0, 1], "they may be of any age");
        for message in [&mut seen, &mut done] {
            message["timestamp"] = json!(START + 1);
        }
        batch(&server, json!([seen, done]));
        server.tick();
        assert_eq!((server.rows_of(ann), server.rows_of(visitor)), (0, 0), "by {by} after {moves} moves");
        assert_eq!(
            (names(&server, "ann"), names(&server, "bob")),
            (vec!["new".to_owned()], vec!["stays".to_owned()])
        );
        assert_eq!((count(&server, "users"), count(&server, "events")), (3, 3));
    }
}

#[test]
fn a_job_by_an_anonymous_id_takes_user_and_visitor() {
    let server = Server::start();
    let key = server.key(None, "delete,read");
    let project = server.project().key.clone();
    let delete = |name: &str| {
        let path = format!("/api/v1/{project}/users/{name}");
        server.delete(&path).header("Authorization", &key).send().expect(200);
    };
    batch(&server, json!([page("v", "1"), identify("ann", "v"), page("w", "2"), page("x", "3")]));
    // The visitor of a user's name is that user.
    batch(&server, json!([{ "type": "track", "userId": "x", "event": "named x" }]));
    for name in ["v", "w", "x"] {
        delete(name);
    }
    server.clock.advance(24 * HOUR);
    server.tick();
    assert_eq!((find(&server, "ann").is_none(), find(&server, "x").is_none()), (true, true));
    assert!(holder(&server, "w").is_none());
    assert!(holder(&server, "x").is_none());
    let jobs =
        server.get(&format!("/api/v1/{project}/jobs")).header("Authorization", &key).send().expect(200);
    for job in jobs.json()["data"].as_array().expect("a list") {
        assert!(job["referenceId"].as_str().is_some_and(|text| text.starts_with("erased:")), "{job}");
    }
}

#[test]
fn a_visitors_past_goes_where_the_users_own_was_erased() {
    let server = Server::start();
    let project = server.project().id;
    track(&server, "ann", "erased", START);
    batch(&server, json!([page("v", "old 1"), page("v", "old 2")]));
    let visitor = holder(&server, "v").expect("the visitor").id;
    server.clock.advance(HOUR);
    server.write(move |tx| {
        let session = tx_session(tx, project)?;
        recordings::append(tx, project, &session, "text/plain", b"recorded", 100).map(|_| ())
    });
    server.write(move |tx| {
        let user = find::get(tx, project, "ann")?;
        erasure::begin(tx, &user, Erasure::Activity, Origin::Request).map(|_| ())
    });
    server.tick();
    server.clock.advance(HOUR);
    batch(&server, json!([page("v", "young 1"), page("v", "young 2")]));
    // A recording of the old visit that went on: it leaves with its session.
    server.write(move |tx| {
        let session = tx_session(tx, project)?;
        recordings::append(tx, project, &session, "text/plain", b" and on", 100).map(|_| ())
    });
    batch(&server, json!([identify("ann", "v")]));
    for worked in [false, true] {
        let ann = user(&server, "ann");
        assert_eq!((ann.event_count, ann.session_count), (2, 1), "worked: {worked}");
        assert_eq!((ann.first_seen, ann.last_seen), (Some(START + 2 * HOUR), Some(START + 2 * HOUR)));
        assert_eq!(names(&server, "ann"), ["young 1", "young 2"]);
        server.tick();
    }
    assert_eq!(server.rows_of(visitor), 0);
    assert_eq!((count(&server, "events"), count(&server, "recordings"), count(&server, "users")), (2, 0, 1));
    check_counters(&server);
}

/// The oldest session there is.
fn tx_session(db: &usher::store::Db, project: usher::model::ProjectId) -> usher::error::Result<String> {
    let filters = Vec::new();
    let order = vec![(listings::Field::Id, listings::Direction::Ascending)];
    let everybody = listings::list(db, &listings::Listing { project, filters, order, limit: 10, offset: 0 })?;
    let mut sessions = Vec::new();
    for user in everybody.iter().filter(|user| user.identifier.is_none()) {
        sessions.extend(activity::sessions(db, user, (0, Millis::MAX), 10)?);
    }
    sessions.sort_by_key(|session| session.started_at);
    Ok(sessions.first().expect("a session").id.to_string())
}

#[test]
fn a_visitor_whose_activity_is_being_erased_merges_without_it() {
    let server = Server::start();
    track(&server, "ann", "kept", START - HOUR);
    let visitor = wander(&server, "v", 300);
    server.clock.advance(MINUTE);
    let path = format!("/users/{:024x}/logs", visitor.0);
    server.delete(&path).bearer(&server.project().all).header("x-api-version", "2025-09").send().expect(200);
    let erased_at = server.clock.now();
    server.sqlite().execute_batch(BREAK).expect("a trigger");
    assert_eq!(server.tick().faults, 1);
    batch(&server, json!([identify("ann", "v")]));
    let check = |what: &str| {
        let ann = user(&server, "ann");
        assert_eq!((ann.event_count, ann.session_count), (1, 1), "{what}");
        assert_eq!(names(&server, "ann"), ["kept"], "{what}");
        let stats = server.read(|db| find::stats(db, &ann));
        assert_eq!((stats.first, stats.last), (START - HOUR, START - HOUR), "{what}");
    };
    check("while the erasure has met a fault");
    server.tick();
    check("when the moves had their chance");
    server.sqlite().execute_batch("DROP TRIGGER broken").expect("no trigger");
    server.clock.advance(HOUR);
    assert_eq!(server.tick().completed, 1);
    check("when it is over");
    assert_eq!(server.rows_of(visitor), 0);
    check_counters(&server);
    // What the visitor did before that, and comes late, is dropped by its name.
    let old = json!({ "type": "page", "anonymousId": "v", "timestamp": "2026-03-04T10:00:30Z" });
    assert!(START + 30_000 < erased_at);
    assert_eq!(late(&server, json!([old])), [0]);
    check("when something came late");
}

#[test]
fn an_erasure_whose_rows_are_gone_keeps_nobody_from_moving() {
    let server = Server::start();
    track(&server, "ann", "kept", START - HOUR);
    let visitor = wander(&server, "v", 10);
    server.clock.advance(MINUTE);
    let path = format!("/users/{:024x}/logs", visitor.0);
    server.delete(&path).bearer(&server.project().all).header("x-api-version", "2025-09").send().expect(200);
    server.tick();
    batch(&server, json!([page("v", "young"), identify("ann", "v")]));
    // It waits for somebody to see why something of it was found in the files.
    let failed = format!("UPDATE jobs SET status = 'failed', step = 'verifying', user_id = {visitor}");
    server.sqlite().execute_batch(&failed).expect("a change");
    server.tick();
    assert_eq!((server.rows_of(visitor), count(&server, "users")), (0, 1));
    assert_eq!(names(&server, "ann"), ["kept", "young"]);
    check_counters(&server);
}

#[test]
fn activity_erased_amid_a_merge_is_erased_on_both_sides() {
    let server = Server::start();
    let project = server.project().id;
    track(&server, "ann", "before", START);
    let visitor = wander(&server, "v", 600);
    batch(&server, json!([identify("ann", "v")]));
    assert!(move_some(&server));
    server.clock.advance(MINUTE);
    server.write(move |tx| {
        let user = find::get(tx, project, "ann")?;
        erasure::begin(tx, &user, Erasure::Activity, Origin::Request).map(|_| ())
    });
    server.clock.advance(MINUTE);
    track(&server, "ann", "after", START + 2 * MINUTE);
    assert_eq!(names(&server, "ann"), ["after"]);
    server.tick();
    assert_eq!(names(&server, "ann"), ["after"]);
    assert_eq!(server.rows_of(visitor), 0);
    assert_eq!(count(&server, "events"), 1);
    check_counters(&server);
}

#[test]
fn an_account_deleted_amid_a_merge_keeps_its_activity() {
    let server = Server::start();
    let project = server.project().id;
    track(&server, "ann", "before", START);
    let visitor = wander(&server, "v", 600);
    batch(&server, json!([identify("ann", "v")]));
    let ann = user(&server, "ann").id;
    assert!(move_some(&server));
    server.write(move |tx| {
        let user = find::get(tx, project, "ann")?;
        erasure::begin(tx, &user, Erasure::Account, Origin::Request).map(|_| ())
    });
    server.tick();
    // The events and their two visits, the bare row, and that a visitor was part of it.
    assert_eq!((server.rows_of(visitor), server.rows_of(ann)), (0, 601 + 2 + 1 + 1));
    assert_eq!(count(&server, "aliases"), 0);
    // Its logs are deleted by that number, all of them.
    let path = format!("/users/{:024x}/logs", ann.0);
    server.delete(&path).bearer(&server.project().all).header("x-api-version", "2025-09").send().expect(200);
    server.tick();
    assert_eq!((server.rows_of(ann), count(&server, "events"), count(&server, "users")), (0, 0, 0));
}

const BREAK: &str = "CREATE TRIGGER broken BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'broken'); END";

/// A recording has moved to the user, its session has not: it leaves before the session all the same.
#[test]
fn an_erasure_takes_a_recording_that_moved_before_its_session() {
    let server = Server::start();
    let project = server.project().id;
    let visitor = wander(&server, "v", 3);
    server.write(move |tx| {
        let session = tx_session(tx, project)?;
        recordings::append(tx, project, &session, "text/plain", b"recorded", 100).map(|_| ())
    });
    track(&server, "ann", "here", START);
    batch(&server, json!([identify("ann", "v")]));
    let ann = user(&server, "ann").id;
    server.write(move |tx| {
        usher::store::data_inventory::rehome(tx, visitor, ann, 250)?;
        erasure::by_identifier(tx, project, "ann", Erasure::Everything, Origin::Request).map(|_| ())
    });
    let report = server.tick();
    assert_eq!((report.faults, report.completed), (0, 1));
    assert_eq!((server.rows_of(ann), server.rows_of(visitor)), (0, 0));
}
