//! Projects: apps whose users are kept apart.

use crate::clock::{DAY, Millis};
use crate::domain::{late, origins, secrets};
use crate::error::{Error, Place, Result};
use crate::model::{Identifier, Intake, Project, ProjectId};
use crate::store::{Db, Tx, audit, projects, tombstones};

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

/// The longest list of names that stand for nobody.
const PLACEHOLDERS_MAX: usize = 1_000;

/// How a project takes messages in, from now on. [`Error::Invalid`] by field.
pub fn set_intake(tx: &Tx, id: ProjectId, intake: &Intake) -> Result<()> {
    let fault = |field: &str, why: &str| Err(Error::invalid(Place::Body, field, why));
    if let Some(names) = &intake.placeholders
        && (names.len() > PLACEHOLDERS_MAX || names.iter().any(|name| Identifier::check(name).is_err()))
    {
        return fault("placeholders", "must be at most 1000 names, each of 1 to 256 characters");
    }
    // A message of unknown age is told by these digests for 30 days.
    if intake.erased_kept_days.is_some_and(|days| Millis::from(days) * DAY < late::UNDATED) {
        return fault("erasedKeptDays", "must be 30 days at least");
    }
    let why = intake.erased_kept_why.as_deref().unwrap_or_default().trim();
    if intake.erased_kept_days.is_none() && why.is_empty() {
        return fault("erasedKeptWhy", "is required where they are kept for good");
    }
    if why.chars().count() > 1_000 {
        return fault("erasedKeptWhy", "must have at most 1000 characters");
    }
    projects::by_id(tx, id)?.ok_or(Error::ProjectNotFound)?;
    projects::set_intake(tx, id, intake)?;
    let entry = audit::Entry { action: "change project", project: Some(id), ..audit::Entry::default() };
    audit::note(tx, &entry)
}

/// Forgets some digests of identifiers whose time is over. False: there are none.
pub fn forget_erased(tx: &Tx) -> Result<bool> {
    let mut forgotten = 0;
    for project in projects::list(tx)? {
        if let Some(days) = project.intake.erased_kept_days {
            let before = tx.now() - Millis::from(days) * DAY;
            forgotten += tombstones::prune(tx, project.id, before, 500)?;
        }
    }
    Ok(forgotten > 0)
}

/// The shortest and the longest client secret, in characters.
const CLIENT_SECRET: std::ops::RangeInclusive<usize> = 16..=256;

/// What the project's app signs its users' names with for Proficient's client API. None: it
/// signs none, and what a user has said is told to nobody but keys that may read.
/// [`Error::Invalid`] on `clientSecret`, [`Error::ProjectNotFound`].
pub fn set_client_secret(tx: &Tx, id: ProjectId, secret: Option<&str>) -> Result<()> {
    projects::by_id(tx, id)?.ok_or(Error::ProjectNotFound)?;
    if let Some(secret) = secret
        && (!CLIENT_SECRET.contains(&secret.chars().count()) || secret.chars().any(char::is_control))
    {
        let message = "must have 16 to 256 characters, none of them control";
        return Err(Error::invalid(Place::Body, "clientSecret", message));
    }
    projects::set_client_secret(tx, id, secret)?;
    let action = if secret.is_some() { "set client secret" } else { "remove client secret" };
    audit::note(tx, &audit::Entry { action, project: Some(id), ..audit::Entry::default() })
}

/// The secret that the project's app signs its users' names with, if it has one.
pub fn client_secret(db: &Db, id: ProjectId) -> Result<Option<String>> {
    projects::client_secret(db, id)
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
