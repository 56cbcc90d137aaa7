//! The reaper: who has been hidden for 7 days is erased, once the clock that says so is trusted.

use crate::domain::erase;
use crate::error::Result;
use crate::model::{Erasure, Origin};
use crate::store::{Tx, users};

/// Begins the erasure of the user that has been hidden longest, if that is 7 days.
pub fn sweep(tx: &Tx) -> Result<bool> {
    if !tx.trusts_clock() {
        return Ok(false);
    }
    let oldest = users::hidden(tx, None, 1)?.pop();
    match oldest.filter(|user| user.is_ripe(tx.now())) {
        Some(user) => erase::begin(tx, &user, Erasure::Everything, Origin::Reaper).map(|_| true),
        None => Ok(false),
    }
}
