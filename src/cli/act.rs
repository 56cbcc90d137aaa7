//! The commands that change or list something. One process holds the directory, so a
//! command is performed where the directory is held: here, or by the server.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use super::admin::Admin;
use super::demo;
use super::doctor;
use super::inspect::{self, Directory};
use super::project::{self, Settings};
use super::suppress::Suppress;
use crate::app::App;
use crate::clock;
use crate::domain::{keys, projects};
use crate::error::Result;
use crate::model::{KeyId, Scopes};
use crate::store::Lane;
use crate::worker::backup;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    CreateProject {
        name: String,
    },
    ListProjects,
    SetProject {
        key: String,
        settings: Settings,
    },
    ShowProject {
        key: String,
    },
    CreateKey {
        /// None: of the whole organisation.
        project: Option<String>,
        name: String,
        scopes: Option<String>,
        /// It stands where anybody can read it.
        public: bool,
    },
    ListKeys,
    RevokeKey {
        id: i64,
    },
    Admin(Admin),
    Suppress(Suppress),
    Demo {
        users: u32,
        heavy: u32,
        project: String,
    },
    ShowClock,
    ConfirmClock,
    /// Check the whole directory.
    Verify,
    /// The same, and the machine around it: what is wrong, and what to do.
    Doctor,
    /// Into a folder, named from the root on.
    Backup {
        folder: PathBuf,
    },
}

/// Told of steps done and steps in all.
pub type Progress<'a> = &'a dyn Fn(u64, u64);

impl Act {
    /// The lines to print.
    pub fn perform(&self, app: &App, progress: Progress) -> anyhow::Result<Vec<String>> {
        match self {
            Act::CreateProject { name } => {
                let name = name.clone();
                let project =
                    app.write_blocking(Lane::Request, move |tx| projects::create(tx, &name, "web"))?;
                app.reload_keys()?;
                Ok(vec![project.key])
            }
            Act::ListProjects => {
                let all = app.read(projects::list)?;
                Ok(all.iter().map(|project| format!("{}\t{}", project.key, project.name)).collect())
            }
            Act::SetProject { key, settings } => Ok(project::set(app, key, settings)?),
            Act::ShowProject { key } => Ok(project::show(app, key)?),
            Act::CreateKey { project: Some(project), name, public: true, .. } => {
                Ok(vec![create_public_key(app, project, name)?])
            }
            Act::CreateKey { project, name, scopes, .. } => {
                let secret = create_key(app, project.as_deref(), name, scopes.as_deref())?;
                Ok(vec![secret])
            }
            Act::ListKeys => Ok(list_keys(app)?),
            Act::ShowClock => Ok(vec![show_clock(app)]),
            Act::ConfirmClock => {
                app.confirm_clock()?;
                Ok(vec![show_clock(app)])
            }
            Act::RevokeKey { id } => {
                let id = KeyId(*id);
                app.write_blocking(Lane::Request, move |tx| keys::revoke(tx, id))?;
                app.reload_keys()?;
                Ok(Vec::new())
            }
            Act::Admin(admin) => Ok(admin.perform(app)?),
            Act::Suppress(suppress) => Ok(suppress.perform(app)?),
            Act::Backup { folder } => {
                check_folder(app, folder)?;
                let path = backup::make(app, folder)?;
                Ok(vec![path.display().to_string()])
            }
            Act::Verify => {
                let store = app.store();
                let is_copied = || app.no_backup().is_none();
                let directory = Directory::of(store.folder(), store.file(), &is_copied);
                Ok(inspect::beside_a_server(&directory))
            }
            Act::Doctor => Ok(doctor::beside_a_server(app)),
            Act::Demo { users, heavy, project } => {
                demo::fill(app, &demo::Size { users: *users, heavy: *heavy }, project, progress)
            }
        }
    }
}

/// A folder that is not there may be on a disk that is not, and another one would fill. Only
/// the directory's own is made when it is needed.
pub fn check_folder(app: &App, folder: &Path) -> anyhow::Result<()> {
    let is_own = || {
        let inside = folder.parent().and_then(|parent| parent.canonicalize().ok());
        inside == app.store().folder().canonicalize().ok() && folder.file_name() == app.backups().file_name()
    };
    ensure!(
        folder.is_dir() || !folder.exists() && is_own(),
        "there is no folder {}: make it, or mount its disk, first",
        folder.display()
    );
    Ok(())
}

fn create_key(app: &App, project: Option<&str>, name: &str, scopes: Option<&str>) -> Result<String> {
    let scopes = scopes.map_or(Ok(Scopes::usual()), Scopes::parse)?;
    let project = project.map(|key| app.read(|db| projects::by_key(db, key))).transpose()?;
    let (project, name) = (project.map(|project| project.id), name.to_owned());
    let (_, secret) =
        app.write_blocking(Lane::Request, move |tx| keys::create(tx, project, &name, scopes))?;
    app.reload_keys()?;
    Ok(secret)
}

fn create_public_key(app: &App, project: &str, name: &str) -> Result<String> {
    let (project, name) = (app.read(|db| projects::by_key(db, project))?.id, name.to_owned());
    let (_, secret) = app.write_blocking(Lane::Request, move |tx| keys::create_public(tx, project, &name))?;
    app.reload_keys()?;
    Ok(secret)
}

fn show_clock(app: &App) -> String {
    let time = app.clock().read();
    format!("{}\t{}", clock::rfc3339(time.now), time.standing)
}

fn list_keys(app: &App) -> Result<Vec<String>> {
    let (keys, projects) = app.read(|db| Ok((keys::list(db)?, projects::list(db)?)))?;
    let name = |key: &crate::model::Key| match key.project {
        None => "(organisation)".to_owned(),
        Some(id) => {
            let project = projects.iter().find(|project| project.id == id);
            project.map_or_else(String::new, |project| project.name.clone())
        }
    };
    let state = |key: &crate::model::Key| match (key.revoked_at, key.last_used_at) {
        (Some(at), _) => format!("revoked {}", clock::rfc3339(at)),
        (None, Some(at)) => format!("used {}", clock::rfc3339(at)),
        (None, None) => "never used".to_owned(),
    };
    let line = |key: &crate::model::Key| {
        let scopes = if key.is_public { "public".to_owned() } else { key.scopes.names().join(",") };
        let seen = key.browser_at.filter(|_| key.revoked_at.is_none()).map(|at| {
            format!(
                "\tcame from a browser on {}: a key that is not public stands in a page",
                clock::rfc3339(at)
            )
        });
        let seen = seen.unwrap_or_default();
        format!("{}\t{}\t{}\t{scopes}\t{}…\t{}{seen}", key.id, name(key), key.name, key.hint, state(key))
    };
    Ok(keys.iter().map(line).collect())
}
