//! What is wrong in a message of Segment's and can still be understood: it is taken, and what was
//! changed or left out of it is named and counted. What is refused is in `segment_messages.rs`.

use serde_json::{Value, json};

use crate::harness::{START, Server};
use crate::segment::{
    batch, count, events, find, names, post, refused, repaired, repairs, send, track, user,
};
use crate::tolerance::times;

#[test]
fn what_clients_write_that_is_no_json_costs_no_message() {
    let server = Server::start();
    let whole = |value: &[u8]| {
        let before =
            b"{\"batch\":[{\"type\":\"track\",\"userId\":\"ann\",\"event\":\"x\",\"properties\":{\"p\":";
        [before, value, b"}}]}"].concat()
    };
    // What it is kept as, and what is counted.
    let cases: [(&[u8], Value, &str); 6] = [
        (b"NaN", Value::Null, "not a number"),
        (b"[Infinity,-Infinity,\"NaN\"]", json!([null, null, "NaN"]), "not a number"),
        (b"\"a\xffb\"", json!("a\u{fffd}b"), "characters lost"),
        (b"\"a\tb\"", json!("a\tb"), "control characters"),
        (b"\"\\ud83d\"", json!("\u{fffd}"), "characters lost"),
        (b"\"\\udc00\\ud800\\ud83d\\ude00\"", json!("\u{fffd}\u{fffd}\u{1f600}"), "characters lost"),
    ];
    for (n, (value, kept, reason)) in cases.into_iter().enumerate() {
        let request = server.post("/v1/batch").bearer(&server.project().all);
        let body = request.body(whole(value), "application/json").send().expect(200).json();
        assert_eq!((&body["success"], body.get("errors")), (&json!(true), None), "{kept}");
        let all = events(&server, "ann");
        assert_eq!((all.len(), &all[n].data["p"]), (n + 1, &kept));
        let last = "recent_repairs WHERE id = (SELECT MAX(id) FROM recent_repairs)";
        assert_eq!(count(&server, &format!("{last} AND reason = '{reason}'")), 1, "{kept}");
    }
    assert_eq!(count(&server, "recent_repairs"), 6);
    // A byte order mark before all is no part of it.
    let body = format!("\u{feff}{}", json!({ "batch": [track("ann", "marked")] }));
    assert_eq!(post(&server, "/v1/batch", body).expect(200).json(), json!({ "success": true }));
    let body = format!("\u{feff}{}", json!({ "userId": "ann", "event": "alone" }));
    assert_eq!(post(&server, "/v1/track", body).expect(200).json(), json!({ "success": true }));
    // The key is found in such a body, too.
    for (mark, value, reason) in [("\u{feff}", "1", "none"), ("", "NaN", "not a number")] {
        let key = &server.project().token;
        let good = track("ann", "keyed");
        let body = format!(r#"{mark}{{"batch":[{good}],"context":{value},"writeKey":"{key}"}}"#);
        server.post("/v1/batch").body(body, "application/json").send().expect(200);
        let body = format!(r#"{mark}{{"batch":[{good}],"context":{value},"writeKey":"wrong"}}"#);
        server.post("/v1/batch").body(body, "application/json").send().expect(401);
        let counted = count(&server, &format!("recent_repairs WHERE key_id = 0 AND reason = '{reason}'"));
        assert_eq!(counted, i64::from(reason != "none"));
    }
    assert_eq!(names(&server, "ann")[6..], ["marked", "alone", "keyed", "keyed"]);
    // Nobody is named by what was lost on the way.
    let lost = b"{\"batch\":[{\"type\":\"track\",\"userId\":\"b\xff\",\"event\":\"x\"}]}".to_vec();
    let request = server.post("/v1/batch").bearer(&server.project().all);
    let faults = refused(&request.body(lost, "application/json").send().expect(200).json());
    let why = "has characters that were lost on the way";
    assert_eq!(faults, [(0, "userId".to_owned(), why.to_owned())]);
    assert_eq!(count(&server, "users"), 1);
}

#[test]
fn a_part_that_cannot_be_used_costs_no_more_than_itself() {
    let server = Server::start();
    let (long, longer) = ("x".repeat(257), "x".repeat(1_025));
    let cut = "cut to 1024 characters";
    let cases: &[(Value, &str, &str)] = &[
        (json!({ "type": "track", "event": 1 }), "event", "made a string"),
        (json!({ "type": "track", "event": true }), "event", "made a string"),
        (json!({ "type": "track", "event": longer }), "event", cut),
        (json!({ "type": "track", "event": "a \n b" }), "event", "control characters"),
        (json!({ "type": "page", "name": longer }), "name", cut),
        (json!({ "type": "page", "name": {} }), "name", "not a string"),
        (json!({ "type": "page", "category": 1 }), "category", "not a string"),
        (json!({ "type": "page", "properties": [1] }), "properties", "not an object"),
        (json!({ "type": "page", "context": "x" }), "context", "not an object"),
        (json!({ "type": "page", "context": { "sessionId": long } }), "context.sessionId", "unusable id"),
        (
            json!({ "type": "page", "properties": { "session_id": "a\tb" } }),
            "properties.session_id",
            "unusable id",
        ),
        (json!({ "type": "page", "timestamp": "yesterday" }), "timestamp", "time unreadable"),
        (json!({ "type": "page", "originalTimestamp": [] }), "originalTimestamp", "time unreadable"),
        (json!({ "type": "page", "sentAt": "soon" }), "sentAt", "time unreadable"),
        (json!({ "type": "page", "messageId": {} }), "messageId", "unusable id"),
        (json!({ "type": "page", "messageId": longer }), "messageId", "unusable id"),
        (json!({ "type": "page", "anonymousId": long }), "anonymousId", "unusable id"),
        (json!({ "type": "identify", "traits": "x" }), "traits", "not an object"),
        (json!({ "type": "identify", "context": { "traits": 1 } }), "context.traits", "not an object"),
        (
            json!({ "type": "identify", "traits": { "email": longer } }),
            "traits.email",
            "over 1024 characters",
        ),
        (json!({ "type": "identify", "traits": { "name": "a\u{7}" } }), "traits.name", "control characters"),
    ];
    let mut messages = Vec::new();
    let mut expected = Vec::new();
    for (n, (message, field, why)) in cases.iter().enumerate() {
        messages.push(message.clone());
        messages[n]["userId"] = json!(n);
        expected.push((n as u64, (*field).to_owned(), (*why).to_owned()));
    }
    assert_eq!(repairs(&server, json!(messages)), expected);
    assert_eq!(count(&server, "users"), cases.len() as i64);
    for (n, (message, ..)) in cases.iter().enumerate() {
        let is_event = message["type"] != "identify";
        assert_eq!(events(&server, &n.to_string()).len(), usize::from(is_event), "{message}");
    }
    assert_eq!(count(&server, "recent_repairs WHERE outcome = 'repaired'"), cases.len() as i64);

    // What is left of each.
    let name = |n: usize| events(&server, &n.to_string())[0].name.clone();
    let all = [name(0), name(1), name(2), name(3), name(4), name(5)];
    assert_eq!(all, ["1", "true", &longer[1..], "a b", &longer[1..], ""]);
    let named = user(&server, "20").profile;
    assert_eq!((user(&server, "19").profile.email, named.display_name.as_deref()), (None, Some("a")));

    // Alone, each is taken and told the same.
    for (message, (_, field, why)) in messages.iter().zip(&expected) {
        let path = format!("/v1/{}", message["type"].as_str().expect("a type"));
        let body = send(&server, &path, message.clone()).expect(200).json();
        assert_eq!(repaired(&body), [(0, field.clone(), why.clone())], "{message}");
    }

    // What is at its limit, or is written so that it can be understood, is as it should be.
    let most = "x".repeat(1_024);
    batch(
        &server,
        json!([
            { "type": "track", "userId": "fine", "event": most, "messageId": most },
            { "type": "page", "userId": "fine", "name": most, "properties": [], "context": [] },
            { "type": "page", "userId": "fine", "timestamp": "2026-03-04T10:00:00", "sentAt": null },
            { "type": "page", "userId": "fine", "context": { "sessionId": "x".repeat(256) } },
            { "type": "identify", "userId": "fine", "traits": { "email": most } },
        ]),
    );
    assert_eq!(user(&server, "fine").profile.email, Some(most));
}

#[test]
fn a_time_that_cannot_be_read_is_now_and_named() {
    let server = Server::start();
    let unreadable = ["2026-02-30T00:00:00Z", "10:00", "yesterday", "-1", "1e400"].map(Value::from);
    let unreadable = unreadable.into_iter().chain([json!(-1), json!({}), json!(true), json!([])]);
    for (n, time) in unreadable.enumerate() {
        let body = json!({ "userId": "ann", "event": "x", "timestamp": time });
        let reply = send(&server, "/v1/track", body).expect(200).json();
        let repair = (0, "timestamp".to_owned(), "time unreadable".to_owned());
        assert_eq!(repaired(&reply), [repair], "{time}");
        let all = events(&server, "ann");
        assert_eq!((all.len(), all[n].at), (n + 1, START), "{time}");
    }
    // None is none, and nothing to name.
    for time in [json!(""), json!(" "), Value::Null] {
        let body = json!({ "userId": "bob", "event": "x", "timestamp": time });
        assert_eq!(send(&server, "/v1/track", body).expect(200).json(), json!({ "success": true }));
    }
    assert_eq!(events(&server, "bob").iter().map(|event| event.at).collect::<Vec<_>>(), [START; 3]);
}

#[test]
fn a_number_as_an_id_is_its_whole_decimal_digits() {
    let server = Server::start();
    let track = |id: &str| post(&server, "/v1/track", format!(r#"{{"userId":{id},"event":"x"}}"#));
    let most = "9".repeat(256);
    let power = format!("1{}", "0".repeat(255));
    for (number, id) in [
        ("1", "1"),
        ("1.0", "1"),
        ("1e0", "1"),
        ("10E-1", "1"),
        ("0.1e+1", "1"),
        ("-0", "0"),
        ("0e9", "0"),
        ("-12.50e1", "-125"),
        // Two, though they are one as floating point numbers.
        ("9007199254740993", "9007199254740993"),
        ("9007199254740992", "9007199254740992"),
        (most.as_str(), most.as_str()),
        ("1e255", power.as_str()),
    ] {
        let before = find(&server, id).map_or(0, |user| user.event_count);
        track(number).expect(200);
        assert_eq!(user(&server, id).event_count, before + 1, "{number}");
    }
    let users = count(&server, "users");
    let more = format!("{most}9");
    for number in ["0.5", "-12.5", "1e-1", "1e256", "1e1000000000", "1e99999999999999999999", &more] {
        let errors = &track(number).expect(400).json()["errors"];
        let why = "must be a whole number of at most 256 digits, or a string";
        assert_eq!(errors, &json!([{ "index": 0, "field": "userId", "message": why }]), "{number}");
    }
    assert_eq!(count(&server, "users"), users);
}

#[test]
fn traits_that_outgrow_a_profile_are_left_out() {
    let server = Server::start();
    let half = "x".repeat(30 * 1024);
    let say = |name: &str| json!({ "type": "identify", "userId": "ann", "traits": { name: half } });
    batch(&server, json!([say("a"), say("b")]));
    let mut more = say("c");
    more["traits"]["firstName"] = json!("Ann");
    more["anonymousId"] = json!("v");
    let told = [(0, "traits".to_owned(), "attributes over the limit".to_owned())];
    assert_eq!(repairs(&server, json!([more, track("ann", "good")])), told);
    // Who it is was said all the same.
    let profile = user(&server, "ann").profile;
    assert_eq!(profile.attributes.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(profile.first_name.as_deref(), Some("Ann"));
    assert_eq!(count(&server, "aliases WHERE anonymous_id = 'v'"), 1);
    assert_eq!(names(&server, "ann"), ["good"]);
    // What takes the place of others fits.
    batch(&server, json!([{ "type": "identify", "userId": "ann", "traits": { "a": null, "c": half } }]));
    assert_eq!(user(&server, "ann").profile.attributes.keys().collect::<Vec<_>>(), ["b", "c"]);
    // Alone it is told the same.
    let alone = json!({ "userId": "ann", "traits": { "d": half } });
    assert_eq!(repaired(&send(&server, "/v1/identify", alone).expect(200).json()), told);
}

#[test]
fn traits_that_are_nested_too_deeply_are_left_out() {
    let server = Server::start();
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let say = |depth: usize| -> serde_json::Value {
        let value: serde_json::Value = serde_json::from_str(&nested(depth)).expect("JSON");
        json!({ "type": "identify", "userId": "ann", "traits": { "deep": value, "firstName": "Ann" } })
    };
    batch(&server, json!([say(64)]));
    assert!(user(&server, "ann").profile.attributes.contains_key("deep"));
    batch(&server, json!([{ "type": "identify", "userId": "ann", "traits": { "deep": null } }]));
    let told = [(0, "traits".to_owned(), "nested deeper than 64 levels".to_owned())];
    assert_eq!(repairs(&server, json!([say(65)])), told);
    let profile = user(&server, "ann").profile;
    assert!(profile.attributes.is_empty() && profile.first_name.as_deref() == Some("Ann"));
}

#[test]
fn the_newest_hundred_are_kept_without_the_worker() {
    let server = Server::start();
    let odd = |n: usize| json!({ "type": "track", "userId": "ann", "event": n });
    for round in 0..3 {
        let messages: Vec<serde_json::Value> = (0..70).map(|n| odd(round * 70 + n)).collect();
        assert_eq!(repairs(&server, json!(messages)).len(), 70);
        assert_eq!(count(&server, "recent_repairs"), [70, 100, 100][round], "{round}");
    }
    // The newest are kept, and each is counted.
    let newest = "recent_repairs WHERE id > (SELECT max(id) - 100 FROM recent_repairs)";
    assert_eq!(count(&server, newest), 100);
    assert_eq!(times(&server, "repaired", "made a string"), 210);
}

#[test]
fn what_a_client_says_of_its_surroundings_never_costs_an_event() {
    let server = Server::start();
    for context in [
        json!({ "os": "iOS", "browser": 5, "device": ["x"], "location": null, "page": "https://example.com" }),
        json!({ "os": { "name": 5 }, "page": { "url": {} }, "library": { "name": "x" }, "sessionId": 5 }),
        json!({ "sessionId": "", "active": true }),
    ] {
        batch(&server, json!([{ "type": "page", "userId": "ann", "context": context }]));
    }
    let unusable = json!([{ "type": "page", "userId": "ann", "context": { "sessionId": { "a": 1 } } }]);
    let repair = (0, "context.sessionId".to_owned(), "unusable id".to_owned());
    assert_eq!(repairs(&server, unusable), [repair]);
    assert_eq!(events(&server, "ann").len(), 4);
    assert_eq!(count(&server, "sessions"), 2);
}
