//! Importing over HTTP: the body is a file, read as it comes and kept nowhere.

use std::io::{self, Read};

use actix_web::HttpResponse;
use actix_web::http::Method;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, channel};

use super::{DIALECT, words};
use crate::api::dialect::{Answer, Call, Query, Route};
use crate::app::App;
use crate::app::importing::{Job, Outcome, Status, Wanted, with_head};
use crate::clock::rfc3339;
use crate::error::{Error, Place, Result};
use crate::imports::{Map, Packed};
use crate::model::{ProjectId, Scope};
use crate::people::imports;
use crate::store::imports::Import;
use crate::trace::Actor;
use crate::web::page_sizes;

/// Pieces of a body that wait to be read.
const PIECES: usize = 8;
/// Imports in one page of the list.
const PAGE: u32 = page_sizes::NATIVE_FIXED;

pub fn routes() -> Vec<Route> {
    vec![
        Route::new(
            DIALECT,
            Method::POST,
            "/api/imports",
            Some(Scope::Admin),
            post_import,
            words::post_import,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/api/imports",
            Some(Scope::Read),
            list_imports,
            words::list_imports,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/api/imports/{id}",
            Some(Scope::Read),
            get_import,
            words::get_import,
        ),
    ]
}

/// The body is a file, plain or packed with gzip, of any size. Answered once it is read, with what came
/// of it; what was taken stays, also where the body breaks off. The same file goes on where it ended.
///
/// In the query: `from` (auto, or a source's name), `map`, `type`, `atImport`, `revive`, `dryRun`,
/// `restart`, `maxFaults`, as for `usher import`. A file says more than an app may: who is kept
/// out, and how long ago somebody was seen; and what comes of it tells who is known.
async fn post_import(mut call: Call) -> Answer {
    let (project, wanted) = (call.project()?, wanted(&call)?);
    let outcome = take(&mut call, project, wanted).await?;
    Ok(HttpResponse::Ok().json(json!({ "data": outcome_json(&outcome) })))
}

async fn list_imports(call: Call) -> Answer {
    let (project, below) = (call.project()?, before(&call)?);
    let found = call.app.read(|db| imports::list(db, project, below, PAGE))?;
    Ok(HttpResponse::Ok().json(list_json(&found)))
}

async fn get_import(call: Call) -> Answer {
    let (project, id) = (call.project()?, id(&call)?);
    let found = call.app.read(|db| imports::get(db, project, id))?;
    Ok(HttpResponse::Ok().json(json!({ "data": import_json(&found, true) })))
}

fn wanted(call: &Call) -> Result<Wanted> {
    let query = call.query()?;
    let wrong = |field: &'static str| move |why: String| Error::invalid(Place::Query, field, why);
    let source = query.get("from").filter(|from| *from != "auto");
    let max_faults = query.number("maxFaults")?.map(u64::try_from).transpose();
    let max_faults = max_faults.map_err(|_| wrong("maxFaults")("must not be below 0".to_owned()))?;
    let flag = |name: &str| Ok::<bool, Error>(query.flag(name)?.unwrap_or(false));
    let usual = Wanted::default();
    Ok(Wanted {
        source: source.map(str::parse).transpose().map_err(wrong("from"))?,
        map: query.get("map").map(str::parse::<Map>).transpose().map_err(wrong("map"))?,
        kind: query.get("type").map(str::parse).transpose().map_err(wrong("type"))?.unwrap_or(usual.kind),
        at_import: flag("atImport")?,
        revive: flag("revive")?,
        dry_run: flag("dryRun")?,
        restart: flag("restart")?,
        max_faults: max_faults.unwrap_or(usual.max_faults),
    })
}

fn before(call: &Call) -> Result<i64> {
    let query: Query = call.query()?;
    let fault = || Error::invalid(Place::Query, "cursor", "is no cursor of this list");
    query.get("cursor").map_or(Ok(i64::MAX), |text| text.parse().map_err(|_| fault()))
}

fn id(call: &Call) -> Result<i64> {
    call.path("id")?.parse().map_err(|_| Error::NotFound("import"))
}

/// Hands the body over to a thread that imports it, piece by piece.
async fn take(call: &mut Call, project: ProjectId, wanted: Wanted) -> Result<Outcome> {
    let size = call.length();
    let mut pieces = call.pieces()?;
    let place = call.app.import_place()?;
    let app = call.app.by(Actor::current());
    let (send, receive) = channel(PIECES);
    let run = move || {
        let _place = place;
        import(&app, project, wanted, size, Body { receive, piece: Bytes::new(), is_whole: false })
    };
    let importing = tokio::task::spawn_blocking(run);
    let mut broken = None;
    loop {
        let piece = match pieces.next().await {
            Ok(None) => Piece::End,
            Ok(Some(piece)) => Piece::Bytes(piece),
            Err(error) => {
                broken = Some(error);
                Piece::Broken
            }
        };
        let is_last = !matches!(piece, Piece::Bytes(_));
        // It has ended, and says why; or the body has.
        if send.send(piece).await.is_err() || is_last {
            break;
        }
    }
    drop(send);
    let outcome = importing.await.map_err(Error::internal)?;
    match broken {
        Some(error) => Err(error),
        None => outcome,
    }
}

fn import(app: &App, project: ProjectId, wanted: Wanted, size: Option<u64>, body: Body) -> Result<Outcome> {
    let fault = |why: String| Error::invalid(Place::Body, "body", why);
    let (head, stream) = with_head(Box::new(body)).map_err(|error| fault(error.to_string()))?;
    let detected = wanted.detect(Packed::Stream(Box::new(io::Cursor::new(head.clone())))).map_err(fault)?;
    let packed = Packed::Stream(stream);
    let job = Job { project, packed, size, head, wanted, rejects: None };
    let outcome = app.import(job, detected.source, &|_| Ok(()))?;
    match outcome.ended_by {
        Some(why) if outcome.status == Status::Running => {
            Err(fault(format!("{why}; what came before is kept")))
        }
        _ => Ok(outcome),
    }
}

/// What comes of a body.
enum Piece {
    Bytes(Bytes),
    End,
    Broken,
}

/// A body as a thread reads it. It has ended where somebody says so: a request that is given up says
/// nothing more.
struct Body {
    receive: Receiver<Piece>,
    piece: Bytes,
    is_whole: bool,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            if self.is_whole {
                return Ok(0);
            }
            match self.receive.blocking_recv() {
                Some(Piece::Bytes(piece)) => self.piece = piece,
                Some(Piece::End) => self.is_whole = true,
                Some(Piece::Broken) | None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            }
        }
        let read = self.piece.len().min(into.len());
        into[..read].copy_from_slice(&self.piece.split_to(read));
        Ok(read)
    }
}

fn outcome_json(outcome: &Outcome) -> Value {
    json!({
        "id": outcome.id.map(|id| id.to_string()),
        "from": outcome.source.as_str(),
        "status": outcome.status.as_str(),
        "dryRun": outcome.id.is_none(),
        "wasDone": outcome.was_done,
        "resumedAfter": outcome.resumed_after,
        "endedBy": outcome.ended_by,
        "counts": outcome.counts,
        "faults": outcome.faults,
    })
}

fn list_json(found: &[Import]) -> Value {
    let next = found.last().filter(|_| found.len() == PAGE as usize).map(|last| last.id.to_string());
    let data: Vec<Value> = found.iter().map(|import| import_json(import, false)).collect();
    json!({ "data": data, "nextCursor": next })
}

fn import_json(import: &Import, with_faults: bool) -> Value {
    // Ours, from the row: what does not read is shown as nothing.
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let mut shown = json!({
        "id": import.id.to_string(),
        "from": import.source,
        "status": import.status.as_str(),
        "record": import.record,
        "counts": read(&import.counts),
        "createdAt": rfc3339(import.created_at),
        "updatedAt": rfc3339(import.updated_at),
        "finishedAt": import.finished_at.map(rfc3339),
    });
    if with_faults {
        shown["faults"] = read(&import.faults);
    }
    shown
}
