//! The proof of erasures: once rows are gone, the pages they lay on are scrubbed, the WAL
//! is emptied, and the files are searched for the person's data. Only then is a job completed.

pub mod nightly;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Instant;

use crate::app::App;
use crate::archive::{self, Listed};
use crate::erasure::jobs::Searched;
use crate::erasure::receipts::{Mentions, Proof, Search};
use crate::erasure::{delete_rows, jobs, receipts};
use crate::error::{Error, Result};
use crate::model::{Job, JobId, ProjectId, UserId};
use crate::projects;
use crate::proof::hex::Hex;
use crate::proof::receipt::{Backup, MentionsOf, ScanMode, Scrub};
use crate::proof::receipts::{Last, ReceiptError, Stored};
use crate::store::fragment::SearchTarget;
use crate::store::search_scope::SearchScope;
use crate::store::{
    BackgroundTx, Emptied, Scope, Totals, Verdict, fragments, is_own, ledger_position, mentions, users,
};

/// Times in all that files are cleaned and searched before a job fails: a page may be
/// caught in the middle of being written.
const TRIES: u32 = 3;

/// Pages left to scrub that the last step of a cleaning takes along.
const FEW: usize = 256;
/// Steps of a cleaning: others write meanwhile, and may write more than a step scrubs.
const STEPS: u32 = 64;
/// Fragments that are searched for together: some 50 MB.
const FRAGMENTS: usize = 500_000;

/// What became of the jobs whose rows are gone.
#[derive(Debug, Default)]
pub struct Proved {
    pub completed: u64,
    pub faults: u64,
    pub waiting: u64,
}

/// Proves the jobs that wait for it, many at once.
pub fn jobs(app: &App, go_on: &dyn Fn() -> bool) -> Result<Proved> {
    let mut search_scope = app.proving();
    let now = app.clock().now();
    let mut jobs = app.read(|db| jobs::unproven(db, now))?;
    if jobs.is_empty() {
        return Ok(Proved::default());
    }
    // What a backup is made from is a copy that nobody has encrypted yet.
    let Some(_no_backup) = app.no_backup() else {
        return Ok(Proved { waiting: jobs.len() as u64, ..Proved::default() });
    };
    let needles = fragments_of(app, &mut jobs)?;
    if !app.store().is_scanned() {
        let found = app.store().full_scan(go_on)?;
        if found > 0 {
            log::warn!("{found} pages contained stale bytes from before this start; they are overwritten");
        }
    }
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let began = Instant::now();
    // One that had ended, until a search by night found something, is searched for everywhere.
    let again = jobs.iter().any(|job| job.finished_at.is_some());
    let before = app.store().totals()?;
    let mut tries = 0;
    let (verdict, mode, totals) = loop {
        if !go_on() {
            return Ok(Proved::default());
        }
        tries += 1;
        let Some(totals) = clean(app, &mut search_scope)? else {
            return Ok(Proved { waiting: jobs.len() as u64, ..Proved::default() });
        };
        if tries == 1 {
            let ids = ids.clone();
            app.write_blocking(move |tx| jobs::note_scrubbed(tx, &ids))?;
        }
        let scope = if again { Scope::Whole } else { search_scope.scope(&ids) };
        let mode = match scope {
            Scope::Written { .. } => ScanMode::ChangedPages,
            Scope::Whole => ScanMode::WholeFiles,
        };
        let verdict = app.store().verify(&needles, scope)?;
        if verdict.is_clean() || tries == TRIES {
            break (verdict, mode, totals);
        }
        app.store().mark_dirty(verdict.stale.clone())?;
    };
    let proof = Proof {
        scrub: Scrub { pages: totals.pages - before.pages, changed: totals.changed - before.changed },
        frames: totals.frames - before.frames,
        mode,
        bytes: verdict.bytes,
        pages: verdict.pages,
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        verified_at: app.clock().now(),
        backups: backups(app)?,
    };
    // Read again: the steps were noted meanwhile.
    let jobs: Vec<Job> = app.read(|db| ids.iter().map(|id| jobs::get(db, None, *id)).collect())?;
    let mentions = mentions(app, &jobs)?;
    conclude(app, &jobs, &verdict, &Said { proof, mentions })
}

/// What the receipts of some jobs say.
struct Said {
    proof: Proof,
    mentions: BTreeMap<JobId, Mentions>,
}

/// Where others name the persons of these jobs: each project's own rows are read, once for all of
/// its jobs.
fn mentions(app: &App, jobs: &[Job]) -> Result<BTreeMap<JobId, Mentions>> {
    let mut found = BTreeMap::new();
    let projects: BTreeSet<ProjectId> = jobs.iter().map(|job| job.project).collect();
    for project in projects {
        let theirs = || jobs.iter().filter(|job| job.project == project);
        let (mut needles, mut own) = (Vec::new(), HashMap::<UserId, Vec<JobId>>::new());
        for job in theirs() {
            let (named, people) = app.read(|db| {
                let people = job.user.map(|user| users::members(db, user)).transpose()?;
                Ok((mentions::of(db, job.id)?, people.unwrap_or_default()))
            })?;
            if named.is_empty() {
                found.insert(job.id, Mentions { places: 0, of: MentionsOf::Nothing });
            }
            needles.extend(named);
            people.into_iter().for_each(|person| own.entry(person).or_default().push(job.id));
        }
        if needles.is_empty() {
            continue;
        }
        let counted = app.store().mentions(project, &needles, &own)?;
        let of = if counted.all { MentionsOf::AllRows } else { MentionsOf::SomeRows };
        for job in theirs() {
            let places = counted.places.get(&job.id).copied().unwrap_or(0);
            found.entry(job.id).or_insert(Mentions { places, of });
        }
    }
    Ok(found)
}

/// How a job's project is called in its receipts. What the chain of these ends with is known then.
fn chain(app: &App, job: &Job) -> Result<Hex<16>> {
    let project = app.read(|db| projects::of_any_time(db, job.project))?;
    let chain = receipts::chain(app.store(), &project);
    let mut receipts = app.receipts();
    if receipts.chain(chain).is_some() {
        return Ok(chain);
    }
    let (last, of_any) =
        app.read(|db| Ok((jobs::last_receipt_of(db, job.project)?, jobs::last_receipt_of_any(db)?)))?;
    let (number, place) = last.unwrap_or_default();
    // One that was taken away leaves a gap, for all to see.
    let listed = receipts.numbered(place.unsigned_abs());
    let hash = listed.and_then(|listed| listed.read().ok()).map_or(Hex::ZERO, |stored| stored.hash);
    receipts.follow(chain, Last { number: number.max(of_any).unsigned_abs(), hash });
    Ok(chain)
}

/// The backups that are there, here or in the place of copies: each was begun before the proof, so it may hold somebody.
fn backups(app: &App) -> Result<Vec<Backup>> {
    let ledger = app.read(ledger_position)?;
    let now = archive::LedgerPosition {
        ledger: ledger.ledger.to_string(),
        // After the last entry: one that was made while rows were leaving holds some, too.
        seq: ledger.seq + 1,
        head: Hex(ledger.head).to_string(),
        offset: ledger.offset,
    };
    let backup_policy = app.backup_policy();
    let holding = |listed: &[Listed]| archive::holding(listed, &now, 0, backup_policy.keep);
    let mut held = holding(&archive::list(app.backups()).map_err(archive::BackupError::into_error)?);
    // After a restore on an empty machine the place of copies has some that are not here.
    for copy in backup_policy.copies.iter().flat_map(|copies| holding(&copies.there())) {
        if !held.iter().any(|here| here.name == copy.name) {
            held.push(copy);
        }
    }
    held.sort_by(|a, b| (a.made_at, &a.name).cmp(&(b.made_at, &b.name)));
    Ok(held
        .into_iter()
        .filter_map(|held| {
            let (Some(made_at), Some(pruned_at)) = (held.made_at, held.pruned_at) else {
                log::warn!("{} cannot be read and its age is unknown: remove it by hand", held.name);
                return None;
            };
            Some(Backup { name: held.name, made_at, pruned_at })
        })
        .collect())
}

/// Scrubs what was written and empties the WAL. None: a reader still needs it.
fn clean(app: &App, search_scope: &mut SearchScope) -> Result<Option<Totals>> {
    let mut steps = 0;
    while app.store().scrub()? > FEW && steps < STEPS {
        steps += 1;
    }
    match app.store().empty_wal()? {
        Emptied::Busy => Ok(None),
        Emptied::Done { written, totals } => {
            search_scope.wrote(written);
            search_scope.list(&app.read(jobs::open)?);
            let (last, new) = new_receipts(app, search_scope);
            search_scope.files(app.store().others(new)?, last, is_own)?;
            Ok(Some(totals))
        }
    }
}

/// The number of the last receipt, and the files of those that were not looked at yet.
fn new_receipts(app: &App, search_scope: &SearchScope) -> (u64, Vec<PathBuf>) {
    let receipts = app.receipts();
    let last = receipts.last().number;
    let new = search_scope.receipts(last).filter_map(|number| receipts.numbered(number));
    (last, new.map(|receipt| receipt.path).collect())
}

/// What is searched for, for the first of the jobs; the others come next.
fn fragments_of(app: &App, jobs: &mut Vec<Job>) -> Result<Vec<SearchTarget>> {
    let key = app.store().search_key();
    let mut all = Vec::new();
    let mut some = 0;
    while some < jobs.len() && all.len() < FRAGMENTS {
        all.extend(app.read(|db| fragments::of(db, key, jobs[some].id))?);
        some += 1;
    }
    jobs.truncate(some);
    Ok(all)
}

/// Writes the receipts, then completes their jobs: a kill in between leaves a receipt that
/// is taken up again.
fn conclude(app: &App, jobs: &[Job], verdict: &Verdict, said: &Said) -> Result<Proved> {
    let mut proved = Proved::default();
    let mut good = Vec::new();
    for job in jobs {
        match witness(app, job, verdict, said) {
            Ok(searched) => good.push(searched),
            // A disk that fails may fail at this receipt alone: the others are not held up by it.
            Err(error @ (Error::Unavailable(_) | Error::DiskFull)) => return Err(error),
            Err(error) => {
                log::error!("job {} could not be proven: {error}", job.id);
                let (id, text) = (job.id, error.to_string());
                app.write_blocking(move |tx: &BackgroundTx| jobs::note_fault(tx, id, &text))?;
                proved.faults += 1;
            }
        }
    }
    if let Some(copies) = &app.backup_policy().copies {
        copies.receipts_written(app.receipts().last().number);
    }
    let all = good.len() as u64;
    proved.completed = app.write_blocking(move |tx| {
        good.iter()
            .try_fold(0, |completed, searched| Ok(completed + u64::from(jobs::conclude(tx, searched)?)))
    })?;
    proved.faults += all - proved.completed;
    Ok(proved)
}

/// What the search found for a job; its receipt is written, if it found nothing.
fn witness(app: &App, job: &Job, verdict: &Verdict, said: &Said) -> Result<Searched> {
    let found = verdict.found.get(&job.id).cloned().unwrap_or_default();
    if let Some(page) = verdict.stale.first().filter(|_| found.places.is_empty()) {
        // What is there belongs to no known user, but it should not be there.
        return Err(Error::internal(format!("page {page} keeps stale bytes, or is not as SQLite writes it")));
    }
    if !found.sees {
        return Err(Error::internal("the search did not find what is known to be there: it proves nothing"));
    }
    let nothing = Mentions { places: 0, of: MentionsOf::Nothing };
    let mentions = said.mentions.get(&job.id).copied().unwrap_or(nothing);
    let mut searched =
        Searched { id: job.id, mentions: mentions.places, places: found.places, receipt: None };
    if !searched.places.is_empty() || app.read(|db| delete_rows::any_left(db, job))? {
        return Ok(searched);
    }
    let search = Search { needles: found.fragments, dropped: found.common };
    let (now, chain) = (app.clock().now(), chain(app, job)?);
    let draft = app.read(|db| receipts::draft(db, job, chain, &said.proof, (search, mentions), now))?;
    if let Some(draft) = draft {
        let Stored { receipt, .. } = app.receipts().next(app.signer(), &draft).map_err(trouble)?;
        let place = receipt.place.and_then(|place| i64::try_from(place).ok());
        searched.receipt = place.zip(i64::try_from(receipt.number).ok());
    }
    Ok(searched)
}

fn trouble(trouble: ReceiptError) -> Error {
    match trouble {
        ReceiptError::Io { ref source, .. } => match Error::of_file("", source) {
            Error::DiskFull => Error::DiskFull,
            _ => Error::DiskFails(trouble.to_string()),
        },
        trouble => Error::internal(trouble),
    }
}
