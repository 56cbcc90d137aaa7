//! Files that others can write: ledger, receipts, backups.

use std::fs;

use usher::archive;
use usher::ledger;
use usher::proof::check::check_one;

use super::{alter, rounds};
use crate::common::house::{House, random};
use crate::harness::Server;

/// With a ledger of some entries, and a receipt.
fn erased() -> Server {
    let server = Server::start();
    for name in ["ann", "bob", "cid"] {
        server.seed(name).events(2).insert();
        let body = serde_json::json!({
            "regulationType": "SUPPRESS_WITH_DELETE", "subjectType": "USER_ID", "subjectIds": [name]
        });
        server.post("/regulations").bearer(&server.project().all).json(body).send().expect(200);
    }
    server.tick();
    server
}

#[test]
fn an_altered_ledger_is_never_good() {
    let server = erased();
    let (path, mac_key) = (server.app.store().ledger(), server.app.store().mac_key());
    let good = fs::read(&path).expect("a ledger");
    let position = server.read(usher::store::ledger_position);
    let folder = tempfile::tempdir().expect("a directory");
    let altered = folder.path().join("erasures.ledger");
    fs::write(&altered, &good).expect("a file");
    assert!(ledger::check(&altered, Some(&position), Some(&mac_key)).is_good(), "the twin");
    rounds(600, |rng| {
        let bytes = alter::bytes(rng, &good);
        fs::write(&altered, &bytes).expect("a file");
        let report = ledger::check(&altered, Some(&position), Some(&mac_key));
        assert!(!report.is_good() || bytes == good, "{}", String::from_utf8_lossy(&bytes));
    });
}

#[test]
fn an_altered_receipt_is_never_good() {
    let server = erased();
    let key = server.app.signer().public();
    let folder = fs::read_dir(server.path().with_file_name("receipts")).expect("a folder");
    let files = folder.map(|entry| entry.expect("an entry").path());
    let files: Vec<Vec<u8>> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| fs::read(path).expect("a receipt"))
        .collect();
    assert!(!files.is_empty() && files.iter().all(|bytes| check_one(bytes, &key).is_ok()), "the twin");
    rounds(3_000, |rng| {
        let good = &files[rng.usize(..files.len())];
        let bytes = alter::bytes(rng, good);
        assert!(check_one(&bytes, &key).is_err() || bytes == *good, "{}", String::from_utf8_lossy(&bytes));
    });
}

#[test]
fn an_altered_backup_is_never_opened() {
    let house = House::new();
    let path = house.pack(&random(100_000)).path;
    let good = fs::read(&path).expect("a backup");
    archive::check(&path, &house.recovery).expect("the twin");
    rounds(150, |rng| {
        let bytes = alter::bytes(rng, &good);
        fs::write(&path, &bytes).expect("a file");
        let target = tempfile::tempdir().expect("a directory");
        let opened = archive::unpack(&path, &house.recovery, target.path()).is_ok();
        assert!(!opened || bytes == good);
        assert!(opened || crate::common::names_in(target.path()).is_empty(), "something is left");
    });
}
