//! Clients that send slowly, never, or take nothing: each wait has an end, and what waits
//! takes a bounded room.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use usher::web::buffers::{Buffers, Kept, Owner};

use crate::harness::Server;

const MIB: usize = 1024 * 1024;

/// With waits that a test can sit out.
fn hasty() -> Server {
    Server::with(|options| {
        options.limits.body_gap = Duration::from_millis(400);
        options.limits.body_total = Duration::from_millis(1_500);
        options.limits.body_rate = 20;
        options.limits.idle = Duration::from_millis(700);
        options.limits.write = Duration::from_millis(600);
    })
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.addr).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

/// All that the server sends until it closes, and how long that took.
fn rest(stream: &mut TcpStream) -> (String, Duration) {
    let (begun, mut answer) = (Instant::now(), Vec::new());
    // A reset after the answer is an end, too.
    let _ = stream.read_to_end(&mut answer);
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

fn head(server: &Server, path: &str, headers: &str, length: usize) -> String {
    let key = &server.project().all;
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nToken: {key}\r\n\
         X-APTRINSIC-API-KEY: {key}\r\n{headers}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

#[test]
fn a_body_that_does_not_come_is_answered_408_in_each_apis_words() {
    let server = hasty();
    let alloy = "X-Api-Version: 2025-09\r\n";
    for (path, headers, words) in [
        ("/v1/batch", "", r#""code":"too_slow""#),
        ("/e", "", r#""REQUEST_TIMEOUT""#),
        ("/v1/users", "", "too slowly"),
        ("/api/activity", "", r#""code":"too_slow""#),
        ("/users", alloy, "too slowly"),
    ] {
        for begun in ["", "{"] {
            let mut stream = connect(&server);
            stream.write_all(head(&server, path, headers, 100).as_bytes()).expect("a head");
            stream.write_all(begun.as_bytes()).expect("a byte");
            let (answer, took) = rest(&mut stream);
            assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(words), "{path} {answer}");
            assert!(took < Duration::from_secs(5), "{path} {took:?}");
        }
    }
}

/// Sends a body a byte at a time until the server has enough of it: how long that took.
fn in_drops(server: &Server) -> Duration {
    let mut stream = connect(server);
    let body = format!("{:1000}", json!({ "userId": "ann", "event": "x" }));
    stream.write_all(head(server, "/v1/track", "", body.len()).as_bytes()).expect("a head");
    let begun = Instant::now();
    for byte in body.as_bytes() {
        if stream.write_all(&[*byte]).is_err() || begun.elapsed() > Duration::from_secs(10) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let took = begun.elapsed();
    let (answer, _) = rest(&mut stream);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let find = server.get("/v1/users/ann").header("X-APTRINSIC-API-KEY", &server.project().all);
    find.send().expect(404);
    took
}

#[test]
fn a_body_has_a_least_rate() {
    let took = in_drops(&Server::with(|options| {
        options.limits.body_gap = Duration::from_millis(400);
        options.limits.body_rate = 20;
    }));
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[test]
fn a_body_has_a_time_in_all() {
    let took = in_drops(&Server::with(|options| {
        options.limits.body_gap = Duration::from_millis(400);
        options.limits.body_rate = 1;
        options.limits.body_total = Duration::from_millis(1_500);
    }));
    assert!(took > Duration::from_millis(1_200) && took < Duration::from_secs(7), "{took:?}");
}

/// The twin: in pieces, each within its time, and all of them too.
#[test]
fn a_body_in_pieces_within_their_time_is_taken() {
    let server = hasty();
    let mut stream = connect(&server);
    let body = json!({ "userId": "ann", "event": "x" }).to_string();
    let mut head = head(&server, "/v1/track", "", body.len());
    head.insert_str(head.len() - 2, "Connection: close\r\n");
    stream.write_all(head.as_bytes()).expect("a head");
    for piece in body.as_bytes().chunks(body.len().div_ceil(4)) {
        std::thread::sleep(Duration::from_millis(150));
        stream.write_all(piece).expect("a piece");
    }
    let (answer, _) = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_form_that_does_not_come_is_answered_408() {
    let server = hasty();
    let page = server.get("/admin/login").send().expect(200);
    let cookie = page.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
    let mut stream = connect(&server);
    let head = format!(
        "POST /admin/login HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nCookie: {cookie}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\nname=",
        server.addr
    );
    stream.write_all(head.as_bytes()).expect("a head");
    let (answer, _) = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("too slowly"), "{answer}");
}

#[test]
fn a_second_request_whose_head_never_ends_is_cut_off() {
    let server = hasty();
    let mut stream = connect(&server);
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\n")
        .expect("a request");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) && stream.write_all(b"A: b\r\n").is_ok() {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[test]
fn a_body_that_nobody_reads_does_not_hold_its_connection() {
    let server = hasty();
    let mut stream = connect(&server);
    let head = "POST /api/activity HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("a head");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) && stream.write_all(b"1\r\nx\r\n").is_ok() {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let (answer, _) = rest(&mut stream);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

/// Many pages of answers are asked for, and none is taken: the server must not keep them.
#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let server = hasty();
    server.seed("ann").events(900).insert();
    let mut stream = connect(&server);
    stream.set_write_timeout(Some(Duration::from_secs(1))).expect("a timeout");
    let key = &server.project().all;
    let ask = format!("GET /static/usher.css HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n");
    let begun = Instant::now();
    // Until neither side can send any more, or it was cut off already.
    let mut refused = 0;
    while refused < 3 && begun.elapsed() < Duration::from_secs(15) {
        match stream.write_all(ask.as_bytes()) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => refused += 1,
            Err(_) => return,
            Ok(()) => {}
        }
    }
    std::thread::sleep(Duration::from_millis(1_500));
    // What lies in the buffers of the machine can still be taken; then it is over.
    let (_, took) = rest(&mut stream);
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert!(stream.write_all(ask.as_bytes()).and_then(|()| stream.write_all(ask.as_bytes())).is_err());
}

/// The twin: one that takes it slowly gets all of it.
#[test]
fn a_client_that_takes_an_answer_slowly_gets_all_of_it() {
    let server = hasty();
    let text = "x".repeat(900 * 1024);
    server.seed("ann").insert();
    let all = server.project().all.clone();
    let track = json!({ "userId": "ann", "event": "x", "context": { "sessionId": "s1" } });
    server.post("/v1/track").bearer(&all).json(track).send().expect(200);
    let put = server.put("/api/sessions/s1/recording").bearer(&all);
    put.body(text.clone(), "text/plain").send().expect(200);
    let mut stream = connect(&server);
    let ask = format!(
        "GET /api/sessions/s1/recording HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: Bearer {all}\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).expect("a request");
    let (mut taken, mut part) = (0, vec![0; 128 * 1024]);
    loop {
        std::thread::sleep(Duration::from_millis(150));
        match stream.read(&mut part).expect("some of the answer") {
            0 => break,
            read => taken += read,
        }
    }
    assert!(taken >= text.len(), "{taken}");
}

#[test]
fn a_stop_waits_no_longer_than_it_may() {
    let server = Server::with(|options| options.limits.stop = 1);
    let mut stream = connect(&server);
    stream.write_all(head(&server, "/v1/track", "", 100).as_bytes()).expect("a head");
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    drop(server.stop());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(usher::web::limits::Limits::default().stop, 10);
}

#[test]
fn bodies_beyond_the_room_for_all_are_answered_503() {
    let server = Server::with(|options| options.limits.buffered = MIB);
    // Of three quarters of it one client has half.
    let waiting: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = connect(&server);
            stream.write_all(head(&server, "/v1/batch", "", 200_000).as_bytes()).expect("a head");
            stream.write_all(&vec![b' '; 90_000]).expect("a part");
            std::thread::sleep(Duration::from_millis(100));
            stream
        })
        .collect();
    let large = json!({ "batch": [], "x": "x".repeat(150_000) });
    let send = |body: &serde_json::Value| {
        server.post("/v1/batch").bearer(&server.project().all).json(body.clone()).send()
    };
    server.expect_faults();
    let refused = send(&large).expect(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    // An ordinary one goes on, and so does another client's large one.
    send(&json!({ "batch": [{ "type": "track", "userId": "ann", "event": "x" }] })).expect(200);
    let other = server.second();
    server.post("/v1/batch").bearer(&other.all).json(large.clone()).send().expect(200);
    drop(waiting);
    let begun = Instant::now();
    while send(&large).status == 503 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the room is given back");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn small_bodies_have_room_that_large_ones_do_not_get() {
    let buffers = Buffers::new(256 * 1024);
    let (one, two) = (Owner::Key(1), Owner::Key(2));
    let large = |owner: Owner, bytes: usize| {
        let mut kept = Kept::new(buffers.room(owner));
        kept.extend(&vec![0; bytes]).map(|()| kept)
    };
    // 192 KiB are for large bodies, of which one client has 96, beside 16 of each that are small.
    let first = large(one, 96 * 1024 + 16 * 1024).expect("room");
    assert!(large(one, 16 * 1024 + 1).is_err());
    let second = large(two, 80 * 1024).expect("room");
    assert_eq!(buffers.held(), 192 * 1024);
    assert!(large(two, 16 * 1024 + 1).is_err(), "large ones have no more");
    let small: Vec<Kept> = (0..4).map(|_| large(two, 16 * 1024).expect("room")).collect();
    assert!(large(one, 1).is_err(), "nor has any");
    drop((first, second, small));
    assert_eq!(buffers.held(), 0);
    assert!(large(one, 96 * 1024).is_ok());
}
