//! The forms in which clients write times, ids and texts. What can be understood is taken; what
//! became of it is told.

use std::borrow::Cow;

use serde_json::{Number, Value};

use crate::clock::{self, Millis, SECOND};
use crate::model::{IDENTIFIER_MAX, Identifier};

/// A time in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    Absent,
    Unreadable,
    At(Millis),
}

impl Time {
    pub fn at(self) -> Option<Millis> {
        match self {
            Time::At(at) => Some(at),
            Time::Absent | Time::Unreadable => None,
        }
    }
}

/// Seconds up to here, milliseconds above: the year 5138 in the one, 1973 in the other.
const SECONDS_BELOW: f64 = 1e11;
/// The last millisecond of the year 9999.
const LAST: f64 = 253_402_300_799_999.0;

/// Empty and null are none. Numbers, and digits in a text, are seconds or milliseconds since 1970.
pub fn time(value: Option<&Value>) -> Time {
    match value {
        None | Some(Value::Null) => Time::Absent,
        Some(Value::Number(number)) => number.as_f64().map_or(Time::Unreadable, epoch),
        Some(Value::String(text)) => match text.trim() {
            "" => Time::Absent,
            text => written(text),
        },
        Some(_) => Time::Unreadable,
    }
}

fn epoch(number: f64) -> Time {
    let millis = if number < SECONDS_BELOW { number * SECOND as f64 } else { number };
    match (0.0..=LAST).contains(&millis) {
        // ok: within what a whole number of 64 bits holds.
        true => Time::At(millis.round() as Millis),
        false => Time::Unreadable,
    }
}

fn written(text: &str) -> Time {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && let Ok(number) = text.parse::<f64>()
    {
        return epoch(number);
    }
    let found = clock::parse_rfc3339(text)
        .or_else(|| clock::parse_without_offset(text))
        .or_else(|| clock::parse_date(text))
        // analytics-swift before its issue 75: "2026-11-16T16:00:27.029:Z"
        .or_else(|| clock::parse_rfc3339(&format!("{}Z", text.strip_suffix(":Z")?)))
        .or_else(|| go(text))
        .or_else(|| clock::parse_rfc2822(text))
        .or_else(|| clock::parse_javascript(text));
    found.map_or(Time::Unreadable, Time::At)
}

/// `2026-07-28 21:43:35.123 +0000 UTC m=+0.5`: what Go prints of a time.
fn go(text: &str) -> Option<Millis> {
    let mut words = text.split_whitespace();
    let (date, time, offset) = (words.next()?, words.next()?, words.next()?);
    clock::parse_rfc3339(&format!("{date}T{time}{offset}"))
}

/// An id in a message. None: there is none, as it is absent, null or empty. Err: why it is none that
/// can be used.
pub fn identifier(value: Option<&Value>) -> Option<Result<Identifier, &'static str>> {
    let text: Cow<str> = match value {
        None | Some(Value::Null) => return None,
        Some(Value::String(text)) if text.is_empty() => return None,
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(Value::Number(number)) => match digits(number) {
            Some(digits) => Cow::Owned(digits),
            None => return Some(Err("must be a whole number of at most 256 digits, or a string")),
        },
        Some(_) => return Some(Err("must be a string or a number")),
    };
    Some(Identifier::new(&text))
}

/// A whole number as its plain decimal digits: `1.0` and `1e0` are `1`, `-0` is `0`. None for any
/// other, and for one of more than 256 digits, which is never written out. Judged from its text:
/// through a floating point number two people would become one.
fn digits(number: &Number) -> Option<String> {
    let text = number.to_string();
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let zeros = all.len() - all.trim_start_matches('0').len();
    let significant = all.trim_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    // Where the point stands, counted from the first digit that is not zero.
    let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let point = i64::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let point = point.checked_sub(i64::try_from(zeros).ok()?)?;
    let length = usize::try_from(point).ok().filter(|length| *length <= IDENTIFIER_MAX)?;
    (significant.len() <= length).then(|| format!("{sign}{significant:0<length$}"))
}

/// A text without control characters: each run of them, with the space around it, becomes one
/// space, none at the ends.
pub fn cleaned(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for part in text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(part);
    }
    Cow::Owned(out)
}
