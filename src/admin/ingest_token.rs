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
use crate::admin::scoped;
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

async fn show(request: PageRequest) -> Answer {
    page(&request, StatusCode::OK, (rotation::OVERLAP / HOUR).to_string(), None)
}

fn project(request: &PageRequest) -> Result<Project> {
    request.app.read(|db| scoped::project(db, &request.reach(), request.segment("project")))
}

fn page(request: &PageRequest, status: StatusCode, overlap: String, error: Option<String>) -> Answer {
    let project = project(request)?;
    let old = request.app.read(rotation::list)?;
    let old = Old::all(Credential::Token(project.id), &old, request.now);
    let mut page = request.page("projects", "Ingest token")?;
    page.path = path(&project);
    let page = TokenPage {
        page,
        project: plain(&project.name),
        action: path(&project),
        last_used: project.token_used_at.map(|at| Time::new(at, request.now)),
        token: project.ingest_token,
        overlap,
        error,
        any_good: old.iter().any(Old::is_good),
        old,
    };
    request.html(status, &page)
}

async fn rotate(request: PageRequest) -> Answer {
    let project = project(&request)?;
    let id = project.id;
    let rotated = match overlap(&request) {
        Ok(overlap) => request.app.write(move |tx| rotation::of_token(tx, id, overlap)).await,
        Err(error) => Err(error),
    };
    match rotated {
        Ok(_) => {
            request.app.reload_keys()?;
            Ok(request.go_and_say(&path(&project), Flash::TokenRotated))
        }
        Err(Error::Invalid(faults)) => {
            let error = faults.first().map(|fault| key_form::worded(fault).text);
            let typed = request.form.text("overlap").to_owned();
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, typed, error)
        }
        Err(error) => Err(error),
    }
}

async fn end_old(request: PageRequest) -> Answer {
    let project = project(&request)?;
    end_replaced(&request, Credential::Token(project.id), &path(&project)).await
}
