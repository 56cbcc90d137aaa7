//! Where a server listens, as a flag says it: a port, an address, or a name that may stand for several.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// What a flag of this kind takes. Said wherever it was given something else.
const ACCEPTED: &str = "a port as 8080 (this machine alone), an address as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080 \
                        (every network), or a name as localhost:8080";

/// A port alone, with or without a colon, is one of this machine alone: one character must not decide
/// whether a network reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    Address(SocketAddr),
    /// Looked up when it is needed: a command that does not listen asks no name server.
    Name(String, u16),
}

impl Listen {
    /// The addresses it stands for; at least one. IPv4 comes first: it is the one that is shown.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let (name, port) = match self {
            Listen::Address(address) => return Ok(vec![*address]),
            Listen::Name(name, port) => (name.as_str(), *port),
        };
        let mut found: Vec<SocketAddr> = (name, port).to_socket_addrs()?.collect();
        found.sort_by_key(SocketAddr::is_ipv6);
        found.dedup();
        if found.is_empty() {
            return Err(io::Error::new(ErrorKind::NotFound, "the name does not resolve"));
        }
        Ok(found)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Address(address) => address.fmt(f),
            Listen::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        let text = text.trim();
        if let Ok(address) = text.parse() {
            return Ok(Listen::Address(address));
        }
        let (name, port) = text.rsplit_once(':').unwrap_or(("", text));
        let has_digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| has_digits).ok_or(ACCEPTED)?;
        match name {
            "" => Ok(Listen::Address(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))),
            name if is_name(name) => Ok(Listen::Name(name.to_ascii_lowercase(), port)),
            _ => Err(ACCEPTED.to_owned()),
        }
    }
}

/// Whether it is a host's name. One that ends in a number would be looked up as an address of fewer
/// than four parts, which nobody means: `8080:8080`, `127.1:8080`.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    text.len() <= 253 && text.split('.').all(is_label) && !is_number
}
