//! A stretch of entries in a buffer of fixed capacity, in the order of their ids.

use std::ops::Range;

use memchr::memmem::{self, Finder};
use zeroize::Zeroize;

use super::entry::DEAD;

/// Entries, one after the other, each as long as until the next one begins; what it does not need is dead.
pub struct Segment {
    /// As long as its capacity, from the first day on.
    text: Vec<u8>,
    /// So much of it is in use.
    used: usize,
    /// So much of that is dead.
    dead: usize,
    starts: Vec<u32>,
    ids: Vec<i64>,
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl Segment {
    pub fn new(capacity: usize) -> Segment {
        // Zeroed by the system, and not in memory before it is written.
        Segment { text: vec![0; capacity], used: 0, dead: 0, starts: Vec::new(), ids: Vec::new() }
    }

    pub fn capacity(&self) -> usize {
        self.text.len()
    }

    pub fn used(&self) -> usize {
        self.used
    }

    /// In use, and not dead.
    pub fn living(&self) -> usize {
        self.used - self.dead
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub fn first(&self) -> Option<i64> {
        self.ids.first().copied()
    }

    pub fn last(&self) -> Option<i64> {
        self.ids.last().copied()
    }

    /// Bytes of memory.
    pub fn size(&self) -> usize {
        self.used + self.starts.capacity() * size_of::<u32>() + self.ids.capacity() * size_of::<i64>()
    }

    pub fn holds(&self, bytes: &[u8]) -> bool {
        memmem::find(&self.text, bytes).is_some()
    }

    /// Puts an entry in the place of the one with this id, or where one is to be. False: there is no room.
    pub fn put(&mut self, id: i64, entry: &[u8]) -> bool {
        match self.ids.binary_search(&id) {
            Ok(at) => self.replace(at, entry),
            Err(at) => self.insert(at, id, entry),
        }
    }

    fn replace(&mut self, at: usize, entry: &[u8]) -> bool {
        let mut place = self.place(at);
        if entry.len() > place.len() {
            if self.living() - self.living_of(at) + entry.len() > self.capacity() {
                return false;
            }
            if self.used + entry.len() - place.len() > self.capacity() {
                self.squeeze();
                place = self.place(at);
            }
            let more = entry.len() - place.len();
            self.shift(place.end, more);
            self.move_starts(at + 1, more);
            self.dead += more;
            place.end += more;
        }
        self.dead -= place.len() - self.living_of_place(&place);
        self.fill(place, entry);
        true
    }

    fn insert(&mut self, at: usize, id: i64, entry: &[u8]) -> bool {
        if self.living() + entry.len() > self.capacity() {
            return false;
        }
        if self.used + entry.len() > self.capacity() {
            self.squeeze();
        }
        let start = self.starts.get(at).map_or(self.used, |start| *start as usize);
        self.shift(start, entry.len());
        self.move_starts(at, entry.len());
        self.make_room();
        self.starts.insert(at, small(start));
        self.ids.insert(at, id);
        self.fill(start..start + entry.len(), entry);
        true
    }

    /// Numbers are added one by one: twice the room at a time would be too much of it.
    fn make_room(&mut self) {
        if self.ids.len() == self.ids.capacity() {
            let more = (self.ids.len() / 8).max(16);
            self.ids.reserve_exact(more);
            self.starts.reserve_exact(more);
        }
    }

    /// Overwrites the entry with this id. False: there is none.
    pub fn remove(&mut self, id: i64) -> bool {
        let Ok(at) = self.ids.binary_search(&id) else { return false };
        let place = self.place(at);
        self.dead += self.living_of_place(&place);
        self.text[place.clone()].fill(DEAD);
        self.starts.remove(at);
        self.ids.remove(at);
        if at == self.ids.len() {
            // The last one: what was its place is free again.
            self.used = place.start;
            self.dead -= place.len();
        }
        true
    }

    /// Closes the gaps. What is free after that is overwritten.
    pub fn squeeze(&mut self) {
        let mut end = 0;
        for at in 0..self.ids.len() {
            let place = self.place(at);
            let living = place.start..place.start + self.living_of_place(&place);
            self.starts[at] = small(end);
            self.text.copy_within(living.clone(), end);
            end += living.len();
        }
        self.text[end..self.used].fill(DEAD);
        self.used = end;
        self.dead = 0;
    }

    /// The upper half of the entries, in a segment of their own. They are overwritten here.
    pub fn split(&mut self) -> Segment {
        self.squeeze();
        let half = self.ids.len() / 2;
        let start = self.starts.get(half).map_or(self.used, |start| *start as usize);
        let mut upper = Segment::new(self.capacity());
        upper.text[..self.used - start].copy_from_slice(&self.text[start..self.used]);
        upper.used = self.used - start;
        upper.starts = self.starts[half..].iter().map(|at| at - small(start)).collect();
        upper.ids = self.ids[half..].to_vec();
        self.text[start..self.used].fill(DEAD);
        self.used = start;
        self.starts.truncate(half);
        self.ids.truncate(half);
        upper
    }

    /// Takes in the entries of another one, whose ids are all higher. They fit.
    pub fn append(&mut self, other: &Segment) {
        self.squeeze();
        for (at, id) in other.ids.iter().enumerate() {
            self.put(*id, other.entry(at));
        }
    }

    pub fn wipe(&mut self) {
        self.text[..self.used].zeroize();
        self.used = 0;
        self.dead = 0;
        self.starts.clear();
        self.ids.clear();
    }

    /// Hands over each entry with an id below another that has this text, the lowest id first. It ends with
    /// the first false.
    pub fn each(&self, text: &Finder, below: Option<i64>, mut see: impl FnMut(i64, &[u8]) -> bool) {
        let count = below.map_or(self.ids.len(), |below| self.ids.partition_point(|id| *id < below));
        let end = self.starts.get(count).map_or(self.used, |start| *start as usize);
        let mut from = 0;
        let mut next = 0;
        while let Some(found) = self.text.get(from..end).and_then(|rest| text.find(rest)) {
            let hit = from + found;
            next += self.starts[next..count].partition_point(|start| *start as usize <= hit);
            let Some(at) = next.checked_sub(1) else { return };
            if !see(self.ids[at], self.entry(at)) {
                return;
            }
            from = self.place(at).end;
        }
    }

    /// Hands over each place where a text stands: the entry, its id, and how far in it.
    pub fn each_place(&self, text: &Finder, mut see: impl FnMut(i64, &[u8], usize) -> bool) {
        let mut from = 0;
        let mut next = 0;
        while let Some(found) = self.text.get(from..self.used).and_then(|rest| text.find(rest)) {
            let hit = from + found;
            next += self.starts[next..].partition_point(|start| *start as usize <= hit);
            let Some(at) = next.checked_sub(1) else { return };
            if !see(self.ids[at], self.entry(at), hit - self.starts[at] as usize) {
                return;
            }
            from = hit + 1;
        }
    }

    /// An entry without what is dead behind it.
    fn entry(&self, at: usize) -> &[u8] {
        let place = self.place(at);
        let end = place.start + self.living_of_place(&place);
        &self.text[place.start..end]
    }

    fn place(&self, at: usize) -> Range<usize> {
        let end = self.starts.get(at + 1).map_or(self.used, |next| *next as usize);
        self.starts[at] as usize..end
    }

    fn living_of(&self, at: usize) -> usize {
        self.living_of_place(&self.place(at))
    }

    fn living_of_place(&self, place: &Range<usize>) -> usize {
        self.text[place.clone()].iter().rposition(|byte| *byte != DEAD).map_or(0, |last| last + 1)
    }

    /// Writes an entry into a place that counts as living, and marks the rest of it as dead.
    fn fill(&mut self, place: Range<usize>, entry: &[u8]) {
        let (living, rest) = self.text[place].split_at_mut(entry.len());
        living.copy_from_slice(entry);
        rest.fill(DEAD);
        self.dead += rest.len();
    }

    /// Makes room in the middle. It is dead until it is filled.
    fn shift(&mut self, at: usize, by: usize) {
        self.text.copy_within(at..self.used, at + by);
        self.text[at..at + by].fill(DEAD);
        self.used += by;
    }

    fn move_starts(&mut self, from: usize, by: usize) {
        let by = small(by);
        self.starts.iter_mut().skip(from).for_each(|start| *start += by);
    }
}

/// A place in a segment, all of which are small.
fn small(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
