//! What all pages have in common, and the pages that say what went wrong.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::badges::Badges;
use super::cookies::{self, Jar};
use super::flash::FlashView;
use super::{assets, csrf};
use crate::access::roles;
use crate::access::roles::Permission;
use crate::error::Error;
use crate::model::Admin;
use crate::trace::RequestId;

/// What the layouts show.
pub struct Page {
    pub title: String,
    /// The entry of the menu that is lit.
    pub section: &'static str,
    pub theme: &'static str,
    /// The address of the style sheet, which changes with its content.
    pub sheet: String,
    /// The address of the script, without which every page works.
    pub script: String,
    pub flash: Option<FlashView>,
    pub form_token: String,
    pub admin_name: String,
    /// The address of this page, to come back to.
    pub path: String,
    /// Why the clock is not trusted, if it is not.
    pub clock: Option<String>,
    /// Nothing can be changed.
    pub is_read_only: bool,
    /// Which links and buttons are shown.
    pub can: Can,
    /// What needs a person.
    pub badges: Badges,
}

/// What the admin may do, as far as links and buttons lead there. The routes ask once more.
#[derive(Debug, Clone, Copy, Default)]
pub struct Can {
    pub find: bool,
    pub list: bool,
    pub values: bool,
    pub edit: bool,
    pub erase: bool,
    pub hold: bool,
    pub see_holds: bool,
    pub export: bool,
    pub jobs: bool,
    pub run_jobs: bool,
    pub receipts: bool,
    pub audit: bool,
    pub backups: bool,
    pub clock: bool,
    pub confirm_clock: bool,
    pub projects: bool,
    pub settings: bool,
    pub credentials: bool,
    pub make_projects: bool,
    pub admins: bool,
}

impl Can {
    pub fn of(admin: &Admin) -> Can {
        let may = |permission| roles::may(admin, permission);
        Can {
            find: may(Permission::FindPeople),
            list: may(Permission::ListPeople),
            values: may(Permission::SeeValues),
            edit: may(Permission::EditPeople),
            erase: may(Permission::ErasePeople),
            hold: may(Permission::HoldPeople),
            see_holds: may(Permission::SeeHolds),
            export: may(Permission::ExportPeople),
            jobs: may(Permission::SeeJobs),
            run_jobs: may(Permission::RunJobs),
            receipts: may(Permission::SeeReceipts),
            audit: may(Permission::SeeAudit),
            backups: may(Permission::SeeBackups),
            clock: may(Permission::SeeClock),
            confirm_clock: may(Permission::ConfirmClock),
            projects: may(Permission::SeeProjects),
            settings: may(Permission::ChangeSettings),
            credentials: may(Permission::ChangeCredentials),
            make_projects: may(Permission::MakeProjects),
            admins: may(Permission::ManageAdmins),
        }
    }
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
pub struct MessagePage {
    pub page: Page,
    pub status: Option<u16>,
    pub text: String,
    pub request_id: Option<String>,
    pub link_href: String,
    pub link_label: &'static str,
}

/// A fault of a field, as a sentence: its name for people, then what is wrong with it.
pub fn sentence(what: &str, message: &str) -> String {
    format!("{what} {message}.")
}

/// Headers of everything under `/admin`: nothing is loaded but our own files, framed, sent elsewhere or kept.
pub fn set_security_headers(headers: &mut HeaderMap) {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; \
                  base-uri 'none'; frame-ancestors 'none'";
    let values = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not no-referrer: with that, browsers send `Origin: null` with a form.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in values {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// The page for an error, logged if it is a fault of ours.
pub fn of_error(request: &HttpRequest, error: &Error) -> HttpResponse {
    match error {
        Error::Internal(_) | Error::Damaged(_) => log::error!("{error}"),
        Error::Unavailable(_) | Error::DiskFull | Error::DiskFails(_) => {
            log::warn!("a page could not be shown: {error}")
        }
        _ => {}
    }
    let (status, title, text) = words(error);
    let came_from = csrf::came_from(request).filter(|_| request.method() == Method::POST);
    let link = match came_from {
        Some(page) => (page, "Reload the page"),
        None => ("/admin/".to_owned(), "Go to the start page"),
    };
    let mut response = message(request, status, (title, text), link);
    let headers = response.headers_mut();
    match error {
        Error::RateLimited { retry_after } => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        Error::Unavailable(_) | Error::DiskFull | Error::DiskFails(_) | Error::Damaged(_) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Error::MethodNotAllowed { allow } => {
            if let Ok(allow) = HeaderValue::from_str(allow) {
                headers.insert(header::ALLOW, allow);
            }
        }
        _ => {}
    }
    response
}

/// A page with a status, a title, a sentence or two, and where to go on.
pub fn message(
    request: &HttpRequest,
    status: StatusCode,
    (title, text): (&str, String),
    (link_href, link_label): (String, &'static str),
) -> HttpResponse {
    let page = MessagePage {
        page: Page {
            title: title.to_owned(),
            section: "",
            theme: cookies::theme(&Jar::of(request)),
            sheet: assets::sheet(),
            script: assets::script(),
            flash: None,
            form_token: String::new(),
            admin_name: String::new(),
            path: String::new(),
            clock: None,
            is_read_only: false,
            can: Can::default(),
            badges: Badges::default(),
        },
        status: Some(status.as_u16()),
        text,
        request_id: RequestId::current().filter(|_| status.is_server_error()).map(|id| id.to_string()),
        link_href,
        link_label,
    };
    let mut builder = HttpResponse::build(status);
    builder.content_type("text/html; charset=utf-8");
    match page.render() {
        Ok(text) => builder.body(text),
        Err(error) => {
            log::error!("the page for an error could not be written: {error}");
            builder.body("<!doctype html><title>Usher</title><p>Something went wrong.")
        }
    }
}

/// Status, title and text of every error, where a page has no words of its own.
fn words(error: &Error) -> (StatusCode, &'static str, String) {
    let said = |status, title, text: &str| (status, title, text.to_owned());
    let nothing = "There is no page at this address.";
    match error {
        Error::NoSuchRoute => said(StatusCode::NOT_FOUND, "No such page", nothing),
        Error::UserNotFound { .. } => said(
            StatusCode::NOT_FOUND,
            "No such user",
            "We hold no data under this id. Erased users no longer appear.",
        ),
        Error::ReceiptNotFound => {
            said(StatusCode::NOT_FOUND, "No such receipt", "There is no receipt with this number.")
        }
        Error::JobNotFound => said(StatusCode::NOT_FOUND, "No such job", "There is no job with this number."),
        Error::NotFound(_) => said(StatusCode::NOT_FOUND, "Not found", "There is nothing with this id."),
        Error::KeyNotFound => {
            said(StatusCode::NOT_FOUND, "No such key", "There is no such key, or it is already revoked.")
        }
        Error::ProjectNotFound => {
            said(StatusCode::NOT_FOUND, "No such project", "There is no project with this key.")
        }
        Error::SessionNotFound => said(StatusCode::NOT_FOUND, "No such session", nothing),
        Error::MethodNotAllowed { .. } => said(
            StatusCode::METHOD_NOT_ALLOWED,
            "Not a page",
            "This address only accepts forms. Use the buttons on the pages.",
        ),
        Error::Forbidden(why) => said(StatusCode::FORBIDDEN, "Not allowed", why),
        Error::NoKey | Error::MalformedKey | Error::UnknownKey => {
            said(StatusCode::UNAUTHORIZED, "Not signed in", "Sign in first.")
        }
        Error::RateLimited { .. } => {
            said(StatusCode::TOO_MANY_REQUESTS, "Too many requests", &capital(&error.to_string()))
        }
        Error::TooLarge { .. } => said(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Form too large",
            "The form is too large. Nothing was changed.",
        ),
        Error::TooSlow => said(
            StatusCode::REQUEST_TIMEOUT,
            "Too slow",
            "The form arrived too slowly. Nothing was changed. Send it again.",
        ),
        Error::Invalid(_) | Error::BadJson(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "Invalid input", capital(&error.to_string()))
        }
        Error::IdentifierTaken
        | Error::NameTaken { .. }
        | Error::JobEnded
        | Error::Held(_)
        | Error::Suppressed
        | Error::Ambiguous(_)
        | Error::Conflict(_) => (StatusCode::CONFLICT, "Not possible now", capital(&error.to_string())),
        Error::Unavailable(_) | Error::DiskFull => said(
            StatusCode::SERVICE_UNAVAILABLE,
            "Temporarily unavailable",
            "The server is too busy or its disk is full. Nothing was changed. Try again in a moment.",
        ),
        Error::DiskFails(_) => said(
            StatusCode::SERVICE_UNAVAILABLE,
            "Temporarily unavailable",
            "The disk cannot be read or written; the log has the details. Nothing was changed. Try again in a moment.",
        ),
        Error::ReadOnly => said(
            StatusCode::SERVICE_UNAVAILABLE,
            "Read-only",
            "This instance was started read-only. Nothing was changed. Pages whose access must be recorded in the \
             audit log, such as a user's page, are not shown.",
        ),
        Error::Damaged(_) => said(
            StatusCode::SERVICE_UNAVAILABLE,
            "Part of the data is unreadable",
            "The database is damaged; the log has the details. Run `usher doctor` on the server to see what to do.",
        ),
        Error::Internal(_) => said(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong",
            "This is an error in the server. The log has the details.",
        ),
    }
}

/// An error's words as a sentence.
pub fn capital(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(char::to_uppercase);
    let stop = if text.ends_with('.') { "" } else { "." };
    first.into_iter().flatten().chain(rest).chain(stop.chars()).collect()
}
