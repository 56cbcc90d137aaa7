//! Legal holds and restrictions, on the command line.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::named::{By, subject, typed};
use crate::app::App;
use crate::clock;
use crate::error::{Error, Place, Result};
use crate::model::{Project, State, UserId};
use crate::people::holds;
use crate::people::holds::Kept;
use crate::projects;

/// So many are read at once for a list.
const STRETCH: u32 = 1_000;

#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Within {
    /// Project key from `project list`; optional if there is only one project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
}

#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Person {
    /// Identifier of the user; - reads it from standard input
    #[arg(value_name = "U")]
    name: String,
    /// Type of the identifier
    #[arg(long, value_enum, default_value_t = By::Identifier)]
    by: By,
    #[command(flatten)]
    within: Within,
}

#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Hold {
    #[command(flatten)]
    person: Person,
    /// Why; it is erased with the user
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// When the hold ends: a date, or a time with an offset; default: when it is released
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Within {
    /// [`Error::Conflict`] where it must be said which.
    fn project(&self, app: &App) -> Result<Project> {
        match &self.project {
            Some(key) => app.read(|db| projects::by_key(db, key)),
            None => app.read(projects::only),
        }
    }

    /// Those who are held or restricted, one per line.
    pub fn list(&self, app: &App) -> Result<Vec<String>> {
        let project = self.project(app)?.id;
        let (mut lines, mut after) = (Vec::new(), UserId(i64::MIN));
        loop {
            let found = app.read(|db| holds::list(db, project, after, STRETCH))?;
            lines.extend(found.iter().map(line));
            match found.last().filter(|_| found.len() == STRETCH as usize) {
                Some(last) => after = last.user.id,
                None => return Ok(lines),
            }
        }
    }
}

impl Person {
    /// With the name from standard input, if it is to be read from there.
    pub fn with_name(mut self) -> anyhow::Result<Person> {
        if self.name == "-" {
            self.name = typed("Name: ")?;
        }
        Ok(self)
    }

    pub fn release(&self, app: &App) -> Result<Vec<String>> {
        let (project, whom) = (self.within.project(app)?.id, subject("U", &self.name, self.by)?);
        app.write_blocking(move |tx| {
            let id = holds::named(tx, project, &whom)?;
            holds::release(tx, Some(project), id)
        })?;
        Ok(Vec::new())
    }

    pub fn restrict(&self, app: &App) -> Result<Vec<String>> {
        let (project, whom) = (self.within.project(app)?.id, subject("U", &self.name, self.by)?);
        let kept = app.write_blocking(move |tx| {
            let id = holds::named(tx, project, &whom)?;
            holds::restrict(tx, Some(project), id)
        })?;
        Ok(vec![line(&kept)])
    }

    pub fn unrestrict(&self, app: &App) -> Result<Vec<String>> {
        let (project, whom) = (self.within.project(app)?.id, subject("U", &self.name, self.by)?);
        app.write_blocking(move |tx| {
            let id = holds::named(tx, project, &whom)?;
            holds::unrestrict(tx, Some(project), id)
        })?;
        Ok(Vec::new())
    }
}

impl Hold {
    /// With the name from standard input, if it is to be read from there.
    pub fn with_name(self) -> anyhow::Result<Hold> {
        Ok(Hold { person: self.person.with_name()?, ..self })
    }

    /// The line to print.
    pub fn perform(&self, app: &App) -> Result<Vec<String>> {
        let Person { name, by, within } = &self.person;
        let (project, whom) = (within.project(app)?.id, subject("U", name, *by)?);
        let form = "must be a date, as 2027-01-31, or a time with an offset";
        let until = self.until.as_deref().map(|text| {
            clock::parse_time_or_date(text).ok_or_else(|| Error::invalid(Place::Body, "--until", form))
        });
        let (until, reason) = (until.transpose()?, self.reason.clone());
        let held = app.write_blocking(move |tx| {
            let id = holds::named(tx, project, &whom)?;
            holds::hold(tx, Some(project), id, until, reason.as_deref())
        });
        Ok(vec![line(&held.map_err(by_flags)?)])
    }
}

fn line(kept: &Kept) -> String {
    let user = &kept.user;
    let name = user.identifier.as_ref().or(user.freed_identifier.as_ref());
    let held = kept.hold.as_ref().map_or_else(
        || "not held".to_owned(),
        |hold| match hold.until {
            Some(until) => format!("held until {}", clock::rfc3339(until)),
            None => "held".to_owned(),
        },
    );
    let reason = kept.hold.as_ref().and_then(|hold| hold.reason.as_deref());
    [
        user.id.to_string(),
        plain(name.map_or("-", String::as_str)),
        match user.state {
            State::Live => "live",
            State::Detached => "detached",
            State::Waiting => "waiting",
            State::Hidden | State::Erasing | State::Merged => "trash",
        }
        .to_owned(),
        held,
        if user.restricted_at.is_some() { "restricted" } else { "not restricted" }.to_owned(),
        plain(reason.unwrap_or_default()),
    ]
    .join("\t")
}

/// Without control characters, which a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Faults under the names of the flags.
fn by_flags(error: Error) -> Error {
    let Error::Invalid(mut faults) = error else { return error };
    for fault in &mut faults {
        if fault.field == "reason" || fault.field == "until" {
            fault.field = format!("--{}", fault.field);
        }
    }
    Error::Invalid(faults)
}
