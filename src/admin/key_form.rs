//! Keys in a list, the form for a new one, and what is wrong with it in the words of the pages.

use super::page::{capital, sentence};
use super::page_request::PageRequest;
use super::project_names::{Choice, choices};
use super::show::{Time, plain};
use crate::clock::Millis;
use crate::error;
use crate::model::{Credential, Key, KeyId, OldSecret, Project, ProjectId, Scope, Scopes};

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
    pub fn new(request: &PageRequest, projects: &[Project], fault: Option<Fault>) -> KeyForm {
        let sent = fault.is_some();
        let chosen = request.form.given("project").filter(|_| sent);
        let project = match chosen {
            Some(key) => projects.iter().find(|project| project.key == key),
            None => projects.first(),
        };
        let ticked: Vec<&str> = request.form.all("scopes").collect();
        let scope = |scope: Scope| ScopeChoice {
            name: scope.as_str(),
            hint: hint(scope),
            checked: if sent { ticked.contains(&scope.as_str()) } else { Scopes::usual().has(scope) },
        };
        KeyForm {
            name: if sent { request.form.text("name").to_owned() } else { String::new() },
            projects: choices(projects, project.map(|project| project.id)),
            is_public: sent && request.form.given("public").is_some(),
            organisation: chosen.is_some_and(str::is_empty),
            scopes: Scope::ALL.into_iter().map(scope).collect(),
            expires: if sent { request.form.text("expires").to_owned() } else { String::new() },
            addresses: if sent { request.form.text("addresses").to_owned() } else { String::new() },
            error_field: fault.as_ref().map_or("", |fault| fault.field),
            error: fault.map(|fault| fault.text),
        }
    }
}

fn hint(scope: Scope) -> &'static str {
    match scope {
        Scope::Ingest => "send users and events",
        Scope::Read => "read users",
        Scope::Write => "create and change users",
        Scope::Delete => "move users to trash and erase them",
        Scope::Admin => "create projects",
        Scope::Export => "download all data of a user",
    }
}

fn name_of(projects: &[Project], id: ProjectId) -> String {
    let project = projects.iter().find(|project| project.id == id);
    project.map_or_else(|| format!("project {id}"), |project| plain(&project.name))
}

/// A fault under the name that its field has on the pages.
pub fn worded(fault: &error::FieldError) -> Fault {
    match fault.field.as_str() {
        "name" => Fault { field: "name", text: sentence("The name", &fault.message) },
        "project" => Fault { field: "project", text: sentence("The project", &fault.message) },
        "expiresAt" => Fault { field: "expires", text: sentence("The expiry", &fault.message) },
        "overlap" => Fault { field: "overlap", text: sentence("The number of hours", &fault.message) },
        "addresses" => Fault { field: "addresses", text: sentence("The addresses", &fault.message) },
        field if field.starts_with("addresses") => {
            Fault { field: "addresses", text: sentence("Each address", &fault.message) }
        }
        _ => Fault { field: "scopes", text: capital(&fault.message) },
    }
}
