//! The users: all of them, newest first, or those that somebody looks for.

use std::collections::HashMap;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web;
use askama::Template;

use super::ids;
use super::page::{self, Page};
use super::page_request::{Access, Answer, PageRequest, Route, address};
use super::show::{Count, Time, plain};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Place, Result};
use crate::model::{JobId, Project, ProjectId, Reach, State, User, UserId};
use crate::people::search::{Among, Depth, Filter};
use crate::people::{masks, search};
use crate::proof::receipt;
use crate::store::Db;

/// Users on a page.
const PAGE: u32 = 50;

pub fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, "/admin/users", Access::May(Permission::FindPeople), list)]
}

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    page: Page,
    q: String,
    projects: Vec<Choice>,
    filtered: bool,
    project_chosen: bool,
    /// Without a search, all users are listed.
    lists: bool,
    /// Whole values alone are found.
    is_whole: bool,
    /// Pages that the text names by itself.
    directs: Vec<Direct>,
    users: Vec<Row>,
    /// Searches for those who are called nearly so.
    suggestions: Vec<Direct>,
    is_truncated: bool,
    note: Option<String>,
    first: Option<String>,
    next: Option<String>,
}

/// A link, and what it leads to.
struct Direct {
    href: String,
    label: String,
}

/// A project to choose.
pub struct Choice {
    pub key: String,
    pub name: String,
    pub selected: bool,
}

struct Row {
    id: UserId,
    identifier: Option<String>,
    display_name: Option<String>,
    email: Option<String>,
    project: String,
    sessions: Count,
    events: Count,
    last_seen: Option<Time>,
    state: &'static str,
    state_label: &'static str,
}

/// What the query asks for.
struct Asked {
    text: String,
    project: Option<String>,
    below: Option<UserId>,
    cursor: Option<String>,
}

/// What a page shows.
#[derive(Default)]
struct Shown {
    users: Vec<User>,
    next: Option<Next>,
    suggestions: Vec<String>,
    is_truncated: bool,
    note: Option<&'static str>,
    /// The names are still being read.
    is_early: bool,
}

/// Where the next page begins.
enum Next {
    Below(UserId),
    Cursor(String),
}

async fn list(request: PageRequest) -> Answer {
    let asked = asked(&request)?;
    let now = request.now;
    let (text, key, below, cursor) =
        (asked.text.clone(), asked.project.clone(), asked.below, asked.cursor.clone());
    let (reach, lists) = (request.reach(), request.may(Permission::ListPeople));
    let depth = match lists && request.may(Permission::SeeValues) {
        true => Depth::Parts,
        false => Depth::WholeValues,
    };
    let sees = (depth, request.may(Permission::ErasePeople));
    let app = request.app.clone();
    let (projects, chosen, mut shown) = request
        .app
        .scan(move |db| {
            let projects = scoped::projects(db, &reach)?;
            let chosen =
                key.map(|key| scoped::project(db, &reach, &key)).transpose()?.map(|project| project.id);
            let shown = match (text.is_empty(), lists) {
                (true, true) => newest(scoped::newest(db, &reach, chosen, below, PAGE + 1, now)?),
                (true, false) => Shown::default(),
                (false, _) => {
                    let among = projects.iter().map(|project| project.id);
                    let among = among.filter(|id| chosen.is_none_or(|one| one == *id)).collect();
                    find(db, &app, among, &text, sees, cursor.as_deref(), now)?
                }
            };
            Ok((projects, chosen, shown))
        })
        .await?;
    let names = names(&projects);
    if !request.may(Permission::SeeValues) {
        shown.users = shown.users.iter().map(masks::user).collect();
    }
    let link = |text: &str, cursor: Option<&str>, below: Option<UserId>| {
        let (below, text) = (below.map(|id| id.to_string()), Some(text).filter(|text| !text.is_empty()));
        let project = asked.project.as_deref();
        let query = [("q", text), ("project", project), ("below", below.as_deref()), ("cursor", cursor)];
        address("/admin/users", &query)
    };
    let is_first = asked.below.is_none() && asked.cursor.is_none();
    let status = match shown.is_early && shown.users.is_empty() {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    };
    let directs = match is_first && !asked.text.is_empty() {
        true => {
            let (app, reach, text) = (request.app.clone(), request.reach(), asked.text.trim().to_owned());
            let (jobs, receipts) = (request.may(Permission::SeeJobs), request.may(Permission::SeeReceipts));
            let look = move || directs(&app, &reach, &text, jobs, receipts);
            web::block(look).await.map_err(Error::internal)??
        }
        false => Vec::new(),
    };
    let suggest = |text: String| Direct { href: link(&text, None, None), label: plain(&text) };
    let page = UsersPage {
        page: request.page("users", "Users")?,
        filtered: !asked.text.is_empty() || chosen.is_some(),
        project_chosen: chosen.is_some(),
        lists,
        is_whole: depth == Depth::WholeValues,
        projects: choices(&projects, chosen),
        first: (!is_first).then(|| link(&asked.text, None, None)),
        next: shown.next.map(|next| match next {
            Next::Below(id) => link("", None, Some(id)),
            Next::Cursor(cursor) => link(&asked.text, Some(&cursor), None),
        }),
        directs,
        suggestions: shown.suggestions.into_iter().map(suggest).collect(),
        is_truncated: shown.is_truncated,
        note: shown.note.map(page::capital),
        users: shown.users.iter().map(|user| row(user, &names, now)).collect(),
        q: asked.text.clone(),
    };
    let mut answer = request.html(status, &page)?;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    Ok(answer)
}

fn asked(request: &PageRequest) -> Result<Asked> {
    let fault = |_| Error::invalid(Place::Query, "below", "must be the id of a user");
    let below = request.query.some("below").map(|text| text.parse().map(UserId).map_err(fault));
    Ok(Asked {
        text: request.query.text("q").to_owned(),
        project: request.query.some("project").map(str::to_owned),
        below: below.transpose()?,
        cursor: request.query.some("cursor").map(str::to_owned),
    })
}

/// Of all users, one more than fits.
fn newest(mut users: Vec<User>) -> Shown {
    let is_more = users.len() > PAGE as usize;
    users.truncate(PAGE as usize);
    let next = users.last().filter(|_| is_more).map(|last| Next::Below(last.id));
    Shown { users, next, ..Shown::default() }
}

/// What is found of a text, and whether restricted users are. [`Error::Invalid`] on `cursor`.
fn find(
    db: &Db,
    app: &App,
    projects: Vec<ProjectId>,
    text: &str,
    (depth, finds_restricted): (Depth, bool),
    cursor: Option<&str>,
    now: Millis,
) -> Result<Shown> {
    if search::check(text).is_err() {
        // Nobody is called so.
        return Ok(Shown::default());
    }
    let mut asked = search::Asked {
        projects,
        text: text.to_owned(),
        ids: ids::read(text.trim()),
        filter: Filter { state: Among::Both, ..Filter::default() },
        after: None,
        limit: PAGE as usize,
        depth,
        finds_restricted,
    };
    if let Some(text) = cursor {
        let spot = search::cursor::read(app.store(), &asked, text);
        let fault = || Error::invalid(Place::Query, "cursor", "is no cursor of this search");
        asked.after = Some(spot.ok_or_else(fault)?);
    }
    let found = match search::search(db, app.find(), &asked, now) {
        Err(Error::Unavailable(search::BUILDING)) => {
            return Ok(Shown { note: Some(search::BUILDING), is_early: true, ..Shown::default() });
        }
        found => found?,
    };
    let next = found.next.map(|spot| Next::Cursor(search::cursor::write(app.store(), &asked, spot)));
    Ok(Shown {
        users: found.users.into_iter().map(|one| one.user).collect(),
        next,
        suggestions: found.suggestions.into_iter().map(|one| one.value).collect(),
        is_truncated: found.is_truncated,
        note: found.note,
        is_early: false,
    })
}

/// What else has this text for a number or an id: a job, a receipt. It may wait for a receipt that is
/// being written.
fn directs(app: &App, reach: &Reach, text: &str, of_jobs: bool, of_receipts: bool) -> Result<Vec<Direct>> {
    let mut directs = Vec::new();
    if let Some(id) = text.parse().ok().map(JobId).filter(|_| of_jobs) {
        match app.read(|db| scoped::job(db, reach, id)) {
            Ok(job) => {
                directs.push(Direct {
                    href: format!("/admin/jobs/{}", job.id),
                    label: format!("Job {}", job.id),
                });
            }
            Err(Error::JobNotFound) => {}
            Err(error) => return Err(error),
        }
    }
    if let Some(id) = text.parse::<receipt::Id>().ok().filter(|_| of_receipts) {
        let listed = app.receipts().of_id(id);
        if let Some(listed) = listed
            && scoped::receipt(app, reach, &listed)?
        {
            let (href, label) =
                (format!("/admin/receipts/{}", listed.number), format!("Receipt {}", listed.number));
            directs.push(Direct { href, label });
        }
    }
    Ok(directs)
}

fn row(user: &User, names: &HashMap<ProjectId, String>, now: Millis) -> Row {
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
