//! Searching bytes for what was somebody's: for the fragments of its pieces, see [`super::fragment`].

use std::collections::BTreeMap;
use std::ops::Range;

use super::fragment::{Fragment, SHORTEST, SearchKey, SearchTarget};
use super::layout::{self, MalformedPage, Spot};
use crate::model::JobId;

/// Found so often in living rows, a text is not one person's alone.
const COMMON: u32 = 16;
/// Places named in an error.
const PLACES: usize = 5;

/// What a search came to, for one job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Times it was found in rows of others: left, as it is theirs as well.
    pub mentions: u64,
    /// Where it was found in what should have nothing: the first few places.
    pub places: Vec<String>,
    /// What was searched for, and what of it was left out, as others have it, too.
    pub fragments: u64,
    pub common: u64,
    /// What is known to be there was found.
    pub sees: bool,
}

impl Found {
    /// The search is good, and nothing was found where nothing should be.
    pub fn is_clean(&self) -> bool {
        self.sees && self.places.is_empty()
    }
}

/// A search for the fragments of several jobs at once.
pub struct Scanner {
    key: SearchKey,
    /// A bit for each value of the low bits of a word's hash: most offsets end here.
    filter: Vec<u64>,
    mask: u64,
    /// Each once, in order.
    wanted: Vec<Wanted>,
    /// Whose they are: see [`Wanted::jobs`].
    jobs: Vec<JobId>,
    found: BTreeMap<JobId, Found>,
    /// Bytes looked at.
    bytes: u64,
}

/// A fragment that some jobs have.
struct Wanted {
    fragment: Fragment,
    planted: bool,
    jobs: Range<usize>,
    /// Times it was seen in living rows.
    seen: u32,
}

impl Scanner {
    pub fn new(key: SearchKey, fragments: &[SearchTarget]) -> Scanner {
        let bits = (fragments.len() * 64).next_power_of_two().max(1 << 16);
        let mut scanner = Scanner {
            key,
            filter: vec![0; bits / 64],
            mask: bits as u64 - 1,
            wanted: Vec::new(),
            jobs: Vec::with_capacity(fragments.len()),
            found: BTreeMap::new(),
            bytes: 0,
        };
        let mut all: Vec<&SearchTarget> = fragments.iter().collect();
        all.sort_unstable_by_key(|sought| (sought.fragment, sought.planted));
        for same in all.chunk_by(|one, other| (one.fragment, one.planted) == (other.fragment, other.planted))
        {
            let SearchTarget { fragment, planted, .. } = *same[0];
            let bit = fragment.word.cast_unsigned() & scanner.mask;
            scanner.filter[(bit / 64) as usize] |= 1 << (bit % 64);
            let first = scanner.jobs.len();
            scanner.jobs.extend(same.iter().map(|sought| sought.job));
            scanner.wanted.push(Wanted { fragment, planted, jobs: first..scanner.jobs.len(), seen: 0 });
        }
        scanner
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// So many bytes were looked at otherwise.
    pub fn skip(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    pub fn into_found(mut self) -> BTreeMap<JobId, Found> {
        for wanted in &self.wanted {
            for job in &self.jobs[wanted.jobs.clone()] {
                let found = self.found.entry(*job).or_default();
                if wanted.planted {
                    found.sees = wanted.seen > 0;
                } else if wanted.seen >= COMMON {
                    found.common += 1;
                } else {
                    found.fragments += 1;
                    found.mentions += u64::from(wanted.seen);
                }
            }
        }
        self.found
    }

    /// Searches a page of the database or of a frame of its WAL, which is what it looks like.
    pub fn page(&mut self, number: u32, bytes: &[u8], is_free: impl FnOnce() -> bool, of: &str) {
        self.page_with(number, bytes, |offset| layout::spot(bytes, number, offset), is_free, of);
    }

    /// The same for one that is of no b-tree, whatever it looks like.
    pub fn other_page(&mut self, number: u32, bytes: &[u8], is_free: impl FnOnce() -> bool, of: &str) {
        self.page_with(number, bytes, |_| Ok(Spot::Other), is_free, of);
    }

    fn page_with(
        &mut self,
        number: u32,
        bytes: &[u8],
        spot: impl Fn(usize) -> Result<Spot, MalformedPage>,
        is_free: impl FnOnce() -> bool,
        of: &str,
    ) {
        let mut hits = self.hits(bytes);
        if number == 1 {
            // SQLite's own words, whatever row has them, too.
            hits.retain(|(offset, _)| *offset >= layout::FILE_HEADER);
        }
        if hits.is_empty() {
            return;
        }
        let is_free = is_free();
        for (offset, index) in hits {
            let place = match spot(offset) {
                _ if is_free => Some("freelist page"),
                Ok(Spot::Cell | Spot::Other) => None,
                Ok(spot) => Some(spot.name()),
                Err(_) => Some("which is not as SQLite writes it"),
            };
            match place {
                None => self.wanted[index].seen += 1,
                Some(place) => self.name_place(index, &format!("{of}, page {number}, {place}")),
            }
        }
    }

    /// Searches bytes of a file in which nothing of anybody should be; the first of them is
    /// the file's byte `from`. What lies in two pieces of the file is named once.
    pub fn bytes_of(&mut self, bytes: &[u8], from: u64, of: &str) {
        for (offset, index) in self.hits(bytes) {
            self.name_place(index, &format!("{of}, at byte {}", from + offset as u64));
        }
    }

    /// Looks for names in a text of somebody's row; `tell` hears of each place, once for each job
    /// but these. A name is found as a whole word, whatever its case.
    pub fn mentions_in(&mut self, text: &str, not_for: &[JobId], mut tell: impl FnMut(JobId)) {
        let folded = text.to_lowercase();
        let bytes = folded.as_bytes();
        self.bytes += bytes.len() as u64;
        for (offset, word) in bytes.windows(SHORTEST).enumerate() {
            let Some(word) = word.first_chunk::<SHORTEST>() else { break };
            if !begins_word(bytes, offset) {
                continue;
            }
            for (index, length) in self.at(*word, &bytes[offset..]) {
                if ends_word(bytes, offset + length) {
                    let jobs = self.jobs[self.wanted[index].jobs.clone()].iter();
                    jobs.filter(|job| !not_for.contains(job)).for_each(|job| tell(*job));
                }
            }
        }
    }

    /// What of the wanted stands at the beginning of these bytes: its index and length.
    fn at(&self, word: [u8; SHORTEST], bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let hash = self.key.word(word);
        let bit = hash.cast_unsigned() & self.mask;
        if self.filter[(bit / 64) as usize] & (1 << (bit % 64)) == 0 {
            return found;
        }
        let mut from = self.wanted.partition_point(|wanted| wanted.fragment.word < hash);
        while let Some(length) =
            self.wanted.get(from).filter(|w| w.fragment.word == hash).map(|w| w.fragment.length)
        {
            let alike = |wanted: &Wanted| (wanted.fragment.word, wanted.fragment.length) == (hash, length);
            let until = from + self.wanted[from..].partition_point(alike);
            if let Some(whole) = bytes.get(..usize::from(length)) {
                let digest = self.key.whole(whole);
                let same = &self.wanted[from..until];
                if let Ok(at) = same.binary_search_by_key(&digest, |wanted| wanted.fragment.digest) {
                    found.push((from + at, usize::from(length)));
                }
            }
            from = until;
        }
        found
    }

    /// It was found where nothing should be.
    fn name_place(&mut self, index: usize, place: &str) {
        let wanted = &self.wanted[index];
        if wanted.planted {
            return;
        }
        for job in &self.jobs[wanted.jobs.clone()] {
            let places = &mut self.found.entry(*job).or_default().places;
            if places.len() < PLACES && !places.iter().any(|known| known == place) {
                places.push(place.to_owned());
            }
        }
    }

    /// Offsets, each with the index of what was found there. The fragments with one word are
    /// told apart by length and digest: many may begin alike.
    fn hits(&mut self, bytes: &[u8]) -> Vec<(usize, usize)> {
        self.bytes += bytes.len() as u64;
        let mut hits = Vec::new();
        for (offset, word) in bytes.windows(SHORTEST).enumerate() {
            let Some(word) = word.first_chunk::<SHORTEST>() else { break };
            // Zeroes fill most of what is free.
            if *word == [0; SHORTEST] {
                continue;
            }
            let found = self.at(*word, &bytes[offset..]);
            hits.extend(
                found
                    .into_iter()
                    .filter(|(index, _)| self.wanted[*index].seen < COMMON)
                    .map(|(index, _)| (offset, index)),
            );
        }
        hits
    }
}

/// What a name is made of; any letter that is not ASCII is part of one.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// No word goes on here. `\\n` in JSON and `%20` in an address end one, though they end in a letter
/// or digit themselves.
fn begins_word(bytes: &[u8], at: usize) -> bool {
    let back = |n: usize| at.checked_sub(n).map(|at| bytes[at]);
    let inside = back(1).is_some_and(is_word) && is_word(bytes[at]);
    !inside || back(2) == Some(b'\\') || back(3) == Some(b'%')
}

fn ends_word(bytes: &[u8], end: usize) -> bool {
    let (last, next) = (bytes[end - 1], bytes.get(end).copied());
    !(is_word(last) && next.is_some_and(is_word))
}
