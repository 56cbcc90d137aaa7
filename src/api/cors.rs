//! Requests of browsers from other sites (CORS). Only routes that take something in, or tell
//! a client its settings, know of it; what reads or deletes never sends these headers, so
//! that no page of another site gets at it.
//!
//! The answer names the request's own origin and allows credentials: with `*`, browsers
//! refuse what was sent with credentials, which is all of Vemetric's client and every beacon.
//! It gives nothing away: no route of these reads a cookie that signs anybody in.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

/// How long a browser may keep a preflight's answer, in seconds.
const MAX_AGE: &str = "900";

/// The answer to a preflight: before the key, the rate and the project's list of origins, as
/// a browser sends neither key nor body with it. `methods` are those of the path's routes.
pub fn preflight(request: &HttpRequest, methods: &str) -> HttpResponse {
    let mut response = HttpResponse::NoContent().finish();
    let headers = response.headers_mut();
    if let Ok(methods) = HeaderValue::from_str(methods) {
        headers.insert(header::ALLOW, methods.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    if let Some(asked) =
        request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).filter(|asked| is_list(asked))
    {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    headers.insert(header::VARY, HeaderValue::from_static(vary));
    allow(request, headers);
    response
}

/// Lets the page that asked read an answer, an error too: a browser that may not see a 401
/// reports a fault of the network, and the clients try that again for ever.
pub fn permit(request: &HttpRequest, headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if allow(request, headers) {
        // Across origins it is hidden otherwise, and clients wait as long as it says.
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
    }
}

fn allow(request: &HttpRequest, headers: &mut HeaderMap) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return false };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    true
}

/// Names of headers, by commas: nothing else is said back.
fn is_list(value: &HeaderValue) -> bool {
    let is_name = |name: &str| {
        let name = name.trim();
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    value.to_str().is_ok_and(|list| list.split(',').all(is_name))
}

/// The origin of the page that a browser asks for.
pub fn origin(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(HeaderName::from_static("origin"))?;
    // What is no text is on no list.
    Some(value.to_str().unwrap_or("null"))
}
