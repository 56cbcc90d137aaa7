//! The backup before a database is brought to a newer schema, so that what was there can be had back.

use std::cell::RefCell;
use std::path::Path;

use anyhow::{Context, anyhow};

use super::recovery_key::is_sealed;
use crate::app::App;
use crate::backup;
use crate::clock::Millis;
use crate::data_dir::DataDir;
use crate::error::{Error, Result};
use crate::store::backup::has_projects;
use crate::store::{NormalTx, audit, maintenance};

/// Why a start is refused that could make none.
const REFUSED: Error = Error::Unavailable("no backup could be made before its schema is changed");

/// Makes that backup when it is asked to, once.
pub struct Upgrade<'a> {
    data: &'a DataDir,
    secret: &'a [u8; 32],
    now: Millis,
    /// False: there is a backup already, or somebody goes on without.
    is_wanted: bool,
    outcome: RefCell<Outcome>,
}

#[derive(Default)]
enum Outcome {
    #[default]
    NotAsked,
    Made(String),
    Failed(anyhow::Error),
}

impl<'a> Upgrade<'a> {
    pub fn new(data: &'a DataDir, secret: &'a [u8; 32], now: Millis, is_wanted: bool) -> Upgrade<'a> {
        Upgrade { data, secret, now, is_wanted, outcome: RefCell::default() }
    }

    /// For [`crate::store::Store::open_beside`].
    pub fn back_up(&self, schema: usize) -> Result<()> {
        // A first start that was killed among its steps has left nothing to keep.
        if !self.is_wanted || !has_projects(&self.data.database())? {
            return Ok(());
        }
        // Opening is tried again on a full disk, with the room that is kept for erasing. That is not for this.
        if matches!(*self.outcome.borrow(), Outcome::Failed(_)) {
            return Err(REFUSED);
        }
        let made = self.make().map_err(|error| {
            error.context(format!(
                "no backup could be made before upgrading the database from schema {schema}, so it was not changed; \
                 use --without-backup to upgrade without a backup"
            ))
        });
        let (outcome, result) = match made {
            Ok(name) => {
                log::warn!("made backup {name}: now upgrading the database from schema {schema}");
                (Outcome::Made(name), Ok(()))
            }
            Err(error) => (Outcome::Failed(error), Err(REFUSED)),
        };
        *self.outcome.borrow_mut() = outcome;
        result
    }

    /// Its name.
    fn make(&self) -> anyhow::Result<String> {
        is_sealed(self.data, self.secret)?;
        let path = backup::before_upgrade(self.data.path(), &self.data.backups(), self.now)?;
        name(&path).context("the backup has no name")
    }

    /// What opening says, or why there was no backup.
    pub fn opened<T>(&self, outcome: anyhow::Result<T>) -> anyhow::Result<T> {
        match self.outcome.take() {
            Outcome::Failed(why) => Err(why),
            made => {
                *self.outcome.borrow_mut() = made;
                outcome
            }
        }
    }

    /// Writes it down, so that it goes when it is needed no longer.
    pub fn note(self, app: &App) -> anyhow::Result<()> {
        let Outcome::Made(name) = self.outcome.into_inner() else { return Ok(()) };
        let made_at = self.now;
        let noted = app.write_blocking(move |tx: &NormalTx| {
            let entry = audit::Entry { action: "back up", reason: Some(&name), ..audit::Entry::default() };
            audit::append(tx, &entry)?;
            maintenance::keep(tx, maintenance::UPGRADED, made_at)
        });
        noted
            .map_err(|error| anyhow!("the backup from before the upgrade could not be written down: {error}"))
    }
}

fn name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}
