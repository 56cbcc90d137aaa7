//! Admins: who they are, what each may do, and how they come and go.

use crate::store::ErasingTx;
use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::link;
use super::page::{Page, sentence};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::show::{Time, plain};
use crate::access::admin_rights::LastOwner;
use crate::access::roles::Permission::ManageAdmins;
use crate::access::{admin_rights, admins};
use crate::error::{Error, Place, Result};
use crate::model::{Admin, AdminId, Project, Reach, Role};
use crate::projects;

const PATH: &str = "/admin/admins";

pub fn routes() -> Vec<Route> {
    let gate = Access::May(ManageAdmins);
    vec![
        Route::new(Method::GET, PATH, gate, list),
        Route::new(Method::POST, PATH, gate, create),
        Route::new(Method::GET, "/admin/admins/{admin}", gate, show),
        Route::new(Method::POST, "/admin/admins/{admin}/name", gate, rename),
        Route::new(Method::POST, "/admin/admins/{admin}/rights", gate, change),
        Route::new(Method::POST, "/admin/admins/{admin}/reset", gate, reset),
        Route::new(Method::POST, "/admin/admins/{admin}/remove", gate, remove),
    ]
}

fn path(id: AdminId) -> String {
    format!("{PATH}/{id}")
}

#[derive(Template)]
#[template(path = "admins.html")]
struct AdminsPage {
    page: Page,
    admins: Vec<Row>,
    form: Form,
}

#[derive(Template)]
#[template(path = "admin.html")]
struct AdminPage {
    page: Page,
    admin: Row,
    form: Form,
}

/// Shows a link, once.
#[derive(Template)]
#[template(path = "admin_link.html")]
struct LinkPage {
    page: Page,
    name: String,
    link: String,
    is_new: bool,
}

struct Row {
    id: AdminId,
    name: String,
    role: &'static str,
    projects: String,
    created: Time,
    signed_in: Option<Time>,
    has_password: bool,
    is_self: bool,
}

/// A name, a role and projects, as they are or as they were sent, and what is wrong with them.
struct Form {
    name: String,
    roles: Vec<RoleChoice>,
    all: bool,
    projects: Vec<ProjectChoice>,
    error: Option<String>,
    error_field: &'static str,
}

struct RoleChoice {
    value: &'static str,
    label: &'static str,
    hint: &'static str,
    selected: bool,
}

struct ProjectChoice {
    key: String,
    name: String,
    checked: bool,
}

/// What is wrong with a form: its field, and the sentence.
type Fault = (&'static str, String);

impl Row {
    fn new(request: &PageRequest, admin: &Admin, all: &[Project]) -> Row {
        Row {
            id: admin.id,
            name: plain(&admin.name),
            role: admin.role.label(),
            projects: match &admin.reach {
                Reach::All => "all projects".to_owned(),
                Reach::Only(_) => {
                    let names = all.iter().filter(|project| admin.reach.has(project.id));
                    let names: Vec<String> = names.map(|project| plain(&project.name)).collect();
                    if names.is_empty() { "no projects".to_owned() } else { names.join(", ") }
                }
            },
            created: Time::new(admin.created_at, request.now),
            signed_in: admin.signed_in_at.map(|at| Time::new(at, request.now)),
            has_password: admin.has_password(),
            is_self: request.admin().is_ok_and(|own| own.id == admin.id),
        }
    }
}

impl Form {
    fn new(name: &str, role: Role, reach: &Reach, all: &[Project]) -> Form {
        let choice = |role: Role, selected: bool| RoleChoice {
            value: role.as_str(),
            label: role.label(),
            hint: hint(role),
            selected,
        };
        let project = |project: &Project| ProjectChoice {
            key: project.key.clone(),
            name: plain(&project.name),
            checked: !reach.is_all() && reach.has(project.id),
        };
        Form {
            name: name.to_owned(),
            roles: Role::ALL.map(|one| choice(one, one == role)).into(),
            all: reach.is_all(),
            projects: all.iter().map(project).collect(),
            error: None,
            error_field: "",
        }
    }

    /// As it was sent.
    fn sent(request: &PageRequest, name: &str, all: &[Project], (error_field, error): Fault) -> Form {
        let role = Role::parse(request.form.text("role")).unwrap_or(Role::Auditor);
        let ticked: Vec<&str> = request.form.all("projects").collect();
        let listed = all.iter().filter(|project| ticked.contains(&project.key.as_str()));
        let reach = match request.form.text("reach") {
            "all" => Reach::All,
            _ => Reach::Only(listed.map(|project| project.id).collect()),
        };
        Form { error: Some(error), error_field, ..Form::new(name, role, &reach, all) }
    }
}

fn hint(role: Role) -> &'static str {
    match role {
        Role::Owner => "everything",
        Role::PrivacyOfficer => "users, deletions, receipts, audit log and backups; no keys, no admins",
        Role::Support => "finds one user at a time, values masked; moves to trash and restores",
        Role::Auditor => "reads jobs, receipts and the audit log; sees no users",
    }
}

async fn list(request: PageRequest) -> Answer {
    overview(&request, StatusCode::OK, None)
}

fn overview(request: &PageRequest, status: StatusCode, fault: Option<Fault>) -> Answer {
    let (all, projects) = request.app.read(|db| Ok((admins::list(db)?, projects::list(db)?)))?;
    let form = match fault {
        Some(fault) => Form::sent(request, request.form.text("name"), &projects, fault),
        // The role that may do the least, unless another is chosen.
        None => Form::new("", Role::Auditor, &Reach::All, &projects),
    };
    let page = AdminsPage {
        page: own(request, "Admins")?,
        admins: all.iter().map(|admin| Row::new(request, admin, &projects)).collect(),
        form,
    };
    request.html(status, &page)
}

/// A page that a form may have led to: the theme's buttons come back to the list.
fn own(request: &PageRequest, title: impl Into<String>) -> Result<Page> {
    Ok(Page { path: PATH.to_owned(), ..request.page("admins", title)? })
}

async fn show(request: PageRequest) -> Answer {
    one(&request, StatusCode::OK, None)
}

fn one(request: &PageRequest, status: StatusCode, fault: Option<Fault>) -> Answer {
    let id = id(request)?;
    let (admin, projects) = request.app.read(|db| Ok((admin_rights::get(db, id)?, projects::list(db)?)))?;
    let form = match fault {
        Some(fault @ ("name", _)) => Form {
            error: Some(fault.1),
            error_field: fault.0,
            ..Form::new(request.form.text("name"), admin.role, &admin.reach, &projects)
        },
        Some(fault) => Form::sent(request, &admin.name, &projects, fault),
        None => Form::new(&admin.name, admin.role, &admin.reach, &projects),
    };
    let row = Row::new(request, &admin, &projects);
    let page = AdminPage { page: own(request, row.name.clone())?, admin: row, form };
    request.html(status, &page)
}

fn id(request: &PageRequest) -> Result<AdminId> {
    request.segment("admin").parse().map(AdminId).map_err(|_| Error::NotFound("admin"))
}

/// The role and the projects that a form asks for. [`Error::Invalid`] on `role` or `projects`.
fn rights(request: &PageRequest) -> Result<(Role, Reach)> {
    let fault = |field: &str, why: &str| Error::invalid(Place::Body, field, why);
    let role = Role::parse(request.form.text("role")).ok_or_else(|| fault("role", "must be chosen"))?;
    let reach = match request.form.text("reach") {
        "all" => Reach::All,
        "some" => {
            let all = request.app.read(projects::list)?;
            let find = |key: &str| {
                let project = all.iter().find(|project| project.key == key);
                project.map(|project| project.id).ok_or_else(|| fault("projects", "must be in the list"))
            };
            Reach::Only(request.form.all("projects").map(find).collect::<Result<_>>()?)
        }
        // One that is left out must not become all.
        _ => return Err(fault("projects", "must be chosen")),
    };
    Ok((role, reach))
}

/// What is wrong with a form, if that is what an error says.
fn fault(error: Error) -> Result<Fault> {
    match error {
        Error::NameTaken { .. } => Ok(("name", "Another admin has this name.".to_owned())),
        Error::Invalid(faults) => {
            let Some(fault) = faults.into_iter().next() else { return Ok(("name", String::new())) };
            Ok(match fault.field.as_str() {
                "name" => ("name", sentence("The name", &fault.message)),
                "role" => ("role", sentence("The role", &fault.message)),
                _ => ("projects", sentence("The projects", &fault.message)),
            })
        }
        error => Err(error),
    }
}

async fn create(request: PageRequest) -> Answer {
    let name = request.form.text("name").to_owned();
    let made = match rights(&request) {
        Ok((role, reach)) => request.app.write(move |tx| admin_rights::invite(tx, &name, role, &reach)).await,
        Err(error) => Err(error),
    };
    match made {
        Ok((admin, token)) => shown(&request, &admin, &token, true),
        Err(error) => overview(&request, StatusCode::UNPROCESSABLE_ENTITY, Some(fault(error)?)),
    }
}

fn shown(request: &PageRequest, admin: &Admin, token: &str, is_new: bool) -> Answer {
    let page = LinkPage {
        page: own(request, "Link to set a password")?,
        name: plain(&admin.name),
        link: format!("{}{}", request.app.edge().address(), link::path(token)),
        is_new,
    };
    request.html(StatusCode::OK, &page)
}

async fn rename(request: PageRequest) -> Answer {
    let (id, name) = (id(&request)?, request.form.text("name").to_owned());
    match request.app.write(move |tx| admin_rights::rename(tx, id, &name)).await {
        Ok(()) => Ok(request.go_and_say(&path(id), Flash::AdminChanged)),
        Err(error @ Error::NotFound(_)) => Err(error),
        Err(error) => one(&request, StatusCode::UNPROCESSABLE_ENTITY, Some(fault(error)?)),
    }
}

async fn change(request: PageRequest) -> Answer {
    let id = id(&request)?;
    let changed = match rights(&request) {
        Ok((role, reach)) => {
            let change = move |tx: &ErasingTx| admin_rights::change(tx, id, role, &reach, LastOwner::Stays);
            request.app.write(change).await
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(()) => Ok(request.go_and_say(&path(id), Flash::AdminChanged)),
        Err(error) => one(&request, StatusCode::UNPROCESSABLE_ENTITY, Some(fault(error)?)),
    }
}

async fn reset(request: PageRequest) -> Answer {
    let id = id(&request)?;
    let reset =
        request.app.write(move |tx| Ok((admin_rights::get(tx, id)?, admin_rights::reset_password(tx, id)?)));
    let (admin, token) = reset.await?;
    shown(&request, &admin, &token, false)
}

async fn remove(request: PageRequest) -> Answer {
    let id = id(&request)?;
    request.app.write(move |tx| admin_rights::remove(tx, id, LastOwner::Stays)).await?;
    Ok(request.go_and_say(PATH, Flash::AdminRemoved))
}
