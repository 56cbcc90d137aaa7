//! How long backups are kept, and which of them go.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::catalog::{Listed, list};
use super::error::{BackupError, Result};
use super::files;
use crate::clock::{DAY, Millis};

/// How long backups are kept unless it is said otherwise.
pub const KEEP: Millis = 30 * DAY;

/// Since when somebody who was erased may be in one of these: the time of the oldest. None: nobody
/// knows how old one of them is.
pub fn reach_back_to(listed: &[Listed]) -> Option<Millis> {
    listed.iter().map(Listed::made_at).try_fold(Millis::MAX, |oldest, at| Some(oldest.min(at?)))
}

/// Those that have had their time: made `keep` ago, or longer. The youngest good one is none
/// of them, however old, for it is what there is to restore.
pub fn expired(listed: &[Listed], now: Millis, keep: Millis) -> Vec<&Listed> {
    let last = last_good(listed).map(|last| &last.name);
    listed.iter().filter(|backup| is_over(backup, now, keep) && Some(&backup.name) != last).collect()
}

/// The last good one, if it has had its time, and stays all the same.
pub fn lasting(listed: &[Listed], now: Millis, keep: Millis) -> Option<&Listed> {
    last_good(listed).filter(|last| is_over(last, now, keep))
}

fn last_good(listed: &[Listed]) -> Option<&Listed> {
    listed.iter().rfind(|backup| backup.manifest.is_ok())
}

fn is_over(backup: &Listed, now: Millis, keep: Millis) -> bool {
    backup.made_at().is_some_and(|at| at.saturating_add(keep) <= now)
}

/// What [`prune`] did.
#[derive(Debug, Default)]
pub struct Pruned {
    /// Names of the backups that are gone.
    pub removed: Vec<String>,
    /// The last good one, if it stays past its time.
    pub lasting: Option<String>,
    /// Those that could not be removed; the next pruning tries again.
    pub failed: Vec<BackupError>,
}

/// Removes the backups that have had their time, as [`expired`] says, and what writers that
/// were killed have left.
pub fn prune(folder: &Path, now: Millis, keep: Millis) -> Result<Pruned> {
    let listed = list(folder)?;
    let lasting = lasting(&listed, now, keep).map(|last| last.name.clone());
    let mut pruned = Pruned { lasting, ..Pruned::default() };
    for backup in expired(&listed, now, keep) {
        match fs::remove_file(&backup.path) {
            Ok(()) => pruned.removed.push(backup.name.clone()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => pruned.failed.push(BackupError::io("remove", &backup.path, error)),
        }
    }
    files::sweep(folder)?;
    if !pruned.removed.is_empty() {
        files::sync_folder(folder)?;
    }
    Ok(pruned)
}

/// A backup from before an upgrade is kept for so long at most.
pub const UPGRADE_KEEP: Millis = 30 * DAY;

/// What became of the backup from before an upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeforeUpgrade {
    Stays,
    /// Its name.
    Removed(String),
    /// Somebody else has removed it.
    Gone,
}

/// Removes the backup that was made at `made_at`, before an upgrade, once there is a younger good one
/// or it has had its time.
pub fn prune_upgrade(folder: &Path, made_at: Millis, now: Millis) -> Result<BeforeUpgrade> {
    let listed = list(folder)?;
    let is_it = |backup: &&Listed| backup.manifest.as_ref().is_ok_and(|manifest| manifest.made_at == made_at);
    let Some(backup) = listed.iter().find(is_it) else { return Ok(BeforeUpgrade::Gone) };
    let is_younger = |other: &Listed| other.manifest.as_ref().is_ok_and(|other| other.made_at > made_at);
    if !listed.iter().any(is_younger) && now < made_at.saturating_add(UPGRADE_KEEP) {
        return Ok(BeforeUpgrade::Stays);
    }
    fs::remove_file(&backup.path).map_err(|error| BackupError::io("remove", &backup.path, error))?;
    files::sync_folder(folder)?;
    Ok(BeforeUpgrade::Removed(backup.name.clone()))
}
