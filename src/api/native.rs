//! Our own API, under `/api/…`: `Authorization: Bearer <project key>`, errors as RFC 9457
//! problems. What a user did comes in here when it is none of the things that the other
//! APIs have a word for, and so do recordings of sessions.

mod backups;
mod exports;
mod holds;
mod imports;
mod metrics;
mod projects;
mod proofs;
mod repairs;
mod search;
mod suppressions;
mod words;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, mime};
use bytes::Bytes;
use serde_json::{Value, json};

use super::dialect::{self, Answer, Call, Dialect, Literal, Object, Route};
use super::{check, streamed};
use crate::access::keyring::Access;
use crate::clock::{self, Millis};
use crate::error::{Error, FieldError, Place, Result};
use crate::model::{Device, Dropped, Identifier, Kind, ProjectId, Repair, Scope};
use crate::people::activity::{Incoming, Taken};
use crate::people::recorder::Recorder;
use crate::people::recordings;
use crate::people::repairs::{self as repaired, OVER_THE_HOUR};
use crate::people::subject::Subject;
use crate::store::NormalTx;
use crate::trace::RequestId;

pub static DIALECT: &dyn Dialect = &Native;

/// The most entries of one request.
const BATCH_MAX: usize = 1_000;
/// What an entry may have.
const ENTRY: [&str; 11] = [
    "type",
    "kind",
    "userId",
    "anonymousId",
    "name",
    "at",
    "timestamp",
    "messageId",
    "sessionId",
    "url",
    "data",
];
/// The largest piece of a recording: 8 MiB.
const PIECE_MAX: usize = 8 * 1024 * 1024;

struct Native;

impl Dialect for Native {
    fn key_scheme(&self) -> Value {
        json!({ "type": "http", "scheme": "bearer" })
    }

    fn error_schema(&self) -> Value {
        words::problem()
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        dialect::authorization(request)
    }

    fn error(&self, error: &Error) -> HttpResponse {
        let status = dialect::status(error);
        let detail = match error {
            // It may be the body, or the recording that it would have been added to.
            Error::TooLarge { limit } => format!("this takes at most {limit} bytes"),
            error => dialect::message(error),
        };
        let faults = dialect::faults(error);
        HttpResponse::build(status).content_type("application/problem+json").json(json!({
            "type": format!("/docs#problem-{}", code(error)),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": detail,
            "code": code(error),
            "requestId": RequestId::current().map(|id| id.to_string()),
            "errors": faults.iter().map(fault_json).collect::<Vec<Value>>(),
        }))
    }
}

/// An error's code, by which clients tell it.
fn code(error: &Error) -> &'static str {
    match error {
        Error::NoKey | Error::MalformedKey | Error::UnknownKey => "unauthorized",
        Error::Forbidden(_) => "forbidden",
        Error::RateLimited { .. } => "rate_limited",
        Error::NoSuchRoute => "not_found",
        Error::MethodNotAllowed { .. } => "method_not_allowed",
        Error::Invalid(_) => "invalid",
        Error::BadJson(_) => "bad_json",
        Error::TooLarge { .. } => "too_large",
        Error::TooSlow => "too_slow",
        Error::ProjectNotFound => "project_not_found",
        Error::UserNotFound { .. } => "user_not_found",
        Error::JobNotFound => "job_not_found",
        Error::ReceiptNotFound => "receipt_not_found",
        Error::SessionNotFound => "session_not_found",
        Error::KeyNotFound => "key_not_found",
        Error::NotFound(_) => "not_found",
        Error::IdentifierTaken => "identifier_taken",
        Error::NameTaken { .. } => "name_taken",
        Error::JobEnded => "job_ended",
        Error::Suppressed => "suppressed",
        Error::Held(_) => "held",
        Error::Ambiguous(_) => "ambiguous",
        Error::Conflict(_) => "conflict",
        Error::Unavailable(_)
        | Error::DiskFull
        | Error::DiskFails(_)
        | Error::ReadOnly
        | Error::Damaged(_) => "unavailable",
        Error::Internal(_) => "internal",
    }
}

/// Ours to choose: no path of this API has both a word and a name in one place for one method.
pub const LITERALS: &[Literal] = &[];

pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::new(
            DIALECT,
            Method::POST,
            "/api/activity",
            Some(Scope::Ingest),
            post_activity,
            words::post_activity,
        ),
        Route::new(
            DIALECT,
            Method::PUT,
            "/api/sessions/{id}/recording",
            Some(Scope::Ingest),
            append_recording,
            words::append_recording,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/api/sessions/{id}/recording",
            Some(Scope::Read),
            get_recording,
            words::get_recording,
        ),
    ];
    routes.extend(proofs::routes());
    routes.extend(backups::routes());
    routes.extend(exports::routes());
    routes.extend(holds::routes());
    routes.extend(imports::routes());
    routes.extend(metrics::routes());
    routes.extend(projects::routes());
    routes.extend(repairs::routes());
    routes.extend(search::routes());
    routes.extend(suppressions::routes());
    routes
}

/// `{"activity":[{type, userId or anonymousId, name, at, messageId, sessionId, url, data}]}`,
/// at most 1,000 entries. Good entries are stored, bad ones named in `errors`, each by its
/// index. Only what cannot be read as a list is a problem as a whole.
///
/// `type` (or `kind`) is event, page, screen, error, interaction or log. `at` (or
/// `timestamp`) is an RFC 3339 time or milliseconds since 1970; without it, it is now.
/// An entry without a `messageId` has `<Idempotency-Key>:<index>` for one, if that header
/// is there; what has one counts once, however often it is sent.
async fn post_activity(mut call: Call) -> Answer {
    let project = call.project()?;
    let key =
        call.header("idempotency-key")?.map(|key| Identifier::parse(Place::Header, "Idempotency-Key", key));
    let key = key.transpose()?;
    let mut body = call.object().await?;
    let Some(Value::Array(list)) = body.0.remove("activity") else {
        return Err(Error::invalid(Place::Body, "activity", "must be a list"));
    };
    if list.len() > BATCH_MAX {
        return Err(Error::invalid(
            Place::Body,
            "activity",
            format!("must have at most {BATCH_MAX} entries"),
        ));
    }
    let mut good = Vec::new();
    let mut refused = Vec::new();
    for (index, entry) in list.into_iter().enumerate() {
        match read(entry, || key.as_ref().map(|key| format!("{key}:{index}"))) {
            Ok(incoming) => good.push((index, incoming)),
            Err(error) => refused.push((index, error)),
        }
    }
    let mut counts = Counts::default();
    if !good.is_empty() {
        let (taken, more) = call.app.write(move |tx| take(tx, project, &good)).await?;
        counts = taken;
        refused.extend(more);
    }
    if let Some(retry_after) = counts.over {
        return Err(Error::RateLimited { retry_after });
    }
    refused.sort_by_key(|(index, _)| *index);
    // What became of each says who is known and who was erased: keys that cannot read are not told.
    let data = match call.access()?.scopes.has(Scope::Read) {
        true => json!({
            "stored": counts.stored,
            "duplicates": counts.again,
            "late": counts.late,
            "suppressed": counts.suppressed,
        }),
        false => json!({ "accepted": counts.stored + counts.again + counts.late + counts.suppressed }),
    };
    Ok(HttpResponse::Ok().json(json!({
        "data": data,
        "errors": refused.iter().flat_map(|(index, error)| refusal_json(*index, error)).collect::<Vec<Value>>(),
    })))
}

/// What became of a request's entries.
#[derive(Default)]
struct Counts {
    stored: u32,
    again: u32,
    late: u32,
    suppressed: u32,
    /// The hour's number of new people was reached, and is free again in so many seconds.
    over: Option<u64>,
}

/// Takes in each entry by itself; returns those that were refused, and why.
fn take(
    tx: &NormalTx,
    project: ProjectId,
    entries: &[(usize, Incoming)],
) -> Result<(Counts, Vec<(usize, Error)>)> {
    let mut counts = Counts::default();
    let mut refused = Vec::new();
    let mut recorder = Recorder::new(tx, project);
    for (done, (index, incoming)) in entries.iter().enumerate() {
        match recorder.record(incoming) {
            Ok(Taken::Stored) => counts.stored += 1,
            Ok(Taken::Again) => counts.again += 1,
            Ok(Taken::Dropped(Dropped::Late)) => counts.late += 1,
            Ok(Taken::Dropped(_)) => counts.suppressed += 1,
            Err(error) if error.is_of_the_store() => return Err(error),
            // From here on none is taken: who is known is not told from who is not.
            Err(Error::RateLimited { retry_after }) => {
                let rest: Vec<Repair> = entries[done..].iter().map(|_| OVER_THE_HOUR).collect();
                repaired::note_all(tx, project, &rest)?;
                counts.over = Some(retry_after);
                break;
            }
            Err(error) => refused.push((*index, error)),
        }
    }
    recorder.settle()?;
    Ok((counts, refused))
}

fn read(entry: Value, message_id: impl FnOnce() -> Option<String>) -> Result<Incoming> {
    let Value::Object(map) = entry else {
        return Err(Error::invalid(Place::Body, "activity", "must be an object"));
    };
    let entry = Object(map);
    if let Some(name) = entry.0.keys().find(|name| !ENTRY.contains(&name.as_str())) {
        return Err(Error::invalid(Place::Body, name.as_str(), check::not_known(&ENTRY)));
    }
    let kind = kind(&entry)?;
    let subject = Subject {
        identifier: entry.optional_identifier("userId")?,
        anonymous_id: entry.optional_identifier("anonymousId")?,
    };
    if subject.identifier.is_none() && subject.anonymous_id.is_none() {
        return Err(Error::invalid(Place::Body, "userId", "userId or anonymousId is required"));
    }
    let name = entry.text("name")?.unwrap_or_default();
    // A page may have no title.
    if name.is_empty() && !matches!(kind, Kind::Page | Kind::Screen) {
        return Err(Error::invalid(Place::Body, "name", "is required"));
    }
    Ok(Incoming {
        subject,
        kind,
        name,
        at: time(&entry)?.into(),
        message_id: entry.text("messageId")?.filter(|id| !id.is_empty()).or_else(message_id),
        session: entry.optional_identifier("sessionId")?,
        url: entry.text("url")?.filter(|url| !url.is_empty()),
        data: entry.object("data")?.0,
        device: Device::default(),
    })
}

fn kind(entry: &Object) -> Result<Kind> {
    let field = spelling(entry, ["type", "kind"]);
    let text = entry.text(field)?.ok_or_else(|| Error::invalid(Place::Body, field, "is required"))?;
    let known = "must be event, page, screen, error, interaction or log";
    Kind::parse(&text).ok_or_else(|| Error::invalid(Place::Body, field, known))
}

fn time(entry: &Object) -> Result<Option<Millis>> {
    let field = spelling(entry, ["at", "timestamp"]);
    let at = match entry.0.get(field) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => clock::parse_rfc3339(text),
        Some(number) => number.as_i64(),
    };
    let form = "must be an RFC 3339 time with an offset, or milliseconds since 1970";
    at.filter(|at| *at >= 0).map(Some).ok_or_else(|| Error::invalid(Place::Body, field, form))
}

/// Which of two names an entry uses for a field; the first, if neither or both.
fn spelling(entry: &Object, [first, second]: [&'static str; 2]) -> &'static str {
    if entry.0.contains_key(second) && !entry.0.contains_key(first) { second } else { first }
}

/// Appends the body, as it is, to the recording of a session that has been seen. A piece
/// is at most 8 MiB, or the limit of a whole recording where that is smaller; all pieces
/// are of one Content-Type. `bytes` in the answer is the size of the whole.
async fn append_recording(mut call: Call) -> Answer {
    let project = call.project()?;
    let session = call.identifier("id")?;
    let content_type = content_type(&call)?;
    let limit = call.app.recording_limit();
    let piece: Bytes = call.long_body(PIECE_MAX.min(limit)).await?;
    if piece.is_empty() {
        return Err(Error::invalid(Place::Body, "body", "must not be empty"));
    }
    let session = call
        .app
        .write(move |tx| recordings::append(tx, project, session.as_str(), &content_type, &piece, limit))
        .await?;
    // A public credential is told the same, whatever sessions there are.
    let told = session.filter(|_| !call.access().is_ok_and(Access::is_public));
    Ok(HttpResponse::Ok().json(match told {
        Some(session) => json!({
            "data": {
                "sessionId": session.id.to_string(),
                "contentType": session.recording_type,
                "bytes": session.recording_bytes,
            },
        }),
        None => json!({ "data": { "accepted": true } }),
    }))
}

/// A recording's bytes under the type they came with. They are a client's: no browser is
/// to guess at them or show them as a page of ours.
async fn get_recording(call: Call) -> Answer {
    let project = call.project()?;
    let session = call.identifier("id")?;
    let recording = call.app.read(|db| recordings::open(db, project, session.as_str()))?;
    Ok(HttpResponse::Ok()
        .content_type(recording.content_type.as_str())
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("content-disposition", "attachment"))
        .body(streamed::recording(&call.app, recording)))
}

fn content_type(call: &Call) -> Result<String> {
    let fault = |message| Error::invalid(Place::Header, "Content-Type", message);
    let text = call.header("content-type")?.ok_or_else(|| fault("is required"))?;
    match text.parse::<mime::Mime>() {
        Ok(_) if text.len() <= 255 => Ok(text.to_owned()),
        _ => Err(fault("must be a media type of at most 255 bytes")),
    }
}

fn refusal_json(index: usize, error: &Error) -> Vec<Value> {
    let mut faults = dialect::faults(error);
    if faults.is_empty() {
        faults.push(FieldError::new(Place::Body, "activity", dialect::message(error)));
    }
    faults
        .iter()
        .map(|fault| json!({ "index": index, "field": field(&fault.field), "message": fault.message }))
        .collect()
}

/// A field of an entry by its name here.
fn field(name: &str) -> &str {
    if name == "properties" { "data" } else { name }
}

/// A fault, and where it stands in the request.
fn fault_json(fault: &FieldError) -> Value {
    let mut shown = json!({ "field": fault.field, "message": fault.message });
    match fault.place {
        Place::Body => {
            let pointer = || match fault.field.as_str() {
                "body" => String::new(),
                field => format!("/{}", field.replace(['.', '['], "/").replace(']', "")),
            };
            shown["pointer"] = fault.pointer.clone().unwrap_or_else(pointer).into();
        }
        Place::Path | Place::Query => shown["parameter"] = fault.field.as_str().into(),
        Place::Header => shown["header"] = fault.field.as_str().into(),
    }
    shown
}
