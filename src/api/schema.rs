//! JSON Schema in few words, each with an example, so that a whole example can be put together. The words are
//! those that [`super::check`] knows, and no others.

use serde_json::{Map, Value, json};

pub fn text(example: &str) -> Value {
    json!({ "type": "string", "examples": [example] })
}

pub fn number(example: i64) -> Value {
    json!({ "type": "integer", "examples": [example] })
}

pub fn between(least: i64, most: i64, example: i64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most, "examples": [example] })
}

pub fn flag(example: bool) -> Value {
    json!({ "type": "boolean", "examples": [example] })
}

/// RFC 3339.
pub fn time() -> Value {
    json!({ "type": "string", "format": "date-time", "examples": ["2026-03-04T10:00:00.000Z"] })
}

/// Milliseconds since 1970.
pub fn millis() -> Value {
    say(number(1_772_618_400_000), "Milliseconds since 1970.")
}

/// An id as text: a whole number is taken by its digits.
pub fn name(example: &str) -> Value {
    json!({ "type": ["string", "integer"], "maxLength": 256, "examples": [example] })
}

pub fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

pub fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

pub fn empty_list() -> Value {
    json!({ "type": "array", "maxItems": 0, "items": {}, "examples": [[]] })
}

/// An object with these fields and no others. A field whose name ends with `?` may be left out.
pub fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let required: Vec<&str> =
        fields.iter().map(|(name, _)| *name).filter(|name| !name.ends_with('?')).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, schema)| (name.trim_end_matches('?').to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// The same, in which there may be more.
pub fn open(mut object: Value) -> Value {
    object["additionalProperties"] = json!(true);
    object
}

/// An object whose fields are the client's own.
pub fn free(example: Value) -> Value {
    json!({ "type": "object", "additionalProperties": true, "examples": [example] })
}

/// An object of one kind of values, by names of any kind.
pub fn by_name(values: Value, example: Value) -> Value {
    json!({ "type": "object", "additionalProperties": values, "examples": [example] })
}

pub fn any(example: Value) -> Value {
    json!({ "examples": [example] })
}

pub fn bytes() -> Value {
    json!({ "type": "string", "contentMediaType": "application/octet-stream" })
}

pub fn either(schemas: &[Value]) -> Value {
    json!({ "anyOf": schemas })
}

/// It may be null.
pub fn or_null(mut schema: Value) -> Value {
    let kinds = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind.clone()],
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(|kind| kind.as_str().map(str::to_owned)).collect()
        }
        _ => return schema,
    };
    schema["type"] = kinds.into_iter().chain(["null".to_owned()]).collect();
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.push(Value::Null);
    }
    schema
}

pub fn say(mut schema: Value, text: &str) -> Value {
    schema["description"] = text.into();
    schema
}

/// It stands in the document once, by this name.
pub fn named(name: &str, mut schema: Value) -> Value {
    schema["title"] = name.into();
    schema
}

/// With this number of entries at most.
pub fn at_most(most: usize, mut list: Value) -> Value {
    list["maxItems"] = most.into();
    list
}

/// Its entries are judged one by one, and a bad one is no fault of the whole: the checker leaves them to
/// the handler.
pub fn each_by_itself(mut list: Value) -> Value {
    list["x-usher-each"] = json!(true);
    list
}

/// An example, made of those of the parts. What may be left out is in it if it has one.
pub fn example(schema: &Value) -> Value {
    if let Some(example) = schema["examples"].get(0) {
        return example.clone();
    }
    if let Some(word) = schema["enum"].get(0) {
        return word.clone();
    }
    if let Some(first) = schema["anyOf"].get(0) {
        return example(first);
    }
    match (&schema["properties"], &schema["items"]) {
        (Value::Object(properties), _) => properties
            .iter()
            .map(|(name, schema)| (name.clone(), example(schema)))
            .collect::<Map<String, Value>>()
            .into(),
        (_, items @ Value::Object(_)) => json!([example(items)]),
        _ => match schema["type"].as_str() {
            Some("object") => json!({}),
            Some("array") => json!([]),
            _ => Value::Null,
        },
    }
}
