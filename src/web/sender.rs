//! Where a request comes from. A proxy's word counts only if the proxy is trusted.

use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::edge::{Edge, FORWARDING};

/// The address of who sent it. None where it is not known: forwarding headers came from a peer that
/// is not trusted, which may be a proxy that nobody named.
pub fn address(request: &HttpRequest, edge: &Edge) -> Option<IpAddr> {
    let headers = request.headers();
    let lines = |name: &str| -> Vec<&str> {
        // A line that is not text is kept as one that names nobody.
        headers.get_all(name).map(|value| value.to_str().unwrap_or_default()).collect()
    };
    let peer = request.peer_addr().map(|peer| peer.ip());
    let is_claimed = FORWARDING.iter().any(|name| headers.contains_key(*name));
    match peer {
        Some(peer) if is_claimed && !edge.trusts(peer) => None,
        peer => edge.client(peer, &lines("x-forwarded-for"), &lines("forwarded")),
    }
}
