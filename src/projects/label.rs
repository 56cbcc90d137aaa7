//! Names that people give to projects, keys and themselves: they are read in lists, beside
//! others.

use crate::error::{Error, Place, Result};

/// [`Error::Invalid`] on `name` unless it has 1 to `most` characters, each of which stands
/// where it is written: none of them control, and none that turns the writing of what follows.
pub fn check(name: &str, most: usize) -> Result<()> {
    let length = name.chars().count();
    if (1..=most).contains(&length) && !name.chars().any(is_misleading) {
        return Ok(());
    }
    let message = format!("must have 1 to {most} characters and no control characters");
    Err(Error::invalid(Place::Body, "name", message))
}

/// A text with nothing in it that cannot be seen: characters that have no shape, end a line or turn the
/// direction of writing stand there by their number.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_misleading(c) {
            shown.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Controls, marks of direction, breaks of lines, and what has no width. Not the two joiners,
/// which some languages are written with.
pub fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}
