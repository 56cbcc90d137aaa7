//! The ledger of erasures at a start and at a restore: brought over from version 1, held against
//! what is signed about it, and what is given up where it is lost.

use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow};

use crate::app::ledger_evidence::Known;
use crate::data_dir::{DataDir, State};
use crate::erasure::replay::Replayed;
use crate::ledger::{self, LedgerError, LedgerId, MacKey, Position, UNSEALED};
use crate::proof::ledger_head;
use crate::proof::signing::PublicKey;
use crate::store::backup;

/// Brings the ledger of a data directory over to version 2, if it is of version 1 and nothing
/// that is signed says that it was of version 2 already.
pub fn upgrade(data: &DataDir, secret: &[u8; 32]) -> anyhow::Result<()> {
    let path = data.ledger();
    if ledger::version_of(&path) != Some(UNSEALED) {
        return Ok(());
    }
    if ledger_head::path(data.path()).exists() {
        let by = "the signed head in secrets/ledger.head".into();
        return Err(LedgerError::Stripped { path, by }.into());
    }
    let mut known = Known::default();
    if let Ok(key) = public_key(data.path()) {
        known.backups_in(&data.backups(), &key);
        known.receipts_in(&data.receipts(), &key);
    }
    let mark = match State::of(data.path()) {
        State::Begun => backup::seen(&data.database())?,
        State::New | State::Lost(_) => None,
    };
    carry_over(&path, &MacKey::new(secret), mark.as_slice(), &known, &data.kept_ledger())?;
    log::warn!("the ledger of erasures was upgraded to version 2: each entry now has a MAC");
    Ok(())
}

/// Where somebody has removed database, ledger and receipts, another installation begins: the signed
/// head that is left is of the one that is gone.
pub fn forget_head(data: &DataDir) -> anyhow::Result<()> {
    let at = ledger_head::path(data.path());
    if State::of(data.path()) != State::New || !at.exists() {
        return Ok(());
    }
    fs::remove_file(&at).with_context(|| format!("cannot remove {}", at.display()))
}

/// Brings over a ledger at `path`, with the places that it must have come to. The old one stays
/// at `kept`.
pub fn carry_over(
    path: &Path,
    mac_key: &MacKey,
    places: &[Position],
    known: &Known,
    kept: &Path,
) -> anyhow::Result<()> {
    if let Some(by) = id_of(path).and_then(|id| known.names_sealed(id)) {
        return Err(LedgerError::Stripped { path: path.to_owned(), by: by.to_owned() }.into());
    }
    ledger::upgrade(path, mac_key, places, kept)?;
    // Without MACs anybody could have written it: what receipts say of it must be there.
    if let Err(contradiction) = known.check(path, mac_key, None) {
        fs::rename(kept, path).with_context(|| format!("cannot put {} back", path.display()))?;
        return Err(contradiction.into());
    }
    Ok(())
}

/// Which ledger a file is, by its first line.
fn id_of(path: &Path) -> Option<LedgerId> {
    let text = fs::read(path).ok()?;
    let line = text.split(|byte| *byte == b'\n').next()?;
    ledger::Header::parse(line).ok().map(|header| header.ledger)
}

/// The key by which signatures in a data directory are checked.
pub fn public_key(dir: &Path) -> anyhow::Result<PublicKey> {
    let at = dir.join("signing.pub");
    let text = fs::read_to_string(&at).with_context(|| format!("cannot read {}", at.display()))?;
    text.parse().map_err(|why| anyhow!("{}: {why}", at.display()))
}

/// What is said where a new ledger stands in the place of a lost one.
pub fn given_up(done: &Replayed) -> String {
    format!(
        "a new ledger of erasures is started: entries of the lost one that this database does not have are lost. \
         Users erased or moved to trash since may be back, and keys revoked since may be valid again. {} users \
         were erased again from their receipts. Older backups now need `usher restore FILE --without-ledger`",
        done.by_receipts
    )
}
