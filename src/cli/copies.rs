//! The recovery key, and the thread that copies backups to another place.

use std::io;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::app::{App, Keeping};
use crate::clock::{DAY, HOUR};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::vault::{Copier, Pace, Place, RecoveryKey, Refusal, Sources};

/// How long the owner's command may take for one file.
const COMMAND_TIME: Duration = Duration::from_secs(6 * 60 * 60);

/// Makes the recovery key of a directory that has none yet, and shows it. It is kept only if
/// it could be shown: otherwise the next start shows another.
pub fn recovery_key(data: &DataDir, show: impl FnOnce(&str) -> io::Result<()>) -> anyhow::Result<()> {
    let key = match RecoveryKey::create(&data.secrets()) {
        Ok(key) => key,
        Err(Refusal::RecoveryKeyExists { .. }) => return Ok(()),
        Err(refusal) => return Err(refusal.into()),
    };
    let text = format!(
        "Recovery key for backups, shown this once: {}\nKeep it away from this machine: a backup opens with it \
         anywhere, and without it on this machine alone.\n\n",
        key.secret()
    );
    show(&text)
        .context("the recovery key could not be shown, and is not kept: the next start shows another")?;
    key.keep(&data.secrets())
        .context("the recovery key that was shown is not kept: the next start shows another")
}

/// How backups are made and kept, but for their copies.
pub fn keeping(config: &Config) -> Keeping {
    Keeping {
        every: config.backup_every.map(|hours| i64::from(hours) * HOUR),
        keep: i64::from(config.backup_keep) * DAY,
        copies: None,
    }
}

/// Sets how backups are kept, and starts the thread if there is a place for copies. What it
/// has left when this is dropped is taken up at the next start.
pub fn start(data: &DataDir, config: &Config, app: &App) -> anyhow::Result<Option<Copier>> {
    let keeping = keeping(config);
    let keep = keeping.keep;
    let place = match (&config.backup_copy, &config.backup_command) {
        (Some(folder), _) => Some(Place::directory(folder)),
        (None, Some(words)) => match Place::command(words, COMMAND_TIME) {
            None => bail!("--backup-command names no program"),
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
    app.keep_backups(Keeping { copies, ..keeping });
    Ok(copier)
}
