//! Requests as bytes: also those that no client would send.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::harness::Server;

/// What came back.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

pub struct Sent<'a> {
    pub method: &'a str,
    pub target: Vec<u8>,
    pub headers: Vec<(&'static str, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Sent<'_> {
    fn bytes(&self, host: SocketAddr) -> Vec<u8> {
        let mut bytes = format!("{} ", self.method).into_bytes();
        bytes.extend(&self.target);
        bytes.extend(format!(" HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n").bytes());
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: ").bytes());
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        bytes.extend(format!("Content-Length: {}\r\n\r\n", self.body.len()).bytes());
        bytes.extend(&self.body);
        bytes
    }

    /// Sends it. Panics where there is no answer, or one that tells of a fault of ours.
    #[track_caller]
    pub fn to(&self, server: &Server) -> Answer {
        let shown = || format!("{} {}", self.method, String::from_utf8_lossy(&self.target));
        let mut stream = TcpStream::connect(server.addr).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        // It may be refused before all of it is read.
        let _ = stream.write_all(&self.bytes(server.addr));
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("{}: {:?}", shown(), String::from_utf8_lossy(&bytes)));
        let body = bytes.split_off(end + 4);
        let head = String::from_utf8(bytes).expect("a head is ASCII").to_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
        let said = String::from_utf8_lossy(&body[..body.len().min(2_000)]).into_owned();
        assert!((200..500).contains(&status), "{}: {status} {said}\n{}", shown(), self.said());
        let is_whole = head.contains("content-length:") && self.method != "HEAD";
        if head.contains("content-type: application/json") && is_whole {
            let read = serde_json::from_slice::<Value>(&body);
            assert!(read.is_ok(), "{}: {said}", shown());
        }
        Answer { status, head, body }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(4_000)]).into_owned()
    }
}
