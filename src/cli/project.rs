//! A project's settings on the command line.

use std::io::IsTerminal;

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::access::rotation;
use crate::app::App;
use crate::clock;
use crate::erasure::project_deletion;
use crate::erasure::project_deletion::Counts;
use crate::error::{Error, FieldError, Place, Result};
use crate::model::{Credential, Origin, Project, PublicWrites};
use crate::people::placeholders;
use crate::projects;
use crate::projects::origins;
use crate::projects::{Change, Kept};

/// In the place of a number or a list.
const USUAL: &str = "usual";
const FOREVER: &str = "forever";

/// What is left out stays as it is.
#[derive(Debug, Default, Args, Serialize, Deserialize)]
pub struct Settings {
    /// Sites that may send data, separated by commas, such as https://app.example.com; "" for all sites
    #[arg(long, value_name = "ORIGINS")]
    origins: Option<String>,
    /// Data public credentials may write: open, own-visitors or events-only
    #[arg(long, value_name = "WHAT")]
    public_writes: Option<String>,
    /// New users per hour from one address with public credentials, or "usual" for the default
    #[arg(long, value_name = "N")]
    people_per_address: Option<String>,
    /// New users per hour with public credentials in the whole project, or "usual" for the default
    #[arg(long, value_name = "N")]
    people_per_hour: Option<String>,
    /// Placeholder identifiers, separated by commas; "usual" for the default list, "" for none
    #[arg(long, value_name = "NAMES")]
    placeholders: Option<String>,
    /// Days to keep hashes of erased identifiers, which block late data, or "forever"; they are kept at
    /// least as long as a backup from before the erasure
    #[arg(long, value_name = "DAYS")]
    erased_days: Option<String>,
    /// Reason to keep them forever
    #[arg(long, value_name = "TEXT")]
    erased_why: Option<String>,
    /// Secret your app signs its users' identifiers with; - reads it from standard input, "" removes it
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
    client_secret: Option<String>,
}

impl Settings {
    /// With the secret from standard input, if it is to be read from there.
    pub fn with_secret(mut self) -> anyhow::Result<Settings> {
        if self.client_secret.as_deref() == Some("-") {
            self.client_secret = Some(secret()?);
        }
        Ok(self)
    }

    fn change(&self) -> Result<Change> {
        let mut faults = Vec::new();
        let change = Change {
            name: None,
            origins: self.origins.as_deref().map(origins::split),
            public_writes: self.public_writes.clone(),
            people_per_address: number(&mut faults, "peoplePerAddress", self.people_per_address.as_deref()),
            people_per_hour: number(&mut faults, "peoplePerHour", self.people_per_hour.as_deref()),
            placeholders: self.placeholders.as_deref().map(names),
            erased_kept: match self.erased_days.as_deref() {
                None => None,
                Some(FOREVER) => Some(Kept::Forever),
                Some(text) => parsed(&mut faults, "erasedKeptDays", text, FOREVER).map(Kept::Days),
            },
            erased_kept_why: self.erased_why.clone().map(Some),
            client_secret: self.client_secret.clone().map(|secret| Some(secret).filter(|s| !s.is_empty())),
        };
        if faults.is_empty() { Ok(change) } else { Err(Error::Invalid(faults)) }
    }
}

fn secret() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password("Client secret: ")?);
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("cannot read the client secret")?;
    let line = line.trim_end_matches(['\r', '\n']);
    // An empty one would remove what is there.
    anyhow::ensure!(!line.is_empty(), "no client secret on standard input");
    Ok(line.to_owned())
}

/// A number; None inside for the usual one.
fn number(faults: &mut Vec<FieldError>, field: &str, text: Option<&str>) -> Option<Option<i64>> {
    match text? {
        USUAL => Some(None),
        text => parsed(faults, field, text, USUAL).map(Some),
    }
}

fn parsed(faults: &mut Vec<FieldError>, field: &str, text: &str, word: &str) -> Option<i64> {
    let number = text.parse().ok();
    if number.is_none() {
        faults.push(FieldError::new(Place::Body, field, format!("must be a number or {word}")));
    }
    number
}

fn names(text: &str) -> Option<Vec<String>> {
    match text {
        USUAL => None,
        "" => Some(Vec::new()),
        text => Some(text.split(',').map(str::to_owned).collect()),
    }
}

/// Changes what is given; the settings as they are then, and what follows where it is not plain.
pub fn set(app: &App, key: &str, settings: &Settings) -> Result<Vec<String>> {
    let change = settings.change().map_err(by_flags)?;
    let old = app.read(|db| projects::by_key(db, key))?;
    let changed = app.write_blocking(move |tx| projects::change(tx, old.id, &change));
    let new = changed.map_err(by_flags)?;
    app.reload_keys()?;
    let mut lines = show(app, key)?;
    lines.extend(follows(&old, &new).into_iter().map(|what| format!("note\t{what}")));
    Ok(lines)
}

/// Another name. Nothing is printed.
pub fn rename(app: &App, key: &str, name: &str) -> Result<Vec<String>> {
    let id = app.read(|db| projects::by_key(db, key))?.id;
    let name = name.to_owned();
    app.write_blocking(move |tx| projects::rename(tx, id, &name))?;
    Ok(Vec::new())
}

/// Deletes a project whose name is given; says what there is of it otherwise.
pub fn delete(app: &App, key: &str, confirm: Option<&str>) -> anyhow::Result<Vec<String>> {
    let (project, counts) = app.read(|db| {
        let project = projects::by_key(db, key)?;
        let counts = project_deletion::preview(db, project.id)?;
        Ok((project, counts))
    })?;
    let Counts { live, trash, detached, scheduled, keys, suppressions } = counts;
    anyhow::ensure!(
        confirm == Some(project.name.as_str()),
        "project {key} is called \"{}\". It has {live} users, {trash} in trash, {detached} with account deleted and \
         activity kept, {scheduled} scheduled deletions, {keys} keys, {suppressions} suppressed users. Nothing was \
         deleted. To erase all of them permanently, give its name with --confirm",
        project.name
    );
    app.write_blocking(move |tx| project_deletion::begin(tx, project.id, Origin::Request))?;
    app.reload_keys()?;
    Ok(vec![format!(
        "deleted; {} users are being erased by the running server, or at its next start",
        live + trash + detached
    )])
}

/// The settings, one a line.
pub fn show(app: &App, key: &str) -> Result<Vec<String>> {
    let now = app.clock().now();
    let (project, secret, old) = app.read(|db| {
        let project = projects::by_key(db, key)?;
        let secret = projects::client_secret(db, project.id)?;
        let old = rotation::good_old(db, Credential::Token(project.id), now)?;
        Ok((project, secret, old))
    })?;
    let intake = &project.intake;
    let or = |list: String, none: &str| if list.is_empty() { none.to_owned() } else { list };
    let kept = match (intake.erased_kept_days, &intake.erased_kept_why) {
        (Some(days), _) => days.to_string(),
        (None, why) => format!("{FOREVER}: {}", why.as_deref().unwrap_or_default()),
    };
    let mut lines = vec![
        format!("origins\t{}", or(project.origins.join(","), "(all sites)")),
        format!("public writes\t{}", intake.public_writes.word()),
        format!("people per address\t{}", intake.per_address()),
        format!("people per hour\t{}", intake.per_hour()),
        format!("placeholders\t{}", or(placeholders::in_force(intake).join(","), "(none)")),
        format!("erased days\t{kept}"),
        format!("client secret\t{}", if secret.is_some() { "set" } else { "(none)" }),
    ];
    lines.extend(old.iter().map(|old| {
        let used = old
            .last_used_at
            .map_or_else(|| "never used".to_owned(), |at| format!("used {}", clock::rfc3339(at)));
        format!("old token\t{}… valid until {}, {used}", old.hint, clock::rfc3339(old.ends_at))
    }));
    Ok(lines)
}

/// What a change leads to that its flag does not say.
fn follows(old: &Project, new: &Project) -> Vec<String> {
    let (was, is) = (&old.intake, &new.intake);
    let mut lines = Vec::new();
    if let Some(days) = is.erased_kept_days
        && was.erased_kept_days.is_none_or(|was| days < was)
    {
        lines.push(format!(
            "hashes older than {days} days are deleted within minutes: late data of those users is then accepted again"
        ));
    }
    if is.public_writes != was.public_writes {
        lines.extend(match is.public_writes {
            PublicWrites::Open => None,
            PublicWrites::OwnVisitors => {
                Some("profile data of known users from public credentials is now dropped and counted".into())
            }
            PublicWrites::EventsOnly => {
                Some("profile data from public credentials is now dropped and counted".into())
            }
        });
    }
    lines
}

/// The fields' faults under the names of the flags.
fn by_flags(error: Error) -> Error {
    const FLAGS: [(&str, &str); 7] = [
        ("publicWrites", "--public-writes"),
        ("peoplePerAddress", "--people-per-address"),
        ("peoplePerHour", "--people-per-hour"),
        ("placeholders", "--placeholders"),
        ("erasedKeptDays", "--erased-days"),
        ("erasedKeptWhy", "--erased-why"),
        ("clientSecret", "--client-secret"),
    ];
    let Error::Invalid(mut faults) = error else { return error };
    for fault in &mut faults {
        if let Some((_, flag)) = FLAGS.iter().find(|(field, _)| *field == fault.field) {
            fault.field = (*flag).to_owned();
        }
    }
    Error::Invalid(faults)
}
