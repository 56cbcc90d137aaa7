//! Receipts of made-up erasures, and a directory with a chain of them.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use usher::model::{Erasure, Origin};
use usher::proof::audit::Position;
use usher::proof::draft::{Draft, Links};
use usher::proof::figures::{JobNumbers, Kept};
use usher::proof::hex::Hex;
use usher::proof::receipt::{
    Asked, Backup, Checkpoint, Done, Evidence, Gone, MentionsOf, Receipt, Scan, ScanMode, Scrub, Stay, Token,
    right, subject,
};
use usher::proof::receipts::Receipts;
use usher::proof::signing::Signer;
use usher::trace::LegalBasis;

use super::folder;

/// 2026-01-19T12:30:00Z
pub const ASKED: i64 = 1_768_825_800_000;
pub const ANN: &str = "ann+test@example.com/ä 🙂";
pub const SALT: [u8; 32] = [0xa5; 32];
pub const PROJECT: Hex<16> = Hex([0x99; 16]);

pub fn signer() -> Signer {
    Signer::of(&[7; 32])
}

/// Another installation's.
pub fn stranger() -> Signer {
    Signer::of(&[8; 32])
}

/// What is to be said of the `n`th erasure; each list has something in it.
pub fn draft(n: u8) -> Draft {
    Draft {
        id: Hex([n; 16]),
        installation: Hex([0x1d; 16]),
        project: PROJECT,
        subject: subject(&SALT, ANN),
        asked: Asked {
            erasure: Erasure::Everything,
            origin: Origin::Request,
            right: right(Origin::Request, LegalBasis::Unstated).to_owned(),
            at: ASKED,
            due: ASKED,
        },
        done: Done {
            began_at: ASKED,
            erased_at: ASKED + 800,
            scrubbed_at: ASKED + 1_100,
            verified_at: ASKED + 1_350,
            completed_at: ASKED + 1_400,
        },
        counts: vec![
            Gone { kind: "events".into(), label: "events, interactions and logs".into(), rows: 4_812 },
            Gone { kind: "sessions".into(), label: "sessions".into(), rows: 97 },
        ],
        stays: vec![Stay {
            kind: "erased_identifiers".into(),
            label: "digest of the identifier".into(),
            rows: 1,
            why: "tells late events for 30 days — it says nothing of anybody".into(),
        }],
        since: vec![Gone { kind: "events".into(), label: "events, interactions and logs".into(), rows: 3 }],
        mentions: 2,
        mentions_of: MentionsOf::AllRows,
        evidence: Evidence::of_sqlite(),
        scrub: Scrub { pages: 318, changed: 41 },
        checkpoint: Checkpoint { truncated: true, frames: 655 },
        scan: Scan {
            mode: ScanMode::ChangedPages,
            bytes: 1_302_528,
            pages: 318,
            needles: 5_120,
            needles_dropped: 12,
            found: 0,
            took_ms: 48,
        },
        ledger: (u64::from(n) + 40, Hex([0xe1; 32])),
        audit: Position { seq: 1_204, head: Hex([0xad; 32]) },
        backups: vec![Backup {
            name: "usher-20260118T030000Z-1a2b3c4d.backup".into(),
            made_at: ASKED - 86_400_000,
            pruned_at: ASKED + 29 * 86_400_000,
        }],
        job: JobNumbers { id: u64::from(n) + 7, number: u64::from(n), project: 1 },
    }
}

/// The first in each chain.
pub fn first() -> Links {
    Links { number: 1, previous: Hex::ZERO, place: 1, file_before: Hex::ZERO }
}

pub fn token(n: u8) -> Token {
    Token { receipt: Hex([n; 16]), salt: SALT }
}

/// The `n`th erasure's receipt and its figures, the first of its chains.
pub fn kept(n: u8) -> Kept {
    draft(n).seal(&signer(), first()).expect("a receipt")
}

/// The same as it is handed out.
pub fn receipt(n: u8) -> Receipt {
    Receipt { place: None, ..kept(n).receipt }
}

/// A directory with so many receipts.
pub fn chain_of(count: u8) -> TempDir {
    let dir = folder();
    let mut receipts = Receipts::open(dir.path()).expect("receipts");
    for n in 1..=count {
        receipts.next(&signer(), &draft(n)).expect("a receipt");
    }
    dir
}

/// Where the receipt of a number lies in [`chain_of`].
pub fn path_of(dir: &Path, number: u8) -> PathBuf {
    dir.join(format!("{number:06}-{}.json", Hex([number; 16])))
}
