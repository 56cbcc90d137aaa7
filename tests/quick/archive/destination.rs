//! The place of copies, one call at a time.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use usher::archive::{self, BackupError, Copied, Destination, KEEP};
use usher::clock::DAY;

use crate::common::house::{House, MADE, random};
use crate::common::{mode, names_in};

fn file_name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn a_copy_is_whole_private_and_made_once() {
    let house = House::new();
    let folder = crate::common::folder();
    let place = Destination::directory(folder.path());
    let packed = house.pack(&random(300_000));
    assert_eq!(place.copy_file(&packed.path).expect("a copy"), Copied::Now);
    let copy = folder.path().join(file_name(&packed.path));
    assert_eq!(names_in(folder.path()), [file_name(&packed.path)]);
    assert_eq!((fs::read(&copy).expect("a copy"), mode(&copy)), (fs::read(&packed.path).expect("it"), 0o600));
    archive::check(&copy, &house.recovery).expect("whole");
    let inode = || fs::metadata(&copy).expect("a copy").ino();
    let first = inode();
    assert_eq!(place.copy_file(&packed.path).expect("a look"), Copied::Already);
    assert_eq!(inode(), first);

    // A copy of the same size that is damaged is made again; so is one that was cut.
    OpenOptions::new().write(true).open(&copy).and_then(|f| f.write_at(b"?", 5_000)).expect("damage");
    assert_eq!(place.copy_file(&packed.path).expect("a copy"), Copied::Now);
    archive::check(&copy, &house.recovery).expect("whole");
    fs::write(&copy, "cut").expect("a cut");
    assert_eq!(place.copy_file(&packed.path).expect("a copy"), Copied::Now);
    archive::check(&copy, &house.recovery).expect("whole");

    // The other way round: a good copy is not written over with what was damaged here.
    OpenOptions::new().write(true).open(&packed.path).and_then(|f| f.write_at(b"?", 5_000)).expect("damage");
    let refusal = place.copy_file(&packed.path).expect_err("it is damaged");
    assert!(matches!(refusal, BackupError::Damaged { .. }), "{refusal}");
    archive::check(&copy, &house.recovery).expect("whole");
    assert_eq!(names_in(folder.path()), [file_name(&packed.path)]);

    // Any other file is copied as it is.
    let note = house.path().join("signing.pub");
    assert_eq!(place.copy_file(&note).expect("a copy"), Copied::Now);
    assert_eq!(fs::read(folder.path().join("signing.pub")).expect("it"), b"the public half\n");
}

#[test]
fn a_copy_that_was_killed_half_way_is_made_again_and_swept() {
    let house = House::new();
    let folder = crate::common::folder();
    let packed = house.pack(&random(100_000));
    let name = file_name(&packed.path);
    let half = &fs::read(&packed.path).expect("it")[..50_000];
    fs::write(folder.path().join(format!(".{name}.part")), half).expect("a leftover");
    fs::write(folder.path().join(".usher-20260101T000000Z-00000000.backup.part"), half).expect("a leftover");
    let place = Destination::directory(folder.path());
    assert_eq!(place.copy_file(&packed.path).expect("a copy"), Copied::Now);
    archive::check(&folder.path().join(&name), &house.recovery).expect("whole");
    place.prune(MADE, KEEP).expect("a pruning");
    assert_eq!(names_in(folder.path()), [name]);
}

#[test]
fn the_copy_of_the_ledger_is_taken_up_wherever_it_was_cut_off() {
    let house = House::new();
    let ledger = house.path().join("erasures.ledger");
    let whole = random(3_000);
    fs::write(&ledger, &whole).expect("a ledger");
    let folder = crate::common::folder();
    let copy = folder.path().join("erasures.ledger");
    for cut in (0..=3_000).step_by(30) {
        fs::write(&copy, &whole[..cut]).expect("a cut");
        let place = Destination::directory(folder.path());
        assert_eq!(place.follow_ledger(&ledger, 3_000).expect("a copy"), 3_000 - cut as u64);
        assert!(fs::read(&copy).expect("a copy") == whole, "cut at {cut}");
        assert_eq!(place.follow_ledger(&ledger, 3_000).expect("a look"), 0);
    }
    fs::remove_file(&copy).expect("a removal");
    let place = Destination::directory(folder.path());
    // Only what is on our own disk for good.
    assert_eq!(place.follow_ledger(&ledger, 1_000).expect("a copy"), 1_000);
    assert_eq!((fs::read(&copy).expect("a copy"), mode(&copy)), (whole[..1_000].to_vec(), 0o600));
    assert_eq!(place.follow_ledger(&ledger, 2_999).expect("a copy"), 1_999);
    assert_eq!(fs::read(&copy).expect("a copy"), whole[..2_999]);
    // Put away and brought back by somebody, it is followed again.
    fs::remove_file(&copy).expect("a removal");
    assert_eq!(place.follow_ledger(&ledger, 3_000).expect("a copy"), 3_000);
    let refusal = place.follow_ledger(&ledger, 3_001).expect_err("there is no such byte").to_string();
    assert!(refusal.contains("it is shorter than it was"), "{refusal}");
}

#[test]
fn a_longer_ledger_and_another_one_are_never_written_over() {
    let house = House::new();
    let ledger = house.path().join("erasures.ledger");
    let whole = random(200_000);
    fs::write(&ledger, &whole).expect("a ledger");
    let folder = crate::common::folder();
    let copy = folder.path().join("erasures.ledger");
    let refused = |place: &Destination, copied: &[u8], upto: u64| {
        fs::write(&copy, copied).expect("a copy");
        let refusal = place.follow_ledger(&ledger, upto).expect_err("refused");
        assert!(fs::read(&copy).expect("a copy") == copied, "it was written over");
        refusal.to_string()
    };
    let fresh = || Destination::directory(folder.path());
    let words = refused(&fresh(), &[&whole[..], b"more"].concat(), 200_000);
    assert!(words.contains("has 200004 bytes, the ledger has 200000"), "{words}");
    assert!(words.contains("replace the ledger with the copy"), "{words}");
    assert!(refused(&fresh(), &whole, 199_999).contains("the ledger is older than its copy"));

    // That would be wrong advice for the ledger of another installation, which is longer, too.
    let foreign = [&[whole[0] ^ 1], &whole[1..], b"more"].concat();
    let words = refused(&fresh(), &foreign, 200_000);
    assert!(
        words.contains("is not a copy of this ledger") && words.contains("name another place"),
        "{words}"
    );

    // Found by a place that has seen nothing yet, and by one that followed all along.
    for at in [0, 1, 65_535, 65_536, 150_000, 199_999] {
        let mut other = whole.clone();
        other[at] ^= 1;
        let used = fresh();
        fs::write(&copy, &whole).expect("a copy");
        assert_eq!(used.follow_ledger(&ledger, 200_000).expect("a look"), 0);
        for place in [fresh(), used] {
            // The one that followed compares the end each time, and all when it is told less.
            let upto = if at < 190_000 { 190_000 } else { 200_000 };
            let words = refused(&place, &other[..usize::try_from(upto).expect("small")], upto);
            assert!(words.contains(&format!("they differ at byte {at}")), "{words}");
        }
    }

    // Room that a power cut left empty is not another ledger.
    let mut torn = whole[..100_000].to_vec();
    torn.resize(120_000, 0);
    fs::write(&copy, &torn).expect("a copy");
    assert!(fresh().follow_ledger(&ledger, 200_000).expect("a copy") >= 100_000);
    assert!(fs::read(&copy).expect("a copy") == whole);
    torn[119_999] = 1;
    assert!(refused(&fresh(), &torn, 200_000).contains("is not a copy of this ledger"));
}

#[test]
fn a_missing_place_is_not_made() {
    let house = House::new();
    let packed = house.pack(b"data");
    let ledger = house.path().join("erasures.ledger");
    fs::write(&ledger, "{}\n").expect("a ledger");
    let missing = house.path().join("mnt/disk");
    let place = Destination::directory(&missing);
    let name = file_name(&packed.path);
    for refusal in [
        place.copy_file(&packed.path).err(),
        place.follow_ledger(&ledger, 3).err(),
        place.remove(&name).err(),
        place.prune(MADE, KEEP).err(),
    ] {
        let refusal = refusal.expect("a refusal").to_string();
        assert!(refusal.contains("does not exist: is its disk mounted?"), "{refusal}");
        assert!(!house.path().join("mnt").exists());
    }
}

#[test]
fn the_folder_itself_is_no_place() {
    let house = House::new();
    let packed = house.pack(b"data");
    let ledger = house.path().join("erasures.ledger");
    fs::write(&ledger, "{}\n").expect("a ledger");
    let itself = Destination::directory(house.backups()).copy_file(&packed.path).expect_err("the same");
    assert!(itself.to_string().contains("is the file itself"), "{itself}");
    let itself = Destination::directory(house.path()).follow_ledger(&ledger, 3).expect_err("the same");
    assert!(itself.to_string().contains("is the file itself"), "{itself}");
    archive::check(&packed.path, &house.recovery).expect("still whole");
}

#[test]
fn copies_are_removed_by_name_and_by_age() {
    let house = House::new();
    let folder = crate::common::folder();
    let place = Destination::directory(folder.path());
    let (old, new) = (house.pack_at(b"1", MADE, 1), house.pack_at(b"2", MADE + DAY, 2));
    for packed in [&old, &new] {
        place.copy_file(&packed.path).expect("a copy");
    }
    fs::write(folder.path().join("erasures.ledger"), "{}\n").expect("a ledger");
    for name in ["../signing.pub", "/etc/passwd", "erasures.ledger", "", ".x.backup", "a/b.backup"] {
        let refusal = place.remove(name).expect_err(name).to_string();
        assert!(refusal.contains("is not the name of a backup"), "{refusal}");
    }
    place.prune(MADE + KEEP - 1, KEEP).expect("a pruning");
    assert_eq!(names_in(folder.path()).len(), 3);
    place.prune(MADE + KEEP, KEEP).expect("a pruning");
    assert_eq!(names_in(folder.path()), ["erasures.ledger", &file_name(&new.path)]);
    assert!(place.remove(&file_name(&new.path)).expect("a removal"));
    assert!(!place.remove(&file_name(&new.path)).expect("nothing"));
    assert_eq!(names_in(folder.path()), ["erasures.ledger"]);
    assert!(old.path.exists() && new.path.exists());
}

#[test]
fn the_last_good_copy_is_kept_past_its_time_as_its_original_is() {
    let house = House::new();
    let folder = crate::common::folder();
    let place = Destination::directory(folder.path());
    let (older, old) = (house.pack_at(b"1", MADE - DAY, 1), house.pack_at(b"2", MADE, 2));
    for packed in [&older, &old] {
        place.copy_file(&packed.path).expect("a copy");
    }
    place.prune(MADE + 40 * DAY, KEEP).expect("a pruning");
    assert_eq!(names_in(folder.path()), [file_name(&old.path)]);
    // What is there and does not read is no younger one.
    let damaged = house.pack_at(b"3", MADE + 39 * DAY, 3);
    let there = folder.path().join(file_name(&damaged.path));
    fs::write(&there, "cut").expect("a cut");
    place.prune(MADE + 40 * DAY, KEEP).expect("a pruning");
    assert_eq!(names_in(folder.path()), [file_name(&old.path), file_name(&damaged.path)]);
    place.copy_file(&damaged.path).expect("a copy");
    place.prune(MADE + 40 * DAY, KEEP).expect("a pruning");
    assert_eq!(names_in(folder.path()), [file_name(&damaged.path)]);
}
