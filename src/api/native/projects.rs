//! A project's settings.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::{Value, json};

use super::DIALECT;
use crate::api::dialect::{Answer, Call, Route};
use crate::clock::rfc3339;
use crate::domain::projects;
use crate::error::{Error, Result};
use crate::model::{Project, Scope};
use crate::store::Db;

const PATH: &str = "/api/projects/{projectKey}";

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(DIALECT, Method::GET, PATH, Some(Scope::Admin), get_project),
        Route::new(DIALECT, Method::PATCH, PATH, Some(Scope::Admin), change_project),
    ]
}

async fn get_project(call: Call) -> Answer {
    let project = call.app.read(|db| project_in(db, &call))?;
    Ok(HttpResponse::Ok().json(project_json(&project)))
}

/// `{"origins": ["https://app.example.com"]}`: the sites whose pages may send to the
/// project; `[]` is every site. What is left out stays.
async fn change_project(mut call: Call) -> Answer {
    let project = call.app.read(|db| project_in(db, &call))?;
    let body = call.object().await?;
    let origins = body.0.contains_key("origins").then(|| body.texts("origins")).transpose()?;
    let project = call.app.write(move |tx| projects::change(tx, project.id, origins.as_deref())).await?;
    call.app.reload_keys()?;
    Ok(HttpResponse::Ok().json(project_json(&project)))
}

/// The path's project. [`Error::ProjectNotFound`] also for another project's key.
fn project_in(db: &Db, call: &Call) -> Result<Project> {
    let (key, only) = (call.path("projectKey")?, call.access()?.project);
    let project = projects::by_key(db, &key)?;
    if only.is_some_and(|only| only != project.id) { Err(Error::ProjectNotFound) } else { Ok(project) }
}

/// `refusedOrigins` counts requests of pages whose origin was not on the list.
fn project_json(project: &Project) -> Value {
    json!({
        "key": project.key,
        "name": project.name,
        "platform": project.platform,
        "createdAt": rfc3339(project.created_at),
        "origins": project.origins,
        "refusedOrigins": project.refused_origins,
    })
}
