//! How a person is named on the command line.

use std::io::IsTerminal;

use anyhow::Context;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Place, Result};
use crate::model::{Identifier, UserId};
use crate::people::subjects::Subject;

#[derive(Debug, Clone, Copy, ValueEnum, Serialize, Deserialize)]
pub enum By {
    Identifier,
    AnonymousId,
    Id,
    Email,
}

/// Whom a name means. [`Error::Invalid`] for `argument` if it is no name of that type.
pub fn subject(argument: &'static str, name: &str, by: By) -> Result<Subject> {
    let fault = |why: &str| Error::invalid(Place::Body, argument, why);
    let identifier = || Identifier::new(name).map_err(fault);
    Ok(match by {
        By::Identifier => Subject::Identifier(identifier()?),
        By::AnonymousId => Subject::AnonymousId(identifier()?),
        By::Id => Subject::Id(UserId(
            name.parse().map_err(|_| fault("must be a user id, as the API and the pages show it"))?,
        )),
        By::Email => Subject::Email(name.to_owned()),
    })
}

/// Reads a line from standard input: a command's words stand in the shell's history and in the list of
/// processes. On a terminal it asks, and what is typed is not shown.
pub fn typed(prompt: &str) -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password(prompt)?);
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("cannot read from standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
