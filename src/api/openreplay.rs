//! OpenReplay's API: `Authorization: <organisation key>`, the project in the path.
//! Source: seeds/000, and the vendor's documentation of jobs and projects. Its newer API, with
//! other paths and words for the same people and jobs, is in `v2`.

pub mod v2;
mod words;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::dialect::{self, Answer, Call, Dialect, Literal, Query, Route};
use crate::erasure::{jobs, token};
use crate::error::{Error, FieldError, Place, Result};
use crate::model::{Event, Job, Project, Scope, Session, SessionId, User};
use crate::people::{activity, find, holder};
use crate::projects;
use crate::store::Db;
use crate::web::page_sizes::{self, PageSize};

pub static DIALECT: &dyn Dialect = &OpenReplay;

struct OpenReplay;

impl Dialect for OpenReplay {
    fn key_scheme(&self) -> Value {
        json!({ "type": "apiKey", "in": "header", "name": "Authorization" })
    }

    fn error_schema(&self) -> Value {
        words::errors()
    }

    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        dialect::authorization(request)
    }

    fn error(&self, error: &Error) -> HttpResponse {
        if let Error::Invalid(faults) = error
            && faults.iter().all(|fault| fault.place != Place::Body)
        {
            let detail: Vec<Value> = faults.iter().map(detail).collect();
            return HttpResponse::UnprocessableEntity().json(json!({ "detail": detail }));
        }
        let status = match error {
            Error::NameTaken { .. } => StatusCode::BAD_REQUEST,
            error => dialect::status(error),
        };
        let text = match error {
            Error::NoKey => "Not authenticated".to_owned(),
            Error::UnknownKey | Error::MalformedKey => "Invalid API Key".to_owned(),
            Error::Forbidden(_) => "Forbidden".to_owned(),
            Error::ProjectNotFound => "project not found.".to_owned(),
            Error::JobNotFound => "Job not found.".to_owned(),
            Error::JobEnded => "The request job has already been canceled/completed.".to_owned(),
            Error::NameTaken { .. } => "name already exists.".to_owned(),
            error => dialect::message(error),
        };
        HttpResponse::build(status).json(json!({ "errors": [text] }))
    }
}

fn detail(fault: &FieldError) -> Value {
    let place = match fault.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
        Place::Body => "body",
    };
    let kind = if fault.message == NOT_INTEGER { "int_parsing" } else { "value_error" };
    // The vendor says the input back; it may be an identifier, and the caller has it.
    json!({ "type": kind, "loc": [place, fault.field], "msg": fault.message, "input": Value::Null })
}

const NOT_INTEGER: &str = "must be an integer";

/// The vendor's source has no word beside `{userId}`, `{sessionId}` or `{jobId}`; `projects`,
/// which stands beside `{projectKey}`, is served.
pub const LITERALS: &[Literal] = &[];

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(
            DIALECT,
            Method::GET,
            "/api/v1/{projectKey}/users/{userId}",
            Some(Scope::Read),
            get_user,
            words::get_user,
        ),
        Route::new(
            DIALECT,
            Method::DELETE,
            "/api/v1/{projectKey}/users/{userId}",
            Some(Scope::Delete),
            delete_user,
            words::delete_user,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/api/v1/{projectKey}/users/{userId}/sessions",
            Some(Scope::Read),
            user_sessions,
            words::user_sessions,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/api/v1/{projectKey}/sessions/{sessionId}/events",
            Some(Scope::Read),
            session_events,
            words::session_events,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/api/v1/{projectKey}/jobs",
            Some(Scope::Read),
            list_jobs,
            words::list_jobs,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/api/v1/{projectKey}/jobs/{jobId}",
            Some(Scope::Read),
            get_job,
            words::get_job,
        ),
        Route::new(
            DIALECT,
            Method::DELETE,
            "/api/v1/{projectKey}/jobs/{jobId}",
            Some(Scope::Delete),
            cancel_job,
            words::cancel_job,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/api/v1/projects",
            Some(Scope::Read),
            list_projects,
            words::list_projects,
        ),
        Route::new(
            DIALECT,
            Method::POST,
            "/api/v1/projects",
            Some(Scope::Admin),
            create_project,
            words::create_project,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/api/v1/projects/{projectKey}",
            Some(Scope::Read),
            get_project,
            words::get_project,
        ),
    ]
}

/// "high-level statistics and details about a particular user"; an unknown one is null.
async fn get_user(call: Call) -> Answer {
    let found = call.app.read(|db| {
        let project = project_in(db, &call)?;
        let user_id = call.identifier("userId")?;
        let user = known(find::get(db, project.id, user_id.as_str()))?;
        Ok((user_id, user.map(|user| find::stats(db, &user)).transpose()?))
    })?;
    Ok(data(match found {
        (_, None) => Value::Null,
        (user_id, Some(stats)) => json!({
            "userId": user_id.as_str(),
            "sessionCount": stats.sessions,
            "lastSeen": stats.last,
            "firstSeen": stats.first,
        }),
    }))
}

/// "This fires up a background (cron) job for removing all user related data".
async fn delete_user(call: Call) -> Answer {
    let project = project(&call)?;
    let user_id = call.identifier("userId")?;
    let (job, token) = call
        .app
        .write(move |tx| {
            let job = jobs::schedule(tx, project.id, &user_id)?;
            // Of the user who has the name now: valid if they still have it when it falls due.
            let holder = holder::named(tx, project.id, user_id.as_str())?;
            let token = holder.map(|user| token::of(tx, &job, &user));
            Ok((job, token))
        })
        .await?;
    Ok(dialect::with_token(data(job_json(&job)), token))
}

async fn user_sessions(call: Call) -> Answer {
    let project = project(&call)?;
    let user_id = call.identifier("userId")?;
    let query = call.query()?;
    let start = query.number("start_date")?.unwrap_or(i64::MIN);
    let bounds = (start, query.number("end_date")?.unwrap_or(i64::MAX));
    let found = call
        .app
        .scan(move |db| {
            let Some(user) = known(find::get(db, project.id, user_id.as_str()))? else {
                return Ok(Vec::new());
            };
            let sessions = activity::sessions(db, &user, bounds, 50)?;
            Ok(sessions.iter().map(|session| session_json(session, &user)).collect())
        })
        .await?;
    Ok(data(Value::Array(found)))
}

async fn session_events(call: Call) -> Answer {
    let project = project(&call)?;
    let session = call.path("sessionId")?;
    let id = session.parse().map(SessionId).map_err(|_| Error::SessionNotFound);
    let events = call
        .app
        .scan(move |db| match id.and_then(|id| Ok((id, activity::of_session(db, &project, id, 10_000)?))) {
            Ok((id, events)) => Ok(events.iter().map(|event| event_json(event, id)).collect()),
            Err(Error::SessionNotFound) => Ok(Vec::new()),
            Err(error) => Err(error),
        })
        .await?;
    Ok(data(Value::Array(events)))
}

/// The vendor's list has no pages. It has as many as fit here, and `limit` and `page` for the
/// rest.
async fn list_jobs(call: Call) -> Answer {
    let project = project(&call)?;
    let query = call.query()?;
    let PageSize { usual, most } = page_sizes::OPENREPLAY_JOBS;
    let limit = number(&query, "limit", most)?.unwrap_or(usual);
    let page = number(&query, "page", u32::MAX / most)?.unwrap_or(1);
    let jobs =
        call.app.scan(move |db| jobs::scheduled_page(db, project.id, limit, (page - 1) * limit)).await?;
    Ok(data(jobs.iter().map(job_json).collect()))
}

/// A parameter from 1 to `most`.
fn number(query: &Query, name: &str, most: u32) -> Result<Option<u32>> {
    let good = |number: i64| u32::try_from(number).ok().filter(|number| (1..=most).contains(number));
    let fault = || Error::invalid(Place::Query, name, format!("must be from 1 to {most}"));
    query.number(name)?.map(|number| good(number).ok_or_else(fault)).transpose()
}

async fn get_job(call: Call) -> Answer {
    let project = project(&call)?;
    let id = job_id(&call)?;
    match call.app.read(|db| jobs::scheduled(db, project.id, id)) {
        Ok(job) => Ok(data(job_json(&job))),
        Err(Error::JobNotFound) => Ok(data(json!({}))),
        Err(error) => Err(error),
    }
}

async fn cancel_job(call: Call) -> Answer {
    let project = project(&call)?;
    let id = job_id(&call)?;
    let job = call
        .app
        .write(move |tx| {
            let job = jobs::scheduled(tx, project.id, id)?;
            jobs::cancel(tx, Some(project.id), job.id)
        })
        .await?;
    Ok(data(job_json(&job)))
}

async fn list_projects(call: Call) -> Answer {
    let only = call.access()?.project;
    let projects = call.app.read(projects::list)?;
    let seen = projects.iter().filter(|project| only.is_none_or(|only| only == project.id));
    Ok(data(seen.map(listed_project_json).collect()))
}

async fn get_project(call: Call) -> Answer {
    let project = project(&call)?;
    Ok(data(project_json(&project)))
}

async fn create_project(mut call: Call) -> Answer {
    if call.access()?.project.is_some() {
        return Err(Error::Forbidden("a project's key cannot create projects"));
    }
    let body = call.object().await?;
    let name = body.text("name")?.ok_or_else(|| Error::invalid(Place::Body, "name", "is required"))?;
    let platform = body.text("platform")?.unwrap_or_else(|| "web".into());
    let project = call.app.write(move |tx| projects::create(tx, &name, &platform)).await?;
    call.app.reload_keys()?;
    Ok(data(project_json(&project)))
}

/// The project of the path, if the key opens it: to another's key it does not exist.
fn project(call: &Call) -> Result<Project> {
    call.app.read(|db| project_in(db, call))
}

fn project_in(db: &Db, call: &Call) -> Result<Project> {
    let key = call.path("projectKey")?;
    let only = call.access()?.project;
    let project = projects::by_key(db, &key)?;
    if only.is_some_and(|only| only != project.id) { Err(Error::ProjectNotFound) } else { Ok(project) }
}

/// The job's number in its project.
fn job_id(call: &Call) -> Result<i64> {
    let text = call.path("jobId")?;
    text.parse().map_err(|_| Error::invalid(Place::Path, "jobId", NOT_INTEGER))
}

fn known(user: Result<User>) -> Result<Option<User>> {
    match user {
        Ok(user) => Ok(Some(user)),
        Err(Error::UserNotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn data(value: Value) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "data": value }))
}

fn job_json(job: &Job) -> Value {
    json!({
        "jobId": job.number,
        "description": format!("Delete user sessions of userId = {}", job.reference),
        "status": job.status.as_str(),
        "projectId": job.project.0,
        "action": "delete_user_data",
        "referenceId": job.reference,
        "createdAt": job.created_at,
        "updatedAt": job.updated_at,
        "startAt": job.start_at,
        "errors": jobs::told(job),
    })
}

/// The vendor shows one project with these four, and tells its age in lists alone.
fn project_json(project: &Project) -> Value {
    json!({
        "projectId": project.id.0,
        "projectKey": project.key,
        "platform": project.platform,
        "name": project.name,
    })
}

fn listed_project_json(project: &Project) -> Value {
    let mut fields = project_json(project);
    fields["createdAt"] = json!(project.created_at);
    fields
}

fn session_json(session: &Session, user: &User) -> Value {
    json!({
        "projectId": session.project.0,
        "sessionId": session.id.to_string(),
        "userUuid": uuid(user),
        "userId": user.identifier,
        "userOs": session.device.os,
        "userBrowser": session.device.browser,
        "userDevice": session.device.device,
        "userCountry": session.device.country.as_ref().or(user.profile.country.as_ref()),
        "startTs": session.started_at,
        "duration": session.ended_at - session.started_at,
        "eventsCount": session.event_count,
        "pagesCount": session.page_count,
        "errorsCount": session.error_count,
    })
}

/// The registration's random number, in a UUID's form.
fn uuid(user: &User) -> String {
    let hex = data_encoding::HEXLOWER.encode(&user.incarnation);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn event_json(event: &Event, session: SessionId) -> Value {
    let mut fields = event.data.clone();
    for (name, value) in [
        ("sessionId", json!(session.to_string())),
        ("messageId", json!(event.message_id)),
        ("timestamp", json!(event.at)),
        ("type", json!(event.kind)),
        ("name", json!(event.name)),
    ] {
        fields.insert(name.into(), value);
    }
    if let Some(url) = &event.url {
        fields.insert("url".into(), json!(url));
    }
    Value::Object(fields)
}
