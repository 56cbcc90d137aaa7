//! How far the import of a file is: the same file goes on where it ended.

use super::{Counts, FAULTS_KEPT, Fault, Taken};
use crate::clock::DAY;
use crate::error::{Error, Result};
use crate::model::ProjectId;
use crate::store::imports::{self, Import, Key, Status};
use crate::store::{BackgroundTx, Db, Tx, audit};

/// How long it is known that a file was imported, or how far it came.
const KEPT_DAYS: i64 = 400;
const NOT_FOUND: Error = Error::NotFound("import");

/// A file, as it is known again.
#[derive(Debug, Clone)]
pub struct File {
    pub project: ProjectId,
    pub source: &'static str,
    /// None: it is a stream that did not say.
    pub size: Option<u64>,
    /// Its first bytes, and how it is read.
    pub head: Vec<u8>,
}

/// An import, as it was found or begun.
#[derive(Debug, Clone)]
pub struct Begun {
    pub id: i64,
    pub status: Status,
    /// Records that are done.
    pub record: u64,
    pub counts: Counts,
    pub faults: Vec<Fault>,
    /// All of it was taken in before.
    pub again: bool,
}

/// Begins the import of a file, or finds how far it came. One that is done stays so, unless it is to be
/// read from its beginning; one that failed is.
pub fn begin(tx: &BackgroundTx, file: &File, restart: bool) -> Result<Begun> {
    imports::prune(tx, file.project, tx.now() - KEPT_DAYS * DAY)?;
    // One of unknown size may begin as another did: it is read from its beginning.
    let restart = restart || file.size.is_none();
    let key = key_of(tx, file)?;
    let (counts, faults) = (text(&Counts::default())?, text(&Vec::<Fault>::new())?);
    let fresh = |id, again| Begun {
        id,
        status: Status::Running,
        record: 0,
        counts: Counts::default(),
        faults: Vec::new(),
        again,
    };
    match imports::find(tx, &key)? {
        None => Ok(fresh(imports::insert(tx, &key, &counts, &faults)?, false)),
        Some(found) if restart || found.status == Status::Failed => {
            let again = found.again || found.status == Status::Done;
            imports::restart(tx, found.id, again, &counts, &faults)?;
            Ok(fresh(found.id, again))
        }
        Some(found) => read(&found),
    }
}

fn key_of<'a>(tx: &Tx, file: &'a File) -> Result<Key<'a>> {
    let size = file.size.map_or(Ok(-1), i64::try_from).map_err(Error::internal)?;
    let digest = tx.keyed("import", &[&file.project.0.to_be_bytes(), &file.head]);
    Ok(Key { project: file.project, source: file.source, size, digest })
}

fn read(found: &Import) -> Result<Begun> {
    Ok(Begun {
        id: found.id,
        status: found.status,
        record: u64::try_from(found.record).map_err(Error::internal)?,
        counts: serde_json::from_str(&found.counts).map_err(Error::internal)?,
        faults: serde_json::from_str(&found.faults).map_err(Error::internal)?,
        again: found.again,
    })
}

fn text(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

/// Moves an import on over what was taken, in the transaction in which it was. [`Error::Conflict`] if
/// another command imports the same file.
pub fn advance(tx: &BackgroundTx, begun: &Begun, taken: &Taken, to: (u64, u64)) -> Result<Begun> {
    let mut after = Begun { record: to.0, ..begun.clone() };
    after.counts.add(&taken.counts);
    let room = FAULTS_KEPT.saturating_sub(after.faults.len());
    after.faults.extend(taken.faults.iter().take(room).map(|(_, fault)| fault.clone()));
    let number = |n: u64| i64::try_from(n).map_err(Error::internal);
    let (from, to) = (number(begun.record)?, (number(to.0)?, number(to.1)?));
    let faults = text(&after.faults)?;
    match imports::advance(tx, begun.id, from, to, &text(&after.counts)?, &faults)? {
        true => Ok(after),
        false => Err(Error::Conflict("another command is importing the same file")),
    }
}

/// The import ends, and stands in the audit log.
pub fn finish(tx: &BackgroundTx, project: ProjectId, begun: &Begun, status: Status) -> Result<()> {
    imports::finish(tx, begun.id, status)?;
    let Counts { records, users, events, faults, .. } = begun.counts;
    let how = status.as_str();
    let reason = format!("{how}: {records} records, {users} new users, {events} events, {faults} faults");
    let entry = audit::Entry {
        action: "import",
        project: Some(project),
        reason: Some(&reason),
        ..audit::Entry::default()
    };
    audit::append(tx, &entry)
}

/// An import of a project. [`Error::NotFound`] if there is none.
pub fn get(db: &Db, project: ProjectId, id: i64) -> Result<Import> {
    imports::by_id(db, project, id)?.ok_or(NOT_FOUND)
}

/// Those of a project below a number, the newest first.
pub fn list(db: &Db, project: ProjectId, below: i64, limit: u32) -> Result<Vec<Import>> {
    imports::list(db, project, below, limit)
}
