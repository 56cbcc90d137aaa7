//! Requests about several people at once: to erase them, to keep them out, to let them in again.
//!
//! Who is to be kept out and erased is kept out first, in the same write, so that nothing comes in
//! behind the erasure. Names that nobody has succeed like any other: what a
//! regulation says of them never tells whether they were anybody's.

use crate::clock::Millis;
use crate::erasure;
use crate::erasure::token;
use crate::error::{Error, Result};
use crate::model::{
    Handle, Identifier, JobId, JobStatus, Progress, Project, ProjectId, Regulated, RegulatedJob, Regulation,
    RegulationKind,
};
use crate::people::suppressions::{Digest, Policy, Source};
use crate::people::{erasures, holder, suppressions};
use crate::proof::receipt::Token;
use crate::secrets;
use crate::store::{Db, ErasingTx, Tx, projects, regulations};

/// The most people of one request.
pub const PEOPLE_MAX: usize = 5_000;

/// So many regulations are read at once for a page.
const STRETCH: u32 = 100;
/// A page that has so many people gets no further regulation.
const SHOWN_MAX: usize = 10_000;

/// Where a regulation holds.
#[derive(Debug, Clone, Copy)]
pub struct Whole(
    /// None: in every project.
    pub Option<ProjectId>,
);

impl Whole {
    /// The projects that there are of it, in the order of their numbers.
    pub fn projects(self, db: &Db) -> Result<Vec<ProjectId>> {
        match self.0 {
            Some(project) => Ok(vec![project]),
            None => {
                let mut projects: Vec<ProjectId> =
                    projects::list(db)?.into_iter().map(|project| project.id).collect();
                projects.sort_unstable();
                Ok(projects)
            }
        }
    }

    /// A project's key knows its own project's regulations alone.
    fn knows(self, regulation: &Regulation) -> bool {
        self.0.is_none_or(|project| regulation.project == Some(project))
    }
}

/// A regulation with its people, and how far it is.
#[derive(Debug, Clone)]
pub struct Seen {
    pub regulation: Regulation,
    pub people: Vec<Regulated>,
    pub progress: Progress,
    pub finished_at: Option<Millis>,
}

/// One of the people, for whom it is done.
pub struct Done {
    project: ProjectId,
    digest: Option<Digest>,
    /// The erasure, and the token of its receipt.
    erasure: Option<(JobId, Token)>,
    stand_in: String,
}

/// Does what is asked for some of the people in a project. Nothing shows it before [`enter`].
pub fn carry_out(
    tx: &ErasingTx,
    project: ProjectId,
    kind: RegulationKind,
    people: &[Identifier],
) -> Result<Vec<Done>> {
    people.iter().map(|person| carry_out_for(tx, project, kind, person, Source::Regulations)).collect()
}

fn carry_out_for(
    tx: &Tx,
    project: ProjectId,
    kind: RegulationKind,
    person: &Identifier,
    source: Source,
) -> Result<Done> {
    let digest = match kind.suppresses() {
        true => Some(suppressions::add_for(tx, project, source, person, Policy::Forever)?),
        false => None,
    };
    if kind == RegulationKind::Unsuppress {
        suppressions::lift(tx, project, person)?;
    }
    let user = if kind.erases() { holder::named(tx, project, person.as_str())? } else { None };
    let erasure = match &user {
        Some(user) => {
            let job = erasure::begin_or_wait(tx, user, person, tx.who().legal_basis)?;
            Some((job.id, token::of(tx, &job, user)))
        }
        None => None,
    };
    Ok(Done { project, digest, erasure, stand_in: stand_in(kind)? })
}

/// Remembers what was done for all of the people. The token is of the receipt, where one person is
/// erased in one project.
pub fn enter(
    tx: &ErasingTx,
    whole: Whole,
    kind: RegulationKind,
    done: &[Done],
) -> Result<(Handle, Option<Token>)> {
    let regulation = regulations::insert(tx, whole.0, kind, secrets::handle()?, false)?;
    for (place, one) in done.iter().enumerate() {
        add(tx, &regulation, place, one)?;
    }
    let token = match done {
        [Done { erasure: Some((_, token)), .. }] => Some(*token),
        _ => None,
    };
    Ok((regulation.handle, token))
}

fn add(tx: &Tx, regulation: &Regulation, place: usize, one: &Done) -> Result<()> {
    let new = regulations::New {
        place: i64::try_from(place).map_err(Error::internal)?,
        project: one.project,
        job: one.erasure.as_ref().map(|(job, _)| *job),
        digest: one.digest.as_ref(),
        stand_in: &one.stand_in,
    };
    regulations::add(tx, regulation.id, &new)
}

/// Does what is asked, and remembers it with a regulation for each of the people, that can be
/// withdrawn by itself.
pub fn request_each(
    tx: &ErasingTx,
    whole: Whole,
    kind: RegulationKind,
    people: &[Identifier],
) -> Result<Vec<Seen>> {
    let projects = whole.projects(tx)?;
    let request = |person: &Identifier| {
        let regulation = regulations::insert(tx, whole.0, kind, secrets::handle()?, true)?;
        let source = Source::Regulation(regulation.id);
        for (place, project) in projects.iter().enumerate() {
            add(tx, &regulation, place, &carry_out_for(tx, *project, kind, person, source)?)?;
        }
        see(tx, regulation)
    };
    people.iter().map(request).collect()
}

/// What is shown of one of whom nothing is kept: it is drawn, and says nothing.
fn stand_in(kind: RegulationKind) -> Result<String> {
    if kind.erases() {
        return erasures::unnamed();
    }
    let mut random = vec![0; 6];
    getrandom::fill(&mut random).map_err(Error::internal)?;
    Ok(suppressions::shown(&random))
}

/// The regulation of this handle. [`Error::NotFound`] if there is none for this key, or it was
/// withdrawn.
pub fn get(db: &Db, whole: Whole, handle: Handle) -> Result<Seen> {
    let regulation = known(db, whole, handle)?;
    if regulation.withdrawn_at.is_some() { Err(Error::NotFound("regulation")) } else { see(db, regulation) }
}

/// The projects in which it holds.
pub fn projects_of(db: &Db, seen: &Seen) -> Result<Vec<Project>> {
    let mut projects = projects::list(db)?;
    projects.retain(|project| seen.people.iter().any(|one| one.project == project.id));
    Ok(projects)
}

fn known(db: &Db, whole: Whole, handle: Handle) -> Result<Regulation> {
    regulations::by_handle(db, handle)?
        .filter(|regulation| whole.knows(regulation))
        .ok_or(Error::NotFound("regulation"))
}

fn see(db: &Db, regulation: Regulation) -> Result<Seen> {
    let people = regulations::people(db, regulation.id)?;
    let (progress, finished_at) = progress(&regulation, &people);
    Ok(Seen { regulation, people, progress, finished_at })
}

/// How far a regulation is, and since when it is over.
fn progress(regulation: &Regulation, people: &[Regulated]) -> (Progress, Option<Millis>) {
    let jobs = || people.iter().filter_map(|one| one.job.as_ref());
    let any = |status: JobStatus| jobs().any(|job| job.status == status);
    if any(JobStatus::Running) {
        return (Progress::Running, None);
    }
    if any(JobStatus::Scheduled) {
        let begun = jobs().any(|job| job.status != JobStatus::Scheduled);
        return (if begun { Progress::Running } else { Progress::Waiting }, None);
    }
    let is_lost = |job: &&RegulatedJob| matches!(job.status, JobStatus::Failed | JobStatus::Cancelled);
    // What needs no job is done in the request itself.
    let finished_at = jobs().filter_map(|job| job.finished_at).max().unwrap_or(regulation.created_at);
    match jobs().filter(is_lost).count() {
        0 => (Progress::Finished, Some(finished_at)),
        // One that failed may be retried: it is not over.
        lost if lost == people.len() => (Progress::Failed, None),
        _ => (Progress::PartlyFailed, Some(finished_at)),
    }
}

/// What is shown of one of the people: what stands for whom is erased, or is kept out.
pub fn shown(kind: RegulationKind, one: &Regulated) -> String {
    match (&one.job, &one.digest) {
        // Its reference is still a name: that somebody waits for a hold is not told.
        (Some(job), _) if job.status == JobStatus::Scheduled => one.stand_in.clone(),
        (Some(job), _) => job.reference.clone(),
        // A digest is of the name: shown for the erased, it would tell that they were.
        (None, Some(digest)) if !kind.erases() => suppressions::shown(digest),
        (None, _) => one.stand_in.clone(),
    }
}

/// Which regulations a list has.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Empty: of every kind.
    pub kinds: Vec<RegulationKind>,
    pub progress: Option<Vec<Progress>>,
    /// Those that can be withdrawn, withdrawn or not; else those that are not withdrawn.
    pub is_single: bool,
}

/// A page of regulations, the newest first.
pub struct Page {
    pub seen: Vec<Seen>,
    /// The next page lies behind this one. None: this is the last.
    pub next: Option<Handle>,
}

/// Up to `limit` regulations behind one of them, fewer if they have many people. It may read all
/// there are: for scans. [`Error::NotFound`] if there is no such one for this key.
pub fn page(db: &Db, whole: Whole, filter: &Filter, after: Option<Handle>, limit: usize) -> Result<Page> {
    let mut below = match after {
        Some(handle) => known(db, whole, handle)?.id,
        None => i64::MAX,
    };
    let mut page = Page { seen: Vec::new(), next: None };
    let mut people = 0;
    loop {
        let stretch = regulations::below(db, whole.0, below, STRETCH)?;
        let Some(last) = stretch.last() else { return Ok(page) };
        below = last.id;
        for regulation in stretch {
            let fits = filter.kinds.is_empty() || filter.kinds.contains(&regulation.kind);
            let is_there =
                if filter.is_single { regulation.is_single } else { regulation.withdrawn_at.is_none() };
            if !fits || !is_there {
                continue;
            }
            let seen = see(db, regulation)?;
            if filter.progress.as_ref().is_some_and(|wanted| !wanted.contains(&seen.progress)) {
                continue;
            }
            if page.seen.len() >= limit || (people > 0 && people + seen.people.len() > SHOWN_MAX) {
                page.next = page.seen.last().map(|last| last.regulation.handle);
                return Ok(page);
            }
            people += seen.people.len();
            page.seen.push(seen);
        }
    }
}

/// Stops a regulation before it runs. None does: an erasure begins in the request itself, and so
/// does a suppression. [`Error::JobEnded`] for each that there is.
pub fn cancel(db: &Db, whole: Whole, handle: Handle) -> Result<()> {
    get(db, whole, handle)?;
    Err(Error::JobEnded)
}

/// Takes one back that was asked for one person: they are let in again, unless others keep them out.
/// Nothing that is erased returns. [`Error::NotFound`] if there is none for this key; [`Error::Conflict`] where it was
/// asked for several.
pub fn withdraw(tx: &ErasingTx, whole: Whole, handle: Handle) -> Result<Seen> {
    let regulation = known(tx, whole, handle)?;
    if !regulation.is_single {
        return Err(Error::Conflict("this regulation is for several users: it cannot be cancelled"));
    }
    if regulation.withdrawn_at.is_none() {
        for one in regulations::people(tx, regulation.id)? {
            if let Some(digest) = &one.digest {
                let source = Source::Regulation(regulation.id);
                suppressions::lift_subject(tx, one.project, source, digest)?;
            }
        }
        regulations::set_withdrawn(tx, regulation.id, tx.now())?;
    }
    see(tx, known(tx, whole, handle)?)
}

/// A place in the list of who is kept out.
#[derive(Debug, Clone)]
pub struct Position {
    pub project: ProjectId,
    pub digest: Digest,
}

/// A page of who is kept out, project by project.
pub struct Suppressed {
    pub digests: Vec<Digest>,
    /// The next page lies behind this. None: this is the last.
    pub next: Option<Position>,
}

/// Up to `limit` whom regulations of several people keep out now, behind one of them.
pub fn suppressed(
    db: &Db,
    whole: Whole,
    after: Option<Position>,
    limit: usize,
    now: Millis,
) -> Result<Suppressed> {
    let mut found: Vec<Position> = Vec::new();
    for project in whole.projects(db)? {
        let after = match &after {
            Some(after) if project < after.project => continue,
            Some(after) if project == after.project => Some(&after.digest),
            _ => None,
        };
        // One more tells whether there is a next page.
        let room = u32::try_from(limit + 1 - found.len()).unwrap_or(u32::MAX);
        let more = suppressions::list(db, project, after, room, now)?;
        found.extend(more.into_iter().map(|one| Position { project, digest: one.digest }));
        if found.len() > limit {
            break;
        }
    }
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| is_more).cloned();
    Ok(Suppressed { digests: found.into_iter().map(|at| at.digest).collect(), next })
}
