//! One user: what is held, and what can be done about it.

use actix_web::http::{Method, StatusCode};
use askama::Template;
use serde_json::Value;

use super::flash::Flash;
use super::page::{Page, sentence};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::project_names::{self, Choice};
use super::show::{Count, Time, beginning, left, plain};
use super::user_row::{self, Row, heading, nameless, state_label};
use super::{holdings, ids};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::app::App;
use crate::clock::Millis;
use crate::erasure::trash;
use crate::error::{Error, Result};
use crate::model::{Attributes, Event, Project, ProjectId, Reach, State, TRASH_PERIOD, User, UserId};
use crate::people::find::Held as Rows;
use crate::people::holds;
use crate::people::holds::Hold;
use crate::people::{activity, find, masks, person, same_person};
use crate::projects;
use crate::store::Db;

/// Entries of the timeline that are shown.
const ACTIVITY: u32 = 50;
/// Anonymous ids that are shown.
const ALIASES: u32 = 20;
/// Characters of an entry's data that are shown.
const DATA: usize = 400;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/admin/users/{user}", Access::May(Permission::FindPeople), show),
        Route::new(Method::POST, "/admin/users/{user}/hide", Access::May(Permission::MovePeople), hide),
        Route::new(Method::POST, "/admin/users/{user}/restore", Access::May(Permission::MovePeople), restore),
        Route::new(Method::POST, "/admin/users/{user}/reveal", Access::May(Permission::RevealValues), reveal),
    ]
}

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    page: Page,
    user: Head,
    hidden: Option<Hidden>,
    hold: Option<Held>,
    restricted: Option<Time>,
    may_hold: bool,
    stats: Stats,
    profile: Vec<Pair>,
    ids: Vec<Pair>,
    holdings: Vec<holdings::Line>,
    activity: Vec<Entry>,
    more_activity: bool,
    /// Users with the same e-mail, for roles that see values.
    same: Vec<Row>,
    /// Values are masked; those that can be uncovered.
    masked: bool,
    values: Vec<Choice>,
    revealed: Option<Pair>,
    reveal_error: Option<String>,
    reasons: Vec<Choice>,
    ticket: String,
}

/// Who a page is about.
pub struct Head {
    pub id: UserId,
    pub heading: String,
    pub identifier: Option<String>,
    /// What it is when it has no identifier.
    pub nameless: &'static str,
    pub project: String,
    pub state: &'static str,
    pub state_label: &'static str,
}

struct Hidden {
    left: String,
    since: Time,
    due: Time,
}

/// A hold, as far as the admin may see it.
pub struct Held {
    pub since: Time,
    /// None: until it is released.
    pub until: Option<Time>,
    pub reason: Option<String>,
}

impl Held {
    pub fn new(hold: &Hold, shows_reason: bool, now: Millis) -> Held {
        Held {
            since: Time::new(hold.created_at, now),
            until: hold.until.map(|until| Time::new(until, now)),
            reason: hold.reason.as_deref().filter(|_| shows_reason).map(plain),
        }
    }
}

struct Stats {
    sessions: Count,
    events: Count,
    first_seen: Option<Time>,
    last_seen: Option<Time>,
}

struct Pair {
    label: String,
    value: String,
    mono: bool,
    /// What a button copies: None where it is shown otherwise, or masked.
    copy: Option<String>,
}

struct Entry {
    time: Time,
    kind: &'static str,
    name: String,
    data: String,
}

/// All that is read for the page, in one state of the file.
struct Found {
    user: User,
    project: Project,
    hold: Option<Hold>,
    held: Vec<Rows>,
    aliases: Vec<String>,
    activity: Vec<Event>,
    same: Vec<User>,
    projects: Vec<Project>,
}

impl Found {
    /// As roles see it that see no values.
    fn masked(self) -> Found {
        Found {
            user: masks::user(&self.user),
            aliases: self.aliases.iter().map(|alias| masks::alias(alias)).collect(),
            activity: self.activity.iter().map(masks::event).collect(),
            ..self
        }
    }
}

impl Head {
    pub fn new(user: &User, project: &Project) -> Head {
        Head {
            id: user.id,
            heading: heading(user),
            identifier: user.identifier.as_deref().map(plain),
            nameless: nameless(user.state),
            project: plain(&project.name),
            state: user.state.as_str(),
            state_label: state_label(user.state),
        }
    }
}

async fn show(request: PageRequest) -> Answer {
    page(&request, StatusCode::OK, Uncovering::default()).await
}

/// A value that is uncovered on the page, or what is wrong with the form that asks for one.
#[derive(Default)]
struct Uncovering {
    revealed: Option<Pair>,
    error: Option<String>,
    key: String,
    reason: String,
    ticket: String,
}

async fn page(request: &PageRequest, status: StatusCode, uncovering: Uncovering) -> Answer {
    let (id, reach, now) = (request.user()?, request.reach(), request.now);
    let masked = !request.may(Permission::SeeValues);
    let same = (!masked).then(|| (request.app.clone(), request.may(Permission::ErasePeople)));
    let found = request.app.scan(move |db| found(db, same.as_ref(), &reach, id, now)).await?;
    if found.user.id != id {
        return Ok(request.go(&path(found.user.id)).finish());
    }
    note_view(request, &found.user).await?;
    let hidden = if masked { masks::hidden(&found.user) } else { Vec::new() };
    let found = if masked { found.masked() } else { found };
    let Found { user, project, hold, held, aliases, mut activity, same, projects } = found;
    let more_activity = activity.len() > ACTIVITY as usize;
    activity.truncate(ACTIVITY as usize);
    let choice = |hidden: &masks::Hidden| Choice {
        selected: hidden.key == uncovering.key,
        name: plain(&hidden.label),
        key: hidden.key.clone(),
    };
    let time = |at: Millis| Time::new(at, now);
    let project_names = project_names::names(&projects);
    let head = Head::new(&user, &project);
    let page = UserPage {
        // The theme's buttons lead back to it, also from the answer to a form.
        page: Page { path: path(user.id), ..request.page("users", head.heading.clone())? },
        user: head,
        hidden: user.deleted_at.filter(|_| user.state == State::Hidden).map(|since| Hidden {
            left: format!("{} left", left(since + TRASH_PERIOD - now)),
            since: time(since),
            due: time(since + TRASH_PERIOD),
        }),
        hold: hold.map(|hold| Held::new(&hold, request.may(Permission::HoldPeople), now)),
        restricted: user.restricted_at.map(time),
        may_hold: request.may(Permission::HoldPeople)
            && !matches!(user.state, State::Erasing | State::Merged),
        stats: Stats {
            sessions: Count(user.session_count),
            events: Count(user.event_count),
            first_seen: user.first_seen.map(time),
            last_seen: user.last_seen.map(time),
        },
        profile: profile(&user, now),
        ids: names(&user, &aliases),
        holdings: holdings::lines(&user, &held),
        activity: activity.iter().map(|event| entry(event, now)).collect(),
        more_activity,
        same: same.iter().map(|user| user_row::row(user, &project_names, now)).collect(),
        masked,
        values: hidden.iter().map(choice).collect(),
        revealed: uncovering.revealed,
        reveal_error: uncovering.error,
        reasons: masks::REASONS
            .map(|(word, words)| Choice {
                selected: word == uncovering.reason,
                name: words.to_owned(),
                key: word.to_owned(),
            })
            .into(),
        ticket: uncovering.ticket,
    };
    request.html(status, &page)
}

/// Shows the page once more with one value uncovered, after that is written down.
async fn reveal(request: PageRequest) -> Answer {
    let (id, reach) = (request.user()?, request.reach());
    let text = |name: &str| request.form.text(name).to_owned();
    let (key, reason, ticket) = (text("value"), text("reason"), text("ticket"));
    let asked = (key.clone(), reason.clone(), ticket.clone());
    let revealed = request
        .app
        .write(move |tx| {
            let user = scoped::held(tx, &reach, id, tx.now())?;
            // Nothing of these is shown to anybody any more.
            if !matches!(user.state, State::Live | State::Hidden) {
                return Err(Error::Conflict("this user has no values to show"));
            }
            masks::reveal(tx, &user, &asked.0, &asked.1, &asked.2)
        })
        .await;
    match revealed {
        Ok(hidden) => {
            let revealed =
                Pair { label: plain(&hidden.label), value: plain(&hidden.value), mono: true, copy: None };
            let uncovering = Uncovering { revealed: Some(revealed), ..Uncovering::default() };
            page(&request, StatusCode::OK, uncovering).await
        }
        Err(Error::Invalid(faults)) => {
            let error = faults.first().map(|fault| match fault.field.as_str() {
                "value" => sentence("The value", &fault.message),
                "ticket" => sentence("The ticket number", &fault.message),
                _ => sentence("The reason", &fault.message),
            });
            let uncovering = Uncovering { error, key, reason, ticket, ..Uncovering::default() };
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, uncovering).await
        }
        Err(error) => Err(error),
    }
}

/// The person of a request's path and the project, once it is written down that somebody looks. None: the
/// address is that of a visitor who was merged.
pub async fn look_at(request: &PageRequest) -> Result<Option<(User, Project)>> {
    let (id, reach, now) = (request.user()?, request.reach(), request.now);
    let (user, project) = request.app.read(|db| {
        let user = scoped::held(db, &reach, id, now)?;
        Ok((user.clone(), projects::get(db, user.project)?))
    })?;
    if user.id != id {
        return Ok(None);
    }
    note_view(request, &user).await?;
    Ok(Some((user, project)))
}

/// Writes down that this person is looked at. What cannot be written down is not shown.
pub async fn note_view(request: &PageRequest, user: &User) -> Result<()> {
    let user = user.clone();
    request.app.write(move |tx| person::note_view(tx, &user)).await
}

/// `same`: asks who may be the same person; true: restricted users, too.
fn found(db: &Db, same: Option<&(App, bool)>, reach: &Reach, id: UserId, now: Millis) -> Result<Found> {
    let user = scoped::held(db, reach, id, now)?;
    let projects = scoped::projects(db, reach)?;
    let ids: Vec<ProjectId> = projects.iter().map(|project| project.id).collect();
    let is_shown = matches!(user.state, State::Live | State::Hidden);
    let same = match same.filter(|_| is_shown) {
        Some((app, restricted)) => same_person::find(db, app.find(), &user, &ids, *restricted, now)?,
        None => Vec::new(),
    };
    let activity = match user.state {
        // It is gone for every caller; how much is left may be seen, what it is may not.
        State::Waiting | State::Erasing | State::Merged => Vec::new(),
        State::Live | State::Hidden | State::Detached => {
            activity::timeline(db, &user, Millis::MIN, Millis::MAX, ACTIVITY + 1, 0)?
        }
    };
    Ok(Found {
        project: projects::get(db, user.project)?,
        hold: holds::kept(db, user.clone())?.hold,
        held: find::inventory(db, &user)?,
        aliases: find::anonymous_ids(db, &user, ALIASES + 1)?,
        activity,
        user,
        same,
        projects,
    })
}

fn profile(user: &User, now: Millis) -> Vec<Pair> {
    if matches!(user.state, State::Waiting | State::Detached | State::Erasing | State::Merged) {
        return Vec::new();
    }
    let profile = &user.profile;
    let texts = [
        ("E-mail", &profile.email),
        ("First name", &profile.first_name),
        ("Last name", &profile.last_name),
        ("Display name", &profile.display_name),
        ("Avatar", &profile.avatar_url),
        ("Country", &profile.country),
        ("City", &profile.city),
    ];
    let pair = |label: &str, value: &str, mono| Pair {
        label: label.to_owned(),
        value: plain(value),
        mono,
        copy: None,
    };
    let mut pairs: Vec<Pair> =
        texts.into_iter().filter_map(|(label, value)| Some(pair(label, value.as_deref()?, false))).collect();
    if !profile.live_mode {
        pairs.push(pair("Mode", "test user", false));
    }
    let registered = Time::new(user.created_at, now);
    pairs.push(pair("Registered", &format!("{}, {}", registered.relative, registered.absolute), false));
    for (name, value) in profile.extra.iter().chain(&profile.attributes) {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        pairs.push(pair(&plain(name), &value, true));
    }
    pairs
}

/// Everything the user may be called by.
fn names(user: &User, aliases: &[String]) -> Vec<Pair> {
    // What is copied is the value itself, also where the page shows characters by their numbers.
    let pair = |label: &str, value: &str| Pair {
        label: label.to_owned(),
        value: plain(value),
        mono: true,
        copy: (!value.contains(masks::WHOLE)).then(|| value.to_owned()),
    };
    let mut pairs = Vec::new();
    pairs.extend(user.identifier.as_deref().map(|identifier| pair("Identifier", identifier)));
    pairs.extend(ids::forms(user.id).map(|(label, form)| pair(label, &form)));
    let shown = ALIASES as usize;
    pairs.extend(aliases.iter().take(shown).map(|alias| pair("Anonymous id", alias)));
    if aliases.len() > shown {
        pairs.push(Pair { label: "Anonymous ids".into(), value: "and more".into(), mono: false, copy: None });
    }
    pairs
}

fn entry(event: &Event, now: Millis) -> Entry {
    Entry {
        time: Time::new(event.at, now),
        kind: event.kind.as_str(),
        name: plain(&event.name),
        data: data(event.url.as_deref(), &event.data),
    }
}

fn data(url: Option<&str>, values: &Attributes) -> String {
    beginning(&whole_data(url, values), DATA)
}

/// The address of an event, and its values as JSON.
pub fn whole_data(url: Option<&str>, values: &Attributes) -> String {
    let values = match values.is_empty() {
        true => None,
        false => serde_json::to_string(values).ok(),
    };
    let parts: Vec<&str> = [url, values.as_deref()].into_iter().flatten().collect();
    plain(&parts.join(" "))
}

async fn hide(request: PageRequest) -> Answer {
    let (id, reach) = (request.user()?, request.reach());
    let hidden = request.app.write(move |tx| {
        let user = scoped::held(tx, &reach, id, tx.now())?;
        match user.state {
            State::Live => trash::hide(tx, &user).map(|_| user.id),
            State::Hidden => Err(Error::Conflict("the user is already in the trash")),
            _ => Err(Error::Conflict("an erased user cannot be moved to trash")),
        }
    });
    let id = hidden.await?;
    Ok(request.go_and_say(&path(id), Flash::Hidden(id)))
}

async fn restore(request: PageRequest) -> Answer {
    let (id, reach) = (request.user()?, request.reach());
    request
        .app
        .write(move |tx| match scoped::held(tx, &reach, id, tx.now())?.state {
            State::Live => Err(Error::Conflict("the user is not in the trash")),
            _ => trash::restore(tx, id),
        })
        .await?;
    // From the trash one goes on with the trash.
    let back = request.came_from().filter(|page| page.starts_with("/admin/trash"));
    Ok(request.go_and_say(&back.unwrap_or_else(|| path(id)), Flash::Restored))
}

/// The address of a user's page.
pub fn path(user: UserId) -> String {
    format!("/admin/users/{user}")
}
