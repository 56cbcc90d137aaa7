//! Jobs: erasures that wait for their hour or work in the background.

use std::collections::HashSet;

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route, address};
use super::paths;
use super::project_names::{name, names};
use super::show::{Count, Time, plain};
use super::user;
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::clock::Millis;
use crate::erasure::jobs;
use crate::error::{Error, Place, Result};
use crate::model::{Erasure, Job, JobId, JobStatus, Origin, Project, Reach};
use crate::people::masks;
use crate::web::page_sizes;

const PAGE: u32 = page_sizes::ADMIN;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/admin/jobs", Access::May(Permission::SeeJobs), list),
        Route::new(Method::POST, "/admin/jobs/{job}/cancel", Access::May(Permission::RunJobs), cancel),
        Route::new(Method::POST, "/admin/jobs/{job}/retry", Access::May(Permission::RunJobs), retry),
    ]
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    page: Page,
    jobs: Vec<Row>,
    /// Failed ones alone are listed.
    only_failed: bool,
    /// A job is at work.
    running: bool,
    /// The page is to renew itself.
    refresh: bool,
    first: Option<String>,
    next: Option<String>,
}

struct Row {
    number: JobId,
    what: &'static str,
    user_href: Option<String>,
    reference: String,
    project: String,
    origin: &'static str,
    status: &'static str,
    overdue: bool,
    /// It is due and waits for the end of a hold or a restriction.
    held: bool,
    attempts: i64,
    error: Option<String>,
    progress: Option<Progress>,
    rows: Count,
    start: Time,
    can_cancel: bool,
    can_retry: bool,
}

/// How far a job is with its rows.
pub struct Progress {
    pub done: Count,
    pub total: Count,
}

impl Progress {
    /// None: it does nothing just now, or it is not known how much there is to do.
    pub fn of(job: &Job) -> Option<Progress> {
        let at_work = matches!(job.status, JobStatus::Running | JobStatus::Failed);
        let progress =
            Progress { done: Count(job.rows_erased), total: Count(job.rows_total.max(job.rows_erased)) };
        Some(progress).filter(|progress| at_work && progress.total.0 > 0)
    }
}

async fn list(request: PageRequest) -> Answer {
    let (below, reach, now) = (below(&request)?, request.reach(), request.now);
    let only_failed = only_failed(&request)?;
    let read = request.app.scan(move |db| {
        let found = match only_failed {
            true => scoped::failed_jobs(db, &reach, below, PAGE + 1)?,
            false => scoped::jobs(db, &reach, below, PAGE + 1)?,
        };
        let running = scoped::any_running(db, &reach, &found)?;
        let mut held = HashSet::new();
        for job in &found {
            if jobs::is_held(db, job)? {
                held.insert(job.id);
            }
        }
        Ok((scoped::projects(db, &reach)?, found, running, held))
    });
    let (projects, mut found, running, held) = read.await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let off = request.query.some("refresh").filter(|refresh| *refresh == "off");
    let link = |below: Option<JobId>| {
        let below = below.map(|id| id.to_string());
        let status = only_failed.then_some("failed");
        address("/admin/jobs", &[("status", status), ("below", below.as_deref()), ("refresh", off)])
    };
    let page = JobsPage {
        page: request.page("jobs", "Jobs")?,
        jobs: found.iter().map(|job| row(&request, job, held.contains(&job.id), &projects, now)).collect(),
        only_failed,
        running,
        refresh: running && off.is_none(),
        first: below.map(|_| link(None)),
        next: found.last().filter(|_| more).map(|last| link(Some(last.id))),
    };
    request.html(StatusCode::OK, &page)
}

fn only_failed(request: &PageRequest) -> Result<bool> {
    match request.query.some("status") {
        None => Ok(false),
        Some("failed") => Ok(true),
        Some(_) => Err(Error::invalid(Place::Query, "status", "must be failed")),
    }
}

fn below(request: &PageRequest) -> Result<Option<JobId>> {
    let fault = |_| Error::invalid(Place::Query, "below", "must be the number of a job");
    request.query.some("below").map(|text| text.parse().map(JobId).map_err(fault)).transpose()
}

fn row(request: &PageRequest, job: &Job, held: bool, projects: &[Project], now: Millis) -> Row {
    Row {
        number: job.id,
        what: what(job.erasure),
        user_href: user_href(job, projects).filter(|_| request.may(Permission::FindPeople)),
        reference: reference(request, job),
        project: name(&names(projects), job.project),
        origin: origin(job.origin),
        status: job.status.as_str(),
        overdue: job.is_overdue(now) && !held,
        held,
        attempts: job.attempts,
        error: error(request, job),
        progress: Progress::of(job),
        rows: Count(job.rows_erased),
        start: Time::new(job.start_at, now),
        can_cancel: jobs::may_cancel(job) && request.may(Permission::RunJobs),
        can_retry: job.status == JobStatus::Failed && request.may(Permission::RunJobs),
    }
}

/// Whom a job is about, for those who see names.
pub fn reference(request: &PageRequest, job: &Job) -> String {
    if request.may(Permission::SeeValues) { plain(&job.reference) } else { masks::WHOLE.to_owned() }
}

/// What went wrong. Where in the files something was found, and what the machine said, is of the
/// whole installation: others are told as a project is.
pub fn error(request: &PageRequest, job: &Job) -> Option<String> {
    match request.reach() {
        Reach::All => job.error.as_deref().map(plain),
        Reach::Only(_) => jobs::told(job).map(str::to_owned),
    }
}

pub fn what(erasure: Erasure) -> &'static str {
    match erasure {
        Erasure::Hide => "nothing",
        Erasure::Account => "the account",
        Erasure::Activity => "the activity",
        Erasure::Everything => "everything",
    }
}

pub fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Schedule => "Scheduled (API)",
        Origin::Request => "API",
        Origin::Page => "Admin",
        Origin::Reaper => "Trash",
        Origin::Ledger => "Restore",
    }
}

/// Where the job's user is found: by its bare id once the job took hold of it, before
/// that by the identifier.
pub fn user_href(job: &Job, projects: &[Project]) -> Option<String> {
    match (job.status, job.user) {
        (JobStatus::Running | JobStatus::Failed, Some(id)) => Some(user::path(id)),
        (JobStatus::Scheduled, None) => {
            let key = projects.iter().find(|project| project.id == job.project)?.key.as_str();
            Some(address("/admin/users", &[("q", Some(&job.reference)), ("project", Some(key))]))
        }
        _ => None,
    }
}

async fn cancel(request: PageRequest) -> Answer {
    let (id, reach) = (request.job()?, request.reach());
    request
        .app
        .write(move |tx| {
            scoped::job(tx, &reach, id)?;
            jobs::cancel(tx, None, id)
        })
        .await?;
    Ok(request.go_and_say(&back(&request, id), Flash::Cancelled(id)))
}

async fn retry(request: PageRequest) -> Answer {
    let (id, reach) = (request.job()?, request.reach());
    request
        .app
        .write(move |tx| {
            scoped::job(tx, &reach, id)?;
            jobs::retry(tx, id)
        })
        .await?;
    Ok(request.go_and_say(&back(&request, id), Flash::Retried(id)))
}

/// Who pressed the button on the job's own page stays there.
fn back(request: &PageRequest, id: JobId) -> String {
    let own = paths::job(id);
    match request.came_from().is_some_and(|page| page.split('?').next() == Some(own.as_str())) {
        true => own,
        false => "/admin/jobs".to_owned(),
    }
}
