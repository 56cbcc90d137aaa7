//! The ledger of erasures: an append-only file beside the database, by which a database
//! that is put back from a backup learns whom it must not bring back.
//!
//! Nothing in here knows about HTTP or SQL, and nothing reads the clock. No entry says
//! anything of anybody without the store's secret: people, names and keys stand there as
//! keyed digests ([`Names`]).
//!
//! - [`Entry`] and [`Act`]: what is written down, and how a line of the file reads.
//! - [`MacKey`]: shows for each line that it was written with the store's secret.
//! - [`Ledger`]: the file itself: created, opened at the place a database has recorded,
//!   appended to.
//! - [`Orders`] and [`fate`]: what a database has to do about the entries that it has not
//!   seen.
//! - [`ReplayEstimate`]: how much that is at most, for backups.
//! - [`check`]: the whole file, line by line, for `usher verify`.
//! - [`look()`]: one reading of the whole file, for those who hold receipts, backups and signed
//!   heads against it.
//! - [`upgrade`]: from a file of version 1 to one of version 2.
//!
//! # What a writer has to keep
//! 1. The entries of a group are appended (which syncs them) before the database commits,
//!    and the commit records the [`Position`] that the append gave. If the commit fails, an
//!    [`Act::Void`] follows before anything else is appended or answered. If that fails too,
//!    the writer stops: the next start makes the entries good, as after a crash.
//! 2. An act on a person is an entry for each incarnation that was merged into the person,
//!    its own included, with the time of the act's transaction.
//! 3. [`Act::Begun`] stands after the [`Act::Erased`] of whom the request took: if a crash
//!    tears the append between them, the request is still pending rather than forgotten.
//! 4. When a hidden visitor is merged into somebody, that is an [`Act::Revived`] of the
//!    visitor: otherwise an older copy, in which it stands alone, would let it expire, and
//!    its erasure would take the person along.
//! 5. A replay appends [`Orders::complement`] for each person of the database, in the group
//!    that applies the orders: a user who goes as a part of another goes from every copy.
//! 6. Whoever copies the file copies up to a [`Position`] that was committed: what lies
//!    beyond may still be cut off.
//!
//! `tests/quick/ledger/model.rs` breaks 1 (the void) to 5 in turn, and shows what goes wrong.

mod check;
mod entry;
mod error;
mod file;
mod lines;
mod look;
mod mac_key;
mod replay_estimate;
mod state;
mod upgrade;

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;

pub use check::{LedgerFault, Report, check};
pub use entry::{Act, BadHeader, Chain, Entry, Header, Mac, UNSEALED, VERSION};
pub use error::LedgerError;
pub use file::{Ledger, Medium, Opened};
pub use look::{Seen as Looked, look};
pub use mac_key::{MacKey, hkdf};
pub use replay_estimate::ReplayEstimate;
pub use state::{
    Bound, Ended, Erase, Holding, Lost, Orders, PersonOrders, ReplayAction, Request, Restricting, Seen,
    Standing, Suppressing, fate,
};
pub use upgrade::{upgrade, version_of};

use crate::error::{Error, Result};
use crate::model::{AdminId, Incarnation, KeyId, ProjectId};

/// 16 bytes that stand for a person, a name, a key or a request. Keyed (a request's are
/// random), so that they say nothing without the secret. Shown as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pseudonym(pub [u8; 16]);

impl Pseudonym {
    /// A new one, for a request. [`Error::Internal`] if the system gives no random bytes.
    pub fn random() -> Result<Pseudonym> {
        random().map(Pseudonym)
    }

    /// Reads 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Pseudonym> {
        unhex(text).map(Pseudonym)
    }
}

/// Which ledger: 16 random bytes, made with the file. Shown as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LedgerId(pub [u8; 16]);

impl LedgerId {
    /// A new one. [`Error::Internal`] if the system gives no random bytes.
    pub fn random() -> Result<LedgerId> {
        random().map(LedgerId)
    }

    /// Reads 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<LedgerId> {
        unhex(text).map(LedgerId)
    }
}

/// How far a database, or a backup, knows a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub ledger: LedgerId,
    /// Of the last entry; 0: there is only the header.
    pub seq: u64,
    /// Chain value of that entry; for 0 the header's hash.
    pub head: Chain,
    /// Bytes of the file up to the end of that entry's line.
    pub offset: u64,
}

/// The keyed digests. Each purpose has a key of its own, derived from the store's secret, so
/// that the same bytes under two purposes never meet.
#[derive(Clone)]
pub struct Names {
    person: [u8; 32],
    name: [u8; 32],
    key: [u8; 32],
    credential: [u8; 32],
}

impl Names {
    /// From `DIR/secrets/store.key`.
    pub fn new(secret: &[u8; 32]) -> Names {
        let subkey = |label: &str| mac(secret, &[label.as_bytes()]);
        Names {
            person: subkey("ledger person"),
            name: subkey("ledger name"),
            key: subkey("ledger key"),
            credential: mac_key::hkdf(secret, b"usher ledger credential"),
        }
    }

    /// One registration of a person.
    pub fn person(&self, incarnation: &Incarnation) -> Pseudonym {
        short(mac(&self.person, &[incarnation]))
    }

    /// An identifier in a project, whichever user has it.
    pub fn name(&self, project: ProjectId, identifier: &str) -> Pseudonym {
        short(mac(&self.name, &[&project.0.to_be_bytes(), identifier.as_bytes()]))
    }

    /// An API key, by the hash that is stored of it.
    pub fn key(&self, hash: &[u8; 32]) -> Pseudonym {
        short(mac(&self.key, &[hash]))
    }

    /// Another credential, by what kind it is, of which project, and its text.
    pub fn credential(&self, kind: &str, project: ProjectId, text: &str) -> Pseudonym {
        short(mac(&self.credential, &[kind.as_bytes(), &[0], &project.0.to_be_bytes(), text.as_bytes()]))
    }

    /// Something that a key could do, by what kind it is, whose, and what is stored of it.
    pub fn of_key(&self, kind: &str, key: KeyId, stored: &[u8]) -> Pseudonym {
        short(mac(&self.credential, &[b"key ", kind.as_bytes(), &[0], &key.0.to_be_bytes(), stored]))
    }

    /// Something that lets an admin in, by what kind it is, whose, and what is stored of it.
    pub fn of_admin(&self, kind: &str, admin: AdminId, stored: &[u8]) -> Pseudonym {
        short(mac(&self.credential, &[b"admin ", kind.as_bytes(), &[0], &admin.0.to_be_bytes(), stored]))
    }
}

/// HMAC-SHA256 over the parts, one after the other.
pub fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC fills a short key up with zeros to a block: done here, where it cannot fail.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn short(digest: [u8; 32]) -> Pseudonym {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Pseudonym(bytes)
}

fn random() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(bytes)
}

/// Bytes from exactly so many lower-case hex digits.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
    bytes.try_into().ok()
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
