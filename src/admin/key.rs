//! One key: its name, its end, where it is good from, and its secrets.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::key_form::{self, KeyRow};
use super::keys as list;
use super::page::{Page, capital};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::show::{Count, Time, plain};
use crate::access::keys::Change;
use crate::access::roles::Permission;
use crate::access::{key_addresses, keys, rotation};
use crate::admin::scoped;
use crate::clock::{self, HOUR, Millis};
use crate::error::{Error, Place, Result};
use crate::model::{Credential, Key, KeyId, OldSecret, Project};
use crate::projects;
use crate::store::Db;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/admin/keys/{key}", Access::May(Permission::ChangeCredentials), show),
        Route::new(Method::POST, "/admin/keys/{key}", Access::May(Permission::ChangeCredentials), change),
        Route::new(
            Method::POST,
            "/admin/keys/{key}/rotate",
            Access::May(Permission::ChangeCredentials),
            rotate,
        ),
        Route::new(
            Method::POST,
            "/admin/keys/{key}/end-old",
            Access::May(Permission::ChangeCredentials),
            end_old,
        ),
    ]
}

#[derive(Template)]
#[template(path = "key.html")]
struct KeyPage {
    page: Page,
    key: KeyRow,
    action: String,
    form: Form,
    errors: Vec<String>,
    /// Requests from addresses that it is not good from.
    refused: Count,
    old: Vec<Old>,
    any_good: bool,
}

/// A secret that was replaced.
pub struct Old {
    pub hint: String,
    pub ends: Time,
    is_good: bool,
    pub last_used: Option<Time>,
}

impl Old {
    pub fn all(of: Credential, old: &[OldSecret], now: Millis) -> Vec<Old> {
        let row = |old: &OldSecret| Old {
            hint: old.hint.clone(),
            ends: Time::new(old.ends_at, now),
            is_good: now < old.ends_at,
            last_used: old.last_used_at.map(|at| Time::new(at, now)),
        };
        old.iter().filter(|old| old.of == of).map(row).collect()
    }

    pub fn is_good(&self) -> bool {
        self.is_good
    }
}

/// What stands in the fields: as the key has it, or as it was typed.
struct Form {
    name: String,
    expires: String,
    /// One a line.
    addresses: String,
    overlap: String,
}

impl Form {
    fn of(key: &Key) -> Form {
        let end = |at: Millis| match clock::parse_date(&clock::date(at)) {
            Some(day) if day == at => clock::date(at),
            _ => clock::rfc3339(at),
        };
        Form {
            name: key.name.clone(),
            expires: key.expires_at.map(end).unwrap_or_default(),
            addresses: key.addresses.join("\n"),
            overlap: (rotation::OVERLAP / HOUR).to_string(),
        }
    }
}

struct Held {
    key: Key,
    projects: Vec<Project>,
    old: Vec<OldSecret>,
}

/// [`Error::KeyNotFound`] for one that is revoked, too: nothing can be done with it.
fn held(request: &PageRequest) -> Result<Held> {
    let (id, reach) = (id(request)?, request.reach());
    request.app.read(|db: &Db| {
        scoped::check_key(db, &reach, id)?;
        Ok(Held { key: keys::good(db, id)?, projects: projects::list(db)?, old: rotation::list(db)? })
    })
}

fn id(request: &PageRequest) -> Result<KeyId> {
    request.segment("key").parse().map(KeyId).map_err(|_| Error::KeyNotFound)
}

fn path(id: KeyId) -> String {
    format!("/admin/keys/{id}")
}

async fn show(request: PageRequest) -> Answer {
    let held = held(&request)?;
    let form = Form::of(&held.key);
    page(&request, StatusCode::OK, &held, form, Vec::new())
}

fn page(request: &PageRequest, status: StatusCode, held: &Held, form: Form, errors: Vec<String>) -> Answer {
    let Held { key, projects, old } = held;
    let mut page = request.page("projects", format!("Key “{}”", plain(&key.name)))?;
    page.path = path(key.id);
    let refused = Count(key.refused_addresses);
    let row = KeyRow::new(key, projects, old, request.now);
    let old = Old::all(Credential::Key(key.id), old, request.now);
    let any_good = old.iter().any(Old::is_good);
    request
        .html(status, &KeyPage { action: path(key.id), page, key: row, form, errors, refused, old, any_good })
}

async fn change(request: PageRequest) -> Answer {
    let id = id(&request)?;
    let text = |name: &str| request.form.text(name).trim().to_owned();
    let (name, expires, addresses) = (text("name"), text("expires"), text("addresses"));
    // Also whether the key is there for this admin.
    let before = Form::of(&held(&request)?.key);
    let asked = || {
        Ok(Change {
            name: Some(name.clone()),
            // One that is not touched stays to the millisecond, which the field does not show.
            expires_at: match expires.as_str() {
                same if same == before.expires => None,
                "" => Some(None),
                text => Some(Some(keys::parse_end(text)?)),
            },
            addresses: Some(key_addresses::split(&addresses)),
        })
    };
    let changed = match asked() {
        // An end that comes earlier is one: it is taken though the disk is full.
        Ok(change) => request.app.write(move |tx| keys::change(tx, id, &change)).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => {
            request.app.reload_keys()?;
            Ok(request.go_and_say(&path(id), Flash::KeyChanged))
        }
        Err(Error::Invalid(faults)) => {
            let errors = faults.iter().map(|fault| key_form::worded(fault).text).collect();
            let form = Form { name, expires, addresses, overlap: before.overlap };
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, &held(&request)?, form, errors)
        }
        Err(error) => Err(error),
    }
}

/// How long the secret before stays good, as the form has it in hours.
pub fn overlap(request: &PageRequest) -> Result<Millis> {
    let hours = request.form.text("overlap").trim().parse::<i64>();
    let fault = |_| Error::invalid(Place::Body, "overlap", "must be a whole number of hours");
    Ok(hours.map_err(fault)?.saturating_mul(HOUR))
}

async fn rotate(request: PageRequest) -> Answer {
    let id = held(&request)?.key.id;
    let rotated = match overlap(&request) {
        Ok(overlap) => request.app.write(move |tx| rotation::of_key(tx, id, overlap)).await,
        Err(error) => Err(error),
    };
    let error = match rotated {
        Ok((key, secret)) => {
            request.app.reload_keys()?;
            let Held { projects, old, .. } = held(&request)?;
            let project = projects.iter().find(|project| Some(project.id) == key.project);
            let before =
                old.iter().filter(|old| old.of == Credential::Key(id)).max_by_key(|old| old.replaced_at);
            let until = before.map(|old| old.ends_at);
            return list::show_secret(&request, "rotated", &key, project, secret, until);
        }
        Err(Error::Invalid(faults)) => faults.first().map(|fault| key_form::worded(fault).text),
        Err(error @ Error::Conflict(_)) => Some(capital(&error.to_string())),
        Err(error) => return Err(error),
    };
    let held = held(&request)?;
    let form = Form { overlap: request.form.text("overlap").to_owned(), ..Form::of(&held.key) };
    page(&request, StatusCode::UNPROCESSABLE_ENTITY, &held, form, error.into_iter().collect())
}

async fn end_old(request: PageRequest) -> Answer {
    let id = held(&request)?.key.id;
    end_replaced(&request, Credential::Key(id), &path(id)).await
}

/// Ends the secrets that were replaced, at once, and goes on to the page of what they were of.
pub async fn end_replaced(request: &PageRequest, of: Credential, page: &str) -> Answer {
    match request.app.write(move |tx| rotation::end_old(tx, of)).await {
        // They have ended meanwhile.
        Ok(()) | Err(Error::Conflict(_)) => {}
        Err(error) => return Err(error),
    }
    request.app.reload_keys()?;
    Ok(request.go_and_say(page, Flash::OldSecretsEnded))
}
