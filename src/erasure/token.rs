//! What the person is handed: it shows that a receipt is about them.

use crate::error::Result;
use crate::model::{Job, State, User};
use crate::people::erasures;
use crate::proof::hex::Hex;
use crate::proof::receipt::{self, Token};
use crate::store::{Tx, aliases, waiting};

/// What the person is handed to show that the receipt is about them. It is not kept, and cannot
/// be made again once they are gone.
pub fn of(tx: &Tx, job: &Job, user: &User) -> Token {
    Token { receipt: Hex(job.receipt), salt: salt(tx, user) }
}

/// The same for one who is being hidden now: of the receipt that the reaper will have, unless
/// the user comes back before.
pub fn of_hidden(tx: &Tx, user: &User) -> Token {
    Token { receipt: Hex(erasures::reapers_receipt(tx, user, Some(tx.now()))), salt: salt(tx, user) }
}

/// What the person is called in a receipt: its identifier, else an anonymous id, else the
/// bare number.
pub fn name(tx: &Tx, user: &User) -> Result<String> {
    if let Some(identifier) = user.identifier.as_ref().or(user.freed_identifier.as_ref()) {
        return Ok(identifier.clone());
    }
    let anonymous_id = match user.state {
        State::Waiting => waiting::aliases(tx, user.id)?.into_iter().next(),
        _ => aliases::of(tx, user.id, 1)?.pop(),
    };
    Ok(anonymous_id.unwrap_or_else(|| user.id.to_string()))
}

/// What a receipt may have called a person that is here: by any of the names it has.
pub fn subjects(tx: &Tx, user: &User) -> Result<Vec<[u8; 32]>> {
    let mut names = aliases::of(tx, user.id, u32::MAX)?;
    names.extend(user.identifier.clone());
    names.push(user.id.to_string());
    let salt = salt(tx, user);
    Ok(names.iter().map(|name| receipt::subject(&salt, name).0).collect())
}

/// Only the person is given it, and it cannot be made again once the registration is gone.
pub fn salt(tx: &Tx, user: &User) -> [u8; 32] {
    tx.keyed("receipt salt", &[&user.incarnation])
}
