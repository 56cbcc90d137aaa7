//! Very many messages, a third of them odd: every good part is there, and every repair is counted.

use std::collections::BTreeMap;

use crate::harness::Server;
use crate::segment::{check_counters, count};
use crate::tolerance::{counted, raw};

const BATCHES: usize = 100;
const MESSAGES: usize = 1_000;
const USERS: usize = 500;
/// How many ways there are to be odd.
const WAYS: usize = 17;

/// What is expected of a message.
#[derive(Default)]
struct Expected {
    /// Counted, by outcome and reason.
    counts: BTreeMap<(String, String), i64>,
    events: i64,
    refused: i64,
    /// Messages whose answer names a repair.
    named: i64,
}

impl Expected {
    fn fix(&mut self, reason: &str, named: bool) {
        *self.counts.entry(("repaired".into(), reason.into())).or_default() += 1;
        self.named += i64::from(named);
    }
}

/// A good message: an event of a user.
fn good(n: usize, rest: &str) -> Vec<u8> {
    let user = n % USERS;
    format!(r#"{{"type":"track","userId":"user {user}","messageId":"m{n}","event":"good"{rest}}}"#)
        .into_bytes()
}

/// An event with another text, where the good one has `good`.
fn event(n: usize, text: &str) -> Vec<u8> {
    String::from_utf8_lossy(&good(n, "")).replacen("\"good\"", text, 1).into_bytes()
}

/// A message that is odd in one way, which costs no other one anything.
fn odd(n: usize, way: usize, expected: &mut Expected) -> Vec<u8> {
    let user = n % USERS;
    // Those that make no event take it back.
    expected.events += 1;
    match way {
        0 => good(n, r#","properties":[],"context":[],"timestamp":"""#),
        1 => {
            expected.fix("control characters", true);
            event(n, r#""go\nod""#)
        }
        2 => {
            expected.fix("time unreadable", true);
            good(n, r#","timestamp":"soon""#)
        }
        3 => good(n, r#","timestamp":"1685923200","originalTimestamp":"2025-07-28 21:43:35 +0000 UTC""#),
        4 => {
            expected.fix("cut to 1024 characters", true);
            event(n, &format!("\"{}\"", "x".repeat(1_025)))
        }
        5 => {
            expected.fix("not an object", true);
            good(n, r#","properties":"x""#)
        }
        6 => good(n, r#","anonymousId":"""#),
        7 => {
            expected.fix("unusable id", true);
            good(n, r#","anonymousId":{"a":1}"#)
        }
        8 => {
            expected.fix("placeholder id", false);
            good(n, r#","anonymousId":"undefined""#)
        }
        9 => {
            expected.fix("made a string", true);
            event(n, "17.5")
        }
        10 => {
            expected.fix("unusable id", true);
            good(n, r#","context":{"sessionId":[1]}"#)
        }
        11 => {
            (expected.events, expected.refused) = (expected.events - 1, expected.refused + 1);
            *expected.counts.entry(("refused".into(), "refused".into())).or_default() += 1;
            format!(r#"{{"type":"track","userId":{n}.5,"event":"bad","messageId":"m{n}"}}"#).into_bytes()
        }
        12 => {
            (expected.events, expected.refused) = (expected.events - 1, expected.refused + 1);
            *expected.counts.entry(("refused".into(), "refused".into())).or_default() += 1;
            format!(r#"{{"type":"track","userId":"user {user}"}}"#).into_bytes()
        }
        13 => {
            expected.events -= 1;
            expected.fix("over 1024 characters", true);
            let avatar = "x".repeat(1_025);
            format!(
                r#"{{"type":"identify","userId":"user {user}","traits":{{"avatar":"{avatar}","kept {n}":1}}}}"#
            )
            .into_bytes()
        }
        14 => {
            expected.events -= 1;
            expected.fix("anonymous id of another user", false);
            // The first user's from the beginning.
            format!(
                r#"{{"type":"identify","userId":"user {}","anonymousId":"tablet","traits":{{"kept {n}":1}}}}"#,
                1 + user % (USERS - 1)
            )
            .into_bytes()
        }
        15 => {
            expected.fix("characters lost", true);
            event(n, r#""go\ud83dod""#)
        }
        _ => good(n, r#","properties":{"huge":1e400,"digits":123456789012345678901234567890}"#),
    }
}

/// A message that JSON does not allow: what is repaired of it is repaired of the body.
fn broken(n: usize) -> Vec<u8> {
    match n % 3 {
        0 => good(n, r#","properties":{"price":NaN}"#),
        1 => event(n, "\"go\nod\""),
        _ => {
            let mut message = good(n, "");
            let at = message.windows(4).position(|part| part == b"good").expect("the name") + 2;
            message.insert(at, 0xff);
            message
        }
    }
}

fn batch(number: usize, expected: &mut Expected) -> Vec<u8> {
    let mut body = b"{\"batch\":[".to_vec();
    let is_broken = number.is_multiple_of(4);
    for index in 0..MESSAGES {
        let n = number * MESSAGES + index;
        let message = match (n % 3, is_broken) {
            (0, true) => {
                expected.events += 1;
                broken(n / 3)
            }
            (0, false) => odd(n, n / 3 % WAYS, expected),
            _ => {
                expected.events += 1;
                good(n, "")
            }
        };
        if index > 0 {
            body.push(b',');
        }
        // A broken one has another number in its id than its place.
        let message = match is_broken && n.is_multiple_of(3) {
            true => replace_id(message, n / 3, n),
            false => message,
        };
        body.extend(message);
    }
    body.extend(b"]}");
    if is_broken {
        // Each is counted once, for the body as a whole.
        for reason in ["not a number", "control characters", "characters lost"] {
            expected.fix(reason, false);
        }
        // What was no control character in JSON is one in the event's name still.
        let unescaped = (0..MESSAGES).filter(|index| {
            let n = number * MESSAGES + index;
            n.is_multiple_of(3) && n / 3 % 3 == 1
        });
        unescaped.for_each(|_| expected.fix("control characters", true));
    }
    body
}

fn replace_id(message: Vec<u8>, from: usize, to: usize) -> Vec<u8> {
    let (from, to) = (format!("\"m{from}\""), format!("\"m{to}\""));
    let at = message.windows(from.len()).position(|part| part == from.as_bytes()).expect("its id");
    [&message[..at], to.as_bytes(), &message[at + from.len()..]].concat()
}

#[test]
fn of_100_000_messages_a_third_odd_all_are_taken_and_counted() {
    let server = Server::start();
    let first = r#"{"userId":"user 0","anonymousId":"tablet"}"#;
    raw(&server, "/v1/identify", first).expect(200);
    let mut expected = Expected::default();
    let (mut refused, mut named) = (0, 0);
    for number in 0..BATCHES {
        let body = batch(number, &mut expected);
        let answer = raw(&server, "/v1/batch", body).expect(200).json();
        let length = |field: &str| answer[field].as_array().map_or(0, |list| list.len() as i64);
        refused += length("errors");
        named += length("repairs");
    }
    assert_eq!((refused, named), (expected.refused, expected.named));
    assert_eq!(counted(&server), expected.counts);
    assert_eq!(count(&server, "events"), expected.events);
    assert_eq!(count(&server, "events WHERE name = 'bad'"), 0);
    assert_eq!(count(&server, "users"), USERS as i64, "nobody is there twice, or merged");
    // Each good one of three is there, and the attributes of those whose other parts were left out.
    let good = (0..BATCHES * MESSAGES).filter(|n| n % 3 != 0).count() as i64;
    let there = "(SELECT DISTINCT CAST(substr(message_id, 2) AS INTEGER) n FROM events) WHERE n % 3 <> 0";
    assert_eq!(count(&server, there), good);
    let kept = expected.counts[&("repaired".to_owned(), "over 1024 characters".to_owned())]
        + expected.counts[&("repaired".to_owned(), "anonymous id of another user".to_owned())];
    let attributes = "users, json_each(users.attributes) WHERE json_each.key LIKE 'kept %'";
    assert_eq!(count(&server, attributes), kept);
    check_counters(&server);
}
