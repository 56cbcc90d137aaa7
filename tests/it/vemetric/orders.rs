//! What a list of users is ordered by.

use serde_json::{Value, json};
use usher::clock::{DAY, MINUTE, Millis};
use usher::model::ProfileChange;

use super::{call, did, invalid, list, names, seen, send, set, visit};
use crate::harness::{START, Server};

fn ordered(server: &Server, field: &str, direction: &str) -> Value {
    list(server, json!({ "dateRange": "1year", "orderBy": [[field, direction]] }))
}

/// Users in the order of their ids, all seen at one time.
fn people(server: &Server, people: &[(&str, Option<&str>, Option<&str>)]) {
    for (name, display_name, country) in people {
        seen(server, name, START);
        let change = ProfileChange {
            display_name: Some(display_name.map(str::to_owned)),
            country: Some(country.map(str::to_owned)),
            ..ProfileChange::default()
        };
        set(server, name, change);
    }
}

#[test]
fn each_field_orders_both_ways_and_users_without_it_come_last() {
    let server = Server::start();
    let them = [
        ("c", Some("Zoe"), None),
        ("a", None, Some("US")),
        ("d", Some("Ann"), Some("CH")),
        ("b", Some("Émile"), None),
    ];
    people(&server, &them);
    visit(&server, "visitor", START);
    for (field, direction, expected) in [
        ("identifier", "asc", ["a", "b", "c", "d", "-"]),
        ("identifier", "desc", ["d", "c", "b", "a", "-"]),
        ("displayName", "asc", ["d", "c", "b", "a", "-"]),
        ("displayName", "desc", ["b", "c", "d", "-", "a"]),
        ("country", "asc", ["d", "a", "c", "b", "-"]),
        ("country", "desc", ["a", "d", "-", "b", "c"]),
    ] {
        assert_eq!(names(&ordered(&server, field, direction)), expected, "{field} {direction}");
    }
}

#[test]
fn the_last_seen_come_first_unless_another_order_is_asked_for() {
    let server = Server::start();
    for (name, ago) in [("b", 2), ("a", 1), ("c", 3)] {
        seen(&server, name, START - ago * MINUTE);
    }
    let usual = list(&server, json!({ "dateRange": "1hr" }));
    assert_eq!(names(&usual), ["a", "b", "c"]);
    for order in [json!([["lastSeenAt", "desc"]]), json!([]), Value::Null] {
        assert_eq!(list(&server, json!({ "dateRange": "1hr", "orderBy": order })), usual);
    }
    assert_eq!(names(&ordered(&server, "lastSeenAt", "asc")), ["c", "b", "a"]);
    // In a period that is over, by what was seen in it.
    seen(&server, "c", START);
    let then = json!(["2026-03-04T09:00:00Z", "2026-03-04T09:59:00Z"]);
    let body = json!({ "dateRange": then, "orderBy": [["lastSeenAt", "desc"]] });
    assert_eq!(names(&list(&server, body)), ["a", "b", "c"]);
}

#[test]
fn the_name_that_orders_is_the_name_that_is_shown() {
    let server = Server::start();
    people(&server, &[("a", Some("Mia"), None), ("b", None, None), ("c", None, None), ("d", None, None)]);
    let parts = |first: Option<&str>, last: Option<&str>| ProfileChange {
        first_name: Some(first.map(str::to_owned)),
        last_name: Some(last.map(str::to_owned)),
        ..ProfileChange::default()
    };
    set(&server, "a", parts(Some("Zoe"), Some("Zulu")));
    set(&server, "b", parts(Some("Ann"), Some("Lee")));
    set(&server, "c", parts(None, Some("Nash")));
    set(&server, "d", parts(Some("Ann"), None));
    let listed = ordered(&server, "displayName", "asc");
    assert_eq!(names(&listed), ["d", "b", "a", "c"]);
    let shown: Vec<&Value> =
        listed["users"].as_array().expect("a list").iter().map(|user| &user["displayName"]).collect();
    assert_eq!(shown, ["Ann", "Ann Lee", "Mia", "Nash"]);
}

#[test]
fn equal_users_keep_their_order_over_all_pages() {
    let server = Server::start();
    let all: Vec<String> = (0..25).map(|n| format!("user {n:02}")).collect();
    for name in &all {
        seen(&server, name, START);
    }
    for (field, direction) in
        [("country", "asc"), ("country", "desc"), ("lastSeenAt", "asc"), ("lastSeenAt", "desc")]
    {
        let mut walked: Vec<String> = Vec::new();
        for offset in (0..25).step_by(4) {
            let order = json!([[field, direction]]);
            let page =
                list(&server, json!({ "dateRange": "1hr", "orderBy": order, "limit": 4, "offset": offset }));
            walked.extend(names(&page).into_iter().map(str::to_owned));
        }
        if direction == "desc" {
            walked.reverse();
        }
        assert_eq!(walked, all, "{field} {direction}");
    }
}

/// The vendor's page: "sorts users by when they last fired a matching event filter";
/// `lastEventFiredAt` is "Populated only for orderBy[0][0] = "lastEventFired"".
#[test]
fn users_are_ordered_by_when_they_last_did_something() {
    let server = Server::start();
    let day = |n: Millis| START - n * DAY;
    did(&server, "ann", "Signup", day(3));
    did(&server, "ann", "Signup", day(9));
    did(&server, "ann", "Other", day(1));
    did(&server, "bob", "Signup", day(2));
    did(&server, "cid", "signup", day(1));
    did(&server, "dan", "Other", day(1));
    let by = |direction: &str, name: Value, range: &str| {
        let order = json!([["lastEventFired", direction, { "name": name }]]);
        list(&server, json!({ "dateRange": range, "orderBy": order }))
    };
    let signup = || json!({ "operator": "eq", "value": "Signup" });
    let listed = by("desc", signup(), "30days");
    assert_eq!(names(&listed), ["bob", "ann", "dan", "cid"]);
    let fired: Vec<&Value> =
        listed["users"].as_array().expect("a list").iter().map(|user| &user["lastEventFiredAt"]).collect();
    assert_eq!(
        fired,
        [&json!("2026-03-02T10:00:00Z"), &json!("2026-03-01T10:00:00Z"), &json!(null), &json!(null)]
    );
    assert_eq!(names(&by("asc", signup(), "30days")), ["ann", "bob", "cid", "dan"]);
    // The others are where they are by what they did at all.
    assert_eq!(listed["users"][1]["lastSeenAt"], "2026-03-03T10:00:00Z");
    // And of it, a page.
    let order = json!([["lastEventFired", "desc", { "name": signup() }]]);
    let page = json!({ "dateRange": "30days", "orderBy": order, "limit": 2, "offset": 1 });
    assert_eq!(names(&list(&server, page)), ["ann", "dan"]);
    for (name, expected) in [
        (json!({ "operator": "contains", "value": "IGNU" }), ["cid", "bob", "ann", "dan"]),
        (json!({ "operator": "startsWith", "value": "SIGN" }), ["cid", "bob", "ann", "dan"]),
        (json!({ "operator": "endsWith", "value": "UP" }), ["cid", "bob", "ann", "dan"]),
        (json!({ "operator": "notEq", "value": "Signup" }), ["dan", "cid", "ann", "bob"]),
        (json!({ "operator": "notContains", "value": "sign" }), ["dan", "ann", "cid", "bob"]),
        (json!({ "operator": "any" }), ["dan", "cid", "ann", "bob"]),
    ] {
        assert_eq!(names(&by("desc", name.clone(), "30days")), expected, "{name}");
    }
    // Only what they did in the period counts.
    did(&server, "eve", "Signup", day(20));
    did(&server, "eve", "Other", day(10));
    let past = list(&server, json!({ "dateRange": ["2026-02-20", "2026-02-28"], "orderBy": order }));
    assert_eq!(names(&past), ["ann", "eve"]);
    assert_eq!(past["users"][0]["lastEventFiredAt"], "2026-02-23T10:00:00Z");
    assert_eq!(past["users"][1]["lastEventFiredAt"], Value::Null);
}

#[test]
fn the_last_event_is_told_by_its_data_too() {
    let server = Server::start();
    for (name, event, data) in [
        ("ann", "Signup", json!({ "provider": "google", "seats": 5, "beta": true })),
        ("bob", "Signup", json!({ "provider": "github" })),
        ("cid", "$$pageView", json!({ "provider": "google" })),
        ("dan", "Invited", json!({ "provider": "google", "list": ["google"] })),
    ] {
        server.clock.advance(MINUTE);
        let url = "https://shop.example.com/";
        let body = json!({ "name": event, "userIdentifier": name, "customData": data, "url": url });
        send(&server, "/e", body).expect(200);
    }
    let fired = |filter: Value| {
        let order = json!([["lastEventFired", "asc", filter]]);
        let listed = list(&server, json!({ "dateRange": "1hr", "orderBy": order }));
        let users = listed["users"].as_array().expect("a list").clone();
        let mut who: Vec<String> = users
            .iter()
            .filter(|user| !user["lastEventFiredAt"].is_null())
            .map(|user| user["identifier"].as_str().expect("a name").to_owned())
            .collect();
        assert_eq!(users.len(), 4);
        who.sort();
        who.join(" ")
    };
    let property = |property: &str, operator: &str, value: &str| json!({ "property": property, "operator": operator, "value": value });
    let google = || property("provider", "eq", "google");
    assert_eq!(fired(json!({ "properties": [google()] })), "ann dan");
    let signup = json!({ "operator": "eq", "value": "Signup" });
    assert_eq!(fired(json!({ "name": signup, "properties": [google()] })), "ann");
    assert_eq!(fired(json!({ "properties": [google(), property("seats", "eq", "5")] })), "ann");
    assert_eq!(fired(json!({ "properties": [property("beta", "eq", "true")] })), "ann");
    assert_eq!(fired(json!({ "properties": [property("list", "contains", "google")] })), "");
    assert_eq!(fired(json!({ "properties": [property("seats", "notEq", "5")] })), "bob dan");
    assert_eq!(fired(json!({ "name": { "operator": "any" }, "properties": null })), "ann bob dan");
}

#[test]
fn a_bad_order_is_refused_by_its_place() {
    let server = Server::start();
    let fields = "field must be lastSeenAt, displayName, identifier, country or lastEventFired";
    let directions = "direction must be asc or desc";
    let operators = "must be any, eq, notEq, contains, notContains, startsWith or endsWith";
    let pair = "must be [field, direction]";
    let one = "must be a list of at most one [field, direction]";
    let name = json!({ "operator": "eq", "value": "x" });
    let by = |filter: Value| json!([["lastEventFired", "desc", filter]]);
    for (order, field, message) in [
        (json!("lastSeenAt"), "orderBy", one),
        (json!({}), "orderBy", one),
        (
            json!([["lastSeenAt", "desc"], ["identifier", "asc"]]),
            "orderBy",
            "orderBy can include max one item",
        ),
        (json!(["lastSeenAt", "desc"]), "orderBy", "orderBy can include max one item"),
        (json!(["lastSeenAt"]), "orderBy.0", pair),
        (json!([[]]), "orderBy.0", pair),
        (json!([["lastSeenAt"]]), "orderBy.0", pair),
        (json!([["lastSeenAt", "desc", {}, {}]]), "orderBy.0", pair),
        (json!([["users", "desc"]]), "orderBy.0", fields),
        (json!([["last_seen", "desc"]]), "orderBy.0", fields),
        (json!([[1, "desc"]]), "orderBy.0", fields),
        (json!([["lastSeenAt", "sideways"]]), "orderBy.0", directions),
        (json!([["lastSeenAt", "DESC"]]), "orderBy.0", directions),
        (json!([["lastSeenAt", null]]), "orderBy.0", directions),
        (
            json!([["displayName", "asc", { "name": name }]]),
            "orderBy.0",
            "only lastEventFired takes an event filter",
        ),
        (
            json!([["lastEventFired", "desc"]]),
            "orderBy.0",
            "must be [lastEventFired, direction, event filter]",
        ),
        (json!([["lastEventFired", "up", { "name": name }]]), "orderBy.0", directions),
        (by(json!("x")), "orderBy.0.2", "must be an object"),
        (by(json!({})), "orderBy.0.2", "must have name or properties"),
        (by(json!({ "properties": [] })), "orderBy.0.2", "must have name or properties"),
        (by(json!({ "name": "x" })), "orderBy.0.2.name.operator", operators),
        (by(json!({ "name": { "operator": "is", "value": "x" } })), "orderBy.0.2.name.operator", operators),
        (by(json!({ "name": { "operator": "eq" } })), "orderBy.0.2.name.value", "must be a string"),
        (
            by(json!({ "name": { "operator": "eq", "value": 1 } })),
            "orderBy.0.2.name.value",
            "must be a string",
        ),
        (by(json!({ "properties": {} })), "orderBy.0.2.properties", "must be a list"),
        (
            by(json!({ "properties": [{ "operator": "eq", "value": "x" }] })),
            "orderBy.0.2.properties.0.property",
            "must be a string",
        ),
        (
            by(json!({ "properties": [{ "property": "a", "value": "x" }] })),
            "orderBy.0.2.properties.0.operator",
            operators,
        ),
    ] {
        let body = json!({ "dateRange": "live", "orderBy": order });
        invalid(call(&server, "POST", "/v1/users").json(body).send(), &[(field, message)]);
    }
}
