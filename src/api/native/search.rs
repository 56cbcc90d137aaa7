//! Finding users by any part of what they are called.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::Value;

use super::{DIALECT, words};
use crate::api::dialect::{Answer, Call, Object, Route};
use crate::clock::{self, Millis};
use crate::error::{Error, Place, Result};
use crate::model::{ProjectId, Scope};
use crate::people::search;
use crate::people::search::{Among, Asked, Depth, Filter, cursor, shown};
use crate::web::page_sizes;

pub fn routes() -> Vec<Route> {
    vec![Route::new(DIALECT, Method::POST, "/api/users/search", Some(Scope::Read), find, words::find)]
}

/// `{"q", "filter"?, "limit"?, "cursor"?}` → `{"data", "suggestions", "truncated", "nextCursor"}`. What is
/// looked for stands in the body, so that no log of a proxy has it.
///
/// `q` is looked for in identifiers, e-mails and names, in any letter case and without accents: first whole
/// names (and ids and anonymous ids), then fields that begin with it, words that do, and parts of words.
/// Several words have to be there all. `matched` says of each user in which field, and how. Where nothing
/// is found, `suggestions` names users who are called nearly so.
///
/// `filter`: `state` (`live` unless given, `trash`, `all`), `anonymous`, `country`, `seenAfter`, `seenBefore`,
/// and `data`, an object of values. A page may be short or empty and have a `nextCursor` all the same.
/// `truncated`: it has too many hits, and not all were looked at.
///
/// 503 with `Retry-After` while names are still being read after a start, unless somebody is called so as a
/// whole. With `--find off`, `note` says what was not looked through.
async fn find(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = call.object().await?;
    let asked = asked(&call, project, &body)?;
    let (names, now) = (Arc::clone(call.app.find()), call.app.clock().now());
    let (found, asked) =
        call.app.scan(move |db| Ok((search::search(db, &names, &asked, now)?, asked))).await?;
    let next = found.next.map(|spot| cursor::write(call.app.store(), &asked, spot));
    Ok(HttpResponse::Ok().json(shown::found(&found, next)))
}

fn asked(call: &Call, project: ProjectId, body: &Object) -> Result<Asked> {
    let text = body.text("q")?.ok_or_else(|| fault("q", "is required"))?;
    search::check(&text).map_err(|why| fault("q", &why))?;
    let limit = page_sizes::NATIVE.asked(body.number("limit")?);
    let mut asked = Asked {
        projects: vec![project],
        ids: search::ids(&text),
        text,
        filter: filter(&body.object("filter")?)?,
        after: None,
        limit: limit.ok_or_else(|| fault("limit", &page_sizes::NATIVE.bounds()))? as usize,
        depth: Depth::Parts,
        finds_restricted: call.access()?.scopes.has(Scope::Delete),
    };
    if let Some(text) = body.text("cursor")? {
        let spot = cursor::read(call.app.store(), &asked, &text);
        asked.after = Some(spot.ok_or_else(|| fault("cursor", "is no cursor of this search"))?);
    }
    Ok(asked)
}

fn filter(filter: &Object) -> Result<Filter> {
    let within = |name: &str, error: Error| match error {
        Error::Invalid(faults) => {
            fault(&format!("filter.{name}"), faults.first().map_or("", |fault| &fault.message))
        }
        error => error,
    };
    let state = match filter.text("state").map_err(|error| within("state", error))?.as_deref() {
        None | Some("live") => Among::Live,
        Some("trash") => Among::Trash,
        Some("all") => Among::Both,
        Some(_) => return Err(fault("filter.state", "must be live, trash or all")),
    };
    Ok(Filter {
        state,
        anonymous: filter.flag("anonymous").map_err(|error| within("anonymous", error))?,
        country: filter.text("country").map_err(|error| within("country", error))?,
        seen_after: time(filter, "seenAfter")?,
        seen_before: time(filter, "seenBefore")?,
        data: filter.object("data").map_err(|error| within("data", error))?.0.into_iter().collect(),
    })
}

fn time(filter: &Object, name: &str) -> Result<Option<Millis>> {
    let at = match filter.0.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => clock::parse_time_or_date(text),
        Some(number) => number.as_i64().filter(|at| *at >= 0),
    };
    let form = "must be an RFC 3339 time with an offset, a date, or milliseconds since 1970";
    at.map(Some).ok_or_else(|| fault(&format!("filter.{name}"), form))
}

fn fault(field: &str, why: &str) -> Error {
    Error::invalid(Place::Body, field, why)
}
