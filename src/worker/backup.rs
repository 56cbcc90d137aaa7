//! Making a backup, and removing those that have had their time.

use std::path::{Path, PathBuf};

use crate::app::App;
use crate::error::{Error, Result};
use crate::store::backup::Copy;
use crate::store::{Lane, audit};
use crate::vault::{self, About, Contents, LedgerPosition, Recipients, Refusal, keys};

/// Makes a backup in a folder, while writing goes on. Returns its path. A [`Refusal`] is
/// told as [`Error::Internal`], a full disk as [`Error::DiskFull`]; after any of them no
/// backup was made.
pub fn make(app: &App, folder: &Path) -> Result<PathBuf> {
    let _alone = app.backing_up();
    let dir = app.store().folder();
    // It may have been changed since the start.
    keys::check_recovery(&dir.join("secrets"), |key| app.store().recovery_seal(key)).map_err(trouble)?;
    let recipients = Recipients::load(&dir.join("secrets")).map_err(trouble)?;
    let copy = app.store().copy(app.backups())?;
    let about = About {
        made_at: app.clock().now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema: copy.schema,
        ledger: position(&copy),
    };
    let packed =
        vault::pack(&Contents::of(dir, &copy.database()), about, &recipients, folder).map_err(trouble)?;
    drop(copy);
    let name = packed.path.file_name().map(|name| name.to_string_lossy().into_owned());
    app.write_blocking(Lane::Request, move |tx| {
        let entry = audit::Entry { action: "back up", reason: name.as_deref(), ..audit::Entry::default() };
        audit::note(tx, &entry)
    })?;
    tell(app);
    Ok(packed.path)
}

/// Removes the backups that have had their time, but for the last good one. Returns how many. As
/// long as the clock is not trusted none is removed.
pub fn prune(app: &App) -> Result<usize> {
    let _alone = app.backing_up();
    let (time, keep) = (app.clock().read(), app.keeping().keep);
    if !time.standing.is_trusted() {
        return Ok(0);
    }
    let now = time.now;
    let pruned = vault::prune(app.backups(), now, keep).map_err(trouble)?;
    if let Some(name) = &pruned.lasting {
        log::warn!("backup {name} has had its time, and stays: there is no younger one");
    }
    for refusal in &pruned.failed {
        log::error!("a backup could not be removed: {refusal}");
    }
    if !pruned.removed.is_empty() {
        tell(app);
    }
    Ok(pruned.removed.len())
}

fn tell(app: &App) {
    if let Some(copies) = &app.keeping().copies {
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

/// What the vault refuses, as the one error.
pub fn trouble(refusal: Refusal) -> Error {
    match refusal {
        Refusal::NoRoom { .. } => Error::DiskFull,
        refusal => Error::internal(refusal),
    }
}
