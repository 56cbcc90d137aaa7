//! Setting up one's second factor, new recovery codes, and turning it off.

use crate::store::ErasingTx;
use actix_web::http::{Method, StatusCode};
use askama::Template;
use data_encoding::BASE32_NOPAD;
use qrcode::{Color, EcLevel, QrCode};

use super::account::{self, Fault, elsewhere};
use super::flash::Flash;
use super::login_throttle::LoginThrottle;
use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::ACCOUNT;
use super::{device, reauthenticate};
use crate::access::roles::Permission;
use crate::access::second_factor;
use crate::access::second_factor::Confirmed;
use crate::error::{Error, Result};

const PATH: &str = "/admin/account/second-factor";
const CONFIRM: &str = "/admin/account/second-factor/confirm";
const CODES: &str = "/admin/account/second-factor/codes";
const NEEDED: &str = "/admin/account/second-factor/needed";
const OFF: &str = "/admin/account/second-factor/off";

/// Light modules around the code, as its standard asks for.
const QUIET: usize = 4;
/// Longer names do not fit into an app's list.
const NAME_MAX: usize = 40;

pub fn routes() -> Vec<Route> {
    let shown = [PATH, CONFIRM, CODES, OFF];
    let mut routes: Vec<Route> =
        shown.into_iter().map(|path| Route::new(Method::GET, path, Access::SignedIn, elsewhere)).collect();
    let of_all = Access::May(Permission::ManageAdmins);
    routes.extend([
        Route::new(Method::POST, PATH, Access::SignedIn, begin),
        Route::new(Method::POST, CONFIRM, Access::SignedIn, confirm),
        Route::new(Method::POST, CODES, Access::SignedIn, renew_codes),
        Route::new(Method::POST, OFF, Access::SignedIn, turn_off),
        Route::new(Method::GET, NEEDED, of_all, elsewhere),
        Route::new(Method::POST, NEEDED, of_all, set_needed),
    ]);
    routes
}

#[derive(Template)]
#[template(path = "second_factor.html")]
struct SecondFactorPage {
    page: Page,
    /// None: it is not shown again.
    shown: Option<Shown>,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
struct RecoveryCodesPage {
    page: Page,
    /// The second factor was just turned on.
    is_new: bool,
    codes: Vec<String>,
}

/// A secret, to be scanned or typed.
struct Shown {
    drawing: Drawing,
    secret: String,
}

/// A QR code: a square of so many modules, and its dark ones as a path of SVG.
struct Drawing {
    size: usize,
    path: String,
}

impl Drawing {
    fn of(text: &str) -> Result<Drawing> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(Error::internal)?;
        let width = code.width();
        let dark = code.to_colors().into_iter().enumerate().filter(|(_, color)| *color == Color::Dark);
        let path = dark.map(|(n, _)| format!("M{} {}h1v1h-1z", n % width + QUIET, n / width + QUIET));
        Ok(Drawing { size: width + 2 * QUIET, path: path.collect() })
    }
}

async fn begin(request: PageRequest) -> Answer {
    if !reauthenticate::is_password(&request, request.form.text("password")).await? {
        return refused(&request, "factor_password", "The password is wrong.");
    }
    let id = request.admin()?.id;
    let secret = request.app.write(move |tx| second_factor::begin(tx, id)).await?;
    set_up(&request, StatusCode::OK, Some(&secret), None)
}

async fn confirm(request: PageRequest) -> Answer {
    let (admin, here) = (request.admin()?.clone(), request.sign_in()?.hash);
    let code = request.form.text("code").to_owned();
    // Who has not seen the secret is not to guess: it would be shown, and recovery codes with it.
    let (door, id, device) = (request.shared::<LoginThrottle>()?, admin.id, device::of(&request, &admin));
    door.let_try_code(id, device)?;
    match request.app.write(move |tx| second_factor::confirm(tx, &admin, &code, &here)).await? {
        Confirmed::On(codes) => {
            door.forgive_code(id, device);
            let mut response = recovery_codes(&request, codes, true)?;
            // This browser goes on to be known.
            let cookie = request.jar().device(&device::cookie(&request.app, request.admin()?)?);
            response.add_cookie(&cookie).map_err(Error::internal)?;
            Ok(response)
        }
        Confirmed::Wrong => {
            let error = "This code does not match. Enter the code the app shows now. If that fails too, check \
                         the clock of your phone, or cancel and start again.";
            set_up(&request, StatusCode::UNPROCESSABLE_ENTITY, None, Some(error))
        }
    }
}

async fn renew_codes(request: PageRequest) -> Answer {
    if let Some(refused) = refuse_password(&request).await? {
        return Ok(refused);
    }
    let (id, code) = (request.admin()?.id, request.form.text("code").to_owned());
    match reauthenticate::with_code(&request, move |tx| second_factor::renew_codes(tx, id, &code)).await? {
        Some(codes) => recovery_codes(&request, codes, false),
        None => refused(&request, "factor_code", WRONG_CODE),
    }
}

async fn turn_off(request: PageRequest) -> Answer {
    if let Some(refused) = refuse_password(&request).await? {
        return Ok(refused);
    }
    let (id, code) = (request.admin()?.id, request.form.text("code").to_owned());
    let off = move |tx: &ErasingTx| Ok(second_factor::turn_off(tx, id, &code)?.then_some(()));
    match reauthenticate::with_code(&request, off).await? {
        Some(()) => Ok(request.go_and_say(ACCOUNT, Flash::SecondFactorOff)),
        None => refused(&request, "factor_code", WRONG_CODE),
    }
}

/// Whether everybody must have one. It asks for the password: what it loosens, it loosens for all.
async fn set_needed(request: PageRequest) -> Answer {
    if !reauthenticate::is_password(&request, request.form.text("password")).await? {
        return refused(&request, "needed_password", "The password is wrong.");
    }
    let (id, needed) = (request.admin()?.id, request.form.given("needed").is_some());
    request.app.write(move |tx| second_factor::set_needed(tx, id, needed)).await?;
    Ok(request.go_and_say(ACCOUNT, Flash::SettingsSaved))
}

const WRONG_CODE: &str = "The code is wrong or was already used.";

/// The answer to a wrong password. None: it is right.
async fn refuse_password(request: &PageRequest) -> Result<Option<actix_web::HttpResponse>> {
    match reauthenticate::is_password(request, request.form.text("password")).await? {
        true => Ok(None),
        false => refused(request, "factor_password", "The password is wrong.").map(Some),
    }
}

fn refused(request: &PageRequest, field: &'static str, text: &str) -> Answer {
    account::page(request, StatusCode::UNPROCESSABLE_ENTITY, Some(Fault::new(field, text)))
}

fn set_up(request: &PageRequest, status: StatusCode, secret: Option<&[u8]>, error: Option<&str>) -> Answer {
    let page = SecondFactorPage {
        page: page(request, "Second factor")?,
        shown: secret.map(|secret| shown(request, secret)).transpose()?,
        error: error.map(str::to_owned),
    };
    request.html(status, &page)
}

fn shown(request: &PageRequest, secret: &[u8]) -> Result<Shown> {
    let secret = BASE32_NOPAD.encode(secret);
    let name: String = request.admin()?.name.chars().take(NAME_MAX).collect();
    let name = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
    let address = format!("otpauth://totp/Usher:{name}?secret={secret}&issuer=Usher");
    Ok(Shown { drawing: Drawing::of(&address)?, secret: second_factor::grouped(&secret) })
}

fn recovery_codes(request: &PageRequest, codes: Vec<String>, is_new: bool) -> Answer {
    let page = RecoveryCodesPage { page: page(request, "Recovery codes")?, is_new, codes };
    request.html(StatusCode::OK, &page)
}

/// What a theme's button leads back to is the account.
fn page(request: &PageRequest, title: &str) -> Result<Page> {
    let mut page = request.page("account", title)?;
    page.path = ACCOUNT.to_owned();
    Ok(page)
}
