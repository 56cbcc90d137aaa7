//! Amplitude's export: a ZIP of packed JSON lines.

use std::collections::HashMap;

use serde_json::Value;

use super::fields::{self, Notes, Object, Says, id, id_of, record_id, required, text, time};
use super::secret_values::About;
use super::understand::Understand;
use super::{Source, traits};
use crate::model::{Device, Identifier, Kind};
use crate::people::activity::{Incoming, Visits};
use crate::people::imports::{Entry, Person};
use crate::people::subject::Subject;

/// So many people are remembered with what was said of them last, so that it is said once.
const SAID: usize = 10_000;

#[derive(Default)]
pub struct Reader {
    said: HashMap<Identifier, String>,
}

impl Understand for Reader {
    fn read(&mut self, record: Object, notes: &mut Notes) -> Says {
        let name = text(&record, "event_type").ok_or_else(|| required("event_type"))?;
        let (user, device) = (id(&record, "user_id")?, id(&record, "device_id")?);
        let whom = user.clone().or_else(|| device.clone()).ok_or_else(|| required("user_id"))?;
        let at = match time(&record, "event_time")? {
            Some(at) => Some(at),
            None => time(&record, "client_event_time")?,
        };
        let said = fields::object(&record, "user_properties");
        let subject = Subject { identifier: user.clone(), anonymous_id: device };
        let mut says = Vec::new();
        if name == "$identify" || self.is_new(&whom, &subject, &said) {
            let change = traits::change(said, notes);
            let subject = subject.clone();
            let person = Person { subject, change, at, is_activity: true, ..Person::default() };
            says.push(Entry::Person(Box::new(person)));
        }
        if matches!(name.as_str(), "$identify" | "$groupidentify") {
            return Ok(says);
        }
        let insert = text(&record, "$insert_id").or_else(|| text(&record, "insert_id"));
        let message_id = insert.or_else(|| text(&record, "uuid"));
        let mut data = fields::object(&record, "event_properties");
        let incoming = Incoming {
            subject: match user {
                Some(user) => Subject::named(&user),
                None => subject,
            },
            kind: Kind::Event,
            name: fields::name(Some(name)),
            at: fields::said(at),
            message_id: Some(message_id.unwrap_or_else(|| record_id(Source::Amplitude, &record))),
            session: session(record.get("session_id")),
            url: fields::first(&data, &["[Amplitude] Page URL", "url"]),
            device: Device {
                os: text(&record, "os_name"),
                browser: None,
                device: fields::first(&record, &["device_type", "device_family"]),
                country: text(&record, "country"),
            },
            data: notes.without_secrets(std::mem::take(&mut data), About::Event),
        };
        says.push(Entry::Event(Box::new(incoming), Visits::Opened));
        Ok(says)
    }
}

impl Reader {
    /// Whether something is said of a person, or two ids are one, that was not said just before.
    fn is_new(&mut self, whom: &Identifier, subject: &Subject, said: &Object) -> bool {
        if said.is_empty() && (subject.identifier.is_none() || subject.anonymous_id.is_none()) {
            return false;
        }
        if self.said.len() >= SAID {
            self.said.clear();
        }
        let device = subject.anonymous_id.as_ref().map(Identifier::as_str).unwrap_or_default();
        let now = fields::message_id(
            Source::Amplitude,
            &[device.as_bytes(), Value::Object(said.clone()).to_string().as_bytes()],
        );
        self.said.insert(whom.clone(), now.clone()).as_ref() != Some(&now)
    }
}

/// -1 is none.
fn session(value: Option<&Value>) -> Option<Identifier> {
    let is_none = value.and_then(Value::as_i64).is_some_and(|number| number < 0);
    id_of(value.filter(|_| !is_none), "session_id").ok().flatten()
}
