//! When work that comes round is due: backups, their pruning, the audit log's head, the search by night.

use super::App;
use crate::clock::Millis;
use crate::error::Result;
use crate::store::{BackgroundTx, maintenance};

/// Whether a task was last done `every` or longer ago, or never.
pub fn is_due(app: &App, task: &str, every: Millis) -> Result<bool> {
    let now = app.clock().now();
    let last = app.read(|db| maintenance::done_at(db, task))?;
    // A clock that was set back has not done what lies ahead of it.
    Ok(last.is_none_or(|at| at > now || now - at >= every))
}

/// A task is done now.
pub fn done(app: &App, task: &'static str) -> Result<()> {
    app.write_blocking(move |tx: &BackgroundTx| maintenance::note(tx, task))
}
