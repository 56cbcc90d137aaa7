//! The files beside the database, and what Usher itself writes into them.

use std::path::Path;

use super::holdings::TABLES;
use crate::ledger::{Entry, Header};
use crate::proof::check::read_unsigned;
use crate::proof::receipt::{Receipt, of_file_name, right, why_stays};
use crate::proof::signing::PublicKey;
use crate::trace::Ground;
use crate::vault;

/// What kind of file it is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Written at its end alone.
    Ledger,
    /// Never written again.
    Receipt,
    PublicKey,
    /// No text at all.
    Plain,
    /// Somebody else's: anything may be in it, at any time.
    Foreign,
}

impl FileKind {
    /// By the path inside the directory.
    pub fn of(path: &Path) -> FileKind {
        match path.to_str() {
            Some("erasures.ledger") => FileKind::Ledger,
            Some("signing.pub") => FileKind::PublicKey,
            Some("ballast" | "usher.lock") => FileKind::Plain,
            Some(name) if name.strip_prefix("receipts/").and_then(of_file_name).is_some() => {
                FileKind::Receipt
            }
            _ => FileKind::Foreign,
        }
    }

    /// Whether these bytes (of the ledger: a line) are what Usher writes there: numbers,
    /// digests, and words of its own.
    pub fn is_own(self, bytes: &[u8]) -> bool {
        match self {
            FileKind::Ledger => {
                bytes.is_empty() || Entry::parse(bytes).is_ok() || Header::parse(bytes).is_ok()
            }
            FileKind::Receipt => read_unsigned(bytes).is_ok_and(|receipt| is_own(&receipt)),
            FileKind::PublicKey => {
                let text = str::from_utf8(bytes).unwrap_or_default();
                text.parse::<PublicKey>().is_ok_and(|key| key.file_text() == text)
            }
            FileKind::Plain | FileKind::Foreign => false,
        }
    }
}

/// Its form leaves some texts open; here they are words of the program's own.
fn is_own(receipt: &Receipt) -> bool {
    let Receipt { asked, counts, stays, backups, .. } = receipt;
    let known =
        |kind: &str, label: &str| TABLES.iter().any(|table| (table.name, table.label) == (kind, label));
    let why = why_stays(asked.erasure);
    Ground::ALL.iter().any(|ground| asked.right == right(asked.origin, *ground))
        && counts.iter().all(|gone| known(&gone.kind, &gone.label))
        && stays.iter().all(|stay| known(&stay.kind, &stay.label) && why == Some(&stay.why))
        && backups.iter().all(|backup| vault::is_name(&backup.name))
}
