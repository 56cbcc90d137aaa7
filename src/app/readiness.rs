//! Whether the server is ready: it writes and syncs, it reads, and its files are still those that it
//! opened. Asked as often as anybody likes, it looks twice a second at most.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::App;
use crate::clock::rfc3339;
use crate::store::{NormalTx, figures};

/// What was found counts for so long.
const LASTS: Duration = Duration::from_millis(500);
/// What is not done by then is not ready: the answer is to come within a second.
const PATIENCE: Duration = Duration::from_millis(900);

/// The files that must stay those that were opened. Another one of the same name would take what is
/// written from here on, or be read at the next start.
const FILES: [&str; 7] = [
    "usher.db",
    "usher.db-wal",
    "erasures.ledger",
    "secrets/store.key",
    "secrets/signing.key",
    "secrets/backup.key",
    "secrets/recovery.pub",
];
/// The folder of receipts.
const RECEIPTS: &str = "receipts";

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub ok: bool,
    /// What was found; where it is not good, what to do.
    pub words: String,
}

impl Check {
    fn of(name: &'static str, outcome: Result<&str, String>) -> Check {
        let ok = outcome.is_ok();
        Check { name, ok, words: outcome.map_or_else(|why| why, str::to_owned) }
    }
}

/// All that was looked at, at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness(pub Vec<Check>);

impl Readiness {
    pub fn is_ready(&self) -> bool {
        self.0.iter().all(|check| check.ok)
    }

    fn reasons(&self) -> String {
        let bad = self.0.iter().filter(|check| !check.ok);
        bad.map(|check| format!("{}: {}", check.name, check.words)).collect::<Vec<String>>().join("; ")
    }
}

/// What the files were at the start, and what was found last.
pub struct Watch {
    files: Vec<Watched>,
    last: Mutex<Option<(Duration, Arc<Readiness>)>>,
}

#[derive(Clone)]
struct Watched {
    name: &'static str,
    path: PathBuf,
    /// Device and inode.
    is: (u64, u64),
}

impl Watch {
    /// Of the files in a data directory that are there now.
    pub fn over(folder: &Path) -> Watch {
        let watched = |name: &'static str| {
            let path = folder.join(name);
            Some(Watched { name, is: identity(&path)?, path })
        };
        let files = FILES.into_iter().chain([RECEIPTS]).filter_map(watched).collect();
        Watch { files, last: Mutex::default() }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|about| (about.dev(), about.ino()))
}

impl Watched {
    fn check(&self) -> Check {
        let name = self.name;
        let what = match identity(&self.path) {
            Some(is) if is == self.is => return Check::of(name, Ok("it is the opened file")),
            Some(_) => "is not the file that was opened",
            None => "is gone",
        };
        let lost = match name {
            "usher.db" | "usher.db-wal" | "erasures.ledger" => {
                "what is written now is lost when Usher stops: make a backup with `usher backup`, stop Usher, and put \
                 the right one back"
            }
            _ => "put the right one back, or restart Usher if it is right",
        };
        Check::of(name, Err(format!("{name} {what}; {lost}")))
    }
}

impl App {
    /// Whether it is ready, as of half a second ago at most. It takes less than a second.
    pub async fn readiness(&self) -> Arc<Readiness> {
        let app = self.clone();
        // A task of its own: a look that was begun is ended and kept, though nobody waits for it any more.
        let look = tokio::spawn(async move { app.look_once().await });
        look.await.unwrap_or_else(|_| {
            Arc::new(Readiness(vec![Check::of("look", Err("the check was interrupted".to_owned()))]))
        })
    }

    async fn look_once(&self) -> Arc<Readiness> {
        let mut last = self.inner.watch.last.lock().await;
        let now = self.clock.monotonic();
        if let Some((at, found)) = &*last
            && now.saturating_sub(*at) < LASTS
        {
            return Arc::clone(found);
        }
        let found = Arc::new(self.look().await);
        let was_ready = last.as_ref().is_none_or(|(_, found)| found.is_ready());
        match (was_ready, found.is_ready()) {
            (true, false) => log::warn!("not ready: {}", found.reasons()),
            (false, true) => log::info!("ready again"),
            _ => {}
        }
        *last = Some((now, Arc::clone(&found)));
        found
    }

    async fn look(&self) -> Readiness {
        let files = self.inner.watch.files.clone();
        let read = self.read_aside(move |db| {
            figures::probe(db)?;
            Ok(files.iter().map(Watched::check).collect::<Vec<Check>>())
        });
        let is_read_only = self.is_read_only();
        let write = async {
            // It is ready for what it was started for.
            if is_read_only { Ok(()) } else { self.write(|tx: &NormalTx| figures::probe_write(tx)).await }
        };
        let (read, write) = join(timeout(PATIENCE, read), timeout(PATIENCE, write)).await;
        let wrote = match write {
            Ok(Ok(())) if is_read_only => Ok("read-only: nothing is written, and every write is refused"),
            Ok(Ok(())) => Ok("a row was written and synced"),
            Ok(Err(error)) => Err(format!("no row could be written: {error}")),
            Err(_) => {
                Err("a row was not written within 900 ms: the disk is slow, or too many writes wait".into())
            }
        };
        let (read, mut files) = match read {
            Ok(Ok(files)) => (Ok("a row was read"), files),
            Ok(Err(error)) => (Err(format!("no row could be read: {error}")), self.files_alone()),
            Err(_) => (Err("a row was not read within 900 ms".into()), Vec::new()),
        };
        let damage = self.store().damage();
        let damage = damage.map_or(Ok("no damage found"), |what| {
            Err(format!("{what}: `usher verify` names it; put back a backup with `usher restore`"))
        });
        // A clock that is not trusted, and a log that a reader holds up, are told: writes go on.
        let standing = self.time_standing();
        let clock = match standing.is_trusted() {
            true => "it is trusted".to_owned(),
            false => format!("{standing}; trash, scheduled deletions and pruning are on hold"),
        };
        let log = self.store().held_wal().unwrap_or_else(|| "no reader blocks it".to_owned());
        let mut checks = vec![
            Check::of("write", wrote),
            Check::of("read", read),
            Check::of("damage", damage),
            Check::of("clock", Ok(&clock)),
            Check::of("log", Ok(&log)),
        ];
        if let Some(tls) = self.tls() {
            // Told as well: what asks may take any certificate.
            let troubles = tls.troubles().join("; ");
            let good = || format!("it is valid until {}", rfc3339(tls.until()));
            let words = if troubles.is_empty() { good() } else { troubles };
            checks.push(Check::of("certificate", Ok(&words)));
        }
        checks.append(&mut files);
        Readiness(checks)
    }

    fn files_alone(&self) -> Vec<Check> {
        self.inner.watch.files.iter().map(Watched::check).collect()
    }
}
