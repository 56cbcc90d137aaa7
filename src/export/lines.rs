//! One line of the file for each row: see docs/exporting.md, which has every field.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Map, Value};

use super::{Name, stamp};
use crate::clock::Millis;
use crate::model::{Attributes, Event, Interaction, Kind, Message, Session, User};
use crate::store::export::{Alias, Piece};
use crate::store::suppressions::Suppression;

pub type Line = Map<String, Value>;

/// Puts a field where there is a value.
fn put(line: &mut Line, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        line.insert(field.to_owned(), value.into());
    }
}

fn put_time(line: &mut Line, field: &str, at: Option<Millis>) {
    put(line, field, at.map(stamp));
}

fn put_object(line: &mut Line, field: &str, values: &Attributes) {
    put(line, field, (!values.is_empty()).then(|| values.clone()));
}

pub fn user(name: &Name, user: &User) -> Line {
    let (mut line, profile) = (name.line("user"), &user.profile);
    put_time(&mut line, "createdAt", Some(user.created_at));
    put_time(&mut line, "updatedAt", Some(user.updated_at));
    put_time(&mut line, "firstSeen", user.first_seen);
    put_time(&mut line, "lastSeen", user.last_seen);
    put_time(&mut line, "trashedAt", user.deleted_at);
    put_time(&mut line, "activityErasedAt", user.activity_erased_at);
    let texts = [
        ("email", &profile.email),
        ("claimedEmail", &profile.claimed_email),
        ("firstName", &profile.first_name),
        ("lastName", &profile.last_name),
        ("displayName", &profile.display_name),
        ("avatarUrl", &profile.avatar_url),
        ("country", &profile.country),
        ("city", &profile.city),
    ];
    for (field, text) in texts {
        put(&mut line, field, text.as_deref());
    }
    put(&mut line, "liveMode", (!profile.live_mode).then_some(false));
    put_object(&mut line, "traits", &profile.attributes);
    put_object(&mut line, "extra", &profile.extra);
    put(&mut line, "sessionCount", Some(user.session_count));
    put(&mut line, "eventCount", Some(user.event_count));
    line
}

pub fn suppression(name: &Name, suppression: &Suppression) -> Line {
    let mut line = name.line("suppression");
    put_time(&mut line, "createdAt", Some(suppression.created_at));
    put_time(&mut line, "until", suppression.until);
    put(&mut line, "source", Some(suppression.source.as_str()));
    put(&mut line, "reason", suppression.reason.as_deref());
    line
}

pub fn alias(name: &Name, alias: &Alias) -> Line {
    let mut line = name.line("alias");
    put(&mut line, "alias", Some(alias.anonymous_id.as_str()));
    put_time(&mut line, "createdAt", Some(alias.created_at));
    put(&mut line, "trusted", Some(alias.is_trusted));
    put(&mut line, "shared", alias.is_shared.then_some(true));
    line
}

pub fn session(name: &Name, called: &str, session: &Session) -> Line {
    let mut line = name.line("session");
    put(&mut line, "sessionId", Some(called));
    put_time(&mut line, "startedAt", Some(session.started_at));
    put_time(&mut line, "endedAt", Some(session.ended_at));
    put(&mut line, "os", session.device.os.as_deref());
    put(&mut line, "browser", session.device.browser.as_deref());
    put(&mut line, "device", session.device.device.as_deref());
    put(&mut line, "country", session.device.country.as_deref());
    put(&mut line, "eventCount", Some(session.event_count));
    put(&mut line, "pageCount", Some(session.page_count));
    put(&mut line, "errorCount", Some(session.error_count));
    line
}

pub fn recording(name: &Name, called: &str, content_type: &str, piece: &Piece) -> Line {
    let mut line = name.line("recording");
    put(&mut line, "sessionId", Some(called));
    put(&mut line, "contentType", Some(content_type));
    put(&mut line, "seq", Some(piece.seq));
    put_time(&mut line, "createdAt", Some(piece.created_at));
    put(&mut line, "data", Some(BASE64.encode(&piece.data)));
    line
}

/// What the file calls a kind, and the field in which it has the name.
pub fn kind(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Event => ("track", "event"),
        Kind::Page => ("page", "name"),
        Kind::Screen => ("screen", "name"),
        Kind::Error => ("error", "name"),
        Kind::Interaction => ("interaction", "name"),
        Kind::Log => ("log", "name"),
    }
}

pub fn event(name: &Name, session: Option<&str>, event: &Event) -> Line {
    let (kind, called) = kind(event.kind);
    let mut line = name.line(kind);
    put(&mut line, called, Some(event.name.as_str()));
    put_time(&mut line, "timestamp", Some(event.at));
    put(&mut line, "messageId", Some(event.message_id.as_str()));
    put(&mut line, "sessionId", session);
    put(&mut line, "url", event.url.as_deref());
    put_object(&mut line, "properties", &event.data);
    line
}

pub fn conversation(name: &Name, conversation: &Interaction) -> Line {
    let mut line = name.line("conversation");
    put(&mut line, "conversationId", Some(HEXLOWER.encode(&conversation.handle)));
    put(&mut line, "agentId", Some(conversation.agent.as_str()));
    put(&mut line, "name", Some(conversation.name.as_str()).filter(|name| !name.is_empty()));
    put_time(&mut line, "createdAt", Some(conversation.created_at));
    put_time(&mut line, "updatedAt", Some(conversation.updated_at));
    line
}

pub fn message(name: &Name, conversation: &Interaction, message: &Message) -> Line {
    let mut line = name.line("message");
    put(&mut line, "conversationId", Some(HEXLOWER.encode(&conversation.handle)));
    put(&mut line, "messageId", Some(HEXLOWER.encode(&message.handle)));
    put(&mut line, "parentId", message.parent.map(|parent| HEXLOWER.encode(&parent)));
    put(&mut line, "depth", Some(message.depth));
    put(&mut line, "content", Some(message.content.as_str()));
    put_time(&mut line, "createdAt", Some(message.created_at));
    line
}
