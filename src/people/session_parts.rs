//! Lists of a person's sessions, and of a session's events, a page at a time and counted.

use std::cmp::Ordering;

use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Event, ProjectId, Session, SessionId, User};
use crate::people::activity;
pub use crate::people::listings::Direction;
pub use crate::store::events::Column;
use crate::store::{Db, aliases, events, sessions, users as rows};

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub limit: u32,
    pub offset: u32,
}

/// The user's sessions that began within the bounds (inclusive), by their start, and how many
/// there are on all pages. It reads an index entry a session: for scans.
pub fn sessions(
    db: &Db,
    user: &User,
    bounds: (Millis, Millis),
    direction: Direction,
    page: Page,
) -> Result<(Vec<Session>, i64)> {
    let branches = rows::branches(db, user.id, user.activity_since())?;
    let mut total = 0;
    for branch in &branches {
        total += sessions::count(db, *branch, bounds)?;
    }
    let found = part(
        &branches,
        page,
        |branch, page| sessions::page(db, *branch, bounds, direction, (page.limit, page.offset)),
        |one, other| directed(direction, (one.started_at, one.id).cmp(&(other.started_at, other.id))),
    )?;
    Ok((found, total))
}

/// A part of what happened in a session.
#[derive(Debug, Clone)]
pub struct SessionPart {
    pub session: Session,
    /// Whose it is: the identifier, else an anonymous id.
    pub name: Option<String>,
    pub user: User,
    pub events: Vec<Event>,
    /// On all pages.
    pub total: i64,
}

/// A session's events within the bounds (inclusive). [`Error::SessionNotFound`] if the project
/// has no such session, or its user is not to be seen. It reads each of them: for scans.
///
/// [`Error::SessionNotFound`]: crate::error::Error::SessionNotFound
pub fn events(
    db: &Db,
    project: ProjectId,
    id: SessionId,
    (from, to): (Millis, Millis),
    (column, direction): (Column, Direction),
    page: Page,
) -> Result<SessionPart> {
    let (session, user) = activity::session(db, project, id)?;
    let bounds = (from.max(session.started_at), to.min(session.ended_at));
    // While a merge goes on, a session and its events may be of different members.
    let members = rows::members(db, user.id)?;
    let mut total = 0;
    for member in &members {
        total += events::session_count(db, (*member, id), bounds)?;
    }
    let events = part(
        &members,
        page,
        |member, page| {
            let order = (column, direction);
            events::session_page(db, (*member, id), bounds, order, (page.limit, page.offset))
        },
        |one, other| {
            let order = match column {
                Column::At => one.at.cmp(&other.at),
                Column::Name => one.name.cmp(&other.name),
            };
            directed(direction, order)
        },
    )?;
    let name = match &user.identifier {
        Some(identifier) => Some(identifier.clone()),
        None => aliases::of(db, user.id, 1)?.pop(),
    };
    Ok(SessionPart { session, name, user, events, total })
}

fn directed(direction: Direction, order: Ordering) -> Ordering {
    match direction {
        Direction::Ascending => order,
        Direction::Descending => order.reverse(),
    }
}

/// A page of a list that lies with several members. With rows still moving in from an anonymous
/// user, each is asked for the list from its beginning, and the offset is applied to all of them
/// together.
fn part<M, T>(
    members: &[M],
    page: Page,
    read: impl Fn(&M, Page) -> Result<Vec<T>>,
    order: impl Fn(&T, &T) -> Ordering,
) -> Result<Vec<T>> {
    if let [only] = members {
        return read(only, page);
    }
    let reach = Page { limit: page.offset.saturating_add(page.limit), offset: 0 };
    let mut found = Vec::new();
    for member in members {
        found.extend(read(member, reach)?);
    }
    found.sort_by(order);
    Ok(found.into_iter().skip(page.offset as usize).take(page.limit as usize).collect())
}
