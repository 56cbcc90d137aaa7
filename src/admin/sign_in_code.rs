//! The second step of signing in, for who has a second factor. That somebody has one is told only to
//! who knows the password.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::login_throttle::LoginThrottle;
use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::{LOGIN, LOGIN_CODE as PATH};
use super::pending_sign_in::{Comer, Halfway};
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

async fn show(request: PageRequest) -> Answer {
    match comer(&request)? {
        Some(_) => form(&request, StatusCode::OK, None),
        None => Ok(again(&request)),
    }
}

async fn enter(request: PageRequest) -> Answer {
    let Some((secret, comer)) = comer(&request)? else { return Ok(again(&request)) };
    match entry(&request, &comer).await {
        Ok(Some(entry)) => {
            request.shared::<Halfway>()?.forget(&secret);
            let mut response = sign_in::enter(&request, &entry, &comer.next)?;
            response.add_cookie(&request.jar().removal(cookies::HALFWAY)).map_err(Error::internal)?;
            Ok(response)
        }
        Ok(None) => {
            let text = "The code is wrong or was already used.".to_owned();
            form(&request, StatusCode::UNPROCESSABLE_ENTITY, Some(text))
        }
        Err(Error::RateLimited { retry_after }) => {
            let response =
                form(&request, StatusCode::TOO_MANY_REQUESTS, Some(sign_in::too_many(retry_after)))?;
            Ok(sign_in::retry_after(response, retry_after))
        }
        // The password is another by now.
        Err(Error::Conflict(_)) => {
            request.shared::<Halfway>()?.forget(&secret);
            Ok(again(&request))
        }
        Err(error) => Err(error),
    }
}

/// Who has come as far as here, and by which secret.
fn comer(request: &PageRequest) -> Result<Option<(String, Comer)>> {
    let Some(secret) = request.jar().get(cookies::HALFWAY) else { return Ok(None) };
    let comer = request.shared::<Halfway>()?.of(&secret);
    Ok(comer.map(|comer| (secret, comer)))
}

/// A new sign-in. None: the code is wrong. [`Error::RateLimited`] after too many,
/// [`Error::Conflict`] if the password is another by now.
async fn entry(request: &PageRequest, comer: &Comer) -> Result<Option<Entry>> {
    let door = request.shared::<LoginThrottle>()?;
    let admin = request.app.read(|db| admins::by_id(db, comer.admin))?;
    let device = admin.as_ref().and_then(|admin| device::of(request, admin));
    door.let_try_code(comer.admin, device)?;
    let checked = (comer.admin, comer.password_hash.clone());
    let opened =
        request.app.sign_in_with_code(checked, request.form.text("code").to_owned(), request.from()).await?;
    let (Some(token), Some(admin)) = (opened, admin) else { return Ok(None) };
    door.forgive_code(comer.admin, device);
    if let Some(before) = request.sign_in_token() {
        sign_in::end(request, before).await?;
    }
    Actor::Admin(admin.id.0).is();
    let device = device::new(request, &admin, device)?;
    Ok(Some(Entry { token, device, admin }))
}

fn again(request: &PageRequest) -> HttpResponse {
    request.go(LOGIN).finish()
}

fn form(request: &PageRequest, status: StatusCode, error: Option<String>) -> Answer {
    request.html(status, &CodePage { page: request.page("", "Code")?, error })
}
