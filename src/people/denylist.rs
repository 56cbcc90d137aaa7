//! One user's own switches: while one of them is on, nothing is taken in of the user. Each makes a
//! suppression, but for its end: it goes with the user, when the API that set it erases them.

use crate::error::Result;
use crate::model::{Attributes, Identifier, ProfileChange, ProjectId, User};
use crate::people::suppressions::{Policy, Source};
use crate::people::{find, profile, suppressions};
use crate::store::{ErasingTx, NormalTx, Tx};

/// What the user prefers, by name: each true, false or not told.
const TRACKED: &str = "trackUsage";

/// Whether the app's switch is on, or somebody else keeps the user out.
/// [`crate::error::Error::UserNotFound`] unless the user is live or revivable.
pub fn is_denied(tx: &NormalTx, project: ProjectId, identifier: &Identifier) -> Result<bool> {
    denied(tx, project, identifier)
}

fn denied(tx: &Tx, project: ProjectId, identifier: &Identifier) -> Result<bool> {
    let name = identifier.as_str();
    find::get_hidden_too(tx, project, name, tx.now())?;
    suppressions::is_kept_out_by(tx, project, name, Source::Preference, true)
}

/// What became of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    Done,
    /// It is off, and somebody else keeps the user out.
    OffInVain,
}

/// Turns the app's switch on or off. What somebody else asked for stays as it is.
/// [`crate::error::Error::UserNotFound`] as above.
pub fn set(tx: &ErasingTx, project: ProjectId, identifier: &Identifier, denied: bool) -> Result<Turned> {
    find::get_hidden_too(tx, project, identifier.as_str(), tx.now())?;
    turn(tx, project, identifier, Source::Denylist, denied)?;
    let in_vain = !denied && self::denied(tx, project, identifier)?;
    Ok(if in_vain { Turned::OffInVain } else { Turned::Done })
}

fn turn(tx: &Tx, project: ProjectId, identifier: &Identifier, switch: Source, on: bool) -> Result<()> {
    let was_on = suppressions::is_kept_out_by(tx, project, identifier.as_str(), switch, false)?;
    match (was_on, on) {
        (true, true) => Ok(()),
        (false, true) => suppressions::add_for(tx, project, switch, identifier, Policy::Forever).map(drop),
        (_, false) => suppressions::lift_for(tx, project, switch, identifier).map(drop),
    }
}

/// What the user prefers by this name. None: they have not said.
pub fn preference(user: &User, name: &str) -> Option<bool> {
    user.profile.extra.get(&key(name)).and_then(serde_json::Value::as_bool)
}

fn key(name: &str) -> String {
    format!("preferences.{name}")
}

fn is_untracked(user: &User) -> bool {
    preference(user, TRACKED) == Some(false)
}

/// Whether a preference of this name keeps the user out while it is false.
pub fn keeps_out(name: &str) -> bool {
    name == TRACKED
}

/// Notes what the user prefers, hidden or live; a hidden one stays hidden. Who wants no usage tracked
/// is kept out. [`crate::error::Error::UserNotFound`] as above.
pub fn prefer(
    tx: &ErasingTx,
    project: ProjectId,
    identifier: &Identifier,
    said: &[(&str, bool)],
) -> Result<()> {
    let user = find::get_hidden_too(tx, project, identifier.as_str(), tx.now())?;
    let extra: Attributes = said.iter().map(|(name, on)| (key(name), (*on).into())).collect();
    // Who keeps themselves out says so, or takes it back.
    let user = profile::update(tx, user, &ProfileChange { extra, ..ProfileChange::default() })?;
    match said.iter().any(|(name, _)| keeps_out(name)) {
        true => turn(tx, project, identifier, Source::Preference, is_untracked(&user)),
        false => Ok(()),
    }
}
