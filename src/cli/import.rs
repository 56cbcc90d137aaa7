//! `usher import`: files of other products, taken in here or by the server that holds the directory.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::progress::{Progress, Step};
use crate::app::App;
use crate::app::importing::{HEAD, Job, MAX_FAULTS, Outcome, Rejects, Status, Wanted, with_head};
use crate::error::Error;
use crate::imports::{Kind, Map, Packed, Source};
use crate::people::imports::Counts;
use crate::projects;

/// So many faults are shown one by one.
const SHOWN: usize = 20;
/// What the command ends with where some records could not be taken.
pub const WITH_FAULTS: u8 = 5;
/// The first word of a line that says that some could not.
const FAULTS: &str = "faults";

/// Import users and events from files of other products.
///
/// The same command goes on where it was ended, and takes nothing twice. People who were erased or
/// are suppressed do not come back. Passwords and tokens are never taken.
///
/// Exit code 0: all of it was taken, 5: some records could not be taken, 1: it failed.
#[derive(Debug, Args, Serialize, Deserialize)]
#[command(after_help = "Examples:
  usher import users.csv
  usher import --from csv --map userId=ID,email=Mail,traits.plan=Plan people.csv
  usher import --from csv --type track --map userId=ID,event=Action,timestamp=When log.csv
  usher import --from segment segment-logs/*.gz
  usher import --dry-run amplitude-export.zip")]
pub struct Import {
    /// JSON lines, JSON lists or CSV, plain or packed with gzip or as a ZIP
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// auto, usher, segment (RudderStack, Jitsu too), posthog, mixpanel, amplitude, matomo, auth0, users or csv
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = source)]
    from: String,
    /// Columns of a CSV file: userId=ID,email=Mail,traits.plan=Plan,timestamp=Created
    #[arg(long, value_name = "FIELD=COLUMN,…", value_parser = map)]
    map: Option<String>,
    /// Rows of a CSV file: identify (users) or track (events)
    #[arg(long = "type", value_name = "TYPE", default_value = "identify", value_parser = ["identify", "track"])]
    kind: String,
    /// Date records without a time now, instead of refusing them
    #[arg(long)]
    at_import: bool,
    /// Restore users in the trash who are in a file
    #[arg(long)]
    revive: bool,
    /// Read everything and report; write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the records that could not be taken to this file, unchanged
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Stop after this many records that could not be taken
    #[arg(long, value_name = "N", default_value_t = MAX_FAULTS)]
    max_faults: u64,
    /// Read a file from its beginning, even if it was imported before
    #[arg(long)]
    restart: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Project key from `project list`; optional if there is only one project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
}

fn source(text: &str) -> Result<String, String> {
    if text != "auto" {
        text.parse::<Source>()?;
    }
    Ok(text.to_owned())
}

fn map(text: &str) -> Result<String, String> {
    text.parse::<Map>().map(|_| text.to_owned())
}

impl Import {
    /// With files named from the root on: the server has another working directory.
    pub fn absolute(mut self) -> anyhow::Result<Import> {
        for path in self.files.iter_mut().chain(&mut self.rejects) {
            *path =
                std::path::absolute(&*path).with_context(|| format!("{} is not a file", path.display()))?;
        }
        for path in &self.files {
            File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        }
        Ok(self)
    }

    /// Whether the lines say that some records could not be taken.
    pub fn has_faults(&self, lines: &[String]) -> bool {
        match self.json {
            true => lines.iter().any(|line| {
                let value = serde_json::from_str::<serde_json::Value>(line).unwrap_or_default();
                value["data"]["faults"].as_u64().is_some_and(|faults| faults > 0)
            }),
            false => lines.iter().any(|line| line.starts_with(FAULTS) && !line.ends_with(" 0")),
        }
    }

    /// The lines to print.
    pub fn perform(&self, app: &App, progress: Progress) -> anyhow::Result<Vec<String>> {
        let project = match &self.project {
            Some(key) => app.read(|db| projects::by_key(db, key))?,
            None => app.read(projects::only)?,
        };
        let rejects = self.rejects.as_deref().map(|path| self.open_rejects(path)).transpose()?;
        let wanted = self.wanted()?;
        let sizes: Vec<u64> =
            self.files.iter().map(|path| std::fs::metadata(path).map_or(0, |about| about.len())).collect();
        let whole: u64 = sizes.iter().sum();
        let (mut before, mut all) = (0, Vec::new());
        for (path, size) in self.files.iter().zip(sizes) {
            let detected = wanted.detect(Packed::File(open(path)?));
            let detected =
                detected.map_err(|why| anyhow::anyhow!("cannot tell whose file {} is: {why}", name(path)))?;
            if !detected.words.is_empty() {
                progress(Step::Now(format!("{}: {}", name(path), detected.words)))?;
            }
            let (head, _) = with_head(Box::new(open(path)?))?;
            let job = Job {
                project: project.id,
                packed: Packed::File(open(path)?),
                size: Some(size),
                head: head.into_iter().take(HEAD).collect(),
                wanted: wanted.clone(),
                rejects: rejects.clone(),
            };
            let done = |read: u64| {
                let step = Step::Done(before + read.min(size), whole);
                // It says why: the server is stopping.
                progress(step).map_err(|_| Error::Unavailable("ended early: what was taken is kept"))
            };
            let outcome = app.import(job, detected.source, &done).map_err(|error| named(path, error))?;
            before += size;
            let ended_by = outcome.ended_by.clone();
            all.push((name(path), outcome));
            if let Some(why) = ended_by {
                bail!("{}\n{}: {why}", self.lines(&all).join("\n"), name(path));
            }
        }
        Ok(self.lines(&all))
    }

    fn wanted(&self) -> anyhow::Result<Wanted> {
        let wrong = |why: String| anyhow::anyhow!(why);
        let from = Some(self.from.as_str()).filter(|from| *from != "auto");
        Ok(Wanted {
            source: from.map(str::parse).transpose().map_err(wrong)?,
            map: self.map.as_deref().map(str::parse).transpose().map_err(wrong)?,
            kind: self.kind.parse::<Kind>().map_err(wrong)?,
            at_import: self.at_import,
            revive: self.revive,
            dry_run: self.dry_run,
            restart: self.restart,
            max_faults: self.max_faults,
        })
    }

    /// Appended to: after a kill the same command goes on.
    fn open_rejects(&self, path: &Path) -> anyhow::Result<Rejects> {
        if self.files.iter().any(|file| file == path) {
            bail!("--rejects must not be one of the files");
        }
        let mut how = OpenOptions::new();
        how.create(true).append(true).mode(0o600);
        let file = how.open(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Rejects::new(file))
    }

    fn lines(&self, all: &[(String, Outcome)]) -> Vec<String> {
        match self.json {
            true => vec![json(all, self.dry_run).to_string()],
            false => table(all, self.dry_run),
        }
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| {
        format!(
            "cannot read {}: where a server is running, it reads the file, so it must be allowed to. Copy the file to \
             a place where it may read, stop the server first, or send the file to POST /api/imports",
            path.display()
        )
    })
}

/// A file as it is called in what is printed.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().chars().filter(|c| !c.is_control()).collect()
}

fn named(path: &Path, error: Error) -> anyhow::Error {
    anyhow::Error::from(error)
        .context(format!("{} was not imported to its end; run the command again", name(path)))
}

fn sum(all: &[(String, Outcome)]) -> Counts {
    let mut sum = Counts::default();
    all.iter().for_each(|(_, outcome)| sum.add(&outcome.counts));
    sum
}

fn json(all: &[(String, Outcome)], is_dry: bool) -> serde_json::Value {
    let files = all.iter().map(|(name, outcome)| {
        serde_json::json!({
            "file": name,
            "from": outcome.source.as_str(),
            "id": outcome.id.map(|id| id.to_string()),
            "status": outcome.status.as_str(),
            "resumedAfter": outcome.resumed_after,
            "wasDone": outcome.was_done,
            "counts": outcome.counts,
            "faults": outcome.faults,
        })
    });
    let files: Vec<serde_json::Value> = files.collect();
    serde_json::json!({ "data": sum(all), "dryRun": is_dry, "files": files })
}

fn table(all: &[(String, Outcome)], is_dry: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, outcome) in all {
        if outcome.was_done {
            lines.push(format!("{name} was imported before: nothing was read. --restart reads it again"));
        } else if outcome.resumed_after > 0 {
            lines.push(format!("{name}: went on after record {}", outcome.resumed_after));
        }
        let first = outcome.faults.iter().take(SHOWN);
        lines.extend(first.map(|fault| {
            let at = if fault.pointer.is_empty() { String::new() } else { format!(" {}", fault.pointer) };
            format!("{name} line {}{at}: {} ({})", fault.line, fault.message, fault.code)
        }));
        let more = outcome.counts.faults.saturating_sub(SHOWN as u64);
        if more > 0 {
            let by_code: Vec<String> =
                outcome.counts.faults_by_code.iter().map(|(code, count)| format!("{code} {count}")).collect();
            lines.push(format!("{name}: {more} more of these; in all: {}", by_code.join(", ")));
        }
    }
    if is_dry {
        lines.push("dry run: nothing was written. What is in a file twice is counted twice".to_owned());
    }
    let sum = sum(all);
    let rows = [
        ("records", sum.records),
        ("new users", sum.users),
        ("users updated", sum.updated),
        ("events", sum.events),
        ("sessions", sum.sessions),
        ("other data", sum.others),
        ("duplicates", sum.duplicates),
        ("erased, left out", sum.erased),
        ("suppressed, left out", sum.suppressed),
        ("other kinds, left out", sum.skipped),
        ("secrets, left out", sum.left_out),
        (FAULTS, sum.faults),
    ];
    let is_shown = |(label, count): &(&str, u64)| {
        *count > 0 || matches!(*label, "records" | "new users" | "events" | FAULTS)
    };
    lines
        .extend(rows.iter().filter(|row| is_shown(row)).map(|(label, count)| format!("{label:<22} {count}")));
    if all.iter().any(|(_, outcome)| outcome.status == Status::Failed) {
        lines.push("ended before the end of the file".to_owned());
    }
    lines
}
