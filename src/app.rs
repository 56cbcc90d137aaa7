//! The handle that handlers, pages, commands and the worker hold.

use std::sync::Arc;
use std::time::Duration;

use crate::bell::Bell;
use crate::clock::Clock;
use crate::domain::projects;
use crate::error::{Error, Result};
use crate::keyring::Keyring;
use crate::store::{Db, Lane, Store, Tx};
use crate::trace::RequestId;

#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
    /// Stamps this handle's writes.
    clock: Clock,
}

struct Inner {
    store: Store,
    keyring: Keyring,
    bell: Arc<Bell>,
    recording_limit: usize,
}

impl App {
    /// Over an open store: makes the first project if there is none, loads the keys.
    /// `recording_limit` is in bytes a session.
    pub fn new(
        store: Store,
        keyring: Keyring,
        bell: Arc<Bell>,
        clock: Clock,
        recording_limit: usize,
    ) -> Result<App> {
        let app = App { inner: Arc::new(Inner { store, keyring, bell, recording_limit }), clock };
        app.write_blocking(Lane::Request, projects::ensure_first)?;
        app.reload_keys()?;
        Ok(app)
    }

    /// The same app, whose writes through this handle happen at another time.
    pub fn at(&self, clock: Clock) -> App {
        App { inner: Arc::clone(&self.inner), clock }
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn keyring(&self) -> &Keyring {
        &self.inner.keyring
    }

    pub fn bell(&self) -> &Arc<Bell> {
        &self.inner.bell
    }

    /// The files under it all, for the worker and for checks.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The largest recording of a session, in bytes.
    pub fn recording_limit(&self) -> usize {
        self.inner.recording_limit
    }

    /// A short read, right here.
    pub fn read<T>(&self, run: impl FnOnce(&Db) -> Result<T>) -> Result<T> {
        self.inner.store.read(run)
    }

    /// A read that may be long, on a thread of its own and for some seconds at most.
    pub async fn scan<T, F>(&self, run: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Db) -> Result<T> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let request = RequestId::current().unwrap_or_default();
        let scan = move || request.sync_scope(|| inner.store.scan(run));
        tokio::task::spawn_blocking(scan).await.map_err(Error::internal)?
    }

    /// A write: answered once it is on disk. `run` may be called twice; see
    /// [`crate::store`].
    pub async fn write<T, F>(&self, mut run: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Tx) -> Result<T> + Send + 'static,
    {
        let request = RequestId::current().unwrap_or_default();
        let run = move |tx: &Tx| request.sync_scope(|| run(tx));
        let answer = self.inner.store.submit(Lane::Request, self.clock.clone(), run)?;
        answer.await.map_err(|_| Error::Unavailable("the server is stopping"))?
    }

    /// The same for a thread that may wait.
    pub fn write_blocking<T, F>(&self, lane: Lane, run: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Tx) -> Result<T> + Send + 'static,
    {
        let answer = self.inner.store.submit(lane, self.clock.clone(), run)?;
        answer.blocking_recv().map_err(|_| Error::Unavailable("the server is stopping"))?
    }

    /// To be called after a change of keys or projects.
    pub fn reload_keys(&self) -> Result<()> {
        self.read(|db| self.inner.keyring.load(db))
    }

    /// Waits until something may be due, `longest` at most.
    pub fn sleep(&self, longest: Duration) {
        self.inner.bell.sleep(longest);
    }

    /// Finishes the writes that wait and folds the WAL in; later ones are refused.
    pub fn stop(&self) {
        self.inner.store.stop();
    }
}
