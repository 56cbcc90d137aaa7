//! The receipts, newest first, and checking one that somebody shows.

use actix_web::http::{Method, StatusCode};
use actix_web::web;
use askama::Template;

use super::page::{Page, capital};
use super::page_request::{Access, Answer, PageRequest, Route, address};
use super::paths;
use super::receipt::{self, erased};
use super::show::{Count, Time, many, plain};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::app::App;
use crate::clock::Millis;
use crate::erasure::receipts::Person;
use crate::erasure::{jobs, receipts};
use crate::error::{Error, Place, Result};
use crate::model::Reach;
use crate::proof::check::check_one;
use crate::proof::form;
use crate::proof::receipt::Receipt;
use crate::proof::receipts::Listed;
use crate::proof::signing::PublicKey;
use crate::web::page_sizes;

const CHECK: &str = "/admin/receipts/check";
const PAGE: usize = page_sizes::ADMIN as usize;
/// Receipts that are looked through at once for those of some projects.
const STRETCH: usize = 100;
/// One that names a backup for each hour of a month has some 100 KB; a form adds a half.
const FORM_MAX: usize = 1024 * 1024;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, paths::RECEIPTS, Access::May(Permission::SeeReceipts), list),
        // Before the one of a number, which would take it, too.
        Route::new(Method::GET, CHECK, Access::May(Permission::SeeReceipts), ask),
        Route::new(Method::POST, CHECK, Access::May(Permission::SeeReceipts), answer).form_max(FORM_MAX),
    ]
}

#[derive(Template)]
#[template(path = "receipts.html")]
struct ReceiptsPage {
    page: Page,
    receipts: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
}

struct Row {
    number: u64,
    id: String,
    /// None: it does not read.
    said: Option<Said>,
    fault: Option<String>,
    /// Where its job is. None: a database from before it was put back.
    job_href: Option<String>,
    failed_later: bool,
}

/// What a receipt says.
struct Said {
    what: &'static str,
    origin: &'static str,
    completed: Time,
    rows: Count,
    backups: Option<String>,
}

async fn list(request: PageRequest) -> Answer {
    let (below, reach, now) = (below(&request)?, request.reach(), request.now);
    let app = request.app.clone();
    let rows = web::block(move || {
        let key = app.signer().public();
        let found = newest(&app, &reach, below, PAGE + 1)?;
        Ok(found.into_iter().map(|listed| row(listed, &key, now)).collect::<Vec<Row>>())
    });
    let mut rows = rows.await.map_err(Error::internal)??;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let last = rows.last().map(|last| last.number);
    request.app.read(|db| {
        rows.iter_mut().try_for_each(|row| {
            let Some(id) = row.id.parse().ok() else { return Ok(()) };
            let job = jobs::find_of_receipt(db, id)?;
            row.failed_later = job.as_ref().is_some_and(jobs::failed_later);
            row.job_href = job.map(|job| paths::job(job.id));
            Ok(())
        })
    })?;
    let link = |below: Option<u64>| {
        let below = below.map(|number| number.to_string());
        address(paths::RECEIPTS, &[("below", below.as_deref())])
    };
    let page = ReceiptsPage {
        page: request.page("receipts", "Receipts")?,
        receipts: rows,
        first: below.map(|_| link(None)),
        next: last.filter(|_| more).map(|last| link(Some(last))),
    };
    request.html(StatusCode::OK, &page)
}

/// The receipts of the projects that are reached, below a number, the newest first.
fn newest(app: &App, reach: &Reach, mut below: Option<u64>, limit: usize) -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    loop {
        let read = app.receipts().below(below, STRETCH.max(limit));
        let is_last = read.len() < STRETCH.max(limit);
        below = read.last().map(|listed| listed.number);
        for listed in read {
            if scoped::receipt(app, reach, &listed)? {
                found.push(listed);
            }
            if found.len() == limit {
                return Ok(found);
            }
        }
        if is_last {
            return Ok(found);
        }
    }
}

fn below(request: &PageRequest) -> Result<Option<u64>> {
    let fault = |_| Error::invalid(Place::Query, "below", "must be the number of a receipt");
    request.query.some("below").map(|text| text.parse().map_err(fault)).transpose()
}

fn row(listed: Listed, key: &PublicKey, now: Millis) -> Row {
    let (number, id) = (listed.number, listed.id.to_string());
    let (said, fault) = match listed.read() {
        Ok(stored) => {
            let fault = check_one(&stored.bytes, key).err().map(|fault| fault.to_string());
            (Some(said(&stored.receipt, now)), fault)
        }
        Err(trouble) => (None, Some(receipt::why(&trouble))),
    };
    Row {
        number,
        id,
        said,
        fault: fault.map(|fault| capital(&plain(&fault))),
        job_href: None,
        failed_later: false,
    }
}

fn said(receipt: &Receipt, now: Millis) -> Said {
    let went = receipt.counts.iter().chain(receipt.since.iter().flatten());
    let rows: u64 = went.map(|gone| gone.rows).fold(0, u64::saturating_add);
    Said {
        what: erased(receipt.asked.erasure),
        origin: receipt::origin(receipt.asked.origin),
        completed: Time::new(receipt.done.completed_at, now),
        rows: Count(i64::try_from(rows).unwrap_or(i64::MAX)),
        backups: Some(receipt.backups.len())
            .filter(|backups| *backups > 0)
            .map(|backups| many(i64::try_from(backups).unwrap_or(i64::MAX), "backup")),
    }
}

#[derive(Template)]
#[template(path = "receipt_check.html")]
struct CheckPage {
    page: Page,
    receipt: String,
    token: String,
    identifier: String,
    outcome: Option<Outcome>,
    key: String,
}

enum Outcome {
    Good(Good),
    Faults(Vec<Wrong>),
}

struct Good {
    number: u64,
    id: String,
    said: Said,
    /// It was shown to be about the person named.
    of_person: bool,
    /// It lies among the receipts here.
    href: Option<String>,
    failed_later: bool,
}

struct Wrong {
    /// Empty: the whole.
    field: String,
    why: String,
}

async fn ask(request: PageRequest) -> Answer {
    page(&request, StatusCode::OK, None)
}

async fn answer(request: PageRequest) -> Answer {
    let outcome = match asked(&request).await? {
        Ok(good) => Outcome::Good(good),
        Err(faults) => Outcome::Faults(faults.into_iter().map(wrong).collect()),
    };
    let status = match outcome {
        Outcome::Good(_) => StatusCode::OK,
        Outcome::Faults(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    page(&request, status, Some(outcome))
}

/// Checks what the form has.
async fn asked(request: &PageRequest) -> Result<Result<Good, Vec<form::FormatError>>> {
    // What is copied comes with a line's end; a receipt has none.
    let bytes = request.form.text("receipt").trim().as_bytes();
    let person = match (request.form.some("token"), request.form.some("identifier")) {
        (None, None) => None,
        (Some(token), Some(identifier)) => Some(Person { token, identifier }),
        (Some(_), None) => {
            return Ok(Err(vec![form::FormatError::new("identifier", "is required with a token")]));
        }
        (None, Some(_)) => {
            return Ok(Err(vec![form::FormatError::new("token", "is required with an identifier")]));
        }
    };
    let receipt = match receipts::check(bytes, &request.app.signer().public(), person) {
        Ok(receipt) => receipt,
        Err(faults) => return Ok(Err(faults)),
    };
    let (app, reach, id) = (request.app.clone(), request.reach(), receipt.id);
    let here = web::block(move || {
        let Some(listed) = app.receipts().of_id(id) else { return Ok(None) };
        Ok(scoped::receipt(&app, &reach, &listed)?.then_some(listed))
    });
    let here = here.await.map_err(Error::internal)??;
    let job = request
        .app
        .read(|db| jobs::find_of_receipt(db, receipt.id))?
        .filter(|_| here.is_some() || request.reach().is_all());
    Ok(Ok(Good {
        number: receipt.number,
        id: receipt.id.to_string(),
        said: said(&receipt, request.now),
        of_person: person.is_some(),
        href: here.map(|listed| paths::receipt(listed.number)),
        failed_later: job.as_ref().is_some_and(jobs::failed_later),
    }))
}

fn wrong(fault: form::FormatError) -> Wrong {
    let why = match fault.field.as_str() {
        "" => capital(&plain(&fault.why)),
        _ => format!("{}.", plain(&fault.why)),
    };
    Wrong { field: plain(&fault.field), why }
}

fn page(request: &PageRequest, status: StatusCode, outcome: Option<Outcome>) -> Answer {
    let page = CheckPage {
        page: request.page("receipts", "Check a receipt")?,
        receipt: request.form.text("receipt").to_owned(),
        token: request.form.text("token").to_owned(),
        identifier: request.form.text("identifier").to_owned(),
        outcome,
        key: request.app.signer().public().file_text(),
    };
    request.html(status, &page)
}
