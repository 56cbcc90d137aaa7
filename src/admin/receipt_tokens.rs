//! What people are to be handed after an erasure: kept until the admin who asked for it says that
//! it was handed over, or the sign-in ends; 30 days at most. In memory alone: it must not lie in any file.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::model::JobId;
use crate::proof::receipt::Token;
use crate::secrets;

/// How long one is kept that nobody hands over.
const KEEP: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How many are kept; beyond that the oldest go.
const MOST: usize = 1_000;

pub struct Tokens {
    clock: Clock,
    /// The oldest first.
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    /// The hash of the sign-in's secret.
    session: [u8; 32],
    job: JobId,
    token: Token,
    until: Duration,
}

impl Tokens {
    pub fn new(clock: Clock) -> Tokens {
        Tokens { clock, kept: Mutex::default() }
    }

    /// Keeps a job's token for the admin who is signed in with this secret.
    pub fn keep(&self, sign_in: &str, job: JobId, token: Token) {
        let until = self.clock.monotonic() + KEEP;
        let mut kept = self.fresh();
        if kept.len() >= MOST {
            kept.remove(0);
        }
        kept.push(Kept { session: secrets::hash(sign_in), job, token, until });
    }

    /// A job's token, for the sign-in that asked for it.
    pub fn of(&self, sign_in: &str, job: JobId) -> Option<Token> {
        let session = secrets::hash(sign_in);
        let kept = self.fresh();
        kept.iter().find(|kept| kept.session == session && kept.job == job).map(|kept| kept.token)
    }

    /// It was handed over, and is shown no more.
    pub fn hand_over(&self, sign_in: &str, job: JobId) {
        let session = secrets::hash(sign_in);
        self.fresh().retain(|kept| kept.session != session || kept.job != job);
    }

    /// The sign-in has ended.
    pub fn forget(&self, sign_in: &str) {
        let session = secrets::hash(sign_in);
        self.fresh().retain(|kept| kept.session != session);
    }

    /// Those whose time is not over.
    fn fresh(&self) -> MutexGuard<'_, Vec<Kept>> {
        let now = self.clock.monotonic();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.until > now);
        kept
    }
}
