//! All that is held of a person, taken along, by a key or by a link.

use actix_web::HttpResponse;
use actix_web::http::Method;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::{DIALECT, suppressions, words};
use crate::api::dialect::{Answer, Call, Object, Route};
use crate::clock::rfc3339;
use crate::error::{Error, Place, Result};
use crate::export::links::{self, Link, Wish};
use crate::export::{Form, Person};
use crate::model::{Handle, Scope, UserId};
use crate::trace::RequestId;
use crate::web::{page_sizes, piped};

const LINKS: &str = "/api/exports";
const LINK: &str = "/api/exports/{id}";
/// So many links on a page.
const PAGE: u32 = page_sizes::NATIVE_FIXED;

pub fn routes() -> Vec<Route> {
    let scope = Some(Scope::Export);
    vec![
        Route::new(DIALECT, Method::GET, "/api/users/{id}/export", scope, export, words::export),
        Route::new(DIALECT, Method::POST, LINKS, scope, create_link, words::create_link),
        Route::new(DIALECT, Method::GET, LINKS, scope, list_links, words::list_links),
        Route::new(DIALECT, Method::GET, LINK, scope, get_link, words::get_link),
        Route::new(DIALECT, Method::DELETE, LINK, scope, end_link, words::end_link),
    ]
}

/// All data of a live user, or of one in the trash, as it is read; the key needs the scope read as well.
/// `Accept: application/zip`, which is usual, is for the person: pages, tables, recordings, and the lines as
/// well. `application/x-ndjson` is a line of JSON for each row, which `usher import` takes. The audit log says
/// that it was given. An answer that is cut off is not whole: the user was erased meanwhile.
async fn export(call: Call) -> Answer {
    call.access()?.require(Scope::Read)?;
    let (project, id, form) = (call.project()?, user(&call)?, form(&call)?);
    let turn = call.app.exporting()?;
    let person = call.app.write(move |tx| Person::take(tx, project, id, form)).await?;
    let (app, request) = (call.app.clone(), RequestId::current().unwrap_or_default());
    let mut answer = HttpResponse::Ok();
    answer.content_type(form.media_type());
    answer.insert_header(("x-content-type-options", "nosniff"));
    answer.insert_header(("cache-control", "no-store"));
    answer.insert_header(("content-disposition", form.disposition()));
    piped::answer(answer, move |out| {
        let _turn = turn;
        request.sync_scope(|| person.write(app.store(), app.clock().now(), form, out))
    })
}

fn user(call: &Call) -> Result<UserId> {
    let text = call.path("id")?;
    text.parse().map(UserId).map_err(|_| Error::user_not_found(text))
}

/// What the client takes; without a word of it what a person can read.
fn form(call: &Call) -> Result<Form> {
    let accepted = call.header("accept")?.unwrap_or("*/*").to_ascii_lowercase();
    let mut words = accepted.split(',').map(|word| word.split(';').next().unwrap_or_default().trim());
    let form = words.find_map(|word| match word {
        "application/x-ndjson" => Some(Form::Ndjson),
        "application/zip" | "" | "*/*" | "application/*" => Some(Form::Zip),
        _ => None,
    });
    let why = "must be application/zip or application/x-ndjson";
    form.ok_or_else(|| Error::invalid(Place::Header, "Accept", why))
}

/// `{"subject", "days"?, "downloads"?, "pin"?}`: a link by which somebody downloads the ZIP of a live user.
/// `url` and `pin` are shown once. `pin: true` has one of six digits drawn, which goes another way than the
/// link; five wrong ones end it. The key needs the scope read as well.
async fn create_link(mut call: Call) -> Answer {
    call.access()?.require(Scope::Read)?;
    let project = call.project()?;
    let body = call.object().await?;
    let (subject, wish) = (suppressions::subject(&body)?, wish(&body)?);
    let made = call.app.write(move |tx| links::create(tx, project, &subject, wish)).await?;
    let mut shown = link_json(&made.link);
    shown["url"] = format!("{}{}", call.app.edge().address(), links::path(&made.token)).into();
    shown["pin"] = made.pin.into();
    Ok(HttpResponse::Created().json(json!({ "data": shown })))
}

/// Those that still open, the oldest first; `?cursor=` is an answer's `nextCursor`.
async fn list_links(call: Call) -> Answer {
    let (project, now) = (call.project()?, call.app.clock().now());
    let after = match call.query()?.get("cursor") {
        None => i64::MIN,
        Some(text) => {
            let fault = || Error::invalid(Place::Query, "cursor", "is no cursor of this list");
            let link = handle(text).map(|handle| call.app.read(|db| links::get(db, project, handle)));
            link.transpose().ok().flatten().ok_or_else(fault)?.id
        }
    };
    let found = call.app.read(|db| links::list(db, project, now, after, PAGE))?;
    let next = found.last().filter(|_| found.len() == PAGE as usize).map(|link| hex(link.handle));
    Ok(HttpResponse::Ok().json(json!({
        "data": found.iter().map(link_json).collect::<Vec<Value>>(),
        "nextCursor": next,
    })))
}

async fn get_link(call: Call) -> Answer {
    let (project, handle) = (call.project()?, asked(&call)?);
    let link = call.app.read(|db| links::get(db, project, handle))?;
    Ok(HttpResponse::Ok().json(json!({ "data": link_json(&link) })))
}

/// The link opens nothing any more.
async fn end_link(call: Call) -> Answer {
    let (project, handle) = (call.project()?, asked(&call)?);
    call.app.write(move |tx| links::end(tx, project, handle)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn wish(body: &Object) -> Result<Wish> {
    Ok(Wish {
        days: body.number("days")?.unwrap_or(links::DAYS),
        downloads: body.number("downloads")?.unwrap_or(links::DOWNLOADS),
        with_pin: body.flag("pin")?.unwrap_or(false),
    })
}

fn asked(call: &Call) -> Result<Handle> {
    handle(&call.path("id")?).ok_or(Error::NotFound("export link"))
}

fn handle(text: &str) -> Option<Handle> {
    Handle::try_from(HEXLOWER.decode(text.as_bytes()).ok()?).ok()
}

fn hex(handle: Handle) -> String {
    HEXLOWER.encode(&handle)
}

fn link_json(link: &Link) -> Value {
    json!({
        "id": hex(link.handle),
        "userId": link.user.to_string(),
        "createdAt": rfc3339(link.created_at),
        "expiresAt": rfc3339(link.expires_at),
        "downloadsLeft": link.downloads_left,
        "hasPin": link.pin.is_some(),
    })
}
