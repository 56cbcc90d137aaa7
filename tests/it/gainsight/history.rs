//! `GET /v1/events/{kind}`: what an entry says, whose it is, and what a filter finds.

use serde_json::{Value, json};
use usher::clock::{DAY, MINUTE};

use super::{bad, call, create, delete, hard_delete, put, refused, with};
use crate::harness::{Reply, START, Server, encode, fields};

pub fn send(server: &Server, body: Value) {
    call(server, "POST", "/v1/events/custom").json(body).send().expect(201);
}

/// A page view, as Segment's clients send it.
fn view(server: &Server, name: &str, url: &str, properties: Value) {
    let message = json!({
        "userId": name, "name": "Home", "properties": properties, "context": { "page": { "url": url } },
    });
    let key = &server.project().all;
    server.post("/v1/page").bearer(key).json(message).send().expect(200);
}

fn list(server: &Server, query: &str) -> Reply {
    call(server, "GET", &format!("/v1/events/{query}")).send()
}

/// The names of the events that a filter finds, sorted.
fn found(server: &Server, filter: &str) -> Vec<String> {
    let page = list(server, &format!("custom?filter={}", encode(filter))).expect(200).json();
    let mut names: Vec<String> = page["customEvents"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["eventName"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(page["totalHits"], names.len(), "{filter}");
    names.sort();
    names
}

#[test]
fn a_custom_event_reads_as_it_was_sent() {
    let server = Server::start();
    create(
        &server,
        json!({ "identifyId": "ann", "propertyKeys": ["AP-9"], "type": "LEAD", "accountId": "a-9" }),
    );
    let whole = json!({
        "identifyId": "ann", "eventName": "Invited", "date": START - MINUTE, "eventId": "e-1",
        "eventType": "SERVER", "attributes": { "team": "O", "seats": 3 }, "propertyKey": "AP-1",
        "userType": "USER", "accountId": "a-1", "sessionId": "visit-7", "globalContext": { "theme": "dark" },
        "url": "https://shop.example.com/x", "referrer": "https://a.b", "remoteHost": "192.0.2.1",
    });
    send(&server, whole.clone());
    let page = list(&server, "custom").expect(200).json();
    assert_eq!(page, json!({ "customEvents": [whole], "totalHits": 1, "scrollId": null }));
    // What it does not say itself is said by its user.
    server.clock.advance(DAY + MINUTE);
    send(&server, json!({ "identifyId": "ann", "eventName": "Bare", "eventId": "e-2" }));
    let session = server.read(|db| {
        let project = server.project().id;
        let ann = usher::people::find::get(db, project, "ann")?;
        usher::people::activity::sessions(db, &ann, (0, i64::MAX), 10)
    });
    let bare = json!({
        "eventId": "e-2", "identifyId": "ann", "propertyKey": "AP-9", "date": START + DAY + MINUTE,
        "eventType": "CUSTOM", "sessionId": session[1].id.to_string(), "userType": "LEAD",
        "accountId": "a-9", "globalContext": {}, "eventName": "Bare", "attributes": {}, "url": "",
        "referrer": "", "remoteHost": "",
    });
    let page = list(&server, "custom").expect(200).json();
    assert_eq!(page["customEvents"], json!([bare]));
}

#[test]
fn a_page_view_has_the_parts_of_its_address() {
    let server = Server::start();
    let url = "https://me@shop.example.com:8443/a/b%20c?x=1&y=a+b&x=2%26&z#top";
    view(&server, "ann", url, json!({ "title": "Shop", "referrer": "https://a.b" }));
    let page = list(&server, "pageView").expect(200).json();
    let view = &page["results"][0];
    let expected = json!({
        "identifyId": "ann", "date": START, "eventType": "PAGE_VIEW", "scheme": "https",
        "host": "shop.example.com:8443", "path": "/a/b%20c", "queryString": "x=1&y=a+b&x=2%26&z",
        "queryParams": { "x": ["1", "2&"], "y": ["a b"], "z": [""] }, "hash": "top", "pageTitle": "Shop",
        "referrer": "https://a.b", "screenHeight": 0, "screenWidth": 0, "languages": [],
    });
    assert_eq!(*view, with(view.clone(), expected));
    assert_eq!(fields(view).len(), 21);
    // A page view is no custom event.
    assert_eq!(list(&server, "custom").expect(200).json()["totalHits"], 0);
    for filter in ["path~/A/*", "host==SHOP.example.com:8443", "pageTitle~sh?p", "queryString~*y=a*"] {
        let page = list(&server, &format!("pageView?filter={}", encode(filter))).expect(200).json();
        assert_eq!(page["totalHits"], 1, "{filter}");
    }
    for filter in ["path==/a", "host!=shop.example.com:8443", "pageTitle~x*"] {
        let page = list(&server, &format!("pageView?filter={}", encode(filter))).expect(200).json();
        assert_eq!(page["totalHits"], 0, "{filter}");
    }
}

#[test]
fn a_session_is_listed_once_by_its_start() {
    let server = Server::start();
    send(&server, json!({ "identifyId": "ann", "eventName": "A", "sessionId": "visit-7" }));
    server.clock.advance(MINUTE);
    send(&server, json!({ "identifyId": "ann", "eventName": "B", "sessionId": "visit-7" }));
    send(&server, json!({ "identifyId": "ben", "eventName": "A" }));
    let page = list(&server, "session?sort=date").expect(200).json();
    assert_eq!((&page["totalHits"], &page["scrollId"]), (&json!(2), &Value::Null));
    let sessions = page["sessionInitializedEvents"].as_array().expect("a list");
    let first = json!({
        "identifyId": "ann", "date": START, "eventType": "SESSION_INITIALIZED", "sessionId": "visit-7",
        "userType": "USER", "remoteHost": "", "inferredLocation": {},
    });
    assert_eq!(sessions[0], with(sessions[0].clone(), first));
    assert_eq!(fields(&sessions[0]).len(), 11);
    // One without a name has its number for both.
    assert_eq!(sessions[1]["sessionId"], sessions[1]["eventId"]);
    assert_ne!(sessions[0]["sessionId"], sessions[0]["eventId"]);
    let page = list(&server, "session?filter=identifyId==BEN").expect(200).json();
    assert_eq!(page["totalHits"], 1);
}

#[test]
fn only_living_named_users_of_the_project_are_in_it() {
    let server = Server::start();
    let second = server.second();
    for name in ["ann", "ben", "cai"] {
        send(&server, json!({ "identifyId": name, "eventName": name }));
    }
    let theirs = server.post("/v1/events/custom").header("X-APTRINSIC-API-KEY", &second.all);
    theirs.json(json!({ "identifyId": "dan", "eventName": "dan" })).send().expect(201);
    let visitor = json!({ "anonymousId": "v-1", "event": "visitor" });
    server.post("/v1/track").bearer(&server.project().all).json(visitor).send().expect(200);
    assert_eq!(found(&server, ""), ["ann", "ben", "cai"]);
    delete(&server, "ben").expect(200);
    hard_delete(&server, "cai").expect(200);
    assert_eq!(found(&server, ""), ["ann"]);
    put(&server, "ben", json!({})).expect(204);
    assert_eq!(found(&server, ""), ["ann", "ben"]);
    // Who was a visitor has a name now.
    let told = json!({ "anonymousId": "v-1", "userId": "eve" });
    server.post("/v1/identify").bearer(&server.project().all).json(told).send().expect(200);
    assert_eq!(found(&server, ""), ["ann", "ben", "visitor"]);
    server.tick();
    assert_eq!(found(&server, ""), ["ann", "ben", "visitor"]);
}

#[test]
fn a_filter_is_read_as_that_of_users() {
    let server = Server::start();
    for (name, event, account) in
        [("ann", "Sign", "t2700-1"), ("Ben", "Pay", "t2700-2"), ("cai", "sign", "x")]
    {
        send(&server, json!({ "identifyId": name, "eventName": event, "accountId": account }));
        server.clock.advance(MINUTE);
    }
    let at = |minutes: i64| START + minutes * MINUTE;
    for (filter, expected) in [
        ("identifyId==ANN".to_owned(), vec!["Sign"]),
        ("identifyId==nobody".into(), vec![]),
        ("identifyId!=ann".into(), vec!["Pay", "sign"]),
        ("identifyId~?E*".into(), vec!["Pay"]),
        ("identifyId!~b*;eventName==SIGN".into(), vec!["Sign", "sign"]),
        ("eventName!=pay".into(), vec!["Sign", "sign"]),
        ("accountId~t2700*".into(), vec!["Pay", "Sign"]),
        ("accountId==x;identifyId==ann".into(), vec![]),
        (format!("date>={};date<={}", at(1), at(2)), vec!["Pay", "sign"]),
        (format!("date>{};date<{}", at(0), at(2)), vec!["Pay"]),
        (format!("date=={}", at(1)), vec!["Pay"]),
        (format!("date>={};date!={}", at(0), at(1)), vec!["Sign", "sign"]),
        (format!("identifyId~b*;date>={}", at(2)), vec![]),
        ("date>=2026-03-04T10:01:00Z".into(), vec!["Pay", "sign"]),
    ] {
        assert_eq!(found(&server, &filter), expected, "{filter}");
    }
    // Several are joined by OR.
    let both = format!("custom?filter=identifyId==ann&filter=date%3E={};eventName==sign", at(2));
    assert_eq!(list(&server, &both).expect(200).json()["totalHits"], 2);
    let users = "custom?filter=identifyId==ann&filter=identifyId==ben";
    assert_eq!(list(&server, users).expect(200).json()["totalHits"], 2);
}

#[test]
fn a_bad_search_is_refused_by_parameter() {
    let server = Server::start();
    let get = |query: &str| bad(list(&server, &format!("custom?{query}")));
    for (query, fault) in [
        (
            "filter=path==/x",
            "filter: these events are filtered by identifyId, eventName, date, accountId, not by path",
        ),
        ("filter=date~5*", "filter: date can be compared with ==, !=, <, <=, > and >= only"),
        ("filter=date%3E=soon", "filter: date must be compared with milliseconds since 1970"),
        ("filter=eventName%3E5", "filter: eventName can be compared with ==, !=, ~ and !~ only"),
        ("filter=x", "filter: must be conditions such as email==ann@example.com, joined by ;"),
        ("sort=identifyId", "sort: events are sorted by date, not by identifyId"),
        ("sort=accountId;date", "sort: date must come first"),
        ("sort=date;email", "sort: events are sorted by date, not by email"),
        ("pageSize=0", "pageSize: must be from 1 to 1000"),
        ("pageSize=1001", "pageSize: must be from 1 to 1000"),
        ("dateRangeStart=soon", "dateRangeStart: must be a time in milliseconds since 1970"),
        ("dateRangeEnd=-1", "dateRangeEnd: must be a time in milliseconds since 1970"),
        ("dateRangeStart=2&dateRangeEnd=1", "dateRangeStart: must not be after dateRangeEnd"),
        ("scrollId=x", "scrollId: was not issued by this server"),
    ] {
        assert_eq!(get(query), [fault]);
    }
    let writer = server.key(Some(server.project().id), "ingest,write,delete");
    let reply = server.get("/v1/events/custom").header("X-APTRINSIC-API-KEY", &writer).send();
    refused(reply, 403, "FORBIDDEN");
}
