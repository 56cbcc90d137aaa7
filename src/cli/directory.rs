//! Whether there is a data directory to work on.

use std::path::Path;

use anyhow::bail;

use crate::data_dir::State;

/// One begins where there is none. Not where a database was lost: a new
/// one would take the ledger for its own, and its receipts would follow on those of another.
pub fn may_begin(path: &Path) -> anyhow::Result<()> {
    match State::of(path) {
        State::Lost(left) => bail!(lost(path, &left)),
        State::Begun | State::New => Ok(()),
    }
}

/// What is said where there is no database, but these.
pub fn lost(path: &Path, left: &[&str]) -> String {
    let left = left.join(" and ");
    let how = if path.join("usher.db").exists() { "empty" } else { "missing" };
    format!(
        "usher.db is {how} in {}, where {left} of a database are left: put it back, restore a backup with \
         `usher restore`, or remove {left} to begin anew",
        path.display()
    )
}
