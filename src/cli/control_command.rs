//! The commands that change or list something. One process holds the directory, so a
//! command is performed where the directory is held: here, or by the server.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use serde::{Deserialize, Serialize};

use super::admin::Admin;
use super::demo;
use super::doctor;
use super::export_order::ExportOrder;
use super::hold::{Hold, Person};
use super::import::Import;
use super::key::{self, Key, Overlap};
use super::progress::Progress;
use super::project::{self, Settings};
use super::suppress::Suppress;
use super::user::User;
use crate::app::App;
use crate::backup;
use crate::clock;
use crate::inspect::{self, Directory};
use crate::projects;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlCommand {
    CreateProject {
        name: String,
    },
    ListProjects,
    SetProject {
        key: String,
        settings: Settings,
    },
    RenameProject {
        key: String,
        name: String,
    },
    /// Its users are erased in the server, now or once it starts.
    DeleteProject {
        key: String,
        confirm: Option<String>,
    },
    ShowProject {
        key: String,
    },
    Key(Key),
    RotateToken {
        project: String,
        overlap: Overlap,
    },
    EndOldTokens {
        project: String,
    },
    Admin(Admin),
    Suppress(Suppress),
    Hold(Hold),
    Release(Person),
    User(User),
    /// Writes a file beside its lines: see [`ExportOrder::write`].
    Export(ExportOrder),
    /// Files named from the root on.
    Import(Box<Import>),
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

impl ControlCommand {
    /// The lines to print.
    pub fn perform(&self, app: &App, progress: Progress) -> anyhow::Result<Vec<String>> {
        match self {
            ControlCommand::CreateProject { name } => {
                let name = name.clone();
                let project = app.write_blocking(move |tx| projects::create(tx, &name, "web"))?;
                app.reload_keys()?;
                Ok(vec![project.key])
            }
            ControlCommand::ListProjects => {
                let all = app.read(projects::list)?;
                Ok(all.iter().map(|project| format!("{}\t{}", project.key, project.name)).collect())
            }
            ControlCommand::SetProject { key, settings } => Ok(project::set(app, key, settings)?),
            ControlCommand::RenameProject { key, name } => Ok(project::rename(app, key, name)?),
            ControlCommand::DeleteProject { key, confirm } => project::delete(app, key, confirm.as_deref()),
            ControlCommand::ShowProject { key } => Ok(project::show(app, key)?),
            ControlCommand::Key(key) => Ok(key.perform(app)?),
            ControlCommand::RotateToken { project, overlap } => Ok(key::rotate_token(app, project, overlap)?),
            ControlCommand::EndOldTokens { project } => Ok(key::end_old_tokens(app, project)?),
            ControlCommand::ShowClock => Ok(vec![show_clock(app)]),
            ControlCommand::ConfirmClock => {
                app.confirm_clock()?;
                Ok(vec![show_clock(app)])
            }
            ControlCommand::Admin(admin) => Ok(admin.perform(app)?),
            ControlCommand::Suppress(suppress) => Ok(suppress.perform(app)?),
            ControlCommand::Hold(hold) => Ok(hold.perform(app)?),
            ControlCommand::Release(person) => Ok(person.release(app)?),
            ControlCommand::User(user) => Ok(user.perform(app)?),
            ControlCommand::Export(_) => bail!("what is exported has to be written somewhere"),
            ControlCommand::Import(import) => import.perform(app, progress),
            ControlCommand::Backup { folder } => {
                check_folder(app, folder)?;
                let path = backup::make(app, folder)?;
                Ok(vec![path.display().to_string()])
            }
            ControlCommand::Verify => {
                let store = app.store();
                let is_copied = || app.no_backup().is_none();
                let directory = Directory::of(store.folder(), store.file(), &is_copied);
                Ok(inspect::beside_a_server(&directory))
            }
            ControlCommand::Doctor => Ok(doctor::beside_a_server(app)),
            ControlCommand::Demo { users, heavy, project } => {
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
        "there is no folder {}: create it, or mount its disk, first",
        folder.display()
    );
    Ok(())
}

fn show_clock(app: &App) -> String {
    let time = app.clock().read();
    format!("{}\t{}", clock::rfc3339(time.now), time.standing)
}
