//! The forms in which clients write times, ids and texts. What can be understood is taken; what
//! became of it is told.

use std::borrow::Cow;

use serde_json::{Number, Value};

use crate::clock::{self, DAY, Millis, SECOND};
use crate::model::{IDENTIFIER_MAX, Identifier};

/// A time in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    Absent,
    /// What Go and .NET write of a time that was never set. It stands for none.
    Zero,
    Unreadable,
    At(Millis),
}

impl Time {
    pub fn at(self) -> Option<Millis> {
        match self {
            Time::At(at) => Some(at),
            Time::Absent | Time::Zero | Time::Unreadable => None,
        }
    }
}

/// Seconds up to here, milliseconds above: the year 5138 in the one, 1973 in the other.
const SECONDS_BELOW: f64 = 1e11;
/// The last millisecond of the year 9999.
const LAST: f64 = 253_402_300_799_999.0;
/// Microseconds, of 2001 to 5138.
const MICROS: std::ops::Range<f64> = 1e15..1e17;
/// Nanoseconds, of 2001 to 2262.
const NANOS: std::ops::Range<f64> = 1e18..9.3e18;
/// The second day of the year 1, UTC: a zero time with an offset lies before it.
const ZERO_BEFORE: Millis = -62_135_596_800_000 + DAY;
/// 1900, UTC. A year before it is one of another calendar: of an era, of Hijra.
const MEANT_FROM: Millis = -2_208_988_800_000;

/// Empty and null are none. Numbers, and digits in a text, are seconds, milliseconds, microseconds or
/// nanoseconds since 1970.
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
    let millis = match number {
        seconds if seconds < SECONDS_BELOW => seconds * SECOND as f64,
        micros if MICROS.contains(&micros) => micros / 1e3,
        nanos if NANOS.contains(&nanos) => nanos / 1e6,
        millis => millis,
    };
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
    match in_words(text) {
        Some(at) if at < ZERO_BEFORE => Time::Zero,
        // A guess at the calendar could be wrong by years.
        Some(at) if at < MEANT_FROM => Time::Unreadable,
        Some(at) => Time::At(at),
        None => Time::Unreadable,
    }
}

/// A time in one of the forms that have only one meaning. `11/04/2026` has two.
pub fn in_words(text: &str) -> Option<Millis> {
    clock::parse_rfc3339(text)
        .or_else(|| clock::parse_without_offset(text))
        .or_else(|| clock::parse_date(text))
        // analytics-swift before its issue 75: "2026-11-16T16:00:27.029:Z"
        .or_else(|| clock::parse_rfc3339(&format!("{}Z", text.strip_suffix(":Z")?)))
        .or_else(|| clock::parse_rfc3339(&format!("{}Z", text.strip_suffix('Z')?.trim_end())))
        .or_else(|| end_of_day(text))
        .or_else(|| go(text))
        .or_else(|| clock::parse_rfc2822(text))
        .or_else(|| clock::parse_javascript(text))
        .or_else(|| unix_date(text))
        .or_else(|| microsoft(text))
}

/// `2026-07-28 21:43:35.123 +0000 UTC m=+0.5`: what Go prints of a time; Ruby prints `… UTC`.
fn go(text: &str) -> Option<Millis> {
    let mut words = text.split_whitespace();
    let (date, time, offset) = (words.next()?, words.next()?, words.next()?);
    let offset = if is_utc(offset) { "Z" } else { offset };
    clock::parse_rfc3339(&format!("{date}T{time}{offset}"))
}

/// `Wed Nov 04 09:30:00 UTC 2026`: a date as Java, Go and a shell print it. Other names of zones have
/// more than one meaning.
fn unix_date(text: &str) -> Option<Millis> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [weekday, month, day, time, zone, year] = words[..] else { return None };
    let offset = if is_utc(zone) { "+0000" } else { zone };
    clock::parse_javascript(&format!("{weekday} {month} {day} {year} {time} GMT{offset}"))
}

fn is_utc(zone: &str) -> bool {
    ["UTC", "GMT", "Z"].iter().any(|name| zone.eq_ignore_ascii_case(name))
}

/// `2026-11-04T24:00:00Z`: ISO 8601 has this for the end of a day.
fn end_of_day(text: &str) -> Option<Millis> {
    let (date, time) = text.split_at_checked(10)?;
    let rest = time.strip_prefix(['T', 't', ' '])?.strip_prefix("24:00:00")?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches('0'),
        None => rest,
    };
    let start = format!("{date}T00:00:00{}", zone.trim_start());
    let start = clock::parse_rfc3339(&start).or_else(|| clock::parse_without_offset(&start))?;
    // A fraction that is not all zeros is no end of a day.
    (!zone.starts_with(|first: char| first.is_ascii_digit())).then_some(start + DAY)
}

/// `/Date(1793784600000+0100)/`: Microsoft's older serialisers. The offset says nothing of the moment.
fn microsoft(text: &str) -> Option<Millis> {
    let inside = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let end = inside.find(['+', '-']).unwrap_or(inside.len());
    let (millis, offset) = inside.split_at(end);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let has_offset = offset.is_empty() || (offset.len() == 5 && digits(&offset[1..]));
    let millis = millis.parse::<Millis>().ok().filter(|_| digits(millis) && has_offset)?;
    (millis as f64 <= LAST).then_some(millis)
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
