//! Projects: apps whose users are kept apart.

pub mod label;
pub mod origins;

use crate::clock::{DAY, Millis};
use crate::error::{Error, FieldError, Place, Result};
use crate::ledger::{Act, Pseudonym};
use crate::model::{Identifier, Intake, Project, ProjectId, PublicWrites, UNDATED_LATE_PERIOD};
use crate::secrets;
use crate::store::{BackgroundTx, Db, ErasingTx, NormalTx, Tx, audit, erased_identifiers, projects};

/// The name of the project that the first start makes.
pub const FIRST: &str = "default";

/// [`Error::NameTaken`], or [`Error::Invalid`] on `name` or `platform`.
pub fn create(tx: &NormalTx, name: &str, platform: &str) -> Result<Project> {
    add(tx, name, platform)
}

fn add(tx: &Tx, name: &str, platform: &str) -> Result<Project> {
    let name = name.trim();
    label::check(name, 200)?;
    if !matches!(platform, "web" | "ios") {
        return Err(Error::invalid(Place::Body, "platform", "must be web or ios"));
    }
    if projects::by_name(tx, name)?.is_some() {
        return Err(Error::NameTaken { what: "a project", name: name.to_owned() });
    }
    let project = projects::insert(tx, name, platform, &secrets::name()?, &secrets::token("tok_")?)?;
    let entry =
        audit::Entry { action: "create project", project: Some(project.id), ..audit::Entry::default() };
    audit::append(tx, &entry)?;
    Ok(project)
}

/// Makes the first project, if there never was one: somebody may have deleted the last. With the
/// priority of erasing, as a start goes on though the disk is full.
pub fn ensure_first(tx: &ErasingTx) -> Result<()> {
    if !projects::was_any(tx)? {
        add(tx, FIRST, "web")?;
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

/// The same, also where it was deleted: what is left of it names it.
pub fn of_any_time(db: &Db, id: ProjectId) -> Result<Project> {
    projects::of_any_time(db, id)?.ok_or(Error::ProjectNotFound)
}

/// Gives a project another name. [`Error::NameTaken`], [`Error::Invalid`] on `name`,
/// [`Error::ProjectNotFound`].
pub fn rename(tx: &NormalTx, id: ProjectId, name: &str) -> Result<Project> {
    let project = get(tx, id)?;
    let name = name.trim();
    label::check(name, 200)?;
    if name == project.name {
        return Ok(project);
    }
    if projects::by_name(tx, name)?.is_some() {
        return Err(Error::NameTaken { what: "a project", name: name.to_owned() });
    }
    projects::set_name(tx, id, name)?;
    let entry = audit::Entry { action: "rename project", project: Some(id), ..audit::Entry::default() };
    audit::append(tx, &entry)?;
    get(tx, id)
}

pub fn list(db: &Db) -> Result<Vec<Project>> {
    projects::list(db)
}

/// The project that is meant where none is named. [`Error::Conflict`] if there are several.
pub fn only(db: &Db) -> Result<Project> {
    let mut all = projects::list(db)?;
    match (all.pop(), all.is_empty()) {
        (Some(project), true) => Ok(project),
        (Some(_), false) => Err(Error::Conflict("there are several projects: choose one with --project KEY")),
        (None, _) => Err(Error::ProjectNotFound),
    }
}

/// The longest list of names that stand for nobody.
const PLACEHOLDERS_MAX: usize = 1_000;

/// The most people that a quota may have.
const QUOTA_MAX: u32 = 1_000_000_000;
/// The longest time for which digests of erased identifiers are kept by days: 100 years.
const ERASED_KEPT_MAX: u32 = 36_500;

/// How a project takes messages in, from now on. [`Error::Invalid`] by field.
pub fn set_intake(tx: &Tx, id: ProjectId, intake: &Intake) -> Result<()> {
    let faults = intake_faults(intake);
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    projects::by_id(tx, id)?.ok_or(Error::ProjectNotFound)?;
    projects::set_intake(tx, id, intake)?;
    let entry = audit::Entry { action: "change project", project: Some(id), ..audit::Entry::default() };
    audit::append(tx, &entry)
}

fn intake_faults(intake: &Intake) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, why: &str| faults.push(FieldError::new(Place::Body, field, why));
    let quotas = [("peoplePerAddress", intake.people_per_address), ("peoplePerHour", intake.people_per_hour)];
    for (field, quota) in quotas {
        if quota.is_some_and(|quota| !(1..=QUOTA_MAX).contains(&quota)) {
            fault(field, "must be from 1 to 1000000000");
        }
    }
    if let Some(names) = &intake.placeholders
        && (names.len() > PLACEHOLDERS_MAX || names.iter().any(|name| Identifier::check(name).is_err()))
    {
        fault("placeholders", "must be at most 1000 names, each of 1 to 256 characters");
    }
    // A message of unknown age is told by these digests for 30 days.
    if intake
        .erased_kept_days
        .is_some_and(|days| Millis::from(days) * DAY < UNDATED_LATE_PERIOD || days > ERASED_KEPT_MAX)
    {
        fault("erasedKeptDays", "must be from 30 to 36500 days, or forever");
    }
    let why = intake.erased_kept_why.as_deref().unwrap_or_default().trim();
    if intake.erased_kept_days.is_none() && why.is_empty() {
        fault("erasedKeptWhy", "is required to keep them forever");
    }
    if why.chars().count() > 1_000 || why.chars().any(char::is_control) {
        fault("erasedKeptWhy", "must have at most 1000 characters and no control characters");
    }
    faults
}

/// Forgets some digests of identifiers whose time is over, of people who were erased before `since`
/// alone: backups reach back to then, and hold the others. False: there are none, or the clock is not
/// trusted.
pub fn forget_erased(tx: &BackgroundTx, since: Millis) -> Result<bool> {
    if !tx.trusts_clock() {
        return Ok(false);
    }
    let mut forgotten = 0;
    for project in projects::list(tx)? {
        if let Some(before) = forgettable(&project, since, tx.now()) {
            forgotten += erased_identifiers::prune(tx, project.id, before, 500)?;
        }
    }
    Ok(forgotten > 0)
}

/// Whether there are digests to be forgotten.
pub fn has_erased_to_forget(db: &Db, since: Millis, now: Millis) -> Result<bool> {
    for project in projects::list(db)? {
        if let Some(before) = forgettable(&project, since, now)
            && erased_identifiers::any(db, project.id, before)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Who was erased up to then is forgotten. None: nobody is.
fn forgettable(project: &Project, since: Millis, now: Millis) -> Option<Millis> {
    let days = project.intake.erased_kept_days?;
    Some((now - Millis::from(days) * DAY).min(since.saturating_sub(1)))
}

/// The shortest and the longest client secret, in characters.
const CLIENT_SECRET: std::ops::RangeInclusive<usize> = 16..=256;

/// What the project's app signs its users' names with for Proficient's client API. None: it
/// signs none, and what a user has said is told to nobody but keys that may read.
/// [`Error::Invalid`] on `clientSecret`, [`Error::ProjectNotFound`].
pub fn set_client_secret(tx: &Tx, id: ProjectId, secret: Option<&str>) -> Result<()> {
    projects::by_id(tx, id)?.ok_or(Error::ProjectNotFound)?;
    if let Some(fault) = secret.and_then(secret_fault) {
        return Err(Error::Invalid(vec![fault]));
    }
    if let Some(old) = projects::client_secret(tx, id)?.filter(|old| Some(old.as_str()) != secret) {
        tx.append_to_ledger(Act::CredentialEnded { credential: of_client_secret(tx, id, &old) });
    }
    projects::set_client_secret(tx, id, secret)?;
    let action = if secret.is_some() { "set client secret" } else { "remove client secret" };
    audit::append(tx, &audit::Entry { action, project: Some(id), ..audit::Entry::default() })
}

/// What stands for a project's client secret in the ledger.
fn of_client_secret(tx: &Tx, id: ProjectId, secret: &str) -> Pseudonym {
    tx.names().credential("client secret", id, secret)
}

/// Removes the client secrets that have ended, as the ledger orders it: no signature by one
/// of them is good any more. Which one came after it, the ledger does not say. How many.
pub fn end_client_secrets(tx: &Tx, has_ended: impl Fn(Pseudonym) -> bool) -> Result<u64> {
    let mut ended = 0;
    for project in projects::list(tx)? {
        if let Some(secret) = projects::client_secret(tx, project.id)?
            && has_ended(of_client_secret(tx, project.id, &secret))
        {
            projects::set_client_secret(tx, project.id, None)?;
            ended += 1;
        }
    }
    Ok(ended)
}

fn secret_fault(secret: &str) -> Option<FieldError> {
    let fits = CLIENT_SECRET.contains(&secret.chars().count()) && !secret.chars().any(char::is_control);
    let message = "must have 16 to 256 characters and no control characters";
    (!fits).then(|| FieldError::new(Place::Body, "clientSecret", message))
}

/// The secret that the project's app signs its users' names with, if it has one.
pub fn client_secret(db: &Db, id: ProjectId) -> Result<Option<String>> {
    projects::client_secret(db, id)
}

/// What is to change of a project's settings. None leaves a setting as it is.
#[derive(Clone, Default)]
pub struct Change {
    pub name: Option<String>,
    /// Sites whose pages may send to it; an empty list is every site.
    pub origins: Option<Vec<String>>,
    /// A [`PublicWrites::word`].
    pub public_writes: Option<String>,
    /// None inside is the usual number, here and below.
    pub people_per_address: Option<Option<i64>>,
    pub people_per_hour: Option<Option<i64>>,
    pub placeholders: Option<Option<Vec<String>>>,
    pub erased_kept: Option<Kept>,
    pub erased_kept_why: Option<Option<String>>,
    /// None inside removes it.
    pub client_secret: Option<Option<String>>,
}

/// How long digests of erased identifiers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Days(i64),
    Forever,
}

/// Changes what is given of a project's settings. [`Error::Invalid`] names every fault, and
/// nothing is changed then; [`Error::NameTaken`]; [`Error::ProjectNotFound`].
pub fn change(tx: &NormalTx, id: ProjectId, change: &Change) -> Result<Project> {
    let old = get(tx, id)?;
    let mut faults = Vec::new();
    if let Some(Err(error)) = change.name.as_deref().map(|name| label::check(name.trim(), 200)) {
        let Error::Invalid(of_name) = error else { return Err(error) };
        faults.extend(of_name);
    }
    if let Some(Err(error)) = change.origins.as_deref().map(origins::parse) {
        let Error::Invalid(of_origins) = error else { return Err(error) };
        faults.extend(of_origins);
    }
    let intake = changed(&old.intake, change, &mut faults);
    faults.extend(intake_faults(&intake));
    let secret = change.client_secret.as_ref().map(Option::as_deref);
    faults.extend(secret.flatten().and_then(secret_fault));
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    if let Some(name) = &change.name {
        rename(tx, id, name)?;
    }
    if let Some(list) = &change.origins {
        set_origins(tx, id, list)?;
    }
    if intake != old.intake {
        set_intake(tx, id, &intake)?;
    }
    if let Some(secret) = secret
        && client_secret(tx, id)?.as_deref() != secret
    {
        set_client_secret(tx, id, secret)?;
    }
    get(tx, id)
}

/// The intake after a change. Numbers that no setting has become ones that the checks refuse.
fn changed(old: &Intake, change: &Change, faults: &mut Vec<FieldError>) -> Intake {
    let mut new = old.clone();
    let number = |number: i64| u32::try_from(number.max(0)).unwrap_or(u32::MAX);
    if let Some(word) = &change.public_writes {
        match PublicWrites::from_word(word) {
            Some(writes) => new.public_writes = writes,
            None => {
                let why = "must be open, own-visitors or events-only";
                faults.push(FieldError::new(Place::Body, "publicWrites", why));
            }
        }
    }
    if let Some(quota) = change.people_per_address {
        new.people_per_address = quota.map(number);
    }
    if let Some(quota) = change.people_per_hour {
        new.people_per_hour = quota.map(number);
    }
    if let Some(names) = &change.placeholders {
        let trimmed = |names: &Vec<String>| names.iter().map(|name| name.trim().to_owned()).collect();
        new.placeholders = names.as_ref().map(trimmed);
    }
    if let Some(why) = &change.erased_kept_why {
        new.erased_kept_why = why.as_deref().map(|why| why.trim().to_owned()).filter(|why| !why.is_empty());
    }
    match change.erased_kept {
        Some(Kept::Days(days)) => new.erased_kept_days = Some(number(days)),
        Some(Kept::Forever) => new.erased_kept_days = None,
        None => {}
    }
    if new.erased_kept_days.is_some() {
        // A reason is one for keeping them for good.
        if change.erased_kept_why.is_some() && new.erased_kept_why.is_some() {
            faults.push(FieldError::new(Place::Body, "erasedKeptWhy", "is allowed only with forever"));
        }
        new.erased_kept_why = None;
    }
    new
}

/// Sets the sites whose pages may send to the project; an empty list is every site.
/// [`Error::Invalid`] on `origins`.
pub fn set_origins(tx: &NormalTx, id: ProjectId, list: &[String]) -> Result<Project> {
    let list = origins::parse(list)?;
    let project = get(tx, id)?;
    if project.origins == list {
        return Ok(project);
    }
    projects::set_origins(tx, id, &list)?;
    let entry = audit::Entry { action: "set origins", project: Some(id), ..audit::Entry::default() };
    audit::append(tx, &entry)?;
    Ok(Project { origins: list, ..project })
}

/// Writes down how many requests of pages of other sites each project refused.
pub fn note_refused_origins(tx: &BackgroundTx, counts: &[(ProjectId, u64)]) -> Result<()> {
    counts.iter().try_for_each(|(id, count)| {
        projects::note_refused_origins(tx, *id, i64::try_from(*count).unwrap_or(i64::MAX))
    })
}
