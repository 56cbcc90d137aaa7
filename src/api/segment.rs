//! Segment's HTTP tracking API, the usual way in: `Authorization: Basic
//! base64("<key>:")` or `writeKey` in the body; one message, or a batch.
//!
//! Clients throw a batch away on 400, so a batch with bad messages is answered 200: the
//! good ones are stored, the bad ones named.

mod browser;
mod key;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::dialect::{self, Answer, Call, Dialect, Literal, Object, Route};
use crate::clock::{self, Millis};
use crate::domain::activity::{self, Incoming};
use crate::domain::merge;
use crate::domain::users::{self, Subject};
use crate::error::{Error, Fault, Place, Result};
use crate::model::{Attributes, Device, Identifier, Kind, ProfileChange, ProjectId, Scope};
use crate::store::Tx;

pub static DIALECT: &dyn Dialect = &Segment;

const MESSAGE_MAX: usize = 32 * 1024;
/// 532 KiB: clients of Ruby, Java and .NET cut their batches at 512,000 bytes and add one
/// message more.
const BATCH_MAX: usize = 544_768;
/// A message on a path of its own is read as far as this, then judged by [`MESSAGE_MAX`].
const SINGLE_MAX: usize = 64 * 1024;

struct Segment;

impl Dialect for Segment {
    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        key::of(request)
    }

    fn key_in_body(&self) -> Option<&'static str> {
        Some("writeKey")
    }

    fn error(&self, error: &Error) -> HttpResponse {
        let code = match error {
            Error::NoKey | Error::MalformedKey | Error::UnknownKey => "unauthorized",
            Error::Forbidden(_) => "forbidden",
            Error::RateLimited { .. } => "rate_limited",
            Error::TooLarge { .. } => "too_large",
            Error::NoSuchRoute => "not_found",
            Error::MethodNotAllowed { .. } => "method_not_allowed",
            Error::Unavailable(_) => "unavailable",
            Error::Internal(_) => "internal",
            _ => "invalid",
        };
        let mut body = json!({ "success": false, "code": code, "message": dialect::message(error) });
        let faults = dialect::faults(error);
        if !faults.is_empty() {
            body["errors"] = faults.iter().map(|fault| fault_json(0, fault)).collect();
        }
        HttpResponse::build(dialect::status(error)).json(body)
    }
}

/// The vendors have no word beside `{writeKey}`.
pub const LITERALS: &[Literal] = &[];

pub fn routes() -> Vec<Route> {
    let post = |path| (Method::POST, path, Some(Scope::Ingest));
    let mut routes = Vec::new();
    // The vendor's own, then those of its phones' clients, of Ruby's, .NET's and Java's, and of
    // RudderStack's browser client where the page is left.
    for path in ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"] {
        let (method, path, scope) = post(path);
        routes.push(Route::new(DIALECT, method, path, scope, batch).from_browsers().body_max(BATCH_MAX));
    }
    // The browser's client puts the first letter of the type into the path.
    let kinds = [
        ("identify", "/v1/identify", "/v1/i"),
        ("track", "/v1/track", "/v1/t"),
        ("page", "/v1/page", "/v1/p"),
        ("screen", "/v1/screen", "/v1/s"),
        ("group", "/v1/group", "/v1/g"),
        ("alias", "/v1/alias", "/v1/a"),
    ];
    for (kind, whole, letter) in kinds {
        for path in [whole, letter] {
            let (method, path, scope) = post(path);
            let route = Route::new(DIALECT, method, path, scope, move |call| single(call, kind));
            routes.push(route.from_browsers().body_max(SINGLE_MAX));
        }
    }
    routes.extend(browser::routes());
    routes
}

async fn batch(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = call.body(BATCH_MAX).await?;
    let fields = dialect::unread(&body)?;
    let list = fields.get("batch").and_then(|list| serde_json::from_str::<Vec<&RawValue>>(list.get()).ok());
    let list = list.ok_or_else(|| Error::invalid(Place::Body, "batch", "must be a list of messages"))?;
    let sent_at = fields.get("sentAt").and_then(|text| serde_json::from_str::<String>(text.get()).ok());
    let skew = skew(sent_at.as_deref(), call.app.clock().now());
    let mut refused = Vec::new();
    let mut good = Vec::new();
    for (index, text) in list.into_iter().enumerate() {
        match parse(text).and_then(|message| read(&message, None, skew)) {
            Ok(message) => good.push((index, message)),
            Err(error) => refused.push((index, error)),
        }
    }
    if !good.is_empty() {
        refused.extend(call.app.write(move |tx| take_all(tx, project, &good)).await?);
    }
    refused.sort_by_key(|(index, _)| *index);
    let errors: Vec<Value> = refused.iter().flat_map(|(index, error)| errors_json(*index, error)).collect();
    Ok(HttpResponse::Ok().json(match errors.is_empty() {
        true => json!({ "success": true }),
        false => json!({ "success": true, "errors": errors }),
    }))
}

async fn single(mut call: Call, kind: &'static str) -> Answer {
    let project = call.project()?;
    let body = call.body(SINGLE_MAX).await?;
    if body.len() > MESSAGE_MAX {
        return Err(Error::TooLarge { limit: MESSAGE_MAX });
    }
    let body = Object::parse(&body)?;
    let skew = skew(body.0.get("sentAt").and_then(Value::as_str), call.app.clock().now());
    let message = read(&body, Some(kind), skew)?;
    call.app.write(move |tx| take(tx, project, &message)).await?;
    Ok(HttpResponse::Ok().json(json!({ "success": true })))
}

/// Takes in each message by itself; returns those that were refused, and why.
fn take_all(tx: &Tx, project: ProjectId, messages: &[(usize, Message)]) -> Result<Vec<(usize, Error)>> {
    let mut refused = Vec::new();
    for (index, message) in messages {
        match tx.nested(|| take(tx, project, message)) {
            Ok(()) => {}
            Err(error @ (Error::Internal(_) | Error::Unavailable(_))) => return Err(error),
            Err(error) => refused.push((*index, error)),
        }
    }
    Ok(refused)
}

fn take(tx: &Tx, project: ProjectId, message: &Message) -> Result<()> {
    let outcome = match message {
        Message::Event(incoming) => activity::record(tx, project, incoming).map(|_| ()),
        Message::Identify { subject, change, at } => {
            users::identify(tx, project, subject, change, *at).map(|_| ())
        }
        Message::Group { subject, change, at } => {
            users::describe(tx, project, subject, change, *at).map(|_| ())
        }
        Message::Alias { previous, subject, at } => merge::alias(tx, project, previous, subject, *at),
    };
    outcome.map_err(|error| worded(message, error))
}

enum Message {
    Event(Box<Incoming>),
    Identify {
        subject: Subject,
        change: Box<ProfileChange>,
        at: Option<Millis>,
    },
    /// Names a group of the user's.
    Group {
        subject: Subject,
        change: Box<ProfileChange>,
        at: Option<Millis>,
    },
    Alias {
        previous: Identifier,
        subject: Subject,
        at: Option<Millis>,
    },
}

/// A rule's error with the fields as a message has them.
fn worded(message: &Message, error: Error) -> Error {
    match (message, error) {
        (Message::Alias { .. }, Error::Conflict(why)) => Error::invalid(Place::Body, "previousId", why),
        (_, Error::Conflict(why)) => Error::invalid(Place::Body, "anonymousId", why),
        (_, Error::Invalid(faults)) => Error::Invalid(
            faults
                .into_iter()
                .map(|fault| Fault { field: field(message, &fault.field).into(), ..fault })
                .collect(),
        ),
        (_, error) => error,
    }
}

fn field<'a>(message: &Message, name: &'a str) -> &'a str {
    match (message, name) {
        (Message::Event(incoming), "name") if incoming.kind == Kind::Event => "event",
        (Message::Identify { .. }, "email") => "traits.email",
        (Message::Identify { .. }, "firstName") => "traits.firstName",
        (Message::Identify { .. }, "lastName") => "traits.lastName",
        (Message::Identify { .. }, "displayName") => "traits.name",
        (Message::Identify { .. }, "avatarUrl") => "traits.avatar",
        (Message::Identify { .. }, "country") => "traits.country",
        (Message::Identify { .. }, "city") => "traits.city",
        (Message::Identify { .. } | Message::Group { .. }, "attributes") => "traits",
        (_, name) => name,
    }
}

/// How much the client's clock is ahead of ours, by its `sentAt`; one that is behind may
/// be the message's time on its way, and is left alone.
fn skew(sent_at: Option<&str>, now: Millis) -> Millis {
    sent_at.and_then(clock::parse_rfc3339).map_or(0, |sent_at| sent_at - now).max(0)
}

/// One message of a batch.
fn parse(text: &RawValue) -> Result<Object> {
    let fault = |message: String| Error::invalid(Place::Body, "message", message);
    if text.get().len() > MESSAGE_MAX {
        return Err(fault(format!("must have at most {MESSAGE_MAX} bytes")));
    }
    match serde_json::from_str(text.get()) {
        Ok(Value::Object(map)) => Ok(Object(map)),
        Ok(_) => Err(fault("must be an object".into())),
        // serde_json's texts quote no values, only what it expected and where.
        Err(error) => Err(fault(format!("cannot be read: {error}"))),
    }
}

fn read(message: &Object, kind: Option<&str>, skew: Millis) -> Result<Message> {
    let named = message.text("type")?;
    let kind = match kind.or(named.as_deref()) {
        Some(kind) => kind,
        None => return Err(Error::invalid(Place::Body, "type", "is required")),
    };
    let subject = Subject {
        identifier: identifier(message, "userId")?,
        anonymous_id: identifier(message, "anonymousId")?,
    };
    let at = time(message, skew)?;
    if kind != "alias" && subject.identifier.is_none() && subject.anonymous_id.is_none() {
        return Err(Error::invalid(Place::Body, "userId", "userId or anonymousId is required"));
    }
    match kind {
        "track" => {
            let name = message.text("event")?.filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| Error::invalid(Place::Body, "event", "is required"))?;
            event(message, subject, at, Kind::Event, name)
        }
        "page" | "screen" => {
            let kind = if kind == "page" { Kind::Page } else { Kind::Screen };
            let name = message.text("name")?.unwrap_or_default();
            event(message, subject, at, kind, name)
        }
        "identify" => {
            let traits = message.object("traits")?;
            Ok(Message::Identify { subject, change: Box::new(change(&traits)?), at })
        }
        "group" => {
            let group = identifier(message, "groupId")?
                .ok_or_else(|| Error::invalid(Place::Body, "groupId", "is required"))?;
            // The group's own traits are about no user, and are not kept.
            let mut set = Attributes::new();
            set.insert("groupId".into(), json!(group.as_str()));
            let change = Box::new(ProfileChange { set, ..ProfileChange::default() });
            Ok(Message::Group { subject, change, at })
        }
        "alias" => {
            let previous = identifier(message, "previousId")?
                .ok_or_else(|| Error::invalid(Place::Body, "previousId", "is required"))?;
            if subject.identifier.is_none() {
                return Err(Error::invalid(Place::Body, "userId", "is required"));
            }
            Ok(Message::Alias { previous, subject, at })
        }
        _ => {
            let known = "must be identify, track, page, screen, group or alias";
            Err(Error::invalid(Place::Body, "type", known))
        }
    }
}

fn event(
    message: &Object,
    subject: Subject,
    at: Option<Millis>,
    kind: Kind,
    name: String,
) -> Result<Message> {
    let properties = message.object("properties")?;
    let context = message.object("context")?;
    let mut data = properties.0.clone();
    if let Some(category) = message.text("category")? {
        data.insert("category".into(), json!(category));
    }
    let url = text_of(&properties.0, "url").or_else(|| text_in(&context, "page", "url"));
    let session = session_id(&context.0, "sessionId", "context.sessionId")?.map_or_else(
        || session_id(&properties.0, "session_id", "properties.session_id"),
        |session| Ok(Some(session)),
    )?;
    Ok(Message::Event(Box::new(Incoming {
        subject,
        kind,
        name,
        at,
        message_id: message_id(message)?,
        session,
        url,
        data,
        device: device(&context),
    })))
}

/// A client may say anything of its surroundings: what is not where it is looked for is not
/// there.
fn device(context: &Object) -> Device {
    Device {
        os: text_in(context, "os", "name"),
        browser: text_in(context, "browser", "name"),
        device: text_in(context, "device", "type"),
        country: text_in(context, "location", "country"),
    }
}

fn message_id(message: &Object) -> Result<Option<String>> {
    match message.0.get("messageId") {
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        _ => Ok(message.text("messageId")?.filter(|id| !id.is_empty())),
    }
}

/// A session's name is a text or a number; empty is none.
fn session_id(map: &Map<String, Value>, field: &str, path: &str) -> Result<Option<Identifier>> {
    match map.get(field) {
        Some(Value::Number(number)) => Identifier::parse(Place::Body, path, &number.to_string()).map(Some),
        Some(Value::String(text)) if !text.is_empty() => Identifier::parse(Place::Body, path, text).map(Some),
        _ => Ok(None),
    }
}

/// Ids come as texts, and from some clients as numbers.
fn identifier(message: &Object, field: &str) -> Result<Option<Identifier>> {
    match message.0.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Identifier::parse(Place::Body, field, &number.to_string()).map(Some),
        Some(_) => message.optional_identifier(field),
    }
}

fn time(message: &Object, skew: Millis) -> Result<Option<Millis>> {
    let Some(text) = message.text("timestamp")? else { return Ok(None) };
    let at = clock::parse_rfc3339(&text)
        .ok_or_else(|| Error::invalid(Place::Body, "timestamp", "must be an ISO 8601 time with an offset"))?;
    Ok(Some(at - skew))
}

/// Known traits become the profile's own fields, the rest its attributes.
fn change(traits: &Object) -> Result<ProfileChange> {
    let mut set = Attributes::new();
    let mut change = ProfileChange::default();
    for (name, value) in &traits.0 {
        let field = match name.as_str() {
            "email" => &mut change.email,
            "firstName" | "first_name" => &mut change.first_name,
            "lastName" | "last_name" => &mut change.last_name,
            "name" | "displayName" => &mut change.display_name,
            "avatar" | "avatarUrl" => &mut change.avatar_url,
            "country" => &mut change.country,
            "city" => &mut change.city,
            _ => {
                set.insert(name.clone(), value.clone());
                continue;
            }
        };
        match value {
            Value::String(text) => *field = Some(Some(text.clone())),
            Value::Null => *field = Some(None),
            // Not a text: kept under its own name.
            _ => {
                set.insert(name.clone(), value.clone());
            }
        }
    }
    if let Some(Value::Object(address)) = traits.0.get("address") {
        change.country = change.country.or_else(|| text_of(address, "country").map(Some));
        change.city = change.city.or_else(|| text_of(address, "city").map(Some));
    }
    Ok(ProfileChange { set, ..change })
}

fn text_in(context: &Object, part: &str, field: &str) -> Option<String> {
    context.0.get(part).and_then(Value::as_object).and_then(|map| text_of(map, field))
}

fn text_of(map: &Map<String, Value>, field: &str) -> Option<String> {
    map.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn errors_json(index: usize, error: &Error) -> Vec<Value> {
    let faults = dialect::faults(error);
    if faults.is_empty() {
        return vec![fault_json(index, &Fault::new(Place::Body, "message", dialect::message(error)))];
    }
    faults.iter().map(|fault| fault_json(index, fault)).collect()
}

fn fault_json(index: usize, fault: &Fault) -> Value {
    json!({ "index": index, "field": fault.field, "message": fault.message })
}
