//! What the system lets a process have.

use std::hint::black_box;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use actix_web::rt::signal::unix::{SignalKind, signal};
use anyhow::{Context, bail};
use rustix::process::{Resource, Signal, getrlimit, setrlimit};

/// Files that are open at all times: the database three times for each reader, the ledger,
/// sockets, and some requests.
const FILES: u64 = 64;
/// For each thread that answers requests: a reader, an event queue, timers and connections.
const FILES_OF_WORKER: u64 = 16;

/// Threads that run at all times: the writer, the worker, those of the readers, of commands and copies,
/// and some that wait for a disk.
const THREADS: usize = 24;
/// What each of them has of memory beside its stack, at least.
const MEMORY_OF_THREAD: usize = 128 * 1024;
/// What all of them work with: names, bodies, pages of the database.
const WORKING_MEMORY: usize = 96 * 1024 * 1024;

/// Refuses where this process cannot have what it needs with so many threads for requests.
pub fn check(workers: usize) -> anyhow::Result<()> {
    raise_open_files(workers)?;
    check_threads(workers)
}

/// Refuses where this process cannot have its threads at one time: the parts that begin them later could
/// only panic.
fn check_threads(workers: usize) -> anyhow::Result<()> {
    let needed = THREADS + workers;
    let (hold, held) = channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let begin = |_| -> std::io::Result<JoinHandle<()>> {
        let held = Arc::clone(&held);
        thread::Builder::new().name("usher-trial".into()).spawn(move || {
            let memory = black_box(vec![1_u8; MEMORY_OF_THREAD]);
            // Until the other end is gone.
            let _ = held.lock().map(|held| held.recv());
            drop(memory);
        })
    };
    let mut threads = Vec::new();
    let mut working: Vec<u8> = Vec::new();
    let outcome = (0..needed)
        .try_for_each(|n| begin(n).map(|thread| threads.push(thread)))
        .and_then(|()| working.try_reserve_exact(WORKING_MEMORY).map_err(std::io::Error::other));
    drop(black_box(working));
    drop(hold);
    for thread in threads {
        if thread.join().is_err() {
            bail!("a test thread panicked: start Usher again");
        }
    }
    outcome.with_context(|| {
        format!(
            "this process cannot start the {needed} threads it needs: raise its limits of threads and memory \
             (`ulimit -u` and `ulimit -v`, TasksMax= and MemoryMax= of systemd, --pids-limit of a container), or \
             use fewer threads with --workers"
        )
    })
}

/// Says how large files may become: SQLite says of one that is too large only that the disk fails.
pub fn tell_size_of_files() {
    if let Some(most) = getrlimit(Resource::Fsize).current {
        log::warn!(
            "files cannot grow beyond {most} bytes (`ulimit -f`, LimitFSIZE= of systemd): larger writes fail like \
             on a broken disk"
        );
    }
}

/// A file that outgrows the limit of this process fails the write, and does not end the process without a
/// word.
pub fn outlive_large_files() -> anyhow::Result<()> {
    let catch = || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _inside = runtime.enter();
        // It stays caught when what is given here is gone.
        signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
    };
    catch().context("the signal of a file that is too large cannot be caught")
}

/// Lets this process open as many files as it may, and refuses where that is too few: the parts
/// that begin later could only panic.
fn raise_open_files(workers: usize) -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let needed = FILES + FILES_OF_WORKER * workers as u64;
    if most < needed {
        bail!(
            "this process may open {most} files but needs {needed}: raise the limit (`ulimit -n`, LimitNOFILE= of \
             systemd, --ulimit nofile= of a container), or use fewer threads with --workers"
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
