//! A table whose columns somebody says what they are: `userId=id,traits.plan=Plan`.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::fields::{self, Notes, Object, Says, id_of, record_id, required, text, time_of};
use super::secret_values::{self, About, plain};
use super::{Source, traits, users};
use crate::model::{Device, Kind as EventKind};
use crate::people::activity::{Incoming, Visits};
use crate::people::imports::{Entry, Fault, Person};

/// What a row of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// What is said of a person.
    #[default]
    Identify,
    /// Something that a person did.
    Track,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Identify => "identify",
            Kind::Track => "track",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        match text {
            "identify" => Ok(Kind::Identify),
            "track" => Ok(Kind::Track),
            _ => Err("must be identify or track".to_owned()),
        }
    }
}

/// What can be mapped beside `traits.…` and `properties.…`.
const FIELDS: [&str; 18] = [
    "userId",
    "anonymousId",
    "email",
    "firstName",
    "lastName",
    "name",
    "avatar",
    "country",
    "city",
    "createdAt",
    "updatedAt",
    "firstSeen",
    "lastSeen",
    "event",
    "timestamp",
    "messageId",
    "sessionId",
    "url",
];

/// Which column is what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Map(Vec<(String, String)>);

impl FromStr for Map {
    type Err = String;

    /// `field=Column`, with commas between.
    fn from_str(text: &str) -> Result<Map, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (field, column) =
                pair.split_once('=').ok_or_else(|| "must be field=Column, with commas between".to_owned())?;
            let (field, column) = (field.trim(), column.trim());
            let is_free = ["traits.", "properties."]
                .iter()
                .any(|start| field.strip_prefix(start).is_some_and(|rest| !rest.is_empty()));
            if !is_free && !FIELDS.contains(&field) {
                let known = FIELDS.join(", ");
                return Err(format!("a field must be one of {known}, traits.NAME or properties.NAME"));
            }
            if pairs.iter().any(|(known, _)| known == field) {
                return Err("a field must be there once".to_owned());
            }
            pairs.push((field.to_owned(), column.to_owned()));
        }
        if pairs.is_empty() {
            return Err("must have at least one field=Column".to_owned());
        }
        Ok(Map(pairs))
    }
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (field, column)) in self.0.iter().enumerate() {
            write!(f, "{}{field}={column}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Map {
    fn column(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == field).map(|(_, column)| column.as_str())
    }

    /// Every column must be there, and somebody must be named.
    pub fn check(&self, columns: &[String]) -> Result<(), String> {
        if self.column("userId").or_else(|| self.column("anonymousId")).is_none() {
            return Err("--map must have userId or anonymousId".to_owned());
        }
        let missing = self.0.iter().find(|(_, column)| !columns.contains(column));
        match missing {
            Some((field, _)) => {
                Err(format!("the column that --map names for {field} is not in the first row"))
            }
            None => Ok(()),
        }
    }
}

/// A row: by its map, else by the usual names of columns.
pub fn read(record: Object, map: Option<&Map>, kind: Kind, notes: &mut Notes) -> Says {
    match (map, kind) {
        (None, Kind::Identify) => users::read(record, notes),
        (None, Kind::Track) => track(guessed(record), notes),
        (Some(map), Kind::Identify) => person(mapped(&record, map), notes),
        (Some(map), Kind::Track) => track(mapped(&record, map), notes),
    }
}

/// The fields that a map makes of a row: `traits` and `properties` are objects in it.
fn mapped(record: &Object, map: &Map) -> Object {
    let mut fields = Object::new();
    for (field, column) in &map.0 {
        let Some(value) = record.get(column) else { continue };
        match field.split_once('.') {
            Some((outer, inner)) => {
                if let Value::Object(object) =
                    fields.entry(outer.to_owned()).or_insert_with(|| Value::Object(Object::new()))
                {
                    object.insert(inner.to_owned(), value.clone());
                }
            }
            None => _ = fields.insert(field.clone(), value.clone()),
        }
    }
    fields
}

/// The same by names that columns usually have; the rest are properties.
fn guessed(record: Object) -> Object {
    let (mut fields, mut rest) = (Object::new(), Object::new());
    for (name, value) in record {
        let field = match plain(&name).as_str() {
            "userid" | "identifier" | "uid" => "userId",
            "anonymousid" | "visitorid" | "deviceid" => "anonymousId",
            "event" | "eventname" | "eventtype" => "event",
            "timestamp" | "time" | "date" | "datetime" | "createdat" | "eventtime" | "occurredat" => {
                "timestamp"
            }
            "messageid" | "eventid" | "uuid" => "messageId",
            "sessionid" => "sessionId",
            "url" => "url",
            _ => {
                rest.insert(name, value);
                continue;
            }
        };
        if fields.contains_key(field) {
            rest.insert(name, value);
        } else {
            fields.insert(field.to_owned(), value);
        }
    }
    fields.insert("properties".to_owned(), Value::Object(rest));
    fields
}

fn person(mut record: Object, notes: &mut Notes) -> Says {
    let subject = fields::subject(
        id_of(record.get("userId"), "userId")?,
        id_of(record.get("anonymousId"), "anonymousId")?,
    );
    let subject = subject.ok_or_else(nobody)?;
    let mut said = fields::object(&record, "traits");
    for name in ["email", "firstName", "lastName", "name", "avatar", "country", "city"] {
        said.extend(record.remove(name).map(|value| (name.to_owned(), value)));
    }
    let at = |field: &str| time_of(record.get(field), field);
    let (created_at, first_seen, last_seen) = (at("createdAt")?, at("firstSeen")?, at("lastSeen")?);
    let dated = at("timestamp")?.or(at("updatedAt")?);
    let person = Person {
        subject,
        change: traits::change(said, notes),
        at: dated.or_else(|| users::newest([created_at, first_seen, last_seen])),
        created_at,
        first_seen,
        last_seen,
        is_activity: false,
    };
    Ok(vec![Entry::Person(Box::new(person))])
}

fn track(record: Object, notes: &mut Notes) -> Says {
    let subject = fields::subject(
        id_of(record.get("userId"), "userId")?,
        id_of(record.get("anonymousId"), "anonymousId")?,
    );
    let name = text(&record, "event").ok_or_else(|| required("event"))?;
    let incoming = Incoming {
        subject: subject.ok_or_else(nobody)?,
        kind: EventKind::Event,
        name: fields::name(Some(name)),
        at: fields::said(time_of(record.get("timestamp"), "timestamp")?),
        message_id: Some(text(&record, "messageId").unwrap_or_else(|| record_id(Source::Csv, &record))),
        session: id_of(record.get("sessionId"), "sessionId")?,
        url: text(&record, "url"),
        data: notes.without_secrets(fields::object(&record, "properties"), About::Event),
        device: Device::default(),
    };
    Ok(vec![Entry::Event(Box::new(incoming), Visits::Opened)])
}

fn nobody() -> Fault {
    Fault::new("/userId", "missing", "names nobody: the columns of userId and anonymousId are empty")
}

/// Whether a table has a column by which its rows are events.
pub fn has_events(columns: &[String]) -> bool {
    let has = |names: &[&str]| columns.iter().any(|column| names.contains(&plain(column).as_str()));
    has(&["event", "eventname", "eventtype"]) && has(&["timestamp", "time", "date", "datetime", "eventtime"])
}

/// The columns of a table that are never taken.
pub fn secret_columns(columns: &[String]) -> Vec<&String> {
    columns.iter().filter(|column| secret_values::is_secret(column, About::Person)).collect()
}
