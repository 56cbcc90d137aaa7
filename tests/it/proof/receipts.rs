//! The directory of receipts, which is their chain.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use usher::proof::check::check_one;
use usher::proof::hex::Hex;
use usher::proof::receipts::{Last, Receipts, Trouble};

use super::{chain_of, draft, names, path_of, signer};
use crate::needs::SmallDisk;

#[test]
fn each_receipt_follows_on_the_one_before_it_also_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let folder = dir.path().join("receipts");
    let mut before = Last::NONE;
    for n in 1..=4 {
        let mut receipts = Receipts::open(&folder).expect("receipts");
        assert_eq!((receipts.last(), receipts.is_empty()), (before, n == 1));
        let stored = receipts.next(&signer(), &draft(n)).expect("a receipt");
        assert_eq!((stored.receipt.number, stored.receipt.previous), (u64::from(n), before.hash));
        assert_eq!(stored.path, path_of(&folder, n));
        let bytes = fs::read(&stored.path).expect("a file");
        assert_eq!((bytes == stored.bytes, Hex::sha256(&bytes)), (true, stored.hash));
        assert_eq!(check_one(&bytes, &signer().public()).as_ref(), Ok(&stored.receipt));
        assert_eq!(stored.path.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
        before = Last { number: u64::from(n), hash: stored.hash };
        assert_eq!(receipts.last(), before);
    }
    assert_eq!(folder.metadata().expect("a folder").permissions().mode() & 0o777, 0o700);
    assert_eq!(names(&folder).len(), 4);
}

#[test]
fn a_receipt_that_exists_is_final() {
    let dir = chain_of(3);
    let kept = fs::read(path_of(dir.path(), 2)).expect("a file");
    let mut other = draft(2);
    other.scan.bytes += 1;
    let mut receipts = Receipts::open(dir.path()).expect("receipts");
    for receipts in [&mut receipts, &mut Receipts::open(dir.path()).expect("receipts")] {
        let stored = receipts.next(&signer(), &other).expect("a receipt");
        assert_eq!((stored.receipt.number, &stored.bytes), (2, &kept));
        assert_eq!(receipts.find(Hex([2; 16])).expect("a look"), Some(stored));
        assert_eq!(receipts.find(Hex([4; 16])).expect("a look"), None);
        assert_eq!(receipts.last().number, 3);
    }
    assert_eq!(fs::read(path_of(dir.path(), 2)).expect("a file"), kept);
    assert_eq!(names(dir.path()).len(), 3);
    assert_eq!(receipts.next(&signer(), &draft(4)).expect("a receipt").receipt.number, 4);
}

#[test]
fn what_a_stop_left_half_written_is_removed_and_nothing_else() {
    let dir = chain_of(2);
    let half = dir.path().join(format!(".000003-{}.json.new", Hex([3; 16])));
    fs::write(&half, "{\"asked").expect("a file");
    fs::write(dir.path().join("README"), "ours").expect("a file");
    let mut receipts = Receipts::open(dir.path()).expect("receipts");
    assert!(!half.exists() && dir.path().join("README").exists());
    assert_eq!(receipts.last().number, 2);
    assert_eq!(receipts.next(&signer(), &draft(3)).expect("a receipt").receipt.number, 3);
}

#[test]
fn a_changed_receipt_is_not_handed_out_and_not_made_again() {
    let dir = chain_of(2);
    let path = path_of(dir.path(), 1);
    let kept = fs::read(&path).expect("a file");
    fs::write(&path, &kept[..kept.len() / 2]).expect("a file");
    let mut receipts = Receipts::open(dir.path()).expect("receipts");
    let why = receipts.next(&signer(), &draft(1)).expect_err("a refusal");
    assert!(matches!(why, Trouble::Damaged { .. }) && why.to_string().contains("cut short"), "{why}");
    assert!(matches!(receipts.find(Hex([1; 16])), Err(Trouble::Damaged { .. })));
    assert_eq!(names(dir.path()).len(), 2);
    fs::write(&path, &kept).expect("a file");
    assert_eq!(receipts.next(&signer(), &draft(1)).expect("a receipt").bytes, kept);
}

#[test]
fn what_no_receipt_may_say_takes_no_number() {
    let dir = chain_of(1);
    let mut receipts = Receipts::open(dir.path()).expect("receipts");
    let mut found = draft(2);
    found.scan.found = 3;
    let why = receipts.next(&signer(), &found).expect_err("a refusal");
    assert!(why.to_string().contains("`scan.found` must be 0"), "{why}");
    assert_eq!((names(dir.path()).len(), receipts.last().number), (1, 1));
    assert_eq!(receipts.next(&signer(), &draft(2)).expect("a receipt").receipt.number, 2);
}

#[test]
fn a_full_disk_leaves_the_chain_as_it_was() {
    let Some(disk) = SmallDisk::of(64) else { return };
    let mut receipts = Receipts::open(&disk.path().join("receipts")).expect("receipts");
    receipts.next(&signer(), &draft(1)).expect("a receipt");
    let ballast = disk.path().join("ballast");
    while fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&ballast)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &[0; 4096]))
        .is_ok()
    {}
    let before = receipts.last();
    let why = receipts.next(&signer(), &draft(2)).expect_err("no room");
    assert!(matches!(why, Trouble::Io { doing: "write", .. }), "{why}");
    assert_eq!(receipts.last(), before);
    assert_eq!(names(&disk.path().join("receipts")).len(), 1, "nothing half written is left");
    fs::remove_file(&ballast).expect("a file");
    let stored = receipts.next(&signer(), &draft(2)).expect("a receipt");
    assert_eq!((stored.receipt.number, stored.receipt.previous), (2, before.hash));
}
