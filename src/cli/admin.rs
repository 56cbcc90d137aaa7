//! Admins on the command line.

use std::io::IsTerminal;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::access::admin_rights::LastOwner;
use crate::access::{admin_rights, admins, second_factor};
use crate::admin::password_path;
use crate::app::App;
use crate::clock;
use crate::error::{Error, Place, Result};
use crate::model::{Reach, Role};
use crate::projects;
use crate::store::{Priority, TxOf};

/// What is to be done with whom.
#[derive(Debug, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admin {
    /// Create an admin; prints a link to set the password, which works once, within an hour
    Create {
        /// Name for signing in
        name: String,
        /// owner, privacy-officer, support or auditor
        #[arg(long, default_value = "owner")]
        role: String,
        /// Project key from `project list`; repeatable; default: all projects
        #[arg(long = "project", value_name = "KEY")]
        projects: Vec<String>,
        /// Read the password from standard input, or prompt for it, instead of printing a link
        #[arg(long)]
        #[serde(skip)]
        password_stdin: bool,
        #[arg(skip)]
        password: Option<String>,
    },
    /// List admins, one per line: name, role, projects, created, last sign-in
    List,
    /// Rename an admin
    Rename { name: String, new: String },
    /// Change an admin's role: owner, privacy-officer, support or auditor
    Role {
        name: String,
        role: String,
        #[command(flatten)]
        last: Last,
    },
    /// Set the projects of an admin
    Projects {
        name: String,
        /// All projects, including later ones
        #[arg(long, required_unless_present = "projects", conflicts_with = "projects")]
        all: bool,
        /// Project key from `project list`; repeatable
        #[arg(long = "project", value_name = "KEY")]
        projects: Vec<String>,
        #[command(flatten)]
        last: Last,
    },
    /// Remove an admin and sign them out
    Remove {
        name: String,
        #[command(flatten)]
        last: Last,
    },
    /// Turn off an admin's second factor, if no code is available; signs the admin out
    TotpOff { name: String },
    /// Reset an admin's password and sign them out; prints a link to set a new one, which works once, within an hour
    ResetPassword { name: String },
}

#[derive(Debug, Clone, Copy, Args, Serialize, Deserialize)]
pub struct Last {
    /// Allow it even if no owner is left
    #[arg(long)]
    last_owner: bool,
}

impl Last {
    fn owner(self) -> LastOwner {
        if self.last_owner { LastOwner::MayGo } else { LastOwner::Stays }
    }
}

impl Admin {
    /// With the password from standard input, if it is to be read from there.
    pub fn with_password(mut self) -> anyhow::Result<Admin> {
        if let Admin::Create { password_stdin: true, password, .. } = &mut self {
            *password = Some(typed()?);
        }
        Ok(self)
    }

    /// Whether what it prints is a link, which is not shown again.
    pub fn prints_link(&self) -> bool {
        matches!(self, Admin::Create { password: None, .. } | Admin::ResetPassword { .. })
    }

    /// The lines to print.
    pub fn perform(&self, app: &App) -> Result<Vec<String>> {
        match self {
            Admin::Create { name, role, projects, password, .. } => {
                create(app, name, role, projects, password.as_deref())
            }
            Admin::List => list(app),
            Admin::Rename { name, new } => {
                let new = new.clone();
                change(app, name, move |tx, admin| admin_rights::rename(tx, admin.id, &new))
            }
            Admin::Role { name, role, last } => {
                let (role, last) = (parse(role)?, last.owner());
                change(app, name, move |tx, admin| {
                    admin_rights::change(tx, admin.id, role, &admin.reach, last)
                })
            }
            Admin::Projects { name, projects, last, .. } => {
                let (reach, last) = (reach(app, projects)?, last.owner());
                change(app, name, move |tx, admin| {
                    admin_rights::change(tx, admin.id, admin.role, &reach, last)
                })
            }
            Admin::Remove { name, last } => {
                let last = last.owner();
                change(app, name, move |tx, admin| admin_rights::remove(tx, admin.id, last))
            }
            Admin::TotpOff { name } => turn_totp_off(app, name),
            Admin::ResetPassword { name } => {
                let name = name.clone();
                let token = app.write_blocking(move |tx| {
                    admin_rights::reset_password(tx, admin_rights::named(tx, &name)?.id)
                })?;
                Ok(vec![link(app, &token)])
            }
        }
    }
}

fn typed() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ")?;
        anyhow::ensure!(
            rpassword::prompt_password("Repeat the password: ")? == first,
            "the passwords do not match"
        );
        return Ok(first);
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("cannot read the password")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn create(
    app: &App,
    name: &str,
    role: &str,
    projects: &[String],
    password: Option<&str>,
) -> Result<Vec<String>> {
    let (name, role, reach) = (name.to_owned(), parse(role)?, reach(app, projects)?);
    let hash = password.map(admins::hash_password).transpose()?;
    let has_password = hash.is_some();
    let token = app.write_blocking(move |tx| {
        let (_, token) = admin_rights::invite(tx, &name, role, &reach)?;
        if let Some(hash) = &hash {
            admin_rights::set_by_link(tx, &token, hash)?;
        }
        Ok(token)
    })?;
    Ok(if has_password { Vec::new() } else { vec![link(app, &token)] })
}

/// For an admin who has neither the phone nor a recovery code.
fn turn_totp_off(app: &App, name: &str) -> Result<Vec<String>> {
    let owned = name.to_owned();
    app.write_blocking(move |tx| second_factor::turn_off_by_operator(tx, &owned))?;
    Ok(vec![format!(
        "The second factor of {name} is off, and {name} is signed out everywhere. The password alone signs in."
    )])
}

/// As browsers reach the server that holds the directory.
fn link(app: &App, token: &str) -> String {
    format!("{}{}", app.edge().address(), password_path(token))
}

fn list(app: &App) -> Result<Vec<String>> {
    let (all, projects) = app.read(|db| Ok((admins::list(db)?, projects::list(db)?)))?;
    let line = |admin: &crate::model::Admin| {
        let keys: Vec<&str> = projects
            .iter()
            .filter(|project| admin.reach.has(project.id))
            .map(|project| project.key.as_str())
            .collect();
        let reach = match (&admin.reach, keys.is_empty()) {
            (Reach::All, _) => "(all projects)".to_owned(),
            (Reach::Only(_), true) => "(no projects)".to_owned(),
            (Reach::Only(_), false) => keys.join(","),
        };
        let seen = match (admin.has_password(), admin.signed_in_at) {
            (false, _) => "no password set".to_owned(),
            (true, Some(at)) => format!("signed in {}", clock::rfc3339(at)),
            (true, None) => "never signed in".to_owned(),
        };
        let since = clock::rfc3339(admin.created_at);
        format!("{}\t{}\t{reach}\tsince {since}\t{seen}", admin.name, admin.role.as_str())
    };
    Ok(all.iter().map(line).collect())
}

/// What may take rights away is done on a full disk, too.
fn change<P, F>(app: &App, name: &str, run: F) -> Result<Vec<String>>
where
    P: Priority,
    F: Fn(&TxOf<P>, &crate::model::Admin) -> Result<()> + Send + 'static,
{
    let name = name.to_owned();
    app.write_blocking(move |tx| run(tx, &admin_rights::named(tx, &name)?))?;
    Ok(Vec::new())
}

fn parse(role: &str) -> Result<Role> {
    let why = "must be owner, privacy-officer, support or auditor";
    Role::parse(role).ok_or_else(|| Error::invalid(Place::Body, "ROLE", why))
}

/// None named: all.
fn reach(app: &App, keys: &[String]) -> Result<Reach> {
    if keys.is_empty() {
        return Ok(Reach::All);
    }
    let found = keys.iter().map(|key| app.read(|db| projects::by_key(db, key)).map(|project| project.id));
    let mut found: Vec<crate::model::ProjectId> = found.collect::<Result<_>>()?;
    found.sort_unstable();
    found.dedup();
    Ok(Reach::Only(found))
}
