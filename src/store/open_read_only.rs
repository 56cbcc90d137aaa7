//! Opening a database to be read alone.

use std::path::Path;

use super::backup::OfflineDatabase;
use super::read_only::Access;
use super::{
    Loss, Options, Running, Store, ledger_of, ledger_writer, maintenance, migrations, open_guard, pragmas,
};
use crate::error::{Error, Result};
use crate::ledger::{MacKey, look};

impl Store {
    /// Opens the database at `path` to be read alone; nothing is written there, and every write is
    /// [`Error::ReadOnly`]. Whatever a start would have to change first is refused with the way out:
    /// an older schema, and above all what the ledger of erasures orders and the database has not done,
    /// for it would show people who are erased.
    pub fn open_read_only(path: &Path, options: &Options) -> Result<Store> {
        pragmas::check_build()?;
        let schema = open_guard::check(path, migrations::NEWEST, Loss::Refuse, Access::ReadOnly)
            .map_err(super::with_way_out)?;
        if schema < migrations::NEWEST {
            return Err(Error::Unavailable(
                "usher.db is of an older version, and has to be brought to this version's schema first: start \
                 once without --read-only, on a disk that can be written (a copy of the directory will do), or \
                 start the version that wrote it",
            ));
        }
        check_caught_up(path, &options.secret)?;
        Store::assembled(path, options, Running::read_only(path, options), Access::ReadOnly)
    }
}

/// [`Error::Unavailable`] unless all that the ledger orders is done.
fn check_caught_up(path: &Path, secret: &[u8; 32]) -> Result<()> {
    let offline = OfflineDatabase::open_as(path, Access::ReadOnly)?;
    let (mark, restored) = offline.read(|db| {
        ledger_writer::check_secret(db.conn, secret)?;
        Ok((ledger_writer::position(db)?, maintenance::done_at(db, maintenance::RESTORED)?))
    })?;
    let seen = look(&ledger_of(path), &MacKey::new(secret), &[mark], |_, _| {}).map_err(Error::internal)?;
    seen.places.into_iter().try_for_each(|place| place.map(drop)).map_err(Error::internal)?;
    if seen.end.seq > mark.seq || restored.is_some() {
        return Err(Error::Unavailable(
            "the ledger of erasures orders what this usher.db has not done yet: read-only, it would show people \
             who are erased. Start once without --read-only, on a disk that can be written (a copy of the whole \
             directory will do): that start does it",
        ));
    }
    Ok(())
}
