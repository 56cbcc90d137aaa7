//! One message, read field by field: a part that cannot be used costs the message no more than
//! itself. Only a message that names nobody, or says nothing, is refused.

use serde_json::{Map, Value, json};

use crate::api::agent;
use crate::api::dialect::Object;
use crate::clock::Millis;
use crate::error::{Error, Place, Result};
use crate::forms;
use crate::model::{Attributes, Device, Identifier, Kind, ProfileChange, Repair, Said};
use crate::people::activity::Incoming;
use crate::people::subject::Subject;

/// The longest text of a profile or name of an event, in characters.
const TEXT_MAX: usize = 1_024;
/// The longest messageId, in bytes.
const MESSAGE_ID_MAX: usize = 1_024;

/// Customer.io deletes or suppresses a person at these events. Their key may stand in a page, so here
/// they are events as any other, and nobody is deleted.
const ASKS_FOR_DELETION: [&str; 2] = ["User Deleted", "User Suppressed"];

/// What came around a message.
#[derive(Debug, Clone, Default)]
pub struct Sending {
    pub now: Millis,
    /// When it was sent, by the sender's clock.
    pub sent_at: Option<Millis>,
    /// The `User-Agent` of the request, where a browser sends for itself.
    pub agent: Option<String>,
    /// Some of its characters were lost on the way: an id that shows it may be anybody's.
    pub has_lost_characters: bool,
}

/// A message that can be taken in.
#[derive(Debug)]
pub enum Message {
    Event(Box<Incoming>),
    Identify {
        subject: Subject,
        change: Box<ProfileChange>,
        said: Said,
    },
    /// Names a group of the user's.
    Group {
        subject: Subject,
        change: Box<ProfileChange>,
        said: Said,
    },
    Alias {
        previous: Identifier,
        subject: Subject,
        said: Said,
    },
}

/// Reads a message of a kind, or of the kind that it names. What had to be repaired is added to
/// `repairs`.
pub fn read(
    message: &Object,
    kind: Option<&str>,
    sending: &Sending,
    repairs: &mut Vec<Repair>,
) -> Result<Message> {
    Reader { message, sending, repairs }.read(kind)
}

struct Reader<'a> {
    message: &'a Object,
    sending: &'a Sending,
    repairs: &'a mut Vec<Repair>,
}

impl Reader<'_> {
    fn read(&mut self, kind: Option<&str>) -> Result<Message> {
        let kind = match (kind, self.message.0.get("type")) {
            (Some(kind), _) => kind.to_owned(),
            (None, Some(Value::String(kind))) => kind.clone(),
            (None, None | Some(Value::Null)) => return Err(required("type")),
            (None, Some(_)) => return Err(Error::invalid(Place::Body, "type", "must be a string")),
        };
        let subject = self.subject(&kind)?;
        let said = self.said();
        match kind.as_str() {
            "track" => {
                let name = self.name("event").ok_or_else(|| required("event"))?;
                if ASKS_FOR_DELETION.contains(&name.as_str()) {
                    self.repairs.push(Repair::of("event", "deletes nobody"));
                }
                Ok(self.event(subject, said, Kind::Event, name))
            }
            "page" | "screen" => {
                let kind = if kind == "page" { Kind::Page } else { Kind::Screen };
                let name = self.name("name").unwrap_or_default();
                Ok(self.event(subject, said, kind, name))
            }
            "identify" => {
                let change = Box::new(self.profile());
                Ok(Message::Identify { subject, change, said })
            }
            "group" => {
                let group = self.id("groupId")?.ok_or_else(|| required("groupId"))?;
                // The group's own traits are about no user, and are not kept.
                let mut set = Attributes::new();
                set.insert("groupId".into(), json!(group.as_str()));
                let change = Box::new(ProfileChange { set, ..ProfileChange::default() });
                Ok(Message::Group { subject, change, said })
            }
            "alias" => {
                let previous = self.id("previousId")?.ok_or_else(|| required("previousId"))?;
                Ok(Message::Alias { previous, subject, said })
            }
            _ => {
                let known = "must be identify, track, page, screen, group or alias";
                Err(Error::invalid(Place::Body, "type", known))
            }
        }
    }

    /// Whom it is about. An id that cannot be used is left out where another one names the person.
    fn subject(&mut self, kind: &str) -> Result<Subject> {
        let (named, visiting) = (self.id("userId"), self.id("anonymousId"));
        if kind == "alias" {
            let identifier = Some(named?.ok_or_else(|| required("userId"))?);
            return Ok(Subject { identifier, anonymous_id: None });
        }
        match (named, visiting) {
            (Ok(None), Ok(None)) => {
                Err(Error::invalid(Place::Body, "userId", "userId or anonymousId is required"))
            }
            (Ok(identifier), Ok(anonymous_id)) => Ok(Subject { identifier, anonymous_id }),
            (Err(_), Ok(Some(anonymous_id))) => {
                self.repairs.push(Repair::of("userId", "unusable id"));
                Ok(Subject { identifier: None, anonymous_id: Some(anonymous_id) })
            }
            (Ok(Some(identifier)), Err(_)) => {
                self.repairs.push(Repair::of("anonymousId", "unusable id"));
                Ok(Subject { identifier: Some(identifier), anonymous_id: None })
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    fn id(&self, field: &'static str) -> Result<Option<Identifier>> {
        let lost = |id: &Identifier| self.sending.has_lost_characters && id.as_str().contains('\u{fffd}');
        let id = match forms::identifier(self.message.0.get(field)) {
            Some(Ok(id)) if lost(&id) => Some(Err("has characters that were lost on the way")),
            id => id,
        };
        id.transpose().map_err(|why| Error::invalid(Place::Body, field, why))
    }

    /// When it says it happened.
    fn said(&mut self) -> Said {
        let mut earliest = self.sending.sent_at;
        let mut unreadable = false;
        let [original, own, _] =
            ["originalTimestamp", "timestamp", "sentAt"].map(|field| {
                match forms::time(self.message.0.get(field)) {
                    forms::Time::Absent => None,
                    forms::Time::Zero => {
                        self.repairs.push(Repair::of(field, "zero time"));
                        None
                    }
                    forms::Time::Unreadable => {
                        self.repairs.push(Repair::of(field, "time unreadable"));
                        unreadable |= field != "sentAt";
                        None
                    }
                    forms::Time::At(time) => {
                        earliest = Some(earliest.map_or(time, |earliest| earliest.min(time)));
                        Some(time)
                    }
                }
            });
        // RudderStack's clients have the moment of the call in `originalTimestamp`, and a `timestamp`
        // beside it only if the app gave one. What Segment's servers pass on has both, too, and tells
        // by `receivedAt` that its `timestamp` is their reckoning.
        let is_passed_on = self.message.0.get("receivedAt").is_some_and(|at| !at.is_null());
        let at = if is_passed_on { original.or(own) } else { own.or(original) };
        let sent_at = forms::time(self.message.0.get("sentAt")).at().or(self.sending.sent_at);
        // How far the sender's clock is ahead of ours. One that is behind may be the message's time
        // on its way, and is left alone.
        let ahead = sent_at.map_or(0, |sent_at| sent_at - self.sending.now).max(0);
        match at {
            Some(time) => {
                let at = time - ahead;
                // Corrected, too: else a clock that is ahead would carry what was done before an
                // erasure behind it.
                Said::At { at, earliest: earliest.map_or(at, |earliest| earliest.min(at)) }
            }
            None if unreadable => Said::Unreadable(earliest),
            None => earliest.map_or(Said::Nothing, Said::Sent),
        }
    }

    /// The name of an event. None: there is none.
    fn name(&mut self, field: &'static str) -> Option<String> {
        let text = match self.message.0.get(field) {
            None | Some(Value::Null) => return None,
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => {
                self.repairs.push(Repair::of(field, "made a string"));
                value.to_string()
            }
            Some(_) => {
                self.repairs.push(Repair::of(field, "not a string"));
                return None;
            }
        };
        let mut text = self.clean(field, text);
        if let Some((end, _)) = text.char_indices().nth(TEXT_MAX) {
            text.truncate(end);
            self.repairs.push(Repair::of(field, "cut to 1024 characters"));
        }
        Some(text).filter(|text| !text.is_empty())
    }

    fn clean(&mut self, field: &'static str, text: String) -> String {
        match forms::cleaned(&text) {
            std::borrow::Cow::Borrowed(_) => text,
            std::borrow::Cow::Owned(cleaned) => {
                self.repairs.push(Repair::of(field, "control characters"));
                cleaned
            }
        }
    }

    /// An object, empty if it is absent, or `[]`, as PHP writes an empty map.
    fn object(&mut self, field: &'static str) -> Object {
        self.object_of(self.message.0.get(field).cloned(), field)
    }

    fn object_of(&mut self, value: Option<Value>, field: &'static str) -> Object {
        match value {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => return Object(map),
            Some(Value::Array(list)) if list.is_empty() => {}
            Some(_) => self.repairs.push(Repair::of(field, "not an object")),
        }
        Object(Map::new())
    }

    fn event(&mut self, subject: Subject, said: Said, kind: Kind, name: String) -> Message {
        let properties = self.object("properties");
        let context = self.object("context");
        let mut data = properties.0.clone();
        match self.message.0.get("category") {
            None | Some(Value::Null) => {}
            Some(category @ Value::String(_)) => _ = data.insert("category".into(), category.clone()),
            Some(_) => self.repairs.push(Repair::of("category", "not a string")),
        }
        let url = text_of(&properties.0, "url").or_else(|| text_in(&context, "page", "url"));
        let session = self.session(context.0.get("sessionId"), "context.sessionId");
        let session =
            session.or_else(|| self.session(properties.0.get("session_id"), "properties.session_id"));
        Message::Event(Box::new(Incoming {
            subject,
            kind,
            name,
            at: said,
            message_id: self.message_id(),
            session,
            url,
            data,
            device: self.device(&context),
        }))
    }

    fn message_id(&mut self) -> Option<String> {
        match self.message.0.get("messageId") {
            None | Some(Value::Null) => None,
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::String(id)) if id.len() <= MESSAGE_ID_MAX => {
                Some(id.clone()).filter(|id| !id.is_empty())
            }
            Some(_) => {
                self.repairs.push(Repair::of("messageId", "unusable id"));
                None
            }
        }
    }

    /// A session's name. RudderStack sends a number.
    fn session(&mut self, value: Option<&Value>, field: &'static str) -> Option<Identifier> {
        match forms::identifier(value) {
            Some(Ok(session)) => Some(session),
            Some(Err(_)) => {
                self.repairs.push(Repair::of(field, "unusable id"));
                None
            }
            None => None,
        }
    }

    /// What a client says of its surroundings, and what its `User-Agent` tells where it says nothing.
    fn device(&self, context: &Object) -> Device {
        let agent = text_of(&context.0, "userAgent").or_else(|| self.sending.agent.clone());
        let told = agent.as_deref().map(agent::device).unwrap_or_default();
        Device {
            os: text_in(context, "os", "name").or(told.os),
            browser: text_in(context, "browser", "name").or(told.browser),
            device: text_in(context, "device", "type").or(told.device),
            country: text_in(context, "location", "country"),
        }
    }

    /// RudderStack's clients have the traits in `context.traits`; member by member, `traits` goes
    /// before them.
    fn profile(&mut self) -> ProfileChange {
        let mut context = self.object("context");
        let mut traits = self.object_of(context.0.remove("traits"), "context.traits");
        traits.0.extend(self.object("traits").0);
        self.change(&traits)
    }

    /// Known traits become the profile's own fields, the rest its attributes.
    fn change(&mut self, traits: &Object) -> ProfileChange {
        let mut set = Attributes::new();
        let mut change = ProfileChange::default();
        for (name, value) in &traits.0 {
            let (path, field) = match name.as_str() {
                "email" => ("traits.email", &mut change.email),
                "firstName" | "first_name" => ("traits.firstName", &mut change.first_name),
                "lastName" | "last_name" => ("traits.lastName", &mut change.last_name),
                "name" | "displayName" => ("traits.name", &mut change.display_name),
                "avatar" | "avatarUrl" => ("traits.avatar", &mut change.avatar_url),
                "country" => ("traits.country", &mut change.country),
                "city" => ("traits.city", &mut change.city),
                _ => {
                    set.insert(name.clone(), value.clone());
                    continue;
                }
            };
            match value {
                Value::String(text) => *field = self.text(path, text).map(Some),
                Value::Null => *field = Some(None),
                // Not a text: kept under its own name.
                _ => _ = set.insert(name.clone(), value.clone()),
            }
        }
        if let Some(Value::Object(address)) = traits.0.get("address") {
            let mut part =
                |name, path| text_of(address, name).and_then(|text| self.text(path, &text)).map(Some);
            change.country = change.country.or_else(|| part("country", "traits.address.country"));
            change.city = change.city.or_else(|| part("city", "traits.address.city"));
        }
        ProfileChange { set, ..change }
    }

    /// A text of a profile; None if it is too long to be one.
    fn text(&mut self, field: &'static str, text: &str) -> Option<String> {
        let text = self.clean(field, text.to_owned());
        if text.chars().count() > TEXT_MAX {
            self.repairs.push(Repair::of(field, "over 1024 characters"));
            return None;
        }
        Some(text)
    }
}

fn required(field: &str) -> Error {
    Error::invalid(Place::Body, field, "is required")
}

fn text_in(context: &Object, part: &str, field: &str) -> Option<String> {
    context.0.get(part).and_then(Value::as_object).and_then(|map| text_of(map, field))
}

fn text_of(map: &Map<String, Value>, field: &str) -> Option<String> {
    map.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}
