//! What the organisation keeps of an erasure beside the receipt: how much was cleaned and read,
//! where ledger, audit log and the folder of receipts stood. These are of the installation as a
//! whole, so they are not handed out: a project would read from them how busy the others are.
//!
//! A receipt of version 2 lies in its file with them: `{"figures":…,"receipt":…}`. The receipt
//! names their hash, and so its signature covers them, too. A salt keeps the hash from telling the
//! figures to somebody who tries them all.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::canonical;
use super::hex::Hex;
use super::receipt::{Checkpoint, Id, Receipt, Scan, Scrub, file_name};
use super::signing::Signer;

/// All of it is installation-wide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Its place in the folder of receipts: 1, 2, 3, … without a gap.
    pub place: u64,
    /// SHA-256 of the file of the place before; zeros for the first.
    pub previous: Hex<32>,
    pub job: JobNumbers,
    pub scrub: Scrub,
    pub checkpoint: Checkpoint,
    pub scan: Scan,
    /// The number of the ledger's entry whose chain value the receipt names.
    pub ledger_seq: u64,
    /// The number of the audit log's row whose chain value the receipt names.
    pub audit_seq: u64,
    pub salt: Hex<32>,
}

/// The numbers of the erasure's job: they are not given to another one after a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobNumbers {
    /// In the installation.
    pub id: u64,
    /// In its project, and which that is.
    pub number: u64,
    pub project: u64,
}

/// A receipt with its figures: what lies in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub figures: Figures,
    /// As it is handed out.
    pub receipt: Receipt,
}

impl Figures {
    /// A receipt with what of these is asked of one of either version.
    pub fn fill(&self, mut receipt: Receipt) -> Receipt {
        receipt.place = Some(self.place);
        receipt.ledger.seq = Some(self.ledger_seq);
        receipt.audit.seq = Some(self.audit_seq);
        receipt.scrub = Some(self.scrub.clone());
        receipt.checkpoint = Some(self.checkpoint.clone());
        receipt.scan = Some(self.scan.clone());
        receipt
    }

    pub fn value(&self) -> Value {
        // It has no key that is not a text, so it cannot fail; if it did, null is no figures.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// What the receipt names them by.
    pub fn hash(&self) -> Hex<32> {
        hash(&self.value())
    }
}

/// The same of figures that were only read.
pub(super) fn hash(figures: &Value) -> Hex<32> {
    let mut text = String::new();
    canonical::write(figures, &mut text);
    Hex::sha256(text.as_bytes())
}

/// Nobody without the signing key can tell it.
pub(super) fn salt(signer: &Signer, id: Id) -> Hex<32> {
    Hex::sha256(&signer.sign(format!("salt of the figures of receipt {id}").as_bytes()).0)
}

/// A receipt and its figures, if the value has the form of a file of version 2.
pub(super) fn parts(file: &Value) -> Option<(&Value, &Value)> {
    let fields = file.as_object().filter(|fields| fields.len() == 2)?;
    Some((fields.get("figures")?, fields.get("receipt")?))
}

/// The receipt in the bytes of a file, as it is handed out. What does not read is handed out as
/// it is: so everybody sees what became of it.
pub fn handed_out(file: Vec<u8>) -> Vec<u8> {
    let Ok((value, None)) = canonical::read(&file) else { return file };
    let Some((_, receipt)) = parts(&value) else { return file };
    let mut text = String::new();
    canonical::write(receipt, &mut text);
    text.into_bytes()
}

impl Kept {
    /// The bytes of its file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = String::new();
        let value = json!({ "figures": self.figures.value(), "receipt": self.receipt.value() });
        canonical::write(&value, &mut text);
        text.into_bytes()
    }

    /// What the file is called.
    pub fn file_name(&self) -> String {
        file_name(self.figures.place, self.receipt.id)
    }
}
