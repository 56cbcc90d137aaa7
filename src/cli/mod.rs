//! The command line.

mod act;
mod admin;
mod control;
mod copies;
mod demo;
mod directory;
mod doctor;
mod health;
mod inspect;
mod ledgers;
mod limits;
mod logging;
mod loss;
mod out;
mod project;
mod restore;
mod secret;
mod serve;
mod suppress;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};

use crate::app::{App, Parts};
use crate::bell::Bell;
use crate::clock::{Clock, MINUTE};
use crate::config::Config;
use crate::data_dir::{DataDir, State};
use crate::keyring::Keyring;
use crate::proof::receipts::Receipts;
use crate::proof::signing::{Missing, Signer};
use crate::store::{Beside, Hygiene, Loss, Options, Store, WAL_LIMIT, backup, jobs};
use crate::trace::Actor;
use crate::vault;
use crate::worker::upkeep;
use act::Act;

/// A self-hosted home for an app's end users, that can delete them.
#[derive(Parser)]
#[command(name = "usher", version, about)]
struct Cli {
    #[command(flatten)]
    config: Config,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the APIs and the admin pages; what happens without a command
    Serve(serve::Serve),
    /// Make and list projects
    #[command(subcommand)]
    Project(Project),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Key(Key),
    /// People who sign in to the admin pages
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Keep people out, and let them in again: messages for them are dropped
    #[command(subcommand)]
    Suppress(suppress::Suppress),
    /// Which clock is in force, and why
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Fill a project with users to try things on
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
    /// Change a project's settings; prints them
    Set {
        /// As `project list` prints it
        key: String,
        #[command(flatten)]
        settings: project::Settings,
    },
    /// A project's settings, one a line
    Show {
        /// As `project list` prints it
        key: String,
    },
}

#[derive(Subcommand)]
enum Key {
    /// Make a key; prints it, once, alone
    Create {
        #[command(flatten)]
        of: KeyOf,
        /// What the key is for
        #[arg(long)]
        name: String,
        /// Of ingest, read, write, delete, admin; all but admin unless given
        #[arg(long)]
        scopes: Option<String>,
        /// Stands where anybody can read it, in a page or an app: good for ingestion alone
        #[arg(long, conflicts_with_all = ["org", "scopes"])]
        public: bool,
    },
    /// A key a line: its id, project, name, scopes, first letters, last use
    List,
    /// Close a key for good, from this moment on
    Revoke { id: i64 },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct KeyOf {
    /// The project's key, as `project list` prints it
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    /// Every project of the organisation
    #[arg(long)]
    org: bool,
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
}

/// What `usher doctor` ends with where it cannot tell.
const CANNOT_TELL: u8 = 2;

/// Reads the command line and does what it says.
pub fn run() -> anyhow::Result<ExitCode> {
    let Cli { config, command } = Cli::parse();
    let act = match command {
        None => {
            logging::start("warn,usher=info,actix_http=off");
            return serve::run(&config, &serve::Serve::default()).map(|()| ExitCode::SUCCESS);
        }
        Some(Command::Serve(how)) => {
            logging::start("warn,usher=info,actix_http=off");
            return serve::run(&config, &how).map(|()| ExitCode::SUCCESS);
        }
        Some(Command::Verify(what)) if what.is_of_one() => {
            return verify::run(&what).map(|()| ExitCode::SUCCESS);
        }
        Some(Command::Health) => return health::run(&config),
        Some(Command::Doctor) => return Ok(examine(&config)),
        Some(Command::Restore(what)) => {
            logging::start("warn");
            return restore::run(&config, &what).map(|()| ExitCode::SUCCESS);
        }
        Some(Command::Verify(_)) => Act::Verify,
        Some(Command::Backup { folder }) => Act::Backup {
            folder: std::path::absolute(&folder)
                .with_context(|| format!("{} is no folder", folder.display()))?,
        },
        Some(Command::Project(Project::Create { name })) => Act::CreateProject { name },
        Some(Command::Project(Project::List)) => Act::ListProjects,
        Some(Command::Project(Project::Set { key, settings })) => {
            Act::SetProject { key, settings: settings.with_secret()? }
        }
        Some(Command::Project(Project::Show { key })) => Act::ShowProject { key },
        Some(Command::Key(Key::Create { of, name, scopes, public })) => {
            Act::CreateKey { project: of.project, name, scopes, public }
        }
        Some(Command::Key(Key::List)) => Act::ListKeys,
        Some(Command::Key(Key::Revoke { id })) => Act::RevokeKey { id },
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
        Some(Command::Clock(ClockCommand::Show)) => Act::ShowClock,
        Some(Command::Clock(ClockCommand::Confirm)) => Act::ConfirmClock,
        Some(Command::Demo(Demo { users, heavy, project })) => Act::Demo { users, heavy, project },
    };
    logging::start("warn");
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
            let link = format!("{}{text}", serve::base(&config, config.listen));
            out::once(&link)
                .context("the link could not be shown: `usher admin reset-password` makes another")?;
        }
        Act::CreateKey { .. } => {
            out::once(&text).context("the key could not be shown, and nobody has it: revoke it")?;
        }
        _ => out::print(&text).context("it is done, but the answer could not be printed")?,
    }
    if is_verify && wrong > 0 {
        bail!("{wrong} of the checks of {} found something wrong", config.data.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// `usher doctor`. Where it cannot tell, it says why not.
fn examine(config: &Config) -> ExitCode {
    logging::start("off");
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
    match act {
        Act::Demo { .. } => {
            directory::may_begin(&config.data)?;
            DataDir::make(&config.data)?;
        }
        _ => directory::must_be(&config.data)?,
    }
    let Some(data) = DataDir::hold(&config.data)? else { return control::send(&config.data, act, bar) };
    let lines = match act {
        Act::Verify => inspect::offline(data.path()),
        Act::Doctor => doctor::offline(data.path()),
        _ => here(&data, config, act, bar),
    };
    data.hand_over()?;
    lines
}

/// Acts on a directory that no server holds.
fn here(data: &DataDir, config: &Config, act: &Act, bar: &ProgressBar) -> anyhow::Result<Vec<String>> {
    let app = open(data, config, Clock::system(), Decided::default())?;
    let mut copier = None;
    if let Act::Backup { folder } = act {
        // Before a key is shown.
        act::check_folder(&app, folder)?;
        // Beside the path, which is alone on standard output.
        copies::recovery_key(data, secret::on_error)?;
        copier = copies::start(data, config, &app)?;
    }
    let outcome = act.perform(&app.by(Actor::Operator), &|done, all| bar.show(done, all));
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
}

/// Opens what is in the directory, with the checks of every start.
fn open(data: &DataDir, config: &Config, clock: Clock, decided: Decided) -> anyhow::Result<App> {
    limits::raise_open_files(config.workers())?;
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
    let store = Store::open_beside(&data.database(), options, beside)
        .with_context(|| format!("cannot open {}", data.database().display()))?;
    loss::check(&store, config.accept_loss)?;
    // With the secret that is now known to be the right one.
    copies::check_recovery_key(data, &secret)?;
    let keyring = Keyring::new(clock.clone(), config.rate_limit.0);
    let mut receipts = Receipts::open(&data.receipts())?;
    if let Some(last) = store.0.read(jobs::last_receipt)? {
        receipts.go_on_after(u64::try_from(last)?);
    }
    let missing = if receipts.is_empty() { Missing::Make } else { Missing::Refuse };
    let signer = Signer::open(data.path(), missing)?;
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
    // The head is signed.
    data.forget_kept_ledger()?;
    // Whoever was erased since a backup is in it: it is needed no longer than this.
    data.forget_kept()?;
    Ok(app)
}

/// Removes what a kill has left half made. It is not encrypted.
fn sweep(data: &DataDir) -> anyhow::Result<()> {
    data.settle_kept()?;
    vault::sweep_unpacked(data.path())?;
    vault::sweep(&data.backups())?;
    Ok(backup::sweep(&data.backups())?)
}

/// A bar on standard error, which appears with the first progress. Nothing on a pipe.
#[derive(Default)]
struct ProgressBar(std::sync::OnceLock<indicatif::ProgressBar>);

impl ProgressBar {
    fn show(&self, done: u64, all: u64) {
        let bar = self.0.get_or_init(|| {
            let bar = indicatif::ProgressBar::new(all);
            let style = indicatif::ProgressStyle::with_template(
                "{bar:32} {percent:>3} %  {human_pos} of {human_len}  {eta}",
            );
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar
        });
        bar.set_position(done);
    }

    fn clear(&self) {
        if let Some(bar) = self.0.get() {
            bar.finish_and_clear();
        }
    }
}
