//! An app, put together from what lies in a data directory, with the checks of every start. The
//! command line, the tests and the benches start in the same way.

pub mod ledgers;
mod loss;
mod recovery_key;
mod upgrade;

use std::fs;
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::access::keyring::Keyring;
use crate::access::rate_limit::Limit;
use crate::app::{App, Parts};
use crate::archive;
use crate::clock::{Clock, Millis};
use crate::data_dir::DataDir;
use crate::ledger::Entry;
use crate::proof::ledger_head::Head;
use crate::proof::receipts::Receipts;
use crate::proof::signing::{Missing, Signer};
use crate::store::{Beside, Loss, Options, ScrubMode, Store, WAL_LIMIT, backup, jobs};
use crate::worker_signal::WorkerSignal;
pub use recovery_key::check_recovery_key;
use recovery_key::is_sealed;
use upgrade::Upgrade;

/// Bytes kept free for erasing on a full disk: 32 MiB, more than the WAL grows to while it can be
/// folded in.
pub const RESERVE: u64 = 32 * 1024 * 1024;

/// How an app is opened. The default is that of the command line without flags, but for limits.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads that answer requests.
    pub workers: usize,
    /// Requests a minute for each key. None: as many as come.
    pub rate_limit: Limit,
    /// How long a clock that jumped is not trusted; 0: it always is.
    pub clock_grace: Millis,
    /// The largest recording of a session, in bytes.
    pub recording_limit: usize,
    pub scrub_mode: ScrubMode,
    /// Bytes kept free for erasing on a full disk.
    pub reserve: u64,
    /// Above this size of the WAL, in bytes, which a reader holds up, only erasing writes.
    pub wal_limit: u64,
    /// Names are loaded into memory and can be searched.
    pub find: bool,
    pub ledger: LedgerChoice,
    /// A database that has lost its last writes is used anyway.
    pub accept_loss: bool,
    /// A backup is made before the schema is changed.
    pub backup_before_upgrade: bool,
}

/// Which ledger of erasures is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LedgerChoice {
    /// That of the directory, which must reach as far as all that is signed about it.
    #[default]
    Whole,
    /// That of the directory, whose newest entry has this number, whatever is signed.
    EndsWith(u64),
    /// It is lost: another begins.
    New,
}

impl LedgerChoice {
    /// Which entry somebody has decided to be the newest.
    pub fn newest(self) -> Option<u64> {
        match self {
            LedgerChoice::EndsWith(entry) => Some(entry),
            LedgerChoice::Whole | LedgerChoice::New => None,
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            workers: 2,
            rate_limit: None,
            clock_grace: 0,
            recording_limit: 1024 * 1024,
            scrub_mode: ScrubMode::Whole,
            reserve: RESERVE,
            wal_limit: WAL_LIMIT,
            find: true,
            ledger: LedgerChoice::Whole,
            accept_loss: false,
            backup_before_upgrade: true,
        }
    }
}

/// What becomes an app: the same for one that writes and one that only reads.
struct Start<'a> {
    data: &'a DataDir,
    settings: &'a Settings,
    clock: Clock,
    secret: [u8; 32],
    worker_signal: Arc<WorkerSignal>,
}

impl Start<'_> {
    fn store_options(&self, reserve: u64, loss: Loss) -> anyhow::Result<Options> {
        Ok(Options {
            secret: self.secret,
            clock: self.clock.clone(),
            worker_signal: Arc::clone(&self.worker_signal),
            // The worker reads, and so do commands.
            points: u32::try_from(self.settings.workers)? + 2,
            scrub_mode: self.settings.scrub_mode,
            reserve,
            wal_limit: self.settings.wal_limit,
            loss,
        })
    }

    fn parts(self, store: (Store, Vec<Entry>), signer: Signer, receipts: Receipts) -> Parts {
        let Start { data, settings, clock, worker_signal, .. } = self;
        Parts {
            store,
            keyring: Keyring::new(clock.clone(), settings.rate_limit),
            worker_signal,
            clock,
            clock_grace: settings.clock_grace,
            recording_limit: settings.recording_limit,
            signer,
            receipts,
            backups: data.backups(),
        }
    }
}

/// Opens what is in the directory, or begins one there. Each refusal names its way out.
pub fn open(data: &DataDir, settings: &Settings, clock: Clock) -> anyhow::Result<App> {
    sweep(data)?;
    let secret = data.store_secret()?;
    ledgers::forget_head(data)?;
    ledgers::upgrade(data, &secret)?;
    data.make_database()?;
    let upgrade = Upgrade::new(data, &secret, clock.now(), settings.backup_before_upgrade);
    let start = Start { data, settings, clock, secret, worker_signal: Arc::default() };
    let options = start
        .store_options(settings.reserve, if settings.accept_loss { Loss::Accept } else { Loss::Refuse })?;
    let beside = if settings.ledger == LedgerChoice::New { Beside::ANewOne } else { Beside::Its };
    let store = Store::open_beside(&data.database(), options, beside, &|schema| upgrade.back_up(schema))
        .with_context(|| format!("cannot open {}", data.database().display()));
    let store = upgrade.opened(store)?;
    // With the secret that is now known to be the right one.
    check_recovery_key(data, &secret)?;
    let mut receipts = Receipts::open(&data.receipts())?;
    if let Some(last) = store.0.read(jobs::last_receipt)? {
        receipts.go_on_after(u64::try_from(last)?);
    }
    let missing = if receipts.is_empty() { Missing::Make } else { Missing::Refuse };
    let signer = Signer::open(data.path(), missing)?;
    let head = Head::read(data.path(), &signer.public())?;
    loss::check(&store.0, &store.1, head.as_ref(), settings.accept_loss)?;
    let app = App::with_head(start.parts(store, signer, receipts), settings.ledger.newest())?;
    upgrade.note(&app)?;
    if !settings.find {
        app.find().leave_out();
    }
    // The head is signed.
    data.forget_kept_ledger()?;
    // Users erased since a backup are in it: it is needed no longer than this.
    data.forget_kept()?;
    Ok(app)
}

/// Opens what is in the directory, with the same checks, and writes nothing, now or later. Where a
/// start would have to change something first, it is refused.
pub fn open_read_only(data: &DataDir, settings: &Settings, clock: Clock) -> anyhow::Result<App> {
    for left in [data.kept(), data.kept_wal(), data.kept_ledger()] {
        if fs::symlink_metadata(&left).is_ok() {
            bail!(
                "{} exists: a restore or an upgrade is not finished. Start once without --read-only, on a \
                 writable disk (a copy of the whole directory is enough)",
                left.display()
            );
        }
    }
    let secret = data.known_store_secret()?;
    let start = Start { data, settings, clock, secret, worker_signal: Arc::default() };
    let store = Store::open_read_only(&data.database(), &start.store_options(0, Loss::Refuse)?)
        .with_context(|| format!("cannot open {}", data.database().display()))?;
    is_sealed(data, &secret)?;
    let signer = Signer::look(data.path())?;
    loss::check(&store, &[], Head::read(data.path(), &signer.public())?.as_ref(), false)?;
    let receipts = Receipts::look(&data.receipts())?;
    let app = App::read_only(start.parts((store, Vec::new()), signer, receipts))?;
    if !settings.find {
        app.find().leave_out();
    }
    Ok(app)
}

/// Removes what a kill has left half made. It is not encrypted.
pub fn sweep(data: &DataDir) -> anyhow::Result<()> {
    data.settle_kept()?;
    archive::sweep_unpacked(data.path())?;
    archive::sweep(&data.backups())?;
    Ok(backup::sweep(&data.backups())?)
}
