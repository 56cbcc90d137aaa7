//! The reaper: who has been hidden for 7 days is erased.

use crate::domain::erase;
use crate::error::Result;
use crate::model::{Erasure, Origin, User};
use crate::store::{Tx, users};

/// Begins the erasure of the user that has been hidden longest, if that is 7 days.
pub fn sweep(tx: &Tx) -> Result<bool> {
    let oldest = users::hidden(tx, None, 1)?.pop();
    match oldest.filter(|user| user.is_expired(tx.now())) {
        Some(user) => reap(tx, &user).map(|()| true),
        None => Ok(false),
    }
}

/// Begins the erasure of one whose 7 days are over.
pub fn reap(tx: &Tx, user: &User) -> Result<()> {
    erase::begin(tx, user, Erasure::Everything, Origin::Reaper).map(|_| ())
}
