//! What is printed. That nobody could read it is an error to be told, never a panic.

use std::io::{self, ErrorKind, Write};

/// Prints what is not to be had again: it fails unless it was taken.
pub fn once(text: &str) -> io::Result<()> {
    put(io::stdout().lock(), text)
}

/// Prints what may be asked for again: a reader that has gone away wants no more of it.
pub fn print(text: &str) -> io::Result<()> {
    match once(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// The same as [`once`] on standard error.
pub fn aside(text: &str) -> io::Result<()> {
    put(io::stderr().lock(), text)
}

fn put(mut to: impl Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}
