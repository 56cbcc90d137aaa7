//! A profile changed by hand: what changed meanwhile is not written over unseen.

use crate::error::{Error, Result};
use crate::model::{Dropped, Profile, ProfileChange, State, User};
use crate::people::{person, users};
use crate::store::NormalTx;

/// A field that can be edited by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Email,
    FirstName,
    LastName,
    DisplayName,
    Country,
    City,
}

impl Field {
    pub const ALL: [Field; 6] =
        [Field::Email, Field::FirstName, Field::LastName, Field::DisplayName, Field::Country, Field::City];

    /// As forms and errors call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Email => "email",
            Field::FirstName => "firstName",
            Field::LastName => "lastName",
            Field::DisplayName => "displayName",
            Field::Country => "country",
            Field::City => "city",
        }
    }

    /// Its value; empty where there is none.
    pub fn of(self, profile: &Profile) -> &str {
        let value = match self {
            Field::Email => &profile.email,
            Field::FirstName => &profile.first_name,
            Field::LastName => &profile.last_name,
            Field::DisplayName => &profile.display_name,
            Field::Country => &profile.country,
            Field::City => &profile.city,
        };
        value.as_deref().unwrap_or_default()
    }

    fn set(self, change: &mut ProfileChange, value: Option<String>) {
        let field = match self {
            Field::Email => &mut change.email,
            Field::FirstName => &mut change.first_name,
            Field::LastName => &mut change.last_name,
            Field::DisplayName => &mut change.display_name,
            Field::Country => &mut change.country,
            Field::City => &mut change.city,
        };
        *field = Some(value);
    }
}

/// A field as somebody saw it, and as they want it. Empty: none.
#[derive(Debug, Clone)]
pub struct Edit {
    pub field: Field,
    pub was: String,
    pub new: String,
}

/// What became of an edit.
#[derive(Debug)]
pub enum Outcome {
    Done,
    /// Somebody else changed these fields meanwhile: nothing was written. They are as the user has them now.
    Changed(Box<User>, Vec<Field>),
    /// Nothing is taken in of this user.
    Dropped(Dropped),
}

/// Writes the fields that are to be another than they were seen. [`Error::Conflict`] for a user who is not
/// live; [`Error::Invalid`] by field.
pub fn edit(tx: &NormalTx, user: User, edits: &[Edit]) -> Result<Outcome> {
    if user.state != State::Live {
        return Err(Error::Conflict("only a live user can be edited; restore the user first"));
    }
    let mut change = ProfileChange::default();
    let mut changed = Vec::new();
    for Edit { field, was, new } in edits.iter().filter(|edit| edit.was != edit.new) {
        let now = field.of(&user.profile);
        if now != was && now != new {
            changed.push(*field);
        }
        field.set(&mut change, Some(new.clone()).filter(|new| !new.is_empty()));
    }
    if !changed.is_empty() {
        return Ok(Outcome::Changed(Box::new(user), changed));
    }
    if change == ProfileChange::default() {
        return Ok(Outcome::Done);
    }
    change.check()?;
    match users::amend(tx, user, &change)? {
        Ok(user) => person::append_to_audit_log(tx, &user, "edit user").map(|()| Outcome::Done),
        Err(dropped) => Ok(Outcome::Dropped(dropped)),
    }
}
