//! The last time that was trusted; see [`crate::clock::Watch`].

use rusqlite::params;

use super::{Db, Tx};
use crate::clock::{Known, Millis, Waited};
use crate::error::Result;

/// What a start knows of the time before it.
pub fn known(db: &Db) -> Result<Known> {
    let sql = "SELECT at, waited, waited_wall FROM sign_of_life";
    let known = db.row(sql, [], |row| {
        let (so_far, wall): (Option<Millis>, Option<Millis>) = (row.get(1)?, row.get(2)?);
        let waited = so_far.zip(wall).map(|(so_far, wall)| Waited { so_far, wall });
        Ok(Known { sign: row.get(0)?, waited })
    })?;
    Ok(known.unwrap_or_default())
}

/// The latest time in what is written all along. None: nothing was written yet. For a database
/// that has no sign of life, from before there was one.
pub fn latest_trace(db: &Db) -> Result<Option<Millis>> {
    let audit: Option<Millis> =
        db.row("SELECT at FROM audit ORDER BY seq DESC LIMIT 1", [], |row| row.get(0))?;
    let upkeep: Option<Millis> = db.row("SELECT max(done_at) FROM upkeep", [], |row| row.get(0))?.flatten();
    Ok(audit.max(upkeep))
}

/// This time was trusted. Whatever was waited for is over.
pub fn note(tx: &Tx, at: Millis) -> Result<()> {
    tx.execute(
        "INSERT INTO sign_of_life (one, at) VALUES (1, ?1)
         ON CONFLICT (one) DO UPDATE SET at = excluded.at, waited = NULL, waited_wall = NULL",
        params![at],
    )?;
    Ok(())
}

/// The sign of life that a start goes by, where it is not the one that was written.
pub fn set(tx: &Tx, at: Millis) -> Result<()> {
    tx.execute(
        "INSERT INTO sign_of_life (one, at) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET at = excluded.at",
        params![at],
    )?;
    Ok(())
}

/// So much of the grace was waited out.
pub fn note_waited(tx: &Tx, waited: Waited) -> Result<()> {
    tx.execute(
        "INSERT INTO sign_of_life (one, waited, waited_wall) VALUES (1, ?1, ?2)
         ON CONFLICT (one) DO UPDATE SET waited = excluded.waited, waited_wall = excluded.waited_wall",
        params![waited.so_far, waited.wall],
    )?;
    Ok(())
}
