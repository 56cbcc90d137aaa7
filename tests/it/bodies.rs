//! How bodies are packed, and that no more of one is unpacked than is taken.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::json;

use crate::harness::{Reply, Server};
use crate::segment::names;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn send(server: &Server, coding: &str, body: Vec<u8>) -> Reply {
    let request = server.post("/v1/batch").header("X-Write-Key", &server.project().token);
    request.header("Content-Encoding", coding).body(body, "application/json").send()
}

fn batch(event: &str) -> Vec<u8> {
    json!({ "batch": [{ "type": "track", "userId": "ann", "event": event }] }).to_string().into_bytes()
}

#[test]
fn a_body_may_be_packed_in_each_way_that_clients_use() {
    let server = Server::start();
    let text = batch("Packed");
    let (first, second) = text.split_at(text.len() / 2);
    let bodies = [
        ("gzip", gzip(&text)),
        ("x-gzip", gzip(&text)),
        ("GZIP", gzip(&text)),
        ("gzip", [gzip(first), gzip(second)].concat()),
        ("gzip", [gzip(b""), gzip(&text), gzip(b"")].concat()),
        ("deflate", zlib(&text)),
        ("identity", text.clone()),
        ("", text.clone()),
    ];
    for (n, (coding, body)) in (1..).zip(bodies) {
        send(&server, coding, body).expect(200);
        assert_eq!(names(&server, "ann").len(), n, "{coding} {n}");
    }
}

#[test]
fn a_coding_that_is_not_taken_is_said_by_name() {
    let server = Server::start();
    // Good as gzip, which it is not said to be.
    for coding in ["br", "zstd", "compress", "gzip, gzip", "gzip;q=1"] {
        let body = send(&server, coding, gzip(&batch("Packed"))).expect(400).json();
        assert_eq!(body["errors"][0]["field"], "Content-Encoding", "{coding}: {body}");
    }
}

#[test]
fn a_body_that_does_not_unpack_is_refused() {
    let server = Server::start();
    let whole = gzip(&batch("Packed"));
    let cut = whole[..whole.len() - 1].to_vec();
    let mut damaged = whole.clone();
    let last = damaged.len() - 8;
    damaged[last] ^= 1;
    for body in
        [cut, damaged, whole[1..].to_vec(), [whole.clone(), b"more".to_vec()].concat(), batch("Plain")]
    {
        assert_eq!(send(&server, "gzip", body).expect(400).json()["errors"][0]["field"], "body");
    }
    assert!(crate::segment::find(&server, "ann").is_none());
    send(&server, "gzip", whole).expect(200);
}

#[test]
fn what_unpacks_to_more_than_is_taken_stops_there() {
    let server = Server::start();
    // 16 MiB in 16 KiB, and the same again packed as several members.
    let blank = vec![b' '; 16 * 1024 * 1024];
    let members = gzip(&blank[..1024 * 1024]).repeat(16);
    let bombs = [("gzip", gzip(&blank)), ("gzip", members), ("deflate", zlib(&blank))];
    let start = Instant::now();
    for (coding, body) in bombs {
        // The key may be in the body as well, which is not looked into beyond the limit.
        for path in ["/v1/batch", "/v1/t", "/e"] {
            let request = server.post(path).header("Content-Encoding", coding);
            let reply = request.body(body.clone(), "application/json").send();
            assert_eq!(reply.status, 413, "{path}: {}", reply.text);
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn limits_count_what_is_unpacked() {
    let server = Server::start();
    let padded = |bytes: usize| {
        let mut text = batch("Packed");
        text.resize(bytes, b' ');
        gzip(&text)
    };
    send(&server, "gzip", padded(4_096_000)).expect(200);
    send(&server, "gzip", padded(4_096_001)).expect(413);
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let server = Server::start();
    let key = server.project().all.clone();
    let marked = |path: &str, name: &str, body: &str| {
        let request = server.post(path).header(name, &key);
        request.body(format!("\u{feff}{body}"), "application/json").send()
    };
    marked("/v1/batch", "X-Write-Key", &String::from_utf8(batch("Marked")).expect("text")).expect(200);
    marked("/v1/t", "X-Write-Key", r#"{"userId":"ann","event":"Marked"}"#).expect(200);
    marked("/v1/users", "X-APTRINSIC-API-KEY", r#"{"identifyId":"bob","propertyKeys":["p"]}"#).expect(201);
    marked("/e", "Token", r#"{"name":"Marked","identifier":"ann"}"#).expect(200);
    assert_eq!(names(&server, "ann"), ["Marked", "Marked", "Marked"]);
    // Also where the key stands behind it; and one in the middle is no mark.
    let body = json!({ "writeKey": server.project().token, "userId": "ann", "event": "Marked" });
    server.post("/v1/t").body(format!("\u{feff}{body}"), "text/plain").send().expect(200);
    server.post("/v1/t").header("X-Write-Key", &key).body("{\u{feff}}", "text/plain").send().expect(400);
}

#[test]
fn a_body_is_json_whatever_its_type_is_said_to_be() {
    let server = Server::start();
    let types = ["text/plain", "application/x-www-form-urlencoded", "application/json;charset=UTF-8", "x"];
    for (n, kind) in (1..).zip(types) {
        let request = server.post("/v1/t").header("X-Write-Key", &server.project().token);
        request.body(r#"{"userId":"ann","event":"Typed"}"#, kind).send().expect(200);
        assert_eq!(names(&server, "ann").len(), n);
    }
}

#[test]
fn a_head_is_a_get_without_a_body() {
    let server = Server::start();
    server.seed("ann").insert();
    let key = server.project().all.clone();
    let paths = [
        "/healthz",
        "/readyz",
        "/",
        "/up",
        "/v1/project",
        "/v1/users/single?identifier=ann",
        "/api/jobs/1",
        "/v1/users/ann",
        "/admin/login",
        "/static/usher.css",
    ];
    for path in paths {
        let ask = |method: &str| {
            let request = server.request(method, path);
            match path {
                "/v1/users/ann" => request.header("X-APTRINSIC-API-KEY", &key).send(),
                _ => request.bearer(&key).send(),
            }
        };
        let (get, head) = (ask("GET"), ask("HEAD"));
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
    assert_eq!(server.request("HEAD", "/v1/project").send().status, 401, "a key is asked for as ever");
    assert_eq!(server.request("HEAD", "/v1/batch").send().status, 405);
}
