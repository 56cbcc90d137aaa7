//! A project's ingest token, which is replaced here.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::key::{Old, end_replaced, overlap};
use super::key_form;
use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::token as path;
use super::show::{Time, plain};
use crate::access::roles::Permission;
use crate::access::rotation;
use crate::admin::within;
use crate::clock::HOUR;
use crate::error::{Error, Result};
use crate::model::{Credential, Project};

const PATH: &str = "/admin/projects/{project}/token";

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, PATH, Access::May(Permission::ChangeCredentials), show),
        Route::new(
            Method::POST,
            "/admin/projects/{project}/token/rotate",
            Access::May(Permission::ChangeCredentials),
            rotate,
        ),
        Route::new(
            Method::POST,
            "/admin/projects/{project}/token/end-old",
            Access::May(Permission::ChangeCredentials),
            end_old,
        ),
    ]
}

#[derive(Template)]
#[template(path = "token.html")]
struct TokenPage {
    page: Page,
    project: String,
    action: String,
    token: String,
    last_used: Option<Time>,
    overlap: String,
    error: Option<String>,
    old: Vec<Old>,
    any_good: bool,
}

async fn show(visit: PageRequest) -> Answer {
    page(&visit, StatusCode::OK, (rotation::OVERLAP / HOUR).to_string(), None)
}

fn project(visit: &PageRequest) -> Result<Project> {
    visit.app.read(|db| within::project(db, &visit.reach(), visit.segment("project")))
}

fn page(visit: &PageRequest, status: StatusCode, overlap: String, error: Option<String>) -> Answer {
    let project = project(visit)?;
    let old = visit.app.read(rotation::list)?;
    let old = Old::all(Credential::Token(project.id), &old, visit.now);
    let mut page = visit.page("projects", "Ingest token")?;
    page.path = path(&project);
    let page = TokenPage {
        page,
        project: plain(&project.name),
        action: path(&project),
        last_used: project.token_used_at.map(|at| Time::new(at, visit.now)),
        token: project.ingest_token,
        overlap,
        error,
        any_good: old.iter().any(Old::is_good),
        old,
    };
    visit.html(status, &page)
}

async fn rotate(visit: PageRequest) -> Answer {
    let project = project(&visit)?;
    let id = project.id;
    let rotated = match overlap(&visit) {
        Ok(overlap) => visit.app.write(move |tx| rotation::of_token(tx, id, overlap)).await,
        Err(error) => Err(error),
    };
    match rotated {
        Ok(_) => {
            visit.app.reload_keys()?;
            Ok(visit.go_and_say(&path(&project), Flash::TokenRotated))
        }
        Err(Error::Invalid(faults)) => {
            let error = faults.first().map(|fault| key_form::worded(fault).text);
            let typed = visit.form.text("overlap").to_owned();
            page(&visit, StatusCode::UNPROCESSABLE_ENTITY, typed, error)
        }
        Err(error) => Err(error),
    }
}

async fn end_old(visit: PageRequest) -> Answer {
    let project = project(&visit)?;
    end_replaced(&visit, Credential::Token(project.id), &path(&project)).await
}
