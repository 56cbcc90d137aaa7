//! Where the server stands: by which address the world calls it, and which proxies in front
//! of it are believed. Nothing in here knows about HTTP beyond the texts of headers.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Headers by which a proxy says whom it speaks for. From anybody else they are a claim.
pub const FORWARDING: [&str; 5] =
    ["x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-proto", "x-forwarded-host"];

#[derive(Debug, Default)]
pub struct Edge {
    public: Option<PublicUrl>,
    trusted: Vec<Network>,
    contact: Option<Contact>,
    /// Further hosts under which apps reach the APIs, in lower case.
    hosts: Vec<Host>,
    listen: OnceLock<Vec<SocketAddr>>,
    /// The server itself speaks TLS.
    tls: bool,
    /// The reference of the APIs is closed.
    is_undocumented: bool,
    /// A peer that is not trusted sent one of [`FORWARDING`].
    unproven: AtomicBool,
    /// An address was built without a public URL, and the log says so.
    warned: AtomicBool,
}

impl Edge {
    pub fn new(public: Option<PublicUrl>, trusted: Vec<Network>) -> Edge {
        Edge { public, trusted, ..Edge::default() }
    }

    /// Whom to tell of a hole, for /.well-known/security.txt.
    pub fn with_contact(self, contact: Option<Contact>) -> Edge {
        Edge { contact, ..self }
    }

    pub fn contact(&self) -> Option<&Contact> {
        self.contact.as_ref()
    }

    /// The same, of a server that speaks TLS itself or does not.
    pub fn with_tls(self, tls: bool) -> Edge {
        Edge { tls, ..self }
    }

    /// The same, with the reference of the APIs closed or open.
    pub fn with_docs(self, are_open: bool) -> Edge {
        Edge { is_undocumented: !are_open, ..self }
    }

    /// Whether the reference of the APIs is open.
    pub fn has_docs(&self) -> bool {
        !self.is_undocumented
    }

    /// Whether the server itself speaks TLS.
    pub fn has_tls(&self) -> bool {
        self.tls
    }

    /// Whether browsers are to come by HTTPS alone.
    pub fn is_secure(&self) -> bool {
        self.public.as_ref().map_or(self.tls, PublicUrl::is_secure)
    }

    /// The same, with further hosts under which apps reach the APIs.
    pub fn with_hosts(self, hosts: Vec<Host>) -> Edge {
        Edge { hosts, ..self }
    }

    /// Whether the APIs answer a request to this host. Without a public URL any; with one that
    /// host, those that were named beside it, the address that the server listens on, and this
    /// machine's own names, by which commands, probes and programs beside it ask.
    pub fn serves(&self, host: &str) -> bool {
        let Some(public) = &self.public else { return true };
        let listens = || {
            self.listen
                .get()
                .into_iter()
                .flatten()
                .any(|at| !at.ip().is_unspecified() && at.to_string() == host)
        };
        public.is_host(host)
            || self.hosts.iter().any(|known| known.is(host))
            || is_loopback(host)
            || listens()
    }

    /// The address by which browsers and apps reach the server, if it was set.
    pub fn public(&self) -> Option<&PublicUrl> {
        self.public.as_ref()
    }

    /// Where the server listens, the address that is shown first; the first word counts.
    pub fn listens_on(&self, addresses: Vec<SocketAddr>) {
        let _ = self.listen.set(addresses);
    }

    /// The address to put into what clients are told: the public one, else the one that the
    /// server listens on, with a warning once. Never the request's Host: who poisons that
    /// would have users' data sent elsewhere.
    pub fn base(&self) -> PublicUrl {
        if self.public.is_none() && !self.warned.swap(true, Ordering::Relaxed) {
            log::warn!("clients are told the address that the server listens on: set --public-url");
        }
        self.address()
    }

    /// The same for admins, without a warning.
    pub fn address(&self) -> PublicUrl {
        if let Some(public) = &self.public {
            return public.clone();
        }
        let host = match self.listen.get().and_then(|all| all.first()) {
            Some(address) if address.ip().is_unspecified() => format!("localhost:{}", address.port()),
            Some(address) => address.to_string(),
            None => "localhost".to_owned(),
        };
        PublicUrl { secure: self.tls, host }
    }

    /// Whether this peer is a proxy of ours.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.has(peer))
    }

    /// Where a request comes from, see [`Edge::client`]. Of an IPv6 address the network alone, as a
    /// household has a whole /64 and a device changes within it.
    pub fn sender(
        &self,
        peer: Option<IpAddr>,
        x_forwarded_for: &[&str],
        forwarded: &[&str],
    ) -> Option<IpAddr> {
        self.client(peer, x_forwarded_for, forwarded).map(network)
    }

    /// The address that a request comes from: the peer's, or the one that a trusted proxy names. None
    /// where nobody who is believed says so.
    ///
    /// `Forwarded` counts only without `X-Forwarded-For`: most proxies write the latter and
    /// pass on whatever the client put into the former.
    pub fn client(
        &self,
        peer: Option<IpAddr>,
        x_forwarded_for: &[&str],
        forwarded: &[&str],
    ) -> Option<IpAddr> {
        let peer = peer?;
        if !self.trusts(peer) {
            return Some(peer.to_canonical());
        }
        let named: Vec<Option<IpAddr>> = match x_forwarded_for.is_empty() {
            false => x_forwarded_for.iter().flat_map(|line| line.split(',')).map(address).collect(),
            true => forwarded
                .iter()
                .flat_map(|line| line.split(','))
                .map(|element| address(for_of(element)?))
                .collect(),
        };
        // A trusted proxy that names nobody: its own address is not the sender's, and all visitors
        // behind it would be one.
        if named.is_empty() {
            return None;
        }
        let mut last = peer;
        // From the right: each was written by the one before it, who is believed so far.
        for named in named.into_iter().rev() {
            last = named?;
            if !self.trusts(last) {
                break;
            }
        }
        Some(last.to_canonical())
    }

    /// Notes that a peer that is not trusted sent forwarding headers.
    pub fn note_unproven(&self) {
        if !self.unproven.swap(true, Ordering::Relaxed) {
            log::warn!(
                "forwarding headers came from a peer that is not trusted and are ignored: \
                 name the proxy with --trusted-proxy"
            );
        }
    }

    /// Whether such a peer was noted since the start.
    pub fn has_unproven(&self) -> bool {
        self.unproven.load(Ordering::Relaxed)
    }
}

/// Whom to tell of a hole: `mailto:`, `tel:` or `https://`, as RFC 9116 (2.5.3) has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact(String);

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Contact {
    type Err = String;

    fn from_str(text: &str) -> Result<Contact, String> {
        let named = ["mailto:", "tel:", "https://"]
            .iter()
            .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
        match named && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Contact(text.to_owned())),
            false => {
                Err("an address such as mailto:security@example.com or https://example.com/report".to_owned())
            }
        }
    }
}

/// `https://usher.example.com`: a scheme and a host, no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    secure: bool,
    /// In lower case, with its port unless it is the scheme's own.
    host: String,
}

impl PublicUrl {
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether a Host header names this host.
    pub fn is_host(&self, host: &str) -> bool {
        let host = host.trim();
        bare(self.scheme(), host).eq_ignore_ascii_case(&self.host)
    }
}

/// A further host of the APIs: with any port, unless it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

impl Host {
    fn is(&self, host: &str) -> bool {
        let host = host.trim();
        self.0.eq_ignore_ascii_case(host) || self.0.eq_ignore_ascii_case(without_port(host))
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Host, String> {
        let host = text.trim().to_ascii_lowercase();
        if is_authority(&host) { Ok(Host(host)) } else { Err("a host, as events.example.com".to_owned()) }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether a host is this machine itself (RFC 6761: `localhost` and every name under it are).
fn is_loopback(host: &str) -> bool {
    let name = without_port(host.trim()).to_ascii_lowercase();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    name == "localhost"
        || name.ends_with(".localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The host without the port that goes without saying.
pub fn bare<'a>(scheme: &str, host: &'a str) -> &'a str {
    let usual = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    host.strip_suffix(usual).unwrap_or(host)
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.host)
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<PublicUrl, String> {
        let fault = || "an address such as https://usher.example.com, without a path".to_owned();
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(fault)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(fault()),
        };
        let host = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
        let host = bare(scheme, &host).to_owned();
        if is_authority(&host) { Ok(PublicUrl { secure, host }) } else { Err(fault()) }
    }
}

/// Whether a text is `host` or `host:port`, the host a name, an IPv4 or an `[IPv6]` address.
pub fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_is_good = port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let host_is_good = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let label = |label: &str| {
                !label.is_empty()
                    && label.len() <= 63
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            };
            host.len() <= 253 && host.split('.').all(label)
        }
    };
    port_is_good && host_is_good
}

/// A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    pub fn has(&self, address: IpAddr) -> bool {
        // An IPv4 peer of a socket that takes both kinds comes as ::ffff:a.b.c.d.
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let differs = base.to_bits() ^ address.to_bits();
                differs.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let differs = base.to_bits() ^ address.to_bits();
                differs.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let fault = || "an address, or a range such as 10.0.0.0/8 or fd00::/8".to_owned();
        let (base, bits) = match text.trim().split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u8>().map_err(|_| fault())?)),
            None => (text.trim(), None),
        };
        let base = base.parse::<IpAddr>().map_err(|_| fault())?;
        let all = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        match base.to_canonical() {
            _ if bits > all => Err(fault()),
            // ::ffff:10.0.0.1 is an IPv4 address, and so are those of a range that has no others.
            IpAddr::V4(address) if all == 128 && bits >= 96 => {
                Ok(Network { base: IpAddr::V4(address), bits: bits - 96 })
            }
            _ => Ok(Network { base, bits }),
        }
    }
}

/// With the bits that count alone: `10.0.0.0/8` also where it was read from `10.1.2.3/8`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u32::from(self.bits);
        let (base, all) = match self.base {
            IpAddr::V4(base) => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                (IpAddr::V4((base.to_bits() & mask).into()), 32)
            }
            IpAddr::V6(base) => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                (IpAddr::V6(Ipv6Addr::from_bits(base.to_bits() & mask)), 128)
            }
        };
        if bits == all { write!(f, "{base}") } else { write!(f, "{base}/{bits}") }
    }
}

/// What stands for one household: an IPv4 address, or the first 64 bits of an IPv6 one.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

/// An address as the headers write it: bare, with a port, in brackets, in quotes. None for
/// `unknown`, a made-up name, and what is none.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    inside.parse::<Ipv6Addr>().ok().map(|address| IpAddr::V6(address).to_canonical())
}

/// The value of `for` in one element of a `Forwarded` header (RFC 7239).
fn for_of(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })
}
