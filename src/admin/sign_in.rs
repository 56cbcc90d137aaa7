//! Signing in and out.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, header};
use askama::Template;

use super::flash::{Flash, FlashView};
use super::login_throttle::{Guest, LoginThrottle};
use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::{HOME, LOGIN as PATH, LOGIN_CODE};
use super::pending_sign_in::Halfway;
use super::receipt_tokens::Tokens;
use super::{cookies, csrf, device, overview, show};
use crate::access::roles::Permission;
use crate::access::{admins, roles, second_factor};
use crate::error::{Error, Result};
use crate::model::Admin;
use crate::trace::Actor;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/admin", Access::SignedIn, home),
        Route::new(Method::GET, "/admin/", Access::SignedIn, home),
        Route::new(Method::GET, PATH, Access::Everybody, show),
        Route::new(Method::POST, PATH, Access::Everybody, sign_in),
        Route::new(Method::POST, "/admin/logout", Access::SignedIn, sign_out),
    ]
}

#[derive(Template)]
#[template(path = "login.html")]
struct SignInPage {
    page: Page,
    error: Option<String>,
    name: String,
    next: String,
}

async fn home(request: PageRequest) -> Answer {
    match first_page(request.admin()?) {
        HOME => overview::show(request).await,
        other => Ok(request.go(other).finish()),
    }
}

/// The first page that the role has: who does not work with lists and jobs has nothing to overlook.
fn first_page(admin: &Admin) -> &'static str {
    if roles::may(admin, Permission::SeeJobs) { HOME } else { "/admin/users" }
}

/// Where one wanted to go; the first page of all for those who wanted nothing else.
fn onward<'a>(next: &'a str, admin: &Admin) -> &'a str {
    if next == HOME { first_page(admin) } else { next }
}

async fn show(request: PageRequest) -> Answer {
    let next = next(request.query.text("next"));
    if request.is_signed_in() {
        return Ok(request.go(onward(&next, request.admin()?)).finish());
    }
    form(&request, StatusCode::OK, next, None)
}

async fn sign_in(request: PageRequest) -> Answer {
    let next = next(request.form.text("next"));
    match entry(&request, &next).await {
        Ok(Some(Step::In(entry))) => enter(&request, &entry, &next),
        Ok(Some(Step::Halfway(secret))) => {
            let cookie = request.jar().halfway(&secret);
            Ok(request.go(LOGIN_CODE).cookie(cookie).finish())
        }
        Ok(None) => {
            let text = "The name or the password is wrong.".to_owned();
            form(&request, StatusCode::UNPROCESSABLE_ENTITY, next, Some(text))
        }
        Err(Error::RateLimited { retry_after: seconds }) => {
            let response = form(&request, StatusCode::TOO_MANY_REQUESTS, next, Some(too_many(seconds)))?;
            Ok(retry_after(response, seconds))
        }
        Err(error) => Err(error),
    }
}

/// The words for who has tried too often.
pub fn too_many(seconds: u64) -> String {
    let wait = show::many(i64::try_from(seconds).unwrap_or(i64::MAX), "second");
    format!("Too many attempts. Try again in {wait}.")
}

pub fn retry_after(mut response: HttpResponse, seconds: u64) -> HttpResponse {
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
    response
}

/// What a browser gets from a sign-in.
pub struct Entry {
    pub token: String,
    /// Of a browser that was not known.
    pub device: Option<String>,
    pub admin: Admin,
}

/// How far the right password leads.
enum Step {
    In(Entry),
    /// A code is asked for; the secret is for the cookie.
    Halfway(String),
}

/// On to the pages, with what the browser gets.
pub fn enter(request: &PageRequest, entry: &Entry, next: &str) -> Answer {
    let (jar, mut response) = (request.jar(), request.go(onward(next, &entry.admin)));
    response.cookie(jar.sign_in(&entry.token));
    if let Some(device) = &entry.device {
        response.cookie(jar.device(device));
    }
    Ok(response.finish())
}

/// A new sign-in, or a step towards it. None: the name or the password is wrong.
/// [`Error::RateLimited`] after too many attempts, right or wrong.
async fn entry(request: &PageRequest, next: &str) -> Result<Option<Step>> {
    let (name, password) = (request.form.text("name").to_owned(), request.form.text("password").to_owned());
    let door = request.shared::<LoginThrottle>()?;
    let admin = request.app.read(|db| admins::by_name(db, &name))?;
    let device = admin.as_ref().and_then(|admin| device::of(request, admin));
    let guest = Guest { name: &name, address: request.sender(), device };
    let delay = door.let_try(&guest)?;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let check = move || {
        let right = admins::is_password(admin.as_ref(), &password);
        admin.filter(|_| right)
    };
    let Some(admin) = door.hash(check).await? else {
        if request.app.keyring().count_failed_sign_in() {
            request.app.refuse_sign_in().await?;
        }
        return Ok(None);
    };
    door.forgive(&guest);
    if request.app.read(|db| second_factor::is_asked_for(db, admin.id))? {
        return request.shared::<Halfway>()?.keep(&admin, next.to_owned()).map(Step::Halfway).map(Some);
    }
    if let Some(before) = request.sign_in_token() {
        end(request, before).await?;
    }
    // From here on it is known who asks.
    Actor::Admin(admin.id.0).is();
    let device = device::new(request, &admin, device)?;
    let token = request.app.sign_in(&admin, request.from()).await?;
    Ok(Some(Step::In(Entry { token, device, admin })))
}

async fn sign_out(request: PageRequest) -> Answer {
    if let Some(token) = request.sign_in_token() {
        end(&request, token).await?;
    }
    let mut response = request.go_and_say(PATH, Flash::SignedOut);
    response.add_cookie(&request.jar().removal(cookies::SIGN_IN)).map_err(Error::internal)?;
    Ok(response)
}

/// Ends a sign-in, and what was kept for it.
pub async fn end(request: &PageRequest, token: String) -> Result<()> {
    request.shared::<Tokens>()?.forget(&token);
    request.app.sign_out(token).await
}

fn next(asked: &str) -> String {
    csrf::local(asked).unwrap_or(HOME).to_owned()
}

fn form(request: &PageRequest, status: StatusCode, next: String, error: Option<String>) -> Answer {
    let mut page = request.page("", "Sign in")?;
    if !request.app.read(admins::any)? {
        page.flash = Some(FlashView {
            tone: "warn",
            text: "There is no owner account yet. Open the link that the server printed when it started."
                .into(),
            undo: None,
        });
    }
    let name = request.form.text("name").to_owned();
    request.html(status, &SignInPage { page, error, name, next })
}
