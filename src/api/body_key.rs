//! The texts of a body that may be its key, looked for before anything of the body is understood:
//! who has no good key is not worth more than one look along the bytes.
//!
//! Nothing is parsed here, and whether a text is the key is not said: one deep inside a message is
//! found as well. That is settled once one of them is known to open something. A name that is
//! written with escapes is not found; no client writes it so.

use memchr::{memchr, memmem};

/// So many places are looked at from the beginning, and from the end. A key stands before the
/// messages or behind them; between, messages may have fields of that name.
const FROM_AN_END: usize = 8;
/// Bytes of the longest text that may be a key, as it is written.
const LONGEST: usize = 512;

/// What may be the value of this field, each text once.
pub fn candidates(body: &[u8], field: &str) -> Vec<String> {
    let name = format!("\"{field}\"");
    let first = memmem::find_iter(body, &name).take(FROM_AN_END);
    let last = memmem::rfind_iter(body, &name).take(FROM_AN_END);
    let mut found = Vec::new();
    for at in first.chain(last) {
        match text(&body[at + name.len()..]) {
            Some(text) if !text.is_empty() && !found.contains(&text) => found.push(text),
            _ => {}
        }
    }
    found
}

/// The text behind a name: `: "text"`.
fn text(rest: &[u8]) -> Option<String> {
    let rest = behind_blank(rest).strip_prefix(b":")?;
    let rest = behind_blank(rest).strip_prefix(b"\"")?;
    // A key has no quote in it, so none is escaped.
    let end = memchr(b'"', &rest[..rest.len().min(LONGEST)])?;
    let text = std::str::from_utf8(&rest[..end]).ok()?;
    serde_json::from_str(&format!("\"{text}\"")).ok()
}

/// What follows blanks, and what broken bodies have in their place.
fn behind_blank(rest: &[u8]) -> &[u8] {
    let blank = rest.iter().take(LONGEST).take_while(|byte| b" \n\r\t,\0".contains(byte)).count();
    &rest[blank..]
}
