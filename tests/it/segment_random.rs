//! Whatever a client sends to Segment's routes: an answer that is its own business, never a
//! fault of ours, and a file that is sound.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::harness::{Reply, Server, fields};
use crate::segment::{check_counters, count};

const PATHS: [&str; 7] =
    ["/v1/batch", "/v1/identify", "/v1/track", "/v1/page", "/v1/screen", "/v1/group", "/v1/alias"];

fn config(cases: u32) -> Config {
    Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() }
}

/// Texts that have troubled somebody before.
fn text() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "",
        " ",
        "ann",
        "bob",
        "v",
        "w",
        "g",
        "m1",
        "m2",
        "track",
        "page",
        "identify",
        "alias",
        "group",
        "screen",
        "null",
        "-1",
        "2026-03-04T09:00:00Z",
        "2026-03-04T11:00:00+05:30",
        "9999-12-31T23:59:59Z",
        "-009999-01-02T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "%00",
        "' OR 1=1 --",
        "a\u{0}b",
        "\u{feff}",
        "\u{202e}",
        "😀",
        "e\u{301}",
        "\u{10ffff}",
        "\u{85}",
        "__proto__",
    ];
    prop_oneof![
        6 => proptest::sample::select(KNOWN).prop_map(str::to_owned),
        1 => ".{0,40}".prop_map(|text: String| text),
        1 => (250..260_usize).prop_map(|length| "x".repeat(length)),
        1 => (1_020..1_030_usize).prop_map(|length| "é".repeat(length)),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(|number| json!(number)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The names that mean something, and others.
fn name() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "type",
        "userId",
        "anonymousId",
        "previousId",
        "groupId",
        "event",
        "name",
        "category",
        "messageId",
        "timestamp",
        "sentAt",
        "traits",
        "properties",
        "context",
        "sessionId",
        "session_id",
        "page",
        "url",
        "os",
        "browser",
        "device",
        "location",
        "country",
        "city",
        "email",
        "firstName",
        "avatar",
        "address",
        "batch",
        "writeKey",
    ];
    prop_oneof![8 => proptest::sample::select(KNOWN).prop_map(str::to_owned), 1 => text()]
}

/// Nearly a message: what it needs is there more often than not.
fn message() -> impl Strategy<Value = Value> {
    let kind = proptest::sample::select(&["track", "page", "screen", "identify", "group", "alias"][..]);
    let who = proptest::sample::select(&["ann", "bob", "cy"][..]);
    let visitor = proptest::sample::select(&["v", "w", "x"][..]);
    let spoils = proptest::collection::vec((name(), value()), 0..4);
    let sane = (kind, proptest::option::of(who), proptest::option::of(visitor.clone()), visitor, spoils)
        .prop_map(|(kind, who, visitor, previous, spoils)| {
            let mut message = json!({
                "type": kind, "userId": who, "anonymousId": visitor, "previousId": previous, "groupId": "g",
                "event": "Happened", "properties": { "p": 1 }, "traits": { "t": 1 },
            });
            let fields = message.as_object_mut().expect("an object");
            fields.extend(spoils);
            message
        });
    prop_oneof![6 => sane, 1 => value()]
}

fn batch() -> impl Strategy<Value = Value> {
    let envelope = proptest::collection::vec((name(), value()), 0..2);
    (proptest::collection::vec(message(), 0..8), envelope).prop_map(|(messages, envelope)| {
        let mut body: Map<String, Value> =
            envelope.into_iter().filter(|(name, _)| name != "writeKey").collect();
        body.insert("batch".into(), Value::from(messages));
        Value::Object(body)
    })
}

fn post(server: &Server, path: &str, body: impl Into<Vec<u8>>) -> Reply {
    server.post(path).bearer(&server.project().all).body(body, "application/json").send()
}

#[test]
fn any_batch_is_answered_and_leaves_a_sound_file() {
    let server = Server::start();
    let outcome = TestRunner::new(config(300)).run(&batch(), |body| {
        let messages = body["batch"].as_array().expect("a list").len();
        let reply = post(&server, "/v1/batch", body.to_string());
        prop_assert_eq!(reply.status, 200, "{}", reply.text);
        let answer = reply.json();
        prop_assert_eq!(&answer["success"], &json!(true));
        for error in answer["errors"].as_array().into_iter().flatten() {
            prop_assert_eq!(fields(error), ["field", "index", "message"]);
            let index = error["index"].as_u64().expect("a number");
            prop_assert!(usize::try_from(index).is_ok_and(|index| index < messages));
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let taken = count(&server, "events");
    assert!(taken > 100, "hardly anything was taken in: {taken} events");
    server.tick();
    assert_eq!(count(&server, "users WHERE state = 'merged'"), 0);
    check_counters(&server);
}

#[test]
fn any_message_is_answered_on_any_path() {
    let server = Server::start();
    let strategy = (proptest::sample::select(&PATHS[..]), prop_oneof![message(), value()]);
    let outcome = TestRunner::new(config(300)).run(&strategy, |(path, body)| {
        let reply = post(&server, path, body.to_string());
        prop_assert!([200, 400, 413].contains(&reply.status), "{} {}", reply.status, reply.text);
        prop_assert_eq!(&reply.json()["success"], &json!(reply.status == 200));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    server.tick();
    check_counters(&server);
}

#[test]
fn any_bytes_are_answered_on_any_path() {
    let server = Server::start();
    // A good body with a few bytes changed, cut off, or put twice; or no sense at all.
    let mangled =
        (batch(), any::<prop::sample::Index>(), any::<u8>(), 0..4).prop_map(|(body, at, byte, how)| {
            let mut bytes = body.to_string().into_bytes();
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                2 => bytes.insert(at, byte),
                _ => bytes.extend_from_within(..at),
            }
            bytes
        });
    let strategy = (
        proptest::sample::select(&PATHS[..]),
        prop_oneof![4 => mangled, 1 => proptest::collection::vec(any::<u8>(), 0..200)],
        any::<bool>(),
    );
    let outcome = TestRunner::new(config(300)).run(&strategy, |(path, body, zipped)| {
        let request = server.post(path).bearer(&server.project().all);
        let request = if zipped { request.header("Content-Encoding", "gzip") } else { request };
        let reply = request.body(body, "application/json").send();
        prop_assert!([200, 400, 413].contains(&reply.status), "{} {}", reply.status, reply.text);
        prop_assert_eq!(&reply.json()["success"], &json!(reply.status == 200));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    server.tick();
    check_counters(&server);
}
