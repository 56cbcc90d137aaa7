//! What shows that somebody was erased: the job, its receipt, and checking a receipt.

use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use super::{DIALECT, words};
use crate::api::dialect::{Answer, Call, Route};
use crate::clock::{self, Millis};
use crate::erasure::{jobs, receipts};
use crate::error::Error;
use crate::model::{Job, ProjectId, Scope, Step};
use crate::proof::check::BYTES_MAX;
use crate::proof::form::FormatError;
use crate::proof::receipt::{self, Gone};

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(DIALECT, Method::GET, "/api/jobs/{jobId}", Some(Scope::Read), get_job, words::get_job),
        Route::new(
            DIALECT,
            Method::GET,
            "/api/receipts/{number}",
            Some(Scope::Read),
            get_receipt,
            words::get_receipt,
        ),
        Route::new(
            DIALECT,
            Method::POST,
            "/api/receipts/check",
            Some(Scope::Read),
            check_receipt,
            words::check_receipt,
        ),
    ]
}

/// A job of the key's project, by its number or by its receipt's id, with which the token of a
/// deletion's answer begins: how far it is, when each step was done, how many rows of each
/// kind it took, and, once it is completed, the number of its receipt. `held`: it is due, and waits for the
/// end of a hold or a restriction.
/// [`Error::JobNotFound`].
async fn get_job(call: Call) -> Answer {
    let project = call.project()?;
    let name = call.path("jobId")?;
    let job = match name.parse::<receipt::Id>() {
        Ok(receipt) => call.app.read(|db| jobs::of_receipt(db, Some(project), receipt)),
        Err(_) => {
            let number = name.parse().map_err(|_| Error::JobNotFound)?;
            call.app.read(|db| jobs::numbered(db, project, number))
        }
    };
    match job {
        Ok(job) => {
            let mut shown = job_json(&job);
            shown["held"] = call.app.read(|db| jobs::is_held(db, &job))?.into();
            Ok(HttpResponse::Ok().json(json!({ "data": shown })))
        }
        Err(Error::ReceiptNotFound) => Err(Error::JobNotFound),
        Err(error) => Err(error),
    }
}

fn job_json(job: &Job) -> Value {
    let time = |at: Option<Millis>| at.map(clock::rfc3339);
    let by_kind = |gone: Vec<Gone>| -> Map<String, Value> {
        gone.into_iter().map(|gone| (gone.kind, gone.rows.into())).collect()
    };
    let (counts, since) = (by_kind(receipts::gone(job)), by_kind(receipts::later(job)));
    json!({
        "id": job.number.to_string(),
        "status": job.status.as_str(),
        "step": job.step.map(Step::as_str),
        "erasure": job.erasure.as_str(),
        "origin": job.origin.as_str(),
        "createdAt": time(Some(job.created_at)),
        "startAt": time(Some(job.start_at)),
        "begunAt": time(job.begun_at),
        "erasedAt": time(job.erased_at),
        "scrubbedAt": time(job.scrubbed_at),
        "finishedAt": time(job.finished_at),
        "rowsErased": job.rows_erased,
        "counts": counts,
        "since": since,
        "mentions": job.mentions,
        "attempts": job.attempts,
        "receipt": job.receipt_number,
    })
}

/// The bytes of a receipt, by its number in the key's project or by its id.
/// [`Error::ReceiptNotFound`], also for one that is not written yet.
async fn get_receipt(call: Call) -> Answer {
    let project = call.project()?;
    let name = call.path("number")?;
    let job = match name.parse::<receipt::Id>() {
        Ok(id) => call.app.read(|db| jobs::of_receipt(db, Some(project), id))?,
        Err(_) => {
            let number = name.parse().map_err(|_| Error::ReceiptNotFound)?;
            call.app.read(|db| jobs::of_receipt_number(db, project, number))?
        }
    };
    let place = job.receipt_no.and_then(|place| u64::try_from(place).ok()).ok_or(Error::ReceiptNotFound)?;
    let app = call.app.clone();
    // On a thread that may wait: a receipt that is being written holds the chain.
    let bytes = web::block(move || {
        let listed = app.receipts().numbered(place).filter(|listed| listed.id.0 == job.receipt);
        listed.ok_or(Error::ReceiptNotFound)?.bytes().map_err(Error::internal)
    });
    Ok(HttpResponse::Ok().content_type("application/json").body(bytes.await.map_err(Error::internal)??))
}

/// Whether the body is a receipt that this installation signed and nobody changed since:
/// `{"data":{"good":…,"faults":[{field, message}]}}`; a fault without a field is of the whole.
async fn check_receipt(mut call: Call) -> Answer {
    let _: ProjectId = call.project()?;
    let body = call.body(BYTES_MAX).await?;
    let key = call.app.signer().public();
    let faults = receipts::check(&body, &key, None).err().unwrap_or_default();
    Ok(HttpResponse::Ok().json(json!({
        "data": { "good": faults.is_empty(), "faults": faults.iter().map(fault_json).collect::<Vec<Value>>() },
    })))
}

fn fault_json(fault: &FormatError) -> Value {
    let field = Some(&fault.field).filter(|field| !field.is_empty());
    json!({ "field": field, "message": fault.why })
}
