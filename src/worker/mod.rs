//! The background thread: the reaper, the jobs, the moves after a merge, the proof of
//! erasures, and what comes round: backups, a search of all files. It sleeps until the next thing is due and wakes when told.

pub mod backup;
mod prove;
pub mod upkeep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::app::App;
use crate::domain::{jobs, keys};
use crate::error::{Error, Result};
use crate::store::Lane;

/// The longest sleep; key uses are written down as often.
const SLEEP: Duration = Duration::from_secs(60);
/// The sleep after a fault.
const PAUSE: Duration = Duration::from_secs(1);
/// The sleep while a reader holds up the proof of an erasure.
const WAIT: Duration = Duration::from_millis(50);

/// What a tick did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    pub steps: u64,
    pub began: u64,
    pub reaped: u64,
    pub completed: u64,
    pub faults: u64,
    /// Jobs whose rows are gone and which wait for a reader to let go of the old pages.
    pub waiting: u64,
}

/// Does all that is due now, in steps short enough for requests to pass in between. No
/// input, idempotent: the thread calls it, a test may, a button may.
pub fn tick(app: &App) -> Result<Report> {
    tick_while(app, || true)
}

fn tick_while(app: &App, go_on: impl Fn() -> bool) -> Result<Report> {
    let mut report = Report::default();
    while go_on() {
        let step = app.write_blocking(Lane::Background, jobs::step)?;
        report.steps += 1;
        report.began += step.began;
        report.reaped += step.reaped;
        report.faults += step.faults;
        if !step.more {
            break;
        }
    }
    loop {
        let proved = prove::jobs(app, &go_on)?;
        report.completed += proved.completed;
        report.faults += proved.faults;
        report.waiting += proved.waiting;
        if proved.completed == 0 {
            break;
        }
    }
    let uses = app.keyring().take_uses();
    if !uses.is_empty() {
        app.write_blocking(Lane::Background, move |tx| keys::note_uses(tx, &uses))?;
    }
    let reads = app.keyring().take_reads();
    if !reads.is_empty() {
        app.write_blocking(Lane::Background, move |tx| keys::note_reads(tx, &reads))?;
    }
    upkeep::run(app, &go_on)?;
    Ok(report)
}

pub struct Worker {
    app: App,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub fn start(app: App) -> Result<Worker> {
        let stopping = Arc::new(AtomicBool::new(false));
        // A clock that is moved by hand makes things due.
        let bell = Arc::clone(app.bell());
        app.clock().on_advance(move || bell.ring());
        let (theirs, told) = (app.clone(), Arc::clone(&stopping));
        let thread = std::thread::Builder::new()
            .name("usher-worker".into())
            .spawn(move || run(&theirs, &told))
            .map_err(Error::internal)?;
        Ok(Worker { app, stopping, thread: Some(thread) })
    }

    /// Ends the thread after the step it is in; what is left is taken up at the next start.
    pub fn stop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.app.bell().ring();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the worker ended with a panic");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(app: &App, stopping: &AtomicBool) {
    survey(app, stopping);
    while !stopping.load(Ordering::SeqCst) {
        let sleep = match tick_while(app, || !stopping.load(Ordering::SeqCst)) {
            Ok(report) => {
                if report.began + report.reaped + report.completed + report.faults > 0 {
                    log::info!(
                        "worker: {} jobs begun, {} users reaped, {} jobs completed, {} faults, {} steps",
                        report.began,
                        report.reaped,
                        report.completed,
                        report.faults,
                        report.steps
                    );
                }
                match report.waiting {
                    0 => until_next(app),
                    _ => WAIT,
                }
            }
            Err(error) => {
                log::error!("worker: {error}");
                PAUSE
            }
        };
        app.sleep(sleep);
    }
}

/// An unclean end, or another program's visit, may have left bytes in what is free.
fn survey(app: &App, stopping: &AtomicBool) {
    let _alone = app.proving();
    match app.store().survey(&|| !stopping.load(Ordering::SeqCst)) {
        Ok(0) => {}
        Ok(found) => log::warn!("{found} pages held stale bytes since before the start; they are scrubbed"),
        Err(error) => log::error!("worker: {error}"),
    }
}

fn until_next(app: &App) -> Duration {
    match app.read(jobs::next_due) {
        Ok(Some(due)) => {
            let wait = (due - app.clock().now()).max(1);
            Duration::from_millis(wait.unsigned_abs()).min(SLEEP)
        }
        Ok(None) => SLEEP,
        Err(error) => {
            log::error!("worker: {error}");
            PAUSE
        }
    }
}
