//! The times of records: which are taken.

use super::AHEAD;
use crate::clock::Millis;
use crate::error::{Error, Place, Result};
use crate::store::Tx;

/// Fields of faults that are told apart by their code.
pub const NO_TIME: &str = "no time";
pub const FUTURE: &str = "future";

pub fn fault_of_time(which: &str) -> Error {
    Error::invalid(Place::Body, which, "")
}

/// A record's own time. None: it has none, and needs none.
pub fn checked(tx: &Tx, at: Option<Millis>) -> Result<Option<Millis>> {
    match at {
        Some(at) if at > tx.now() + AHEAD => Err(fault_of_time(FUTURE)),
        at => Ok(at),
    }
}
