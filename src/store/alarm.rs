//! What of the database does not read: met while it is served, told once, and kept until the next start.

use std::sync::OnceLock;

use crate::error::{Error, Result};

/// Rung where damage is met.
#[derive(Default)]
pub struct Alarm(OnceLock<String>);

impl Alarm {
    /// Damage was met. The first time it is told.
    pub fn ring(&self, what: &str) {
        if self.0.set(what.to_owned()).is_ok() {
            log::error!("THE DATABASE IS DAMAGED: {what}; `usher doctor` says what to do");
        }
    }

    /// Looks whether an outcome is damage.
    pub fn heed<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(Error::Damaged(what)) = &outcome {
            self.ring(what);
        }
        outcome
    }

    /// The first that was met.
    pub fn met(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
