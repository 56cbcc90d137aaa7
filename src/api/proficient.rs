//! Proficient AI's API: `Authorization: Bearer <project key>`, users by their `u_…` id.
//! Source: seeds/004, and the vendor's JavaScript client.

pub mod client;
mod words;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::dialect::{self, Answer, Call, Dialect, Literal, Object, Route};
use super::streamed;
use crate::erasure;
use crate::erasure::token;
use crate::error::{Error, Result};
use crate::model::{Erasure, Origin, ProfileChange, Scope, User, UserId};
use crate::people::{find, users};
use crate::store::NormalTx;

pub static DIALECT: &dyn Dialect = &Proficient;

struct Proficient;

impl Dialect for Proficient {
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
        error_response(error)
    }
}

fn error_response(error: &Error) -> HttpResponse {
    let message = match error {
        Error::Invalid(faults) => {
            let said = faults.iter().map(|fault| format!("{}: {}", field(&fault.field), fault.message));
            said.collect::<Vec<String>>().join("; ")
        }
        error => dialect::message(error),
    };
    let error_body = json!({ "code": code(error), "message": message });
    HttpResponse::build(dialect::status(error)).json(json!({ "error": error_body }))
}

/// seeds/004, `ApiErrorCode`: the client knows these seven and no other.
fn code(error: &Error) -> &'static str {
    match error {
        Error::NoKey | Error::MalformedKey | Error::UnknownKey => "invalid_credentials",
        Error::Forbidden(_) => "forbidden",
        Error::NoSuchRoute
        | Error::ProjectNotFound
        | Error::UserNotFound { .. }
        | Error::JobNotFound
        | Error::ReceiptNotFound
        | Error::SessionNotFound
        | Error::KeyNotFound
        | Error::NotFound(_) => "resource_not_found",
        Error::MethodNotAllowed { .. }
        | Error::Invalid(_)
        | Error::BadJson(_)
        | Error::TooLarge { .. }
        | Error::TooSlow
        | Error::JobEnded => "invalid_request",
        Error::IdentifierTaken
        | Error::NameTaken { .. }
        | Error::Ambiguous(_)
        | Error::Conflict(_)
        | Error::Held(_)
        | Error::Suppressed => "conflict",
        Error::RateLimited { .. }
        | Error::Unavailable(_)
        | Error::DiskFull
        | Error::DiskFails(_)
        | Error::ReadOnly
        | Error::Damaged(_) => "unavailable",
        Error::Internal(_) => "unknown",
    }
}

/// A field of the profile by its name here.
fn field(name: &str) -> &str {
    match name {
        "firstName" => "first_name",
        "lastName" => "last_name",
        "after" => "starting_after",
        name => name,
    }
}

/// The vendor's API definition (proficientai/js, `users.yml`) has five paths of users, and no
/// word beside `{user_id}`.
pub const LITERALS: &[Literal] = &[];

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(DIALECT, Method::GET, "/users", Some(Scope::Read), list_users, words::list_users),
        Route::new(DIALECT, Method::POST, "/users", Some(Scope::Write), create_user, words::create_user),
        Route::new(DIALECT, Method::GET, "/users/{user_id}", Some(Scope::Read), get_user, words::get_user),
        Route::new(
            DIALECT,
            Method::POST,
            "/users/{user_id}",
            Some(Scope::Write),
            update_user,
            words::update_user,
        ),
        Route::new(
            DIALECT,
            Method::DELETE,
            "/users/{user_id}",
            Some(Scope::Delete),
            delete_user,
            words::delete_user,
        ),
    ]
}

/// The vendor's client: "sorted by creation date, with the most recently created users
/// appearing first"; `live_mode`: "If set to `false`, only test users will be returned."
/// It has no pages: it is written whole, as it is read.
async fn list_users(call: Call) -> Answer {
    let project = call.project()?;
    let live_mode = call.query()?.flag("live_mode")?;
    let wanted = move |user: &User| live_mode.is_none_or(|live_mode| user.profile.live_mode == live_mode);
    streamed::users(&call.app, project, move |user| wanted(user).then(|| user_json(user))).await
}

async fn create_user(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = call.object().await?;
    let external_id = body.identifier("external_id")?;
    // "This will be `false` if the user is a test user": a user not said to be one is none.
    let live_mode = Some(body.flag("live_mode")?.unwrap_or(true));
    let change = ProfileChange { live_mode, ..change(&body)? };
    let may_know = call.may_know()?;
    let create = move |tx: &NormalTx| {
        let created = users::create(tx, project, &external_id, &change)?;
        Ok(dialect::told(may_know, created, || users::as_if_created(tx, project, &external_id, &change)))
    };
    // What is dropped is counted, also where it is told.
    let user = call.app.write(create).await??;
    Ok(HttpResponse::Ok().json(user_json(&user)))
}

async fn get_user(call: Call) -> Answer {
    let project = call.project()?;
    let id = user_id(&call)?;
    let user = call.app.read(|db| find::get_by_id(db, project, id))?;
    Ok(HttpResponse::Ok().json(user_json(&user)))
}

/// The vendor's client: "Any properties not provided will be left unchanged."
async fn update_user(mut call: Call) -> Answer {
    let project = call.project()?;
    let change = change(&call.object().await?)?;
    let id = user_id(&call)?;
    let may_know = call.may_know()?;
    let edit = move |tx: &NormalTx| {
        let user = find::get_hidden_too_by_id(tx, project, id, tx.now())?;
        let edited = users::edit(tx, user.clone(), &change)?;
        Ok(dialect::told(may_know, edited, || users::as_if_edited(tx, user, &change)))
    };
    let user = call.app.write(edit).await??;
    Ok(HttpResponse::Ok().json(user_json(&user)))
}

/// seeds/004: "Permanently deletes the specified user and all the interactions associated
/// with it. This cannot be undone." Answers with the user as it was.
async fn delete_user(call: Call) -> Answer {
    let project = call.project()?;
    let id = user_id(&call)?;
    let (user, token) = call
        .app
        .write(move |tx| {
            let user = find::get_hidden_too_by_id(tx, project, id, tx.now())?;
            let job = erasure::begin(tx, &user, Erasure::Everything, Origin::Request)?;
            let token = token::of(tx, &job, &user);
            Ok((user, token))
        })
        .await?;
    Ok(dialect::with_token(HttpResponse::Ok().json(user_json(&user)), Some(token)))
}

/// The path's user. Only an id as it is shown will do, never a name, so that a call meant
/// for another API on the same path erases nobody. [`Error::UserNotFound`] otherwise.
fn user_id(call: &Call) -> Result<UserId> {
    let text = call.path("user_id")?;
    let id = text.strip_prefix("u_").and_then(|number| number.parse().ok()).map(UserId);
    id.filter(|id| show_id(*id) == text).ok_or_else(|| Error::user_not_found(text))
}

fn show_id(id: UserId) -> String {
    format!("u_{id}")
}

fn change(body: &Object) -> Result<ProfileChange> {
    let change = ProfileChange {
        first_name: body.text_change("first_name")?,
        last_name: body.text_change("last_name")?,
        ..ProfileChange::default()
    };
    change.check()?;
    Ok(change)
}

/// seeds/004: all eight are required, so what is not set is an empty text.
fn user_json(user: &User) -> Value {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    json!({
        "id": show_id(user.id),
        "object": "user",
        "created_at": user.created_at,
        "external_id": text(&user.identifier),
        "first_name": text(&user.profile.first_name),
        "last_name": text(&user.profile.last_name),
        "live_mode": user.profile.live_mode,
        "updated_at": user.updated_at,
    })
}
