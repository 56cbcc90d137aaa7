//! Projects and keys: the page with both, and making a project.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::keys::{self, KeyForm, KeyRow};
use super::page::{Page, sentence};
use super::show::{Time, plain};
use super::visit::{Answer, Gate, Route, Visit};
use crate::domain::{keys as key_rules, projects};
use crate::error::Error;
use crate::model::Project;

pub const PATH: &str = "/admin/projects";

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, PATH, Gate::SignedIn, list),
        Route::new(Method::POST, PATH, Gate::SignedIn, create),
    ]
}

#[derive(Template)]
#[template(path = "projects.html")]
struct ProjectsPage {
    page: Page,
    projects: Vec<Row>,
    project_form: ProjectForm,
    keys: Vec<KeyRow>,
    key_form: KeyForm,
}

struct Row {
    name: String,
    key: String,
    ingest_token: String,
    created: Time,
}

/// What was typed for a new project, and what is wrong with it.
#[derive(Default)]
pub struct ProjectForm {
    pub name: String,
    pub error: Option<String>,
}

async fn list(visit: Visit) -> Answer {
    show(&visit, StatusCode::OK, ProjectForm::default(), None).await
}

/// The page, with one of its forms as it was sent if there was something wrong with it.
pub async fn show(
    visit: &Visit,
    status: StatusCode,
    project_form: ProjectForm,
    key_fault: Option<keys::Fault>,
) -> Answer {
    let (projects, keys) = visit.app.scan(|db| Ok((projects::list(db)?, key_rules::list(db)?))).await?;
    let row = |project: &Project| Row {
        name: plain(&project.name),
        key: project.key.clone(),
        ingest_token: project.ingest_token.clone(),
        created: Time::new(project.created_at, visit.now),
    };
    let mut page = visit.page("projects", "Projects & keys")?;
    page.path = PATH.to_owned();
    let page = ProjectsPage {
        page,
        projects: projects.iter().map(row).collect(),
        project_form,
        keys: keys.iter().rev().map(|key| KeyRow::new(key, &projects, visit.now)).collect(),
        key_form: KeyForm::new(visit, &projects, key_fault),
    };
    visit.html(status, &page)
}

async fn create(visit: Visit) -> Answer {
    let name = visit.form.text("name").to_owned();
    let made = {
        let name = name.clone();
        visit.app.write(move |tx| projects::create(tx, &name, "web")).await
    };
    let error = match made {
        Ok(_) => {
            visit.app.reload_keys()?;
            return Ok(visit.go_and_say(PATH, Flash::ProjectCreated));
        }
        Err(Error::NameTaken(_)) => "Another project has this name.".to_owned(),
        Err(Error::Invalid(faults)) => {
            faults.first().map(|fault| sentence("The name", &fault.message)).unwrap_or_default()
        }
        Err(error) => return Err(error),
    };
    let form = ProjectForm { name, error: Some(error) };
    show(&visit, StatusCode::UNPROCESSABLE_ENTITY, form, None).await
}
