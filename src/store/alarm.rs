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

    /// Looks whether an outcome is damage, or a disk that fails: that passes, and is told each time.
    pub fn heed<T>(&self, outcome: Result<T>) -> Result<T> {
        match &outcome {
            Err(Error::Damaged(what)) => self.ring(what),
            Err(Error::DiskFails(what)) => log::error!("the disk fails: {what}"),
            _ => {}
        }
        outcome
    }

    /// The first that was met.
    pub fn met(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
