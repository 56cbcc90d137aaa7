//! `usher restore`: what it is given, and what it prints.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::{copies, out, settings};
use crate::archive::Identities;
use crate::clock::{self, Clock, Millis};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::erasure::replay::Replayed;
use crate::ledger::ReplayEstimate;
use crate::restore::{self, Notice, Request, Restored};
use crate::start::LedgerChoice;

/// The recovery key, in the environment.
const KEY: &str = "USHER_RECOVERY_KEY";

#[derive(Args)]
pub struct Restore {
    /// The backup file
    file: PathBuf,
    /// File with the recovery key, needed on another machine; or set USHER_RECOVERY_KEY to the key itself
    #[arg(long, value_name = "FILE")]
    recovery_key: Option<PathBuf>,
    /// Restore without the ledger of erasures, if it is lost and there is no copy. Erasures since the backup
    /// are not repeated. This is printed and recorded in the audit log and a new ledger
    #[arg(long)]
    without_ledger: bool,
    /// Number of the newest ledger entry to require: an older ledger is refused, and this one is accepted
    /// even if later entries were signed
    #[arg(long, value_name = "N", conflicts_with = "without_ledger")]
    ledger_head: Option<u64>,
}

/// Puts it back; prints before how much the ledger has ordered since, and after what of it
/// there was to do.
pub fn run(config: &Config, what: &Restore) -> anyhow::Result<()> {
    DataDir::make(&config.data)?;
    let Some(data) = DataDir::hold(&config.data)? else {
        bail!(
            "an Usher server is using {}: stop the server first, because a restore replaces the database",
            config.data.display()
        );
    };
    let request = Request {
        file: what.file.clone(),
        owners: owners_keys(what)?,
        ledger: match (what.without_ledger, what.ledger_head) {
            (true, _) => LedgerChoice::New,
            (false, Some(entry)) => LedgerChoice::EndsWith(entry),
            (false, None) => LedgerChoice::Whole,
        },
        policy: copies::backup_policy(config),
    };
    // Where nothing can be printed, that is told at the end, of what was done.
    let tell = |notice: Notice| {
        let _ = match notice {
            Notice::Ahead(made_at, again) => out::print(&format!("{}\n", ahead(&what.file, made_at, &again))),
            Notice::Warning(text) => out::aside(&format!("usher: {text}\n")),
        };
    };
    super::limits::check(config.workers())?;
    let Restored { made_at, done } =
        restore::run(&data, &settings(config), &request, Clock::system(), &tell)?;
    out::print(&story(&what.file, made_at, &done))
        .context("the backup is restored, but the summary could not be printed")
}

/// The keys that the owner gave.
fn owners_keys(what: &Restore) -> anyhow::Result<Identities> {
    let mut keys = Identities::default();
    if let Some(file) = &what.recovery_key {
        keys = keys.and(Identities::from_file(file)?);
    }
    Ok(keys.and(Identities::from_env(KEY)?.unwrap_or_default()))
}

/// What is ahead, before anything is changed.
fn ahead(file: &Path, made_at: Millis, again: &ReplayEstimate) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "{name}, made {}, is valid. Up to {} erasures will be repeated, up to {} users moved to trash, up to \
         {} credentials revoked (keys, tokens, passwords, rights).",
        clock::written(made_at),
        again.erased,
        again.hidden,
        again.keys
    )
}

fn story(file: &Path, made_at: Millis, done: &Replayed) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "{name}, made {}, is restored. All admins are signed out.\n\
         Repeated since then: {} users erased, {} moved to trash, {} restored, {} credentials revoked (keys, \
         tokens, passwords, rights), {} scheduled deletions pending, {} cancelled.\n",
        clock::written(made_at),
        done.erased,
        done.hidden,
        done.revived,
        done.keys,
        done.scheduled,
        done.ended
    )
}
