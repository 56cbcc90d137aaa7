//! The thread that keeps the place of copies up to date. It is told that there is more,
//! looks itself what is missing, and after a fault tries again and again, with longer and
//! longer pauses. Nobody waits for it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::catalog::{self, Listed};
use super::destination::{Copied, Destination};
use super::error::{BackupError, Result};
use super::retention;
use super::upload_state::UploadState;
use crate::clock::{Clock, Millis};
use crate::worker_signal::WorkerSignal;

/// How long a copy that was abandoned may take to notice.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What is copied.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The ledger's file.
    pub ledger: PathBuf,
    /// The folder of backups.
    pub backups: PathBuf,
    /// The folder of receipts: files that never change, each with its number first.
    pub receipts: PathBuf,
}

/// How patient it is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The pause after a first fault; it doubles with each one that follows.
    pub first: Duration,
    /// The longest pause after a fault.
    pub longest: Duration,
    /// It looks for itself as often, told or not.
    pub idle: Duration,
    /// What a stop grants the copy that is under way.
    pub last: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
            idle: Duration::from_secs(600),
            last: Duration::from_secs(10),
        }
    }
}

/// How the copies stand, for a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyState {
    /// When all was copied that there was.
    pub last_success: Option<Millis>,
    pub behind: Pending,
    pub fault: Option<CopyFault>,
    /// Names of backups that are damaged here, and are not copied.
    pub damaged: Vec<String>,
}

/// What is not copied yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    /// Bytes of the ledger.
    pub ledger: u64,
    /// Number of backups.
    pub backups: u64,
}

/// Why not, as long as it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFault {
    pub since: Millis,
    /// Of the last try.
    pub words: String,
    pub tries: u32,
}

/// For those who have news for the thread, or want to know how it stands. Cheap to clone.
#[derive(Clone)]
pub struct Notices(Arc<Shared>);

struct Shared {
    place: Destination,
    sources: Sources,
    clock: Clock,
    keep: Millis,
    pace: Pace,
    /// There is something to do.
    worker_signal: WorkerSignal,
    /// Do not wait for the end of the pause.
    hurry: WorkerSignal,
    /// The ledger is on our disk for good up to here.
    ledger: AtomicU64,
    ledger_copied: AtomicU64,
    /// Receipts were written up to this number.
    receipts: AtomicU64,
    receipts_copied: AtomicU64,
    /// Backups that were made since it looked.
    made: AtomicU64,
    /// Look at everything, whatever was told.
    look: AtomicBool,
    stopping: AtomicBool,
    state: Mutex<CopyState>,
    /// The backups in the place, when it was looked at last.
    there: Mutex<Arc<Vec<Listed>>>,
}

impl Notices {
    /// The ledger is on disk up to this byte. Never waits.
    pub fn ledger_grew(&self, upto: u64) {
        self.0.ledger.fetch_max(upto, Ordering::SeqCst);
        self.0.worker_signal.ring();
    }

    /// Receipts were written up to this number. Never waits.
    pub fn receipts_written(&self, upto: u64) {
        self.0.receipts.fetch_max(upto, Ordering::SeqCst);
        self.0.worker_signal.ring();
    }

    /// There is a new file in the folder of backups, or one less. Never waits.
    pub fn backup_made(&self) {
        self.0.made.fetch_add(1, Ordering::SeqCst);
        self.0.worker_signal.ring();
    }

    /// Tries at once what failed.
    pub fn try_now(&self) {
        self.0.look.store(true, Ordering::SeqCst);
        self.0.worker_signal.ring();
        self.0.hurry.ring();
    }

    /// The backups that were in the place when it was looked at last, oldest first: also those
    /// whose originals are not here. Never waits. Of what a command took away, none.
    pub fn there(&self) -> Arc<Vec<Listed>> {
        Arc::clone(&self.0.there.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn state(&self) -> CopyState {
        let held = self.0.state();
        let mut state = held.clone();
        // While it is held: a backup is news or missing, for a moment perhaps both, but
        // never neither.
        state.behind.backups += self.0.made.load(Ordering::SeqCst);
        drop(held);
        let copied = self.0.ledger_copied.load(Ordering::SeqCst);
        state.behind.ledger = self.0.ledger.load(Ordering::SeqCst).saturating_sub(copied);
        state
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, CopyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct Copier {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Closed when the thread has ended.
    ended: mpsc::Receiver<()>,
}

impl Copier {
    /// Starts the thread, which first looks for what is missing. Copies that are `keep` old
    /// are removed from the place, but for the last good one. An error only if there can be no thread.
    pub fn start(
        sources: Sources,
        place: Destination,
        clock: Clock,
        keep: Millis,
        pace: Pace,
    ) -> std::io::Result<Copier> {
        let shared = Arc::new(Shared {
            place,
            sources,
            clock,
            keep,
            pace,
            worker_signal: WorkerSignal::default(),
            hurry: WorkerSignal::default(),
            ledger: AtomicU64::new(0),
            ledger_copied: AtomicU64::new(0),
            receipts: AtomicU64::new(0),
            receipts_copied: AtomicU64::new(0),
            made: AtomicU64::new(0),
            look: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            state: Mutex::default(),
            there: Mutex::default(),
        });
        // A clock that is moved by hand makes copies old.
        let known = Arc::downgrade(&shared);
        shared.clock.on_advance(move || {
            if let Some(shared) = known.upgrade() {
                shared.look.store(true, Ordering::SeqCst);
                shared.worker_signal.ring();
            }
        });
        let (tell, ended) = mpsc::channel();
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("usher-copier".into()).spawn(move || {
            let _closed_at_the_end = tell;
            run(&theirs);
        })?;
        Ok(Copier { shared, thread: Some(thread), ended })
    }

    pub fn notices(&self) -> Notices {
        Notices(Arc::clone(&self.shared))
    }

    pub fn state(&self) -> CopyState {
        self.notices().state()
    }

    /// Copies what is not copied yet, in one try and within [`Pace::last`], and ends the
    /// thread. What is left is taken up at the next start.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.worker_signal.ring();
        self.shared.hurry.ring();
        if self.ended.recv_timeout(self.shared.pace.last) == Err(RecvTimeoutError::Timeout) {
            self.shared.place.abandon();
            log::warn!("the last copy to the backup place takes too long; the next start takes it up");
            if self.ended.recv_timeout(LAST_WORDS) == Err(RecvTimeoutError::Timeout) {
                // A file system that does not answer: the thread goes with the process.
                return;
            }
        }
        if thread.join().is_err() {
            log::error!("the copier ended with a panic");
        }
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What to look at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Ledger,
    All,
}

fn run(shared: &Shared) {
    let mut seen = BTreeSet::new();
    let mut pause = shared.pace.first;
    let mut turn = Turn::All;
    loop {
        // Looked at first: what is told from here on has its turn before the end.
        let last = shared.stopping.load(Ordering::SeqCst);
        match copy(shared, turn, &mut seen) {
            Ok(()) => {
                note_success(shared);
                pause = shared.pace.first;
                if last {
                    return;
                }
                let asleep = Instant::now();
                shared.worker_signal.sleep(shared.pace.idle);
                let told = shared.made.load(Ordering::SeqCst) > 0 || shared.look.load(Ordering::SeqCst);
                // Woken for the ledger alone, as with every erasure: no look at the folders.
                turn = match told || asleep.elapsed() >= shared.pace.idle {
                    true => Turn::All,
                    false => Turn::Ledger,
                };
            }
            Err(BackupError::Abandoned) => return,
            Err(refusal) => {
                note_fault(shared, &refusal);
                if last {
                    return;
                }
                // News of more to copy does not cut this short.
                shared.hurry.sleep(pause);
                pause = (pause * 2).min(shared.pace.longest);
                turn = Turn::All;
            }
        }
    }
}

/// One turn. The ledger first: it is small, and it is what keeps the erased away.
fn copy(shared: &Shared, turn: Turn, seen: &mut BTreeSet<String>) -> Result<()> {
    let upto = shared.ledger.load(Ordering::SeqCst);
    let ledger = match upto {
        // Not told yet.
        0 => Ok(()),
        _ if turn == Turn::Ledger && upto == shared.ledger_copied.load(Ordering::SeqCst) => Ok(()),
        _ => shared.place.follow_ledger(&shared.sources.ledger, upto).map(|_| {
            shared.ledger_copied.store(upto, Ordering::SeqCst);
        }),
    };
    if matches!(ledger, Err(BackupError::Abandoned)) {
        return ledger;
    }
    let ledger = ledger.and(copy_receipts(shared));
    if matches!(ledger, Err(BackupError::Abandoned)) || turn == Turn::Ledger {
        return ledger;
    }
    // A ledger that cannot be copied does not hold up the backups.
    let backups = copy_backups(shared, seen);
    let there = shared.place.list().map(|there| {
        *shared.there.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(there);
    });
    ledger.and(backups).and(there)
}

/// In their order, so that one number says how far it has come.
fn copy_receipts(shared: &Shared) -> Result<()> {
    let (told, mut copied) =
        (shared.receipts.load(Ordering::SeqCst), shared.receipts_copied.load(Ordering::SeqCst));
    if told <= copied {
        return Ok(());
    }
    let marks = UploadState::new(&shared.sources.backups, shared.place.blind());
    copied = copied.max(marks.receipts());
    let mut missing = catalog::numbered(&shared.sources.receipts)?;
    missing.retain(|(number, _)| (copied + 1..=told).contains(number));
    let outcome = missing.iter().try_for_each(|(number, path)| {
        shared.place.copy_once(path)?;
        copied = *number;
        Ok(())
    });
    marks.set_receipts(copied)?;
    shared.receipts_copied.store(if outcome.is_ok() { told } else { copied }, Ordering::SeqCst);
    outcome
}

fn copy_backups(shared: &Shared, seen: &mut BTreeSet<String>) -> Result<()> {
    let (folder, time) = (&shared.sources.backups, shared.clock.read());
    let (now, may_prune) = (time.now, time.standing.is_trusted());
    let made = shared.made.load(Ordering::SeqCst);
    shared.look.store(false, Ordering::SeqCst);
    let listed = catalog::list(folder)?;
    let expired: BTreeSet<&String> =
        retention::expired(&listed, now, shared.keep).into_iter().map(|backup| &backup.name).collect();
    let marks = UploadState::new(folder, shared.place.blind());
    let is_there = |backup: &Listed| match shared.place.has(&backup.name, backup.bytes) {
        Some(there) => there && seen.contains(&backup.name),
        None => marks.has(&backup.name),
    };
    let damaged = shared.state().damaged.clone();
    let mut missing: Vec<&Listed> = listed
        .iter()
        .filter(|backup| backup.manifest.is_ok() && !damaged.contains(&backup.name))
        .filter(|backup| !expired.contains(&backup.name))
        .filter(|backup| !is_there(backup))
        .collect();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    {
        let mut state = shared.state();
        state.behind.backups = count(missing.len());
        shared.made.fetch_sub(made, Ordering::SeqCst);
    }
    // Room is made before it is taken; what cannot be removed does not hold up the new.
    let prune = || if may_prune { shared.place.prune(now, shared.keep) } else { Ok(()) };
    let pruned = prune();
    marks.sweep(&listed)?;
    let mut came = false;
    // The newest first; it is at the end.
    while let Some(backup) = missing.pop() {
        match shared.place.copy_file(&backup.path) {
            Ok(copied) => {
                came |= copied == Copied::Now;
                marks.set(&backup.name)?;
                seen.insert(backup.name.clone());
            }
            Err(refusal @ (BackupError::Damaged { .. } | BackupError::CutShort { .. })) => {
                log::error!("not copied: {refusal}");
                shared.state().damaged.push(backup.name.clone());
            }
            // Pruned since it was listed.
            Err(_) if !backup.path.exists() => {}
            Err(refusal) => return Err(refusal),
        }
        shared.state().behind.backups = count(missing.len());
    }
    shared.state().damaged.retain(|name| listed.iter().any(|backup| backup.name == *name));
    // What stayed as the last good one has been relieved.
    if came { pruned.and(prune()) } else { pruned }
}

/// Logged once, when it is over.
fn note_success(shared: &Shared) {
    let mut state = shared.state();
    state.last_success = Some(shared.clock.now());
    if let Some(fault) = state.fault.take() {
        log::info!("copying to the backup place works again, after {} tries that failed", fault.tries);
    }
}

/// Logged once, when it begins.
fn note_fault(shared: &Shared, refusal: &BackupError) {
    let mut state = shared.state();
    let words = refusal.to_string();
    match &mut state.fault {
        Some(fault) => {
            fault.words = words;
            fault.tries = fault.tries.saturating_add(1);
        }
        None => {
            log::error!("copying to the backup place fails, and is tried again: {words}");
            state.fault = Some(CopyFault { since: shared.clock.now(), words, tries: 1 });
        }
    }
}
