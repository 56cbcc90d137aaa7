//! A project's settings: how it takes messages in, and for how long it remembers who was erased.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::page::{Page, sentence};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::PROJECTS;
use super::show::plain;
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::error::{Error, FieldError, Place, Result};
use crate::model::{Intake, Project, PublicWrites};
use crate::people::placeholders;
use crate::projects::{self as rules, Change, Kept};

const PATH: &str = "/admin/projects/{project}/settings";
/// A thousand names, each as long as may be, as a form has them.
const FORM_MAX: usize = 4 * 1024 * 1024;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, PATH, Access::May(Permission::SeeProjects), show),
        Route::new(Method::POST, PATH, Access::May(Permission::ChangeSettings), save).form_max(FORM_MAX),
    ]
}

pub fn path(project: &Project) -> String {
    format!("{}/{}/settings", PROJECTS, project.key)
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    page: Page,
    project: String,
    action: String,
    errors: Vec<String>,
    choices: Vec<Choice>,
    form: Form,
    usual_per_address: u32,
    usual_per_hour: u32,
    usual_placeholders: String,
    has_secret: bool,
}

struct Choice {
    word: &'static str,
    label: &'static str,
    hint: &'static str,
    selected: bool,
}

/// What stands in the fields: as the project has it, or as it was typed.
#[derive(Default)]
struct Form {
    public_writes: String,
    /// Empty: the usual number.
    per_address: String,
    per_hour: String,
    usual_names: bool,
    /// One a line.
    placeholders: String,
    for_good: bool,
    days: String,
    why: String,
    removes_secret: bool,
}

impl Form {
    fn of(intake: &Intake) -> Form {
        let number = |number: Option<u32>| number.map_or_else(String::new, |number| number.to_string());
        Form {
            public_writes: intake.public_writes.word().to_owned(),
            per_address: number(intake.people_per_address),
            per_hour: number(intake.people_per_hour),
            usual_names: intake.placeholders.is_none(),
            placeholders: intake.placeholders.as_deref().unwrap_or_default().join("\n"),
            for_good: intake.erased_kept_days.is_none(),
            days: number(intake.erased_kept_days),
            why: intake.erased_kept_why.clone().unwrap_or_default(),
            removes_secret: false,
        }
    }

    fn typed(request: &PageRequest) -> Form {
        let text = |name: &str| request.form.text(name).trim().to_owned();
        Form {
            public_writes: text("public_writes"),
            per_address: text("per_address"),
            per_hour: text("per_hour"),
            usual_names: request.form.given("usual_names").is_some(),
            placeholders: text("placeholders"),
            for_good: request.form.given("for_good").is_some(),
            days: text("days"),
            why: text("why"),
            removes_secret: request.form.given("remove_secret").is_some(),
        }
    }

    /// What it asks for. [`Error::Invalid`] for what is no number.
    fn change(&self, secret: Option<String>) -> Result<Change> {
        let mut faults = Vec::new();
        let change = Change {
            public_writes: Some(self.public_writes.clone()),
            people_per_address: quota(&mut faults, "peoplePerAddress", &self.per_address),
            people_per_hour: quota(&mut faults, "peoplePerHour", &self.per_hour),
            placeholders: Some((!self.usual_names).then(|| lines(&self.placeholders))),
            erased_kept: match self.for_good {
                true => Some(Kept::Forever),
                false => number(&mut faults, "erasedKeptDays", &self.days).map(Kept::Days),
            },
            // A reason is one for keeping them for good.
            erased_kept_why: Some(Some(self.why.clone()).filter(|_| self.for_good)),
            client_secret: match self.removes_secret {
                true => Some(None),
                false => secret.map(Some),
            },
            ..Change::default()
        };
        if faults.is_empty() { Ok(change) } else { Err(Error::Invalid(faults)) }
    }
}

fn quota(faults: &mut Vec<FieldError>, field: &str, text: &str) -> Option<Option<i64>> {
    if text.is_empty() { Some(None) } else { number(faults, field, text).map(Some) }
}

fn number(faults: &mut Vec<FieldError>, field: &str, text: &str) -> Option<i64> {
    let number = text.parse().ok();
    if number.is_none() {
        faults.push(FieldError::new(Place::Body, field, "must be a whole number"));
    }
    number
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

async fn show(request: PageRequest) -> Answer {
    let project = project(&request)?;
    let form = Form::of(&project.intake);
    page(&request, StatusCode::OK, &project, form, Vec::new())
}

/// Nothing is changed unless all of it is good.
async fn save(request: PageRequest) -> Answer {
    let project = project(&request)?;
    let form = Form::typed(&request);
    let secret = request.form.some("client_secret").map(str::to_owned);
    if secret.is_some() || form.removes_secret {
        request.check(Permission::ChangeCredentials)?;
    }
    let (id, change) = (project.id, form.change(secret));
    let saved = match change {
        Ok(change) => request.app.write(move |tx| rules::change(tx, id, &change)).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(_) => {
            request.app.reload_keys()?;
            Ok(request.go_and_say(&path(&project), Flash::SettingsSaved))
        }
        Err(Error::Invalid(faults)) => {
            let errors = faults.iter().map(worded).collect();
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, &project, form, errors)
        }
        Err(error) => Err(error),
    }
}

fn project(request: &PageRequest) -> Result<Project> {
    request.app.read(|db| scoped::project(db, &request.reach(), request.segment("project")))
}

fn page(
    request: &PageRequest,
    status: StatusCode,
    project: &Project,
    form: Form,
    errors: Vec<String>,
) -> Answer {
    let has_secret = request.app.read(|db| rules::client_secret(db, project.id))?.is_some();
    let choice = |writes: PublicWrites| Choice {
        word: writes.word(),
        label: writes.as_str(),
        hint: hint(writes),
        selected: form.public_writes == writes.word(),
    };
    let mut page = request.page("projects", "Settings")?;
    page.path = path(project);
    let page = SettingsPage {
        page,
        project: plain(&project.name),
        action: path(project),
        errors,
        choices: PublicWrites::ALL.map(choice).into(),
        form,
        usual_per_address: Intake::PEOPLE_PER_ADDRESS,
        usual_per_hour: Intake::PEOPLE_PER_HOUR,
        usual_placeholders: placeholders::USUAL.join(", "),
        has_secret,
    };
    request.html(status, &page)
}

fn hint(writes: PublicWrites) -> &'static str {
    match writes {
        PublicWrites::Open => "events and profile data of all users",
        PublicWrites::OwnVisitors => "events, and profile data of visitors and new users",
        PublicWrites::EventsOnly => "events only, no profile data",
    }
}

/// A fault under the name that its field has on the page.
fn worded(fault: &FieldError) -> String {
    let field = match fault.field.as_str() {
        "publicWrites" => "The setting of public credentials",
        "peoplePerAddress" => "The limit per address",
        "peoplePerHour" => "The total limit",
        "placeholders" => "The list of placeholder identifiers",
        "erasedKeptDays" => "The number of days",
        "erasedKeptWhy" => "The reason",
        "clientSecret" => "The client secret",
        other => other,
    };
    sentence(field, &fault.message)
}
