//! Reading the fields of a record. A fault names the field and why, never what stands there.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Source;
use super::secret_values::{self, About};
use crate::clock::Millis;
use crate::forms;
use crate::model::{Identifier, Said};
use crate::people::imports::{Entry, Fault};
use crate::people::subject::Subject;

pub type Object = Map<String, Value>;
/// What a record says, or why it cannot be understood.
pub type Says = Result<Vec<Entry>, Fault>;

/// What is found beside what a record says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Notes {
    pub left_out: u64,
    pub is_skipped: bool,
}

impl Notes {
    /// The same values without what is never taken.
    pub fn without_secrets(&mut self, mut values: Object, about: About) -> Object {
        self.left_out += secret_values::remove(&mut values, about);
        values
    }

    /// The record is of a kind that is not taken in.
    pub fn skip(&mut self) -> Says {
        self.is_skipped = true;
        Ok(Vec::new())
    }
}

pub fn required(field: &str) -> Fault {
    Fault::new(&format!("/{field}"), "missing", "is required")
}

/// An id, if there is one.
pub fn id(record: &Object, field: &str) -> Result<Option<Identifier>, Fault> {
    id_of(record.get(field), field)
}

pub fn id_of(value: Option<&Value>, field: &str) -> Result<Option<Identifier>, Fault> {
    let id = forms::identifier(value).transpose();
    id.map_err(|why| Fault::new(&format!("/{field}"), "bad_id", why))
}

/// A time, if there is one.
pub fn time(record: &Object, field: &str) -> Result<Option<Millis>, Fault> {
    time_of(record.get(field), field)
}

pub fn time_of(value: Option<&Value>, field: &str) -> Result<Option<Millis>, Fault> {
    match forms::time(value) {
        forms::Time::At(at) => Ok(Some(at)),
        forms::Time::Absent | forms::Time::Zero => Ok(None),
        forms::Time::Unreadable => {
            let form = "must be an RFC 3339 time, a date, or a number of seconds or milliseconds since 1970";
            Err(Fault::new(&format!("/{field}"), "bad_time", form))
        }
    }
}

/// When something happened.
pub fn said(at: Option<Millis>) -> Said {
    Said::from(at)
}

/// A text that is not empty. A number is one by its digits.
pub fn text(record: &Object, field: &str) -> Option<String> {
    let text = match record.get(field)? {
        Value::String(text) => forms::cleaned(text).into_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// The first of several fields that is a text.
pub fn first(record: &Object, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(record, name))
}

/// An object in it, also where it is written as a text, as in tables and in Parquet. Empty if there is none.
pub fn object(record: &Object, field: &str) -> Object {
    match record.get(field) {
        Some(Value::Object(map)) => map.clone(),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Object(map)) => map,
            _ => Object::new(),
        },
        _ => Object::new(),
    }
}

/// A text of an object in it.
pub fn within(record: &Object, outer: &str, inner: &str) -> Option<String> {
    record.get(outer).and_then(Value::as_object).and_then(|map| text(map, inner))
}

/// The name of an event: what is longer is cut.
pub fn name(text: Option<String>) -> String {
    let text = text.unwrap_or_default();
    match text.char_indices().nth(1_024) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

/// Who is meant by one id or two.
pub fn subject(identifier: Option<Identifier>, anonymous_id: Option<Identifier>) -> Option<Subject> {
    (identifier.is_some() || anonymous_id.is_some()).then_some(Subject { identifier, anonymous_id })
}

/// The id of a message that has none: the same record has the same one, wherever it stands.
pub fn message_id(source: Source, parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in [source.as_str().as_bytes()].iter().chain(parts) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    format!("imp:{}", HEXLOWER.encode(&hash.finalize()[..16]))
}

/// The same for a whole record. Its fields are in the order of their names, so that it does not count
/// how they were ordered.
pub fn record_id(source: Source, record: &Object) -> String {
    message_id(source, &[Value::Object(record.clone()).to_string().as_bytes()])
}
