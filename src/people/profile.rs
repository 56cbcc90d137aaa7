//! Writes to one known person: the profile, and when it was last active.

use crate::error::Result;
use crate::ledger::Act;
use crate::model::{ProfileChange, Repair, Said, State, User};
use crate::people::{person, public, repairs};
use crate::store::users::Activity;
use crate::store::{Tx, users};

/// Writes a change to a live or revivable user, who is live from then on. A public credential
/// restores nobody: with one, a user in the trash stays there.
pub fn update_and_restore(tx: &Tx, user: User, change: &ProfileChange) -> Result<User> {
    let mut user = update(tx, user, change)?;
    if user.state == State::Hidden && tx.who().actor.is_public() {
        repairs::note(tx, user.project, Repair::of("", "user stays in the trash"))?;
    } else if user.state == State::Hidden {
        users::set_state(tx, user.id, State::Live, None)?;
        person::append_to_ledger(tx, &user, |person| Act::Revived { person })?;
        person::append_to_audit_log(tx, &user, "revive")?;
        user.state = State::Live;
        user.deleted_at = None;
        user.updated_at = tx.now();
    }
    Ok(user)
}

/// Writes a change to a live or revivable user; a hidden one stays hidden. The caller has asked whether
/// anything is taken in of the user.
pub fn update(tx: &Tx, mut user: User, change: &ProfileChange) -> Result<User> {
    let profile = public::applied(tx, &user, change)?;
    if profile != user.profile {
        user.profile = profile;
        user.updated_at = tx.now();
        users::update(tx, &user)?;
    }
    Ok(user)
}

/// Notes that the user did something, at a time or now. What it did before its activity
/// was erased is not noted.
pub fn record_activity(tx: &Tx, user: &User, said: Said) -> Result<()> {
    let at = said.time().unwrap_or(tx.now()).min(tx.now());
    if at <= user.activity_since() {
        return Ok(());
    }
    if user.last_seen.is_none_or(|last| last < at) || user.first_seen.is_none_or(|first| at < first) {
        let activity = Activity { first: Some(at), last: Some(at), ..Activity::default() };
        users::add_activity(tx, user.id, activity)?;
    }
    Ok(())
}
