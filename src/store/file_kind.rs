//! The files beside the database, and what Usher itself writes into them.

use std::path::Path;

use super::data_inventory::TABLES;
use super::marks;
use crate::archive;
use crate::ledger::{Entry, Header};
use crate::proof::check::read_unsigned;
use crate::proof::receipt::{Evidence, Receipt, of_file_name, right, why_stays};
use crate::proof::signing::PublicKey;
use crate::trace::LegalBasis;

/// What kind of file it is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Written at its end alone.
    Ledger,
    /// Never written again.
    Receipt,
    PublicKey,
    /// See `store/marks.rs`.
    Numbers,
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
            Some("reserve" | "ballast" | "usher.lock") => FileKind::Plain,
            Some("numbers") => FileKind::Numbers,
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
            FileKind::Numbers => str::from_utf8(bytes).is_ok_and(|text| text.lines().all(marks::is_own)),
            FileKind::Plain | FileKind::Foreign => false,
        }
    }
}

/// Its form leaves some texts open; here they are words of the program's own.
fn is_own(receipt: &Receipt) -> bool {
    let Receipt { asked, counts, since, stays, backups, evidence, .. } = receipt;
    let known =
        |kind: &str, label: &str| TABLES.iter().any(|table| (table.name, table.label) == (kind, label));
    let why = why_stays(asked.erasure);
    LegalBasis::ALL.iter().any(|legal_basis| asked.right == right(asked.origin, *legal_basis))
        && counts.iter().chain(since.iter().flatten()).all(|gone| known(&gone.kind, &gone.label))
        && evidence.as_ref().is_none_or(|evidence| *evidence == Evidence::of_sqlite())
        && stays.iter().all(|stay| known(&stay.kind, &stay.label) && why == Some(&stay.why))
        && backups.iter().all(|backup| archive::is_name(&backup.name))
}
