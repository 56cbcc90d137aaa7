//! Segment's HTTP tracking API, the usual way in: `Authorization: Basic
//! base64("<key>:")` or `writeKey` in the body; one message, or a batch.
//!
//! Clients throw a batch away on 400, so a batch with bad messages is answered 200: the
//! good ones are stored, the bad ones named.

mod browser;
mod key;
mod message;
mod taking;
mod words;

use std::borrow::Cow;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::broken::{self, Envelope, Wrong};
use super::dialect::{self, Answer, Call, Dialect, Literal, Route};
use super::lenient::{self, Mended};
use crate::app::App;
use crate::error::{Error, FieldError, Place, Result};
use crate::forms;
use crate::model::Scope;
use crate::people::activity;
use message::Sending;
use taking::{Good, Taking};

pub static DIALECT: &dyn Dialect = &Segment;

/// Segment says 32 KB, RudderStack has no limit of its own for one: its clients send what fits into a
/// batch. Twice as much as Segment's: what is read back in pages has to fit the memory.
const MESSAGE_MAX: usize = activity::EVENT_MAX;
/// RudderStack's `Gateway.maxReqSizeInKB`. Its client for Node sends as much in one request, does not
/// send again what is 413, and ends the process.
const BATCH_MAX: usize = 4_000 * 1_024;
/// A message on a path of its own is read as far as this, then judged by [`MESSAGE_MAX`].
const SINGLE_MAX: usize = 2 * MESSAGE_MAX;

/// Clients send 1,000 at most. Without a bound, a body of nothing but commas would be many messages,
/// each to be refused by itself.
const MESSAGES_MAX: usize = broken::MESSAGES_MAX;

struct Segment;

impl Dialect for Segment {
    fn key_scheme(&self) -> Value {
        json!({ "type": "http", "scheme": "basic", "description": "The key is the user, without a password." })
    }

    fn error_schema(&self) -> Value {
        words::error()
    }

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
            Error::TooSlow => "too_slow",
            Error::NoSuchRoute => "not_found",
            Error::MethodNotAllowed { .. } => "method_not_allowed",
            Error::Unavailable(_)
            | Error::DiskFull
            | Error::DiskFails(_)
            | Error::ReadOnly
            | Error::Damaged(_) => "unavailable",
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
    // RudderStack's browser client where the page is left, and of June's for Python.
    for path in ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch", "/sdk/batch"] {
        let (method, path, scope) = post(path);
        routes.push(
            Route::new(DIALECT, method, path, scope, batch, words::batch).from_browsers().body_max(BATCH_MAX),
        );
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
            let route = Route::new(
                DIALECT,
                method,
                path,
                scope,
                move |call| single(call, kind),
                move || words::single(kind),
            );
            routes.push(route.from_browsers().body_max(SINGLE_MAX));
        }
    }
    routes.extend(browser::routes());
    routes
}

async fn batch(mut call: Call) -> Answer {
    let project = call.project()?;
    let body = call.body(BATCH_MAX).await?;
    let may_know = call.access()?.scopes.has(Scope::Read);
    let (app, sending) = (call.app.clone(), sending(&call, Mended::default()));
    let length = body.len();
    let read = move || read_batch(&body, may_know, sending, &app);
    let (taking, good) = call.read_aside(length, read).await?;
    taking.finish(&call, project, good).await?.answer()
}

/// The messages of a batch that can be taken in, and what is known of the others.
fn read_batch(body: &Bytes, may_know: bool, sending: Sending, app: &App) -> Result<(Taking, Vec<Good>)> {
    let (text, mended) = readable(body, app);
    let (envelopes, wrong) = envelopes(&text)?;
    if envelopes.iter().map(|envelope| envelope.messages.len()).sum::<usize>() > MESSAGES_MAX {
        return Err(Error::invalid(
            Place::Body,
            "batch",
            format!("must have at most {MESSAGES_MAX} messages"),
        ));
    }
    let mut taking = Taking::new(may_know, mended, wrong);
    let mut good = Vec::new();
    let mut index = 0;
    for Envelope { fields, messages } in envelopes {
        let value = |name| fields.get(name).and_then(|text| serde_json::from_str::<Value>(text.get()).ok());
        // analytics-node has the time of sending under another name.
        let sent_at = value("sentAt").or_else(|| value("timestamp"));
        let sending = Sending {
            sent_at: forms::time(sent_at.as_ref()).at(),
            has_lost_characters: mended.not_a_character,
            ..sending.clone()
        };
        for message in messages {
            good.extend(match message {
                Some(text) => taking.read(index, text, None, &sending),
                None => taking.lose(index),
            });
            index += 1;
        }
    }
    Ok((taking, good))
}

/// One, unless the body is broken: then all of which something is whole.
fn envelopes(text: &str) -> Result<(Vec<Envelope<'_>>, Wrong)> {
    let mut fields = match dialect::unread(text.as_bytes()) {
        Ok(fields) => fields,
        Err(error) => return broken::envelopes(text).ok_or(error),
    };
    let list =
        fields.remove("batch").and_then(|list| serde_json::from_str::<Vec<&RawValue>>(list.get()).ok());
    let list = list.ok_or_else(|| Error::invalid(Place::Body, "batch", "must be a list of messages"))?;
    let messages = list.into_iter().map(Some).collect();
    Ok((vec![Envelope { fields, messages }], Wrong::default()))
}

async fn single(mut call: Call, kind: &'static str) -> Answer {
    let project = call.project()?;
    let body = call.body(SINGLE_MAX).await?;
    let (text, mended) = readable(&body, &call.app);
    let sending = sending(&call, mended);
    let mut taking = Taking::new(call.access()?.scopes.has(Scope::Read), mended, Wrong::default());
    let text: &RawValue = serde_json::from_str(&text).map_err(|error| Error::BadJson(error.to_string()))?;
    if text.get().len() > MESSAGE_MAX {
        return Err(Error::TooLarge { limit: MESSAGE_MAX });
    }
    let good = taking.read(0, text, Some(kind), &sending);
    // What a client sent wrong is told by the status; what others did before it is not its fault.
    let unusable = taking.refused.pop();
    let taking = taking.finish(&call, project, good.into_iter().collect()).await?;
    match unusable {
        Some((_, error)) => Err(error),
        None => taking.answer(),
    }
}

/// The body, put right where it cannot be read as it came.
fn readable<'a>(body: &'a Bytes, app: &App) -> (Cow<'a, str>, Mended) {
    match std::str::from_utf8(body) {
        Ok(text) if serde_json::from_str::<&RawValue>(text).is_ok() => {
            (Cow::Borrowed(text), Mended::default())
        }
        _ => {
            app.requests().note_lenient();
            let (text, mended) = lenient::mend(body);
            (Cow::Owned(text), mended)
        }
    }
}

fn sending(call: &Call, mended: Mended) -> Sending {
    Sending {
        now: call.app.clock().now(),
        sent_at: None,
        // A browser's own; a server's says nothing of its users.
        agent: call
            .header("origin")
            .is_ok_and(|origin| origin.is_some())
            .then(|| call.sender().agent)
            .flatten(),
        has_lost_characters: mended.not_a_character,
    }
}

fn errors_json(index: usize, error: &Error) -> Vec<Value> {
    let faults = dialect::faults(error);
    if faults.is_empty() {
        return vec![fault_json(index, &FieldError::new(Place::Body, "message", dialect::message(error)))];
    }
    faults.iter().map(|fault| fault_json(index, fault)).collect()
}

fn fault_json(index: usize, fault: &FieldError) -> Value {
    json!({ "index": index, "field": fault.field, "message": fault.message })
}
