//! The directory of receipts, which is their chain.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use usher::proof::check::{check_one, figures};
use usher::proof::draft::Draft;
use usher::proof::figures;
use usher::proof::hex::Hex;
use usher::proof::receipts::{Last, ReceiptError, Receipts};

use super::{PROJECT, chain_of, draft, path_of, signer};
use crate::common::names_in;

#[test]
fn each_receipt_follows_the_last_also_after_a_restart() {
    let dir = crate::common::folder();
    let folder = dir.path().join("receipts");
    let (mut before, mut handed_out) = (Last::NONE, Hex::ZERO);
    for n in 1..=4 {
        let mut receipts = Receipts::open(&folder).expect("receipts");
        assert_eq!((receipts.last(), receipts.is_empty()), (before, n == 1));
        // What the chain of a project ends with is said from elsewhere.
        receipts.follow(PROJECT, Last { number: u64::from(n) - 1, hash: handed_out });
        let stored = receipts.next(&signer(), &draft(n)).expect("a receipt");
        assert_eq!((stored.receipt.number, stored.receipt.previous), (u64::from(n), handed_out));
        assert_eq!(stored.path, path_of(&folder, n));
        let file = fs::read(&stored.path).expect("a file");
        let figures = figures(&file).expect("figures");
        assert_eq!((figures.place, figures.previous), (u64::from(n), before.hash));
        assert_eq!(stored.bytes, figures::handed_out(file.clone()));
        assert_eq!(Hex::sha256(&stored.bytes), stored.hash);
        assert_eq!(check_one(&file, &signer().public()).as_ref(), Ok(&stored.receipt));
        let alone = check_one(&stored.bytes, &signer().public()).expect("a receipt");
        assert_eq!((alone.scan, alone.ledger.seq, alone.audit.seq, alone.place), (None, None, None, None));
        assert_eq!(stored.path.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
        before = Last { number: u64::from(n), hash: Hex::sha256(&file) };
        handed_out = stored.hash;
        assert_eq!(receipts.last(), before);
    }
    assert_eq!(folder.metadata().expect("a folder").permissions().mode() & 0o777, 0o700);
    assert_eq!(names_in(&folder).len(), 4);
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
        assert_eq!((stored.receipt.place, &stored.bytes), (Some(2), &figures::handed_out(kept.clone())));
        assert_eq!(receipts.find(Hex([2; 16])).expect("a look"), Some(stored));
        assert_eq!(receipts.find(Hex([4; 16])).expect("a look"), None);
        assert_eq!(receipts.last().number, 3);
    }
    assert_eq!(fs::read(path_of(dir.path(), 2)).expect("a file"), kept);
    assert_eq!(names_in(dir.path()).len(), 3);
    assert_eq!(receipts.next(&signer(), &draft(4)).expect("a receipt").receipt.place, Some(4));
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
    assert_eq!(receipts.next(&signer(), &draft(3)).expect("a receipt").receipt.place, Some(3));
}

#[test]
fn a_changed_receipt_is_not_handed_out_and_not_made_again() {
    let dir = chain_of(2);
    let path = path_of(dir.path(), 1);
    let kept = fs::read(&path).expect("a file");
    fs::write(&path, &kept[..kept.len() / 2]).expect("a file");
    let mut receipts = Receipts::open(dir.path()).expect("receipts");
    let why = receipts.next(&signer(), &draft(1)).expect_err("a refusal");
    assert!(matches!(why, ReceiptError::Damaged { .. }) && why.to_string().contains("cut short"), "{why}");
    assert!(matches!(receipts.find(Hex([1; 16])), Err(ReceiptError::Damaged { .. })));
    assert_eq!(names_in(dir.path()).len(), 2);
    fs::write(&path, &kept).expect("a file");
    let again = receipts.next(&signer(), &draft(1)).expect("a receipt");
    assert_eq!(again.bytes, figures::handed_out(kept));
}

#[test]
fn what_no_receipt_may_say_takes_no_number() {
    let dir = chain_of(1);
    let mut receipts = Receipts::open(dir.path()).expect("receipts");
    let mut found = draft(2);
    found.scan.found = 3;
    let why = receipts.next(&signer(), &found).expect_err("a refusal");
    assert!(why.to_string().contains("`figures.scan.found` must be 0"), "{why}");
    assert_eq!((names_in(dir.path()).len(), receipts.last().number), (1, 1));
    assert_eq!(receipts.next(&signer(), &draft(2)).expect("a receipt").receipt.place, Some(2));
}

#[test]
fn each_project_has_a_chain_of_its_own() {
    let dir = crate::common::folder();
    let mut receipts = Receipts::open(dir.path()).expect("receipts");
    let of = |n: u8, project: u8| Draft { project: Hex([project; 16]), ..draft(n) };
    let mut last = [Hex::ZERO; 2];
    for (n, project, number) in [(1, 0, 1), (2, 1, 1), (3, 1, 2), (4, 0, 2), (5, 1, 3)] {
        let stored = receipts.next(&signer(), &of(n, project)).expect("a receipt");
        let previous = std::mem::replace(&mut last[usize::from(project)], stored.hash);
        assert_eq!((stored.receipt.number, stored.receipt.previous), (number, previous));
        assert_eq!(stored.receipt.place, Some(n.into()));
        let text = String::from_utf8(stored.bytes).expect("UTF-8");
        for of_all in ["seq", "bytes", "needles", "frames", "pages\"", "took", "place", "salt"] {
            assert!(!text.contains(of_all), "{of_all}: {text}");
        }
    }
}
