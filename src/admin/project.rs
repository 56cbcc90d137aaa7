//! A project's name, and its deletion: a page that is its own preview, and a form that asks for the name
//! to be typed.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::erase::stated_legal_basis;
use super::flash::Flash;
use super::page::{Page, sentence};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::{self, PROJECTS};
use super::show::{Count, plain};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::erasure::project_deletion;
use crate::error::{Error, Place, Result};
use crate::model::{Origin, Project};
use crate::projects;
use crate::trace::LegalBasis;

const PATH: &str = "/admin/projects/{project}";

pub fn routes() -> Vec<Route> {
    let gate = || Access::May(Permission::MakeProjects);
    vec![
        Route::new(Method::GET, PATH, gate(), show),
        Route::new(Method::POST, "/admin/projects/{project}/name", gate(), rename),
        Route::new(Method::POST, "/admin/projects/{project}/delete", gate(), delete),
    ]
}

#[derive(Template)]
#[template(path = "project.html")]
struct ProjectPage {
    page: Page,
    name: String,
    action: String,
    rows: Vec<(&'static str, Count)>,
    new_name: String,
    name_error: Option<String>,
    typed: String,
    confirm_error: Option<String>,
    /// The name has characters in it that cannot be seen.
    unseen: bool,
    grounds: [(&'static str, &'static str); LegalBasis::ALL.len()],
    ground: &'static str,
}

/// What was typed, and what is wrong with it.
#[derive(Default)]
struct Faults {
    name: Option<String>,
    confirm: Option<String>,
}

async fn show(request: PageRequest) -> Answer {
    let project = project(&request)?;
    page(&request, &project, Faults::default()).await
}

fn project(request: &PageRequest) -> Result<Project> {
    request.app.read(|db| scoped::project(db, &request.reach(), request.segment("project")))
}

async fn page(request: &PageRequest, project: &Project, faults: Faults) -> Answer {
    let id = project.id;
    let counts = request.app.scan(move |db| project_deletion::preview(db, id)).await?;
    let is_good = faults.name.is_none() && faults.confirm.is_none();
    let mut page = request.page("projects", "Rename or delete")?;
    page.path = paths::project(project);
    let page = ProjectPage {
        page,
        name: project.name.clone(),
        action: paths::project(project),
        rows: vec![
            ("Users", Count(counts.live)),
            ("Users in the trash", Count(counts.trash)),
            ("Users with account deleted, activity kept", Count(counts.detached)),
            ("Scheduled deletions (cancelled)", Count(counts.scheduled)),
            ("API keys (revoked)", Count(counts.keys)),
            ("Suppressed users", Count(counts.suppressions)),
        ],
        new_name: match &faults.name {
            Some(_) => request.form.text("name").to_owned(),
            None => project.name.clone(),
        },
        name_error: faults.name,
        typed: request.form.text("confirm").to_owned(),
        confirm_error: faults.confirm,
        unseen: plain(&project.name) != project.name,
        grounds: LegalBasis::ALL.map(|ground| (ground.as_str(), ground.words())),
        ground: stated_legal_basis(request)?.as_str(),
    };
    request.html(if is_good { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }, &page)
}

async fn rename(request: PageRequest) -> Answer {
    let project = project(&request)?;
    let (id, name) = (project.id, request.form.text("name").to_owned());
    let error = match request.app.write(move |tx| projects::rename(tx, id, &name)).await {
        Ok(_) => return Ok(request.go_and_say(PROJECTS, Flash::ProjectRenamed)),
        Err(Error::NameTaken { .. }) => "Another project has this name.".to_owned(),
        Err(Error::Invalid(faults)) => {
            faults.first().map(|fault| sentence("The name", &fault.message)).unwrap_or_default()
        }
        Err(error) => return Err(error),
    };
    page(&request, &project, Faults { name: Some(error), ..Faults::default() }).await
}

async fn delete(request: PageRequest) -> Answer {
    let project = project(&request)?;
    let (id, typed) = (project.id, request.form.text("confirm").to_owned());
    stated_legal_basis(&request)?.is();
    let begun = request.app.write(move |tx| {
        project_deletion::begin_confirmed(tx, id, (Place::Body, typed.as_str()), Origin::Page)
    });
    match begun.await {
        Ok(_) => {
            request.app.reload_keys()?;
            Ok(request.go_and_say(PROJECTS, Flash::ProjectDeleted))
        }
        Err(Error::Invalid(_)) => {
            let error = format!("That doesn't match. Type {} exactly. Nothing was deleted.", project.name);
            page(&request, &project, Faults { confirm: Some(error), ..Faults::default() }).await
        }
        Err(error) => Err(error),
    }
}
