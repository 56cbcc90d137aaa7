//! Each kind of damage is refused in its own words and leaves nothing behind.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use usher::archive::{self, BackupError, Identities};

use crate::common::house::{House, random};
use crate::common::names_in;

/// Both ways to open it refuse, with the same words; nothing is left in the target.
#[track_caller]
fn refused(path: &Path, key: &Identities) -> BackupError {
    let target = crate::common::folder();
    let unpacked = archive::unpack(path, key, target.path()).expect_err("it is damaged");
    assert!(names_in(target.path()).is_empty(), "{:?} after {unpacked}", names_in(target.path()));
    let checked = archive::check(path, key).expect_err("it is damaged");
    assert_eq!(checked.to_string(), unpacked.to_string());
    checked
}

fn line_of(file: &[u8]) -> usize {
    file.iter().position(|byte| *byte == b'\n').expect("a first line") + 1
}

#[test]
fn a_flipped_bit_is_found_and_its_place_is_told() {
    let house = House::new();
    // Three chunks of the encryption.
    let path = house.pack(&random(140_000)).path;
    let good = fs::read(&path).expect("a file");
    let line = line_of(&good);
    let file = OpenOptions::new().write(true).open(&path).expect("a file");
    // All of the first line and of the header of the encrypted part, every 1000th beyond,
    // and the very last.
    let places = (0..line + 600).chain((line + 600..good.len()).step_by(1_000)).chain([good.len() - 1]);
    let (mut damaged, mut edited) = (0, 0);
    for place in places {
        let bit = 1 << (place % 8);
        file.write_at(&[good[place] ^ bit], place as u64).expect("a write");
        // Every seventh is unpacked, too; each is read in the same way.
        let refusal = match place % 7 {
            0 => refused(&path, &house.recovery),
            _ => archive::check(&path, &house.recovery).expect_err("it is damaged"),
        };
        match refusal {
            // In the first line: in it, unless it is the length of what follows. In the
            // encrypted part: the chunk, or the header.
            BackupError::Damaged { at, what, .. } if place < line => {
                assert!(at < line as u64 || what == "it goes on beyond its end", "{at} for {place}: {what}");
                damaged += 1;
            }
            BackupError::Damaged { at, what, .. } => {
                let place = place as u64;
                assert!(at <= place && place < at + 65_552 + 600, "{at} for {place}: {what}");
                damaged += 1;
            }
            BackupError::Edited { .. } if place < line => edited += 1,
            BackupError::NotABackup { .. } if place < 15 => {}
            BackupError::NewerFormat { .. } if place == 13 => {}
            BackupError::CutShort { .. } if place < line => {}
            other => panic!("byte {place}: {other}"),
        }
        file.write_at(&good[place..=place], place as u64).expect("a write");
    }
    assert!(damaged > 600 && edited > 50, "{damaged} damaged, {edited} edited");
    archive::check(&path, &house.recovery).expect("put back, it is whole");
}

#[test]
fn a_backup_that_was_cut_is_called_cut_short() {
    let house = House::new();
    let path = house.pack(&random(200_000)).path;
    let good = fs::read(&path).expect("a file");
    let line = line_of(&good);
    let cut = |length: usize| {
        fs::write(&path, &good[..length]).expect("a file");
        let refusal = refused(&path, &house.recovery);
        assert!(matches!(refusal, BackupError::CutShort { .. }), "{length}: {refusal}");
        refusal.to_string()
    };
    for length in [0, 1, 12, 13, 14, 15, 16, 100, line - 1] {
        let words = cut(length);
        assert!(words.contains(&format!("it ends in its first line, after {length} bytes")), "{words}");
    }
    let chunk = 65_552;
    for length in
        [line, line + 1, line + 100, line + chunk, line + 2 * chunk, good.len() - 512, good.len() - 1]
    {
        let words = cut(length);
        assert!(words.contains(&format!("it has {length} of {} bytes", good.len())), "{words}");
    }
    let mut longer = good.clone();
    longer.push(0);
    fs::write(&path, &longer).expect("a file");
    let words = refused(&path, &house.recovery).to_string();
    assert!(words.contains(&format!("damaged at byte {}: it goes on beyond its end", good.len())), "{words}");
}

/// Its encrypted part cut, and the first line made to fit.
#[test]
fn a_cut_is_found_though_the_first_line_agrees() {
    let house = House::new();
    let path = house.pack(&random(200_000)).path;
    let good = fs::read(&path).expect("a file");
    let line = line_of(&good);
    let sealed = good.len() - line;
    let begins = sealed - 200_000;
    for length in [0, 10, 300, begins + 65_552, begins + 2 * 65_552, sealed - 1] {
        let text = String::from_utf8(good[..line].to_vec()).expect("text");
        let text = text.replace(&format!("\"sealed_bytes\":{sealed}"), &format!("\"sealed_bytes\":{length}"));
        let text = format!("{:1$}\n", text.trim_end(), line - 1);
        fs::write(&path, [text.as_bytes(), &good[line..line + length]].concat()).expect("a file");
        let refusal = refused(&path, &house.recovery);
        assert!(
            matches!(refusal, BackupError::Damaged { at, .. } if at >= line as u64),
            "{length}: {refusal}"
        );
    }
}

#[test]
fn an_edited_first_line_is_refused_by_its_field() {
    let house = House::new();
    let path = house.pack(&random(10_000)).path;
    let good = fs::read(&path).expect("a file");
    let (line, rest) = good.split_at(line_of(&good));
    let line = std::str::from_utf8(line).expect("text");
    let swap = |from: &str, to: &str| {
        assert!(line.contains(from) && from.len() == to.len(), "{from}");
        fs::write(&path, [line.replacen(from, to, 1).as_bytes(), rest].concat()).expect("a file");
        refused(&path, &house.recovery).to_string()
    };
    for (from, to, field) in [
        ("\"made_at\":1795557300000", "\"made_at\":1995557300000", "made_at"),
        ("\"version\":\"0.1.0\"", "\"version\":\"0.1.1\"", "version"),
        ("\"schema\":1", "\"schema\":2", "schema"),
        ("\"seq\":12", "\"seq\":99", "ledger"),
        ("\"ledger\":\"abab", "\"ledger\":\"abac", "ledger"),
        ("\"head\":\"cdcd", "\"head\":\"cdce", "ledger"),
        ("\"offset\":1200", "\"offset\":1201", "ledger"),
        ("\"database_bytes\":10000", "\"database_bytes\":10001", "database_bytes"),
    ] {
        let words = swap(from, to);
        assert!(words.contains(&format!("was edited: {field} is not the original")), "{words}");
    }
    let manifest = archive::read_manifest(&{
        fs::write(&path, &good).expect("a file");
        path.clone()
    })
    .expect("a manifest");
    let other = |text: &str| format!("{}{}", &text[1..], &text[..1]);
    let words = swap(&manifest.database_sha256, &other(&manifest.database_sha256));
    assert!(words.contains("was edited: database_sha256"), "{words}");
    let words = swap(&manifest.recipients.recovery, &other(&manifest.recipients.recovery));
    assert!(words.contains("was edited: recipients"), "{words}");
    let words = swap(&manifest.sealed_sha256, &other(&manifest.sealed_sha256));
    assert!(words.contains("was edited: the digest of the encrypted part"), "{words}");
    // What JSON forgives is an edit too.
    let words = swap("{\"made_at\":", "{\"made_at\"\t");
    assert!(words.contains("its first line cannot be read"), "{words}");
    let words = swap("}  ", "} \t");
    assert!(words.contains("its first line is not as it was written"), "{words}");
    fs::write(&path, [line.trim_end().as_bytes(), b"\n", rest].concat()).expect("a file");
    let words = refused(&path, &house.recovery).to_string();
    assert!(words.contains("its first line is not as it was written"), "{words}");
}

#[test]
fn no_backup_and_a_later_format_are_told_apart() {
    let house = House::new();
    let path = house.pack(b"data").path;
    let good = fs::read(&path).expect("a file");
    for (text, why) in [
        (b"SQLite format 3\0".as_slice(), "is not a backup of Usher"),
        (b"usher-backup x {}\n", "is not a backup of Usher"),
        (b"usher-backup 0 {}\n", "is not a backup of Usher"),
        (b"usher-backup 1 {}\n", "is damaged at byte"),
        (b"usher-backup 3 whatever comes", "is a backup of format 3, which this version does not know"),
        (b"usher-backup 17 {\"a\":1}\nrest", "is a backup of format 17, which"),
        (&[b"usher-backup 1 ".as_slice(), &[b'x'; 20_000]].concat(), "its first line never ends"),
    ] {
        fs::write(&path, text).expect("a file");
        let words = refused(&path, &house.recovery).to_string();
        assert!(words.contains(why), "{words}");
        assert!(words.contains(&path.display().to_string()), "{words}");
    }
    fs::write(&path, &good).expect("a file");
    archive::check(&path, &house.recovery).expect("put back, it is whole");
    let missing = archive::check(&house.backups().join("none.backup"), &house.recovery).expect_err("missing");
    assert!(missing.to_string().contains("cannot read"), "{missing}");
}

#[test]
fn anothers_key_is_refused_and_the_right_ones_are_named() {
    let (house, other) = (House::new(), House::new());
    let packed = house.pack(&random(1_000));
    other.pack(b"");
    let both = other.recovery.clone().and(other.machine());
    let words = refused(&packed.path, &both).to_string();
    let recipients = &packed.manifest.recipients;
    let tried = both.fingerprints().0;
    assert!(words.contains("no key opens"), "{words}");
    for key in [&recipients.recovery, &recipients.machine, &tried[0], &tried[1]] {
        assert!(words.contains(key.as_str()), "{words}");
    }
    let words = refused(&packed.path, &Identities::default()).to_string();
    assert!(words.ends_with("no key given, use --recovery-key"), "{words}");
    // Among others, the right one opens.
    archive::check(&packed.path, &both.and(house.recovery)).expect("it fits");
}
