//! When a backup is made, and when one goes.

use super::{make, prune as prune_all};
use crate::app::App;
use crate::app::due::{done, is_due};
use crate::archive::{self, BackupError};
use crate::clock::{DAY, MINUTE, Millis};
use crate::error::Result;

const BACKUP: &str = "backup";
/// A backup that was begun, whatever came of it.
const BACKUP_TRIED: &str = "backup tried";
const PRUNE: &str = "prune";

/// The pause after a backup that could not be made, or one that could not be removed.
const RETRY: Millis = 10 * MINUTE;

/// Makes a backup that is due, and removes those that have had their time. The last good one is
/// replaced by a new one first: it goes on the day that receipts name.
pub fn run(app: &App) -> Result<()> {
    let (now, backup_policy) = (app.clock().now(), app.backup_policy());
    let listed = archive::list(app.backups()).map_err(BackupError::into_error)?;
    let due = match backup_policy.every {
        Some(every) => is_due(app, BACKUP, every)?,
        None => false,
    };
    if (due || archive::lasting(&listed, now, backup_policy.keep).is_some())
        && is_due(app, BACKUP_TRIED, backup_policy.every.map_or(RETRY, |every| every.min(RETRY)))?
    {
        done(app, BACKUP_TRIED)?;
        match make(app, app.backups()) {
            Ok(path) => {
                done(app, BACKUP)?;
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                log::info!("backup {name} was made");
                return prune(app);
            }
            Err(error) => log::error!("no backup could be made, it is tried again: {error}"),
        }
    }
    let over = !archive::expired(&listed, now, backup_policy.keep).is_empty();
    if is_due(app, PRUNE, if over { RETRY } else { DAY })? {
        prune(app)?;
    }
    Ok(())
}

fn prune(app: &App) -> Result<()> {
    if !app.time_standing().is_trusted() {
        return Ok(());
    }
    match prune_all(app) {
        Ok(0) => {}
        Ok(some) => log::info!("{some} backups had had their time and were removed"),
        Err(error) => log::error!("old backups could not be removed: {error}"),
    }
    done(app, PRUNE)
}
