//! OpenReplay's v2 public API: `/v2/api/public/…`, `Authorization: Bearer <organisation key>`.
//! Source: the vendor's handlers of these routes, and the rules on their request types. A
//! project's own key opens its own project, too [ours].
//!
//! Its deletions are the same jobs as the older API's: either lists, shows and cancels what the
//! other has made.

mod asked;
mod shown;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::words::v2 as words;
use super::{data, job_json, project};
use crate::api::dialect::{self, Answer, Call, Dialect, Literal, Route};
use crate::erasure::jobs;
use crate::error::{Error, FieldError, Place, Result};
use crate::model::{Job, JobStatus, Scope, SessionId};
use crate::people::{find, listings, session_parts};
use crate::projects;

pub static DIALECT: &dyn Dialect = &V2;

struct V2;

impl Dialect for V2 {
    fn key_scheme(&self) -> Value {
        json!({ "type": "http", "scheme": "bearer" })
    }

    fn error_schema(&self) -> Value {
        words::errors()
    }

    /// The vendor takes a key after the word Bearer alone; the older API takes a bare one.
    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        let value = dialect::key_header(request, dialect::AUTHORIZATION)?;
        let is_bare = |value: &header::HeaderValue| !value.as_bytes().trim_ascii().contains(&b' ');
        if value.is_some_and(is_bare) { Err(Error::MalformedKey) } else { dialect::authorization(request) }
    }

    fn error(&self, error: &Error) -> HttpResponse {
        let status = match error {
            // The vendor's gate stands before all handlers, and says no more than no: not
            // whether it is the key that is unknown, or the project.
            Error::NoKey | Error::MalformedKey | Error::UnknownKey | Error::ProjectNotFound => {
                return HttpResponse::Unauthorized().finish();
            }
            Error::NameTaken { .. } => StatusCode::BAD_REQUEST,
            error => dialect::status(error),
        };
        let text = match error {
            Error::UserNotFound { .. } => "user not found".to_owned(),
            Error::JobNotFound => "job not found".to_owned(),
            Error::NameTaken { .. } => "name already exists".to_owned(),
            // The vendor does not say where.
            Error::BadJson(_) => "invalid JSON body".to_owned(),
            Error::Invalid(faults) => sentences(faults),
            error => dialect::message(error),
        };
        HttpResponse::build(status).json(json!({ "error": text }))
    }
}

/// The vendor names the field in the sentence itself, and gives each fault a line.
fn sentences(faults: &[FieldError]) -> String {
    let lines: Vec<String> = faults
        .iter()
        .map(|FieldError { field, message, .. }| match field.as_str() {
            "" => message.clone(),
            field => format!("{field} {message}"),
        })
        .collect();
    lines.join("\n")
}

/// A whole sentence in the vendor's words.
fn sentence(place: Place, text: impl Into<String>) -> Error {
    Error::invalid(place, "", text)
}

pub const LITERALS: &[Literal] = &[];

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(
            DIALECT,
            Method::GET,
            "/v2/api/public/projects",
            Some(Scope::Read),
            list_projects,
            words::list_projects,
        ),
        Route::new(
            DIALECT,
            Method::POST,
            "/v2/api/public/projects",
            Some(Scope::Admin),
            create_project,
            words::create_project,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/v2/api/public/projects/{projectKey}",
            Some(Scope::Read),
            get_project,
            words::get_project,
        ),
        // POSTs of the vendor that only read.
        Route::new(
            DIALECT,
            Method::POST,
            "/v2/api/public/{projectKey}/users",
            Some(Scope::Read),
            list_users,
            words::list_users,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/v2/api/public/{projectKey}/users/{userID}",
            Some(Scope::Read),
            get_user,
            words::get_user,
        ),
        Route::new(
            DIALECT,
            Method::DELETE,
            "/v2/api/public/{projectKey}/users/{userID}",
            Some(Scope::Delete),
            delete_user,
            words::delete_user,
        ),
        Route::new(
            DIALECT,
            Method::POST,
            "/v2/api/public/{projectKey}/users/{userID}/sessions",
            Some(Scope::Read),
            user_sessions,
            words::user_sessions,
        ),
        Route::new(
            DIALECT,
            Method::POST,
            "/v2/api/public/{projectKey}/sessions/{sessionID}/events",
            Some(Scope::Read),
            session_events,
            words::session_events,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/v2/api/public/{projectKey}/jobs",
            Some(Scope::Read),
            list_jobs,
            words::list_jobs,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/v2/api/public/{projectKey}/jobs/{jobID}",
            Some(Scope::Read),
            get_job,
            words::get_job,
        ),
        Route::new(
            DIALECT,
            Method::DELETE,
            "/v2/api/public/{projectKey}/jobs/{jobID}",
            Some(Scope::Delete),
            cancel_job,
            words::cancel_job,
        ),
    ]
}

async fn list_projects(call: Call) -> Answer {
    let only = call.access()?.project;
    let projects = call.app.read(projects::list)?;
    let seen = projects.iter().filter(|project| only.is_none_or(|only| only == project.id));
    Ok(data(seen.map(shown::project).collect()))
}

async fn get_project(call: Call) -> Answer {
    let project = project(&call)?;
    Ok(data(shown::project(&project)))
}

async fn create_project(mut call: Call) -> Answer {
    if call.access()?.project.is_some() {
        return Err(Error::Forbidden("a project's key cannot create projects"));
    }
    let new = asked::project(&mut call).await?;
    let made = call.app.write(move |tx| projects::create(tx, &new.name, &new.platform)).await?;
    call.app.reload_keys()?;
    Ok(data(shown::project(&made)))
}

async fn list_users(mut call: Call) -> Answer {
    let project = project(&call)?;
    let asked = asked::users(&mut call, project.id).await?;
    let (users, total) = call.app.scan(move |db| listings::list_counted(db, &asked.listing)).await?;
    let users: Vec<Value> = users.iter().map(|user| shown::listed_user(user, &asked.columns)).collect();
    Ok(data(json!({ "total": total, "users": users })))
}

async fn get_user(call: Call) -> Answer {
    let project = project(&call)?;
    let name = asked::identifier(&call, "userID")?;
    let (user, distinct_ids) = call.app.read(|db| {
        let user = find::get(db, project.id, name.as_str())?;
        let distinct_ids = find::anonymous_ids(db, &user, shown::DISTINCT_IDS_MAX)?;
        Ok((user, distinct_ids))
    })?;
    Ok(data(shown::user(&user, &distinct_ids)))
}

async fn user_sessions(mut call: Call) -> Answer {
    let project = project(&call)?;
    let name = asked::identifier(&call, "userID")?;
    let asked = asked::sessions(&mut call).await?;
    let (sessions, total) = call
        .app
        .scan(move |db| match super::known(find::get(db, project.id, name.as_str()))? {
            Some(user) => session_parts::sessions(db, &user, asked.bounds, asked.direction, asked.page),
            None => Ok((Vec::new(), 0)),
        })
        .await?;
    let sessions: Vec<Value> = sessions.iter().map(shown::session).collect();
    // Without any, the vendor's list is null; ours is a list, which clients take as well.
    Ok(data(json!({ "total": total, "sessions": sessions })))
}

async fn session_events(mut call: Call) -> Answer {
    let project = project(&call)?;
    let id = asked::identifier(&call, "sessionID")?.as_str().parse().map(SessionId);
    let asked = asked::events(&mut call).await?;
    let (bounds, order, page) = (asked.bounds, asked.order, asked.page);
    let visit = call.app.scan(move |db| {
        let id = id.map_err(|_| Error::SessionNotFound);
        match id.and_then(|id| session_parts::events(db, project.id, id, bounds, order, page)) {
            Ok(visit) => Ok(Some(visit)),
            Err(Error::SessionNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    });
    Ok(data(shown::events(visit.await?.as_ref(), &asked.columns)))
}

/// The vendor: "a deletion job for this user is already scheduled or running". Whether there is
/// such a user is not looked at.
async fn delete_user(call: Call) -> Answer {
    let project = project(&call)?;
    let name = asked::identifier(&call, "userID")?;
    let (job, token) = call.app.write(move |tx| jobs::schedule_once(tx, project.id, &name)).await?;
    Ok(dialect::with_token(data(job_json(&job)), token))
}

async fn list_jobs(call: Call) -> Answer {
    let project = project(&call)?;
    let page = asked::jobs(&call)?;
    let jobs = call.app.scan(move |db| jobs::scheduled_page(db, project.id, page.limit, page.offset)).await?;
    Ok(data(jobs.iter().map(job_json).collect()))
}

async fn get_job(call: Call) -> Answer {
    let project = project(&call)?;
    let id = job_id(&call)?;
    let job = call.app.read(|db| jobs::scheduled(db, project.id, id))?;
    Ok(data(job_json(&job)))
}

async fn cancel_job(call: Call) -> Answer {
    let project = project(&call)?;
    let id = job_id(&call)?;
    let job = call.app.write(move |tx| {
        let Job { id, status, .. } = jobs::scheduled(tx, project.id, id)?;
        jobs::cancel(tx, Some(project.id), id).map_err(|error| match error {
            Error::JobEnded => ended(status),
            error => error,
        })
    });
    Ok(data(job_json(&job.await?)))
}

/// The vendor says what became of the job. One whose rows are gone, and that is only to be
/// proven, is as good as completed.
fn ended(status: JobStatus) -> Error {
    let became = if status == JobStatus::Cancelled { "cancelled" } else { "completed" };
    sentence(Place::Path, format!("the requested job has already been {became}"))
}

/// The job's number in its project.
fn job_id(call: &Call) -> Result<i64> {
    let text = call.path("jobID")?;
    text.parse().map_err(|_| sentence(Place::Path, "invalid path param jobID: must be an integer"))
}
