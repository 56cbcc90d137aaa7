//! Segment's HTTP tracking API, the usual way in: `Authorization: Basic
//! base64("<key>:")` or `writeKey` in the body; one message, or a batch.
//!
//! Clients throw a batch away on 400, so a batch with bad messages is answered 200: the
//! good ones are stored, the bad ones named.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

use super::dialect::{self, Answer, Call, Dialect, Object, Route};
use crate::clock::{self, Millis};
use crate::domain::activity::{self, Incoming};
use crate::domain::merge;
use crate::domain::users::{self, Subject};
use crate::error::{Error, Fault, Place, Result};
use crate::model::{Attributes, Device, Identifier, Kind, ProfileChange, ProjectId, Scope};
use crate::store::Tx;

pub static DIALECT: &dyn Dialect = &Segment;

const MESSAGE_MAX: usize = 32 * 1024;
const BATCH_MAX: usize = 500 * 1_000;

struct Segment;

impl Dialect for Segment {
    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        let Some(value) = request.headers().get("authorization") else { return Ok(None) };
        let value = value.to_str().map_err(|_| Error::MalformedKey)?.trim();
        let Some((scheme, encoded)) = value.split_once(' ') else {
            return dialect::authorization(request);
        };
        if !scheme.eq_ignore_ascii_case("basic") {
            return dialect::authorization(request);
        }
        let decoded = data_encoding::BASE64
            .decode(encoded.trim().as_bytes())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or(Error::MalformedKey)?;
        let key = decoded.split(':').next().unwrap_or_default();
        // A client without a write key of its own sends ":"; the body may have it.
        Ok((!key.is_empty()).then(|| key.to_owned()))
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

pub fn routes() -> Vec<Route> {
    let scope = Some(Scope::Ingest);
    vec![
        Route::new(DIALECT, Method::POST, "/v1/batch", scope, batch),
        Route::new(DIALECT, Method::POST, "/v1/identify", scope, |call| single(call, "identify")),
        Route::new(DIALECT, Method::POST, "/v1/track", scope, |call| single(call, "track")),
        Route::new(DIALECT, Method::POST, "/v1/page", scope, |call| single(call, "page")),
        Route::new(DIALECT, Method::POST, "/v1/screen", scope, |call| single(call, "screen")),
        Route::new(DIALECT, Method::POST, "/v1/group", scope, |call| single(call, "group")),
        Route::new(DIALECT, Method::POST, "/v1/alias", scope, |call| single(call, "alias")),
    ]
}

async fn batch(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = Object::parse(&call.body(BATCH_MAX).await?)?;
    let Some(Value::Array(list)) = body.0.get("batch") else {
        return Err(Error::invalid(Place::Body, "batch", "must be a list of messages"));
    };
    let skew = skew(&body, call.app.clock().now());
    let messages: Vec<Result<Message>> = list.iter().map(|value| read(value, None, skew)).collect();
    let mut faults = Vec::new();
    let mut good = Vec::new();
    for (index, message) in messages.into_iter().enumerate() {
        match message {
            Ok(message) => good.push((index, message)),
            Err(error) => faults.push((index, error)),
        }
    }
    if !good.is_empty() {
        faults.extend(call.app.write(move |tx| take_all(tx, project, &good)).await?);
    }
    faults.sort_by_key(|(index, _)| *index);
    let errors: Vec<Value> = faults.iter().flat_map(|(index, error)| errors_json(*index, error)).collect();
    Ok(HttpResponse::Ok().json(match errors.is_empty() {
        true => json!({ "success": true }),
        false => json!({ "success": true, "errors": errors }),
    }))
}

async fn single(mut call: Call, kind: &'static str) -> Answer {
    let project = call.project()?;
    let body = Object::parse(&call.body(MESSAGE_MAX).await?)?;
    let skew = skew(&body, call.app.clock().now());
    let message = read(&Value::Object(body.0), Some(kind), skew)?;
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
    match message {
        Message::Event(incoming) => activity::record(tx, project, incoming).map(|_| ()),
        Message::Identify { subject, change, at } => {
            users::identify(tx, project, subject, change, *at).map(|_| ())
        }
        Message::Alias { previous, subject, at } => merge::alias(tx, project, previous, subject, *at),
    }
}

enum Message {
    Event(Box<Incoming>),
    /// `identify`, and `group`, which names a group of the user's.
    Identify {
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

/// How much the client's clock is ahead of ours, by its `sentAt`; small differences are
/// the way of the message, and are left alone.
fn skew(body: &Object, now: Millis) -> Millis {
    let sent_at = body.0.get("sentAt").and_then(Value::as_str).and_then(clock::parse_rfc3339);
    sent_at.map_or(0, |sent_at| sent_at - now).max(0)
}

fn read(value: &Value, kind: Option<&str>, skew: Millis) -> Result<Message> {
    let Value::Object(map) = value else {
        return Err(Error::invalid(Place::Body, "message", "must be an object"));
    };
    let size = serde_json::to_string(map).map_err(Error::internal)?.len();
    if size > MESSAGE_MAX {
        return Err(Error::invalid(Place::Body, "message", "must have at most 32768 bytes"));
    }
    let message = Object(map.clone());
    let named = message.text("type")?;
    let kind = match kind.or(named.as_deref()) {
        Some(kind) => kind,
        None => return Err(Error::invalid(Place::Body, "type", "is required")),
    };
    let subject = Subject {
        identifier: identifier(&message, "userId")?,
        anonymous_id: identifier(&message, "anonymousId")?,
    };
    let at = time(&message, skew)?;
    if kind != "alias" && subject.identifier.is_none() && subject.anonymous_id.is_none() {
        return Err(Error::invalid(Place::Body, "userId", "userId or anonymousId is required"));
    }
    match kind {
        "track" => {
            let name = message.text("event")?.filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| Error::invalid(Place::Body, "event", "is required"))?;
            event(&message, subject, at, Kind::Event, name)
        }
        "page" | "screen" => {
            let kind = if kind == "page" { Kind::Page } else { Kind::Screen };
            let name = message.text("name")?.unwrap_or_default();
            event(&message, subject, at, kind, name)
        }
        "identify" => {
            let traits = message.object("traits")?;
            Ok(Message::Identify { subject, change: Box::new(change(&traits)?), at })
        }
        "group" => {
            let group = identifier(&message, "groupId")?
                .ok_or_else(|| Error::invalid(Place::Body, "groupId", "is required"))?;
            // The group's own traits are about no user, and are not kept.
            let mut set = Attributes::new();
            set.insert("groupId".into(), json!(group.as_str()));
            Ok(Message::Identify {
                subject,
                change: Box::new(ProfileChange { set, ..Default::default() }),
                at,
            })
        }
        "alias" => {
            let previous = identifier(&message, "previousId")?
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
    let page = context.object("page")?;
    let url = text_of(&properties.0, "url").or_else(|| text_of(&page.0, "url"));
    let session = session_id(&context.0, "sessionId", "context.sessionId")?.map_or_else(
        || session_id(&properties.0, "session_id", "properties.session_id"),
        |session| Ok(Some(session)),
    )?;
    let message_id = match message.0.get("messageId") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if id.is_empty() => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(_) => return Err(Error::invalid(Place::Body, "messageId", "must be a string")),
    };
    Ok(Message::Event(Box::new(Incoming {
        subject,
        kind,
        name,
        at,
        message_id,
        session,
        url,
        data,
        device: device(&context)?,
    })))
}

fn device(context: &Object) -> Result<Device> {
    let part = |name: &str, field: &str| Ok(text_of(&context.object(name)?.0, field));
    Ok(Device {
        os: part("os", "name")?,
        browser: part("browser", "name")?,
        device: part("device", "type")?,
        country: part("location", "country")?,
    })
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
