//! The clock is put forward and back at every state of a life: nobody is lost by it, and vendors see
//! the seventh day exactly.

use serde_json::json;
use usher::clock::{DAY, HOUR, MINUTE, Millis, SECOND, rfc3339};
use usher::model::{JobStatus, State, TRASH_PERIOD};
use usher::store::NormalTx;

use super::{GRACE, hide, job, put, row, schedule, state};
use crate::harness::{START, Server, named};
use crate::segment::{count, find, late, user};

fn erase(server: &Server, name: &str) {
    let path = format!("/v1/users/{name}?hardDelete=true");
    server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    server.tick();
}

/// Everybody through an excursion of the clock: so far, for so long, and back.
fn excursion(by: Millis, lasting: Millis) {
    let server = Server::start();
    let events = |name: &str| user(&server, name).event_count;
    // Six days and 23 hours in the trash.
    let sue = server.seed("sue").events(4).insert();
    hide(&server, "sue");
    server.clock.advance(6 * DAY - HOUR);
    let tom = server.seed("tom").events(3).insert();
    hide(&server, "tom");
    server.clock.advance(DAY);
    let ann = server.seed("ann").events(2).insert();
    let sam = server.seed("sam").events(1).insert();
    let waits = schedule(&server, "sam");
    server.seed("eve").insert();
    erase(&server, "eve");
    let hidden_at = row(&server, tom).expect("tom").deleted_at;

    server.clock.set_wall(by);
    assert_eq!(server.tick().reaped, 0);
    server.clock.advance(lasting);
    server.tick();
    // A life that is lived meanwhile.
    server.seed("mia").events(2).insert();
    let max = hide(&server, "mia");
    server.seed("zed").insert();
    erase(&server, "zed");
    server.tick();
    server.clock.set_wall(-by);
    server.tick();
    let what = format!("{by} ms for {lasting} ms");

    let now = server.clock.now();
    assert!(server.app.time_standing().is_trusted(), "{what}");
    assert_eq!(now, START + 7 * DAY - HOUR + lasting, "{what}");
    for (id, stands) in [(ann, State::Live), (sam, State::Live), (tom, State::Hidden), (sue, State::Hidden)] {
        assert_eq!(state(&server, id), Some(stands), "{what}");
    }
    assert_eq!(job(&server, waits).status, JobStatus::Scheduled, "{what}");
    assert_eq!(row(&server, tom).expect("tom").deleted_at, hidden_at, "{what}");
    let since = row(&server, max).expect("mia").deleted_at.expect("hidden");
    assert!(since <= now, "{what}: hidden {} ms from now", since - now);
    // Their names and their history are as they were.
    for (name, id, had) in [("tom", tom, 3), ("sue", sue, 4), ("mia", max, 2)] {
        assert_eq!((put(&server, name), events(name)), (id, had), "{what}: {name}");
    }
    // Who was erased meanwhile may come again, and is not late for the days that the clock was off.
    server.clock.advance(SECOND);
    let said = rfc3339(server.clock.now());
    for name in ["eve", "zed"] {
        let message = json!([{ "type": "track", "userId": name, "event": "x", "timestamp": said }]);
        crate::segment::batch(&server, message);
        assert!(find(&server, name).is_some(), "{what}: {name}");
    }
}

#[test]
fn a_second_of_a_wrong_clock_changes_nobody() {
    for by in [8 * DAY, -8 * DAY, 400 * DAY, -400 * DAY, 2 * HOUR, -2 * HOUR] {
        excursion(by, SECOND);
    }
}

#[test]
fn an_hour_of_a_wrong_clock_changes_nobody() {
    for by in [8 * DAY, -8 * DAY, 400 * DAY, -400 * DAY] {
        excursion(by, 59 * MINUTE);
    }
}

/// The twin: without a grace, a second is enough to lose everybody in the trash.
#[test]
fn without_a_grace_a_second_of_a_wrong_clock_erases() {
    let server = Server::with(|options| options.clock_grace = 0);
    let tom = server.seed("tom").events(3).insert();
    hide(&server, "tom");
    server.seed("sam").insert();
    let id = schedule(&server, "sam");
    server.clock.set_wall(8 * DAY);
    let report = server.tick();
    assert_eq!((report.reaped, report.began), (1, 1));
    assert_eq!((server.rows_of(tom), job(&server, id).status), (0, JobStatus::Completed));
}

#[test]
fn a_clock_set_right_by_hours_is_followed_after_the_grace() {
    let server = Server::start();
    let tom = server.seed("tom").insert();
    hide(&server, "tom");
    server.clock.advance(TRASH_PERIOD - 2 * HOUR);
    server.clock.set_wall(2 * HOUR);
    // It counts from when it is noticed, which takes a minute at most.
    server.tick();
    server.clock.advance(GRACE - 1);
    assert_eq!(server.tick().reaped, 0);
    assert_eq!(state(&server, tom), Some(State::Hidden));
    server.clock.advance(1);
    assert_eq!(server.tick().reaped, 1);
}

#[test]
fn what_somebody_orders_never_waits() {
    let server = Server::start();
    let ann = server.seed("ann").events(5).insert();
    server.clock.set_wall(400 * DAY);
    assert!(!server.app.time_standing().is_trusted());
    erase(&server, "ann");
    assert_eq!((server.rows_of(ann), count(&server, "jobs WHERE status = 'completed'")), (0, 1));
}

/// The clock jumps by two days and an hour, dates rows after the grace, and is not trusted until a day
/// later: meanwhile the seventh day of somebody comes.
fn seventh_day(beside: Millis) -> (Server, usher::model::UserId) {
    let server = Server::start();
    let ann = server.seed("ann").events(3).insert();
    hide(&server, "ann");
    server.clock.advance(4 * DAY);
    server.clock.set_wall(2 * DAY + HOUR);
    server.tick();
    server.clock.advance(23 * HOUR + beside);
    server.tick();
    assert_eq!(server.clock.now(), START + TRASH_PERIOD + beside);
    assert!(!server.app.time_standing().is_trusted());
    (server, ann)
}

#[test]
fn a_millisecond_before_the_seventh_day_a_user_comes_back() {
    let (server, ann) = seventh_day(-1);
    assert_eq!(put(&server, "ann"), ann);
    assert_eq!(user(&server, "ann").event_count, 3);
}

#[test]
fn on_the_seventh_day_the_name_is_a_new_persons() {
    let (server, ann) = seventh_day(0);
    let ask =
        |path: &str| server.get(path).header("X-APTRINSIC-API-KEY", &server.project().all).send().status;
    assert_eq!(ask("/v1/users/ann"), 404);
    let new = put(&server, "ann");
    assert!(new != ann);
    assert_eq!(user(&server, "ann").event_count, 0);
    assert_eq!(ask("/v1/users/ann"), 200);
    // Nothing was deleted.
    assert_eq!(server.tick().reaped, 0);
    let old = row(&server, ann).expect("it waits");
    assert_eq!((old.state, old.event_count, old.identifier.as_deref()), (State::Waiting, 3, None));
    assert_eq!(count(&server, &format!("events WHERE user_id = {ann}")), 3);
}

#[test]
fn who_waits_is_erased_once_the_clock_is_trusted() {
    let (server, ann) = seventh_day(0);
    let new = put(&server, "ann");
    server.clock.advance(HOUR - 1);
    assert_eq!(server.tick().reaped, 0);
    server.clock.advance(1);
    assert_eq!(server.tick().reaped, 1);
    assert_eq!(server.rows_of(ann), 0);
    assert_eq!((user(&server, "ann").id, count(&server, "freed_aliases")), (new, 0));
    assert_eq!(count(&server, "users WHERE freed_identifier IS NOT NULL"), 0);
}

#[test]
fn a_message_from_before_the_seventh_day_is_late_later() {
    let (server, _) = seventh_day(MINUTE);
    let at = |at: Millis| json!({ "type": "track", "userId": "ann", "event": "x", "timestamp": rfc3339(at) });
    // It only looks, and nobody is erased by it.
    assert_eq!(late(&server, json!([at(START + TRASH_PERIOD)])), [0]);
    assert_eq!(count(&server, "jobs"), 0);
    put(&server, "ann");
    assert_eq!(late(&server, json!([at(START + TRASH_PERIOD), at(START + TRASH_PERIOD + SECOND)])), [0]);
    assert_eq!(user(&server, "ann").event_count, 1);
}

#[test]
fn reading_a_name_never_begins_an_erasure() {
    let server = Server::start();
    let ann = server.seed("ann").events(3).insert();
    hide(&server, "ann");
    server.clock.advance(TRASH_PERIOD);
    // The clock is trusted; but it is the reaper's to erase.
    let project = server.project().id;
    let looked =
        server.write(move |tx: &NormalTx| usher::people::holder::holder(tx, project, named("ann").as_str()));
    assert!(looked.is_none());
    assert_eq!((count(&server, "jobs"), state(&server, ann)), (0, Some(State::Waiting)));
    assert_eq!(server.tick().reaped, 1);
    assert_eq!(server.rows_of(ann), 0);
}

#[test]
fn nothing_is_pruned_by_a_clock_that_is_not_trusted() {
    let server = Server::start();
    server.seed("eve").insert();
    erase(&server, "eve");
    crate::maintenance::furnish(&server);
    for _ in 0..2 {
        usher::backup::make(&server.app, server.app.backups()).expect("a backup");
        server.clock.advance(HOUR);
    }
    let held = || {
        let backups = usher::archive::list(server.app.backups()).expect("a folder");
        let old = backups.iter().filter(|backup| backup.made_at().is_some_and(|at| at < START + DAY)).count();
        (count(&server, "erased_identifiers"), old)
    };
    assert_eq!(held(), (1, 2));
    server.clock.set_wall(11 * 366 * DAY);
    for _ in 0..3 {
        server.tick();
        assert_eq!(held(), (1, 2));
        server.clock.advance(HOUR);
    }
    // The twin: by one that somebody confirms it is.
    server.app.confirm_clock().expect("confirmed");
    // The digest stays for as long as a backup from before is there.
    server.tick();
    server.clock.advance(DAY);
    server.tick();
    assert_eq!(held(), (0, 0));
}
