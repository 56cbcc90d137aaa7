//! Who is held or restricted, and why.
//!
//! A hold is put and released with the scope admin: it guards against those who may delete, so that their
//! key must not lift it. A restriction takes the scope delete: such a key can erase the person all the same.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::{Value, json};

use super::{DIALECT, words};
use crate::api::dialect::{Answer, Call, Object, Route};
use crate::clock::{self, Millis, rfc3339};
use crate::error::{Error, Place, Result};
use crate::model::{Scope, State, UserId};
use crate::people::holds;
use crate::people::holds::Kept;
use crate::web::page_sizes;

const HOLD: &str = "/api/users/{id}/hold";
const RESTRICTION: &str = "/api/users/{id}/restriction";
/// So many people on a page.
const PAGE: u32 = page_sizes::NATIVE_FIXED;

pub fn routes() -> Vec<Route> {
    let (delete, admin) = (Some(Scope::Delete), Some(Scope::Admin));
    vec![
        Route::new(DIALECT, Method::GET, "/api/holds", delete, list, words::list_holds),
        Route::new(DIALECT, Method::GET, HOLD, delete, get, words::get_hold),
        Route::new(DIALECT, Method::POST, HOLD, admin, hold, words::hold),
        Route::new(DIALECT, Method::DELETE, HOLD, admin, release, words::release),
        Route::new(DIALECT, Method::GET, RESTRICTION, delete, get, words::get_hold),
        Route::new(DIALECT, Method::POST, RESTRICTION, delete, restrict, words::restrict),
        Route::new(DIALECT, Method::DELETE, RESTRICTION, delete, unrestrict, words::unrestrict),
    ]
}

/// Who is held or restricted, the oldest user first; `?cursor=` is an answer's `nextCursor`. Those whose 7
/// days in the trash are over are here, too, in the state `waiting`. A hold's reason is shown to keys with
/// the scope admin alone.
async fn list(call: Call) -> Answer {
    let (project, shows_reason) = (call.project()?, shows_reason(&call)?);
    let after = match call.query()?.get("cursor") {
        None => UserId(i64::MIN),
        Some(text) => {
            let fault = |_| Error::invalid(Place::Query, "cursor", "is no cursor of this list");
            UserId(text.parse().map_err(fault)?)
        }
    };
    let found = call.app.read(|db| holds::list(db, project, after, PAGE))?;
    let next = found.last().filter(|_| found.len() == PAGE as usize).map(|last| last.user.id.to_string());
    Ok(HttpResponse::Ok().json(json!({
        "data": found.iter().map(|kept| kept_json(kept, shows_reason)).collect::<Vec<Value>>(),
        "nextCursor": next,
    })))
}

/// Whether this user is held or restricted: `hold` and `restriction` are null if not.
async fn get(call: Call) -> Answer {
    let (project, id, now) = (call.project()?, user(&call)?, call.app.clock().now());
    let kept = call.app.read(|db| holds::whom(db, Some(project), id, now))?;
    Ok(HttpResponse::Ok().json(json!({ "data": kept_json(&kept, shows_reason(&call)?) })))
}

/// `{"until"?, "reason"?}`: nothing of the user is erased before then, or before it is released. Who is held
/// already is from now on held like this.
async fn hold(mut call: Call) -> Answer {
    let project = call.project()?;
    let (body, id) = (call.object().await?, user(&call)?);
    let (until, reason) = (until(&body)?, body.text("reason")?);
    let held = call.app.write(move |tx| holds::hold(tx, Some(project), id, until, reason.as_deref()));
    Ok(HttpResponse::Ok().json(json!({ "data": kept_json(&held.await?, true) })))
}

/// What waited for it begins.
async fn release(call: Call) -> Answer {
    let (project, id) = (call.project()?, user(&call)?);
    call.app.write(move |tx| holds::release(tx, Some(project), id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The user's data is only kept (GDPR Art. 18).
async fn restrict(call: Call) -> Answer {
    let (project, id) = (call.project()?, user(&call)?);
    let kept = call.app.write(move |tx| holds::restrict(tx, Some(project), id)).await?;
    Ok(HttpResponse::Ok().json(json!({ "data": kept_json(&kept, shows_reason(&call)?) })))
}

async fn unrestrict(call: Call) -> Answer {
    let (project, id) = (call.project()?, user(&call)?);
    call.app.write(move |tx| holds::unrestrict(tx, Some(project), id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn user(call: &Call) -> Result<UserId> {
    let text = call.path("id")?;
    text.parse().map(UserId).map_err(|_| Error::user_not_found(text))
}

fn shows_reason(call: &Call) -> Result<bool> {
    Ok(call.access()?.scopes.has(Scope::Admin))
}

/// A date alone is its midnight, UTC.
fn until(body: &Object) -> Result<Option<Millis>> {
    let form = "must be an RFC 3339 time with an offset, or a date";
    body.text("until")?
        .map(|text| {
            clock::parse_time_or_date(&text).ok_or_else(|| Error::invalid(Place::Body, "until", form))
        })
        .transpose()
}

fn kept_json(kept: &Kept, shows_reason: bool) -> Value {
    let user = &kept.user;
    let hold = kept.hold.as_ref().map(|hold| {
        json!({
            "since": rfc3339(hold.created_at),
            "until": hold.until.map(rfc3339),
            "reason": hold.reason.as_ref().filter(|_| shows_reason),
        })
    });
    json!({
        "id": user.id.to_string(),
        "identifier": user.identifier.as_ref().or(user.freed_identifier.as_ref()),
        "state": match user.state {
            State::Live => "live",
            State::Detached => "detached",
            State::Waiting => "waiting",
            State::Hidden | State::Erasing | State::Merged => "trash",
        },
        "hold": hold,
        "restriction": user.restricted_at.map(|at| json!({ "since": rfc3339(at) })),
    })
}
