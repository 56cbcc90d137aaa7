//! Values of people for roles that do not see them: masked, and uncovered one at a time, which
//! the audit log is told before it is shown.

use serde_json::Value;

use crate::error::{Error, Place, Result};
use crate::model::{Attributes, Event, Kind, User};
use crate::people::person;
use crate::store::{NormalTx, audit};

/// Stands for a whole value.
pub const WHOLE: &str = "•••";
/// Why a value may be uncovered, by a word and in words. They are given: what somebody types might name
/// the person, and stays in the audit log after an erasure; and were it compared with the person's
/// values, the answer would tell them.
pub const REASONS: [(&str, &str); 5] = [
    ("request", "request of the person"),
    ("match", "check the identity of the person"),
    ("fault", "error in the app"),
    ("abuse", "abuse of the app"),
    ("legal", "legal duty"),
];
/// A ticket's number has so many digits at most.
const TICKET_MAX: usize = 9;

/// A name or identifier by its first letter; a short one by none, for that would be half of it.
pub fn text(text: &str) -> String {
    match (text.chars().next(), text.chars().count()) {
        (Some(first), 4..) => format!("{first}{WHOLE}"),
        _ => WHOLE.to_owned(),
    }
}

/// An e-mail by the first letter of its name and the end of its domain.
pub fn email(email: &str) -> String {
    let Some((name, domain)) = email.rsplit_once('@').filter(|(name, _)| !name.is_empty()) else {
        return text(email);
    };
    let is_end =
        |end: &str| (2..=6).contains(&end.len()) && end.bytes().all(|byte| byte.is_ascii_alphabetic());
    let end = domain.rsplit_once('.').map(|(_, end)| end).filter(|end| is_end(end));
    format!("{}@{WHOLE}{}", text(name), end.map(|end| format!(".{end}")).unwrap_or_default())
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

/// Uncovers one value of a user, and writes down who asked for it and why: a word of [`REASONS`], and
/// the number of a ticket, which may be empty. [`Error::Invalid`] on `reason`, `ticket` or `value`.
pub fn reveal(tx: &NormalTx, user: &User, key: &str, reason: &str, ticket: &str) -> Result<Hidden> {
    let fault = |field: &str, why: &str| Err(Error::invalid(Place::Body, field, why));
    let Some((_, reason)) = REASONS.into_iter().find(|(word, _)| *word == reason) else {
        return fault("reason", "must be in the list");
    };
    let ticket = ticket.trim();
    if ticket.len() > TICKET_MAX || !ticket.bytes().all(|byte| byte.is_ascii_digit()) {
        return fault("ticket", "must have digits only, at most 9");
    }
    let Some(found) = hidden(user).into_iter().find(|hidden| hidden.key == key) else {
        return fault("value", "does not exist for this user");
    };
    let ticket = if ticket.is_empty() { String::new() } else { format!(", ticket {ticket}") };
    let entry = audit::Entry {
        action: "reveal value",
        subject: Some(person::pseudonym(tx, user)),
        project: Some(user.project),
        reason: Some(&format!("{}: {reason}{ticket}", found.kind)),
        ..audit::Entry::default()
    };
    audit::append(tx, &entry)?;
    Ok(found)
}
