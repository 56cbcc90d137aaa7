//! Receipts beside a backup, in a folder that others may write to: what is no receipt of this installation
//! is named and left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::directory;
use crate::restore_kills::Shelf;

fn receipts(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    found.sort();
    found
}

/// What a restore on an empty machine says of the folder, and the names of the receipts that it took.
fn restored(shelf: &Shelf) -> (String, Vec<String>) {
    let machine = directory();
    let output = shelf.restore(machine.path(), None);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let taken = receipts(&machine.path().join("receipts")).into_iter();
    let name = |path: PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    // The restore erases again who was erased after the backup, and writes a receipt of its own.
    let taken: Vec<String> = taken.map(name).filter(|name| shelf.folder().join(name).exists()).collect();
    (said, taken)
}

#[test]
fn what_is_planted_beside_a_backup_is_left_out() {
    let shelf = Shelf::new();
    let good = receipts(shelf.folder());
    let (first, id) = (&good[0], "00000000000000000000000000000000");
    let at = |number: u32| shelf.folder().join(format!("{number:06}-{id}.json"));
    let own = first.file_name().expect("a name").to_string_lossy().into_owned();
    let renamed = shelf.folder().join(own.replace("000001-", "000004-"));
    fs::copy(first, &renamed).expect("another number");
    fs::write(at(5), "{\"nobody\": \"signed this\"}").expect("no receipt");
    fs::write(at(6), vec![b' '; 5 * 1024 * 1024]).expect("a large file");
    fs::create_dir(at(7)).expect("a folder");
    assert!(Command::new("mkfifo").arg(at(8)).status().expect("mkfifo runs").success());
    let (said, taken) = restored(&shelf);
    assert!(
        said.contains("5 files beside the backup are named like receipts but are not valid and were skipped"),
        "{said}"
    );
    for number in 4..=8 {
        assert!(said.contains(&format!("  {number:06}-")), "{number}: {said}");
    }
    assert!(said.contains("it is receipt 1 under another receipt's name"), "{said}");
    assert_eq!(taken.len(), 3);
    assert!(taken.iter().all(|name| &name[..6] <= "000003"), "{taken:?}");
}

#[test]
fn a_receipt_with_one_letter_changed_is_left_out() {
    let shelf = Shelf::new();
    let first = receipts(shelf.folder()).remove(0);
    let text = fs::read_to_string(&first).expect("text");
    let at = text.find("\"rows\":").expect("a count") + "\"rows\":".len();
    let mut bytes = text.clone().into_bytes();
    bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
    fs::write(&first, bytes).expect("written");
    let (said, taken) = restored(&shelf);
    let name = first.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(said.contains("1 file beside the backup") && said.contains(&name), "{said}");
    assert_eq!(taken.len(), 2);
    // The twin: as it was, it is taken, and nothing is said.
    fs::write(&first, text).expect("written");
    let (said, taken) = restored(&shelf);
    assert!(!said.contains("left out"), "{said}");
    assert_eq!(taken.len(), 3);
}
