//! What a receipt says of an erasure, put together from the job, the registry of holdings
//! and what the proof came to.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::clock::Millis;
use crate::erasure::preview;
use crate::error;
use crate::model::{Job, Project};
use crate::proof::check::{ReceiptFault, check_one};
use crate::proof::draft::Draft;
use crate::proof::figures::JobNumbers;
use crate::proof::form;
use crate::proof::hex::Hex;
use crate::proof::receipt::{
    Asked, Backup, Checkpoint, Done, Evidence, Gone, MentionsOf, Receipt, Scan, ScanMode, Scrub, Stay, Token,
    is_subject, right, why_stays,
};
use crate::proof::signing::PublicKey;
use crate::store::data_inventory::{self, ErasureEffect, Subject};
use crate::store::{Db, Store, audit, ledger_position, users};

/// What the proof of some erasures came to.
#[derive(Debug, Clone)]
pub struct Proof {
    pub scrub: Scrub,
    /// Frames that were folded in, and emptied.
    pub frames: u64,
    pub mode: ScanMode,
    pub bytes: u64,
    pub pages: u64,
    pub took_ms: u64,
    pub verified_at: Millis,
    /// Backups that were there, which may hold the erased user.
    pub backups: Vec<Backup>,
}

/// What the search for one job's values came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Search {
    pub needles: u64,
    /// Left out, as others have them, too.
    pub dropped: u64,
}

/// Where other people of the project name the person.
#[derive(Debug, Clone, Copy)]
pub struct Mentions {
    pub places: u64,
    pub of: MentionsOf,
}

/// How a project is called in its receipts: it says nothing of how many there are.
pub fn chain(store: &Store, project: &Project) -> Hex<16> {
    let digest = store.keyed("a project's receipts", &[project.key.as_bytes()]);
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    Hex(short)
}

/// Which of these backups were made since a person came, as far as that is known.
fn since(backups: &[Backup], came_at: Option<Millis>) -> Vec<Backup> {
    let came_at = came_at.unwrap_or(Millis::MIN);
    backups.iter().filter(|backup| backup.made_at >= came_at).cloned().collect()
}

/// The receipt of a job. None: it erased nobody.
pub fn draft(
    db: &Db,
    job: &Job,
    project: Hex<16>,
    proof: &Proof,
    (search, mentions): (Search, Mentions),
    now: Millis,
) -> error::Result<Option<Draft>> {
    let Some(subject) = job.subject else { return Ok(None) };
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let ledger = ledger_position(db)?;
    let began_at = job.begun_at.unwrap_or(job.created_at);
    let erased_at = job.erased_at.unwrap_or(began_at);
    Ok(Some(Draft {
        id: Hex(job.receipt),
        installation: Hex(ledger.ledger.0),
        project,
        subject: Hex(subject),
        asked: Asked {
            erasure: job.erasure,
            origin: job.origin,
            right: right(job.origin, job.legal_basis).to_owned(),
            at: job.created_at,
            due: job.start_at,
        },
        done: Done {
            began_at,
            erased_at,
            scrubbed_at: job.scrubbed_at.unwrap_or(erased_at),
            verified_at: proof.verified_at,
            completed_at: now,
        },
        counts: gone(job),
        since: later(job),
        stays: stays(db, job)?,
        mentions: mentions.places,
        mentions_of: mentions.of,
        evidence: Evidence::of_sqlite(),
        scrub: proof.scrub.clone(),
        checkpoint: Checkpoint { truncated: true, frames: proof.frames },
        scan: Scan {
            mode: proof.mode,
            bytes: proof.bytes,
            pages: proof.pages,
            needles: search.needles,
            needles_dropped: search.dropped,
            found: 0,
            took_ms: proof.took_ms,
        },
        ledger: (ledger.seq, Hex(ledger.head)),
        audit: audit::position(db)?,
        backups: since(&proof.backups, job.came_at),
        job: JobNumbers { id: count(job.id.0), number: count(job.number), project: count(job.project.0) },
    }))
}

/// What a job took of what was there when it was asked for, kind by kind: those of its erasure,
/// be it none of them, and those that it took beside.
pub fn gone(job: &Job) -> Vec<Gone> {
    let of = |counts: &BTreeMap<String, i64>, name| counts.get(name).copied().unwrap_or(0);
    let rows = |table: &data_inventory::Table| of(&job.counts, table.name) - of(&job.later, table.name);
    let theirs = data_inventory::TABLES
        .iter()
        .filter(|table| table.fate(job.erasure) != ErasureEffect::Stays || rows(table) > 0)
        .map(|table| Gone {
            kind: table.name.to_owned(),
            label: table.label.to_owned(),
            rows: u64::try_from(rows(table)).unwrap_or(0),
        });
    let mut gone: Vec<Gone> = theirs.collect();
    // The anonymous ids of a user who waited are anonymous ids like others.
    gone.dedup_by(|next, last| {
        let same = next.label == last.label;
        last.rows += if same { next.rows } else { 0 };
        same
    });
    gone
}

/// What it took that came after it was asked for.
pub fn later(job: &Job) -> Vec<Gone> {
    let rows = |table: &data_inventory::Table| job.later.get(table.name).copied().unwrap_or(0);
    let some = data_inventory::TABLES.iter().filter(|table| rows(table) > 0);
    some.map(|table| Gone {
        kind: table.name.to_owned(),
        label: table.label.to_owned(),
        rows: u64::try_from(rows(table)).unwrap_or(0),
    })
    .collect()
}

/// What is left of what was held, and why.
fn stays(db: &Db, job: &Job) -> error::Result<Vec<Stay>> {
    let Some(why) = why_stays(job.erasure) else { return Ok(Vec::new()) };
    let Some(user) = job.user else { return Ok(Vec::new()) };
    let Some(user) = users::by_id(db, None, user)? else { return Ok(Vec::new()) };
    let stays = preview::dry_run(db, &user, job.erasure)?.into_iter().filter(|outlook| {
        let itself = data_inventory::TABLES
            .iter()
            .any(|table| table.name == outlook.held.table && table.subject == Subject::Itself);
        outlook.fate == ErasureEffect::Stays && (outlook.held.rows > 0 || itself)
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

/// The receipt in these bytes, if the key signed it, nobody changed it since, and it is about
/// the person who has this token and this identifier, if one is named: all that is wrong
/// otherwise, by field (empty: the whole).
pub fn check(
    bytes: &[u8],
    key: &PublicKey,
    person: Option<Person>,
) -> Result<Receipt, Vec<form::FormatError>> {
    let receipt = check_one(bytes, key).map_err(|ReceiptFault { what, fields }| {
        let whole = ReceiptFault { what, fields: Vec::new() };
        [vec![form::FormatError::new("", &whole.to_string())], fields].concat()
    })?;
    let Some(Person { token, identifier }) = person else { return Ok(receipt) };
    let fault = |field, why: &str| Err(vec![form::FormatError::new(field, why)]);
    let token = match Token::from_str(token.trim()) {
        Ok(token) => token,
        Err(why) => return fault("token", &why.to_string()),
    };
    // Whoever asked twice has two tokens, and one erasure: the salt is what shows it.
    match (is_subject(&receipt, &token.salt, identifier), token.receipt == receipt.id) {
        (true, _) => Ok(receipt),
        (false, false) => fault("token", "belongs to another receipt"),
        (false, true) => fault("identifier", "does not match the receipt and the token"),
    }
}

/// A claim that a receipt is about the caller.
#[derive(Clone, Copy)]
pub struct Person<'a> {
    pub token: &'a str,
    pub identifier: &'a str,
}
