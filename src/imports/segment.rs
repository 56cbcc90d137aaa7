//! Segment's raw logs, one whole call a line, as its destination for S3 writes them; RudderStack's,
//! Jitsu's and Customer.io's are the same.

use serde_json::{Value, json};

use super::fields::{self, Notes, Object, Says, id, record_id, required, text, time};
use super::secret_values::About;
use super::{Source, traits};
use crate::clock::Millis;
use crate::model::{Attributes, Device, Identifier, Kind, ProfileChange};
use crate::people::activity::{Incoming, Visits};
use crate::people::imports::{Entry, Fault, Person};
use crate::people::subject::Subject;

/// The kinds of messages.
pub const KINDS: [&str; 6] = ["track", "page", "screen", "identify", "group", "alias"];

pub fn read(record: Object, notes: &mut Notes) -> Says {
    let kind = match record.get("type").or_else(|| record.get("action")) {
        Some(Value::String(kind)) => kind.to_ascii_lowercase(),
        _ => return Err(required("type")),
    };
    let at = happened(&record)?;
    match kind.as_str() {
        "track" => {
            let name = text(&record, "event").ok_or_else(|| required("event"))?;
            event(&record, Kind::Event, name, at, notes)
        }
        "page" | "screen" => {
            let kind = if kind == "page" { Kind::Page } else { Kind::Screen };
            event(&record, kind, text(&record, "name").unwrap_or_default(), at, notes)
        }
        "identify" => {
            // RudderStack's clients have the traits in the context; the message's own go before them.
            let mut said = fields::object(&fields::object(&record, "context"), "traits");
            said.extend(fields::object(&record, "traits"));
            person(subject(&record)?, traits::change(said, notes), at)
        }
        "group" => {
            let group = id(&record, "groupId")?.ok_or_else(|| required("groupId"))?;
            let set = Attributes::from_iter([("groupId".to_owned(), json!(group.as_str()))]);
            person(subject(&record)?, ProfileChange { set, ..ProfileChange::default() }, at)
        }
        "alias" => {
            let previous = id(&record, "previousId")?.ok_or_else(|| required("previousId"))?;
            let identifier = id(&record, "userId")?.ok_or_else(|| required("userId"))?;
            Ok(vec![Entry::Alias { previous, subject: Subject::named(&identifier), at }])
        }
        _ => notes.skip(),
    }
}

fn person(subject: Subject, change: ProfileChange, at: Option<Millis>) -> Says {
    let person = Person { subject, change, at, is_activity: true, ..Person::default() };
    Ok(vec![Entry::Person(Box::new(person))])
}

/// When it happened, by the sender's clock; else when it was received.
fn happened(record: &Object) -> Result<Option<Millis>, Fault> {
    // What Segment's servers passed on tells by `receivedAt` that `timestamp` is their reckoning.
    let is_passed_on = record.get("receivedAt").is_some_and(|at| !at.is_null());
    let [first, second] = match is_passed_on {
        true => ["originalTimestamp", "timestamp"],
        false => ["timestamp", "originalTimestamp"],
    };
    for field in [first, second, "sentAt", "receivedAt"] {
        if let Some(at) = time(record, field)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

pub fn subject(record: &Object) -> Result<Subject, Fault> {
    let subject = fields::subject(id(record, "userId")?, id(record, "anonymousId")?);
    subject.ok_or_else(|| Fault::new("/userId", "missing", "userId or anonymousId is required"))
}

fn event(record: &Object, kind: Kind, name: String, at: Option<Millis>, notes: &mut Notes) -> Says {
    let context = fields::object(record, "context");
    let mut data = notes.without_secrets(fields::object(record, "properties"), About::Event);
    if let Some(category @ Value::String(_)) = record.get("category") {
        data.insert("category".into(), category.clone());
    }
    let url = text(&data, "url").or_else(|| fields::within(&context, "page", "url"));
    let session = session(context.get("sessionId")).or_else(|| session(data.get("session_id")));
    let message_id = text(record, "messageId").unwrap_or_else(|| record_id(Source::Segment, record));
    let incoming = Incoming {
        subject: subject(record)?,
        kind,
        name: fields::name(Some(name)),
        at: fields::said(at),
        message_id: Some(message_id),
        session,
        url,
        data,
        device: Device {
            os: fields::within(&context, "os", "name"),
            browser: fields::within(&context, "browser", "name"),
            device: fields::within(&context, "device", "type"),
            country: fields::within(&context, "location", "country"),
        },
    };
    Ok(vec![Entry::Event(Box::new(incoming), Visits::Opened)])
}

fn session(value: Option<&Value>) -> Option<Identifier> {
    fields::id_of(value, "sessionId").ok().flatten()
}
