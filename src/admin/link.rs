//! The link that sets an admin's password, once.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::login_throttle::LoginThrottle;
use super::page::{self, Page};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::LOGIN;
use super::show::plain;
use crate::access::admin_rights::Link;
use crate::access::{admin_rights, admins};
use crate::error::{Error, Place, Result};
use crate::trace::Actor;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/admin/password/{token}", Access::Everybody, show),
        Route::new(Method::POST, "/admin/password", Access::Everybody, set),
    ]
}

/// The address of a link, without the host.
pub fn path(token: &str) -> String {
    format!("/admin/password/{token}")
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    page: Page,
    error: Option<String>,
    error_field: &'static str,
    token: String,
    name: String,
    min_length: usize,
}

async fn show(request: PageRequest) -> Answer {
    let token = request.segment("token").to_owned();
    match request.app.read(|db| admin_rights::link(db, &token, request.now))? {
        Link::Opens(admin) => form(&request, StatusCode::OK, token, &admin.name, "", None),
        Link::Ended => Ok(ended(&request)),
        Link::Unknown => Ok(unknown(&request)),
    }
}

/// Nobody is signed in by it: the password is typed once more, as at any other sign-in.
async fn set(request: PageRequest) -> Answer {
    let token = request.form.text("token").to_owned();
    let admin = match request.app.read(|db| admin_rights::link(db, &token, request.now))? {
        Link::Opens(admin) => admin,
        Link::Ended => return Ok(ended(&request)),
        Link::Unknown => return Ok(unknown(&request)),
    };
    // Who has the link is who it was made for.
    Actor::Admin(admin.id.0).is();
    match set_password(&request, token.clone()).await {
        Ok(()) => Ok(request.go_and_say(LOGIN, Flash::PasswordSet)),
        Err(Error::Invalid(faults)) => {
            let fault = faults.into_iter().next();
            let (field, text) = match fault.as_ref().map(|fault| (fault.field.as_str(), &fault.message)) {
                Some(("password_again", message)) => {
                    ("password_again", page::sentence("The second password", message))
                }
                Some((_, message)) => ("password", page::sentence("The password", message)),
                None => ("", String::new()),
            };
            form(&request, StatusCode::UNPROCESSABLE_ENTITY, token, &admin.name, field, Some(text))
        }
        Err(Error::NotFound(_)) => Ok(unknown(&request)),
        Err(error) => Err(error),
    }
}

async fn set_password(request: &PageRequest, token: String) -> Result<()> {
    let password = request.form.text("password").to_owned();
    admins::check_password(&password)?;
    if request.form.text("password_again") != password {
        return Err(Error::invalid(Place::Body, "password_again", "does not match the first"));
    }
    let door = request.shared::<LoginThrottle>()?;
    let hash = door.hash(move || admins::hash_password(&password)).await??;
    request.app.write(move |tx| admin_rights::set_by_link(tx, &token, &hash).map(drop)).await
}

fn form(
    request: &PageRequest,
    status: StatusCode,
    token: String,
    name: &str,
    error_field: &'static str,
    error: Option<String>,
) -> Answer {
    let page = PasswordPage {
        page: request.page("", "Set your password")?,
        error,
        error_field,
        token,
        name: plain(name),
        min_length: admins::PASSWORD_MIN,
    };
    request.html(status, &page)
}

fn unknown(request: &PageRequest) -> HttpResponse {
    let text = "Password links work once, within an hour. Ask an owner for a new one, or run \
                `usher admin reset-password` on the server.";
    request.message(StatusCode::NOT_FOUND, "This link is not valid", text)
}

fn ended(request: &PageRequest) -> HttpResponse {
    let text = "Password links work for an hour. Ask an owner for a new one, or run \
                `usher admin reset-password` on the server.";
    request.message(StatusCode::GONE, "This link has expired", text)
}
