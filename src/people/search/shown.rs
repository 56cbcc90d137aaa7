//! What a search found, as the API and the command line show it.

use serde_json::{Value, json};

use super::{Found, How, Match, Named, Suggestion};
use crate::clock::{Millis, rfc3339};
use crate::find::Field;
use crate::model::{State, User};

/// `next` is the text of [`super::cursor`] for where the next page begins.
pub fn found(found: &Found, next: Option<String>) -> Value {
    let mut shown = json!({
        "data": found.users.iter().map(one).collect::<Vec<Value>>(),
        "suggestions": found.suggestions.iter().map(suggestion).collect::<Vec<Value>>(),
        "truncated": found.is_truncated,
        "nextCursor": next,
    });
    if let (Some(note), Some(shown)) = (found.note, shown.as_object_mut()) {
        shown.insert("note".into(), note.into());
    }
    shown
}

fn one(found: &Match) -> Value {
    let mut shown = user(&found.user);
    let matched = found.by.iter().map(|(named, how)| json!({ "field": field(*named), "how": how.as_str() }));
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("matched".into(), matched.collect());
    }
    shown
}

fn suggestion(suggestion: &Suggestion) -> Value {
    json!({
        "id": suggestion.user.to_string(),
        "field": field(Named::Field(suggestion.field)),
        "value": suggestion.value,
    })
}

/// A live user, or one in the trash.
pub fn user(user: &User) -> Value {
    let time = |at: Option<Millis>| at.map(rfc3339);
    let profile = &user.profile;
    json!({
        "id": user.id.to_string(),
        "state": if user.state == State::Live { "live" } else { "trash" },
        "identifier": user.identifier,
        "email": profile.email,
        "claimedEmail": profile.claimed_email,
        "firstName": profile.first_name,
        "lastName": profile.last_name,
        "displayName": profile.display_name,
        "country": profile.country,
        "city": profile.city,
        "data": profile.attributes,
        "createdAt": rfc3339(user.created_at),
        "updatedAt": rfc3339(user.updated_at),
        "firstSeen": time(user.first_seen),
        "lastSeen": time(user.last_seen),
        "trashedAt": time(user.deleted_at),
        "sessions": user.session_count,
        "events": user.event_count,
    })
}

/// A name, as this API calls it.
pub fn field(named: Named) -> &'static str {
    match named {
        Named::Id => "id",
        Named::AnonymousId => "anonymousId",
        Named::Field(Field::Identifier) => "identifier",
        Named::Field(Field::Email) => "email",
        Named::Field(Field::ClaimedEmail) => "claimedEmail",
        Named::Field(Field::DisplayName) => "displayName",
        Named::Field(Field::Name) => "name",
    }
}

impl How {
    /// `whole`: it is that. Else a field begins with it, or a word of a field does, or it stands within one.
    pub fn as_str(self) -> &'static str {
        match self {
            How::Whole => "whole",
            How::Start => "start",
            How::Word => "word",
            How::Part => "part",
        }
    }
}
