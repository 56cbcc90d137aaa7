//! Vemetric's API: `Authorization: Bearer <project key>` for what is read, the project's
//! ingest token in the header `Token`, or in the body, for what is sent.
//! Source: seeds/001, the vendor's documentation of `/v1/users`, `/v1/users/events` and
//! `/v1/project`, its server, and its clients PyPI `vemetric` and npm `@vemetric/node`.

mod asked;
mod faults;
mod filters;
mod hub;
mod ingest;
mod words;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::dialect::{self, Answer, Call, Dialect, Literal, Route};
use crate::clock::{Millis, rfc3339};
use crate::error::{Error, Result};
use crate::model::{Event, Kind, Project, Scope, User};
use crate::people::repairs::Sum;
use crate::people::seen::Stretch;
use crate::people::{addresses, repairs, seen};
use crate::projects;
use asked::{Page, Span};

pub static DIALECT: &dyn Dialect = &Vemetric;
/// The vendor's other server, which takes events in.
/// The largest body of the hub, in bytes: it is read before its token is known.
const HUB_MAX: usize = 128 * 1024;

static HUB: &dyn Dialect = &Hub;

struct Vemetric;

impl Dialect for Vemetric {
    fn key_scheme(&self) -> Value {
        json!({ "type": "http", "scheme": "bearer" })
    }

    fn error_schema(&self) -> Value {
        words::error()
    }

    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        dialect::authorization(request)
    }

    fn error(&self, error: &Error) -> HttpResponse {
        let message = match error {
            Error::NoKey => "Missing API key. Use Authorization: Bearer <key>".to_owned(),
            Error::MalformedKey => "Malformed Authorization header. Use Bearer <key>".to_owned(),
            Error::UnknownKey => "Invalid or revoked API key".to_owned(),
            error => message(error),
        };
        error_json(error, &message)
    }
}

/// The vendor's server answers bare texts, such as `Invalid!`. Ours keeps its status and says
/// in JSON which field is wrong and why: its clients look at the status alone.
struct Hub;

impl Dialect for Hub {
    fn key_scheme(&self) -> Value {
        json!({ "type": "apiKey", "in": "header", "name": "Token" })
    }

    fn error_schema(&self) -> Value {
        words::error()
    }

    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        let Some(value) = dialect::key_header(request, "Token")? else { return Ok(None) };
        let token = value.to_str().map_err(|_| Error::MalformedKey)?.trim();
        Ok((!token.is_empty()).then(|| token.to_owned()))
    }

    /// A beacon of a browser cannot send headers: the vendor's server takes it from there.
    fn key_in_body(&self) -> Option<&'static str> {
        Some("Token")
    }

    fn error(&self, error: &Error) -> HttpResponse {
        let message = match error {
            Error::NoKey => "Missing token. Use the header Token: <token>".to_owned(),
            Error::MalformedKey => "Malformed Token header. Use Token: <token>".to_owned(),
            Error::UnknownKey => "Invalid or revoked token".to_owned(),
            error => message(error),
        };
        error_json(error, &message)
    }
}

fn message(error: &Error) -> String {
    match error {
        Error::Invalid(_) | Error::BadJson(_) => "Invalid request parameters".to_owned(),
        Error::UserNotFound { .. } => "User not found".to_owned(),
        error => dialect::message(error),
    }
}

/// seeds/001: `details`: "Per-field validation issues", on a validation error alone.
fn error_json(error: &Error, message: &str) -> HttpResponse {
    let mut said = json!({ "code": code(error), "message": message });
    if matches!(error, Error::Invalid(_) | Error::BadJson(_)) {
        said["details"] = dialect::faults(error)
            .iter()
            .map(|fault| json!({ "field": fault.field, "message": fault.message }))
            .collect();
    }
    HttpResponse::build(dialect::status(error)).json(json!({ "error": said }))
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::NoKey | Error::MalformedKey | Error::UnknownKey => "UNAUTHORIZED",
        Error::Forbidden(_) => "FORBIDDEN",
        Error::RateLimited { .. } => "RATE_LIMIT_EXCEEDED",
        Error::UserNotFound { .. } => "USER_NOT_FOUND",
        Error::NoSuchRoute
        | Error::ProjectNotFound
        | Error::JobNotFound
        | Error::ReceiptNotFound
        | Error::SessionNotFound
        | Error::KeyNotFound
        | Error::NotFound(_) => "NOT_FOUND",
        Error::MethodNotAllowed { .. } => "METHOD_NOT_ALLOWED",
        Error::Invalid(_) | Error::BadJson(_) => "VALIDATION_ERROR",
        Error::TooLarge { .. } => "PAYLOAD_TOO_LARGE",
        Error::TooSlow => "REQUEST_TIMEOUT",
        Error::IdentifierTaken
        | Error::NameTaken { .. }
        | Error::Ambiguous(_)
        | Error::Conflict(_)
        | Error::JobEnded
        | Error::Held(_)
        | Error::Suppressed => "CONFLICT",
        Error::Unavailable(_)
        | Error::DiskFull
        | Error::DiskFails(_)
        | Error::ReadOnly
        | Error::Damaged(_) => "SERVICE_UNAVAILABLE",
        Error::Internal(_) => "INTERNAL_SERVER_ERROR",
    }
}

/// No path of this API has a name in it.
pub const LITERALS: &[Literal] = &[];

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(DIALECT, Method::GET, "/v1/users/single", Some(Scope::Read), get_user, words::get_user),
        Route::new(DIALECT, Method::POST, "/v1/users", Some(Scope::Read), list_users, words::list_users),
        Route::new(
            DIALECT,
            Method::POST,
            "/v1/users/events",
            Some(Scope::Read),
            list_events,
            words::list_events,
        ),
        Route::new(DIALECT, Method::GET, "/v1/project", Some(Scope::Read), get_project, words::get_project),
        Route::new(HUB, Method::POST, "/e", Some(Scope::Ingest), ingest::track, words::track)
            .from_browsers()
            .body_max(HUB_MAX),
        Route::new(HUB, Method::POST, "/u", Some(Scope::Ingest), ingest::update, words::update)
            .from_browsers()
            .body_max(HUB_MAX),
        Route::new(HUB, Method::POST, "/i", Some(Scope::Ingest), ingest::identify, words::identify)
            .from_browsers()
            .body_max(HUB_MAX),
        Route::new(HUB, Method::POST, "/r", Some(Scope::Ingest), ingest::reset, words::reset)
            .from_browsers()
            .body_max(HUB_MAX),
        Route::new(HUB, Method::POST, "/l", Some(Scope::Ingest), ingest::leave, words::leave)
            .from_browsers()
            .body_max(HUB_MAX),
        Route::new(HUB, Method::GET, "/up", None, ingest::up, words::up),
    ]
}

/// seeds/001: "This endpoint returns a single user from your project by id or identifier.
/// It's possible to fetch anonymous, as well as identified users with this endpoint."
async fn get_user(call: Call) -> Answer {
    let project = call.project()?;
    let target = asked::target(&call.query()?)?;
    let user = call.app.read(|db| target.find(db, project))?;
    Ok(HttpResponse::Ok().json(json!({ "user": user_json(&user, user.last_seen) })))
}

/// The vendor's page: "a paginated list of users for your project"; "It returns anonymous,
/// as well as identified users". It lists whom the project saw in the period.
async fn list_users(mut call: Call) -> Answer {
    let project = call.project()?;
    let asked = asked::users(&mut call).await?;
    let (span, page) = (asked.span, asked.page);
    let listing = asked.listing(project);
    let sightings = call.app.scan(move |db| seen::list(db, &listing)).await?;
    let users = sightings.iter().map(sighting_json).collect();
    Ok(list_json(span, page, "users", users))
}

/// The vendor's page: "events for a single user within a selected date range".
async fn list_events(mut call: Call) -> Answer {
    let project = call.project()?;
    let asked::Events { target, span, page, conditions } = asked::events(&mut call).await?;
    let events = call
        .app
        .scan(move |db| {
            let user = target.find(db, project)?;
            let stretch =
                Stretch { from: span.from, to: span.until(), limit: page.limit, offset: page.offset };
            seen::timeline(db, &user, stretch, &conditions, ingest::PAGE_VIEW)
        })
        .await?;
    Ok(list_json(span, page, "events", events.iter().map(event_json).collect()))
}

/// The vendor's page: "lets you programmatically fetch the token, or other settings and
/// metadata, of the project linked to your API key".
async fn get_project(call: Call) -> Answer {
    let (project, now) = (call.project()?, call.app.clock().now());
    let (project, sums) = call
        .app
        .read(|db| Ok((projects::get(db, project)?, repairs::sums(db, project, repairs::DAYS, now)?)))?;
    Ok(HttpResponse::Ok().json(json!({ "project": project_json(&project, &sums) })))
}

fn list_json(span: Span, page: Page, name: &str, rows: Vec<Value>) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "period": { "from": rfc3339(span.from), "to": rfc3339(span.to) },
        "pagination": { "limit": page.limit, "offset": page.offset, "returned": rows.len() },
        name: rows,
    }))
}

/// seeds/001: nine keys, always all of them. `anonymous`: "Whether the user is anonymous
/// (not identified)"; `data`: "Data attributes collected for this user".
fn user_json(user: &User, seen: Option<Millis>) -> Value {
    json!({
        "id": user.id.to_string(),
        "identifier": user.identifier,
        "displayName": user.name(),
        "country": user.profile.country,
        "city": user.profile.city,
        "lastSeenAt": seen.map(rfc3339),
        "avatarUrl": user.profile.avatar_url,
        "data": user.profile.attributes,
        "anonymous": user.identifier.is_none(),
    })
}

/// The vendor's page: `lastSeenAt` is "the latest activity for this user within the selected
/// period"; `lastEventFiredAt` is "Populated only for orderBy[0][0] = "lastEventFired",
/// otherwise null".
fn sighting_json(sighting: &seen::Sighting) -> Value {
    let mut user = user_json(&sighting.user, Some(sighting.at));
    user["lastEventFiredAt"] = json!(sighting.did.map(rfc3339));
    user
}

/// `sessionId` is never null there; what no visit produced, such as a line of a log, has an
/// empty one.
fn event_json(event: &Event) -> Value {
    let (origin, path, hash) = event.url.as_deref().map_or((None, None, None), addresses::split);
    let is_page_view = event.kind == Kind::Page;
    let name = if is_page_view && event.name.is_empty() { ingest::PAGE_VIEW } else { &event.name };
    json!({
        "sessionId": event.session.map_or_else(String::new, |session| session.to_string()),
        "name": name,
        "isPageView": is_page_view,
        "createdAt": rfc3339(event.at),
        "origin": origin,
        "path": path,
        "hash": hash,
        "data": event.data,
    })
}

/// Nothing is known here of a domain, and nobody is shut out, nor is there a public
/// dashboard; but clients read all nine.
///
/// [ours] Two more: the events that came too late for an erased person, and what else was not
/// taken as it came within 30 days.
fn project_json(project: &Project, sums: &[Sum]) -> Value {
    let sum = |sum: &Sum| json!({ "outcome": sum.outcome, "reason": sum.reason, "count": sum.count });
    json!({
        "id": project.id.to_string(),
        "name": project.name,
        "domain": "",
        "token": project.ingest_token,
        "createdAt": rfc3339(project.created_at),
        "firstEventAt": project.first_event_at.map(rfc3339),
        "hasPublicDashboard": false,
        "excludedIps": [],
        "excludedCountries": [],
        "lateEvents": project.late_events,
        "repairs": sums.iter().map(sum).collect::<Vec<Value>>(),
    })
}
