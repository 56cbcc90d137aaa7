//! What goes over the wire between a client and the server: each byte is passed on as it is,
//! and kept, so that it can be looked at and sent once more.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};
use usher::clock::Clock;

use crate::process::agent;

/// A port that passes on to the server, once that is known.
pub struct Wire {
    pub base: String,
    server: Arc<OnceLock<SocketAddr>>,
    passed: Arc<Mutex<Vec<Connection>>>,
}

/// What was sent over one connection, and what came back.
#[derive(Clone, Default)]
struct Connection {
    sent: Arc<Mutex<Vec<u8>>>,
    answered: Arc<Mutex<Vec<u8>>>,
}

/// One request, as the client sent it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    /// Without chunks, but packed if it came so.
    pub body: Vec<u8>,
}

impl Wire {
    pub fn open() -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let wire = Wire { base, server: Arc::default(), passed: Arc::default() };
        let (server, passed) = (Arc::clone(&wire.server), Arc::clone(&wire.passed));
        // It ends with the tests' process: nobody speaks to it any more after its test.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Some(server) = server.get() else { continue };
                let Ok(server) = TcpStream::connect(server) else { continue };
                let connection = Connection::default();
                passed.lock().expect("connections").push(connection.clone());
                pass(&client, &server, connection.sent);
                pass(&server, &client, connection.answered);
            }
        });
        wire
    }

    /// From now on it leads to the server at this address.
    pub fn lead_to(&self, base: &str) {
        let address = base.trim_start_matches("http://").parse().expect("an address");
        self.server.set(address).expect("it leads nowhere yet");
    }

    /// All requests that have been sent whole, connection by connection.
    pub fn requests(&self) -> Vec<Sent> {
        let passed = self.passed.lock().expect("connections").clone();
        let texts = passed.iter().map(|connection| connection.sent.lock().expect("bytes").clone());
        texts
            .flat_map(|bytes| split(&bytes))
            .map(|(start, headers, body)| Sent::of(&start, headers, body))
            .collect()
    }

    /// The status of each answer.
    pub fn statuses(&self) -> Vec<u16> {
        let passed = self.passed.lock().expect("connections").clone();
        let texts = passed.iter().map(|connection| connection.answered.lock().expect("bytes").clone());
        let starts = texts.flat_map(|bytes| split(&bytes)).map(|(start, _, _)| start);
        starts
            .map(|start| start.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status"))
            .collect()
    }

    /// The messages of Segment's kind in all requests, each with its type.
    pub fn messages(&self) -> Vec<Value> {
        self.requests().iter().flat_map(Sent::messages).collect()
    }
}

/// Copies in one direction until its end, and keeps what it copied.
fn pass(from: &TcpStream, to: &TcpStream, kept: Arc<Mutex<Vec<u8>>>) {
    let mut from = from.try_clone().expect("a connection");
    let mut to = to.try_clone().expect("a connection");
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            kept.lock().expect("bytes").extend(&buffer[..read]);
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        // The other end may be gone already.
        let _ = to.shutdown(Shutdown::Write);
    });
}

type Part = (String, Vec<(String, String)>, Vec<u8>);

/// Requests or answers, one after the other: the first line, headers and body of each that
/// is whole.
fn split(mut bytes: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    while let Some(end) = find(bytes, b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let rest = &bytes[end + 4..];
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let value =
            |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let chunked = value("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked"));
        let length = value("content-length").map_or(0, |length| length.parse().expect("a length"));
        let taken =
            if chunked { unchunk(rest) } else { rest.get(..length).map(|body| (body.to_vec(), length)) };
        let Some((body, length)) = taken else { break };
        parts.push((start, headers, body));
        bytes = &rest[length..];
    }
    parts
}

/// The body, and how many bytes it took on the wire. None: there is more to come.
fn unchunk(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = find(&bytes[at..], b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..at + line]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        at += line + 2;
        body.extend(bytes.get(at..at + size)?);
        at += size + 2;
        if size == 0 {
            return (at <= bytes.len()).then_some((body, at));
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

impl Sent {
    fn of(start: &str, headers: Vec<(String, String)>, body: Vec<u8>) -> Sent {
        let mut words = start.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        Sent { method: word(), path: word(), headers, body }
    }

    pub fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// Its body in JSON, unpacked.
    pub fn json(&self) -> Value {
        let packed = self.header("content-encoding").is_some_and(|how| how.contains("gzip"));
        let plain = if packed { unpack(&self.body) } else { self.body.clone() };
        serde_json::from_slice(&plain).unwrap_or(Value::Null)
    }

    pub fn messages(&self) -> Vec<Value> {
        // Where a message has no type, as on a path of its own, the path says it.
        let named = self.path.split('?').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let typed = |mut message: Value| {
            message.as_object_mut().expect("a message").entry("type").or_insert_with(|| json!(named));
            message
        };
        let mut body = self.json();
        match body.get_mut("batch").map(Value::take) {
            Some(Value::Array(batch)) => batch.into_iter().map(typed).collect(),
            _ if body.get("userId").or_else(|| body.get("anonymousId")).is_some() => vec![typed(body)],
            _ => Vec::new(),
        }
    }

    /// Sends the same once more, byte for byte; the status.
    pub fn again(&self, base: &str) -> u16 {
        self.send(base, &self.headers, &self.body)
    }

    /// Sends the same as if it had been made and sent just now.
    pub fn anew(&self, base: &str) -> u16 {
        let mut body = self.json();
        // Whole seconds, the next one: an erasure of this second must not lie behind it.
        let now = usher::clock::rfc3339(Clock::system().now() + 999);
        date(&mut body, &now);
        for message in body.get_mut("batch").and_then(Value::as_array_mut).into_iter().flatten() {
            date(message, &now);
        }
        let mut headers = self.headers.clone();
        headers.retain(|(name, _)| name != "content-encoding");
        self.send(base, &headers, body.to_string().as_bytes())
    }

    fn send(&self, base: &str, headers: &[(String, String)], body: &[u8]) -> u16 {
        // Those are of the connection, and made anew with it.
        let own = ["host", "content-length", "transfer-encoding", "connection", "expect"];
        let mut request = agent().post(format!("{base}{}", self.path));
        for (name, value) in headers.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
            request = request.header(name, value);
        }
        request.send(body).expect("an answer").status().as_u16()
    }
}

/// Puts the moment into each time that a message has of itself.
fn date(message: &mut Value, now: &str) {
    for name in ["timestamp", "originalTimestamp", "sentAt"] {
        if let Some(time) = message.get_mut(name) {
            *time = json!(now);
        }
    }
}

fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip runs");
    let mut stdin = child.stdin.take().expect("its input");
    let packed = packed.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&packed));
    let output = child.wait_with_output().expect("gzip ends");
    feeder.join().expect("an end").expect("it was fed");
    output.stdout
}
