//! All faults of a request at once.

use crate::api::dialect;
use crate::error::{Error, FieldError, Result};

/// Faults as they are found while a request is read.
#[derive(Default)]
pub struct Faults {
    found: Vec<FieldError>,
    /// What is no fault of a field: it is answered alone.
    other: Option<Error>,
}

impl Faults {
    /// What was read. None, and a note of why, if it could not be.
    pub fn keep<T>(&mut self, read: Result<T>) -> Option<T> {
        let error = match read {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let found = dialect::faults(&error);
        if found.is_empty() {
            self.other.get_or_insert(error);
        }
        self.found.extend(found);
        None
    }

    /// [`Error::Invalid`] with all that was found, if anything was.
    pub fn done(self) -> Result<()> {
        match self {
            Faults { other: Some(error), .. } => Err(error),
            Faults { found, .. } if !found.is_empty() => Err(Error::Invalid(found)),
            _ => Ok(()),
        }
    }
}
