//! Whether a page is of a b-tree, told by who points to it.
//!
//! Below 128 GiB the first byte of a page tells: see [`super::layout`]. Above, an overflow page
//! may begin with the number of a page that looks like the first bytes of a b-tree page. Then a
//! page is taken for one of a b-tree only if the way from the root of one, along the first key
//! that it has, leads to it. All our keys are compared byte by byte and ascending, which a test
//! holds of the schema.
//!
//! Source: the SQLite file format, "B-tree Pages" and "Record Format".

use std::cmp::Ordering;

use super::layout::{FILE_HEADER, PAGE};

/// No way from a root is longer.
const DEPTH: usize = 20;
/// Pages that a key may be spread over at most: 1 MiB, more than any key of ours has.
const CHAIN: usize = 256;

const INDEX_INNER: u8 = 2;
const TABLE_INNER: u8 = 5;
const INDEX_LEAF: u8 = 10;
const TABLE_LEAF: u8 = 13;

/// A file of so many pages, and how one is read. None: it cannot be.
pub struct Trees<'a> {
    pub pages: u32,
    pub read: &'a dyn Fn(u32) -> Option<Vec<u8>>,
}

impl Trees<'_> {
    /// Whether it is a page of a b-tree.
    pub fn have(&self, number: u32, page: &[u8]) -> bool {
        let looks = is_like(number, page);
        if !looks || number == 1 || !self.may_be_a_number(page) {
            return looks;
        }
        let Some(wanted) = Node::of(number, page) else { return false };
        self.roots().is_some_and(|roots| roots.iter().any(|root| self.leads(*root, number, &wanted)))
    }

    /// Whether the page may be an overflow page as well, whose first bytes number the next.
    fn may_be_a_number(&self, page: &[u8]) -> bool {
        four(page, 0).is_some_and(|next| next <= self.pages)
    }

    fn node(&self, number: u32) -> Option<(Vec<u8>, u8)> {
        let page = (self.read)(number)?;
        let kind = *page.get(start_of(number))?;
        Some((page, kind))
    }

    fn leads(&self, root: u32, number: u32, wanted: &Node) -> bool {
        if root == number {
            return true;
        }
        let Some(key) = self.key(wanted, 0) else { return false };
        let mut here = root;
        for _ in 0..DEPTH {
            let Some((page, kind)) = self.node(here) else { return false };
            if is_index(kind) != is_index(wanted.kind) {
                return false;
            }
            if here == number {
                return true;
            }
            let Some(node) = Node::of(here, &page).filter(Node::is_inner) else { return false };
            let Some(next) = self.child(&node, &key) else { return false };
            here = next;
        }
        false
    }

    /// Where a key is below an inner page. None: it is in the page itself, or the page is not
    /// as it should be.
    fn child(&self, node: &Node, key: &Key) -> Option<u32> {
        let (mut low, mut high) = (0, node.cells);
        while low < high {
            let middle = usize::midpoint(low, high);
            match (self.key(node, middle)?.compare(key)?, key) {
                (Ordering::Less, _) => low = middle + 1,
                // The largest key of the left child stands in the cell once more.
                (Ordering::Equal, Key::Row(_)) | (Ordering::Greater, _) => high = middle,
                (Ordering::Equal, Key::Record(_)) => return None,
            }
        }
        match low == node.cells {
            true => four(node.page, node.start + 8),
            false => four(node.page, node.cell(low)?),
        }
    }

    fn key(&self, node: &Node, cell: usize) -> Option<Key> {
        let at = node.cell(cell)? + if node.is_inner() { 4 } else { 0 };
        match node.kind {
            TABLE_INNER => varint(node.page, at).map(|(row, _)| Key::Row(row)),
            TABLE_LEAF => {
                let (_, at) = varint(node.page, at)?;
                varint(node.page, at).map(|(row, _)| Key::Row(row))
            }
            _ => {
                let (length, at) = varint(node.page, at)?;
                self.payload(node.page, at, usize::try_from(length).ok()?, LOCAL).map(Key::Record)
            }
        }
    }

    /// The bytes of a record, from its page and those that it goes on in.
    fn payload(&self, page: &[u8], at: usize, length: usize, most: usize) -> Option<Vec<u8>> {
        let local = if length <= most {
            length
        } else {
            let some = LEAST + (length - LEAST) % (PAGE - 4);
            if some <= most { some } else { LEAST }
        };
        let mut bytes = page.get(at..at + local)?.to_vec();
        let mut next = if local < length { four(page, at + local)? } else { 0 };
        for _ in 0..CHAIN {
            if bytes.len() >= length {
                break;
            }
            let more = (self.read)(next).filter(|_| next != 0)?;
            let some = (length - bytes.len()).min(PAGE - 4);
            bytes.extend_from_slice(more.get(4..4 + some)?);
            next = four(&more, 0)?;
        }
        Some(bytes)
    }

    /// The first page of each table and index, the schema's own among them.
    fn roots(&self) -> Option<Vec<u32>> {
        let (mut roots, mut pages) = (vec![1], vec![1]);
        // The schema has some pages; more than all would be a circle.
        let mut left = self.pages;
        while let Some(number) = pages.pop() {
            left = left.checked_sub(1)?;
            let (page, _) = self.node(number)?;
            let node = Node::of(number, &page)?;
            for cell in 0..node.cells {
                let at = node.cell(cell)?;
                if node.kind == TABLE_INNER {
                    pages.push(four(&page, at)?);
                    continue;
                }
                let (length, at) = varint(&page, at)?;
                let (_, at) = varint(&page, at)?;
                let record = self.payload(&page, at, usize::try_from(length).ok()?, LOCAL_OF_TABLE)?;
                if let Some(Value::Number(root)) = values(&record)?.get(3)
                    && let Ok(root) = u32::try_from(*root)
                    && root > 0
                {
                    roots.push(root);
                }
            }
            if node.kind == TABLE_INNER {
                pages.push(four(&page, node.start + 8)?);
            }
        }
        Some(roots)
    }
}

/// Bytes of a record that stay in the page of an index, of a table, and of both at least.
const LOCAL: usize = (PAGE - 12) * 64 / 255 - 23;
const LOCAL_OF_TABLE: usize = PAGE - 35;
const LEAST: usize = (PAGE - 12) * 32 / 255 - 23;

fn is_like(number: u32, page: &[u8]) -> bool {
    let kind = page.get(start_of(number)).copied();
    matches!(kind, Some(INDEX_INNER | TABLE_INNER | INDEX_LEAF | TABLE_LEAF))
}

fn is_index(kind: u8) -> bool {
    matches!(kind, INDEX_INNER | INDEX_LEAF)
}

fn start_of(number: u32) -> usize {
    if number == 1 { FILE_HEADER } else { 0 }
}

/// A page, read as one of a b-tree.
struct Node<'a> {
    page: &'a [u8],
    start: usize,
    kind: u8,
    cells: usize,
}

impl Node<'_> {
    fn of(number: u32, page: &[u8]) -> Option<Node<'_>> {
        let start = start_of(number);
        let is_whole = page.len() == PAGE && is_like(number, page);
        is_whole.then(|| Node { page, start, kind: page[start], cells: two(page, start + 3) })
    }

    fn is_inner(&self) -> bool {
        matches!(self.kind, INDEX_INNER | TABLE_INNER)
    }

    /// Where a cell begins.
    fn cell(&self, index: usize) -> Option<usize> {
        let array = self.start + if self.is_inner() { 12 } else { 8 };
        let at = array + 2 * index;
        let is_there = index < self.cells && at + 2 <= PAGE;
        is_there.then(|| two(self.page, at)).filter(|at| (array..PAGE).contains(at))
    }
}

enum Key {
    Row(i64),
    Record(Vec<u8>),
}

impl Key {
    fn compare(&self, other: &Key) -> Option<Ordering> {
        match (self, other) {
            (Key::Row(one), Key::Row(other)) => Some(one.cmp(other)),
            (Key::Record(one), Key::Record(other)) => {
                let (one, other) = (values(one)?, values(other)?);
                let pairs = one.iter().zip(&other).map(|(one, other)| one.compare(other));
                Some(pairs.fold(Ordering::Equal, Ordering::then).then(one.len().cmp(&other.len())))
            }
            _ => None,
        }
    }
}

/// A column of a record, in the order of SQLite: nothing, numbers, texts, bytes.
enum Value<'a> {
    Nothing,
    /// A whole number as it is: rounding would make two keys one.
    Number(i128),
    Real(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
}

impl Value<'_> {
    fn rank(&self) -> u8 {
        match self {
            Value::Nothing => 0,
            Value::Number(_) | Value::Real(_) => 1,
            Value::Text(_) => 2,
            Value::Bytes(_) => 3,
        }
    }

    fn compare(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Number(one), Value::Number(other)) => one.cmp(other),
            (Value::Real(one), Value::Real(other)) => one.total_cmp(other),
            (Value::Number(one), Value::Real(other)) => (*one as f64).total_cmp(other),
            (Value::Real(one), Value::Number(other)) => one.total_cmp(&(*other as f64)),
            (Value::Text(one), Value::Text(other)) | (Value::Bytes(one), Value::Bytes(other)) => {
                one.cmp(other)
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// The columns of a record. None: it is not as it should be.
fn values(record: &[u8]) -> Option<Vec<Value<'_>>> {
    let (header, mut at) = varint(record, 0)?;
    let mut body = usize::try_from(header).ok()?;
    let end = body;
    let mut values = Vec::new();
    while at < end {
        let (kind, next) = varint(record, at)?;
        at = next;
        let length = match kind {
            0 | 8..=11 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            other => usize::try_from(other.checked_sub(12)?).ok()? / 2,
        };
        let bytes = record.get(body..body.checked_add(length)?)?;
        body += length;
        values.push(match kind {
            0 | 10 | 11 => Value::Nothing,
            8 => Value::Number(0),
            9 => Value::Number(1),
            7 => Value::Real(f64::from_be_bytes(bytes.try_into().ok()?)),
            1..=6 => {
                let first = if bytes.first().is_some_and(|first| first & 0x80 != 0) { -1 } else { 0 };
                Value::Number(bytes.iter().fold(first, |number, byte| number << 8 | i128::from(*byte)))
            }
            kind if kind % 2 == 0 => Value::Bytes(bytes),
            _ => Value::Text(bytes),
        });
    }
    Some(values)
}

fn two(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

fn four(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}

/// A number of 1 to 9 bytes, and where the next one begins.
fn varint(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut number: u64 = 0;
    for n in 0..9 {
        let byte = *bytes.get(at + n)?;
        if n == 8 {
            return Some(((number << 8 | u64::from(byte)).cast_signed(), at + 9));
        }
        number = number << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Some((number.cast_signed(), at + n + 1));
        }
    }
    None
}
