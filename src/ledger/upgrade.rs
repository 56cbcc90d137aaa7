//! From version 1 to version 2. The chain values stay what they were, so that marks, backups
//! and receipts of version 1 go on fitting; each line gets its MAC.

use std::fs::{self, File};
use std::path::Path;

use super::entry::{Header, UNSEALED, VERSION};
use super::error::LedgerError;
use super::lines::Lines;
use super::look::Looking;
use super::{MacKey, Position};
use crate::atomic_file;

/// The version that the first line of a file tells. None: there is no file, or its first line
/// is no header.
pub fn version_of(path: &Path) -> Option<u64> {
    let file = std::io::BufReader::new(File::open(path).ok()?);
    let line = Lines::from(file, 1).next()?.ok()?;
    let header = Header::parse(&line.bytes).ok()?;
    Some(if header.mac.is_some() { VERSION } else { UNSEALED })
}

/// Writes a ledger of version 1 anew as one of version 2, in its place: a kill at any instant
/// leaves the one or the other, whole. The old file stays under the name `kept`. `places` are
/// those that the ledger must have come to, as version 1 counts them; one that it has come to
/// as version 2 counts names that version, and the file is refused: somebody has taken the MACs
/// away. Nothing is changed by a refusal.
pub fn upgrade(path: &Path, mac_key: &MacKey, places: &[Position], kept: &Path) -> Result<(), LedgerError> {
    let file = File::open(path).map_err(|error| LedgerError::io(path, error))?;
    let looking = Looking { path, file: &file, mac_key: None };
    let (mut lines, mut sealed_length) = (String::new(), 0);
    let mut sealed = Vec::new();
    let (header, begin) = looking.header(&mut looking.lines()?, &[])?;
    let first = Header::sealed(header.ledger, header.at, mac_key);
    lines.push_str(&first.line());
    sealed_length += first.line().len() as u64;
    let mut note = |place: Position, sealed_length: u64| {
        if places.iter().any(|asked| asked.seq == place.seq) {
            sealed.push(Position { offset: sealed_length, ..place });
        }
    };
    note(begin, sealed_length);
    let seen = looking.run(places, |entry, place| {
        let line = entry.clone().sealed(mac_key).line();
        sealed_length += line.len() as u64;
        lines.push_str(&line);
        note(*place, sealed_length);
    })?;
    for (asked, found) in places.iter().zip(seen.places) {
        if sealed.contains(asked) {
            return Err(LedgerError::Stripped { path: path.to_owned(), by: "the database".into() });
        }
        found?;
    }
    put(path, lines.as_bytes(), kept).map_err(|error| LedgerError::io(path, error))
}

fn put(path: &Path, bytes: &[u8], kept: &Path) -> std::io::Result<()> {
    // An earlier try may have been killed after this.
    atomic_file::remove(kept)?;
    fs::hard_link(path, kept)?;
    atomic_file::replace(path, bytes, 0o600)
}
