//! Slows down whoever guesses passwords. In memory: a restart forgets it, and forgets the
//! first-run link with it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::web;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::domain::secrets;
use crate::error::{Error, Result};

/// A name may be tried so often at once, and again once a minute.
const OF_A_NAME: Limit = Limit { burst: 10, every: Duration::from_secs(60) };
/// All names together, since a guesser may go from name to name.
const OF_ALL: Limit = Limit { burst: 60, every: Duration::from_secs(2) };
/// A hash takes 19 MiB and some ten milliseconds of a processor; so many at a time.
const HASHES: usize = 2;

/// Counts attempts to sign in, and bounds the work that they cause.
pub struct Doorkeeper {
    clock: Clock,
    attempts: Mutex<Attempts>,
    hashes: Semaphore,
}

#[derive(Default)]
struct Attempts {
    all: Duration,
    /// By the hash of a name, so that long names take no more room than short ones. Who
    /// has nothing to wait for is not in it, so `OF_ALL` bounds it.
    by_name: HashMap<[u8; 32], Duration>,
}

struct Limit {
    burst: u32,
    every: Duration,
}

impl Limit {
    /// Counts an attempt; `paid` is until when those before it count. The time to wait
    /// if it is one too many.
    fn spend(&self, paid: &mut Duration, now: Duration) -> Option<Duration> {
        let after = (*paid).max(now) + self.every;
        let wait = after.checked_sub(now + self.every * self.burst).filter(|wait| !wait.is_zero());
        if wait.is_none() {
            *paid = after;
        }
        wait
    }
}

impl Doorkeeper {
    pub fn new(clock: Clock) -> Doorkeeper {
        Doorkeeper { clock, attempts: Mutex::default(), hashes: Semaphore::new(HASHES) }
    }

    /// Counts an attempt for a name. [`Error::RateLimited`] if it is one too many.
    pub fn let_try(&self, name: &str) -> Result<()> {
        let now = self.clock.monotonic();
        let mut attempts = self.attempts();
        attempts.by_name.retain(|_, paid| *paid > now);
        let name = secrets::hash(name.trim());
        let mut paid = attempts.by_name.get(&name).copied().unwrap_or_default();
        let wait = OF_A_NAME.spend(&mut paid, now).or_else(|| OF_ALL.spend(&mut attempts.all, now));
        if let Some(wait) = wait {
            let retry_after = u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX);
            return Err(Error::RateLimited { retry_after });
        }
        attempts.by_name.insert(name, paid);
        Ok(())
    }

    /// Whoever knew the password has all tries again.
    pub fn forgive(&self, name: &str) {
        self.attempts().by_name.remove(&secrets::hash(name.trim()));
    }

    /// Runs something slow about a password, on a thread that serves nobody, few at a time.
    pub async fn hash<T: Send + 'static>(&self, run: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let _turn = self.hashes.acquire().await.map_err(Error::internal)?;
        web::block(run).await.map_err(Error::internal)
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
