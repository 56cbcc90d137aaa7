//! What backups are encrypted to and opened with: `age` keys of the X25519 kind.
//!
//! Two keys open a backup. The owner's recovery key is shown once; we keep its public half
//! in `secrets/recovery.pub`. The machine's own, `secrets/backup.key`, is made when it is
//! first needed and lets the same machine restore without the owner; no backup holds it.
//! Which recovery key it was is sealed beside it, with the secret of the directory: damage, or a
//! key of somebody else, is noticed before a backup is encrypted to it.
//! A manifest names keys by fingerprint, never by their public halves: a reader who has only
//! copies of backups can so neither read nor forge one.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::Path;

use age::secrecy::ExposeSecret;
use age::x25519;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::{BackupError, Fingerprints, Result};
use super::files;
use crate::files::open;

/// In the folder of secrets: the public half of the owner's recovery key.
pub const RECOVERY_PUB: &str = "recovery.pub";
/// In the folder of secrets: a MAC of it.
const RECOVERY_SEAL: &str = "recovery.seal";
/// In the folder of secrets: the machine's own key.
pub const MACHINE_KEY: &str = "backup.key";

/// How secret keys begin.
const SECRET: &str = "AGE-SECRET-KEY-1";
/// The largest text that keys are looked for in.
const TEXT_MAX: u64 = 64 * 1024;

/// A recovery key that was just made. It is shown once, its public half is kept, and then it
/// is forgotten.
pub struct RecoveryKey {
    secret: age::secrecy::SecretString,
    public: x25519::Recipient,
}

impl RecoveryKey {
    /// Makes one for a directory that has none, and writes nothing yet.
    /// [`BackupError::RecoveryKeyExists`] if it has one.
    pub fn create(secrets: &Path) -> Result<RecoveryKey> {
        let path = secrets.join(RECOVERY_PUB);
        match path.try_exists() {
            Ok(false) => {}
            Ok(true) => return Err(BackupError::RecoveryKeyExists { path }),
            Err(error) => return Err(BackupError::io("read", &path, error)),
        }
        let identity = x25519::Identity::generate();
        Ok(RecoveryKey { public: identity.to_public(), secret: identity.to_string() })
    }

    /// Writes its public half, and nothing else, to the folder of secrets: backups are
    /// encrypted to it from now on. Those from before open with the key from before, or with
    /// the machine's.
    pub fn keep(&self, secrets: &Path) -> Result<()> {
        replace(secrets, &self.public)
    }

    /// `AGE-SECRET-KEY-1…`: to be shown once, to the owner.
    pub fn secret(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecoveryKey({})", fingerprint(&self.public))
    }
}

/// The two that a new backup is encrypted to.
#[derive(Clone)]
pub struct Recipients {
    recovery: x25519::Recipient,
    machine: x25519::Recipient,
}

impl Recipients {
    /// Reads them from the folder of secrets; makes the machine's key if there is none.
    /// [`BackupError::NoRecoveryKey`] if no recovery key was made yet.
    pub fn load(secrets: &Path) -> Result<Recipients> {
        let Some(recovery) = recovery_of(secrets)? else {
            return Err(BackupError::NoRecoveryKey { path: secrets.join(RECOVERY_PUB) });
        };
        let machine = match Identities::machine(secrets)?.0.first() {
            Some(identity) => identity.to_public(),
            None => {
                let identity = x25519::Identity::generate();
                put(secrets, MACHINE_KEY, identity.to_string().expose_secret())?;
                identity.to_public()
            }
        };
        Ok(Recipients { recovery, machine })
    }

    pub fn fingerprints(&self) -> RecipientFingerprints {
        RecipientFingerprints { recovery: fingerprint(&self.recovery), machine: fingerprint(&self.machine) }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        [&self.recovery as &dyn age::Recipient, &self.machine].into_iter()
    }
}

/// [`BackupError::BadKey`] if the public half of the recovery key is damaged,
/// [`BackupError::OtherRecoveryKey`] if it is not the one that was sealed. False: it is not sealed
/// yet, or there is none.
pub fn check_recovery(secrets: &Path, mac: impl Fn(&[u8]) -> [u8; 32]) -> Result<bool> {
    let Some(recovery) = recovery_of(secrets)? else { return Ok(false) };
    let seal = secrets.join(RECOVERY_SEAL);
    match text_of(&seal)? {
        None => Ok(false),
        Some(text) if text.trim() == HEXLOWER.encode(&mac(recovery.to_string().as_bytes())) => Ok(true),
        Some(_) => Err(BackupError::OtherRecoveryKey { path: secrets.join(RECOVERY_PUB), seal }),
    }
}

/// Seals the recovery key that is there, if there is one.
pub fn seal_recovery(secrets: &Path, mac: impl Fn(&[u8]) -> [u8; 32]) -> Result<()> {
    match recovery_of(secrets)? {
        Some(key) => put(secrets, RECOVERY_SEAL, &HEXLOWER.encode(&mac(key.to_string().as_bytes()))),
        None => Ok(()),
    }
}

/// The keys that a backup opens with, in its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientFingerprints {
    pub recovery: String,
    pub machine: String,
}

/// Secret keys to open a backup with.
#[derive(Clone, Default)]
pub struct Identities(Vec<x25519::Identity>);

impl Identities {
    /// Reads the keys in a text, each in a line of its own or at the end of one; other lines are left out, as
    /// those of the file in which a recovery key is handed over. `from` is what a refusal calls the text.
    /// [`BackupError::BadKey`] if a key does not read, or none is there.
    pub fn parse(from: &str, text: &str) -> Result<Identities> {
        let bad = |why| BackupError::BadKey { from: from.to_owned(), why };
        let (mut keys, mut lines, mut publics) = (Vec::new(), 0, 0);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            lines += 1;
            // A key that was typed from paper may be in small letters, or in both.
            let line = line.to_ascii_uppercase();
            let Some(key) = line.split_ascii_whitespace().next_back() else { continue };
            publics += usize::from(line.starts_with("AGE1"));
            // From where it begins: one with a space in it has a part behind the space.
            let Some(begin) = line.find(SECRET) else { continue };
            if !key.starts_with(SECRET) && line[..begin].trim().is_empty() {
                return Err(bad("the key has a typing error, or a part of it is missing"));
            }
            if key.starts_with(SECRET) {
                keys.push(
                    key.parse().map_err(|_| bad("the key has a typing error, or a part of it is missing"))?,
                );
            }
        }
        match (keys.is_empty(), publics, lines) {
            (false, ..) => Ok(Identities(keys)),
            (true, 1.., _) => {
                Err(bad("this is the public half; the secret key begins with AGE-SECRET-KEY-1"))
            }
            (true, _, 0) => Err(bad("it is empty; a recovery key begins with AGE-SECRET-KEY-1")),
            (true, ..) => Err(bad("a recovery key is one line that begins with AGE-SECRET-KEY-1")),
        }
    }

    /// Reads the keys in a file, as [`Identities::parse`] does.
    pub fn from_file(path: &Path) -> Result<Identities> {
        let missing = || BackupError::io("read", path, ErrorKind::NotFound.into());
        let text = text_of(path)?.ok_or_else(missing)?;
        Identities::parse(&path.display().to_string(), &text)
    }

    /// Reads the keys in an environment variable. None: it is not set.
    pub fn from_env(name: &str) -> Result<Option<Identities>> {
        match std::env::var(name) {
            Ok(text) => Identities::parse(name, &text).map(Some),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(BackupError::BadKey { from: name.to_owned(), why: "it is not text" })
            }
        }
    }

    /// The machine's own key; none on a machine that never made a backup.
    pub fn machine(secrets: &Path) -> Result<Identities> {
        let path = secrets.join(MACHINE_KEY);
        match text_of(&path)? {
            Some(text) => Identities::parse(&path.display().to_string(), &text),
            None => Ok(Identities::default()),
        }
    }

    /// These and those.
    pub fn and(mut self, others: Identities) -> Identities {
        self.0.extend(others.0);
        self
    }

    /// Makes the first of these the recovery key of the directory: on a new machine, the
    /// owner's key stays theirs. Only the public half is written.
    pub fn adopt(&self, secrets: &Path) -> Result<()> {
        let Some(identity) = self.0.first() else {
            return Err(BackupError::NoRecoveryKey { path: secrets.join(RECOVERY_PUB) });
        };
        replace(secrets, &identity.to_public())
    }

    pub fn fingerprints(&self) -> Fingerprints {
        Fingerprints(self.0.iter().map(|identity| fingerprint(&identity.to_public())).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.0.iter().map(|identity| identity as &dyn age::Identity)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.fingerprints())
    }
}

/// 16 hex digits that tell keys apart. Of a hash: the public half cannot be had from them.
fn fingerprint(key: &x25519::Recipient) -> String {
    HEXLOWER.encode(&Sha256::digest(key.to_string())[..8])
}

fn recovery_of(secrets: &Path) -> Result<Option<x25519::Recipient>> {
    let path = secrets.join(RECOVERY_PUB);
    let Some(text) = text_of(&path)? else { return Ok(None) };
    let bad = |_| BackupError::BadKey {
        from: path.display().to_string(),
        why: "it must have the public half of the recovery key, one line that begins with age1; put it back from \
              a copy, or remove it: the next start makes another recovery key and shows it once",
    };
    text.trim().parse().map(Some).map_err(bad)
}

/// Another recovery key, which the next start seals.
fn replace(secrets: &Path, key: &x25519::Recipient) -> Result<()> {
    let seal = secrets.join(RECOVERY_SEAL);
    match std::fs::remove_file(&seal) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(BackupError::io("remove", &seal, error));
        }
        _ => {}
    }
    put(secrets, RECOVERY_PUB, &key.to_string())
}

fn put(secrets: &Path, name: &str, key: &str) -> Result<()> {
    files::make_folder(secrets)?;
    files::put(secrets, name, format!("{key}\n").as_bytes())
}

/// The text of a small file. None: there is no such file.
fn text_of(path: &Path) -> Result<Option<String>> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BackupError::io("read", path, error)),
    };
    let mut text = String::new();
    match file.take(TEXT_MAX).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            let why = "it is not text; put it back from a copy";
            Err(BackupError::BadKey { from: path.display().to_string(), why })
        }
        Err(error) => Err(BackupError::io("read", path, error)),
    }
}
