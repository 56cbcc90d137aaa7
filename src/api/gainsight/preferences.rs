//! What users say of what they want to see, and whether they want to be tracked.
//! Source: the vendor's API description, "User Preferences". [ours] Who wants no usage tracked is
//! kept out, as with the denylist.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::{Map, Value, json};

use super::{DIALECT, words};
use crate::api::dialect::{Answer, Call, Object, Route};
use crate::error::{Error, Place, Result};
use crate::model::{Identifier, ProjectId, Scope, User};
use crate::people::{denylist, find};

/// Names of the first version.
const FIRST: &[&str] = &["guidedTours", "onboardingBot", "productUpdates", "surveys", "trackUsage"];
/// And of the second.
const SECOND: &[&str] =
    &["guidedTours", "onboardingBot", "productUpdates", "surveys", "trackUsage", "trackEmailAnalytics"];

pub fn routes() -> Vec<Route> {
    let versions = [
        ("/v1/user/preferences", "/v1/user/preferences/{identifyId}", FIRST),
        ("/v2/user/preferences", "/v2/user/preferences/{identifyId}", SECOND),
    ];
    let (read, write) = (Some(Scope::Read), Some(Scope::Write));
    let of_version = |(all, one, names): (&'static str, &'static str, &'static [&'static str])| {
        [
            Route::new(
                DIALECT,
                Method::GET,
                one,
                read,
                move |call| get(call, names),
                move || words::get_preferences(names),
            ),
            Route::new(
                DIALECT,
                Method::POST,
                all,
                read,
                move |call| get_named(call, names),
                move || words::get_preferences_named(names),
            ),
            Route::new(
                DIALECT,
                Method::PUT,
                one,
                write,
                move |call| put(call, names),
                move || words::put_preferences(names),
            ),
            Route::new(
                DIALECT,
                Method::PUT,
                all,
                write,
                move |call| put_named(call, names),
                move || words::put_preferences_named(names),
            ),
        ]
    };
    versions.into_iter().flat_map(of_version).collect()
}

/// Each true, false, or null for what was never told; 404 for who is not known.
async fn get(call: Call, names: &'static [&'static str]) -> Answer {
    let project = call.project()?;
    show(&call, project, &call.identifier("identifyId")?, names)
}

/// A reading, with `{"identifyId"}`: for ids that do not fit a path.
async fn get_named(mut call: Call, names: &'static [&'static str]) -> Answer {
    let project = call.project()?;
    let id = call.object().await?.identifier("identifyId")?;
    show(&call, project, &id, names)
}

/// What is absent or null changes nothing.
async fn put(mut call: Call, names: &'static [&'static str]) -> Answer {
    let project = call.project()?;
    let id = call.identifier("identifyId")?;
    let body = call.object().await?;
    if body.optional_identifier("identifyId")?.is_some_and(|named| named != id) {
        return Err(Error::invalid(Place::Body, "identifyId", "must be the one in the path, or left out"));
    }
    change(&call, project, id, &body, names).await
}

/// The same with the `identifyId` in the body.
async fn put_named(mut call: Call, names: &'static [&'static str]) -> Answer {
    let project = call.project()?;
    let body = call.object().await?;
    let id = body.identifier("identifyId")?;
    change(&call, project, id, &body, names).await
}

fn show(call: &Call, project: ProjectId, id: &Identifier, names: &[&str]) -> Answer {
    let now = call.app.clock().now();
    let user = call.app.read(|db| find::get_hidden_too(db, project, id.as_str(), now))?;
    Ok(HttpResponse::Ok().json(preferences_json(&user, names)))
}

fn preferences_json(user: &User, names: &[&str]) -> Value {
    let told = |name: &&str| ((*name).to_owned(), json!(denylist::preference(user, name)));
    Value::Object(names.iter().map(told).collect::<Map<String, Value>>())
}

async fn change(
    call: &Call,
    project: ProjectId,
    id: Identifier,
    body: &Object,
    names: &'static [&'static str],
) -> Answer {
    let said = said(body, names)?;
    if said.iter().any(|(name, _)| denylist::keeps_out(name)) {
        // It stops what is stored of a person: not for every key that writes.
        call.access()?.require(Scope::Delete)?;
    }
    call.app.write(move |tx| denylist::prefer(tx, project, &id, &said)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn said(body: &Object, names: &'static [&'static str]) -> Result<Vec<(&'static str, bool)>> {
    let mut said = Vec::new();
    for name in names {
        said.extend(body.flag(name)?.map(|on| (*name, on)));
    }
    Ok(said)
}
