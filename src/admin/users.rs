//! The users: all of them, newest first, or those that somebody looks for.

use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, header};
use askama::Template;

use super::page::{self, Page};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::show::{Count, Time, plain};
use super::user_search::{self, Asked, NAMED, SEEN, SORTS, STATES};
use crate::access::roles::Permission;
use crate::clock::{Millis, rfc3339};
use crate::export::{self, tables};
use crate::model::{Project, ProjectId, State, User, UserId};

pub const PATH: &str = "/admin/users";
const CSV: &str = "/admin/users.csv";
/// Users on a page.
const PAGE: usize = 50;
/// Users in a file.
const CSV_ROWS: usize = 1_000;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, PATH, Access::May(Permission::FindPeople), list),
        Route::new(Method::GET, CSV, Access::May(Permission::ExportPeople), csv),
    ]
}

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    page: Page,
    q: String,
    projects: Vec<Choice>,
    filters: Vec<Select>,
    country: String,
    /// Filters that are set, each with the way out of it.
    chips: Vec<Direct>,
    filtered: bool,
    project_chosen: bool,
    /// Without a search, all users are listed.
    lists: bool,
    /// Whole values alone are found.
    is_whole: bool,
    users: Vec<Row>,
    /// Searches for those who are called nearly so.
    suggestions: Vec<Direct>,
    is_truncated: bool,
    note: Option<String>,
    csv: Option<String>,
    first: Option<String>,
    next: Option<String>,
}

/// A link, and what it leads to.
pub struct Direct {
    pub href: String,
    pub label: String,
}

/// A project to choose.
pub struct Choice {
    pub key: String,
    pub name: String,
    pub selected: bool,
}

/// A filter with its choices.
struct Select {
    name: &'static str,
    label: &'static str,
    /// What it says when nothing is chosen; None: the first choice is what is.
    none: Option<&'static str>,
    choices: Vec<Choice>,
}

pub struct Row {
    pub id: UserId,
    pub identifier: Option<String>,
    pub display_name: Option<String>,
    pub email: Option<String>,
    pub project: String,
    pub sessions: Count,
    pub events: Count,
    pub last_seen: Option<Time>,
    pub state: &'static str,
    pub state_label: &'static str,
}

async fn list(request: PageRequest) -> Answer {
    let asked = Asked::of(&request)?;
    let view = user_search::view(&request, &asked, PAGE).await?;
    let (lists, sees) = (request.may(Permission::ListPeople), request.may(Permission::SeeValues));
    let shown = &view.shown;
    let status = match shown.is_early && shown.users.is_empty() {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    };
    let suggest = |text: &String| Direct {
        href: Asked { text: text.clone(), ..asked.first() }.address(PATH),
        label: plain(text),
    };
    let page = UsersPage {
        page: request.page("users", "Users")?,
        filtered: asked.is_filtered(),
        project_chosen: view.chosen.is_some(),
        lists,
        is_whole: view.is_whole,
        projects: choices(&view.projects, view.chosen),
        filters: if lists && sees { selects(&asked) } else { Vec::new() },
        country: asked.country.clone().unwrap_or_default(),
        chips: if lists && sees { chips(&asked) } else { Vec::new() },
        csv: (request.may(Permission::ExportPeople) && !shown.users.is_empty())
            .then(|| asked.first().address(CSV)),
        first: (!asked.is_first()).then(|| asked.first().address(PATH)),
        next: shown.next.clone().map(|next| asked.behind(next).address(PATH)),
        suggestions: shown.suggestions.iter().map(suggest).collect(),
        is_truncated: shown.is_truncated,
        note: shown.note.map(page::capital),
        users: view.rows(request.now),
        q: asked.text.clone(),
    };
    let mut answer = request.html(status, &page)?;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    Ok(answer)
}

fn selects(asked: &Asked) -> Vec<Select> {
    let select = |name, label, none, known: &[(&str, &str)], chosen: &Option<String>| {
        let choice = |(key, name): &(&str, &str)| Choice {
            key: (*key).to_owned(),
            name: page::capital(name).trim_end_matches('.').to_owned(),
            selected: chosen.as_deref() == Some(*key),
        };
        Select { name, label, none, choices: known.iter().map(choice).collect() }
    };
    vec![
        select("state", "State", Some("Live and in trash"), &STATES, &asked.state),
        select("anonymous", "Identifier", Some("With and without"), &NAMED, &asked.anonymous),
        select("seen", "Last seen", Some("Any time"), &SEEN, &asked.seen),
        select("sort", "Order", None, &SORTS, &asked.sort),
    ]
}

fn chips(asked: &Asked) -> Vec<Direct> {
    let words = |known: &[(&str, &str)], chosen: &Option<String>| {
        let chosen = chosen.as_deref()?;
        known.iter().find(|(key, _)| *key == chosen).map(|(_, words)| (*words).to_owned())
    };
    let first = asked.first();
    let chips = [
        (words(&STATES, &asked.state), Asked { state: None, ..first.clone() }),
        (words(&NAMED, &asked.anonymous), Asked { anonymous: None, ..first.clone() }),
        (
            asked.country.as_deref().map(|country| format!("country {}", plain(country))),
            Asked { country: None, ..first.clone() },
        ),
        (words(&SEEN, &asked.seen), Asked { seen: None, ..first.clone() }),
        (words(&SORTS, &asked.sort), Asked { sort: None, ..first }),
    ];
    let chip = |(label, without): (Option<String>, Asked)| {
        Some(Direct { href: without.address(PATH), label: label? })
    };
    chips.into_iter().filter_map(chip).collect()
}

/// What a page and those behind it show, for a spreadsheet: the same that the admin sees, up to a bound.
async fn csv(request: PageRequest) -> Answer {
    let asked = Asked::of(&request)?;
    let view = user_search::view(&request, &asked.first(), CSV_ROWS).await?;
    let rows = view.shown.users.len();
    let project = view.chosen;
    request.app.write(move |tx| export::note_list(tx, project, rows)).await?;
    let names = view.names();
    let time = |at: Option<Millis>| at.map(rfc3339).unwrap_or_default();
    let mut text = String::new();
    let mut put = |cells: &[&str]| {
        let cells: Vec<String> = cells.iter().map(|cell| tables::cell(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    };
    put(&[
        "id",
        "identifier",
        "name",
        "email",
        "country",
        "project",
        "sessions",
        "events",
        "registered",
        "last seen",
        "state",
    ]);
    for user in &view.shown.users {
        put(&[
            &user.id.to_string(),
            user.identifier.as_deref().unwrap_or_default(),
            &user.name().unwrap_or_default(),
            user.profile.email.as_deref().unwrap_or_default(),
            user.profile.country.as_deref().unwrap_or_default(),
            &name(&names, user.project),
            &user.session_count.to_string(),
            &user.event_count.to_string(),
            &rfc3339(user.created_at),
            &time(user.last_seen),
            state_label(user.state),
        ]);
    }
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/csv; charset=utf-8");
    answer.insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"users.csv\""));
    Ok(answer.body(text))
}

pub fn row(user: &User, names: &HashMap<ProjectId, String>, now: Millis) -> Row {
    Row {
        id: user.id,
        identifier: user.identifier.as_deref().map(plain),
        display_name: user.name().as_deref().map(plain),
        email: user.profile.email.as_deref().map(plain),
        project: name(names, user.project),
        sessions: Count(user.session_count),
        events: Count(user.event_count),
        last_seen: user.last_seen.map(|at| Time::new(at, now)),
        state: user.state.as_str(),
        state_label: state_label(user.state),
    }
}

/// A state as the pages say it.
pub fn state_label(state: State) -> &'static str {
    match state {
        State::Live => "live",
        State::Hidden => "in trash",
        State::Waiting => "waiting for erasure",
        State::Detached => "account deleted, activity kept",
        State::Erasing => "being erased",
        State::Merged => "merged",
    }
}

/// What the pages call a user: its name, its identifier, or its number.
pub fn heading(user: &User) -> String {
    let known = user.name().or_else(|| user.identifier.clone());
    known.map_or_else(|| format!("{} {}", nameless(user.state), user.id), |text| plain(&text))
}

/// What a user without an identifier is: one who never had any, or who had.
pub fn nameless(state: State) -> &'static str {
    match state {
        State::Live | State::Hidden => "anonymous",
        State::Waiting | State::Detached | State::Erasing | State::Merged => "user",
    }
}

pub fn choices(projects: &[Project], chosen: Option<ProjectId>) -> Vec<Choice> {
    let choice = |project: &Project| Choice {
        key: project.key.clone(),
        name: plain(&project.name),
        selected: chosen == Some(project.id),
    };
    projects.iter().map(choice).collect()
}

/// The projects' names, as they are shown.
pub fn names(projects: &[Project]) -> HashMap<ProjectId, String> {
    projects.iter().map(|project| (project.id, plain(&project.name))).collect()
}

pub fn name(names: &HashMap<ProjectId, String>, project: ProjectId) -> String {
    names.get(&project).cloned().unwrap_or_else(|| format!("project {project}"))
}
