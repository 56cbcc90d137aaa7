//! Browsers that an admin has signed in with before. Such a browser has tries of its own, so
//! that nobody who guesses elsewhere can keep the admin out. Its cookie opens nothing, and is
//! worth nothing once the password or the second factor is another: who knows the password alone could
//! collect some before there is a second factor, and with them tries at its codes.

use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;

use super::cookies;
use super::page_request::PageRequest;
use crate::access::second_factor;
use crate::app::App;
use crate::error::{Error, Result};
use crate::model::Admin;

const NONCE: usize = 16;
const MAC: usize = 32;

/// What stands for one browser.
pub type Device = [u8; NONCE];

/// The browser of a visit, if this admin has signed in with it.
pub fn of(request: &PageRequest, admin: &Admin) -> Option<Device> {
    known(&request.app, admin, &request.jar().get(cookies::DEVICE)?)
}

/// The cookie for the browser of a visit with which this admin has just signed in. None: it has one.
pub fn new(request: &PageRequest, admin: &Admin, known: Option<Device>) -> Result<Option<String>> {
    match known {
        Some(_) => Ok(None),
        None => cookie(&request.app, admin).map(Some),
    }
}

/// The same for a browser that is not known any more.
pub fn cookie(app: &App, admin: &Admin) -> Result<String> {
    let mut device = Device::default();
    getrandom::fill(&mut device).map_err(Error::internal)?;
    Ok(BASE64URL_NOPAD.encode(&[device.as_slice(), &mac(app, admin, &device)?].concat()))
}

/// The browser that a cookie stands for. None: this admin has never signed in with it.
fn known(app: &App, admin: &Admin, cookie: &str) -> Option<Device> {
    let cookie = BASE64URL_NOPAD.decode(cookie.as_bytes()).ok()?;
    let (device, given) = cookie.split_first_chunk::<NONCE>()?;
    let right = mac(app, admin, device).ok()?;
    (given.len() == MAC && bool::from(right.ct_eq(given))).then_some(*device)
}

fn mac(app: &App, admin: &Admin, device: &Device) -> Result<[u8; MAC]> {
    let factor = app.read(|db| second_factor::mark(db, admin.id))?;
    let parts = [&admin.id.0.to_be_bytes()[..], device, admin.password_hash.as_bytes(), &factor];
    Ok(app.store().keyed("a browser of an admin", &parts))
}
