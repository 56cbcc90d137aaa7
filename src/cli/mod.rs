//! The command line.

mod act;
mod admin;
mod control;
mod copies;
mod demo;
mod directory;
mod doctor;
mod health;
mod help;
mod incoming;
mod inspect;
mod key;
mod ledgers;
mod limits;
mod listener;
mod logging;
mod loss;
mod out;
mod progress;
mod project;
mod read_only;
mod restore;
mod secret;
mod serve;
mod suppress;
mod upgrade;
mod user;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Parser, Subcommand};

use crate::access::keyring::Keyring;
use crate::app::{App, Parts};
use crate::archive;
use crate::bell::Bell;
use crate::clock::{Clock, MINUTE};
use crate::config::{Config, Find};
use crate::data_dir::{DataDir, State};
use crate::error::Error;
use crate::owner;
use crate::proof::ledger_head::Head;
use crate::proof::receipts::Receipts;
use crate::proof::signing::{Missing, Signer};
use crate::store::{Access, Beside, Hygiene, Loss, Options, Store, WAL_LIMIT, backup, jobs};
use crate::trace::Actor;
use crate::worker::upkeep;
use act::Act;
use progress::ProgressBar;
use upgrade::Upgrade;

/// A self-hosted home for an app's end users, that can delete them.
#[derive(Parser)]
#[command(name = "usher", version, about)]
struct Cli {
    #[command(flatten)]
    config: Config,
    /// How log lines are written: for people, or a JSON object a line
    #[arg(long, env = "USHER_LOG_FORMAT", value_name = "FORMAT", default_value = "text", global = true)]
    log_format: logging::Format,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the APIs and the admin pages; what happens without a command
    Serve(serve::Serve),
    /// Make, list, change, rename and delete projects
    #[command(subcommand)]
    Project(Project),
    /// Make, list, change, rotate and revoke API keys
    #[command(subcommand)]
    Key(key::Key),
    /// People who sign in to the admin pages
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Find users
    #[command(subcommand)]
    User(user::User),
    /// Keep people out, and let them in again: messages for them are dropped
    #[command(subcommand)]
    Suppress(suppress::Suppress),
    /// Which clock is in force, and why
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Fill a project with made-up users, in a directory of its own
    Demo(Demo),
    /// Make a backup, one encrypted file, in a folder; prints its path
    Backup {
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Put a backup in the place of the database; no server may hold the directory
    Restore(restore::Restore),
    /// Check the whole directory, or one receipt, which needs nothing but the files that are named
    Verify(Box<verify::Verify>),
    /// Say what is wrong, and what to do about it; exit code 0: nothing, 1: something, 2: it cannot be told
    Doctor,
    /// Ask the server at --listen whether it is ready; exit code 0: it is, 1: it is not
    Health,
}

#[derive(Subcommand)]
enum Project {
    /// Make a project; prints its key
    Create { name: String },
    /// A project a line: its key, its name
    List,
    /// Give a project another name; its key stays
    Rename {
        /// As `project list` prints it
        key: String,
        name: String,
    },
    /// Delete a project and erase all its users; says what there is of it unless it is confirmed
    Delete {
        /// As `project list` prints it
        key: String,
        /// The project's name: nothing is deleted without it
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
    /// Change a project's settings; prints them
    Set {
        /// As `project list` prints it
        key: String,
        #[command(flatten)]
        settings: project::Settings,
    },
    /// Give a project a new ingest token; prints it. The one before stays good for a while
    RotateToken {
        /// As `project list` prints it
        key: String,
        #[command(flatten)]
        overlap: key::Overlap,
    },
    /// End the ingest tokens that a project has replaced, at once
    EndOldTokens {
        /// As `project list` prints it
        key: String,
    },
    /// A project's settings, one a line
    Show {
        /// As `project list` prints it
        key: String,
    },
}

#[derive(Subcommand)]
enum ClockCommand {
    /// Say whether the clock is trusted, and why not
    Show,
    /// Say that the machine's clock is right: it is followed at once, and what waits for it goes on
    Confirm,
}

#[derive(Args)]
struct Demo {
    /// How many users
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(50..=1_000_000))]
    users: u32,
    /// How many of them have 100,000 events each
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=10))]
    heavy: u32,
    /// Name of the project to make
    #[arg(long, default_value = "demo")]
    project: String,
    /// Remove the directory that `usher demo` has made, and all that is in it
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
            "root works on {} as its owner, user {user}, who cannot do this: give them what they need (chown)",
            data.display()
        )),
        _ => error,
    })
}

/// What a disk fails with, and what can be done about it.
fn with_way_out(error: anyhow::Error) -> anyhow::Error {
    let way = match error.downcast_ref::<Error>() {
        Some(Error::DiskFull) => "make room on it, and start again; nothing of what was acknowledged is lost",
        Some(Error::DiskFails(_)) => {
            "see what the system says of its disk, and start again. If it stays so, copy the data directory to \
             another disk before anything else; `usher verify` says what can be read, and `usher restore` puts a \
             backup in its place"
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
            bail!("a restore writes: it does not go with --read-only")
        }
        Some(Command::Restore(what)) => {
            logging::start("warn", format);
            return restore::run(&config, &what).map(|()| ExitCode::SUCCESS);
        }
        Some(Command::Demo(Demo { remove: true, .. })) => {
            demo::directory::remove(&config.data)?;
            out::print(&format!("removed {}\n", config.data.display()))?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::Verify(_)) => Act::Verify,
        Some(Command::Backup { folder }) => Act::Backup {
            folder: std::path::absolute(&folder)
                .with_context(|| format!("{} is no folder", folder.display()))?,
        },
        Some(Command::Project(Project::Create { name })) => Act::CreateProject { name },
        Some(Command::Project(Project::List)) => Act::ListProjects,
        Some(Command::Project(Project::Rename { key, name })) => Act::RenameProject { key, name },
        Some(Command::Project(Project::Delete { key, confirm })) => Act::DeleteProject { key, confirm },
        Some(Command::Project(Project::Set { key, settings })) => {
            Act::SetProject { key, settings: settings.with_secret()? }
        }
        Some(Command::Project(Project::RotateToken { key, overlap })) => {
            Act::RotateToken { project: key, overlap }
        }
        Some(Command::Project(Project::EndOldTokens { key })) => Act::EndOldTokens { project: key },
        Some(Command::Project(Project::Show { key })) => Act::ShowProject { key },
        Some(Command::Key(key)) => Act::Key(key),
        Some(Command::Admin(admin)) => {
            // Before it asks for a password.
            directory::must_be(&config.data)?;
            Act::Admin(admin.with_password()?)
        }
        Some(Command::Suppress(suppress)) => {
            // Before it asks for a name.
            directory::must_be(&config.data)?;
            Act::Suppress(suppress.with_name()?)
        }
        Some(Command::User(user)) => {
            directory::must_be(&config.data)?;
            Act::User(user.with_text()?)
        }
        Some(Command::Clock(ClockCommand::Show)) => Act::ShowClock,
        Some(Command::Clock(ClockCommand::Confirm)) => Act::ConfirmClock,
        Some(Command::Demo(Demo { users, heavy, project, remove: false })) => {
            Act::Demo { users, heavy, project }
        }
    };
    logging::start("warn", format);
    let bar = ProgressBar::default();
    let is_verify = matches!(act, Act::Verify);
    let lines = match State::of(&config.data) {
        State::Lost(left) if is_verify => {
            vec![format!("{}  database: {}", inspect::WRONG, directory::lost(&config.data, &left))]
        }
        _ => perform(&config, &act, &bar)?,
    };
    bar.clear();
    let wrong = lines.iter().filter(|line| line.starts_with(inspect::WRONG)).count();
    let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
    match act {
        Act::Admin(admin) if admin.prints_link() => {
            out::once(&text)
                .context("the link could not be shown: `usher admin reset-password` makes another")?;
        }
        Act::Key(key) if key.is_shown_once() => {
            out::once(&text).context("the key could not be shown, and nobody has it: revoke it")?;
        }
        _ => out::print(&text).context("it is done, but the answer could not be printed")?,
    }
    if is_verify && wrong > 0 {
        bail!("{wrong} of the checks of {} found something wrong", config.data.display());
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
        _ => doctor::may_look(&config.data).and_then(|()| perform(config, &Act::Doctor, &bar)),
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
            let _ = out::aside(&format!("usher: it cannot be told what is wrong: {error:#}\n"));
            ExitCode::from(CANNOT_TELL)
        }
    }
}

/// Acts where the directory is held: here, or in the server. The lines to print.
fn perform(config: &Config, act: &Act, bar: &ProgressBar) -> anyhow::Result<Vec<String>> {
    if config.read_only {
        return read_only::perform(config, act, bar);
    }
    match act {
        Act::Demo { .. } => {
            directory::may_begin(&config.data)?;
            DataDir::make(&config.data)?;
            demo::directory::mark(&config.data)?;
        }
        _ => directory::must_be(&config.data)?,
    }
    let Some(data) = DataDir::hold(&config.data)? else { return control::send(&config.data, act, bar) };
    match act {
        Act::Verify => inspect::offline(data.path(), Access::Usual),
        Act::Doctor => doctor::offline(data.path(), config),
        _ => here(&data, config, act, bar),
    }
}

/// Acts on a directory that no server holds.
fn here(data: &DataDir, config: &Config, act: &Act, bar: &ProgressBar) -> anyhow::Result<Vec<String>> {
    let app = open(data, config, Clock::system(), Decided::default())?;
    let edge = config.edge();
    // A name that cannot be looked up is not shown.
    edge.listens_on(config.listen.addresses().unwrap_or_default());
    app.stands_at(edge);
    let mut copier = None;
    if let Act::Backup { folder } = act {
        // Before a key is shown.
        act::check_folder(&app, folder)?;
        // Beside the path, which is alone on standard output.
        copies::recovery_key(data, secret::on_error)?;
        copier = copies::start(data, config, &app)?;
    }
    let mut outcome = act.perform(&app.by(Actor::Operator), &|step| {
        bar.show(step);
        Ok(())
    });
    if let (Act::Demo { .. }, Ok(lines)) = (act, &mut outcome) {
        lines.push(format!("next: usher serve --data {}", data.path().display()));
    }
    let signed = upkeep::sign_head(&app);
    app.stop();
    drop(copier);
    signed?;
    outcome
}

/// Room that is kept for erasing on a full disk: 32 MiB, more than the WAL grows to
/// while it can be folded in.
const BALLAST: u64 = 32 * 1024 * 1024;

/// What somebody has decided about the ledger of erasures.
#[derive(Debug, Clone, Copy, Default)]
struct Decided {
    /// It is lost: another begins.
    anew: bool,
    /// Which entry is its newest.
    head: Option<u64>,
    /// There is a backup of the database already: it comes out of one.
    is_backed_up: bool,
}

/// Opens what is in the directory, with the checks of every start.
fn open(data: &DataDir, config: &Config, clock: Clock, decided: Decided) -> anyhow::Result<App> {
    limits::raise_open_files(config.workers())?;
    limits::check_threads(config.workers())?;
    limits::tell_size_of_files();
    let bell = Arc::new(Bell::default());
    let points = u32::try_from(config.workers())? + 2;
    sweep(data)?;
    let secret = data.store_secret()?;
    ledgers::forget_head(data)?;
    ledgers::bring_over(data, &secret)?;
    data.make_database()?;
    let options = Options {
        secret,
        clock: clock.clone(),
        bell: Arc::clone(&bell),
        points,
        hygiene: Hygiene::Whole,
        ballast: BALLAST,
        wal_limit: WAL_LIMIT,
        loss: if config.accept_loss { Loss::Accept } else { Loss::Refuse },
    };
    let beside = if decided.anew { Beside::ANewOne } else { Beside::Its };
    let is_wanted = !decided.is_backed_up && !config.without_backup;
    let upgrade = Upgrade::new(data, &secret, clock.now(), is_wanted);
    let store = Store::open_beside(&data.database(), options, beside, &|schema| upgrade.back_up(schema))
        .with_context(|| format!("cannot open {}", data.database().display()));
    let store = upgrade.opened(store)?;
    // With the secret that is now known to be the right one.
    copies::check_recovery_key(data, &secret)?;
    let keyring = Keyring::new(clock.clone(), config.rate_limit.0);
    let mut receipts = Receipts::open(&data.receipts())?;
    if let Some(last) = store.0.read(jobs::last_receipt)? {
        receipts.go_on_after(u64::try_from(last)?);
    }
    let missing = if receipts.is_empty() { Missing::Make } else { Missing::Refuse };
    let signer = Signer::open(data.path(), missing)?;
    let head = Head::read(data.path(), &signer.public())?;
    loss::check(&store.0, &store.1, head.as_ref(), config.accept_loss)?;
    let parts = Parts {
        store,
        keyring,
        bell,
        clock,
        clock_grace: i64::from(config.clock_grace) * MINUTE,
        recording_limit: config.recording_limit(),
        signer,
        receipts,
        backups: data.backups(),
    };
    let app = App::with_head(parts, decided.head)?;
    upgrade.note(&app)?;
    if config.find == Find::Off {
        app.find().leave_out();
    }
    // The head is signed.
    data.forget_kept_ledger()?;
    // Whoever was erased since a backup is in it: it is needed no longer than this.
    data.forget_kept()?;
    Ok(app)
}

/// Removes what a kill has left half made. It is not encrypted.
fn sweep(data: &DataDir) -> anyhow::Result<()> {
    data.settle_kept()?;
    archive::sweep_unpacked(data.path())?;
    archive::sweep(&data.backups())?;
    Ok(backup::sweep(&data.backups())?)
}
