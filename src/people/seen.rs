//! Whom a project saw in a period, and when.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;

use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Device, Event, Kind, ProjectId, SessionId, User};
use crate::people::conditions::{Conditions, EventTest};
use crate::people::listings::Direction;
pub use crate::store::events::Stretch;
pub use crate::store::seen::{Column, Period};
use crate::store::{Db, events, seen, sessions, users};

/// Which users, in which order.
#[derive(Debug, Clone)]
pub struct Listing {
    pub project: ProjectId,
    pub period: Period,
    pub conditions: Conditions,
    pub order: Order,
    pub direction: Direction,
    pub limit: u32,
    pub offset: u32,
}

/// What they are ordered by. Users without it come last, equal ones are ordered by id.
#[derive(Debug, Clone)]
pub enum Order {
    By(Column),
    /// By when each last did, in the period, something that passes the test.
    LastDid(EventTest),
}

/// A user who was seen.
#[derive(Debug, Clone)]
pub struct Sighting {
    pub user: User,
    /// When it was last seen in the period.
    pub at: Millis,
    /// When it last did what the list is ordered by.
    pub did: Option<Millis>,
}

/// The live users that were seen in the period. It may read all of the project's users, and
/// by [`Order::LastDid`] all their events in the period: for scans.
pub fn list(db: &Db, listing: &Listing) -> Result<Vec<Sighting>> {
    match &listing.order {
        Order::By(column) if !listing.conditions.is_empty() => list_by_conditions(db, listing, *column),
        Order::By(column) => {
            let order = (*column, listing.direction);
            let page = (listing.limit, listing.offset);
            let found = seen::list(db, listing.project, listing.period, order, page)?;
            Ok(found.into_iter().map(|(user, at)| Sighting { user, at, did: None }).collect())
        }
        Order::LastDid(test) => list_by_event(db, listing, test),
    }
}

fn list_by_conditions(db: &Db, listing: &Listing, column: Column) -> Result<Vec<Sighting>> {
    let mut sightings = Vec::new();
    let mut skip = listing.offset;
    for mark in seen::marks(db, listing.project, listing.period, (column, listing.direction))? {
        if sightings.len() == listing.limit as usize {
            break;
        }
        match listing.admits(db, mark)? {
            Some(_) if skip > 0 => skip -= 1,
            Some(user) => sightings.push(Sighting { user, at: mark.at, did: None }),
            None => {}
        }
    }
    Ok(sightings)
}

fn list_by_event(db: &Db, listing: &Listing, test: &EventTest) -> Result<Vec<Sighting>> {
    let mut found = Vec::new();
    let order = (Column::Seen, listing.direction);
    for mark in seen::marks(db, listing.project, listing.period, order)? {
        if !listing.conditions.is_empty() && listing.admits(db, mark)?.is_none() {
            continue;
        }
        found.push((last_did(db, mark, listing.period, test)?, mark));
    }
    match listing.direction {
        Direction::Ascending => found.sort_by_key(|(did, mark)| (did.is_none(), *did, mark.user)),
        Direction::Descending => {
            found.sort_by_key(|(did, mark)| (did.is_none(), Reverse(*did), Reverse(mark.user)));
        }
    }
    let page = found.into_iter().skip(listing.offset as usize).take(listing.limit as usize);
    let mut sightings = Vec::new();
    for (did, mark) in page {
        // All of this reads one state of the file: who was listed is still there.
        if let Some(user) = users::by_id(db, Some(listing.project), mark.user)? {
            sightings.push(Sighting { user, at: mark.at, did });
        }
    }
    Ok(sightings)
}

impl Listing {
    /// The user of a mark, if the conditions hold for it.
    fn admits(&self, db: &Db, mark: seen::Mark) -> Result<Option<User>> {
        // All of this reads one state of the file: who was listed is still there.
        let Some(user) = users::by_id(db, Some(self.project), mark.user)? else { return Ok(None) };
        let bounds = (self.period.from, self.period.to.unwrap_or(Millis::MAX));
        Ok(self.conditions.hold_for(db, &user, bounds)?.then_some(user))
    }
}

/// What a user did in a stretch of time for which the conditions hold, the newest first; limit
/// and offset count only that. A page view without a name is tested as `page_view`. It may
/// read all of the stretch: for scans.
pub fn timeline(
    db: &Db,
    user: &User,
    stretch: Stretch,
    conditions: &Conditions,
    page_view: &str,
) -> Result<Vec<Event>> {
    let branches = users::branches(db, user.id, user.activity_since())?;
    if conditions.is_empty() {
        return events::timeline(db, &branches, stretch);
    }
    let whole = Stretch { limit: u32::MAX, offset: 0, ..stretch };
    let enough = (stretch.offset as usize).saturating_add(stretch.limit as usize);
    let mut devices: HashMap<SessionId, Device> = HashMap::new();
    let (mut found, mut skipped) = (Vec::new(), 0);
    for branch in &branches {
        let mut taken = 0;
        events::walk(db, *branch, whole, |event| {
            let is_unnamed = event.kind == Kind::Page && event.name.is_empty();
            let name = if is_unnamed { page_view } else { &event.name };
            let device = device_of(db, &mut devices, event.session)?;
            if conditions.hold_of(&event, name, device)? {
                taken += 1;
                // Of one branch alone it is known that what comes first is skipped.
                match branches.len() == 1 && taken <= stretch.offset as usize {
                    true => skipped += 1,
                    false => found.push(event),
                }
            }
            Ok(if taken >= enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
    }
    found.sort_by_key(|event| Reverse(event.at));
    let skip = stretch.offset as usize - skipped;
    Ok(found.into_iter().skip(skip).take(stretch.limit as usize).collect())
}

fn device_of<'a>(
    db: &Db,
    known: &'a mut HashMap<SessionId, Device>,
    session: Option<SessionId>,
) -> Result<&'a Device> {
    // What no visit produced has a session of its own, which there never is.
    let id = session.unwrap_or(SessionId(0));
    if let Entry::Vacant(vacant) = known.entry(id) {
        vacant.insert(sessions::by_id(db, id)?.map(|session| session.device).unwrap_or_default());
    }
    Ok(&known[&id])
}

fn last_did(db: &Db, mark: seen::Mark, period: Period, test: &EventTest) -> Result<Option<Millis>> {
    let stretch = events::Stretch {
        from: period.from,
        to: period.to.unwrap_or(Millis::MAX),
        limit: u32::MAX,
        offset: 0,
    };
    let mut did = None;
    for branch in users::branches(db, mark.user, mark.since)? {
        let asked_for = |kind, name: &str| test.asks_for(kind, name);
        did = did.max(events::latest(db, branch, stretch, asked_for, |event| test.passes(event))?);
    }
    Ok(did)
}
