//! Exports, on the command line. The file is written by the command, beside a server and without one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::control_command::ControlCommand;
use super::progress::ProgressBar;
use super::{control, directory, out};
use crate::app::App;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::error::{Error, Place, Result};
use crate::export::{self, Form, Person};
use crate::model::{Identifier, Project, UserId};
use crate::people::subjects::Subject;
use crate::projects;
use crate::start::LedgerChoice;
use crate::trace::Actor;

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    ordered: Ordered,
    /// File to write; default: standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Encrypt to an age recipient (age1…); repeat it for several
    #[arg(long = "age", value_name = "RECIPIENT")]
    recipients: Vec<String>,
}

/// What is to be exported.
#[derive(Debug, Args, Serialize, Deserialize)]
pub struct Ordered {
    /// Identifier of the user; - reads it from standard input
    #[arg(value_name = "U", required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,
    /// Export all users of the project, as gzipped NDJSON
    #[arg(long)]
    all: bool,
    /// Format of a user's export: a ZIP to read, or NDJSON for programs; not for --all
    #[arg(long, value_enum, default_value_t = Format::Zip, conflicts_with = "all")]
    format: Format,
    /// Type of the identifier
    #[arg(long, value_enum, default_value_t = By::Identifier)]
    by: By,
    /// Project key from `project list`; optional if there is only one project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Format {
    Zip,
    Ndjson,
}

#[derive(Debug, Clone, Copy, ValueEnum, Serialize, Deserialize)]
pub enum By {
    Identifier,
    AnonymousId,
    Id,
    Email,
}

impl Ordered {
    /// Writes it; the lines to print beside it.
    pub fn write(&self, app: &App, out: &mut dyn Write) -> anyhow::Result<Vec<String>> {
        let _turn = app.exporting()?;
        let project = match &self.project {
            Some(key) => app.read(|db| projects::by_key(db, key))?,
            None => app.read(projects::only)?,
        };
        match &self.name {
            Some(name) => self.write_person(app, project, name, out),
            None => write_project(app, project, out),
        }
    }

    fn write_person(
        &self,
        app: &App,
        project: Project,
        name: &str,
        out: &mut dyn Write,
    ) -> anyhow::Result<Vec<String>> {
        let (subject, id) = (subject(name, self.by)?, project.id);
        let form = match self.format {
            Format::Zip => Form::Zip,
            Format::Ndjson => Form::Ndjson,
        };
        let person = app.write_blocking(move |tx| {
            let user = export::whom(tx, id, &subject)?;
            Person::take(tx, id, user.id, form)
        })?;
        person.write(app.store(), app.clock().now(), form, out)?;
        Ok(Vec::new())
    }
}

fn write_project(app: &App, project: Project, out: &mut dyn Write) -> anyhow::Result<Vec<String>> {
    let noted = project.clone();
    app.write_blocking(move |tx| export::note_project(tx, &noted))?;
    let mut packed = GzEncoder::new(out, Compression::default());
    let counts = export::write_project(app.store(), project, app.clock().now(), &mut packed)?;
    packed.finish().map_err(|error| export::of_writing(&error))?;
    let counts = counts.all().map(|(name, count)| format!("{count} {name}")).join(", ");
    Ok(vec![format!("exported {counts}")])
}

fn subject(name: &str, by: By) -> Result<Subject> {
    let fault = |why: &str| Error::invalid(Place::Body, "U", why);
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

/// `usher export`.
pub fn run(config: &Config, what: Export) -> anyhow::Result<()> {
    if config.read_only {
        bail!("an export is written down in the audit log: run the command without --read-only");
    }
    directory::must_be(&config.data)?;
    let Export { mut ordered, output, recipients } = what;
    if ordered.name.as_deref() == Some("-") {
        ordered.name = Some(typed()?);
    }
    let recipients = recipients.iter().map(|text| recipient(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let is_binary = ordered.all || ordered.format == Format::Zip || !recipients.is_empty();
    let target = match &output {
        Some(path) => Target::File(Draft::create(path)?),
        None if is_binary && io::stdout().is_terminal() => {
            bail!("this is not text: name a file with -o FILE, or send the output to a program")
        }
        None => Target::Output(BufWriter::new(io::stdout().lock())),
    };
    let mut sealed = Sealed::to(target, &recipients)?;
    let lines = perform(config, ordered, &mut sealed)?;
    sealed.finish()?;
    // Standard output may be the file.
    out::aside(&lines.iter().fold(String::new(), |text, line| text + line + "\n"))
        .context("done, but the output could not be printed")
}

fn typed() -> anyhow::Result<String> {
    if io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password("Name: ")?);
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("cannot read the name")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn perform(config: &Config, ordered: Ordered, out: &mut dyn Write) -> anyhow::Result<Vec<String>> {
    let Some(data) = DataDir::hold(&config.data)? else {
        let act = ControlCommand::Export(ordered);
        return control::receive(&config.data, &act, &ProgressBar::default(), out);
    };
    let app = super::open(&data, config, LedgerChoice::Whole)?;
    let outcome = ordered.write(&app.by(Actor::Operator), out);
    let signed = app.sign_audit_head();
    app.stop();
    signed?;
    outcome
}

fn recipient(text: &str) -> anyhow::Result<age::x25519::Recipient> {
    text.parse().map_err(|why| anyhow!("--age {text} is no age recipient, which begins with age1: {why}"))
}

/// Where an export goes.
enum Target {
    Output(BufWriter<io::StdoutLock<'static>>),
    File(Draft),
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::Output(output) => output.write(bytes),
            Target::File(draft) => draft.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Target::Output(output) => output.flush(),
            Target::File(draft) => draft.file.flush(),
        }
    }
}

/// A file that has its name once it is whole, and that others cannot read.
struct Draft {
    file: BufWriter<File>,
    draft: PathBuf,
    path: PathBuf,
    is_whole: bool,
}

impl Draft {
    fn create(path: &Path) -> anyhow::Result<Draft> {
        let mut draft = path.as_os_str().to_owned();
        // Of its own: a kill may have left one.
        draft.push(format!(".{:08x}.part", fastrand::u32(..)));
        let draft = PathBuf::from(draft);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        let file = file.with_context(|| format!("cannot create {}", draft.display()))?;
        Ok(Draft { file: BufWriter::new(file), draft, path: path.to_owned(), is_whole: false })
    }

    fn publish(mut self) -> anyhow::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.draft, &self.path)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_whole {
            // It may have a person's data in it.
            let _ = fs::remove_file(&self.draft);
        }
    }
}

/// The target, encrypted where somebody is named for whom.
enum Sealed {
    Plain(Target),
    Age(Box<age::stream::StreamWriter<Target>>),
}

impl Sealed {
    fn to(target: Target, recipients: &[age::x25519::Recipient]) -> anyhow::Result<Sealed> {
        if recipients.is_empty() {
            return Ok(Sealed::Plain(target));
        }
        let all = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(all)?;
        Ok(Sealed::Age(Box::new(encryptor.wrap_output(target)?)))
    }

    fn finish(self) -> anyhow::Result<()> {
        let target = match self {
            Sealed::Plain(target) => target,
            Sealed::Age(writer) => writer.finish()?,
        };
        match target {
            Target::Output(mut output) => Ok(output.flush()?),
            Target::File(draft) => draft.publish(),
        }
    }
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sealed::Plain(target) => target.write(bytes),
            Sealed::Age(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sealed::Plain(target) => target.flush(),
            Sealed::Age(writer) => writer.flush(),
        }
    }
}
