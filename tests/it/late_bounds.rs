//! Who was erased stays out: which messages are late, to the millisecond, and who is told.

use serde_json::{Value, json};
use usher::clock::{DAY, HOUR, MINUTE, Millis, SECOND, rfc3339};
use usher::model::Intake;
use usher::people::late;
use usher::projects;
use usher::store::NormalTx;

use crate::harness::{START, Server};
use crate::segment::{count, events, find, names, send, user};
use crate::tolerance::times;

/// Erases somebody now, for good.
pub fn erase(server: &Server, name: &str) {
    let path = format!("/v1/users/{name}?hardDelete=true");
    server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    server.tick();
}

/// A server on which ann was erased at [`START`], some time ago.
fn after(since: Millis) -> Server {
    let server = Server::start();
    server.seed("ann").events(2).insert();
    erase(&server, "ann");
    server.clock.advance(since);
    server
}

fn time(at: Millis) -> String {
    format!("{}.{:03}Z", rfc3339(at).trim_end_matches('Z'), at.rem_euclid(SECOND))
}

/// Sends a message; true: it is dropped as late. It must be one or the other.
#[track_caller]
fn is_late(server: &Server, message: Value) -> bool {
    let before = times(server, "dropped", "late");
    let answer = send(server, "/v1/batch", json!({ "batch": [message] })).expect(200).json();
    let late = times(server, "dropped", "late") - before;
    let dropped = json!([{ "index": 0, "reason": "late" }]);
    match late {
        0 => assert_eq!(answer, json!({ "success": true })),
        _ => assert_eq!((answer["dropped"].clone(), late), (dropped, 1)),
    }
    late == 1
}

fn of(kind: &str) -> Value {
    json!({ "type": kind, "userId": "ann", "event": "x", "groupId": "g", "previousId": "dev" })
}

/// The same with these fields, too.
fn with(mut message: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        message[name] = value.clone();
    }
    message
}

const KINDS: [&str; 6] = ["track", "page", "screen", "identify", "group", "alias"];
/// Those that speak of what somebody did.
const ACTIVITY: [&str; 5] = ["track", "page", "screen", "group", "alias"];

#[test]
fn the_millisecond_of_the_erasure_is_late_and_the_next_is_not() {
    for kind in KINDS {
        let server = after(MINUTE);
        for at in [START - DAY, START - 1, START] {
            assert!(is_late(&server, with(of(kind), json!({ "timestamp": time(at) }))), "{kind} {at}");
        }
        assert_eq!((count(&server, "users"), count(&server, "aliases")), (0, 0), "{kind}");
        assert!(!is_late(&server, with(of(kind), json!({ "timestamp": time(START + 1) }))), "{kind}");
        assert!(find(&server, "ann").is_some(), "{kind}");
    }
}

#[test]
fn a_later_registration_is_no_bound() {
    let server = after(HOUR);
    assert!(!is_late(&server, of("identify")));
    assert!(!is_late(&server, with(of("track"), json!({ "timestamp": time(START + 1) }))));
    assert!(is_late(&server, with(of("track"), json!({ "timestamp": time(START) }))));
    assert_eq!(events(&server, "ann")[0].at, START + 1, "after the erasure, before the registration");
    // However long ago it was.
    server.clock.advance(400 * DAY);
    assert!(is_late(&server, with(of("track"), json!({ "timestamp": time(START) }))));
    assert!(!is_late(&server, of("track")));
}

#[test]
fn what_has_no_time_is_late_for_30_days() {
    for kind in ACTIVITY {
        let server = after(late::UNDATED_LATE_PERIOD - 1);
        assert!(is_late(&server, of(kind)), "{kind}");
        assert_eq!(count(&server, "users"), 0, "{kind}");
        server.clock.advance(1);
        assert!(!is_late(&server, of(kind)), "{kind}");
        assert!(find(&server, "ann").is_some(), "{kind}");
    }
}

#[test]
fn what_has_no_time_is_taken_once_somebody_registered() {
    for kind in ACTIVITY {
        let server = after(MINUTE);
        assert!(is_late(&server, of(kind)), "{kind}");
        assert!(!is_late(&server, of("identify")));
        assert!(!is_late(&server, of(kind)), "{kind}");
    }
}

#[test]
fn an_identify_without_a_time_registers() {
    for none in
        [json!({}), json!({ "timestamp": "" }), json!({ "timestamp": null, "originalTimestamp": " " })]
    {
        let server = after(1);
        assert!(is_late(&server, with(of("track"), none.clone())), "{none}");
        assert!(!is_late(&server, with(of("identify"), none.clone())), "{none}");
        assert!(find(&server, "ann").is_some(), "{none}");
    }
}

#[test]
fn what_has_a_time_that_cannot_be_read_is_late_for_30_days() {
    let unreadable = |kind: &str, field: &str| with(of(kind), json!({ field: "yesterday" }));
    let taken = |server: &Server, message: Value| {
        let answer = send(server, "/v1/batch", json!({ "batch": [message] })).expect(200).json();
        assert_eq!(answer["repairs"][0]["message"], "time unreadable");
        answer["dropped"].is_null()
    };
    for kind in KINDS {
        for field in ["timestamp", "originalTimestamp"] {
            let server = after(late::UNDATED_LATE_PERIOD - 1);
            assert!(!taken(&server, unreadable(kind, field)), "{kind} {field}");
            assert_eq!(count(&server, "users"), 0);
            server.clock.advance(1);
            assert!(taken(&server, unreadable(kind, field)), "{kind} {field}");
        }
        let server = after(MINUTE);
        assert!(!is_late(&server, of("identify")));
        assert!(taken(&server, unreadable(kind, "timestamp")), "{kind}: somebody registered");
    }
}

#[test]
fn an_original_timestamp_alone_counts() {
    for kind in KINDS {
        let server = after(MINUTE);
        let at = |at| with(of(kind), json!({ "originalTimestamp": time(at) }));
        assert!(is_late(&server, at(START)), "{kind}");
        assert_eq!(count(&server, "users"), 0, "{kind}");
        assert!(!is_late(&server, at(START + 1)), "{kind}");
    }
}

#[test]
fn the_earliest_of_all_its_times_counts() {
    let fields = ["originalTimestamp", "timestamp", "sentAt"];
    for early in fields {
        let server = after(MINUTE);
        let dated = |at| {
            let mut message = of("identify");
            for field in fields {
                message[field] = json!(time(if field == early { at } else { START + MINUTE }));
            }
            message
        };
        assert!(is_late(&server, dated(START)), "{early}");
        assert!(!is_late(&server, dated(START + 1)), "{early}");
    }
}

#[test]
fn the_time_of_sending_of_a_batch_counts_for_its_messages() {
    for field in ["sentAt", "timestamp"] {
        let server = after(MINUTE);
        let sent = |at: Millis| {
            let message = with(of("identify"), json!({ "timestamp": time(START + MINUTE) }));
            let body = json!({ "batch": [message], field: time(at) });
            send(&server, "/v1/batch", body).expect(200).json()["dropped"].is_null()
        };
        assert!(!sent(START), "{field}");
        assert!(sent(START + 1), "{field}");
    }
}

#[test]
fn what_was_sent_before_the_erasure_is_late_without_a_time() {
    for kind in KINDS {
        let server = after(MINUTE);
        assert!(is_late(&server, with(of(kind), json!({ "sentAt": time(START) }))), "{kind}");
        assert_eq!(count(&server, "users"), 0, "{kind}");
        // That it was sent later does not say when it was done.
        let later = with(of(kind), json!({ "sentAt": time(START + 1) }));
        assert_eq!(is_late(&server, later), kind != "identify", "{kind}");
    }
}

#[test]
fn a_clock_that_is_ahead_carries_nothing_behind_the_erasure() {
    let server = after(10 * MINUTE);
    // An hour ahead: what it did at a time has one that is an hour later.
    let done = |at: Millis| {
        with(
            of("identify"),
            json!({ "timestamp": time(at + HOUR), "sentAt": time(START + 10 * MINUTE + HOUR) }),
        )
    };
    assert!(is_late(&server, done(START)));
    assert!(!is_late(&server, done(START + 1)));
}

#[test]
fn a_clock_that_is_behind_is_late_and_counted() {
    let server = after(MINUTE);
    let before = time(server.clock.now() - HOUR);
    let body = json!({
        "batch": [{ "type": "identify", "userId": "ann", "timestamp": before,
                    "traits": { "email": "ann@example.com" } }],
        "sentAt": before,
    });
    let answer = send(&server, "/v1/batch", body).expect(200).json();
    assert_eq!(answer, json!({ "success": true, "dropped": [{ "index": 0, "reason": "late" }] }));
    assert!(find(&server, "ann").is_none());
    assert_eq!((times(&server, "dropped", "late"), count(&server, "projects WHERE late_events = 1")), (1, 1));
}

#[test]
fn a_name_that_was_erased_is_late_in_either_place() {
    let server = after(MINUTE);
    let visit = |at: Millis| json!({ "type": "page", "anonymousId": "ann", "timestamp": time(at) });
    assert!(is_late(&server, visit(START)));
    assert!(is_late(&server, json!({ "type": "page", "anonymousId": "ann" })));
    assert_eq!(count(&server, "aliases"), 0);
    assert!(!is_late(&server, visit(START + 1)));

    let server = Server::start();
    send(&server, "/v1/page", json!({ "anonymousId": "dev-1" })).expect(200);
    erase(&server, "dev-1");
    assert_eq!(count(&server, "users"), 0);
    server.clock.advance(MINUTE);
    let named = |at: Millis| json!({ "type": "identify", "userId": "dev-1", "timestamp": time(at) });
    assert!(is_late(&server, named(START)));
    assert!(!is_late(&server, named(START + 1)));
}

#[test]
fn a_message_is_judged_by_its_user_id_first() {
    let server = Server::start();
    send(&server, "/v1/page", json!({ "anonymousId": "dev-1" })).expect(200);
    erase(&server, "dev-1");
    server.clock.advance(MINUTE);
    let before = json!({ "anonymousId": "dev-1", "type": "page", "timestamp": time(START - HOUR) });
    assert!(is_late(&server, before.clone()));
    assert!(!is_late(&server, with(before, json!({ "userId": "bob" }))), "bob was never erased");
    assert_eq!(events(&server, "bob").len(), 1);
}

#[test]
fn of_two_erasures_the_later_one_counts() {
    let server = after(HOUR);
    assert!(!is_late(&server, of("identify")));
    server.clock.advance(HOUR);
    erase(&server, "ann");
    server.clock.advance(HOUR);
    let at = |at| with(of("track"), json!({ "timestamp": time(at) }));
    assert!(is_late(&server, at(START + HOUR + 1)), "after the first, before the second");
    assert!(is_late(&server, at(START + 2 * HOUR)));
    assert_eq!(count(&server, "users"), 0);
    assert!(!is_late(&server, at(START + 2 * HOUR + 1)));
}

fn keep(server: &Server, days: Option<u32>, why: Option<&str>) {
    let project = server.project().id;
    let intake =
        Intake { erased_kept_days: days, erased_kept_why: why.map(str::to_owned), ..Intake::default() };
    server.write(move |tx: &NormalTx| projects::set_intake(tx, project, &intake));
}

#[test]
fn digests_of_the_erased_are_kept_for_as_long_as_is_set() {
    for (days, set) in [(30, Some(30)), (3_650, None)] {
        let server = after(0);
        if set.is_some() {
            keep(&server, set, None);
        }
        let old = with(of("track"), json!({ "timestamp": time(START) }));
        server.clock.advance(days * DAY - 1);
        server.tick();
        assert!(is_late(&server, old.clone()), "{days}");
        assert!(count(&server, "erased_identifiers") > 0, "{days}");
        server.clock.advance(1);
        server.tick();
        assert_eq!(count(&server, "erased_identifiers"), 0, "{days}");
        assert!(!is_late(&server, old), "{days}");
    }
}

#[test]
fn digests_that_are_kept_for_good_outlast_ten_years() {
    let server = after(0);
    keep(&server, None, Some("a court's order"));
    server.clock.advance(5_000 * DAY);
    server.tick();
    assert!(is_late(&server, with(of("track"), json!({ "timestamp": time(START) }))));
}

#[test]
fn digests_are_kept_for_30_days_at_least_or_with_a_reason() {
    let server = Server::start();
    let project = server.project().id;
    for (days, why, good) in [(Some(29), None, false), (Some(30), None, true), (None, Some(" "), false)] {
        let intake =
            Intake { erased_kept_days: days, erased_kept_why: why.map(str::to_owned), ..Intake::default() };
        let set = server.app.write_blocking(move |tx: &NormalTx| projects::set_intake(tx, project, &intake));
        assert_eq!(set.is_ok(), good, "{days:?} {why:?}");
    }
}

#[test]
fn what_was_dropped_is_told_to_keys_that_may_read_alone() {
    let server = after(MINUTE);
    let project = Some(server.project().id);
    let readers = [server.project().all.clone(), server.key(project, "ingest,read")];
    let others = [
        server.project().token.clone(),
        server.key(project, "ingest"),
        server.key(project, "ingest,write,delete"),
    ];
    let body =
        json!({ "batch": [of("screen"), { "type": "track", "userId": "bob", "event": "x" }, of("page")] });
    let post = |path: &str, key: &str, body: &Value| {
        server.post(path).bearer(key).json(body.clone()).send().expect(200)
    };
    for key in &readers {
        let told = json!([{ "index": 0, "reason": "late" }, { "index": 2, "reason": "late" }]);
        assert_eq!(post("/v1/batch", key, &body).json(), json!({ "success": true, "dropped": told }));
        let alone = json!([{ "index": 0, "reason": "late" }]);
        assert_eq!(post("/v1/track", key, &of("track")).json()["dropped"], alone);
        let own =
            post("/api/activity", key, &json!({ "activity": [{ "type": "page", "userId": "ann" }] })).json();
        assert_eq!(own["data"]["late"], 1);
    }
    for key in &others {
        assert_eq!(post("/v1/batch", key, &body).text, r#"{"success":true}"#);
        assert_eq!(post("/v1/track", key, &of("track")).text, r#"{"success":true}"#);
        let own =
            post("/api/activity", key, &json!({ "activity": [{ "type": "page", "userId": "ann" }] })).json();
        assert_eq!(own["data"], json!({ "accepted": 1 }));
    }
    assert_eq!(times(&server, "dropped", "late"), 5 * 4);
    assert!(find(&server, "ann").is_none());
}

#[test]
fn events_of_other_families_without_a_time_are_late_for_30_days() {
    let server = after(late::UNDATED_LATE_PERIOD - 1);
    let all = &server.project().all;
    let each = || {
        let event = json!({ "name": "x", "userIdentifier": "ann", "userData": { "set": { "plan": "x" } } });
        server.post("/e").header("Token", &server.project().token).json(event).send().expect(200);
        let event = json!({ "identifyId": "ann", "eventName": "x" });
        let px = server.post("/v1/events/custom").header("X-APTRINSIC-API-KEY", all);
        px.json(event).send().expect(201);
        let own = json!({ "activity": [{ "type": "event", "userId": "ann", "name": "x" }] });
        server.post("/api/activity").bearer(all).json(own).send().expect(200);
    };
    each();
    assert_eq!((times(&server, "dropped", "late"), count(&server, "users")), (3, 0));
    server.clock.advance(1);
    each();
    assert_eq!((times(&server, "dropped", "late"), names(&server, "ann").len()), (3, 3));
}

#[test]
fn creates_and_updates_of_other_families_register() {
    type Register = fn(&Server);
    let each: [Register; 3] = [
        |server| {
            let body = json!({ "identifier": "ann" });
            server.post("/i").header("Token", &server.project().token).json(body).send().expect(200);
        },
        |server| {
            let body = json!({ "userIdentifier": "ann" });
            server.post("/u").header("Token", &server.project().token).json(body).send().expect(200);
        },
        |server| {
            let px = server.post("/v1/users").header("X-APTRINSIC-API-KEY", &server.project().all);
            px.json(json!({ "identifyId": "ann", "propertyKeys": ["p"] })).send().expect(201);
        },
    ];
    for register in each {
        let server = after(1);
        register(&server);
        assert_eq!(user(&server, "ann").event_count, 0);
        assert_eq!(times(&server, "dropped", "late"), 0);
    }
}
