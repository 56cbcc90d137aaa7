//! Which host a request was sent to. A proxy's word counts only if the proxy is trusted.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName};

use crate::edge::Edge;

pub const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The hosts that the request names: its own, and the one that a trusted proxy was asked for.
pub fn of<'a>(request: &'a HttpRequest, edge: &Edge) -> [Option<&'a str>; 3] {
    // Over HTTP/2 the host is part of the address.
    let asked = text(request, header::HOST).or_else(|| request.uri().authority().map(|host| host.as_str()));
    [asked, proxys(request, edge, FORWARDED_HOST), of_forwarded(request, edge, "host")]
}

/// The first value of a header of a trusted proxy.
pub fn proxys<'a>(request: &'a HttpRequest, edge: &Edge, name: HeaderName) -> Option<&'a str> {
    let is_trusted = edge.trusts(request.peer_addr()?.ip());
    let first = text(request, name)?.split(',').next()?.trim();
    (is_trusted && !first.is_empty()).then_some(first)
}

/// A value in the first element of a trusted proxy's `Forwarded` header.
pub fn of_forwarded<'a>(request: &'a HttpRequest, edge: &Edge, name: &str) -> Option<&'a str> {
    proxys(request, edge, header::FORWARDED)?.split(';').find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

fn text(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}
