//! Projects: apps whose users are kept apart.

use crate::domain::secrets;
use crate::error::{Error, Place, Result};
use crate::model::{Project, ProjectId};
use crate::store::{Db, Tx, audit, projects};

/// The name of the project that the first start makes.
pub const FIRST: &str = "default";

/// [`Error::NameTaken`], or [`Error::Invalid`] on `name` or `platform`.
pub fn create(tx: &Tx, name: &str, platform: &str) -> Result<Project> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            Place::Body,
            "name",
            "must have 1 to 200 characters, none of them control",
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
