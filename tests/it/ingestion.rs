//! When a message counts, and how often: once by its id, and in which session. What comes after
//! an erasure that it belongs before is in `late_messages.rs`.

use serde_json::{Value, json};
use usher::clock::{DAY, HOUR, MINUTE, Millis, SECOND, rfc3339};
use usher::erasure::trash;
use usher::model::{SESSION_GAP, Session};
use usher::people::{activity, find, holder};
use usher::store::NormalTx;

use crate::harness::{START, Server};
use crate::segment::{batch, check_counters, count, events, find, names, send, user};

pub fn track(what: &str, id: &str) -> Value {
    json!({ "type": "track", "userId": "ann", "event": what, "messageId": id })
}

/// With a time, to the millisecond.
pub fn at(mut message: Value, at: Millis) -> Value {
    message["timestamp"] = json!(time(at));
    message
}

pub fn time(at: Millis) -> String {
    format!("{}.{:03}Z", rfc3339(at).trim_end_matches('Z'), at.rem_euclid(SECOND))
}

fn sessions(server: &Server, name: &str) -> Vec<Session> {
    let user = user(server, name);
    server.read(|db| activity::sessions(db, &user, (Millis::MIN, Millis::MAX), 1_000))
}

#[test]
fn a_message_counts_once_in_one_batch_and_in_many() {
    let server = Server::start();
    for message in [track("Timeless", "m-1"), at(track("Timed", "m-2"), START - HOUR)] {
        batch(&server, json!([message, message]));
        server.clock.advance(MINUTE);
        batch(&server, json!([message]));
        send(&server, "/v1/track", message.clone()).expect(200);
        server.clock.advance(DAY);
        send(&server, "/v1/track", message).expect(200);
    }
    assert_eq!(names(&server, "ann"), ["Timed", "Timeless"]);
    assert_eq!(events(&server, "ann")[1].at, START, "the first time counts");
    assert_eq!(user(&server, "ann").event_count, 2);
    // Without an id nobody can tell, and another user's is another message.
    let nameless = json!({ "type": "track", "userId": "ann", "event": "Nameless" });
    batch(&server, json!([nameless, nameless]));
    batch(&server, json!([{ "type": "track", "userId": "bob", "event": "x", "messageId": "m-1" }]));
    assert_eq!((events(&server, "ann").len(), events(&server, "bob").len()), (4, 1));
    check_counters(&server);
}

#[test]
fn a_message_counts_once_across_a_restart() {
    let server = Server::start();
    batch(&server, json!([track("Once", "m-1"), { "type": "page", "anonymousId": "v", "messageId": "m-2" }]));
    let server = Server::over(server.stop(), |_| {});
    batch(&server, json!([track("Once", "m-1"), { "type": "page", "anonymousId": "v", "messageId": "m-2" }]));
    assert_eq!((count(&server, "events"), count(&server, "users")), (2, 2));
    assert_eq!(count(&server, "sessions"), 2);
    check_counters(&server);
}

#[test]
fn a_message_counts_once_across_trash_and_restore() {
    let server = Server::start();
    let project = server.project().id;
    batch(&server, json!([track("Once", "m-1")]));
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
    batch(&server, json!([track("Once", "m-1"), track("Hidden", "m-2")]));
    assert_eq!(find(&server, "ann").map(|user| user.id), None);
    send(&server, "/v1/identify", json!({ "userId": "ann" })).expect(200);
    batch(&server, json!([track("Once", "m-1"), track("Hidden", "m-2")]));
    assert_eq!(names(&server, "ann"), ["Once", "Hidden"]);
}

#[test]
fn the_same_message_from_many_at_once_counts_once() {
    let server = Server::start();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for n in 0..20 {
                    let id = format!("m-{n}");
                    batch(&server, json!([track("Seen", &id), { "type": "identify", "userId": "ann", "anonymousId": "v" }]));
                    send(&server, "/v1/page", json!({ "anonymousId": "v", "messageId": id })).expect(200);
                }
            });
        }
    });
    assert_eq!(events(&server, "ann").len(), 20, "{:?}", names(&server, "ann"));
    server.tick();
    check_counters(&server);
}

#[test]
fn a_time_in_the_future_is_now() {
    let server = Server::start();
    for (n, text) in [time(START + 1), time(START + DAY), "9999-12-30T00:00:00Z".into()].iter().enumerate() {
        let message =
            json!({ "type": "track", "userId": "ann", "event": "x", "messageId": n, "timestamp": text });
        batch(&server, json!([message]));
    }
    assert_eq!(events(&server, "ann").iter().map(|event| event.at).collect::<Vec<_>>(), [START; 3]);
    send(&server, "/v1/identify", json!({ "userId": "ann", "timestamp": time(START + DAY) })).expect(200);
    assert_eq!(user(&server, "ann").last_seen, Some(START));
    assert_eq!(sessions(&server, "ann").len(), 1);
}

#[test]
fn a_time_may_be_as_old_as_it_likes_and_in_any_form() {
    let server = Server::start();
    let cases = [
        // A day is its first millisecond, and without a zone it is UTC.
        ("2026-03-04", START - 10 * HOUR),
        ("2026-03-04T09:30:00", START - 30 * MINUTE),
        ("2026-03-04T09:30:00.250:Z", START - 30 * MINUTE + 250),
        ("2026-03-04 09:30:00.25 +0000 UTC m=+0.5", START - 30 * MINUTE + 250),
        ("Wed, 04 Mar 2026 09:30:00 +0000", START - 30 * MINUTE),
        ("Wed Mar 04 2026 10:30:00 GMT+0100 (Central European Standard Time)", START - 30 * MINUTE),
        // Seconds, and milliseconds.
        ("1772616600", START - 30 * MINUTE),
        ("1772616600250", START - 30 * MINUTE + 250),
        ("2026-03-04T10:30:00+01:00", START - 30 * MINUTE),
        ("2026-03-04 09:30:00.123456789Z", START - 30 * MINUTE + 123),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1900-01-01T00:00:00Z", -2_208_988_800_000),
        ("2026-03-04T09:59:60Z", START - SECOND),
    ];
    for (n, (text, _)) in cases.iter().enumerate() {
        batch(&server, json!([{ "type": "track", "userId": n, "event": "x", "timestamp": text }]));
    }
    for (n, (text, at)) in cases.iter().enumerate() {
        assert_eq!(events(&server, &n.to_string())[0].at, *at, "{text}");
    }
    for (n, at) in [(json!(1_772_616_600), -30 * MINUTE), (json!(1_772_616_600_250_i64), -30 * MINUTE + 250)]
    {
        let name = n.to_string();
        batch(&server, json!([{ "type": "track", "userId": name, "event": "x", "timestamp": n }]));
        assert_eq!(events(&server, &name)[0].at, START + at, "{n}");
    }
}

#[test]
fn a_clock_that_is_ahead_is_set_right_by_the_time_of_sending() {
    let server = Server::start();
    let message = at(track("Ahead", "m-1"), START + HOUR - 10 * MINUTE);
    let body = json!({ "batch": [message], "sentAt": time(START + HOUR) });
    send(&server, "/v1/batch", body).expect(200);
    assert_eq!(events(&server, "ann")[0].at, START - 10 * MINUTE);
    let single = json!({ "userId": "bob", "event": "x", "timestamp": time(START + DAY - 5), "sentAt": time(START + DAY) });
    send(&server, "/v1/track", single).expect(200);
    assert_eq!(events(&server, "bob")[0].at, START - 5);
    // One that is behind may as well be a message that was long on its way.
    let body = json!({ "batch": [at(track("Behind", "m-2"), START - HOUR)], "sentAt": time(START - HOUR) });
    send(&server, "/v1/batch", body).expect(200);
    assert_eq!(events(&server, "ann")[0].at, START - HOUR);
    // What is no time says nothing.
    for (n, sent_at) in
        [json!(5), json!("soon"), Value::Null, json!("9999-12-31T23:59:59Z")].into_iter().enumerate()
    {
        let body = json!({ "batch": [track("Sent", &format!("sent {n}"))], "sentAt": sent_at });
        send(&server, "/v1/batch", body).expect(200);
    }
    assert_eq!(events(&server, "ann").len(), 6);
}

#[test]
fn an_event_joins_a_session_within_30_minutes_and_no_later() {
    for (gap, expected) in [(SESSION_GAP, 1), (SESSION_GAP + 1, 2)] {
        // Forwards.
        let server = Server::start();
        batch(&server, json!([at(track("a", "1"), START - DAY), at(track("b", "2"), START - DAY + gap)]));
        assert_eq!(sessions(&server, "ann").len(), expected, "{gap} after");
        // Backwards.
        batch(
            &server,
            json!([at(track("c", "3"), START - 9 * DAY), at(track("d", "4"), START - 9 * DAY - gap)]),
        );
        assert_eq!(sessions(&server, "ann").len(), 2 * expected, "{gap} before");
        check_counters(&server);
    }
}

#[test]
fn thirty_minutes_count_from_both_ends_of_a_session() {
    let server = Server::start();
    let begin = START - DAY;
    for (n, minute) in [0, 30, 60, 15, 90, -30].into_iter().enumerate() {
        batch(&server, json!([at(track("x", &n.to_string()), begin + minute * MINUTE)]));
    }
    let all = sessions(&server, "ann");
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].started_at, all[0].ended_at), (begin - 30 * MINUTE, begin + 90 * MINUTE));
    assert_eq!(all[0].event_count, 6);
    check_counters(&server);
}

#[test]
fn an_event_that_comes_late_joins_the_session_it_belongs_to() {
    let server = Server::start();
    let begin = START - DAY;
    batch(
        &server,
        json!([
            at(track("a", "1"), begin),
            at(track("a", "2"), begin + 10 * MINUTE),
            at(track("b", "3"), begin + 3 * HOUR),
            at(track("late", "4"), begin + 5 * MINUTE),
            at(track("late", "5"), begin + 40 * MINUTE),
            at(track("alone", "6"), begin + 90 * MINUTE),
        ]),
    );
    let spans: Vec<(Millis, Millis, i64)> = sessions(&server, "ann")
        .iter()
        .map(|one| ((one.started_at - begin) / MINUTE, (one.ended_at - begin) / MINUTE, one.event_count))
        .collect();
    assert_eq!(spans, [(0, 40, 4), (90, 90, 1), (180, 180, 1)]);
}

#[test]
fn an_event_joins_the_long_session_that_spans_it() {
    let server = Server::start();
    let begin = START - DAY;
    let within = |name: &str, id: &str, minutes: i64| {
        let mut message = at(track("x", id), begin + minutes * MINUTE);
        message["context"] = json!({ "sessionId": name });
        message
    };
    batch(
        &server,
        json!([
            within("long", "1", 0),
            within("long", "2", 240),
            within("short", "3", 100),
            within("short", "4", 110),
            at(track("x", "5"), begin + 200 * MINUTE),
        ]),
    );
    let all = sessions(&server, "ann");
    let counts: Vec<(Option<&str>, i64)> =
        all.iter().map(|one| (one.external_id.as_deref(), one.event_count)).collect();
    assert_eq!(counts, [(Some("long"), 3), (Some("short"), 2)]);
}

#[test]
fn a_named_session_is_joined_after_any_pause() {
    let server = Server::start();
    let message = |id: &str, at: Millis, context: Value, properties: Value| {
        json!({
            "type": "page", "userId": "ann", "messageId": id, "timestamp": time(at), "context": context,
            "properties": properties,
        })
    };
    batch(
        &server,
        json!([
            message("1", START - 9 * HOUR, json!({ "sessionId": "s" }), json!({})),
            message("2", START - HOUR, json!({ "sessionId": "s" }), json!({ "session_id": "not this" })),
            message("3", START - 10 * HOUR, json!({}), json!({ "session_id": "s" })),
            // Another name, close by.
            message("4", START - HOUR, json!({ "sessionId": 17 }), json!({})),
            message("5", START - HOUR, json!({}), json!({ "session_id": "17" })),
            // No name: the latest that is near.
            message("6", START - HOUR, json!({ "sessionId": "" }), json!({ "session_id": null })),
        ]),
    );
    let all = sessions(&server, "ann");
    let shown: Vec<(Option<&str>, Millis, i64)> =
        all.iter().map(|one| (one.external_id.as_deref(), one.started_at, one.event_count)).collect();
    assert_eq!(shown, [(Some("s"), START - 10 * HOUR, 3), (Some("17"), START - HOUR, 3)]);
    // A name is the user's own.
    batch(&server, json!([{ "type": "page", "userId": "bob", "context": { "sessionId": "s" } }]));
    assert_eq!((sessions(&server, "ann").len(), sessions(&server, "bob").len()), (2, 1));
    check_counters(&server);
}

#[test]
fn identify_revives_and_nothing_else_does() {
    let server = Server::start();
    let project = server.project().id;
    batch(
        &server,
        json!([track("Before", "m-1"), { "type": "identify", "userId": "ann", "anonymousId": "v" }]),
    );
    let first = user(&server, "ann").id;
    let hide = || {
        server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
        server.clock.advance(MINUTE);
    };
    hide();
    batch(
        &server,
        json!([
            track("Hidden", "m-2"),
            { "type": "page", "anonymousId": "v", "messageId": "m-3" },
            { "type": "screen", "userId": "ann", "messageId": "m-4" },
            { "type": "group", "userId": "ann", "groupId": "g" },
            { "type": "alias", "userId": "ann", "previousId": "w" },
        ]),
    );
    assert_eq!(find(&server, "ann").map(|user| user.id), None);
    send(&server, "/v1/identify", json!({ "userId": "ann", "traits": { "plan": "x" } })).expect(200);
    let back = user(&server, "ann");
    assert_eq!((back.id, back.event_count), (first, 4));
    assert_eq!(
        (&back.profile.attributes["groupId"], &back.profile.attributes["plan"]),
        (&json!("g"), &json!("x"))
    );
    // By the anonymous id as well, for it is a name of the user's.
    hide();
    send(&server, "/v1/identify", json!({ "anonymousId": "v" })).expect(200);
    assert_eq!(user(&server, "ann").id, first);
    hide();
    send(&server, "/v1/identify", json!({ "anonymousId": "w", "userId": "ann" })).expect(200);
    assert_eq!(user(&server, "ann").id, first);
    assert_eq!(count(&server, "users"), 1);
    check_counters(&server);
}

#[test]
fn any_message_creates_its_unknown_user() {
    let server = Server::start();
    let project = server.project().id;
    for (kind, user_id) in
        [("track", "a"), ("page", "b"), ("screen", "c"), ("identify", "d"), ("group", "e"), ("alias", "f")]
    {
        let body =
            json!({ "userId": user_id, "event": "x", "groupId": "g", "previousId": format!("{user_id}0") });
        send(&server, &format!("/v1/{kind}"), body).expect(200);
        let user = user(&server, user_id);
        assert_eq!(
            (user.created_at, user.first_seen, user.last_seen),
            (START, Some(START), Some(START)),
            "{kind}"
        );
    }
    let visitor = server.write(move |tx: &NormalTx| holder::alias_holder(tx, project, "f0"));
    assert_eq!(visitor.and_then(|user| user.identifier).as_deref(), Some("f"));
}
