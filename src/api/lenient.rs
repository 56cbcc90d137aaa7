//! JSON as clients write it: what the grammar forbids and a reader can still understand is put
//! right, so that one bad value costs no more than itself.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// What had to be put right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mended {
    /// `NaN` or `Infinity`, which became null.
    pub not_a_number: bool,
    /// Bytes or escapes that are no characters, which became U+FFFD.
    pub not_a_character: bool,
    /// Control characters in a string that were not escaped.
    pub unescaped: bool,
}

/// The text with all of that put right. What is broken in another way stays broken.
pub fn mend(body: &[u8]) -> (String, Mended) {
    let text = String::from_utf8_lossy(body);
    let mut mended = Mended { not_a_character: matches!(text, Cow::Owned(_)), ..Mended::default() };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(quote) = memchr(b'"', rest.as_bytes()) {
        numbers(&rest[..quote], &mut out, &mut mended);
        let inside = &rest[quote + 1..];
        let end = end_of_string(inside);
        out.push('"');
        string(&inside[..end], &mut out, &mut mended);
        if end < inside.len() {
            out.push('"');
        }
        rest = inside.get(end + 1..).unwrap_or_default();
    }
    numbers(rest, &mut out, &mut mended);
    (out, mended)
}

/// Where a string ends that began before this text: at its quote, or at the end of all.
pub(super) fn end_of_string(text: &str) -> usize {
    let (bytes, mut at) = (text.as_bytes(), 0);
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at;
        }
        // What is escaped is passed over.
        at += 2;
    }
    text.len()
}

/// What stands between strings.
fn numbers(text: &str, out: &mut String, mended: &mut Mended) {
    let mut rest = text;
    while let Some(at) = memchr2(b'N', b'I', rest.as_bytes()) {
        let word = ["NaN", "Infinity"].into_iter().find(|word| rest[at..].starts_with(word));
        let Some(word) = word else {
            out.push_str(&rest[..=at]);
            rest = &rest[at + 1..];
            continue;
        };
        let before = rest[..at].strip_suffix('-').unwrap_or(&rest[..at]);
        out.push_str(before);
        out.push_str("null");
        mended.not_a_number = true;
        rest = &rest[at + word.len()..];
    }
    out.push_str(rest);
}

/// The inside of a string.
fn string(text: &str, out: &mut String, mended: &mut Mended) {
    let mut rest = text;
    loop {
        // Nearly all of it needs nothing, and is taken as it is.
        let plain = rest.bytes().position(|byte| byte == b'\\' || byte < b' ').unwrap_or(rest.len());
        out.push_str(&rest[..plain]);
        rest = &rest[plain..];
        let mut chars = rest.chars();
        rest = match (chars.next(), chars.next()) {
            (Some('\\'), Some('u')) => &rest[escape(rest, out, mended)..],
            (Some('\\'), Some(kind)) => {
                let length = 1 + kind.len_utf8();
                out.push_str(&rest[..length]);
                &rest[length..]
            }
            (Some(control), _) if control < ' ' => {
                out.push_str(if control < '\u{10}' { "\\u000" } else { "\\u001" });
                out.extend(char::from_digit(u32::from(control) % 16, 16));
                mended.unescaped = true;
                &rest[1..]
            }
            // The end, or a lone backslash there.
            _ => return,
        };
    }
}

/// A character as `\u` and four digits, or two such halves of one: how many bytes of it are done.
fn escape(text: &str, out: &mut String, mended: &mut Mended) -> usize {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6).filter(|escape| escape.starts_with("\\u"))?;
        u16::from_str_radix(&digits[2..], 16).ok()
    };
    match (unit(0), unit(6)) {
        (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => {
            out.push_str(&text[..12]);
            12
        }
        (Some(0xD800..=0xDFFF), _) => {
            out.push('\u{fffd}');
            mended.not_a_character = true;
            6
        }
        _ => {
            out.push_str("\\u");
            2
        }
    }
}
