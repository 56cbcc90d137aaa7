//! Who calls for an end user: a browser that holds a public key, and says by name whose
//! browser it is. The key stands in the app's page, so a stranger has it, too, and knows the
//! names of others.
//!
//! Such a caller is believed where the app has vouched for the user: it signs the name under
//! a secret that it shares with the project. Who is not believed may add, and is told nothing
//! that was there before: not even whether it has met the user before.

use crate::error::{Error, Result};
use crate::model::{Identifier, ProjectId, Received, Said, User};
use crate::people::late::Speaks;
use crate::people::subject::Subject;
use crate::people::{admission, find, registration, suppressions};
use crate::projects;
use crate::secrets;
use crate::store::{Db, Tx};

const UNSIGNED: &str = "the project asks for the HMAC of the user's external id";
const MISSIGNED: &str = "the HMAC is not that of the user's external id";
const UNVOUCHED: &str = "can be read or changed only where the project has a client secret and the user's external \
    id comes with its HMAC, or for a key that has the scope for it";

/// What a caller says of itself.
#[derive(Debug, Clone)]
pub struct Caller {
    pub project: ProjectId,
    /// Whose browser it is.
    pub external_id: Identifier,
    /// The signature of that.
    pub hmac: Option<String>,
    /// The key opens this by itself, for every user.
    pub trusted: bool,
}

impl Caller {
    /// Whether the caller is believed. Where a project has a secret, a caller that is not must not
    /// even add: [`Error::Forbidden`].
    pub fn is_vouched_for(&self, db: &Db) -> Result<bool> {
        if self.trusted {
            return Ok(true);
        }
        match (projects::client_secret(db, self.project)?, &self.hmac) {
            (None, _) => Ok(false),
            (Some(_), None) => Err(Error::Forbidden(UNSIGNED)),
            (Some(secret), Some(hmac)) => {
                match secrets::is_signed(&secret, self.external_id.as_str(), hmac) {
                    true => Ok(true),
                    false => Err(Error::Forbidden(MISSIGNED)),
                }
            }
        }
    }

    /// The live user, for who may see and change what is held. [`Error::Forbidden`] for
    /// others; [`Error::UserNotFound`] if there is none, or it is in the trash.
    pub fn reader(&self, db: &Db) -> Result<User> {
        match self.is_vouched_for(db)? {
            true => find::get(db, self.project, self.external_id.as_str()),
            false => Err(Error::Forbidden(UNVOUCHED)),
        }
    }

    /// The user, for who adds something: created if need be; one in the trash stays there. What
    /// is added is dropped for a user who was erased or is suppressed.
    pub fn writer(&self, tx: &Tx) -> Result<Received<User>> {
        // What the app vouches for is said now; anything else may have been kept for long.
        let speaks = match self.is_vouched_for(tx)? {
            true => Speaks::ForThePerson,
            false => Speaks::OfActivity,
        };
        let subject = Subject::named(&self.external_id);
        match admission::receive(tx, self.project, &subject, Said::Nothing, speaks)? {
            Ok(subject) => registration::ensure(tx, self.project, &subject).map(Ok),
            Err(dropped) => Ok(Err(dropped)),
        }
    }

    /// The same, but nobody is created: [`Error::UserNotFound`].
    pub fn known_writer(&self, tx: &Tx) -> Result<Received<User>> {
        self.is_vouched_for(tx)?;
        if let Err(dropped) = suppressions::check(tx, self.project, &Subject::named(&self.external_id))? {
            return Ok(Err(dropped));
        }
        find::get_hidden_too(tx, self.project, self.external_id.as_str(), tx.now()).map(Ok)
    }
}
