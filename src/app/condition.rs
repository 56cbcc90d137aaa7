//! Whether the machine needs a person: how old the backups are, and how much room is left.

use super::App;
use crate::archive;
use crate::clock::{DAY, Millis};
use crate::disk;
use crate::error::{Error, Result};

/// How old the newest backup may be where none are scheduled.
const BACKUP_AGE: Millis = 7 * DAY;
/// Room that is little on any disk; of a large one a twentieth is.
const ROOM: u64 = 1 << 30;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub backups: Backups,
    /// Free bytes, where they are few.
    pub little_room: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backups {
    Fine,
    /// There is none that reads.
    None,
    /// The newest good one is of this time, and one should have been made since.
    Old(Millis),
}

/// Reads the beginning of each backup and asks the disk: not for a thread that answers requests.
pub fn of(app: &App) -> Result<Condition> {
    let listed = archive::list(app.backups()).map_err(Error::internal)?;
    let newest =
        listed.iter().rev().find(|backup| backup.manifest.is_ok()).and_then(archive::Listed::made_at);
    // One that was due a moment ago may be at work.
    let bound = app.backup_policy().every.map_or(BACKUP_AGE, |every| every.saturating_mul(2));
    let room = disk::room(app.store().folder()).ok();
    let is_little = |room: &disk::Room| room.free < ROOM || room.free < room.all / 20;
    Ok(Condition {
        backups: match newest {
            None => Backups::None,
            Some(at) if app.clock().now().saturating_sub(at) > bound => Backups::Old(at),
            Some(_) => Backups::Fine,
        },
        little_room: room.filter(is_little).map(|room| room.free),
    })
}
