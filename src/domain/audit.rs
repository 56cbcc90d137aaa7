//! The audit log, as it is read; and the acts that nobody's rows change by.

use crate::error::Result;
use crate::model::User;
use crate::proof::audit::{Head, Link};
use crate::store::audit::{self, Entry};
use crate::store::{Db, Tx};

/// Rows below a number, the newest first.
pub fn before(db: &Db, seq: Option<u64>, limit: u32) -> Result<Vec<Link>> {
    audit::before(db, seq, limit)
}

/// How far the log is signed. None: not yet.
pub fn signed(db: &Db) -> Result<Option<Head>> {
    audit::last_head(db)
}

/// Somebody looks at a person's page.
pub fn note_view(tx: &Tx, user: &User) -> Result<()> {
    let entry = Entry {
        action: "view user",
        subject: Some(super::users::pseudonym(tx, user)),
        project: Some(user.project),
        ..Entry::default()
    };
    audit::note(tx, &entry)
}
