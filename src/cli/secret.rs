//! Secrets that are told once. A terminal shows them; what is not a terminal is a journal, a
//! container's log or a pipe, which keep and pass on what they get: there they go to a file that its
//! owner alone can read, and the place is said instead.

use std::io::{self, IsTerminal};

use super::out;
use crate::atomic_file;
use crate::data_dir::DataDir;

/// The recovery key, until its owner moves it elsewhere.
pub const RECOVERY_KEY: &str = "recovery-key.txt";
/// The first-run link, while it opens something.
pub const SETUP_LINK: &str = "setup-link.txt";

/// Tells a secret on standard output, or in a file of this name in the directory.
pub fn on_output(data: &DataDir, name: &str, what: &str, text: &str) -> io::Result<()> {
    match io::stdout().is_terminal() {
        true => out::once(text),
        false => aside(data, name, what, text, out::print),
    }
}

/// The same for a command whose standard output is its answer: on standard error.
pub fn on_error(data: &DataDir, name: &str, what: &str, text: &str) -> io::Result<()> {
    match io::stderr().is_terminal() {
        true => out::aside(text),
        false => aside(data, name, what, text, out::aside),
    }
}

fn aside(
    data: &DataDir,
    name: &str,
    what: &str,
    text: &str,
    say: impl FnOnce(&str) -> io::Result<()>,
) -> io::Result<()> {
    let at = data.path().join(name);
    atomic_file::replace(&at, text.as_bytes(), 0o600)?;
    // The file has it, whether or not anybody hears where it is.
    if let Err(error) = say(&format!("{what} is in {}, which only its owner can read.\n", at.display())) {
        log::warn!("the place of {name} could not be printed: {error}");
    }
    Ok(())
}

/// Removes a file that tells nothing any more.
pub use crate::atomic_file::remove as forget;
