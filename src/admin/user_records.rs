//! What there is about a user beside the profile and the activity: jobs, who looked, and the row as JSON.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::audit::{Doer, doer};
use super::jobs::{origin, what};
use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route, address};
use super::paths;
use super::show::{Time, plain};
use super::user::{self, Head};
use crate::access::roles::Permission;
use crate::access::{admins, audit, keys};
use crate::clock::Millis;
use crate::erasure::jobs;
use crate::error::{Error, Place, Result};
use crate::model::{Job, JobId, State};
use crate::people::person;
use crate::people::search::shown;

const JOBS: u32 = 100;
const ACTS: u32 = 100;

pub fn routes() -> Vec<Route> {
    // Who takes along all that is held of a person gets the list of who looked with it.
    let may_export = Access::May(Permission::ExportPeople);
    vec![
        Route::new(Method::GET, "/admin/users/{user}/jobs", Access::May(Permission::ListPeople), list_jobs),
        Route::new(Method::GET, "/admin/users/{user}/access", may_export, list_acts),
        Route::new(Method::GET, "/admin/users/{user}/raw", Access::May(Permission::SeeValues), show_raw),
    ]
}

#[derive(Template)]
#[template(path = "user_jobs.html")]
struct JobsPage {
    page: Page,
    user: Head,
    jobs: Vec<JobRow>,
    is_cut: bool,
}

struct JobRow {
    number: JobId,
    href: String,
    what: &'static str,
    origin: &'static str,
    status: &'static str,
    start: Time,
    receipt: Option<(i64, String)>,
}

#[derive(Template)]
#[template(path = "user_access.html")]
struct AccessPage {
    page: Page,
    user: Head,
    acts: Vec<Act>,
    first: Option<String>,
    next: Option<String>,
}

struct Act {
    time: Time,
    who: String,
    action: String,
    reason: Option<String>,
}

#[derive(Template)]
#[template(path = "user_raw.html")]
struct RawPage {
    page: Page,
    user: Head,
    /// None: nothing of this user is shown any more.
    json: Option<String>,
}

/// Back to where the address of somebody who was merged leads.
fn elsewhere(request: &PageRequest) -> Answer {
    Ok(request.go(&user::path(request.user()?)).finish())
}

async fn list_jobs(request: PageRequest) -> Answer {
    let Some((user, project)) = user::look_at(&request).await? else { return elsewhere(&request) };
    let head = Head::new(&user, &project);
    let found = request.app.read_aside(move |db| jobs::about(db, &user, JOBS)).await?;
    let page = JobsPage {
        page: request.page("users", format!("Jobs of {}", head.heading))?,
        user: head,
        is_cut: found.len() == JOBS as usize,
        jobs: found.iter().map(|job| job_row(job, request.now)).collect(),
    };
    request.html(StatusCode::OK, &page)
}

fn job_row(job: &Job, now: Millis) -> JobRow {
    let place = job.receipt_no.and_then(|place| u64::try_from(place).ok());
    JobRow {
        number: job.id,
        href: paths::job(job.id),
        what: what(job.erasure),
        origin: origin(job.origin),
        status: job.status.as_str(),
        start: Time::new(job.start_at, now),
        receipt: place.map(|place| (job.receipt_no.unwrap_or_default(), paths::receipt(place))),
    }
}

async fn list_acts(request: PageRequest) -> Answer {
    let before = before(&request)?;
    let Some((user, project)) = user::look_at(&request).await? else { return elsewhere(&request) };
    let (head, own) = (Head::new(&user, &project), format!("{}/access", user::path(user.id)));
    let app = request.app.clone();
    let read = request.app.read_aside(move |db| {
        let known_as = person::all_known_as(db, app.store(), &user)?;
        Ok((audit::about(db, &known_as, before, ACTS + 1)?, admins::list(db)?, keys::list(db)?))
    });
    let (mut links, admins, keys) = read.await?;
    let is_more = links.len() > ACTS as usize;
    links.truncate(ACTS as usize);
    let names = request.may(Permission::SeeAudit);
    let who = |actor: &str| match names {
        true => doer(actor, &admins, &keys),
        // The names of all who work here are of the whole installation.
        false => Doer { name: plain(actor.split(' ').next().unwrap_or_default()), logged: None },
    };
    let next = links.last().filter(|_| is_more).map(|last| last.row.seq.to_string());
    let page = AccessPage {
        page: request.page("users", format!("Access log of {}", head.heading))?,
        user: head,
        acts: links
            .iter()
            .map(|link| Act {
                time: Time::new(link.row.at, request.now),
                who: who(&link.row.actor).name,
                action: plain(&link.row.action),
                reason: link.row.reason.as_deref().map(plain),
            })
            .collect(),
        first: before.map(|_| own.clone()),
        next: next.map(|seq| address(&own, &[("below", Some(&seq))])),
    };
    request.html(StatusCode::OK, &page)
}

fn before(request: &PageRequest) -> Result<Option<u64>> {
    let fault = |_| Error::invalid(Place::Query, "below", "must be the number of a row");
    // The log counts in 63 bits.
    request.query.some("below").map(|text| text.parse().map(i64::unsigned_abs).map_err(fault)).transpose()
}

async fn show_raw(request: PageRequest) -> Answer {
    let Some((user, project)) = user::look_at(&request).await? else { return elsewhere(&request) };
    let head = Head::new(&user, &project);
    let json = match user.state {
        State::Live | State::Hidden => {
            Some(serde_json::to_string_pretty(&shown::user(&user)).map_err(Error::internal)?)
        }
        State::Waiting | State::Detached | State::Erasing | State::Merged => None,
    };
    let page = RawPage {
        page: request.page("users", format!("Raw JSON of {}", head.heading))?,
        user: head,
        // Line by line: the ends of lines are ours.
        json: json.map(|json| json.lines().map(plain).collect::<Vec<String>>().join("\n")),
    };
    request.html(StatusCode::OK, &page)
}
