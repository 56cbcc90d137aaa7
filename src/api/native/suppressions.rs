//! Who is kept out: asked for by a subject, listed and ended by an id that says nothing of them.

use actix_web::HttpResponse;
use actix_web::http::Method;
use serde_json::{Value, json};

use super::{DIALECT, words};
use crate::api::dialect::{Answer, Call, Object, Query, Route};
use crate::clock::rfc3339;
use crate::error::{Error, Place, Result};
use crate::model::{Handle, Identifier, Scope, UserId};
use crate::people::subjects::Subject;
use crate::people::suppressions;
use crate::people::suppressions::{Policy, Suppression};
use crate::web::page_sizes;

const PATH: &str = "/api/suppressions";
pub fn routes() -> Vec<Route> {
    let delete = Some(Scope::Delete);
    vec![
        Route::new(DIALECT, Method::POST, PATH, delete, create, words::create),
        // Who is kept out is shown to those who can keep people out.
        Route::new(DIALECT, Method::GET, PATH, delete, list, words::list_all),
        Route::new(DIALECT, Method::POST, "/api/suppressions/check", Some(Scope::Admin), check, words::check),
        Route::new(DIALECT, Method::DELETE, "/api/suppressions/{id}", delete, end, words::end),
    ]
}

/// `{"subject", "policy": "forever" | "days", "days"?, "reason"?}`: 201, or 200 if they were kept out
/// already, which is from now on by this policy. `subject` has one of `identifier`, `anonymousId`,
/// `id` and `email`; the first two may be unknown. Nothing that is stored leaves by it.
async fn create(mut call: Call) -> Answer {
    let project = call.project()?;
    let asked = Asked::read(&call.object().await?)?;
    let Asked { subject, policy, reason } = asked;
    let made =
        call.app.write(move |tx| suppressions::request(tx, project, &subject, policy, reason.as_deref()));
    let (suppression, is_new) = made.await?;
    let mut answer = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(answer.json(json!({ "data": suppression_json(&suppression) })))
}

/// `?limit=` 1 to 1,000, 50 unless given; `?cursor=` is an answer's `nextCursor`, null on the last
/// page. In no order that means anything.
async fn list(call: Call) -> Answer {
    let (project, now) = (call.project()?, call.app.clock().now());
    let (limit, after) = paging(&call.query()?)?;
    let (found, next) = call.app.scan(move |db| suppressions::page(db, project, after, limit, now)).await?;
    Ok(HttpResponse::Ok().json(json!({
        "data": found.iter().map(suppression_json).collect::<Vec<Value>>(),
        "nextCursor": next.map(hex),
    })))
}

/// `{"subject"}`: whether they are kept out, and by which suppression. That is null where a longer
/// one, of which it was an anonymous id, has ended.
async fn check(mut call: Call) -> Answer {
    let project = call.project()?;
    let subject = subject(&call.object().await?)?;
    let found = call.app.write(move |tx| suppressions::status(tx, project, &subject)).await?;
    Ok(HttpResponse::Ok().json(json!({
        "data": {
            "suppressed": found.is_some(),
            "suppression": found.flatten().as_ref().map(suppression_json),
        },
    })))
}

/// They are let in again; nothing that is erased returns.
async fn end(call: Call) -> Answer {
    let project = call.project()?;
    let handle = handle(&call.path("id")?).ok_or(Error::NotFound("suppression"))?;
    call.app.write(move |tx| suppressions::end(tx, project, handle)).await?;
    Ok(HttpResponse::NoContent().finish())
}

struct Asked {
    subject: Subject,
    policy: Policy,
    reason: Option<String>,
}

impl Asked {
    fn read(body: &Object) -> Result<Asked> {
        let policy = suppressions::policy(body.text("policy")?.as_deref(), body.number("days")?);
        Ok(Asked { subject: subject(body)?, policy: policy?, reason: body.text("reason")? })
    }
}

pub(super) fn subject(body: &Object) -> Result<Subject> {
    let subject = body.object("subject")?;
    let fault = |field: &str, why: &str| Error::invalid(Place::Body, field, why);
    let within = |field: &str, error: Error| match error {
        Error::Invalid(faults) => {
            fault(&format!("subject.{field}"), faults.first().map_or("", |fault| &fault.message))
        }
        error => error,
    };
    let name = |field: &str| -> Result<Option<Identifier>> {
        subject.optional_identifier(field).map_err(|error| within(field, error))
    };
    let text = |field: &str| subject.text(field).map_err(|error| within(field, error));
    let given: Vec<Subject> = [
        name("identifier")?.map(Subject::Identifier),
        name("anonymousId")?.map(Subject::AnonymousId),
        match text("id")? {
            Some(id) => {
                let id = id
                    .parse()
                    .map_err(|_| fault("subject.id", "must be a user id, as the API returns it"))?;
                Some(Subject::Id(UserId(id)))
            }
            None => None,
        },
        match text("email")?.map(|email| email.trim().to_owned()) {
            Some(email) if email.is_empty() => return Err(fault("subject.email", "must not be empty")),
            email => email.map(Subject::Email),
        },
    ]
    .into_iter()
    .flatten()
    .collect();
    match <[Subject; 1]>::try_from(given) {
        Ok([subject]) => Ok(subject),
        Err(_) => Err(fault("subject", "must have one of identifier, anonymousId, id and email")),
    }
}

fn paging(query: &Query) -> Result<(u32, Option<Handle>)> {
    let limit = page_sizes::NATIVE.asked(query.number("limit")?);
    let limit = limit.ok_or_else(|| Error::invalid(Place::Query, "limit", page_sizes::NATIVE.bounds()))?;
    let after = query.get("cursor").map(|text| {
        handle(text).ok_or_else(|| Error::invalid(Place::Query, "cursor", "is not a cursor from this list"))
    });
    Ok((limit, after.transpose()?))
}

fn handle(text: &str) -> Option<Handle> {
    Handle::try_from(data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?).ok()
}

fn hex(handle: Handle) -> String {
    data_encoding::HEXLOWER.encode(&handle)
}

/// `hits` counts the messages under the subject's own name that were kept out.
fn suppression_json(suppression: &Suppression) -> Value {
    json!({
        "id": hex(suppression.handle),
        "policy": if suppression.until.is_some() { "days" } else { "forever" },
        "createdAt": rfc3339(suppression.created_at),
        "until": suppression.until.map(rfc3339),
        "reason": suppression.reason,
        "hits": suppression.hits,
    })
}
