//! What each field of a receipt must look like, as a table; and which fields of a given
//! text do not. A broken receipt is told field by field, not by its first fault alone.

use std::fmt;

use serde_json::Value;

use super::canonical::{NUMBER_MAX, field_of, item_of};
use super::receipt::{FIRST, FORMAT, VERSION};
use crate::clock::Millis;
use crate::model::{Erasure, Origin};

/// The last instant of the year 9999.
const TIME_MAX: Millis = 253_402_300_799_999;
/// The longest text, in characters.
const TEXT_MAX: usize = 500;

/// A field that does not have the right form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// `asked.at`, `counts[0].rows`; empty: the whole.
    pub field: String,
    pub why: String,
}

enum Form {
    Is(&'static str),
    Version(u64),
    /// 0 and up.
    Number,
    /// 1 and up.
    Place,
    Time,
    /// So many hex digits.
    Digits(usize),
    /// Not empty, no control characters.
    Text,
    Word(fn(&str) -> bool, &'static str),
    True,
    Zero,
    Fields(&'static [(&'static str, Form)]),
    List(&'static [(&'static str, Form)]),
}

use Form::{Digits, Fields, Is, List, Number, Place, Text, Time, True, Version, Word, Zero};

const ASKED: Form = Fields(&[
    ("erasure", Word(is_erasure, "must be account, activity or everything")),
    ("origin", Word(|word| Origin::parse(word).is_some(), "must be the name of an origin")),
    ("right", Text),
    ("at", Time),
    ("due", Time),
]);

const DONE: Form = Fields(&[
    ("began_at", Time),
    ("erased_at", Time),
    ("scrubbed_at", Time),
    ("verified_at", Time),
    ("completed_at", Time),
]);

const COUNTS: Form = List(&[("kind", Text), ("label", Text), ("rows", Number)]);
const STAYS: Form = List(&[("kind", Text), ("label", Text), ("rows", Number), ("why", Text)]);
const SCRUB: Form = Fields(&[("pages", Number), ("changed", Number)]);
const CHECKPOINT: Form = Fields(&[("truncated", True), ("frames", Number)]);
const SCAN: Form = Fields(&[
    ("mode", Word(is_mode, "must be \"changed pages\" or \"whole files\"")),
    ("bytes", Number),
    ("pages", Number),
    ("needles", Number),
    ("needles_dropped", Number),
    ("found", Zero),
    ("took_ms", Number),
]);
const BACKUPS: Form = List(&[("name", Text), ("made_at", Time), ("pruned_at", Time)]);

/// Version 1.
const FIRST_RECEIPT: &[(&str, Form)] = &[
    ("format", Is(FORMAT)),
    ("version", Version(FIRST)),
    ("number", Place),
    ("id", Digits(32)),
    ("installation", Digits(32)),
    ("subject", Digits(64)),
    ("asked", ASKED),
    ("done", DONE),
    ("counts", COUNTS),
    ("stays", STAYS),
    ("mentions", Number),
    ("scrub", SCRUB),
    ("checkpoint", CHECKPOINT),
    ("scan", SCAN),
    ("ledger", Fields(&[("id", Digits(32)), ("seq", Number), ("head", Digits(64))])),
    ("audit", Fields(&[("seq", Number), ("head", Digits(64))])),
    ("backups", BACKUPS),
    ("previous", Digits(64)),
    ("key", Digits(64)),
    ("signature", Digits(128)),
];

const RECEIPT: &[(&str, Form)] = &[
    ("format", Is(FORMAT)),
    ("version", Version(VERSION)),
    ("number", Place),
    ("id", Digits(32)),
    ("installation", Digits(32)),
    ("project", Digits(32)),
    ("subject", Digits(64)),
    ("asked", ASKED),
    ("done", DONE),
    ("counts", COUNTS),
    ("since", COUNTS),
    ("stays", STAYS),
    ("mentions", Number),
    (
        "mentions_of",
        Word(
            |word| matches!(word, "all rows" | "some rows" | "nothing"),
            "must be \"all rows\", \"some rows\" or \"nothing\"",
        ),
    ),
    ("evidence", Fields(&[("engine", Text), ("method", Text)])),
    ("ledger", Fields(&[("id", Digits(32)), ("head", Digits(64))])),
    ("audit", Fields(&[("head", Digits(64))])),
    ("backups", BACKUPS),
    ("figures", Digits(64)),
    ("previous", Digits(64)),
    ("key", Digits(64)),
    ("signature", Digits(128)),
];

const FIGURES: &[(&str, Form)] = &[
    ("place", Place),
    ("previous", Digits(64)),
    ("job", Fields(&[("id", Place), ("number", Place), ("project", Place)])),
    ("scrub", SCRUB),
    ("checkpoint", CHECKPOINT),
    ("scan", SCAN),
    ("ledger_seq", Number),
    ("audit_seq", Number),
    ("salt", Digits(64)),
];

fn is_erasure(word: &str) -> bool {
    Erasure::parse(word).is_some_and(|erasure| erasure != Erasure::Hide)
}

fn is_mode(word: &str) -> bool {
    matches!(word, "changed pages" | "whole files")
}

/// The fields of this value that a receipt has and that are wrong or not there, and those
/// that a receipt does not have.
pub fn faults(receipt: &Value) -> Vec<FormatError> {
    let mut faults = Vec::new();
    let form = if receipt["version"] == FIRST { FIRST_RECEIPT } else { RECEIPT };
    fields(receipt, form, "", &mut faults);
    faults
}

/// The same for what is kept beside one.
pub fn faults_of_figures(figures: &Value) -> Vec<FormatError> {
    let mut faults = Vec::new();
    fields(figures, FIGURES, "figures", &mut faults);
    faults
}

fn fields(value: &Value, form: &[(&str, Form)], field: &str, faults: &mut Vec<FormatError>) {
    let Value::Object(given) = value else {
        faults.push(FormatError::new(field, "must be an object"));
        return;
    };
    for (name, form) in form {
        let field = field_of(field, name);
        match given.get(*name) {
            Some(value) => check(value, form, &field, faults),
            None => faults.push(FormatError::new(&field, "is missing")),
        }
    }
    for name in given.keys().filter(|name| form.iter().all(|(known, _)| known != name)) {
        faults.push(FormatError::new(&field_of(field, name), "is no field of a receipt"));
    }
}

fn check(value: &Value, form: &Form, field: &str, faults: &mut Vec<FormatError>) {
    let text = value.as_str();
    let number = value.as_u64();
    let why = match form {
        Fields(form) => return fields(value, form, field, faults),
        List(form) => match value {
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    fields(item, form, &item_of(field, n), faults);
                }
                return;
            }
            _ => "must be a list".to_owned(),
        },
        Is(word) if text == Some(word) => return,
        Is(word) => format!("must be \"{word}\""),
        Version(version) if number == Some(*version) => return,
        Version(_) => format!("must be {FIRST} or {VERSION}"),
        Number if number.is_some_and(|number| number <= NUMBER_MAX) => return,
        Number => "must be a number, 0 or more".to_owned(),
        Place if number.is_some_and(|number| (1..=NUMBER_MAX).contains(&number)) => return,
        Place => "must be a number, 1 or more".to_owned(),
        Time if value.as_i64().is_some_and(|at| (0..=TIME_MAX).contains(&at)) => return,
        Time => "must be a time in ms since 1970, before the year 10000".to_owned(),
        Digits(n) if text.is_some_and(|text| are_digits(text, *n)) => return,
        Digits(n) => format!("must be {n} hex digits, lower case"),
        Text if text.is_some_and(is_text) => return,
        Text => format!("must be a text of 1 to {TEXT_MAX} characters, none of them a control character"),
        Word(fits, _) if text.is_some_and(fits) => return,
        Word(_, why) => (*why).to_owned(),
        True if *value == Value::Bool(true) => return,
        True => "must be true".to_owned(),
        Zero if number == Some(0) => return,
        Zero => "must be 0".to_owned(),
    };
    faults.push(FormatError { field: field.to_owned(), why });
}

fn are_digits(text: &str, n: usize) -> bool {
    text.len() == n && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= TEXT_MAX && !text.chars().any(char::is_control)
}

impl FormatError {
    pub fn new(field: &str, why: &str) -> FormatError {
        FormatError { field: field.to_owned(), why: why.to_owned() }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "the whole" } else { &self.field };
        write!(f, "`{field}` {}", self.why)
    }
}

/// Several faults in one sentence.
pub(super) fn list(f: &mut fmt::Formatter<'_>, faults: &[FormatError]) -> fmt::Result {
    for (n, fault) in faults.iter().enumerate() {
        let sep = if n == 0 { "" } else { "; " };
        write!(f, "{sep}{fault}")?;
    }
    Ok(())
}
