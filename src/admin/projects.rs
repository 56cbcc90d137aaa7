//! Projects and keys: the page with both, and making a project.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::key_form::{Fault as KeyFault, KeyForm, KeyRow};
use super::page::{Page, capital, sentence};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::PROJECTS as PATH;
use super::show::{Count, Time, many, plain};
use super::{paths, repairs, settings};
use crate::access::roles::Permission;
use crate::access::rotation;
use crate::admin::scoped;
use crate::error::Error;
use crate::model::{Intake, Project, ProjectId, PublicWrites};
use crate::projects;
use crate::projects::origins;
use crate::store::Db;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, PATH, Access::May(Permission::SeeProjects), list),
        Route::new(Method::POST, PATH, Access::May(Permission::MakeProjects), create),
        Route::new(
            Method::POST,
            "/admin/projects/{project}/origins",
            Access::May(Permission::ChangeCredentials),
            set_origins,
        ),
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
    /// A proxy in front may be missing from the settings.
    unproven_headers: bool,
}

struct Row {
    name: String,
    key: String,
    ingest_token: String,
    /// The page on which the token is replaced.
    token: String,
    created: Time,
    /// What public credentials may write, in words.
    public_writes: &'static str,
    per_address: Count,
    per_hour: Count,
    erased_kept: String,
    repairs: String,
    settings: String,
    /// The page of its name and its deletion.
    own: String,
    /// As it stands in the form: one origin a line.
    origins: String,
    origins_error: Option<String>,
    refused_origins: Count,
}

/// What was typed for a new project, and what is wrong with it.
#[derive(Default)]
pub struct ProjectForm {
    pub name: String,
    pub error: Option<String>,
}

/// What was typed for a project's origins, and what is wrong with it.
struct OriginsForm {
    project: ProjectId,
    text: String,
    error: String,
}

async fn list(request: PageRequest) -> Answer {
    show(&request, StatusCode::OK, ProjectForm::default(), None).await
}

/// The page, with one of its forms as it was sent if there was something wrong with it.
pub async fn show(
    request: &PageRequest,
    status: StatusCode,
    project_form: ProjectForm,
    key_fault: Option<KeyFault>,
) -> Answer {
    show_with(request, status, project_form, None, key_fault).await
}

async fn show_with(
    request: &PageRequest,
    status: StatusCode,
    project_form: ProjectForm,
    origins_form: Option<OriginsForm>,
    key_fault: Option<KeyFault>,
) -> Answer {
    let reach = request.reach();
    let read =
        move |db: &Db| Ok((scoped::projects(db, &reach)?, scoped::keys(db, &reach)?, rotation::list(db)?));
    let (projects, keys, old) = request.app.scan(read).await?;
    let row = |project: &Project| {
        let form = origins_form.as_ref().filter(|form| form.project == project.id);
        Row {
            name: plain(&project.name),
            key: project.key.clone(),
            ingest_token: project.ingest_token.clone(),
            token: paths::token(project),
            created: Time::new(project.created_at, request.now),
            public_writes: allowed(project.intake.public_writes),
            per_address: Count(project.intake.per_address().into()),
            per_hour: Count(project.intake.per_hour().into()),
            erased_kept: kept(&project.intake),
            repairs: repairs::path(project),
            settings: settings::path(project),
            own: paths::project(project),
            origins: form.map_or_else(|| project.origins.join("\n"), |form| form.text.clone()),
            origins_error: form.map(|form| form.error.clone()),
            refused_origins: Count(project.refused_origins),
        }
    };
    let mut page = request.page("projects", "Projects & keys")?;
    page.path = PATH.to_owned();
    let page = ProjectsPage {
        page,
        projects: projects.iter().map(row).collect(),
        project_form,
        keys: keys.iter().rev().map(|key| KeyRow::new(key, &projects, &old, request.now)).collect(),
        key_form: KeyForm::new(request, &projects, key_fault),
        unproven_headers: request.has_unproven_headers(),
    };
    request.html(status, &page)
}

fn allowed(writes: PublicWrites) -> &'static str {
    match writes {
        PublicWrites::Open => "events and profile data of all users",
        PublicWrites::OwnVisitors => "events, and profile data of visitors and new users",
        PublicWrites::EventsOnly => "events only",
    }
}

fn kept(intake: &Intake) -> String {
    match (intake.erased_kept_days, &intake.erased_kept_why) {
        (Some(days), _) => many(days.into(), "day"),
        (None, why) => format!("kept forever: {}", plain(why.as_deref().unwrap_or_default())),
    }
}

async fn create(request: PageRequest) -> Answer {
    let name = request.form.text("name").to_owned();
    let made = {
        let name = name.clone();
        request.app.write(move |tx| projects::create(tx, &name, "web")).await
    };
    let error = match made {
        Ok(_) => {
            request.app.reload_keys()?;
            return Ok(request.go_and_say(PATH, Flash::ProjectCreated));
        }
        Err(Error::NameTaken { .. }) => "Another project has this name.".to_owned(),
        Err(Error::Invalid(faults)) => {
            faults.first().map(|fault| sentence("The name", &fault.message)).unwrap_or_default()
        }
        Err(error) => return Err(error),
    };
    let form = ProjectForm { name, error: Some(error) };
    show(&request, StatusCode::UNPROCESSABLE_ENTITY, form, None).await
}

/// The sites whose pages may send to a project.
async fn set_origins(request: PageRequest) -> Answer {
    let key = request.segment("project").to_owned();
    let text = request.form.text("origins").to_owned();
    let list = origins::split(&text);
    let project = request.app.read(|db| scoped::project(db, &request.reach(), &key))?.id;
    let set = request.app.write(move |tx| projects::set_origins(tx, project, &list)).await;
    let error = match set {
        Ok(_) => {
            request.app.reload_keys()?;
            return Ok(request.go_and_say(PATH, Flash::OriginsSet));
        }
        Err(error @ Error::Invalid(_)) => capital(&error.to_string()),
        Err(error) => return Err(error),
    };
    let form = OriginsForm { project, text, error };
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    show_with(&request, status, ProjectForm::default(), Some(form), None).await
}
