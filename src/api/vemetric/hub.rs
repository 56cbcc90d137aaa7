//! What the vendor's browser client sends beside its bodies: its cookie, whether one may be
//! set, that a page is only fetched ahead. A beacon has no headers and says it in its body.
//! Source: the vendor's server (apps/hub) at 41aeee9, and npm `@vemetric/web`.

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{self, SameSite};
use actix_web::http::StatusCode;
use serde_json::{Value, json};

use crate::api::dialect::{BODY_MAX, Call, Object, Sender};
use crate::error::Result;
use crate::people::visitors::{Cookie, Cookies, Origin};

const COOKIE: &str = "_vuid";
/// The vendor's number, in seconds: 400 days, less some hours.
const COOKIE_LASTS: i64 = 34_550_000;

/// Where a request comes from, and whether its answer may set a cookie.
pub fn origin(call: &Call, body: &Object) -> Result<Origin> {
    let Sender { address, agent } = call.sender();
    Ok(Origin { address, agent, cookie: call.cookie(COOKIE).map(Cookie), cookies: cookies(call, body)? })
}

/// `Allow-Cookies: true`, as the header, or, without that, as a text in the body. Anything
/// else is no.
fn cookies(call: &Call, body: &Object) -> Result<Cookies> {
    let said = match call.header("allow-cookies")? {
        Some(said) => Some(said),
        None => body.0.get("Allow-Cookies").and_then(Value::as_str),
    };
    Ok(if said == Some("true") { Cookies::Allowed } else { Cookies::Refused })
}

/// The body of a route that needs none: the client sends it empty, with the type of JSON.
pub async fn body_if_any(call: &mut Call) -> Result<Object> {
    let body = call.body(BODY_MAX).await?;
    call.read_aside(body.len(), move || match body.is_empty() {
        true => Ok(Object(serde_json::Map::new())),
        false => Object::parse(&body),
    })
    .await
}

/// Whether a browser fetches a page that nobody looks at yet.
pub fn is_prefetch(call: &Call) -> Result<bool> {
    let says = |name: &str, words: &[&str]| -> Result<bool> {
        Ok(call.header(name)?.is_some_and(|value| words.contains(&value)))
    };
    Ok(says("x-purpose", &["prefetch", "preview"])?
        || says("purpose", &["prefetch", "preview"])?
        || says("x-moz", &["prefetch"])?)
}

/// An empty text: what was sent is taken. The cookie is for this host alone. The vendor's
/// server sets it for the domain in the header `V-Host`, which any caller can send: ours
/// ignores that.
pub fn taken(cookie: Option<Cookie>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    if let Some(Cookie(value)) = cookie {
        answer.cookie(built(value, Duration::seconds(COOKIE_LASTS)));
    }
    answer.content_type("text/plain; charset=utf-8").body("")
}

/// The same, and the browser forgets its cookie.
pub fn taken_without_cookie() -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.cookie(built(String::new(), Duration::ZERO));
    answer.content_type("text/plain; charset=utf-8").body("")
}

fn built(value: String, lasts: Duration) -> cookie::Cookie<'static> {
    cookie::Cookie::build(COOKIE, value)
        .path("/")
        .http_only(true)
        .secure(true)
        .same_site(SameSite::None)
        .max_age(lasts)
        .finish()
}

/// What the vendor's server answers as a bare text: its status and its words, in the shape
/// that this API's errors have.
pub fn refusal(status: StatusCode, code: &str, message: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "error": { "code": code, "message": message } }))
}
