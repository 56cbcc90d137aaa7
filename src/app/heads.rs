//! The thread that signs how far the ledger has come; see [`crate::proof::ledger_head`].
//!
//! Signed behind the commit and at most once a second, so that many erasures cost one sync
//! more, and not one each. What that lag costs: of a machine that is killed, up to a second of
//! entries stands beyond its head. They have their MACs, and a longer ledger is taken; the
//! database has seen them, too. Only who puts back ledger and database both, from within that
//! second, is not noticed. A stop signs the last.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::ledger::Position;
use crate::proof::hex::Hex;
use crate::proof::ledger_head::Head;
use crate::proof::signing::Signer;
use crate::worker_signal::WorkerSignal;

/// Between two heads.
const PAUSE: Duration = Duration::from_secs(1);
/// It looks for itself as often.
const IDLE: Duration = Duration::from_secs(60);

pub struct Heads {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    dir: PathBuf,
    signer: Signer,
    clock: Clock,
    run: Hex<8>,
    /// The place that was told last, and that was signed last.
    told: Mutex<Option<Position>>,
    signed: Mutex<Option<Position>>,
    news: WorkerSignal,
    /// Do not wait for the end of the pause.
    hurry: WorkerSignal,
    stopping: AtomicBool,
}

impl Heads {
    /// Signs the head of now, and starts the thread. [`Error::DiskFails`] or [`Error::DiskFull`] if it cannot be
    /// written.
    pub fn start(dir: &Path, signer: Signer, clock: Clock, run: Hex<8>, now: Position) -> Result<Heads> {
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            signer,
            clock,
            run,
            told: Mutex::new(Some(now)),
            signed: Mutex::default(),
            news: WorkerSignal::default(),
            hurry: WorkerSignal::default(),
            stopping: AtomicBool::new(false),
        });
        let cannot = "the head of the ledger of erasures cannot be signed";
        shared.sign().map_err(|error| Error::of_file(cannot, &error))?;
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("usher-heads".into())
            .spawn(move || theirs.run())
            .map_err(Error::internal)?;
        Ok(Heads { shared, thread: Mutex::new(Some(thread)) })
    }

    /// What tells the thread that the ledger has come to a place. It never waits for a disk.
    pub fn hearer(&self) -> impl Fn(&Position) + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move |position| {
            let mut told = shared.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.is_none_or(|told| told.seq <= position.seq) {
                *told = Some(*position);
            }
            drop(told);
            shared.news.ring();
        }
    }

    /// Signs what there is, and ends the thread.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.hurry.ring();
        self.shared.news.ring();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            log::error!("the thread that signs the ledger's head ended with a panic");
        }
    }
}

impl Drop for Heads {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn run(&self) {
        let mut failed = false;
        loop {
            let stopping = self.stopping.load(Ordering::SeqCst);
            match self.sign() {
                Ok(()) => failed = false,
                Err(error) if !failed => {
                    log::error!("the head of the ledger cannot be signed, and is tried again: {error}");
                    failed = true;
                }
                Err(_) => {}
            }
            if stopping {
                return;
            }
            self.hurry.sleep(PAUSE);
            self.news.sleep(if failed { PAUSE } else { IDLE });
        }
    }

    /// Signs the place that was told last, unless it was.
    fn sign(&self) -> std::io::Result<()> {
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = told.filter(|told| signed.is_none_or(|signed| signed.seq != told.seq)) {
            let head = Head {
                ledger: Hex(place.ledger.0),
                seq: place.seq,
                chain: Hex(place.head),
                at: self.clock.now(),
                run: self.run,
            };
            head.keep(&self.dir, &self.signer)?;
            *signed = Some(place);
        }
        Ok(())
    }
}
