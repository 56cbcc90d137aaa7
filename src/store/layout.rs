//! The layout of SQLite's pages, as far as erasing needs it: which bytes of a page are
//! free, and so must be zero. Nothing in here reads or writes a file.
//!
//! Source: the SQLite file format, "B-tree Pages" and "The Freelist". A page whose first
//! byte is 2, 5, 10 or 13 is taken for a b-tree page: with `auto_vacuum` off the others,
//! overflow and freelist pages, begin with a page number, whose first byte is 0 or 1 up to 128
//! GiB. In a larger file [`super::kinds`] tells first.

use std::ops::Range;

/// Bytes of a page.
pub const PAGE: usize = 4_096;
/// Page 1 begins with the header of the file.
pub const FILE_HEADER: usize = 100;

/// What a place in a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Header, pointer array: numbers of SQLite's.
    Structure,
    /// Part of a row or an index entry.
    Cell,
    /// Between the pointer array and the cells.
    Gap,
    /// Left by a cell, to be used again.
    Freeblock,
    /// Of a page that is no b-tree page: overflow of a cell, or on the freelist.
    Other,
}

impl Spot {
    pub fn name(self) -> &'static str {
        match self {
            Spot::Structure => "page header",
            Spot::Cell => "cell",
            Spot::Gap => "gap",
            Spot::Freeblock => "free block",
            Spot::Other => "overflow or freelist page",
        }
    }
}

/// A b-tree page that does not keep to the format: it is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedPage(pub &'static str);

/// The free places of a b-tree page.
struct Free {
    gap: Range<usize>,
    /// Without their 4 bytes of header.
    blocks: Vec<Range<usize>>,
}

/// None: it is no b-tree page.
fn free(page: &[u8], number: u32) -> Result<Option<Free>, MalformedPage> {
    let start = if number == 1 { FILE_HEADER } else { 0 };
    let Some(header) = page.get(start..start + 12).filter(|_| page.len() == PAGE) else {
        return Err(MalformedPage("it is cut short"));
    };
    let header_size = match header[0] {
        2 | 5 => 12,
        10 | 13 => 8,
        _ => return Ok(None),
    };
    let two = |at: usize| usize::from(u16::from_be_bytes([page[at], page[at + 1]]));
    let cells = two(start + 3);
    let content = two(start + 5);
    let array_end = start + header_size + 2 * cells;
    if content < array_end || content > PAGE {
        return Err(MalformedPage("its cells begin inside its pointers"));
    }
    let mut blocks = Vec::new();
    let mut at = two(start + 1);
    let mut least = content;
    while at != 0 {
        if at < least || at + 4 > PAGE {
            return Err(MalformedPage("its chain of free blocks is out of order"));
        }
        let (next, size) = (two(at), two(at + 2));
        if size < 4 || at + size > PAGE {
            return Err(MalformedPage("a free block leaves the page"));
        }
        blocks.push(at + 4..at + size);
        least = at + size;
        at = next;
    }
    Ok(Some(Free { gap: array_end..content, blocks }))
}

/// Zeroes what is free in a b-tree page. True: something was not zero.
pub fn scrub(page: &mut [u8], number: u32) -> Result<bool, MalformedPage> {
    let Some(free) = free(page, number)? else { return Ok(false) };
    let mut changed = false;
    for range in std::iter::once(free.gap).chain(free.blocks) {
        let bytes = &mut page[range];
        if bytes.iter().any(|byte| *byte != 0) {
            bytes.fill(0);
            changed = true;
        }
    }
    Ok(changed)
}

/// Whether something that is free in a b-tree page is not zero.
pub fn is_stale(page: &[u8], number: u32) -> Result<bool, MalformedPage> {
    let Some(free) = free(page, number)? else { return Ok(false) };
    Ok(std::iter::once(free.gap).chain(free.blocks).any(|range| page[range].iter().any(|byte| *byte != 0)))
}

/// What the byte at `offset` of a page is.
pub fn spot(page: &[u8], number: u32, offset: usize) -> Result<Spot, MalformedPage> {
    let Some(free) = free(page, number)? else { return Ok(Spot::Other) };
    Ok(if free.gap.contains(&offset) {
        Spot::Gap
    } else if free.blocks.iter().any(|block| block.contains(&offset)) {
        Spot::Freeblock
    } else if offset < free.gap.start {
        Spot::Structure
    } else {
        Spot::Cell
    })
}

/// Whether behind the leaves of a freelist's trunk is more than SQLite leaves there: numbers of
/// pages that were leaves of it, of a file of so many pages.
pub fn is_stale_trunk(page: &[u8], pages: u32) -> Result<bool, MalformedPage> {
    let (_, _, rest) = trunk(page)?;
    let (numbers, _) = page[rest..].as_chunks();
    Ok(numbers.iter().any(|number| u32::from_be_bytes(*number) > pages))
}

/// Of a freelist's trunk page: the next trunk (0: none), its leaves, and where its unused
/// rest begins.
pub fn trunk(page: &[u8]) -> Result<(u32, Vec<u32>, usize), MalformedPage> {
    let four = |at: usize| page.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let (Some(next), Some(count)) = (four(0), four(4)) else { return Err(MalformedPage("it is cut short")) };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > PAGE / 4 - 2 {
        return Err(MalformedPage("a trunk of the freelist has too many leaves"));
    }
    let leaves = (0..count).filter_map(|n| four(8 + 4 * n)).collect();
    Ok((next, leaves, 8 + 4 * count))
}
