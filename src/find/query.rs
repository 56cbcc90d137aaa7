//! What is looked for, and how well it is found.

use memchr::memmem::Finder;
use zeroize::Zeroizing;

use super::entry::{Entry, Field, MARK, Names};
use super::fold::fold;

/// Words of a query.
pub const WORDS_MAX: usize = 10;

/// Where a word stands: the first is the best. Of several words, the worst place counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// A field begins with it.
    Start,
    /// A word of a field begins with it.
    Word,
    /// Within a word.
    Inside,
}

impl Tier {
    pub const ALL: [Tier; 3] = [Tier::Start, Tier::Word, Tier::Inside];
}

/// Words, folded, each of which has to be found.
pub struct Query {
    /// The whole of it.
    text: Zeroizing<String>,
    /// The longest first, for it has the fewest hits.
    words: Vec<Word>,
}

struct Word {
    text: Zeroizing<String>,
    finder: Finder<'static>,
}

impl Query {
    /// None: nothing is left of it once it is folded.
    pub fn new(text: &str) -> Option<Query> {
        let text = fold(text);
        let mut words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        words.sort_unstable_by_key(|word| (std::cmp::Reverse(word.len()), *word));
        words.dedup();
        let words = words.into_iter().map(|word| Word {
            text: Zeroizing::new(word.to_owned()),
            finder: Finder::new(word).into_owned(),
        });
        let words: Vec<Word> = words.collect();
        (!words.is_empty()).then_some(Query { text, words })
    }

    /// Whether it has more words than are looked for.
    pub fn has_too_many_words(&self) -> bool {
        self.words.len() > WORDS_MAX
    }

    /// All of it, folded.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_one_word(&self) -> bool {
        self.words.len() == 1
    }

    pub(super) fn words(&self) -> usize {
        self.words.len()
    }

    /// By which entries are found.
    pub(super) fn longest(&self) -> &Finder<'static> {
        // ok: `new` makes none without a word
        &self.words[0].finder
    }

    /// The longest where a field begins with it.
    pub(super) fn at_start(&self) -> Zeroizing<Vec<u8>> {
        let word = self.words[0].text.as_bytes();
        let mut bytes = Zeroizing::new(Vec::with_capacity(word.len() + 1));
        bytes.push(MARK);
        bytes.extend_from_slice(word);
        bytes
    }

    /// How well an entry has it. None: not all of its words.
    pub(super) fn tier(&self, entry: &[u8]) -> Option<Tier> {
        let mut worst = Tier::Start;
        for word in &self.words {
            worst = worst.max(best(entry, word)?);
        }
        Some(worst)
    }

    /// How well a user has it, as the buffer would tell.
    pub fn matches(&self, names: &Names) -> Option<Tier> {
        self.tier(&Entry::of(names).bytes)
    }

    /// In which fields some of its words stand, and how well. A field that is it as a whole is said to be.
    pub fn where_in(&self, names: &Names) -> Vec<(Field, Option<Tier>)> {
        let mut found = Vec::new();
        for (field, text, _) in names.folded() {
            if text.as_str() == self.text.as_str() {
                found.push((field, None));
                continue;
            }
            let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
            bytes.push(MARK);
            bytes.extend_from_slice(text.as_bytes());
            let tiers = self.words.iter().filter_map(|word| best(&bytes, word));
            found.extend(tiers.min().map(|tier| (field, Some(tier))));
        }
        found
    }
}

/// The best place of a word in an entry.
fn best(entry: &[u8], word: &Word) -> Option<Tier> {
    let mut found: Option<Tier> = None;
    let mut from = 0;
    while let Some(at) = entry.get(from..).and_then(|rest| word.finder.find(rest)) {
        let tier = tier_at(entry, from + at);
        found = Some(found.map_or(tier, |other| other.min(tier)));
        if tier == Tier::Start {
            break;
        }
        // One further on may begin within this one.
        from += at + 1;
    }
    found
}

fn tier_at(entry: &[u8], at: usize) -> Tier {
    let before = entry.get(..at).unwrap_or_default();
    match before.last() {
        None | Some(&MARK) => Tier::Start,
        Some(byte) if byte.is_ascii() => {
            if byte.is_ascii_alphanumeric() {
                Tier::Inside
            } else {
                Tier::Word
            }
        }
        Some(_) => {
            let first = before.iter().rposition(|byte| byte & 0xc0 != 0x80).unwrap_or_default();
            let last = std::str::from_utf8(&before[first..]).ok().and_then(|text| text.chars().next());
            if last.is_some_and(char::is_alphanumeric) { Tier::Inside } else { Tier::Word }
        }
    }
}
