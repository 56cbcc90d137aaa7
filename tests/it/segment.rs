//! Segment's tracking API: how it lets in, and what it takes in one body. Single messages are
//! in `segment_messages.rs`, when and how often they count in `ingestion.rs`, merging in
//! `merging.rs`.

use std::process::{Command, Stdio};

use data_encoding::BASE64;
use serde_json::{Value, json};
use usher::clock::Millis;
use usher::model::{Event, ProjectId, User};
use usher::people::{activity, find};

use crate::harness::{Reply, START, Server, fields};

pub fn send(server: &Server, path: &str, body: Value) -> Reply {
    server.post(path).bearer(&server.project().all).json(body).send()
}

/// Sends a batch, which must be taken in as a whole.
#[track_caller]
pub fn batch(server: &Server, messages: Value) {
    let reply = send(server, "/v1/batch", json!({ "batch": messages })).expect(200);
    assert_eq!(reply.json(), json!({ "success": true }));
}

/// Sends a batch; the messages of it that came too late, by their index. All others are taken in.
#[track_caller]
pub fn late(server: &Server, messages: Value) -> Vec<u64> {
    let body = send(server, "/v1/batch", json!({ "batch": messages })).expect(200).json();
    assert_eq!(body["success"], true);
    assert_eq!(fields(&body), ["dropped", "success"], "nothing was dropped");
    let dropped = body["dropped"].as_array().expect("a list");
    dropped
        .iter()
        .map(|one| {
            assert_eq!(fields(one), ["index", "reason"]);
            assert_eq!(one["reason"], "late");
            one["index"].as_u64().expect("a number")
        })
        .collect()
}

/// Sends a batch, which is taken in as a whole; what was repaired: index, field and reason.
#[track_caller]
pub fn repairs(server: &Server, messages: Value) -> Vec<(u64, String, String)> {
    repaired(&send(server, "/v1/batch", json!({ "batch": messages })).expect(200).json())
}

#[track_caller]
pub fn repaired(body: &Value) -> Vec<(u64, String, String)> {
    assert_eq!(fields(body), ["repairs", "success"], "nothing was repaired");
    named(body, "repairs")
}

/// Sends a batch; what is refused: index and field of each fault.
#[track_caller]
pub fn refusals(server: &Server, messages: Value) -> Vec<(u64, String, String)> {
    refused(&send(server, "/v1/batch", json!({ "batch": messages })).expect(200).json())
}

#[track_caller]
pub fn refused(body: &Value) -> Vec<(u64, String, String)> {
    assert_eq!(fields(body), ["errors", "success"], "nothing was refused");
    named(body, "errors")
}

/// What an answer says of single messages, under a name.
#[track_caller]
fn named(body: &Value, list: &str) -> Vec<(u64, String, String)> {
    assert_eq!(body["success"], true);
    body[list]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| {
            assert_eq!(fields(error), ["field", "index", "message"]);
            let text = |field: &str| error[field].as_str().expect("a text").to_owned();
            (error["index"].as_u64().expect("a number"), text("field"), text("message"))
        })
        .collect()
}

#[track_caller]
pub fn user(server: &Server, name: &str) -> User {
    find(server, name).unwrap_or_else(|| panic!("{name} is missing"))
}

pub fn find(server: &Server, name: &str) -> Option<User> {
    let project = server.project().id;
    server.app.read(|db| find::get(db, project, name)).ok()
}

/// All events of a user, the oldest first.
#[track_caller]
pub fn events(server: &Server, name: &str) -> Vec<Event> {
    let user = user(server, name);
    let mut events = server.read(|db| activity::timeline(db, &user, Millis::MIN, Millis::MAX, 100_000, 0));
    events.reverse();
    events
}

pub fn names(server: &Server, name: &str) -> Vec<String> {
    events(server, name).into_iter().map(|event| event.name).collect()
}

pub fn count(server: &Server, rows: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {rows}");
    server.sqlite().query_row(&sql, [], |row| row.get(0)).expect("a count")
}

pub fn gzip(text: &str) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip runs");
    let mut stdin = child.stdin.take().expect("its input");
    let text = text.to_owned();
    let feeder = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, text.as_bytes()));
    let output = child.wait_with_output().expect("gzip ends");
    feeder.join().expect("an end").expect("it was fed");
    output.stdout
}

pub fn track(name: &str, what: &str) -> Value {
    json!({ "type": "track", "userId": name, "event": what })
}

#[test]
fn the_key_comes_as_basic_as_bearer_bare_or_in_the_body() {
    let server = Server::start();
    let key = server.project().all.clone();
    let basic = |text: &str| format!("Basic {}", BASE64.encode(text.as_bytes()));
    let values = [
        basic(&format!("{key}:")),
        basic(&key),
        basic(&format!("{key}:password")),
        basic(&format!("{key}:")).replacen("Basic", "bASIC", 1),
        format!("Bearer {key}"),
        format!("bearer {key}"),
        key.clone(),
        basic(&format!("{}:", server.project().token)),
        basic(&format!("{}:", server.key(Some(server.project().id), "ingest"))),
    ];
    for (n, value) in values.iter().enumerate() {
        let body = json!({ "batch": [track("ann", &format!("{n}"))] });
        let reply = server.post("/v1/batch").header("Authorization", value).json(body).send().expect(200);
        assert_eq!(reply.json(), json!({ "success": true }));
        let reply = server.post("/v1/track").header("Authorization", value);
        reply.json(json!({ "userId": "ann", "event": format!("{n} single") })).send().expect(200);
    }
    let in_body = json!({ "batch": [track("ann", "x")], "writeKey": key });
    server.post("/v1/batch").json(in_body.clone()).send().expect(200);
    // A client that has no key for the header sends an empty one.
    server.post("/v1/batch").header("Authorization", &basic(":")).json(in_body).send().expect(200);
    server
        .post("/v1/track")
        .json(json!({ "userId": "ann", "event": "y", "writeKey": key }))
        .send()
        .expect(200);
    assert_eq!(events(&server, "ann").len(), values.len() * 2 + 3);
}

#[test]
fn without_a_good_key_it_is_401_and_nothing_is_kept() {
    let server = Server::start();
    let key = server.project().all.clone();
    let basic = |text: &str| format!("Basic {}", BASE64.encode(text.as_bytes()));
    let unauthorized = |reply: Reply| {
        let body = reply.expect(401).json();
        assert_eq!(fields(&body), ["code", "message", "success"]);
        assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!("unauthorized")));
    };
    let good = json!({ "batch": [track("ann", "x")] });
    for value in [
        basic("wrong:"),
        basic(":"),
        basic(&format!(":{key}")),
        format!("Basic {key}"),
        "Basic".to_owned(),
        "Basic !".to_owned(),
        format!("Basic {}", BASE64.encode(b"\xff\xfe:")),
        "Digest x".to_owned(),
        "wrong".to_owned(),
        String::new(),
    ] {
        let request = server.post("/v1/batch").header("Authorization", &value);
        unauthorized(request.json(good.clone()).send());
    }
    for key in [json!("wrong"), json!(""), json!(5), Value::Null, json!([key])] {
        let body = json!({ "batch": [track("ann", "x")], "writeKey": key });
        unauthorized(server.post("/v1/batch").json(body).send());
    }
    // The header's key counts, not the body's.
    let body = json!({ "batch": [track("ann", "x")], "writeKey": server.project().all });
    unauthorized(server.post("/v1/batch").bearer("wrong").json(body).send());
    unauthorized(server.post("/v1/batch").body("{", "application/json").send());
    let reader = server.key(Some(server.project().id), "read,write,delete,admin");
    let forbidden = server.post("/v1/batch").bearer(&reader).json(good.clone()).send().expect(403);
    assert_eq!(forbidden.json()["code"], "forbidden");
    server.post("/v1/batch").bearer(&server.key(None, "ingest")).json(good).send().expect(403);
    assert_eq!(count(&server, "users"), 0);
}

#[test]
fn a_key_in_the_body_is_found_beside_an_unreadable_message() {
    let server = Server::start();
    let body = format!(
        r#"{{"batch":[{{"type":"track","userId":"ann","event":"x","properties":{{"p":{}}}}},{}],"writeKey":"{}"}}"#,
        format_args!("{}{}", "[".repeat(500), "]".repeat(500)),
        track("ann", "good"),
        server.project().token
    );
    let reply = server.post("/v1/batch").body(body, "application/json").send().expect(200);
    assert_eq!(refused(&reply.json())[0].0, 0);
    assert_eq!(names(&server, "ann"), ["good"]);
    // Beside one that has to be put right, too.
    let body = format!(
        r#"{{"batch":[{{"type":"track","userId":"ann","event":"\ud800"}}],"writeKey":"{}"}}"#,
        server.project().token
    );
    let reply = server.post("/v1/batch").body(body, "application/json").send().expect(200);
    assert_eq!(repaired(&reply.json()), [(0, String::new(), "characters lost".to_owned())]);
    assert_eq!(names(&server, "ann"), ["good", "\u{fffd}"]);
}

#[test]
fn a_body_may_be_gzipped_and_is_measured_unpacked() {
    let server = Server::start();
    let post = |path: &str, body: Vec<u8>| {
        let request = server.post(path).bearer(&server.project().all).header("Content-Encoding", "gzip");
        request.body(body, "application/json").send()
    };
    let text = json!({ "batch": [track("ann", "zipped")] }).to_string();
    post("/v1/batch", gzip(&text)).expect(200);
    post("/v1/track", gzip(&json!({ "userId": "ann", "event": "alone" }).to_string())).expect(200);
    assert_eq!(names(&server, "ann"), ["zipped", "alone"]);
    // A small one that unpacks to much.
    let bomb = gzip(&format!("{{\"batch\":[],\"x\":\"{}\"}}", " ".repeat(50_000_000)));
    assert!(bomb.len() < 100_000);
    assert_eq!(post("/v1/batch", bomb).expect(413).json()["code"], "too_large");
    let whole = gzip(&text);
    for broken in [text.clone().into_bytes(), whole[..whole.len() / 2].to_vec(), Vec::new(), vec![0x1f, 0x8b]]
    {
        let body = post("/v1/batch", broken).expect(400).json();
        assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!("invalid")));
    }
    // With the key inside it.
    let inside = json!({ "batch": [track("ann", "inside")], "writeKey": server.project().token }).to_string();
    let request = server.post("/v1/batch").header("Content-Encoding", "gzip");
    request.body(gzip(&inside), "application/json").send().expect(200);
    assert_eq!(events(&server, "ann").len(), 3);
}

#[test]
fn what_cannot_be_read_as_a_batch_is_400_and_keeps_nothing() {
    let server = Server::start();
    let good = track("ann", "x").to_string();
    for body in [
        String::new(),
        "{".into(),
        "[]".into(),
        format!("[{good}]"),
        "null".into(),
        "\"batch\"".into(),
        "{}".into(),
        format!("{{\"batch\":{good}}}"),
        "{\"batch\":null}".into(),
        "{\"batch\":\"x\"}".into(),
        format!("{{\"batch\":[{}", good.trim_end_matches('}')),
    ] {
        let request = server.post("/v1/batch").bearer(&server.project().all);
        let reply = request.body(body.clone(), "application/json").send();
        let answer = reply.expect(400).json();
        assert_eq!((&answer["success"], &answer["code"]), (&json!(false), &json!("invalid")), "{body}");
        assert!(!answer.to_string().contains("ann"), "{answer}");
    }
    let request = server.post("/v1/batch").bearer(&server.project().all);
    request.body(b"{\"batch\":[{\"userId\":\"\xff\"".to_vec(), "application/json").send().expect(400);
    assert_eq!(count(&server, "users"), 0);
}

#[test]
fn an_empty_batch_and_any_content_type_are_a_success() {
    let server = Server::start();
    batch(&server, json!([]));
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let body = json!({ "batch": [track("ann", content_type)] }).to_string();
        let request = server.post("/v1/batch").bearer(&server.project().all);
        request.body(body, content_type).send().expect(200);
    }
    assert_eq!(events(&server, "ann").len(), 2);
}

/// A track message of so many bytes, as it is sent.
fn of_size(name: &str, bytes: usize) -> String {
    let empty = json!({ "type": "track", "userId": name, "event": "Filled", "properties": { "p": "" } });
    let text = empty.to_string();
    let filled = text.replacen("\"p\":\"\"", &format!("\"p\":\"{}\"", "x".repeat(bytes - text.len())), 1);
    assert_eq!(filled.len(), bytes);
    filled
}

pub fn post(server: &Server, path: &str, body: String) -> Reply {
    server.post(path).bearer(&server.project().all).body(body, "application/json").send()
}

#[test]
fn a_message_has_at_most_64_kib() {
    let server = Server::start();
    let (most, more) = (of_size("ann", 64 * 1024), of_size("bob", 64 * 1024 + 1));
    let reply = post(&server, "/v1/batch", format!("{{\"batch\":[{more},{most},{more}]}}")).expect(200);
    let faults = refused(&reply.json());
    let fault = |index| (index, "message".to_owned(), "must have at most 65536 bytes".to_owned());
    assert_eq!(faults, [fault(0), fault(2)]);
    assert_eq!((events(&server, "ann").len(), find(&server, "bob").is_none()), (1, true));

    post(&server, "/v1/track", most).expect(200);
    let body = post(&server, "/v1/track", more).expect(413).json();
    assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!("too_large")));
    assert_eq!((events(&server, "ann").len(), find(&server, "bob").is_none()), (2, true));
}

#[test]
fn a_batch_has_at_most_4_096_000_bytes_unpacked() {
    let server = Server::start();
    let whole = |bytes: usize| {
        let mut list: Vec<String> = (0..62).map(|n| of_size(&format!("user {n}"), 64 * 1024)).collect();
        let rest = bytes - format!("{{\"batch\":[{},]}}", list.join(",")).len();
        list.push(of_size("last", rest));
        let text = format!("{{\"batch\":[{}]}}", list.join(","));
        assert_eq!(text.len(), bytes);
        text
    };
    let zipped = |text: String| {
        let request = server.post("/v1/batch").bearer(&server.project().all);
        request.header("Content-Encoding", "gzip").body(gzip(&text), "application/json").send()
    };
    assert_eq!(post(&server, "/v1/batch", whole(4_096_001)).expect(413).json()["code"], "too_large");
    assert_eq!(zipped(whole(4_096_001)).expect(413).json()["code"], "too_large");
    assert_eq!(count(&server, "users"), 0);
    post(&server, "/v1/batch", whole(4_096_000)).expect(200);
    assert_eq!((count(&server, "users"), count(&server, "events")), (63, 63));
    zipped(whole(4_096_000)).expect(200);
    assert_eq!((count(&server, "users"), count(&server, "events")), (63, 126));
    // With the key in the body it is the same.
    let keyless = server.post("/v1/batch").body(whole(4_096_001), "application/json").send();
    assert!([401, 413].contains(&keyless.status));
}

#[test]
fn a_batch_of_thousands_of_tiny_messages_is_taken_in() {
    let server = Server::start();
    let messages: Vec<Value> = (0..5_000)
        .map(|n| json!({ "type": "track", "userId": n % 50, "event": "x", "messageId": n }))
        .collect();
    let body = json!({ "batch": messages });
    assert!(body.to_string().len() < 500_000);
    send(&server, "/v1/batch", body.clone()).expect(200);
    send(&server, "/v1/batch", body).expect(200);
    assert_eq!((count(&server, "users"), count(&server, "events")), (50, 5_000));
    check_counters(&server);
}

/// Every counter is what the rows say; to be called when nothing is moving.
#[track_caller]
pub fn check_counters(server: &Server) {
    let wrong = count(
        server,
        "users u WHERE state IN ('live', 'hidden') AND (
            event_count <> (SELECT COUNT(*) FROM events WHERE user_id = u.id)
            OR session_count <> (SELECT COUNT(*) FROM sessions WHERE user_id = u.id))",
    );
    assert_eq!(wrong, 0, "users whose counters are wrong");
    let wrong = count(
        server,
        "sessions s WHERE event_count <> (SELECT COUNT(*) FROM events WHERE session_id = s.id)
            OR page_count <> (SELECT COUNT(*) FROM events WHERE session_id = s.id AND kind IN ('page', 'screen'))
            OR user_id NOT IN (SELECT user_id FROM events WHERE session_id = s.id)",
    );
    assert_eq!(wrong, 0, "sessions whose counters are wrong");
}

#[test]
fn projects_are_kept_apart() {
    let server = Server::start();
    let second = server.second();
    for project in [server.project(), &second] {
        let body = json!({ "batch": [
            { "type": "track", "userId": "ann", "event": "x", "messageId": "m" },
            { "type": "track", "anonymousId": "visitor", "event": "x", "messageId": "m" },
        ] });
        server.post("/v1/batch").bearer(&project.all).json(body).send().expect(200);
    }
    let of = |project: ProjectId| count(&server, &format!("users WHERE project_id = {project}"));
    assert_eq!((of(server.project().id), of(second.id)), (2, 2));
    let alias = json!({ "userId": "ann", "previousId": "visitor" });
    server.post("/v1/alias").bearer(&second.all).json(alias).send().expect(200);
    server.tick();
    assert_eq!((of(server.project().id), of(second.id)), (2, 1));
    assert_eq!(user(&server, "ann").event_count, 1);
    assert_eq!(user(&server, "ann").first_seen, Some(START));
}
