//! Working on a data directory in which nothing is written: see `--read-only`.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::control_command::ControlCommand;
use super::{ProgressBar, copies, directory, doctor, inspect, limits, loss};
use crate::access::keyring::Keyring;
use crate::app::{App, Parts};
use crate::clock::{Clock, MINUTE};
use crate::config::{Config, Find};
use crate::data_dir::DataDir;
use crate::proof::ledger_head::Head;
use crate::proof::receipts::Receipts;
use crate::proof::signing::Signer;
use crate::store::{Access, Loss, Options, ScrubMode, Store, WAL_LIMIT};
use crate::trace::Actor;
use crate::worker_signal::WorkerSignal;

/// Holds the directory, which must be there, beside others that read.
pub fn hold(config: &Config) -> anyhow::Result<DataDir> {
    directory::must_be(&config.data)?;
    if config.accept_loss {
        bail!("--accept-loss changes data: use it without --read-only");
    }
    let Some(data) = DataDir::look(&config.data)? else {
        bail!(
            "an Usher server is using {} and writes there: run the command without --read-only, or stop the server first",
            config.data.display()
        );
    };
    Ok(data)
}

/// Opens what is in the directory, with the checks of every start. Where a start would have to change
/// something first, it is refused.
pub fn open(data: &DataDir, config: &Config) -> anyhow::Result<App> {
    limits::raise_open_files(config.workers())?;
    limits::check_threads(config.workers())?;
    for left in [data.kept(), data.kept_wal(), data.kept_ledger()] {
        if fs::symlink_metadata(&left).is_ok() {
            bail!(
                "{} exists: a restore or an upgrade is not finished. Start once without --read-only, on a \
                 writable disk (a copy of the whole directory is enough)",
                left.display()
            );
        }
    }
    let (secret, clock, worker_signal) =
        (data.known_store_secret()?, Clock::system(), Arc::new(WorkerSignal::default()));
    let options = Options {
        secret,
        clock: clock.clone(),
        worker_signal: Arc::clone(&worker_signal),
        points: u32::try_from(config.workers())? + 2,
        scrub_mode: ScrubMode::Whole,
        reserve: 0,
        wal_limit: WAL_LIMIT,
        loss: Loss::Refuse,
    };
    let store = Store::open_read_only(&data.database(), &options)
        .with_context(|| format!("cannot open {}", data.database().display()))?;
    copies::is_sealed(data, &secret)?;
    let signer = Signer::look(data.path())?;
    loss::check(&store, &[], Head::read(data.path(), &signer.public())?.as_ref(), false)?;
    let app = App::read_only(Parts {
        store: (store, Vec::new()),
        keyring: Keyring::new(clock.clone(), config.rate_limit.0),
        worker_signal,
        clock,
        clock_grace: i64::from(config.clock_grace) * MINUTE,
        recording_limit: config.recording_limit(),
        signer,
        receipts: Receipts::look(&data.receipts())?,
        backups: data.backups(),
    })?;
    if config.find == Find::Off {
        app.find().leave_out();
    }
    Ok(app)
}

/// Acts on such a directory, as far as that needs no writing.
pub fn perform(config: &Config, act: &ControlCommand, bar: &ProgressBar) -> anyhow::Result<Vec<String>> {
    let data = hold(config)?;
    match act {
        ControlCommand::Verify => inspect::offline(data.path(), Access::ReadOnly),
        ControlCommand::Doctor => doctor::offline(data.path(), config),
        ControlCommand::Backup { .. } | ControlCommand::Demo { .. } => {
            bail!("this command changes data: run it without --read-only")
        }
        _ => act.perform(&open(&data, config)?.by(Actor::Operator), &|step| {
            bar.show(step);
            Ok(())
        }),
    }
}
