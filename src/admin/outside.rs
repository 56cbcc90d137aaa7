//! How a browser reached these pages: the host that it asked and whether over HTTPS. The
//! public URL says so where one is set; else the request, in which a proxy's word counts
//! only if the proxy is trusted.

use std::net::IpAddr;

use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, web};

use crate::app::App;
use crate::edge::{self, Edge, PublicUrl};
use crate::error::{Error, Result};
use crate::web::host;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whether the browser speaks HTTPS, so that cookies may be `Secure`.
pub fn is_https(request: &HttpRequest) -> bool {
    match public(request) {
        Some(public) => public.is_secure(),
        None => {
            let proto = edge_of(request).and_then(|edge| {
                let proto = host::proxys(request, edge, FORWARDED_PROTO);
                proto.or_else(|| host::of_forwarded(request, edge, "proto"))
            });
            match proto {
                Some(proto) => proto.eq_ignore_ascii_case("https"),
                None => edge_of(request).is_some_and(Edge::has_tls),
            }
        }
    }
}

/// Whether an address is one of these pages: on the public URL, or else on the host that the
/// request was sent to. A page elsewhere cannot make a browser send another Host.
pub fn is_ours(request: &HttpRequest, address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else { return false };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return false;
    }
    let theirs = rest.split(['/', '?', '#']).next().unwrap_or_default().trim();
    if theirs.is_empty() {
        return false;
    }
    if let Some(public) = public(request) {
        return scheme.eq_ignore_ascii_case(public.scheme()) && public.is_host(theirs);
    }
    let is_theirs =
        |host: &str| edge::bare(scheme, host.trim()).eq_ignore_ascii_case(edge::bare(scheme, theirs));
    hosts(request).into_iter().flatten().any(is_theirs)
}

/// [`Error::Forbidden`] if the browser asked for another host than the public URL's: a name
/// that somebody else points at this server must not show its pages.
///
/// The APIs answer under some more names, see [`Edge::serves`]; the health checks, which probe
/// an address, under any.
pub fn check_host(request: &HttpRequest) -> Result<()> {
    let Some(public) = public(request) else { return Ok(()) };
    if hosts(request).into_iter().flatten().any(|host| public.is_host(host)) {
        return Ok(());
    }
    Err(Error::Forbidden(
        "These pages are served only at the address in --public-url. Open them there. If there is a proxy in \
         front, it must pass on the browser's Host header.",
    ))
}

/// Whose attempts they are: the address that a trusted proxy names, or else the peer's. A
/// claim of anybody else changes nothing.
pub fn sender(request: &HttpRequest) -> Option<IpAddr> {
    let lines = |name: &'static str| -> Vec<&str> {
        request.headers().get_all(name).map(|value| value.to_str().unwrap_or_default()).collect()
    };
    let peer = request.peer_addr().map(|peer| peer.ip());
    let edge = edge_of(request)?;
    edge.sender(peer, &lines("x-forwarded-for"), &lines("forwarded")).or(peer)
}

/// Whether some peer that is not trusted sent forwarding headers, so that a proxy in front
/// may be missing from the settings.
pub fn has_unproven(request: &HttpRequest) -> bool {
    edge_of(request).is_some_and(Edge::has_unproven)
}

/// The hosts that the request names.
fn hosts(request: &HttpRequest) -> [Option<&str>; 3] {
    edge_of(request).map_or([None; 3], |edge| host::of(request, edge))
}

fn public(request: &HttpRequest) -> Option<&PublicUrl> {
    edge_of(request)?.public()
}

fn edge_of(request: &HttpRequest) -> Option<&Edge> {
    request.app_data::<web::Data<App>>().map(|app| app.edge())
}
