//! What an app sends: events, and what it knows of its users. Answered with an empty text.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use serde_json::Value;

use super::faults::Faults;
use super::hub;
use crate::api::dialect::{Answer, Call, Object};
use crate::error::{Error, FieldError, Place, Result};
use crate::forms;
use crate::model::{Attributes, Device, Identifier, Kind, ProfileChange, Repair, Said};
use crate::people::activity::Incoming;
use crate::people::subject::Subject;
use crate::people::visitors::{Cookies, Left, Updated};
use crate::people::{activity, addresses, repairs as repaired, visitors};
use crate::store::NormalTx;

/// What the vendor's clients call a page view.
pub const PAGE_VIEW: &str = "$$pageView";
/// And a click on a link to another site.
const OUTBOUND_LINK: &str = "$$outboundLink";

/// `GET /up`: the server is there.
pub async fn up(_: Call) -> Answer {
    Ok(hub::taken(None))
}

/// `POST /e` `{name, identifier, userIdentifier, displayName, customData, userData, url,
/// contextId}`. Each is an event of its own: the clients send no id by which a repetition
/// could be told. What a browser fetches ahead, or calls outbound and is not, is not kept.
pub async fn track(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = call.object().await?;
    let Tracked { event, change, repairs } = Tracked::read(&body)?;
    if hub::is_prefetch(&call)? || !is_kept(&event)? {
        return Ok(hub::taken(None));
    }
    let origin = hub::origin(&call, &body)?;
    let track = move |tx: &NormalTx| {
        repaired::note_all(tx, project, &repairs)?;
        visitors::track(tx, project, &origin, &event, &change)
    };
    let cookie = call.app.write(track).await.map_err(|error| in_words(error, "userData"))?;
    Ok(hub::taken(cookie))
}

/// `POST /u` `{userIdentifier, identifier, displayName, avatarUrl, data}`. Word of a user is
/// nothing that the user did: an app that sends it every night has not seen everybody every
/// night. Without a name it is about the visitor.
pub async fn update(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = call.object().await?;
    let (identifier, change, repairs) = profile(&body, &["userIdentifier", "identifier"])?;
    let origin = hub::origin(&call, &body)?;
    let update = move |tx: &NormalTx| {
        repaired::note_all(tx, project, &repairs)?;
        visitors::update(tx, project, &origin, identifier.as_ref(), &change)
    };
    Ok(match call.app.write(update).await.map_err(|error| in_words(error, "data"))? {
        Updated::Done => hub::taken(None),
        Updated::Unknown => hub::refusal(StatusCode::BAD_REQUEST, "USER_NOT_FOUND", "No user found"),
    })
}

/// `POST /i` `{identifier, displayName, avatarUrl, data}`: the visitor is there, and says who
/// it is. The vendor's server answers 202 `Identification is running` to a second call for
/// the same identifier; here they run one after the other, and each is answered 200.
pub async fn identify(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = call.object().await?;
    let (identifier, change, repairs) = profile(&body, &["identifier"])?;
    let identifier = identifier.ok_or_else(|| Error::invalid(Place::Body, "identifier", "is required"))?;
    let origin = hub::origin(&call, &body)?;
    let identify = move |tx: &NormalTx| {
        repaired::note_all(tx, project, &repairs)?;
        visitors::identify(tx, project, &origin, &identifier, &change)
    };
    let cookie = call.app.write(identify).await.map_err(|error| in_words(error, "data"))?;
    Ok(hub::taken(cookie))
}

/// `POST /r`: somebody signs out. What comes next is a new visitor's.
pub async fn reset(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = hub::body_if_any(&mut call).await?;
    if hub::origin(&call, &body)?.cookies == Cookies::Refused {
        return Ok(hub::taken_without_cookie());
    }
    let cookie = call.app.write(move |tx: &NormalTx| visitors::new_cookie(tx, project)).await?;
    Ok(hub::taken(Some(cookie)))
}

/// `POST /l`: somebody leaves a page. The session goes on until now.
pub async fn leave(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = hub::body_if_any(&mut call).await?;
    let identifier = identifier(&body)?;
    let origin = hub::origin(&call, &body)?;
    let leave = move |tx: &NormalTx| visitors::leave(tx, project, &origin, identifier.as_ref());
    let refused = |message| hub::refusal(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
    Ok(match call.app.write(leave).await? {
        Left::Noted => hub::taken(None),
        Left::Unknown => refused("User is not identified"),
        Left::NoSession => refused("Session has not started"),
    })
}

/// An event, and what it says of its user.
struct Tracked {
    event: Incoming,
    change: ProfileChange,
    repairs: Vec<Repair>,
}

impl Tracked {
    fn read(body: &Object) -> Result<Tracked> {
        let (mut faults, mut repairs) = (Faults::default(), Vec::new());
        let name = required(body, "name").map(|name| clean("name", name, &mut repairs));
        let name = match name {
            Ok(name) if name.is_empty() => Err(Error::invalid(Place::Body, "name", "must not be empty")),
            name => name,
        };
        let name = faults.keep(name).unwrap_or_default();
        // One for each tab of a browser. Nothing is shown by it, so it is not kept.
        faults.keep(body.text("contextId"));
        let event = Incoming {
            subject: Subject { identifier: faults.keep(identifier(body)).flatten(), anonymous_id: None },
            kind: if name == PAGE_VIEW { Kind::Page } else { Kind::Event },
            name,
            at: Said::Nothing,
            message_id: None,
            session: None,
            url: faults.keep(url(body)).flatten(),
            data: faults.keep(body.object("customData")).map_or_else(Attributes::new, |data| data.0),
            device: Device::default(),
        };
        let change = change(body, "userData", &mut faults, &mut repairs);
        faults.keep(activity::check(&event).map_err(|error| in_words(error, "userData")));
        faults.done()?;
        Ok(Tracked { event, change, repairs })
    }
}

/// Whether an event is to be kept. [`Error::Invalid`] if it lacks what its name promises: the
/// vendor's server wants `url` of a page view, and `url` and `customData.href` of an outbound
/// link. A link to the project's own domain is none. No domain is known here: the host of
/// the page stands in for it.
fn is_kept(event: &Incoming) -> Result<bool> {
    let missing = |field: &str| Error::invalid(Place::Body, field, format!("is required of {}", event.name));
    match event.name.as_str() {
        PAGE_VIEW => event.url.as_deref().map(|_| true).ok_or_else(|| missing("url")),
        OUTBOUND_LINK => {
            let url = event.url.as_deref().ok_or_else(|| missing("url"))?;
            let href = event.data.get("href").and_then(Value::as_str);
            let href = href.ok_or_else(|| missing("customData.href"))?;
            Ok(!is_within(href, url))
        }
        _ => Ok(true),
    }
}

/// Whether a link leads to the host of a page, or to one below it.
fn is_within(href: &str, page: &str) -> bool {
    match (addresses::host(href), addresses::host(page)) {
        (Some(to), Some(from)) => {
            to == from || to.strip_suffix(from.as_str()).is_some_and(|above| above.ends_with('.'))
        }
        _ => false,
    }
}

/// The user whom a body is about, under the first of these names that it has, if it has one.
fn profile(body: &Object, names: &[&str]) -> Result<(Option<Identifier>, ProfileChange, Vec<Repair>)> {
    let (mut faults, mut repairs) = (Faults::default(), Vec::new());
    let identifier = faults.keep(body.optional_identifier(named(body, names))).flatten();
    let change = change(body, "data", &mut faults, &mut repairs);
    faults.done()?;
    Ok((identifier, change, repairs))
}

/// A text without control characters: what a client sends of a name is no reason to lose the rest.
fn clean(field: &'static str, text: String, repairs: &mut Vec<Repair>) -> String {
    match forms::cleaned(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(cleaned) => {
            repairs.push(Repair::of(field, "control characters"));
            cleaned
        }
    }
}

/// A browser's client says `identifier`, a server's `userIdentifier`.
fn identifier(body: &Object) -> Result<Option<Identifier>> {
    body.optional_identifier(named(body, &["userIdentifier", "identifier"]))
}

/// The first of these names that the body has a value for; the first of all, if for none.
fn named<'a>(body: &Object, names: &[&'a str]) -> &'a str {
    let has = |name: &&&str| body.0.get(**name).is_some_and(|value| !value.is_null());
    names.iter().find(has).unwrap_or(&names[0])
}

fn required(body: &Object, field: &str) -> Result<String> {
    let text = body.text(field)?.ok_or_else(|| Error::invalid(Place::Body, field, "is required"))?;
    if text.is_empty() { Err(Error::invalid(Place::Body, field, "must not be empty")) } else { Ok(text) }
}

/// `{set: {…}, setOnce: {…}, unset: […]}` of a field, and the texts beside it.
fn change(body: &Object, field: &str, faults: &mut Faults, repairs: &mut Vec<Repair>) -> ProfileChange {
    let within = |error: Error| match error {
        Error::Invalid(found) => Error::Invalid(
            found.into_iter().map(|f| FieldError { field: format!("{field}.{}", f.field), ..f }).collect(),
        ),
        error => error,
    };
    let data = faults.keep(body.object(field)).unwrap_or_else(|| Object(Attributes::new()));
    let mut part = |name: &str| {
        faults.keep(data.object(name).map_err(within)).map_or_else(Attributes::new, |part| part.0)
    };
    let (set, set_once) = (part("set"), part("setOnce"));
    let unset = faults.keep(data.texts("unset").map_err(within)).unwrap_or_default();
    let mut text = |name: &'static str| {
        let said = faults.keep(body.text_change(name)).flatten();
        said.map(|said| said.map(|text| clean(name, text, repairs)))
    };
    let (display_name, avatar_url) = (text("displayName"), text("avatarUrl"));
    let change = ProfileChange { set, set_once, unset, display_name, avatar_url, ..ProfileChange::default() };
    faults.keep(change.check());
    change
}

/// An error in the words of these bodies: `profile` is what the attributes are called.
fn in_words(error: Error, profile: &str) -> Error {
    let Error::Invalid(mut faults) = error else { return error };
    for fault in &mut faults {
        match fault.field.as_str() {
            "attributes" => fault.field = profile.to_owned(),
            "properties" => fault.field = "customData".to_owned(),
            _ => {}
        }
    }
    Error::Invalid(faults)
}

fn url(body: &Object) -> Result<Option<String>> {
    let url = body.text("url")?.filter(|url| !url.is_empty());
    let good = |url: &str| addresses::split(url).0.is_some() && !url.chars().any(char::is_control);
    match url {
        Some(url) if !good(&url) => {
            Err(Error::invalid(Place::Body, "url", "must be an address such as https://example.com/page"))
        }
        url => Ok(url),
    }
}
