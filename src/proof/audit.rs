//! The chain of the audit log: each row has a hash over the hash of the row before it and
//! its own content, and from time to time the head is signed. Whoever changes a row must
//! change all that follow, and has no key to sign the heads again.
//!
//! Nothing in here reads or writes: rows come from an iterator.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::canonical;
use super::hex::Hex;
use super::signing::{PublicKey, Signer};
use crate::clock::Millis;

const HEAD_FORMAT: &str = "usher-audit-head";
const HEAD_VERSION: u64 = 1;

/// What is before the first row.
pub const GENESIS: [u8; 32] = [0; 32];

/// What somebody did, or looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// 1, 2, 3, … without a gap.
    pub seq: u64,
    pub at: Millis,
    /// Who did it: an admin, a key, or the program itself. No end user.
    pub actor: String,
    pub action: String,
    /// Whom it was done to: a keyed pseudonym. None: nobody in particular.
    pub subject: Option<Hex<16>>,
    pub project: Option<i64>,
    pub job: Option<i64>,
    pub reason: Option<String>,
    pub request_id: Option<String>,
}

/// A row with the hash that was stored with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub row: Row,
    pub hash: [u8; 32],
}

/// A place in the log: a row's number and hash; 0 and [`GENESIS`] before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    pub seq: u64,
    pub head: Hex<32>,
}

/// A position, signed: at this time the log went so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    pub hash: [u8; 32],
    pub at: Millis,
    pub signature: Hex<64>,
}

/// SHA-256 of the hash of the row before it and the canonical JSON of this one.
pub fn hash(previous: &[u8; 32], row: &Row) -> [u8; 32] {
    let mut text = String::new();
    canonical::write(
        &json!({
            "action": row.action,
            "actor": row.actor,
            "at": row.at,
            "job": row.job,
            "project": row.project,
            "reason": row.reason,
            "request_id": row.request_id,
            "seq": row.seq,
            "subject": row.subject,
        }),
        &mut text,
    );
    Sha256::new().chain_update(previous).chain_update(text).finalize().into()
}

impl Head {
    /// Signs that the log has come to this row, whose hash this is.
    pub fn sign(signer: &Signer, seq: u64, hash: [u8; 32], at: Millis) -> Head {
        let signature = signer.sign(signed_text(seq, &hash, at).as_bytes());
        Head { seq, hash, at, signature }
    }

    pub fn verify(&self, key: &PublicKey) -> bool {
        key.verify(signed_text(self.seq, &self.hash, self.at).as_bytes(), &self.signature)
    }
}

/// It names its format, so that no signature of a head is ever one of a receipt.
fn signed_text(seq: u64, hash: &[u8; 32], at: Millis) -> String {
    let head: Value = json!({
        "at": at, "format": HEAD_FORMAT, "hash": Hex(*hash), "seq": seq, "version": HEAD_VERSION,
    });
    let mut text = String::new();
    canonical::write(&head, &mut text);
    text
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub rows: u64,
    /// The last row. [`GENESIS`] at 0: there is none.
    pub last: Position,
    /// In the order of the log; those of the heads after those of the rows.
    pub faults: Vec<AuditFault>,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditFault {
    /// These rows are not there, from the first to the second.
    Missing(u64, u64),
    /// There are two rows of this number: one was put in.
    Twice(u64),
    /// The row comes after one with a larger number.
    Moved { seq: u64, after: u64 },
    /// The content of this row is not what its hash is of, or the row before it is another.
    Changed(u64),
    /// Of this row the stored hash is wrong, and the row as it is fits between its neighbours.
    Hash(u64),
    /// The signature of the head at this row is not good.
    HeadSignature(u64),
    /// The log had another hash at this row when the head was signed: this row, or rows before
    /// it, were written anew.
    HeadHash { seq: u64, by: Witness },
    /// The log had come to the second of these rows, and ends before the first: its tail was cut.
    Cut { from: u64, to: u64, by: Witness },
}

/// What says how far the log had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    SignedHead,
    /// A receipt, or another that noted a position.
    Note,
}

/// All that is wrong with these rows, in the order of the log from its first row on. `heads`
/// are checked against the key, and the rows against them; `notes` are positions from places
/// that are trusted already, such as receipts that are good.
pub fn check(
    rows: impl IntoIterator<Item = Link>,
    heads: &[Head],
    notes: &[Position],
    key: &PublicKey,
) -> Report {
    let mut faults = Vec::new();
    let mut watch = Watch::of(heads, notes, key);
    let mut last = Position { seq: 0, head: Hex(GENESIS) };
    // What the last row's hash was compared with, and the last row if it did not fit.
    let mut base = GENESIS;
    let mut doubt: Option<Doubt> = None;
    let mut count = 0;
    watch.pass(&last);
    for Link { row, hash: stored } in rows {
        count += 1;
        if row.seq == last.seq {
            faults.push(AuditFault::Twice(row.seq));
            if doubt.is_some() && hash(&base, &row) == stored {
                // This is the one that was there first.
                doubt = None;
                last.head = Hex(stored);
            }
            continue;
        }
        if row.seq < last.seq {
            faults.push(AuditFault::Moved { seq: row.seq, after: last.seq });
            continue;
        }
        let follows = row.seq == last.seq + 1;
        let mut fits = hash(&last.head.0, &row) == stored;
        if let Some(Doubt { seq, should_be }) = doubt.take() {
            // This row tells which was changed, the doubtful row or its hash: its own hash is
            // over what that hash was when both were written.
            if follows && !fits && hash(&should_be, &row) == stored {
                faults.push(AuditFault::Hash(seq));
                fits = true;
            } else {
                faults.push(AuditFault::Changed(seq));
            }
        }
        if !follows {
            // What the lost rows led to is not known: the chain is taken up again here.
            faults.push(AuditFault::Missing(last.seq + 1, row.seq - 1));
        } else if !fits {
            doubt = Some(Doubt { seq: row.seq, should_be: hash(&last.head.0, &row) });
        }
        base = last.head.0;
        last = Position { seq: row.seq, head: Hex(stored) };
        watch.pass(&last);
    }
    faults.extend(doubt.map(|doubt| AuditFault::Changed(doubt.seq)));
    faults.extend(watch.end(last.seq));
    Report { rows: count, last, faults }
}

/// A row whose hash is not what its content and the row before it give.
struct Doubt {
    seq: u64,
    should_be: [u8; 32],
}

/// The positions that the log must pass through, the lowest first.
struct Watch {
    points: Vec<(Position, Witness)>,
    next: usize,
    faults: Vec<AuditFault>,
}

impl Watch {
    fn of(heads: &[Head], notes: &[Position], key: &PublicKey) -> Watch {
        let (good, bad): (Vec<&Head>, Vec<&Head>) = heads.iter().partition(|head| head.verify(key));
        let heads =
            good.iter().map(|head| (Position { seq: head.seq, head: Hex(head.hash) }, Witness::SignedHead));
        let mut points: Vec<(Position, Witness)> =
            heads.chain(notes.iter().map(|note| (*note, Witness::Note))).collect();
        points.sort_by_key(|(point, _)| point.seq);
        let faults = bad.iter().map(|head| AuditFault::HeadSignature(head.seq)).collect();
        Watch { points, next: 0, faults }
    }

    /// The log has come to here.
    fn pass(&mut self, here: &Position) {
        while let Some((point, by)) = self.points.get(self.next).filter(|(point, _)| point.seq <= here.seq) {
            // One in a gap is not reached; the gap is named already.
            if point.seq == here.seq && point.head != here.head {
                self.faults.push(AuditFault::HeadHash { seq: point.seq, by: *by });
            }
            self.next += 1;
        }
    }

    /// The log ends here.
    fn end(mut self, last: u64) -> Vec<AuditFault> {
        if let Some((point, by)) = self.points.get(self.next..).and_then(<[_]>::last) {
            self.faults.push(AuditFault::Cut { from: last + 1, to: point.seq, by: *by });
        }
        self.faults
    }
}

impl fmt::Display for AuditFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuditFault::Missing(from, to) if from == to => write!(f, "row {from} is missing"),
            AuditFault::Missing(from, to) => write!(f, "rows {from} to {to} are missing"),
            AuditFault::Twice(seq) => write!(f, "there are two rows of number {seq}: one was put in"),
            AuditFault::Moved { seq, after } => {
                write!(f, "row {seq} comes after row {after}: it was put in or moved")
            }
            AuditFault::Changed(seq) => {
                write!(f, "row {seq} was changed, put in, or moved: its hash does not fit")
            }
            AuditFault::Hash(seq) => write!(f, "the hash of row {seq} was changed; the row itself fits"),
            AuditFault::HeadSignature(seq) => {
                write!(f, "the signature of the head at row {seq} is not valid")
            }
            AuditFault::HeadHash { seq, by } => {
                write!(f, "row {seq} has another hash than {by} says: it or rows before it were written anew")
            }
            AuditFault::Cut { from, to, by } => write!(
                f,
                "the log had come to row {to}, as {by} says, but row {from} and what follows is not there: its \
                 tail was cut"
            ),
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Witness::SignedHead => "a signed head",
            Witness::Note => "a receipt or a note",
        })
    }
}
