//! PostHog's exports of events and of persons, as JSON lines; in some of them, as in its tables,
//! properties are texts with JSON in them.

use serde_json::Value;

use super::fields::{self, Notes, Object, Says, id, id_of, required, text, time};
use super::secret_values::About;
use super::{Source, traits};
use crate::clock::Millis;
use crate::model::{Device, Identifier, Kind, ProfileChange};
use crate::people::activity::{Incoming, Visits};
use crate::people::imports::{Entry, Fault, Person};
use crate::people::subject::Subject;

/// About groups of people, or of what is not a person's doing.
const NOT_TAKEN: [&str; 3] = ["$groupidentify", "$feature_flag_called", "$$heatmap"];

pub fn read(record: Object, notes: &mut Notes) -> Says {
    match text(&record, "event") {
        Some(name) => event(&record, name, notes),
        None => person(&record, notes),
    }
}

fn person(record: &Object, notes: &mut Notes) -> Says {
    // Of somebody's several ids the first one is taken, where they are a list.
    let first = match record.get("distinct_ids") {
        Some(Value::Array(list)) => list.first(),
        _ => None,
    };
    let name = match id(record, "distinct_id")? {
        Some(name) => Some(name),
        None => id_of(first, "distinct_ids")?,
    };
    let name = name.ok_or_else(|| required("distinct_id"))?;
    let is_anonymous = record.get("is_identified") == Some(&Value::Bool(false));
    let created_at = time(record, "created_at")?;
    let person = Person {
        subject: subject(name, is_anonymous),
        change: traits::change(own(fields::object(record, "properties")), notes),
        at: time(record, "_timestamp")?.or(created_at),
        created_at,
        ..Person::default()
    };
    Ok(vec![Entry::Person(Box::new(person))])
}

fn subject(name: Identifier, is_anonymous: bool) -> Subject {
    match is_anonymous {
        true => Subject { identifier: None, anonymous_id: Some(name) },
        false => Subject::named(&name),
    }
}

/// What the app says of a person; what begins with `$` is PostHog's own of each visit.
fn own(mut properties: Object) -> Object {
    properties.retain(|name, _| !name.starts_with('$'));
    properties
}

fn event(record: &Object, name: String, notes: &mut Notes) -> Says {
    if NOT_TAKEN.contains(&name.as_str()) {
        return notes.skip();
    }
    let mut properties = fields::object(record, "properties");
    let distinct = match id(record, "distinct_id")? {
        Some(id) => Some(id),
        None => id(&properties, "distinct_id")?,
    };
    let distinct = distinct.ok_or_else(|| required("distinct_id"))?;
    let at = time(record, "timestamp")?;
    match name.as_str() {
        "$create_alias" | "$merge_dangerously" => {
            let previous = id(&properties, "alias")?.ok_or_else(|| required("properties/alias"))?;
            return Ok(vec![Entry::Alias { previous, subject: Subject::named(&distinct), at }]);
        }
        "$identify" | "$set" => {
            let person = described(record, &properties, distinct, at, name == "$identify", notes)?;
            return Ok(vec![person]);
        }
        _ => {}
    }
    let whom = subject(distinct.clone(), is_visitor(&distinct, &properties));
    let mut says = Vec::new();
    if has_traits(&properties) {
        let change = change(&mut properties, notes);
        let person = Person { subject: whom.clone(), change, at, is_activity: true, ..Person::default() };
        says.push(Entry::Person(Box::new(person)));
    }
    says.push(activity(record, name, properties, whom, at, notes)?);
    Ok(says)
}

/// Before somebody signs in, the name is the one that the browser was given.
fn is_visitor(distinct: &Identifier, properties: &Object) -> bool {
    properties.get("$is_identified") == Some(&Value::Bool(false))
        || text(properties, "$device_id").as_deref() == Some(distinct.as_str())
}

fn has_traits(properties: &Object) -> bool {
    ["$set", "$set_once"].iter().any(|field| !fields::object(properties, field).is_empty())
}

/// What is set, and what is set unless it is; taken out of the properties.
fn change(properties: &mut Object, notes: &mut Notes) -> ProfileChange {
    let (set, set_once) = (fields::object(properties, "$set"), fields::object(properties, "$set_once"));
    properties.retain(|name, _| !matches!(name.as_str(), "$set" | "$set_once"));
    let once = notes.without_secrets(own(set_once), About::Person);
    let change = traits::change(own(set), notes);
    ProfileChange { set_once: once, ..change }
}

fn described(
    record: &Object,
    properties: &Object,
    distinct: Identifier,
    at: Option<Millis>,
    is_identify: bool,
    notes: &mut Notes,
) -> Result<Entry, Fault> {
    let mut properties = properties.clone();
    let anonymous = id(&properties, "$anon_distinct_id")?.filter(|other| is_identify && *other != distinct);
    let mut change = change(&mut properties, notes);
    if change == ProfileChange::default() && is_identify {
        change = traits::change(own(fields::object(record, "person_properties")), notes);
    }
    let is_anonymous = !is_identify && is_visitor(&distinct, &properties);
    let subject = Subject { anonymous_id: anonymous, ..subject(distinct.clone(), is_anonymous) };
    let subject = match is_anonymous {
        true => Subject { identifier: None, anonymous_id: Some(distinct) },
        false => subject,
    };
    Ok(Entry::Person(Box::new(Person { subject, change, at, is_activity: true, ..Person::default() })))
}

fn activity(
    record: &Object,
    name: String,
    properties: Object,
    subject: Subject,
    at: Option<Millis>,
    notes: &mut Notes,
) -> Result<Entry, Fault> {
    let (kind, name) = match name.as_str() {
        "$pageview" => (Kind::Page, fields::first(&properties, &["title", "$title", "$pathname"])),
        "$screen" => (Kind::Screen, text(&properties, "$screen_name")),
        "$exception" => (
            Kind::Error,
            fields::first(&properties, &["$exception_message", "$exception_type"]).or(Some(name)),
        ),
        _ => (Kind::Event, Some(name)),
    };
    let message_id = text(record, "uuid").unwrap_or_else(|| fields::record_id(Source::Posthog, record));
    let incoming = Incoming {
        subject,
        kind,
        name: fields::name(name),
        at: fields::said(at),
        message_id: Some(message_id),
        session: id(&properties, "$session_id").ok().flatten(),
        url: text(&properties, "$current_url"),
        device: Device {
            os: text(&properties, "$os"),
            browser: text(&properties, "$browser"),
            device: text(&properties, "$device_type"),
            country: text(&properties, "$geoip_country_code"),
        },
        data: notes.without_secrets(properties, About::Event),
    };
    Ok(Entry::Event(Box::new(incoming), Visits::Opened))
}
