//! Users whose 7 days are over and who are not erased yet: gone for every caller, their names free for
//! others. The reaper takes them once the clock is trusted; if it is set back before, they are in the
//! trash again.

use crate::domain::{binding, erase, references};
use crate::error::Result;
use crate::model::User;
use crate::store::tombstones::{self, Named};
use crate::store::{Tx, aliases, users, waiting};

/// Takes its names from a user whose 7 days are over, as of the end of these. It waits for the
/// reaper, and nothing of it is deleted before.
pub fn free(tx: &Tx, user: &User) -> Result<()> {
    let gone = erase::gone_at(tx, user);
    let anonymous_ids = aliases::with_trust(tx, user.id)?;
    let identifier = user.identifier.iter().map(|name| Named::Identifier(name));
    let others = anonymous_ids.iter().map(|(name, is_trusted)| Named::alias(name, *is_trusted));
    for named in identifier.chain(others) {
        let (name, is_claimed) = (named.name(), matches!(named, Named::Claimed(_)));
        if !is_claimed || !erase::is_of_another(tx, user, name)? {
            tombstones::bury_as_of(tx, user.project, named, gone)?;
        }
        binding::end_of_name(tx, user, name, gone)?;
        references::release(tx, user.project, name)?;
    }
    waiting::free_names(tx, user.id)
}

/// A user who waits is in the trash as before, under its names as far as these are free.
pub fn return_to_trash(tx: &Tx, user: &User) -> Result<()> {
    waiting::return_names(tx, user.id)?;
    let identifier = users::by_id(tx, None, user.id)?.and_then(|user| user.identifier);
    for name in aliases::of(tx, user.id, u32::MAX)?.iter().chain(&identifier) {
        references::recall(tx, user.project, name)?;
    }
    Ok(())
}
