//! Starts: the wall clock is held against the sign of life.

use usher::clock::{Clock, DAY, HOUR, MINUTE, Millis, SECOND};
use usher::model::{REVIVABLE, State};

use super::{GRACE, again, hide, put, row, state};
use crate::harness::{START, Server};
use crate::segment::user;

fn sign(server: &Server) -> Option<Millis> {
    server.sqlite().query_row("SELECT at FROM sign_of_life", [], |row| row.get(0)).expect("a sign of life")
}

/// Somebody was hidden an instant before the stop.
fn stopped() -> (Server, usher::model::UserId) {
    let server = Server::start();
    let ann = server.seed("ann").events(2).insert();
    hide(&server, "ann");
    server.tick();
    (server, ann)
}

#[test]
fn the_sign_of_life_is_written_each_minute() {
    let server = Server::start();
    assert_eq!(sign(&server), Some(START));
    server.clock.advance(MINUTE - 1);
    server.tick();
    assert_eq!(sign(&server), Some(START));
    server.clock.advance(1);
    server.tick();
    assert_eq!(sign(&server), Some(START + MINUTE));
    // A clock that is not trusted has no part in it.
    server.clock.set_wall(8 * DAY);
    server.clock.advance(2 * MINUTE);
    server.tick();
    assert_eq!(sign(&server), Some(START + 3 * MINUTE));
}

#[test]
fn two_seconds_of_a_start_with_a_wrong_clock_change_nobody() {
    let (server, ann) = stopped();
    let server = again(server, START + 400 * DAY);
    assert_eq!(server.tick().reaped, 0);
    server.clock.advance(2 * SECOND);
    assert_eq!(server.tick().reaped, 0);
    assert_eq!(sign(&server), Some(START));
    // Seen as of the wrong clock, which dates rows, she is gone.
    let new = put(&server, "ann");
    assert!(new != ann);
    let server = again(server, START + HOUR);
    server.tick();
    assert!(server.app.time_standing().is_trusted());
    assert_eq!(state(&server, ann), Some(State::Hidden));
}

/// The twin: without a grace they do.
#[test]
fn without_a_grace_a_wrong_start_erases() {
    let (server, ann) = stopped();
    let dir = server.stop();
    let server = Server::over(dir, |options| {
        options.clock = Clock::manual(START + 400 * DAY);
        options.clock_grace = 0;
    });
    assert_eq!(server.tick().reaped, 1);
    assert_eq!(server.rows_of(ann), 0);
}

#[test]
fn a_machine_that_was_off_for_long_reaps_after_the_grace() {
    let (server, ann) = stopped();
    let server = again(server, START + 30 * DAY);
    server.clock.advance(GRACE - 1);
    assert_eq!(server.tick().reaped, 0);
    server.clock.advance(1);
    assert_eq!(server.tick().reaped, 1);
    assert_eq!((server.rows_of(ann), sign(&server)), (0, Some(START + 30 * DAY + GRACE)));
}

#[test]
fn one_that_was_off_for_a_day_reaps_at_once() {
    let (server, _) = stopped();
    server.clock.advance(REVIVABLE - DAY);
    server.tick();
    let server = again(server, START + REVIVABLE);
    assert_eq!(server.tick().reaped, 1);
}

#[test]
fn the_grace_of_several_starts_adds_up() {
    let (server, _) = stopped();
    let mut server = again(server, START + 30 * DAY);
    for _ in 0..3 {
        server.clock.advance(5 * MINUTE - 1);
        assert_eq!(server.tick().reaped, 0);
        let now = server.clock.now();
        server = again(server, now);
        assert_eq!(server.tick().reaped, 0, "three milliseconds are missing");
    }
    server.clock.advance(3);
    assert_eq!(server.tick().reaped, 1);
}

#[test]
fn a_start_with_a_clock_that_is_behind_goes_on_from_the_sign() {
    let (server, _) = stopped();
    let server = again(server, START - 400 * DAY);
    assert_eq!(server.clock.now(), START);
    server.seed("bob").insert();
    let bob = hide(&server, "bob");
    server.clock.advance(HOUR);
    assert_eq!(server.tick().reaped, 0);
    // The clock is set right: nobody was hidden for more than an hour.
    server.clock.set_wall(400 * DAY);
    server.tick();
    assert!(server.app.time_standing().is_trusted());
    assert_eq!(server.clock.now(), START + HOUR);
    assert_eq!(row(&server, bob).expect("bob").deleted_at, Some(START));
    server.clock.advance(REVIVABLE - HOUR - 1);
    assert_eq!(server.tick().reaped, 0);
    assert_eq!(put(&server, "bob"), bob);
    assert_eq!(user(&server, "bob").id, bob);
}

#[test]
fn after_a_restore_the_ledger_tells_the_time() {
    let restored = |writes: bool| {
        let (server, _) = stopped();
        let aside = tempfile::tempdir().expect("a directory");
        let copied = aside.path().join("usher.db");
        server.sqlite().execute("VACUUM INTO ?1", [copied.to_string_lossy()]).expect("a copy");
        for day in 0..10 {
            server.clock.advance(DAY);
            server.tick();
            if writes && day == 9 {
                server.seed("bob").insert();
                hide(&server, "bob");
            }
        }
        let dir = server.stop();
        std::fs::copy(&copied, dir.path().join("usher.db")).expect("put back");
        for beside in ["usher.db-wal", "usher.db-shm"] {
            _ = std::fs::remove_file(dir.path().join(beside));
        }
        let clock = Clock::manual(START + 11 * DAY);
        Server::over(dir, |options| options.clock = clock).app.time_standing().is_trusted()
    };
    assert!(restored(true), "the last entry is a day old");
    assert!(!restored(false), "ann was reaped four days before");
}

#[test]
fn a_database_without_a_sign_goes_by_its_latest_trace() {
    let (server, ann) = stopped();
    server.sqlite().execute("DELETE FROM sign_of_life", []).expect("as in 0.1");
    let server = again(server, START + 400 * DAY);
    assert_eq!(server.tick().reaped, 0);
    assert_eq!(state(&server, ann), Some(State::Hidden));
    // What this start has written is no trace for the next one.
    let server = again(server, START + 400 * DAY + MINUTE);
    assert_eq!(server.tick().reaped, 0);
}
