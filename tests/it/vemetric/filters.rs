//! `filters` of the lists: who and what passes, and what is refused.

use serde_json::{Value, json};
use usher::clock::{DAY, MINUTE};
use usher::model::{Device, ProfileChange};
use usher::people::activity;
use usher::people::activity::Incoming;
use usher::store::NormalTx;

use super::lists::{events, post, titles};
use super::{invalid, list, names, send, set, visit};
use crate::harness::{START, Server, event, named};

const TEXT: &str = "must be any, eq, notEq, contains, notContains, startsWith or endsWith";
const LIST: &str = "must be any, oneOf or noneOf";

fn track(server: &Server, who: &str, name: &str, url: &str, data: Value) {
    server.clock.advance(MINUTE);
    let body = json!({ "name": name, "userIdentifier": who, "url": url, "customData": data });
    send(server, "/e", body).expect(200);
}

/// Three who saw and did some things, and a visitor.
fn shop() -> Server {
    let server = Server::start();
    let page = "$$pageView";
    track(
        &server,
        "ann",
        page,
        "https://shop.example.com/pricing?utm_source=News+Letter&utm_term=a%26b#team",
        json!({}),
    );
    track(&server, "ann", page, "https://shop.example.com/blog/1", json!({}));
    track(&server, "ann", "Signup", "https://shop.example.com/x", json!({ "plan": "pro", "seats": 5 }));
    track(&server, "bob", page, "https://blog.example.com/blog/2?utm_source=search", json!({}));
    track(&server, "bob", "Signup", "https://shop.example.com/x", json!({ "plan": "free" }));
    track(&server, "cid", "Login", "https://shop.example.com/pricing", json!({ "plan": "pro" }));
    visit(&server, "visitor", server.clock.now() - 30 * MINUTE);
    for (who, country, city) in [("ann", "DE", "Berlin"), ("bob", "US", "Berlin")] {
        let text = |text: &str| Some(Some(text.to_owned()));
        set(&server, who, ProfileChange { country: text(country), city: text(city), ..Default::default() });
    }
    server
}

/// Who passes, in the order of their names, the visitor as `-`.
fn pass(server: &Server, filters: Value, operator: &str) -> String {
    let body = json!({
        "dateRange": "24hrs", "filters": filters, "filtersOperator": operator,
        "orderBy": [["identifier", "asc"]],
    });
    names(&list(server, body)).join(" ")
}

fn test(operator: &str, value: &str) -> Value {
    json!({ "operator": operator, "value": value })
}

#[test]
fn pages_are_told_by_origin_path_and_hash() {
    let server = shop();
    for (filter, expected) in [
        (json!({ "path": test("eq", "/pricing") }), "ann"),
        (json!({ "path": test("eq", "/Pricing") }), ""),
        (json!({ "path": test("startsWith", "/BLOG") }), "ann bob"),
        (json!({ "path": test("endsWith", "/2") }), "bob"),
        (json!({ "path": test("contains", "o") }), "ann bob"),
        (json!({ "path": test("notEq", "/blog/1") }), "ann bob -"),
        (json!({ "path": test("notContains", "blog") }), "ann -"),
        (json!({ "origin": test("eq", "https://shop.example.com") }), "ann -"),
        (json!({ "origin": test("eq", "https://shop.example.com"), "path": test("eq", "/") }), "-"),
        (json!({ "hash": test("eq", "team") }), "ann"),
        (json!({ "hash": test("eq", "#team") }), "ann"),
        (json!({ "hash": test("eq", "") }), "ann bob -"),
        // All of it is of one page.
        (json!({ "hash": test("eq", "team"), "path": test("eq", "/blog/1") }), ""),
        (json!({ "path": test("any", "x") }), "ann bob cid -"),
        (json!({}), "ann bob cid -"),
    ] {
        let mut page = filter;
        page["type"] = json!("page");
        assert_eq!(pass(&server, json!([page.clone()]), "and"), expected, "{page}");
    }
}

#[test]
fn events_are_told_by_name_and_properties() {
    let server = shop();
    let plan =
        |operator: &str, value: &str| json!({ "property": "plan", "operator": operator, "value": value });
    for (filter, expected) in [
        (json!({ "name": test("eq", "Signup") }), "ann bob"),
        (json!({ "name": test("contains", "log") }), "cid"),
        (json!({ "name": test("notEq", "Signup") }), "cid"),
        (json!({ "name": test("eq", "Signup"), "properties": [plan("eq", "pro")] }), "ann"),
        (json!({ "properties": [plan("eq", "pro")] }), "ann cid"),
        (
            json!({ "properties": [plan("eq", "pro"), { "property": "seats", "operator": "eq", "value": "5" }] }),
            "ann",
        ),
        (json!({ "properties": [{ "property": "seats", "operator": "notEq", "value": "5" }] }), "bob cid"),
        // A page view is no event here.
        (json!({ "name": test("eq", "$$pageView") }), ""),
        (json!({ "name": test("any", ""), "properties": [plan("any", "")] }), "ann bob cid -"),
    ] {
        let mut event = filter;
        event["type"] = json!("event");
        assert_eq!(pass(&server, json!([event.clone()]), "and"), expected, "{event}");
    }
}

#[test]
fn users_are_told_by_who_and_where_they_are() {
    let server = shop();
    let user = |anonymous: bool| json!([{ "type": "user", "anonymous": anonymous }]);
    assert_eq!(pass(&server, user(true), "and"), "-");
    assert_eq!(pass(&server, user(false), "and"), "ann bob cid");
    let of = |operator: &str, values: &[&str]| json!({ "operator": operator, "value": values });
    for (filter, expected) in [
        (json!({ "country": of("oneOf", &["DE", "FR"]) }), "ann"),
        (json!({ "country": of("oneOf", &["de"]) }), ""),
        (json!({ "country": of("noneOf", &["DE"]) }), "bob cid -"),
        (json!({ "city": of("oneOf", &["Berlin"]) }), "ann bob"),
        (json!({ "city": of("oneOf", &["Berlin"]), "country": of("noneOf", &["DE"]) }), "bob"),
        (json!({ "country": of("oneOf", &[]) }), "ann bob cid -"),
        (json!({ "country": { "operator": "any" } }), "ann bob cid -"),
    ] {
        let mut location = filter;
        location["type"] = json!("location");
        assert_eq!(pass(&server, json!([location.clone()]), "and"), expected, "{location}");
    }
}

#[test]
fn campaigns_are_read_from_the_first_page_of_a_visit() {
    let server = shop();
    for (filter, expected) in [
        (json!({ "utmSource": test("eq", "News Letter") }), "ann"),
        (json!({ "utmTerm": test("eq", "a&b") }), "ann"),
        (json!({ "utmSource": test("contains", "E") }), "ann bob"),
        (json!({ "utmSource": test("eq", "search"), "utmTerm": test("eq", "a&b") }), ""),
        // Ann's second page has none, but her visit came with one.
        (json!({ "utmSource": test("notContains", "news") }), "bob -"),
        (json!({ "utmMedium": test("any", "") }), "ann bob cid -"),
    ] {
        let mut tags = filter;
        tags["type"] = json!("utmTags");
        assert_eq!(pass(&server, json!([tags.clone()]), "and"), expected, "{tags}");
    }
}

#[test]
fn devices_are_told_by_the_sessions() {
    let server = shop();
    let project = server.project().id;
    server.write(move |tx: &NormalTx| {
        for (n, (who, browser)) in
            [("dan", "Chrome"), ("eve", "Safari"), ("dan", "Safari")].iter().enumerate()
        {
            let device = Device {
                browser: Some((*browser).to_owned()),
                os: Some("macOS".to_owned()),
                device: Some("desktop".to_owned()),
                country: None,
            };
            let seen = event(&named(who), browser, START);
            let session = Some(named(&format!("session {n}")));
            activity::record(tx, project, &Incoming { session, device, ..seen })?;
        }
        Ok(())
    });
    let of = |kind: &str, operator: &str, values: &[&str]| json!([{ "type": kind, "operator": operator, "value": values }]);
    assert_eq!(pass(&server, of("browser", "oneOf", &["Chrome"]), "and"), "dan");
    assert_eq!(pass(&server, of("browser", "oneOf", &["Chrome", "Safari"]), "and"), "dan eve");
    assert_eq!(pass(&server, of("browser", "noneOf", &["Chrome"]), "and"), "ann bob cid dan eve -");
    assert_eq!(pass(&server, of("os", "oneOf", &["macOS"]), "and"), "dan eve");
    assert_eq!(pass(&server, of("device", "noneOf", &["desktop"]), "and"), "ann bob cid -");
    let only = |filters: Value| {
        let listed = events(&server, "dan", json!({ "dateRange": "24hrs", "filters": filters }));
        let mut titles: Vec<String> = titles(&listed).into_iter().map(str::to_owned).collect();
        titles.sort();
        titles.join(" ")
    };
    assert_eq!(only(of("browser", "oneOf", &["Chrome"])), "Chrome");
    assert_eq!(only(of("browser", "noneOf", &["Chrome"])), "Safari");
    assert_eq!(only(of("os", "oneOf", &["macOS"])), "Chrome Safari");
}

#[test]
fn filters_are_joined_by_and_or_by_or() {
    let server = shop();
    let pricing = json!({ "type": "page", "path": test("eq", "/pricing") });
    let signup = json!({ "type": "event", "name": test("eq", "Signup") });
    let known = json!({ "type": "user", "anonymous": false });
    let off = json!({ "type": "page", "path": test("any", "") });
    assert_eq!(pass(&server, json!([pricing, signup]), "and"), "ann");
    assert_eq!(pass(&server, json!([pricing, signup]), "or"), "ann bob");
    assert_eq!(pass(&server, json!([pricing, known]), "or"), "ann bob cid");
    // One that is switched off lets nobody in who is not let in by another.
    assert_eq!(pass(&server, json!([pricing, off]), "or"), "ann");
    assert_eq!(pass(&server, json!([off]), "or"), "ann bob cid -");
    // Only what they did in the period counts.
    server.clock.advance(DAY);
    track(&server, "bob", "Login", "https://shop.example.com/", json!({}));
    let body = |filter: &Value| json!({ "dateRange": "1hr", "filters": [filter] });
    assert_eq!(names(&list(&server, body(&known))), ["bob"]);
    assert_eq!(names(&list(&server, body(&signup))), Vec::<&str>::new());
}

#[test]
fn pages_of_a_list_count_only_whom_passes() {
    let server = shop();
    let filters = json!([{ "type": "user", "anonymous": false }]);
    for order in
        [json!([["identifier", "desc"]]), json!([["lastEventFired", "asc", { "name": test("eq", "Login") }]])]
    {
        let page = |limit: u32, offset: u32| {
            let body = json!({
                "dateRange": "24hrs", "filters": filters, "orderBy": order, "limit": limit, "offset": offset,
            });
            let listed = list(&server, body);
            assert_eq!(listed["pagination"]["returned"], listed["users"].as_array().expect("a list").len());
            names(&listed).join(" ")
        };
        let all = page(10, 0);
        assert_eq!(all.split(' ').count(), 3, "{all}");
        assert_eq!([page(1, 0), page(1, 1), page(1, 2)].join(" "), all);
        assert_eq!((page(2, 1), page(1, 3)), (all[4..].to_owned(), String::new()));
    }
}

#[test]
fn events_of_a_person_are_filtered_one_by_one() {
    let server = shop();
    let of = |filters: Value, operator: &str, limit: u32, offset: u32| {
        let body = json!({
            "dateRange": "24hrs", "filters": filters, "filtersOperator": operator, "limit": limit, "offset": offset,
        });
        let listed = events(&server, "ann", body);
        let events = listed["events"].as_array().expect("a list").clone();
        events
            .iter()
            .map(|event| event["path"].as_str().unwrap_or("-").to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let page = json!({ "type": "page", "path": test("contains", "i") });
    let signup = json!({ "type": "event", "name": test("eq", "Signup") });
    let view = json!({ "type": "event", "name": test("eq", "$$pageView") });
    assert_eq!(of(json!([]), "and", 10, 0), "/x /blog/1 /pricing");
    assert_eq!(of(json!([page]), "and", 10, 0), "/pricing");
    assert_eq!(of(json!([signup]), "and", 10, 0), "/x");
    assert_eq!(of(json!([view]), "and", 10, 0), "/blog/1 /pricing");
    assert_eq!(of(json!([page, signup]), "and", 10, 0), "");
    assert_eq!(of(json!([page, signup]), "or", 10, 0), "/x /pricing");
    assert_eq!(of(json!([view]), "and", 1, 0), "/blog/1");
    assert_eq!(of(json!([view]), "and", 1, 1), "/pricing");
    assert_eq!(of(json!([view]), "and", 5, 2), "");
    assert_eq!(of(json!([view]), "and", 5, 4_000_000_000), "");
}

#[test]
fn what_cannot_be_applied_is_refused_by_name() {
    let server = shop();
    let kinds = "must be page, event, user, location, referrer, referrerUrl, referrerType, utmTags, browser, \
                 device, os or funnel";
    let referrers = "cannot be applied: this server keeps no referrers";
    let id = "550e8400-e29b-41d4-a716-446655440000";
    for (filter, field, message) in [
        (json!(5), "filters.0", "must be an object"),
        (json!({}), "filters.0.type", kinds),
        (json!({ "type": "plan" }), "filters.0.type", kinds),
        (json!({ "type": ["user"] }), "filters.0.type", kinds),
        (json!({ "type": "user" }), "filters.0.anonymous", "must be true or false"),
        (json!({ "type": "user", "anonymous": "true" }), "filters.0.anonymous", "must be true or false"),
        (json!({ "type": "page", "path": test("is", "x") }), "filters.0.path.operator", TEXT),
        (json!({ "type": "page", "hash": { "operator": "eq" } }), "filters.0.hash.value", "must be a string"),
        (json!({ "type": "event", "properties": {} }), "filters.0.properties", "must be a list"),
        (
            json!({ "type": "event", "properties": [{ "operator": "eq", "value": "x" }] }),
            "filters.0.properties.0.property",
            "must be a string",
        ),
        (json!({ "type": "location", "country": test("eq", "DE") }), "filters.0.country.operator", LIST),
        (
            json!({ "type": "browser", "operator": "oneOf", "value": "x" }),
            "filters.0.value",
            "must be a list of strings",
        ),
        (
            json!({ "type": "os", "operator": "oneOf", "value": [1] }),
            "filters.0.value",
            "must be a list of strings",
        ),
        (json!({ "type": "device" }), "filters.0.operator", LIST),
        (json!({ "type": "utmTags", "utmSource": { "value": "x" } }), "filters.0.utmSource.operator", TEXT),
        (json!({ "type": "referrer", "operator": "eq", "value": "Google" }), "filters.0.type", referrers),
        (json!({ "type": "referrerUrl", "operator": "contains", "value": "g" }), "filters.0.type", referrers),
        (
            json!({ "type": "referrerType", "operator": "oneOf", "value": ["search"] }),
            "filters.0.type",
            referrers,
        ),
        (
            json!({ "type": "funnel", "id": id, "step": 1, "operator": "completed" }),
            "filters.0.type",
            "cannot be applied: this server has no funnels",
        ),
    ] {
        let body = json!({ "dateRange": "live", "filters": [filter] });
        invalid(post(&server, "/v1/users", body), &[(field, message)]);
    }
    for off in [
        json!({ "type": "referrer", "operator": "any", "value": "" }),
        json!({ "type": "referrerType", "operator": "any", "value": [] }),
    ] {
        assert_eq!(pass(&server, json!([off]), "and"), "ann bob cid -");
    }
    let events_only = "must be event, page, browser, device or os";
    for kind in ["user", "location", "referrer", "utmTags", "funnel", "plan"] {
        let body = json!({ "dateRange": "live", "filters": [{ "type": kind, "anonymous": true }] });
        invalid(post(&server, "/v1/users/events?identifier=ann", body), &[("filters.0.type", events_only)]);
    }
    let body = |filters: Value| json!({ "dateRange": "live", "filters": filters });
    for wrong in [json!({}), json!("user"), json!(1)] {
        invalid(post(&server, "/v1/users", body(wrong)), &[("filters", "must be a list")]);
    }
    let many = |n: usize| body(vec![json!({ "type": "user", "anonymous": true }); n].into());
    post(&server, "/v1/users", many(100)).expect(200);
    invalid(post(&server, "/v1/users", many(101)), &[("filters", "must have at most 100 filters")]);
}
