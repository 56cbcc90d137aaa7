//! The backups in the folder: how old each is, until when it stays, and what a restore of it
//! would do once more.

use std::path::PathBuf;

use super::App;
use crate::archive::{self, LedgerPosition, Listed};
use crate::clock::Millis;
use crate::error::Result;
use crate::ledger::{LedgerError, LedgerId, Position, ReplayEstimate};
use crate::proof::hex::Hex;

pub struct Backup {
    pub name: String,
    pub path: PathBuf,
    pub bytes: u64,
    /// None: neither it nor its name says.
    pub made_at: Option<Millis>,
    pub stays: Stay,
    /// The ledger's entry that it knows last.
    pub entry: Option<u64>,
    /// The most that a restore would do once more, or why it would be refused.
    pub again: Result<ReplayEstimate, String>,
}

/// How long a backup stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    Until(Millis),
    /// It is the last good one, and past its time.
    UntilAYounger,
    /// Nobody knows its age.
    UntilRemoved,
}

/// The newest first. It reads the ledger once for all of them, from the oldest one's place
/// on; not for an async thread. [`crate::error::Error::DiskFails`] if the folder cannot be read.
pub fn list(app: &App) -> Result<Vec<Backup>> {
    let (now, keep) = (app.clock().now(), app.backup_policy().keep);
    let listed = archive::list(app.backups()).map_err(archive::BackupError::into_error)?;
    let places: Vec<Result<Position, String>> = listed.iter().map(place).collect();
    let known: Vec<Position> = places.iter().flatten().copied().collect();
    let mut counted =
        ReplayEstimate::count(&app.store().ledger(), &known, &app.store().mac_key()).into_iter();
    let lasting = archive::lasting(&listed, now, keep).map(|last| &last.name);
    let mut backups = Vec::new();
    for (backup, place) in listed.iter().zip(places) {
        let again = match place {
            Ok(_) => counted.next().unwrap_or(Ok(ReplayEstimate::default())).map_err(why),
            Err(why) => Err(why),
        };
        backups.push(Backup {
            name: backup.name.clone(),
            path: backup.path.clone(),
            bytes: backup.bytes,
            made_at: backup.made_at(),
            stays: match backup.made_at() {
                Some(_) if lasting == Some(&backup.name) => Stay::UntilAYounger,
                Some(at) => Stay::Until(at.saturating_add(keep)),
                None => Stay::UntilRemoved,
            },
            entry: backup.manifest.as_ref().ok().map(|manifest| manifest.ledger.seq),
            again,
        });
    }
    backups.reverse();
    Ok(backups)
}

/// Where a backup stands in the ledger, or why nobody can tell.
fn place(backup: &Listed) -> Result<Position, String> {
    let manifest = backup.manifest.as_ref().map_err(ToString::to_string)?;
    position(&manifest.ledger).ok_or_else(|| "its position in the ledger cannot be read".to_owned())
}

/// The place in the ledger that a manifest tells. None: it does not read.
pub fn position(told: &LedgerPosition) -> Option<Position> {
    Some(Position {
        ledger: LedgerId::parse(&told.ledger)?,
        seq: told.seq,
        head: told.head.parse::<Hex<32>>().ok()?.0,
        offset: told.offset,
    })
}

/// A refusal of the ledger's, said of a backup: its own words are for a database at a start.
fn why(refusal: LedgerError) -> String {
    match refusal {
        LedgerError::Foreign { .. } => "it belongs to another ledger of erasures than the one here".into(),
        LedgerError::Older { .. } => {
            "the ledger of erasures here is older than the backup: put its newest copy in its place".into()
        }
        LedgerError::Rewritten { seq, .. } => {
            format!("entry {seq} of the ledger of erasures here is not the one that the backup has seen")
        }
        refusal => refusal.to_string(),
    }
}
