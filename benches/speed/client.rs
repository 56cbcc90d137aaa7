//! A client that costs little: requests are bytes, of an answer only its status, length
//! and end are looked at.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub struct Request(Vec<u8>);

impl Request {
    pub fn get(path: &str, key: &str) -> Request {
        Request(format!("GET {path} HTTP/1.1\r\nHost: usher\r\nAuthorization: {key}\r\n\r\n").into_bytes())
    }

    pub fn delete(path: &str, key: &str) -> Request {
        Request(
            format!("DELETE {path} HTTP/1.1\r\nHost: usher\r\nX-APTRINSIC-API-KEY: {key}\r\n\r\n")
                .into_bytes(),
        )
    }

    pub fn post(path: &str, key: &str, body: &str) -> Request {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: usher\r\nAuthorization: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Request([head.as_bytes(), body.as_bytes()].concat())
    }
}

#[derive(Clone, Copy, Default)]
pub struct Outcome {
    requests: u64,
    time: Duration,
    slowest: Duration,
}

impl Outcome {
    pub fn rate(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.requests as f64 / self.time.as_secs_f64() }
    }

    pub fn print(&self, who: &str) {
        println!("  {who:<20} {:>9.0} a second, the slowest {:.1?}", self.rate(), self.slowest);
    }
}

/// Keeps `connections` busy for `time`; each answer must be a 2xx.
pub fn run(
    addr: SocketAddr,
    connections: usize,
    time: Duration,
    request: &dyn Fn(u64) -> Request,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let next = std::cell::Cell::new(0);
        let started = Instant::now();
        let one = async || {
            let mut stream = tokio::net::TcpStream::connect(addr).await.expect("a connection");
            stream.set_nodelay(true).expect("an option");
            let mut buffer = vec![0; 64 * 1024];
            let (mut requests, mut slowest) = (0, Duration::ZERO);
            while started.elapsed() < time {
                let number = next.replace(next.get() + 1);
                let sent = Instant::now();
                stream.write_all(&request(number).0).await.expect("a request");
                let mut filled = 0;
                let status = loop {
                    let read = stream.read(&mut buffer[filled..]).await.expect("an answer");
                    assert!(read > 0, "the server closed the connection");
                    filled += read;
                    if let Some((status, _)) = whole(&buffer[..filled]) {
                        break status;
                    }
                };
                assert!((200..300).contains(&status), "{}", String::from_utf8_lossy(&buffer[..filled]));
                slowest = slowest.max(sent.elapsed());
                requests += 1;
            }
            (requests, slowest)
        };
        let all = futures_util::future::join_all((0..connections).map(|_| one())).await;
        Outcome {
            requests: all.iter().map(|(requests, _)| requests).sum(),
            time: started.elapsed(),
            slowest: all.iter().map(|(_, slowest)| *slowest).max().unwrap_or_default(),
        }
    })
}

/// One request on a connection of its own: the status and the body.
pub fn once(addr: SocketAddr, request: &Request) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).expect("a connection");
    stream.write_all(&request.0).expect("a request");
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).expect("an answer");
        assert!(read > 0, "the server closed the connection");
        answer.extend_from_slice(&buffer[..read]);
        if let Some((status, body)) = whole(&answer) {
            return (status, String::from_utf8_lossy(body).into_owned());
        }
    }
}

/// An answer's status and body, if it is here to its end.
fn whole(answer: &[u8]) -> Option<(u16, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).expect("a head");
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().to_owned())
        })
        .map_or(0, |length| length.parse().expect("a length"));
    let status = head.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
    (answer.len() >= end + length).then(|| (status, &answer[end..end + length]))
}
