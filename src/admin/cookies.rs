//! The cookies of the pages. Over HTTPS they are `Secure` and have the `__Host-` prefix,
//! which keeps other hosts of the domain from setting them; over plain HTTP, as on a
//! home's network, they have neither, for a browser would throw them away.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, CookieBuilder, SameSite};

use super::flash::Flash;
use super::outside;
use crate::access::sign_ins;
use crate::clock::SECOND;
use crate::error::Result;
use crate::secrets;

/// The secret of a sign-in.
pub const SIGN_IN: &str = "usher_sign_in";
/// That the password was right, and a code is to come; see [`super::halfway`].
pub const HALFWAY: &str = "usher_halfway";
/// What the forms are sealed with before anybody is signed in.
pub const GUEST: &str = "usher_guest";
/// That this browser signed in before; see [`super::device`].
pub const DEVICE: &str = "usher_device";
/// What the next page says.
pub const FLASH: &str = "usher_flash";
/// Light or dark; without it, as the system has it.
pub const THEME: &str = "usher_theme";

/// A browser's cookies, on one request.
pub struct Jar<'a> {
    request: &'a HttpRequest,
    https: bool,
}

impl<'a> Jar<'a> {
    pub fn of(request: &'a HttpRequest) -> Jar<'a> {
        Jar { request, https: outside::is_https(request) }
    }

    pub fn get(&self, name: &str) -> Option<String> {
        let cookie = self.request.cookie(&self.name(name))?;
        Some(cookie.value().to_owned()).filter(|value| !value.is_empty())
    }

    pub fn sign_in(&self, token: &str) -> Cookie<'static> {
        self.cookie(SIGN_IN, token).max_age(Duration::seconds(sign_ins::LONGEST / SECOND)).finish()
    }

    pub fn halfway(&self, secret: &str) -> Cookie<'static> {
        self.cookie(HALFWAY, secret).max_age(Duration::minutes(5)).finish()
    }

    pub fn device(&self, device: &str) -> Cookie<'static> {
        self.cookie(DEVICE, device).max_age(Duration::days(365)).finish()
    }

    /// Goes when the browser is closed.
    pub fn guest(&self, secret: &str) -> Cookie<'static> {
        self.cookie(GUEST, secret).finish()
    }

    pub fn flash(&self, flash: &Flash) -> Cookie<'static> {
        self.cookie(FLASH, &flash.written()).max_age(Duration::minutes(1)).finish()
    }

    pub fn theme(&self, theme: &str) -> Cookie<'static> {
        self.cookie(THEME, theme).max_age(Duration::days(365)).finish()
    }

    pub fn removal(&self, name: &str) -> Cookie<'static> {
        self.cookie(name, "").max_age(Duration::ZERO).finish()
    }

    /// `Lax`, for `Strict` would ask an admin who follows a link from a mail to sign in again;
    /// no form of another site is sent with it.
    fn cookie(&self, name: &str, value: &str) -> CookieBuilder<'static> {
        Cookie::build(self.name(name), value.to_owned())
            .path("/")
            .secure(self.https)
            .http_only(true)
            .same_site(SameSite::Lax)
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", if self.https { "__Host-" } else { "" })
    }
}

pub fn new_guest() -> Result<String> {
    secrets::token("")
}

/// The theme that the browser asks for; "auto" unless it asks for one.
pub fn theme(jar: &Jar) -> &'static str {
    match jar.get(THEME).as_deref() {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "auto",
    }
}
