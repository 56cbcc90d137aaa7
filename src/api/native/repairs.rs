//! What was repaired, dropped or refused on its way in.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::{Value, json};

use super::{DIALECT, words};
use crate::api::dialect::{Answer, Call, Route};
use crate::clock;
use crate::error::{Error, Place, Result};
use crate::model::Scope;
use crate::people::repairs;
use crate::people::repairs::{Count, DAYS, Recent};

pub fn routes() -> Vec<Route> {
    vec![Route::new(DIALECT, Method::GET, "/api/repairs", Some(Scope::Read), get_repairs, words::get_repairs)]
}

/// Counts of the last days, today included, and the newest hundred one by one. `key` is the name of
/// the project's key, null for the ingest token; `field` is null where it is the message as a whole.
async fn get_repairs(call: Call) -> Answer {
    let (project, days, now) = (call.project()?, days(&call)?, call.app.clock().now());
    let (counts, recent, names) = call.app.read(|db| {
        Ok((
            repairs::counts(db, project, days, now)?,
            repairs::recent(db, project)?,
            repairs::key_names(db, project)?,
        ))
    })?;
    Ok(HttpResponse::Ok().json(json!({
        "data": counts.iter().map(|one| count_json(one, &names)).collect::<Vec<Value>>(),
        "recent": recent.iter().map(|one| recent_json(one, &names)).collect::<Vec<Value>>(),
    })))
}

fn days(call: &Call) -> Result<i64> {
    let days = call.query()?.number("days")?.unwrap_or(DAYS);
    if (1..=DAYS).contains(&days) {
        return Ok(days);
    }
    Err(Error::invalid(Place::Query, "days", format!("must be from 1 to {DAYS}")))
}

fn count_json(one: &Count, names: &BTreeMap<i64, String>) -> Value {
    json!({
        "day": clock::date(one.day),
        "key": key_json(one.key, names),
        "outcome": one.outcome,
        "reason": one.reason,
        "count": one.count,
    })
}

fn recent_json(one: &Recent, names: &BTreeMap<i64, String>) -> Value {
    json!({
        "at": clock::rfc3339(one.at),
        "key": key_json(one.key, names),
        "outcome": one.outcome,
        "reason": one.reason,
        "field": (!one.field.is_empty()).then_some(&one.field),
    })
}

fn key_json(key: i64, names: &BTreeMap<i64, String>) -> Option<&str> {
    let name = names.get(&key).map_or("a key of the organisation", String::as_str);
    (key != 0).then_some(name)
}
