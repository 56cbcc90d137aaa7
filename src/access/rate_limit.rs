//! How many requests a key may make a minute, and an address without a good key.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use governor::clock::{Clock as _, Reference};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::clock::{Clock, MINUTE, SECOND};
use crate::error::{Error, Result};

/// Requests a key may make a minute, the same number at once. None: as many as it likes.
pub type Limit = Option<NonZeroU32>;

/// Requests a key may make a minute unless `--rate-limit` says otherwise: far more than a client
/// that behaves, little enough to notice one in a loop.
pub const REQUESTS_A_MINUTE: &str = "60000";
/// Requests without a good key that an address may make a minute, before each further one is
/// told to wait.
const REFUSALS_A_MINUTE: u32 = 600;
/// Addresses that are counted at a time.
const ADDRESSES_MAX: usize = 100_000;

/// Where a key stands with its limit after a request.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    pub limit: u32,
    pub remaining: u32,
    /// When it is whole again, in seconds since 1970.
    pub reset: i64,
    /// The request was one too many: the next one has a chance in so many seconds.
    pub retry_after: Option<u64>,
}

/// Counts the requests of one key.
pub struct KeyLimiter {
    clock: Clock,
    limiter: RateLimiter<NotKeyed, InMemoryState, Monotonic, StateInformationMiddleware>,
}

impl KeyLimiter {
    pub fn new(a_minute: NonZeroU32, clock: Clock) -> KeyLimiter {
        let quota = Quota::per_minute(a_minute);
        let limiter = RateLimiter::direct_with_clock(quota, Monotonic(clock.clone())).with_middleware();
        KeyLimiter { clock, limiter }
    }

    /// Counts a request, and says whether it is one too many.
    pub fn spend(&self) -> Allowance {
        let (quota, remaining, retry_after) = match self.limiter.check() {
            Ok(state) => (state.quota(), state.remaining_burst_capacity(), None),
            Err(refused) => {
                let wait = refused.wait_time_from(Monotonic(self.clock.clone()).now());
                let seconds = wait.as_millis().div_ceil(1_000).max(1);
                (refused.quota(), 0, Some(u64::try_from(seconds).unwrap_or(u64::MAX)))
            }
        };
        let limit = quota.burst_size().get();
        let refill = quota.replenish_interval() * limit.saturating_sub(remaining);
        let reset = self.clock.now() + i64::try_from(refill.as_millis()).unwrap_or(i64::MAX);
        Allowance { limit, remaining, reset: reset.div_euclid(1_000) + 1, retry_after }
    }
}

/// Counts the requests without a good key, by address and minute. Requests with a good key are never
/// held up by it.
pub struct Refusals {
    clock: Clock,
    is_limited: bool,
    minute: Mutex<(i64, HashMap<Option<IpAddr>, u32>)>,
}

impl Refusals {
    /// Without a limit for keys there is none for refusals either.
    pub fn new(clock: Clock, limit: Limit) -> Refusals {
        Refusals { clock, is_limited: limit.is_some(), minute: Mutex::default() }
    }

    /// Counts one. [`Error::RateLimited`] if it is one too many of this address in this minute.
    pub fn count(&self, address: Option<IpAddr>) -> Result<()> {
        self.add(address, 1)
    }

    /// [`Error::RateLimited`] if this address has had all its refusals in this minute: asked before
    /// something is done that costs much more than a look at a key.
    pub fn check(&self, address: Option<IpAddr>) -> Result<()> {
        self.add(address, 0)
    }

    fn add(&self, address: Option<IpAddr>, more: u32) -> Result<()> {
        if !self.is_limited {
            return Ok(());
        }
        let now = self.clock.now();
        let minute = now.div_euclid(MINUTE);
        let mut refused = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.0 != minute || refused.1.len() >= ADDRESSES_MAX {
            *refused = (minute, HashMap::new());
        }
        let before = refused.1.get(&address).copied().unwrap_or_default();
        if more > 0 {
            refused.1.insert(address, before.saturating_add(more));
        }
        if before < REFUSALS_A_MINUTE {
            return Ok(());
        }
        let left = (minute + 1) * MINUTE - now;
        Err(Error::RateLimited { retry_after: u64::try_from(left / SECOND).unwrap_or_default() + 1 })
    }
}

/// Our clock, as the limiter wants it.
#[derive(Clone)]
struct Monotonic(Clock);

/// Nanoseconds on that clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Instant(Nanos);

impl governor::clock::Clock for Monotonic {
    type Instant = Instant;

    fn now(&self) -> Instant {
        Instant(self.0.monotonic().into())
    }
}

impl std::ops::Add<Nanos> for Instant {
    type Output = Instant;

    fn add(self, more: Nanos) -> Instant {
        Instant(self.0 + more)
    }
}

impl Reference for Instant {
    fn duration_since(&self, earlier: Instant) -> Nanos {
        self.0.as_u64().saturating_sub(earlier.0.as_u64()).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Instant {
        let (this, that) = (self.0.as_u64(), duration.as_u64());
        Instant(this.checked_sub(that).unwrap_or(this).into())
    }
}
