//! One user's own switch: while it is on, nothing is taken in of them. It is a suppression, but for
//! its end: it goes with the user, when the API that set it erases them.

use crate::domain::suppressions as rules;
use crate::domain::users;
use crate::error::Result;
use crate::model::{Erasure, Identifier, Origin, ProjectId};
use crate::proof::receipt::Token;
use crate::store::{Tx, suppressions};

/// Whether the switch is on. [`crate::error::Error::UserNotFound`] unless the user is live or
/// revivable.
pub fn is_denied(tx: &Tx, project: ProjectId, identifier: &Identifier) -> Result<bool> {
    users::get_hidden_too(tx, project, identifier.as_str(), tx.now())?;
    rules::is_suppressed(tx, project, identifier.as_str())
}

/// Turns it on or off. On, it leaves a suppression as it is that somebody else asked for; off, it
/// ends that, too. [`crate::error::Error::UserNotFound`] as above.
pub fn set(tx: &Tx, project: ProjectId, identifier: &Identifier, denied: bool) -> Result<()> {
    if is_denied(tx, project, identifier)? == denied {
        return Ok(());
    }
    if denied {
        rules::add_until_erased(tx, project, identifier).map(drop)
    } else {
        rules::lift(tx, project, identifier).map(drop)
    }
}

/// Erases the user at once, and the switch with them. What somebody else asked for stays.
pub fn erase(tx: &Tx, project: ProjectId, identifier: &Identifier) -> Result<Token> {
    let name = identifier.as_str();
    let token = users::erase_by_identifier(tx, project, name, Erasure::Everything, Origin::Request)?;
    let subject = rules::digest_of(tx, project, identifier);
    if suppressions::ends_with_user(tx, project, &subject)? {
        rules::lift_subject(tx, project, &subject)?;
    }
    Ok(token)
}
