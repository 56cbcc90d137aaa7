//! Gainsight PX's API: `X-APTRINSIC-API-KEY: <project key>`, users by their `identifyId`.
//! Source: seeds/002, the vendor's API description, and the PyPI client `tap-gainsightpx`.

mod attributes;
mod cells;
mod denylist;
mod empty;
mod event_filter;
mod events;
mod fields;
mod filter;
mod history;
mod paging;
mod preferences;
mod search;
mod shown;
mod words;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::dialect::repairs::Repairs;
use super::dialect::{self, Answer, Call, Dialect, Literal, Object, Query, Route};
use crate::erasure;
use crate::erasure::trash;
use crate::error::{Error, Place, Result};
use crate::model::{Identifier, ProjectId, Scope};
use crate::people::listings::Names;
use crate::people::{find, repairs as repaired, users};
use crate::store::NormalTx;
use search::Search;

pub static DIALECT: &dyn Dialect = &Gainsight;

const KEY: &str = "X-APTRINSIC-API-KEY";

struct Gainsight;

impl Dialect for Gainsight {
    fn key_scheme(&self) -> Value {
        json!({ "type": "apiKey", "in": "header", "name": "X-APTRINSIC-API-KEY" })
    }

    fn error_schema(&self) -> Value {
        words::error()
    }

    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        let Some(value) = dialect::key_header(request, KEY)? else { return dialect::authorization(request) };
        let key = value.to_str().map_err(|_| Error::MalformedKey)?.trim();
        if key.is_empty() { dialect::authorization(request) } else { Ok(Some(key.to_owned())) }
    }

    fn error(&self, error: &Error) -> HttpResponse {
        let status = dialect::status(error);
        let faults = dialect::faults(error);
        let sub_errors: Vec<Value> = faults
            .iter()
            .map(|fault| json!({ "message": format!("{}: {}", fault.field, fault.message) }))
            .collect();
        HttpResponse::build(status).json(json!({
            "externalapierror": {
                "status": status_name(status),
                "message": message(error),
                "debugMessage": null,
                "subErrors": if sub_errors.is_empty() { Value::Null } else { json!(sub_errors) },
            },
        }))
    }
}

/// A status by its name, as the vendor spells it: `NOT_FOUND`.
fn status_name(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().to_ascii_uppercase().replace(' ', "_")
}

fn message(error: &Error) -> String {
    match error {
        Error::NoKey => format!("The API key is missing: send it in {KEY}"),
        Error::MalformedKey => "The header that carries the API key is malformed".into(),
        Error::UnknownKey => "The API key is unknown or revoked".into(),
        // contracts.md: "`User was not found for parameters {id=<id>}`"
        Error::UserNotFound { asked } => format!("User was not found for parameters {{id={asked}}}"),
        Error::ProjectNotFound => "Project was not found".into(),
        Error::JobNotFound => "Job was not found".into(),
        Error::ReceiptNotFound => "Receipt was not found".into(),
        Error::SessionNotFound => "Session was not found".into(),
        Error::KeyNotFound => "Key was not found".into(),
        Error::NotFound(what) => format!("There is no such {what}"),
        Error::IdentifierTaken => "Another user has this identifyId".into(),
        Error::Invalid(_) => "Validation failed; subErrors name each field".into(),
        Error::BadJson(_) => "The body is not a JSON object".into(),
        Error::Forbidden(_)
        | Error::RateLimited { .. }
        | Error::NoSuchRoute
        | Error::MethodNotAllowed { .. }
        | Error::TooLarge { .. }
        | Error::TooSlow
        | Error::NameTaken { .. }
        | Error::JobEnded
        | Error::Held(_)
        | Error::Suppressed
        | Error::Ambiguous(_)
        | Error::Conflict(_)
        | Error::Unavailable(_)
        | Error::DiskFull
        | Error::DiskFails(_)
        | Error::ReadOnly
        | Error::Damaged(_)
        | Error::Internal(_) => dialect::message(error),
    }
}

/// The rules' own names for what a user of this API has, and its names.
const OF_USERS: &[(&str, &str)] =
    &[("attributes", "customAttributes"), ("country", "location.countryCode"), ("city", "location.city")];

/// The error with its fields by their names here.
fn renamed(error: Error, names: &[(&str, &str)]) -> Error {
    let Error::Invalid(mut faults) = error else { return error };
    for fault in &mut faults {
        if let Some((_, ours)) = names.iter().find(|(theirs, _)| *theirs == fault.field) {
            fault.field = (*ours).to_owned();
        }
    }
    Error::Invalid(faults)
}

/// The vendor's API description: the id is in the body, for ids that do not fit a path.
pub const LITERALS: &[Literal] =
    &[("DELETE", "/v1/users/delete"), ("PUT", "/v1/users/update"), ("PUT", "/v1/accounts/update")];

pub fn routes() -> Vec<Route> {
    let user = "/v1/users/{identifyId}";
    let user_model = "/v1/admin/model/user/attributes";
    let account_model = "/v1/admin/model/account/attributes";
    let mut routes = vec![
        Route::new(DIALECT, Method::DELETE, user, Some(Scope::Delete), delete_user, words::delete_user),
        Route::new(
            DIALECT,
            Method::DELETE,
            "/v1/users/delete",
            Some(Scope::Delete),
            delete_named,
            words::delete_named,
        ),
        Route::new(DIALECT, Method::POST, "/v1/users", Some(Scope::Write), create_user, words::create_user),
        Route::new(DIALECT, Method::PUT, user, Some(Scope::Write), update_user, words::update_user),
        Route::new(
            DIALECT,
            Method::PUT,
            "/v1/users/update",
            Some(Scope::Write),
            update_named,
            words::update_named,
        ),
        Route::new(DIALECT, Method::GET, user, Some(Scope::Read), get_user, words::get_user),
        Route::new(DIALECT, Method::GET, "/v1/users", Some(Scope::Read), list_users, words::list_users),
        Route::new(
            DIALECT,
            Method::POST,
            "/v1/events/custom",
            Some(Scope::Ingest),
            events::create,
            words::create,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            user_model,
            Some(Scope::Read),
            attributes::of_users,
            words::of_users,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            account_model,
            Some(Scope::Read),
            attributes::of_accounts,
            words::of_accounts,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/v1/events/{kind}",
            Some(Scope::Read),
            history::events,
            words::events,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/v1/survey/responses",
            Some(Scope::Read),
            history::survey_responses,
            words::survey_responses,
        ),
        Route::new(DIALECT, Method::GET, "/v1/accounts", Some(Scope::Read), empty::accounts, words::accounts),
        Route::new(DIALECT, Method::GET, "/v1/segment", Some(Scope::Read), empty::segments, words::segments),
        Route::new(DIALECT, Method::GET, "/v1/feature", Some(Scope::Read), empty::features, words::features),
        Route::new(DIALECT, Method::GET, "/v1/articles", Some(Scope::Read), empty::articles, words::articles),
        Route::new(
            DIALECT,
            Method::GET,
            "/v1/kcbot",
            Some(Scope::Read),
            empty::knowledge_bots,
            words::knowledge_bots,
        ),
    ];
    routes.extend(denylist::routes());
    routes.extend(preferences::routes());
    routes
}

/// seeds/002: "Default behavior is to mark the user as deleted, which will cause it to be
/// hidden". "To disable the current record from being revived in the future, set the
/// hardDelete flag to true", also when it is hidden already; "Default value is false."
async fn delete_user(call: Call) -> Answer {
    let project = call.project()?;
    let id = call.identifier("identifyId")?;
    let hard = hard_delete(&call.query()?)?;
    erase(&call, project, id, hard).await
}

/// `DELETE /v1/users/delete` with `{"identifyId"}`: the same for any id.
async fn delete_named(mut call: Call) -> Answer {
    let project = call.project()?;
    let hard = hard_delete(&call.query()?)?;
    let id = call.object().await?.identifier("identifyId")?;
    erase(&call, project, id, hard).await
}

/// In any letter case. Anything else, also no value, is refused: what was meant decides
/// whether the user can come back.
fn hard_delete(query: &Query) -> Result<bool> {
    let Some(text) = query.get("hardDelete") else { return Ok(false) };
    let fault = || Error::invalid(Place::Query, "hardDelete", "must be true or false");
    cells::flag(text).ok_or_else(fault)
}

async fn erase(call: &Call, project: ProjectId, id: Identifier, hard: bool) -> Answer {
    let token = call
        .app
        .write(move |tx| match hard {
            false => trash::hide(tx, &find::get(tx, project, id.as_str())?),
            true => erasure::with_switches(tx, project, &id),
        })
        .await?;
    Ok(dialect::with_token(done(StatusCode::OK), Some(token)))
}

/// seeds/002: "If a user with the same id is created or updated within the next 7 days, the
/// previously deleted record will be revived with all of its associated event history."
/// An id that is there is updated: the vendor's description has 400 for it ("possible
/// duplicate"), but its own loader sends every row of a table here.
async fn create_user(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = call.object().await?;
    let id = body.identifier("identifyId")?;
    let mut repairs = Repairs::default();
    let change = fields::change(&body, &mut repairs);
    let counted = repairs.counted();
    let put = move |tx: &NormalTx| {
        repaired::note_all(tx, project, &counted)?;
        users::create_or_update(tx, project, &id, &change)
    };
    let written = call.app.write(put).await;
    // A suppressed user is answered as any other, and dropped.
    _ = written.map_err(|error| renamed(error, OF_USERS))?;
    Ok(repairs.named_in(done(StatusCode::CREATED)))
}

/// What the body names is changed; a hidden user is revived. The path's user cannot be
/// given another identifyId.
async fn update_user(mut call: Call) -> Answer {
    let project = call.project()?;
    let id = call.identifier("identifyId")?;
    let body = call.object().await?;
    if body.optional_identifier("identifyId")?.is_some_and(|named| named != id) {
        return Err(Error::invalid(Place::Body, "identifyId", "must be the one in the path, or left out"));
    }
    update(&call, project, id, &body).await
}

/// `PUT /v1/users/update` with the `identifyId` in the body: the same for any id.
async fn update_named(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = call.object().await?;
    let id = body.identifier("identifyId")?;
    update(&call, project, id, &body).await
}

async fn update(call: &Call, project: ProjectId, id: Identifier, body: &Object) -> Answer {
    let mut repairs = Repairs::default();
    let change = fields::change(body, &mut repairs);
    let counted = repairs.counted();
    let update = move |tx: &NormalTx| {
        repaired::note_all(tx, project, &counted)?;
        users::update(tx, project, id.as_str(), &change)
    };
    let written = call.app.write(update).await;
    _ = written.map_err(|error| renamed(error, OF_USERS))?;
    Ok(repairs.named_in(HttpResponse::NoContent().finish()))
}

async fn get_user(call: Call) -> Answer {
    let project = call.project()?;
    let id = call.identifier("identifyId")?;
    let user = call.app.read(|db| find::get(db, project, id.as_str()))?;
    Ok(HttpResponse::Ok().json(fields::user_json(&user)))
}

async fn list_users(call: Call) -> Answer {
    let project = call.project()?;
    let mut search = Search::read(&call.query_with_list("filter")?, project)?;
    let names = Names::of(call.app.find(), project);
    // A page may be large: it is put together on the scan's thread, not on one that answers.
    let page = call.app.scan(move |db| {
        search.narrow(&names);
        Ok(search.run(db)?.json())
    });
    let page = page.await?;
    Ok(HttpResponse::Ok().json(page))
}

/// The vendor answers with an envelope of its framework. seeds/002 has "100" and 42 in it,
/// which is what its documentation generates for any such field; here it says the status.
fn done(status: StatusCode) -> HttpResponse {
    HttpResponse::build(status).json(json!({
        "body": {},
        "statusCode": status.as_str(),
        "statusCodeValue": status.as_u16(),
    }))
}
