//! Starts: the wall clock is held against the sign of life.

use usher::clock::{Clock, DAY, HOUR, MINUTE, Millis, SECOND};
use usher::model::{State, TRASH_PERIOD};

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
    server.clock.advance(TRASH_PERIOD - DAY);
    server.tick();
    let server = again(server, START + TRASH_PERIOD);
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
    server.clock.advance(TRASH_PERIOD - HOUR - 1);
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
        let server = Server::on_older(dir, START + 11 * DAY);
        server.app.time_standing().is_trusted()
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

/// What a directory has of the time is changed, and it is opened at another one.
fn changed(server: Server, sql: &str, now: Millis) -> Server {
    server.sqlite().execute_batch(sql).expect("a change");
    let dir = server.stop();
    Server::on_older(dir, now)
}

#[test]
fn the_number_of_a_run_is_no_time() {
    for number in [i64::MAX, 1 << 60, START + 9 * DAY, 1, -5, i64::MIN] {
        let (server, ann) = stopped();
        let sql = format!(
            "DELETE FROM sign_of_life;
             INSERT OR REPLACE INTO upkeep (task, done_at) VALUES ('run', {number}), ('run before', {number})"
        );
        let server = changed(server, &sql, START + HOUR);
        assert!(server.app.time_standing().is_trusted(), "{number}");
        assert_eq!(server.app.clock().now(), START + HOUR, "{number}");
        assert_eq!(state(&server, ann), Some(State::Hidden));
    }
    // The twin: a task's time is one.
    let (server, _) = stopped();
    let sql = format!(
        "DELETE FROM sign_of_life;
         INSERT OR REPLACE INTO upkeep (task, done_at) VALUES ('prune', {})",
        START + 9 * DAY
    );
    let server = changed(server, &sql, START + HOUR);
    assert!(!server.app.time_standing().is_trusted());
}

#[test]
fn a_sign_before_2020_or_after_2200_is_not_believed() {
    let (first, last) = (1_577_836_800_000, 7_258_118_400_000);
    for sign in [first - 1, last + 1, i64::MAX, 0] {
        let (server, ann) = stopped();
        let server = changed(server, &format!("UPDATE sign_of_life SET at = {sign}"), START + HOUR);
        assert!(server.app.time_standing().is_trusted(), "{sign}: the audit log tells the time");
        assert_eq!(state(&server, ann), Some(State::Hidden));
        assert_eq!(self::sign(&server), Some(START + HOUR), "{sign}");
    }
    // Where nothing else tells it, the clock waits out its grace.
    for sign in [first - 1, last + 1] {
        let (server, ann) = stopped();
        let sql = format!("UPDATE sign_of_life SET at = {sign}; DELETE FROM upkeep; DELETE FROM audit");
        let server = changed(server, &sql, START + 400 * DAY);
        assert_eq!(server.app.clock().now(), START + 400 * DAY);
        assert_eq!((server.tick().reaped, state(&server, ann)), (0, Some(State::Hidden)), "{sign}");
        server.clock.advance(GRACE);
        assert_eq!(server.tick().reaped, 1, "{sign}");
    }
    // The twins: the bounds themselves are believed.
    let (server, _) = stopped();
    let server = changed(server, &format!("UPDATE sign_of_life SET at = {last}"), START + HOUR);
    assert_eq!(server.app.clock().now(), last);
    let (server, _) = stopped();
    let server = changed(server, &format!("UPDATE sign_of_life SET at = {first}"), START + HOUR);
    assert!(!server.app.time_standing().is_trusted());
}

#[test]
fn an_untrusted_start_forgets_no_digest_of_the_erased() {
    let (server, _) = stopped();
    let key = server.project().all.clone();
    server.seed("ben").insert();
    server.delete("/v1/users/ben?hardDelete=true").header("X-APTRINSIC-API-KEY", &key).send().expect(200);
    server.tick();
    let digests = |server: &Server| -> i64 {
        let sql = "SELECT COUNT(*) FROM erased_identifiers";
        server.sqlite().query_row(sql, [], |row| row.get(0)).expect("a count")
    };
    let before = digests(&server);
    assert!(before > 0);
    let server = again(server, START + 11 * 366 * DAY);
    server.tick();
    assert_eq!(digests(&server), before);
    server.clock.advance(GRACE - 1);
    server.tick();
    assert_eq!(digests(&server), before);
    // The twin: by a clock that is trusted.
    server.clock.advance(1);
    server.tick();
    server.clock.advance(DAY);
    server.tick();
    assert_eq!(digests(&server), 0);
}
