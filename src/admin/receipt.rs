//! One receipt: to read, to print, to take away.

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, header};
use actix_web::web;
use askama::Template;

use super::page::{Page, capital};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths;
use super::show::{Count, plain};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::app::App;
use crate::clock::{self, Millis};
use crate::erasure::jobs;
use crate::error::{Error, Result};
use crate::model::{Erasure, Origin};
use crate::proof::check::{self, check_one};
use crate::proof::hex::Hex;
use crate::proof::receipt::{self, FIRST, MentionsOf, Receipt, Scan, ScanMode, file_name};
use crate::proof::receipts::{Listed, ReceiptError, Stored};

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/admin/receipts/{number}", Access::May(Permission::SeeReceipts), show),
        Route::new(
            Method::GET,
            "/admin/receipts/{number}/download",
            Access::May(Permission::SeeReceipts),
            download,
        ),
    ]
}

/// What was erased, in words.
pub fn erased(erasure: Erasure) -> &'static str {
    match erasure {
        Erasure::Account => "an account",
        Erasure::Activity => "an account’s activity",
        Erasure::Everything => "an account and its activity",
        Erasure::Hide => "nothing",
    }
}

/// Who asked, in words.
pub fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Schedule => "scheduled over the API",
        Origin::Request => "requested over the API",
        Origin::Page => "requested by an admin",
        Origin::Reaper => "after 7 days in the trash",
        Origin::Ledger => "repeated after a restore",
    }
}

/// Why a receipt does not read. The file's place is the operator's to know.
pub fn why(trouble: &ReceiptError) -> String {
    match trouble {
        ReceiptError::Damaged { fault, .. } => fault.to_string(),
        ReceiptError::Io { doing, source, .. } => format!("cannot {doing} the file: {source}"),
        ReceiptError::Form(_) => trouble.to_string(),
    }
}

/// The fields are described in the template.
#[derive(Template)]
#[template(path = "receipt.html")]
struct ReceiptPage {
    page: Page,
    file: String,
    hash: String,
    fault: Option<String>,
    failed: Option<Failed>,
    back_href: Option<String>,
    download_href: Option<String>,
    number: u64,
    place: u64,
    id: String,
    erasure: &'static str,
    right: String,
    origin: &'static str,
    asked: Stamp,
    due: Stamp,
    began: Stamp,
    erased: Stamp,
    scrubbed: Stamp,
    verified: Stamp,
    completed: Stamp,
    counts: Vec<Gone>,
    since: Vec<Gone>,
    gone: Count,
    stays: Vec<Stay>,
    mentions: u64,
    some_rows: bool,
    first_version: bool,
    with_figures: bool,
    pages: Count,
    changed: Count,
    frames: Count,
    mode: &'static str,
    scan_bytes: Count,
    scan_pages: Count,
    needles: Count,
    needles_dropped: Count,
    took_ms: Count,
    backups: Vec<Backup>,
    installation: String,
    subject: String,
    key: String,
    signature: String,
    previous: Option<String>,
    ledger_id: String,
    ledger_seq: Count,
    ledger_head: String,
    audit_seq: Count,
    audit_head: String,
}

/// What came of the erasure after it was signed.
struct Failed {
    /// None: it is being tried again.
    why: Option<String>,
    job_href: String,
}

/// A time on paper, which does not age: to the second, never relative.
struct Stamp {
    iso: String,
    absolute: String,
}

struct Gone {
    label: String,
    rows: Count,
}

struct Stay {
    label: String,
    rows: Count,
    why: String,
}

struct Backup {
    name: String,
    made: Stamp,
    pruned: Stamp,
}

async fn show(request: PageRequest) -> Answer {
    let listed = listed(&request).await?;
    let number = listed.number;
    let read = web::block(move || listed.read()).await.map_err(Error::internal)?;
    let stored = match read {
        Ok(stored) => stored,
        Err(trouble) => {
            let text = format!("{} The file can still be downloaded.", capital(&plain(&why(&trouble))));
            let back = format!("{}/download", paths::receipt(number));
            let title = "This receipt is not valid";
            return Ok(request.say(StatusCode::CONFLICT, title, text, (&back, "Download the file")));
        }
    };
    let fault = check_one(&stored.bytes, &request.app.signer().public()).err();
    let job = request.app.read(|db| jobs::find_of_receipt(db, stored.receipt.id))?.filter(jobs::failed_later);
    let failed = job.map(|job| Failed {
        why: super::jobs::error(&request, &job).map(|error| capital(&error)),
        job_href: super::paths::job(job.id),
    });
    // What is handed out of a receipt of the first version has its figures.
    let with_figures = request.reach().is_all();
    let page = ReceiptPage {
        failed,
        with_figures,
        ..view(request.page("receipts", format!("Receipt {number}"))?, stored, fault)
    };
    request.html(StatusCode::OK, &page)
}

/// The receipt, as everybody is handed it; `?with=figures`: the file that the organisation keeps.
async fn download(request: PageRequest) -> Answer {
    let listed = listed(&request).await?;
    let (name, whole) = (listed.file_name(), request.query.text("with") == "figures");
    if whole && !request.reach().is_all() {
        return Err(Error::Forbidden(
            "The figures are for the whole installation: only admins of all projects see them.",
        ));
    }
    let bytes = web::block(move || if whole { listed.file_bytes() } else { listed.bytes() })
        .await
        .map_err(Error::internal)?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(bytes.map_err(Error::internal)?))
}

/// The path's receipt. [`Error::ReceiptNotFound`].
async fn listed(request: &PageRequest) -> Result<Listed> {
    let number = request.segment("number").parse().map_err(|_| Error::ReceiptNotFound)?;
    let found = find(&request.app, number).await?.ok_or(Error::ReceiptNotFound)?;
    let (app, reach, listed) = (request.app.clone(), request.reach(), found.clone());
    let is_theirs =
        web::block(move || scoped::receipt(&app, &reach, &listed)).await.map_err(Error::internal)??;
    if is_theirs { Ok(found) } else { Err(Error::ReceiptNotFound) }
}

/// The receipt of this number, on a thread that may wait: one that is being written holds
/// the chain until it is on disk.
pub async fn find(app: &App, number: u64) -> Result<Option<Listed>> {
    let app = app.clone();
    web::block(move || app.receipts().numbered(number)).await.map_err(Error::internal)
}

fn view(page: Page, stored: Stored, fault: Option<check::ReceiptFault>) -> ReceiptPage {
    let Stored { receipt, hash, .. } = stored;
    let Receipt { number, id, asked, done, counts, stays, ledger, audit, .. } = receipt;
    let place = receipt.place.unwrap_or(number);
    let file = file_name(place, id);
    let went = counts.iter().chain(receipt.since.iter().flatten());
    let gone = went.map(|gone| gone.rows).fold(0, u64::saturating_add);
    let by_kind = |went: Vec<receipt::Gone>| {
        went.into_iter().map(|gone| Gone { label: label(&gone.label), rows: count(gone.rows) }).collect()
    };
    let (scrub, scan) = (receipt.scrub, receipt.scan);
    let of_scan = |figure: fn(&Scan) -> u64| count(scan.as_ref().map_or(0, figure));
    ReceiptPage {
        page,
        file,
        hash: hash.to_string(),
        fault: fault.map(|fault| capital(&plain(&fault.to_string()))),
        failed: None,
        back_href: Some(paths::RECEIPTS.to_owned()),
        download_href: Some(format!("{}/download", paths::receipt(place))),
        number,
        place,
        id: id.to_string(),
        erasure: asked.erasure.as_str(),
        right: plain(&asked.right),
        origin: origin(asked.origin),
        asked: stamp(asked.at),
        due: stamp(asked.due),
        began: stamp(done.began_at),
        erased: stamp(done.erased_at),
        scrubbed: stamp(done.scrubbed_at),
        verified: stamp(done.verified_at),
        completed: stamp(done.completed_at),
        gone: count(gone),
        counts: by_kind(counts),
        since: by_kind(receipt.since.unwrap_or_default()),
        stays: stays
            .into_iter()
            .map(|stay| Stay { label: label(&stay.label), rows: count(stay.rows), why: plain(&stay.why) })
            .collect(),
        mentions: receipt.mentions,
        some_rows: receipt.mentions_of == Some(MentionsOf::SomeRows),
        first_version: receipt.version == FIRST,
        with_figures: true,
        pages: count(scrub.as_ref().map_or(0, |scrub| scrub.pages)),
        changed: count(scrub.as_ref().map_or(0, |scrub| scrub.changed)),
        frames: count(receipt.checkpoint.map_or(0, |checkpoint| checkpoint.frames)),
        mode: match scan.as_ref().map(|scan| scan.mode) {
            Some(ScanMode::ChangedPages) => "changed pages",
            Some(ScanMode::WholeFiles) | None => "whole files",
        },
        scan_bytes: of_scan(|scan| scan.bytes),
        scan_pages: of_scan(|scan| scan.pages),
        needles: of_scan(|scan| scan.needles),
        needles_dropped: of_scan(|scan| scan.needles_dropped),
        took_ms: of_scan(|scan| scan.took_ms),
        backups: receipt
            .backups
            .into_iter()
            .map(|backup| Backup {
                name: plain(&backup.name),
                made: stamp(backup.made_at),
                pruned: stamp(backup.pruned_at),
            })
            .collect(),
        installation: receipt.installation.to_string(),
        subject: receipt.subject.to_string(),
        key: receipt.key.to_string(),
        signature: receipt.signature.to_string(),
        previous: Some(receipt.previous).filter(|hash| *hash != Hex::ZERO).map(|hash| hash.to_string()),
        ledger_id: ledger.id.to_string(),
        ledger_seq: count(ledger.seq.unwrap_or_default()),
        ledger_head: ledger.head.to_string(),
        audit_seq: count(audit.seq.unwrap_or_default()),
        audit_head: audit.head.to_string(),
    }
}

fn stamp(at: Millis) -> Stamp {
    let iso = clock::rfc3339(at);
    let absolute = iso.replace('T', " ").replace('Z', " UTC");
    Stamp { iso, absolute }
}

fn count(number: u64) -> Count {
    Count(i64::try_from(number).unwrap_or(i64::MAX))
}

fn label(label: &str) -> String {
    capital(&plain(label)).trim_end_matches('.').to_owned()
}
