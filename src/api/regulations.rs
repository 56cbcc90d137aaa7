//! Requests of privacy tools: `/regulations` and `/suppressions` of Segment's Public API, and
//! `/v2/regulations` of RudderStack's User Suppression API. The key is a Bearer token, or the user
//! of Basic, at any of them.
//! Source: npm `@segment/public-api-sdk-typescript` 47; RudderStack's page "User Suppression API".
//!
//! A project's key works on its project. An organisation's key works on every project, or on the
//! one that the path names: a source is a project here [ours].
//!
//! Deletions begin in the request itself and are hard; suppressions hold from it on [ours: both
//! vendors say only that it is asynchronous]. What is shown of the people is never their id: Usher
//! keeps none of somebody who is erased or kept out. It is `erased:<12 hex>`, drawn from the
//! registration that is gone, or `suppressed:<12 hex>`, which goes with the suppression [ours].

mod asked;
mod shown;
mod singly;
mod words;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::dialect::{self, Answer, Call, Dialect, Literal, Route};
use crate::erasure::regulations;
use crate::erasure::regulations::Whole;
use crate::error::{Error, Place, Result};
use crate::model::Scope;

pub static DIALECT: &dyn Dialect = &Regulations;

/// Room for 5,000 ids of 256 characters.
const BODY_MAX: usize = 6 * 1024 * 1024;

struct Regulations;

impl Dialect for Regulations {
    fn key_scheme(&self) -> Value {
        json!({ "type": "http", "scheme": "bearer" })
    }

    fn error_schema(&self) -> Value {
        words::error()
    }

    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        let Some(value) = dialect::key_header(request, dialect::AUTHORIZATION)? else { return Ok(None) };
        let value = value.to_str().map_err(|_| Error::MalformedKey)?.trim();
        match value.split_once(' ') {
            Some((scheme, encoded)) if scheme.eq_ignore_ascii_case("basic") => {
                let bytes = data_encoding::BASE64.decode(encoded.trim().as_bytes());
                let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let text = text.ok_or(Error::MalformedKey)?;
                let key = text.split(':').next().unwrap_or_default();
                Ok(Some(key.to_owned()).filter(|key| !key.is_empty()))
            }
            _ => dialect::authorization(request),
        }
    }

    /// Segment: `{"errors":[{"type","message","field"}]}`. RudderStack's form is not described.
    fn error(&self, error: &Error) -> HttpResponse {
        let (status, kind) = match error {
            Error::Invalid(_) | Error::JobEnded => (StatusCode::UNPROCESSABLE_ENTITY, "validation"),
            error => {
                let status = dialect::status(error);
                (status, kind(status))
            }
        };
        let faults = match error {
            Error::Invalid(_) => dialect::faults(error),
            _ => Vec::new(),
        };
        let mut errors: Vec<Value> = faults
            .iter()
            .map(|fault| json!({ "type": kind, "message": fault.message, "field": fault.field }))
            .collect();
        if errors.is_empty() {
            errors.push(json!({ "type": kind, "message": message(error) }));
        }
        HttpResponse::build(status).json(json!({ "errors": errors }))
    }
}

/// A status by its name: `not-found`.
fn kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "bad-request",
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not-found",
        StatusCode::METHOD_NOT_ALLOWED => "method-not-allowed",
        StatusCode::CONFLICT => "conflict",
        StatusCode::PAYLOAD_TOO_LARGE => "payload-too-large",
        StatusCode::TOO_MANY_REQUESTS => "too-many-requests",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        _ => "internal",
    }
}

fn message(error: &Error) -> String {
    match error {
        Error::JobEnded => "the regulation has begun: it can no longer be cancelled".into(),
        Error::ProjectNotFound => "there is no such source".into(),
        error => dialect::message(error),
    }
}

/// No vendor has a word where these routes have a name.
pub const LITERALS: &[Literal] = &[];

pub fn routes() -> Vec<Route> {
    let (all, one) = ("/regulations", "/regulations/{regulateId}");
    let source = "/regulations/sources/{sourceId}";
    let cloud = "/regulations/cloudsources/{sourceId}";
    let (delete, read) = (Some(Scope::Delete), Some(Scope::Read));
    let mut routes = vec![
        Route::new(DIALECT, Method::POST, all, delete, create, words::create).body_max(BODY_MAX),
        Route::new(DIALECT, Method::GET, all, read, list, words::list_all),
        Route::new(DIALECT, Method::GET, one, read, get, words::get),
        Route::new(DIALECT, Method::DELETE, one, delete, cancel, words::cancel),
        Route::new(DIALECT, Method::POST, source, delete, create_of_source, words::create_of_source)
            .body_max(BODY_MAX),
        Route::new(DIALECT, Method::GET, source, read, list_of_source, words::list_of_source),
        Route::new(
            DIALECT,
            Method::POST,
            cloud,
            delete,
            create_of_cloud_source,
            words::create_of_cloud_source,
        ),
        // Who is kept out is shown to those who can keep people out.
        Route::new(
            DIALECT,
            Method::GET,
            "/suppressions",
            delete,
            list_suppressions,
            words::list_suppressions,
        ),
    ];
    routes.extend(singly::routes(BODY_MAX));
    routes
}

async fn create(mut call: Call) -> Answer {
    let whole = Whole(call.access()?.project);
    regulate(&mut call, whole).await
}

async fn create_of_source(mut call: Call) -> Answer {
    let whole = asked::source(&call)?;
    regulate(&mut call, whole).await
}

/// `{"regulationType","subjectType":"USER_ID","subjectIds":[…]}`: 1 to 5,000 different ids. Of types
/// that the vendor tells apart by where data is kept, all of it goes here.
async fn regulate(call: &mut Call, whole: Whole) -> Answer {
    let (kind, people) = asked::regulation(call).await?;
    let (handle, token) = call.app.regulate(whole, kind, people).await?;
    Ok(dialect::with_token(data(json!({ "regulateId": shown::id(handle) })), token))
}

/// The vendor's cloud sources are tables of another service, by object: there are none here.
async fn create_of_cloud_source(call: Call) -> Answer {
    asked::source(&call)?;
    let why = "is no cloud source: there are none; regulate users by /regulations or /regulations/sources";
    Err(Error::invalid(Place::Path, "sourceId", why))
}

async fn list(call: Call) -> Answer {
    page(&call, Whole(call.access()?.project)).await
}

async fn list_of_source(call: Call) -> Answer {
    page(&call, asked::source(&call)?).await
}

async fn page(call: &Call, whole: Whole) -> Answer {
    let query = call.query_with_list(asked::KINDS)?;
    let (filter, paging) = (asked::filter(&query)?, asked::paging(&query)?);
    let after = paging.after(asked::id)?;
    let page = call.app.scan(move |db| regulations::page(db, whole, &filter, after, paging.count));
    let page = page.await.map_err(asked::not_a_cursor)?;
    Ok(data(shown::page(&page, query.get(asked::CURSOR))))
}

async fn get(call: Call) -> Answer {
    let whole = Whole(call.access()?.project);
    let handle = asked::regulate_id(&call)?;
    let (seen, projects) = call.app.read(|db| {
        let seen = regulations::get(db, whole, handle)?;
        let projects = regulations::projects_of(db, &seen)?;
        Ok((seen, projects))
    })?;
    Ok(data(json!({ "regulation": shown::one(&seen, &projects) })))
}

/// The vendor cancels what does not run yet. Here everything runs at once.
async fn cancel(call: Call) -> Answer {
    let whole = Whole(call.access()?.project);
    let handle = asked::regulate_id(&call)?;
    call.app.read(|db| regulations::cancel(db, whole, handle))?;
    Ok(data(json!({ "status": "SUCCESS" })))
}

async fn list_suppressions(call: Call) -> Answer {
    let whole = Whole(call.access()?.project);
    let query = call.query()?;
    let paging = asked::paging(&query)?;
    let after = paging.after(asked::position)?;
    let (now, count) = (call.app.clock().now(), paging.count);
    let page = call.app.scan(move |db| regulations::suppressed(db, whole, after, count, now)).await?;
    Ok(data(shown::suppressed(&page, query.get(asked::CURSOR))))
}

fn data(value: Value) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "data": value }))
}
