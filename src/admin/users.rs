//! The users: all of them, newest first, or those that somebody looks for.

use std::collections::HashMap;

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::ids;
use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route, address};
use super::show::{Count, Time, plain};
use crate::access::roles::Permission;
use crate::admin::within;
use crate::clock::Millis;
use crate::error::{Error, Place, Result};
use crate::model::{Project, ProjectId, State, User, UserId};
use crate::people::{find, masks};
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
    users: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
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
}

async fn list(visit: PageRequest) -> Answer {
    let asked = asked(&visit)?;
    let now = visit.now;
    let (text, key, below) = (asked.text.clone(), asked.project.clone(), asked.below);
    let (reach, lists) = (visit.reach(), visit.may(Permission::ListPeople));
    let (projects, chosen, mut found) = visit
        .app
        .scan(move |db| {
            let projects = within::projects(db, &reach)?;
            let chosen =
                key.map(|key| within::project(db, &reach, &key)).transpose()?.map(|project| project.id);
            let found = match (text.is_empty(), lists) {
                (true, true) => within::newest(db, &reach, chosen, below, PAGE + 1, now)?,
                (true, false) => Vec::new(),
                (false, _) => find(db, &projects, chosen, &text, now)?,
            };
            Ok((projects, chosen, found))
        })
        .await?;
    let page_size = PAGE as usize;
    let more = asked.text.is_empty() && found.len() > page_size;
    if more {
        found.truncate(page_size);
    }
    let link = |below: Option<UserId>| {
        let below = below.map(|id| id.to_string());
        let project = asked.project.clone();
        address("/admin/users", &[("project", project.as_deref()), ("below", below.as_deref())])
    };
    let names = names(&projects);
    if !visit.may(Permission::SeeValues) {
        found = found.iter().map(masks::user).collect();
    }
    let page = UsersPage {
        page: visit.page("users", "Users")?,
        filtered: !asked.text.is_empty() || chosen.is_some(),
        project_chosen: chosen.is_some(),
        lists,
        projects: choices(&projects, chosen),
        first: asked.below.map(|_| link(None)),
        next: found.last().filter(|_| more).map(|last| link(Some(last.id))),
        users: found.iter().map(|user| row(user, &names, now)).collect(),
        q: asked.text,
    };
    visit.html(StatusCode::OK, &page)
}

fn asked(visit: &PageRequest) -> Result<Asked> {
    let fault = |_| Error::invalid(Place::Query, "below", "must be the id of a user");
    let below = visit.query.some("below").map(|text| text.parse().map(UserId).map_err(fault));
    Ok(Asked {
        text: visit.query.text("q").to_owned(),
        project: visit.query.some("project").map(str::to_owned),
        below: below.transpose()?,
    })
}

/// What fits the text as it stands; if nothing does, what fits it without the spaces that
/// came along when it was copied.
fn find(
    db: &Db,
    projects: &[Project],
    chosen: Option<ProjectId>,
    text: &str,
    now: Millis,
) -> Result<Vec<User>> {
    let among: Vec<ProjectId> =
        projects.iter().map(|project| project.id).filter(|id| chosen.is_none_or(|one| one == *id)).collect();
    let found = find::find(db, &among, text, &ids::read(text), now)?;
    let trimmed = text.trim();
    match found.is_empty() && trimmed != text {
        true => find::find(db, &among, trimmed, &ids::read(trimmed), now),
        false => Ok(found),
    }
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
