//! Taking along what is held of a person: a download for an admin, a link for the person.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, header};
use askama::Template;

use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route};
use super::show::{Time, plain};
use super::{user, user_row};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::error::Result;
use crate::export::links::{self, Fetched, Made, TRIES, Wish};
use crate::export::{Form, Person};
use crate::trace::RequestId;
use crate::web::piped;

pub fn routes() -> Vec<Route> {
    let may = Access::May(Permission::ExportPeople);
    vec![
        Route::new(Method::POST, "/admin/users/{user}/export", may, download),
        Route::new(Method::POST, "/admin/users/{user}/export-link", may, make_link),
        Route::new(Method::GET, "/x/{token}", Access::Everybody, show),
        Route::new(Method::POST, "/x/{token}", Access::Everybody, fetch),
    ]
}

#[derive(Template)]
#[template(path = "export_link.html")]
struct LinkPage {
    page: Page,
    heading: String,
    back: String,
    address: String,
    pin: Option<String>,
    expires: Time,
    downloads: i64,
}

#[derive(Template)]
#[template(path = "export_download.html")]
struct DownloadPage {
    page: Page,
    token: String,
    asks_for_pin: bool,
    error: Option<String>,
}

async fn download(request: PageRequest) -> Answer {
    let (id, reach) = (request.user()?, request.reach());
    let turn = request.app.exporting()?;
    let person = request
        .app
        .write(move |tx| {
            let user = scoped::held(tx, &reach, id, tx.now())?;
            Person::take(tx, user.project, user.id, Form::Zip)
        })
        .await?;
    streamed(&request, turn, person)
}

/// The ZIP, as it is written. `turn` is held until the end.
fn streamed<T: Send + 'static>(request: &PageRequest, turn: T, person: Person) -> Answer {
    let (app, of) = (request.app.clone(), RequestId::current().unwrap_or_default());
    let mut answer = HttpResponse::Ok();
    answer.content_type(Form::Zip.media_type());
    answer.insert_header((header::CONTENT_DISPOSITION, Form::Zip.disposition()));
    piped::answer(answer, move |out| {
        let _turn = turn;
        of.sync_scope(|| person.write(app.store(), app.clock().now(), Form::Zip, out))
    })
}

/// Shows the new link, once.
async fn make_link(request: PageRequest) -> Answer {
    let (id, reach) = (request.user()?, request.reach());
    let wish = Wish { with_pin: request.form.given("pin").is_some(), ..Wish::default() };
    let made = request.app.write(move |tx| {
        let user = scoped::held(tx, &reach, id, tx.now())?;
        Ok((links::create_for(tx, &user, wish)?, user))
    });
    let (Made { link, token, pin }, user) = made.await?;
    let page = LinkPage {
        page: Page { path: user::path(user.id), ..request.page("users", "Download link")? },
        heading: user_row::heading(&user),
        back: user::path(user.id),
        address: format!("{}{}", request.app.edge().address(), links::path(&token)),
        pin,
        expires: Time::new(link.expires_at, request.now),
        downloads: link.downloads_left,
    };
    request.html(StatusCode::OK, &page)
}

/// Programs that look at mails fetch what they find: nothing is given before somebody clicks.
async fn show(request: PageRequest) -> Answer {
    let token = request.segment("token").to_owned();
    match request.app.read(|db| links::look(db, &token, request.now))? {
        Some(asks_for_pin) => form(&request, StatusCode::OK, token, asks_for_pin, None),
        None => gone(&request),
    }
}

async fn fetch(request: PageRequest) -> Answer {
    let (token, pin) = (request.segment("token").to_owned(), request.form.text("pin").to_owned());
    // An unknown link takes no place from others.
    if request.app.read(|db| links::look(db, &token, request.now))?.is_none() {
        return gone(&request);
    }
    let turn = request.app.exporting()?;
    let asked = token.clone();
    match request.app.write(move |tx| links::fetch(tx, &asked, &pin)).await? {
        Fetched::Given(person) => streamed(&request, turn, *person),
        Fetched::WrongPin { left: 0 } | Fetched::Gone => gone(&request),
        Fetched::WrongPin { left } => {
            let error =
                format!("This PIN is wrong. After {TRIES} wrong PINs the link no longer works; {left} left.");
            form(&request, StatusCode::UNPROCESSABLE_ENTITY, token, true, Some(error))
        }
    }
}

fn form(
    request: &PageRequest,
    status: StatusCode,
    token: String,
    asks_for_pin: bool,
    error: Option<String>,
) -> Answer {
    let page =
        DownloadPage { page: request.page("", "Your data")?, token: plain(&token), asks_for_pin, error };
    request.html(status, &page)
}

/// One answer for a link that never was and for one that opens no more: nobody is told who was erased.
fn gone(request: &PageRequest) -> Result<HttpResponse> {
    let text = "It has expired, was used too often or was withdrawn. Ask for a new one where you got it.";
    Ok(request.say(StatusCode::GONE, "This link does not work", text.to_owned(), ("/", "Start page")))
}
