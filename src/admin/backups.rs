//! Backups: what there is, how long it stays, and what a restore of it would do.

use actix_web::http::{Method, StatusCode};
use actix_web::web;
use askama::Template;

use super::page::{Page, capital};
use super::show::{Count, Time, many, plain};
use super::visit::{Answer, Gate, Route, Visit};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::ledger::{self, Entry, Ledger, LedgerId, Orders, Position};
use crate::proof::hex::Hex;
use crate::vault::{self, LedgerPosition, Listed};

pub fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, "/admin/backups", Gate::SignedIn, list)]
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
    pruned: Option<Time>,
    restore: Restore,
}

/// What a restore would do.
enum Restore {
    Again(Again),
    Refused(String),
}

/// What has happened since, and would be done once more.
struct Again {
    erased: String,
    hidden: String,
    revoked: String,
}

async fn list(visit: Visit) -> Answer {
    let (app, now) = (visit.app.clone(), visit.now);
    let backups = web::block(move || rows(&app, now)).await.map_err(Error::internal)??;
    let page = BackupsPage {
        page: visit.page("backups", "Backups")?,
        folder: plain(&visit.app.backups().display().to_string()),
        backups,
    };
    visit.html(StatusCode::OK, &page)
}

/// The newest first. [`Error::Internal`] if the folder cannot be read.
fn rows(app: &App, now: Millis) -> Result<Vec<Row>> {
    let listed = vault::list(app.backups()).map_err(Error::internal)?;
    let mut tail = Tail { app, read: None };
    // The oldest is read from farthest back: the others find theirs in what it read.
    let mut rows: Vec<Row> = listed.iter().map(|backup| row(backup, &mut tail, now)).collect();
    rows.reverse();
    Ok(rows)
}

fn row(backup: &Listed, tail: &mut Tail, now: Millis) -> Row {
    let restore = match &backup.manifest {
        Ok(manifest) => match tail.after(&manifest.ledger) {
            Ok(entries) => Restore::Again(Again::from(&Orders::from(entries))),
            Err(why) => Restore::Refused(capital(&plain(&why))),
        },
        Err(refusal) => Restore::Refused(capital(&plain(&refusal.to_string()))),
    };
    let keep = tail.app.keeping().keep;
    let seq = backup.manifest.as_ref().ok().map(|manifest| manifest.ledger.seq);
    Row {
        name: plain(&backup.name),
        path: plain(&backup.path.display().to_string()),
        made: backup.made_at().map(|at| Time::new(at, now)),
        size: size(backup.bytes),
        position: seq.map(|seq| Count(i64::try_from(seq).unwrap_or(i64::MAX))),
        pruned: backup.made_at().map(|at| Time::new(at.saturating_add(keep), now)),
        restore,
    }
}

/// The ledger's entries after the oldest backup, read once for all of them.
struct Tail<'a> {
    app: &'a App,
    read: Option<(Position, Vec<Entry>)>,
}

impl Tail<'_> {
    /// The entries after a backup's place in the ledger, or why a restore would refuse it.
    fn after(&mut self, place: &LedgerPosition) -> Result<&[Entry], String> {
        let mark = position(place).ok_or("what it says of the ledger does not read")?;
        let known = self.read.as_ref().and_then(|(from, entries)| skip(from, entries, &mark));
        let known = match known {
            Some(known) => known,
            None => {
                let path = self.app.store().ledger();
                let entries = Ledger::after(&path, &mark).map_err(why)?;
                self.read = Some((mark, entries));
                0
            }
        };
        let entries = self.read.as_ref().map(|(_, entries)| entries.as_slice()).unwrap_or_default();
        Ok(entries.get(known..).unwrap_or_default())
    }
}

/// A refusal of the ledger's, said of a backup: its own words are for a database at a start.
fn why(refusal: ledger::Refusal) -> String {
    match refusal {
        ledger::Refusal::Foreign { .. } => {
            "it belongs to another ledger of erasures than the one here".into()
        }
        ledger::Refusal::Older { .. } => {
            "the ledger of erasures here is older than the backup: put its newest copy in its place".into()
        }
        ledger::Refusal::Rewritten { seq, .. } => {
            format!("entry {seq} of the ledger of erasures here is not the one that the backup has seen")
        }
        refusal => refusal.to_string(),
    }
}

/// How many of the entries after `from` lie before the mark. None: the mark is not there.
fn skip(from: &Position, entries: &[Entry], mark: &Position) -> Option<usize> {
    let skip = usize::try_from(mark.seq.checked_sub(from.seq)?).ok()?;
    let head = match skip.checked_sub(1) {
        None => from.head,
        Some(last) => entries.get(last)?.chain,
    };
    (mark.ledger == from.ledger && mark.head == head).then_some(skip)
}

fn position(place: &LedgerPosition) -> Option<Position> {
    Some(Position {
        ledger: LedgerId::parse(&place.ledger)?,
        seq: place.seq,
        head: place.head.parse::<Hex<32>>().ok()?.0,
        offset: place.offset,
    })
}

impl Again {
    fn from(orders: &Orders) -> Again {
        let (mut erased, mut hidden) = (0, 0);
        for person in orders.people() {
            let orders = orders.for_person(&[person]);
            erased += i64::from(orders.erase.is_some());
            hidden += i64::from(orders.erase.is_none() && orders.hidden_at.is_some());
        }
        let revoked = i64::try_from(orders.revoked().count()).unwrap_or(i64::MAX);
        Again {
            erased: many(erased, "erasure"),
            hidden: match hidden {
                1 => "hide 1 person".to_owned(),
                hidden => format!("hide {} people", Count(hidden)),
            },
            revoked: format!("revoke {}", many(revoked, "key")),
        }
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
