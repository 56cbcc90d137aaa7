//! The denylist: whether nothing is to be taken in of a user.
//! Source: the vendor's API description, "Users denylist". The user's switch lasts until it is
//! turned off, or the user is deleted with `hardDelete`; a soft deletion leaves it.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::json;

use super::{DIALECT, words};
use crate::api::dialect::{Answer, Call, Route};
use crate::error::{Error, Place};
use crate::model::Scope;
use crate::people::denylist;
use crate::people::denylist::Turned;

const IN_VAIN: &str = "the denylist's switch is off, but a suppression of another API keeps the user out: it is \
    lifted where it was asked for";

pub fn routes() -> Vec<Route> {
    let path = "/v1/users/denylist/{identifyId}";
    vec![
        Route::new(DIALECT, Method::GET, path, Some(Scope::Read), get, words::get_denied),
        // It stops what is stored of a person: not for every key that writes.
        Route::new(DIALECT, Method::PUT, path, Some(Scope::Delete), put, words::put_denied),
    ]
}

/// `{"denied":bool,"identifyId"}`; 404 for who is not known.
async fn get(call: Call) -> Answer {
    let project = call.project()?;
    let id = call.identifier("identifyId")?;
    let shown = id.clone();
    // The names are kept as digests, which only the writer makes.
    let denied = call.app.write(move |tx| denylist::is_denied(tx, project, &id)).await?;
    Ok(HttpResponse::Ok().json(json!({ "denied": denied, "identifyId": shown.as_str() })))
}

/// `{"denied":bool}`.
async fn put(mut call: Call) -> Answer {
    let project = call.project()?;
    let id = call.identifier("identifyId")?;
    let denied = call.object().await?.flag("denied")?;
    let denied = denied.ok_or_else(|| Error::invalid(Place::Body, "denied", "is required"))?;
    match call.app.write(move |tx| denylist::set(tx, project, &id, denied)).await? {
        Turned::Done => Ok(HttpResponse::Ok().finish()),
        Turned::OffInVain => Err(Error::Conflict(IN_VAIN)),
    }
}
