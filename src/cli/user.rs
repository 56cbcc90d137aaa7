//! Users, on the command line.

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

use super::hold::{Person as Named, Within};
use super::named::typed;
use crate::app::App;
use crate::error::{Error, Place, Result};
use crate::model::{State, User as Person};
use crate::people::search;
use crate::people::search::{Among, Asked, Depth, Filter, Found, Match, cursor, shown};
use crate::projects;

#[derive(Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum User {
    /// Find users by any part of their identifiers, e-mails and names, one per line
    Find(Find),
    /// List users who are under a legal hold or whose processing is restricted, one per line
    Held(Within),
    /// Restrict the processing of a user's data (GDPR Art. 18): it is kept, and in no list
    Restrict(Named),
    /// Lift the restriction
    Unrestrict(Named),
}

#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Find {
    /// Text to find, in any letter case and without accents; - reads it from standard input
    #[arg(value_name = "Q")]
    text: String,
    /// Project key from `project list`; optional if there is only one project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    /// State of the users
    #[arg(long, value_enum, default_value_t = States::All)]
    state: States,
    /// Number of users at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
    /// The `nextCursor` of the previous page
    #[arg(long)]
    cursor: Option<String>,
    /// Print one JSON object, like the response of POST /api/users/search
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize, Deserialize)]
pub enum States {
    Live,
    Trash,
    All,
}

impl User {
    /// With the text from standard input, if it is to be read from there: a command's words stand in the
    /// shell's history and in the list of processes.
    pub fn with_text(self) -> anyhow::Result<User> {
        Ok(match self {
            User::Restrict(person) => User::Restrict(person.with_name()?),
            User::Unrestrict(person) => User::Unrestrict(person.with_name()?),
            User::Find(mut find) => {
                if find.text == "-" {
                    find.text = typed("Find: ")?;
                }
                User::Find(find)
            }
            listed @ User::Held(_) => listed,
        })
    }

    /// The lines to print.
    pub fn perform(&self, app: &App) -> Result<Vec<String>> {
        match self {
            User::Find(find) => find.perform(app),
            User::Held(within) => within.list(app),
            User::Restrict(person) => person.restrict(app),
            User::Unrestrict(person) => person.unrestrict(app),
        }
    }
}

impl Find {
    fn perform(&self, app: &App) -> Result<Vec<String>> {
        let fault = |field: &str, why: &str| Error::invalid(Place::Body, field, why);
        let project = match &self.project {
            Some(key) => app.read(|db| projects::by_key(db, key))?,
            None => app.read(projects::only)?,
        };
        search::check(&self.text).map_err(|why| fault("Q", &why))?;
        let state = match self.state {
            States::Live => Among::Live,
            States::Trash => Among::Trash,
            States::All => Among::Both,
        };
        let mut asked = Asked {
            projects: vec![project.id],
            ids: search::ids(&self.text),
            text: self.text.clone(),
            filter: Filter { state, ..Filter::default() },
            after: None,
            limit: usize::from(self.limit),
            depth: Depth::Parts,
            finds_restricted: true,
        };
        if let Some(text) = &self.cursor {
            let spot = cursor::read(app.store(), &asked, text);
            asked.after = Some(spot.ok_or_else(|| fault("--cursor", "is no cursor of this search"))?);
        }
        // Without a server nobody has read the names yet.
        app.build_find()?;
        let (names, now) = (Arc::clone(app.find()), app.clock().now());
        let found = app.store().scan(|db| search::search(db, &names, &asked, now))?;
        let next = found.next.map(|spot| cursor::write(app.store(), &asked, spot));
        match self.json {
            true => Ok(vec![shown::found(&found, next).to_string()]),
            false => Ok(lines(&found, next)),
        }
    }
}

/// One user per line; other lines begin with a word and a colon.
fn lines(found: &Found, next: Option<String>) -> Vec<String> {
    let mut lines: Vec<String> = found.users.iter().map(line).collect();
    if found.users.is_empty() {
        lines.push("none: no user matches".to_owned());
    }
    lines.extend(found.suggestions.iter().map(|one| format!("did you mean: {}", plain(&one.value))));
    if found.is_truncated {
        lines.push("truncated: too many matches, not all were checked; type more of the name".to_owned());
    }
    lines.extend(found.note.map(|note| format!("note: {note}")));
    lines.extend(next.map(|next| format!("next: --cursor {next}")));
    lines
}

fn line(found: &Match) -> String {
    let user: &Person = &found.user;
    let text = |text: Option<&str>| plain(text.unwrap_or("-"));
    let matched = found.by.iter().map(|(named, how)| format!("{} {}", shown::field(*named), how.as_str()));
    [
        user.id.to_string(),
        text(user.identifier.as_deref()),
        text(user.profile.email.as_deref()),
        text(user.name().as_deref()),
        if user.state == State::Live { "live" } else { "trash" }.to_owned(),
        matched.collect::<Vec<String>>().join(", "),
    ]
    .join("\t")
}

/// Without control characters, which a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
