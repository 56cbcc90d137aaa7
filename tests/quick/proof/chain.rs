//! The chain of receipts: what is dropped, swapped, put in, renamed, replaced or cut off.

use std::fs;
use std::path::Path;

use usher::proof::chain::{Report, What, check_chain};
use usher::proof::draft::{Draft, Links};
use usher::proof::figures::{Kept, handed_out};
use usher::proof::hex::Hex;
use usher::proof::receipts::{Last, Receipts};
use usher::proof::signing::Signer;

use super::{PROJECT, chain_of, draft, path_of, signer, stranger};

const COUNT: u8 = 5;

fn check(dir: &Path, known: Option<Last>) -> Report {
    check_chain(dir, &signer().public(), known).expect("a report")
}

/// What is wrong: the number of the file that shows it (0: none), and the words.
fn faults(dir: &Path, known: Option<Last>) -> Vec<(u64, String)> {
    let report = check(dir, known);
    report
        .faults
        .iter()
        .map(|fault| {
            let number = fault.file.as_deref().and_then(|file| file.get(..6)?.parse().ok());
            assert!(fault.to_string().starts_with(fault.file.as_deref().unwrap_or_default()));
            (number.unwrap_or(0), fault.to_string())
        })
        .collect()
}

fn last_of(dir: &Path) -> Last {
    Receipts::open(dir).expect("receipts").last()
}

#[track_caller]
fn assert_faults(dir: &Path, known: Option<Last>, expected: &[(u64, &str)]) {
    let found = faults(dir, known);
    let fit = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| found.0 == expected.0 && found.1.contains(expected.1));
    assert!(fit, "found {found:#?}\nexpected {expected:#?}");
}

/// The next of [`chain_of`], in both chains, whoever signs it and whatever the file before is.
fn next(draft: &Draft, by: &Signer, dir: &Path, file_before: Hex<32>) -> Kept {
    let place = u64::from(COUNT) + 1;
    draft
        .seal(by, Links { number: place, previous: handed_out_of(dir, COUNT), place, file_before })
        .expect("a receipt")
}

/// The hash of a receipt of [`chain_of`] as it is handed out.
fn handed_out_of(dir: &Path, number: u8) -> Hex<32> {
    Hex::sha256(&handed_out(fs::read(path_of(dir, number)).expect("a file")))
}

#[test]
fn a_whole_chain_is_good_and_an_empty_one_too() {
    let dir = chain_of(COUNT);
    let last = last_of(dir.path());
    for known in [None, Some(last), Some(Last::NONE)] {
        let report = check(dir.path(), known);
        assert!(report.is_good(), "{:?}", report.faults);
        assert_eq!((report.good, report.last), (u64::from(COUNT), last));
    }
    // One that is known from a while ago.
    let second = Last { number: 2, hash: Hex::sha256(&fs::read(path_of(dir.path(), 2)).expect("a file")) };
    assert!(check(dir.path(), Some(second)).is_good());
    // What a kill left is no fault: the next start removes it.
    fs::write(dir.path().join(".000006-x.json.new"), "half").expect("a file");
    assert!(check(dir.path(), Some(last)).is_good());

    let empty = crate::common::folder();
    assert!(check(empty.path(), None).is_good());
    assert!(check_chain(&empty.path().join("none"), &signer().public(), None).is_err());
}

#[test]
fn a_byte_flipped_in_any_receipt_is_found_and_the_receipt_named() {
    let dir = chain_of(COUNT);
    let last = last_of(dir.path());
    for number in 1..=COUNT {
        let path = path_of(dir.path(), number);
        let kept = fs::read(&path).expect("a file");
        for place in (usize::from(number)..kept.len()).step_by(97) {
            let mut flipped = kept.clone();
            flipped[place] ^= 1;
            fs::write(&path, &flipped).expect("a file");
            let report = check(dir.path(), Some(last));
            // That one, and no other is blamed for it.
            assert_eq!(report.faults.len(), 1, "byte {place} of {number}: {:?}", report.faults);
            assert!(matches!(report.faults[0].what, What::Bad(_)));
            assert_eq!(report.faults[0].file.as_deref(), path.file_name().and_then(|name| name.to_str()));
            assert_eq!(report.good, u64::from(COUNT) - 1);
        }
        fs::write(&path, &kept).expect("a file");
    }
    assert!(check(dir.path(), Some(last)).is_good());
}

#[test]
fn a_receipt_dropped_is_named() {
    for number in 1..COUNT {
        let dir = chain_of(COUNT);
        fs::remove_file(path_of(dir.path(), number)).expect("a file");
        assert_faults(dir.path(), None, &[(0, &format!("receipt {number} is missing"))]);
    }
    let dir = chain_of(COUNT);
    for number in [1, 2, 4] {
        fs::remove_file(path_of(dir.path(), number)).expect("a file");
    }
    assert_faults(dir.path(), None, &[(0, "receipts 1 to 2 are missing"), (0, "receipt 4 is missing")]);
}

#[test]
fn a_tail_that_was_cut_is_found_by_what_is_known_from_elsewhere() {
    let dir = chain_of(COUNT);
    let last = last_of(dir.path());
    fs::remove_file(path_of(dir.path(), 5)).expect("a file");
    // The twin: from the directory alone nobody can tell.
    assert!(check(dir.path(), None).is_good());
    assert_faults(dir.path(), Some(last), &[(0, "receipt 5 was made")]);
    for number in 1..5 {
        fs::remove_file(path_of(dir.path(), number)).expect("a file");
    }
    assert_faults(dir.path(), Some(last), &[(0, "receipts 1 to 5 were made")]);
}

#[test]
fn two_receipts_swapped_are_both_named() {
    for (one, other) in [(1, 2), (2, 3), (2, 4), (4, 5), (1, 5)] {
        let dir = chain_of(COUNT);
        let last = last_of(dir.path());
        let (a, b) = (path_of(dir.path(), one), path_of(dir.path(), other));
        let (first, second) = (fs::read(&a).expect("a file"), fs::read(&b).expect("a file"));
        fs::write(&a, second).expect("a file");
        fs::write(&b, first).expect("a file");
        let (is_other, is_one) = (format!("this is receipt {other}"), format!("this is receipt {one}"));
        let expected = [(u64::from(one), is_other.as_str()), (u64::from(other), is_one.as_str())];
        assert_faults(dir.path(), Some(last), &expected);
    }
}

#[test]
fn a_receipt_renamed_is_named() {
    let dir = chain_of(COUNT);
    let last = last_of(dir.path());
    // To the end, past a gap, and by its id alone.
    let to = dir.path().join(format!("000006-{}.json", Hex([2; 16])));
    fs::rename(path_of(dir.path(), 2), &to).expect("a file");
    assert_faults(dir.path(), Some(last), &[(0, "receipt 2 is missing"), (6, "this is receipt 2")]);
    fs::rename(&to, dir.path().join(format!("000002-{}.json", Hex([9; 16])))).expect("a file");
    assert_faults(dir.path(), Some(last), &[(2, "this is receipt 2")]);
}

#[test]
fn a_receipt_put_in_is_named() {
    // A copy under a name of its own.
    let dir = chain_of(COUNT);
    let last = last_of(dir.path());
    let copy = dir.path().join(format!("000003-{}.json", Hex([9; 16])));
    fs::copy(path_of(dir.path(), 3), &copy).expect("a file");
    assert_faults(dir.path(), Some(last), &[(3, "two receipts of number 3"), (3, "this is receipt 3")]);
    fs::remove_file(&copy).expect("a file");

    // Another installation's, at the end.
    let theirs = next(&draft(6), &stranger(), dir.path(), last.hash);
    let path = path_of(dir.path(), 6);
    fs::write(&path, theirs.bytes()).expect("a file");
    assert_faults(dir.path(), Some(last), &[(6, "signed by another key")]);

    // One that the key itself signed, but not as the next of this chain.
    let alone = next(&draft(6), &signer(), dir.path(), Hex([1; 32]));
    fs::write(&path, alone.bytes()).expect("a file");
    assert_faults(dir.path(), Some(last), &[(6, "does not follow on receipt 5")]);

    // A second one for the same erasure.
    fs::remove_file(&path).expect("a file");
    let twice = next(&draft(2), &signer(), dir.path(), last.hash);
    fs::write(dir.path().join(twice.file_name()), twice.bytes()).expect("a file");
    assert_faults(dir.path(), Some(last), &[(6, "the same id as receipt 2")]);
    // The twin: with an id of its own it is simply the next.
    fs::remove_file(dir.path().join(twice.file_name())).expect("a file");
    let good = next(&draft(6), &signer(), dir.path(), last.hash);
    fs::write(&path, good.bytes()).expect("a file");
    assert!(check(dir.path(), Some(last)).is_good());
    // One that was handed out has lost its figures, and its place with them.
    fs::write(&path, good.receipt.bytes()).expect("a file");
    assert_faults(dir.path(), Some(last), &[(6, "this is receipt 6")]);
}

#[test]
fn a_receipt_that_breaks_its_projects_chain_is_named() {
    let dir = chain_of(COUNT);
    let last = last_of(dir.path());
    let path = path_of(dir.path(), 6);
    let place = u64::from(COUNT) + 1;
    let put = |number, previous, project| {
        let draft = Draft { project, ..draft(6) };
        let links = Links { number, previous, place, file_before: last.hash };
        fs::write(&path, draft.seal(&signer(), links).expect("a receipt").bytes()).expect("a file");
    };
    let before = handed_out_of(dir.path(), COUNT);
    let words = "in the chain of its project it does not follow on receipt 5";
    for (number, previous) in [(6, Hex([1; 32])), (5, before), (6, handed_out_of(dir.path(), 4))] {
        put(number, previous, PROJECT);
        assert_faults(dir.path(), None, &[(6, words)]);
    }
    put(1, before, Hex([3; 16]));
    assert_faults(dir.path(), None, &[(6, "it is the first, but it names one before it")]);
    // The twins.
    put(6, before, PROJECT);
    assert!(check(dir.path(), None).is_good());
    put(1, Hex::ZERO, Hex([3; 16]));
    assert!(check(dir.path(), None).is_good());
}

#[test]
fn a_receipt_made_anew_with_the_key_is_found() {
    let dir = chain_of(COUNT);
    let last = last_of(dir.path());
    let replace = |number: u8| {
        let path = path_of(dir.path(), number);
        let kept = fs::read(&path).expect("a file");
        let (previous, file_before) = match number {
            1 => (Hex::ZERO, Hex::ZERO),
            _ => (
                handed_out_of(dir.path(), number - 1),
                Hex::sha256(&fs::read(path_of(dir.path(), number - 1)).expect("a file")),
            ),
        };
        let mut other = draft(number);
        other.mentions += 1;
        let links = Links { number: number.into(), previous, place: number.into(), file_before };
        let other = other.seal(&signer(), links).expect("a receipt");
        fs::write(&path, other.bytes()).expect("a file");
        move || fs::write(&path, &kept).expect("a file")
    };
    for number in 1..COUNT {
        let put_back = replace(number);
        let words = format!("does not follow on receipt {number}");
        assert_faults(dir.path(), Some(last), &[(u64::from(number) + 1, &words)]);
        put_back();
    }
    let put_back = replace(COUNT);
    assert!(check(dir.path(), None).is_good(), "nothing follows that could tell");
    assert_faults(dir.path(), Some(last), &[(5, "is known to have had number 5")]);
    put_back();
    assert!(check(dir.path(), Some(last)).is_good());
}

#[test]
fn a_file_that_is_no_receipt_is_named_without_its_odd_letters() {
    let dir = chain_of(1);
    fs::write(dir.path().join("a\u{1b}[2Jb"), "x").expect("a file");
    fs::create_dir(dir.path().join("folder")).expect("a folder");
    fs::create_dir(path_of(dir.path(), 2)).expect("a folder");
    let found = faults(dir.path(), None);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].1.contains("a\\u{1b}[2Jb: this file is no receipt"), "{found:?}");
    assert!(found[1].1.starts_with("folder: "), "{found:?}");
    assert!(found[2].1.contains("cannot read"), "{found:?}");
}
