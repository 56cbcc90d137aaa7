//! "Did you mean": users who are called nearly as was asked.
//!
//! Whatever is within k edits of a text has one of k + 1 pieces of it unchanged, near its place. So only
//! entries with such a piece are compared, a small part of all. A swap of two letters at a seam changes two
//! pieces at once: one piece more per seam, with these letters swapped, is looked for.

use std::collections::HashMap;
use std::ops::Range;

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use zeroize::Zeroizing;

use super::distance::Comparing;
use super::entry::{Field, MARK, Names};
use super::query::Query;
use super::segment::Segment;
use crate::model::UserId;

/// So many texts are compared for each piece.
const COMPARED_MAX: usize = 3_000;
/// In so many places it is looked whether it stands where it should.
const PLACES_MAX: usize = 30_000;

/// Somebody who is called nearly so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Near {
    pub distance: usize,
    pub id: UserId,
}

/// Edits that are looked over in a text of so many letters.
fn edits(letters: usize) -> usize {
    match letters {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

/// A part of what was asked that has to be found unchanged.
struct Piece {
    finder: Finder<'static>,
    /// How many letters stand before it.
    at: usize,
    places: usize,
    compared: usize,
}

impl Piece {
    fn is_done(&self) -> bool {
        self.places >= PLACES_MAX || self.compared >= COMPARED_MAX
    }
}

/// What was asked, as letters.
struct Asked {
    letters: Zeroizing<Vec<char>>,
    /// Edits in all.
    edits: usize,
    /// Edits in what the pieces are of.
    edits_of_pieces: usize,
    is_address: bool,
    is_one_word: bool,
}

impl Asked {
    fn new(query: &Query) -> (Asked, Range<usize>) {
        let letters: Zeroizing<Vec<char>> = Zeroizing::new(query.text().chars().collect());
        // Of an address the name before the @: the rest is everybody's.
        let at = letters.iter().position(|c| *c == '@').filter(|at| *at > 0);
        let local = at.unwrap_or(letters.len());
        let asked = Asked {
            edits: edits(letters.len()),
            edits_of_pieces: edits(local),
            is_address: at.is_some(),
            is_one_word: query.is_one_word(),
            letters,
        };
        (asked, 0..local)
    }

    /// The pieces.
    fn pieces(&self, of: Range<usize>) -> Vec<Piece> {
        let letters = &self.letters[of];
        let count = self.edits_of_pieces + 1;
        let seam = |n: usize| n * letters.len() / count;
        let piece = |letters: &[char], at: usize| {
            let text: Zeroizing<String> = Zeroizing::new(letters.iter().collect());
            Piece { finder: Finder::new(text.as_str()).into_owned(), at, places: 0, compared: 0 }
        };
        let mut pieces: Vec<Piece> =
            (0..count).map(|n| piece(&letters[seam(n)..seam(n + 1)], seam(n))).collect();
        for n in 1..count {
            let mut swapped = Zeroizing::new(letters.to_vec());
            swapped.swap(seam(n) - 1, seam(n));
            // That one of the two beside the seam that the next seam does not touch.
            let which = if n == 1 { 0 } else { n };
            pieces.push(piece(&swapped[seam(which)..seam(which + 1)], seam(which)));
        }
        pieces
    }

    /// The least distance of the texts around a place in an entry that have the piece where it should be.
    fn least(&self, entry: &[u8], at: usize, piece: &mut Piece, comparing: &mut Comparing) -> Option<usize> {
        piece.places += 1;
        let field = memrchr(MARK, &entry[..at]).map_or(0, |mark| mark + 1);
        let mut least = None;
        let word =
            memrchr(b' ', &entry[field..at]).filter(|_| self.is_one_word).map(|space| field + space + 1);
        for start in [Some(field), word].into_iter().flatten() {
            let before = entry[start..at].iter().filter(|byte| **byte & 0xc0 != 0x80).count();
            if before.abs_diff(piece.at) > self.edits_of_pieces {
                continue;
            }
            let rest = &entry[start..];
            let whole = memchr(MARK, rest).unwrap_or(rest.len());
            let local = memrchr(b'@', &rest[..whole]).filter(|_| !self.is_address);
            let first = memchr(b' ', &rest[..whole]).filter(|_| self.is_one_word);
            for end in [Some(whole), local, first].into_iter().flatten() {
                let Ok(text) = std::str::from_utf8(&rest[..end]) else { continue };
                piece.compared += 1;
                let distance = comparing.distance(&self.letters, text, self.edits);
                least = [least, distance].into_iter().flatten().min();
            }
        }
        least
    }
}

/// Up to `limit` users who are called nearly so.
pub fn search(segments: &[Segment], query: &Query, limit: usize) -> Vec<Near> {
    let (asked, of) = Asked::new(query);
    if asked.edits == 0 {
        return Vec::new();
    }
    let mut pieces = asked.pieces(of);
    let mut found: HashMap<i64, usize> = HashMap::new();
    let mut comparing = Comparing::default();
    // All pieces in one segment, then the next: it is in the processor's cache after the first.
    for segment in segments.iter().rev() {
        for piece in pieces.iter_mut().filter(|piece| !piece.is_done()) {
            let finder = piece.finder.clone();
            segment.each_place(&finder, |id, entry, at| {
                if let Some(distance) = asked.least(entry, at, piece, &mut comparing) {
                    let least = found.entry(id).or_insert(distance);
                    *least = distance.min(*least);
                }
                !piece.is_done()
            });
        }
    }
    let found = found.into_iter().map(|(id, distance)| Near { distance, id: UserId(id) });
    best(found.collect(), limit)
}

/// The field of a user that is nearest to what was asked, if one is near at all.
pub fn nearest(query: &Query, names: &Names) -> Option<Field> {
    let (asked, _) = Asked::new(query);
    let mut comparing = Comparing::default();
    let mut nearest: Option<(usize, Field)> = None;
    for (field, text, _) in names.folded().filter(|_| asked.edits > 0) {
        let local = text.rfind('@').filter(|_| !asked.is_address).map(|at| &text[..at]);
        let words = text.split(' ').filter(|_| asked.is_one_word);
        let units = [Some(text.as_str()), local].into_iter().flatten().chain(words);
        let distance = units.filter_map(|unit| comparing.distance(&asked.letters, unit, asked.edits)).min();
        if let Some(distance) = distance
            && nearest.is_none_or(|(other, _)| distance < other)
        {
            nearest = Some((distance, field));
        }
    }
    nearest.map(|(_, field)| field)
}

/// The nearest of them, of equal ones the newest.
pub fn best(mut found: Vec<Near>, limit: usize) -> Vec<Near> {
    found.sort_by_key(|near| (near.distance, std::cmp::Reverse(near.id)));
    found.truncate(limit);
    found
}
