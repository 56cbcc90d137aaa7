//! OpenReplay's users and sessions: seeds/000, and what its clients ask for. Its jobs are in
//! `openreplay_jobs.rs`, its projects and keys in `openreplay_projects.rs`.

use serde_json::{Value, json};
use usher::clock::{DAY, MINUTE, Millis};
use usher::erasure;
use usher::erasure::trash;
use usher::model::{Erasure, Kind, Origin, SESSION_GAP};
use usher::people::{activity, find, identify, subject, users};
use usher::store::NormalTx;

use crate::harness::{Reply, Request, START, Server, encode, event, fields, named};

const ALL: &str = "ingest,read,write,delete,admin";
const STATS: [&str; 4] = ["firstSeen", "lastSeen", "sessionCount", "userId"];
const SESSION: [&str; 13] = [
    "duration",
    "errorsCount",
    "eventsCount",
    "pagesCount",
    "projectId",
    "sessionId",
    "startTs",
    "userBrowser",
    "userCountry",
    "userDevice",
    "userId",
    "userOs",
    "userUuid",
];

/// A server with a key of the whole organisation, as seeds/000 asks for.
pub struct House {
    pub server: Server,
    pub key: String,
}

impl House {
    pub fn new() -> House {
        let server = Server::start();
        let key = server.key(None, ALL);
        House { server, key }
    }

    pub fn call(&self, method: &str, path: &str) -> Request<'_> {
        self.server.request(method, path).header("Authorization", &self.key)
    }

    /// A path within the first project.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/v1/{}/{rest}", self.server.project().key)
    }

    pub fn get(&self, rest: &str) -> Reply {
        self.call("GET", &self.path(rest)).send()
    }

    pub fn data(&self, rest: &str) -> Value {
        let body = self.get(rest).expect(200).json();
        assert_eq!(fields(&body), ["data"]);
        body["data"].clone()
    }

    fn stats(&self, name: &str) -> Value {
        self.data(&format!("users/{}", encode(name)))
    }

    pub fn sessions(&self, name: &str, query: &str) -> Vec<Value> {
        let list = self.data(&format!("users/{}/sessions{query}", encode(name)));
        list.as_array().expect("a list").clone()
    }

    pub fn track(&self, name: &str, what: &str, at: Millis) {
        let (project, name, what) = (self.server.project().id, named(name), what.to_owned());
        self.server.write(move |tx: &NormalTx| activity::record(tx, project, &event(&name, &what, at)));
    }
}

#[track_caller]
pub fn refused(reply: Reply, status: u16, message: &str) {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json(), json!({ "errors": [message] }));
}

/// A parameter of the wrong type, in the words of the vendor's framework.
#[track_caller]
pub fn unprocessable(reply: Reply, kind: &str, place: &str, field: &str, message: &str) {
    let body = reply.expect(422).json();
    assert_eq!(fields(&body), ["detail"]);
    assert_eq!(body["detail"].as_array().expect("a list").len(), 1);
    let detail = &body["detail"][0];
    assert_eq!(fields(detail), ["input", "loc", "msg", "type"]);
    assert_eq!(detail["type"], kind);
    assert_eq!(detail["loc"], json!([place, field]));
    assert_eq!(detail["msg"], message);
}

#[test]
fn stats_count_sessions_and_tell_their_first_and_last() {
    let house = House::new();
    house.track("ann@example.com", "first", START - 3 * DAY);
    house.track("ann@example.com", "second", START - 2 * DAY);
    house.track("ann@example.com", "second again", START - 2 * DAY + 10 * MINUTE);
    house.track("ann@example.com", "running", START - 1);
    let stats = house.stats("ann@example.com");
    assert_eq!(fields(&stats), STATS);
    // Starts, not ends: the last session began when the last event happened.
    assert_eq!(
        stats,
        json!({
            "userId": "ann@example.com", "sessionCount": 3,
            "lastSeen": START - 1, "firstSeen": START - 3 * DAY,
        })
    );
    house.track("ann@example.com", "still running", START);
    assert_eq!(house.stats("ann@example.com")["lastSeen"], START - 1);
    // An event from before all of them opens a session of its own.
    house.track("ann@example.com", "sent late", START - 30 * DAY);
    let stats = house.stats("ann@example.com");
    assert_eq!((&stats["sessionCount"], &stats["firstSeen"]), (&json!(4), &json!(START - 30 * DAY)));
}

#[test]
fn a_user_without_sessions_has_the_times_it_was_seen() {
    let house = House::new();
    let project = house.server.project().id;
    house.server.write(move |tx: &NormalTx| {
        users::create_or_update(tx, project, &named("ann"), &Default::default()).map(|_| ())
    });
    let expected =
        |first, last| json!({ "userId": "ann", "sessionCount": 0, "lastSeen": last, "firstSeen": first });
    assert_eq!(house.stats("ann"), expected(START, START));
    house.server.clock.advance(DAY);
    house.server.write(move |tx: &NormalTx| {
        let subject = subject::Subject { identifier: Some(named("ann")), anonymous_id: None };
        identify::identify(tx, project, &subject, &Default::default(), Some(START - MINUTE))?.expect("taken");
        identify::identify(tx, project, &subject, &Default::default(), None).map(|_| ())
    });
    assert_eq!(house.stats("ann"), expected(START - MINUTE, START + DAY));
    assert_eq!(house.sessions("ann", ""), Vec::<Value>::new());
    // An interaction is of no visit.
    house.server.write(move |tx: &NormalTx| {
        let mut asked = event(&named("ann"), "asked", START);
        asked.kind = Kind::Interaction;
        activity::record(tx, project, &asked)
    });
    assert_eq!(house.stats("ann")["sessionCount"], 0);
}

#[test]
fn an_unknown_user_is_null_and_has_no_sessions() {
    let house = House::new();
    assert_eq!(house.stats("ann"), Value::Null);
    assert_eq!(house.sessions("ann", ""), Vec::<Value>::new());
    // So is one that is hidden, or another project's.
    house.track("ann", "seen", START);
    let second = house.server.second();
    let theirs = format!("/api/v1/{}/users/ann", second.key);
    assert_eq!(house.call("GET", &theirs).send().expect(200).json(), json!({ "data": null }));
    let project = house.server.project().id;
    house.server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
    assert_eq!(house.stats("ann"), Value::Null);
    assert_eq!(house.sessions("ann", ""), Vec::<Value>::new());
}

#[test]
fn after_its_activity_is_erased_a_user_begins_at_nothing() {
    let house = House::new();
    let project = house.server.project().id;
    house.track("ann", "before", START);
    house.server.clock.advance(MINUTE);
    house.server.write(move |tx| {
        let user = find::get(tx, project, "ann")?;
        erasure::begin(tx, &user, Erasure::Activity, Origin::Request).map(|_| ())
    });
    // At once, not when the rows have left.
    let none = json!({ "userId": "ann", "sessionCount": 0, "lastSeen": START, "firstSeen": START });
    assert_eq!(house.stats("ann"), none);
    assert_eq!(house.sessions("ann", ""), Vec::<Value>::new());
    house.track("ann", "after", START + MINUTE + 1);
    house.server.clock.advance(MINUTE);
    house.track("ann", "after", START + MINUTE + 1);
    assert_eq!(house.stats("ann")["sessionCount"], 1);
    house.server.tick();
    assert_eq!(house.stats("ann")["sessionCount"], 1);
    assert_eq!(house.sessions("ann", "").len(), 1);
}

#[test]
fn a_session_has_all_thirteen_fields() {
    let house = House::new();
    let project = house.server.project();
    let batch = json!({ "batch": [
        {
            "type": "page", "userId": "ann", "name": "Home", "timestamp": "2026-03-04T09:00:00Z",
            "context": {
                "os": { "name": "Debian" }, "browser": { "name": "Firefox" },
                "device": { "type": "desktop" }, "location": { "country": "CH" },
            },
        },
        { "type": "track", "userId": "ann", "event": "Clicked", "timestamp": "2026-03-04T09:00:30.250Z" },
        { "type": "identify", "userId": "bob", "traits": { "country": "DE" } },
        { "type": "screen", "userId": "bob", "timestamp": "2026-03-04T09:00:00Z" },
    ] });
    house.server.post("/v1/batch").bearer(&project.all).json(batch).send().expect(200);
    let error = json!({ "activity": [
        { "type": "error", "userId": "ann", "name": "TypeError", "at": START - 3_600_000 + 1_000 },
    ] });
    house.server.post("/api/activity").bearer(&project.all).json(error).send().expect(200);

    let sessions = house.sessions("ann", "");
    assert_eq!(sessions.len(), 1);
    let session = &sessions[0];
    assert_eq!(fields(session), SESSION);
    let id = session["sessionId"].as_str().expect("a text");
    assert!(id.parse::<i64>().is_ok(), "{id}");
    let uuid = session["userUuid"].as_str().expect("a text");
    let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert_eq!(
        *session,
        json!({
            "projectId": project.id.0, "sessionId": id, "userUuid": uuid, "userId": "ann",
            "userOs": "Debian", "userBrowser": "Firefox", "userDevice": "desktop", "userCountry": "CH",
            "startTs": START - 3_600_000, "duration": 30_250,
            "eventsCount": 3, "pagesCount": 1, "errorsCount": 1,
        })
    );
    // What the client did not say is null, but for a country that the profile knows.
    let bobs = house.sessions("bob", "").remove(0);
    assert_eq!(fields(&bobs), SESSION);
    assert_eq!(
        (&bobs["userOs"], &bobs["userBrowser"], &bobs["userDevice"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(bobs["userCountry"], "DE");
    assert_ne!(bobs["userUuid"], session["userUuid"]);
}

#[test]
fn sessions_come_oldest_first_within_bounds_that_are_included() {
    let house = House::new();
    let starts = [START - 3 * DAY, START - 2 * DAY, START - DAY];
    for at in [starts[1], starts[0], starts[2]] {
        house.track("ann", "seen", at);
        house.track("ann", "seen", at + SESSION_GAP);
    }
    let found = |query: &str| -> Vec<i64> {
        house
            .sessions("ann", query)
            .iter()
            .map(|session| session["startTs"].as_i64().expect("a time"))
            .collect()
    };
    assert_eq!(found(""), starts);
    assert_eq!(found(&format!("?start_date={}", starts[1])), starts[1..]);
    assert_eq!(found(&format!("?start_date={}", starts[1] + 1)), starts[2..]);
    assert_eq!(found(&format!("?end_date={}", starts[1])), starts[..2]);
    assert_eq!(found(&format!("?end_date={}", starts[1] - 1)), starts[..1]);
    assert_eq!(found(&format!("?start_date={0}&end_date={0}", starts[1])), [starts[1]]);
    assert_eq!(found(&format!("?start_date={}&end_date={}", starts[2], starts[0])), Vec::<i64>::new());
    assert_eq!(found("?unknown=1"), starts);
    // The sky has no bounds, and neither has the past.
    house.track("ann", "seen", -DAY);
    assert_eq!(found("")[0], -DAY);
}

#[test]
fn at_most_fifty_sessions_are_listed_the_oldest_ones() {
    let house = House::new();
    for day in 0..=50 {
        house.track("ann", "seen", START - (60 - day) * DAY);
    }
    let sessions = house.sessions("ann", "");
    assert_eq!(sessions.len(), 50);
    assert_eq!(sessions[0]["startTs"], START - 60 * DAY);
    assert_eq!(sessions[49]["startTs"], START - 11 * DAY);
    assert_eq!(house.stats("ann")["sessionCount"], 51);
    assert_eq!(house.sessions("ann", &format!("?start_date={}", START - 59 * DAY)).len(), 50);
}

#[test]
fn a_bound_that_is_no_whole_number_is_refused_by_name() {
    let house = House::new();
    house.track("ann", "seen", START);
    let integer = "must be an integer";
    for value in ["x", "", "1.5", "1e3", "99999999999999999999", "null"] {
        for field in ["start_date", "end_date"] {
            let reply = house.get(&format!("users/ann/sessions?{field}={value}"));
            unprocessable(reply, "int_parsing", "query", field, integer);
        }
    }
    let twice = house.get("users/ann/sessions?start_date=1&start_date=2");
    unprocessable(twice, "value_error", "query", "start_date", "must be given once");
    // The key and the project come before the parameters.
    let bad = "users/ann/sessions?start_date=x";
    refused(house.server.get(&house.path(bad)).send(), 401, "Not authenticated");
    refused(house.call("GET", &format!("/api/v1/nowhere/{bad}")).send(), 404, "project not found.");
}

#[test]
fn a_sessions_events_come_oldest_first_with_their_own_fields() {
    let house = House::new();
    let project = house.server.project();
    let batch = json!({ "batch": [
        {
            "type": "track", "userId": "ann", "event": "Bought", "messageId": "m-2",
            "timestamp": "2026-03-04T09:00:01Z",
            "properties": { "total": 19.9, "items": [{ "sku": "a" }], "url": "https://shop.example.com/cart" },
        },
        {
            "type": "page", "userId": "ann", "name": "Home", "category": "Shop", "messageId": "m-1",
            "timestamp": "2026-03-04T09:00:00Z", "context": { "page": { "url": "https://shop.example.com/" } },
        },
        { "type": "track", "userId": "ann", "event": "Elsewhere", "messageId": "m-3",
          "timestamp": "2026-03-04T09:59:59Z" },
    ] });
    house.server.post("/v1/batch").bearer(&project.all).json(batch).send().expect(200);
    let id = house.sessions("ann", "")[0]["sessionId"].as_str().expect("an id").to_owned();
    let events = house.data(&format!("sessions/{id}/events"));
    let nine = START - 3_600_000;
    assert_eq!(
        events,
        json!([
            {
                "sessionId": id, "messageId": "m-1", "timestamp": nine, "type": "page", "name": "Home",
                "category": "Shop", "url": "https://shop.example.com/",
            },
            {
                "sessionId": id, "messageId": "m-2", "timestamp": nine + 1_000, "type": "event",
                "name": "Bought", "total": 19.9, "items": [{ "sku": "a" }],
                "url": "https://shop.example.com/cart",
            },
        ])
    );
    // A session that is not there, or not to be seen, has none.
    let none = json!([]);
    for other in ["1", "-1", "x", "99999999999999999999", "%F0%9F%98%80"] {
        assert_eq!(house.data(&format!("sessions/{other}/events")), none, "{other}");
    }
    let second = house.server.second();
    let theirs = format!("/api/v1/{}/sessions/{id}/events", second.key);
    assert_eq!(house.call("GET", &theirs).send().expect(200).json(), json!({ "data": none }));
    let project = project.id;
    house.server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
    assert_eq!(house.data(&format!("sessions/{id}/events")), none);
}

#[test]
fn any_identifier_passes_through_a_path() {
    let house = House::new();
    let long = "😀".repeat(256);
    for name in ["a@b+c/d%e f😀", &long, "%2F", "..", "a+b", "users", "?#", "ä\u{301}"] {
        house.track(name, "seen", START);
        let stats = house.stats(name);
        assert_eq!((&stats["userId"], &stats["sessionCount"]), (&json!(name), &json!(1)));
        assert_eq!(house.sessions(name, "")[0]["userId"], name);
        let path = house.path(&format!("users/{}", encode(name)));
        let job = house.call("DELETE", &path).send().expect(200).json();
        assert_eq!(job["data"]["referenceId"], name);
    }
    // What need not be encoded may come as it is; a plus is no space.
    assert_eq!(house.data("users/a+b")["userId"], "a+b");
    assert_eq!(house.data("users/a%20b"), Value::Null);
    house.server.clock.advance(DAY);
    house.server.tick();
    for name in ["a@b+c/d%e f😀", &long, "%2F", "a+b"] {
        assert_eq!(house.stats(name), Value::Null, "{name}");
    }
}

#[test]
fn what_is_no_identifier_is_refused_and_makes_no_job() {
    let house = House::new();
    let long = "must have at most 256 characters";
    let control = "must not contain control characters";
    for (segment, why) in [
        ("x".repeat(257), long),
        (encode(&"😀".repeat(257)), long),
        ("a%0Ab".to_owned(), control),
        ("%00".to_owned(), control),
        ("%C2%85".to_owned(), control),
        ("%ff".to_owned(), "must be UTF-8, percent-encoded"),
    ] {
        for (method, rest) in [
            ("GET", format!("users/{segment}")),
            ("DELETE", format!("users/{segment}")),
            ("GET", format!("users/{segment}/sessions")),
        ] {
            let reply = house.call(method, &house.path(&rest)).send();
            unprocessable(reply, "value_error", "path", "userId", why);
        }
    }
    for method in ["GET", "DELETE"] {
        refused(house.call(method, &house.path("users/")).send(), 404, "there is nothing at this path");
    }
    assert_eq!(house.data("jobs"), json!([]));
}
