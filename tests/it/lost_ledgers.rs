//! A ledger of erasures that is lost without a copy: the way out, and what is given up by it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::process::{begin, directory, key, lines, recovery_key, refused, sqlite, usher};
use crate::restore::{House, wait_for_proof};

const LEDGER: &str = "erasures.ledger";

struct Past {
    dir: TempDir,
    place: TempDir,
    backup: PathBuf,
    key: String,
    recovery: String,
}

impl Past {
    /// A backup, then two erasures and a hiding.
    fn new() -> Past {
        let (dir, place) = (directory(), directory());
        let recovery = recovery_key(&begin(dir.path()));
        let key = key(dir.path(), "main");
        let house = House::open(dir.path(), &key, &[]);
        for name in ["ann-the-erased", "ben-the-erased", "cat-the-hidden", "dan-the-living"] {
            house.did(name, "Old History");
        }
        let backup = PathBuf::from(lines(dir.path(), &["backup", &place.path().to_string_lossy()]).remove(0));
        house.erase(dir.path(), "ann-the-erased");
        house.erase(dir.path(), "ben-the-erased");
        house.delete("cat-the-hidden", "");
        assert!(house.server.terminate().success());
        Past { dir, place, backup, key, recovery }
    }

    fn copy_receipt(&self, number: &str) {
        for receipt in fs::read_dir(self.dir.path().join("receipts")).expect("a folder").flatten() {
            if receipt.file_name().to_string_lossy().starts_with(number) {
                fs::copy(receipt.path(), self.place.path().join(receipt.file_name())).expect("a copy");
            }
        }
    }

    fn restore(&self, dir: &Path, more: &[&str]) -> (Option<i32>, String) {
        let backup = self.backup.to_string_lossy();
        let output = usher(dir, &[&["restore", &backup], more].concat())
            .env("USHER_RECOVERY_KEY", &self.recovery)
            .output()
            .expect("the program runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn reason(dir: &Path) -> String {
    sqlite(dir)
        .query_row("SELECT reason FROM audit WHERE action = 'begin new ledger'", [], |row| row.get(0))
        .expect("a row of the log")
}

#[test]
fn without_its_ledger_a_restore_erases_again_by_receipts() {
    let past = Past::new();
    let new = directory();
    let (code, said) = past.restore(new.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("must be beside the backup") && said.contains("--without-ledger"), "{said}");
    // Of one of the two there is a receipt.
    past.copy_receipt("000001");
    let (code, said) = past.restore(new.path(), &["--without-ledger"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is started") && said.contains("1 users were erased again"), "{said}");
    let ledger = fs::read_to_string(new.path().join(LEDGER)).expect("a ledger");
    assert!(ledger.lines().nth(1).expect("a line").contains("\"act\":\"anew\",\"lost\":\""), "{ledger}");
    assert!(reason(new.path()).contains("was lost"), "{}", reason(new.path()));

    let house = House::open(new.path(), &past.key, &[]);
    assert_eq!(house.status("ann-the-erased"), 404, "a receipt names her");
    assert_eq!(house.status("ben-the-erased"), 200, "what is given up");
    assert_eq!(house.status("cat-the-hidden"), 200);
    assert_eq!(house.status("dan-the-living"), 200);
    house.erase(new.path(), "ben-the-erased");
    assert!(house.server.terminate().success());
    let said = lines(new.path(), &["verify"]).join("\n");
    assert!(said.contains("1 belong to a lost ledger"), "{said}");
    // The same backup once more, beside the new ledger: what that has is done again.
    let why = refused(new.path(), &["restore", &past.backup.to_string_lossy()]);
    assert!(why.contains("belongs to another database") && why.contains("--without-ledger"), "{why}");
    let (code, said) = past.restore(new.path(), &["--without-ledger"]);
    assert_eq!(code, Some(0), "{said}");
    let house = House::open(new.path(), &past.key, &[]);
    assert_eq!(house.status("ann-the-erased"), 404);
    assert_eq!(house.status("ben-the-erased"), 404, "the new ledger has him");
    assert_eq!(house.status("dan-the-living"), 200);
    wait_for_proof(new.path());
    assert!(house.server.terminate().success());
    lines(new.path(), &["verify"]);
}

#[test]
fn a_ledger_that_is_there_and_fits_is_not_given_up() {
    let past = Past::new();
    fs::copy(past.dir.path().join(LEDGER), past.place.path().join(LEDGER)).expect("a copy");
    let new = directory();
    let (code, said) = past.restore(new.path(), &["--without-ledger"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("exists and matches: restore without"), "{said}");
    let (code, said) = past.restore(new.path(), &[]);
    assert_eq!(code, Some(0), "{said}");
    let why = refused(new.path(), &["serve", "--listen", "127.0.0.1:0", "--new-ledger"]);
    assert!(why.contains("exists and matches"), "{why}");
    lines(new.path(), &["verify"]);
}

#[test]
fn a_server_goes_on_with_a_new_ledger_where_the_old_one_is_lost() {
    let past = Past::new();
    let dir = past.dir.path();
    fs::remove_file(dir.join(LEDGER)).expect("a file");
    for args in [&["key", "list"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let why = refused(dir, args);
        assert!(why.contains("there is no ledger of erasures"), "{why}");
        assert!(why.contains("`usher serve --new-ledger`") && why.contains("--without-ledger"), "{why}");
    }
    let house = House::open(dir, &past.key, &["--new-ledger"]);
    assert_eq!(house.status("ann-the-erased"), 404);
    assert_eq!(house.status("cat-the-hidden"), 404);
    assert_eq!(house.status("dan-the-living"), 200);
    house.erase(dir, "dan-the-living");
    assert!(house.server.terminate().success());
    assert!(reason(dir).contains("entries were known"), "{}", reason(dir));
    let said = lines(dir, &["verify"]).join("\n");
    assert!(said.contains("2 belong to a lost ledger"), "{said}");
    // Said once.
    let house = House::open(dir, &past.key, &[]);
    assert_eq!(house.status("dan-the-living"), 404);
    drop(house);
    // The backup from before: the receipts bring nobody back whom they name, the ledger neither.
    let (code, said) = past.restore(dir, &["--without-ledger"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2 users were erased again"), "{said}");
    let house = House::open(dir, &past.key, &[]);
    for name in ["ann-the-erased", "ben-the-erased", "dan-the-living"] {
        assert_eq!(house.status(name), 404, "{name}");
    }
}
