//! How numbers, times and texts of users are shown.

use std::fmt;

use crate::clock::{self, DAY, HOUR, MINUTE, Millis, SECOND};
use crate::projects::label;

/// A time as people say it, with the absolute one beside it.
pub struct Time {
    pub iso: String,
    pub absolute: String,
    pub relative: String,
}

impl Time {
    pub fn new(at: Millis, now: Millis) -> Time {
        Time { iso: clock::rfc3339(at), absolute: clock::written(at), relative: relative(at, now) }
    }
}

fn relative(at: Millis, now: Millis) -> String {
    let apart = (at - now).abs();
    let apart = match apart {
        0..MINUTE => return "just now".into(),
        // What is to come, one waits for; what was, one only places.
        MINUTE..DAY if at > now => left(apart),
        MINUTE..HOUR => many(apart / MINUTE, "minute"),
        HOUR..DAY => many(apart / HOUR, "hour"),
        _ if apart < 60 * DAY => many(apart / DAY, "day"),
        _ if apart < 730 * DAY => many(apart / (30 * DAY), "month"),
        _ => many(apart / (365 * DAY), "year"),
    };
    if at < now { format!("{apart} ago") } else { format!("in {apart}") }
}

/// `1 day`, `3 days`.
pub fn many(number: i64, name: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {name}{s}", Count(number))
}

/// How long is left, in the two units that matter: `6 days 23 h`, `5 h 12 min`, `40 s`.
pub fn left(duration: Millis) -> String {
    let duration = duration.max(0);
    let two = |big: String, small: i64, unit: &str| match small {
        0 => big,
        small => format!("{big} {small} {unit}"),
    };
    match duration {
        0..MINUTE => format!("{} s", duration / SECOND),
        MINUTE..HOUR => format!("{} min", duration / MINUTE),
        HOUR..DAY => two(format!("{} h", duration / HOUR), duration % HOUR / MINUTE, "min"),
        _ => two(many(duration / DAY, "day"), duration % DAY / HOUR, "h"),
    }
}

/// A number with its thousands apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub i64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.unsigned_abs().to_string();
        if self.0 < 0 {
            f.write_str("−")?;
        }
        for (n, digit) in digits.chars().enumerate() {
            if n > 0 && (digits.len() - n).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A text of somebody else's, with nothing in it that cannot be seen: characters that
/// have no shape, end a line or turn the direction of writing stand there by their number.
/// Joiners inside of emoji and scripts stay.
pub fn plain(text: &str) -> String {
    label::plain(text)
}

/// The beginning of a text, with a sign that it goes on.
pub fn beginning(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
