//! The JSON face: five vendors' APIs, Segment's, and our own, each in a file of its own
//! that knows nothing of the others. This file mounts them and says who wins a path
//! that two of them have.

mod agent;
pub mod dialect;
mod forms;
mod lenient;

mod alloy;
mod gainsight;
mod native;
mod openreplay;
mod proficient;
mod segment;
mod streamed;
mod vemetric;

use std::rc::Rc;

use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};

use crate::app::App;
use crate::error::Error;
use crate::trace::Pattern;
use dialect::{Dialect, Route};

/// Whose API a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    OpenReplay,
    OpenReplayV2,
    Vemetric,
    Gainsight,
    Alloy,
    Proficient,
    ProficientClient,
    Segment,
    Native,
}

impl Face {
    const ALL: [Face; 9] = [
        Face::OpenReplay,
        Face::OpenReplayV2,
        Face::Vemetric,
        Face::Gainsight,
        Face::Alloy,
        Face::Proficient,
        Face::ProficientClient,
        Face::Segment,
        Face::Native,
    ];

    fn dialect(self) -> &'static dyn Dialect {
        match self {
            Face::OpenReplay => openreplay::DIALECT,
            Face::OpenReplayV2 => openreplay::v2::DIALECT,
            Face::Vemetric => vemetric::DIALECT,
            Face::Gainsight => gainsight::DIALECT,
            Face::Alloy => alloy::DIALECT,
            Face::Proficient => proficient::DIALECT,
            Face::ProficientClient => proficient::client::DIALECT,
            Face::Segment => segment::DIALECT,
            Face::Native => native::DIALECT,
        }
    }

    fn routes(self) -> Vec<Route> {
        match self {
            Face::OpenReplay => openreplay::routes(),
            Face::OpenReplayV2 => openreplay::v2::routes(),
            Face::Vemetric => vemetric::routes(),
            Face::Gainsight => gainsight::routes(),
            Face::Alloy => alloy::routes(),
            Face::Proficient => proficient::routes(),
            Face::ProficientClient => proficient::client::routes(),
            Face::Segment => segment::routes(),
            Face::Native => native::routes(),
        }
    }
}

/// Every route of every dialect.
pub fn routes() -> Vec<(Face, Route)> {
    Face::ALL.into_iter().flat_map(|face| face.routes().into_iter().map(move |route| (face, route))).collect()
}

/// Mounts them all: what no other service of the server takes is looked up in the table.
///
/// Not as a resource of actix for each path: it would try a regular expression a path,
/// which took longer than the look at the table and the user's row together.
pub fn mount(config: &mut web::ServiceConfig) {
    let routes: Rc<[(Face, Route)]> = routes().into();
    config.default_service(web::to(
        move |app: web::Data<App>, request: HttpRequest, payload: web::Payload| {
            dispatch(Rc::clone(&routes), app, request, payload)
        },
    ));
}

async fn dispatch(
    routes: Rc<[(Face, Route)]>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let speaker = speaker(&request);
    let path = request.uri().path();
    let theirs = routes.iter().filter(|(face, _)| *face == speaker).map(|(_, route)| route);
    let here = || theirs.clone().filter(|route| fits(route.path, path));
    // Where two patterns fit, the one without a name in that place is asked first.
    let found = here().filter(|route| route.method == *request.method()).min_by_key(|route| {
        route.path.split('/').map(|segment| segment.starts_with('{')).collect::<Vec<bool>>()
    });
    if let Some(route) = found {
        request.extensions_mut().insert(Pattern(route.path));
        return dialect::serve(route, App::clone(&app), request.clone(), payload.into_inner()).await;
    }
    let mut methods: Vec<&str> = here().map(|route| route.method.as_str()).collect();
    methods.sort_unstable();
    methods.dedup();
    let error = match methods.is_empty() {
        true => Error::NoSuchRoute,
        false => Error::MethodNotAllowed { allow: methods.join(", ") },
    };
    dialect::answer(speaker.dialect(), &error)
}

/// Whether a path has the segments of a pattern; a name in braces takes any but none.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut ours, mut theirs) = (pattern.split('/'), path.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(our), Some(their)) if our == their || (our.starts_with('{') && !their.is_empty()) => {}
            _ => return false,
        }
    }
}

/// Whose request this is. Shared paths: `/users…` is Alloy's with `x-api-version`, the client
/// API's of Proficient with `X-PROFICIENT-API-KEY`, else Proficient's; `/v1/users…` is PX's with `X-APTRINSIC-API-KEY`, and without it three
/// method-and-path pairs are Vemetric's and every other is PX's.
fn speaker(request: &HttpRequest) -> Face {
    let path = request.uri().path();
    let mut segments = path.split('/').skip(1);
    match (segments.next().unwrap_or_default(), segments.next().unwrap_or_default()) {
        ("users", _) if request.headers().contains_key("x-api-version") => Face::Alloy,
        ("users", _) if proficient::client::is_of(request) => Face::ProficientClient,
        ("users", _) => Face::Proficient,
        ("agents" | "interactions" | "messages", _) => Face::ProficientClient,
        (version, "users" | "run") if alloy::is_version(version) => Face::Alloy,
        ("v1", "users") if request.headers().contains_key("x-aptrinsic-api-key") => Face::Gainsight,
        ("v1", "users") => {
            let theirs = [
                (Method::GET, "/v1/users/single"),
                (Method::POST, "/v1/users"),
                (Method::POST, "/v1/users/events"),
            ];
            match theirs.iter().any(|(method, at)| method == request.method() && *at == path) {
                true => Face::Vemetric,
                false => Face::Gainsight,
            }
        }
        ("v1", "events" | "admin") => Face::Gainsight,
        ("v1", "accounts" | "articles" | "feature" | "kcbot" | "segment" | "survey") => Face::Gainsight,
        ("v1", "batch" | "identify" | "track" | "page" | "screen" | "group" | "alias") => Face::Segment,
        ("v1", _) | ("e" | "u" | "i" | "r" | "l" | "up", "") => Face::Vemetric,
        ("api", "v1") => Face::OpenReplay,
        ("v2", "api") if segments.next() == Some("public") => Face::OpenReplayV2,
        _ => Face::Native,
    }
}
