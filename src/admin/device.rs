//! Browsers that an admin has signed in with before. Such a browser has tries of its own, so
//! that nobody who guesses elsewhere can keep the admin out. Its cookie opens nothing, and is
//! worth nothing once the password is another.

use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::Admin;

const NONCE: usize = 16;
const MAC: usize = 32;

/// What stands for one browser.
pub type Device = [u8; NONCE];

/// The cookie for a browser with which this admin has just signed in.
pub fn cookie(app: &App, admin: &Admin) -> Result<String> {
    let mut device = Device::default();
    getrandom::fill(&mut device).map_err(Error::internal)?;
    Ok(BASE64URL_NOPAD.encode(&[device.as_slice(), &mac(app, admin, &device)].concat()))
}

/// The browser that a cookie stands for. None: this admin has never signed in with it.
pub fn known(app: &App, admin: &Admin, cookie: &str) -> Option<Device> {
    let cookie = BASE64URL_NOPAD.decode(cookie.as_bytes()).ok()?;
    let (device, given) = cookie.split_first_chunk::<NONCE>()?;
    (given.len() == MAC && bool::from(mac(app, admin, device).ct_eq(given))).then_some(*device)
}

fn mac(app: &App, admin: &Admin, device: &Device) -> [u8; MAC] {
    let parts = [&admin.id.0.to_be_bytes()[..], device, admin.password_hash.as_bytes()];
    app.store().keyed("a browser of an admin", &parts)
}
