//! Which users have other names after a transaction, for the search in memory.
//!
//! Triggers of the writer's own connection write down whose row changes, in a table in memory. So no verb
//! can forget it, and what is rolled back, in a savepoint or as a whole, is not in it. Before the commit the
//! rows are read, and after it, before anybody is answered, they are handed on.
//!
//! The option that lost: SQLite's update hook. It hears of each event's counters, too, and not of a rollback
//! to a savepoint.

use std::sync::{Arc, OnceLock};

use const_format::formatcp;
use rusqlite::Connection;

use super::row::Row;
use super::value::params;
use super::{Db, Store, from_sql};
use crate::error::Result;
use crate::find::{Change, Names};
use crate::model::{ProjectId, UserId};

/// Users that are found by name: live ones, and hidden ones until their names are free; none of a deleted
/// project, and none whose data is only kept.
const IS_NAMED: &str = "state IN ('live', 'hidden') AND freed_at IS NULL AND restricted_at IS NULL
    AND u.project_id NOT IN (SELECT id FROM projects WHERE deleted_at IS NOT NULL)";

const TRIGGERS: &str = "
CREATE TEMP TABLE IF NOT EXISTS changed_names (id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL);
CREATE TEMP TABLE IF NOT EXISTS changed_projects (id INTEGER PRIMARY KEY);
CREATE TEMP TRIGGER IF NOT EXISTS name_made AFTER INSERT ON main.users BEGIN
    INSERT OR IGNORE INTO changed_names (id, project_id) VALUES (new.id, new.project_id);
END;
CREATE TEMP TRIGGER IF NOT EXISTS name_gone AFTER DELETE ON main.users BEGIN
    INSERT OR IGNORE INTO changed_names (id, project_id) VALUES (old.id, old.project_id);
END;
CREATE TEMP TRIGGER IF NOT EXISTS name_changed AFTER UPDATE OF
    identifier, email, claimed_email, display_name, first_name, last_name, state, freed_at,
    restricted_at ON main.users
WHEN new.identifier IS NOT old.identifier OR new.email IS NOT old.email
    OR new.claimed_email IS NOT old.claimed_email OR new.display_name IS NOT old.display_name
    OR new.first_name IS NOT old.first_name OR new.last_name IS NOT old.last_name
    OR new.state <> old.state OR new.freed_at IS NOT old.freed_at
    OR new.restricted_at IS NOT old.restricted_at
BEGIN
    INSERT OR IGNORE INTO changed_names (id, project_id) VALUES (new.id, new.project_id);
END;
CREATE TEMP TRIGGER IF NOT EXISTS project_gone AFTER UPDATE OF deleted_at ON main.projects
WHEN new.deleted_at IS NOT NULL BEGIN
    INSERT OR IGNORE INTO changed_projects (id) VALUES (new.id);
END;";

type Hearer = Box<dyn Fn(Vec<Change>) + Send + Sync>;

/// Hands the changes on. Without a hearer there are none.
#[derive(Default)]
pub(super) struct NameChanges {
    hearer: OnceLock<Hearer>,
}

impl NameChanges {
    /// What the open transaction has changed; the next call does not return it again.
    pub fn take(&self, conn: &Connection) -> Result<Vec<Change>> {
        if self.hearer.get().is_none() {
            return Ok(Vec::new());
        }
        let db = Db { conn };
        let sql = formatcp!(
            "SELECT c.id, c.project_id, identifier, email, claimed_email, display_name, first_name, last_name,
                 {IS_NAMED}
             FROM temp.changed_names c LEFT JOIN users u ON u.id = c.id"
        );
        let mut changes = db.rows(sql, params![], |row| {
            let (id, project) = (UserId(row.get(0)?), ProjectId(row.get(1)?));
            Ok(match row.get::<Option<bool>>(8)? {
                Some(true) => Change::Put(project, id, names(row, 2)?),
                Some(false) | None => Change::Gone(project, id),
            })
        })?;
        let projects = "SELECT id FROM temp.changed_projects";
        changes.extend(db.rows(projects, params![], |row| Ok(Change::ProjectGone(ProjectId(row.get(0)?))))?);
        if !changes.is_empty() {
            for table in ["changed_names", "changed_projects"] {
                conn.prepare_cached(&format!("DELETE FROM temp.{table}"))
                    .and_then(|mut statement| statement.execute([]))
                    .map_err(from_sql)?;
            }
        }
        Ok(changes)
    }

    /// They are committed.
    pub fn tell(&self, changes: Vec<Change>) {
        if let Some(hearer) = self.hearer.get().filter(|_| !changes.is_empty()) {
            hearer(changes);
        }
    }
}

fn names(row: &Row, from: usize) -> Result<Names> {
    let mut names = Names::default();
    let Names { identifier, email, claimed_email, display_name, first_name, last_name } = &mut names;
    let fields = [identifier, email, claimed_email, display_name, first_name, last_name];
    for (n, field) in fields.into_iter().enumerate() {
        *field = row.get(from + n)?;
    }
    Ok(names)
}

/// A user with their names.
pub type Named = (ProjectId, UserId, Names);

/// The names of the users after an id, `limit` at most, in the order of their ids, and the last id that was
/// read. None: there are no more.
pub fn stretch(db: &Db, after: UserId, limit: u32) -> Result<Option<(Vec<Named>, UserId)>> {
    // By the key alone: an index would give another order.
    let sql = formatcp!(
        "SELECT id, project_id, identifier, email, claimed_email, display_name, first_name, last_name, {IS_NAMED}
         FROM users u NOT INDEXED WHERE id > ?1 ORDER BY id LIMIT ?2"
    );
    let mut last = None;
    let mut found = Vec::with_capacity(limit as usize);
    db.each(sql, params![after.0, limit], |row| {
        let id = UserId(row.get(0)?);
        last = Some(id);
        if row.get(8)? {
            found.push((ProjectId(row.get(1)?), id, names(row, 2)?));
        }
        Ok(())
    })?;
    Ok(last.map(|last| (found, last)))
}

impl Store {
    /// Calls `hearer` on the writer's thread with the changed names of each commit, before the commit is
    /// answered. It must not wait. Only the first hearer is kept. A read-only store never calls it.
    pub fn on_name_changes(&self, hearer: impl Fn(Vec<Change>) + Send + Sync + 'static) -> Result<()> {
        let Some(writer) = &self.writer else { return Ok(()) };
        let changes = Arc::clone(&self.name_changes);
        writer.maintain(move |conn, _| {
            conn.execute_batch(TRIGGERS).map_err(from_sql)?;
            let _ = changes.hearer.set(Box::new(hearer));
            Ok(())
        })
    }
}
