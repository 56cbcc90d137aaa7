//! A data directory with its keys, whose backups are packed and opened.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use usher::archive::{
    self, About, BackupError, Contents, Identities, LedgerPosition, Packed, Recipients, RecoveryKey,
};
use usher::clock::Millis;

use super::folder;

/// 2026-11-24T21:55:00Z
pub const MADE: Millis = 1_795_557_300_000;

/// A data directory with its keys, and a recovery key whose owner kept it.
pub struct House {
    dir: TempDir,
    pub recovery: Identities,
    pub secret: String,
}

impl House {
    pub fn new() -> House {
        House::at(folder())
    }

    /// Where programs may be run, too: memory is often mounted so that they may not.
    pub fn on_disk() -> House {
        House::at(tempfile::tempdir().expect("a directory"))
    }

    fn at(dir: TempDir) -> House {
        let secrets = dir.path().join("secrets");
        fs::create_dir(&secrets).expect("a folder");
        fs::write(secrets.join("store.key"), [7; 32]).expect("a key");
        fs::write(secrets.join("signing.key"), [8; 32]).expect("a key");
        fs::write(dir.path().join("signing.pub"), "the public half\n").expect("a key");
        let key = RecoveryKey::create(&secrets).expect("a recovery key");
        key.keep(&secrets).expect("a place for it");
        let recovery = Identities::parse("the paper", key.secret()).expect("a key");
        House { dir, recovery, secret: key.secret().to_owned() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn secrets(&self) -> PathBuf {
        self.path().join("secrets")
    }

    pub fn backups(&self) -> PathBuf {
        self.path().join("backups")
    }

    pub fn machine(&self) -> Identities {
        Identities::machine(&self.secrets()).expect("the machine's key")
    }

    /// A "database" of these bytes, packed.
    pub fn pack(&self, bytes: &[u8]) -> Packed {
        self.pack_at(bytes, MADE, 12)
    }

    pub fn pack_at(&self, bytes: &[u8], made_at: Millis, seq: u64) -> Packed {
        let database = self.path().join("copy.db");
        fs::write(&database, bytes).expect("a file");
        self.try_pack(&database, about(made_at, seq), &self.backups()).expect("a backup")
    }

    pub fn try_pack(&self, database: &Path, about: About, folder: &Path) -> Result<Packed, BackupError> {
        let recipients = Recipients::load(&self.secrets()).expect("recipients");
        archive::pack(&Contents::of(self.path(), database), about, &recipients, folder)
    }
}

pub fn about(made_at: Millis, seq: u64) -> About {
    About { made_at, version: "0.1.0".into(), schema: 1, ledger: position(seq) }
}

pub fn position(seq: u64) -> LedgerPosition {
    LedgerPosition { ledger: "ab".repeat(16), seq, head: "cd".repeat(32), offset: 100 * seq }
}

pub fn random(bytes: usize) -> Vec<u8> {
    std::iter::repeat_with(|| fastrand::u8(..)).take(bytes).collect()
}
