//! `usher verify --receipt`: checks what was handed out, with nothing but the files that are
//! named. No data directory is opened, no lock taken, no server asked. The check of a whole
//! directory is in [`crate::inspect`].

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;

use super::out;
use crate::clock::{self, Millis};
use crate::files;
use crate::model::Erasure;
use crate::proof::check::{BYTES_MAX, check_one};
use crate::proof::figures::handed_out;
use crate::proof::hex::Hex;
use crate::proof::receipt::{MentionsOf, Receipt, ScanMode, Token, is_subject};
use crate::proof::signing::{NotAKey, PublicKey};

/// A public key's file has a few hundred bytes.
const KEY_FILE_MAX: u64 = 64 * 1024;

/// What to check. A word that cannot be understood, or a file that cannot be read, is a
/// fault of usage, told before anything is checked.
#[derive(Args)]
pub struct Verify {
    /// Receipt file to verify
    #[arg(long, value_name = "FILE", value_parser = receipt_file, requires = "key")]
    receipt: Option<ReceiptFile>,
    /// Public key of the operator: a signing.pub file, or 64 hex digits
    #[arg(long, value_name = "FILE|HEX", value_parser = public_key, requires = "receipt")]
    key: Option<PublicKey>,
    /// Token of the person, to prove that the receipt belongs to them
    #[arg(long, requires_all = ["identifier", "receipt"])]
    token: Option<Token>,
    /// Identifier of the person in the app
    #[arg(long, value_name = "NAME", requires = "token", allow_hyphen_values = true)]
    identifier: Option<String>,
}

/// A file as it was when the command line was read.
#[derive(Clone)]
struct ReceiptFile {
    path: PathBuf,
    bytes: Arc<[u8]>,
}

impl Verify {
    /// A receipt is named; otherwise it is the whole directory.
    pub fn is_of_one(&self) -> bool {
        self.receipt.is_some()
    }
}

/// Prints what the receipt says, if it is good. Otherwise an error that says why not.
pub fn run(what: &Verify) -> anyhow::Result<()> {
    let Verify { receipt: Some(ReceiptFile { path, bytes }), key: Some(key), .. } = what else {
        bail!("no receipt given: use --receipt FILE");
    };
    let receipt =
        check_one(bytes, key).with_context(|| format!("{} is not a valid receipt", path.display()))?;
    let mut said = story(&receipt, Hex::sha256(&handed_out(bytes.to_vec())))?;
    if let (Some(token), Some(identifier)) = (&what.token, &what.identifier) {
        // Whoever asked twice has two tokens, and one erasure: the salt is what shows it.
        let theirs = is_subject(&receipt, &token.salt, identifier);
        if !theirs && token.receipt != receipt.id {
            bail!("the receipt is valid, but the token belongs to another receipt, {}", token.receipt);
        }
        if !theirs {
            bail!("the receipt is valid, but it does not belong to this identifier and token");
        }
        said.push_str("\nThis receipt belongs to this person: the token proves it.\n");
    }
    out::print(&said).context("the receipt is valid, but its content could not be printed")
}

/// What a good receipt says, for people.
fn story(receipt: &Receipt, hash: Hex<32>) -> Result<String, std::fmt::Error> {
    let Receipt { number, id, asked, done, ledger, audit, .. } = receipt;
    let mut out = String::new();
    let to = &mut out;
    writeln!(to, "The signature is valid: this receipt is unchanged since it was signed.")?;
    writeln!(to, "Receipt {number}, {id}, signed by the key {}", receipt.key)?;
    writeln!(to)?;
    let what = match asked.erasure {
        Erasure::Account => "an account; its activity is kept under an internal id",
        Erasure::Activity => "the activity of an account; the account is kept",
        Erasure::Everything | Erasure::Hide => "an account and its activity",
    };
    writeln!(to, "Erased:       {what}")?;
    writeln!(to, "Legal basis:  {}", asked.right)?;
    writeln!(to, "Requested:    {} (origin: {})", time(asked.at), asked.origin.as_str())?;
    writeln!(to, "Started:      {} (due {})", time(done.began_at), time(asked.due))?;
    writeln!(to, "Deleted:      {}", time(done.erased_at))?;
    write!(to, "Overwritten:  {}", time(done.scrubbed_at))?;
    if let (Some(scrub), Some(checkpoint)) = (&receipt.scrub, &receipt.checkpoint) {
        write!(
            to,
            "; {} pages checked, {} overwritten; write-ahead log emptied, {} frames",
            scrub.pages, scrub.changed, checkpoint.frames
        )?;
    }
    write!(to, "\nSearched:     {}", time(done.verified_at))?;
    if let Some(scan) = &receipt.scan {
        let mode = match scan.mode {
            ScanMode::ChangedPages => "everything written since the erasure began",
            ScanMode::WholeFiles => "the whole files",
        };
        write!(to, "; {mode}, {} bytes, for {} values; {} found", scan.bytes, scan.needles, scan.found)?;
    }
    writeln!(to)?;
    if let Some(evidence) = &receipt.evidence {
        writeln!(to, "Checked by:   {}: {}", evidence.engine, evidence.method)?;
    }
    writeln!(to, "Completed:    {}", time(done.completed_at))?;
    list(
        to,
        "Deleted records:",
        receipt.counts.iter().map(|gone| format!("{:>12}  {}", gone.rows, gone.label)),
    )?;
    let since = receipt.since.iter().flatten().map(|gone| format!("{:>12}  {}", gone.rows, gone.label));
    if receipt.since.as_ref().is_some_and(|since| !since.is_empty()) {
        list(to, "Deleted records added after the request:", since)?;
    }
    let stays = receipt.stays.iter();
    list(to, "Kept records:", stays.map(|stay| format!("{:>12}  {}: {}", stay.rows, stay.label, stay.why)))?;
    if receipt.mentions > 0 {
        let mentions = receipt.mentions;
        writeln!(
            to,
            "\nOther users' data mentions this account in {mentions} places. It belongs to those users and was kept."
        )?;
    }
    if receipt.mentions_of == Some(MentionsOf::SomeRows) {
        writeln!(to, "Only the records of the project's newest users were searched for such places.")?;
    }
    let backups = receipt.backups.iter();
    list(
        to,
        "Backups from before the erasure, encrypted. Those made while the account existed contain it:",
        backups.map(|backup| {
            format!("{}, made {}, removed {}", backup.name, time(backup.made_at), time(backup.pruned_at))
        }),
    )?;
    writeln!(to)?;
    match number {
        _ if receipt.previous == Hex::ZERO => writeln!(to, "It is the first receipt in its chain.")?,
        _ => writeln!(to, "It is receipt number {number} in its chain, after {}", receipt.previous)?,
    }
    writeln!(to, "Its hash, which the next receipt contains: {hash}")?;
    let number =
        |what: &str, seq: Option<u64>| seq.map(|seq| format!("{what} {seq} of ")).unwrap_or_default();
    writeln!(to, "Ledger of erasures: {}{}, {}", number("entry", ledger.seq), ledger.id, ledger.head)?;
    writeln!(to, "Audit log: {}{}", number("row", audit.seq).replace(" of ", ", "), audit.head)?;
    Ok(out)
}

fn list(to: &mut String, title: &str, lines: impl Iterator<Item = String>) -> std::fmt::Result {
    let mut lines = lines.peekable();
    writeln!(to, "\n{title}{}", if lines.peek().is_none() { " none" } else { "" })?;
    lines.try_for_each(|line| writeln!(to, "  {line}"))
}

/// The form of a receipt holds every time to a year of four digits.
fn time(at: Millis) -> String {
    clock::rfc3339(at)
}

fn receipt_file(path: &str) -> Result<ReceiptFile, String> {
    let mut bytes = Vec::new();
    files::open(Path::new(path))
        // A little more than a receipt can have: enough to see that it is none.
        .and_then(|file| file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read it: {error}"))?;
    Ok(ReceiptFile { path: PathBuf::from(path), bytes: bytes.into() })
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return text.parse().map_err(|why: NotAKey| why.to_string());
    }
    let mut given = String::new();
    files::open(Path::new(text))
        .and_then(|file| file.take(KEY_FILE_MAX).read_to_string(&mut given))
        .map_err(|error| format!("it is neither 64 hex digits nor a readable file: {error}"))?;
    given.parse().map_err(|why: NotAKey| format!("the text of the file {why}"))
}
