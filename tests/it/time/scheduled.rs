//! A scheduled deletion that is due while the clock is not trusted: it waits, and means who has the
//! name at its hour.

use usher::clock::{DAY, HOUR, next_midnight};
use usher::model::{JobStatus, State};

use super::{job, put, row, schedule, state};
use crate::harness::{START, Server};
use crate::segment::{count, find, user};

/// So long before the first midnight does the clock jump.
const BEFORE: i64 = HOUR;

/// An hour before midnight, with a clock that was set ten days back: it is not trusted, and time goes
/// on as before.
fn doubtful(prepare: impl FnOnce(&Server)) -> Server {
    let server = Server::start();
    prepare(&server);
    server.clock.advance(next_midnight(START) - START - BEFORE);
    server.clock.set_wall(-10 * DAY);
    server.tick();
    server
}

/// The clock is set right.
fn set_right(server: &Server) {
    assert!(!server.app.time_standing().is_trusted());
    server.clock.set_wall(10 * DAY);
    server.tick();
}

#[test]
fn it_is_bound_at_its_hour_and_begins_when_the_clock_is_trusted() {
    let server = doubtful(|server| _ = server.seed("ann").events(2).insert());
    let id = schedule(&server, "ann");
    let ann = user(&server, "ann").id;
    server.clock.advance(BEFORE - 1);
    assert_eq!(server.tick().began, 0);
    server.clock.advance(2);
    assert_eq!(server.tick().began, 0);
    let due = job(&server, id);
    assert_eq!((due.status, due.bound_user), (JobStatus::Scheduled, Some(ann)));
    assert_eq!(state(&server, ann), Some(State::Live), "nothing is deleted");
    set_right(&server);
    assert_eq!((job(&server, id).status, server.rows_of(ann)), (JobStatus::Completed, 0));
    assert_eq!(job(&server, id).bound_user, None);
}

#[test]
fn who_registers_after_the_hour_is_not_meant() {
    let server = doubtful(|_| {});
    let id = schedule(&server, "new");
    server.clock.advance(BEFORE + 1);
    // No background work has come by.
    let new = put(&server, "new");
    assert!(job(&server, id).bound_at.is_some());
    set_right(&server);
    assert_eq!(job(&server, id).status, JobStatus::Completed);
    assert_eq!(state(&server, new), Some(State::Live));
}

/// The twin: who registers before the hour is.
#[test]
fn who_registers_before_the_hour_is_meant() {
    let server = doubtful(|_| {});
    schedule(&server, "new");
    server.clock.advance(BEFORE - 1);
    let new = put(&server, "new");
    server.clock.advance(2);
    server.tick();
    set_right(&server);
    assert_eq!(server.rows_of(new), 0);
}

#[test]
fn a_clock_that_is_set_back_unbinds_it() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let id = schedule(&server, "ann");
    server.clock.set_wall(10 * DAY);
    server.tick();
    // Past the grace the wrong clock dates rows, and by it the hour has come.
    server.clock.advance(HOUR);
    server.tick();
    assert_eq!(job(&server, id).bound_user, Some(ann));
    server.clock.set_wall(-10 * DAY);
    server.tick();
    let back = job(&server, id);
    assert_eq!((back.status, back.bound_at, back.bound_user), (JobStatus::Scheduled, None, None));
    // At its real hour it means who has the name then.
    let path = "/v1/users/ann?hardDelete=true";
    server.delete(path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    let new = put(&server, "ann");
    server.clock.advance(next_midnight(START) - START - HOUR);
    server.tick();
    assert_eq!((server.rows_of(new), find(&server, "ann").is_none()), (0, true));
}

#[test]
fn who_becomes_part_of_somebody_stays_meant() {
    let server = doubtful(|_| {});
    let track = serde_json::json!([{ "type": "track", "anonymousId": "phone", "event": "x" }]);
    crate::segment::batch(&server, track);
    schedule(&server, "phone");
    put(&server, "ann");
    server.clock.advance(BEFORE + 1);
    server.tick();
    let both = serde_json::json!([{ "type": "identify", "anonymousId": "phone", "userId": "ann" }]);
    crate::segment::batch(&server, both);
    server.tick();
    let ann = user(&server, "ann").id;
    set_right(&server);
    assert!(row(&server, ann).is_none());
    assert_eq!(count(&server, "users"), 0);
}

#[test]
fn a_replay_knows_whom_it_is_bound_to() {
    let server = doubtful(|server| _ = server.seed("ann").insert());
    let id = schedule(&server, "ann");
    let aside = tempfile::tempdir().expect("a directory");
    let copied = aside.path().join("usher.db");
    server.sqlite().execute("VACUUM INTO ?1", [copied.to_string_lossy()]).expect("a copy");
    server.clock.advance(BEFORE + 1);
    server.tick();
    let ann = job(&server, id).bound_user.expect("bound");
    let now = server.clock.now();
    let dir = server.stop();
    std::fs::copy(&copied, dir.path().join("usher.db")).expect("put back");
    for beside in ["usher.db-wal", "usher.db-shm"] {
        _ = std::fs::remove_file(dir.path().join(beside));
    }
    let server = Server::on_older(dir, now);
    assert_eq!(job(&server, id).bound_user, Some(ann));
}

#[test]
fn one_that_is_unbound_means_who_has_taken_the_name() {
    let server = Server::start();
    server.seed("ann").insert();
    let id = schedule(&server, "ann");
    server.clock.set_wall(10 * DAY);
    server.tick();
    server.clock.advance(HOUR);
    server.tick();
    let path = "/v1/users/ann?hardDelete=true";
    server.delete(path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    let new = put(&server, "ann");
    server.tick();
    assert!(job(&server, id).reference != "ann", "it is bound to the first");
    server.clock.set_wall(-10 * DAY);
    server.tick();
    assert_eq!(job(&server, id).reference, "ann");
    server.clock.advance(next_midnight(START) - START - HOUR);
    server.tick();
    assert_eq!(server.rows_of(new), 0);
}
