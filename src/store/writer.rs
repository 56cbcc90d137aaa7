//! The one writing thread.
//!
//! It takes all closures that wait, runs each in a savepoint of its own, commits
//! once, and only then answers them: durable before the answer, one fsync for many.
//! Background work (erasing in chunks) waits behind the requests.
//!
//! A closure may run twice: when a fault ends the whole transaction, the others of
//! its group begin again. So it must have no effect outside the transaction.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use tokio::sync::oneshot;

use super::{Resources, Tx, from_sql};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// How many requests may wait; one more is answered 503.
const QUEUE_MAX: usize = 4_096;
/// A group is committed after this many closures, or this long, though more wait.
const GROUP_MAX: usize = 256;
const GROUP_TIME: Duration = Duration::from_millis(20);
/// Frames in the WAL at which the writer checkpoints.
const CHECKPOINT_FRAMES: i32 = 2_000;

thread_local! {
    /// Frames in the WAL after the last commit, as SQLite told the hook.
    static WAL_FRAMES: Cell<i32> = const { Cell::new(0) };
}

/// Which queue a closure waits in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Request,
    Background,
}

/// A handle on the thread.
pub struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    queues: Mutex<Queues>,
    wake: Condvar,
}

#[derive(Default)]
struct Queues {
    requests: VecDeque<Box<dyn Task>>,
    background: VecDeque<Box<dyn Task>>,
    stopping: bool,
}

/// A queued closure with the place its answer goes to.
trait Task: Send {
    /// Runs it; false if it failed and what it wrote must be undone.
    fn run(&mut self, tx: &Tx) -> bool;
    fn clock(&self) -> &Clock;
    fn panicked(&mut self);
    /// Whether it failed for want of room.
    fn met_full_disk(&self) -> bool;
    /// Hands the answer over: its own if the transaction was committed (or its own
    /// error), the fault if it was not.
    fn answer(self: Box<Self>, fault: Option<&Void>);
}

struct Op<T, F> {
    run: F,
    clock: Clock,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Task for Op<T, F>
where
    T: Send,
    F: FnMut(&Tx) -> Result<T> + Send,
{
    fn run(&mut self, tx: &Tx) -> bool {
        let outcome = (self.run)(tx);
        let good = outcome.is_ok();
        self.outcome = Some(outcome);
        good
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn panicked(&mut self) {
        self.outcome = Some(Err(Error::internal("a write panicked")));
    }

    fn met_full_disk(&self) -> bool {
        matches!(self.outcome, Some(Err(Error::Unavailable(_))))
    }

    fn answer(self: Box<Self>, fault: Option<&Void>) {
        let answer = match (self.outcome, fault) {
            (_, Some(void)) => Err(void.error()),
            (Some(own), None) => own,
            (None, None) => Err(Error::internal("the write did not run")),
        };
        // Whoever asked may be gone; what was committed stays committed.
        let _ = self.reply.send(answer);
    }
}

impl Writer {
    /// Starts the thread on its connection.
    pub fn start(conn: Connection, resources: Resources, clock: Clock) -> Result<Writer> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("usher-writer".into())
            .spawn(move || Thread { conn, resources, clock }.run(&theirs))
            .map_err(Error::internal)?;
        Ok(Writer { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues `run`; the answer comes once it is on disk. [`Error::Unavailable`] when
    /// the queue is full or the store has stopped.
    pub fn submit<T, F>(&self, lane: Lane, clock: Clock, run: F) -> Result<oneshot::Receiver<Result<T>>>
    where
        T: Send + 'static,
        F: FnMut(&Tx) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Box::new(Op { run, clock, outcome: None, reply });
        let mut queues = self.shared.queues();
        if queues.stopping {
            return Err(Error::Unavailable("the server is stopping"));
        }
        match lane {
            Lane::Request if queues.requests.len() >= QUEUE_MAX => {
                return Err(Error::Unavailable("too many writes are waiting"));
            }
            Lane::Request => queues.requests.push_back(task),
            Lane::Background => queues.background.push_back(task),
        }
        drop(queues);
        self.shared.wake.notify_one();
        Ok(answer)
    }

    /// Finishes what waits, folds the WAL into the database, and ends the thread.
    pub fn stop(&self) {
        self.shared.queues().stopping = true;
        self.shared.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            log::error!("the writer ended with a panic");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work. Requests come first; after each group of them one background
    /// closure gets its turn, so that neither starves. None: stopping, and empty.
    fn next(&self, last: Lane) -> Option<(Lane, Vec<Box<dyn Task>>)> {
        let mut queues = self.queues();
        loop {
            if last == Lane::Request
                && let Some(task) = queues.background.pop_front()
            {
                return Some((Lane::Background, vec![task]));
            }
            if !queues.requests.is_empty() {
                let count = queues.requests.len().min(GROUP_MAX);
                return Some((Lane::Request, queues.requests.drain(..count).collect()));
            }
            if let Some(task) = queues.background.pop_front() {
                return Some((Lane::Background, vec![task]));
            }
            if queues.stopping {
                return None;
            }
            queues = self.wake.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What the thread owns.
struct Thread {
    conn: Connection,
    resources: Resources,
    clock: Clock,
}

/// Why a transaction came to nothing.
struct Void {
    text: String,
    /// No room on the disk: the same write may succeed later.
    full: bool,
}

impl Void {
    fn error(&self) -> Error {
        if self.full { Error::Unavailable("the disk is full") } else { Error::internal(&self.text) }
    }
}

impl Thread {
    fn run(self, shared: &Shared) {
        self.conn.wal_hook(Some(note_frames));
        let mut last = Lane::Background;
        while let Some((lane, tasks)) = shared.next(last) {
            last = lane;
            self.commit(tasks);
            if WAL_FRAMES.get() >= CHECKPOINT_FRAMES {
                self.checkpoint("PASSIVE");
            }
        }
        self.checkpoint("TRUNCATE");
    }

    /// Commits the tasks as one group; if that fails, each by itself.
    fn commit(&self, tasks: Vec<Box<dyn Task>>) {
        let mut waiting = VecDeque::from(tasks);
        while !waiting.is_empty() {
            if let Err(fault) = self.begin() {
                // Nobody's fault, and the next would wait as long for the same.
                log::error!("no write can begin: {}", fault.text);
                self.abandon();
                waiting.drain(..).for_each(|task| task.answer(Some(&fault)));
                return;
            }
            let mut group = Vec::with_capacity(waiting.len());
            match self.attempt(&mut waiting, &mut group) {
                Ok(()) => group.into_iter().for_each(|task| task.answer(None)),
                Err(_) if group.len() + waiting.len() > 1 => {
                    // Which of them ended the transaction may not be known (a full disk
                    // shows at COMMIT): alone, each meets its own fate.
                    for mut task in group.into_iter().chain(waiting.drain(..)) {
                        let fault = self.alone(&mut task).err();
                        task.answer(fault.as_ref());
                    }
                }
                Err(fault) => {
                    log::error!("a write failed: {}", fault.text);
                    group.into_iter().for_each(|task| task.answer(Some(&fault)));
                }
            }
        }
    }

    /// Runs waiting tasks into `group` until the time is up, and commits; it has begun.
    fn attempt(
        &self,
        waiting: &mut VecDeque<Box<dyn Task>>,
        group: &mut Vec<Box<dyn Task>>,
    ) -> Result<(), Void> {
        let began = Instant::now();
        let mut outcome = Ok(());
        while let Some(mut task) = waiting.pop_front() {
            outcome = self.one(&mut task);
            group.push(task);
            if outcome.is_err() || began.elapsed() > GROUP_TIME {
                break;
            }
        }
        let outcome = outcome.and_then(|()| self.end());
        if outcome.is_err() {
            self.abandon();
        }
        outcome
    }

    fn alone(&self, task: &mut Box<dyn Task>) -> Result<(), Void> {
        let outcome = self.begin().and_then(|()| self.one(task)).and_then(|()| self.end());
        if let Err(fault) = &outcome {
            log::error!("a write failed: {}", fault.text);
            self.abandon();
        }
        outcome
    }

    fn begin(&self) -> Result<(), Void> {
        // IMMEDIATE: a deferred transaction that reads first cannot be upgraded once
        // another has committed, and SQLite says so without waiting.
        self.sql("BEGIN IMMEDIATE")?;
        self.resources.ids.reserve(&self.conn, self.clock.now()).map_err(void)
    }

    fn end(&self) -> Result<(), Void> {
        self.sql("COMMIT")?;
        self.resources.ids.reserved();
        Ok(())
    }

    fn abandon(&self) {
        if !self.conn.is_autocommit() {
            let _ = self.sql("ROLLBACK");
        }
    }

    /// One task in its savepoint. Void: the whole transaction is lost.
    fn one(&self, task: &mut Box<dyn Task>) -> Result<(), Void> {
        self.sql("SAVEPOINT task")?;
        let tx = Tx::new(&self.conn, task.clock().now(), &self.resources);
        let good = catch_unwind(AssertUnwindSafe(|| task.run(&tx))).unwrap_or_else(|_| {
            log::error!("a write panicked");
            task.panicked();
            false
        });
        // A full disk, an I/O error or RAISE(ROLLBACK) ends the transaction behind our
        // back; what follows would commit by itself.
        if self.conn.is_autocommit() {
            let text = "the transaction ended before its commit".into();
            return Err(Void { text, full: task.met_full_disk() });
        }
        if !good {
            self.sql("ROLLBACK TO task")?;
        }
        self.sql("RELEASE task")
    }

    fn sql(&self, sql: &str) -> Result<(), Void> {
        self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(void)?;
        Ok(())
    }

    fn checkpoint(&self, mode: &str) {
        let done = self.conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i32>(1)?, row.get::<_, i32>(2)?))
        });
        match done {
            // All frames are in the database: the WAL begins anew at the next write.
            Ok((0, log, moved)) if log == moved => WAL_FRAMES.set(0),
            // A reader holds some back. Ask again after as many frames more.
            Ok(_) => WAL_FRAMES.set(CHECKPOINT_FRAMES / 2),
            Err(error) => log::error!("checkpoint failed: {}", from_sql(error)),
        }
    }
}

fn void(error: rusqlite::Error) -> Void {
    match from_sql(error) {
        error @ Error::Unavailable(_) => Void { text: error.to_string(), full: true },
        error => Void { text: error.to_string(), full: false },
    }
}

fn note_frames(_: &Wal, frames: std::ffi::c_int) -> rusqlite::Result<()> {
    WAL_FRAMES.set(frames);
    Ok(())
}
