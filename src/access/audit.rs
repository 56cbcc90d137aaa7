//! The audit log, as it is read.

use crate::error::Result;
use crate::proof::audit::{Head, Link};
use crate::store::{Db, audit};

/// Rows below a number, the newest first.
pub fn before(db: &Db, seq: Option<u64>, limit: u32) -> Result<Vec<Link>> {
    audit::before(db, seq, limit)
}

/// How far the log is signed. None: not yet.
pub fn signed(db: &Db) -> Result<Option<Head>> {
    audit::last_head(db)
}

/// Rows about any of these names of people before one, the newest first.
pub fn about(db: &Db, subjects: &[[u8; 16]], seq: Option<u64>, limit: u32) -> Result<Vec<Link>> {
    let mut found = Vec::new();
    for subject in subjects {
        found.extend(audit::of_subject_before(db, subject, seq, limit)?);
    }
    found.sort_by_key(|link| std::cmp::Reverse(link.row.seq));
    found.truncate(limit as usize);
    Ok(found)
}
