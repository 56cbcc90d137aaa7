//! A receipt: what was asked, what was done, what stays, signed. One for each erasure,
//! canonical JSON, and each names the one before it in its project by its hash.
//!
//! It names nobody. Whoever was erased has a token with the salt of the subject's hash, and
//! can show with it that the receipt is about them; nobody else can tell.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::hex::{Hex, NotHex};
use super::{audit, canonical};
use crate::clock::Millis;
use crate::model::{Erasure, Origin};
use crate::trace::LegalBasis;

pub const FORMAT: &str = "usher-receipt";
/// What is written. Version 1 is read as ever.
pub const VERSION: u64 = 2;
/// The first one: its receipts were numbered through the whole installation, and had the figures
/// of [`super::figures::Figures`] in them.
pub const FIRST: u64 = 1;

/// Names a receipt: random, made with the job that the receipt ends.
pub type Id = Hex<16>;

/// A receipt as it is handed out, of either version. All times are in ms since 1970.
///
/// It tells nothing of other projects: what is of the installation as a whole is in the figures
/// beside it, which the organisation keeps (see [`super::figures`]). Where a receipt was read from
/// its file, [`Receipt::place`] and the fields that only version 1 has are filled in from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Always [`FORMAT`].
    pub format: String,
    pub version: u64,
    /// Its place in the chain of its project, each one more than the one before; in version 1 in
    /// the chain of the installation.
    pub number: u64,
    pub id: Id,
    /// The installation that made it, by the id of its ledger of erasures.
    pub installation: Hex<16>,
    /// Whose chain it is in: names the project, and says nothing else of it. Not in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Hex<16>>,
    /// SHA-256 of the person's salt and then their identifier; see [`subject`].
    pub subject: Hex<32>,
    pub asked: Asked,
    pub done: Done,
    /// What went, kind by kind; a kind of which there was nothing is named, too. Of a scheduled
    /// erasure, what was there when it was asked for.
    pub counts: Vec<Gone>,
    /// What came after a scheduled erasure was asked for, and went too: it waits until midnight.
    /// Not in version 1, which counts all of it in [`Receipt::counts`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Vec<Gone>>,
    /// What is left of what was held of the account, and why.
    pub stays: Vec<Stay>,
    /// Places in other people's rows that read like the person's data, and were left. Version 2
    /// looks at the project alone, and at whole values, whichever their case.
    pub mentions: u64,
    /// How much was looked at for them. Not in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions_of: Option<MentionsOf>,
    /// What shows that it is done. Not in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scrub: Option<Scrub>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan: Option<Scan>,
    /// Where the ledger of erasures stood when the receipt was made: this erasure is in it.
    pub ledger: LedgerPosition,
    /// Where the audit log stood when the receipt was made.
    pub audit: AuditPosition,
    /// Backups from before the proof that were made since the person came, encrypted: each of them
    /// holds them still.
    pub backups: Vec<Backup>,
    /// SHA-256 of the figures that the organisation keeps, which have a salt. Not in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Hex<32>>,
    /// SHA-256 of the receipt before it in its chain, as it was handed out; zeros for the first.
    pub previous: Hex<32>,
    /// The public half of the key that signed it.
    pub key: Hex<32>,
    /// Ed25519, over the canonical JSON of all the fields but this.
    pub signature: Hex<64>,
    /// Its place in the folder, of all the installation's. None: it was handed out, and is not
    /// known.
    #[serde(skip)]
    pub place: Option<u64>,
}

/// How the engine that holds the rows makes sure, in words of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    pub engine: String,
    pub method: String,
}

impl Evidence {
    /// Of the engine that there is.
    pub fn of_sqlite() -> Evidence {
        Evidence {
            engine: "sqlite".to_owned(),
            method: "the rows were deleted, what was free in the pages was overwritten with zeros, the \
                write-ahead log was emptied, and the files were searched for what was theirs"
                .to_owned(),
        }
    }
}

/// How much was looked at for mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MentionsOf {
    /// Every row of the project's other people.
    #[serde(rename = "all rows")]
    AllRows,
    /// There were more than are read for one erasure: the newest people's.
    #[serde(rename = "some rows")]
    SomeRows,
    /// Nothing that names the person went.
    #[serde(rename = "nothing")]
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Account, activity or everything; never [`Erasure::Hide`], which erases nothing.
    pub erasure: Erasure,
    /// Who caused it.
    pub origin: Origin,
    /// By what right, in words; see [`right`].
    pub right: String,
    /// When it was asked for.
    pub at: Millis,
    /// When it was to begin.
    pub due: Millis,
}

/// When the steps of the erasure were done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// Out of sight for every caller.
    pub began_at: Millis,
    /// The last row was gone.
    pub erased_at: Millis,
    /// No page held a stale byte, and the write-ahead log was empty.
    pub scrubbed_at: Millis,
    /// The search had found none of their data.
    pub verified_at: Millis,
    pub completed_at: Millis,
}

/// Rows of one kind that are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// The registry's name for them.
    pub kind: String,
    /// What the pages call them.
    pub label: String,
    pub rows: u64,
}

/// Rows of one kind that stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stay {
    pub kind: String,
    pub label: String,
    pub rows: u64,
    pub why: String,
}

/// The scrub of stale bytes in the pages of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scrub {
    /// Pages looked at, and those of them that held stale bytes.
    pub pages: u64,
    pub changed: u64,
}

/// The emptying of the write-ahead log after the scrub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Always true: there is no receipt before that.
    pub truncated: bool,
    /// Frames that were in the log.
    pub frames: u64,
}

/// The search for the person's data, in the bytes of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    pub mode: ScanMode,
    /// How much was read.
    pub bytes: u64,
    pub pages: u64,
    /// Pieces of texts searched for, and those left out because others have them too. What is
    /// too short to be told from chance is neither, nor what comes after 10,000 pieces.
    pub needles: u64,
    pub needles_dropped: u64,
    /// Always 0: there is no receipt while anything is found.
    pub found: u64,
    pub took_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScanMode {
    /// What was written since the job began.
    #[serde(rename = "changed pages")]
    ChangedPages,
    #[serde(rename = "whole files")]
    WholeFiles,
}

/// An entry of the ledger of erasures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerPosition {
    /// Of the ledger's file.
    pub id: Hex<16>,
    /// The entry's number. None: a receipt of version 2 that was handed out does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The chain's value there.
    pub head: Hex<32>,
}

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditPosition {
    /// The row's number. None: a receipt of version 2 that was handed out does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    pub head: Hex<32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    pub name: String,
    pub made_at: Millis,
    /// When it is removed.
    pub pruned_at: Millis,
}

impl Receipt {
    /// As it is handed out: not of one whose figures were filled in.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = String::new();
        canonical::write(&self.value(), &mut text);
        text.into_bytes()
    }

    pub(super) fn value(&self) -> Value {
        // It has no key that is not a text, so it cannot fail; if it did, null is no receipt.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Where it stands in the audit log. None: it was handed out, and does not say the row.
    pub fn in_the_log(&self) -> Option<audit::Position> {
        self.audit.seq.map(|seq| audit::Position { seq, head: self.audit.head })
    }
}

/// What a signature of this receipt is over.
pub(super) fn signed_text(receipt: &Value) -> String {
    let mut rest = receipt.clone();
    if let Value::Object(fields) = &mut rest {
        fields.remove("signature");
    }
    let mut text = String::new();
    canonical::write(&rest, &mut text);
    text
}

/// `000001-<id>.json`
pub fn file_name(number: u64, id: Id) -> String {
    format!("{number:06}-{id}.json")
}

/// The number and id that a file's name says. None: it is not a receipt's.
pub fn of_file_name(name: &str) -> Option<(u64, Id)> {
    let (number, id) = name.strip_suffix(".json")?.split_once('-')?;
    let (number, id) = (number.parse().ok()?, id.parse().ok()?);
    // One number has one name.
    (number > 0 && file_name(number, id) == name).then_some((number, id))
}

/// The right by which an erasure of this origin was asked for.
pub fn right(origin: Origin, legal_basis: LegalBasis) -> &'static str {
    match origin {
        Origin::Schedule | Origin::Request | Origin::Page => legal_basis.words(),
        Origin::Ledger => "erased before; a database from before that was put back",
        Origin::Reaper if legal_basis == LegalBasis::Unstated => "deleted 7 days before and not taken back",
        Origin::Reaper => legal_basis.words(),
    }
}

/// Why something stays after an erasure, where something does.
pub fn why_stays(erasure: Erasure) -> Option<&'static str> {
    match erasure {
        Erasure::Account => {
            Some("only the account was to go: it stays under a bare number, about nobody known")
        }
        Erasure::Activity => Some("only the activity was to go: the account stays"),
        Erasure::Everything | Erasure::Hide => None,
    }
}

/// The hash by which a receipt speaks of a person. The salt is as long as the hash, so where
/// it ends and the identifier begins is not in doubt.
pub fn subject(salt: &[u8; 32], identifier: &str) -> Hex<32> {
    Hex(Sha256::new().chain_update(salt).chain_update(identifier.as_bytes()).finalize().into())
}

/// The receipt is about the person who had this identifier and was given this salt.
pub fn is_subject(receipt: &Receipt, salt: &[u8; 32], identifier: &str) -> bool {
    subject(salt, identifier) == receipt.subject
}

/// What a person is given, to find their receipt and to show that it is about them:
/// `<receipt's id>.<salt>`, both in hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub receipt: Id,
    pub salt: [u8; 32],
}

/// A text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the whole token: 32 hex digits, a dot and 64 hex digits")]
pub struct NotAToken;

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Token, NotAToken> {
        let (receipt, salt) = text.split_once('.').ok_or(NotAToken)?;
        let salt: Hex<32> = salt.parse().map_err(|NotHex(_)| NotAToken)?;
        Ok(Token { receipt: receipt.parse().map_err(|NotHex(_)| NotAToken)?, salt: salt.0 })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.receipt, Hex(self.salt))
    }
}

impl fmt::Debug for Token {
    /// Without the salt: a reader who has it can tell whose receipt it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.receipt)
    }
}
