//! Memory and patience while strangers do their worst, on the built program. A tenth of it in
//! the suite; `ATTACK=10 cargo test --release --test it attack::` is the whole: 1,500 slow
//! bodies, 200 bombs, 60 sign-ins and 40 readers that do not read, at once.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::admin::{form, value_of};
use crate::process::{Process, agent, directory, key, lines, post};

const MIB: usize = 1024 * 1024;

/// Tenths of the whole.
fn tenths() -> usize {
    std::env::var("ATTACK").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Of a running process, in KiB: `VmRSS` now, `VmHWM` at the most.
fn memory(server: &Process, field: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a status");
    let line = status.lines().find(|line| line.starts_with(field)).expect("a line");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
}

fn address(server: &Process) -> String {
    server.base.strip_prefix("http://").expect("an address").to_owned()
}

fn connect(server: &Process) -> TcpStream {
    TcpStream::connect(address(server)).expect("a connection")
}

/// A body that comes at once up to 128 KiB, and then a byte at a time.
fn slow_body(server: &Process, key: &str) -> TcpStream {
    let mut stream = connect(server);
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 500000\r\n\r\n"
    );
    stream.set_write_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    // It may be refused before it is whole.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b' '; 128 * 1024]));
    stream.set_nonblocking(true).expect("a stream");
    stream
}

fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let blank = vec![b' '; MIB];
    for _ in 0..64 {
        encoder.write_all(&blank).expect("memory");
    }
    encoder.finish().expect("memory")
}

/// Tries to sign in: the status.
fn sign_in(server: &Process, name: &str, password: &str) -> u16 {
    let agent = agent();
    let mut page = agent.get(server.url("/admin/login")).call().expect("a page");
    let cookie = page.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
    let cookie = cookie.and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
    let text = page.body_mut().read_to_string().expect("a page");
    let token = value_of(&text, "form_token").expect("a token");
    let body = form(&[("name", name), ("password", password), ("form_token", &token)]);
    let request =
        agent.post(server.url("/admin/login")).header("Origin", &server.base).header("Cookie", &cookie);
    request
        .content_type("application/x-www-form-urlencoded")
        .send(&body)
        .expect("an answer")
        .status()
        .as_u16()
}

/// A session with a recording of so many MiB.
fn record(server: &Process, key: &str, mib: usize) {
    let agent = agent();
    let track = json!({ "userId": "ann", "event": "x", "context": { "sessionId": "s1" } });
    assert_eq!(post(&agent, &server.url("/v1/track"), key, &track).expect("an answer").0, 200);
    for _ in 0..mib / 4 {
        let put = agent.put(server.url("/api/sessions/s1/recording")).header("Authorization", key);
        let sent = put.content_type("application/octet-stream").send(&vec![7_u8; 4 * MIB]);
        assert_eq!(sent.expect("an answer").status(), 200);
    }
}

#[test]
fn strangers_cannot_fill_the_memory_or_hold_up_others() {
    let tenths = tenths();
    let (slow, bombs, guests, readers) = (150 * tenths, 20 * tenths, 6 * tenths, 4 * tenths);
    let dir = directory();
    let key = key(dir.path(), "test");
    let attacker = crate::process::key(dir.path(), "attacker");
    let server = Process::start(dir.path());
    record(&server, &key, if tenths >= 10 { 48 } else { 16 });
    let calm = memory(&server, "VmRSS");
    let (done, served, bomb) = (AtomicBool::new(false), AtomicUsize::new(0), bomb());
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        let (server, key, attacker, done, served, bomb) = (&server, &key, &attacker, &done, &served, &bomb);
        scope.spawn(move || {
            let mut streams: Vec<TcpStream> = (0..slow).map(|_| slow_body(server, attacker)).collect();
            while !done.load(Ordering::SeqCst) {
                for stream in &mut streams {
                    let heard = stream.read_exact(&mut [0]);
                    let waits = heard.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
                    let is_over = !waits || stream.write_all(b" ").is_err();
                    // Who was refused comes again.
                    if is_over && !done.load(Ordering::SeqCst) {
                        *stream = slow_body(server, attacker);
                    }
                }
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        for _ in 0..4 {
            scope.spawn(move || {
                let agent = agent();
                for _ in 0..bombs / 4 {
                    let request = agent.post(server.url("/v1/batch")).header("Content-Encoding", "gzip");
                    let begun = Instant::now();
                    let status = request.send(&bomb[..]).expect("an answer").status().as_u16();
                    assert!(matches!(status, 413 | 503), "{status}");
                    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
                }
                served.fetch_add(1, Ordering::SeqCst);
            });
        }
        for n in 0..guests {
            scope.spawn(move || {
                assert_eq!(sign_in(server, &format!("name {n}"), "a guess"), 422);
                served.fetch_add(1, Ordering::SeqCst);
            });
        }
        let stuck: Vec<TcpStream> = (0..readers)
            .map(|_| {
                let mut stream = connect(server);
                let ask = format!(
                    "GET /api/sessions/s1/recording HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {attacker}\r\n\r\n"
                );
                stream.write_all(ask.as_bytes()).expect("a request");
                stream
            })
            .collect();
        let (agent, begun) = (agent(), Instant::now());
        // For a while, and until all of the others had their turn.
        while begun.elapsed() < Duration::from_secs(10) || served.load(Ordering::SeqCst) < guests + 4 {
            assert!(
                begun.elapsed() < Duration::from_secs(120) * u32::try_from(tenths).unwrap_or(1),
                "the others wait too long"
            );
            let sent = Instant::now();
            let track = json!({ "userId": "ben", "event": "x" });
            assert_eq!(post(&agent, &server.url("/v1/track"), key, &track).expect("an answer").0, 200);
            times.push(sent.elapsed());
            std::thread::sleep(Duration::from_millis(10));
        }
        done.store(true, Ordering::SeqCst);
        drop(stuck);
    });
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    let most = memory(&server, "VmHWM");
    println!("{calm} KiB before, {most} KiB at the most; {} requests, p99 {p99:?}", times.len());
    assert!(most < 300 * 1024, "{most} KiB at the most, {calm} KiB before");
    // An unoptimised program beside other tests takes its time.
    let longest = if tenths >= 10 { Duration::from_millis(250) } else { Duration::from_secs(2) };
    assert!(p99 < longest, "{p99:?}");
}

/// Asks for health until all others are done: the longest that an answer took.
fn longest_wait(server: &Process, path: &str, others: &[std::thread::ScopedJoinHandle<'_, ()>]) -> Duration {
    let mut longest = Duration::ZERO;
    while !others.iter().all(std::thread::ScopedJoinHandle::is_finished) {
        let begun = Instant::now();
        // A connection of its own each time, as a supervisor has.
        let status = agent().get(server.url(path)).call().expect("an answer").status();
        assert_eq!(status, 200, "{path}");
        longest = longest.max(begun.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    longest
}

/// An unoptimised program beside other tests takes its time.
fn within_a_second() -> Duration {
    if tenths() >= 10 { Duration::from_secs(1) } else { Duration::from_secs(3) }
}

#[test]
fn bodies_without_a_key_do_not_hold_up_health() {
    let dir = directory();
    key(dir.path(), "test");
    let server = Process::start(dir.path());
    let dear = crate::keyless::dear(4_000_000);
    let packed = dear.each_ref().map(|body| crate::keyless::gzip(body));
    std::thread::scope(|scope| {
        let (server, dear, packed) = (&server, &dear, &packed);
        let others: Vec<_> = (0..20)
            .map(|n: usize| {
                scope.spawn(move || {
                    let agent = agent();
                    for round in 0..2 * tenths() {
                        let of = (n + round) % dear.len();
                        let request = agent.post(server.url("/v1/b")).header("Content-Type", "text/plain");
                        let sent = match n % 2 {
                            0 => request.header("Content-Encoding", "gzip").send(&packed[of][..]),
                            _ => request.send(&dear[of][..]),
                        };
                        // One that is refused before it is whole may break off.
                        let status = sent.map_or(503, |answer| answer.status().as_u16());
                        assert!([401, 413, 503].contains(&status), "{status}");
                    }
                })
            })
            .collect();
        let longest = longest_wait(server, "/healthz", &others);
        println!("health after {longest:?} at the latest");
        assert!(longest < within_a_second(), "{longest:?}");
    });
}

#[test]
fn large_filters_of_a_read_key_do_not_hold_up_health() {
    let dir = directory();
    let key = key(dir.path(), "test");
    let server = Process::start(dir.path());
    let test = json!({ "property": "a name", "operator": "contains", "value": "some text" });
    let filter = json!({ "type": "event", "properties": vec![test; 100] });
    let body = json!({ "dateRange": "24hrs", "filters": vec![filter; 100] }).to_string();
    assert!(body.len() > 500_000);
    std::thread::scope(|scope| {
        let (server, key, body) = (&server, &key, &body);
        for path in ["/healthz", "/readyz"] {
            let others: Vec<_> = (0..30)
                .map(|_| {
                    scope.spawn(move || {
                        for _ in 0..tenths() {
                            let asked = agent().post(server.url("/v1/users")).header("Authorization", key);
                            let sent = asked.content_type("application/json").send(body);
                            let status = sent.expect("an answer").status().as_u16();
                            assert!([200, 503].contains(&status), "{status}");
                        }
                    })
                })
                .collect();
            let longest = longest_wait(server, path, &others);
            println!("{path} after {longest:?} at the latest");
            assert!(longest < within_a_second(), "{path}: {longest:?}");
        }
    });
}

#[test]
fn sixty_sign_ins_at_once_take_little_memory() {
    let dir = directory();
    let server = Process::start(dir.path());
    std::thread::scope(|scope| {
        for n in 0..60 {
            let server = &server;
            scope.spawn(move || assert_eq!(sign_in(server, &format!("name {n}"), "a guess"), 422));
        }
    });
    let most = memory(&server, "VmHWM");
    assert!(most < 80 * 1024, "{most} KiB");
}

/// A caller of `usher.sock` that dribbles, one that reads nothing, and a long command: none of
/// them holds up another command.
#[test]
fn a_command_does_not_wait_for_another_caller_of_the_socket() {
    let dir = directory();
    let key = key(dir.path(), "test");
    let server = Process::start(dir.path());
    let socket = dir.path().join("usher.sock");
    let dribbling: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = std::os::unix::net::UnixStream::connect(&socket).expect("a connection");
            stream.write_all(b"\"list").expect("a part of a line");
            stream
        })
        .collect();
    std::thread::scope(|scope| {
        let demo = scope.spawn(|| lines(dir.path(), &["demo", "--users", "1000", "--heavy", "0"]));
        std::thread::sleep(Duration::from_millis(500));
        let begun = Instant::now();
        let id = lines(dir.path(), &["key", "list"]).remove(0);
        let id = id.split('\t').next().expect("an id").to_owned();
        lines(dir.path(), &["key", "revoke", &id]);
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        assert!(!demo.is_finished(), "the long command is at work still");
        assert_eq!(crate::process::get(&agent(), &server.url("/v1/project"), &key).0, 401);
        demo.join().expect("an end");
    });
    drop(dribbling);
}

#[test]
fn a_malformed_request_writes_no_line_of_the_log() {
    let dir = directory();
    key(dir.path(), "test");
    let command = crate::process::usher(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    let (server, mut log) = Process::with_log(dir.path(), command);
    for garbage in [
        "\x16\x03\x01\x02\r\n\r\n",
        "GET / HTTP/9\r\n\r\n",
        "GET\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ] {
        let mut stream = connect(&server);
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        stream.write_all(garbage.as_bytes()).expect("a request");
        let _ = stream.read_to_end(&mut Vec::new());
    }
    // The twin: what is a request is in the log.
    agent().get(server.url("/nowhere")).call().expect("an answer");
    assert!(server.terminate().success());
    let mut text = String::new();
    log.read_to_string(&mut text).expect("a log");
    assert!(!text.contains("actix_http"), "{text}");
    assert!(text.contains("404"), "{text}");
}
