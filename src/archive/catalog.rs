//! The folder of backups: what is in it, and whom it still holds.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::{BackupError, Result};
use super::manifest::{self, LedgerPosition, Manifest};
use crate::clock::{self, Millis, SECOND};

/// A file in the folder of backups.
#[derive(Debug)]
pub struct Listed {
    pub name: String,
    pub path: PathBuf,
    pub bytes: u64,
    /// Or why it does not read.
    pub manifest: Result<Manifest>,
}

impl Listed {
    /// When it was made: as its manifest says, else its name. None: neither does.
    pub fn made_at(&self) -> Option<Millis> {
        match &self.manifest {
            Ok(manifest) => Some(manifest.made_at),
            Err(_) => time_of(&self.name),
        }
    }
}

/// The backups in a folder, oldest first; none if there is no folder. Damaged ones are
/// listed too, for they may hold people all the same.
pub fn list(folder: &Path) -> Result<Vec<Listed>> {
    let failed = |error| BackupError::io("read the folder", folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut listed = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if !is_name(&name) {
            continue;
        }
        let path = entry.path();
        let bytes = match entry.metadata() {
            Ok(about) if about.is_file() => about.len(),
            Ok(_) => continue,
            // Pruned since the folder was read.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(BackupError::io("read", &path, error)),
        };
        let manifest = manifest::read_manifest(&path);
        listed.push(Listed { name, path, bytes, manifest });
    }
    listed.sort_by(|a, b| (a.made_at(), &a.name).cmp(&(b.made_at(), &b.name)));
    Ok(listed)
}

/// The files in a folder whose names are a number, a dash and more, and end in `.json`: in
/// the order of their numbers. None if there is no folder.
pub(super) fn numbered(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let failed = |error| BackupError::io("read the folder", folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number =
            name.split_once('-').filter(|_| name.ends_with(".json")).map(|(number, _)| number.parse());
        if let Some(Ok(number)) = number {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The name of a finished backup, and of nothing outside its folder.
pub fn is_name(name: &str) -> bool {
    name.ends_with(".backup") && !name.starts_with('.') && !name.contains('/')
}

/// A backup that still holds somebody who was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub name: String,
    pub made_at: Option<Millis>,
    /// When it is pruned. None: nobody knows its age, so it must be removed by hand.
    pub pruned_at: Option<Millis>,
}

/// The backups that hold a person who was there since `since` and whose erasure is entry
/// `erased.seq` of the ledger: made at a position before that entry, at or after `since`.
/// One that does not read, or that is of another ledger, counts if its age fits: better
/// named needlessly than left out.
pub fn holding(listed: &[Listed], erased: &LedgerPosition, since: Millis, keep: Millis) -> Vec<Held> {
    let holds = |backup: &&Listed| {
        let before = match &backup.manifest {
            Ok(manifest) => manifest.ledger.ledger != erased.ledger || manifest.ledger.seq < erased.seq,
            Err(_) => true,
        };
        // A name tells the second only.
        let since = if backup.manifest.is_ok() { since } else { since.saturating_sub(SECOND - 1) };
        before && backup.made_at().is_none_or(|at| at >= since)
    };
    let held = |backup: &Listed| Held {
        name: backup.name.clone(),
        made_at: backup.made_at(),
        pruned_at: backup.made_at().map(|at| at.saturating_add(keep)),
    };
    listed.iter().filter(holds).map(held).collect()
}

/// The time in `usher-20261124T215500Z-1a2b3c4d.backup`.
fn time_of(name: &str) -> Option<Millis> {
    let time = name.strip_prefix("usher-")?.split('-').next()?;
    if time.len() != 16 || !time.is_ascii() {
        return None;
    }
    let (date, time) = time.split_at(8);
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
    let (hour, minute, second) = (&time[1..3], &time[3..5], &time[5..7]);
    clock::parse_rfc3339(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}
