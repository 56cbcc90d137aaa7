//! What the system lets a process have.

use anyhow::bail;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Files that are open whoever asks: the database three times for each reader, the ledger,
/// sockets, and some requests.
const FILES: u64 = 64;
/// For each thread that answers requests: a reader, an event queue, timers and connections.
const FILES_OF_WORKER: u64 = 16;

/// Lets this process open as many files as it may, and refuses where that is too few: the parts
/// that begin later could only panic.
pub fn raise_open_files(workers: usize) -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let needed = FILES + FILES_OF_WORKER * workers as u64;
    if most < needed {
        bail!(
            "this process may open {most} files, and needs {needed}: raise the limit (`ulimit -n`, LimitNOFILE= of \
             systemd, --ulimit nofile= of a container), or let fewer threads answer with --workers"
        );
    }
    if limit.current.is_some_and(|now| now < most) {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            log::warn!("the limit of open files stays as it is: {error}");
        }
    }
    Ok(())
}
