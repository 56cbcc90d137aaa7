//! The style sheet, the script and the icon, which are part of the program.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use data_encoding::HEXLOWER;
use rust_embed::{Embed, EmbeddedFile};

#[derive(Embed)]
#[folder = "static/"]
struct Files;

const SHEET: &str = "usher.css";
const SCRIPT: &str = "usher.js";

/// The address of the style sheet.
pub fn sheet() -> String {
    address(SHEET)
}

/// The address of the script.
pub fn script() -> String {
    address(SCRIPT)
}

/// It has a mark of the content in it, so a browser may keep what it got there for ever.
fn address(name: &str) -> String {
    let mark = Files::get(name).map(|file| mark(&file)).unwrap_or_default();
    format!("/static/{name}?v={mark}")
}

/// Answers any request under `/static`.
pub async fn serve(request: HttpRequest) -> HttpResponse {
    let name = request.path().trim_start_matches("/static/");
    let mut response = match (request.method(), content_type(name).zip(Files::get(name))) {
        (_, None) => HttpResponse::NotFound().content_type("text/plain").body("Not found.\n"),
        (&Method::GET | &Method::HEAD, Some((kind, file))) => file_answer(&request, kind, file),
        _ => HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "GET, HEAD")).finish(),
    };
    set_security_headers(response.headers_mut());
    response
}

fn file_answer(request: &HttpRequest, kind: &'static str, file: EmbeddedFile) -> HttpResponse {
    let mark = mark(&file);
    let tag = format!("\"{mark}\"");
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let known = known.is_some_and(|tags| {
        tags.split(',').any(
            |known| matches!(known.trim().trim_start_matches("W/"), known if known == tag || known == "*"),
        )
    });
    let status = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut builder = HttpResponse::build(status);
    builder.insert_header((header::ETAG, tag));
    let forever = request.query_string() == format!("v={mark}");
    let keep = if forever { "public, max-age=31536000, immutable" } else { "no-cache" };
    builder.insert_header((header::CACHE_CONTROL, keep));
    if known {
        return builder.finish();
    }
    builder.content_type(kind).body(file.data.into_owned())
}

fn content_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

fn mark(file: &EmbeddedFile) -> String {
    HEXLOWER.encode(&file.metadata.sha256_hash()[..8])
}

fn set_security_headers(headers: &mut HeaderMap) {
    let values = [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in values {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
