//! What comes round: backups and their pruning, the audit log's head, and once a day, 24
//! hours after the last, a search of whole files for those who were erased.

use crate::app::App;
use crate::app::due::{done, is_due};
use crate::archive;
use crate::backup::schedule;
use crate::clock::{DAY, HOUR};
use crate::error::Result;
use crate::people::visitors;
use crate::projects;
use crate::prove::nightly;
use crate::store::{BackgroundTx, maintenance};

const HEAD: &str = "head";
const SEARCH: &str = "search";

/// Does all of it that is due. A backup that cannot be made holds up nothing else.
pub fn run(app: &App, go_on: &dyn Fn() -> bool) -> Result<()> {
    if is_due(app, HEAD, HOUR)? {
        app.sign_audit_head()?;
        done(app, HEAD)?;
    }
    forget_salts(app)?;
    if let Err(error) = forget_erased(app) {
        log::error!("digests of erased names could not be forgotten: {error}");
    }
    if let Err(error) = schedule::run(app) {
        log::error!("backups: {error}");
    }
    // Not searched at once: what was completed today has its turn within a day.
    match app.read(|db| maintenance::done_at(db, SEARCH))? {
        None => done(app, SEARCH)?,
        Some(_) if is_due(app, SEARCH, DAY)? && nightly::search(app, go_on)? => done(app, SEARCH)?,
        Some(_) => {}
    }
    Ok(())
}

/// Destroys the salts of visitors' names that have had their time, in the write-ahead log, too.
fn forget_salts(app: &App) -> Result<()> {
    let time = app.clock().read();
    if time.standing.is_trusted() && app.read(|db| visitors::has_old_salts(db, time.now))? {
        app.write_blocking(|tx: &BackgroundTx| visitors::forget_old_salts(tx))?;
        // A reader may hold this up; the log is emptied again behind every erasure.
        app.store().empty_wal()?;
    }
    Ok(())
}

/// Forgets the digests of erased names that have had their time by a clock that is trusted, but for those
/// of people whom a backup may hold still: they are kept out as long as it is there.
fn forget_erased(app: &App) -> Result<()> {
    let time = app.clock().read();
    if !time.standing.is_trusted() {
        return Ok(());
    }
    let listed = archive::list(app.backups()).map_err(archive::BackupError::into_error)?;
    // A backup of unknown age may hold anybody.
    let Some(since) = archive::reach_back_to(&listed) else { return Ok(()) };
    if app.read(|db| projects::has_erased_to_forget(db, since, time.now))? {
        while app.write_blocking(move |tx| projects::forget_erased(tx, since))? {}
    }
    Ok(())
}
