//! The backup command: a program of the owner's that takes one file to another place.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::error::{BackupError, Result};

/// Between two looks at a program that runs.
const PAUSE: Duration = Duration::from_millis(20);

/// A program, the arguments before the file's path, and how long it may take.
#[derive(Debug, Clone)]
pub(super) struct BackupCommand {
    program: PathBuf,
    arguments: Vec<String>,
    time_out: Duration,
}

impl BackupCommand {
    /// Words, divided by spaces; no shell reads them. None: there is no word.
    pub fn parse(words: &str, time_out: Duration) -> Option<BackupCommand> {
        let mut words = words.split_ascii_whitespace().map(str::to_owned);
        let program = PathBuf::from(words.next()?);
        Some(BackupCommand { program, arguments: words.collect(), time_out })
    }

    /// Tells this command from another, in hex.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.program.as_os_str().as_encoded_bytes());
        for argument in &self.arguments {
            digest.update([0]);
            digest.update(argument);
        }
        HEXLOWER.encode(&digest.finalize())
    }

    /// Runs it with the path of `file` as its last argument; waits for its end as long as
    /// it may take and `go_on` says so. What it prints goes nowhere, for it may print
    /// anything. [`BackupError::CommandFailed`], [`BackupError::CommandStuck`],
    /// [`BackupError::Abandoned`].
    pub fn run(&self, file: &Path, go_on: &dyn Fn() -> bool) -> Result<()> {
        let failed = |error: io::Error| BackupError::io("run", &self.program, error);
        let file = std::path::absolute(file).map_err(failed)?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: it can be stopped with all that it started, and a Ctrl-C
        // that is meant for us does not end a copy half way.
        command.process_group(0);
        for (name, _) in std::env::vars_os() {
            // Our settings, a recovery key among them perhaps, are none of its business.
            if name.as_encoded_bytes().starts_with(b"USHER_") {
                command.env_remove(name);
            }
        }
        let mut child = command.spawn().map_err(failed)?;
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                if status.success() {
                    return Ok(());
                }
                return Err(BackupError::CommandFailed {
                    program: self.program.clone(),
                    outcome: status.to_string(),
                });
            }
            if !go_on() {
                stop(&mut child);
                return Err(BackupError::Abandoned);
            }
            if started.elapsed() >= self.time_out {
                stop(&mut child);
                return Err(BackupError::CommandStuck {
                    program: self.program.clone(),
                    after: self.time_out,
                });
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Ends a program and what it started.
fn stop(child: &mut Child) {
    // The standard library kills one process only; where there is no `kill` program, that
    // has to do.
    let _ = Command::new("kill")
        .args(["-KILL", "--", &format!("-{}", child.id())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let _ = child.kill();
    let _ = child.wait();
}
