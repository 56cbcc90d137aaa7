//! Who was erased stays out: a time that is still to come says nothing of when something was done.

use serde_json::{Value, json};
use usher::clock::{DAY, HOUR, MINUTE, Millis, SECOND, rfc3339};
use usher::people::late::UNDATED_LATE_PERIOD;

use crate::harness::{START, Server};
use crate::late_bounds::erase;
use crate::segment::{count, events, find, names, send};
use crate::tolerance::times;

/// One minute after ann was erased.
fn after() -> Server {
    let server = Server::start();
    server.seed("ann").events(2).insert();
    erase(&server, "ann");
    server.clock.advance(MINUTE);
    server
}

fn time(at: Millis) -> String {
    format!("{}.{:03}Z", rfc3339(at).trim_end_matches('Z'), at.rem_euclid(SECOND))
}

fn of(kind: &str, timestamp: Value) -> Value {
    json!({ "type": kind, "userId": "ann", "event": "x", "groupId": "g", "previousId": "dev", "timestamp": timestamp })
}

const KINDS: [&str; 6] = ["track", "page", "screen", "identify", "group", "alias"];

/// Sends a message on each way in; each must be answered as any other.
#[track_caller]
fn post(server: &Server, way: &str, at: Millis) {
    let all = &server.project().all;
    match way {
        "native" => {
            let entry = json!({ "type": "event", "userId": "ann", "name": "x", "at": at });
            let body = json!({ "activity": [entry] });
            let answer = server.post("/api/activity").bearer(all).json(body).send().expect(200).json();
            assert_eq!(answer["errors"], json!([]));
        }
        "px" => {
            let body = json!({ "identifyId": "ann", "eventName": "x", "date": at });
            let request = server.post("/v1/events/custom").header("X-APTRINSIC-API-KEY", all);
            request.json(body).send().expect(201);
        }
        kind => {
            let body = json!({ "batch": [of(kind, json!(time(at)))] });
            let answer = send(server, "/v1/batch", body).expect(200).json();
            assert!(answer["errors"].is_null(), "{answer}");
        }
    }
}

fn ways() -> impl Iterator<Item = &'static str> {
    KINDS.into_iter().chain(["native", "px"])
}

#[test]
fn ten_seconds_ahead_is_believed_and_a_millisecond_more_is_not() {
    for way in ways() {
        let server = after();
        let now = server.clock.now();
        for ahead in [10 * SECOND + 1, 2 * HOUR, 543 * 366 * DAY] {
            post(&server, way, now + ahead);
            assert_eq!(count(&server, "users"), 0, "{way} {ahead}");
        }
        assert_eq!(times(&server, "dropped", "late"), 3, "{way}");
        assert_eq!(times(&server, "repaired", "time in the future"), 3, "{way}");
        post(&server, way, now + 10 * SECOND);
        assert!(find(&server, "ann").is_some(), "{way}");
        assert_eq!(times(&server, "repaired", "time in the future"), 3, "{way}");
        for event in events(&server, "ann") {
            assert_eq!(event.at, now, "{way}: stored as of now");
        }
    }
}

#[test]
fn a_time_in_the_future_is_late_for_30_days() {
    for way in ways() {
        let server = after();
        server.clock.advance(UNDATED_LATE_PERIOD - MINUTE - 1);
        post(&server, way, server.clock.now() + HOUR);
        assert_eq!(count(&server, "users"), 0, "{way}");
        server.clock.advance(1);
        post(&server, way, server.clock.now() + HOUR);
        assert!(find(&server, "ann").is_some(), "{way}");
    }
}

#[test]
fn a_time_in_the_future_counts_once_somebody_registered() {
    for way in ways() {
        let server = after();
        send(&server, "/v1/identify", json!({ "userId": "ann" })).expect(200);
        let before = server.clock.now();
        post(&server, way, before + HOUR);
        assert_eq!(times(&server, "dropped", "late"), 0, "{way}");
        assert!(events(&server, "ann").iter().all(|event| event.at == before), "{way}");
    }
}

#[test]
fn a_local_time_without_an_offset_brings_nobody_back() {
    let server = after();
    let now = server.clock.now();
    let local = time(now + 11 * HOUR).replace('Z', "");
    for kind in KINDS {
        let body = json!({ "batch": [of(kind, json!(local))], "sentAt": time(now) });
        let answer = send(&server, "/v1/batch", body).expect(200).json();
        assert_eq!(answer["dropped"], json!([{ "index": 0, "reason": "late" }]), "{kind}");
    }
    let thai = json!({ "batch": [of("identify", json!(time(now).replacen("2026", "2569", 1)))] });
    assert_eq!(send(&server, "/v1/batch", thai).expect(200).json()["dropped"][0]["reason"], "late");
    assert_eq!((count(&server, "users"), count(&server, "aliases")), (0, 0));
    // Where the time of sending is wrong by the same, it is corrected and believed.
    let body = json!({ "batch": [of("identify", json!(local))], "sentAt": time(now + 11 * HOUR) });
    send(&server, "/v1/batch", body).expect(200);
    assert!(find(&server, "ann").is_some());
}

#[test]
fn what_was_sent_before_the_erasure_is_late_for_ever() {
    let server = after();
    server.clock.advance(UNDATED_LATE_PERIOD);
    let mut message = of("identify", json!(time(server.clock.now() + HOUR)));
    message["sentAt"] = json!(time(START));
    let answer = send(&server, "/v1/batch", json!({ "batch": [message] })).expect(200).json();
    assert_eq!(answer["dropped"][0]["reason"], "late");
}

#[test]
fn a_visitors_time_in_the_future_brings_no_visitor_back() {
    let server = Server::start();
    let page = |at: Millis| json!({ "anonymousId": "dev-1", "timestamp": time(at) });
    send(&server, "/v1/page", page(START)).expect(200);
    erase(&server, "dev-1");
    server.clock.advance(MINUTE);
    send(&server, "/v1/page", page(START + HOUR)).expect(200);
    assert_eq!(count(&server, "aliases"), 0);
    // Nor as the name that an alias gives up.
    let alias = json!({ "userId": "bob", "previousId": "dev-1", "timestamp": time(START + HOUR) });
    let answer = send(&server, "/v1/alias", alias).expect(200).json();
    assert_eq!((&answer["dropped"][0]["reason"], count(&server, "aliases")), (&json!("late"), 0));
}

#[test]
fn a_zero_time_is_none_and_is_counted() {
    let zeros = [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.0000000Z",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+02:00",
        "0001-01-01T00:00:00-11:00",
        "0001-01-01 00:00:00 +0000 UTC",
    ];
    for zero in zeros {
        let server = after();
        let sent = |kind: &str| {
            let body = json!({ "batch": [of(kind, json!(zero))] });
            send(&server, "/v1/batch", body).expect(200).json()
        };
        let named = json!([{ "index": 0, "field": "timestamp", "message": "zero time" }]);
        let answer = sent("track");
        assert_eq!((&answer["repairs"], &answer["dropped"][0]["reason"]), (&named, &json!("late")), "{zero}");
        // As without a time, an identify registers.
        assert_eq!(sent("identify"), json!({ "success": true, "repairs": named }), "{zero}");
        sent("track");
        assert_eq!(events(&server, "ann")[0].at, server.clock.now(), "{zero}");
        assert_eq!(times(&server, "repaired", "zero time"), 3, "{zero}");
    }
    // Beside another time it says nothing, and as the time of sending neither.
    let server = Server::start();
    let mut message = of("track", json!("0001-01-01T00:00:00Z"));
    message["originalTimestamp"] = json!(time(START - HOUR));
    let body = json!({ "batch": [message], "sentAt": "0001-01-01T00:00:00Z" });
    send(&server, "/v1/batch", body).expect(200);
    assert_eq!(events(&server, "ann")[0].at, START - HOUR);
}

#[test]
fn a_year_of_another_calendar_is_of_unknown_age() {
    // Of Reiwa, of the Republic of China, of Hijra: nobody means these by our calendar.
    for year in ["0008", "0115", "1405", "1899"] {
        let server = after();
        let body = json!({ "batch": [of("identify", json!(format!("{year}-03-04T10:00:00Z")))] });
        let answer = send(&server, "/v1/batch", body.clone()).expect(200).json();
        assert_eq!(answer["repairs"][0]["message"], "time unreadable", "{year}");
        assert_eq!(answer["dropped"][0]["reason"], "late", "{year}");
        server.clock.advance(UNDATED_LATE_PERIOD);
        send(&server, "/v1/batch", body).expect(200);
        assert!(find(&server, "ann").is_some(), "{year}: not for ever");
    }
}

#[test]
fn an_app_given_time_dates_what_rudderstacks_clients_send() {
    let server = Server::start();
    let [own, called] = [START - 400 * DAY, START - SECOND];
    let mut message = of("track", json!(time(own)));
    message["originalTimestamp"] = json!(time(called));
    let body = json!({ "batch": [message.clone()], "sentAt": time(START) });
    send(&server, "/v1/batch", body).expect(200);
    assert_eq!(events(&server, "ann")[0].at, own);
    // What Segment's servers pass on says so, and its `timestamp` is their reckoning.
    message["userId"] = json!("bob");
    message["receivedAt"] = json!(time(START));
    send(&server, "/v1/batch", json!({ "batch": [message] })).expect(200);
    assert_eq!(events(&server, "bob")[0].at, called);
}

#[test]
fn of_rudderstacks_two_times_the_earlier_is_the_guards() {
    for early in ["timestamp", "originalTimestamp"] {
        let server = after();
        let dated = |at: Millis| {
            let mut message = of("identify", json!(time(START + MINUTE)));
            message["originalTimestamp"] = json!(time(START + MINUTE));
            message[early] = json!(time(at));
            send(&server, "/v1/batch", json!({ "batch": [message] })).expect(200);
            find(&server, "ann").is_some()
        };
        assert!(!dated(START), "{early}");
        assert!(dated(START + 1), "{early}");
    }
}

#[test]
fn a_future_time_costs_no_event_of_a_living_person() {
    let server = Server::start();
    send(&server, "/v1/batch", json!({ "batch": [of("track", json!(time(START + DAY)))] })).expect(200);
    assert_eq!(names(&server, "ann"), ["x"]);
    assert_eq!(events(&server, "ann")[0].at, START);
}
