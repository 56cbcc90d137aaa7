//! What reads the records of a source, and why reading ends early.

use std::io;

use super::fields::{Notes, Object, Says};
use crate::error::Error;

/// Why reading ended before the end.
#[derive(Debug)]
pub enum Stop {
    /// Who reads wants no more.
    Enough,
    /// The file cannot be read on, and why.
    Unreadable(String),
    /// It could not be taken in.
    Failed(Error),
}

impl Stop {
    pub fn unreadable(error: io::Error) -> Stop {
        let why = match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => "the gzip in it is broken".to_owned(),
            io::ErrorKind::UnexpectedEof => "it ends too early: it was cut off".to_owned(),
            _ => error.to_string(),
        };
        Stop::Unreadable(why)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::unreadable(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

/// What understands the records of a source.
pub trait Understand {
    fn read(&mut self, record: Object, notes: &mut Notes) -> Says;

    /// Whether a record is to be understood by what those before it said.
    fn remembers(&self) -> bool {
        false
    }

    /// What is left to be said at the end; asked until it is nothing, or a fault.
    fn end(&mut self) -> Says {
        Ok(Vec::new())
    }
}

impl<F: FnMut(Object, &mut Notes) -> Says> Understand for F {
    fn read(&mut self, record: Object, notes: &mut Notes) -> Says {
        self(record, notes)
    }
}
