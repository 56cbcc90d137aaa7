//! One job: how far it is, what it took, and what shows that it is done.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::jobs::{Progress, error, origin, reference, user_href, what};
use super::page::{Page, capital};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths;
use super::project_names::{name, names};
use super::receipt_tokens::Tokens;
use super::show::{Count, Time};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::clock::Millis;
use crate::erasure::{jobs, receipts};
use crate::model::{Job, JobId, JobStatus, Step};
use crate::proof::receipt::right;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/admin/jobs/{job}", Access::May(Permission::SeeJobs), show),
        Route::new(
            Method::POST,
            "/admin/jobs/{job}/handed-over",
            Access::May(Permission::ErasePeople),
            hand_over,
        ),
    ]
}

#[derive(Template)]
#[template(path = "job.html")]
struct JobPage {
    page: Page,
    number: JobId,
    /// What the APIs call it.
    in_project: i64,
    what: &'static str,
    status: &'static str,
    overdue: bool,
    /// It is due and waits for the end of a hold or a restriction.
    held: bool,
    /// What the person is to be handed; shown until it was.
    token: Option<String>,
    steps: Vec<Stage>,
    facts: Facts,
    progress: Option<Progress>,
    counts: Vec<Gone>,
    gone: Count,
    mentions: i64,
    receipt: Option<i64>,
    error: Option<Problem>,
    running: bool,
    /// The page is to renew itself.
    refresh: bool,
    can_cancel: bool,
    can_retry: bool,
}

struct Facts {
    user_href: Option<String>,
    reference: String,
    project: String,
    origin: &'static str,
    right: &'static str,
    asked: Time,
    start: Time,
    cancelled: Option<Time>,
}

/// One of the steps to the end.
struct Stage {
    name: &'static str,
    about: &'static str,
    /// The word of its sign.
    sign: &'static str,
    label: &'static str,
    done_at: Option<Time>,
}

struct Gone {
    label: String,
    rows: Count,
}

struct Problem {
    text: String,
    attempts: i64,
    retry: Option<Time>,
}

async fn show(request: PageRequest) -> Answer {
    let (id, reach, now) = (request.job()?, request.reach(), request.now);
    let (projects, job, held) = request.app.read(|db| {
        let job = scoped::job(db, &reach, id)?;
        let held = jobs::is_held(db, &job)?;
        Ok((scoped::projects(db, &reach)?, job, held))
    })?;
    let token = match request.sign_in_token().filter(|_| !request.is_head()) {
        Some(sign_in) => request.shared::<Tokens>()?.of(&sign_in, id),
        None => None,
    };
    let off = request.query.text("refresh") == "off";
    let running = job.status == JobStatus::Running;
    let gone = receipts::gone(&job);
    let page = JobPage {
        page: request.page("jobs", format!("Job {id}"))?,
        number: id,
        in_project: job.number,
        what: what(job.erasure),
        status: job.status.as_str(),
        overdue: job.is_overdue(now) && !held,
        held,
        steps: stages(&job, now),
        facts: Facts {
            user_href: user_href(&job, &projects).filter(|_| request.may(Permission::FindPeople)),
            reference: reference(&request, &job),
            project: name(&names(&projects), job.project),
            origin: origin(job.origin),
            right: right(job.origin, job.legal_basis),
            asked: Time::new(job.created_at, now),
            start: Time::new(job.start_at, now),
            cancelled: job
                .finished_at
                .filter(|_| job.status == JobStatus::Cancelled)
                .map(|at| Time::new(at, now)),
        },
        progress: Progress::of(&job),
        gone: Count(job.rows_erased),
        counts: gone
            .into_iter()
            .map(|gone| Gone {
                label: capital(&gone.label).trim_end_matches('.').to_owned(),
                rows: Count(i64::try_from(gone.rows).unwrap_or(i64::MAX)),
            })
            .collect(),
        mentions: job.mentions,
        receipt: job.receipt_no,
        error: error(&request, &job).map(|text| Problem {
            text: capital(&text),
            attempts: job.attempts,
            retry: job.retry_at.map(|at| Time::new(at, now)),
        }),
        running,
        // Somebody may be copying it.
        refresh: running && !off && token.is_none(),
        can_cancel: jobs::may_cancel(&job) && request.may(Permission::RunJobs),
        can_retry: job.status == JobStatus::Failed && request.may(Permission::RunJobs),
        token: token.map(|token| token.to_string()),
    };
    request.html(StatusCode::OK, &page)
}

/// The person has the token, and the page need not show it any more.
async fn hand_over(request: PageRequest) -> Answer {
    let (id, reach) = (request.job()?, request.reach());
    request.app.read(|db| scoped::job(db, &reach, id))?;
    if let Some(sign_in) = request.sign_in_token() {
        request.shared::<Tokens>()?.hand_over(&sign_in, id);
    }
    Ok(request.go_and_say(&paths::job(id), Flash::HandedOver(id)))
}

/// The steps in their order, each with when it was done.
fn stages(job: &Job, now: Millis) -> Vec<Stage> {
    let completed = job.finished_at.filter(|_| job.status == JobStatus::Completed);
    let steps = [
        (
            Some(Step::Erasing),
            "Delete records",
            "removes this person's records from the database",
            job.erased_at,
        ),
        (
            Some(Step::Scrubbing),
            "Overwrite leftover bytes",
            "clears the space the records used",
            job.scrubbed_at,
        ),
        (
            Some(Step::Verifying),
            "Search for remains",
            "searches all files for this person's values",
            completed,
        ),
        (None, "Completed", "no remains found, receipt written", completed),
    ];
    let at = steps.iter().position(|(step, ..)| step.is_some() && *step == job.step);
    let stage = |(n, (_, name, about, done_at)): (usize, (Option<Step>, _, _, Option<Millis>))| {
        let done = completed.is_some() || at.is_some_and(|at| n < at);
        let (sign, label) = match (job.status, at == Some(n)) {
            _ if done => ("completed", "Done"),
            (JobStatus::Failed, true) => ("failed", "Failed"),
            (JobStatus::Running, true) => ("running", "In progress"),
            (JobStatus::Cancelled, _) => ("cancelled", "Cancelled"),
            _ => ("scheduled", "Pending"),
        };
        Stage { name, about, sign, label, done_at: done_at.filter(|_| done).map(|at| Time::new(at, now)) }
    };
    steps.into_iter().enumerate().map(stage).collect()
}
