//! The JSON face: five vendors' APIs, Segment's, and our own, each in a file of its own
//! that knows nothing of the others. This file mounts them and says who wins a path
//! that two of them have.

mod agent;
mod body;
mod body_key;
mod broken;
pub mod check;
mod cors;
pub mod dialect;
pub mod doc;
mod lenient;
mod paths;
pub mod schema;

mod alloy;
mod gainsight;
mod native;
mod openreplay;
mod proficient;
mod regulations;
mod segment;
mod streamed;
mod vemetric;

use std::rc::Rc;

use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};

use crate::app::App;
use crate::error::Error;
use crate::trace::Pattern;
use crate::web::{host, path_pattern};
use dialect::{Dialect, Literal, Route};

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
    Regulations,
    Native,
}

impl Face {
    const ALL: [Face; 10] = [
        Face::OpenReplay,
        Face::OpenReplayV2,
        Face::Vemetric,
        Face::Gainsight,
        Face::Alloy,
        Face::Proficient,
        Face::ProficientClient,
        Face::Segment,
        Face::Regulations,
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
            Face::Regulations => regulations::DIALECT,
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
            Face::Regulations => regulations::routes(),
            Face::Native => native::routes(),
        }
    }
}

impl Face {
    /// The vendor's paths in which a word stands where a route has a name.
    fn literals(self) -> &'static [Literal] {
        match self {
            Face::OpenReplay => openreplay::LITERALS,
            Face::OpenReplayV2 => openreplay::v2::LITERALS,
            Face::Vemetric => vemetric::LITERALS,
            Face::Gainsight => gainsight::LITERALS,
            Face::Alloy => alloy::LITERALS,
            Face::Proficient => proficient::LITERALS,
            Face::ProficientClient => proficient::client::LITERALS,
            Face::Segment => segment::LITERALS,
            Face::Regulations => regulations::LITERALS,
            Face::Native => native::LITERALS,
        }
    }
}

/// Every literal path of every dialect's vendor.
pub fn literals() -> Vec<(Face, Literal)> {
    Face::ALL
        .into_iter()
        .flat_map(|face| face.literals().iter().map(move |literal| (face, *literal)))
        .collect()
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

/// A name that somebody else points at this server.
const UNKNOWN_HOST: Error = Error::Forbidden(
    "this host is not served: use the address that --public-url names, or name this one with --api-host",
);

async fn dispatch(
    routes: Rc<[(Face, Route)]>,
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let (speaker, path) = addressed(&request);
    if !host::of(&request, app.edge()).into_iter().flatten().any(|host| app.edge().serves(host)) {
        return dialect::answer(speaker.dialect(), &UNKNOWN_HOST);
    }
    let theirs = routes.iter().filter(|(face, _)| *face == speaker).map(|(_, route)| route);
    let here: Vec<&Route> = theirs.clone().filter(|route| path_pattern::fits(route.path, &path)).collect();
    if request.method() == Method::OPTIONS && here.iter().any(|route| route.browsers) {
        return preflight(&here, &request);
    }
    let from_browsers = here.iter().any(|route| route.browsers);
    let error = match find(speaker, theirs, &here, request.method(), &path) {
        Ok(route) => {
            request.extensions_mut().insert(Pattern(route.path));
            let app = App::clone(&app);
            let mut response = dialect::serve(route, app, request.clone(), path, payload.into_inner()).await;
            if route.browsers {
                cors::permit(&request, response.headers_mut());
            }
            return response;
        }
        Err(error) => error,
    };
    let mut response = dialect::answer(speaker.dialect(), &error);
    if from_browsers {
        cors::permit(&request, response.headers_mut());
    }
    response
}

/// The route of a request, of those of a face whose path fits. [`Error::NoSuchRoute`] also where the
/// vendor has a path of its own here that we do not serve.
fn find<'a>(
    face: Face,
    mut theirs: impl Iterator<Item = &'a Route>,
    here: &[&'a Route],
    method: &Method,
    path: &str,
) -> Result<&'a Route, Error> {
    let of = |method: &Method| {
        // Where two patterns fit, the one without a name in that place is asked first.
        let good = here.iter().filter(|route| route.method == *method);
        good.min_by_key(|route| path_pattern::rank(route.path)).copied()
    };
    let mut found = of(method);
    // A HEAD is a GET whose body is not sent, unless a route says otherwise.
    if found.is_none() && method == Method::HEAD {
        found = of(&Method::GET);
    }
    if let Some(route) = found {
        let is_vendors = |(method, literal): &Literal| {
            *method == route.method.as_str()
                && path_pattern::is_literal(literal, path)
                && path_pattern::rank(literal) < path_pattern::rank(route.path)
        };
        let Some((_, literal)) = face.literals().iter().find(|literal| is_vendors(literal)) else {
            return Ok(route);
        };
        // A word that a client has percent-encoded is the vendor's word all the same.
        let served = |one: &&Route| one.path == *literal && one.method == route.method;
        return theirs.find(served).ok_or(Error::NoSuchRoute);
    }
    match methods(here) {
        methods if methods.is_empty() => Err(Error::NoSuchRoute),
        methods => Err(Error::MethodNotAllowed { allow: methods }),
    }
}

fn preflight(here: &[&Route], request: &HttpRequest) -> HttpResponse {
    let browsers: Vec<&Route> = here.iter().filter(|route| route.browsers).copied().collect();
    if let Some(route) = browsers.first() {
        request.extensions_mut().insert(Pattern(route.path));
    }
    cors::preflight(request, &methods(&browsers))
}

/// The methods of some routes, as `Allow` lists them.
fn methods(routes: &[&Route]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    methods.join(", ")
}

/// Whose request this is, and the path as their routes have it. Segment's servers and
/// RudderStack's take doubled slashes and one at the end, which clients write that join an
/// address and a path without looking; elsewhere a slash may be part of an id.
fn addressed(request: &HttpRequest) -> (Face, String) {
    let path = request.uri().path();
    if let Some(tidy) = path_pattern::tidied(path)
        && speaker(request, &tidy) == Face::Segment
    {
        return (Face::Segment, tidy);
    }
    (speaker(request, path), path.to_owned())
}

/// Whose request this is. Shared paths: `/users…` is Alloy's with `x-api-version`, the client
/// API's of Proficient with `X-PROFICIENT-API-KEY`, else Proficient's; `/v1/users…` is PX's with `X-APTRINSIC-API-KEY`, and without it three
/// method-and-path pairs are Vemetric's and every other is PX's.
///
/// The rest of `/v1` goes to whom the path names first: PX and Segment have words there that
/// no other has. A path that nobody has is answered in the words of the family whose key the
/// request carries, else in Vemetric's.
fn speaker(request: &HttpRequest, path: &str) -> Face {
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
            let asked = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
            match theirs.iter().any(|(method, at)| method == asked && *at == path) {
                true => Face::Vemetric,
                false => Face::Gainsight,
            }
        }
        ("v1", word) if paths::GAINSIGHTS.contains(&word) => Face::Gainsight,
        ("v2", "user") => Face::Gainsight,
        ("v1", word) if paths::SEGMENTS.contains(&word) => Face::Segment,
        ("beacon", "v1") | ("sdk", "batch") | ("sourceConfig" | "rsaMetrics", "") => Face::Segment,
        ("v1", "project") | ("e" | "u" | "i" | "r" | "l" | "up", "") => Face::Vemetric,
        ("v1", _) => whose_key(request),
        ("regulations" | "suppressions", _) | ("v2", "regulations") => Face::Regulations,
        ("api", "v1") => Face::OpenReplay,
        ("v2", "api") if segments.next() == Some("public") => Face::OpenReplayV2,
        _ => Face::Native,
    }
}

/// Of those who share `/v1`, the one whose kind of key the request carries.
fn whose_key(request: &HttpRequest) -> Face {
    let headers = request.headers();
    let scheme = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_basic = scheme.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic "));
    if headers.contains_key("x-aptrinsic-api-key") {
        Face::Gainsight
    } else if is_basic || headers.contains_key("x-write-key") {
        Face::Segment
    } else {
        Face::Vemetric
    }
}
