//! Those whose password was right and whose code is still to come. In memory alone: a restart sends
//! them back to the password.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::Result;
use crate::model::{Admin, AdminId};
use crate::secrets;

/// How long one has for the code.
const KEEP: Duration = Duration::from_secs(5 * 60);
/// How many are kept; beyond that the oldest go.
const MOST: usize = 1_000;

pub struct Halfway {
    clock: Clock,
    /// The oldest first.
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    /// The hash of the cookie's secret.
    hash: [u8; 32],
    comer: Comer,
    until: Duration,
}

/// Somebody who knows an admin's password.
#[derive(Debug, Clone)]
pub struct Comer {
    pub admin: AdminId,
    /// What the password was checked with: once it is another, this one is nobody any more.
    pub password_hash: String,
    /// Where to go on.
    pub next: String,
}

impl Halfway {
    pub fn new(clock: Clock) -> Halfway {
        Halfway { clock, kept: Mutex::default() }
    }

    /// Keeps somebody; the secret is for the cookie.
    pub fn keep(&self, admin: &Admin, next: String) -> Result<String> {
        let secret = secrets::token("")?;
        let comer = Comer { admin: admin.id, password_hash: admin.password_hash.clone(), next };
        let until = self.clock.monotonic() + KEEP;
        let mut kept = self.fresh();
        if kept.len() >= MOST {
            kept.remove(0);
        }
        kept.push(Kept { hash: secrets::hash(&secret), comer, until });
        Ok(secret)
    }

    /// Who has this secret.
    pub fn of(&self, secret: &str) -> Option<Comer> {
        let hash = secrets::hash(secret);
        self.fresh().iter().find(|kept| kept.hash == hash).map(|kept| kept.comer.clone())
    }

    /// The secret has had its time.
    pub fn forget(&self, secret: &str) {
        let hash = secrets::hash(secret);
        self.fresh().retain(|kept| kept.hash != hash);
    }

    /// Those whose time is not over.
    fn fresh(&self) -> MutexGuard<'_, Vec<Kept>> {
        let now = self.clock.monotonic();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.until > now);
        kept
    }
}
