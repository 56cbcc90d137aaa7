//! A project's settings.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::{Value, json};

use super::{DIALECT, words};
use crate::api::dialect::{self, Answer, Call, Object, Route};
use crate::clock::rfc3339;
use crate::erasure::project_deletion::begin_confirmed;
use crate::error::{Error, FieldError, Place, Result};
use crate::model::{Origin, Project, Scope};
use crate::people::placeholders;
use crate::projects;
use crate::projects::{Change, Kept};
use crate::store::{Db, ErasingTx};

const PATH: &str = "/api/projects/{projectKey}";
/// In the place of a number of days.
const FOREVER: &str = "forever";

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(DIALECT, Method::GET, PATH, Some(Scope::Admin), get_project, words::get_project),
        Route::new(DIALECT, Method::PATCH, PATH, Some(Scope::Admin), change_project, words::change_project),
        Route::new(DIALECT, Method::DELETE, PATH, Some(Scope::Admin), delete_project, words::delete_project),
    ]
}

async fn get_project(call: Call) -> Answer {
    let shown = call.app.read(|db| project_json(db, &project_in(db, &call)?))?;
    Ok(HttpResponse::Ok().json(shown))
}

/// What is left out stays; of a body with a fault nothing is taken.
///
/// - `name`: by which people know the project; its key stays.
/// - `origins`: the sites whose pages may send to the project; `[]` is every site.
/// - `publicWrites`: what public credentials may write: `open`, `own-visitors` (events, and what
///   visitors and new people say of themselves) or `events-only`.
/// - `peoplePerAddress`, `peoplePerHour`: how many new people public credentials may make in an
///   hour, from one address and in all; null for the usual numbers.
/// - `placeholders`: names that stand for nobody; null for the usual ones.
/// - `erasedKeptDays`: for how many days digests of erased identifiers keep late data out;
///   `"forever"` needs the reason in `erasedKeptWhy`. They stay as long as there is a backup from
///   before the erasure, however few days are set.
/// - `clientSecret`: what the app signs its users' names with for Proficient's client API; null
///   removes it. No answer has it, only `hasClientSecret`.
async fn change_project(mut call: Call) -> Answer {
    let project = call.app.read(|db| project_in(db, &call))?;
    let change = change(&call.object().await?)?;
    let project = call.app.write(move |tx| projects::change(tx, project.id, &change)).await?;
    call.app.reload_keys()?;
    Ok(HttpResponse::Ok().json(call.app.read(|db| project_json(db, &project))?))
}

/// `?confirm=NAME`, the project's name: it is gone for every caller at once, with its keys and settings,
/// and its users are erased, each with a job and a receipt. The key needs the scope delete as well.
async fn delete_project(call: Call) -> Answer {
    let (id, confirm) = (call.app.read(|db| project_in(db, &call))?.id, confirm(&call)?);
    call.access()?.require(Scope::Delete)?;
    let begin =
        move |tx: &ErasingTx| begin_confirmed(tx, id, (Place::Query, confirm.as_str()), Origin::Request);
    let project = call.app.write(begin).await?;
    call.app.reload_keys()?;
    Ok(HttpResponse::Accepted().json(json!({ "key": project.key, "state": "deleting" })))
}

fn confirm(call: &Call) -> Result<String> {
    let query = call.query()?;
    let confirm = query.get("confirm").filter(|confirm| !confirm.is_empty());
    confirm
        .map(str::to_owned)
        .ok_or_else(|| Error::invalid(Place::Query, "confirm", "is required: the name of the project"))
}

/// The path's project. [`Error::ProjectNotFound`] also for another project's key.
fn project_in(db: &Db, call: &Call) -> Result<Project> {
    let (key, only) = (call.path("projectKey")?, call.access()?.project);
    let project = projects::by_key(db, &key)?;
    if only.is_some_and(|only| only != project.id) { Err(Error::ProjectNotFound) } else { Ok(project) }
}

/// The settings that a body has. Those of another type are named together.
fn change(body: &Object) -> Result<Change> {
    let mut faults = Vec::new();
    let change = Change {
        name: kept(&mut faults, given(body, "name", word)),
        origins: kept(&mut faults, given(body, "origins", Object::texts)),
        public_writes: kept(&mut faults, given(body, "publicWrites", word)),
        people_per_address: kept(&mut faults, given(body, "peoplePerAddress", Object::number)),
        people_per_hour: kept(&mut faults, given(body, "peoplePerHour", Object::number)),
        placeholders: kept(&mut faults, given(body, "placeholders", texts_or_null)),
        erased_kept: kept(&mut faults, given(body, "erasedKeptDays", days)),
        erased_kept_why: kept(&mut faults, body.text_change("erasedKeptWhy")),
        client_secret: kept(&mut faults, body.text_change("clientSecret")),
    };
    if faults.is_empty() { Ok(change) } else { Err(Error::Invalid(faults)) }
}

/// A field, unless it is left out.
fn given<T>(body: &Object, field: &str, read: impl Fn(&Object, &str) -> Result<T>) -> Result<Option<T>> {
    body.0.contains_key(field).then(|| read(body, field)).transpose()
}

fn kept<T>(faults: &mut Vec<FieldError>, read: Result<Option<T>>) -> Option<T> {
    read.unwrap_or_else(|error| {
        faults.extend(dialect::faults(&error));
        None
    })
}

/// What no word is, the rules refuse.
fn word(body: &Object, field: &str) -> Result<String> {
    Ok(body.text(field)?.unwrap_or_default())
}

fn texts_or_null(body: &Object, field: &str) -> Result<Option<Vec<String>>> {
    if body.0.get(field).is_some_and(Value::is_null) { Ok(None) } else { body.texts(field).map(Some) }
}

fn days(body: &Object, field: &str) -> Result<Kept> {
    match body.0.get(field) {
        Some(Value::String(text)) if text == FOREVER => Ok(Kept::Forever),
        Some(Value::Number(number)) if number.is_i64() => Ok(Kept::Days(number.as_i64().unwrap_or_default())),
        _ => Err(Error::invalid(Place::Body, field, "must be a number of days, or forever")),
    }
}

/// Numbers and placeholders are those in force. `refusedOrigins` counts requests of pages whose
/// origin was not on the list.
fn project_json(db: &Db, project: &Project) -> Result<Value> {
    let intake = &project.intake;
    Ok(json!({
        "key": project.key,
        "name": project.name,
        "platform": project.platform,
        "createdAt": rfc3339(project.created_at),
        "origins": project.origins,
        "refusedOrigins": project.refused_origins,
        "publicWrites": intake.public_writes.word(),
        "peoplePerAddress": intake.per_address(),
        "peoplePerHour": intake.per_hour(),
        "placeholders": placeholders::in_force(intake),
        "erasedKeptDays": intake.erased_kept_days.map_or_else(|| json!(FOREVER), |days| json!(days)),
        "erasedKeptWhy": intake.erased_kept_why,
        "hasClientSecret": projects::client_secret(db, project.id)?.is_some(),
    }))
}
