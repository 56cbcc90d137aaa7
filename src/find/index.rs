//! The names of one project's users.

use std::cmp::Reverse;
use std::collections::HashSet;

use memchr::memmem::Finder;

use super::entry::{Entry, Names};
use super::near::{self, Near};
use super::query::{Query, Tier};
use super::segment::Segment;
use crate::model::UserId;

/// What a segment of a large project takes. Small enough to be moved about within microseconds.
const CAPACITY: usize = 512 * 1024;
/// What the first of a project takes; each one after it twice as much as the one before.
const FIRST_CAPACITY: usize = 16 * 1024;
/// A page looks at so many entries that have a word in them, at most.
pub const HITS_MAX: usize = 100_000;

/// Where in the order of all hits a user stands: the best tier first, in it the newest user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub Tier, pub Reverse<UserId>);

/// Somebody who may match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    pub tier: Tier,
    pub id: UserId,
}

impl Hit {
    pub fn place(self) -> Place {
        Place(self.tier, Reverse(self.id))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub hits: Vec<Hit>,
    /// No user comes after them.
    pub is_last: bool,
    /// There were more hits than are looked at: some users are missing.
    pub is_truncated: bool,
}

#[derive(Default)]
pub struct Index {
    /// In the order of their ids. None is empty.
    segments: Vec<Segment>,
    /// Users whose names are too long to be indexed to their end.
    cut: HashSet<UserId>,
}

impl Index {
    /// The user has these names from now on.
    pub fn put(&mut self, id: UserId, names: &Names) {
        let entry = Entry::of(names);
        if entry.bytes.is_empty() {
            self.remove(id);
            return;
        }
        if entry.is_whole {
            self.cut.remove(&id);
        } else {
            self.cut.insert(id);
        }
        let at = match self.segments.last() {
            Some(last) if last.last().is_none_or(|last| id.0 > last) => {
                // The newest of all: they come in this order.
                if last.used() + entry.bytes.len() > filled(last.capacity()) {
                    let capacity = (last.capacity() * 2).min(CAPACITY);
                    self.segments.push(Segment::new(capacity));
                }
                self.segments.len() - 1
            }
            Some(_) => self.segment_of(id),
            None => {
                self.segments.push(Segment::new(FIRST_CAPACITY));
                0
            }
        };
        self.put_into(at, id, &entry);
    }

    fn put_into(&mut self, mut at: usize, id: UserId, entry: &Entry) {
        while !self.segments[at].put(id.0, &entry.bytes) {
            let upper = self.segments[at].split();
            let is_above = upper.first().is_some_and(|first| first <= id.0);
            self.segments.insert(at + 1, upper);
            at += usize::from(is_above);
        }
        self.tidy(at);
    }

    /// The user is no longer found.
    pub fn remove(&mut self, id: UserId) {
        self.cut.remove(&id);
        if self.segments.is_empty() {
            return;
        }
        let at = self.segment_of(id);
        if self.segments[at].remove(id.0) {
            self.tidy(at);
        }
    }

    pub fn clear(&mut self) {
        self.segments.clear();
        self.cut.clear();
    }

    /// Closes gaps where a quarter is dead, and joins what has become small.
    fn tidy(&mut self, at: usize) {
        let segment = &mut self.segments[at];
        if segment.is_empty() {
            self.segments.remove(at);
            return;
        }
        if (segment.used() - segment.living()) * 4 <= segment.used() {
            return;
        }
        segment.squeeze();
        if let Some([lower, upper]) = self.segments.get_mut(at..at + 2)
            && lower.living() + upper.living() <= lower.capacity() / 2
        {
            lower.append(upper);
            self.segments.remove(at + 1);
        }
    }

    /// The segment in which the user is, or would be.
    fn segment_of(&self, id: UserId) -> usize {
        let above =
            self.segments.partition_point(|segment| segment.first().is_some_and(|first| first <= id.0));
        above.saturating_sub(1)
    }

    /// Up to `limit` users behind a place.
    pub fn page(&self, query: &Query, after: Option<Place>, limit: usize) -> Page {
        let (tier, below) = after.map_or((Tier::Start, None), |Place(tier, id)| (tier, Some(id.0.0)));
        Scan { query, tier, below, limit, looked_at: 0, hits: Tier::ALL.map(|_| Vec::new()) }
            .run(&self.segments)
    }

    /// Users with similar names.
    pub fn near(&self, query: &Query, limit: usize) -> Vec<Near> {
        near::search(&self.segments, query, limit)
    }

    /// Those in one of whose names a text stands. None: it cannot be told, or they are too many.
    pub fn containing(&self, text: &str, most: usize) -> Option<Vec<UserId>> {
        if !self.cut.is_empty() {
            return None;
        }
        let (text, mut found) = (text.to_ascii_lowercase(), Vec::new());
        let finder = Finder::new(&text);
        for segment in &self.segments {
            segment.each(&finder, None, |id, _| {
                found.push(UserId(id));
                found.len() <= most
            });
            if found.len() > most {
                return None;
            }
        }
        Some(found)
    }

    pub fn holds(&self, bytes: &[u8]) -> bool {
        self.segments.iter().any(|segment| segment.holds(bytes))
    }

    pub fn size(&self) -> usize {
        self.segments.iter().map(Segment::size).sum()
    }
}

/// Who comes last goes into a new segment once the last one is filled so far: entries grow.
fn filled(capacity: usize) -> usize {
    capacity / 8 * 7
}

/// One look at the buffer for a page.
struct Scan<'a> {
    query: &'a Query,
    /// The first tier that is asked for.
    tier: Tier,
    /// In it, only these.
    below: Option<i64>,
    limit: usize,
    /// Words of entries.
    looked_at: usize,
    /// By tier, the newest user first.
    hits: [Vec<Hit>; 3],
}

impl Scan<'_> {
    fn run(mut self, segments: &[Segment]) -> Page {
        // Fields that begin with the query are looked for by themselves. Most searches end with these, and
        // however many others there are, none of these is cut off.
        let starts = (self.tier == Tier::Start && self.query.is_one_word()).then(|| self.query.at_start());
        let starts = starts.as_ref().map(|text| Finder::new(&***text));
        let mut is_cut = false;
        for segment in segments.iter().rev() {
            if let Some(finder) = &starts {
                self.add_starts(segment, finder);
            }
            if self.is_full() {
                break;
            }
            is_cut = self.is_over();
            if !is_cut {
                self.add_all(segment, starts.is_some());
            } else if starts.is_none() {
                break;
            }
        }
        let is_truncated = is_cut && !self.is_full();
        let limit = self.limit;
        let hits: Vec<Hit> = self.hits.into_iter().flatten().take(limit).collect();
        let is_last = hits.len() < limit;
        Page { hits, is_last, is_truncated }
    }

    /// Whether nobody of a later tier comes onto the page.
    fn is_full(&self) -> bool {
        self.hits[self.tier as usize].len() >= self.limit
    }

    /// Whether enough was looked at.
    fn is_over(&self) -> bool {
        self.looked_at >= HITS_MAX
    }

    fn add(&mut self, found: Vec<Hit>) {
        for hit in found.into_iter().rev() {
            let hits = &mut self.hits[hit.tier as usize];
            if hits.len() < self.limit {
                hits.push(hit);
            }
        }
    }

    /// Whose field begins with the query.
    fn add_starts(&mut self, segment: &Segment, finder: &Finder) {
        let mut found = Vec::new();
        segment.each(finder, self.below, |id, _| {
            found.push(Hit { tier: Tier::Start, id: UserId(id) });
            true
        });
        self.add(found);
    }

    /// Everybody who has it, but for the tier that was looked for by itself.
    fn add_all(&mut self, segment: &Segment, without_starts: bool) {
        let mut found = Vec::new();
        // In the last tier nobody above the place is asked for any more.
        let bound = self.below.filter(|_| self.tier == Tier::Inside);
        // It is read to its end: its newest are there.
        segment.each(self.query.longest(), bound, |id, entry| {
            self.looked_at += self.query.words();
            let Some(tier) = self.query.tier(entry) else { return true };
            let is_asked_for = match tier {
                Tier::Start if without_starts => false,
                tier if tier == self.tier => self.below.is_none_or(|below| id < below),
                tier => tier > self.tier,
            };
            if is_asked_for {
                found.push(Hit { tier, id: UserId(id) });
            }
            true
        });
        self.add(found);
    }
}
