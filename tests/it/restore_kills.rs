//! A restore that is killed at each step of its way: the next one ends as if it had been the
//! first.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::{begin, directory, key, lines, recovery_key, sqlite, usher};
use crate::restore::House;

/// A library that ends the program before its nth change of a name.
pub fn shim(folder: &Path) -> PathBuf {
    crate::shim::compiled(folder, "kill_at", include_str!("kill_at.c"))
}

/// What an empty machine has to begin with: a backup, ledger and receipts beside it, and
/// the recovery key.
pub struct Shelf {
    folder: tempfile::TempDir,
    backup: PathBuf,
    recovery: String,
    receipts: usize,
}

impl Shelf {
    pub fn new() -> Shelf {
        let (dir, folder) = (directory(), directory());
        let recovery = recovery_key(&begin(dir.path()));
        let key = key(dir.path(), "main");
        let house = House::open(dir.path(), &key, &[]);
        for name in ["ann-the-erased", "ben-the-erased", "cat-the-late", "dan-the-living"] {
            house.did(name, "Old History");
        }
        house.erase(dir.path(), "ann-the-erased");
        house.erase(dir.path(), "ben-the-erased");
        let made = lines(dir.path(), &["backup", &folder.path().to_string_lossy()]).remove(0);
        house.erase(dir.path(), "cat-the-late");
        assert!(house.server.terminate().success());
        let mut receipts = 0;
        let ledger = dir.path().join("erasures.ledger");
        fs::copy(ledger, folder.path().join("erasures.ledger")).expect("a copy");
        for entry in fs::read_dir(dir.path().join("receipts")).expect("receipts") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("a copy");
            receipts += 1;
        }
        assert_eq!(receipts, 3);
        let shelf = Shelf { folder, backup: PathBuf::from(made), recovery, receipts };
        shelf.is_readable(true);
        shelf
    }

    /// For everybody, or for its owner alone.
    fn is_readable(&self, is: bool) {
        let mode = |mode: u32| fs::Permissions::from_mode(if is { mode | 0o055 } else { mode });
        fs::set_permissions(self.folder.path(), mode(0o700)).expect("a mode");
        for entry in fs::read_dir(self.folder.path()).expect("a folder") {
            fs::set_permissions(entry.expect("an entry").path(), mode(0o600)).expect("a mode");
        }
    }

    /// Where the backup lies, and the ledger and receipts beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn hide(&self) {
        self.is_readable(false);
    }

    pub fn command(&self, dir: &Path) -> Command {
        let mut command = usher(dir, &["restore", &self.backup.to_string_lossy()]);
        command.env("USHER_RECOVERY_KEY", &self.recovery);
        command
    }

    pub fn restore(&self, dir: &Path, killed: Option<(&Path, u32)>) -> Output {
        let mut command = self.command(dir);
        if let Some((shim, at)) = killed {
            command.env("LD_PRELOAD", shim).env("KILL_AT", at.to_string());
        }
        command.output().expect("the program runs")
    }
}

#[test]
fn a_restore_killed_at_any_step_is_made_good_by_the_next() {
    let shelf = Shelf::new();
    let tools = directory();
    let shim = shim(tools.path());
    let mut at = 0;
    loop {
        at += 1;
        let machine = directory();
        let dir = machine.path();
        let first = shelf.restore(dir, Some((&shim, at)));
        let is_over = first.status.success();
        assert!(is_over || first.status.code().is_none(), "{}", String::from_utf8_lossy(&first.stderr));
        let second = shelf.restore(dir, None);
        assert!(second.status.success(), "step {at}: {}", String::from_utf8_lossy(&second.stderr));
        let verified = usher(dir, &["verify"]).output().expect("the program runs");
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.success(), "step {at}: {said}");
        let receipts = fs::read_dir(dir.join("receipts")).expect("receipts").count();
        assert!(receipts >= shelf.receipts, "step {at}: {receipts} receipts are left: {said}");
        assert!(said.contains(&format!("receipts: {receipts} in one chain")), "step {at}: {said}");
        let there: i64 = sqlite(dir)
            .query_row("SELECT COUNT(*) FROM users WHERE identifier = 'cat-the-late'", [], |row| row.get(0))
            .expect("a count");
        assert_eq!(there, 0, "step {at}");
        assert!(dir.join("secrets/recovery.pub").exists(), "step {at}: the owner's key does not go on");
        if is_over {
            break;
        }
    }
    assert!(at > 10, "only {at} steps: nothing was killed");
    eprintln!("killed at each of {} steps", at - 1);
}
