//! `usher verify --receipt`: checks what was handed out, with nothing but the files that are
//! named. No data directory is opened, no lock taken, no server asked. The check of a whole
//! directory is in [`super::inspect`].

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
    /// The receipt to check: its file, as it was handed out
    #[arg(long, value_name = "FILE", value_parser = receipt_file, requires = "key")]
    receipt: Option<ReceiptFile>,
    /// The public key that should have signed it: a signing.pub file, or 64 hex digits
    #[arg(long, value_name = "FILE|HEX", value_parser = public_key, requires = "receipt")]
    key: Option<PublicKey>,
    /// What the erased person was given, to show that the receipt is theirs
    #[arg(long, requires_all = ["identifier", "receipt"])]
    token: Option<Token>,
    /// What the erased person was called in the app
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
        bail!("no receipt is named");
    };
    let receipt = check_one(bytes, key).with_context(|| format!("{} is no good receipt", path.display()))?;
    let mut said = story(&receipt, Hex::sha256(&handed_out(bytes.to_vec())))?;
    if let (Some(token), Some(identifier)) = (&what.token, &what.identifier) {
        // Whoever asked twice has two tokens, and one erasure: the salt is what shows it.
        let theirs = is_subject(&receipt, &token.salt, identifier);
        if !theirs && token.receipt != receipt.id {
            bail!("the receipt is good, but the token is of another receipt, {}", token.receipt);
        }
        if !theirs {
            bail!("the receipt is good, but it is not about the person named, or the token is not theirs");
        }
        said.push_str("\nThis receipt is about the person named: the token shows it.\n");
    }
    out::print(&said).context("the receipt is good, but what it says could not be printed")
}

/// What a good receipt says, for people.
fn story(receipt: &Receipt, hash: Hex<32>) -> Result<String, std::fmt::Error> {
    let Receipt { number, id, asked, done, ledger, audit, .. } = receipt;
    let mut out = String::new();
    let to = &mut out;
    writeln!(to, "The signature is good: nothing in this receipt was changed since it was signed.")?;
    writeln!(to, "Receipt {number}, {id}, signed by the key {}", receipt.key)?;
    writeln!(to)?;
    let what = match asked.erasure {
        Erasure::Account => "an account; its activity stays under a bare number",
        Erasure::Activity => "the activity of an account; the account stays",
        Erasure::Everything | Erasure::Hide => "everything of an account",
    };
    writeln!(to, "Erased:     {what}")?;
    writeln!(to, "Asked for:  {}, {} (origin: {})", time(asked.at), asked.right, asked.origin.as_str())?;
    writeln!(to, "Begun:      {} (due {})", time(done.began_at), time(asked.due))?;
    writeln!(to, "Rows gone:  {}", time(done.erased_at))?;
    write!(to, "Scrubbed:   {}", time(done.scrubbed_at))?;
    if let (Some(scrub), Some(checkpoint)) = (&receipt.scrub, &receipt.checkpoint) {
        write!(
            to,
            "; {} pages looked at, {} changed; write-ahead log emptied of {} frames",
            scrub.pages, scrub.changed, checkpoint.frames
        )?;
    }
    write!(to, "\nSearched:   {}", time(done.verified_at))?;
    if let Some(scan) = &receipt.scan {
        let mode = match scan.mode {
            ScanMode::ChangedPages => "what was written since the erasure began",
            ScanMode::WholeFiles => "the whole files",
        };
        write!(to, "; {mode}, {} bytes, for {} texts; {} found", scan.bytes, scan.needles, scan.found)?;
    }
    writeln!(to)?;
    if let Some(evidence) = &receipt.evidence {
        writeln!(to, "Made sure:  {}: {}", evidence.engine, evidence.method)?;
    }
    writeln!(to, "Completed:  {}", time(done.completed_at))?;
    list(to, "What went:", receipt.counts.iter().map(|gone| format!("{:>12}  {}", gone.rows, gone.label)))?;
    let since = receipt.since.iter().flatten().map(|gone| format!("{:>12}  {}", gone.rows, gone.label));
    if receipt.since.as_ref().is_some_and(|since| !since.is_empty()) {
        list(to, "What came after it was asked for, and went too:", since)?;
    }
    let stays = receipt.stays.iter();
    list(to, "What stays:", stays.map(|stay| format!("{:>12}  {}: {}", stay.rows, stay.label, stay.why)))?;
    if receipt.mentions > 0 {
        let mentions = receipt.mentions;
        writeln!(
            to,
            "\nOther people's data names this account in {mentions} places; that data is theirs, and was left."
        )?;
    }
    if receipt.mentions_of == Some(MentionsOf::SomeRows) {
        writeln!(to, "Only the newest people's rows of the project were looked at for such places.")?;
    }
    let backups = receipt.backups.iter();
    list(
        to,
        "Backups from before, encrypted; each that was made while the account was here holds it:",
        backups.map(|backup| {
            format!("{}, made {}, removed {}", backup.name, time(backup.made_at), time(backup.pruned_at))
        }),
    )?;
    writeln!(to)?;
    match number {
        _ if receipt.previous == Hex::ZERO => writeln!(to, "In the chain of receipts it is the first.")?,
        _ => writeln!(to, "In the chain of receipts it is number {number}, after {}", receipt.previous)?,
    }
    writeln!(to, "Its own hash, which the next one names: {hash}")?;
    let number =
        |what: &str, seq: Option<u64>| seq.map(|seq| format!("{what} {seq} of ")).unwrap_or_default();
    writeln!(to, "Ledger of erasures: {}{}, {}", number("entry", ledger.seq), ledger.id, ledger.head)?;
    writeln!(to, "Audit log: {}{}", number("row", audit.seq).replace(" of ", ", "), audit.head)?;
    Ok(out)
}

fn list(to: &mut String, title: &str, lines: impl Iterator<Item = String>) -> std::fmt::Result {
    let mut lines = lines.peekable();
    writeln!(to, "\n{title}{}", if lines.peek().is_none() { " nothing" } else { "" })?;
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
        .map_err(|error| format!("it is not 64 hex digits, and as a file it cannot be read: {error}"))?;
    given.parse().map_err(|why: NotAKey| format!("the text of the file {why}"))
}
