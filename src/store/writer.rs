//! The one writing thread.
//!
//! It takes all closures that wait, runs each in a savepoint of its own (see
//! [`super::savepoints`]), commits once, and only then answers them: durable before
//! the answer, one fsync for many.
//! Background work (erasing in chunks) waits behind the requests. Between groups it
//! scrubs pages and checkpoints; see [`super::scrub`].
//!
//! A closure may run twice: when a fault ends the whole transaction, the others of
//! its group begin again. So it must have no effect outside the transaction.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use tokio::sync::oneshot;

use super::alarm::Alarm;
use super::boot;
use super::priority::WritePriority;
use super::reserve::DiskReserve;
use super::savepoints::{Around, Opening};
use super::scrub::{Emptied, Scrub};
use super::wal_watch::WalWatch;
use super::{Tx, WriterContext, from_sql};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::trace::Who;

/// How many requests may wait; one more is answered 503.
const QUEUE_MAX: usize = 4_096;
/// A group is committed after this many closures, or this long, though more wait.
const GROUP_MAX: usize = 256;
const GROUP_TIME: Duration = Duration::from_millis(20);
/// Frames in the WAL at which the writer checkpoints: 4 MiB. With more, a caller who writes while
/// they are folded in waits longer: at 4,000 up to 70 ms.
const CHECKPOINT_FRAMES: i32 = 1_000;
/// The same while requests come in crowds: a page that they write again and again is scrubbed and folded in
/// once. It is below the four times at which nobody is served until all is folded in.
const CHECKPOINT_FRAMES_IN_CROWDS: i32 = 3 * CHECKPOINT_FRAMES;
/// So many requests in one group are a crowd.
const CROWD: usize = 8;
/// After a crowd the next one is waited for, for that long: pages that all of them write, and the sync, are
/// then written for many.
const GATHER_TIME: Duration = Duration::from_micros(200);
/// After a crowd nobody came for that long: the WAL is folded in.
const QUIET_TIME: Duration = Duration::from_millis(10);
/// Pages are scrubbed for about this long between two groups.
const FOLD_TIME: Duration = Duration::from_millis(8);
/// What waits behind requests gets a turn after this long, whatever comes.
const PATIENCE: Duration = Duration::from_millis(50);

thread_local! {
    /// Frames in the WAL after the last commit, as SQLite told the hook.
    static WAL_FRAMES: Cell<i32> = const { Cell::new(0) };
}

/// What the writer and its file have to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests that wait to be written.
    pub requests: usize,
    /// Background work that waits behind them.
    pub behind: usize,
    /// Transactions since the start.
    pub commits: u64,
    /// Those that came to nothing.
    pub failed: u64,
    /// Bytes of the write-ahead log.
    pub wal: u64,
}

/// A handle on the thread.
pub struct Writer {
    shared: Arc<Shared>,
    alarm: Arc<Alarm>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    queues: Mutex<Queues>,
    wake: Condvar,
    /// Transactions since the start, and those that came to nothing.
    commits: AtomicU64,
    failed: AtomicU64,
}

#[derive(Default)]
struct Queues {
    requests: VecDeque<Box<dyn Task>>,
    background: VecDeque<BackgroundTask>,
    stopping: bool,
}

/// What waits behind the requests.
enum BackgroundTask {
    Task(Box<dyn Task>),
    MaintenanceTask(MaintenanceTask),
}

/// Work on the file itself, in no transaction of the writer's.
type MaintenanceTask = Box<dyn FnOnce(&Connection, &mut Scrub) + Send>;

/// What the thread does next.
enum Next {
    Group(Vec<Box<dyn Task>>),
    BackgroundTask(BackgroundTask),
    /// Nothing waits.
    Idle,
    Stop,
}

/// When the WAL is to be folded in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Folding {
    No,
    /// Once nobody comes for a while.
    WhenQuiet,
    /// Between one group and the next.
    Now,
}

/// A queued closure with the place its answer goes to.
trait Task: Send {
    /// Runs it; false if it failed and what it wrote must be undone.
    fn run(&mut self, tx: &Tx) -> bool;
    fn clock(&self) -> &Clock;
    fn who(&self) -> Who;
    /// Whether it is taken though the disk is full.
    fn erases(&self) -> bool;
    fn panicked(&mut self);
    /// Whether it failed for want of room.
    fn met_full_disk(&self) -> bool;
    /// What the disk did not do, if it failed for that.
    fn met_failing_disk(&self) -> Option<&str>;
    /// What did not read, if it failed for that.
    fn met_damage(&self) -> Option<&str>;
    /// Hands the answer over: its own if the transaction was committed (or its own
    /// error), the fault if it was not.
    fn answer(self: Box<Self>, fault: Option<&TransactionFailure>);
}

struct Op<T, F> {
    run: F,
    priority: WritePriority,
    clock: Clock,
    who: Who,
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

    fn who(&self) -> Who {
        self.who
    }

    fn erases(&self) -> bool {
        self.priority != WritePriority::Normal
    }

    fn panicked(&mut self) {
        self.outcome = Some(Err(Error::internal("a write panicked")));
    }

    fn met_full_disk(&self) -> bool {
        matches!(self.outcome, Some(Err(Error::DiskFull)))
    }

    fn met_failing_disk(&self) -> Option<&str> {
        match &self.outcome {
            Some(Err(Error::DiskFails(what))) => Some(what),
            _ => None,
        }
    }

    fn met_damage(&self) -> Option<&str> {
        match &self.outcome {
            Some(Err(Error::Damaged(what))) => Some(what),
            _ => None,
        }
    }

    fn answer(self: Box<Self>, fault: Option<&TransactionFailure>) {
        let answer = match (self.outcome, fault) {
            (_, Some(failure)) => Err(failure.error()),
            (Some(own), None) => own,
            (None, None) => Err(Error::internal("the write did not run")),
        };
        // Whoever asked may be gone; what was committed stays committed.
        let _ = self.reply.send(answer);
    }
}

impl Writer {
    /// Starts the thread on its connection.
    pub fn start(
        conn: Connection,
        resources: WriterContext,
        clock: Clock,
        scrub: Scrub,
        reserve: Arc<DiskReserve>,
        watch: Arc<WalWatch>,
        alarm: Arc<Alarm>,
    ) -> Result<Writer> {
        let shared = Arc::new(Shared::default());
        let (theirs, told) = (Arc::clone(&shared), Arc::clone(&alarm));
        let thread = std::thread::Builder::new()
            .name("usher-writer".into())
            .spawn(move || {
                let shared = Arc::clone(&theirs);
                let thread =
                    Thread { conn, resources, clock, scrub, reserve, watch, folded: 0, shared, alarm: told };
                thread.run(&theirs);
            })
            .map_err(Error::internal)?;
        Ok(Writer { shared, alarm, thread: Mutex::new(Some(thread)) })
    }

    /// Queues `run`; the answer comes once it is on disk. [`Error::Unavailable`] when
    /// the queue is full or the store has stopped.
    pub fn submit<T, F>(
        &self,
        priority: WritePriority,
        clock: Clock,
        who: Who,
        run: F,
    ) -> Result<oneshot::Receiver<Result<T>>>
    where
        T: Send + 'static,
        F: FnMut(&Tx) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Box::new(Op { run, priority, clock, who, outcome: None, reply });
        let mut queues = self.shared.queues();
        if queues.stopping {
            return Err(Error::Unavailable("the server is stopping"));
        }
        match priority {
            WritePriority::Normal | WritePriority::Erasing if queues.requests.len() >= QUEUE_MAX => {
                return Err(Error::Unavailable("too many writes are waiting"));
            }
            WritePriority::Normal | WritePriority::Erasing => queues.requests.push_back(task),
            WritePriority::Background => queues.background.push_back(BackgroundTask::Task(task)),
        }
        drop(queues);
        self.shared.wake.notify_one();
        Ok(answer)
    }

    /// Queues a chore in the background and waits for it.
    pub fn maintain<T, F>(&self, run: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut Scrub) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let mut queues = self.shared.queues();
        if queues.stopping {
            return Err(Error::Unavailable("the server is stopping"));
        }
        // Whoever asked may be gone.
        let maintain: MaintenanceTask = Box::new(move |conn, scrub| _ = reply.send(run(conn, scrub)));
        queues.background.push_back(BackgroundTask::MaintenanceTask(maintain));
        drop(queues);
        self.shared.wake.notify_one();
        let outcome = answer.blocking_recv().map_err(|_| Error::Unavailable("the server is stopping"))?;
        self.alarm.heed(outcome)
    }

    /// What waits, and what was done.
    pub fn load(&self) -> Load {
        let queues = self.shared.queues();
        Load {
            requests: queues.requests.len(),
            behind: queues.background.len(),
            commits: self.shared.commits.load(Ordering::Relaxed),
            failed: self.shared.failed.load(Ordering::Relaxed),
            wal: 0,
        }
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

    /// What to do next. Requests come first; after each group of them one thing from
    /// behind them gets its turn, so that neither starves. While the WAL is being folded in,
    /// what is behind them waits until it is `overdue`, for it may write faster than pages
    /// are scrubbed; and nothing is waited for.
    fn next(&self, last: WritePriority, folding: Folding, overdue: bool) -> Next {
        let is_folding = folding == Folding::Now;
        let mut queues = self.queues();
        let mut is_quiet = false;
        loop {
            if (overdue || last == WritePriority::Normal && !is_folding)
                && let Some(behind) = queues.background.pop_front()
            {
                return Next::BackgroundTask(behind);
            }
            if !queues.requests.is_empty() {
                let count = queues.requests.len().min(GROUP_MAX);
                return Next::Group(queues.requests.drain(..count).collect());
            }
            if is_folding || is_quiet {
                return Next::Idle;
            }
            if let Some(behind) = queues.background.pop_front() {
                return Next::BackgroundTask(behind);
            }
            if queues.stopping {
                return Next::Stop;
            }
            if folding == Folding::No {
                queues = self.wake.wait(queues).unwrap_or_else(PoisonError::into_inner);
            } else {
                let waited = self.wake.wait_timeout(queues, QUIET_TIME);
                let (again, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                (queues, is_quiet) = (again, timeout.timed_out());
            }
        }
    }

    /// Lets a group gather that is about as large as the one before.
    fn gather(&self, before: usize) {
        let waiting = self.queues().requests.len();
        if before >= CROWD && waiting < before / 2 {
            // Not on the condition: each request would wake the thread.
            std::thread::sleep(GATHER_TIME);
        }
    }
}

/// What the thread owns.
struct Thread {
    conn: Connection,
    resources: WriterContext,
    clock: Clock,
    scrub: Scrub,
    reserve: Arc<DiskReserve>,
    watch: Arc<WalWatch>,
    /// Frames of the WAL that are in the file, or that a reader holds up.
    folded: i32,
    shared: Arc<Shared>,
    alarm: Arc<Alarm>,
}

/// Why a transaction came to nothing.
struct TransactionFailure {
    text: String,
    cause: Cause,
}

/// What the answer and what is done about it hang on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// No room on the disk: the same write may succeed later.
    Full,
    /// As it says: the same write may succeed later.
    Busy(&'static str),
    /// The disk answered with an error: the same write may succeed later.
    Disk,
    Damage,
    Fault,
    /// What failed cannot be undone by itself: each is to run alone.
    Shared,
}

impl TransactionFailure {
    fn error(&self) -> Error {
        match self.cause {
            Cause::Full => Error::DiskFull,
            Cause::Busy(why) => Error::Unavailable(why),
            Cause::Disk => Error::DiskFails(self.text.clone()),
            Cause::Damage => Error::Damaged(self.text.clone()),
            Cause::Fault | Cause::Shared => Error::internal(&self.text),
        }
    }

    fn busy(why: &'static str) -> TransactionFailure {
        TransactionFailure { text: why.into(), cause: Cause::Busy(why) }
    }
}

impl Thread {
    fn run(mut self, shared: &Shared) {
        self.conn.wal_hook(Some(note_frames));
        let mut last = WritePriority::Background;
        let mut turn = Instant::now();
        // How many requests were in the last group.
        let mut crowd = 0;
        loop {
            let unfolded = self.unfolded();
            let folding = match crowd >= CROWD {
                true if unfolded >= CHECKPOINT_FRAMES_IN_CROWDS => Folding::Now,
                false if unfolded >= CHECKPOINT_FRAMES => Folding::Now,
                true if unfolded >= CHECKPOINT_FRAMES => Folding::WhenQuiet,
                _ => Folding::No,
            };
            let is_overdue = turn.elapsed() > PATIENCE;
            if folding != Folding::Now && !is_overdue {
                shared.gather(crowd);
            }
            let mut folds = folding == Folding::Now;
            match shared.next(last, folding, is_overdue) {
                Next::Group(tasks) => {
                    last = WritePriority::Normal;
                    crowd = tasks.len();
                    self.commit(tasks);
                }
                Next::BackgroundTask(behind) => {
                    last = WritePriority::Background;
                    crowd = 0;
                    self.go_behind(behind);
                    turn = Instant::now();
                }
                Next::Idle => {
                    crowd = 0;
                    folds = true;
                }
                Next::Stop => break,
            }
            if folds || self.watch.is_time_to_try() {
                // It had its turn behind the requests.
                last = WritePriority::Background;
                self.fold();
            }
        }
        match self.scrub.empty(&self.conn) {
            Ok(Emptied::Done { .. }) => {}
            Ok(Emptied::Busy) => log::warn!("a reader held the WAL at the stop; the next start folds it in"),
            Err(error) => log::error!("the last checkpoint failed: {error}"),
        }
    }

    fn go_behind(&mut self, behind: BackgroundTask) {
        match behind {
            BackgroundTask::Task(task) => self.commit(vec![task]),
            BackgroundTask::MaintenanceTask(maintain) => {
                let Thread { conn, scrub, .. } = self;
                if catch_unwind(AssertUnwindSafe(|| maintain(conn, scrub))).is_err() {
                    log::error!("a chore panicked");
                    self.abandon();
                }
            }
        }
    }

    /// Frames that are in the WAL alone.
    fn unfolded(&mut self) -> i32 {
        // It began anew, or was emptied.
        if WAL_FRAMES.get() < self.folded {
            self.folded = 0;
        }
        WAL_FRAMES.get() - self.folded
    }

    /// A step towards a checkpoint: scrubs for some milliseconds, or folds the WAL in once
    /// nothing is left to scrub. Requests are served between the steps, as long as the WAL
    /// does not outgrow that.
    fn fold(&mut self) {
        let began = Instant::now();
        let hurry = self.unfolded() >= 4 * CHECKPOINT_FRAMES;
        let has_time = |limit: Duration| hurry || began.elapsed() < limit;
        let step = loop {
            if let Err(error) = self.scrub.chunk(&self.conn) {
                break Err(error);
            }
            match self.scrub.waiting() {
                0 if has_time(FOLD_TIME / 2) => break self.scrub.checkpoint(&self.conn),
                1.. if has_time(FOLD_TIME) => {}
                _ => return,
            }
        };
        self.folded = match step {
            // The WAL begins anew at the next write, unless somebody reads it just then.
            Ok(true) => {
                self.watch.see(None);
                WAL_FRAMES.get()
            }
            // A reader holds some back. Again after some frames more.
            Ok(false) => {
                self.watch.see(Some(u32::try_from(WAL_FRAMES.get()).unwrap_or(0)));
                WAL_FRAMES.get() - CHECKPOINT_FRAMES / 2
            }
            Err(error) => {
                log::error!("checkpoint failed: {error}");
                WAL_FRAMES.get() - CHECKPOINT_FRAMES / 2
            }
        };
    }

    /// Commits the tasks as one group; if that fails, each by itself.
    fn commit(&self, tasks: Vec<Box<dyn Task>>) {
        let mut waiting = VecDeque::from(tasks);
        let refused = if self.reserve.is_given_up() {
            Some(TransactionFailure { text: "the disk is full".into(), cause: Cause::Full })
        } else if self.watch.is_too_large() {
            Some(TransactionFailure::busy(
                "a reader holds up usher.db-wal, which is too large; only erasing writes until it ends",
            ))
        } else {
            None
        };
        if let Some(refused) = refused {
            // What is left of the room is for erasing.
            let (erasing, others): (VecDeque<_>, VecDeque<_>) =
                waiting.into_iter().partition(|task| task.erases());
            others.into_iter().for_each(|task| task.answer(Some(&refused)));
            waiting = erasing;
        }
        while !waiting.is_empty() {
            if let Err(fault) = self.begin() {
                if self.makes_room(&fault, waiting.iter()) {
                    self.abandon();
                    continue;
                }
                // Nobody's fault, and the next would wait as long for the same.
                self.tell("no write can begin", &fault);
                self.abandon();
                waiting.drain(..).for_each(|task| task.answer(Some(&fault)));
                return;
            }
            let mut group = Vec::with_capacity(waiting.len());
            match self.attempt(&mut waiting, &mut group) {
                Ok(()) => group.into_iter().for_each(|task| task.answer(None)),
                Err(fault) if group.len() + waiting.len() > 1 || fault.cause == Cause::Shared => {
                    // Which of them ended the transaction may not be known (a full disk
                    // shows at COMMIT): alone, each meets its own fate.
                    for mut task in group.into_iter().chain(waiting.drain(..)) {
                        let fault = self.alone(&mut task).err();
                        task.answer(fault.as_ref());
                    }
                }
                Err(fault) if self.makes_room(&fault, group.iter()) => waiting.extend(group),
                Err(fault) => {
                    self.tell("a write failed", &fault);
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
    ) -> Result<(), TransactionFailure> {
        let began = Instant::now();
        let mut outcome = Ok(());
        while let Some(mut task) = waiting.pop_front() {
            outcome = self.one(&mut task, Opening::WhenNeeded);
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

    fn tell(&self, what: &str, fault: &TransactionFailure) {
        match fault.cause {
            Cause::Damage => self.alarm.ring(&fault.text),
            _ => log::error!("{what}: {}", fault.text),
        }
    }

    /// Whether the reserve was given up for one of these: they may come again.
    fn makes_room<'a>(
        &self,
        fault: &TransactionFailure,
        mut tasks: impl Iterator<Item = &'a Box<dyn Task>>,
    ) -> bool {
        fault.cause == Cause::Full && tasks.any(|task| task.erases()) && self.reserve.give_up()
    }

    fn alone(&self, task: &mut Box<dyn Task>) -> Result<(), TransactionFailure> {
        let mut outcome =
            self.begin().and_then(|()| self.one(task, Opening::AtOnce)).and_then(|()| self.end());
        if let Err(fault) = &outcome
            && self.makes_room(fault, std::iter::once(&*task))
        {
            self.abandon();
            outcome = self.begin().and_then(|()| self.one(task, Opening::AtOnce)).and_then(|()| self.end());
        }
        if let Err(fault) = &outcome {
            self.tell("a write failed", fault);
            self.abandon();
        }
        outcome
    }

    fn begin(&self) -> Result<(), TransactionFailure> {
        self.scrub.begin(&self.conn).map_err(failed)?;
        self.resources.ids.reserve(&self.conn, self.clock.now()).map_err(failure)
    }

    fn end(&self) -> Result<(), TransactionFailure> {
        let name_changes = self.resources.name_changes.take(&self.conn).map_err(failed)?;
        self.resources.marks.settle();
        let first = self.resources.ledger_writer.settle(&self.conn).map_err(failed)?;
        if let Err(fault) = self.sql("COMMIT") {
            self.shared.failed.fetch_add(1, Ordering::Relaxed);
            if let Some(path) = self.conn.path() {
                boot::note_failed_commit(Path::new(path));
            }
            // The ledger is ahead: what it says was done was not.
            if let Some(first) = first {
                self.resources.ledger_writer.void(first, self.clock.now());
            }
            return Err(fault);
        }
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        self.scrub.committed();
        self.resources.ids.reserved();
        if first.is_some() {
            self.resources.ledger_writer.tell();
        }
        self.resources.name_changes.tell(name_changes);
        Ok(())
    }

    fn abandon(&self) {
        self.resources.ledger_writer.forget(0);
        if !self.conn.is_autocommit() {
            let _ = self.sql("ROLLBACK");
        }
    }

    /// One task in its savepoint. TransactionFailure: the whole transaction is lost.
    fn one(&self, task: &mut Box<dyn Task>, opening: Opening) -> Result<(), TransactionFailure> {
        let tx = Tx::new(&self.conn, (task.clock().read(), task.who()), opening, &self.resources);
        tx.savepoints.enter(&self.conn, Around::Closure).map_err(failed)?;
        let entered = self.resources.ledger_writer.entered();
        let good = catch_unwind(AssertUnwindSafe(|| task.run(&tx))).unwrap_or_else(|_| {
            log::error!("a write panicked");
            task.panicked();
            false
        });
        if let Some(damage) = task.met_damage() {
            self.alarm.ring(damage);
        }
        // A full disk, an I/O error or RAISE(ROLLBACK) ends the transaction behind our
        // back; what follows would commit by itself.
        if self.conn.is_autocommit() {
            let text = "the transaction ended before its commit";
            let (text, cause) = match (task.met_damage(), task.met_failing_disk()) {
                _ if task.met_full_disk() => (text, Cause::Full),
                (Some(what), _) => (what, Cause::Damage),
                (None, Some(what)) => (what, Cause::Disk),
                (None, None) => (text, Cause::Fault),
            };
            return Err(TransactionFailure { text: text.to_owned(), cause });
        }
        if let Some(what) = task.met_failing_disk() {
            log::error!("a write failed: {what}");
        }
        if !good {
            self.resources.ledger_writer.forget(entered);
        }
        tx.savepoints.end(&self.conn, good).map_err(failed)?;
        if tx.savepoints.are_lost() {
            let text = "a write of a group cannot be undone by itself".to_owned();
            return Err(TransactionFailure { text, cause: Cause::Shared });
        }
        Ok(())
    }

    fn sql(&self, sql: &str) -> Result<(), TransactionFailure> {
        self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(failure)?;
        Ok(())
    }
}

fn failure(error: rusqlite::Error) -> TransactionFailure {
    failed(from_sql(error))
}

fn failed(error: Error) -> TransactionFailure {
    match error {
        Error::Damaged(text) => TransactionFailure { text, cause: Cause::Damage },
        Error::DiskFull => TransactionFailure { text: error.to_string(), cause: Cause::Full },
        Error::DiskFails(text) => TransactionFailure { text, cause: Cause::Disk },
        Error::Unavailable(why) => TransactionFailure::busy(why),
        other => TransactionFailure { text: other.to_string(), cause: Cause::Fault },
    }
}

fn note_frames(_: &Wal, frames: std::ffi::c_int) -> rusqlite::Result<()> {
    WAL_FRAMES.set(frames);
    Ok(())
}
