//! Folders that others may write to as well: copies, and what lies beside a backup. A link in one
//! leads nowhere.

use std::fs;
use std::os::unix::fs::symlink;

use usher::archive::Destination;
use usher::ledger::{Ledger, MacKey};

use crate::harness::START;
use crate::process::directory;
use crate::restore_kills::Shelf;

#[test]
fn a_receipt_beside_a_backup_that_is_a_link_is_left_out() {
    let (shelf, secret) = (Shelf::new(), directory());
    let secret = secret.path().join("secret");
    fs::write(&secret, "not for others\n").expect("written");
    let at = shelf.folder().join("000009-00000000000000000000000000000000.json");
    symlink(&secret, &at).expect("a link");
    let machine = directory();
    let output = shelf.restore(machine.path(), None);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("000009-") && said.contains("is a link"), "{said}");
    let taken = fs::read_dir(machine.path().join("receipts")).expect("receipts");
    assert!(taken.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with("000009-")));
    // The twin: without it nothing is said.
    fs::remove_file(&at).expect("removed");
    let output = shelf.restore(directory().path(), None);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("left out"), "{said}");
}

#[test]
fn a_link_among_the_copies_is_neither_written_nor_copied() {
    let (dir, place) = (directory(), directory());
    let victim = dir.path().join("victim");
    let whole = "not Usher's\n";
    fs::write(&victim, whole).expect("written");
    let ledger = dir.path().join("erasures.ledger");
    Ledger::create(&ledger, START, &MacKey::new(&[7; 32])).expect("a ledger");
    let bytes = fs::metadata(&ledger).expect("a file").len();
    let copies = Destination::directory(place.path());
    for name in ["erasures.ledger", ".000001-x.json.part"] {
        symlink(&victim, place.path().join(name)).expect("a link");
    }
    let receipt = dir.path().join("000001-x.json");
    fs::write(&receipt, "{}").expect("written");
    assert!(copies.follow_ledger(&ledger, bytes).is_err());
    assert!(copies.copy_file(&receipt).is_err());
    let link = dir.path().join("000002-x.json");
    symlink(&victim, &link).expect("a link");
    assert!(copies.copy_file(&link).is_err() && !place.path().join("000002-x.json").exists());
    assert_eq!(fs::read_to_string(&victim).expect("a file"), whole);
    // The twin: without the links both are copied.
    for name in ["erasures.ledger", ".000001-x.json.part"] {
        fs::remove_file(place.path().join(name)).expect("removed");
    }
    copies.follow_ledger(&ledger, bytes).expect("a copy");
    copies.copy_file(&receipt).expect("a copy");
}
