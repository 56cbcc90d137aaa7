//! Whether there is a data directory to work on.

use std::path::Path;

use anyhow::bail;

use crate::data_dir::{DataDir, State};

/// For a command that begins one where there is none. Not where a database was lost: a new
/// one would take the ledger for its own, and its receipts would follow on those of another.
pub fn may_begin(path: &Path) -> anyhow::Result<()> {
    match State::of(path) {
        State::Lost(left) => bail!(lost(path, &left)),
        State::Begun | State::New => Ok(()),
    }
}

/// For all the others, which make nothing where there is nothing.
pub fn must_be(path: &Path) -> anyhow::Result<()> {
    may_begin(path)?;
    // A server that has just taken hold of it is about to begin it.
    if State::of(path) == State::New && !DataDir::is_held(path) {
        bail!(
            "there is no usher.db in {}: create one with `usher serve`, or name another directory with --data",
            path.display()
        );
    }
    Ok(())
}

/// What is said where there is no database, but these.
pub fn lost(path: &Path, left: &[&str]) -> String {
    let left = left.join(" and ");
    let how = if path.join("usher.db").exists() { "empty" } else { "missing" };
    format!(
        "usher.db is {how} in {}, but {left} still exist: put usher.db back, restore a backup with `usher \
         restore`, or remove {left} to start from scratch",
        path.display()
    )
}
