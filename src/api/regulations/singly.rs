//! RudderStack's User Suppression API: a regulation for each user, that can be cancelled.
//! Source: RudderStack's page "User Suppression API".

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::{Value, json};

use super::words::singly as words;
use super::{DIALECT, asked, shown};
use crate::api::dialect::{Answer, Call, Object, Route};
use crate::erasure::regulations;
use crate::erasure::regulations::{Filter, Seen, Whole};
use crate::error::{Error, Place, Result};
use crate::model::{Project, RegulationKind, Scope};
use crate::projects;

const PATH: &str = "/v2/regulations";
/// Regulations of a page: the vendor names no number [ours].
const PAGE: usize = 100;

pub fn routes(body_max: usize) -> Vec<Route> {
    let one = "/v2/regulations/{regulateId}";
    vec![
        Route::new(DIALECT, Method::POST, PATH, Some(Scope::Delete), create, words::create)
            .body_max(body_max),
        Route::new(DIALECT, Method::GET, PATH, Some(Scope::Read), list, words::list_all),
        Route::new(DIALECT, Method::DELETE, one, Some(Scope::Delete), cancel, words::cancel),
    ]
}

/// `{"regulationType":"suppress"|"suppress_with_delete","sourceIds"?,"users":[{"userId"}]}`: 201
/// and one for each user, and each source that is named. What else a user has is not kept [ours].
async fn create(mut call: Call) -> Answer {
    let body = call.object().await?;
    let (kind, people) = (kind(&body)?, users(&body)?);
    let sources = sources(&call, &body)?;
    let (seen, projects) = call.app.regulate_each(sources, kind, people).await?;
    let seen: Vec<Value> = seen.iter().map(|seen| regulation(seen, &projects)).collect();
    Ok(HttpResponse::Created().json(seen))
}

fn kind(body: &Object) -> Result<RegulationKind> {
    match body.text("regulationType")?.as_deref() {
        Some("suppress") => Ok(RegulationKind::SuppressOnly),
        Some("suppress_with_delete") => Ok(RegulationKind::SuppressWithDelete),
        _ => {
            let known = "must be suppress or suppress_with_delete";
            Err(Error::invalid(Place::Body, "regulationType", known))
        }
    }
}

/// The vendor: `userId` is mandatory.
fn users(body: &Object) -> Result<Vec<crate::model::Identifier>> {
    let list = asked::list(body, "users")?.unwrap_or_default();
    let ids: Vec<Value> =
        list.iter().map(|user| user.get("userId").cloned().unwrap_or(Value::Null)).collect();
    asked::people("users", &ids).map_err(|error| match error {
        Error::Invalid(mut faults) => {
            for fault in &mut faults {
                fault.message = format!("{} (each user needs a userId)", fault.message);
            }
            Error::Invalid(faults)
        }
        error => error,
    })
}

/// Where it is to hold. A destination is nothing that data could be taken from here, and a
/// regulation that held elsewhere, too, would be more than was asked for.
fn sources(call: &Call, body: &Object) -> Result<Vec<Whole>> {
    if asked::list(body, "destinationIds")?.is_some_and(|list| !list.is_empty()) {
        let why = "there are no destinations: name sourceIds, or none";
        return Err(Error::invalid(Place::Body, "destinationIds", why));
    }
    let mut keys = body.texts("sourceIds")?;
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Ok(vec![Whole(call.access()?.project)]);
    }
    let sources = keys.iter().map(|key| {
        asked::source_of_key(call, key).map_err(|error| match error {
            Error::ProjectNotFound => Error::invalid(Place::Body, "sourceIds", "names an unknown source"),
            error => error,
        })
    });
    sources.collect()
}

async fn list(call: Call) -> Answer {
    let whole = Whole(call.access()?.project);
    let query = call.query()?;
    let not_a_cursor = || Error::invalid(Place::Query, "after_cursor", "is not a cursor from this list");
    let after = match query.get("after_cursor").filter(|text| !text.is_empty()) {
        Some(text) => Some(asked::id(text).ok_or_else(not_a_cursor)?),
        None => None,
    };
    let filter = Filter { is_single: true, ..Filter::default() };
    let page = call.app.scan(move |db| {
        let page = regulations::page(db, whole, &filter, after, PAGE)?;
        Ok((page, projects::list(db)?))
    });
    let (page, projects) = page.await.map_err(|error| match error {
        Error::NotFound(_) => not_a_cursor(),
        error => error,
    })?;
    let data: Vec<Value> = page.seen.iter().map(|seen| regulation(seen, &projects)).collect();
    let next = page.next.map(|handle| format!("{PATH}?after_cursor={}", shown::id(handle)));
    let paging = next.map_or_else(|| json!({}), |next| json!({ "next": next }));
    Ok(HttpResponse::Ok().json(json!({ "data": data, "paging": paging })))
}

/// The user is let in again; what is erased does not return. It stays listed, as `canceled`.
async fn cancel(call: Call) -> Answer {
    let whole = Whole(call.access()?.project);
    let handle = asked::regulate_id(&call)?;
    call.app.write(move |tx| regulations::withdraw(tx, whole, handle)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn regulation(seen: &Seen, projects: &[Project]) -> Value {
    let kind = if seen.regulation.kind.erases() { "suppress_with_delete" } else { "suppress" };
    json!({
        "id": shown::id(seen.regulation.handle),
        "workspaceId": shown::workspace(seen, projects),
        "canceled": seen.regulation.withdrawn_at.is_some(),
        "regulationType": kind,
        "attributes": { "userId": shown::subjects(seen).into_iter().next() },
    })
}
