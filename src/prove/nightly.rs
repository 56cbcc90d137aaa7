//! Once a day the whole files are searched again for those whose erasure was proven since the last time.

use super::{FRAGMENTS, TRIES, clean};
use crate::app::App;
use crate::erasure::jobs;
use crate::error::Result;
use crate::model::JobId;
use crate::store::fragment::SearchTarget;
use crate::store::{BackgroundTx, Scope, Verdict, fragments};

/// Jobs that one search is for: few have many fragments, and each search reads all files.
const JOBS: u32 = 50_000;
/// Fragments forgotten in one transaction.
const CHUNK: u32 = 500;

/// Searches all files for the fragments of jobs that ended, and forgets those that it did not
/// find. False: it was not done; later.
pub fn search(app: &App, go_on: &dyn Fn() -> bool) -> Result<bool> {
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
        let mut is_blind = false;
        for job in jobs {
            match verdict.found.get(&job) {
                Some(found) if !found.places.is_empty() => {
                    let places = found.places.clone();
                    log::error!("VALUES OF AN ERASED PERSON, JOB {job}, WERE FOUND IN {}", places.join("; "));
                    app.write_blocking(move |tx| jobs::fail(tx, job, &places))?;
                }
                Some(found) if found.sees => forget(app, job)?,
                _ => is_blind = true,
            }
        }
        if is_blind {
            log::error!(
                "the search did not find what is known to be there, so it proves nothing: it is repeated"
            );
            return Ok(true);
        }
    }
}

/// None: a backup is made, from a copy that holds users erased meanwhile.
fn look(app: &App, all: &[SearchTarget]) -> Result<Option<Verdict>> {
    let Some(_no_backup) = app.no_backup() else { return Ok(None) };
    // A reader may hold this up, and the search does not wait for it: when these jobs ended there
    // was none of their data in the write-ahead log, and what came into it since is searched, too.
    if clean(app, &mut app.proving())?.is_none() {
        log::info!("a reader holds the write-ahead log: it is searched as it is");
    }
    let verdict = app.store().verify(all, Scope::Whole)?;
    app.store().mark_dirty(verdict.stale.clone())?;
    Ok(Some(verdict))
}

/// Jobs that ended, and their fragments: some at a time.
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
