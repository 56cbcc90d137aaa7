//! Backups as files: there and back, who can open them, what is left of them, and when.

mod damage;
mod destination;
mod forged;
mod shelf;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use usher::archive::{self, BackupError, Identities, Recipients, RecoveryKey};

use crate::common::house::{House, MADE, about, position, random};
use crate::common::{mode, names_in, wait_until};

#[test]
fn a_backup_opens_with_either_key_and_holds_what_was_packed() {
    for bytes in [Vec::new(), vec![42], random(300_000)] {
        let house = House::new();
        let packed = house.pack(&bytes);
        let name = packed.path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name.starts_with("usher-20261124T215500Z-") && name.ends_with(".backup"), "{name}");
        assert_eq!(name.len(), "usher-20261124T215500Z-01234567.backup".len());
        assert_eq!(names_in(&house.backups()), [name]);
        assert_eq!(mode(&packed.path), 0o600);
        assert_eq!(archive::read_manifest(&packed.path).expect("a manifest"), packed.manifest);
        assert_eq!(packed.manifest.database_bytes, bytes.len() as u64);
        assert_eq!((packed.manifest.made_at, packed.manifest.schema), (MADE, 1));
        assert_eq!(packed.manifest.ledger, position(12));

        for key in [&house.recovery, &house.machine()] {
            assert_eq!(archive::check(&packed.path, key).expect("whole"), packed.manifest);
            let target = crate::common::folder();
            let unpacked = archive::unpack(&packed.path, key, target.path()).expect("whole");
            assert_eq!(unpacked.manifest, packed.manifest);
            assert!(fs::read(unpacked.database()).expect("a database") == bytes, "another database");
            assert_eq!(fs::read(unpacked.store_key()).expect("a key"), [7; 32]);
            assert_eq!(fs::read(unpacked.signing_key()).expect("a key"), [8; 32]);
            assert_eq!(fs::read(unpacked.signing_pub()).expect("a key"), b"the public half\n");
            assert_eq!((mode(unpacked.folder()), mode(&unpacked.database())), (0o700, 0o600));
            assert_eq!(unpacked.folder().parent(), Some(target.path()));

            // What is renamed out of it stays; the rest goes with it.
            fs::rename(unpacked.database(), target.path().join("usher.db")).expect("a rename");
            drop(unpacked);
            assert_eq!(names_in(target.path()), ["usher.db"]);
        }
    }
}

#[test]
fn a_backup_shows_nothing_of_what_it_holds() {
    let house = House::new();
    let packed = house.pack(b"ann@example.com".repeat(20_000).as_slice());
    let file = fs::read(&packed.path).expect("a file");
    let shows = |needle: &[u8]| file.windows(needle.len()).any(|window| window == needle);
    assert!(shows(b"usher-backup 2 {\"made_at\":1795557300000"), "the search finds what is there");
    let public = fs::read_to_string(house.secrets().join("recovery.pub")).expect("a key");
    for needle in [&b"ann@example"[..], &[7; 12], &[8; 12], b"the public half", public.trim().as_bytes()] {
        assert!(!shows(needle), "{}", String::from_utf8_lossy(needle));
    }
    let line = file.split(|byte| *byte == b'\n').next().expect("a line");
    let line = std::str::from_utf8(line).expect("text");
    assert!(line.contains(&house.recovery.fingerprints().0[0]), "{line}");
    assert!(line.contains(&house.machine().fingerprints().0[0]), "{line}");
}

#[test]
fn only_the_recovery_keys_public_half_is_kept() {
    let house = House::new();
    assert!(house.secret.starts_with("AGE-SECRET-KEY-1"));
    assert_eq!(names_in(&house.secrets()), ["recovery.pub", "signing.key", "store.key"]);
    let kept = fs::read_to_string(house.secrets().join("recovery.pub")).expect("a key");
    assert!(kept.starts_with("age1") && !kept.contains("SECRET"), "{kept}");
    assert_eq!(mode(&house.secrets().join("recovery.pub")), 0o600);

    let again = RecoveryKey::create(&house.secrets()).expect_err("there is one");
    assert!(again.to_string().contains("already exists"), "{again}");
    assert_eq!(fs::read_to_string(house.secrets().join("recovery.pub")).expect("a key"), kept);

    let old = house.pack(b"old").path;
    fs::remove_file(house.secrets().join("recovery.pub")).expect("a removal");
    let renewed = RecoveryKey::create(&house.secrets()).expect("another");
    assert!(!house.secrets().join("recovery.pub").exists(), "it is kept before it was shown");
    renewed.keep(&house.secrets()).expect("a place for it");
    let renewed = Identities::parse("the paper", renewed.secret()).expect("a key");
    let new = house.pack(b"new").path;
    let opens = |path: &Path, key: &Identities| archive::check(path, key).is_ok();
    assert!(opens(&old, &house.recovery) && !opens(&old, &renewed));
    assert!(opens(&new, &renewed) && !opens(&new, &house.recovery));
    assert!(opens(&old, &house.machine()) && opens(&new, &house.machine()));
    assert_eq!(mode(&house.secrets().join("backup.key")), 0o600);

    // On a new machine the owner's key goes on to be theirs.
    let other = House::new();
    house.recovery.adopt(&other.secrets()).expect("a key");
    let path = other.pack(b"there").path;
    assert!(opens(&path, &house.recovery) && !opens(&path, &other.recovery));
}

#[test]
fn without_a_recovery_key_nothing_is_packed() {
    let house = House::new();
    fs::remove_file(house.secrets().join("recovery.pub")).expect("a removal");
    let refusal = Recipients::load(&house.secrets()).err().expect("a refusal").to_string();
    assert!(refusal.ends_with("this directory has no recovery key yet"), "{refusal}");
    assert_eq!(names_in(&house.secrets()), ["signing.key", "store.key"]);
}

#[test]
fn a_key_is_read_as_people_keep_it_and_never_shown() {
    let house = House::new();
    let same = |text: &str| {
        let keys = Identities::parse("it", text).expect("a key");
        assert_eq!(keys.fingerprints(), house.recovery.fingerprints());
    };
    same(&house.secret);
    same(&format!("# of the shop\n\n  {}  \n", house.secret));
    same(&house.secret.to_lowercase());
    // As the first start hands it over, and as somebody may write it down.
    same(&format!(
        "Recovery key for backups, shown only once: {}\nKeep it away from here.\n\n",
        house.secret
    ));
    same(&format!("From our safe. It begins with AGE-SECRET-KEY-1, they say.\n{}\nMay 2026\n", house.secret));

    let file = house.path().join("paper.txt");
    fs::write(&file, format!("{}\n", house.secret)).expect("a file");
    let keys = Identities::from_file(&file).expect("a key");
    assert_eq!(keys.fingerprints(), house.recovery.fingerprints());
    assert!(Identities::from_file(&house.path().join("none.txt")).is_err());
    assert!(Identities::from_env("USHER_TEST_THAT_IS_NOT_SET").expect("no fault").is_none());

    let public = fs::read_to_string(house.secrets().join("recovery.pub")).expect("a key");
    let mut swapped = house.secret.clone();
    swapped.replace_range(20..21, if swapped[20..].starts_with('Q') { "P" } else { "Q" });
    for (text, why) in [
        ("", "it has no key: it is empty"),
        ("# nothing", "it has no key: it is empty"),
        ("hunter2-AGE", "one line that begins with AGE-SECRET-KEY-1"),
        (public.as_str(), "this is the public half"),
        (&house.secret[..60], "a typing error, or a part of it is missing"),
        (house.secret.replacen("KEY-1", "KEY-1 ", 1).as_str(), "a typing error, or a part of it is missing"),
        (house.secret.replace("1", "1QQQQQ QQQQQ").as_str(), "a typing error, or a part of it is missing"),
        (&house.secret[4..], "one line that begins with AGE-SECRET-KEY-1"),
        (swapped.as_str(), "a typing error, or a part of it is missing"),
    ] {
        let refusal = Identities::parse("it", text).expect_err(text).to_string();
        assert!(refusal.contains(why), "{refusal}");
        assert!(text.len() < 10 || !refusal.contains(text.trim()), "the text is shown: {refusal}");
    }
    fs::remove_file(house.secrets().join("recovery.pub")).expect("a removal");
    let made = RecoveryKey::create(&house.secrets()).expect("a key");
    let debug = format!("{:?} {made:?}", house.recovery);
    assert!(!debug.contains("SECRET"), "{debug}");
}

#[test]
fn what_changes_while_it_is_packed_is_refused() {
    // It is read twice; somebody goes on writing to it, which its maker should not allow.
    let house = House::new();
    let database = house.path().join("copy.db");
    fs::write(&database, random(1_000_000)).expect("a file");
    let file = fs::OpenOptions::new().write(true).open(&database).expect("a file");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0_u64.. {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                // Overwritten, or shortened and back at its length.
                if turn % 50 == 0 {
                    file.set_len(1_000).and_then(|()| file.set_len(1_000_000)).expect("a length");
                }
                file.write_at(&turn.to_be_bytes(), fastrand::u64(0..999_000)).expect("a write");
            }
        });
        let mut refused = 0;
        wait_until("three refusals", || {
            match house.try_pack(&database, about(MADE, 1), &house.backups()) {
                // Even then what was packed is what its manifest says.
                Ok(packed) => {
                    archive::check(&packed.path, &house.recovery).expect("whole");
                    fs::remove_file(packed.path).expect("a removal");
                }
                Err(BackupError::Changed { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
            assert!(names_in(&house.backups()).is_empty());
            (refused == 3).then_some(())
        });
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_missing_or_oversized_key_is_named_and_leaves_nothing() {
    let house = House::new();
    let database = house.path().join("copy.db");
    fs::write(&database, "data").expect("a file");
    let key = house.secrets().join("store.key");
    fs::write(&key, vec![0; 65_537]).expect("a file");
    let refusal = house.try_pack(&database, about(MADE, 1), &house.backups()).expect_err("too large");
    assert!(refusal.to_string().contains("store.key has 65537 bytes, more than"), "{refusal}");
    fs::write(&key, vec![0; 65_536]).expect("a file");
    let packed = house.try_pack(&database, about(MADE, 1), &house.backups()).expect("just fits");
    archive::check(&packed.path, &house.recovery).expect("whole");
    fs::remove_file(&packed.path).expect("a removal");
    fs::remove_file(&key).expect("a removal");
    let refusal = house.try_pack(&database, about(MADE, 1), &house.backups()).expect_err("missing");
    assert!(refusal.to_string().contains("cannot read") && refusal.to_string().contains("store.key"));
    assert!(names_in(&house.backups()).is_empty());
    // The first line is signed by a key of 32 bytes.
    fs::write(&key, [7; 32]).expect("a file");
    for length in [31, 33] {
        fs::write(house.secrets().join("signing.key"), vec![8; length]).expect("a file");
        let refusal = house.try_pack(&database, about(MADE, 1), &house.backups()).expect_err("no key");
        assert!(refusal.to_string().contains("it must have 32 bytes"), "{refusal}");
    }
    assert!(names_in(&house.backups()).is_empty());
}
