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
