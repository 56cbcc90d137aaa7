//! The second step of signing in, for who has a second factor. That somebody has one is told only to
//! who knows the password.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::halfway::{Comer, Halfway};
use super::login_throttle::LoginThrottle;
use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::{LOGIN, LOGIN_CODE as PATH};
use super::sign_in::{self, Entry};
use super::{cookies, device};
use crate::access::admins;
use crate::error::{Error, Result};
use crate::trace::Actor;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, PATH, Access::Everybody, show),
        Route::new(Method::POST, PATH, Access::Everybody, enter),
    ]
}

#[derive(Template)]
#[template(path = "sign_in_code.html")]
struct CodePage {
    page: Page,
    error: Option<String>,
}

async fn show(visit: PageRequest) -> Answer {
    match comer(&visit)? {
        Some(_) => form(&visit, StatusCode::OK, None),
        None => Ok(again(&visit)),
    }
}

async fn enter(visit: PageRequest) -> Answer {
    let Some((secret, comer)) = comer(&visit)? else { return Ok(again(&visit)) };
    match entry(&visit, &comer).await {
        Ok(Some(entry)) => {
            visit.shared::<Halfway>()?.forget(&secret);
            let mut response = sign_in::enter(&visit, &entry, &comer.next)?;
            response.add_cookie(&visit.jar().removal(cookies::HALFWAY)).map_err(Error::internal)?;
            Ok(response)
        }
        Ok(None) => {
            let text = "The code is wrong or was already used.".to_owned();
            form(&visit, StatusCode::UNPROCESSABLE_ENTITY, Some(text))
        }
        Err(Error::RateLimited { retry_after }) => {
            let response = form(&visit, StatusCode::TOO_MANY_REQUESTS, Some(sign_in::too_many(retry_after)))?;
            Ok(sign_in::retry_after(response, retry_after))
        }
        // The password is another by now.
        Err(Error::Conflict(_)) => {
            visit.shared::<Halfway>()?.forget(&secret);
            Ok(again(&visit))
        }
        Err(error) => Err(error),
    }
}

/// Who has come as far as here, and by which secret.
fn comer(visit: &PageRequest) -> Result<Option<(String, Comer)>> {
    let Some(secret) = visit.jar().get(cookies::HALFWAY) else { return Ok(None) };
    let comer = visit.shared::<Halfway>()?.of(&secret);
    Ok(comer.map(|comer| (secret, comer)))
}

/// A new sign-in. None: the code is wrong. [`Error::RateLimited`] after too many,
/// [`Error::Conflict`] if the password is another by now.
async fn entry(visit: &PageRequest, comer: &Comer) -> Result<Option<Entry>> {
    let door = visit.shared::<LoginThrottle>()?;
    let admin = visit.app.read(|db| admins::by_id(db, comer.admin))?;
    let device = admin.as_ref().and_then(|admin| device::of(visit, admin));
    door.let_try_code(comer.admin, device)?;
    let checked = (comer.admin, comer.password_hash.clone());
    let opened =
        visit.app.sign_in_with_code(checked, visit.form.text("code").to_owned(), visit.from()).await?;
    let (Some(token), Some(admin)) = (opened, admin) else { return Ok(None) };
    door.forgive_code(comer.admin, device);
    if let Some(before) = visit.sign_in_token() {
        sign_in::end(visit, before).await?;
    }
    Actor::Admin(admin.id.0).is();
    let device = device::new(visit, &admin, device)?;
    Ok(Some(Entry { token, device, admin }))
}

fn again(visit: &PageRequest) -> HttpResponse {
    visit.go(LOGIN).finish()
}

fn form(visit: &PageRequest, status: StatusCode, error: Option<String>) -> Answer {
    visit.html(status, &CodePage { page: visit.page("", "Code")?, error })
}
