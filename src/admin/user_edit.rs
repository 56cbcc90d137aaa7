//! Changing what is held of a user, for those who were told that it is wrong.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::page::{Page, sentence};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::show::plain;
use super::user::{self, Head};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::error::Error;
use crate::model::{State, User};
use crate::people::edits::{self, Edit, Field, Outcome};
use crate::projects;

pub fn routes() -> Vec<Route> {
    let may = Access::May(Permission::EditPeople);
    vec![
        Route::new(Method::GET, "/admin/users/{user}/edit", may, show),
        Route::new(Method::POST, "/admin/users/{user}/edit", may, save),
    ]
}

#[derive(Template)]
#[template(path = "user_edit.html")]
struct EditPage {
    page: Page,
    user: Head,
    fields: Vec<Input>,
    error: Option<String>,
}

struct Input {
    name: &'static str,
    label: &'static str,
    /// As it was when the form was made: what is another by then is not written over.
    was: String,
    value: String,
    /// What somebody else made of it meanwhile.
    now: Option<String>,
    is_wrong: bool,
}

fn label(field: Field) -> &'static str {
    match field {
        Field::Email => "E-mail",
        Field::FirstName => "First name",
        Field::LastName => "Last name",
        Field::DisplayName => "Display name",
        Field::Country => "Country",
        Field::City => "City",
    }
}

fn input(field: Field, was: &str, value: &str) -> Input {
    let (was, value) = (was.to_owned(), value.to_owned());
    Input { name: field.as_str(), label: label(field), was, value, now: None, is_wrong: false }
}

async fn show(request: PageRequest) -> Answer {
    let Some((user, _)) = user::look_at(&request).await? else {
        return Ok(request.go(&user::path(request.user()?)).finish());
    };
    if user.state != State::Live {
        return Err(Error::Conflict("only a live user can be edited; restore the user first"));
    }
    let fields = Field::ALL.map(|field| {
        let value = field.of(&user.profile);
        input(field, value, value)
    });
    form(&request, StatusCode::OK, &user, fields.into(), None)
}

async fn save(request: PageRequest) -> Answer {
    let (id, reach, now) = (request.user()?, request.reach(), request.now);
    let text = |field: Field| request.form.text(field.as_str()).trim().to_owned();
    let was = |field: Field| request.form.text(&format!("was-{}", field.as_str())).to_owned();
    let edits = Field::ALL.map(|field| Edit { field, was: was(field), new: text(field) });
    let typed = || Field::ALL.map(|field| input(field, &was(field), &text(field)));
    let saved = {
        let reach = reach.clone();
        request.app.write(move |tx| edits::edit(tx, scoped::held(tx, &reach, id, tx.now())?, &edits)).await
    };
    let user = || request.app.read(|db| scoped::held(db, &reach, id, now));
    match saved {
        Ok(Outcome::Done) => Ok(request.go_and_say(&user::path(id), Flash::UserEdited)),
        Ok(Outcome::Changed(user, changed)) => {
            let mut fields = typed();
            for (input, field) in
                fields.iter_mut().zip(Field::ALL).filter(|(_, field)| changed.contains(field))
            {
                let now = field.of(&user.profile);
                input.now = Some(if now.is_empty() { "nothing".to_owned() } else { plain(now) });
                // Who saves again has seen it.
                now.clone_into(&mut input.was);
            }
            let error =
                "Somebody changed this user meanwhile. Nothing was saved. Save again to write over it.";
            form(&request, StatusCode::CONFLICT, &user, fields.into(), Some(error.to_owned()))
        }
        Ok(Outcome::Dropped(_)) => {
            let error = "This user is suppressed: nothing is taken in until the suppression ends.";
            form(&request, StatusCode::CONFLICT, &user()?, typed().into(), Some(error.to_owned()))
        }
        Err(Error::Invalid(faults)) => {
            let mut fields = typed();
            let mut error = None;
            for fault in &faults {
                if let Some(input) = fields.iter_mut().find(|input| input.name == fault.field) {
                    input.is_wrong = true;
                    error = error.or_else(|| Some(sentence(&format!("The {}", input.label), &fault.message)));
                }
            }
            let error = error.or_else(|| Some("The profile would be too large.".to_owned()));
            form(&request, StatusCode::UNPROCESSABLE_ENTITY, &user()?, fields.into(), error)
        }
        Err(error) => Err(error),
    }
}

fn form(
    request: &PageRequest,
    status: StatusCode,
    user: &User,
    fields: Vec<Input>,
    error: Option<String>,
) -> Answer {
    let project = request.app.read(|db| projects::get(db, user.project))?;
    let head = Head::new(user, &project);
    let page = Page { path: user::path(user.id), ..request.page("users", format!("Edit {}", head.heading))? };
    request.html(status, &EditPage { page, user: head, fields, error })
}
