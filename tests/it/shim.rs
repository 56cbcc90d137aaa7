//! The program under a library that writes down each change that it makes to a file, and lets
//! some of them fail (`trace_writes.c`).

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use crate::common::number;
use crate::process::{Process, directory, usher};

/// The same where changes are made that were written down: the index of the WAL, which is written
/// in memory, is not among them.
pub fn copied_without_index(from: &Path) -> tempfile::TempDir {
    let dir = copied(from);
    let _ = fs::remove_file(dir.path().join("usher.db-shm"));
    dir
}

/// Cases that may fail before the others are left out.
const NAMED: usize = 10;

/// Runs cases side by side, and names those that fail. Returns how many there were.
pub fn each(cases: usize, run: impl Fn(usize) -> Result<(), String> + Sync) -> usize {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= cases || failed.lock().expect("a lock").len() >= NAMED {
                        return;
                    }
                    if let Err(why) = run(n) {
                        failed.lock().expect("a lock").push(why);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("a lock");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    cases
}

/// Kept for erasing: not copied, as no test here fills the disk.
pub const RESERVE: &str = "reserve";

/// Bytes that are written whole or not at all when the power is cut.
pub const SECTOR: usize = 512;

/// One change that a process made to a file.
pub struct Change {
    /// A letter, as the library writes it.
    pub kind: u8,
    pub name: String,
    pub second: String,
    pub at: u64,
    pub bytes: Vec<u8>,
    /// Where the trace ends behind it.
    pub end: u64,
}

impl Change {
    /// Makes the change in another directory; of a write, the first `upto` bytes.
    pub fn make(&self, dir: &Path, upto: usize) {
        let path = dir.join(&self.name);
        if self.name == RESERVE {
            return;
        }
        let open =
            || OpenOptions::new().write(true).create(true).truncate(false).open(&path).expect("a file");
        match self.kind {
            b'w' => open().write_all_at(&self.bytes[..upto.min(self.bytes.len())], self.at).expect("a write"),
            b't' => open().set_len(self.at).expect("a length"),
            b'c' => drop(open()),
            b'r' => fs::rename(&path, dir.join(&self.second)).expect("a name"),
            b'u' => fs::remove_file(&path).expect("a file"),
            b'm' => fs::create_dir(&path).expect("a folder"),
            b'd' => fs::remove_dir(&path).expect("a folder"),
            b'l' => fs::hard_link(&path, dir.join(&self.second)).expect("a link"),
            // Syncs, and those that failed.
            b's' | b'f' => {}
            other => panic!("unknown change {other}"),
        }
    }

    pub fn all(&self, dir: &Path) {
        self.make(dir, usize::MAX);
    }
}

/// The last one may be cut off with the program.
pub fn read_changes(trace: &Path) -> Vec<Change> {
    let bytes = fs::read(trace).expect("a trace");
    let mut changes = Vec::new();
    let mut at = 0;
    while let Some(change) = read_change(&bytes, at) {
        at = usize::try_from(change.end).expect("a length");
        changes.push(change);
    }
    changes
}

fn read_change(bytes: &[u8], at: usize) -> Option<Change> {
    let (head, rest) = bytes[at..].split_at_checked(21)?;
    let two = |at: usize| usize::from(u16::from_le_bytes([head[at], head[at + 1]]));
    let eight = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("8 bytes"));
    let (name, rest) = rest.split_at_checked(two(1))?;
    let (second, rest) = rest.split_at_checked(two(3))?;
    let written = rest.get(..usize::try_from(eight(13)).ok()?)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a name");
    let end = at + 21 + name.len() + second.len() + written.len();
    Some(Change {
        kind: head[0],
        name: text(name),
        second: text(second),
        at: eight(5),
        bytes: written.to_vec(),
        end: end as u64,
    })
}

/// A library to be preloaded, made of a source in C.
pub fn compiled(folder: &Path, name: &str, text: &str) -> PathBuf {
    let (source, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    fs::write(&source, text).expect("a file");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status()
        .expect("the compiler runs");
    assert!(built.success());
    library
}

/// The library that writes changes down.
pub struct Shim(tempfile::TempDir);

impl Shim {
    pub fn new() -> Shim {
        let folder = directory();
        compiled(folder.path(), "trace", include_str!("trace_writes.c"));
        Shim(folder)
    }

    pub fn preload(&self, command: &mut Command, dir: &Path) {
        command.env("LD_PRELOAD", self.0.path().join("trace.so")).env("TRACE_DIR", dir);
    }

    /// The changes are written down, in the file that it returns.
    pub fn trace(&self, command: &mut Command, dir: &Path) -> PathBuf {
        let trace = self.0.path().join("trace");
        let _ = fs::remove_file(&trace);
        self.preload(command, dir);
        command.env("TRACE_FILE", &trace);
        trace
    }

    /// Spares the disk, where what is tested is no longer there.
    pub fn spare(&self, command: &mut Command) {
        command.env("LD_PRELOAD", self.0.path().join("trace.so")).env("NO_SYNC", "1");
    }

    /// What a start of a server changes, up to its first second.
    pub fn trace_start(&self, dir: &Path) -> Vec<Change> {
        let mut command = usher(dir, &["serve", "--listen", "127.0.0.1:0", "--rate-limit", "off"]);
        let trace = self.trace(&mut command, dir);
        let server = Process::run(dir, command);
        // What the worker does at once is a part of the start.
        std::thread::sleep(std::time::Duration::from_millis(200));
        server.kill();
        read_changes(&trace)
    }

    /// Opens the directory as a start does, on a disk that is full from a change on.
    pub fn open_full(&self, dir: &Path, from: usize) -> Output {
        let mut command = usher(dir, &["project", "list"]);
        self.preload(&mut command, dir);
        command.env("FULL_AT", from.to_string()).output().expect("the program runs")
    }
}

pub fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (kind, to) = (entry.file_type().expect("a type"), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_all(&entry.path(), &to);
        } else if kind.is_file() && entry.file_name() != RESERVE {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

/// A copy of the directory, with the same file for a reserve: it is only ever removed.
pub fn copied(from: &Path) -> tempfile::TempDir {
    let dir = directory();
    copy_all(from, dir.path());
    if from.join(RESERVE).exists() {
        fs::hard_link(from.join(RESERVE), dir.path().join(RESERVE)).expect("a link");
    }
    dir
}
