//! The background thread: the reaper, the jobs, the moves after a merge, the proof of
//! erasures. It sleeps until the next thing is due and wakes when told. What comes round,
//! backups and a search of all files, may be long and has a thread of its own.

pub mod maintenance;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::access::{admins, keys, rotation};
use crate::app::App;
use crate::erasure::{project_deletion, step};
use crate::error::{Error, Result};
use crate::projects;
use crate::prove;
use crate::worker_signal::WorkerSignal;

/// The longest sleep; key uses are written down as often.
const SLEEP: Duration = Duration::from_secs(60);
/// The sleep after a fault.
const PAUSE: Duration = Duration::from_secs(1);
/// The sleep while a reader holds up the proof of an erasure.
const WAIT: Duration = Duration::from_millis(50);

/// What a stop grants a thread for the step that it is in.
const LAST: Duration = Duration::from_secs(5);
/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(2);

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
/// input, idempotent: the thread calls it, a test may, a button may. What comes round by the
/// hour or the day has a `tick` of its own: [`maintenance::run`].
pub fn tick(app: &App) -> Result<Report> {
    tick_while(app, || true)
}

fn tick_while(app: &App, go_on: impl Fn() -> bool) -> Result<Report> {
    let mut report = Report::default();
    // First: what was hidden or is due in times to come is told from what is past.
    app.keep_time()?;
    loop {
        do_what_is_due(app, &go_on, &mut report)?;
        if !go_on() || !app.read(project_deletion::is_due)? {
            break;
        }
    }
    note_uses(app)?;
    Ok(report)
}

fn do_what_is_due(app: &App, go_on: &impl Fn() -> bool, report: &mut Report) -> Result<()> {
    while go_on() {
        let step = app.write_blocking(step::step)?;
        report.steps += 1;
        report.began += step.began;
        report.reaped += step.reaped;
        report.faults += step.faults;
        if !step.more {
            break;
        }
    }
    loop {
        let proved = prove::jobs(app, go_on)?;
        report.completed += proved.completed;
        report.faults += proved.faults;
        report.waiting += proved.waiting;
        if proved.completed + proved.faults == 0 {
            return Ok(());
        }
    }
}

/// Writes down which keys were used since the last time, and how many reads each made: they
/// are counted in memory.
pub fn note_uses(app: &App) -> Result<()> {
    let counted = app.keyring().take_counts();
    let is_unused = counted.uses.is_empty() && counted.tokens.is_empty() && counted.old.is_empty();
    let is_empty = is_unused && counted.reads.is_empty() && counted.browsers.is_empty();
    let none_refused = counted.refused_origins.is_empty() && counted.refused_addresses.is_empty();
    if is_empty && none_refused && counted.failed_sign_ins == 0 {
        return Ok(());
    }
    app.write_blocking(move |tx| {
        keys::note_uses(tx, &counted.uses)?;
        keys::note_refused_addresses(tx, &counted.refused_addresses)?;
        rotation::note_uses(tx, &counted.tokens, &counted.old)?;
        keys::note_browsers(tx, &counted.browsers)?;
        keys::note_reads(tx, &counted.reads)?;
        admins::refuse_many(tx, counted.failed_sign_ins)?;
        projects::note_refused_origins(tx, &counted.refused_origins)
    })
}

/// The threads: one for what must not wait, one for what comes round and may be long.
pub struct Worker {
    app: App,
    stopping: Arc<AtomicBool>,
    /// Wakes the second.
    round: Arc<WorkerSignal>,
    threads: Vec<JoinHandle<()>>,
}

impl Worker {
    pub fn start(app: App) -> Result<Worker> {
        let stopping = Arc::new(AtomicBool::new(false));
        let round = Arc::new(WorkerSignal::default());
        // A clock that is moved by hand makes things due.
        let bells = [Arc::clone(app.worker_signal()), Arc::clone(&round)];
        app.clock().on_advance(move || bells.iter().for_each(|worker_signal| worker_signal.ring()));
        let mut worker = Worker { app, stopping, round, threads: Vec::new() };
        worker.spawn("usher-worker", run)?;
        let worker_signal = Arc::clone(&worker.round);
        worker.spawn("usher-upkeep", move |app, stopping| come_round(app, stopping, &worker_signal))?;
        Ok(worker)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce(&App, &AtomicBool) + Send + 'static) -> Result<()> {
        let (app, stopping) = (self.app.clone(), Arc::clone(&self.stopping));
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || run(&app, &stopping));
        self.threads.push(thread.map_err(Error::internal)?);
        Ok(())
    }

    /// Ends the threads after the step they are in; what is left is taken up at the next
    /// start. A backup that is being made is not waited for long.
    pub fn stop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.app.worker_signal().ring();
        self.round.ring();
        let began = Instant::now();
        for thread in self.threads.drain(..) {
            while !thread.is_finished() && began.elapsed() < LAST {
                std::thread::sleep(LOOK);
            }
            if !thread.is_finished() {
                let name = thread.thread().name().unwrap_or("a thread").to_owned();
                match self.app.no_backup() {
                    None => log::warn!("a backup is still being made; the next start makes another"),
                    Some(_) => log::warn!("{name} is still in a long step; the next start resumes it"),
                }
            } else if thread.join().is_err() {
                log::error!("the worker ended with a panic");
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(app: &App, stopping: &AtomicBool) {
    full_scan(app, stopping);
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
            // Told already, once; it does not mend itself.
            Err(Error::Damaged(_)) => SLEEP,
            Err(error) => {
                log::error!("worker: {error}");
                if matches!(error, Error::DiskFull) {
                    app.store().make_room();
                }
                PAUSE
            }
        };
        app.sleep(sleep);
    }
}

fn come_round(app: &App, stopping: &AtomicBool, worker_signal: &WorkerSignal) {
    while !stopping.load(Ordering::SeqCst) {
        if let Err(error) = maintenance::run(app, &|| !stopping.load(Ordering::SeqCst)) {
            log::error!("upkeep: {error}");
        }
        worker_signal.sleep(SLEEP);
    }
}

/// An unclean end, or another program's visit, may have left bytes in what is free.
fn full_scan(app: &App, stopping: &AtomicBool) {
    let _alone = app.proving();
    match app.store().full_scan(&|| !stopping.load(Ordering::SeqCst)) {
        Ok(0) => {}
        Ok(found) => {
            log::warn!("{found} pages contained stale bytes from before this start; they are overwritten")
        }
        Err(error) => log::error!("worker: {error}"),
    }
}

fn until_next(app: &App) -> Duration {
    let reading = app.clock().read();
    match app.read(|db| step::next_due(db, reading.standing.is_trusted())) {
        Ok(due) => {
            let waits = [due.map(|due| due - reading.now), reading.standing.left()];
            let soonest = waits.into_iter().flatten().min().map(|wait| wait.max(1).unsigned_abs());
            soonest.map_or(SLEEP, |wait| Duration::from_millis(wait).min(SLEEP))
        }
        Err(Error::Damaged(_)) => SLEEP,
        Err(error) => {
            log::error!("worker: {error}");
            PAUSE
        }
    }
}
