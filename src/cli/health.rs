//! `usher health`: asks a server on this machine whether it is ready, as an image's health check does.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use super::out;
use crate::config::Config;
use crate::tls;

/// The server answers within a second.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest answer that is read: it has some hundred bytes.
const ANSWER_MAX: u64 = 16 * 1024;

/// Prints a word. The exit code is 0 where it is "ready".
pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let listen = &config.listen;
    let addrs = listen.addresses().with_context(|| format!("{listen} cannot be looked up"))?;
    let is_ready = first(addrs.into_iter().map(reached_at), config.tls_cert.is_some())
        .with_context(|| format!("no answer from {listen}"))?;
    out::print(if is_ready { "ready\n" } else { "not ready\n" })?;
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the first of the addresses says that answers, else why the last does not.
fn first(addrs: impl Iterator<Item = SocketAddr>, has_tls: bool) -> anyhow::Result<bool> {
    let mut outcome = Err(anyhow::anyhow!("it has no address"));
    for addr in addrs {
        outcome = ask(addr, has_tls);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// A server that listens on every address is reached by the machine's own.
fn reached_at(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Whether `/readyz` says so.
fn ask(addr: SocketAddr, has_tls: bool) -> anyhow::Result<bool> {
    let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let answer = match has_tls {
        true => {
            let config = tls::own_client().map_err(anyhow::Error::msg)?;
            let connection = ClientConnection::new(config, ServerName::from(addr.ip()))?;
            exchange(StreamOwned::new(connection, stream), addr)?
        }
        false => exchange(stream, addr)?,
    };
    match status_of(&answer) {
        Some(200) => Ok(true),
        Some(503) => Ok(false),
        Some(400) if !has_tls => {
            bail!("it may speak HTTPS: give --tls-cert (USHER_TLS_CERT) as to `usher serve`")
        }
        Some(status) => bail!("it answered with status {status}: another program may be listening there"),
        None => bail!("the program listening there does not speak HTTP/1.1"),
    }
}

/// Sends the question; the answer.
fn exchange(mut stream: impl Read + Write, addr: SocketAddr) -> anyhow::Result<Vec<u8>> {
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

/// The number in `HTTP/1.1 200 OK`.
fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let rest = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.1 ")?;
    rest.split(' ').next()?.parse().ok()
}
