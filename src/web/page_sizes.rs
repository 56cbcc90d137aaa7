//! How many entries a page of a list has: in the admin pages, and in each API by its vendor's words.

/// Of the admin pages' lists; of the audit log and a person's timeline, whose lines are short.
pub const ADMIN: u32 = 50;
pub const ADMIN_SHORT: u32 = 100;

/// What a page of one API's list has.
#[derive(Debug, Clone, Copy)]
pub struct PageSize {
    /// Where the request says nothing.
    pub usual: u32,
    pub most: u32,
}

/// Our own.
pub const NATIVE: PageSize = PageSize { usual: 50, most: 1_000 };
/// Our own lists that take no `limit`.
pub const NATIVE_FIXED: u32 = 100;
/// `pageSize`: 25 by default, 1000 at most (seeds/002).
pub const GAINSIGHT: PageSize = PageSize { usual: 25, most: 1_000 };
/// `pageSize` of the lists whose pages are numbered.
pub const GAINSIGHT_NUMBERED: PageSize = PageSize { usual: 25, most: 200 };
/// `limit`, from 1 to 1000, 100 by default (seeds/001).
pub const VEMETRIC: PageSize = PageSize { usual: 100, most: 1_000 };
/// The vendor's list of jobs has no pages: it has as many as fit here.
pub const OPENREPLAY_JOBS: PageSize = PageSize { usual: 10_000, most: 10_000 };
/// `limit`: "min=1,max=200", and "limit=50" where none is given.
pub const OPENREPLAY_V2: PageSize = PageSize { usual: 50, most: 200 };

/// `limit` of interactions: "Must be an integer ranging from 1 to 100. Defaults to 20."
pub const PROFICIENT: PageSize = PageSize { usual: 20, most: 100 };

impl PageSize {
    /// The size that a request asks for. None: it is not from 1 to the most.
    pub fn asked(self, number: Option<i64>) -> Option<u32> {
        let Some(number) = number else { return Some(self.usual) };
        u32::try_from(number).ok().filter(|size| (1..=self.most).contains(size))
    }

    /// What is wrong with one that is neither.
    pub fn bounds(self) -> String {
        format!("must be from 1 to {}", self.most)
    }
}
