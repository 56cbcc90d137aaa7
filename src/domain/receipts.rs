//! What a receipt says of an erasure, put together from the job, the registry of holdings
//! and what the proof came to.

use crate::clock::Millis;
use crate::domain::erase;
use crate::error::Result;
use crate::model::{Erasure, Job};
use crate::proof::hex::Hex;
use crate::proof::receipt::{
    Asked, Backup, Checkpoint, Done, Draft, Gone, LedgerPosition, Scan, ScanMode, Scrub, Stay, right,
};
use crate::store::holdings::{self, Fate, Subject};
use crate::store::{Db, audit, ledger_position, users};

/// What the proof of some erasures came to.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub scrub: Scrub,
    /// Frames that were folded in, and emptied.
    pub frames: u64,
    pub mode: ScanMode,
    pub bytes: u64,
    pub pages: u64,
    pub took_ms: u64,
    pub verified_at: Millis,
    /// Backups that were there, which may hold whoever was erased.
    pub backups: Vec<Backup>,
}

/// What the search for one job's values came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Search {
    pub needles: u64,
    /// Left out, as others have them, too.
    pub dropped: u64,
    pub mentions: u64,
}

/// The receipt of a job. None: it erased nobody.
pub fn draft(db: &Db, job: &Job, evidence: &Evidence, search: Search, now: Millis) -> Result<Option<Draft>> {
    let Some(subject) = job.subject else { return Ok(None) };
    let ledger = ledger_position(db)?;
    let began_at = job.begun_at.unwrap_or(job.created_at);
    let erased_at = job.erased_at.unwrap_or(began_at);
    Ok(Some(Draft {
        id: Hex(job.receipt),
        installation: Hex(ledger.ledger.0),
        subject: Hex(subject),
        asked: Asked {
            erasure: job.erasure,
            origin: job.origin,
            right: right(job.origin).to_owned(),
            at: job.created_at,
            due: job.start_at,
        },
        done: Done {
            began_at,
            erased_at,
            scrubbed_at: job.scrubbed_at.unwrap_or(erased_at),
            verified_at: evidence.verified_at,
            completed_at: now,
        },
        counts: gone(job),
        stays: stays(db, job)?,
        mentions: search.mentions,
        scrub: evidence.scrub.clone(),
        checkpoint: Checkpoint { truncated: true, frames: evidence.frames },
        scan: Scan {
            mode: evidence.mode,
            bytes: evidence.bytes,
            pages: evidence.pages,
            needles: search.needles,
            needles_dropped: search.dropped,
            found: 0,
            took_ms: evidence.took_ms,
        },
        ledger: LedgerPosition { id: Hex(ledger.ledger.0), seq: ledger.seq, head: Hex(ledger.head) },
        audit: audit::position(db)?,
        backups: evidence.backups.clone(),
    }))
}

/// What a job took, kind by kind: those of its erasure, be it none of them, and those that
/// it took beside.
pub fn gone(job: &Job) -> Vec<Gone> {
    let rows = |table: &holdings::Table| job.counts.get(table.name).copied().unwrap_or(0);
    let theirs = holdings::TABLES
        .iter()
        .filter(|table| table.fate(job.erasure) != Fate::Stays || rows(table) > 0)
        .map(|table| Gone {
            kind: table.name.to_owned(),
            label: table.label.to_owned(),
            rows: u64::try_from(rows(table)).unwrap_or(0),
        });
    theirs.collect()
}

/// What is left of what was held, and why.
fn stays(db: &Db, job: &Job) -> Result<Vec<Stay>> {
    let why = match job.erasure {
        Erasure::Account => "only the account was to go: it stays under a bare number, about nobody known",
        Erasure::Activity => "only the activity was to go: the account stays",
        Erasure::Everything | Erasure::Hide => return Ok(Vec::new()),
    };
    let Some(user) = job.user else { return Ok(Vec::new()) };
    let Some(user) = users::by_id(db, None, user)? else { return Ok(Vec::new()) };
    let stays = erase::dry_run(db, &user, job.erasure)?.into_iter().filter(|outlook| {
        let itself = holdings::TABLES
            .iter()
            .any(|table| table.name == outlook.held.table && table.subject == Subject::Itself);
        outlook.fate == Fate::Stays && (outlook.held.rows > 0 || itself)
    });
    Ok(stays
        .map(|outlook| Stay {
            kind: outlook.held.table.to_owned(),
            label: outlook.held.label.to_owned(),
            rows: u64::try_from(outlook.held.rows).unwrap_or(0),
            why: why.to_owned(),
        })
        .collect())
}
