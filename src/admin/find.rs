//! One box for all: users, jobs and receipts by what they are called, a group each.

use actix_web::http::{Method, StatusCode};
use actix_web::web;
use askama::Template;

use super::page::{self, Page};
use super::page_request::{Access, Answer, PageRequest, Route, address};
use super::paths;
use super::show::plain;
use super::user_row::Row;
use super::user_search::{self, Asked, Shown};
use super::users::{self, Direct};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::app::App;
use crate::error::{Error, Result};
use crate::model::{JobId, Reach};
use crate::proof::receipt;

const PATH: &str = "/admin/find";
/// Users that are shown here; the list has the others.
const USERS: usize = 10;

pub fn routes() -> Vec<Route> {
    // Who may find nothing of a kind has no group of it.
    vec![Route::new(Method::GET, PATH, Access::SignedIn, show)]
}

#[derive(Template)]
#[template(path = "find.html")]
struct FindPage {
    page: Page,
    q: String,
    note: Option<String>,
    /// The names are still being read: that nobody was found means nothing yet.
    is_early: bool,
    users: Vec<Row>,
    suggestions: Vec<Direct>,
    /// The list of users with the same text.
    all: Option<String>,
    is_more: bool,
    jobs: Vec<Direct>,
    receipts: Vec<Direct>,
}

async fn show(request: PageRequest) -> Answer {
    let asked = Asked::of(&request)?;
    let text = asked.text.trim().to_owned();
    let is_asked = !text.is_empty();
    let view = match is_asked && request.may(Permission::FindPeople) {
        true => Some(user_search::view(&request, &asked, USERS).await?),
        false => None,
    };
    let (app, reach) = (request.app.clone(), request.reach());
    let (of_jobs, of_receipts) = (request.may(Permission::SeeJobs), request.may(Permission::SeeReceipts));
    let look = move || {
        let jobs = if of_jobs { jobs(&app, &reach, &text)? } else { Vec::new() };
        let receipts = if of_receipts { receipts(&app, &reach, &text)? } else { Vec::new() };
        Ok::<_, Error>((jobs, receipts))
    };
    let (jobs, receipts) = web::block(look).await.map_err(Error::internal)??;
    let suggest = |text: String| Direct { href: address(PATH, &[("q", Some(&text))]), label: plain(&text) };
    let all = address(users::PATH, &[("q", Some(&asked.text))]);
    let (rows, shown) = match view {
        Some(view) => (view.rows(request.now), view.shown),
        None => (Vec::new(), Shown::default()),
    };
    let page = FindPage {
        page: request.page("", "Find")?,
        note: shown.note.map(page::capital),
        is_early: shown.is_early,
        all: (!rows.is_empty()).then_some(all),
        is_more: shown.next.is_some(),
        users: rows,
        suggestions: shown.suggestions.into_iter().map(suggest).collect(),
        jobs,
        receipts,
        q: asked.text,
    };
    request.html(StatusCode::OK, &page)
}

/// The job of this number.
fn jobs(app: &App, reach: &Reach, text: &str) -> Result<Vec<Direct>> {
    let Ok(id) = text.parse().map(JobId) else { return Ok(Vec::new()) };
    match app.read(|db| scoped::job(db, reach, id)) {
        Ok(job) => Ok(vec![Direct { href: paths::job(job.id), label: format!("Job {}", job.id) }]),
        Err(Error::JobNotFound) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The receipt of this number, or of this id. It may wait for a receipt that is being written.
fn receipts(app: &App, reach: &Reach, text: &str) -> Result<Vec<Direct>> {
    let listed = match (text.parse::<u64>(), text.parse::<receipt::Id>()) {
        (Ok(number), _) => app.receipts().numbered(number),
        (_, Ok(id)) => app.receipts().of_id(id),
        _ => None,
    };
    let Some(listed) = listed else { return Ok(Vec::new()) };
    let label = format!("Receipt {}", listed.number);
    let href = paths::receipt(listed.number);
    Ok(if scoped::receipt(app, reach, &listed)? { vec![Direct { href, label }] } else { Vec::new() })
}
