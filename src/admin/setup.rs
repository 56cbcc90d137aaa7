//! The first-run link: it sets the owner's name and password, once.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use askama::Template;
use subtle::ConstantTimeEq;

use super::login_throttle::LoginThrottle;
use super::page::{self, Page};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths;
use crate::access::{admins, sign_ins};
use crate::app::App;
use crate::clock::HOUR;
use crate::error::{Error, Result};
use crate::secrets;
use crate::trace::Actor;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/admin/setup/{token}", Access::Everybody, show),
        Route::new(Method::POST, "/admin/setup", Access::Everybody, set),
    ]
}

/// How long a link opens the page: it may have been seen, or lie in a file.
const LIFE: i64 = HOUR;

/// Opens the setup page. It is known to this process alone; it ends with it, with the first owner,
/// and an hour after it was made.
pub struct SetupLink {
    token: String,
    until: i64,
}

impl SetupLink {
    /// None: somebody can sign in already, or no owner can be written down.
    pub fn new(app: &App) -> Result<Option<SetupLink>> {
        match app.is_read_only() || app.read(admins::any)? {
            true => Ok(None),
            false => Ok(Some(SetupLink {
                token: secrets::token("")?,
                until: app.clock().now().saturating_add(LIFE),
            })),
        }
    }

    /// Its address, without the host.
    pub fn path(&self) -> String {
        format!("/admin/setup/{}", self.token)
    }

    fn is(&self, token: &str) -> bool {
        // By their hashes, so that the time it takes tells nothing, not even the length.
        secrets::hash(&self.token).ct_eq(&secrets::hash(token)).into()
    }
}

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    page: Page,
    error: Option<String>,
    error_field: &'static str,
    setup_token: String,
    name: String,
    min_length: usize,
}

async fn show(request: PageRequest) -> Answer {
    let token = request.segment("token").to_owned();
    if let Some(closed) = closed(&request, &token)? {
        return Ok(closed);
    }
    form(&request, StatusCode::OK, token, "", None)
}

/// The passwords are looked at, and one hashed, before the writer is asked; that nobody
/// sets a second one is for the writer to see.
async fn set(request: PageRequest) -> Answer {
    let token = request.form.text("setup_token").to_owned();
    if let Some(closed) = closed(&request, &token)? {
        return Ok(closed);
    }
    match owner(&request).await {
        Ok(secret) => Ok(request.go(paths::HOME).cookie(request.jar().sign_in(&secret)).finish()),
        Err(Error::Invalid(faults)) => {
            let fault = faults.into_iter().next();
            let (field, text) = match fault.as_ref().map(|fault| (fault.field.as_str(), &fault.message)) {
                Some(("name", message)) => ("name", page::sentence("The name", message)),
                Some(("password_again", message)) => {
                    ("password_again", page::sentence("The second password", message))
                }
                Some((_, message)) => ("password", page::sentence("The password", message)),
                None => ("", String::new()),
            };
            form(&request, StatusCode::UNPROCESSABLE_ENTITY, token, field, Some(text))
        }
        Err(Error::Conflict(_)) => Ok(used(&request)),
        Err(error) => Err(error),
    }
}

/// Makes the owner and signs it in: the secret of the sign-in.
async fn owner(request: &PageRequest) -> Result<String> {
    let (name, password) = (request.form.text("name").to_owned(), request.form.text("password").to_owned());
    admins::check_name(&name)?;
    admins::check_password(&password)?;
    if request.form.text("password_again") != password {
        let message = "does not match the first";
        return Err(Error::invalid(crate::error::Place::Body, "password_again", message));
    }
    let door = request.shared::<LoginThrottle>()?;
    let hash = door.hash(move || admins::hash_password(&password)).await??;
    let owner = request.app.write(move |tx| admins::create_owner(tx, &name, &hash)).await?;
    // From here on it is known who asks.
    Actor::Admin(owner.id.0).is();
    let from = request.from();
    request.app.write(move |tx| sign_ins::open(tx, &owner, &from)).await
}

fn form(
    request: &PageRequest,
    status: StatusCode,
    setup_token: String,
    error_field: &'static str,
    error: Option<String>,
) -> Answer {
    let page = SetupPage {
        page: request.page("", "Create the owner account")?,
        error,
        error_field,
        setup_token,
        name: request.form.text("name").to_owned(),
        min_length: admins::PASSWORD_MIN,
    };
    request.html(status, &page)
}

/// The answer to a link that opens nothing, or nothing any more.
fn closed(request: &PageRequest, token: &str) -> Result<Option<HttpResponse>> {
    let link = request.shared::<Option<SetupLink>>()?;
    if !link.as_ref().as_ref().is_some_and(|link| link.is(token)) {
        let text = "Setup links work once, until the server is restarted. \
                    Each start prints a new one until the owner account exists.";
        return Ok(Some(request.message(StatusCode::NOT_FOUND, "This link is not valid", text)));
    }
    if request.app.read(admins::any)? {
        return Ok(Some(used(request)));
    }
    if link.as_ref().as_ref().is_some_and(|link| request.app.clock().now() >= link.until) {
        let text = "Setup links work for an hour. Restart the server for a new one.";
        return Ok(Some(request.message(StatusCode::GONE, "This link has expired", text)));
    }
    Ok(None)
}

fn used(request: &PageRequest) -> HttpResponse {
    request.message(
        StatusCode::GONE,
        "This link was already used",
        "The owner account exists. Sign in with it.",
    )
}
