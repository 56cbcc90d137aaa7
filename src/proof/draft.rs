//! A receipt before it has its place in the chains and its signature.

use super::audit;
use super::figures::{self, Figures, JobNumbers, Kept};
use super::form;
use super::hex::Hex;
use super::receipt::{
    Asked, AuditPosition, Backup, Checkpoint, Done, Evidence, FORMAT, Gone, Id, LedgerPosition, MentionsOf,
    Receipt, Scan, Scrub, Stay, VERSION, signed_text,
};
use super::signing::Signer;

/// All that a receipt says but for its place in the chains and its signature; the fields are
/// [`Receipt`]'s, and those of its figures.
#[derive(Debug, Clone)]
pub struct Draft {
    pub id: Id,
    pub installation: Hex<16>,
    pub project: Hex<16>,
    pub subject: Hex<32>,
    pub asked: Asked,
    pub done: Done,
    pub counts: Vec<Gone>,
    pub since: Vec<Gone>,
    pub stays: Vec<Stay>,
    pub mentions: u64,
    pub mentions_of: MentionsOf,
    pub evidence: Evidence,
    pub scrub: Scrub,
    pub checkpoint: Checkpoint,
    pub scan: Scan,
    pub ledger: (u64, Hex<32>),
    pub audit: audit::Position,
    pub backups: Vec<Backup>,
    pub job: JobNumbers,
}

/// Where a receipt goes: after these.
#[derive(Debug, Clone, Copy)]
pub struct Links {
    /// In the chain of its project: its number, and the hash of the one before.
    pub number: u64,
    pub previous: Hex<32>,
    /// In the folder.
    pub place: u64,
    pub file_before: Hex<32>,
}

impl Draft {
    /// The receipt with its place in the chains, signed, and its figures. Faults, if it says
    /// something that no receipt may say: that something was found, or that the log was not emptied.
    pub fn seal(&self, signer: &Signer, links: Links) -> Result<Kept, Vec<form::FormatError>> {
        let draft = self.clone();
        let (ledger_seq, ledger_head) = draft.ledger;
        let figures = Figures {
            place: links.place,
            previous: links.file_before,
            job: draft.job,
            scrub: draft.scrub,
            checkpoint: draft.checkpoint,
            scan: draft.scan,
            ledger_seq,
            audit_seq: draft.audit.seq,
            salt: figures::salt(signer, self.id),
        };
        let mut receipt = Receipt {
            format: FORMAT.to_owned(),
            version: VERSION,
            number: links.number,
            id: draft.id,
            installation: draft.installation,
            project: Some(draft.project),
            subject: draft.subject,
            asked: draft.asked,
            done: draft.done,
            counts: draft.counts,
            since: Some(draft.since),
            stays: draft.stays,
            mentions: draft.mentions,
            mentions_of: Some(draft.mentions_of),
            evidence: Some(draft.evidence),
            scrub: None,
            checkpoint: None,
            scan: None,
            ledger: LedgerPosition { id: draft.installation, seq: None, head: ledger_head },
            audit: AuditPosition { seq: None, head: draft.audit.head },
            backups: draft.backups,
            figures: Some(figures.hash()),
            previous: links.previous,
            key: signer.public().hex(),
            signature: Hex([0; 64]),
            place: Some(links.place),
        };
        let value = receipt.value();
        let mut faults = form::faults(&value);
        faults.extend(form::faults_of_figures(&figures.value()));
        if !faults.is_empty() {
            return Err(faults);
        }
        receipt.signature = signer.sign(signed_text(&value).as_bytes());
        Ok(Kept { figures, receipt })
    }
}
