//! The recovery key, and the thread that copies backups to another place.

use std::io;
use std::time::Duration;

use anyhow::{Context, bail};

use super::secret;
use crate::app::{App, BackupPolicy};
use crate::archive::{BackupError, Copier, Destination, Pace, RecoveryKey, Sources};
use crate::clock::{DAY, HOUR};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::start::check_recovery_key;

/// How long the owner's command may take for one file.
const COMMAND_TIME: Duration = Duration::from_secs(6 * 60 * 60);

/// Makes the recovery key of a directory that has none yet, and tells it as `tell` does
/// ([`secret::on_output`], [`secret::on_error`]). It is kept only if it could be told: otherwise the
/// next start tells another.
pub fn recovery_key(
    data: &DataDir,
    tell: impl FnOnce(&DataDir, &str, &str, &str) -> io::Result<()>,
) -> anyhow::Result<()> {
    let key = match RecoveryKey::create(&data.secrets()) {
        Ok(key) => key,
        Err(BackupError::RecoveryKeyExists { .. }) => {
            if data.path().join(secret::RECOVERY_KEY).exists() {
                log::warn!(
                    "the recovery key is stored beside the data, in {}: move it elsewhere",
                    secret::RECOVERY_KEY
                );
            }
            return Ok(());
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let text = format!(
        "Recovery key for backups, shown only once: {}\nStore it on another machine: backups can be restored with \
         it anywhere, and without it only on this machine.\n\n",
        key.secret()
    );
    tell(data, secret::RECOVERY_KEY, "The recovery key for backups", &text).context(
        "the recovery key could not be printed and was discarded: the next start prints a new one",
    )?;
    key.keep(&data.secrets()).context(
        "the recovery key that was printed could not be saved: discard it, the next start prints a new one",
    )?;
    check_recovery_key(data, &data.store_secret()?)
}

/// How backups are made and kept, but for their copies.
pub fn backup_policy(config: &Config) -> BackupPolicy {
    BackupPolicy {
        every: config.backup_every.map(|hours| i64::from(hours) * HOUR),
        keep: i64::from(config.backup_keep) * DAY,
        copies: None,
    }
}

/// Sets how backups are kept, and starts the thread if there is a place for copies. What it
/// has left when this is dropped is taken up at the next start.
pub fn start(data: &DataDir, config: &Config, app: &App) -> anyhow::Result<Option<Copier>> {
    let backup_policy = backup_policy(config);
    let keep = backup_policy.keep;
    let place = match (&config.backup_copy, &config.backup_command) {
        (Some(folder), _) => Some(Destination::directory(folder)),
        (None, Some(words)) => match Destination::command(words, COMMAND_TIME) {
            None => bail!("--backup-command is empty: name a program"),
            place => place,
        },
        (None, None) => None,
    };
    let copier = place
        .map(|place| {
            let sources =
                Sources { ledger: data.ledger(), backups: data.backups(), receipts: data.receipts() };
            Copier::start(sources, place, app.clock().clone(), keep, Pace::default())
        })
        .transpose()
        .context("cannot start the thread that copies backups")?;
    let copies = copier.as_ref().map(Copier::notices);
    if let Some(notices) = copies.clone() {
        notices.receipts_written(app.receipts().last().number);
        app.store().on_ledger_growth(move |position| notices.ledger_grew(position.offset))?;
    }
    app.set_backup_policy(BackupPolicy { copies, ..backup_policy });
    Ok(copier)
}
