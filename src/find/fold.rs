//! The form in which texts are compared: the same for what is stored and for what is asked.

use std::borrow::Cow;
use std::sync::LazyLock;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use zeroize::Zeroizing;

/// Without letter case, without variants of width and shape, without marks on Latin, Greek and Cyrillic
/// letters, without characters that are not seen, and with one space where there is any: `Straße` and
/// `STRASSE`, `Björn` and `bjorn`, `ＡＮＮ` and `ann` are one.
///
/// Marks are dropped, for people who look for Björn type bjorn. In other scripts they make other letters.
pub fn fold(text: &str) -> Zeroizing<String> {
    let mut folded = Zeroizing::new(String::with_capacity(text.len() + text.len() / 2));
    if text.is_ascii() {
        tidy(text.chars().map(|c| c.to_ascii_lowercase()), &mut folded);
        return folded;
    }
    if let Some(simple) = letter_by_letter(text) {
        tidy(simple.chars(), &mut folded);
        return folded;
    }
    tidy(as_a_whole(text).chars(), &mut folded);
    folded
}

/// What each of the letters that most names are written with is folded to, whatever stands beside it.
static SIMPLE: LazyLock<Vec<Option<Box<str>>>> = LazyLock::new(|| {
    let simple = |code: u32| {
        let letter = char::from_u32(code).filter(|c| c.is_alphabetic())?;
        let folded = as_a_whole(letter.encode_utf8(&mut [0; 4]));
        let is_simple = !folded.is_empty() && folded.chars().all(|c| c.is_alphanumeric() && !is_mark(c));
        is_simple.then(|| folded.as_str().into())
    };
    (0..0x530).map(simple).collect()
});

/// The same without looking at what stands beside a letter, which takes a sixth of the time. None: it
/// matters here.
fn letter_by_letter(text: &str) -> Option<Zeroizing<String>> {
    let mut folded = Zeroizing::new(String::with_capacity(2 * text.len()));
    for c in text.chars() {
        if c.is_ascii() {
            folded.push(c.to_ascii_lowercase());
        } else {
            folded.push_str(SIMPLE.get(c as usize)?.as_deref()?);
        }
    }
    Some(folded)
}

fn as_a_whole(text: &str) -> Zeroizing<String> {
    let decomposing = DecomposingNormalizer::new_nfkd();
    let taken_apart = own(decomposing.normalize(text));
    let lower = own(CaseMapper::new().fold_string(&taken_apart));
    let taken_apart = own(decomposing.normalize(&lower));
    let mut bare = Zeroizing::new(String::with_capacity(taken_apart.len()));
    bare.extend(Bare { text: taken_apart.chars(), is_bare: false });
    own(ComposingNormalizer::new_nfkc().normalize(&bare))
}

fn own(text: Cow<'_, str>) -> Zeroizing<String> {
    Zeroizing::new(text.into_owned())
}

/// What is no mark of a letter that has none here.
struct Bare<I> {
    text: I,
    /// Whether the last letter is one without marks.
    is_bare: bool,
}

impl<I: Iterator<Item = char>> Iterator for Bare<I> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            let c = self.text.next()?;
            if is_unseen(c) || self.is_bare && is_mark(c) {
                continue;
            }
            self.is_bare = is_bare(c);
            return Some(c);
        }
    }
}

/// Spaces and what does not print, one after the other, become one space; none at either end.
fn tidy(text: impl Iterator<Item = char>, into: &mut String) {
    let mut is_apart = false;
    for c in text {
        if c.is_whitespace() || c.is_control() {
            is_apart = true;
            continue;
        }
        if is_apart && !into.is_empty() {
            into.push(' ');
        }
        is_apart = false;
        into.push(c);
    }
}

/// Latin, Greek and Cyrillic.
fn is_bare(c: char) -> bool {
    matches!(c,
        'a'..='z' | 'A'..='Z' | '\u{aa}' | '\u{ba}' | '\u{c0}'..='\u{2af}' | '\u{1d00}'..='\u{1dbf}'
        | '\u{1e00}'..='\u{1eff}' | '\u{2c60}'..='\u{2c7f}' | '\u{a720}'..='\u{a7ff}'
        | '\u{ab30}'..='\u{ab6f}'
        | '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}'
        | '\u{400}'..='\u{482}' | '\u{48a}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}'
        | '\u{a640}'..='\u{a66e}' | '\u{a680}'..='\u{a69b}')
}

/// Combining marks that those scripts share.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{2de0}'..='\u{2dff}' | '\u{a66f}'..='\u{a67d}'
        | '\u{a69e}'..='\u{a69f}' | '\u{fe20}'..='\u{fe2f}')
}

/// Characters that come along when a text is copied, and that nobody sees: they join, hyphenate, or say
/// in which direction is written.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e0fff}')
}
