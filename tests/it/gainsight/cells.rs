//! Values as loaders of tables write them, and fields that cannot be read.

use serde_json::{Value, json};
use usher::model::Event;
use usher::people::{activity, find};

use super::{call, create, get, put, told, with};
use crate::harness::{Reply, START, Server, fields};

/// What was left out, in the answer's header.
fn left_out(reply: &Reply) -> Vec<&str> {
    reply.header("usher-left-out").map_or(Vec::new(), |text| text.split("; ").collect())
}

fn event(server: &Server, more: Value) -> Reply {
    let body = with(json!({ "identifyId": "ann", "eventName": "A" }), more);
    call(server, "POST", "/v1/events/custom").json(body).send().expect(201)
}

fn kept(server: &Server) -> Vec<Event> {
    let project = server.project().id;
    server.read(|db| activity::timeline(db, &find::get(db, project, "ann")?, 0, i64::MAX, 100, 0))
}

#[test]
fn each_row_of_the_vendors_csv_loader_is_taken() {
    let server = Server::start();
    // Every cell is a string there.
    let row = json!({
        "identifyId": "ann", "eventName": "Invited", "date": "1541030400000", "url": "https://a.example/x",
        "referrer": "", "attributes": { "Team": "O" }, "userType": "USER", "propertyKey": "AP-X-2",
    });
    let reply = call(&server, "POST", "/v1/events/custom").json(row).send().expect(201);
    assert!(left_out(&reply).is_empty());
    assert_eq!(kept(&server)[0].at, 1_541_030_400_000);
    create(&server, json!({ "identifyId": "bea", "globalUnsubscribe": "true", "propertyKeys": ["AP-X-2"] }));
    assert_eq!(get(&server, "bea")["globalUnsubscribe"], true);
    let place = json!({ "city": "Bonn", "coordinates": { "latitude": "50.7", "longitude": "7.1" } });
    create(&server, json!({ "identifyId": "cai", "location": place, "propertyKeys": ["AP-X-2"] }));
    let coordinates = json!({ "latitude": 50.7, "longitude": 7.1 });
    assert_eq!(get(&server, "cai")["location"]["coordinates"], coordinates);
}

#[test]
fn a_string_is_read_as_what_its_field_is() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "ann" }));
    let written = json!({
        "type": "lead", "gender": "Female", "score": " -7 ", "signUpDate": "2026-03-04",
        "firstVisitDate": "2026-03-04T10:00:00+01:00", "globalUnsubscribe": "TRUE",
        "location": { "coordinates": { "latitude": "47", "longitude": "-8.25" } },
    });
    assert!(left_out(&put(&server, "ann", written).expect(204)).is_empty());
    let ann = get(&server, "ann");
    let midnight = START - 10 * usher::clock::HOUR;
    for (field, value) in [
        ("type", json!("LEAD")),
        ("gender", json!("FEMALE")),
        ("score", json!(-7)),
        ("signUpDate", json!(midnight)),
        ("firstVisitDate", json!(midnight + 9 * usher::clock::HOUR)),
        ("globalUnsubscribe", json!(true)),
    ] {
        assert_eq!(ann[field], value, "{field}");
    }
    assert_eq!(ann["location"]["coordinates"], json!({ "latitude": 47.0, "longitude": -8.25 }));
    // A table of doubles, and a time without an offset, which is UTC.
    put(&server, "ann", json!({ "score": "8.0", "signUpDate": "2026-03-04 10:00:00" })).expect(204);
    put(&server, "ann", json!({ "firstVisitDate": 1.6e12, "globalUnsubscribe": "False" })).expect(204);
    let ann = get(&server, "ann");
    assert_eq!((&ann["score"], &ann["signUpDate"]), (&json!(8), &json!(START)));
    assert_eq!(ann["firstVisitDate"], 1_600_000_000_000_i64);
    assert_eq!(ann["globalUnsubscribe"], false);
}

#[test]
fn an_empty_string_or_list_is_no_value() {
    let server = Server::start();
    create(&server, with(told(), json!({ "identifyId": "ann" })));
    let before = get(&server, "ann");
    // PHP writes an empty map as a list.
    let lists = json!({ "location": [], "customAttributes": [] });
    assert!(left_out(&put(&server, "ann", lists).expect(204)).is_empty());
    let coordinates = json!({ "location": { "coordinates": [] }, "customAttributes": "" });
    assert!(left_out(&put(&server, "ann", coordinates).expect(204)).is_empty());
    assert_eq!(get(&server, "ann"), before);
    let empty = json!({ "score": "", "signUpDate": " ", "globalUnsubscribe": "", "type": "", "phone": "" });
    assert!(left_out(&put(&server, "ann", empty).expect(204)).is_empty());
    let ann = get(&server, "ann");
    assert_eq!((&ann["score"], &ann["signUpDate"], &ann["type"]), (&json!(0), &json!(0), &json!("USER")));
    assert!(
        left_out(&event(&server, json!({ "attributes": [], "globalContext": [], "date": "" }))).is_empty()
    );
    assert_eq!(kept(&server)[0].at, START);
}

#[test]
fn a_field_that_cannot_be_read_is_left_out_alone_and_named() {
    let server = Server::start();
    let long = "x".repeat(1_025);
    let cases = [
        (json!({ "email": 5 }), "email: must be a string"),
        (json!({ "title": long }), "title: must have at most 1024 characters"),
        (json!({ "phone": "a\u{7}" }), "phone: must not contain control characters"),
        (json!({ "type": "person" }), "type: must be one of the values that the vendor lists"),
        (json!({ "gender": 1 }), "gender: must be one of the values that the vendor lists"),
        (json!({ "score": 1.5 }), "score: must be an integer"),
        (json!({ "score": "1.5" }), "score: must be an integer"),
        (json!({ "score": 9_223_372_036_854_775_808_u64 }), "score: must be an integer"),
        (json!({ "signUpDate": "soon" }), "signUpDate: must be a time in milliseconds since 1970"),
        (json!({ "firstVisitDate": -1 }), "firstVisitDate: must be a time in milliseconds since 1970"),
        (json!({ "firstVisitDate": "-1" }), "firstVisitDate: must be a time in milliseconds since 1970"),
        (json!({ "globalUnsubscribe": "yes" }), "globalUnsubscribe: must be true or false"),
        (json!({ "globalUnsubscribe": 1 }), "globalUnsubscribe: must be true or false"),
        (json!({ "location": "Bern" }), "location: must be an object"),
        (json!({ "location": [1] }), "location: must be an object"),
        (json!({ "location": { "street": 5 } }), "location.street: must be a string"),
        (json!({ "location": { "coordinates": [1, 2] } }), "location.coordinates: must be an object"),
        (
            json!({ "location": { "coordinates": { "latitude": "NaN" } } }),
            "location.coordinates.latitude: must be a number",
        ),
        (
            json!({ "propertyKeys": ["AP-1", 2] }),
            "propertyKeys: must be a list of strings of at most 1024 characters",
        ),
        (json!({ "lastVisitedUserAgentData": ["x"] }), "lastVisitedUserAgentData: must be a list of objects"),
        (json!({ "customAttributes": [1] }), "customAttributes: must be an object"),
    ];
    create(&server, with(told(), json!({ "identifyId": "ann" })));
    for (n, (body, reason)) in cases.into_iter().enumerate() {
        let before = get(&server, "ann");
        let reply =
            put(&server, "ann", with(body.clone(), json!({ "lastName": format!("L{n}") }))).expect(204);
        assert_eq!(left_out(&reply), [reason]);
        assert_eq!(get(&server, "ann"), with(before, json!({ "lastName": format!("L{n}") })), "{reason}");
        let name = format!("new {n}");
        let body = with(body, json!({ "identifyId": name, "lastName": "New" }));
        let reply = call(&server, "POST", "/v1/users").json(body).send().expect(201);
        assert_eq!(left_out(&reply), [reason]);
        assert_eq!(get(&server, &name)["lastName"], "New");
    }
    let several = json!({ "score": "x", "firstName": "Fine", "email": 1, "customAttributes": 5 });
    let reply = put(&server, "ann", several).expect(204);
    let expected =
        ["email: must be a string", "score: must be an integer", "customAttributes: must be an object"];
    assert_eq!(left_out(&reply), expected);
    assert_eq!(get(&server, "ann")["firstName"], "Fine");
}

#[test]
fn an_event_keeps_what_of_it_can_be_read() {
    let server = Server::start();
    for (more, reason) in [
        (json!({ "date": "soon" }), "date: must be a time in milliseconds since 1970"),
        (json!({ "date": -1 }), "date: must be a time in milliseconds since 1970"),
        (json!({ "date": 1.5 }), "date: must be a time in milliseconds since 1970"),
        (json!({ "attributes": "x" }), "attributes: must be an object"),
        (json!({ "globalContext": [1] }), "globalContext: must be an object"),
        (json!({ "url": 5 }), "url: must be a string"),
        (json!({ "propertyKey": {} }), "propertyKey: must be a string"),
        (json!({ "eventId": 5 }), "eventId: must be a string"),
        (json!({ "eventId": "x".repeat(1_025) }), "eventId: must have at most 1024 bytes"),
        (json!({ "sessionId": "x".repeat(257) }), "sessionId: must have at most 256 characters"),
    ] {
        server.clock.advance(1);
        let before = kept_or_none(&server);
        let reply = event(&server, with(more, json!({ "referrer": "https://a.b" })));
        assert_eq!(left_out(&reply), [reason]);
        let events = kept(&server);
        assert_eq!(events.len(), before + 1, "{reason}");
        assert_eq!((events[0].at, &events[0].data["referrer"]), (server.clock.now(), &json!("https://a.b")));
    }
    let twin = event(&server, json!({ "date": "2026-03-01", "eventId": "e" }));
    assert!(left_out(&twin).is_empty());
    assert_eq!(fields(&twin.json()), ["body", "statusCode", "statusCodeValue"]);
}

fn kept_or_none(server: &Server) -> usize {
    let project = server.project().id;
    let there = server.app.read(|db| find::get(db, project, "ann")).is_ok();
    if there { kept(server).len() } else { 0 }
}
