//! What an erasure would do, without doing it.

use crate::error::Result;
use crate::model::{Erasure, State, User};
use crate::store::data_inventory::{self, Subject};
pub use crate::store::data_inventory::{ErasureEffect, Held};
use crate::store::{Db, users};

/// What an erasure would do to the rows of one table.
#[derive(Debug, Clone)]
pub struct Outlook {
    pub held: Held,
    pub fate: ErasureEffect,
}

/// What an erasure would do, table by table, without doing it. It reads an index entry a
/// row: for scans.
pub fn dry_run(db: &Db, user: &User, erasure: Erasure) -> Result<Vec<Outlook>> {
    let held = data_inventory::inventory(db, user, &users::members(db, user.id)?)?;
    let outlook = held.into_iter().map(|held| {
        let table = data_inventory::TABLES.iter().find(|table| table.name == held.table);
        let fate = table.map_or(ErasureEffect::Stays, |table| match (table.subject, user.state) {
            // With the last of its activity a row without an account goes too.
            (Subject::Itself, State::Detached) => ErasureEffect::Leaves,
            _ => table.fate(erasure),
        });
        Outlook { held, fate }
    });
    Ok(outlook.collect())
}
