//! Exports, on the command line. The file is written by the command, beside a server and without one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;

use super::control_command::ControlCommand;
use super::export_order::ExportOrder;
use super::progress::ProgressBar;
use super::{control, directory, out};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::start::LedgerChoice;
use crate::trace::Actor;

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    ordered: ExportOrder,
    /// File to write; default: standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Encrypt to an age recipient (age1…); repeat it for several
    #[arg(long = "age", value_name = "RECIPIENT")]
    recipients: Vec<String>,
}

/// `usher export`.
pub fn run(config: &Config, what: Export) -> anyhow::Result<()> {
    if config.read_only {
        bail!("an export is written down in the audit log: run the command without --read-only");
    }
    directory::must_be(&config.data)?;
    let Export { ordered, output, recipients } = what;
    let ordered = ordered.with_name()?;
    let recipients = recipients.iter().map(|text| recipient(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let is_binary = ordered.is_binary() || !recipients.is_empty();
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

fn perform(config: &Config, ordered: ExportOrder, out: &mut dyn Write) -> anyhow::Result<Vec<String>> {
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
