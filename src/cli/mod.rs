//! The command line.

mod admin;
mod control;
mod control_command;
mod copies;
mod demo;
mod directory;
mod doctor;
mod export;
mod export_order;
mod health;
mod help;
mod hold;
mod import;
mod key;
mod limits;
mod listener;
mod logging;
mod named;
mod out;
mod progress;
mod project;
mod read_only;
mod restore;
mod secret;
mod serve;
mod suppress;
mod user;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Parser, Subcommand};

use crate::app::App;
use crate::clock::{Clock, MINUTE};
use crate::config::{Config, Find};
use crate::data_dir::{DataDir, State};
use crate::error::Error;
use crate::inspect;
use crate::owner;
use crate::start::{self, LedgerChoice, Settings};
use crate::store::Access;
use crate::trace::Actor;
use control_command::ControlCommand;
use progress::ProgressBar;

/// A self-hosted home for an app's end users, that can delete them.
#[derive(Parser)]
#[command(name = "usher", version, about)]
struct Cli {
    #[command(flatten)]
    config: Config,
    /// Format of the log: text, or JSON with one object per line
    #[arg(long, env = "USHER_LOG_FORMAT", value_name = "FORMAT", default_value = "text", global = true)]
    log_format: logging::Format,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the APIs and the admin pages (the default command)
    Serve(serve::Serve),
    /// Create, list, change, rename and delete projects
    #[command(subcommand)]
    Project(Project),
    /// Create, list, change, rotate and revoke API keys
    #[command(subcommand)]
    Key(key::Key),
    /// Manage the admins who can sign in to the admin pages
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Find users, list who is held, restrict processing
    #[command(subcommand)]
    User(user::User),
    Import(Box<import::Import>),
    /// Suppress users: messages for them are dropped
    #[command(subcommand)]
    Suppress(suppress::Suppress),
    /// Put a user under a legal hold: none of their data is erased before it ends
    Hold(hold::Hold),
    /// Release a user from a legal hold; what waited for it begins
    Release(hold::Person),
    /// Export all data of a user, or of a whole project
    Export(export::Export),
    /// Show or confirm the clock
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Create a project with sample users, in a separate directory
    Demo(Demo),
    /// Make an encrypted backup in a folder; prints the path of the file
    Backup {
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Replace the database with a backup; stop the server first
    Restore(restore::Restore),
    /// Verify the whole data directory, or one receipt (needs only the named files)
    Verify(Box<verify::Verify>),
    /// Show what is wrong and what to do; exit code 0: nothing, 1: something, 2: could not check
    Doctor,
    /// Ask the server at --listen whether it is ready; exit code 0: ready, 1: not ready
    Health,
}

#[derive(Subcommand)]
enum Project {
    /// Create a project; prints its key
    Create { name: String },
    /// List projects, one per line: key, name
    List,
    /// Rename a project; its key stays the same
    Rename {
        /// As `project list` prints it
        key: String,
        name: String,
    },
    /// Delete a project and erase all its users; without --confirm only shows what it contains
    Delete {
        /// As `project list` prints it
        key: String,
        /// The project's name, required to delete it
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
    /// Change the settings of a project; prints them
    Set {
        /// As `project list` prints it
        key: String,
        #[command(flatten)]
        settings: project::Settings,
    },
    /// Create a new ingest token for a project and print it; the previous one stays valid for a while
    RotateToken {
        /// As `project list` prints it
        key: String,
        #[command(flatten)]
        overlap: key::Overlap,
    },
    /// End the previous ingest tokens of a project immediately
    EndOldTokens {
        /// As `project list` prints it
        key: String,
    },
    /// Show the settings of a project, one per line
    Show {
        /// As `project list` prints it
        key: String,
    },
}

#[derive(Subcommand)]
enum ClockCommand {
    /// Show whether the clock is trusted, and if not, why
    Show,
    /// Confirm that the machine's clock is right: deletions on hold then continue
    Confirm,
}

#[derive(Args)]
struct Demo {
    /// Number of users
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(50..=1_000_000))]
    users: u32,
    /// Number of users with 100,000 events each
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=10))]
    heavy: u32,
    /// Name of the project to create
    #[arg(long, default_value = "demo")]
    project: String,
    /// Remove the directory that `usher demo` created, with everything in it
    #[arg(long, conflicts_with_all = ["users", "heavy", "project"])]
    remove: bool,
}

/// Where the demo is unless the command line says otherwise.
const DEMO: &str = "usher-demo";

/// What `usher doctor` ends with where it cannot tell.
const CANNOT_TELL: u8 = 2;

/// Reads the command line and does what it says.
pub fn run() -> anyhow::Result<ExitCode> {
    let cli = help::parse();
    limits::outlive_large_files()?;
    let data = cli.config.data.clone();
    let is_of_one = matches!(&cli.command, Some(Command::Verify(what)) if what.is_of_one());
    let owner = if is_of_one { None } else { owner::become_owner_of(&data)? };
    carry_out(cli).map_err(with_way_out).map_err(|error| match owner {
        Some(user) if format!("{error:#}").contains("Permission denied") => error.context(format!(
            "root works on {} as its owner, user {user}, who is not allowed to do this: give that user access (chown)",
            data.display()
        )),
        _ => error,
    })
}

/// What a disk fails with, and what can be done about it.
fn with_way_out(error: anyhow::Error) -> anyhow::Error {
    let way = match error.downcast_ref::<Error>() {
        Some(Error::DiskFull) => "free some space and start again; no acknowledged data is lost",
        Some(Error::DiskFails(_)) => {
            "check the disk in the system log, and start again. If it fails again, copy the data directory to \
             another disk before anything else. `usher verify` shows what can be read, `usher restore` replaces the \
             database with a backup"
        }
        _ => return error,
    };
    anyhow!("{error:#}: {way}")
}

fn carry_out(Cli { config, log_format: format, command }: Cli) -> anyhow::Result<ExitCode> {
    let act = match command {
        None => return serve(&config, &serve::Serve::default(), format),
        Some(Command::Serve(how)) => return serve(&config, &how, format),
        Some(Command::Verify(what)) if what.is_of_one() => {
            return verify::run(&what).map(|()| ExitCode::SUCCESS);
        }
        Some(Command::Health) => return health::run(&config),
        Some(Command::Doctor) => return Ok(examine(&config, format)),
        Some(Command::Restore(_)) if config.read_only => {
            bail!("a restore changes data: run it without --read-only")
        }
        Some(Command::Restore(what)) => {
            logging::start("warn", format);
            return restore::run(&config, &what).map(|()| ExitCode::SUCCESS);
        }
        Some(Command::Export(what)) => {
            logging::start("warn", format);
            return export::run(&config, what).map(|()| ExitCode::SUCCESS);
        }
        Some(Command::Demo(Demo { remove: true, .. })) => {
            demo::directory::remove(&config.data)?;
            out::print(&format!("removed {}\n", config.data.display()))?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::Verify(_)) => ControlCommand::Verify,
        Some(Command::Backup { folder }) => ControlCommand::Backup {
            folder: std::path::absolute(&folder)
                .with_context(|| format!("{} is not a folder", folder.display()))?,
        },
        Some(Command::Project(Project::Create { name })) => ControlCommand::CreateProject { name },
        Some(Command::Project(Project::List)) => ControlCommand::ListProjects,
        Some(Command::Project(Project::Rename { key, name })) => ControlCommand::RenameProject { key, name },
        Some(Command::Project(Project::Delete { key, confirm })) => {
            ControlCommand::DeleteProject { key, confirm }
        }
        Some(Command::Project(Project::Set { key, settings })) => {
            ControlCommand::SetProject { key, settings: settings.with_secret()? }
        }
        Some(Command::Project(Project::RotateToken { key, overlap })) => {
            ControlCommand::RotateToken { project: key, overlap }
        }
        Some(Command::Project(Project::EndOldTokens { key })) => {
            ControlCommand::EndOldTokens { project: key }
        }
        Some(Command::Project(Project::Show { key })) => ControlCommand::ShowProject { key },
        Some(Command::Key(key)) => ControlCommand::Key(key),
        Some(Command::Admin(admin)) => {
            // Before it asks for a password.
            directory::must_be(&config.data)?;
            ControlCommand::Admin(admin.with_password()?)
        }
        Some(Command::Suppress(suppress)) => {
            // Before it asks for a name.
            directory::must_be(&config.data)?;
            ControlCommand::Suppress(suppress.with_name()?)
        }
        Some(Command::Hold(hold)) => {
            directory::must_be(&config.data)?;
            ControlCommand::Hold(hold.with_name()?)
        }
        Some(Command::Release(person)) => {
            directory::must_be(&config.data)?;
            ControlCommand::Release(person.with_name()?)
        }
        Some(Command::User(user)) => {
            directory::must_be(&config.data)?;
            ControlCommand::User(user.with_text()?)
        }
        Some(Command::Import(import)) => {
            directory::must_be(&config.data)?;
            ControlCommand::Import(Box::new(import.absolute()?))
        }
        Some(Command::Clock(ClockCommand::Show)) => ControlCommand::ShowClock,
        Some(Command::Clock(ClockCommand::Confirm)) => ControlCommand::ConfirmClock,
        Some(Command::Demo(Demo { users, heavy, project, remove: false })) => {
            ControlCommand::Demo { users, heavy, project }
        }
    };
    logging::start("warn", format);
    let bar = ProgressBar::default();
    let is_verify = matches!(act, ControlCommand::Verify);
    let lines = match State::of(&config.data) {
        State::Lost(left) if is_verify => {
            vec![format!("{}  database: {}", inspect::WRONG, directory::lost(&config.data, &left))]
        }
        _ => perform(&config, &act, &bar)?,
    };
    bar.clear();
    let wrong = lines.iter().filter(|line| line.starts_with(inspect::WRONG)).count();
    let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
    if let ControlCommand::Import(import) = &act {
        out::print(&text).context("done, but the output could not be printed")?;
        return Ok(match import.has_faults(&lines) {
            true => ExitCode::from(import::WITH_FAULTS),
            false => ExitCode::SUCCESS,
        });
    }
    match act {
        ControlCommand::Admin(admin) if admin.prints_link() => {
            out::once(&text)
                .context("the link could not be printed: get a new one with `usher admin reset-password`")?;
        }
        ControlCommand::Key(key) if key.is_shown_once() => {
            out::once(&text)
                .context("the key was created but could not be printed: revoke it and create another")?;
        }
        _ => out::print(&text).context("done, but the output could not be printed")?,
    }
    if is_verify && wrong > 0 {
        bail!("{wrong} checks of {} failed", config.data.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// `usher serve`. Where lines are for a program, so is the reason why it ended.
fn serve(config: &Config, how: &serve::Serve, format: logging::Format) -> anyhow::Result<ExitCode> {
    logging::start("warn,usher=info,actix_http=off", format);
    match serve::run(config, how) {
        Err(error) if format == logging::Format::Json => {
            log::error!("{error:#}");
            Ok(ExitCode::FAILURE)
        }
        outcome => outcome.map(|()| ExitCode::SUCCESS),
    }
}

/// `usher doctor`. Where it cannot tell, it says why not.
fn examine(config: &Config, format: logging::Format) -> ExitCode {
    logging::start("off", format);
    let bar = ProgressBar::default();
    let lines = match State::of(&config.data) {
        State::Lost(left) => Ok(doctor::lost(&directory::lost(&config.data, &left))),
        _ => doctor::may_look(&config.data).and_then(|()| perform(config, &ControlCommand::Doctor, &bar)),
    };
    let said = lines.and_then(|lines| {
        out::print(&lines.iter().fold(String::new(), |text, line| text + line + "\n"))?;
        Ok(lines.iter().any(|line| line.starts_with(inspect::WRONG)))
    });
    match said {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::FAILURE,
        Err(error) => {
            // Where it cannot be said, the exit code says it.
            let _ = out::aside(&format!("usher: could not check: {error:#}\n"));
            ExitCode::from(CANNOT_TELL)
        }
    }
}

/// Acts where the directory is held: here, or in the server. The lines to print.
fn perform(config: &Config, act: &ControlCommand, bar: &ProgressBar) -> anyhow::Result<Vec<String>> {
    if config.read_only {
        return read_only::perform(config, act, bar);
    }
    match act {
        ControlCommand::Demo { .. } => {
            directory::may_begin(&config.data)?;
            DataDir::make(&config.data)?;
            demo::directory::mark(&config.data)?;
        }
        _ => directory::must_be(&config.data)?,
    }
    let Some(data) = DataDir::hold(&config.data)? else { return control::send(&config.data, act, bar) };
    match act {
        ControlCommand::Verify => inspect::offline(data.path(), Access::Usual),
        ControlCommand::Doctor => doctor::offline(data.path(), config),
        _ => here(&data, config, act, bar),
    }
}

/// Acts on a directory that no server holds.
fn here(
    data: &DataDir,
    config: &Config,
    act: &ControlCommand,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<String>> {
    let app = open(data, config, LedgerChoice::Whole)?;
    let edge = config.edge();
    // A name that cannot be looked up is not shown.
    edge.listens_on(config.listen.addresses().unwrap_or_default());
    app.stands_at(edge);
    let mut copier = None;
    if let ControlCommand::Backup { folder } = act {
        // Before a key is shown.
        control_command::check_folder(&app, folder)?;
        // Beside the path, which is alone on standard output.
        copies::recovery_key(data, secret::on_error)?;
        copier = copies::start(data, config, &app)?;
    }
    let mut outcome = act.perform(&app.by(Actor::Operator), &|step| {
        bar.show(step);
        Ok(())
    });
    if let (ControlCommand::Demo { .. }, Ok(lines)) = (act, &mut outcome) {
        lines.push(format!("next: usher serve --data {}", data.path().display()));
    }
    // One that was killed before may have left bytes in what is free: no server has looked yet.
    let scanned = match (act, &outcome) {
        (ControlCommand::Import(_), Ok(_)) => app.store().full_scan(&|| true).map(drop),
        _ => Ok(()),
    };
    let signed = app.sign_audit_head().and(scanned);
    app.stop();
    drop(copier);
    signed?;
    outcome
}

/// Opens what is in the directory, with the checks of every start.
fn open(data: &DataDir, config: &Config, ledger: LedgerChoice) -> anyhow::Result<App> {
    limits::check(config.workers())?;
    limits::tell_size_of_files();
    start::open(data, &Settings { ledger, ..settings(config) }, Clock::system())
}

/// What the flags say of a start.
fn settings(config: &Config) -> Settings {
    Settings {
        workers: config.workers(),
        rate_limit: config.rate_limit.0,
        clock_grace: i64::from(config.clock_grace) * MINUTE,
        recording_limit: config.recording_limit(),
        find: config.find == Find::On,
        accept_loss: config.accept_loss,
        backup_before_upgrade: !config.without_backup,
        ..Settings::default()
    }
}
