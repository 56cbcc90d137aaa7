//! Sessions of a user, and events of a session.

use serde_json::{Value, json};
use usher::clock::{DAY, HOUR, MINUTE, SECOND};
use usher::erasure::trash;
use usher::people::find;

use super::{House, data, refused};
use crate::harness::{START, fields};

/// 1 January 2000.
const EARLIEST: i64 = 946_684_800_000;

impl House {
    #[track_caller]
    fn sessions(&self, name: &str, more: Value) -> (Vec<Value>, i64) {
        let list = data(self.post(&format!("users/{name}/sessions"), over_all(more)));
        assert_eq!(fields(&list), ["sessions", "total"]);
        (list["sessions"].as_array().expect("a list").clone(), list["total"].as_i64().expect("a number"))
    }

    /// The first starts of a page of sessions, and the total.
    #[track_caller]
    fn starts(&self, more: Value) -> (Vec<i64>, i64) {
        let (sessions, total) = self.sessions("ann", more);
        (sessions.iter().map(|session| session["startTs"].as_i64().expect("a time")).collect(), total)
    }

    fn first_session(&self) -> String {
        self.sessions("ann", json!({ "sortOrder": "asc" })).0[0]["sessionId"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    #[track_caller]
    fn events(&self, session: &str, more: Value) -> Value {
        let mut body = over_all(json!({ "limit": 200, "page": 1 }));
        merge(&mut body, more);
        let list = data(self.post(&format!("sessions/{session}/events"), body));
        assert_eq!(fields(&list), ["events", "total"]);
        list
    }

    #[track_caller]
    fn event_names(&self, session: &str, more: Value) -> (Vec<String>, i64) {
        let list = self.events(session, more);
        let events = list["events"].as_array().expect("a list").iter();
        let names = events.map(|event| event["$event_name"].as_str().expect("a text").to_owned());
        (names.collect(), list["total"].as_i64().expect("a number"))
    }
}

/// A body with the widest period, and what else is said.
fn over_all(more: Value) -> Value {
    let mut body = json!({ "startTimestamp": EARLIEST, "endTimestamp": START + 365 * DAY });
    merge(&mut body, more);
    body
}

fn merge(body: &mut Value, more: Value) {
    let more = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(more);
}

fn rule(kind: &str, name: &str, tag: &str, rule: &str) -> String {
    format!("Key: '{kind}.{name}' Error:Field validation for '{name}' failed on the '{tag}' tag ({rule})")
}

#[test]
fn a_session_has_four_members() {
    let house = House::new();
    house.track("ann", "came", START - HOUR);
    house.track("ann", "went", START - HOUR + MINUTE);
    let (sessions, total) = house.sessions("ann", json!({}));
    assert_eq!(total, 1);
    let id = sessions[0]["sessionId"].as_str().expect("a text");
    assert!(id.parse::<i64>().is_ok(), "{id}");
    let expected = json!({
        "sessionId": id, "eventsCount": 2, "startTs": START - HOUR, "endTs": START - HOUR + MINUTE,
    });
    assert_eq!(sessions[0], expected);
}

#[test]
fn who_is_not_there_has_no_sessions() {
    let house = House::new();
    let project = house.server.project().id;
    house.track("ann", "came", START);
    assert_eq!(house.sessions("nobody", json!({})), (vec![], 0));
    house.server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
    assert_eq!(house.sessions("ann", json!({})), (vec![], 0));
}

#[test]
fn sessions_come_page_by_page_the_latest_first() {
    let house = House::new();
    let starts: Vec<i64> = (0..51).map(|day| START - day * DAY).collect();
    for at in starts.iter().rev() {
        house.track("ann", "came", *at);
    }
    assert_eq!(house.starts(json!({})), (starts[..50].to_vec(), 51));
    assert_eq!(house.starts(json!({ "page": 2 })), (starts[50..].to_vec(), 51));
    assert_eq!(house.starts(json!({ "limit": 200, "sortOrder": "desc" })), (starts.clone(), 51));
    assert_eq!(house.starts(json!({ "limit": 1, "page": 2 })), (starts[1..2].to_vec(), 51));
    assert_eq!(house.starts(json!({ "limit": 1, "page": 52 })), (vec![], 51));
    let mut up = starts.clone();
    up.reverse();
    assert_eq!(house.starts(json!({ "limit": 2, "sortOrder": "asc" })), (up[..2].to_vec(), 51));
    // Both bounds are included, and the total is of what lies within.
    let within = |start: i64, end: i64| house.starts(json!({ "startTimestamp": start, "endTimestamp": end }));
    assert_eq!(within(starts[2], starts[1]), (starts[1..3].to_vec(), 2));
    assert_eq!(within(starts[2] + 1, starts[1]), (starts[1..2].to_vec(), 1));
    assert_eq!(within(starts[2], starts[1] - 1), (starts[2..3].to_vec(), 1));
}

#[test]
fn a_body_for_sessions_that_breaks_a_rule_is_refused() {
    let house = House::new();
    let kind = "UserSessionsRequest";
    let post = |body: Value| house.post("users/ann/sessions", body);
    for (body, text) in [
        (json!({ "endTimestamp": START }), rule(kind, "StartDate", "required", "startTimestamp is required")),
        (
            json!({ "startTimestamp": START, "endTimestamp": 0 }),
            rule(kind, "EndDate", "required", "endTimestamp is required"),
        ),
        (
            json!({ "startTimestamp": EARLIEST - 1, "endTimestamp": START }),
            rule(kind, "StartDate", "min", "startTimestamp must be at least 946684800000"),
        ),
        (
            json!({ "startTimestamp": EARLIEST, "endTimestamp": EARLIEST }),
            rule(kind, "EndDate", "gtfield", "endTimestamp must be greater than startTimestamp"),
        ),
        (over_all(json!({ "limit": 201 })), rule(kind, "Limit", "max", "limit must be at most 200")),
        (over_all(json!({ "limit": -1 })), rule(kind, "Limit", "min", "limit must be at least 1")),
        (over_all(json!({ "page": -1 })), rule(kind, "Page", "min", "page must be at least 1")),
        (
            over_all(json!({ "sortOrder": "up" })),
            rule(kind, "SortOrder", "oneof", "sortOrder must be asc or desc"),
        ),
    ] {
        refused(post(body), 400, &text);
    }
    let text = "invalid JSON body: startTimestamp must be an integer";
    refused(post(json!({ "startTimestamp": "2026-03-04", "endTimestamp": START })), 400, text);
    data(post(json!({ "startTimestamp": EARLIEST, "endTimestamp": EARLIEST + 1 })));
}

#[test]
fn an_event_has_five_members_and_the_columns_that_have_a_value() {
    let house = House::new();
    house.send(json!([
        {
            "type": "page", "userId": "ann", "name": "Home", "messageId": "m-1",
            "timestamp": "2026-03-04T09:00:00Z",
            "context": {
                "page": { "url": "https://shop.example.com/" },
                "os": { "name": "Debian" }, "browser": { "name": "Firefox" },
            },
        },
        {
            "type": "track", "userId": "ann", "event": "Bought", "messageId": "m-2",
            "timestamp": "2026-03-04T09:00:01Z", "properties": { "total": 19.9 },
        },
    ]));
    let id = house.first_session();
    let nine = START - HOUR;
    let bought = json!({
        "event_id": "m-2", "$event_name": "Bought", "created_at": nine + SECOND, "distinct_id": "ann",
        "session_id": id,
    });
    let home = json!({
        "event_id": "m-1", "$event_name": "Home", "created_at": nine, "distinct_id": "ann", "session_id": id,
    });
    assert_eq!(house.events(&id, json!({})), json!({ "total": 2, "events": [bought, home] }));
    let columns = json!([
        "$user_id",
        "properties",
        "$current_url",
        "$os",
        "$browser",
        "$device",
        "$country",
        "utm_source"
    ]);
    let list = house.events(&id, json!({ "columns": columns }));
    let (mut bought, mut home) = (bought, home);
    for event in [&mut bought, &mut home] {
        merge(event, json!({ "$user_id": "ann", "$os": "Debian", "$browser": "Firefox", "properties": {} }));
    }
    bought["properties"] = json!({ "total": 19.9 });
    home["$current_url"] = json!("https://shop.example.com/");
    assert_eq!(list, json!({ "total": 2, "events": [bought, home] }));
}

#[test]
fn a_visitors_events_have_its_anonymous_id() {
    let house = House::new();
    house.send(json!([{ "type": "track", "anonymousId": "visitor-1", "event": "Came",
                        "timestamp": "2026-03-04T09:00:00Z" }]));
    let id: i64 =
        house.server.sqlite().query_row("SELECT id FROM sessions", [], |row| row.get(0)).expect("a session");
    let list = house.events(&id.to_string(), json!({ "columns": ["$user_id"] }));
    assert_eq!(list["events"][0]["distinct_id"], "visitor-1");
    assert_eq!(list["events"][0].get("$user_id"), None);
}

#[test]
fn a_sessions_events_come_in_the_order_that_is_asked_for() {
    let house = House::new();
    for (n, name) in ["b", "a", "c"].into_iter().enumerate() {
        house.track("ann", name, START - HOUR + n as i64 * SECOND);
    }
    house.track("ann", "elsewhere", START);
    let id = house.first_session();
    let events = |more: Value| house.event_names(&id, more).0.concat();
    assert_eq!(events(json!({})), "cab");
    assert_eq!(events(json!({ "sortOrder": "asc" })), "bac");
    assert_eq!(events(json!({ "sortBy": "created_at" })), "cab");
    assert_eq!(events(json!({ "sortBy": "$event_name" })), "cba");
    assert_eq!(events(json!({ "sortBy": "$event_name", "sortOrder": "asc" })), "abc");
    // Pages, and what lies within the bounds, both included.
    let page = |limit: i64, page: i64| house.event_names(&id, json!({ "limit": limit, "page": page }));
    assert_eq!(page(1, 2), (vec!["a".to_owned()], 3));
    assert_eq!(page(2, 2), (vec!["b".to_owned()], 3));
    assert_eq!(page(200, 2), (vec![], 3));
    let within = |start: i64, end: i64| {
        house.event_names(&id, json!({ "startTimestamp": start, "endTimestamp": end }))
    };
    let start = START - HOUR;
    assert_eq!(within(start, start + SECOND), (vec!["a".to_owned(), "b".to_owned()], 2));
    assert_eq!(within(start + 1, start + SECOND), (vec!["a".to_owned()], 1));
    assert_eq!(within(start + 1, start + SECOND - 1), (vec![], 0));
}

#[test]
fn a_session_that_is_not_there_has_no_events() {
    let house = House::new();
    house.track("ann", "came", START);
    let id = house.first_session();
    let none = json!({ "total": 0, "events": [] });
    assert_eq!(house.events(&id, json!({}))["total"], 1);
    for other in ["1", "-1", "x", "99999999999999999999", &"9".repeat(256)] {
        assert_eq!(house.events(other, json!({})), none, "{other}");
    }
    let body = over_all(json!({ "limit": 1, "page": 1 }));
    let long = format!("sessions/{}/events", "9".repeat(257));
    refused(house.post(&long, body.clone()), 400, "sessionID exceeds maximum length of 256 characters");
    let second = house.server.second();
    let theirs = format!("/v2/api/public/{}/sessions/{id}/events", second.key);
    assert_eq!(data(house.call("POST", &theirs).json(body).send()), none);
    let project = house.server.project().id;
    house.server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
    assert_eq!(house.events(&id, json!({})), none);
}

#[test]
fn a_body_for_events_that_breaks_a_rule_is_refused() {
    let house = House::new();
    let kind = "EventsSearchRequest";
    let post = |body: Value| house.post("sessions/1/events", body);
    let without = |field: &str| {
        let mut body = over_all(json!({ "limit": 1, "page": 1 }));
        body.as_object_mut().expect("an object").remove(field);
        body
    };
    let with = |more: Value| {
        let mut body = over_all(json!({ "limit": 1, "page": 1 }));
        merge(&mut body, more);
        body
    };
    for (field, name) in
        [("startTimestamp", "StartDate"), ("endTimestamp", "EndDate"), ("limit", "Limit"), ("page", "Page")]
    {
        let text = rule(kind, name, "required", &format!("{field} is required"));
        refused(post(without(field)), 400, &text);
        refused(post(with(json!({ field: 0 }))), 400, &text);
    }
    for (more, text) in [
        (json!({ "limit": 201 }), rule(kind, "Limit", "max", "limit must be at most 200")),
        (json!({ "limit": -1 }), rule(kind, "Limit", "min", "limit must be at least 1")),
        (json!({ "page": -1 }), rule(kind, "Page", "min", "page must be at least 1")),
        (
            json!({ "sortBy": "created" }),
            rule(kind, "SortBy", "validEventColumn", "sortBy must be a known column"),
        ),
        (json!({ "sortBy": "$os" }), "sorting by $os is not supported".to_owned()),
        (
            json!({ "columns": ["$email"] }),
            rule(kind, "Columns[0]", "validEventColumn", "columns[0] must be a known column"),
        ),
        (json!({ "sortOrder": "DESC" }), rule(kind, "SortOrder", "oneof", "sortOrder must be asc or desc")),
        (json!({ "filters": [{}] }), "filters are not supported".to_owned()),
    ] {
        refused(post(with(more)), 400, &text);
    }
    data(post(with(json!({ "limit": 200, "filters": [] }))));
}

#[test]
fn pages_hold_while_a_visitors_rows_still_move() {
    let house = House::new();
    let at = |minute: i64| format!("2026-03-04T{:02}:{:02}:00Z", 8 + minute / 60, minute % 60);
    let track = |who: &str, id: &str, event: &str, minute: i64| json!({ "type": "track", who: id, "event": event, "timestamp": at(minute) });
    house.send(json!([
        track("anonymousId", "visitor-1", "v", 0),
        track("userId", "ann", "a", 31),
        track("anonymousId", "visitor-1", "w", 62),
        { "type": "identify", "userId": "ann", "anonymousId": "visitor-1", "timestamp": at(63) },
    ]));
    let moving: i64 = house
        .server
        .sqlite()
        .query_row("SELECT COUNT(*) FROM users WHERE state = 'merged'", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(moving, 1, "its rows have not moved yet");
    let eight = START - 2 * HOUR;
    let expected = [62, 31, 0].map(|minute| eight + minute * MINUTE);
    let check = || {
        assert_eq!(house.starts(json!({})), (expected.to_vec(), 3));
        for page in 1..=3 {
            let only = expected[page as usize - 1];
            assert_eq!(house.starts(json!({ "limit": 1, "page": page })), (vec![only], 3));
        }
        assert_eq!(house.event_names(&house.first_session(), json!({})), (vec!["v".to_owned()], 1));
    };
    check();
    house.server.tick();
    check();
}
