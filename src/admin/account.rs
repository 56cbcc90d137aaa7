//! One's own account: where one is signed in, and one's password. The second factor has a file of its
//! own.

use crate::store::ErasingTx;
use actix_web::http::{Method, StatusCode};
use askama::Template;
use data_encoding::HEXLOWER;

use super::flash::Flash;
use super::login_throttle::LoginThrottle;
use super::page::{Page, sentence};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths::{ACCOUNT as PATH, LOGIN};
use super::show::{Time, many, plain};
use super::{cookies, device, reauthenticate};
use crate::access::second_factor::Standing;
use crate::access::{admins, credentials, second_factor, sign_ins};
use crate::clock::{HOUR, MINUTE};
use crate::error::{Error, Place, Result};
use crate::model::SignIn;

const PASSWORD: &str = "/admin/account/password";
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, PATH, Access::SignedIn, show),
        Route::new(Method::POST, "/admin/account/sign-ins/{sign-in}/end", Access::SignedIn, end),
        Route::new(Method::POST, "/admin/account/sign-ins/end-others", Access::SignedIn, end_others),
        Route::new(Method::POST, "/admin/account/sign-ins/end-all", Access::SignedIn, end_all),
        Route::new(Method::GET, PASSWORD, Access::SignedIn, elsewhere),
        Route::new(Method::POST, PASSWORD, Access::SignedIn, change_password),
    ]
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    page: Page,
    sign_ins: Vec<SignInRow>,
    idle: String,
    longest: String,
    min_length: usize,
    factor: Factor,
    /// Whether everybody must have one.
    is_needed: bool,
    error: Option<String>,
    error_field: &'static str,
}

struct SignInRow {
    /// As its address has it.
    name: String,
    browser: String,
    address: String,
    created: Time,
    seen: Time,
    is_here: bool,
}

/// How the second factor stands, as the page says it.
struct Factor {
    is_on: bool,
    has_ended: bool,
    codes: String,
}

/// What is wrong with a form of the page.
pub struct Fault {
    pub field: &'static str,
    pub text: String,
}

impl Fault {
    pub fn new(field: &'static str, text: &str) -> Fault {
        Fault { field, text: text.to_owned() }
    }
}

impl SignInRow {
    fn new(request: &PageRequest, sign_in: &SignIn, here: &[u8; 32]) -> SignInRow {
        SignInRow {
            name: HEXLOWER.encode(&sign_ins::name(sign_in)),
            browser: sign_in.browser.as_deref().map_or_else(|| "Unknown browser".to_owned(), plain),
            address: sign_in.address.map_or_else(|| "–".to_owned(), |address| address.to_string()),
            created: Time::new(sign_in.created_at, request.now),
            seen: Time::new(sign_in.seen_at, request.now),
            is_here: sign_in.hash == *here,
        }
    }
}

impl Factor {
    fn of(standing: Standing) -> Factor {
        let (is_on, has_ended, codes) = match standing {
            Standing::Off => (false, false, 0),
            Standing::On { codes } => (true, false, codes),
            Standing::Ended { codes } => (true, true, codes),
        };
        let codes = many(i64::try_from(codes).unwrap_or(i64::MAX), "recovery code");
        Factor { is_on, has_ended, codes }
    }
}

async fn show(request: PageRequest) -> Answer {
    page(&request, StatusCode::OK, None)
}

/// The answers to forms are shown at their own addresses; who asks for those again is led back.
pub async fn elsewhere(request: PageRequest) -> Answer {
    Ok(request.go(PATH).finish())
}

async fn end(request: PageRequest) -> Answer {
    let name = HEXLOWER.decode(request.segment("sign-in").as_bytes()).unwrap_or_default();
    let name = sign_ins::Name::try_from(name).map_err(|_| Error::NotFound("sign-in"))?;
    let (id, is_here) = (request.admin()?.id, sign_ins::name(request.sign_in()?) == name);
    request.app.write(move |tx| sign_ins::end(tx, id, name)).await?;
    if is_here { signed_out(&request) } else { Ok(request.go_and_say(PATH, Flash::SignInEnded)) }
}

async fn end_others(request: PageRequest) -> Answer {
    let (id, here) = (request.admin()?.id, request.sign_in()?.hash);
    request.app.write(move |tx| sign_ins::end_others(tx, id, &here)).await?;
    Ok(request.go_and_say(PATH, Flash::OtherSignInsEnded))
}

async fn end_all(request: PageRequest) -> Answer {
    let id = request.admin()?.id;
    request.app.write(move |tx| sign_ins::end_all_of(tx, id)).await?;
    signed_out(&request)
}

fn signed_out(request: &PageRequest) -> Answer {
    let mut response = request.go_and_say(LOGIN, Flash::SignedOut);
    response.add_cookie(&request.jar().removal(cookies::SIGN_IN)).map_err(Error::internal)?;
    Ok(response)
}

async fn change_password(request: PageRequest) -> Answer {
    match changed(&request).await {
        Ok(device) => {
            let mut response = request.go_and_say(PATH, Flash::PasswordChanged);
            response.add_cookie(&request.jar().device(&device)).map_err(Error::internal)?;
            Ok(response)
        }
        Err(Error::Invalid(faults)) => {
            let fault = faults.into_iter().next().map(|fault| match fault.field.as_str() {
                "present" => {
                    Fault { field: "present", text: sentence("The current password", &fault.message) }
                }
                "password_again" => {
                    Fault { field: "password_again", text: sentence("The second password", &fault.message) }
                }
                _ => Fault { field: "new_password", text: sentence("The new password", &fault.message) },
            });
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, fault)
        }
        Err(error) => Err(error),
    }
}

/// Changes the password as the form asks for: the cookie by which this browser is known from now on,
/// for those of other browsers are worth nothing any more.
async fn changed(request: &PageRequest) -> Result<String> {
    let fault = |field: &str, message: &str| Err(Error::invalid(Place::Body, field, message));
    let new = request.form.text("new_password").to_owned();
    admins::check_password(&new)?;
    if request.form.text("password_again") != new {
        return fault("password_again", "does not match the first");
    }
    if !reauthenticate::is_password(request, request.form.text("present")).await? {
        return fault("present", "is wrong");
    }
    let hash = request.shared::<LoginThrottle>()?.hash(move || admins::hash_password(&new)).await??;
    let (admin, here) = (request.admin()?.clone(), request.sign_in()?.hash);
    let change = move |tx: &ErasingTx| {
        credentials::change_password(tx, admin.id, &admin.password_hash, &hash, Some(&here))
    };
    let admin = request.app.write(change).await?;
    device::cookie(&request.app, &admin)
}

/// The page, with what is wrong with one of its forms.
pub fn page(request: &PageRequest, status: StatusCode, fault: Option<Fault>) -> Answer {
    let (id, here) = (request.admin()?.id, request.sign_in()?.hash);
    let (listed, standing, is_needed) = request.app.read(|db| {
        let listed = request.app.sign_ins_of(db, id, request.now)?;
        Ok((listed, second_factor::standing(db, id)?, second_factor::is_needed(db)?))
    })?;
    let mut page = request.page("account", "Your account")?;
    page.path = PATH.to_owned();
    let page = AccountPage {
        page,
        sign_ins: listed.iter().map(|sign_in| SignInRow::new(request, sign_in, &here)).collect(),
        idle: many(sign_ins::IDLE / MINUTE, "minute"),
        longest: many(sign_ins::LONGEST / HOUR, "hour"),
        min_length: admins::PASSWORD_MIN,
        factor: Factor::of(standing),
        is_needed,
        error_field: fault.as_ref().map_or("", |fault| fault.field),
        error: fault.map(|fault| fault.text),
    };
    request.html(status, &page)
}
