//! The lists of users and of one user's events: their shapes, their pages, their faults.

use serde_json::{Value, json};
use usher::clock::{HOUR, Millis};
use usher::model::{Kind, ProfileChange, TRASH_PERIOD};
use usher::people::activity;
use usher::store::NormalTx;

use super::{ONE, call, did, hide, invalid, list, names, seen, send, set, user, visit};
use crate::harness::{Reply, START, Server, encode, event, fields, named};

pub(super) const SPANS: &str =
    "must be live, 1hr, 24hrs, 7days, 30days, 3months, 6months, 1year or [start, end]";

pub(super) fn post(server: &Server, path: &str, body: Value) -> Reply {
    call(server, "POST", path).json(body).send()
}

pub(super) fn events(server: &Server, name: &str, body: Value) -> Value {
    post(server, &format!("/v1/users/events?identifier={}", encode(name)), body).expect(200).json()
}

pub(super) fn titles(list: &Value) -> Vec<&str> {
    let events = list["events"].as_array().expect("a list");
    events.iter().map(|event| event["name"].as_str().expect("a name")).collect()
}

#[test]
fn a_list_of_users_has_its_period_its_page_and_ten_keys_a_user() {
    let server = Server::start();
    let id = seen(&server, "ann", START - HOUR);
    set(&server, "ann", ProfileChange { city: Some(Some("Bern".into())), ..ProfileChange::default() });
    let list = list(&server, json!({ "dateRange": "7days", "unknown": 1 }));
    let expected = json!({
        "period": { "from": "2026-02-26T00:00:00Z", "to": "2026-03-04T10:00:00Z" },
        "pagination": { "limit": 100, "offset": 0, "returned": 1 },
        "users": [{
            "id": id.to_string(), "identifier": "ann", "displayName": null, "country": null,
            "city": "Bern", "lastSeenAt": "2026-03-04T09:00:00Z", "lastEventFiredAt": null,
            "avatarUrl": null, "data": {}, "anonymous": false,
        }],
    });
    assert_eq!(list, expected);
}

#[test]
fn a_list_of_events_has_its_period_page_and_keys() {
    let server = Server::start();
    let data = json!({ "plan": "pro", "list": [1, null, { "deep": true }] });
    let body = json!({
        "name": "Upgraded", "userIdentifier": "ann", "customData": data,
        "url": "https://shop.example.com/pricing?a=1#plans",
    });
    send(&server, "/e", body).expect(200);
    let list = events(&server, "ann", json!({ "dateRange": "24hrs", "limit": 5, "offset": 0 }));
    let session = list["events"][0]["sessionId"].as_str().expect("a text").to_owned();
    assert!(session.parse::<i64>().is_ok(), "{session}");
    let expected = json!({
        "period": { "from": "2026-03-03T11:00:00Z", "to": "2026-03-04T10:00:00Z" },
        "pagination": { "limit": 5, "offset": 0, "returned": 1 },
        "events": [{
            "sessionId": session, "name": "Upgraded", "isPageView": false,
            "createdAt": "2026-03-04T10:00:00Z", "origin": "https://shop.example.com",
            "path": "/pricing", "hash": "#plans", "data": data,
        }],
    });
    assert_eq!(list, expected);
    let id = user(&server, "ann")["id"].as_str().expect("an id").to_owned();
    let by_id =
        post(&server, &format!("/v1/users/events?id={id}"), json!({ "dateRange": "24hrs", "limit": 5 }));
    assert_eq!(by_id.expect(200).json(), expected);
}

#[test]
fn anonymous_users_are_listed_and_hidden_ones_are_not() {
    let server = Server::start();
    for name in ["ann", "bob"] {
        seen(&server, name, START - HOUR);
    }
    let visitor = visit(&server, "visitor", START);
    hide(&server, "bob");
    let second = server.second();
    let year = json!({ "dateRange": "1year" });
    let listed = list(&server, year.clone());
    assert_eq!(names(&listed), ["-", "ann"]);
    assert_eq!(listed["users"][0]["id"], visitor.to_string());
    assert_eq!(listed["users"][0]["anonymous"], true);
    let theirs = server.post("/v1/users").bearer(&second.all).json(year.clone()).send().expect(200).json();
    assert_eq!(theirs["users"], json!([]));
    let path = "/v1/users/events?identifier=bob";
    assert_eq!(post(&server, path, year.clone()).expect(404).json()["error"]["code"], "USER_NOT_FOUND");
    server.clock.advance(TRASH_PERIOD);
    assert_eq!(names(&list(&server, year)), ["-", "ann"]);
}

#[test]
fn events_come_newest_first_also_those_of_one_millisecond() {
    let server = Server::start();
    for (name, at) in [("b", START - 1), ("a", START - 2), ("c", START), ("d", START), ("e", START)] {
        did(&server, "ann", name, at);
    }
    let page = |limit: u32, offset: u32| {
        let body = json!({ "dateRange": "live", "limit": limit, "offset": offset });
        let list = events(&server, "ann", body);
        let returned = list["events"].as_array().expect("a list").len();
        let pagination = json!({ "limit": limit, "offset": offset, "returned": returned });
        assert_eq!(list["pagination"], pagination);
        titles(&list).concat()
    };
    assert_eq!(page(100, 0), "edcba");
    assert_eq!(
        (page(2, 0), page(2, 2), page(2, 4), page(2, 6)),
        ("ed".into(), "cb".into(), "a".into(), "".into())
    );
    assert_eq!(page(1_000, 1), "dcba");
}

#[test]
fn page_views_of_any_client_are_told_as_page_views() {
    let server = Server::start();
    let url = "https://shop.example.com/";
    let body = json!({ "name": "$$pageView", "userIdentifier": "ann", "url": url });
    send(&server, "/e", body).expect(200);
    let project = server.project().id;
    for (kind, name) in
        [(Kind::Page, ""), (Kind::Page, "Pricing"), (Kind::Screen, "Home"), (Kind::Log, "step 1")]
    {
        server.clock.advance(1);
        let mut event = event(&named("ann"), name, server.clock.now());
        event.kind = kind;
        server.write(move |tx: &NormalTx| activity::record(tx, project, &event));
    }
    let list = events(&server, "ann", json!({ "dateRange": "live" }));
    let shown: Vec<(&Value, &Value, bool)> = list["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| (&event["name"], &event["isPageView"], event["sessionId"] == ""))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("step 1"), &json!(false), true),
            (&json!("Home"), &json!(false), false),
            (&json!("Pricing"), &json!(true), false),
            (&json!("$$pageView"), &json!(true), false),
            (&json!("$$pageView"), &json!(true), false),
        ]
    );
}

#[test]
fn an_address_is_split_as_far_as_it_can_be() {
    let server = Server::start();
    let cases = [
        ("https://a.example", ["https://a.example", "/", ""]),
        ("HTTPS://A.Example:443/B/c/?q=#Top", ["https://a.example", "/B/c/", "#Top"]),
        ("http://a.example:80/#", ["http://a.example", "/", ""]),
        ("http://a.example:443?q=/x#a?b#c", ["http://a.example:443", "/", "#a?b#c"]),
        ("https://ann:secret@a.example/x", ["https://a.example", "/x", ""]),
        ("http://[::1]:8080/x", ["http://[::1]:8080", "/x", ""]),
        ("app://home/tab", ["app://home", "/tab", ""]),
        ("https://a.example/%F0%9F%98%80/ü", ["https://a.example", "/%F0%9F%98%80/ü", ""]),
        // What other clients send.
        ("/pricing?x=1#plans", ["", "/pricing", "#plans"]),
        ("pricing", ["", "", ""]),
        ("https://", ["", "", ""]),
    ];
    let project = server.project().id;
    for (n, (url, _)) in cases.iter().enumerate() {
        let mut event = event(&named("ann"), url, START - Millis::try_from(n).expect("a number"));
        event.url = Some((*url).to_owned());
        server.write(move |tx: &NormalTx| activity::record(tx, project, &event));
    }
    let list = events(&server, "ann", json!({ "dateRange": "live" }));
    for (n, (url, parts)) in cases.iter().enumerate() {
        let event = &list["events"][n];
        let shown = ["origin", "path", "hash"].map(|part| event[part].as_str().unwrap_or_default());
        assert_eq!((event["name"].as_str(), shown), (Some(*url), *parts));
        assert!(["origin", "path", "hash"].iter().all(|part| event[*part] != ""), "null, not empty");
    }
}

#[test]
fn a_page_has_one_to_a_thousand() {
    let server = Server::start();
    for n in 0..3 {
        seen(&server, &format!("user {n}"), START - n);
    }
    let page = |limit: Value, offset: Value| {
        list(&server, json!({ "dateRange": "live", "limit": limit, "offset": offset }))
    };
    for (limit, offset, expected) in [
        (json!(1), json!(0), vec!["user 0"]),
        (json!(1), json!(2), vec!["user 2"]),
        (json!(1_000), json!(1), vec!["user 1", "user 2"]),
        (json!(2), json!(3), vec![]),
        (json!(2), json!(4_294_967_295_u32), vec![]),
        (Value::Null, Value::Null, vec!["user 0", "user 1", "user 2"]),
    ] {
        let listed = page(limit.clone(), offset.clone());
        assert_eq!(names(&listed), expected);
        let returned = listed["pagination"]["returned"].as_u64().expect("a number");
        assert_eq!(usize::try_from(returned).expect("a number"), expected.len());
        assert_eq!(listed["pagination"]["limit"], if limit.is_null() { json!(100) } else { limit });
        assert_eq!(listed["pagination"]["offset"], if offset.is_null() { json!(0) } else { offset });
    }
    let limits = "must be between 1 and 1000";
    let offsets = "must be between 0 and 4294967295";
    let whole = "must be an integer";
    for (limit, offset, field, message) in [
        (json!(0), json!(0), "limit", limits),
        (json!(1_001), json!(0), "limit", limits),
        (json!(-1), json!(0), "limit", limits),
        (json!(1.5), json!(0), "limit", whole),
        (json!("10"), json!(0), "limit", whole),
        (json!([10]), json!(0), "limit", whole),
        (json!(1), json!(-1), "offset", offsets),
        (json!(1), json!(4_294_967_296_u64), "offset", offsets),
        (json!(1), json!(true), "offset", whole),
        (json!(1), json!(1e300), "offset", whole),
    ] {
        let body = json!({ "dateRange": "live", "limit": limit, "offset": offset });
        invalid(post(&server, "/v1/users", body.clone()), &[(field, message)]);
        invalid(post(&server, "/v1/users/events?identifier=user%200", body), &[(field, message)]);
    }
}

#[test]
fn all_faults_of_a_request_are_told_at_once() {
    let server = Server::start();
    let body = json!({
        "dateRange": "ever", "limit": 0, "offset": -1, "orderBy": [["age", "asc"]],
        "filters": [{ "type": "page", "path": 5 }, { "type": "age" }], "filtersOperator": "xor",
    });
    let text = "must be any, eq, notEq, contains, notContains, startsWith or endsWith";
    let kinds = "must be page, event, user, location, referrer, referrerUrl, referrerType, utmTags, browser, \
                 device, os or funnel";
    let filters = |kinds| {
        [
            ("filters.0.path.operator", text),
            ("filters.1.type", kinds),
            ("filtersOperator", "must be and or or"),
        ]
    };
    let (span, limit, offset) = (
        ("dateRange", SPANS),
        ("limit", "must be between 1 and 1000"),
        ("offset", "must be between 0 and 4294967295"),
    );
    let field = "field must be lastSeenAt, displayName, identifier, country or lastEventFired";
    let [one, two, three] = filters(kinds);
    let faults = [span, one, two, three, limit, offset, ("orderBy.0", field)];
    invalid(post(&server, "/v1/users", body.clone()), &faults);
    // A list of events has no order to choose; its query is part of the request.
    let [one, two, three] = filters("must be event, page, browser, device or os");
    let faults = [("id", ONE), ("identifier", ONE), span, one, two, three, limit, offset];
    invalid(post(&server, "/v1/users/events", body), &faults);
    for none in [json!([]), Value::Null] {
        list(&server, json!({ "dateRange": "live", "filters": none, "filtersOperator": "or" }));
    }
}

#[test]
fn a_body_that_is_no_json_object_is_a_fault_of_the_body() {
    let server = Server::start();
    for path in ["/v1/users", "/v1/users/events?identifier=ann"] {
        for body in ["", "{", "[]", "null", "\"live\"", "dateRange=live"] {
            let reply = call(&server, "POST", path).body(body, "application/json").send().expect(400).json();
            assert_eq!(fields(&reply["error"]), ["code", "details", "message"]);
            assert_eq!(reply["error"]["code"], "VALIDATION_ERROR");
            assert_eq!(reply["error"]["details"].as_array().expect("a list").len(), 1);
            assert_eq!(reply["error"]["details"][0]["field"], "body");
        }
        let huge = json!({ "dateRange": "live", "more": "x".repeat(1024 * 1024) });
        let reply = post(&server, path, huge).expect(413).json();
        assert_eq!(reply["error"]["code"], "PAYLOAD_TOO_LARGE");
    }
    let both = call(&server, "POST", "/v1/users/events").body("{", "application/json").send().expect(400);
    let details = both.json()["error"]["details"].clone();
    let named: Vec<&Value> =
        details.as_array().expect("a list").iter().map(|fault| &fault["field"]).collect();
    assert_eq!(named, ["id", "identifier", "body"]);
}
