//! Values of people for roles that do not see them: masked, and uncovered one at a time, which
//! the audit log is told before it is shown.

use serde_json::Value;

use crate::domain::users;
use crate::error::{Error, Place, Result};
use crate::model::{Attributes, Event, Kind, User};
use crate::store::{Tx, audit};

/// Stands for a whole value.
pub const WHOLE: &str = "•••";
/// A reason has so many characters.
const REASON: std::ops::RangeInclusive<usize> = 3..=200;

/// A name or identifier by its first letter; a short one by none, for that would be half of it.
pub fn text(text: &str) -> String {
    match (text.chars().next(), text.chars().count()) {
        (Some(first), 4..) => format!("{first}{WHOLE}"),
        _ => WHOLE.to_owned(),
    }
}

/// An e-mail by the first letter of its name and the end of its domain.
pub fn email(email: &str) -> String {
    let Some((name, domain)) = email.rsplit_once('@') else { return text(email) };
    let end = domain.rsplit_once('.').map(|(_, end)| format!(".{end}")).unwrap_or_default();
    format!("{}@{WHOLE}{end}", text(name))
}

/// What looks like an e-mail is masked as one, wherever it stands.
fn name(value: &str) -> String {
    if value.contains('@') { email(value) } else { text(value) }
}

/// The user as masked roles see it: nothing of it is to be shown that is not in here.
pub fn user(user: &User) -> User {
    let mut masked = user.clone();
    let whole = |value: &mut Option<String>| {
        if let Some(value) = value {
            WHOLE.clone_into(value);
        }
    };
    let by = |value: &mut Option<String>, mask: fn(&str) -> String| *value = value.as_deref().map(mask);
    by(&mut masked.identifier, name);
    by(&mut masked.freed_identifier, name);
    let profile = &mut masked.profile;
    by(&mut profile.email, email);
    by(&mut profile.claimed_email, email);
    by(&mut profile.first_name, name);
    by(&mut profile.last_name, name);
    by(&mut profile.display_name, name);
    [&mut profile.avatar_url, &mut profile.country, &mut profile.city].into_iter().for_each(whole);
    hide_values(&mut profile.attributes);
    hide_values(&mut profile.extra);
    masked
}

/// Anonymous ids as masked roles see them.
pub fn alias(alias: &str) -> String {
    name(alias)
}

/// An event as masked roles see it: that it was, and what the app calls it. The name of a page is
/// often an address with an id in it.
pub fn event(event: &Event) -> Event {
    let mut masked = event.clone();
    if masked.kind != Kind::Event || masked.name.contains('@') {
        WHOLE.clone_into(&mut masked.name);
    }
    if let Some(url) = &mut masked.url {
        WHOLE.clone_into(url);
    }
    hide_values(&mut masked.data);
    masked
}

fn hide_values(values: &mut Attributes) {
    values.values_mut().for_each(|value| *value = Value::String(WHOLE.to_owned()));
}

/// A value of a user that can be uncovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// What a form names it by.
    pub key: String,
    pub label: String,
    /// What the audit log calls it: an attribute's name is the app's, and may name somebody.
    kind: &'static str,
    pub value: String,
}

/// All values that are masked of a user, and can be uncovered.
pub fn hidden(user: &User) -> Vec<Hidden> {
    let profile = &user.profile;
    let texts = [
        ("identifier", "Identifier", "the identifier", &user.identifier),
        ("email", "E-mail", "the e-mail", &profile.email),
        ("claimed_email", "Second e-mail", "the second e-mail", &profile.claimed_email),
        ("first_name", "First name", "the first name", &profile.first_name),
        ("last_name", "Last name", "the last name", &profile.last_name),
        ("display_name", "Display name", "the display name", &profile.display_name),
        ("avatar", "Avatar", "the avatar", &profile.avatar_url),
        ("country", "Country", "the country", &profile.country),
        ("city", "City", "the city", &profile.city),
    ];
    let text = |(key, label, kind, value): (&str, &str, &'static str, &Option<String>)| {
        let value = value.clone()?;
        Some(Hidden { key: key.to_owned(), label: label.to_owned(), kind, value })
    };
    let named = |group: &'static str, (label, value): (&String, &Value)| Hidden {
        key: format!("{group}:{label}"),
        label: label.clone(),
        kind: "an attribute",
        value: match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
    };
    let extra = profile.extra.iter().map(|pair| named("extra", pair));
    let attributes = profile.attributes.iter().map(|pair| named("attribute", pair));
    texts.into_iter().filter_map(text).chain(extra).chain(attributes).collect()
}

/// Uncovers one value of a user, and writes down who asked for it and why. [`Error::Invalid`] on
/// `reason` or `value`.
pub fn reveal(tx: &Tx, user: &User, key: &str, reason: &str) -> Result<Hidden> {
    let reason = reason.trim();
    let fault = |field: &str, why: &str| Err(Error::invalid(Place::Body, field, why));
    if !REASON.contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
        return fault("reason", "must have 3 to 200 characters, none of them control");
    }
    let all = hidden(user);
    let Some(found) = all.iter().find(|hidden| hidden.key == key) else {
        return fault("value", "is none that this user has");
    };
    if all.iter().any(|hidden| is_in(&hidden.value, reason)) {
        return fault("reason", "must not name the person: it stays in the audit log after an erasure");
    }
    let entry = audit::Entry {
        action: "reveal value",
        subject: Some(users::pseudonym(tx, user)),
        project: Some(user.project),
        reason: Some(&format!("{}: {reason}", found.kind)),
        ..audit::Entry::default()
    };
    audit::note(tx, &entry)?;
    Ok(found.clone())
}

/// Whether a reason has this value in it: a long one anywhere, a short one as a word.
fn is_in(value: &str, reason: &str) -> bool {
    let (value, reason) = (value.trim().to_lowercase(), reason.to_lowercase());
    match value.chars().count() {
        0..3 => false,
        3..8 => reason.split(|c: char| !c.is_alphanumeric()).any(|word| word == value) || reason == value,
        _ => reason.contains(&value),
    }
}
