//! What comes round: backups and their pruning, the audit log's head, and once a day, 24
//! hours after the last, a search of whole files for those who were erased.

use crate::app::App;
use crate::archive;
use crate::clock::{DAY, HOUR, MINUTE, Millis};
use crate::erasure::jobs;
use crate::error::Result;
use crate::model::JobId;
use crate::people::visitors;
use crate::projects;
use crate::proof::audit::Head;
use crate::store::search::SearchTarget;
use crate::store::{BackgroundTx, Scope, Verdict, audit, fragments, maintenance};

use super::{backup, prove};

const BACKUP: &str = "backup";
/// A backup that was begun, whatever came of it.
const BACKUP_TRIED: &str = "backup tried";
const PRUNE: &str = "prune";
const HEAD: &str = "head";
const SEARCH: &str = "search";

/// The pause after a backup that could not be made, or one that could not be removed.
const RETRY: Millis = 10 * MINUTE;
/// Needles that one search of the files is for.
const FRAGMENTS: usize = 500_000;
/// Jobs that one search is for: few have many needles, and each search reads all files.
const JOBS: u32 = 50_000;
/// Needles forgotten in one transaction.
const CHUNK: u32 = 500;
/// A page may be caught in the middle of being written.
const TRIES: u32 = 3;

/// Does all of it that is due. A backup that cannot be made holds up nothing else.
pub fn run(app: &App, go_on: &dyn Fn() -> bool) -> Result<()> {
    if is_due(app, HEAD, HOUR)? {
        sign_head(app)?;
        done(app, HEAD)?;
    }
    forget_salts(app)?;
    if let Err(error) = forget_erased(app) {
        log::error!("digests of erased names could not be forgotten: {error}");
    }
    if let Err(error) = backups(app) {
        log::error!("backups: {error}");
    }
    // Not searched at once: what was completed today has its turn within a day.
    match app.read(|db| maintenance::done_at(db, SEARCH))? {
        None => done(app, SEARCH)?,
        Some(_) if is_due(app, SEARCH, DAY)? && search(app, go_on)? => done(app, SEARCH)?,
        Some(_) => {}
    }
    Ok(())
}

/// Destroys the salts of visitors' names that have had their time, in the write-ahead log, too.
fn forget_salts(app: &App) -> Result<()> {
    let time = app.clock().read();
    if time.standing.is_trusted() && app.read(|db| visitors::has_old_salts(db, time.now))? {
        app.write_blocking(|tx: &BackgroundTx| visitors::forget_old_salts(tx))?;
        // A reader may hold this up; the log is emptied again behind every erasure.
        app.store().empty_wal()?;
    }
    Ok(())
}

/// Forgets the digests of erased names that have had their time by a clock that is trusted, but for those
/// of people whom a backup may hold still: they are kept out as long as it is there.
fn forget_erased(app: &App) -> Result<()> {
    let time = app.clock().read();
    if !time.standing.is_trusted() {
        return Ok(());
    }
    let listed = archive::list(app.backups()).map_err(backup::trouble)?;
    // A backup of unknown age may hold anybody.
    let Some(since) = archive::reach_back_to(&listed) else { return Ok(()) };
    if app.read(|db| projects::has_erased_to_forget(db, since, time.now))? {
        while app.write_blocking(move |tx| projects::forget_erased(tx, since))? {}
    }
    Ok(())
}

/// Signs how far the audit log has come, unless it has not since the last time.
pub fn sign_head(app: &App) -> Result<()> {
    let (position, heads) = app.read(|db| Ok((audit::position(db)?, audit::last_head(db)?)))?;
    if position.seq == 0 || heads.is_some_and(|head| head.seq == position.seq) {
        return Ok(());
    }
    let head = Head::sign(app.signer(), position.seq, position.head.0, app.clock().now());
    app.write_blocking(move |tx: &BackgroundTx| audit::keep_head(tx, &head))
}

fn is_due(app: &App, task: &str, every: Millis) -> Result<bool> {
    let now = app.clock().now();
    let last = app.read(|db| maintenance::done_at(db, task))?;
    // A clock that was set back has not done what lies ahead of it.
    Ok(last.is_none_or(|at| at > now || now - at >= every))
}

fn done(app: &App, task: &'static str) -> Result<()> {
    app.write_blocking(move |tx: &BackgroundTx| maintenance::note(tx, task))
}

/// Makes a backup that is due, and removes those that have had their time. The last good one is
/// replaced by a new one first: it goes on the day that receipts name.
fn backups(app: &App) -> Result<()> {
    let (now, backup_policy) = (app.clock().now(), app.backup_policy());
    let listed = archive::list(app.backups()).map_err(backup::trouble)?;
    let due = match backup_policy.every {
        Some(every) => is_due(app, BACKUP, every)?,
        None => false,
    };
    if (due || archive::lasting(&listed, now, backup_policy.keep).is_some())
        && is_due(app, BACKUP_TRIED, backup_policy.every.map_or(RETRY, |every| every.min(RETRY)))?
    {
        done(app, BACKUP_TRIED)?;
        match backup::make(app, app.backups()) {
            Ok(path) => {
                done(app, BACKUP)?;
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                log::info!("backup {name} was made");
                return prune(app);
            }
            Err(error) => log::error!("no backup could be made, it is tried again: {error}"),
        }
    }
    let over = !archive::expired(&listed, now, backup_policy.keep).is_empty();
    if is_due(app, PRUNE, if over { RETRY } else { DAY })? {
        prune(app)?;
    }
    Ok(())
}

fn prune(app: &App) -> Result<()> {
    if !app.time_standing().is_trusted() {
        return Ok(());
    }
    match backup::prune(app) {
        Ok(0) => {}
        Ok(some) => log::info!("{some} backups had had their time and were removed"),
        Err(error) => log::error!("old backups could not be removed: {error}"),
    }
    done(app, PRUNE)
}

/// Searches all files for the needles of jobs that ended, and forgets those that it did not
/// find. False: it was not done; later.
fn search(app: &App, go_on: &dyn Fn() -> bool) -> Result<bool> {
    loop {
        let (jobs, all) = ended(app)?;
        if jobs.is_empty() {
            return Ok(true);
        }
        let mut tries = 0;
        let verdict = loop {
            tries += 1;
            if !go_on() {
                return Ok(false);
            }
            let Some(verdict) = look(app, &all)? else { return Ok(false) };
            if verdict.is_clean() || tries == TRIES {
                break verdict;
            }
        };
        log::info!("{} erasures were searched for in {} bytes of all files", jobs.len(), verdict.bytes);
        for job in jobs {
            match verdict.found.get(&job).filter(|found| !found.places.is_empty()) {
                Some(found) => {
                    let places = found.places.clone();
                    log::error!("VALUES OF AN ERASED PERSON, JOB {job}, WERE FOUND IN {}", places.join("; "));
                    app.write_blocking(move |tx| jobs::fail(tx, job, &places))?;
                }
                None => forget(app, job)?,
            }
        }
    }
}

/// None: a backup is made, from a copy that holds whoever was erased meanwhile.
fn look(app: &App, all: &[SearchTarget]) -> Result<Option<Verdict>> {
    let Some(_no_backup) = app.no_backup() else { return Ok(None) };
    // A reader may hold this up, and the search does not wait for it: when these jobs ended there
    // was nothing of theirs in the write-ahead log, and what came into it since is searched, too.
    if prove::clean(app, &mut app.proving())?.is_none() {
        log::info!("a reader holds the write-ahead log: it is searched as it is");
    }
    let verdict = app.store().verify(all, Scope::Whole)?;
    app.store().mark_dirty(verdict.stale.clone())?;
    Ok(Some(verdict))
}

/// Jobs that ended, and their needles: some at a time.
fn ended(app: &App) -> Result<(Vec<JobId>, Vec<SearchTarget>)> {
    let key = app.store().search_key();
    let (mut some, mut all) = (Vec::new(), Vec::new());
    for job in app.read(|db| fragments::of_ended(db, JOBS))? {
        all.extend(app.read(|db| fragments::of(db, key, job))?);
        some.push(job);
        if all.len() >= FRAGMENTS {
            break;
        }
    }
    Ok((some, all))
}

fn forget(app: &App, job: JobId) -> Result<()> {
    while app.write_blocking(move |tx: &BackgroundTx| fragments::forget(tx, job, CHUNK))? > 0 {}
    Ok(())
}
