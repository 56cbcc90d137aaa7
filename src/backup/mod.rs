//! Making a backup, and removing those that have had their time. What a backup is as a file stands in
//! `archive`.

pub mod schedule;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::app::App;
use crate::archive::{
    self, About, BackupError, BeforeUpgrade, Contents, LedgerPosition, Packed, Recipients, keys,
};
use crate::clock::Millis;
use crate::disk;
use crate::error::{Error, Result};
use crate::store::backup::{Copy, copy_closed};
use crate::store::{BackgroundTx, ErasingTx, audit, maintenance};

/// What stays free beside a backup, so that the next write does not meet a full disk.
const SPARE: u64 = 8 * 1024 * 1024;

/// Makes a backup in a folder, while writing goes on. Returns its path. A [`BackupError`] is
/// told as [`Error::Internal`], a full disk as [`Error::DiskFull`], one that would be full as
/// [`Error::Unavailable`]; after any of them no backup was made, and nothing of it is left.
pub fn make(app: &App, folder: &Path) -> Result<PathBuf> {
    let _alone = app.backing_up();
    let dir = app.store().folder();
    // It may have been changed since the start.
    keys::check_recovery(&dir.join("secrets"), |key| app.store().recovery_seal(key))
        .map_err(BackupError::into_error)?;
    let recipients = Recipients::load(&dir.join("secrets")).map_err(BackupError::into_error)?;
    has_room(app, folder)?;
    let copy = app.store().copy(app.backups())?;
    let packed = pack(dir, &copy, app.clock().now(), &recipients, folder)?;
    drop(copy);
    let name = packed.path.file_name().map(|name| name.to_string_lossy().into_owned());
    // It is whole: the log says so even where the disk has filled up meanwhile.
    let noted = app.write_blocking(move |tx: &ErasingTx| {
        let entry = audit::Entry { action: "back up", reason: name.as_deref(), ..audit::Entry::default() };
        audit::append(tx, &entry)
    });
    if let Err(error) = noted {
        // It is told as not made, and would be followed by another.
        if let Err(error) = fs::remove_file(&packed.path) {
            log::error!("a backup that the audit log does not have could not be removed: {error}");
        }
        return Err(error);
    }
    // It is made, whatever becomes of an older one.
    if let Err(error) = prune_upgrade(app) {
        log::error!("the backup from before the upgrade could not be removed: {error}");
    }
    tell(app);
    Ok(packed.path)
}

/// Whether the copy of the database and the backup made of it fit, without the room that is kept for
/// erasing. [`Error::Unavailable`] where they do not.
fn has_room(app: &App, folder: &Path) -> Result<()> {
    let store = app.store();
    let bytes = store.bytes_of_copy()?;
    let device = |path: &Path| fs::metadata(path).map(|about| about.dev()).map_err(Error::from_io);
    let kept_on = device(store.folder())?;
    let is_short = store.is_short_of_room();
    let places = [there(app.backups()), there(folder)];
    for place in places {
        let on = device(place)?;
        let parts = places.iter().filter(|other| device(other).is_ok_and(|other| other == on)).count() as u64;
        let needed = bytes.saturating_mul(parts).saturating_add(SPARE);
        let free = disk::room(place).map_err(Error::from_io)?.free;
        if free < needed || on == kept_on && is_short {
            log::warn!("a backup takes {needed} bytes of a disk for a time, and {free} are free there");
            return Err(Error::Unavailable(
                "the disk is full: there is no room for a backup beside what is kept for erasing; make room, and \
                 make it again",
            ));
        }
    }
    Ok(())
}

/// The nearest folder that is there: the last may be made only with the backup.
fn there(folder: &Path) -> &Path {
    folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."))
}

/// Removes the backup from before an upgrade once there is a younger good one, and after 30 days. Returns
/// how many. For those who hold off other backups.
fn prune_upgrade(app: &App) -> Result<usize> {
    let Some(made_at) = app.read(|db| maintenance::done_at(db, maintenance::UPGRADED))? else { return Ok(0) };
    let time = app.clock().read();
    if !time.standing.is_trusted() {
        return Ok(0);
    }
    let removed =
        match archive::prune_upgrade(app.backups(), made_at, time.now).map_err(BackupError::into_error)? {
            BeforeUpgrade::Stays => return Ok(0),
            BeforeUpgrade::Removed(name) => {
                log::info!("backup {name} from before the upgrade was removed");
                1
            }
            BeforeUpgrade::Gone => 0,
        };
    app.write_blocking(|tx: &BackgroundTx| maintenance::forget(tx, maintenance::UPGRADED))?;
    Ok(removed)
}

/// A backup of a database that nobody has open yet, before its schema is changed. `dir` is the data
/// directory, `folder` that of backups.
pub fn before_upgrade(dir: &Path, folder: &Path, made_at: Millis) -> Result<PathBuf> {
    let recipients = Recipients::load(&dir.join("secrets")).map_err(BackupError::into_error)?;
    let copy = copy_closed(&dir.join("usher.db"), folder)?;
    Ok(pack(dir, &copy, made_at, &recipients, folder)?.path)
}

fn pack(dir: &Path, copy: &Copy, made_at: Millis, recipients: &Recipients, folder: &Path) -> Result<Packed> {
    let about = About {
        made_at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema: copy.schema,
        ledger: position(copy),
    };
    archive::pack(&Contents::of(dir, &copy.database()), about, recipients, folder)
        .map_err(BackupError::into_error)
}

/// Removes the backups that have had their time, but for the last good one. Returns how many. As
/// long as the clock is not trusted none is removed.
pub fn prune(app: &App) -> Result<usize> {
    let _alone = app.backing_up();
    let (time, keep) = (app.clock().read(), app.backup_policy().keep);
    if !time.standing.is_trusted() {
        return Ok(0);
    }
    let now = time.now;
    // One that stays must not keep the others.
    let before_upgrade = prune_upgrade(app).unwrap_or_else(|error| {
        log::error!("the backup from before the upgrade could not be removed: {error}");
        0
    });
    let pruned = archive::prune(app.backups(), now, keep).map_err(BackupError::into_error)?;
    if let Some(name) = &pruned.lasting {
        log::warn!("backup {name} is past its retention but kept: it is the newest valid backup");
    }
    for refusal in &pruned.failed {
        log::error!("a backup could not be removed: {refusal}");
    }
    let removed = pruned.removed.len() + before_upgrade;
    if removed > 0 {
        tell(app);
    }
    Ok(removed)
}

fn tell(app: &App) {
    if let Some(copies) = &app.backup_policy().copies {
        copies.backup_made();
    }
}

fn position(copy: &Copy) -> LedgerPosition {
    let ledger = &copy.ledger;
    LedgerPosition {
        ledger: ledger.ledger.to_string(),
        seq: ledger.seq,
        head: crate::proof::hex::Hex(ledger.head).to_string(),
        offset: ledger.offset,
    }
}
