//! Opening a backup: file → age → tar, a chunk at a time, every figure held against the
//! manifest. The age format has each chunk carry its own proof, so that damage is found
//! where it is, and nothing that is damaged is passed on.

use std::cell::{Cell, RefCell};
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use age::DecryptError;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::error::{BackupError, Result};
use super::files::{self, Spilt, Tally};
use super::keys::Identities;
use super::manifest::{self, Manifest};
use super::{NAMES, SMALL_MAX};

/// The longest header of the encrypted part, in bytes. With two recipients it has some
/// 400; without a bound a forged one would be read into memory whole.
const HEADER_MAX: u64 = 4 * 1024;
/// A chunk of the age format, with its proof.
const SEALED_CHUNK: u64 = 64 * 1024 + 16;
/// What comes between the header and the first chunk.
const NONCE: u64 = 16;
/// How the folder is called that a backup is unpacked into.
const FOLDER: &str = ".unpacked-";

/// A backup that was unpacked and found whole: files in a folder of their own, which is
/// removed with all that is still in it when this is dropped.
#[derive(Debug)]
pub struct Unpacked {
    pub manifest: Manifest,
    folder: Folder,
}

impl Unpacked {
    /// On the same file system as the folder it was asked for in, so that a file in it
    /// can be renamed to where it belongs.
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    pub fn database(&self) -> PathBuf {
        self.folder.0.join("usher.db")
    }

    pub fn store_key(&self) -> PathBuf {
        self.folder.0.join("secrets/store.key")
    }

    pub fn signing_key(&self) -> PathBuf {
        self.folder.0.join("secrets/signing.key")
    }

    pub fn signing_pub(&self) -> PathBuf {
        self.folder.0.join("signing.pub")
    }
}

/// Opens a backup and checks all of it, without writing anything. The refusals are those
/// of [`super::read_manifest`], and [`BackupError::NoKeyFits`], [`BackupError::Edited`],
/// [`BackupError::Unexpected`].
pub fn check(path: &Path, identities: &Identities) -> Result<Manifest> {
    walk(path, identities, None)
}

/// Opens a backup into a new folder inside `dir`. The refusals are those of [`check`];
/// after any of them nothing is left in `dir`.
pub fn unpack(path: &Path, identities: &Identities, dir: &Path) -> Result<Unpacked> {
    let folder = Folder::make(dir)?;
    let manifest = walk(path, identities, Some(&folder.0))?;
    for inside in [folder.0.join("secrets").as_path(), &folder.0, dir] {
        files::sync_folder(inside)?;
    }
    Ok(Unpacked { manifest, folder })
}

/// Removes what an unpacking that was killed has left in `dir`: it is not encrypted. Only
/// for the process that holds the data directory, for nothing tells what is still in use.
pub fn sweep_unpacked(dir: &Path) -> Result<u64> {
    let left = left_unpacked(dir)?;
    for path in &left {
        fs::remove_dir_all(path).map_err(|error| BackupError::io("remove", path, error))?;
    }
    Ok(left.len() as u64)
}

/// What [`sweep_unpacked`] would remove.
pub fn left_unpacked(dir: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| BackupError::io("read the folder", dir, error);
    let mut left = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(FOLDER)) {
            left.push(entry.path());
        }
    }
    Ok(left)
}

#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make(dir: &Path) -> Result<Folder> {
        let path = dir.join(format!("{FOLDER}{:08x}", fastrand::u32(..)));
        let private = |path: &Path| {
            let made = DirBuilder::new().mode(0o700).create(path);
            made.map_err(|error| BackupError::io("make the folder", path, error))
        };
        private(&path)?;
        let folder = Folder(path);
        private(&folder.0.join("secrets"))?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now is swept at the next start.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// All of a backup, into a folder or to nowhere.
fn walk(path: &Path, identities: &Identities, into: Option<&Path>) -> Result<Manifest> {
    let manifest::Opened { manifest, line, rest } = manifest::open(path)?;
    let tap = Tap::new(rest);
    let header = |why: &DecryptError| match tap.fault() {
        Some(fault) => BackupError::io("read", path, fault),
        None => match (why, fits(&manifest, identities)) {
            (DecryptError::NoMatchingKeys, false) => BackupError::NoKeyFits {
                path: path.to_owned(),
                recovery: manifest.recipients.recovery.clone(),
                machine: manifest.recipients.machine.clone(),
                tried: identities.fingerprints(),
            },
            _ => BackupError::damaged(path, line, "its encrypted part does not begin as it should"),
        },
    };
    let decryptor = age::Decryptor::new(&tap).map_err(|why| header(&why))?;
    let begin = tap.position();
    tap.lift();
    let opened = decryptor.decrypt(identities.iter()).map_err(|why| header(&why))?;
    let plain = Plain { from: RefCell::new(opened), broken: Cell::new(false) };

    // A fault while reading: the file's, the encryption's, or the tar's.
    let blame = |error: io::Error| match tap.fault() {
        Some(fault) => BackupError::io("read", path, fault),
        None if plain.broken.get() => {
            let at = match tap.position().saturating_sub(begin + 1) / SEALED_CHUNK {
                // It may be the nonce before the first chunk that was damaged.
                0 => begin.saturating_sub(NONCE),
                chunk => begin + chunk * SEALED_CHUNK,
            };
            BackupError::damaged(path, line + at, "it cannot be decrypted from there on")
        }
        None => BackupError::Unexpected { path: path.to_owned(), what: error.to_string() },
    };
    read_tar(path, &plain, &manifest, into, &blame)?;
    if tap.position() != manifest.sealed_bytes || tap.digest() != manifest.sealed_sha256 {
        let field = "the digest of the encrypted part".to_owned();
        return Err(BackupError::Edited { path: path.to_owned(), field });
    }
    if !manifest.is_whole() {
        return Err(BackupError::Edited { path: path.to_owned(), field: "signature".to_owned() });
    }
    Ok(manifest)
}

/// One of these keys is one that the backup says it opens with.
fn fits(manifest: &Manifest, identities: &Identities) -> bool {
    let keys = &manifest.recipients;
    identities.fingerprints().0.iter().any(|key| *key == keys.recovery || *key == keys.machine)
}

fn read_tar<R: Read>(
    path: &Path,
    plain: &Plain<R>,
    manifest: &Manifest,
    into: Option<&Path>,
    blame: &dyn Fn(io::Error) -> BackupError,
) -> Result<()> {
    let alien = |what: String| BackupError::Unexpected { path: path.to_owned(), what };
    let mut archive = tar::Archive::new(plain);
    // Raw: names and links that a tar may carry beside its files are not followed, but
    // refused like anything else that we do not pack.
    let mut entries = archive.entries().map_err(blame)?.raw(true);
    for name in NAMES {
        let Some(entry) = entries.next() else { return Err(alien(format!("{name} is not in it"))) };
        let mut entry = entry.map_err(blame)?;
        if *entry.path_bytes() != *name.as_bytes() || !entry.header().entry_type().is_file() {
            return Err(alien(format!("something else is in the place of {name}")));
        }
        let bytes = entry.size();
        if name == NAMES[0] {
            if bytes > SMALL_MAX {
                return Err(alien(format!("{name} is too large")));
            }
            let mut inside = Vec::new();
            entry.read_to_end(&mut inside).map_err(blame)?;
            let inside =
                serde_json::from_slice(&inside).map_err(|_| alien(format!("{name} cannot be read")))?;
            if let Some(field) = manifest.differs(&inside) {
                return Err(BackupError::Edited { path: path.to_owned(), field });
            }
            continue;
        }
        let database = name == NAMES[1];
        if if database { bytes != manifest.database_bytes } else { bytes > SMALL_MAX } {
            return Err(alien(format!("{name} has another size than it says")));
        }
        let (poured, sha256) = extract(&mut entry, into.map(|folder| folder.join(name)), blame)?;
        if poured != bytes {
            return Err(alien(format!("{name} ends early")));
        }
        if database && sha256 != manifest.database_sha256 {
            return Err(alien(format!("{name} is not the database that it says")));
        }
    }
    if entries.next().is_some() {
        return Err(alien("it has unexpected entries".to_owned()));
    }
    // To its end, so that all of it is proven: a tar ends in zeros.
    let mut rest = Zeros { others: false };
    match files::pour(&mut archive.into_inner(), &mut rest, &|| true) {
        Ok(_) if rest.others => Err(alien("something follows its end".to_owned())),
        Ok(_) => Ok(()),
        Err(Spilt::Reading(error) | Spilt::Writing(error)) => Err(blame(error)),
    }
}

/// One file out of the tar, to `target` or to nowhere: how many bytes, and their SHA-256.
fn extract(
    entry: &mut dyn Read,
    target: Option<PathBuf>,
    blame: &dyn Fn(io::Error) -> BackupError,
) -> Result<(u64, String)> {
    let Some(target) = target else {
        let mut nowhere = Tally::new(io::sink());
        return match files::pour(entry, &mut nowhere, &|| true) {
            Ok(_) => Ok((nowhere.bytes, nowhere.end().1)),
            Err(Spilt::Reading(error) | Spilt::Writing(error)) => Err(blame(error)),
        };
    };
    let failed = |error| BackupError::io("write", &target, error);
    let mut file = Tally::new(files::private().create_new(true).open(&target).map_err(failed)?);
    match files::pour(entry, &mut file, &|| true) {
        Ok(_) => {}
        Err(Spilt::Reading(error)) => return Err(blame(error)),
        Err(Spilt::Writing(error)) => return Err(failed(error)),
    }
    let bytes = file.bytes;
    let (file, sha256) = file.end();
    file.sync_all().map_err(failed)?;
    Ok((bytes, sha256))
}

/// The encrypted part on its way to the decryption: counted, digested, and its own faults
/// kept, to be told from those that follow.
struct Tap {
    from: RefCell<BufReader<File>>,
    digest: RefCell<Sha256>,
    position: Cell<u64>,
    /// Where it seems to end, as long as the header is read.
    limit: Cell<u64>,
    fault: RefCell<Option<io::Error>>,
}

impl Tap {
    fn new(from: BufReader<File>) -> Tap {
        Tap {
            from: RefCell::new(from),
            digest: RefCell::default(),
            position: Cell::new(0),
            limit: Cell::new(HEADER_MAX),
            fault: RefCell::default(),
        }
    }

    /// The header was read: on to the end.
    fn lift(&self) {
        self.limit.set(u64::MAX);
    }

    fn position(&self) -> u64 {
        self.position.get()
    }

    fn fault(&self) -> Option<io::Error> {
        self.fault.borrow_mut().take()
    }

    fn digest(&self) -> String {
        HEXLOWER.encode(&self.digest.borrow().clone().finalize())
    }
}

impl Read for &Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.limit.get() - self.position.get()).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let read = self.from.borrow_mut().read(&mut buffer[..most]).inspect_err(|error| {
            if error.kind() != ErrorKind::Interrupted {
                let fault = io::Error::new(error.kind(), error.to_string());
                *self.fault.borrow_mut() = Some(fault);
            }
        })?;
        self.digest.borrow_mut().update(&buffer[..read]);
        self.position.set(self.position.get() + read as u64);
        Ok(read)
    }
}

/// What was decrypted; remembers that the decryption failed.
struct Plain<R> {
    from: RefCell<R>,
    broken: Cell<bool>,
}

impl<R: Read> Read for &Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.from.borrow_mut().read(buffer).inspect_err(|_| self.broken.set(true))
    }
}

/// Swallows zeros, and notes anything else.
struct Zeros {
    others: bool,
}

impl Write for Zeros {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.others |= bytes.iter().any(|byte| *byte != 0);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
