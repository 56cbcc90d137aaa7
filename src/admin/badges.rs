//! What needs a person, as numbers in the menu of every page.

use crate::access::roles::{self, Permission};
use crate::clock::{DAY, Millis};
use crate::error::Result;
use crate::model::{Admin, JobStatus, ProjectId, Reach, TRASH_PERIOD};
use crate::store::{Db, overview};

/// So many rows are read for a number: it costs a page less than a millisecond.
pub const READ: u32 = 1_000;
/// The largest number that has room in the menu.
const SHOWN: usize = 99;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Badges {
    /// Deletions that failed.
    pub failed: Option<String>,
    /// Users in the trash who are erased within a day.
    pub ending: Option<String>,
}

impl Badges {
    pub fn of(db: &Db, admin: &Admin, now: Millis) -> Result<Badges> {
        let may = |permission| roles::may(admin, permission);
        let failed = match may(Permission::SeeJobs) {
            true => {
                overview::open_jobs(db, JobStatus::Failed, READ)?.into_iter().map(|job| job.project).collect()
            }
            false => Vec::new(),
        };
        let ending = if may(Permission::ListPeople) { ending(db, now)? } else { Vec::new() };
        Ok(Badges { failed: number(&failed, &admin.reach), ending: number(&ending, &admin.reach) })
    }
}

/// The projects of those in the trash who are erased within a day.
pub fn ending(db: &Db, now: Millis) -> Result<Vec<ProjectId>> {
    let since = now - TRASH_PERIOD;
    overview::trashed_between(db, since, since + DAY, READ)
}

/// None for none: an empty badge would draw the eye to nothing.
fn number(of: &[ProjectId], reach: &Reach) -> Option<String> {
    match of.iter().filter(|project| reach.has(**project)).count() {
        0 => None,
        count if count > SHOWN => Some(format!("{SHOWN}+")),
        count => Some(count.to_string()),
    }
}
