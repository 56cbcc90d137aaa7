//! Whom a caller of the native API or of a command means.

use crate::error::{Error, Place, Result};
use crate::model::{Identifier, ProjectId, State, User, UserId};
use crate::people::subject::VISITOR;
use crate::people::{find, holder};
use crate::store::erased_identifiers::Named;
use crate::store::{Tx, aliases, users as rows};

/// So many people with one e-mail are named to the caller.
const NAMED_MAX: u32 = 20;

/// One person, by one of the names that they have.
#[derive(Debug, Clone)]
pub enum Subject {
    Identifier(Identifier),
    AnonymousId(Identifier),
    Id(UserId),
    /// Matched whole; letter case does not count.
    Email(String),
}

/// The name by which a subject is kept out, and the person, if there is one.
pub struct Meant {
    name: String,
    is_anonymous: bool,
    pub user: Option<User>,
}

impl Meant {
    fn identified(name: &str, user: Option<User>) -> Meant {
        Meant { name: name.to_owned(), is_anonymous: false, user }
    }

    fn anonymous(name: &str, user: Option<User>) -> Meant {
        Meant { name: name.to_owned(), is_anonymous: true, user }
    }

    pub fn named(&self) -> Named<'_> {
        if self.is_anonymous { Named::Anonymous(&self.name) } else { Named::Identifier(&self.name) }
    }

    /// Whether a text has one of the person's names in it.
    pub fn is_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let email = self.user.as_ref().and_then(|user| user.profile.email.as_deref());
        let has = |name: &str| !name.is_empty() && text.contains(&name.to_lowercase());
        has(&self.name) || email.is_some_and(has)
    }
}

/// Whom a subject means. An identifier and an anonymous id may be unknown: they mean a person who may come
/// with them. [`Error::UserNotFound`] for an unknown id or e-mail, [`Error::Ambiguous`]
/// for the e-mail of several, [`Error::Invalid`] and [`Error::Conflict`] for whom no name of their
/// own tells apart.
pub fn resolve(tx: &Tx, project: ProjectId, subject: &Subject) -> Result<Meant> {
    match subject {
        Subject::Identifier(name) => {
            Ok(Meant::identified(name.as_str(), holder::holder(tx, project, name.as_str())?))
        }
        Subject::AnonymousId(name) => by_anonymous_id(tx, project, name.as_str()),
        Subject::Id(id) => of_user(tx, find::get_hidden_too_by_id(tx, project, *id, tx.now())?),
        Subject::Email(email) => of_user(tx, by_email(tx, project, email.trim())?),
    }
}

/// The person whose anonymous id it is; the anonymous id by itself where a public credential alone
/// said that it is somebody's, for anybody can plant one on somebody else with that.
fn by_anonymous_id(tx: &Tx, project: ProjectId, name: &str) -> Result<Meant> {
    let fault = |why: &str| Error::invalid(Place::Body, "subject.anonymousId", why);
    if name.starts_with(VISITOR) {
        return Err(fault("was drawn for a visitor's day: it names nobody for longer"));
    }
    if aliases::is_shared(tx, project, name)? {
        return Err(fault("was sent for several people: it is no name of one of them"));
    }
    let Some(user) = holder::alias_holder(tx, project, name)? else {
        return Ok(Meant::anonymous(name, None));
    };
    match &user.identifier {
        None => Ok(Meant::anonymous(name, Some(user))),
        Some(identifier) if aliases::trusted_user(tx, project, name)? == Some(user.id) => {
            Ok(Meant::identified(&identifier.clone(), Some(user)))
        }
        Some(_) => Ok(Meant::anonymous(name, None)),
    }
}

/// What a public credential claimed for somebody is not their e-mail.
fn by_email(tx: &Tx, project: ProjectId, email: &str) -> Result<User> {
    let mut found = rows::by_email(tx, project, email, NAMED_MAX)?;
    found.retain(|user| user.state == State::Live || user.is_revivable(tx.now()));
    if found.len() > 1 {
        let mut ids: Vec<UserId> = found.iter().map(|user| user.id).collect();
        ids.sort_unstable();
        let ids: Vec<String> = ids.iter().map(UserId::to_string).collect();
        let why = "several users have this e-mail: name one of them by id";
        return Err(Error::Ambiguous(format!("{why}: {}", ids.join(", "))));
    }
    found.pop().ok_or_else(|| Error::user_not_found(""))
}

/// By their identifier; who has none, by an anonymous id that no other user has.
fn of_user(tx: &Tx, user: User) -> Result<Meant> {
    if let Some(identifier) = user.identifier.clone() {
        return Ok(Meant::identified(&identifier, Some(user)));
    }
    let mut own = aliases::unshared(tx, user.id)?.into_iter().map(|(name, _)| name);
    let own = own.find(|name| !name.starts_with(VISITOR));
    let why = "this user has no name of their own by which they could be kept out";
    let name = own.ok_or(Error::Conflict(why))?;
    Ok(Meant::anonymous(&name, Some(user)))
}
