//! Light, dark, or as the system has it.

use actix_web::http::Method;

use super::cookies;
use super::csrf;
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths;
use crate::error::{Error, Place};

pub fn routes() -> Vec<Route> {
    vec![Route::new(Method::POST, "/admin/theme", Access::SignedIn, choose)]
}

async fn choose(request: PageRequest) -> Answer {
    let cookie = match request.form.text("theme") {
        theme @ ("light" | "dark") => request.jar().theme(theme),
        "auto" => request.jar().removal(cookies::THEME),
        _ => return Err(Error::invalid(Place::Body, "theme", "must be light, dark or auto")),
    };
    let next = csrf::local(request.form.text("next")).unwrap_or(paths::HOME);
    Ok(request.go(next).cookie(cookie).finish())
}
