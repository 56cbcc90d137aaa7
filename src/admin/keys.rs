//! Keys: making one, which shows it once, and revoking one.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::page::{Page, sentence};
use super::paths::PROJECTS;
use super::projects::{self, ProjectForm};
use super::show::{Time, plain};
use super::users::{Choice, choices};
use super::visit::{Answer, Gate, Route, Visit};
use crate::access::keys::{Bounds, Powers};
use crate::access::roles::Permission;
use crate::access::{key_addresses, keys, roles};
use crate::admin::within;
use crate::clock::Millis;
use crate::error::{self, Error, Place, Result};
use crate::model::{Credential, Key, KeyId, OldSecret, Project, ProjectId, Scope, Scopes};
use crate::projects as project_rules;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/admin/keys", Gate::May(Permission::SeeProjects), elsewhere),
        Route::new(Method::POST, "/admin/keys", Gate::May(Permission::ChangeCredentials), create),
        Route::new(
            Method::POST,
            "/admin/keys/{key}/revoke",
            Gate::May(Permission::ChangeCredentials),
            revoke,
        ),
    ]
}

#[derive(Template)]
#[template(path = "key_created.html")]
struct KeyCreatedPage {
    page: Page,
    name: String,
    /// What was done to it.
    deed: &'static str,
    project: Option<String>,
    scopes: String,
    key: String,
    /// Until when the secret before is good, if it was replaced.
    old_until: Option<Time>,
}

pub struct KeyRow {
    pub id: KeyId,
    pub name: String,
    pub prefix: String,
    pub project: Option<String>,
    pub scopes: String,
    pub is_public: bool,
    /// When it last came from a browser although it is not public.
    pub browser: Option<Time>,
    pub created: Time,
    pub last_used: Option<Time>,
    pub revoked: Option<Time>,
    /// Its end, and whether it has come.
    pub expires: Option<Time>,
    pub is_expired: bool,
    pub is_bound: bool,
    pub has_secret: bool,
    /// Until when the last of the secrets before is good.
    pub old_until: Option<Time>,
}

impl KeyRow {
    pub fn new(key: &Key, projects: &[Project], old: &[OldSecret], now: Millis) -> KeyRow {
        let time = |at: Millis| Time::new(at, now);
        let good = old.iter().filter(|old| old.of == Credential::Key(key.id) && now < old.ends_at);
        KeyRow {
            id: key.id,
            name: plain(&key.name),
            prefix: key.hint.clone(),
            project: key.project.map(|project| name_of(projects, project)),
            scopes: key.scopes.names().join(", "),
            is_public: key.is_public,
            browser: key.browser_at.filter(|_| key.revoked_at.is_none()).map(time),
            created: time(key.created_at),
            last_used: key.last_used_at.map(time),
            revoked: key.revoked_at.map(time),
            expires: key.expires_at.map(time),
            is_expired: key.is_expired(now),
            is_bound: !key.addresses.is_empty(),
            has_secret: key.has_secret(),
            old_until: good.map(|old| old.ends_at).max().map(time),
        }
    }
}

/// The form for a new key, as it is sent or as it first stands.
pub struct KeyForm {
    pub name: String,
    pub projects: Vec<Choice>,
    pub organisation: bool,
    pub is_public: bool,
    pub scopes: Vec<ScopeChoice>,
    /// As they were typed: a day or a time; a range a line.
    pub expires: String,
    pub addresses: String,
    pub error: Option<String>,
    pub error_field: &'static str,
}

pub struct ScopeChoice {
    pub name: &'static str,
    pub hint: &'static str,
    pub checked: bool,
}

/// What is wrong with a form for a key.
pub struct Fault {
    pub field: &'static str,
    pub text: String,
}

impl KeyForm {
    pub fn new(visit: &Visit, projects: &[Project], fault: Option<Fault>) -> KeyForm {
        let sent = fault.is_some();
        let chosen = visit.form.given("project").filter(|_| sent);
        let project = match chosen {
            Some(key) => projects.iter().find(|project| project.key == key),
            None => projects.first(),
        };
        let ticked: Vec<&str> = visit.form.all("scopes").collect();
        let scope = |scope: Scope| ScopeChoice {
            name: scope.as_str(),
            hint: hint(scope),
            checked: if sent { ticked.contains(&scope.as_str()) } else { Scopes::usual().has(scope) },
        };
        KeyForm {
            name: if sent { visit.form.text("name").to_owned() } else { String::new() },
            projects: choices(projects, project.map(|project| project.id)),
            is_public: sent && visit.form.given("public").is_some(),
            organisation: chosen.is_some_and(str::is_empty),
            scopes: Scope::ALL.into_iter().map(scope).collect(),
            expires: if sent { visit.form.text("expires").to_owned() } else { String::new() },
            addresses: if sent { visit.form.text("addresses").to_owned() } else { String::new() },
            error_field: fault.as_ref().map_or("", |fault| fault.field),
            error: fault.map(|fault| fault.text),
        }
    }
}

fn hint(scope: Scope) -> &'static str {
    match scope {
        Scope::Ingest => "send in users and events",
        Scope::Read => "look users up",
        Scope::Write => "create and change users",
        Scope::Delete => "hide and erase users",
        Scope::Admin => "make projects",
    }
}

fn name_of(projects: &[Project], id: ProjectId) -> String {
    let project = projects.iter().find(|project| project.id == id);
    project.map_or_else(|| format!("project {id}"), |project| plain(&project.name))
}

/// A key is shown in answer to its form; who asks for that address again is led back.
async fn elsewhere(visit: Visit) -> Answer {
    Ok(visit.go(PROJECTS).finish())
}

async fn create(visit: Visit) -> Answer {
    match make(&visit).await {
        Ok((key, secret, project)) => {
            visit.app.reload_keys()?;
            show_secret(&visit, "created", &key, project.as_ref(), secret, None)
        }
        Err(Error::Invalid(faults)) => {
            let fault = faults.into_iter().next().map(|fault| worded(&fault));
            projects::show(&visit, StatusCode::UNPROCESSABLE_ENTITY, ProjectForm::default(), fault).await
        }
        Err(error) => Err(error),
    }
}

/// The one page on which a secret stands.
pub fn show_secret(
    visit: &Visit,
    deed: &'static str,
    key: &Key,
    project: Option<&Project>,
    secret: String,
    old_until: Option<Millis>,
) -> Answer {
    let mut page = visit.page("projects", format!("Key {deed}"))?;
    page.path = PROJECTS.to_owned();
    let page = KeyCreatedPage {
        page,
        name: plain(&key.name),
        deed,
        project: project.map(|project| plain(&project.name)),
        scopes: if key.is_public { "public".to_owned() } else { key.scopes.names().join(", ") },
        key: secret,
        old_until: old_until.map(|at| Time::new(at, visit.now)),
    };
    visit.html(StatusCode::OK, &page)
}

/// A fault under the name that its field has on the pages.
pub fn worded(fault: &error::Fault) -> Fault {
    match fault.field.as_str() {
        "name" => Fault { field: "name", text: sentence("The name", &fault.message) },
        "project" => Fault { field: "project", text: sentence("The project", &fault.message) },
        "expiresAt" => Fault { field: "expires", text: sentence("The end", &fault.message) },
        "overlap" => Fault { field: "overlap", text: sentence("The time", &fault.message) },
        "addresses" => Fault { field: "addresses", text: sentence("The addresses", &fault.message) },
        field if field.starts_with("addresses") => {
            Fault { field: "addresses", text: sentence("Each address", &fault.message) }
        }
        _ => Fault { field: "scopes", text: sentence("The scopes", &fault.message) },
    }
}

/// Makes the key that the form asks for: it, its secret, and its project.
async fn make(visit: &Visit) -> Result<(Key, String, Option<Project>)> {
    let name = visit.form.text("name").to_owned();
    // A public key has no scopes to choose.
    let powers = match visit.form.given("public") {
        Some(_) => Powers::Public,
        None => Powers::Scopes(Scopes::parse(&visit.form.all("scopes").collect::<Vec<&str>>().join(","))?),
    };
    let expires = visit.form.some("expires").map(str::trim).filter(|text| !text.is_empty());
    let bounds = Bounds {
        expires_at: expires.map(keys::parse_end).transpose()?,
        addresses: key_addresses::split(visit.form.text("addresses")),
    };
    let fault = |message: &str| Error::invalid(Place::Body, "project", message);
    // An empty one is the organisation: one that is left out must not become that.
    let project_key = visit.form.given("project").ok_or_else(|| fault("must be chosen"))?.to_owned();
    let maker = visit.admin()?.clone();
    let made = visit.app.write(move |tx| {
        let project = match project_key.as_str() {
            "" => None,
            key => Some(project_rules::by_key(tx, key)?),
        };
        let id = project.as_ref().map(|project| project.id);
        roles::check_maker(&maker, id)?;
        if let (Powers::Public, None) = (powers, id) {
            return Err(Error::invalid(Place::Body, "project", "must be one where the key is public"));
        }
        let (key, secret) = keys::create(tx, id, &name, powers, &bounds)?;
        Ok((key, secret, project))
    });
    made.await.map_err(|error| match error {
        Error::ProjectNotFound => fault("must be one of those that are there"),
        error => error,
    })
}

async fn revoke(visit: Visit) -> Answer {
    let id = visit.segment("key").parse().map(KeyId).map_err(|_| Error::KeyNotFound)?;
    let reach = visit.reach();
    visit
        .app
        .erase(move |tx| {
            within::check_key(tx, &reach, id)?;
            keys::revoke(tx, id)
        })
        .await?;
    visit.app.reload_keys()?;
    Ok(visit.go_and_say(PROJECTS, Flash::KeyRevoked))
}
