//! Our own API: activity of every kind, and recordings of sessions.

use serde_json::{Value, json};
use usher::clock::{HOUR, MINUTE};
use usher::erasure;
use usher::erasure::trash;
use usher::model::{Erasure, Event, Origin, UserId};
use usher::people::{activity, find};

use crate::harness::{Reply, Request, START, Server, encode, fields};

const PROBLEM: [&str; 7] = ["code", "detail", "errors", "requestId", "status", "title", "type"];

fn send(server: &Server, entries: Value) -> Reply {
    send_with(server, &server.project().all, entries)
}

fn send_with(server: &Server, key: &str, entries: Value) -> Reply {
    server.post("/api/activity").bearer(key).json(json!({ "activity": entries })).send()
}

fn counts(reply: &Reply) -> (i64, i64, i64) {
    let data = &reply.json()["data"];
    assert_eq!(fields(data), ["duplicates", "late", "stored", "suppressed"]);
    assert_eq!(data["suppressed"], 0);
    let count = |name: &str| data[name].as_i64().expect("a number");
    (count("stored"), count("duplicates"), count("late"))
}

fn timeline(server: &Server, name: &str) -> Vec<Event> {
    let project = server.project().id;
    let now = server.clock.now();
    server.read(|db| {
        activity::timeline(db, &find::get_hidden_too(db, project, name, now)?, 0, i64::MAX, 1_000, 0)
    })
}

fn id_of(server: &Server, name: &str) -> UserId {
    let project = server.project().id;
    server.read(|db| find::get(db, project, name)).id
}

#[track_caller]
fn refused(reply: Reply, status: u16, code: &str) -> Value {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem = reply.json();
    assert_eq!(fields(&problem), PROBLEM);
    assert_eq!(problem["code"], code);
    assert_eq!(problem["status"], status);
    assert_eq!(problem["type"], format!("/docs#problem-{code}"));
    assert_eq!(problem["requestId"].as_str(), reply.header("x-request-id"));
    let mut errors = problem["errors"].clone();
    for error in errors.as_array_mut().expect("a list") {
        let fault = error.as_object_mut().expect("an object");
        // Where it stands, besides the field.
        let places = ["pointer", "parameter", "header"].map(|place| fault.remove(place));
        assert_eq!(places.iter().flatten().count(), 1, "{problem}");
    }
    errors
}

/// A session of a user, seen now.
fn session(server: &Server, name: &str) -> String {
    let reply = send(server, json!([{ "type": "page", "userId": name, "sessionId": format!("of {name}") }]));
    assert_eq!(counts(&reply), (1, 0, 0));
    let at = server.app.read(|db| {
        let user = find::get(db, server.project().id, name)?;
        activity::sessions(db, &user, (0, i64::MAX), 10)
    });
    at.expect("sessions").last().expect("a session").id.to_string()
}

fn recording<'a>(server: &'a Server, method: &str, session: &str) -> Request<'a> {
    server
        .request(method, &format!("/api/sessions/{}/recording", encode(session)))
        .bearer(&server.project().all)
}

#[test]
fn every_kind_of_activity_is_stored_as_it_was_sent() {
    let server = Server::start();
    let entries = json!([
        { "type": "event", "userId": "ann", "name": "bought", "at": START - 6_000, "data": { "sum": 5 } },
        { "kind": "page", "userId": "ann", "timestamp": "2026-03-04T10:59:55+01:00", "url": "https://a.example/x" },
        { "type": "screen", "userId": "ann", "name": "Home", "at": START - 4_000 },
        { "type": "error", "userId": "ann", "name": "TypeError", "at": START - 3_000, "messageId": "m1" },
        { "type": "interaction", "userId": "ann", "name": "asked", "at": START - 2_000 },
        { "type": "log", "userId": "ann", "name": "step 1", "data": { "level": "info" } },
    ]);
    let reply = send(&server, entries).expect(200);
    let data = json!({ "stored": 6, "duplicates": 0, "late": 0, "suppressed": 0 });
    assert_eq!(reply.json(), json!({ "data": data, "errors": [] }));
    let mut events = timeline(&server, "ann");
    events.reverse();
    let seen: Vec<(&str, &str, i64)> =
        events.iter().map(|event| (event.kind.as_str(), event.name.as_str(), event.at - START)).collect();
    assert_eq!(
        seen,
        [
            ("event", "bought", -6_000),
            ("page", "", -5_000),
            ("screen", "Home", -4_000),
            ("error", "TypeError", -3_000),
            ("interaction", "asked", -2_000),
            ("log", "step 1", 0),
        ]
    );
    assert_eq!(Value::Object(events[0].data.clone()), json!({ "sum": 5 }));
    assert_eq!(events[1].url.as_deref(), Some("https://a.example/x"));
    assert_eq!(events[3].message_id, "m1");
    // A visit produces neither interactions nor logs.
    let session = events[0].session;
    assert!(session.is_some());
    assert_eq!(events[3].session, session);
    assert_eq!((events[4].session, events[5].session), (None, None));
}

#[test]
fn an_anonymous_visitor_is_taken_in_by_its_anonymous_id() {
    let server = Server::start();
    let reply = send(&server, json!([{ "type": "page", "anonymousId": "visitor" }])).expect(200);
    assert_eq!(counts(&reply), (1, 0, 0));
}

#[test]
fn good_entries_are_stored_and_bad_ones_named() {
    let server = Server::start();
    let long = "x".repeat(257);
    let kinds = "must be event, page, screen, error, interaction or log";
    let time = "must be an RFC 3339 time with an offset, or milliseconds since 1970";
    let bad = [
        (json!({ "userId": "ann", "name": "x" }), "type", "is required"),
        (json!({ "type": "click", "userId": "ann", "name": "x" }), "type", kinds),
        (json!({ "kind": "click", "userId": "ann", "name": "x" }), "kind", kinds),
        (json!({ "type": 1, "userId": "ann", "name": "x" }), "type", "must be a string"),
        (json!({ "type": "event", "name": "x" }), "userId", "userId or anonymousId is required"),
        (json!({ "type": "event", "userId": true, "name": "x" }), "userId", "must be a string"),
        (json!({ "type": "event", "userId": "", "name": "x" }), "userId", "must not be empty"),
        (
            json!({ "type": "event", "userId": long, "name": "x" }),
            "userId",
            "must have at most 256 characters",
        ),
        (
            json!({ "type": "page", "anonymousId": "a\nb" }),
            "anonymousId",
            "must not contain control characters",
        ),
        (json!({ "type": "event", "userId": "ann" }), "name", "is required"),
        (
            json!({ "type": "log", "userId": "ann", "name": "a\u{1}" }),
            "name",
            "must not contain control characters",
        ),
        (json!({ "type": "page", "userId": "ann", "at": "yesterday" }), "at", time),
        (json!({ "type": "page", "userId": "ann", "at": "2026-03-04T10:00:00" }), "at", time),
        (json!({ "type": "page", "userId": "ann", "timestamp": -1 }), "timestamp", time),
        (json!({ "type": "page", "userId": "ann", "timestamp": 1.5 }), "timestamp", time),
        (json!({ "type": "page", "userId": "ann", "messageId": 3 }), "messageId", "must be a string"),
        (
            json!({ "type": "page", "userId": "ann", "sessionId": long }),
            "sessionId",
            "must have at most 256 characters",
        ),
        (json!({ "type": "page", "userId": "ann", "url": [] }), "url", "must be a string"),
        (json!({ "type": "page", "userId": "ann", "data": [] }), "data", "must be an object"),
        (
            json!({ "type": "page", "userId": "ann", "data": { "x": "x".repeat(66_000) } }),
            "data",
            "must have at most 65536 bytes as JSON",
        ),
        (json!("page"), "activity", "must be an object"),
    ];
    let mut entries: Vec<Value> = bad.iter().map(|(entry, ..)| entry.clone()).collect();
    entries.insert(0, json!({ "type": "page", "userId": "ann" }));
    entries.push(json!({ "type": "page", "userId": "bob" }));
    let reply = send(&server, json!(entries)).expect(200);
    assert_eq!(counts(&reply), (2, 0, 0));
    let expected: Vec<Value> = bad
        .iter()
        .enumerate()
        .map(|(n, (_, field, message))| json!({ "index": n + 1, "field": field, "message": message }))
        .collect();
    assert_eq!(reply.json()["errors"], json!(expected));
    assert_eq!(timeline(&server, "ann").len(), 1);
    assert_eq!(timeline(&server, "bob").len(), 1);
}

#[test]
fn a_batch_has_at_most_a_thousand_entries() {
    let server = Server::start();
    let entries = |n: usize| Value::Array(vec![json!({ "type": "page", "userId": "ann" }); n]);
    assert_eq!(counts(&send(&server, entries(1_000)).expect(200)), (1_000, 0, 0));
    let errors = refused(send(&server, entries(1_001)), 400, "invalid");
    assert_eq!(errors, json!([{ "field": "activity", "message": "must have at most 1000 entries" }]));
    assert_eq!(timeline(&server, "ann").len(), 1_000);
    assert_eq!(counts(&send(&server, json!([])).expect(200)), (0, 0, 0));
}

#[test]
fn a_body_that_is_no_list_of_activity_is_a_problem_as_a_whole() {
    let server = Server::start();
    let post = |body: &str| {
        server.post("/api/activity").bearer(&server.project().all).body(body, "application/json").send()
    };
    for (body, message) in [
        ("{}", "is required"),
        (r#"{"activity":null}"#, "must be a list"),
        (r#"{"activity":{}}"#, "must be a list"),
    ] {
        let errors = refused(post(body), 400, "invalid");
        assert_eq!(errors, json!([{ "field": "activity", "message": message }]));
    }
    for body in ["", "{", "[]", "nonsense"] {
        let errors = refused(post(body), 400, "bad_json");
        assert_eq!(errors[0]["field"], "body");
    }
    let large = format!(r#"{{"activity":[],"x":"{}"}}"#, "x".repeat(1024 * 1024));
    assert_eq!(refused(post(&large), 413, "too_large"), json!([]));
}

#[test]
fn an_entry_with_a_message_id_counts_once() {
    let server = Server::start();
    let entries = json!([
        { "type": "page", "userId": "ann", "messageId": "m1" },
        { "type": "page", "userId": "ann", "messageId": "m1" },
        { "type": "page", "userId": "bob", "messageId": "m1" },
    ]);
    assert_eq!(counts(&send(&server, entries.clone()).expect(200)), (2, 1, 0));
    assert_eq!(counts(&send(&server, entries).expect(200)), (0, 3, 0));
    assert_eq!(timeline(&server, "ann").len(), 1);
}

#[test]
fn a_batch_with_an_idempotency_key_counts_once() {
    let server = Server::start();
    let batch = |key: &str| {
        let entries = json!([
            { "type": "page", "userId": "ann" },
            { "type": "page", "userId": "ann" },
            { "type": "page", "userId": "ann", "messageId": "own" },
        ]);
        let request =
            server.post("/api/activity").bearer(&server.project().all).header("Idempotency-Key", key);
        request.json(json!({ "activity": entries })).send()
    };
    assert_eq!(counts(&batch("k1").expect(200)), (3, 0, 0));
    server.clock.advance(MINUTE);
    assert_eq!(counts(&batch("k1").expect(200)), (0, 3, 0));
    assert_eq!(counts(&batch("k2").expect(200)), (2, 1, 0));
    let ids: Vec<String> = timeline(&server, "ann").into_iter().map(|event| event.message_id).collect();
    for id in ["k1:0", "k1:1", "own", "k2:0", "k2:1"] {
        assert!(ids.iter().any(|known| known == id), "{id} is not among {ids:?}");
    }
    let errors = refused(batch(&"x".repeat(257)), 400, "invalid");
    assert_eq!(errors[0]["field"], "Idempotency-Key");
}

#[test]
fn a_hidden_users_activity_is_kept_and_brings_nobody_back() {
    let server = Server::start();
    let id = server.seed("ann").events(2).insert();
    let project = server.project().id;
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
    assert_eq!(counts(&send(&server, json!([{ "type": "page", "userId": "ann" }])).expect(200)), (1, 0, 0));
    assert!(server.app.read(|db| find::get(db, project, "ann")).is_err());
    assert_eq!(server.write(move |tx| trash::restore(tx, id)).event_count, 3);
}

#[test]
fn what_is_older_than_an_erasure_is_counted_late() {
    let server = Server::start();
    server.seed("ann").events(2).insert();
    erase(&server, "ann");
    server.clock.advance(HOUR);
    let entries = json!([
        { "type": "page", "userId": "ann", "at": START },
        // May be of any age, as long as nobody has registered.
        { "type": "page", "userId": "ann" },
        { "type": "page", "userId": "ann", "at": START + 1 },
        { "type": "page", "userId": "ann" },
    ]);
    assert_eq!(counts(&send(&server, entries).expect(200)), (2, 0, 2));
    assert_eq!(timeline(&server, "ann").len(), 2);
}

#[test]
fn a_key_that_may_not_read_is_told_what_was_accepted() {
    let server = Server::start();
    server.seed("gone").events(2).insert();
    erase(&server, "gone");
    let entries = json!([
        { "type": "page", "userId": "ann", "messageId": "m" },
        { "type": "page", "userId": "ann", "messageId": "m" },
        { "type": "page", "userId": "gone", "at": START },
        { "type": "click", "userId": "ann" },
    ]);
    let kinds = "must be event, page, screen, error, interaction or log";
    let errors = json!([{ "index": 3, "field": "type", "message": kinds }]);
    // The same each time, though the first is stored and those after it are not.
    let plain = server.key(Some(server.project().id), "ingest");
    for key in [&server.project().token, &plain, &server.project().token] {
        let reply = send_with(&server, key, entries.clone()).expect(200);
        assert_eq!(reply.json(), json!({ "data": { "accepted": 3 }, "errors": errors }));
    }
    // Who may read is told what became of them.
    for key in [server.project().all.clone(), server.key(Some(server.project().id), "ingest,read")] {
        assert_eq!(counts(&send_with(&server, &key, entries.clone()).expect(200)), (0, 2, 1));
    }
    assert_eq!(timeline(&server, "ann").len(), 1);
}

#[test]
fn a_recording_grows_piece_by_piece_and_comes_back_as_it_was() {
    let server = Server::start();
    let id = session(&server, "ann");
    let put = |name: &str, bytes: &[u8]| recording(&server, "PUT", name).body(bytes, "video/webm").send();
    let reply = put(&id, &[0, 159, 146]).expect(200);
    assert_eq!(reply.json(), json!({ "data": { "sessionId": id, "contentType": "video/webm", "bytes": 3 } }));
    // The client's own name for the session is as good as its id.
    let reply = put("of ann", &[150, 10]).expect(200);
    assert_eq!(reply.json(), json!({ "data": { "sessionId": id, "contentType": "video/webm", "bytes": 5 } }));
    let large = vec![7; 200_000];
    put(&id, &large).expect(200);

    let reply = recording(&server, "GET", &id).send().expect(200);
    assert_eq!(reply.bytes, [&[0, 159, 146, 150, 10][..], &large].concat());
    assert_eq!(reply.header("content-type"), Some("video/webm"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("content-disposition"), Some("attachment"));
}

#[test]
fn a_recording_has_one_type() {
    let server = Server::start();
    let id = session(&server, "ann");
    recording(&server, "PUT", &id).body("[1]", "application/json").send().expect(200);
    let errors = refused(recording(&server, "PUT", &id).body("x", "text/html").send(), 400, "invalid");
    let message = "must be the type that the recording began with";
    assert_eq!(errors, json!([{ "field": "Content-Type", "message": message }]));
    assert_eq!(recording(&server, "GET", &id).send().expect(200).text, "[1]");
}

#[test]
fn a_piece_without_a_type_or_without_bytes_is_refused() {
    let server = Server::start();
    let id = session(&server, "ann");
    let form = "must be a media type of at most 255 bytes";
    for content_type in ["", "nonsense", &format!("text/{}", "x".repeat(255))] {
        let errors = refused(recording(&server, "PUT", &id).body("x", content_type).send(), 400, "invalid");
        assert_eq!(errors, json!([{ "field": "Content-Type", "message": form }]));
    }
    let errors = refused(recording(&server, "PUT", &id).body("x", "é/x").send(), 400, "invalid");
    assert_eq!(errors, json!([{ "field": "content-type", "message": "must be printable ASCII" }]));
    let errors = refused(recording(&server, "PUT", &id).send(), 400, "invalid");
    assert_eq!(errors, json!([{ "field": "Content-Type", "message": "is required" }]));
    let errors = refused(recording(&server, "PUT", &id).body("", "text/plain").send(), 400, "invalid");
    assert_eq!(errors, json!([{ "field": "body", "message": "must not be empty" }]));
    refused(recording(&server, "GET", &id).send(), 404, "session_not_found");
}

#[test]
fn a_recording_ends_at_its_limit() {
    let server = Server::with(|options| options.recording_limit = 10);
    let id = session(&server, "ann");
    let put = |bytes: &str| recording(&server, "PUT", &id).body(bytes, "text/plain").send();
    refused(put("12345678901"), 413, "too_large");
    put("123456789").expect(200);
    refused(put("12"), 413, "too_large");
    assert_eq!(put("0").expect(200).json()["data"]["bytes"], 10);
    refused(put("1"), 413, "too_large");
    assert_eq!(recording(&server, "GET", &id).send().expect(200).text, "1234567890");
}

#[test]
fn a_piece_has_at_most_eight_mebibytes() {
    let server = Server::with(|options| options.recording_limit = 64 * 1024 * 1024);
    let id = session(&server, "ann");
    let put = |bytes: usize| recording(&server, "PUT", &id).body(vec![1; bytes], "video/mp4").send();
    put(8 * 1024 * 1024).expect(200);
    refused(put(8 * 1024 * 1024 + 1), 413, "too_large");
    assert_eq!(recording(&server, "GET", &id).send().expect(200).bytes.len(), 8 * 1024 * 1024);
}

#[test]
fn a_recording_of_another_projects_session_is_not_found() {
    let server = Server::start();
    let id = session(&server, "ann");
    recording(&server, "PUT", &id).body("x", "text/plain").send().expect(200);
    for unknown in ["1", "nobody's", "9223372036854775807"] {
        refused(recording(&server, "PUT", unknown).body("x", "text/plain").send(), 404, "session_not_found");
        refused(recording(&server, "GET", unknown).send(), 404, "session_not_found");
    }
    let second = server.second();
    for name in [id.as_str(), "of%20ann"] {
        let path = format!("/api/sessions/{name}/recording");
        let put = server.put(&path).bearer(&second.all).body("y", "text/plain").send();
        refused(put, 404, "session_not_found");
        refused(server.get(&path).bearer(&second.all).send(), 404, "session_not_found");
    }
    assert_eq!(recording(&server, "GET", &id).send().expect(200).text, "x");
}

#[test]
fn a_recording_is_out_of_sight_with_its_user_and_erased_with_it() {
    let server = Server::start();
    let project = server.project().id;
    let id = session(&server, "ann");
    let user = id_of(&server, "ann");
    recording(&server, "PUT", &id).body("x", "text/plain").send().expect(200);
    // The event, its session, the piece, and the user.
    assert_eq!(server.rows_of(user), 4);

    server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?));
    refused(recording(&server, "GET", &id).send(), 404, "session_not_found");
    refused(recording(&server, "PUT", &id).body("x", "text/plain").send(), 404, "session_not_found");
    server.write(move |tx| trash::restore(tx, user));
    recording(&server, "GET", &id).send().expect(200);

    erase(&server, "ann");
    refused(recording(&server, "GET", &id).send(), 404, "session_not_found");
    server.tick();
    assert_eq!(server.rows_of(user), 0);
}

#[test]
fn two_sessions_of_one_name_need_an_id() {
    let server = Server::start();
    let entries = json!([
        { "type": "page", "userId": "ann", "sessionId": "s1" },
        { "type": "page", "userId": "bob", "sessionId": "s1" },
    ]);
    send(&server, entries).expect(200);
    refused(recording(&server, "PUT", "s1").body("x", "text/plain").send(), 409, "ambiguous");
}

#[test]
fn any_session_name_passes_through_a_path() {
    let server = Server::start();
    for name in ["a@b+c/d%e f😀".to_owned(), "😀".repeat(256)] {
        send(&server, json!([{ "type": "page", "userId": "ann", "sessionId": name }])).expect(200);
        recording(&server, "PUT", &name).body("x", "text/plain").send().expect(200);
        assert_eq!(recording(&server, "GET", &name).send().expect(200).text, "x");
    }
    for name in ["x".repeat(257), "a\u{0}b".to_owned()] {
        let errors = refused(recording(&server, "GET", &name).send(), 400, "invalid");
        assert_eq!(errors[0]["field"], "id");
    }
}

#[test]
fn without_a_good_key_or_its_scope_nobody_is_let_in() {
    let server = Server::start();
    let id = session(&server, "ann");
    let path = format!("/api/sessions/{id}/recording");
    let reader = server.key(Some(server.project().id), "read,write,delete");
    let organisation = server.key(None, "ingest,read");
    let routes = [("POST", "/api/activity"), ("PUT", &path), ("GET", &path)];
    for (method, path) in routes {
        let request = || server.request(method, path);
        refused(request().send(), 401, "unauthorized");
        refused(request().bearer("wrong").send(), 401, "unauthorized");
        refused(request().header("Authorization", "Basic eDp5").send(), 401, "unauthorized");
        refused(request().bearer(&organisation).send(), 403, "forbidden");
    }
    refused(server.post("/api/activity").bearer(&reader).send(), 403, "forbidden");
    refused(server.put(&path).bearer(&reader).send(), 403, "forbidden");
    // The public token takes in and shows nothing.
    refused(server.get(&path).bearer(&server.project().token).send(), 403, "forbidden");
}

#[test]
fn a_path_or_method_that_is_not_there_is_a_problem() {
    let server = Server::start();
    refused(server.get("/api/nothing").send(), 404, "not_found");
    let reply = server.get("/api/activity").send();
    assert_eq!(reply.header("allow"), Some("POST"));
    refused(reply, 405, "method_not_allowed");
    let reply = server.delete("/api/sessions/1/recording").send();
    assert_eq!(reply.header("allow"), Some("GET, HEAD, PUT"));
    refused(reply, 405, "method_not_allowed");
}

#[test]
fn one_request_too_many_is_told_when_to_come_again() {
    let server = Server::with(|options| options.rate_limit = Some(1));
    send(&server, json!([])).expect(200);
    let reply = send(&server, json!([]));
    assert_eq!(reply.header("retry-after"), Some("60"));
    refused(reply, 429, "rate_limited");
}

fn erase(server: &Server, name: &'static str) {
    let project = server.project().id;
    server.write(move |tx| {
        erasure::by_identifier(tx, project, name, Erasure::Everything, Origin::Request).map(|_| ())
    });
}
