//! Who was erased stays out: messages that were said before an erasure, or may have been.

use serde_json::json;
use usher::clock::{DAY, HOUR, Millis};
use usher::erasure;
use usher::erasure::trash;
use usher::model::{Erasure, Origin, TRASH_PERIOD};
use usher::people::late::UNDATED_LATE_PERIOD;
use usher::people::{find, holder};
use usher::store::NormalTx;

use crate::harness::{START, Server};
use crate::ingestion::{at, time, track};
use crate::segment::{batch, check_counters, count, events, find, late, names, send, user};

fn erase(server: &Server, name: &'static str, kind: Erasure) {
    let project = server.project().id;
    server.write(move |tx| {
        let user = find::get(tx, project, name)?;
        erasure::begin(tx, &user, kind, Origin::Request).map(|_| ())
    });
}

fn late_events(server: &Server) -> i64 {
    let sql = "SELECT late_events FROM projects WHERE id = 1";
    server.sqlite().query_row(sql, [], |row| row.get(0)).expect("a count")
}

#[test]
fn what_is_older_than_the_erasure_of_its_user_is_late() {
    for kind in [Erasure::Everything, Erasure::Account] {
        let server = Server::start();
        batch(
            &server,
            json!([track("Before", "m-1"), { "type": "identify", "userId": "ann", "anonymousId": "v" }]),
        );
        server.clock.advance(HOUR);
        let erased_at = START + HOUR;
        erase(&server, "ann", kind);
        server.tick();
        server.clock.advance(HOUR);
        let old = at(track("Old", "m-2"), erased_at);
        // Neither an event nor a word on who it is brings the user back, by either name.
        let visitor = json!({ "type": "page", "anonymousId": "v", "timestamp": time(erased_at) });
        let identify = json!({ "type": "identify", "userId": "ann", "timestamp": time(erased_at) });
        let group = json!({ "type": "group", "userId": "ann", "groupId": "g", "timestamp": time(START) });
        let alias = json!({ "type": "alias", "userId": "ann", "previousId": "v", "timestamp": time(START) });
        let all = json!([old, visitor, identify, group, alias, old]);
        assert_eq!(late(&server, all), [0, 1, 2, 3, 4, 5]);
        assert_eq!(find(&server, "ann").map(|user| user.id), None);
        assert_eq!((count(&server, "aliases"), late_events(&server)), (0, 6));
        // A key that must not know who was erased is not told.
        let reply = server.post("/v1/batch").bearer(&server.project().token);
        let reply = reply.json(json!({ "batch": [old] })).send().expect(200);
        assert_eq!((reply.json(), late_events(&server)), (json!({ "success": true }), 7));
        // A millisecond later it is somebody new.
        assert_eq!(late(&server, json!([at(track("New", "m-3"), erased_at + 1), old])), [1]);
        assert_eq!(names(&server, "ann"), ["New"]);
        assert_eq!(late_events(&server), 8);
        // However long a message could be on its way: it is forgotten after ten years, to the millisecond.
        server.clock.advance(erased_at + 3_650 * DAY - 1 - server.clock.now());
        server.tick();
        assert_eq!(count(&server, "erased_identifiers"), 2);
        assert_eq!(late(&server, json!([old])), [0]);
        server.clock.advance(1);
        server.tick();
        assert_eq!(count(&server, "erased_identifiers"), 0);
        batch(&server, json!([old]));
        assert_eq!(names(&server, "ann"), ["Old", "New"]);
    }
}

#[test]
fn a_message_without_a_time_is_late_for_30_days() {
    let server = Server::start();
    batch(
        &server,
        json!([track("Before", "m-1"), { "type": "identify", "userId": "ann", "anonymousId": "v" }]),
    );
    erase(&server, "ann", Erasure::Everything);
    let all = json!([
        track("After", "m-1"),
        { "type": "track", "userId": "ann", "event": "x", "timestamp": "" },
        { "type": "track", "userId": "ann", "event": "x", "timestamp": null },
        { "type": "page", "userId": "ann" },
        { "type": "screen", "userId": "ann" },
        { "type": "group", "userId": "ann", "groupId": "g" },
        { "type": "alias", "userId": "ann", "previousId": "w" },
        // By the visitor's name, too, and beside a visitor whom nobody knows.
        { "type": "page", "anonymousId": "v" },
        { "type": "page", "userId": "ann", "anonymousId": "w" },
    ]);
    let indices: Vec<u64> = (0..9).collect();
    // In the same millisecond, once the rows are gone, and to the last millisecond.
    assert_eq!(late(&server, all.clone()), indices);
    server.tick();
    assert_eq!(late(&server, all.clone()), indices);
    server.clock.advance(UNDATED_LATE_PERIOD - 1);
    assert_eq!(late(&server, all.clone()), indices);
    assert_eq!((count(&server, "users"), count(&server, "aliases")), (0, 0));
    assert_eq!(late_events(&server), 27);
    server.clock.advance(1);
    batch(&server, all);
    assert_eq!(events(&server, "ann").len(), 6);
    check_counters(&server);
}

#[test]
fn a_message_whose_time_is_unreadable_is_late_for_30_days() {
    let server = Server::start();
    batch(&server, json!([track("Before", "m-1")]));
    erase(&server, "ann", Erasure::Everything);
    // It speaks for nobody's registration either: it may be of any age.
    let said = [
        json!({ "type": "track", "userId": "ann", "event": "x", "timestamp": "soon" }),
        json!({ "type": "identify", "userId": "ann", "timestamp": "soon" }),
    ];
    for message in &said {
        let dropped = || {
            let body = json!({ "batch": [message] });
            let answer = send(&server, "/v1/batch", body).expect(200).json();
            answer.get("dropped").cloned()
        };
        assert_eq!(dropped(), Some(json!([{ "index": 0, "reason": "late" }])), "{message}");
    }
    assert_eq!(count(&server, "users WHERE state = 'live'"), 0);
    server.clock.advance(UNDATED_LATE_PERIOD - 1);
    send(&server, "/v1/batch", json!({ "batch": said })).expect(200);
    assert_eq!(count(&server, "users WHERE state = 'live'"), 0);
    server.clock.advance(1);
    send(&server, "/v1/batch", json!({ "batch": said })).expect(200);
    assert_eq!(events(&server, "ann").len(), 1);
}

#[test]
fn who_registers_again_is_believed_without_a_time() {
    let server = Server::start();
    batch(&server, json!([track("Before", "m-1")]));
    erase(&server, "ann", Erasure::Everything);
    // In the same millisecond, and the event is heard once somebody has the name, not before.
    let identify = json!({ "type": "identify", "userId": "ann" });
    assert_eq!(late(&server, json!([track("Early", "m-0"), identify, track("After", "m-1")])), [0]);
    assert_eq!(names(&server, "ann"), ["After"]);
    server.tick();
    assert_eq!(names(&server, "ann"), ["After"]);
    // Who is there stays registered when its activity alone is erased.
    erase(&server, "ann", Erasure::Activity);
    batch(&server, json!([track("Later", "m-2")]));
    assert_eq!(names(&server, "ann"), ["Later"]);
    server.tick();
    assert_eq!(names(&server, "ann"), ["Later"]);
    check_counters(&server);
}

#[test]
fn an_event_older_than_the_erasure_of_the_activity_is_late() {
    let server = Server::start();
    batch(&server, json!([track("Before", "m-1")]));
    server.clock.advance(HOUR);
    erase(&server, "ann", Erasure::Activity);
    let erased_at = server.clock.now();
    // Before the rows have left, in the same millisecond, and after.
    for round in 0..2 {
        let ids = [format!("old {round}"), format!("new {round}")];
        server.clock.advance(1);
        let both = json!([at(track("Old", &ids[0]), erased_at), at(track("New", &ids[1]), erased_at + 1)]);
        assert_eq!(late(&server, both), [0]);
        server.tick();
        check_counters(&server);
    }
    assert_eq!(names(&server, "ann"), ["New", "New"]);
    assert_eq!((late_events(&server), user(&server, "ann").first_seen), (2, Some(erased_at + 1)));
    // An identify from before changes the profile, and was no activity.
    let old = json!({ "userId": "ann", "traits": { "plan": "x" }, "timestamp": time(START) });
    send(&server, "/v1/identify", old).expect(200);
    assert_eq!(user(&server, "ann").first_seen, Some(erased_at + 1));
    assert_eq!(user(&server, "ann").profile.attributes["plan"], "x");
}

#[test]
fn what_is_done_after_the_seventh_day_is_a_new_users() {
    for reaped_first in [true, false] {
        let server = Server::start();
        let project = server.project().id;
        batch(&server, json!([track("Before", "m-1")]));
        batch(&server, json!([{ "type": "page", "anonymousId": "v" }]));
        server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
        server.write(move |tx| {
            let visitor = holder::alias_holder(tx, project, "v")?.expect("the visitor");
            trash::hide(tx, &visitor)
        });
        let gone = START + TRASH_PERIOD;
        server.clock.advance(TRASH_PERIOD + DAY);
        if reaped_first {
            server.tick();
        }
        // A client tells what happened while nobody was connected.
        // Without a time it is heard once somebody is there.
        let all = json!([
            track("Of any age", "m-1"),
            at(track("Too early", "m-2"), gone),
            at(track("First", "m-3"), gone + 1),
            at(track("Second", "m-4"), gone + HOUR),
            track("Third", "m-5"),
        ]);
        assert_eq!(late(&server, all), [0, 1]);
        let expected = ["First", "Second", "Third"];
        assert_eq!(names(&server, "ann"), expected);
        server.tick();
        assert_eq!(names(&server, "ann"), expected);
        // The same by an anonymous id.
        let page = |at: Millis| json!({ "type": "page", "anonymousId": "v", "timestamp": time(at) });
        assert_eq!(late(&server, json!([page(gone), page(gone + 1)])), [0]);
        let visitor = server.write(move |tx: &NormalTx| holder::alias_holder(tx, project, "v"));
        assert_eq!(visitor.map(|user| user.event_count), Some(1));
        assert_eq!(late_events(&server), 3);
        check_counters(&server);
    }
}
