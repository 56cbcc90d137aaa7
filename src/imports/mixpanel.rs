//! Mixpanel's raw export of events, which has some of them twice, and its export of profiles.

use super::fields::{self, Notes, Object, Says, id, message_id, record_id, required, text, time};
use super::secret_values::About;
use super::understand::Understand;
use super::{Source, traits};
use crate::clock::Millis;
use crate::model::{Device, Identifier, Kind};
use crate::people::activity::{Incoming, Visits};
use crate::people::imports::{Entry, Fault, Person};
use crate::people::subject::Subject;

/// What a visitor's id begins with, where Mixpanel made the id.
const DEVICE: &str = "$device:";
/// So many pairs of ids are remembered, so that they are joined once.
const JOINED: usize = 10_000;

#[derive(Default)]
pub struct Reader {
    joined: std::collections::HashSet<(Identifier, Identifier)>,
}

impl Understand for Reader {
    fn read(&mut self, record: Object, notes: &mut Notes) -> Says {
        match text(&record, "event") {
            Some(name) => self.event(&record, name, notes),
            None => profile(&record, notes),
        }
    }
}

/// A visitor's id with what Mixpanel puts before it, or without.
fn device(name: &Identifier) -> Option<&str> {
    name.as_str().strip_prefix(DEVICE).filter(|rest| !rest.is_empty())
}

fn subject(name: Identifier) -> Result<Subject, Fault> {
    match device(&name) {
        Some(rest) => Ok(Subject { identifier: None, anonymous_id: visitor(rest)? }),
        None => Ok(Subject::named(&name)),
    }
}

fn visitor(name: &str) -> Result<Option<Identifier>, Fault> {
    Identifier::new(name).map(Some).map_err(|why| Fault::new("/properties/$device_id", "bad_id", why))
}

fn profile(record: &Object, notes: &mut Notes) -> Says {
    let name = id(record, "$distinct_id")?.ok_or_else(|| required("$distinct_id"))?;
    let properties = fields::object(record, "$properties");
    let (created_at, last_seen) = (time(&properties, "$created")?, time(&properties, "$last_seen")?);
    let mut said = Object::new();
    for (name, value) in properties {
        // Its own are known names with a `$` before them; the others are of its working.
        let plain = name.strip_prefix('$').unwrap_or(&name).to_owned();
        let is_own = matches!(
            plain.as_str(),
            "email" | "first_name" | "last_name" | "name" | "avatar" | "city" | "country_code" | "phone"
        );
        if !name.starts_with('$') || is_own {
            said.insert(plain, value);
        }
    }
    let person = Person {
        subject: subject(name)?,
        change: traits::change(said, notes),
        at: last_seen.or(created_at),
        created_at,
        last_seen,
        ..Person::default()
    };
    Ok(vec![Entry::Person(Box::new(person))])
}

impl Reader {
    fn event(&mut self, record: &Object, name: String, notes: &mut Notes) -> Says {
        let properties = fields::object(record, "properties");
        let at = time(&properties, "time")?;
        let distinct = id(&properties, "distinct_id")?;
        if matches!(name.as_str(), "$identify" | "$merge" | "$create_alias") {
            return joining(&properties, at);
        }
        let user = id(&properties, "$user_id")?;
        let seen = id(&properties, "$device_id")?;
        let whom = match (&user, &distinct, &seen) {
            (Some(user), _, _) => Subject::named(user),
            // A visitor's, as Mixpanel has had it since 2023 and before.
            (None, Some(distinct), Some(seen)) if distinct == seen => {
                Subject { identifier: None, anonymous_id: Some(seen.clone()) }
            }
            (None, Some(distinct), _) => subject(distinct.clone())?,
            (None, None, Some(seen)) => Subject { identifier: None, anonymous_id: Some(seen.clone()) },
            (None, None, None) => return Err(required("properties/distinct_id")),
        };
        let mut says = Vec::new();
        if let (Some(user), Some(seen)) = (user, seen)
            && user != seen
            && self.is_first(&user, &seen)
        {
            let subject = Subject { identifier: Some(user), anonymous_id: Some(seen) };
            let person = Person { subject, at, is_activity: true, ..Person::default() };
            says.push(Entry::Person(Box::new(person)));
        }
        says.push(activity(record, name, properties, whom, at, notes)?);
        Ok(says)
    }

    fn is_first(&mut self, user: &Identifier, seen: &Identifier) -> bool {
        if self.joined.len() >= JOINED {
            self.joined.clear();
        }
        self.joined.insert((user.clone(), seen.clone()))
    }
}

/// Two ids that are one person.
fn joining(properties: &Object, at: Option<Millis>) -> Says {
    let pair = [("$identified_id", "$anon_id"), ("distinct_id", "alias")]
        .into_iter()
        .find_map(|(one, other)| Some((id(properties, one).ok()??, id(properties, other).ok()??)));
    let listed = || match properties.get("$distinct_ids") {
        Some(serde_json::Value::Array(list)) => {
            let mut ids = list.iter().filter_map(|one| fields::id_of(Some(one), "").ok().flatten());
            Some((ids.next()?, ids.next()?))
        }
        _ => None,
    };
    let (named, other) = pair.or_else(listed).ok_or_else(|| required("properties/$identified_id"))?;
    // Of two the visitor's is the one that Mixpanel made.
    let (named, other) = if device(&named).is_some() { (other, named) } else { (named, other) };
    let previous = match device(&other) {
        Some(rest) => visitor(rest)?.unwrap_or_else(|| other.clone()),
        None => other,
    };
    Ok(vec![Entry::Alias { previous, subject: Subject::named(&named), at }])
}

fn activity(
    record: &Object,
    name: String,
    mut properties: Object,
    subject: Subject,
    at: Option<Millis>,
    notes: &mut Notes,
) -> Result<Entry, Fault> {
    let part = |field: &str| text(&properties, field).unwrap_or_default();
    // An `$insert_id` alone is drawn anew by some clients for another event.
    let id = match text(&properties, "$insert_id") {
        Some(insert) => message_id(
            Source::Mixpanel,
            &[insert.as_bytes(), name.as_bytes(), part("time").as_bytes(), part("distinct_id").as_bytes()],
        ),
        None => record_id(Source::Mixpanel, record),
    };
    let url = fields::first(&properties, &["$current_url", "current_page"]);
    let kind = if name == "$mp_web_page_view" { Kind::Page } else { Kind::Event };
    let title = (kind == Kind::Page).then(|| fields::first(&properties, &["current_page_title", "$title"]));
    let device = Device {
        os: text(&properties, "$os"),
        browser: text(&properties, "$browser"),
        device: fields::first(&properties, &["$device", "$model"]),
        country: text(&properties, "mp_country_code"),
    };
    for field in ["time", "distinct_id", "$insert_id", "$user_id", "$device_id"] {
        properties.remove(field);
    }
    let incoming = Incoming {
        subject,
        kind,
        name: fields::name(title.flatten().or(Some(name))),
        at: fields::said(at),
        message_id: Some(id),
        session: None,
        url,
        data: notes.without_secrets(properties, About::Event),
        device,
    };
    Ok(Entry::Event(Box::new(incoming), Visits::Opened))
}
