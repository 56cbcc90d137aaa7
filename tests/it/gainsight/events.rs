//! `POST /v1/events/custom`, and the attributes that there are.

use serde_json::{Value, json};
use usher::clock::{DAY, MINUTE};
use usher::model::{Event, TRASH_PERIOD};
use usher::people::{activity, find};

use super::{bad, call, create, delete, get, hard_delete, put, unknown};
use crate::harness::{Reply, START, Server, fields};

fn send(server: &Server, body: Value) -> Reply {
    call(server, "POST", "/v1/events/custom").json(body).send()
}

/// What is kept of a live user, the newest first.
fn kept(server: &Server, name: &str) -> Vec<Event> {
    let (project, name) = (server.project().id, name.to_owned());
    server.read(move |db| {
        let user = find::get(db, project, &name)?;
        activity::timeline(db, &user, 0, i64::MAX, 1_000, 0)
    })
}

fn rows(server: &Server) -> (i64, i64) {
    let conn = server.sqlite();
    let count = |sql| conn.query_row(sql, [], |row| row.get(0)).expect("a count");
    (count("SELECT COUNT(*) FROM users"), count("SELECT COUNT(*) FROM events"))
}

#[test]
fn an_event_is_kept_with_what_is_told_of_it() {
    let server = Server::start();
    let reply = send(
        &server,
        json!({
            "identifyId": "ann", "eventName": "Report Exported", "date": START - MINUTE, "eventType": "CUSTOM",
            "attributes": { "file": "q1.csv", "rows": 3, "accountId": "theirs", "deep": { "a": [1, null] } },
            "propertyKey": "AP-1", "userType": "USER", "accountId": "a-1", "sessionId": "visit-7",
            "globalContext": { "theme": "dark" }, "url": "https://shop.example.com/x", "referrer": "https://a.b",
            "remoteHost": "192.0.2.1", "unknown": 1,
        }),
    );
    let reply = reply.expect(201);
    assert_eq!(reply.json(), json!({ "body": {}, "statusCode": "201", "statusCodeValue": 201 }));
    let events = kept(&server, "ann");
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!((event.name.as_str(), event.at), ("Report Exported", START - MINUTE));
    assert_eq!(event.url.as_deref(), Some("https://shop.example.com/x"));
    // An attribute keeps its name, should the vendor have a field of that name.
    assert_eq!(
        json!(event.data),
        json!({
            "file": "q1.csv", "rows": 3, "accountId": "theirs", "deep": { "a": [1, null] },
            "propertyKey": "AP-1", "userType": "USER", "eventType": "CUSTOM", "referrer": "https://a.b",
            "remoteHost": "192.0.2.1", "globalContext": { "theme": "dark" },
        })
    );
    let session = event.session.expect("a session");
    let key = &server.project().key;
    let path = format!("/api/v1/{key}/sessions/{session}/events");
    let shown = server.get(&path).header("Authorization", &server.project().all).send().expect(200).json();
    assert_eq!(
        (&shown["data"][0]["name"], &shown["data"][0]["rows"]),
        (&json!("Report Exported"), &json!(3))
    );
}

#[test]
fn an_unknown_user_is_created_and_its_figures_follow_its_events() {
    let server = Server::start();
    send(&server, json!({ "identifyId": "ann", "eventName": "A" })).expect(201);
    server.clock.advance(MINUTE);
    // Null and empty texts are as good as absent.
    let empty = json!({
        "identifyId": "ann", "eventName": "B", "date": null, "attributes": null, "globalContext": null,
        "sessionId": "", "url": "", "eventId": "", "propertyKey": null,
    });
    send(&server, empty).expect(201);
    let ann = get(&server, "ann");
    assert_eq!((&ann["firstVisitDate"], &ann["lastSeenDate"]), (&json!(START), &json!(START + MINUTE)));
    assert_eq!((&ann["numberOfVisits"], &ann["type"]), (&json!(1), &json!("USER")));
    server.clock.advance(DAY);
    send(&server, json!({ "identifyId": "ann", "eventName": "C" })).expect(201);
    assert_eq!(get(&server, "ann")["numberOfVisits"], 2);
    let names: Vec<String> = kept(&server, "ann").into_iter().map(|event| event.name).collect();
    assert_eq!(names, ["C", "B", "A"]);
}

#[test]
fn a_date_to_come_is_taken_as_now() {
    let server = Server::start();
    send(&server, json!({ "identifyId": "ann", "eventName": "A", "date": START + DAY })).expect(201);
    send(&server, json!({ "identifyId": "ann", "eventName": "B", "date": 0 })).expect(201);
    let times: Vec<i64> = kept(&server, "ann").iter().map(|event| event.at).collect();
    assert_eq!(times, [START, 0]);
}

#[test]
fn an_event_with_an_id_counts_once_and_others_each_time() {
    let server = Server::start();
    for _ in 0..3 {
        send(&server, json!({ "identifyId": "ann", "eventName": "A", "eventId": "e-1" })).expect(201);
        send(&server, json!({ "identifyId": "ann", "eventName": "B" })).expect(201);
    }
    send(&server, json!({ "identifyId": "ben", "eventName": "A", "eventId": "e-1" })).expect(201);
    let count = |name: &str, event: &str| kept(&server, name).iter().filter(|e| e.name == event).count();
    assert_eq!((count("ann", "A"), count("ann", "B"), count("ben", "A")), (1, 3, 1));
}

#[test]
fn a_hidden_user_stays_hidden_and_has_the_event_once_it_is_back() {
    let server = Server::start();
    server.seed("ann").events(2).insert();
    delete(&server, "ann").expect(200);
    server.clock.advance(TRASH_PERIOD - 1);
    send(&server, json!({ "identifyId": "ann", "eventName": "Meanwhile" })).expect(201);
    unknown(call(&server, "GET", "/v1/users/ann").send(), "ann");
    put(&server, "ann", json!({})).expect(204);
    assert_eq!(kept(&server, "ann").len(), 3);
}

#[test]
fn an_event_from_before_an_erasure_is_dropped() {
    let server = Server::start();
    let id = server.seed("ann").events(2).insert();
    hard_delete(&server, "ann").expect(200);
    server.tick();
    server.clock.advance(MINUTE);
    send(&server, json!({ "identifyId": "ann", "eventName": "Late", "date": START })).expect(201);
    unknown(call(&server, "GET", "/v1/users/ann").send(), "ann");
    assert_eq!(rows(&server), (0, 0));
    send(&server, json!({ "identifyId": "ann", "eventName": "New", "date": START + 1 })).expect(201);
    let names: Vec<String> = kept(&server, "ann").into_iter().map(|event| event.name).collect();
    assert_eq!(names, ["New"]);
    assert_eq!(server.rows_of(id), 0);
}

#[test]
fn a_bad_event_is_refused_by_field_and_nothing_is_kept_of_it() {
    let server = Server::start();
    for (body, fault) in [
        (json!({ "eventName": "A" }), "identifyId: is required".to_owned()),
        (json!({ "identifyId": "", "eventName": "A" }), "identifyId: must not be empty".into()),
        (json!({ "identifyId": true, "eventName": "A" }), "identifyId: must be a string".into()),
        (
            json!({ "identifyId": "x".repeat(257), "eventName": "A" }),
            "identifyId: must have at most 256 characters".into(),
        ),
        (
            json!({ "identifyId": "a\u{0}", "eventName": "A" }),
            "identifyId: must not contain control characters".into(),
        ),
        (json!({ "identifyId": "ann" }), "eventName: is required".into()),
        (json!({ "identifyId": "ann", "eventName": "" }), "eventName: is required".into()),
        (json!({ "identifyId": "ann", "eventName": null }), "eventName: is required".into()),
        (json!({ "identifyId": "ann", "eventName": ["A"] }), "eventName: must be a string".into()),
        (
            json!({ "identifyId": "ann", "eventName": "x".repeat(1_025) }),
            "eventName: must have at most 1024 characters".into(),
        ),
        (
            json!({ "identifyId": "ann", "eventName": "a\nb" }),
            "eventName: must not contain control characters".into(),
        ),
        (
            json!({ "identifyId": "ann", "eventName": "A", "attributes": { "a": "x".repeat(64 * 1024) } }),
            "attributes: must have at most 65536 bytes as JSON".into(),
        ),
    ] {
        assert_eq!(bad(send(&server, body)), [fault]);
    }
    assert_eq!(rows(&server), (0, 0));
}

#[test]
fn the_attributes_are_those_of_every_user_and_those_in_use() {
    let server = Server::start();
    let list = || {
        let body = call(&server, "GET", "/v1/admin/model/user/attributes").send().expect(200).json();
        body.as_array().expect("a bare list").clone()
    };
    let standard = list();
    create(
        &server,
        json!({ "identifyId": "ann", "customAttributes": {
            "plan": "team", "seats": 3, "beta": true, "list": [1], "mixed": 1, "email": "x",
        }}),
    );
    create(&server, json!({ "identifyId": "ben", "customAttributes": { "mixed": "one", "seats": 0.5 } }));
    let all = list();
    for attribute in &all {
        assert_eq!(
            fields(attribute),
            [
                "apiName",
                "createdDate",
                "defaultValue",
                "description",
                "id",
                "internalName",
                "modifiedDate",
                "name",
                "origin",
                "state",
                "type",
            ]
        );
        assert_eq!((&attribute["state"], &attribute["createdDate"]), (&json!("ENABLED"), &json!(START)));
    }
    let kinds = |list: &[Value]| -> Vec<String> {
        list.iter()
            .map(|attribute| format!("{} {}", attribute["id"], attribute["type"]).replace('"', ""))
            .collect()
    };
    assert!(standard.iter().all(|attribute| attribute["origin"] == "DEFAULT"));
    for expected in [
        "id STRING",
        "identifyId STRING",
        "score NUMBER",
        "signUpDate DATE_TIME",
        "globalUnsubscribe BOOLEAN",
    ] {
        assert!(kinds(&standard).contains(&expected.to_owned()), "{expected}");
    }
    let (same, custom) = all.split_at(standard.len());
    assert_eq!(same, standard);
    assert!(custom.iter().all(|attribute| attribute["origin"] == "CUSTOM"));
    assert_eq!(
        kinds(custom),
        [
            "customAttributes.beta BOOLEAN",
            "customAttributes.email STRING",
            "customAttributes.list STRING",
            "customAttributes.mixed STRING",
            "customAttributes.plan STRING",
            "customAttributes.seats NUMBER",
        ]
    );
    assert_eq!(custom[1]["apiName"], "email");
    // Each is good for a filter by its id.
    for attribute in &all {
        let id = attribute["id"].as_str().expect("an id");
        let sign = if attribute["type"] == "BOOLEAN" { "==true" } else { "!=1" };
        let reply = call(&server, "GET", &format!("/v1/users?filter={id}{sign}")).send();
        if id != "lastVisitedUserAgentData" {
            reply.expect(200);
        }
    }
    // Whoever is gone is not read, nor is another project.
    hard_delete(&server, "ann").expect(200);
    let left: Vec<String> = kinds(&list()[standard.len()..]);
    assert_eq!(left, ["customAttributes.mixed STRING", "customAttributes.seats NUMBER"]);
    let second = server.second();
    let theirs = server.get("/v1/admin/model/user/attributes").header("Authorization", &second.all).send();
    assert_eq!(theirs.expect(200).json(), json!(standard));
}
