//! The users: all of them, newest first, or those that somebody looks for.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, header};
use askama::Template;

use super::page::{self, Page};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::project_names::{Choice, choices, name};
use super::show::plain;
use super::user_row::{Row, state_label};
use super::user_search::{self, Asked, NAMED, SEEN, SORTS, STATES};
use crate::access::roles::Permission;
use crate::clock::{Millis, rfc3339};
use crate::export::{self, tables};
use crate::web::page_sizes;

pub const PATH: &str = "/admin/users";
const CSV: &str = "/admin/users.csv";
/// Users on a page.
const PAGE: usize = page_sizes::ADMIN as usize;
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

/// A filter with its choices.
struct Select {
    name: &'static str,
    label: &'static str,
    /// What it says when nothing is chosen; None: the first choice is what is.
    none: Option<&'static str>,
    choices: Vec<Choice>,
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
