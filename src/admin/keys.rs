//! Keys: making one, which shows it once, and revoking one.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::key_form::worded;
use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::PROJECTS;
use super::projects::{self, ProjectForm};
use super::show::{Time, plain};
use crate::access::keys::{Bounds, Powers};
use crate::access::roles::Permission;
use crate::access::{key_addresses, keys, roles};
use crate::admin::scoped;
use crate::clock::Millis;
use crate::error::{Error, Place, Result};
use crate::model::{Key, KeyId, Project, Scopes};
use crate::projects as project_rules;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/admin/keys", Access::May(Permission::SeeProjects), elsewhere),
        Route::new(Method::POST, "/admin/keys", Access::May(Permission::ChangeCredentials), create),
        Route::new(
            Method::POST,
            "/admin/keys/{key}/revoke",
            Access::May(Permission::ChangeCredentials),
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

/// A key is shown in answer to its form; who asks for that address again is led back.
async fn elsewhere(request: PageRequest) -> Answer {
    Ok(request.go(PROJECTS).finish())
}

async fn create(request: PageRequest) -> Answer {
    match make(&request).await {
        Ok((key, secret, project)) => {
            request.app.reload_keys()?;
            show_secret(&request, "created", &key, project.as_ref(), secret, None)
        }
        Err(Error::Invalid(faults)) => {
            let fault = faults.into_iter().next().map(|fault| worded(&fault));
            projects::show(&request, StatusCode::UNPROCESSABLE_ENTITY, ProjectForm::default(), fault).await
        }
        Err(error) => Err(error),
    }
}

/// The one page on which a secret stands.
pub fn show_secret(
    request: &PageRequest,
    deed: &'static str,
    key: &Key,
    project: Option<&Project>,
    secret: String,
    old_until: Option<Millis>,
) -> Answer {
    let mut page = request.page("projects", format!("Key {deed}"))?;
    page.path = PROJECTS.to_owned();
    let page = KeyCreatedPage {
        page,
        name: plain(&key.name),
        deed,
        project: project.map(|project| plain(&project.name)),
        scopes: if key.is_public { "public".to_owned() } else { key.scopes.names().join(", ") },
        key: secret,
        old_until: old_until.map(|at| Time::new(at, request.now)),
    };
    request.html(StatusCode::OK, &page)
}

/// Makes the key that the form asks for: it, its secret, and its project.
async fn make(request: &PageRequest) -> Result<(Key, String, Option<Project>)> {
    let name = request.form.text("name").to_owned();
    // A public key has no scopes to choose.
    let powers = match request.form.given("public") {
        Some(_) => Powers::Public,
        None => Powers::Scopes(Scopes::parse(&request.form.all("scopes").collect::<Vec<&str>>().join(","))?),
    };
    let expires = request.form.some("expires").map(str::trim).filter(|text| !text.is_empty());
    let bounds = Bounds {
        expires_at: expires.map(keys::parse_end).transpose()?,
        addresses: key_addresses::split(request.form.text("addresses")),
    };
    let fault = |message: &str| Error::invalid(Place::Body, "project", message);
    // An empty one is the organisation: one that is left out must not become that.
    let project_key = request.form.given("project").ok_or_else(|| fault("must be chosen"))?.to_owned();
    let maker = request.admin()?.clone();
    let made = request.app.write(move |tx| {
        let project = match project_key.as_str() {
            "" => None,
            key => Some(project_rules::by_key(tx, key)?),
        };
        let id = project.as_ref().map(|project| project.id);
        roles::check_maker(&maker, id)?;
        if let (Powers::Public, None) = (powers, id) {
            return Err(Error::invalid(Place::Body, "project", "is required for a public key"));
        }
        let (key, secret) = keys::create(tx, id, &name, powers, &bounds)?;
        Ok((key, secret, project))
    });
    made.await.map_err(|error| match error {
        Error::ProjectNotFound => fault("must be in the list"),
        error => error,
    })
}

async fn revoke(request: PageRequest) -> Answer {
    let id = request.segment("key").parse().map(KeyId).map_err(|_| Error::KeyNotFound)?;
    let reach = request.reach();
    request
        .app
        .write(move |tx| {
            scoped::check_key(tx, &reach, id)?;
            keys::revoke(tx, id)
        })
        .await?;
    request.app.reload_keys()?;
    Ok(request.go_and_say(PROJECTS, Flash::KeyRevoked))
}
