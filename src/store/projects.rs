//! Projects. One that was deleted is not found, but where that is said: see
//! [`super::deleted_projects`].

use const_format::formatcp;

use super::row::Row;
use super::value::{odd_row, params};
use super::{Db, Tx, sequences};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{Intake, Project, ProjectId, PublicWrites};

/// How long digests of erased identifiers are kept unless a project says otherwise: the schema's
/// default.
const ERASED_KEPT_DAYS: u32 = 3_650;

const COLUMNS: &str = "id, name, key, ingest_token, platform, created_at, first_event_at, late_events, \
    public_writes, people_per_address, people_per_hour, placeholders, erased_kept_days, erased_kept_why, origins, \
    refused_origins, token_used_at";

fn read(row: &Row) -> Result<Project> {
    Ok(Project {
        id: ProjectId(row.get(0)?),
        name: row.get(1)?,
        key: row.get(2)?,
        ingest_token: row.get(3)?,
        platform: row.get(4)?,
        created_at: row.get(5)?,
        first_event_at: row.get(6)?,
        late_events: row.get(7)?,
        intake: Intake {
            public_writes: PublicWrites::parse(row.text(8)?).ok_or_else(odd_row)?,
            people_per_address: row.get(9)?,
            people_per_hour: row.get(10)?,
            placeholders: placeholders(row.get(11)?)?,
            erased_kept_days: row.get(12)?,
            erased_kept_why: row.get(13)?,
        },
        origins: row.get::<String>(14)?.lines().map(str::to_owned).collect(),
        refused_origins: row.get(15)?,
        token_used_at: row.get(16)?,
    })
}

fn placeholders(text: Option<String>) -> Result<Option<Vec<String>>> {
    text.map(|text| serde_json::from_str(&text).map_err(|_| odd_row())).transpose()
}

pub fn insert(tx: &Tx, name: &str, platform: &str, key: &str, ingest_token: &str) -> Result<Project> {
    let project = Project {
        id: number(tx)?,
        name: name.to_owned(),
        key: key.to_owned(),
        ingest_token: ingest_token.to_owned(),
        platform: platform.to_owned(),
        created_at: tx.now(),
        first_event_at: None,
        late_events: 0,
        intake: Intake { erased_kept_days: Some(ERASED_KEPT_DAYS), ..Intake::default() },
        origins: Vec::new(),
        refused_origins: 0,
        token_used_at: None,
    };
    tx.execute(
        "INSERT INTO projects (id, name, key, ingest_token, platform, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![project.id.0, name, key, ingest_token, platform, project.created_at],
    )?;
    Ok(project)
}

/// The first is 1, as there are no others of which it could tell; a later one is drawn.
fn number(tx: &Tx) -> Result<ProjectId> {
    Ok(ProjectId(if !was_any(tx)? {
        sequences::next(tx, "project")?
    } else {
        sequences::draw(tx, "projects")?
    }))
}

pub fn by_id(db: &Db, id: ProjectId) -> Result<Option<Project>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM projects WHERE id = ?1 AND deleted_at IS NULL");
    db.row(sql, params![id.0], read)
}

/// The same, also where it was deleted.
pub fn of_any_time(db: &Db, id: ProjectId) -> Result<Option<Project>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM projects WHERE id = ?1");
    db.row(sql, params![id.0], read)
}

/// Whether there ever was one.
pub fn was_any(db: &Db) -> Result<bool> {
    Ok(db.row("SELECT 1 FROM projects LIMIT 1", params![], |_| Ok(()))?.is_some())
}

pub fn by_key(db: &Db, key: &str) -> Result<Option<Project>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM projects WHERE key = ?1 AND deleted_at IS NULL");
    db.row(sql, params![key], read)
}

/// Whichever has this name. What a deleted one is called is no other's name.
pub fn by_name(db: &Db, name: &str) -> Result<Option<Project>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM projects WHERE name = ?1");
    db.row(sql, params![name], read)
}

pub fn list(db: &Db) -> Result<Vec<Project>> {
    let sql = formatcp!("SELECT {COLUMNS} FROM projects WHERE deleted_at IS NULL ORDER BY created_at, id");
    db.rows(sql, params![], read)
}

/// Notes the time of the project's first event; later calls change nothing.
pub fn note_event(tx: &Tx, id: ProjectId, at: Millis) -> Result<()> {
    let sql = "UPDATE projects SET first_event_at = ?2 WHERE id = ?1 AND first_event_at IS NULL";
    tx.execute(sql, params![id.0, at])?;
    Ok(())
}

/// Counts an event that was dropped for coming too late.
pub fn note_late_event(tx: &Tx, id: ProjectId) -> Result<()> {
    tx.execute("UPDATE projects SET late_events = late_events + 1 WHERE id = ?1", params![id.0])?;
    Ok(())
}

/// How the project takes messages in. None: there is no such project.
pub fn intake(db: &Db, id: ProjectId) -> Result<Option<Intake>> {
    Ok(by_id(db, id)?.map(|project| project.intake))
}

/// Writes back how the project takes messages in.
pub fn set_intake(tx: &Tx, id: ProjectId, intake: &Intake) -> Result<()> {
    let placeholders = intake.placeholders.as_ref().map(serde_json::to_string).transpose();
    tx.execute(
        "UPDATE projects SET public_writes = ?2, people_per_address = ?3, people_per_hour = ?4, placeholders = ?5,
             erased_kept_days = ?6, erased_kept_why = ?7
         WHERE id = ?1",
        params![
            id.0,
            intake.public_writes.as_str(),
            intake.people_per_address,
            intake.people_per_hour,
            placeholders.map_err(Error::internal)?,
            intake.erased_kept_days,
            intake.erased_kept_why,
        ],
    )?;
    Ok(())
}

/// The secret that the project's app signs its users' names with, if it has one.
pub fn client_secret(db: &Db, id: ProjectId) -> Result<Option<String>> {
    let sql = "SELECT proficient_client_secret FROM projects WHERE id = ?1";
    Ok(db.row(sql, params![id.0], |row| row.get(0))?.flatten())
}

pub fn set_client_secret(tx: &Tx, id: ProjectId, secret: Option<&str>) -> Result<()> {
    let sql = "UPDATE projects SET proficient_client_secret = ?2 WHERE id = ?1";
    tx.execute(sql, params![id.0, secret])?;
    Ok(())
}

/// Sets the sites whose pages may send to the project, one a line.
pub fn set_origins(tx: &Tx, id: ProjectId, origins: &[String]) -> Result<()> {
    tx.execute("UPDATE projects SET origins = ?2 WHERE id = ?1", params![id.0, origins.join("\n")])?;
    Ok(())
}

/// Counts requests of pages of other sites.
pub fn note_refused_origins(tx: &Tx, id: ProjectId, count: i64) -> Result<()> {
    let sql = "UPDATE projects SET refused_origins = refused_origins + ?2 WHERE id = ?1";
    tx.execute(sql, params![id.0, count])?;
    Ok(())
}

pub fn set_name(tx: &Tx, id: ProjectId, name: &str) -> Result<()> {
    tx.execute("UPDATE projects SET name = ?2 WHERE id = ?1", params![id.0, name])?;
    Ok(())
}

/// Replaces the ingest token, which nobody has used yet.
pub fn set_ingest_token(tx: &Tx, id: ProjectId, token: &str) -> Result<()> {
    let sql = "UPDATE projects SET ingest_token = ?2, token_used_at = NULL WHERE id = ?1";
    tx.execute(sql, params![id.0, token])?;
    Ok(())
}

pub fn note_token_use(tx: &Tx, id: ProjectId, at: Millis) -> Result<()> {
    tx.execute("UPDATE projects SET token_used_at = ?2 WHERE id = ?1", params![id.0, at])?;
    Ok(())
}
