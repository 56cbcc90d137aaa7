//! A backup that somebody who has the public halves of the keys has made: it opens, and
//! what we would not have packed is refused all the same.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use usher::archive::{self, BackupError, NAMES};
use usher::proof::signing::Signer;

use crate::common::house::House;
use crate::common::names_in;

const DATABASE: &[u8] = b"the database";

/// A file in the tar: its name, its kind, what it holds.
type Entry<'a> = (&'a str, tar::EntryType, &'a [u8]);

struct Forger {
    house: House,
    path: PathBuf,
    /// The first line and the manifest inside, of a good one.
    line: String,
    inside: Vec<u8>,
}

impl Forger {
    fn new() -> Forger {
        let house = House::new();
        let path = house.pack(DATABASE).path;
        let good = fs::read(&path).expect("a file");
        let line = good.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
        let identity: age::x25519::Identity = house.secret.parse().expect("a key");
        let opened = age::Decryptor::new(&good[line..]).expect("age");
        let opened = opened.decrypt(std::iter::once(&identity as &dyn age::Identity)).expect("it opens");
        let mut archive = tar::Archive::new(opened);
        let mut entries = archive.entries().expect("a tar");
        let mut inside = Vec::new();
        let mut first = entries.next().expect("an entry").expect("an entry");
        first.read_to_end(&mut inside).expect("a manifest");
        let line = String::from_utf8(good[..line].to_vec()).expect("text");
        Forger { house, path, line, inside }
    }

    fn good(&self) -> Vec<Entry<'_>> {
        let held: [&[u8]; 5] = [&self.inside, DATABASE, &[7; 32], &[8; 32], b"pub"];
        NAMES.into_iter().zip(held).map(|(name, held)| (name, tar::EntryType::Regular, held)).collect()
    }

    /// The refusal of a backup with these entries, and `tail` after them.
    fn refusal(&self, entries: &[Entry<'_>], tail: &[u8]) -> Option<BackupError> {
        let identity: age::x25519::Identity = self.house.secret.parse().expect("a key");
        let public = identity.to_public();
        let recipients = std::iter::once(&public as &dyn age::Recipient);
        let mut sealed = Vec::new();
        let encryptor = age::Encryptor::with_recipients(recipients).expect("age");
        let mut tar = tar::Builder::new(encryptor.wrap_output(&mut sealed).expect("age"));
        for (name, kind, held) in entries {
            let mut header = tar::Header::new_gnu();
            // As bytes: the library would not write some of these names.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(held.len() as u64);
            header.set_cksum();
            tar.append(&header, *held).expect("an entry");
        }
        let mut rest = tar.into_inner().expect("a tar");
        rest.write_all(tail).expect("a tail");
        rest.finish().expect("age");

        let manifest = archive::read_manifest(&self.path).expect("a manifest");
        let line = self.line.replace(
            &format!("\"sealed_bytes\":{}", manifest.sealed_bytes),
            &format!("\"sealed_bytes\":{}", sealed.len()),
        );
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&sealed));
        let line = line.replace(&manifest.sealed_sha256, &digest);
        let line = resigned(&line);
        let line = format!("{:1$}\n", line.trim_end(), self.line.len() - 1);
        let forged = self.house.path().join("forged.backup");
        fs::write(&forged, [line.as_bytes(), &sealed].concat()).expect("a file");

        let outside = crate::common::folder();
        let target = outside.path().join("target");
        fs::create_dir(&target).expect("a folder");
        let refusal = archive::unpack(&forged, &self.house.recovery, &target).err();
        assert!(names_in(&target).is_empty());
        assert_eq!(names_in(outside.path()), ["target"]);
        assert_eq!(archive::check(&forged, &self.house.recovery).is_err(), refusal.is_some());
        refusal
    }
}

/// The line with a new signature, by the key that is in the backup.
fn resigned(line: &str) -> String {
    let at = line.find(",\"signature\":\"").expect("a signature");
    let (text, begin) = (&line[..at], line.find('{').expect("an object"));
    let signature = Signer::of(&[8; 32]).sign(format!("{}}}", &text[begin..]).as_bytes());
    format!("{text},\"signature\":\"{signature}\"}}")
}

#[test]
fn only_the_five_files_in_their_order_and_size_are_taken_out() {
    let forger = Forger::new();
    let good = forger.good();
    assert!(forger.refusal(&good, &[]).is_none(), "the forger can do what we do");
    // Zeros are how a tar ends.
    assert!(forger.refusal(&good, &[0; 5_000]).is_none());

    let file = tar::EntryType::Regular;
    let large = vec![b' '; 65_537];
    let other_database = b"another base".as_slice();
    let mut cases: Vec<(Vec<Entry<'_>>, &str)> = Vec::new();
    let mut changed = |at: usize, entry: Entry<'_>, why| {
        let mut entries = forger.good();
        // The entry lives as long as the forger's.
        let entry: Entry<'static> = (entry.0.to_owned().leak(), entry.1, entry.2.to_vec().leak());
        entries[at] = entry;
        cases.push((entries, why));
    };
    for name in
        ["../evil", "/etc/evil", "usher.db/../../evil", "secrets/../evil", "", "usher.db ", "./usher.db"]
    {
        changed(1, (name, file, DATABASE), "something else is in the place of usher.db");
    }
    for kind in [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Directory,
        tar::EntryType::Fifo,
        tar::EntryType::GNULongName,
        tar::EntryType::XHeader,
        tar::EntryType::GNUSparse,
    ] {
        changed(1, ("usher.db", kind, DATABASE), "something else is in the place of usher.db");
        changed(4, ("signing.pub", kind, b""), "something else is in the place of signing.pub");
    }
    changed(1, ("usher.db", file, &DATABASE[1..]), "usher.db has another size than it says");
    changed(1, ("usher.db", file, &large), "usher.db has another size than it says");
    changed(1, ("usher.db", file, other_database), "usher.db is not the database that it says");
    changed(2, ("secrets/store.key", file, &large), "secrets/store.key has another size than it says");
    changed(0, ("manifest.json", file, &large), "manifest.json is too large");
    changed(0, ("manifest.json", file, b"{"), "manifest.json cannot be read");
    changed(0, ("manifest.json", file, b"{}"), "was edited");
    for (entries, why) in cases {
        let refusal = forger.refusal(&entries, &[]).expect(why).to_string();
        assert!(refusal.contains(why), "{refusal}, not {why}");
    }

    let fewer = forger.refusal(&good[..4], &[]).expect("a refusal").to_string();
    assert!(fewer.contains("was not made by Usher: signing.pub is not in it"), "{fewer}");
    let none = forger.refusal(&[], &[]).expect("a refusal").to_string();
    assert!(none.contains("manifest.json is not in it"), "{none}");
    let more = [good.clone(), vec![("usher.db", file, DATABASE)]].concat();
    let more = forger.refusal(&more, &[]).expect("a refusal").to_string();
    assert!(more.contains("it has unexpected entries"), "{more}");
    let mut swapped = good.clone();
    swapped.swap(2, 3);
    assert!(forger.refusal(&swapped, &[]).is_some());
    let hidden = forger.refusal(&good, b"a note").expect("a refusal").to_string();
    assert!(hidden.contains("something follows its end"), "{hidden}");
}

/// A header of the encrypted part that never ends is not read into memory.
#[test]
fn a_header_without_an_end_is_refused() {
    let forger = Forger::new();
    let manifest = archive::read_manifest(&forger.path).expect("a manifest");
    let mut sealed = b"age-encryption.org/v1\n".to_vec();
    while sealed.len() < 1_000_000 {
        sealed.extend_from_slice(b"-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n");
        sealed.extend_from_slice(b"EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U\n");
    }
    let line = forger.line.replace(
        &format!("\"sealed_bytes\":{}", manifest.sealed_bytes),
        &format!("\"sealed_bytes\":{}", sealed.len()),
    );
    let line = format!("{:1$}\n", line.trim_end(), forger.line.len() - 1);
    let path = forger.house.path().join("endless.backup");
    fs::write(&path, [line.as_bytes(), &sealed].concat()).expect("a file");
    let refusal = archive::check(&path, &forger.house.recovery).expect_err("it never ends").to_string();
    assert!(refusal.contains("its encrypted part does not begin as it should"), "{refusal}");
}
