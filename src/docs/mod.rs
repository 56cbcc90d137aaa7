//! The reference of the APIs: `/openapi.json`, `/openapi/{api}.json`, and the pages `/docs` and `/docs/{api}`.
//! Both are made from the words that stand beside each route. They hold no data and are open, unless `--docs off`
//! closes them. They are put together once, when the first is asked for.

pub mod document;
mod page;

use std::io::Write;
use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::app::App;
use crate::trace::Pattern;
use document::{SECTIONS, Section};

pub use page::codes;

/// What is sent, packed as well.
struct Kept {
    address: String,
    kind: &'static str,
    whole: Bytes,
    packed: Bytes,
    tag: String,
}

impl Kept {
    fn new(address: String, kind: &'static str, text: String) -> Kept {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        // Into memory nothing fails; what does not unpack would be seen in every test.
        let packed = packer.write_all(text.as_bytes()).and_then(|()| packer.finish()).unwrap_or_default();
        let tag = format!("\"{:08x}-{}\"", crc(&packed), text.len());
        Kept { address, kind, whole: text.into(), packed: packed.into(), tag }
    }
}

/// The checksum of the content, which stands at the end of what is packed with gzip.
fn crc(packed: &[u8]) -> u32 {
    let end = packed.len().checked_sub(8).and_then(|at| packed.get(at..at + 4));
    end.and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

const HTML: &str = "text/html; charset=utf-8";

static KEPT: LazyLock<Vec<Kept>> = LazyLock::new(|| {
    let json = |section: &Section| {
        let text = format!("{:#}\n", section.document());
        Kept::new(section.address(), "application/json", text)
    };
    let page =
        |section: &Section| Kept::new(format!("/docs/{}", section.slug), HTML, page::section(section, ""));
    let mut kept: Vec<Kept> = SECTIONS.iter().flat_map(|section| [json(section), page(section)]).collect();
    kept.push(Kept::new("/docs".to_owned(), HTML, page::index("")));
    kept
});

/// Mounts them.
pub fn mount(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/openapi.json").to(serve))
        .service(web::scope("/openapi").default_service(web::to(serve)))
        .service(web::scope("/docs").default_service(web::to(serve)));
}

async fn serve(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    request.extensions_mut().insert(Pattern("/docs"));
    // The first to ask waits until all is put together, and holds up nobody.
    let mut response = match web::block(|| LazyLock::force(&KEPT).len()).await {
        Ok(_) => answer(&app, &request),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    };
    let policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                  frame-ancestors 'none'";
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"));
    response
}

fn answer(app: &App, request: &HttpRequest) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "GET, HEAD")).finish();
    }
    let address = match request.path() {
        "/docs/" => "/docs",
        path => path,
    };
    let found = app.edge().has_docs().then(|| KEPT.iter().find(|kept| kept.address == address)).flatten();
    let Some(kept) = found else {
        return HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body("Not found.\n");
    };
    if kept.kind == HTML
        && let Some(asked) = asked(request)
    {
        let text = match kept.address.strip_prefix("/docs/").and_then(Section::of) {
            Some(section) => page::section(section, &asked),
            None => page::index(&asked),
        };
        return HttpResponse::Ok().content_type(HTML).body(text);
    }
    send(request, kept)
}

/// What is filtered by, if anything is.
fn asked(request: &HttpRequest) -> Option<String> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string()).ok()?.into_inner();
    let asked = pairs.into_iter().find(|(name, _)| name == "q").map(|(_, asked)| asked.trim().to_owned())?;
    Some(asked.chars().take(100).collect::<String>()).filter(|asked| !asked.is_empty())
}

fn send(request: &HttpRequest, kept: &Kept) -> HttpResponse {
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let known = header(header::IF_NONE_MATCH).is_some_and(|tags| {
        tags.split(',').any(|tag| matches!(tag.trim().trim_start_matches("W/"), tag if tag == kept.tag))
    });
    let status = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut builder = HttpResponse::build(status);
    builder.insert_header((header::ETAG, kept.tag.as_str()));
    builder.insert_header((header::CACHE_CONTROL, "no-cache"));
    builder.insert_header((header::VARY, "Accept-Encoding"));
    if known {
        return builder.finish();
    }
    builder.content_type(kept.kind);
    let takes_gzip = header(header::ACCEPT_ENCODING)
        .is_some_and(|accepted| accepted.split(',').any(|coding| matches!(coding.trim(), "gzip" | "*")));
    if takes_gzip {
        builder.insert_header((header::CONTENT_ENCODING, "gzip"));
        return builder.body(kept.packed.clone());
    }
    builder.body(kept.whole.clone())
}
