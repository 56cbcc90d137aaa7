//! The data directory: what lies in it, and that one process at a time holds it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::atomic_file;
use anyhow::{Context, bail};
use rustix::fs::Access;
use rustix::io::Errno;

/// What lies in a data directory.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// A database; or what cannot be looked at, which is told when it is opened.
    Begun,
    /// Nothing, or no directory at all.
    New,
    /// No database, but these, which belong to one: it was lost.
    Lost(Vec<&'static str>),
}

impl State {
    pub fn of(path: &Path) -> State {
        match fs::metadata(path.join("usher.db")) {
            // SQLite would take an empty file for a new database.
            Ok(about) if about.len() == 0 => {}
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Ok(_) | Err(_) => return State::Begun,
        }
        let is_receipt = |entry: std::io::Result<fs::DirEntry>| {
            entry.is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "json"))
        };
        let mut left = Vec::new();
        if path.join("erasures.ledger").exists() {
            left.push("erasures.ledger");
        }
        if fs::read_dir(path.join("receipts")).is_ok_and(|mut entries| entries.any(is_receipt)) {
            left.push("receipts");
        }
        if left.is_empty() { State::New } else { State::Lost(left) }
    }
}

/// A data directory that this process holds until it is dropped.
pub struct DataDir {
    path: PathBuf,
    /// Locked; the lock goes with the process, however it ends. None: on a disk where nobody writes there
    /// may be no file to lock.
    _lock: Option<File>,
}

impl DataDir {
    /// Makes the directory if there is none.
    pub fn make(path: &Path) -> anyhow::Result<()> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.with_context(|| format!("cannot make the directory {}", path.display()))
    }

    /// Refuses a directory that is there and cannot be written, before anything is tried in it.
    fn must_be_writable(path: &Path) -> anyhow::Result<()> {
        for at in [path.to_owned(), path.join("usher.db")] {
            if let Err(error) = rustix::fs::access(&at, Access::WRITE_OK)
                && [Errno::ROFS, Errno::ACCESS, Errno::PERM].contains(&error)
            {
                return Err(error).with_context(|| {
                    format!(
                        "nothing can be written in {}. See to the disk and to whose the files are; or give \
                         --read-only: reads are answered then, and nothing is written (cannot write {})",
                        path.display(),
                        at.display()
                    )
                });
            }
        }
        Ok(())
    }

    /// Takes hold of a directory beside others that read there, so that nobody writes meanwhile. Makes
    /// nothing. None: a process has it that writes.
    pub fn look(path: &Path) -> anyhow::Result<Option<DataDir>> {
        let at = path.join("usher.lock");
        let lock = match File::open(&at) {
            Ok(lock) => lock,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Where nobody can write there is nobody to be kept out.
                if rustix::fs::access(path, Access::WRITE_OK).is_ok() {
                    bail!(
                        "there is no {} to hold, so that another Usher could write meanwhile: make an empty file \
                         of that name, or start without --read-only",
                        at.display()
                    );
                }
                return Ok(Some(DataDir { path: path.to_owned(), _lock: None }));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot open {}", at.display())),
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(Some(DataDir { path: path.to_owned(), _lock: Some(lock) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", at.display()))
            }
        }
    }

    /// Whether a process has hold of it. Makes nothing.
    pub fn is_held(path: &Path) -> bool {
        let lock = File::open(path.join("usher.lock"));
        lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Takes hold of a directory that is there. None: another process has it.
    pub fn hold(path: &Path) -> anyhow::Result<Option<DataDir>> {
        DataDir::must_be_writable(path)?;
        let at = path.join("usher.lock");
        let lock = private().truncate(false).open(&at).with_context(|| cannot_open(&at))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(DataDir { path: path.to_owned(), _lock: Some(lock) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", at.display()))
            }
        }
    }

    pub fn database(&self) -> PathBuf {
        self.path.join("usher.db")
    }

    /// Makes an empty file for the database if there is none. SQLite would make it readable
    /// for everybody; what it makes beside it takes after it.
    pub fn make_database(&self) -> anyhow::Result<()> {
        let at = self.database();
        private().truncate(false).open(&at).map(drop).with_context(|| cannot_open(&at))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn receipts(&self) -> PathBuf {
        self.path.join("receipts")
    }

    pub fn backups(&self) -> PathBuf {
        self.path.join("backups")
    }

    /// Makes the folder of secrets if there is none.
    pub fn make_secrets(&self) -> anyhow::Result<()> {
        let folder = self.secrets();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))
    }

    pub fn ledger(&self) -> PathBuf {
        self.path.join("erasures.ledger")
    }

    /// The ledger as version 1 had it, until the head of the new one is signed.
    pub fn kept_ledger(&self) -> PathBuf {
        self.path.join("erasures.ledger.version-1")
    }

    /// Removes that.
    pub fn forget_kept_ledger(&self) -> anyhow::Result<()> {
        let at = self.kept_ledger();
        match fs::remove_file(&at) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", at.display()))
            }
            _ => Ok(()),
        }
    }

    pub fn secrets(&self) -> PathBuf {
        self.path.join("secrets")
    }

    /// The database that a restore has replaced, until what replaced it is known to be good.
    pub fn kept(&self) -> PathBuf {
        self.path.join("usher.db.before-restore")
    }

    /// The WAL of one that did not read, moved out of the way of the new one.
    pub fn kept_wal(&self) -> PathBuf {
        self.path.join("usher.db.before-restore-wal")
    }

    /// Puts that WAL back where it belongs, if the database is not replaced after all: a
    /// restore was killed in between, or failed.
    pub fn settle_kept(&self) -> anyhow::Result<()> {
        let inode = |path: &Path| fs::metadata(path).ok().map(|about| about.ino());
        let (wal, kept) = (self.kept_wal(), inode(&self.kept()));
        if wal.exists() && (kept.is_none() || kept == inode(&self.database())) {
            fs::rename(&wal, self.path.join("usher.db-wal"))
                .with_context(|| format!("cannot move {}", wal.display()))?;
        }
        Ok(())
    }

    /// Removes it: it holds users who were erased.
    pub fn forget_kept(&self) -> anyhow::Result<()> {
        for at in [self.kept(), self.kept_wal()] {
            match fs::remove_file(&at) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot remove {}", at.display())),
            }
        }
        Ok(())
    }

    pub fn socket(&self) -> PathBuf {
        socket(&self.path)
    }

    /// What digests of identifiers are keyed with; made at the first start. Without it an
    /// existing database cannot tell late events of erased users, so its loss is an error.
    pub fn store_secret(&self) -> anyhow::Result<[u8; 32]> {
        self.make_secrets()?;
        self.secret_or(|_, at| make_secret(at))
    }

    /// The same where nothing is made.
    pub fn known_store_secret(&self) -> anyhow::Result<[u8; 32]> {
        self.secret_or(|_, at| bail!("{} is missing: put it back from a copy", at.display()))
    }

    fn secret_or(
        &self,
        make: impl FnOnce(&Path, &Path) -> anyhow::Result<[u8; 32]>,
    ) -> anyhow::Result<[u8; 32]> {
        let folder = self.secrets();
        let at = folder.join("store.key");
        match File::open(&at) {
            Ok(mut file) => {
                let mut secret = [0; 32];
                let mut rest = Vec::new();
                let read = file.read_exact(&mut secret).and_then(|()| file.read_to_end(&mut rest));
                if read.is_err() || !rest.is_empty() {
                    bail!("{} is damaged: it must have 32 bytes; put it back from a copy", at.display());
                }
                Ok(secret)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if self.database().exists() {
                    bail!("{} is missing, but there is a database: put it back from a copy", at.display());
                }
                make(&folder, &at)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", at.display())),
        }
    }
}

/// Where a server that holds the directory takes commands.
pub fn socket(path: &Path) -> PathBuf {
    path.join("usher.sock")
}

fn make_secret(at: &Path) -> anyhow::Result<[u8; 32]> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the system gives no random bytes")?;
    atomic_file::replace(at, &secret, 0o600).with_context(|| format!("cannot write {}", at.display()))?;
    Ok(secret)
}

/// What is said where a file cannot be opened to be written.
fn cannot_open(at: &Path) -> String {
    format!(
        "cannot open {} to write. See to the disk and to whose the file is, and start again; or give --read-only: \
         reads are answered then, and nothing is written",
        at.display()
    )
}

/// Options for a file that only its owner may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    options
}
