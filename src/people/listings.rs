//! Lists of users, a page at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::clock::Millis;
use crate::error::Result;
use crate::find::Find;
use crate::model::{ProjectId, TRASH_PERIOD, User, UserId};
pub use crate::store::pages::{Key, Paging, Position, Trial};
pub use crate::store::users::{Direction, Field, Filter, Listing};
use crate::store::{Db, pages, projects, users};

/// The names of a project's users, in memory.
pub struct Names {
    find: Arc<Find>,
    project: ProjectId,
}

/// With more candidates it is not faster than reading all rows.
const CANDIDATES_MAX: usize = 5_000;

impl Names {
    pub fn of(find: &Arc<Find>, project: ProjectId) -> Names {
        Names { find: Arc::clone(find), project }
    }

    /// Every user in one of whose names one of these stands, which have to be of letters and digits of ASCII,
    /// and more who do not matter: the rows decide. None: it cannot be told, or they are too many.
    pub fn with_any_of(&self, parts: &[String]) -> Option<Vec<UserId>> {
        let mut all = BTreeSet::new();
        for part in parts {
            all.extend(self.find.containing(self.project, part, CANDIDATES_MAX)?);
        }
        (all.len() <= CANDIDATES_MAX).then(|| all.into_iter().collect())
    }
}

/// The live users of a listing. It may read the whole project: for scans.
pub fn list(db: &Db, listing: &Listing) -> Result<Vec<User>> {
    users::list(db, listing)
}

/// The live users of a listing, and how many it has on all its pages. It reads the whole
/// project: for scans.
pub fn list_counted(db: &Db, listing: &Listing) -> Result<(Vec<User>, i64)> {
    Ok((users::list(db, listing)?, users::count(db, listing)?))
}

/// A stretch of the list of all users of a project.
pub struct Stretch {
    pub users: Vec<User>,
    /// The next stretch lies below this id. None: this is the last one.
    pub next: Option<UserId>,
}

/// So many users are read for a stretch.
const STRETCH: u32 = 250;

/// The live users with an identifier among the next few below an id, the newest first. A new
/// user has a higher id than every other, so a list that was begun never meets it.
pub fn stretch(db: &Db, project: ProjectId, below: Option<UserId>) -> Result<Stretch> {
    let mut found = users::newest(db, project, below.unwrap_or(UserId(i64::MAX)), STRETCH)?;
    let next = found.last().map(|user| user.id).filter(|_| found.len() == STRETCH as usize);
    found.retain(|user| user.identifier.is_some());
    Ok(Stretch { users: found, next })
}

/// Up to `limit` live users behind a position. It may read the whole project: for scans.
pub fn page(
    db: &Db,
    paging: &Paging,
    after: Option<&Position>,
    limit: u32,
    trial: Trial,
) -> Result<Vec<User>> {
    pages::page(db, paging, after, limit, trial)
}

/// How many live users there are on all pages. It reads the whole project: for scans.
pub fn count(db: &Db, paging: &Paging, trial: Trial) -> Result<i64> {
    pages::count(db, paging, trial)
}

/// Live and revivable users, of one project or of all, below an id; the newest first. It
/// looks at everybody who is hidden: for scans.
pub fn newest(
    db: &Db,
    project: Option<ProjectId>,
    below: Option<UserId>,
    limit: u32,
    now: Millis,
) -> Result<Vec<User>> {
    let below = below.unwrap_or(UserId(i64::MAX));
    let projects = match project {
        Some(project) => vec![project],
        None => projects::list(db)?.into_iter().map(|project| project.id).collect(),
    };
    let mut found = users::newest_hidden(db, project, now - TRASH_PERIOD, below, limit)?;
    for project in projects {
        found.extend(users::newest(db, project, below, limit)?);
    }
    found.sort_by_key(|user| std::cmp::Reverse(user.id));
    found.truncate(limit as usize);
    Ok(found)
}

/// Revivable users of all projects, the next to be reaped first; `after` is the last one
/// seen, and since when it is hidden.
pub fn trash(db: &Db, after: Option<(Millis, UserId)>, limit: u32, now: Millis) -> Result<Vec<User>> {
    let expired = (now - TRASH_PERIOD, UserId(i64::MAX));
    users::in_trash(db, after.map_or(expired, |after| after.max(expired)), limit)
}
