//! Projects: apps whose users are kept apart.

use crate::domain::{origins, secrets};
use crate::error::{Error, Place, Result};
use crate::model::{Project, ProjectId};
use crate::store::{Db, Tx, audit, projects};

/// The name of the project that the first start makes.
pub const FIRST: &str = "default";

/// [`Error::NameTaken`], or [`Error::Invalid`] on `name` or `platform`.
pub fn create(tx: &Tx, name: &str, platform: &str) -> Result<Project> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            Place::Body,
            "name",
            "must have 1 to 100 characters, none of them control",
        ));
    }
    if !matches!(platform, "web" | "ios") {
        return Err(Error::invalid(Place::Body, "platform", "must be web or ios"));
    }
    if projects::by_name(tx, name)?.is_some() {
        return Err(Error::NameTaken("name"));
    }
    let project = projects::insert(tx, name, platform, &secrets::name()?, &secrets::token("tok_")?)?;
    let entry =
        audit::Entry { action: "create project", project: Some(project.id), ..audit::Entry::default() };
    audit::note(tx, &entry)?;
    Ok(project)
}

/// Makes the first project, if there is none yet.
pub fn ensure_first(tx: &Tx) -> Result<()> {
    if projects::list(tx)?.is_empty() {
        create(tx, FIRST, "web")?;
    }
    Ok(())
}

/// [`Error::ProjectNotFound`] if no project has this key.
pub fn by_key(db: &Db, key: &str) -> Result<Project> {
    projects::by_key(db, key)?.ok_or(Error::ProjectNotFound)
}

/// [`Error::ProjectNotFound`] if there is none.
pub fn get(db: &Db, id: ProjectId) -> Result<Project> {
    projects::by_id(db, id)?.ok_or(Error::ProjectNotFound)
}

pub fn list(db: &Db) -> Result<Vec<Project>> {
    projects::list(db)
}

/// Changes what is given of a project's settings. [`Error::Invalid`] on `origins`;
/// [`Error::ProjectNotFound`].
pub fn change(tx: &Tx, id: ProjectId, origins: Option<&[String]>) -> Result<Project> {
    match origins {
        Some(origins) => set_origins(tx, id, origins),
        None => get(tx, id),
    }
}

/// Sets the sites whose pages may send to the project; an empty list is every site.
/// [`Error::Invalid`] on `origins`.
pub fn set_origins(tx: &Tx, id: ProjectId, list: &[String]) -> Result<Project> {
    let list = origins::parse(list)?;
    let project = get(tx, id)?;
    if project.origins == list {
        return Ok(project);
    }
    projects::set_origins(tx, id, &list)?;
    let entry = audit::Entry { action: "set origins", project: Some(id), ..audit::Entry::default() };
    audit::note(tx, &entry)?;
    Ok(Project { origins: list, ..project })
}

/// Writes down how many requests of pages of other sites each project refused.
pub fn note_refused_origins(tx: &Tx, counts: &[(ProjectId, u64)]) -> Result<()> {
    counts.iter().try_for_each(|(id, count)| {
        projects::note_refused_origins(tx, *id, i64::try_from(*count).unwrap_or(i64::MAX))
    })
}
