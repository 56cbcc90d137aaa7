//! Gainsight PX's API: `X-APTRINSIC-API-KEY: <project key>`, users by their `identifyId`.
//! Source: seeds/002, the vendor's API description, and the PyPI client `tap-gainsightpx`.

mod fields;
mod filter;
mod search;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::dialect::{self, Answer, Call, Dialect, Literal, Object, Route};
use crate::clock::Millis;
use crate::domain::activity::{self, Incoming};
use crate::domain::attributes::{self, Shape};
use crate::domain::projects;
use crate::domain::users::{self, Subject};
use crate::error::{Error, Place, Result};
use crate::model::{Attributes, Device, Erasure, Kind, Origin, Scope};
use fields::FIELDS;
use search::Search;

pub static DIALECT: &dyn Dialect = &Gainsight;

const KEY: &str = "X-APTRINSIC-API-KEY";
/// Custom attributes are read off so many users, the newest.
const ATTRIBUTES_OF: u32 = 10_000;

struct Gainsight;

impl Dialect for Gainsight {
    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        let Some(value) = request.headers().get(KEY) else { return dialect::authorization(request) };
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
        Error::IdentifierTaken => "Another user has this identifyId".into(),
        Error::Invalid(_) => "Validation failed; subErrors name each field".into(),
        Error::BadJson(_) => "The body is not a JSON object".into(),
        Error::Forbidden(_)
        | Error::RateLimited { .. }
        | Error::NoSuchRoute
        | Error::MethodNotAllowed { .. }
        | Error::TooLarge { .. }
        | Error::NameTaken(_)
        | Error::JobEnded
        | Error::Ambiguous(_)
        | Error::Conflict(_)
        | Error::Unavailable(_)
        | Error::Internal(_) => dialect::message(error),
    }
}

/// The rules' own names for what a body of this API has, and its names.
const OF_USERS: &[(&str, &str)] =
    &[("attributes", "customAttributes"), ("country", "location.countryCode"), ("city", "location.city")];
const OF_EVENTS: &[(&str, &str)] =
    &[("name", "eventName"), ("messageId", "eventId"), ("properties", "attributes")];

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
    let attributes = "/v1/admin/model/user/attributes";
    vec![
        Route::new(DIALECT, Method::DELETE, user, Some(Scope::Delete), delete_user),
        Route::new(DIALECT, Method::POST, "/v1/users", Some(Scope::Write), create_user),
        Route::new(DIALECT, Method::PUT, user, Some(Scope::Write), update_user),
        Route::new(DIALECT, Method::GET, user, Some(Scope::Read), get_user),
        Route::new(DIALECT, Method::GET, "/v1/users", Some(Scope::Read), list_users),
        Route::new(DIALECT, Method::POST, "/v1/events/custom", Some(Scope::Ingest), create_event),
        Route::new(DIALECT, Method::GET, attributes, Some(Scope::Read), list_attributes),
    ]
}

/// seeds/002: "Default behavior is to mark the user as deleted, which will cause it to be
/// hidden". "To disable the current record from being revived in the future, set the
/// hardDelete flag to true", also when it is hidden already; "Default value is false."
async fn delete_user(call: Call) -> Answer {
    let project = call.project()?;
    let id = call.identifier("identifyId")?;
    let hard = call.query()?.flag("hardDelete")?.unwrap_or(false);
    let token = call
        .app
        .erase(move |tx| match hard {
            false => users::hide(tx, &users::get(tx, project, id.as_str())?),
            true => {
                let everything = Erasure::Everything;
                users::erase_by_identifier(tx, project, id.as_str(), everything, Origin::Request)
            }
        })
        .await?;
    Ok(dialect::with_token(done(StatusCode::OK), Some(token)))
}

/// seeds/002: "If a user with the same id is created or updated within the next 7 days, the
/// previously deleted record will be revived with all of its associated event history."
/// An id that is there is updated.
async fn create_user(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = call.object().await?;
    let id = body.identifier("identifyId")?;
    let change = fields::change(&body)?;
    let written = call.app.write(move |tx| users::put(tx, project, &id, &change)).await;
    written.map_err(|error| renamed(error, OF_USERS))?;
    Ok(done(StatusCode::CREATED))
}

/// What the body names is changed; whoever is hidden is revived. The path's user cannot be
/// given another identifyId.
async fn update_user(mut call: Call) -> Answer {
    let project = call.project()?;
    let id = call.identifier("identifyId")?;
    let body = call.object().await?;
    if body.optional_identifier("identifyId")?.is_some_and(|named| named != id) {
        return Err(Error::invalid(Place::Body, "identifyId", "must be the one in the path, or left out"));
    }
    let change = fields::change(&body)?;
    let written = call.app.write(move |tx| users::update(tx, project, id.as_str(), &change)).await;
    written.map_err(|error| renamed(error, OF_USERS))?;
    Ok(HttpResponse::NoContent().finish())
}

async fn get_user(call: Call) -> Answer {
    let project = call.project()?;
    let id = call.identifier("identifyId")?;
    let user = call.app.read(|db| users::get(db, project, id.as_str()))?;
    Ok(HttpResponse::Ok().json(fields::user_json(&user)))
}

async fn list_users(call: Call) -> Answer {
    let project = call.project()?;
    let search = Search::read(&call.query_with_list("filter")?, project)?;
    // A page may be large: it is put together on the scan's thread, not on one that answers.
    let page = call.app.scan(move |db| Ok(search.run(db)?.json())).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// `{identifyId, eventName, date?, attributes?, sessionId?, url?, eventId?, …}`. A user that
/// is not known is created, a hidden one stays hidden. An event with an `eventId` counts
/// once, however often it is sent.
async fn create_event(mut call: Call) -> Answer {
    let project = call.project()?;
    let event = event(&call.object().await?)?;
    let written = call.app.write(move |tx| activity::record(tx, project, &event)).await;
    written.map_err(|error| renamed(error, OF_EVENTS))?;
    Ok(done(StatusCode::CREATED))
}

fn event(body: &Object) -> Result<Incoming> {
    let identifier = body.identifier("identifyId")?;
    let name = body.text("eventName")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Error::invalid(Place::Body, "eventName", "is required"))?;
    let mut data = body.object("attributes")?.0;
    for (field, value) in about_event(body)? {
        // An attribute of that name is the client's own word, and stays.
        data.entry(field).or_insert(value);
    }
    let given = |name| Ok(body.text(name)?.filter(|text| !text.is_empty()));
    Ok(Incoming {
        subject: Subject { identifier: Some(identifier), anonymous_id: None },
        kind: Kind::Event,
        name,
        at: date(body)?,
        message_id: given("eventId")?,
        session: match given("sessionId")? {
            Some(_) => body.optional_identifier("sessionId")?,
            None => None,
        },
        url: given("url")?,
        data,
        device: Device::default(),
    })
}

/// The vendor's own fields of an event that have no place but among its attributes.
fn about_event(body: &Object) -> Result<Attributes> {
    let mut about = Attributes::new();
    for field in ["propertyKey", "userType", "accountId", "eventType", "referrer", "remoteHost"] {
        if let Some(text) = body.text(field)?.filter(|text| !text.is_empty()) {
            about.insert(field.into(), json!(text));
        }
    }
    let context = body.object("globalContext")?.0;
    if !context.is_empty() {
        about.insert("globalContext".into(), Value::Object(context));
    }
    Ok(about)
}

fn date(body: &Object) -> Result<Option<Millis>> {
    match body.0.get("date") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            value.as_i64().filter(|at| *at >= 0).map(Some).ok_or_else(|| {
                Error::invalid(Place::Body, "date", "must be a time in milliseconds since 1970")
            })
        }
    }
}

/// A bare list: the fields that every user has, then the custom attributes that are in use.
async fn list_attributes(call: Call) -> Answer {
    let project = call.project()?;
    let (since, custom) = call
        .app
        .scan(move |db| {
            let since = projects::get(db, project)?.created_at;
            Ok((since, attributes::in_use(db, project, ATTRIBUTES_OF)?))
        })
        .await?;
    let standard = FIELDS
        .iter()
        .map(|field| attribute_json(field.name, field.name, "DEFAULT", field.kind.attribute_type(), since));
    let custom = custom.iter().map(|(name, shape)| {
        attribute_json(&format!("customAttributes.{name}"), name, "CUSTOM", attribute_type(*shape), since)
    });
    Ok(HttpResponse::Ok().json(standard.chain(custom).collect::<Vec<Value>>()))
}

/// The vendor has four types; what is neither of the others is a string.
fn attribute_type(shape: Shape) -> &'static str {
    match shape {
        Shape::Number => "NUMBER",
        Shape::Flag => "BOOLEAN",
        Shape::Text | Shape::Other => "STRING",
    }
}

/// `id` is the name by which `filter` knows it.
fn attribute_json(id: &str, name: &str, origin: &str, kind: &str, since: Millis) -> Value {
    json!({
        "id": id,
        "name": name,
        "apiName": name,
        "internalName": name,
        "description": "",
        "type": kind,
        "state": "ENABLED",
        "origin": origin,
        "createdDate": since,
        "modifiedDate": since,
        "defaultValue": "",
    })
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
