//! Segment's messages one by one: what is kept of each, and what is said of a bad one.
//! What can be put right is in `segment_repairs.rs`.

use serde_json::{Value, json};

use crate::harness::{Server, fields};
use crate::segment::{batch, count, events, find, post, refusals, refused, send, track, user};

#[test]
fn good_messages_are_kept_and_bad_ones_named_by_index_and_field() {
    let server = Server::start();
    let long = "x".repeat(257);
    let kinds = "must be identify, track, page, screen, group or alias";
    let nobody = "userId or anonymousId is required";
    let (text, digits) =
        ("must be a string or a number", "must be a whole number of at most 256 digits, or a string");
    let bad: &[(Value, &str, &str)] = &[
        (json!(5), "message", "must be an object"),
        (json!(null), "message", "must be an object"),
        (json!([]), "message", "must be an object"),
        (json!({ "userId": "bad" }), "type", "is required"),
        (json!({ "userId": "bad", "type": null }), "type", "is required"),
        (json!({ "userId": "bad", "type": 1 }), "type", "must be a string"),
        (json!({ "userId": "bad", "type": "Track", "event": "x" }), "type", kinds),
        (json!({ "type": "track", "event": "x" }), "userId", nobody),
        (json!({ "type": "page", "userId": null, "anonymousId": null }), "userId", nobody),
        (json!({ "type": "track", "event": "x", "userId": "" }), "userId", nobody),
        (json!({ "type": "track", "event": "x", "userId": true }), "userId", text),
        (json!({ "type": "track", "event": "x", "userId": ["bad"] }), "userId", text),
        (json!({ "type": "track", "event": "x", "userId": 12.5 }), "userId", digits),
        (
            json!({ "type": "track", "event": "x", "userId": long }),
            "userId",
            "must have at most 256 characters",
        ),
        (
            json!({ "type": "track", "event": "x", "userId": "bad\u{0}" }),
            "userId",
            "must not contain control characters",
        ),
        (
            json!({ "type": "track", "event": "x", "anonymousId": long }),
            "anonymousId",
            "must have at most 256 characters",
        ),
        (json!({ "type": "track", "userId": "bad" }), "event", "is required"),
        (json!({ "type": "track", "userId": "bad", "event": "" }), "event", "is required"),
        (json!({ "type": "group", "userId": "bad" }), "groupId", "is required"),
        (json!({ "type": "group", "userId": "bad", "groupId": "" }), "groupId", "is required"),
        (json!({ "type": "group", "userId": "bad", "groupId": {} }), "groupId", text),
        (json!({ "type": "group", "userId": "bad", "groupId": -0.5 }), "groupId", digits),
        (json!({ "type": "group", "groupId": "g" }), "userId", nobody),
        (json!({ "type": "alias", "userId": "bad" }), "previousId", "is required"),
        (json!({ "type": "alias", "previousId": "p" }), "userId", "is required"),
        (json!({ "type": "alias", "previousId": "p", "anonymousId": "q" }), "userId", "is required"),
    ];
    let mut messages = Vec::new();
    let mut expected = Vec::new();
    for (message, field, why) in bad {
        messages.push(track("good", "before"));
        expected.push((messages.len() as u64, (*field).to_owned(), (*why).to_owned()));
        messages.push(message.clone());
    }
    messages.push(track("good", "last"));
    assert_eq!(refusals(&server, json!(messages)), expected);
    assert_eq!(events(&server, "good").len(), bad.len() + 1);
    assert_eq!((count(&server, "users"), count(&server, "aliases")), (1, 0));

    // Alone, each is a 400 that says the same.
    for (message, field, why) in bad.iter().filter(|(message, ..)| message.is_object()) {
        let Some(kind) = message["type"].as_str().filter(|kind| *kind != "Track") else { continue };
        let body = send(&server, &format!("/v1/{kind}"), message.clone()).expect(400).json();
        assert_eq!(fields(&body), ["code", "errors", "message", "success"], "{body}");
        assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!("invalid")));
        assert_eq!(body["errors"], json!([{ "index": 0, "field": field, "message": why }]));
    }
    assert_eq!(count(&server, "users"), 1);
    // Each is counted, once from the batch and once alone.
    assert_eq!(count(&server, "recent_repairs WHERE outcome <> 'refused'"), 0);
    let counted = "repairs WHERE outcome = 'refused' AND reason = 'refused' AND count > ";
    assert_eq!(count(&server, &format!("{counted}{}", bad.len())), 1);
}

#[test]
fn a_message_that_cannot_be_stored_spoils_no_other() {
    let server = Server::start();
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let with = |value: &str| {
        format!(r#"{{"type":"track","userId":"bad","event":"x","properties":{{"p":{value}}}}}"#)
    };
    let good = track("ann", "good").to_string();
    for bad in [with(&deep(128)), with(&deep(10_000))] {
        let text = format!("{{\"batch\":[{good},{bad},{good}]}}");
        let faults = refused(&post(&server, "/v1/batch", text).expect(200).json());
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!((faults[0].0, faults[0].1.as_str()), (1, "message"));
        assert!(faults[0].2.starts_with("cannot be read: "), "{faults:?}");
        post(&server, "/v1/track", bad).expect(400);
    }
    assert_eq!(find(&server, "bad").map(|user| user.id), None);
    assert_eq!(events(&server, "ann").len(), 4);
    // What is deeper than is kept is refused by its field, and what is not can be read again.
    let faults = refused(
        &post(&server, "/v1/batch", format!("{{\"batch\":[{}]}}", with(&deep(65)))).expect(200).json(),
    );
    assert_eq!(
        (faults[0].1.as_str(), faults[0].2.as_str()),
        ("properties", "must not be nested deeper than 64 levels")
    );
    let fine = with(&deep(64));
    post(&server, "/v1/batch", format!("{{\"batch\":[{fine}]}}")).expect(200);
    // A number of any size is kept as it was written.
    let long_number = format!("1{}", "0".repeat(400));
    let numbers = ["1e400", "-1e999", "123456789012345678901234567890", long_number.as_str()];
    for number in numbers {
        let reply = post(&server, "/v1/batch", format!("{{\"batch\":[{good},{},{good}]}}", with(number)));
        assert_eq!(reply.expect(200).json(), json!({ "success": true }), "{number}");
        post(&server, "/v1/track", with(number)).expect(200);
    }
    let events = events(&server, "bad");
    let kept: Vec<String> =
        events.iter().map(|event| serde_json::to_string(&event.data["p"]).expect("JSON")).collect();
    assert_eq!(kept[0], deep(64));
    let twice = numbers.iter().flat_map(|number| [*number; 2]).map(|number| number.replace("e", "e+"));
    let written = |text: &String| text.replace("e+", "e").replace("e", "e+");
    assert_eq!(kept[1..].iter().map(written).collect::<Vec<_>>(), twice.collect::<Vec<_>>());
    let session = events[0].session.expect("a session").to_string();
    let path = format!("/api/v1/{}/sessions/{session}/events", server.project().key);
    assert!(server.get(&path).bearer(&server.project().all).send().expect(200).text.contains(&deep(64)));
}

#[test]
fn a_key_that_is_there_twice_counts_as_the_last() {
    let server = Server::start();
    let text = r#"{"batch":[{"type":"page","userId":"x"}],
        "batch":[{"type":"page","type":"track","event":"a","event":"b","userId":"x","userId":"ann",
                  "properties":{"p":1,"p":2}}]}"#;
    post(&server, "/v1/batch", text.into()).expect(200);
    assert_eq!(find(&server, "x").map(|user| user.id), None);
    let events = events(&server, "ann");
    assert_eq!((events.len(), events[0].name.as_str(), &events[0].data["p"]), (1, "b", &json!(2)));
}

#[test]
fn ids_may_be_numbers_null_or_any_text() {
    let server = Server::start();
    let unicode = "ä\u{301} 漢字 😀 'quoted\" \\ % + /";
    let limit = "😀".repeat(256);
    batch(
        &server,
        json!([
            { "type": "track", "userId": 4711, "anonymousId": null, "event": "x", "messageId": 1 },
            { "type": "track", "userId": "4711", "event": "x", "messageId": "1" },
            { "type": "track", "userId": null, "anonymousId": 17, "event": "x", "traits": null, "context": null,
              "properties": null, "messageId": null, "timestamp": null },
            { "type": "track", "userId": unicode, "event": unicode, "messageId": unicode },
            { "type": "track", "userId": limit, "event": "x".repeat(1_024), "messageId": "x".repeat(1_024) },
            { "type": "group", "userId": 4711, "groupId": 12 },
            { "type": "track", "userId": -5, "event": "x", "messageId": "" },
            { "type": "track", "userId": -5, "event": "x", "messageId": "" },
        ]),
    );
    assert_eq!(events(&server, "4711").len(), 1, "1 and \"1\" are one message");
    assert_eq!(user(&server, "4711").profile.attributes["groupId"], "12");
    let there = &events(&server, unicode)[0];
    assert_eq!((there.name.as_str(), there.message_id.as_str()), (unicode, unicode));
    assert_eq!(events(&server, &limit).len(), 1);
    assert_eq!(events(&server, "-5").len(), 2, "an empty message id is none");
    assert_eq!(count(&server, "users WHERE identifier IS NULL"), 1);
    assert_eq!(count(&server, "aliases WHERE anonymous_id = '17'"), 1);
}

#[test]
fn events_keep_the_listed_fields_alone() {
    let server = Server::start();
    batch(
        &server,
        json!([
            {
                "type": "track", "userId": "ann", "event": "Order Completed", "messageId": "m1",
                "properties": { "total": 19.9, "nested": { "list": [1, null, true] } },
                "traits": { "email": "secret@example.com" }, "name": "not this", "category": "Shop",
                "context": { "ip": "192.0.2.7", "traits": { "email": "secret@example.com" } },
                "integrations": { "All": true }, "unknown": "unknown",
            },
            {
                "type": "page", "userId": "ann", "name": "Pricing", "category": "Docs", "messageId": "m2",
                "properties": { "url": "https://example.com/a?b#c", "title": "T" },
            },
            { "type": "page", "userId": "ann", "messageId": "m3", "context": { "page": { "url": "https://example.com/d" } } },
            { "type": "screen", "userId": "ann", "name": "Basket", "messageId": "m4", "properties": { "items": 2 } },
            { "type": "identify", "userId": "ann", "messageId": "m5" },
            { "type": "group", "userId": "ann", "groupId": "g", "messageId": "m6" },
            { "type": "alias", "userId": "ann", "previousId": "before", "messageId": "m7" },
        ]),
    );
    let events = events(&server, "ann");
    let shown: Vec<(&str, &str, &str, Option<&str>, Value)> = events
        .iter()
        .map(|event| {
            let data = Value::Object(event.data.clone());
            (event.message_id.as_str(), event.kind.as_str(), event.name.as_str(), event.url.as_deref(), data)
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                "m1",
                "event",
                "Order Completed",
                None,
                json!({ "total": 19.9, "nested": { "list": [1, null, true] }, "category": "Shop" })
            ),
            (
                "m2",
                "page",
                "Pricing",
                Some("https://example.com/a?b#c"),
                json!({ "url": "https://example.com/a?b#c", "title": "T", "category": "Docs" })
            ),
            ("m3", "page", "", Some("https://example.com/d"), json!({})),
            ("m4", "screen", "Basket", None, json!({ "items": 2 })),
        ]
    );
    assert_eq!(user(&server, "ann").event_count, 4);
    for hidden in ["secret@example.com", "192.0.2.7", "unknown", "integrations"] {
        let found = count(&server, &format!("events WHERE data LIKE '%{hidden}%' OR name LIKE '%{hidden}%'"));
        assert_eq!(found, 0, "{hidden}");
    }
}

#[test]
fn the_path_says_what_a_single_message_is() {
    let server = Server::start();
    let body = |kind: &str| {
        json!({
            "type": kind, "userId": "ann", "anonymousId": "visitor", "event": "E", "name": "N", "groupId": "g",
            "previousId": "visitor", "traits": { "plan": "team" },
        })
    };
    for (path, other) in [
        ("track", "page"),
        ("page", "track"),
        ("screen", "nonsense"),
        ("identify", "track"),
        ("group", "track"),
        ("alias", "track"),
    ] {
        let reply = send(&server, &format!("/v1/{path}"), body(other)).expect(200);
        assert_eq!(reply.json(), json!({ "success": true }));
    }
    let kinds: Vec<&str> = events(&server, "ann").iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["event", "page", "screen"]);
    let attributes = user(&server, "ann").profile.attributes;
    assert_eq!((&attributes["plan"], &attributes["groupId"]), (&json!("team"), &json!("g")));
}

#[test]
fn known_traits_are_fields_and_all_others_attributes() {
    let server = Server::start();
    let traits = json!({
        "email": "ann@example.com", "firstName": "Ann", "last_name": "Lee", "name": "Ann Lee",
        "avatar": "https://example.com/a.png", "address": { "city": "Zürich", "country": "CH", "street": "X" },
        "plan": "team", "seats": 3, "beta": true, "gone": null, "nested": { "a": [1] },
    });
    send(&server, "/v1/identify", json!({ "userId": "ann", "traits": traits })).expect(200);
    let profile = user(&server, "ann").profile;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    assert_eq!(
        [
            text(&profile.email),
            text(&profile.first_name),
            text(&profile.last_name),
            text(&profile.display_name),
            text(&profile.avatar_url),
            text(&profile.city),
            text(&profile.country),
        ],
        ["ann@example.com", "Ann", "Lee", "Ann Lee", "https://example.com/a.png", "Zürich", "CH"]
    );
    assert_eq!(
        Value::Object(profile.attributes),
        json!({
            "address": { "city": "Zürich", "country": "CH", "street": "X" },
            "plan": "team", "seats": 3, "beta": true, "nested": { "a": [1] },
        })
    );
    // Null takes away, what is not said stays, and a text field is no other value.
    let traits = json!({ "plan": null, "firstName": null, "email": 7, "seats": 4 });
    send(&server, "/v1/identify", json!({ "userId": "ann", "traits": traits })).expect(200);
    let profile = user(&server, "ann").profile;
    assert_eq!((profile.first_name, profile.email.as_deref()), (None, Some("ann@example.com")));
    assert_eq!((profile.attributes.get("plan"), &profile.attributes["seats"]), (None, &json!(4)));
    assert_eq!(profile.attributes["email"], 7);
}
