//! What is done to an input that was good.

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// Texts that have troubled parsers before.
const TEXTS: [&str; 32] = [
    "",
    " ",
    "0",
    "-0",
    "-1",
    "1e999",
    "9223372036854775808",
    "99999999999999999999999999",
    "null",
    "true",
    "[]",
    "{}",
    "\u{0}",
    "a\u{0}b",
    "\n",
    "\r\n",
    "\u{85}",
    "\u{202e}",
    "\u{feff}",
    "\u{10ffff}",
    "é",
    "e\u{301}",
    "😀",
    "%00",
    "%",
    "%zz",
    "../../etc/passwd",
    "' OR 1=1 --",
    "<script>",
    "9999-12-31T23:59:59.999999999Z",
    "-009999-01-01T00:00:00Z",
    "__proto__",
];

pub fn text(rng: &mut Rng) -> String {
    match rng.u8(..10) {
        0 => "x".repeat(rng.usize(..70_000)),
        1 => (0..rng.usize(..40)).map(|_| rng.char(..)).collect(),
        _ => TEXTS[rng.usize(..TEXTS.len())].to_owned(),
    }
}

/// Some bytes changed, left out, doubled, put in, or cut off.
pub fn bytes(rng: &mut Rng, good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..rng.usize(1..4) {
        let from = rng.usize(..=bytes.len());
        let until = (from + rng.usize(..16)).min(bytes.len());
        match rng.u8(..7) {
            0 if from < bytes.len() => bytes[from] ^= 1 << rng.u8(..8),
            1 if from < bytes.len() => bytes[from] = rng.u8(..),
            2 => drop(bytes.drain(from..until)),
            3 => {
                let again = bytes[from..until].to_vec();
                bytes.splice(from..from, again);
            }
            4 => drop(bytes.splice(from..from, TEXTS[rng.usize(..TEXTS.len())].bytes())),
            5 => bytes.truncate(from),
            _ => {
                let (one, other) = (from.min(bytes.len().saturating_sub(1)), rng.usize(..=bytes.len()));
                if other < bytes.len() {
                    bytes.swap(one, other);
                }
            }
        }
    }
    bytes
}

/// A JSON text with values replaced, left out or put deeper, or its bytes altered; as it was, now and
/// then.
pub fn body(rng: &mut Rng, good: &Value) -> Vec<u8> {
    let mut value = good.clone();
    for _ in 0..rng.usize(..4) {
        value_in(rng, &mut value);
    }
    let text = value.to_string();
    match rng.u8(..4) {
        0 => bytes(rng, text.as_bytes()),
        _ => text.into_bytes(),
    }
}

fn value_in(rng: &mut Rng, value: &mut Value) {
    let deeper = rng.u8(..4) > 0;
    match value {
        Value::Array(list) if deeper && !list.is_empty() => {
            let at = rng.usize(..list.len());
            match rng.u8(..6) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                _ => value_in(rng, &mut list[at]),
            }
        }
        Value::Object(map) if deeper && !map.is_empty() => {
            let name = map.keys().nth(rng.usize(..map.len())).cloned().unwrap_or_default();
            match rng.u8(..8) {
                0 => drop(map.remove(&name)),
                1 => drop(map.insert(text(rng), other(rng, 0))),
                2 => {
                    let held = map.remove(&name).unwrap_or_default();
                    map.insert(name.to_uppercase(), held);
                }
                _ => value_in(rng, &mut map[&name]),
            }
        }
        value => *value = other(rng, 0),
    }
}

fn other(rng: &mut Rng, depth: u8) -> Value {
    match rng.u8(..if depth > 3 { 7 } else { 10 }) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => rng.i64(..).into(),
        3 => json!(f64::from_bits(rng.u64(..))),
        4 => json!(rng.i8(..)),
        5 | 6 => text(rng).into(),
        7 => (0..rng.usize(..4)).map(|_| other(rng, depth + 1)).collect(),
        8 => (0..rng.usize(..4)).map(|_| (text(rng), other(rng, depth + 1))).collect::<Map<_, _>>().into(),
        _ => {
            let deep = rng.usize(..200);
            (0..deep).fold(Value::Null, |inner, _| json!([inner]))
        }
    }
}

/// A part of a path or of a query: a text in one of the forms in which it may be sent.
pub fn part(rng: &mut Rng, good: &str) -> Vec<u8> {
    let raw = match rng.u8(..3) {
        0 => text(rng).into_bytes(),
        1 => bytes(rng, good.as_bytes()),
        _ => good.as_bytes().to_vec(),
    };
    let raw = &raw[..raw.len().min(20_000)];
    match rng.u8(..8) {
        // As it is, as far as a request's first line can have it.
        0 => raw.iter().copied().filter(|byte| !matches!(byte, b' ' | b'\r' | b'\n')).collect(),
        // Encoded twice.
        1 => encoded(encoded(raw).as_bytes()).into_bytes(),
        _ => encoded(raw).into_bytes(),
    }
}

fn encoded(raw: &[u8]) -> String {
    percent_encoding::percent_encode(raw, percent_encoding::NON_ALPHANUMERIC).to_string()
}
