//! Canonical JSON: one value has one text, so that a hash or a signature of the text is one
//! of the value.
//!
//! A subset of RFC 8785: names in the order of their UTF-16 code units, no spaces, the
//! shortest escapes. Numbers are integers that a double holds exactly (RFC 7493): anything
//! with a fraction or an exponent is refused, for its one spelling is a rule of its own and
//! nothing here needs it.

use std::fmt;

use serde_json::Value;

/// The largest number, either side of zero: a program in JavaScript reads it unrounded.
pub const NUMBER_MAX: u64 = 9_007_199_254_740_991;

/// Why a text is not canonical JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalError {
    pub what: What,
    /// The first byte that is wrong, if one can be told.
    pub at: Option<usize>,
    /// The field that it lies in, as `asked.at` or `counts[0].rows`; empty: in none.
    pub field: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It ends before the value does.
    CutShort,
    NotJson,
    /// A number with a fraction or an exponent, or one above [`NUMBER_MAX`].
    NotInteger,
    /// It is JSON, but spelled otherwise, or a name stands in it twice.
    NotCanonical,
}

/// The text of a value. A [`What::NotInteger`] names the first number that has no text.
pub fn text(value: &Value) -> Result<String, CanonicalError> {
    if let Some(field) = odd_number(value, String::new()) {
        return Err(CanonicalError { what: What::NotInteger, at: None, field });
    }
    let mut out = String::new();
    write(value, &mut out);
    Ok(out)
}

/// The value of a text that is canonical, byte for byte: [`text`] of it gives the same bytes.
pub fn parse(bytes: &[u8]) -> Result<Value, CanonicalError> {
    let (value, fault) = read(bytes)?;
    fault.map_or(Ok(value), Err)
}

/// The value of any JSON text, and why it is not canonical if it is not.
pub fn read(bytes: &[u8]) -> Result<(Value, Option<CanonicalError>), CanonicalError> {
    let fault = |what, at| CanonicalError { what, at: Some(at), field: place(bytes, at) };
    let given = std::str::from_utf8(bytes).map_err(|error| fault(What::NotJson, error.valid_up_to()))?;
    let value: Value = serde_json::from_str(given).map_err(|error| {
        let what = if error.is_eof() { What::CutShort } else { What::NotJson };
        let line: usize = given.split_inclusive('\n').take(error.line() - 1).map(str::len).sum();
        fault(what, (line + error.column()).saturating_sub(1).min(bytes.len()))
    })?;
    let canonical = match text(&value) {
        Ok(canonical) => canonical,
        Err(fault) => return Ok((value, Some(fault))),
    };
    let differs = (canonical != given).then(|| {
        let same = canonical.bytes().zip(bytes).take_while(|(ours, theirs)| ours == *theirs).count();
        fault(What::NotCanonical, same)
    });
    Ok((value, differs))
}

/// The text of a value that is known to have no odd numbers.
pub(super) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            // By code units, not by bytes: they differ above U+FFFF.
            fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (n, (name, value)) in fields.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                quote(name, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The first number that has no canonical text here.
fn odd_number(value: &Value, field: String) -> Option<String> {
    match value {
        Value::Number(number) => {
            // A number keeps the text that it came with: `-0` is not the zero that it equals.
            let is_plain =
                |whole: &i64| whole.unsigned_abs() <= NUMBER_MAX && whole.to_string() == number.to_string();
            number.as_i64().filter(is_plain).is_none().then_some(field)
        }
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(n, item)| odd_number(item, item_of(&field, n)))
        }
        Value::Object(fields) => {
            fields.iter().find_map(|(name, value)| odd_number(value, field_of(&field, name)))
        }
        _ => None,
    }
}

/// The path of a field within another; its name in it may be anything that was sent.
pub(super) fn field_of(parent: &str, name: &str) -> String {
    let name = name.escape_debug();
    if parent.is_empty() { name.to_string() } else { format!("{parent}.{name}") }
}

/// The path of an item of a list.
pub(super) fn item_of(parent: &str, n: usize) -> String {
    format!("{parent}[{n}]")
}

/// The field in which a byte of a JSON text lies, also when the text is broken there: the
/// text before it is enough. A byte of a field's name lies in what holds the field.
pub fn place(bytes: &[u8], at: usize) -> String {
    enum Inside {
        /// The name that was read last; None where the next string is a name.
        Object(Option<String>),
        List(usize),
    }
    let mut path: Vec<Inside> = Vec::new();
    let mut string: Option<Vec<u8>> = None;
    let mut escaped = false;
    for &byte in bytes.iter().take(at) {
        if let Some(text) = &mut string {
            if byte == b'"' && !escaped {
                if let Some(Inside::Object(name @ None)) = path.last_mut() {
                    *name = Some(unquoted(text));
                }
                string = None;
            } else {
                text.push(byte);
            }
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b'"' => string = Some(Vec::new()),
            b'{' => path.push(Inside::Object(None)),
            b'[' => path.push(Inside::List(0)),
            b'}' | b']' => drop(path.pop()),
            b',' => match path.last_mut() {
                Some(Inside::Object(name)) => *name = None,
                Some(Inside::List(n)) => *n += 1,
                None => {}
            },
            _ => {}
        }
    }
    path.iter().fold(String::new(), |parent, inside| match inside {
        Inside::Object(Some(name)) => field_of(&parent, name),
        Inside::Object(None) => parent,
        Inside::List(n) => item_of(&parent, *n),
    })
}

/// The text between two quotes, its escapes read if they can be.
fn unquoted(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| text.into_owned())
}

impl fmt::Display for CanonicalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.what {
            What::CutShort => "it is cut short",
            What::NotJson => "it is not JSON",
            What::NotInteger => "it has a number that is not an integer of at most 2^53 - 1",
            What::NotCanonical => "it is not in canonical form",
        })?;
        if let Some(at) = self.at {
            write!(f, ", from byte {at} on")?;
        }
        if !self.field.is_empty() {
            write!(f, ", in the field `{}`", self.field)?;
        }
        Ok(())
    }
}

impl std::error::Error for CanonicalError {}
