//! The trash: 7 days in which a person can be restored. Then the reaper erases it, once the clock that
//! says so is trusted.

use crate::erasure::{begin, token};
use crate::error::{Error, Result};
use crate::ledger::Act;
use crate::model::{Erasure, Origin, ProfileChange, State, User, UserId};
use crate::people::{holds, merge, names, person, profile};
use crate::proof::receipt::{self, Token};
use crate::store::{ErasingTx, NormalTx, Tx, aliases, audit, users, waiting};

/// Hides a live user for 7 days. The caller has found it live. The token is of the receipt that
/// there will be after these.
pub fn hide(tx: &ErasingTx, user: &User) -> Result<Token> {
    let user = &merge::with_namesake(tx, user)?;
    users::set_state(tx, user.id, State::Hidden, Some(tx.now()))?;
    person::append_to_ledger(tx, user, |person| Act::Hidden { person })?;
    let entry = audit::Entry {
        action: "hide",
        subject: Some(person::pseudonym(tx, user)),
        project: Some(user.project),
        reason: Some(receipt::right(Origin::Request, tx.who().legal_basis)),
        ..audit::Entry::default()
    };
    audit::append(tx, &entry)?;
    // The reaper has one more to wait for.
    tx.wake_worker();
    Ok(token::of_hidden(tx, user))
}

/// Brings a hidden user back as it was. [`Error::UserNotFound`] if it is not hidden, or
/// has been for 7 days.
pub fn restore(tx: &NormalTx, id: UserId) -> Result<User> {
    let user = users::by_id(tx, None, id)?.filter(|user| user.is_revivable(tx.now()));
    let user = user.ok_or_else(|| Error::user_not_found(id.to_string()))?;
    profile::update_and_restore(tx, user, &ProfileChange::default())
}

/// A user who waits is in the trash as before, under its names as far as these are free.
pub fn return_to_trash(tx: &Tx, user: &User) -> Result<()> {
    waiting::return_names(tx, user.id)?;
    let identifier = users::by_id(tx, None, user.id)?.and_then(|user| user.identifier);
    for name in aliases::of(tx, user.id, u32::MAX)?.iter().chain(&identifier) {
        names::give(tx, user.project, name)?;
    }
    Ok(())
}

/// Begins the erasure of the user that has been hidden longest and that nothing keeps, if that is 7 days.
pub fn sweep(tx: &Tx) -> Result<bool> {
    if !tx.trusts_clock() {
        return Ok(false);
    }
    let Some(user) = users::first_hidden(tx)?.filter(|user| user.is_ripe(tx.now())) else {
        return Ok(false);
    };
    let (user, legal_basis) = (merge::with_namesake(tx, &user)?, tx.who().legal_basis);
    // Who is held as a part of the user keeps it from now on.
    if holds::blocks(tx, &user, Origin::Reaper, legal_basis)?.is_none() {
        begin::begin_for(tx, &user, Erasure::Everything, Origin::Reaper, legal_basis)?;
    }
    Ok(true)
}
