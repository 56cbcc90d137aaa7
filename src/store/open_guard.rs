//! Whose file it is, asked before anything is changed in it: another program's, or one of a
//! newer version, is left byte for byte as it is.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::backup::OfflineDatabase;
use super::migrations::APPLICATION_ID;
use super::wal_file::{self, Found};
use super::{Access, Loss};
use crate::error::{Error, Result};

const FOREIGN: Error = Error::Unavailable("usher.db was not made by Usher; it is left as it is");

/// The number of the file's schema; 0 for one that is not there or is empty.
/// [`Error::Unavailable`] if the file at `path` is not Usher's, or of a schema past
/// `newest`, or has lost what was acknowledged, unless that is accepted. One that is not there,
/// or is empty, is ours to make.
pub fn check(path: &Path, newest: usize, loss: Loss, access: Access) -> Result<usize> {
    let Some(first) = FirstPage::read(path).map_err(Error::internal)? else { return Ok(0) };
    // First without SQLite, which would roll back what another program has left half done.
    if first.is_foreign() {
        return Err(FOREIGN);
    }
    check_wal(path, loss)?;
    // Then with it: the newest of the file may be in the WAL.
    let offline = OfflineDatabase::open_as(path, access)?;
    if offline.application_id()? != APPLICATION_ID
        && (offline.application_id()? != 0 || offline.has_tables()?)
    {
        return Err(FOREIGN);
    }
    let schema = usize::try_from(offline.schema()?).unwrap_or(usize::MAX);
    if schema > newest {
        return Err(Error::Unavailable(
            "usher.db was written by a newer version of Usher; start that version",
        ));
    }
    Ok(schema)
}

fn check_wal(path: &Path, loss: Loss) -> Result<()> {
    let found = wal_file::look(path)?;
    if found == Found::Torn {
        log::warn!(
            "a transaction at the end of usher.db-wal is not whole, and is left out: a power cut leaves such a \
             one, which was not acknowledged; where there was none, look after the disk"
        );
    }
    match found.fault() {
        None => Ok(()),
        Some(_) if loss == Loss::Accept && found != Found::Mixed => {
            log::warn!("writes that were acknowledged are given up, as --accept-loss says");
            Ok(())
        }
        Some(fault) => Err(Error::Unavailable(fault)),
    }
}

/// The file's header, and that of the page which lists its tables.
struct FirstPage([u8; 108]);

impl FirstPage {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    const APPLICATION_ID: usize = 68;
    const KIND: usize = 100;
    const CELLS: usize = 103;
    /// A page without pages below it.
    const LEAF: u8 = 13;

    /// None: there is no such file, or it is too short to be a database.
    fn read(path: &Path) -> std::io::Result<Option<FirstPage>> {
        let mut bytes = [0; 108];
        match File::open(path).and_then(|mut file| file.read_exact(&mut bytes)) {
            Ok(()) => Ok(Some(FirstPage(bytes))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// It has another mark than ours, or none, but tables. What is no database is left to
    /// SQLite, which says so.
    fn is_foreign(&self) -> bool {
        let id = self.0[Self::APPLICATION_ID..].iter().take(4);
        let id = id.fold(0, |id, byte| id << 8 | i64::from(*byte));
        let is_bare = self.0[Self::KIND] == Self::LEAF && self.0[Self::CELLS..][..2] == [0, 0];
        self.0.starts_with(Self::MAGIC) && id != APPLICATION_ID && (id != 0 || !is_bare)
    }
}
