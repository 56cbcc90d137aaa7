//! Making a backup: database → tar → age → file, a chunk at a time.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::{BackupError, Result};
use super::files::{self, Draft, Spilt, Tally};
use super::keys::Recipients;
use super::manifest::{LedgerPosition, Manifest};
use super::{NAMES, SMALL_MAX};
use crate::clock::{self, Millis};
use crate::proof::signing::Signer;

/// What goes into a backup.
#[derive(Debug, Clone)]
pub struct Contents {
    /// A finished database file that nobody writes to any more.
    pub database: PathBuf,
    pub store_key: PathBuf,
    pub signing_key: PathBuf,
    pub signing_pub: PathBuf,
}

impl Contents {
    /// A database, and the keys of the data directory `dir`.
    pub fn of(dir: &Path, database: &Path) -> Contents {
        Contents {
            database: database.to_owned(),
            store_key: dir.join("secrets/store.key"),
            signing_key: dir.join("secrets/signing.key"),
            signing_pub: dir.join("signing.pub"),
        }
    }

    fn small(&self) -> [(&'static str, &Path); 3] {
        [
            ("secrets/store.key", &self.store_key),
            ("secrets/signing.key", &self.signing_key),
            ("signing.pub", &self.signing_pub),
        ]
    }
}

/// What its maker knows of a backup.
#[derive(Debug, Clone)]
pub struct About {
    /// Not before the database was copied: users who came before that may be in it.
    pub made_at: Millis,
    /// Of the program.
    pub version: String,
    /// Of the database.
    pub schema: i64,
    /// What the database knows of the ledger, read from the database itself.
    pub ledger: LedgerPosition,
}

/// A backup that was made: whole, and on the disk under its name.
#[derive(Debug)]
pub struct Packed {
    pub path: PathBuf,
    pub manifest: Manifest,
}

/// Makes a backup in `folder`, which is made if need be. The database is read twice, once
/// for the digest that comes before it; one that changes meanwhile is a
/// [`BackupError::Changed`]. Whatever refuses, no `.backup` file is left.
pub fn pack(contents: &Contents, about: About, recipients: &Recipients, folder: &Path) -> Result<Packed> {
    let (database_bytes, database_sha256) = digest(&contents.database)?;
    let mut small = Vec::new();
    for (name, path) in contents.small() {
        small.push((name, files::read_small(path, SMALL_MAX)?));
    }
    let mut manifest = Manifest {
        made_at: about.made_at,
        version: about.version,
        schema: about.schema,
        ledger: about.ledger,
        database_bytes,
        database_sha256,
        recipients: recipients.fingerprints(),
        sealed_bytes: 0,
        sealed_sha256: String::new(),
        key: None,
        signature: None,
    };
    let signer = signer(contents, &small)?;
    // Named inside, too: nobody can take the signature away and call it the format before.
    manifest.sign(&signer);
    files::make_folder(folder)?;
    let draft = Draft::create(folder, &name(manifest.made_at))?;
    seal(&mut manifest, &contents.database, &small, recipients, &draft, &signer)?;
    let path = draft.publish()?;
    Ok(Packed { path, manifest })
}

/// The key that signs the first line: the one that goes into the backup.
fn signer(contents: &Contents, small: &[(&str, Vec<u8>)]) -> Result<Signer> {
    let bytes = small.iter().find(|(name, _)| *name == NAMES[3]).map(|(_, bytes)| bytes.as_slice());
    match bytes.and_then(|bytes| bytes.try_into().ok()) {
        Some(secret) => Ok(Signer::of(secret)),
        None => Err(BackupError::BadKey {
            from: contents.signing_key.display().to_string(),
            why: "it must have 32 bytes; put it back from a copy or a backup",
        }),
    }
}

/// Writes all of a backup; fills in the manifest what is known only then.
fn seal(
    manifest: &mut Manifest,
    database: &Path,
    small: &[(&str, Vec<u8>)],
    recipients: &Recipients,
    draft: &Draft,
    signer: &Signer,
) -> Result<()> {
    let failed = |error| BackupError::io("write", &draft.path, error);
    let mut file = &draft.file;
    file.write_all(&manifest.unsealed().line()).map_err(failed)?;

    let encryptor = age::Encryptor::with_recipients(recipients.iter())
        .map_err(|error| BackupError::Cipher(error.to_string()))?;
    let sealed = Tally::new(BufWriter::with_capacity(files::CHUNK, file));
    let mut tar = tar::Builder::new(encryptor.wrap_output(sealed).map_err(failed)?);
    let inside = serde_json::Value::Object(manifest.inside()).to_string();
    append(&mut tar, NAMES[0], inside.len() as u64, manifest.made_at, &mut inside.as_bytes())
        .map_err(failed)?;
    let mut source = Source::open(database, manifest.database_bytes)?;
    append(&mut tar, NAMES[1], manifest.database_bytes, manifest.made_at, &mut source).map_err(|error| {
        // The source keeps its own faults; what is left is the target's.
        source.fault.take().map_or_else(|| failed(error), |fault| BackupError::io("read", database, fault))
    })?;
    if source.digest() != (manifest.database_bytes, manifest.database_sha256.clone()) {
        return Err(BackupError::Changed { path: database.to_owned() });
    }
    for (name, bytes) in small {
        append(&mut tar, name, bytes.len() as u64, manifest.made_at, &mut bytes.as_slice())
            .map_err(failed)?;
    }
    let sealed = tar.into_inner().and_then(age::stream::StreamWriter::finish).map_err(failed)?;

    manifest.sealed_bytes = sealed.bytes;
    let (mut rest, sealed_sha256) = sealed.end();
    manifest.sealed_sha256 = sealed_sha256;
    manifest.sign(signer);
    rest.flush().map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    file.write_all(&manifest.line()).map_err(failed)
}

/// `bytes` of `from` as a plain file of the tar; nothing in its header tells of the machine.
fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    name: &str,
    bytes: u64,
    made_at: Millis,
    from: &mut dyn Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(made_at.div_euclid(clock::SECOND).max(0).unsigned_abs());
    header.set_cksum();
    tar.append(&header, from)
}

/// The database on its way: at most as long as it was, digested again, and with its own
/// faults told from those of the target.
struct Source {
    file: io::Take<File>,
    tally: Tally<io::Sink>,
    fault: Option<io::Error>,
}

impl Source {
    fn open(path: &Path, bytes: u64) -> Result<Source> {
        let file = File::open(path).map_err(|error| BackupError::io("read", path, error))?;
        Ok(Source { file: file.take(bytes), tally: Tally::new(io::sink()), fault: None })
    }

    /// How many bytes went by, and their digest.
    fn digest(self) -> (u64, String) {
        (self.tally.bytes, self.tally.end().1)
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer).inspect_err(|error| {
            self.fault = Some(io::Error::new(error.kind(), error.to_string()));
        })?;
        self.tally.write_all(&buffer[..read])?;
        Ok(read)
    }
}

fn digest(path: &Path) -> Result<(u64, String)> {
    let failed = |error| BackupError::io("read", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut tally = Tally::new(io::sink());
    match files::pour(&mut file, &mut tally, &|| true) {
        Ok(_) => Ok((tally.bytes, tally.end().1)),
        Err(Spilt::Reading(error) | Spilt::Writing(error)) => Err(failed(error)),
    }
}

/// `usher-20261124T215500Z-1a2b3c4d.backup`. The digits at the end tell apart what was
/// made within one second, or by another machine.
fn name(made_at: Millis) -> String {
    let time = clock::rfc3339(made_at).replace(['-', ':'], "");
    format!("usher-{time}-{:08x}.backup", fastrand::u32(..))
}
