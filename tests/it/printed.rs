//! A request as a vendor's page prints it, sent over a bare socket.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::harness::Server;
use crate::process::PATIENCE;

/// A request as a page prints it.
pub struct Printed {
    pub method: String,
    /// Path and query.
    pub target: String,
    headers: Vec<(String, String)>,
}

impl Printed {
    /// Reads a printed call of curl.
    pub fn curl(text: &str) -> Printed {
        let text = text.replace("\\\n", " ");
        let mut words = text.split_whitespace();
        assert_eq!(words.next(), Some("curl"));
        let mut printed = Printed { method: "GET".into(), target: String::new(), headers: Vec::new() };
        while let Some(word) = words.next() {
            match word {
                "-X" | "--request" => printed.method = words.next().expect("a method").to_owned(),
                "-H" => {
                    // One word up to its closing quote.
                    let mut header = words.next().expect("a header").to_owned();
                    while !header.ends_with('\'') {
                        header = format!("{header} {}", words.next().expect("the end of the header"));
                    }
                    let (name, value) = header.trim_matches('\'').split_once(": ").expect("a header");
                    printed.headers.push((name.to_owned(), value.to_owned()));
                }
                url => {
                    let (_, rest) = url.trim_matches('\'').split_once("://").expect("an address");
                    printed.target = rest[rest.find('/').expect("a path")..].to_owned();
                }
            }
        }
        printed
    }

    pub fn new(method: &str, target: &str, headers: &[(&str, &str)]) -> Printed {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Printed { method: method.to_owned(), target: target.to_owned(), headers }
    }

    /// With our key in the place of the printed one.
    pub fn key(mut self, printed: &str, key: &str) -> Printed {
        let before = self.headers.len();
        for (_, value) in &mut self.headers {
            *value = value.replace(printed, key);
        }
        assert!(
            self.headers.iter().any(|(_, value)| value.contains(key)),
            "{before} headers have no {printed}"
        );
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Printed {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it as it is, with nothing that a client's library would add or mend.
    fn send(&self, server: &Server) -> (u16, Value) {
        let mut socket = TcpStream::connect(server.addr).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut text = format!("{} {} HTTP/1.1\r\nHost: {}\r\n", self.method, self.target, server.addr);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("Connection: close\r\n\r\n");
        socket.write_all(text.as_bytes()).expect("a request");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{head}");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    }

    #[track_caller]
    pub fn expect(&self, server: &Server, status: u16) -> Value {
        let (answered, body) = self.send(server);
        assert_eq!(answered, status, "{} {}: {body}", self.method, self.target);
        body
    }
}
