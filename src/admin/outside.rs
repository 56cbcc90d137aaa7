//! How a browser reached these pages: the host that it asked and whether over HTTPS. The
//! public URL says so where one is set; else the request, in which a proxy's word counts
//! only if the proxy is trusted.

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, web};

use super::guard::text;
use crate::app::App;
use crate::edge::{self, Edge, PublicUrl};
use crate::error::{Error, Result};

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whether the browser speaks HTTPS, so that cookies may be `Secure`.
pub fn is_https(request: &HttpRequest) -> bool {
    match public(request) {
        Some(public) => public.is_secure(),
        None => {
            let proto = proxys(request, FORWARDED_PROTO).or_else(|| of_forwarded(request, "proto"));
            proto.is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
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
/// Only the pages ask. The APIs answer under any name: apps reach them by first-party
/// subdomains, container names and bare addresses, they carry a key and no cookie, and no
/// answer of theirs is built from Host. So do the health checks, which probe an address.
pub fn check_host(request: &HttpRequest) -> Result<()> {
    let Some(public) = public(request) else { return Ok(()) };
    if hosts(request).into_iter().flatten().any(|host| public.is_host(host)) {
        return Ok(());
    }
    Err(Error::Forbidden(
        "These pages are served only under the address that --public-url names. Open them there; if a proxy \
         stands in front, it must pass the browser's Host header on.",
    ))
}

/// Whether some peer that is not trusted sent forwarding headers, so that a proxy in front
/// may be missing from the settings.
pub fn has_unproven(request: &HttpRequest) -> bool {
    edge_of(request).is_some_and(Edge::has_unproven)
}

/// The hosts that the request names: its own, and the one that a trusted proxy was asked for.
fn hosts(request: &HttpRequest) -> [Option<&str>; 3] {
    // Over HTTP/2 the host is part of the address.
    let asked = text(request, header::HOST).or_else(|| request.uri().authority().map(|host| host.as_str()));
    [asked, proxys(request, FORWARDED_HOST), of_forwarded(request, "host")]
}

/// The first value of a header of a trusted proxy.
fn proxys(request: &HttpRequest, name: HeaderName) -> Option<&str> {
    let is_trusted = edge_of(request)?.trusts(request.peer_addr()?.ip());
    let first = text(request, name)?.split(',').next()?.trim();
    (is_trusted && !first.is_empty()).then_some(first)
}

/// A value in the first element of a trusted proxy's `Forwarded` header.
fn of_forwarded<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    proxys(request, header::FORWARDED)?.split(';').find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

fn public(request: &HttpRequest) -> Option<&PublicUrl> {
    edge_of(request)?.public()
}

fn edge_of(request: &HttpRequest) -> Option<&Edge> {
    request.app_data::<web::Data<App>>().map(|app| app.edge())
}
