//! Users whose 7 days are over and who are not erased yet: gone for every caller, their names free for
//! others. The reaper takes them once the clock is trusted; if it is set back before, they are in the
//! trash again.

use crate::clock::Millis;
use crate::error::Result;
use crate::model::{TRASH_PERIOD, User};
use crate::people::{bindings, references};
use crate::store::erased_identifiers::{self, Named};
use crate::store::{Tx, aliases, users, waiting};

/// Takes its names from a user whose 7 days are over, as of the end of these. It waits for the
/// reaper, and nothing of it is deleted before.
pub fn take_names(tx: &Tx, user: &User) -> Result<()> {
    let gone = gone_at(tx, user);
    let anonymous_ids = aliases::with_trust(tx, user.id)?;
    let identifier = user.identifier.iter().map(|name| Named::Identifier(name));
    let others = anonymous_ids.iter().map(|(name, is_trusted)| Named::alias(name, *is_trusted));
    for named in identifier.chain(others) {
        let (name, is_claimed) = (named.name(), matches!(named, Named::Claimed(_)));
        if !is_claimed || !is_of_another(tx, user, name)? {
            erased_identifiers::record_as_of(tx, user.project, named, gone)?;
        }
        bindings::end_of_name(tx, user, name, gone)?;
        references::release(tx, user.project, name)?;
    }
    waiting::free_names(tx, user.id)
}

/// As of when the names are free that are taken from a user now. After 7 days in the trash that is the
/// end of the seventh day, however late it is noticed: later messages are about somebody new.
pub fn gone_at(tx: &Tx, user: &User) -> Millis {
    user.deleted_at.map_or(tx.now(), |at| tx.now().min(at + TRASH_PERIOD))
}

/// Whether somebody else has a name as their identifier: on a public credential's word alone it was
/// never this user's.
pub fn is_of_another(tx: &Tx, user: &User, name: &str) -> Result<bool> {
    Ok(users::by_identifier(tx, user.project, name)?.is_some_and(|other| other.id != user.id))
}
