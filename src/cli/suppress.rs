//! Who is kept out, on the command line.

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::named::{By, subject, typed};
use crate::app::App;
use crate::clock;
use crate::error::{Error, Place, Result};
use crate::model::{Handle, Project};
use crate::people::suppressions;
use crate::people::suppressions::{Policy, Suppression};
use crate::projects;

/// So many are read at once for a list.
const STRETCH: u32 = 1_000;

/// What is to be done with whom.
#[derive(Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suppress {
    /// Suppress a user and print the suppression; stored data is not deleted
    Add {
        #[command(flatten)]
        person: Person,
        /// Number of days, 1 to 36500; default: forever
        #[arg(long, allow_hyphen_values = true)]
        days: Option<i64>,
        /// Reason; without personal data, because it is kept after an erasure
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List suppressions, one per line: id, since, until, dropped messages, reason; no names
    List {
        #[command(flatten)]
        within: Within,
    },
    /// Show whether a user is suppressed
    Check {
        #[command(flatten)]
        person: Person,
    },
    /// End a suppression, by identifier or by the id from `suppress list`; erased data does not come back
    Remove {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Within {
    /// Project key from `project list`; optional if there is only one project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
}

#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Person {
    /// Identifier of the user; - reads it from standard input
    name: String,
    /// Type of the identifier
    #[arg(long, value_enum, default_value_t = By::Identifier)]
    by: By,
    #[command(flatten)]
    within: Within,
}

#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Which {
    /// Identifier of the user; - reads it from standard input
    #[arg(required_unless_present = "id", conflicts_with = "id")]
    name: Option<String>,
    /// Type of the identifier
    #[arg(long, value_enum, default_value_t = By::Identifier)]
    by: By,
    /// Id of a suppression, from `suppress list`
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    within: Within,
}

impl Suppress {
    /// With the name from standard input, if it is to be read from there: a command's words stand
    /// in the shell's history and in the list of processes.
    pub fn with_name(mut self) -> anyhow::Result<Suppress> {
        let name = match &mut self {
            Suppress::Add { person, .. } | Suppress::Check { person } => Some(&mut person.name),
            Suppress::Remove { which } => which.name.as_mut(),
            Suppress::List { .. } => None,
        };
        if let Some(name) = name.filter(|name| *name == "-") {
            *name = typed("Name: ")?;
        }
        Ok(self)
    }

    /// The lines to print.
    pub fn perform(&self, app: &App) -> Result<Vec<String>> {
        match self {
            Suppress::Add { person, days, reason } => add(app, person, *days, reason.as_deref()),
            Suppress::List { within } => list(app, within),
            Suppress::Check { person } => check(app, person),
            Suppress::Remove { which } => remove(app, which),
        }
    }
}

fn add(app: &App, person: &Person, days: Option<i64>, reason: Option<&str>) -> Result<Vec<String>> {
    let (project, subject) = (person.within.project(app)?.id, subject("NAME", &person.name, person.by)?);
    let policy = match days {
        None => Policy::Forever,
        Some(days) => suppressions::days(Place::Body, "--days", days)?,
    };
    let reason = reason.map(str::to_owned);
    let made =
        app.write_blocking(move |tx| suppressions::request(tx, project, &subject, policy, reason.as_deref()));
    Ok(vec![line(&made.map_err(by_flags)?.0)])
}

fn list(app: &App, within: &Within) -> Result<Vec<String>> {
    let (project, now) = (within.project(app)?.id, app.clock().now());
    let (mut lines, mut after) = (Vec::new(), None);
    loop {
        let (found, next) = app.read(|db| suppressions::page(db, project, after, STRETCH, now))?;
        lines.extend(found.iter().map(line));
        if next.is_none() {
            return Ok(lines);
        }
        after = next;
    }
}

fn check(app: &App, person: &Person) -> Result<Vec<String>> {
    Ok(vec![match status(app, &person.within, &person.name, person.by)? {
        None => "not suppressed".to_owned(),
        Some(None) => "suppressed".to_owned(),
        Some(Some(suppression)) => format!("suppressed\t{}", line(&suppression)),
    }])
}

fn remove(app: &App, which: &Which) -> Result<Vec<String>> {
    let handle = match (&which.id, &which.name) {
        (Some(id), _) => {
            let bytes = data_encoding::HEXLOWER.decode(id.as_bytes()).ok();
            bytes.and_then(|bytes| Handle::try_from(bytes).ok())
        }
        (None, Some(name)) => {
            status(app, &which.within, name, which.by)?.flatten().map(|suppression| suppression.handle)
        }
        (None, None) => None,
    };
    let handle = handle.ok_or(Error::NotFound("suppression"))?;
    let project = which.within.project(app)?.id;
    app.write_blocking(move |tx| suppressions::end(tx, project, handle))?;
    let Some(name) = &which.name else { return Ok(Vec::new()) };
    // Each suppression stands for itself.
    Ok(match status(app, &which.within, name, which.by)? {
        None => Vec::new(),
        Some(other) => vec![format!("still suppressed\t{}", other.as_ref().map(line).unwrap_or_default())],
    })
}

fn status(app: &App, within: &Within, name: &str, by: By) -> Result<Option<Option<Suppression>>> {
    let (project, subject) = (within.project(app)?.id, subject("NAME", name, by)?);
    let found = app.write_blocking(move |tx| suppressions::status(tx, project, &subject));
    found.map_err(by_flags)
}

impl Within {
    /// [`Error::Invalid`] where it must be said which.
    fn project(&self, app: &App) -> Result<Project> {
        match &self.project {
            Some(key) => app.read(|db| projects::by_key(db, key)),
            None => app.read(projects::only),
        }
    }
}

fn line(suppression: &Suppression) -> String {
    format!(
        "{}\tsince {}\t{}\t{} dropped\t{}",
        data_encoding::HEXLOWER.encode(&suppression.handle),
        clock::rfc3339(suppression.created_at),
        suppression.until.map_or_else(|| "forever".to_owned(), |at| format!("until {}", clock::rfc3339(at))),
        suppression.hits,
        suppression.reason.as_deref().unwrap_or_default(),
    )
}

/// Faults under the names of the flags.
fn by_flags(error: Error) -> Error {
    let Error::Invalid(mut faults) = error else { return error };
    for fault in &mut faults {
        match fault.field.as_str() {
            "reason" => fault.field = "--reason".to_owned(),
            "subject.anonymousId" => fault.field = "NAME".to_owned(),
            _ => {}
        }
    }
    Error::Invalid(faults)
}
