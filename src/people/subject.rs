//! Whom a message is about.

use crate::error::Place;
use crate::model::{Identifier, User};
use crate::store::erased_identifiers::Named;

/// Names that Usher draws for visitors itself begin so: they are drawn anew instead.
pub const VISITOR: &str = "visitor-";

/// Whom a message is about: a named user, an anonymous one, or both ids of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    pub identifier: Option<Identifier>,
    pub anonymous_id: Option<Identifier>,
}

impl Subject {
    /// Who is known by identifier.
    pub fn named(identifier: &Identifier) -> Subject {
        Subject { identifier: Some(identifier.clone()), anonymous_id: None }
    }

    /// A user that was found, by its identifier.
    pub(super) fn of(user: &User) -> Subject {
        let identifier = user.identifier.as_deref();
        let identifier = identifier.and_then(|name| Identifier::parse(Place::Body, "userId", name).ok());
        Subject { identifier, anonymous_id: None }
    }

    /// Who is known by an anonymous id alone.
    pub(super) fn anonymous(anonymous_id: Identifier) -> Subject {
        Subject { identifier: None, anonymous_id: Some(anonymous_id) }
    }

    /// As what the name may have been kept by which it is judged.
    pub(super) fn judged_as(&self) -> Vec<Named<'_>> {
        match (&self.identifier, &self.anonymous_id) {
            (Some(name), _) => Named::as_identifier(name.as_str()).into(),
            (None, Some(name)) => Named::as_anonymous(name.as_str()).into(),
            (None, None) => Vec::new(),
        }
    }

    /// The name by which it is told whether a message comes too late.
    pub fn judged_by(&self) -> Option<&str> {
        self.identifier.as_ref().or(self.anonymous_id.as_ref()).map(Identifier::as_str)
    }
}
