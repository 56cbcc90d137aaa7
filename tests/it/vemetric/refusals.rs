//! What is refused of what apps send, and leaves everything as it was.

use serde_json::{Value, json};
use usher::clock::SECOND;
use usher::model::ATTRIBUTES_MAX;

use super::ingest::{rows, taken};
use super::{invalid, refused, seen, send};
use crate::harness::{START, Server};

#[test]
fn the_token_may_stand_in_the_header_or_in_the_body() {
    let server = Server::start();
    let token = &server.project().token;
    let ingest = server.key(Some(server.project().id), "ingest");
    for (path, body) in [
        ("/e", json!({ "name": "x", "userIdentifier": "ann" })),
        ("/u", json!({ "userIdentifier": "ann" })),
        ("/i", json!({ "identifier": "ann" })),
    ] {
        let in_body = |token: &str| {
            let mut body = body.clone();
            body["Token"] = json!(token);
            body
        };
        for key in [token, &ingest, &server.project().all] {
            taken(server.post(path).header("token", key).json(body.clone()).send());
            taken(server.post(path).json(in_body(key)).send());
        }
        // The header counts, and an empty one is none.
        taken(server.post(path).header("Token", token).json(in_body("wrong")).send());
        taken(server.post(path).header("Token", "").json(in_body(token)).send());
        let before = rows(&server);
        let missing = "Missing token. Use the header Token: <token>";
        let wrong = "Invalid or revoked token";
        let plain = || server.post(path).json(body.clone());
        refused(plain().send(), 401, "UNAUTHORIZED", missing);
        refused(plain().bearer(token).send(), 401, "UNAUTHORIZED", missing);
        refused(
            plain().header("Token", "é").send(),
            401,
            "UNAUTHORIZED",
            "Malformed Token header. Use Token: <token>",
        );
        for key in ["wrong", &token[1..], &format!("{token}x"), &server.project().key] {
            refused(plain().header("Token", key).send(), 401, "UNAUTHORIZED", wrong);
            refused(server.post(path).json(in_body(key)).send(), 401, "UNAUTHORIZED", wrong);
        }
        for none in [json!(null), json!(""), json!(5), json!([token])] {
            let mut body = body.clone();
            body["Token"] = none;
            refused(server.post(path).json(body).send(), 401, "UNAUTHORIZED", missing);
        }
        refused(server.post(path).body("{", "application/json").send(), 401, "UNAUTHORIZED", missing);
        let reader = server.key(Some(server.project().id), "read,write,delete");
        let lacks = "the key lacks the scope ingest";
        refused(plain().header("Token", &reader).send(), 403, "FORBIDDEN", lacks);
        let organisation = server.key(None, "ingest");
        let one = "this API needs the key of a project, not one of the organisation";
        refused(plain().header("Token", &organisation).send(), 403, "FORBIDDEN", one);
        assert_eq!(rows(&server), before, "{path}");
    }
}

#[test]
fn a_bad_body_names_all_its_faults_and_changes_nothing() {
    let server = Server::start();
    seen(&server, "ann", START);
    taken(send(&server, "/u", json!({ "userIdentifier": "ann", "data": { "set": { "a": 1 } } })));
    server.clock.advance(SECOND);
    let before = rows(&server);
    let (text, object, control) =
        ("must be a string", "must be an object", "must not contain control characters");
    let address = "must be an address such as https://example.com/page";
    let (long_name, long_id) = ("x".repeat(1_025), "x".repeat(257));
    let who = |field: &str, value: Value| json!({ field: value });
    // What is wrong with a user's identifier, on each route.
    for (value, message) in [
        (json!(""), "must not be empty"),
        (json!(true), text),
        (json!(["ann"]), text),
        (json!("a\nb"), control),
        (json!(long_id), "must have at most 256 characters"),
    ] {
        let mut event = who("userIdentifier", value.clone());
        event["name"] = json!("x");
        invalid(send(&server, "/e", event), &[("userIdentifier", message)]);
        let mut event = who("identifier", value.clone());
        event["name"] = json!("x");
        invalid(send(&server, "/e", event), &[("identifier", message)]);
        invalid(send(&server, "/u", who("userIdentifier", value.clone())), &[("userIdentifier", message)]);
        invalid(send(&server, "/i", who("identifier", value)), &[("identifier", message)]);
    }
    for none in [json!({}), json!({ "userIdentifier": null })] {
        // That is about the visitor, and says nothing of it.
        taken(send(&server, "/u", none.clone()));
        invalid(send(&server, "/i", none), &[("identifier", "is required")]);
    }
    invalid(send(&server, "/i", json!({ "userIdentifier": "ann" })), &[("identifier", "is required")]);
    let cases = [
        (json!({ "name": null }), "name", "is required"),
        (json!({ "name": "" }), "name", "must not be empty"),
        (json!({ "name": 5 }), "name", text),
        (json!({ "name": "\u{7f}\n" }), "name", "must not be empty"),
        (json!({ "name": long_name }), "name", "must have at most 1024 characters"),
        (json!({ "customData": [] }), "customData", object),
        (json!({ "customData": "x" }), "customData", object),
        (json!({ "contextId": 5 }), "contextId", text),
        (json!({ "url": 5 }), "url", text),
        (json!({ "url": "pricing" }), "url", address),
        (json!({ "url": "/pricing" }), "url", address),
        (json!({ "url": "https://" }), "url", address),
        (json!({ "url": "https://a b/" }), "url", address),
        (json!({ "url": "https://a.example/\n" }), "url", address),
    ];
    for (change, field, message) in cases {
        let mut body = json!({ "name": "x", "userIdentifier": "ann" });
        let change = change.as_object().expect("an object").clone();
        body.as_object_mut().expect("an object").extend(change);
        invalid(send(&server, "/e", body), &[(field, message)]);
    }
    let parts = [
        (json!({ "set": [] }), "set", object),
        (json!({ "setOnce": "x" }), "setOnce", object),
        (json!({ "unset": "x" }), "unset", "must be a list of strings"),
        (json!({ "unset": [1] }), "unset", "must be a list of strings"),
    ];
    for (data, part, message) in parts {
        let event = json!({ "name": "x", "userIdentifier": "ann", "userData": data });
        invalid(send(&server, "/e", event), &[(&format!("userData.{part}"), message)]);
        let update = json!({ "userIdentifier": "ann", "data": data });
        invalid(send(&server, "/u", update), &[(&format!("data.{part}"), message)]);
        let identify = json!({ "identifier": "ann", "data": data });
        invalid(send(&server, "/i", identify), &[(&format!("data.{part}"), message)]);
    }
    let all = json!({
        "name": "", "userIdentifier": "", "url": "x", "customData": 1, "displayName": 2,
        "userData": { "set": 3, "setOnce": 4, "unset": 5 },
    });
    let faults = [
        ("name", "must not be empty"),
        ("userIdentifier", "must not be empty"),
        ("url", address),
        ("customData", object),
        ("userData.set", object),
        ("userData.setOnce", object),
        ("userData.unset", "must be a list of strings"),
        ("displayName", text),
    ];
    invalid(send(&server, "/e", all), &faults);
    // A control character in a text is cleaned away: it is no fault.
    let all = json!({ "userIdentifier": true, "data": [], "displayName": "a\tb", "avatarUrl": long_name });
    let faults =
        [("userIdentifier", text), ("data", object), ("avatarUrl", "must have at most 1024 characters")];
    invalid(send(&server, "/u", all), &faults);
    for path in ["/e", "/u", "/i"] {
        for body in ["", "{", "[]", "null", "name=x"] {
            let request = server.post(path).header("Token", &server.project().token);
            let reply = request.body(body, "application/json").send().expect(400).json();
            assert_eq!(reply["error"]["code"], "VALIDATION_ERROR");
            assert_eq!(reply["error"]["details"][0]["field"], "body");
        }
    }
    assert_eq!(rows(&server), before);
}

#[test]
fn what_is_too_large_is_refused_and_what_is_just_not_is_taken() {
    let server = Server::start();
    let big = |bytes: usize| json!({ "a": "x".repeat(bytes - r#"{"a":""}"#.len()) });
    let event = |data: Value| json!({ "name": "x", "userIdentifier": "ann", "customData": data });
    taken(send(&server, "/e", event(big(64 * 1024))));
    taken(send(&server, "/u", json!({ "userIdentifier": "ann", "data": { "set": { "b": 1 } } })));
    server.clock.advance(SECOND);
    let before = rows(&server);
    let fault = "must have at most 65536 bytes as JSON";
    invalid(send(&server, "/e", event(big(64 * 1024 + 1))), &[("customData", fault)]);
    // Of both together; and the event that came along is not kept either.
    let fault = format!("all attributes of a user together must be under {ATTRIBUTES_MAX} bytes");
    let data = json!({ "set": big(ATTRIBUTES_MAX) });
    invalid(send(&server, "/u", json!({ "userIdentifier": "ann", "data": data })), &[("data", &fault)]);
    invalid(send(&server, "/i", json!({ "identifier": "ann", "data": data })), &[("data", &fault)]);
    let body = json!({ "name": "x", "userIdentifier": "ann", "userData": data });
    invalid(send(&server, "/e", body), &[("userData", &fault)]);
    let body = json!({ "name": "x", "userIdentifier": "new", "userData": data });
    invalid(send(&server, "/e", body), &[("userData", &fault)]);
    let huge = send(&server, "/e", event(json!({ "a": "x".repeat(1024 * 1024) }))).expect(413).json();
    assert_eq!(huge["error"]["code"], "PAYLOAD_TOO_LARGE");
    assert_eq!(rows(&server), before);
    taken(send(&server, "/e", json!({ "name": "x".repeat(1_024), "userIdentifier": "x".repeat(256) })));
}
