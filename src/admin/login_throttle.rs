//! Slows down those who guess passwords, and nobody else. In memory: a restart forgets it, and
//! forgets the first-run link with it.
//!
//! Guesses are counted by name and address, by address, and by name. The first two make the
//! guesser wait, longer each time. A name alone only costs a part of a second: were it
//! refused, anybody could keep its owner out. A browser that the owner signed in with before
//! has tries of its own, for the password and for the code of a second factor.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::web;
use tokio::sync::Semaphore;

use super::device::Device;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::AdminId;
use crate::secrets;

/// For a name at an address, and for a browser that is known.
const OF_A_NAME: Limit =
    Limit { free: 10, first: Duration::from_secs(15), longest: Duration::from_secs(15 * 60) };
/// For all names at an address; a whole office may have one.
const OF_AN_ADDRESS: Limit =
    Limit { free: 60, first: Duration::from_secs(2), longest: Duration::from_secs(15 * 60) };
/// So many tries for a name, wherever they come from, cost nothing; each further one a step
/// more than the one before it.
const FREE_OF_A_NAME: u32 = 10;
const STEP: Duration = Duration::from_millis(50);
const LONGEST_STEP: Duration = Duration::from_secs(1);
/// Tries are forgotten after so long without another.
const MEMORY: Duration = Duration::from_secs(60 * 60);
/// Counts of one kind that are kept at most.
const COUNTS_MAX: usize = 50_000;
/// Hashes at a time. Each takes 19 MiB and some ten milliseconds of a processor.
const HASHES: usize = 1;

/// Who tries to sign in.
pub struct Guest<'a> {
    pub name: &'a str,
    pub address: Option<IpAddr>,
    /// The browser, if the name's owner has signed in with it before.
    pub device: Option<Device>,
}

/// Counts attempts to sign in, and bounds the work that they cause.
pub struct LoginThrottle {
    clock: Clock,
    attempts: Mutex<Attempts>,
    hashes: Arc<Semaphore>,
}

/// Names stand as their hashes, so that long ones take no more room than short ones.
type Name = [u8; 32];

#[derive(Default)]
struct Attempts {
    pairs: Counts<(Name, Option<IpAddr>)>,
    addresses: Counts<Option<IpAddr>>,
    names: Counts<Name>,
    devices: Counts<Device>,
    codes: Counts<(AdminId, Option<Device>)>,
}

struct Limit {
    /// Tries before there is anything to wait for.
    free: u32,
    /// The first wait; each further one is twice as long.
    first: Duration,
    longest: Duration,
}

#[derive(Clone, Copy, Default)]
struct Count {
    tries: u32,
    last: Duration,
    /// No further one before this.
    until: Duration,
}

struct Counts<K>(HashMap<K, Count>);

impl<K> Default for Counts<K> {
    fn default() -> Counts<K> {
        Counts(HashMap::new())
    }
}

impl<K: Hash + Eq> Counts<K> {
    fn of(&self, key: &K, now: Duration) -> Count {
        let count = self.0.get(key).filter(|count| count.is_remembered(now));
        count.copied().unwrap_or_default()
    }

    /// Counts one more.
    fn add(&mut self, key: K, now: Duration, limit: Option<&Limit>) {
        if self.0.len() >= COUNTS_MAX {
            self.0.retain(|_, count| count.is_remembered(now));
        }
        if self.0.len() >= COUNTS_MAX {
            // Those who have something to wait for are the last to be forgotten.
            self.0.retain(|_, count| count.until > now);
        }
        if self.0.len() >= COUNTS_MAX {
            self.0.clear();
        }
        let mut count = self.of(&key, now);
        count.tries = count.tries.saturating_add(1);
        count.last = now;
        if let Some(limit) = limit
            && let Some(over) = count.tries.checked_sub(limit.free)
        {
            count.until = now + limit.first.saturating_mul(1 << over.min(16)).min(limit.longest);
        }
        self.0.insert(key, count);
    }
}

impl Count {
    fn is_remembered(&self, now: Duration) -> bool {
        self.until > now || self.last + MEMORY > now
    }

    fn wait(&self, now: Duration) -> Option<Duration> {
        self.until.checked_sub(now).filter(|wait| !wait.is_zero())
    }
}

impl LoginThrottle {
    pub fn new(clock: Clock) -> LoginThrottle {
        LoginThrottle { clock, attempts: Mutex::default(), hashes: Arc::new(Semaphore::new(HASHES)) }
    }

    /// Counts an attempt. [`Error::RateLimited`] if there is something to wait for; that one
    /// does not count. Otherwise how long it is to be held up.
    pub fn let_try(&self, guest: &Guest) -> Result<Duration> {
        let (now, name) = (self.clock.monotonic(), secrets::hash(guest.name.trim()));
        let pair = (name, guest.address);
        let mut attempts = self.attempts();
        if let Some(device) = guest.device {
            refuse(attempts.devices.of(&device, now).wait(now))?;
            attempts.devices.add(device, now, Some(&OF_A_NAME));
            return Ok(Duration::ZERO);
        }
        refuse(attempts.pairs.of(&pair, now).wait(now))?;
        refuse(attempts.addresses.of(&guest.address, now).wait(now))?;
        attempts.pairs.add(pair, now, Some(&OF_A_NAME));
        attempts.addresses.add(guest.address, now, Some(&OF_AN_ADDRESS));
        let before = attempts.names.of(&name, now).tries;
        attempts.names.add(name, now, None);
        Ok((STEP * before.saturating_sub(FREE_OF_A_NAME)).min(LONGEST_STEP))
    }

    /// Who knew the password has all tries again, there; address and name have back the one.
    pub fn forgive(&self, guest: &Guest) {
        let name = secrets::hash(guest.name.trim());
        let Attempts { pairs, addresses, names, devices, .. } = &mut *self.attempts();
        if let Some(device) = guest.device {
            devices.0.remove(&device);
            return;
        }
        pairs.0.remove(&(name, guest.address));
        for count in [addresses.0.get_mut(&guest.address), names.0.get_mut(&name)].into_iter().flatten() {
            count.tries = count.tries.saturating_sub(1);
        }
    }

    /// Counts a try of a code of a second factor. [`Error::RateLimited`] if there is something to wait
    /// for; that one does not count. Anyone who comes to that knows the password, so all who are not on a
    /// browser of the admin's wait together, wherever they are.
    pub fn let_try_code(&self, admin: AdminId, device: Option<Device>) -> Result<()> {
        let (now, mut attempts) = (self.clock.monotonic(), self.attempts());
        refuse(attempts.codes.of(&(admin, device), now).wait(now))?;
        attempts.codes.add((admin, device), now, Some(&OF_A_NAME));
        Ok(())
    }

    /// The code was right.
    pub fn forgive_code(&self, admin: AdminId, device: Option<Device>) {
        self.attempts().codes.0.remove(&(admin, device));
    }

    /// Runs something slow about a password, on a thread that serves nobody, few at a time.
    pub async fn hash<T: Send + 'static>(&self, run: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let turn = Arc::clone(&self.hashes).acquire_owned().await.map_err(Error::internal)?;
        let run = move || {
            // It lasts as long as the work does, which goes on after a client has gone away.
            let _turn = turn;
            run()
        };
        web::block(run).await.map_err(Error::internal)
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refuse(wait: Option<Duration>) -> Result<()> {
    let Some(wait) = wait else { return Ok(()) };
    let retry_after = u64::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX);
    Err(Error::RateLimited { retry_after })
}
