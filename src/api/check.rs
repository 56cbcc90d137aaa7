//! Whether a JSON value fits a schema of ours, and all that does not, each by where it stands. What is said
//! names fields, never values: an answer with personal data in it would be in somebody's log.

use serde_json::Value;

use crate::clock;
use crate::error::{FieldError, Place};

/// A name in an answer, which may be as long as a body, is cut after so many characters.
const NAME_SHOWN: usize = 100;

/// All faults of a value.
pub fn faults(place: Place, schema: &Value, value: &Value) -> Vec<FieldError> {
    let mut found = Vec::new();
    Spot { place, field: String::new(), pointer: String::new() }.check(schema, value, &mut found);
    found
}

#[derive(Clone)]
struct Spot {
    place: Place,
    field: String,
    pointer: String,
}

impl Spot {
    fn within(&self, name: &str) -> Spot {
        let shown: String = name.chars().take(NAME_SHOWN).collect();
        let dot = if self.field.is_empty() { "" } else { "." };
        let escaped = shown.replace('~', "~0").replace('/', "~1");
        Spot {
            place: self.place,
            field: format!("{}{dot}{shown}", self.field),
            pointer: format!("{}/{escaped}", self.pointer),
        }
    }

    fn entry(&self, n: usize) -> Spot {
        Spot {
            place: self.place,
            field: format!("{}[{n}]", self.field),
            pointer: format!("{}/{n}", self.pointer),
        }
    }

    fn fault(&self, why: impl Into<String>) -> FieldError {
        let field = if self.field.is_empty() { "body" } else { self.field.as_str() };
        FieldError { pointer: Some(self.pointer.clone()), ..FieldError::new(self.place, field, why) }
    }

    fn check(&self, schema: &Value, value: &Value, found: &mut Vec<FieldError>) {
        if let Some(schemas) = schema["anyOf"].as_array() {
            let fits = |schema: &Value| {
                let mut found = Vec::new();
                self.check(schema, value, &mut found);
                found.is_empty()
            };
            if !schemas.iter().any(fits) {
                // Of those of its type the first says what is wrong.
                let like = schemas.iter().find(|schema| is_of_type(&schema["type"], value));
                match like.or(schemas.first()) {
                    Some(schema) => self.check(schema, value, found),
                    None => found.push(self.fault("must not be there")),
                }
            }
            return;
        }
        if !is_of_type(&schema["type"], value) {
            found.push(self.fault(must_be(&schema["type"])));
            return;
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            found.push(self.fault(format!("must be {}", one_of(&words))));
            return;
        }
        match value {
            Value::String(text) => self.text(schema, text, found),
            Value::Number(_) => self.number(schema, value, found),
            Value::Array(list) => self.list(schema, list, found),
            Value::Object(_) => self.object(schema, value, found),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(&self, schema: &Value, text: &str, found: &mut Vec<FieldError>) {
        let length = || u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        if let Some(least) = schema["minLength"].as_u64()
            && length() < least
        {
            let why =
                if least == 1 { "must not be empty".into() } else { format!("must have {least} characters") };
            found.push(self.fault(why));
        }
        if let Some(most) = schema["maxLength"].as_u64()
            && length() > most
        {
            found.push(self.fault(format!("must have at most {most} characters")));
        }
        if schema["format"] == "date-time" && clock::parse_rfc3339(text).is_none() {
            found.push(self.fault("must be an RFC 3339 time with an offset"));
        }
    }

    fn number(&self, schema: &Value, value: &Value, found: &mut Vec<FieldError>) {
        let (least, most) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
        let Some(number) = value.as_f64() else { return };
        // Exact as far as any bound of ours goes.
        let is_below = least.is_some_and(|least| number < least as f64);
        let is_above = most.is_some_and(|most| number > most as f64);
        match (least, most) {
            (Some(least), Some(most)) if is_below || is_above => {
                found.push(self.fault(format!("must be from {least} to {most}")));
            }
            (Some(least), None) if is_below => found.push(self.fault(format!("must be at least {least}"))),
            (None, Some(most)) if is_above => found.push(self.fault(format!("must be at most {most}"))),
            _ => {}
        }
    }

    fn list(&self, schema: &Value, list: &[Value], found: &mut Vec<FieldError>) {
        let length = u64::try_from(list.len()).unwrap_or(u64::MAX);
        if let Some(most) = schema["maxItems"].as_u64()
            && length > most
        {
            found.push(self.fault(format!("must have at most {most} entries")));
            return;
        }
        if let Some(least) = schema["minItems"].as_u64()
            && length < least
        {
            found.push(self.fault(format!("must have at least {least} entries")));
        }
        if schema["x-usher-each"] == true {
            return;
        }
        for (n, entry) in list.iter().enumerate() {
            self.entry(n).check(&schema["items"], entry, found);
        }
    }

    fn object(&self, schema: &Value, value: &Value, found: &mut Vec<FieldError>) {
        let (Some(fields), more) = (value.as_object(), &schema["additionalProperties"]) else { return };
        let known = schema["properties"].as_object();
        for (name, value) in fields {
            match known.and_then(|known| known.get(name)) {
                Some(schema) => self.within(name).check(schema, value, found),
                None if *more == false => {
                    let known: Vec<&str> =
                        known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                    found.push(self.within(name).fault(not_known(&known)));
                }
                None => self.within(name).check(more, value, found),
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                found.push(self.within(name).fault("is required"));
            }
        }
    }
}

/// What is said of a name that nobody reads.
pub fn not_known(known: &[&str]) -> String {
    match known {
        [] => "is not known here: there are none".to_owned(),
        known => format!("is not known here: there are {}", known.join(", ")),
    }
}

fn kinds(kinds: &Value) -> Vec<&str> {
    match kinds {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_of_type(wanted: &Value, value: &Value) -> bool {
    let wanted = kinds(wanted);
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        _ => true,
    };
    wanted.is_empty() || wanted.into_iter().any(is)
}

fn must_be(wanted: &Value) -> String {
    let words: Vec<&str> = kinds(wanted)
        .into_iter()
        .filter(|kind| *kind != "null")
        .map(|kind| match kind {
            "string" => "a string",
            "boolean" => "true or false",
            "array" => "a list",
            "object" => "an object",
            "integer" => "an integer",
            "number" => "a number",
            _ => "null",
        })
        .collect();
    // An id may be sent as a number; what it is is a text.
    match words.as_slice() {
        ["a string", "an integer"] => "must be a string".to_owned(),
        words => format!("must be {}", words.join(" or ")),
    }
}

fn one_of(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [before @ .., last] => format!("{} or {last}", before.join(", ")),
    }
}
