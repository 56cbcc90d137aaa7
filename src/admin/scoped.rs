//! What there is for an admin of some projects. What is of another project is not there: the
//! same errors as for what does not exist.

use std::cmp::Reverse;

use crate::app::App;
use crate::clock::Millis;
use crate::erasure::{jobs, receipts};
use crate::error::{Error, Result};
use crate::model::{Job, JobId, JobStatus, Key, KeyId, Project, ProjectId, Reach, User, UserId};
use crate::people::holds::Kept;
use crate::people::{find, holds, listings};
use crate::projects;
use crate::proof::receipts::Listed;
use crate::store::{Db, keys};

/// People of the trash, or failed jobs, that are read at once, to find those of some projects.
const STRETCH: u32 = 500;

pub fn projects(db: &Db, reach: &Reach) -> Result<Vec<Project>> {
    let mut all = projects::list(db)?;
    all.retain(|project| reach.has(project.id));
    Ok(all)
}

/// [`Error::ProjectNotFound`].
pub fn project(db: &Db, reach: &Reach, key: &str) -> Result<Project> {
    Some(projects::by_key(db, key)?).filter(|project| reach.has(project.id)).ok_or(Error::ProjectNotFound)
}

/// As [`find::held`]. [`Error::UserNotFound`].
pub fn held(db: &Db, reach: &Reach, id: UserId, now: Millis) -> Result<User> {
    let user = find::held(db, id, now)?;
    if reach.has(user.project) { Ok(user) } else { Err(Error::user_not_found(id.to_string())) }
}

/// As [`listings::newest`], of one project or of all that are reached.
pub fn newest(
    db: &Db,
    reach: &Reach,
    project: Option<ProjectId>,
    below: Option<UserId>,
    limit: u32,
    now: Millis,
) -> Result<Vec<User>> {
    let projects = match (project, reach) {
        (Some(project), reach) => vec![project].into_iter().filter(|id| reach.has(*id)).collect(),
        (None, Reach::All) => return listings::newest(db, None, below, limit, now),
        (None, Reach::Only(projects)) => projects.clone(),
    };
    let mut found = Vec::new();
    for project in projects {
        found.extend(listings::newest(db, Some(project), below, limit, now)?);
    }
    found.sort_by_key(|user| Reverse(user.id));
    found.truncate(limit as usize);
    Ok(found)
}

/// As [`listings::trash`].
pub fn trash(
    db: &Db,
    reach: &Reach,
    mut after: Option<(Millis, UserId)>,
    limit: u32,
    now: Millis,
) -> Result<Vec<User>> {
    if reach.is_all() {
        return listings::trash(db, after, limit, now);
    }
    let mut found = Vec::new();
    loop {
        let read = listings::trash(db, after, STRETCH, now)?;
        let is_last = read.len() < STRETCH as usize;
        after = read.last().map(|user| (user.deleted_at.unwrap_or_default(), user.id));
        found.extend(read.into_iter().filter(|user| reach.has(user.project)));
        if is_last || found.len() >= limit as usize {
            found.truncate(limit as usize);
            return Ok(found);
        }
    }
}

/// Who is held or restricted behind an id, the oldest user first.
pub fn kept(db: &Db, reach: &Reach, after: UserId, limit: usize) -> Result<Vec<Kept>> {
    let most = u32::try_from(limit).unwrap_or(u32::MAX);
    let mut found = Vec::new();
    for project in projects(db, reach)? {
        found.extend(holds::list(db, project.id, after, most)?);
    }
    found.sort_by_key(|kept| kept.user.id);
    found.truncate(limit);
    Ok(found)
}

/// [`Error::JobNotFound`].
pub fn job(db: &Db, reach: &Reach, id: JobId) -> Result<Job> {
    Some(jobs::get(db, None, id)?).filter(|job| reach.has(job.project)).ok_or(Error::JobNotFound)
}

/// As [`jobs::list`].
pub fn jobs(db: &Db, reach: &Reach, below: Option<JobId>, limit: u32) -> Result<Vec<Job>> {
    let Reach::Only(projects) = reach else { return jobs::list(db, below, limit) };
    let mut found = Vec::new();
    for project in projects {
        found.extend(crate::store::jobs::list(db, Some(*project), below, limit)?);
    }
    found.sort_by_key(|job| Reverse(job.id));
    found.truncate(limit as usize);
    Ok(found)
}

/// Those of them that failed.
pub fn failed_jobs(db: &Db, reach: &Reach, mut below: Option<JobId>, limit: u32) -> Result<Vec<Job>> {
    let mut found = Vec::new();
    loop {
        let read = crate::store::jobs::list_failed(db, below, STRETCH)?;
        let is_last = read.len() < STRETCH as usize;
        below = read.last().map(|job| job.id);
        found.extend(read.into_iter().filter(|job| reach.has(job.project)));
        if is_last || found.len() >= limit as usize {
            found.truncate(limit as usize);
            return Ok(found);
        }
    }
}

/// Whether a job is at work: any, or one of those listed for an admin of some projects.
pub fn any_running(db: &Db, reach: &Reach, listed: &[Job]) -> Result<bool> {
    match reach {
        Reach::All => jobs::any_running(db),
        Reach::Only(_) => Ok(listed.iter().any(|job| job.status == JobStatus::Running)),
    }
}

/// Keys of these projects; those of the organisation are for admins of all.
pub fn keys(db: &Db, reach: &Reach) -> Result<Vec<Key>> {
    let mut all = keys::list(db)?;
    all.retain(|key| key.project.map_or(reach.is_all(), |project| reach.has(project)));
    Ok(all)
}

/// [`Error::KeyNotFound`] for a key that is not among [`keys()`].
pub fn check_key(db: &Db, reach: &Reach, id: KeyId) -> Result<()> {
    keys(db, reach)?.iter().any(|key| key.id == id).then_some(()).ok_or(Error::KeyNotFound)
}

/// Whether a receipt is of a project that is reached: its job says so or, where a database from
/// before it was put back, the receipt itself. One of the first version does not.
pub fn receipt(app: &App, reach: &Reach, listed: &Listed) -> Result<bool> {
    if reach.is_all() {
        return Ok(true);
    }
    if let Some(job) = app.read(|db| jobs::find_of_receipt(db, listed.id))? {
        return Ok(reach.has(job.project));
    }
    let Ok(stored) = listed.clone().read() else { return Ok(false) };
    let Some(chain) = stored.receipt.project else { return Ok(false) };
    let projects = app.read(|db| projects(db, reach))?;
    Ok(projects.iter().any(|project| receipts::chain(app.store(), project) == chain))
}
