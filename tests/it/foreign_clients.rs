//! The official clients of Segment, RudderStack and Customer.io that no registry of ours has:
//! for Ruby, PHP, Java, Go, .NET, Swift, Kotlin and React Native. What each of them sends is
//! sent as it sends it: its path with its slashes, how it names the key, how it writes times
//! and what is empty, packed or in chunks if it does so. As each vendor's source has it, but
//! where a comment says that it was reported.

mod table;

use std::io::{Read, Write};
use std::net::TcpStream;

use data_encoding::BASE64;
use serde_json::{Value, json};
use usher::clock::{DAY, HOUR, MINUTE, Millis, SECOND};
use usher::model::Kind;

use Key::Basic;
use Packing::{GzipInChunks, Plain};
use table::CLIENTS;

use crate::harness::{START, Server};
use crate::segment::{events, gzip, user};

/// 2026-03-04T09:30:00Z, when the messages were made. They are sent at the start of the test.
const MADE: Millis = START - 30 * MINUTE;

struct Client {
    name: &'static str,
    path: &'static str,
    headers: &'static [&'static str],
    key: Key,
    packing: Packing,
    /// `NAME` is the client's own user, `KEY` the write key.
    body: &'static str,
    events: &'static [(Kind, &'static str, Millis)],
}

#[derive(PartialEq)]
enum Key {
    /// `Authorization: Basic`, the key as the name, without a password.
    Basic,
    /// A member of the body, the last one as a rule, and nowhere else.
    Body,
}

#[derive(PartialEq)]
enum Packing {
    Plain,
    Gzip,
    GzipInChunks,
}

impl Client {
    /// Sends a body as this client would; status and answer.
    fn send(&self, server: &Server, key: &str, body: &str) -> (u16, String) {
        let body = body.replace("NAME", self.name).replace("KEY", key);
        let mut head =
            format!("POST {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.path, server.addr);
        let mut line = |text: &str| head.extend([text, "\r\n"]);
        self.headers.iter().for_each(|header| line(header));
        if self.key == Basic {
            line(&format!("Authorization: Basic {}", BASE64.encode(format!("{key}:").as_bytes())));
        }
        let mut bytes = body.clone().into_bytes();
        if self.packing != Plain {
            line("Content-Encoding: gzip");
            bytes = gzip(&body);
        }
        if self.packing == GzipInChunks {
            line("Transfer-Encoding: chunked");
            bytes = in_chunks(&bytes);
        } else {
            line(&format!("Content-Length: {}", bytes.len()));
        }
        line("");
        let mut connection = TcpStream::connect(server.addr).expect("a connection");
        connection
            .write_all(head.as_bytes())
            .and_then(|()| connection.write_all(&bytes))
            .expect("it is sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        (status, body)
    }

    /// All of it is taken.
    fn deliver(&self, server: &Server, body: &str) {
        let (status, answer) = self.send(server, &server.project().token, body);
        assert_eq!(status, 200, "{}: {answer}", self.name);
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!((&answer["success"], &answer["errors"]), (&json!(true), &Value::Null), "{}", self.name);
    }
}

fn in_chunks(bytes: &[u8]) -> Vec<u8> {
    let mut chunks = Vec::new();
    for chunk in bytes.chunks(100) {
        chunks.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        chunks.extend(chunk);
        chunks.extend(b"\r\n");
    }
    chunks.extend(b"0\r\n\r\n");
    chunks
}

#[test]
fn each_is_stored_as_it_sends_it() {
    let server = Server::start();
    for client in CLIENTS {
        client.deliver(&server, client.body);
        server.tick();
        let user = user(&server, client.name);
        assert_eq!(user.profile.email.as_deref(), Some(&*format!("{}@example.com", client.name)));
        let mut held: Vec<(Kind, String, Millis)> = events(&server, client.name)
            .into_iter()
            .map(|event| (event.kind, event.name, event.at))
            .collect();
        let mut expected: Vec<_> =
            client.events.iter().map(|(kind, name, at)| (*kind, (*name).to_owned(), *at)).collect();
        let order = |event: &(Kind, String, Millis)| event.1.clone();
        held.sort_by_key(order);
        expected.sort_by_key(order);
        assert_eq!(held, expected, "{}", client.name);
    }
}

/// The twin: the same a day later, dated so, makes a new person of that name.
#[test]
fn what_each_sent_before_an_erasure_is_late() {
    let server = Server::start();
    for client in CLIENTS {
        client.deliver(&server, client.body);
    }
    server.clock.advance(SECOND);
    for client in CLIENTS {
        let path = format!("/v1/users/{}?hardDelete=true", client.name);
        server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    }
    server.tick();
    let people = || -> i64 {
        server.sqlite().query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0)).expect("a count")
    };
    assert_eq!(people(), 0);
    server.clock.advance(HOUR);
    for client in CLIENTS {
        let (status, answer) = client.send(&server, &server.project().token, client.body);
        assert_eq!(status, 200, "{}: {answer}", client.name);
        assert_eq!(people(), 0, "{}", client.name);
    }
    server.clock.advance(DAY);
    for (n, client) in CLIENTS.iter().enumerate() {
        let body = client.body.replace("2026-03-04", "2026-03-05").replace("\"NAME-", "\"later-NAME-");
        client.deliver(&server, &body);
        assert_eq!(people(), i64::try_from(n + 1).expect("a number"), "{}", client.name);
        assert_eq!(user(&server, client.name).profile.email, Some(format!("{}@example.com", client.name)));
    }
}

#[test]
fn a_wrong_key_is_refused_to_each() {
    let server = Server::start();
    let wrong = format!("{}x", server.project().token);
    for client in CLIENTS {
        let (status, answer) = client.send(&server, &wrong, client.body);
        assert_eq!(status, 401, "{}: {answer}", client.name);
    }
    let people: i64 =
        server.sqlite().query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0)).expect("a count");
    assert_eq!(people, 0);
}

/// A row of the table in `docs/clients.md` for each, and none without a test.
#[test]
fn each_has_its_row_in_the_docs() {
    let page = include_str!("../../docs/clients.md");
    let (_, table) = page.split_once("## Sent as they send it").expect("the part");
    let rows: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .collect();
    let names: Vec<&str> = CLIENTS.iter().map(|client| client.name).collect();
    assert_eq!(rows, names);
}
