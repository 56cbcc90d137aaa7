//! Bodies that anybody may send: without a good key none is understood, and little is unpacked.

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::io::Write;
use usher::clock::MINUTE;

use crate::harness::{Reply, Server};
use crate::segment::names;

const PATHS: [&str; 5] = ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch", "/sdk/batch"];
/// The most that is unpacked of a body whose key is not known yet.
const INSIDE: usize = 532 * 1024;

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// What is dear to read for what can be understood of it: lists and objects in one another, and none.
pub fn dear(length: usize) -> [Vec<u8>; 4] {
    let filled = |head: &str, part: &str| {
        let mut body = head.as_bytes().to_vec();
        while body.len() + part.len() <= length {
            body.extend_from_slice(part.as_bytes());
        }
        body.resize(length, b' ');
        body
    };
    [
        filled("", "["),
        filled(r#"{"batch":["#, r#"{"a":"#),
        filled("", "a"),
        filled(r#"{"writeKey":"nobody's","batch":["#, r#"{"type":"track",}"#),
    ]
}

fn send(server: &Server, path: &str, body: Vec<u8>, is_packed: bool) -> Reply {
    let request = server.post(path);
    let request = if is_packed { request.header("Content-Encoding", "gzip") } else { request };
    request.body(body, "text/plain").send()
}

/// How often a body was read for what can be understood of it.
fn readings(server: &Server) -> u64 {
    let key = server.key(None, "read");
    let figures = server.get("/metrics").bearer(&key).send().expect(200).text;
    let line = figures.lines().find_map(|line| line.strip_prefix("usher_lenient_readings_total "));
    line.and_then(|count| count.parse().ok()).expect("a figure")
}

#[test]
fn a_broken_body_without_a_good_key_is_not_understood() {
    let server = Server::start();
    for path in PATHS {
        for body in dear(INSIDE) {
            send(&server, path, gzip(&body), true).expect(401);
            send(&server, path, body, false).expect(401);
        }
    }
    for body in dear(4_000_000) {
        send(&server, "/v1/batch", gzip(&body), true).expect(413);
        send(&server, "/v1/batch", body, false).expect(401);
    }
    for path in ["/v1/t", "/e"] {
        send(&server, path, dear(60_000)[3].clone(), false).expect(401);
    }
    assert_eq!(readings(&server), 0);
    // The twin: with a good key it is, for the key and for its messages.
    let token = &server.project().token;
    let body =
        format!(r#"{{"batch":[{{"type":"track","userId":"ann","event":"x"}},],"writeKey":"{token}"}}"#);
    send(&server, "/v1/batch", body.into(), false).expect(200);
    assert_eq!((readings(&server), names(&server, "ann")), (2, vec!["x".to_owned()]));
}

#[test]
fn a_packed_body_with_its_key_inside_has_a_bound() {
    let server = Server::start();
    let body = json!({ "batch": [{ "type": "track", "userId": "ann", "event": "x" }],
        "writeKey": server.project().token });
    let padded = |length: usize| {
        let mut body = body.to_string().into_bytes();
        body.resize(length, b' ');
        body
    };
    send(&server, "/v1/batch", gzip(&padded(INSIDE)), true).expect(200);
    let told = send(&server, "/v1/batch", gzip(&padded(INSIDE + 1)), true).expect(413);
    assert!(told.text.contains("544768"), "{}", told.text);
    // As it is, or with its key beside it, it is taken.
    send(&server, "/v1/batch", padded(INSIDE + 1), false).expect(200);
    let beside = server.post("/v1/batch").header("X-Write-Key", &server.project().token);
    let beside = beside.header("Content-Encoding", "gzip").body(gzip(&padded(INSIDE + 1)), "text/plain");
    beside.send().expect(200);
}

#[test]
fn after_many_refusals_an_address_has_nothing_unpacked() {
    let server = Server::with(|options| options.rate_limit = Some(10_000));
    let good = json!({ "writeKey": server.project().token, "userId": "ann", "event": "x" }).to_string();
    for _ in 0..599 {
        send(&server, "/v1/t", b"{".to_vec(), false).expect(401);
    }
    send(&server, "/v1/t", gzip(good.as_bytes()), true).expect(200);
    send(&server, "/v1/t", b"{".to_vec(), false).expect(401);
    let told = send(&server, "/v1/t", gzip(good.as_bytes()), true).expect(429);
    assert!(told.header("retry-after").is_some());
    // Where nothing is to be unpacked, who has a good key is not held up.
    send(&server, "/v1/t", good.clone().into(), false).expect(200);
    server.clock.advance(MINUTE);
    send(&server, "/v1/t", gzip(good.as_bytes()), true).expect(200);
}

#[test]
fn a_key_is_found_among_many_fields_of_its_name() {
    let server = Server::start();
    let token = server.project().token.clone();
    let message = |n: usize| json!({ "type": "track", "userId": "ann", "event": "x", "properties": { "writeKey": format!("other {n}") } });
    let messages = (0..40).map(|n| message(n).to_string()).collect::<Vec<String>>().join(",");
    for (n, (head, tail)) in
        (1..).zip([(format!(r#""writeKey":"{token}","#), ""), (String::new(), r#","writeKey" : "TOKEN""#)])
    {
        let body = format!(r#"{{{head}"batch":[{messages}]{}}}"#, tail.replace("TOKEN", &token));
        send(&server, "/v1/batch", body.into(), false).expect(200);
        assert_eq!(names(&server, "ann").len(), n * 40);
    }
}

#[test]
fn a_good_key_inside_a_message_opens_nothing() {
    let server = Server::start();
    let token = server.project().token.clone();
    let inside =
        json!({ "type": "track", "userId": "ann", "event": "x", "properties": { "writeKey": token } });
    let bodies = [
        format!(r#"{{"batch":[{inside}]}}"#),
        format!(r#"{{"batch":[{inside}],"writeKey":"wrong"}}"#),
        // Broken, so that it is read for what can be understood.
        format!(r#"{{"batch":[{inside},]}}"#),
        format!(r#"{{"batch":[{inside}"#),
        format!(r#"{{"batch":["\"writeKey\":\"{token}\""]}}"#),
    ];
    for body in bodies {
        send(&server, "/v1/batch", body.clone().into(), false).expect(401);
    }
    assert!(crate::segment::find(&server, "ann").is_none());
}
