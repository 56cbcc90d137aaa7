//! What an app sends: events, and what it knows of its users. Answered with an empty text.

use actix_web::HttpResponse;

use super::faults::Faults;
use crate::api::dialect::{Answer, Call, Object, Sender};
use crate::clock::Millis;
use crate::domain::activity::{self, Incoming};
use crate::domain::secrets;
use crate::domain::users::{self, Subject};
use crate::error::{Error, Fault, Place, Result};
use crate::model::{Attributes, Device, Identifier, Kind, ProfileChange, ProjectId};
use crate::store::Tx;

/// What the vendor's clients call a page view.
pub const PAGE_VIEW: &str = "$$pageView";

/// `GET /up`: the server is there.
pub async fn up(_: Call) -> Answer {
    Ok(taken())
}

/// `POST /e` `{name, userIdentifier, displayName, customData, userData, url}`. Each is an
/// event of its own: the clients send no id by which a repetition could be told.
pub async fn track(mut call: Call) -> Answer {
    let project = call.project()?;
    let event = Tracked::read(&call.object().await?, told_apart_by(&call.sender())?)?;
    call.app.write(move |tx| event.take(tx, project)).await.map_err(|error| in_words(error, "userData"))?;
    Ok(taken())
}

/// `POST /u` `{userIdentifier, displayName, avatarUrl, data}`. Word of a user is nothing that
/// the user did: an app that sends it every night has not seen everybody every night.
pub async fn update(mut call: Call) -> Answer {
    let project = call.project()?;
    let (identifier, change) = profile(&call.object().await?, &["userIdentifier", "identifier"])?;
    let put = move |tx: &Tx| users::put(tx, project, &identifier, &change);
    call.app.write(put).await.map_err(|error| in_words(error, "data"))?;
    Ok(taken())
}

/// `POST /i` `{identifier, displayName, avatarUrl, data}`: the user is there, and says who it is.
pub async fn identify(mut call: Call) -> Answer {
    let project = call.project()?;
    let (identifier, change) = profile(&call.object().await?, &["identifier"])?;
    let subject = Subject { identifier: Some(identifier), anonymous_id: None };
    let identify = move |tx: &Tx| users::identify(tx, project, &subject, &change, None);
    call.app.write(identify).await.map_err(|error| in_words(error, "data"))?;
    Ok(taken())
}

fn taken() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("")
}

/// An event, and what it says of its user. One that names nobody is a visitor's: the
/// vendor's server tells them apart by where the request came from, for a day, and so do we.
struct Tracked {
    event: Incoming,
    change: ProfileChange,
    sender: String,
}

/// What tells one visitor from another for a day. Without an address or a program nothing
/// does: each request is a visitor of its own, so that strangers do not meet in one.
fn told_apart_by(sender: &Sender) -> Result<String> {
    match (sender.address, &sender.agent) {
        (Some(address), Some(agent)) => Ok(format!("{address} {agent}")),
        _ => secrets::name(),
    }
}

impl Tracked {
    fn read(body: &Object, sender: String) -> Result<Tracked> {
        let mut faults = Faults::default();
        let name = faults.keep(required(body, "name")).unwrap_or_default();
        let event = Incoming {
            subject: Subject { identifier: faults.keep(identifier(body)).flatten(), anonymous_id: None },
            kind: if name == PAGE_VIEW { Kind::Page } else { Kind::Event },
            name,
            at: None::<Millis>,
            message_id: None,
            session: None,
            url: faults.keep(url(body)).flatten(),
            data: faults.keep(body.object("customData")).map_or_else(Attributes::new, |data| data.0),
            device: Device::default(),
        };
        let change = change(body, "userData", &mut faults);
        faults.keep(activity::check(&event).map_err(|error| in_words(error, "userData")));
        faults.done()?;
        Ok(Tracked { event, change, sender })
    }

    fn take(&self, tx: &Tx, project: ProjectId) -> Result<()> {
        let mut event = self.event.clone();
        if event.subject.identifier.is_none() {
            event.subject = users::visitor(tx, project, &self.sender)?;
        }
        activity::record_with_profile(tx, project, &event, &self.change).map(|_| ())
    }
}

/// The user whom a body is about, under the first of these names that it has.
fn profile(body: &Object, names: &[&str]) -> Result<(Identifier, ProfileChange)> {
    let mut faults = Faults::default();
    let name = named(body, names);
    let identifier = faults.keep(body.identifier(name));
    let change = change(body, "data", &mut faults);
    faults.done()?;
    let identifier = identifier.ok_or_else(|| Error::invalid(Place::Body, name, "is required"))?;
    Ok((identifier, change))
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
fn change(body: &Object, field: &str, faults: &mut Faults) -> ProfileChange {
    let within = |error: Error| match error {
        Error::Invalid(found) => Error::Invalid(
            found.into_iter().map(|f| Fault { field: format!("{field}.{}", f.field), ..f }).collect(),
        ),
        error => error,
    };
    let data = faults.keep(body.object(field)).unwrap_or_else(|| Object(Attributes::new()));
    let mut part = |name: &str| {
        faults.keep(data.object(name).map_err(within)).map_or_else(Attributes::new, |part| part.0)
    };
    let (set, set_once) = (part("set"), part("setOnce"));
    let change = ProfileChange {
        set,
        set_once,
        unset: faults.keep(data.texts("unset").map_err(within)).unwrap_or_default(),
        display_name: faults.keep(body.text_change("displayName")).flatten(),
        avatar_url: faults.keep(body.text_change("avatarUrl")).flatten(),
        ..ProfileChange::default()
    };
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
    let good = |url: &str| split(url).0.is_some() && !url.chars().any(char::is_control);
    match url {
        Some(url) if !good(&url) => {
            Err(Error::invalid(Place::Body, "url", "must be an address such as https://example.com/page"))
        }
        url => Ok(url),
    }
}

/// Origin, path and hash of an address, as far as it has them. The query is none of them.
pub fn split(url: &str) -> (Option<String>, Option<String>, Option<String>) {
    let (rest, hash) = url.find('#').map_or((url, ""), |at| url.split_at(at));
    let hash = (hash.len() > 1).then(|| hash.to_owned());
    let rest = rest.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = rest.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        // Other clients also send addresses without origin.
        return (None, rest.starts_with('/').then(|| rest.to_owned()), hash);
    };
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    // What stands before an @ is for signing in, and no part of an origin.
    let host = host.rsplit('@').next().unwrap_or_default();
    if host.is_empty() || host.contains(char::is_whitespace) {
        return (None, None, None);
    }
    let (scheme, host) = (scheme.to_lowercase(), host.to_lowercase());
    // A port that goes without saying is not part of it.
    let usual = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => "",
    };
    let host = host.strip_suffix(usual).unwrap_or(&host);
    (Some(format!("{scheme}://{host}")), Some(path.to_owned()), hash)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}
