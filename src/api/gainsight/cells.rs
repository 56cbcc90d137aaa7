//! How a value is read of which the type is known.
//!
//! Source: the vendor's own CSV loader sends every cell as a string (`"date":"1541030400000"`,
//! `"globalUnsubscribe":"true"`), programs in Python write `True`, programs in PHP write an
//! empty map as `[]`. So digits in a string are a number, true and false in any letter case are
//! booleans, an ISO date is a date, an empty string is no value.

use serde_json::{Value, json};

use crate::api::dialect::Object;
use crate::api::dialect::repairs::Repairs;
use crate::clock::Millis;
use crate::forms;
use crate::model::Attributes;

pub const NO_OBJECT: &str = "must be an object";
const NO_TEXT: &str = "must be a string";
/// Beyond this a double has no place for the last digit.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// The value as a field of this kind keeps it; null for no value. Err: why it cannot.
pub fn read(kind: Kind, value: &Value) -> Result<Value, &'static str> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::String(text) if kind == Kind::Text => match text_fault(text) {
            None => Ok(json!(text)),
            Some(fault) => Err(fault),
        },
        Value::String(text) if text.trim().is_empty() => Ok(Value::Null),
        Value::String(text) => typed(kind, text.trim()).ok_or(fault(kind)),
        Value::Number(number) => match kind {
            Kind::Integer => number.as_i64().or_else(|| whole(number.as_f64()?)).map(|number| json!(number)),
            Kind::Time => {
                number.as_i64().or_else(|| whole(number.as_f64()?)).and_then(past).map(|at| json!(at))
            }
            Kind::Decimal => Some(value.clone()),
            _ => None,
        }
        .ok_or(fault(kind)),
        Value::Bool(_) if kind == Kind::Flag => Ok(value.clone()),
        Value::Array(list) => {
            let is_text = |value: &Value| value.as_str().is_some_and(|text| text_fault(text).is_none());
            let fits = match kind {
                Kind::Texts => list.iter().all(is_text),
                Kind::Objects => list.iter().all(Value::is_object),
                _ => false,
            };
            if fits { Ok(value.clone()) } else { Err(fault(kind)) }
        }
        _ => Err(fault(kind)),
    }
}

fn typed(kind: Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Choice(choices) => {
            choices.iter().find(|choice| choice.eq_ignore_ascii_case(text)).map(|choice| json!(choice))
        }
        Kind::Integer => integer(text).map(|number| json!(number)),
        Kind::Time => time(text).map(|at| json!(at)),
        Kind::Decimal => {
            text.parse().ok().filter(|number: &f64| number.is_finite()).map(|number| json!(number))
        }
        Kind::Flag => flag(text).map(|flag| json!(flag)),
        Kind::Text | Kind::Texts | Kind::Objects => None,
    }
}

fn fault(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => NO_TEXT,
        Kind::Choice(_) => "must be one of the values that the vendor lists",
        Kind::Integer => "must be an integer",
        Kind::Time => "must be a time in milliseconds since 1970",
        Kind::Decimal => "must be a number",
        Kind::Flag => "must be true or false",
        Kind::Texts => "must be a list of strings of at most 1024 characters",
        Kind::Objects => "must be a list of objects",
    }
}

/// `true` and `false` in any letter case: Python writes them with a capital letter.
pub fn flag(text: &str) -> Option<bool> {
    match text {
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Milliseconds since 1970, or a date or time as programs write it; without an offset it is UTC.
pub fn time(text: &str) -> Option<Millis> {
    integer(text).or_else(|| forms::in_words(text)).and_then(past)
}

fn past(at: Millis) -> Option<Millis> {
    (at >= 0).then_some(at)
}

fn integer(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| whole(text.parse().ok()?))
}

/// A table that was read as doubles has `7.0` where 7 was.
fn whole(number: f64) -> Option<i64> {
    // ok: a whole number below 2^53 has the same digits in both types
    (number.fract() == 0.0 && number.abs() < WHOLE_MAX).then_some(number as i64)
}

/// A text of any length and without a look at its characters; None if it is empty.
pub fn text(body: &Object, field: &'static str, repairs: &mut Repairs) -> Option<String> {
    match body.0.get(field) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
        Some(_) => {
            repairs.note(field, NO_TEXT);
            None
        }
    }
}

/// An object, empty if there is none.
pub fn object(body: &Object, field: &'static str, repairs: &mut Repairs) -> Attributes {
    match body.0.get(field) {
        None | Some(Value::Null) => {}
        Some(Value::Object(map)) => return map.clone(),
        Some(Value::Array(list)) if list.is_empty() => {}
        Some(Value::String(text)) if text.trim().is_empty() => {}
        Some(_) => repairs.note(field, NO_OBJECT),
    }
    Attributes::new()
}

/// The longest text of a field.
pub const TEXT_MAX: usize = 1_024;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// One of these; the first until it is told.
    Choice(&'static [&'static str]),
    Integer,
    /// Milliseconds since 1970; 0 for never.
    Time,
    Decimal,
    Flag,
    Texts,
    Objects,
}

/// What is wrong with a text of a field or of a search for one.
pub fn text_fault(text: &str) -> Option<&'static str> {
    if text.chars().count() > TEXT_MAX {
        Some("must have at most 1024 characters")
    } else if text.chars().any(char::is_control) {
        Some("must not contain control characters")
    } else {
        None
    }
}
