//! Marks beside backups that a command took away: where they went cannot be looked at, and
//! a restart should not send everything again.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::catalog::Listed;
use super::error::{BackupError, Result};
use super::files;

/// How long a mark is at most, in bytes.
const MARK_MAX: u64 = 1024;

/// How many receipts went.
const RECEIPTS: &str = ".receipts-copied";

/// The marks in a folder of backups.
pub(super) struct UploadState<'a> {
    folder: &'a Path,
    /// What the marks say: where the backups went. None: a place that can be looked at.
    place: Option<String>,
}

impl UploadState<'_> {
    pub fn new(folder: &Path, place: Option<String>) -> UploadState<'_> {
        UploadState { folder, place }
    }

    /// This backup went to this place.
    pub fn has(&self, name: &str) -> bool {
        let mark = files::read_small(&self.folder.join(mark_of(name)), MARK_MAX);
        self.place.as_ref().is_some_and(|place| mark.is_ok_and(|mark| mark == place.as_bytes()))
    }

    pub fn set(&self, name: &str) -> Result<()> {
        match &self.place {
            Some(place) => files::put(self.folder, &mark_of(name), place.as_bytes()),
            None => Ok(()),
        }
    }

    /// Up to which number the receipts went to this place; 0 where that can be looked at.
    pub fn receipts(&self) -> u64 {
        let Some(place) = &self.place else { return 0 };
        let mark = files::read_small(&self.folder.join(RECEIPTS), MARK_MAX).unwrap_or_default();
        let mark = String::from_utf8(mark).unwrap_or_default();
        let number = mark.strip_prefix(place.as_str()).and_then(|rest| rest.trim().parse().ok());
        number.unwrap_or(0)
    }

    pub fn set_receipts(&self, upto: u64) -> Result<()> {
        match &self.place {
            Some(place) => {
                files::make_folder(self.folder)?;
                files::put(self.folder, RECEIPTS, format!("{place} {upto}").as_bytes())
            }
            None => Ok(()),
        }
    }

    /// Removes the marks of backups that are gone.
    pub fn sweep(&self, listed: &[Listed]) -> Result<()> {
        let failed = |error| BackupError::io("read the folder", self.folder, error);
        let entries = match fs::read_dir(self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let marked = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(".copied"));
            if marked.is_some_and(|marked| listed.iter().all(|backup| backup.name != marked)) {
                let path = entry.path();
                fs::remove_file(&path).map_err(|error| BackupError::io("remove", &path, error))?;
            }
        }
        Ok(())
    }
}

fn mark_of(name: &str) -> String {
    format!(".{name}.copied")
}
