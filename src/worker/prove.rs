//! The proof of erasures: once rows are gone, the pages they lay on are scrubbed, the WAL
//! is emptied, and the files are searched for what was theirs. Only then is a job completed.

use crate::app::App;
use crate::domain::jobs::{self, Searched};
use crate::error::{Error, Result};
use crate::model::{Job, JobId};
use crate::store::search::Needle;
use crate::store::{Emptied, Lane, Scope, Totals, Verdict, needles};

/// Times that files are cleaned and searched again before a job fails: a page may be
/// caught in the middle of being written.
const TRIES: u32 = 3;

/// What became of the jobs whose rows are gone.
#[derive(Debug, Default)]
pub struct Proved {
    pub completed: u64,
    pub faults: u64,
    pub waiting: u64,
}

/// Proves the jobs that wait for it, all at once.
pub fn jobs(app: &App, go_on: &dyn Fn() -> bool) -> Result<Proved> {
    let now = app.clock().now();
    let jobs = app.read(|db| jobs::unproven(db, now))?;
    if jobs.is_empty() {
        return Ok(Proved::default());
    }
    if !app.store().is_surveyed() {
        let found = app.store().survey(go_on)?;
        if found > 0 {
            log::warn!("{found} pages held stale bytes since before the start; they are scrubbed");
        }
    }
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let mut tries = 0;
    let verdict = loop {
        if !go_on() {
            return Ok(Proved::default());
        }
        tries += 1;
        let Some((written, _)) = clean(app)? else {
            return Ok(Proved { waiting: jobs.len() as u64, ..Proved::default() });
        };
        if tries == 1 {
            let ids = ids.clone();
            app.write_blocking(Lane::Background, move |tx| jobs::note_scrubbed(tx, &ids))?;
        }
        let verdict = search(app, &jobs, Scope::Written(written.clone()))?;
        if verdict.is_clean() {
            break verdict;
        }
        app.store().unverified(written)?;
        app.store().suspect(verdict.stale.clone())?;
        if tries == TRIES {
            break verdict;
        }
    };
    conclude(app, &jobs, verdict)
}

/// Scrubs what was written and empties the WAL. None: a reader still needs it.
fn clean(app: &App) -> Result<Option<(Vec<u32>, Totals)>> {
    while app.store().scrub()? > 0 {}
    Ok(match app.store().empty_wal()? {
        Emptied::Busy => None,
        Emptied::Done { written, totals } => Some((written, totals)),
    })
}

fn search(app: &App, jobs: &[Job], scope: Scope) -> Result<Verdict> {
    let mut all: Vec<(JobId, Needle)> = Vec::new();
    for job in jobs {
        all.extend(app.read(|db| needles::of(db, job.id))?);
    }
    app.store().verify(app.store().search_key(), all, scope)
}

fn conclude(app: &App, jobs: &[Job], verdict: Verdict) -> Result<Proved> {
    let stale = verdict.stale.first().copied();
    let mut proved = Proved::default();
    for job in jobs {
        let found = verdict.found.get(&job.id).cloned().unwrap_or_default();
        let searched = Searched { id: job.id, mentions: found.mentions, places: found.places };
        let id = job.id;
        let outcome = match stale.filter(|_| searched.places.is_empty()) {
            // What is there is nobody's that is known, but it should not be there.
            Some(page) => Err(Error::internal(format!("page {page} keeps stale bytes"))),
            None => app.write_blocking(Lane::Background, move |tx| jobs::conclude(tx, &searched)),
        };
        match outcome {
            Ok(true) => proved.completed += 1,
            Ok(false) => proved.faults += 1,
            Err(error @ Error::Unavailable(_)) => return Err(error),
            Err(error) => {
                log::error!("job {id} could not be proven: {error}");
                let text = error.to_string();
                app.write_blocking(Lane::Background, move |tx| jobs::note_fault(tx, id, &text))?;
                proved.faults += 1;
            }
        }
    }
    Ok(proved)
}
