//! Receipts that lie beside a backup, on their way into the data directory. Others may have written to
//! that folder: each is checked before it is copied, and what is no receipt of this installation is left
//! where it is.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result};

use crate::atomic_file;
use crate::files::open_beside;
use crate::proof::check::{BYTES_MAX, check_one};
use crate::proof::receipt::of_file_name;
use crate::proof::signing::PublicKey;

/// Those that are left out are named, up to so many.
const NAMED: usize = 10;

/// What became of those that lay there.
#[derive(Debug, Default)]
pub struct Incoming {
    pub taken: u64,
    /// The name of each that was left out, and why.
    left_out: Vec<String>,
}

impl Incoming {
    /// Copies the receipts of a folder that this key signed into a new folder.
    pub fn take(folder: &Path, into: &Path, key: &PublicKey) -> Result<Incoming> {
        DirBuilder::new().mode(0o700).create(into)?;
        let mut incoming = Incoming::default();
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if of_file_name(&name).is_none() {
                continue;
            }
            match checked(&folder.join(&name), &name, key) {
                Ok(bytes) => {
                    put(&into.join(&name), &bytes)
                        .with_context(|| format!("cannot write {}", into.join(&name).display()))?;
                    incoming.taken += 1;
                }
                Err(why) => incoming.left_out.push(format!("{name}: {why}")),
            }
        }
        atomic_file::sync_folder(into)?;
        Ok(incoming)
    }

    /// What is to be said of those that were left out. None: there are none.
    pub fn warning(&mut self) -> Option<String> {
        self.left_out.sort();
        let more = self.left_out.len().saturating_sub(NAMED);
        let mut lines: Vec<String> = match self.left_out.len() {
            0 => return None,
            1 => vec![
                "1 file beside the backup is named like a receipt but is not valid and was skipped:"
                    .to_owned(),
            ],
            many => {
                vec![format!(
                    "{many} files beside the backup are named like receipts but are not valid and were skipped:"
                )]
            }
        };
        lines.extend(self.left_out.iter().take(NAMED).map(|line| format!("  {line}")));
        if more > 0 {
            lines.push(format!("  and {more} more"));
        }
        lines.push(
            "If one of them should be valid, put a valid copy there, and check who can write there.".into(),
        );
        Some(lines.join("\n"))
    }
}

/// The bytes of a receipt that is whole, signed by the key, and called by its number. Else why it is not.
fn checked(path: &Path, name: &str, key: &PublicKey) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    open_beside(path)
        // A little more than a receipt can have: enough to see that it is none.
        .and_then(|file| file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    let receipt = check_one(&bytes, key).map_err(|fault| fault.to_string())?;
    match receipt.place.map(|place| (place, receipt.id)) {
        named if named == of_file_name(name) => Ok(bytes),
        Some((place, _)) => Err(format!("it is receipt {place} under another receipt's name")),
        None => Err("it is the person's copy, not the one this installation keeps".to_owned()),
    }
}

fn put(to: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    to.write_all(bytes)?;
    to.sync_all()
}
