//! Batches as phones leave them in their files. Each message that is whole is taken.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use usher::clock::rfc3339;

use crate::harness::{START, Server};
use crate::segment::{count, find, names, send};
use crate::tolerance::{raw, times};

fn event(name: &str) -> String {
    let text = json!({ "type": "track", "userId": name, "event": "x", "properties": { "p": "a,}]\"{" } });
    text.to_string()
}

/// What is behind the list, with the brace that closes the envelope.
fn tail(server: &Server) -> String {
    format!(r#""sentAt":"{}","writeKey":"{}"}}"#, rfc3339(START), server.project().token)
}

/// Sends a body that has its key in it alone.
fn keyless(server: &Server, body: &str) -> crate::harness::Reply {
    server.post("/v1/b").body(body.to_owned(), "application/json").send()
}

const COMMAS: &str = "commas between messages";
const JOINED: &str = "bodies joined";
const NO_BEGINNING: &str = "beginning of the body missing";
const NO_END: &str = "end of the body missing";
const STRANGE: &str = "no JSON between messages";

#[test]
fn every_whole_message_of_a_broken_batch_is_taken() {
    // E1 and E2 are messages, TAIL is what follows a list.
    let forms: [(&str, &str, &[&str]); 12] = [
        ("leading comma", "{\"batch\":[\n,E1\n,E2],TAIL", &[COMMAS]),
        ("missing comma", r#"{"batch":[E1E2],TAIL"#, &[COMMAS]),
        ("doubled comma", r#"{"batch":[E1,,E2],TAIL"#, &[COMMAS]),
        ("trailing comma", r#"{"batch":[E1,E2,],TAIL"#, &[COMMAS]),
        ("joined", r#"{"batch":[E1],TAIL{"batch":[E2],TAIL"#, &[JOINED]),
        ("joined on lines", "{\"batch\":[E1],TAIL\n{\"batch\":[,E2],TAIL\n", &[JOINED, COMMAS]),
        ("joined in a list", r#"{"batch":[E1,{"batch":[E2],TAIL"#, &[JOINED, NO_END]),
        ("no head", ",\nE1,E2],TAIL", &[NO_BEGINNING]),
        ("NULs", "{\"batch\":[E1,\0\0\0E2],TAIL\0", &[STRANGE]),
        ("tail first", r#"{"sentAt":"2026-03-04T10:00:00Z","batch":[E1,E2,],TAIL"#, &[COMMAS]),
        ("strange", r#"{"batch":[E1,E2],"x":'y',TAIL"#, &[STRANGE]),
        ("one more begun", r#"{"batch":[E1,E2],TAIL{"#, &[JOINED, NO_END]),
    ];
    for (what, form, reasons) in forms {
        let server = Server::start();
        let body = form.replace("E1", &event("ann")).replace("E2", &event("bea"));
        let body = body.replace("TAIL", &tail(&server));
        let answer = keyless(&server, &body).expect(200).json();
        assert_eq!(answer, json!({ "success": true }), "{what}");
        for name in ["ann", "bea"] {
            assert_eq!(names(&server, name), ["x"], "{what}");
        }
        for reason in [COMMAS, JOINED, NO_BEGINNING, NO_END, STRANGE] {
            let expected = i64::from(reasons.contains(&reason));
            assert_eq!(times(&server, "repaired", reason), expected, "{what}: {reason}");
        }
    }
}

#[test]
fn a_body_that_is_cut_off_has_its_whole_messages() {
    let whole = format!(r#"{{"batch":[{},{}]"#, event("ann"), event("bea"));
    let first = r#"{"batch":["#.len() + event("ann").len();
    let server = Server::start();
    for length in 0..whole.len() {
        let answer = raw(&server, "/v1/batch", &whole[..length]);
        match length {
            _ if length < first => assert_eq!(answer.status, 400, "{length}"),
            _ => assert_eq!(answer.status, 200, "{length}"),
        }
        if length > first + 1 {
            let lost = json!([{ "index": 1, "field": "message", "message": "is not whole" }]);
            assert_eq!(answer.json()["errors"], if length < whole.len() - 1 { lost } else { Value::Null });
        }
    }
    assert_eq!(names(&server, "ann").len(), whole.len() - first);
    assert_eq!(names(&server, "bea").len(), 1, "whole before the bracket");
    assert_eq!(times(&server, "repaired", NO_END), (whole.len() - first) as i64);
}

#[test]
fn a_list_of_nothing_but_commas_is_a_success() {
    let server = Server::start();
    for body in [r#"{"batch":[,]}"#, r#"{"batch":[,,,]}"#, "{\"batch\":[\n,\n]}"] {
        assert_eq!(raw(&server, "/v1/batch", body).expect(200).json(), json!({ "success": true }), "{body}");
    }
    assert_eq!((times(&server, "repaired", COMMAS), count(&server, "users")), (3, 0));
}

#[test]
fn a_body_with_no_whole_message_stays_400() {
    let server = Server::start();
    let bodies = [
        "",
        "{",
        "\0",
        "[,]",
        r#"{"batch":["#,
        r#"{"batch":[,,"#,
        r#"{"batch":[nan]}"#,
        r#"{"batch":[{"type":"track","userId":"ann","event":"x"}"#.trim_end_matches('}'),
        r#"{"list":[{"type":"track","userId":"ann","event":"x"},]}"#,
        r#"[{"type":"track","userId":"ann","event":"x"}]"#,
    ];
    for body in bodies {
        let answer = raw(&server, "/v1/batch", body).expect(400).json();
        assert_eq!((&answer["success"], &answer["code"]), (&json!(false), &json!("invalid")), "{body}");
    }
    assert_eq!(count(&server, "users"), 0);
}

#[test]
fn what_is_inside_a_broken_message_is_no_message() {
    let server = Server::start();
    let inner = event("eve");
    let bodies = [
        format!(
            r#"{{"batch":[{},{{"type":"track","list":[{inner}],"bad":nan}},{}]}}"#,
            event("a1"),
            event("a2")
        ),
        format!(r#"{{"batch":[{},{{"type":"track","list":[{inner}]"#, event("a3")),
        format!(r#"{{"batch":[{},nan,{}]}}"#, event("a4"), event("a5")),
        format!("{},{{\"event\":{:?},\"bad\":nan}},{}]}}", event("a6"), inner, event("a7")),
    ];
    for body in bodies {
        let answer = raw(&server, "/v1/batch", body.clone()).expect(200).json();
        let lost = json!([{ "index": 1, "field": "message", "message": "is not whole" }]);
        assert_eq!(answer["errors"], lost, "{body}");
    }
    for n in 1..=7 {
        assert_eq!(names(&server, &format!("a{n}")), ["x"], "a{n}");
    }
    assert!(find(&server, "eve").is_none());
    assert_eq!(times(&server, "refused", "refused"), 4);
}

#[test]
fn joined_bodies_with_different_keys_open_nothing() {
    let server = Server::start();
    let other = server.second();
    let of = |key: &str| format!(r#"{{"batch":[{}],"writeKey":"{key}"}}"#, event("ann"));
    let both = of(&server.project().token) + &of(&other.token);
    keyless(&server, &both).expect(401);
    assert_eq!(count(&server, "users"), 0);
    keyless(&server, &of(&server.project().token).repeat(2)).expect(200);
    assert_eq!(names(&server, "ann").len(), 2);
}

#[test]
fn each_joined_body_has_its_own_time_of_sending() {
    let server = Server::start();
    server.seed("ann").events(1).insert();
    crate::late_bounds::erase(&server, "ann");
    server.clock.advance(60_000);
    let of = |at| {
        let message = json!({ "type": "identify", "userId": "ann" });
        json!({ "batch": [message], "sentAt": rfc3339(at) }).to_string()
    };
    let answer = raw(&server, "/v1/batch", of(START) + &of(START + 60_000)).expect(200).json();
    assert_eq!(answer["dropped"], json!([{ "index": 0, "reason": "late" }]));
    assert!(find(&server, "ann").is_some(), "by the second");
}

#[test]
fn a_deep_or_long_broken_body_is_answered_at_once() {
    let server = Server::start();
    let begun = std::time::Instant::now();
    let bodies = [
        "{\"batch\":[".to_owned() + &"[".repeat(200_000),
        "{\"batch\":[".to_owned() + &"{".repeat(200_000),
        "{\"batch\":[".repeat(100_000),
        "{".repeat(200_000),
        "{}".repeat(200_000),
        "{\"batch\":[".to_owned() + &",".repeat(800_000),
        "{\"batch\":[".to_owned() + &"[]}".repeat(100_000),
        "{\"batch\":[".to_owned() + &"]\"".repeat(200_000),
        "\"a\":{".repeat(100_000),
        "{\"batch\":[".to_owned() + &"\\\"".repeat(400_000),
    ];
    for body in bodies {
        assert_eq!(raw(&server, "/v1/batch", body).status, 400);
    }
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

/// Parts of which bodies are made, whole and not.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(event("ann")),
        Just(event("bea")),
        prop::sample::select(vec![
            "{\"batch\":[",
            "]",
            "],",
            "}",
            ",",
            ",,",
            "{",
            "[",
            "\"",
            "\\\"",
            "\0",
            "nan",
            "NaN",
            " ",
            "\n",
            "1",
            "\"sentAt\":\"2026-03-04T10:00:00Z\"",
            "\"batch\":",
            ":",
            "null",
            "\u{1f600}",
            "{\"type\":",
            "'x'",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ]
}

#[test]
fn any_broken_batch_is_answered() {
    let server = Server::start();
    let mut runner = TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    let parts = prop::collection::vec(part(), 0..14).prop_map(|parts| parts.concat());
    runner
        .run(&parts, |body| {
            let reply = raw(&server, "/v1/batch", body.clone());
            prop_assert!([200, 400].contains(&reply.status), "{}: {body}", reply.status);
            // What is well-formed is told apart by JSON alone.
            if let Ok(value) = serde_json::from_str::<Value>(&body) {
                prop_assert_eq!(reply.status == 200, value["batch"].is_array(), "{}", body);
            }
            Ok(())
        })
        .expect("no body is too much");
    for reason in [COMMAS, JOINED, NO_BEGINNING, NO_END, STRANGE] {
        assert!(times(&server, "repaired", reason) > 0, "no case had {reason}");
    }
}

#[test]
fn whole_messages_of_any_cut_body_are_taken() {
    let server = Server::start();
    let text = prop_oneof!["\\PC{0,8}", Just("\"},{\"batch\":[".to_owned()), Just("\\".to_owned())];
    let bodies = (prop::collection::vec(text, 1..6), any::<prop::sample::Index>());
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let total = std::cell::Cell::new(0_i64);
    runner
        .run(&bodies, |(texts, index)| {
            let messages: Vec<String> = texts
                .iter()
                .map(|text| {
                    json!({ "type": "track", "userId": "ann", "event": "x", "properties": { "p": text } })
                        .to_string()
                })
                .collect();
            let body = format!(r#"{{"batch":[{}],"x":1}}"#, messages.join(","));
            let mut length = index.index(body.len());
            while !body.is_char_boundary(length) {
                length -= 1;
            }
            let mut end = r#"{"batch":["#.len();
            let mut whole = 0;
            for message in &messages {
                end += message.len();
                whole += i64::from(end <= length);
                end += 1;
            }
            let reply = raw(&server, "/v1/batch", &body[..length]);
            prop_assert_eq!(reply.status, if whole > 0 { 200 } else { 400 }, "{}", &body[..length]);
            total.set(total.get() + whole);
            prop_assert_eq!(count(&server, "events"), total.get(), "{}", &body[..length]);
            Ok(())
        })
        .expect("each whole one is there");
}

#[test]
fn a_well_formed_batch_is_read_as_ever() {
    let server = Server::start();
    let messages = json!([{ "type": "track", "userId": "ann", "event": "x", "batch": [{ "type": "track",
        "userId": "eve", "event": "x" }] }]);
    assert_eq!(
        send(&server, "/v1/batch", json!({ "batch": messages })).expect(200).json(),
        json!({ "success": true })
    );
    assert!(find(&server, "eve").is_none());
    let twice = r#"{"batch":[{"type":"track","userId":"bob","event":"x"}],"batch":[]}"#;
    raw(&server, "/v1/batch", twice).expect(200);
    assert!(find(&server, "bob").is_none(), "a key that is there twice counts as the last");
    for reason in [COMMAS, JOINED, NO_BEGINNING, NO_END, STRANGE] {
        assert_eq!(times(&server, "repaired", reason), 0);
    }
}
