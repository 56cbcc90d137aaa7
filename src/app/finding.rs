//! The names of all users in memory: read beside serving, and kept up with each commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::App;
use crate::error::{Error, Result};
use crate::find::{Find, Standing};
use crate::model::UserId;
use crate::store::name_changes;

/// Rows that are read at a time: no read is long.
const STRETCH: u32 = 10_000;
/// After a fault of the disk it is tried again.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Finding {
    find: Arc<Find>,
    stops: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl App {
    pub fn find(&self) -> &Arc<Find> {
        &self.inner.finding.find
    }

    /// Loads the names of all users on a thread of its own; until it is done, searches say so.
    pub fn start_find(&self) -> Result<()> {
        if self.find().standing() != Standing::Idle {
            return Ok(());
        }
        let app = self.clone();
        let thread = std::thread::Builder::new()
            .name("usher-find".into())
            .spawn(move || {
                while let Err(error) = app.build_find() {
                    if app.inner.finding.stops.load(Ordering::SeqCst) {
                        return;
                    }
                    log::error!("the names of users could not be read for the search: {error}");
                    std::thread::park_timeout(PAUSE);
                }
            })
            .map_err(Error::internal)?;
        *self.inner.finding.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    /// The same here and now. Nothing is done where it was begun or left out before.
    pub fn build_find(&self) -> Result<()> {
        if !self.find().begin() {
            return Ok(());
        }
        let outcome = self.read_names();
        match outcome {
            Ok(()) => self.find().finish(),
            Err(_) => self.find().give_up(),
        }
        outcome
    }

    fn read_names(&self) -> Result<()> {
        let find = Arc::clone(self.find());
        // From before the first read: what is committed meanwhile goes before what was read.
        self.inner.store.on_name_changes(move |changes| find.apply(changes))?;
        let mut after = UserId(i64::MIN);
        while let Some((users, last)) = self.read(|db| name_changes::stretch(db, after, STRETCH))? {
            if self.inner.finding.stops.load(Ordering::SeqCst) {
                return Err(Error::Unavailable("the server is stopping"));
            }
            self.find().load(users);
            after = last;
        }
        Ok(())
    }

    /// Ends the thread that reads.
    pub(super) fn stop_finding(&self) {
        self.inner.finding.stops.store(true, Ordering::SeqCst);
        let thread = self.inner.finding.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.thread().unpark();
            if thread.join().is_err() {
                log::error!("reading the names of users ended with a panic");
            }
        }
    }
}
