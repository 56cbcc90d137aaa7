//! Alloy Embedded's API: `Authorization: bearer <project key>`, and a version in the
//! header `x-api-version`, or first in the path, as older clients send it.
//! Source: seeds/003, and the npm client `alloy-node` 2.2.1.

mod words;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::dialect::{self, Answer, Call, Dialect, Literal, Object, Route};
use super::streamed;
use crate::erasure;
use crate::erasure::token;
use crate::error::{Error, Place, Result};
use crate::model::{Erasure, Origin, ProfileChange, ProjectId, Scope, User, UserId};
use crate::people::{find, users};
use crate::store::{Db, NormalTx};

pub static DIALECT: &dyn Dialect = &Alloy;

const IN_HEADER: &str = "2025-09";
const IN_PATHS: [&str; 4] = ["2023-01", "2023-06", "2023-12", "2024-03"];
const VERSIONS: &str = "must be 2025-09, or in paths 2023-01, 2023-06, 2023-12 or 2024-03";

struct Alloy;

impl Dialect for Alloy {
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
            // seeds/003: `message: Unauthorized`.
            Error::NoKey | Error::MalformedKey | Error::UnknownKey => "Unauthorized".to_owned(),
            Error::Forbidden(_) => "Forbidden".to_owned(),
            Error::UserNotFound { .. } => "User not found".to_owned(),
            Error::IdentifierTaken => "Another user has this username".to_owned(),
            Error::Invalid(faults) => {
                let said = faults.iter().map(|fault| format!("{}: {}", field(&fault.field), fault.message));
                said.collect::<Vec<String>>().join("; ")
            }
            error => dialect::message(error),
        };
        HttpResponse::build(dialect::status(error)).json(json!({ "message": message }))
    }
}

/// A field of the profile by its name here.
fn field(name: &str) -> &str {
    if name == "displayName" { "fullName" } else { name }
}

/// The vendor's API (2024-03) has words after `{userId}`, such as `token` and `credentials`,
/// and none beside it.
pub const LITERALS: &[Literal] = &[];

pub fn routes() -> Vec<Route> {
    let users = ["/users", "/users/", "/{version}/users", "/{version}/users/"];
    let user = ["/users/{userId}", "/{version}/users/{userId}"];
    let logs = ["/users/{userId}/logs", "/{version}/users/{userId}/logs"];
    let mut routes = Vec::new();
    for path in users {
        routes.push(Route::new(DIALECT, Method::GET, path, Some(Scope::Read), list_users, move || {
            words::list_users(path)
        }));
        routes.push(Route::new(DIALECT, Method::POST, path, Some(Scope::Write), create_user, move || {
            words::create_user(path)
        }));
    }
    for path in user {
        routes.push(Route::new(DIALECT, Method::GET, path, Some(Scope::Read), get_user, move || {
            words::get_user(path)
        }));
        routes.push(Route::new(DIALECT, Method::PUT, path, Some(Scope::Write), update_user, move || {
            words::update_user(path)
        }));
        routes.push(Route::new(DIALECT, Method::DELETE, path, Some(Scope::Delete), delete_user, move || {
            words::delete_user(path)
        }));
    }
    for path in logs {
        routes.push(Route::new(DIALECT, Method::DELETE, path, Some(Scope::Delete), delete_logs, move || {
            words::delete_logs(path)
        }));
    }
    routes
}

/// Whether a path's first segment is a version, known or not: YYYY-MM.
pub fn is_version(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    bytes.len() == 7
        && bytes
            .iter()
            .enumerate()
            .all(|(n, byte)| if n == 4 { *byte == b'-' } else { byte.is_ascii_digit() })
}

/// The vendor's list has no pages: it is written whole, as it is read.
async fn list_users(call: Call) -> Answer {
    let project = project(&call)?;
    streamed::users(&call.app, project, |user| Some(user_json(user))).await
}

async fn create_user(mut call: Call) -> Answer {
    let project = project(&call)?;
    let body = call.object().await?;
    let username = body.identifier("username")?;
    let change = change(&body)?;
    let may_know = call.may_know()?;
    let create = move |tx: &NormalTx| {
        let created = users::create(tx, project, &username, &change)?;
        Ok(dialect::told(may_know, created, || users::as_if_created(tx, project, &username, &change)))
    };
    // What is dropped is counted, also where it is told.
    let user = call.app.write(create).await??;
    Ok(HttpResponse::Ok().json(json!({ "userId": show_id(user.id) })))
}

async fn get_user(call: Call) -> Answer {
    let project = project(&call)?;
    let name = call.identifier("userId")?;
    let user = call.app.read(|db| find(db, project, name.as_str(), find::get_by_id))?;
    Ok(HttpResponse::Ok().json(user_json(&user)))
}

async fn update_user(mut call: Call) -> Answer {
    let project = project(&call)?;
    let name = call.identifier("userId")?;
    let body = call.object().await?;
    let username = body.optional_identifier("username")?;
    let change = change(&body)?;
    let may_know = call.may_know()?;
    let edit = move |tx: &NormalTx| {
        let user = find(tx, project, name.as_str(), find::get_by_id)?;
        let renamed = match &username {
            Some(username) => users::rename(tx, user.clone(), username)?,
            None => Ok(user.clone()),
        };
        let edited = match renamed {
            Ok(user) => users::edit(tx, user, &change)?,
            Err(dropped) => Err(dropped),
        };
        Ok(dialect::told(may_know, edited, || {
            let user = match &username {
                Some(username) => users::as_if_renamed(tx, user, username)?,
                None => user,
            };
            users::as_if_edited(tx, user, &change)
        }))
    };
    let user = call.app.write(edit).await??;
    Ok(HttpResponse::Ok().json(user_json(&user)))
}

/// seeds/003: "this endpoint only deletes the user's account – not any corresponding
/// workflow logs or other data".
async fn delete_user(call: Call) -> Answer {
    let project = project(&call)?;
    let name = call.identifier("userId")?;
    let token = call
        .app
        .write(move |tx| {
            let user = find(tx, project, name.as_str(), find::get_by_id)?;
            let job = erasure::begin(tx, &user, Erasure::Account, Origin::Request)?;
            Ok(token::of(tx, &job, &user))
        })
        .await?;
    Ok(dialect::with_token(HttpResponse::Ok().json(json!({ "success": true })), Some(token)))
}

/// seeds/003: "To remove that data as part of a compliance request, see our 'Delete User
/// Logs' endpoint". By the id this works after the account is gone, too.
async fn delete_logs(call: Call) -> Answer {
    let project = project(&call)?;
    let name = call.identifier("userId")?;
    let token = call
        .app
        .write(move |tx| {
            let user = find(tx, project, name.as_str(), find::get_detached_too_by_id)?;
            let job = erasure::begin(tx, &user, Erasure::Activity, Origin::Request)?;
            Ok(token::of(tx, &job, &user))
        })
        .await?;
    Ok(dialect::with_token(HttpResponse::Ok().json(json!({ "message": "Success" })), Some(token)))
}

/// The key's project, of a request in a version that we speak.
fn project(call: &Call) -> Result<ProjectId> {
    let project = call.project()?;
    let version = call.path("version")?;
    if !version.is_empty() && !IN_PATHS.contains(&version.as_str()) {
        return Err(Error::invalid(Place::Path, "version", VERSIONS));
    }
    if call.header("x-api-version")?.is_some_and(|version| version != IN_HEADER) {
        return Err(Error::invalid(Place::Header, "x-api-version", VERSIONS));
    }
    Ok(project)
}

/// seeds/003: "The Id of the user you want to lookup. […] you can also use the Embedded
/// user's `username` in this field." An id that `by_id` finds wins over a name.
fn find(
    db: &Db,
    project: ProjectId,
    name: &str,
    by_id: fn(&Db, ProjectId, UserId) -> Result<User>,
) -> Result<User> {
    match read_id(name).map(|id| by_id(db, project, id)) {
        None | Some(Err(Error::UserNotFound { .. })) => find::get(db, project, name),
        Some(found) => found,
    }
}

fn change(body: &Object) -> Result<ProfileChange> {
    let change = ProfileChange { display_name: body.text_change("fullName")?, ..ProfileChange::default() };
    change.check()?;
    Ok(change)
}

/// 24 hex digits, as the vendor's ids are.
fn show_id(id: UserId) -> String {
    format!("{:024x}", id.0)
}

/// The id that is shown as this text, if one is.
fn read_id(text: &str) -> Option<UserId> {
    let id = i64::from_str_radix(text, 16).map(UserId).ok()?;
    (show_id(id) == text).then_some(id)
}

fn user_json(user: &User) -> Value {
    json!({
        "userId": show_id(user.id),
        "username": user.identifier,
        "fullName": user.profile.display_name,
    })
}
