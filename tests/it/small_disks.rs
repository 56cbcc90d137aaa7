//! What is written to a disk that is full: it fails in words, and what was there stays good.

use std::fs;
use std::io::ErrorKind;

use usher::archive::{self, BackupError};
use usher::ledger::{Act, Ledger, MacKey, Opened, Pseudonym, check};
use usher::proof::receipts::{ReceiptError, Receipts};

use crate::common::house::{House, MADE, about, random};
use crate::common::names_in;
use crate::common::receipts::{draft, signer};
use crate::needs::SmallDisk;

#[test]
fn on_a_full_disk_nothing_is_left_and_the_words_say_so() {
    let house = House::new();
    let packed = house.pack(&random(2_000_000));
    let Some(tiny) = SmallDisk::of(1024) else { return };
    let full = |refusal: BackupError| {
        assert!(refusal.to_string().ends_with("its disk is full"), "{refusal}");
        assert!(names_in(tiny.path()).is_empty(), "{:?}", names_in(tiny.path()));
    };
    let database = house.path().join("copy.db");
    full(house.try_pack(&database, about(MADE, 1), tiny.path()).expect_err("full"));
    full(archive::unpack(&packed.path, &house.recovery, tiny.path()).expect_err("full"));
    full(archive::Destination::directory(tiny.path()).copy_file(&packed.path).expect_err("full"));
    // There is room for a smaller one.
    fs::write(&database, random(500_000)).expect("a file");
    house.try_pack(&database, about(MADE, 1), tiny.path()).expect("room");
}

#[test]
fn on_a_full_disk_an_append_fails_and_the_ledger_stays_good() {
    let mac_key = MacKey::new(&[5; 32]);
    let Some(disk) = SmallDisk::of(32) else { return };
    let path = disk.path().join("erasures.ledger");
    let mut ledger = Ledger::create(&path, MADE, &mac_key).expect("room");
    let acts = vec![Act::Hidden { person: Pseudonym([1; 16]) }; 7];
    let fault = loop {
        let before = ledger.position();
        if let Err(fault) = ledger.append(MADE, &acts) {
            assert_eq!(ledger.position(), before);
            break fault;
        }
    };
    assert_eq!(fault.kind(), ErrorKind::StorageFull);
    let position = ledger.position();
    assert!(position.seq > 100, "only {} entries fitted", position.seq);
    assert_eq!(fs::metadata(&path).expect("a file").len(), position.offset);
    let report = check(&path, Some(&position), Some(&mac_key));
    assert!(report.is_good(), "{:?}", report.faults);
    // It fails the same way again, opens, and goes on when there is room.
    ledger.append(MADE, &acts).expect_err("it is full");
    drop(ledger);
    let (mut ledger, beyond, opened) = Ledger::open(&path, Some(&position), &mac_key).expect("a ledger");
    assert_eq!((beyond, opened), (vec![], Opened { cut: 0 }));
    disk.grow(64);
    let after = ledger.append(MADE, &acts).expect("room again");
    assert!(check(&path, Some(&after), Some(&mac_key)).is_good());
}

#[test]
fn a_full_disk_leaves_the_chain_as_it_was() {
    let Some(disk) = SmallDisk::of(64) else { return };
    let mut receipts = Receipts::open(&disk.path().join("receipts")).expect("receipts");
    receipts.next(&signer(), &draft(1)).expect("a receipt");
    let filler = disk.path().join("filler");
    while fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&filler)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &[0; 4096]))
        .is_ok()
    {}
    let before = receipts.last();
    let why = receipts.next(&signer(), &draft(2)).expect_err("no room");
    assert!(matches!(why, ReceiptError::Io { doing: "write", .. }), "{why}");
    assert_eq!(receipts.last(), before);
    assert_eq!(names_in(&disk.path().join("receipts")).len(), 1, "nothing half written is left");
    fs::remove_file(&filler).expect("a file");
    let stored = receipts.next(&signer(), &draft(2)).expect("a receipt");
    assert_eq!(stored.receipt.place, Some(2));
}
