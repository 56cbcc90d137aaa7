//! What a user is called, and the form in which it stands in the buffer.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::fold::fold;
use crate::model::User;

/// Stands before each field. It is in no folded text, so that no search goes over from one to the next. Of
/// all that do not print it is the one that a search takes for common: with another, it would stop at each.
pub(super) const MARK: u8 = b'\n';
/// Stands where nothing is any more. No UTF-8 has it.
pub(super) const DEAD: u8 = 0xff;
/// So many bytes of a field, folded, can be searched.
pub const FIELD_MAX: usize = 1_024;

/// A name of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Identifier,
    Email,
    /// Given by a public credential where there was another one.
    ClaimedEmail,
    DisplayName,
    /// First and last name.
    Name,
}

/// What a user is called. Overwritten when it is dropped.
#[derive(Clone, Default)]
pub struct Names {
    pub identifier: Option<String>,
    pub email: Option<String>,
    pub claimed_email: Option<String>,
    pub display_name: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
}

impl Drop for Names {
    fn drop(&mut self) {
        let Names { identifier, email, claimed_email, display_name, first_name, last_name } = self;
        [identifier, email, claimed_email, display_name, first_name, last_name]
            .into_iter()
            .for_each(|name| name.zeroize());
    }
}

/// Values of people stand in no log.
impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Names {
    pub fn of(user: &User) -> Names {
        let profile = &user.profile;
        Names {
            identifier: user.identifier.clone(),
            email: profile.email.clone(),
            claimed_email: profile.claimed_email.clone(),
            display_name: profile.display_name.clone(),
            first_name: profile.first_name.clone(),
            last_name: profile.last_name.clone(),
        }
    }

    /// Each field that there is, folded and as far as it can be searched, and whether that is all of it.
    pub fn folded(&self) -> impl Iterator<Item = (Field, Zeroizing<String>, bool)> {
        let name = match (&self.first_name, &self.last_name) {
            (None, None) => None,
            (first, last) => {
                let mut name = Zeroizing::new(String::new());
                let parts = [first, last].into_iter().flatten();
                name.reserve_exact(parts.clone().map(|part| part.len() + 1).sum());
                parts.for_each(|part| {
                    name.push_str(part);
                    name.push(' ');
                });
                Some(fold(&name))
            }
        };
        let single = [
            (Field::Identifier, &self.identifier),
            (Field::Email, &self.email),
            (Field::ClaimedEmail, &self.claimed_email),
            (Field::DisplayName, &self.display_name),
        ];
        let single = single.into_iter().filter_map(|(field, text)| Some((field, fold(text.as_deref()?))));
        single.chain(name.map(|name| (Field::Name, name))).filter(|(_, text)| !text.is_empty()).map(
            |(field, mut text)| {
                let is_whole = text.len() <= FIELD_MAX;
                if !is_whole {
                    let end = (0..=FIELD_MAX).rev().find(|end| text.is_char_boundary(*end));
                    text.truncate(end.unwrap_or_default());
                }
                (field, text, is_whole)
            },
        )
    }
}

/// The fields of a user as they stand in the buffer.
pub(super) struct Entry {
    pub bytes: Zeroizing<Vec<u8>>,
    /// No field was too long.
    pub is_whole: bool,
}

impl Entry {
    /// A field with which another one begins is left out: what is found in it is found there. Empty for
    /// whom nothing is known of.
    pub fn of(names: &Names) -> Entry {
        let fields: Vec<_> = names.folded().collect();
        let room = fields.iter().map(|(_, text, _)| text.len() + 1).sum();
        let mut entry = Entry { bytes: Zeroizing::new(Vec::with_capacity(room)), is_whole: true };
        for (n, (_, text, is_whole)) in fields.iter().enumerate() {
            entry.is_whole &= is_whole;
            if !fields[..n].iter().any(|(_, other, _)| other.starts_with(text.as_str())) {
                entry.bytes.push(MARK);
                entry.bytes.extend_from_slice(text.as_bytes());
            }
        }
        entry
    }
}
