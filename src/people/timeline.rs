//! One person's timeline page by page, the newest first. A page begins behind the entry with which the last
//! one ended, so the thousandth costs what the first one does.

use crate::error::Result;
use crate::model::{Event, Kind, User};
pub use crate::store::events::Place;
use crate::store::{Db, events, users};

/// Entries that are looked at for a page of one kind: it may be short, and says so.
const LOOKED_AT: usize = 20_000;

pub struct Page {
    pub events: Vec<(Place, Event)>,
    /// Before which place the next page begins. None: this is the last one.
    pub next: Option<Place>,
    /// It is short, and the next page may have more.
    pub is_short: bool,
}

/// Up to `limit` entries before a place, or the newest; of one kind, or of all.
pub fn page(db: &Db, user: &User, kind: Option<Kind>, before: Option<Place>, limit: usize) -> Result<Page> {
    let before = before.unwrap_or((i64::MAX, i64::MAX));
    let mut all = Vec::new();
    // Where each part was looked at to the end, no other has anything that belongs before it.
    let mut floor: Option<Place> = None;
    for branch in users::branches(db, user.id, user.activity_since())? {
        let looked = events::before(db, branch, before, kind, (limit + 1, LOOKED_AT))?;
        floor = floor.max(looked.stopped);
        all.extend(looked.events);
    }
    all.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    all.retain(|(place, _)| floor.is_none_or(|floor| *place >= floor));
    let is_full = all.len() > limit;
    all.truncate(limit);
    let next = match is_full {
        true => all.last().map(|(place, _)| *place),
        false => floor,
    };
    Ok(Page { events: all, next, is_short: !is_full && floor.is_some() })
}
