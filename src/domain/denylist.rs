//! One user's own switches: while one of them is on, nothing is taken in of the user. What they make
//! is a suppression, but for its end: it goes with the user, when the API that set it erases them.

use crate::domain::suppressions::{self as rules, Policy};
use crate::domain::users;
use crate::error::Result;
use crate::model::{Attributes, Erasure, Identifier, Origin, ProfileChange, ProjectId, User};
use crate::proof::receipt::Token;
use crate::store::{Tx, suppressions};

/// Whose word it is that a user is kept out.
#[derive(Clone, Copy)]
enum Switch {
    /// The app's.
    Denied = 1,
    /// The user's own, among their preferences.
    Untracked = 2,
}

/// What the user prefers, by name: each true, false or not told.
const TRACKED: &str = "trackUsage";

/// Whether the app's switch is on, or somebody else keeps the user out.
/// [`crate::error::Error::UserNotFound`] unless the user is live or revivable.
pub fn is_denied(tx: &Tx, project: ProjectId, identifier: &Identifier) -> Result<bool> {
    users::get_hidden_too(tx, project, identifier.as_str(), tx.now())?;
    let subject = rules::digest_of(tx, project, identifier);
    let bits = suppressions::switches(tx, project, &subject)?;
    Ok(bits.is_some_and(|bits| bits == 0 || bits & Switch::Denied as i64 != 0))
}

/// Turns the app's switch on or off. On, it leaves a suppression as it is that somebody else asked
/// for; off, it ends that, too, but for what the user prefers.
/// [`crate::error::Error::UserNotFound`] as above.
pub fn set(tx: &Tx, project: ProjectId, identifier: &Identifier, denied: bool) -> Result<()> {
    let user = users::get_hidden_too(tx, project, identifier.as_str(), tx.now())?;
    let subject = rules::digest_of(tx, project, identifier);
    if !denied && suppressions::switches(tx, project, &subject)? == Some(0) {
        rules::lift(tx, project, identifier)?;
        return turn(tx, project, identifier, Switch::Untracked, is_untracked(&user));
    }
    turn(tx, project, identifier, Switch::Denied, denied)
}

/// A suppression that somebody asked for stays as it is.
fn turn(tx: &Tx, project: ProjectId, identifier: &Identifier, switch: Switch, on: bool) -> Result<()> {
    let subject = rules::digest_of(tx, project, identifier);
    let old = suppressions::switches(tx, project, &subject)?;
    let bits = old.unwrap_or_default();
    match (old, on) {
        (None, false) | (Some(0), _) => Ok(()),
        (None, true) => {
            rules::add(tx, project, identifier, Policy::Forever)?;
            suppressions::set_switches(tx, project, &subject, switch as i64)
        }
        (Some(_), true) => suppressions::set_switches(tx, project, &subject, bits | switch as i64),
        (Some(_), false) if bits & !(switch as i64) == 0 => rules::lift(tx, project, identifier).map(drop),
        (Some(_), false) => suppressions::set_switches(tx, project, &subject, bits & !(switch as i64)),
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
pub fn prefer(tx: &Tx, project: ProjectId, identifier: &Identifier, said: &[(&str, bool)]) -> Result<()> {
    let user = users::get_hidden_too(tx, project, identifier.as_str(), tx.now())?;
    let extra: Attributes = said.iter().map(|(name, on)| (key(name), (*on).into())).collect();
    let user = users::adjust(tx, user, &ProfileChange { extra, ..ProfileChange::default() })?;
    match said.iter().any(|(name, _)| keeps_out(name)) {
        true => turn(tx, project, identifier, Switch::Untracked, is_untracked(&user)),
        false => Ok(()),
    }
}

/// Erases the user at once, and the switches with them. What somebody else asked for stays.
pub fn erase(tx: &Tx, project: ProjectId, identifier: &Identifier) -> Result<Token> {
    let name = identifier.as_str();
    let token = users::erase_by_identifier(tx, project, name, Erasure::Everything, Origin::Request)?;
    let subject = rules::digest_of(tx, project, identifier);
    if suppressions::switches(tx, project, &subject)?.is_some_and(|bits| bits != 0) {
        rules::lift_subject(tx, project, &subject)?;
    }
    Ok(token)
}
