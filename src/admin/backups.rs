//! Backups: what there is, how long it stays, and what a restore of it would do.

use actix_web::http::{Method, StatusCode};
use actix_web::web;
use askama::Template;

use super::page::{Page, capital};
use super::page_request::{Access, Answer, PageRequest, Route};
use super::show::{Count, Time, many, plain};
use crate::access::roles::Permission;
use crate::app::backups::{self, Backup, Stay};
use crate::clock::Millis;
use crate::error::Error;

pub fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, "/admin/backups", Access::May(Permission::SeeBackups), list)]
}

#[derive(Template)]
#[template(path = "backups.html")]
struct BackupsPage {
    page: Page,
    folder: String,
    backups: Vec<Row>,
}

struct Row {
    name: String,
    path: String,
    made: Option<Time>,
    size: String,
    /// The ledger's entry that it knows last.
    position: Option<Count>,
    pruned: Pruned,
    restore: Restore,
}

enum Pruned {
    At(Time),
    /// When it is not by its age.
    Once(&'static str),
}

/// What a restore would do.
enum Restore {
    Again(Again),
    Refused(String),
}

/// What has happened since, and would be done once more, in words.
struct Again {
    erased: String,
    hidden: String,
    revoked: String,
}

async fn list(request: PageRequest) -> Answer {
    let app = request.app.clone();
    let backups = web::block(move || backups::list(&app)).await.map_err(Error::internal)??;
    let page = BackupsPage {
        page: request.page("backups", "Backups")?,
        folder: plain(&request.app.backups().display().to_string()),
        backups: backups.iter().map(|backup| row(backup, request.now)).collect(),
    };
    request.html(StatusCode::OK, &page)
}

fn row(backup: &Backup, now: Millis) -> Row {
    Row {
        name: plain(&backup.name),
        path: plain(&backup.path.display().to_string()),
        made: backup.made_at.map(|at| Time::new(at, now)),
        size: size(backup.bytes),
        position: backup.entry.map(count),
        pruned: match backup.stays {
            Stay::Until(at) => Pruned::At(Time::new(at, now)),
            Stay::UntilAYounger => Pruned::Once("after the next backup"),
            Stay::UntilRemoved => Pruned::Once("not automatically: remove it yourself"),
        },
        restore: match &backup.again {
            Ok(again) => Restore::Again(Again {
                erased: up_to(again.erased, "no erasure", |n| many(n, "erasure")),
                hidden: up_to(again.hidden, "no user", |n| many(n, "user")),
                revoked: up_to(again.keys, "no credential", |n| many(n, "credential")),
            }),
            Err(why) => Restore::Refused(capital(&plain(why))),
        },
    }
}

fn count(number: u64) -> Count {
    Count(i64::try_from(number).unwrap_or(i64::MAX))
}

fn up_to(number: u64, none: &str, some: impl Fn(i64) -> String) -> String {
    match count(number).0 {
        0 => none.to_owned(),
        number => format!("up to {}", some(number)),
    }
}

/// A size as people say it.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut unit = 0;
    let (mut whole, mut rest) = (bytes, 0);
    while whole >= 1_000 && unit + 1 < UNITS.len() {
        (whole, rest) = (whole / 1_000, whole % 1_000);
        unit += 1;
    }
    match (unit, whole) {
        (0, _) | (_, 100..) => format!("{whole} {}", UNITS[unit]),
        _ => format!("{whole}.{} {}", rest / 100, UNITS[unit]),
    }
}
