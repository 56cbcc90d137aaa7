//! The last time that was trusted; see [`crate::clock::Watch`].

use super::value::params;
use super::{Db, Tx, maintenance};
use crate::clock::{BELIEVED, Known, Millis, Waited};
use crate::error::Result;

/// What a start knows of the time before it.
pub fn known(db: &Db) -> Result<Known> {
    let sql = "SELECT at, waited, waited_wall FROM sign_of_life";
    let known = db.row(sql, params![], |row| {
        let (so_far, wall): (Option<Millis>, Option<Millis>) = (row.get(1)?, row.get(2)?);
        let waited = so_far.zip(wall).map(|(so_far, wall)| Waited { so_far, wall });
        Ok(Known { sign: row.get(0)?, waited })
    })?;
    Ok(known.unwrap_or_default())
}

/// The latest time in what is written all along, of those that can be believed. None: nothing was
/// written yet. For a database that has no sign of life that can be believed.
pub fn latest_trace(db: &Db) -> Result<Option<Millis>> {
    let (first, last) = (*BELIEVED.start(), *BELIEVED.end());
    let sql = "SELECT at FROM audit WHERE at BETWEEN ?1 AND ?2 ORDER BY seq DESC LIMIT 1";
    let audit: Option<Millis> = db.row(sql, params![first, last], |row| row.get(0))?;
    Ok(audit.max(maintenance::latest(db, (first, last))?))
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
