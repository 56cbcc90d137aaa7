//! The folder of backups: what is listed, what is pruned and when, whom it still holds.

use std::fs;

use usher::archive::{self, Held, KEEP};
use usher::clock::{DAY, Millis};

use crate::common::house::{House, MADE, position};
use crate::common::names_in;

fn name(path: &std::path::Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn a_backup_is_pruned_at_exactly_thirty_days() {
    let house = House::new();
    let (first, second) = (house.pack_at(b"1", MADE, 1), house.pack_at(b"2", MADE + DAY, 2));
    assert_eq!(KEEP, 30 * DAY);
    let nothing = archive::prune(&house.backups(), MADE + 30 * DAY - 1, KEEP).expect("a pruning");
    assert!(nothing.removed.is_empty() && nothing.failed.is_empty());
    assert_eq!(archive::list(&house.backups()).expect("a list").len(), 2);
    let one = archive::prune(&house.backups(), MADE + 30 * DAY, KEEP).expect("a pruning");
    assert_eq!(one.removed, [name(&first.path)]);
    assert_eq!(names_in(&house.backups()), [name(&second.path)]);
    // A clock that was set back, and one that is far off, do no harm to what is younger.
    assert!(archive::prune(&house.backups(), 0, KEEP).expect("a pruning").removed.is_empty());
    assert!(archive::prune(&house.backups(), MADE, Millis::MAX).expect("a pruning").removed.is_empty());
    let none = house.path().join("none");
    assert!(archive::list(&none).expect("a list").is_empty());
    assert!(archive::prune(&none, MADE, KEEP).expect("a pruning").removed.is_empty());
}

#[test]
fn the_last_good_backup_stays_until_a_younger_is_good() {
    let house = House::new();
    let olds = [house.pack_at(b"1", MADE, 1), house.pack_at(b"2", MADE + DAY, 2)];
    let old = archive::prune(&house.backups(), MADE + 400 * DAY, KEEP).expect("a pruning");
    assert_eq!(old.removed, [name(&olds[0].path)], "it alone is kept longer, not all that are old");
    assert_eq!(old.lasting, Some(name(&olds[1].path)));

    // A younger one that does not read takes nobody's place.
    let cut = house.pack_at(b"cut", MADE + 399 * DAY, 3);
    fs::write(&cut.path, "cut").expect("a cut");
    let none = archive::prune(&house.backups(), MADE + 400 * DAY, KEEP).expect("a pruning");
    assert!(none.removed.is_empty() && none.lasting.is_some());
    assert_eq!(names_in(&house.backups()), [name(&olds[1].path), name(&cut.path)]);

    let young = house.pack_at(b"4", MADE + 400 * DAY, 4);
    let one = archive::prune(&house.backups(), MADE + 400 * DAY, KEEP).expect("a pruning");
    assert_eq!((one.removed, one.lasting), (vec![name(&olds[1].path)], None));
    assert_eq!(names_in(&house.backups()), [name(&cut.path), name(&young.path)]);
    // What does not read goes at its time, also where nothing good is left.
    fs::remove_file(&young.path).expect("a removal");
    let damaged = archive::prune(&house.backups(), MADE + 429 * DAY, KEEP).expect("a pruning");
    assert_eq!((damaged.removed, damaged.lasting), (vec![name(&cut.path)], None));
}

#[test]
fn a_damaged_backup_is_listed_and_pruned_by_its_name() {
    let house = House::new();
    let good = house.pack_at(b"good", MADE + 5, 1);
    let young = house.pack_at(b"young", MADE + DAY, 2);
    let cut = house.pack_at(b"cut", MADE + 7, 1);
    let text = fs::read(&cut.path).expect("a file");
    fs::write(&cut.path, &text[..100]).expect("a cut");
    for other in [".hidden.backup", "notes.txt", "usher.db"] {
        fs::write(house.backups().join(other), "x").expect("a file");
    }
    fs::write(house.backups().join("mine.backup"), "x").expect("a file");
    fs::create_dir(house.backups().join("folder.backup")).expect("a folder");

    let listed = archive::list(&house.backups()).expect("a list");
    let seen: Vec<_> = listed
        .iter()
        .map(|backup| (backup.name.clone(), backup.made_at(), backup.manifest.is_ok()))
        .collect();
    let (good, young, cut) = (name(&good.path), name(&young.path), name(&cut.path));
    assert_eq!(
        seen,
        [
            ("mine.backup".to_owned(), None, false),
            (cut.clone(), Some(MADE), false),
            (good.clone(), Some(MADE + 5), true),
            (young.clone(), Some(MADE + DAY), true)
        ]
    );
    let why = listed[1].manifest.as_ref().expect_err("it is cut").to_string();
    assert!(why.contains("is cut short"), "{why}");

    let expired = |now| -> Vec<String> {
        archive::expired(&listed, now, KEEP).iter().map(|backup| backup.name.clone()).collect()
    };
    assert!(expired(MADE + KEEP - 1).is_empty());
    assert_eq!(expired(MADE + KEEP), std::slice::from_ref(&cut));
    assert_eq!(expired(MADE + KEEP + 4), std::slice::from_ref(&cut));
    assert_eq!(expired(MADE + KEEP + 5), [cut.clone(), good.clone()]);
    archive::prune(&house.backups(), MADE + KEEP + 5, KEEP).expect("a pruning");
    // What tells nobody its age, and what is none of ours, stays.
    assert_eq!(
        names_in(&house.backups()),
        [".hidden.backup", "folder.backup", "mine.backup", "notes.txt", young.as_str(), "usher.db"]
    );
}

#[test]
fn a_receipt_can_name_the_backups_that_still_hold_a_person() {
    let house = House::new();
    // Of a person who came at `since` and whose erasure is entry 10.
    let since = MADE + 100_000;
    let before_they_came = house.pack_at(b"", since - 1, 5);
    let first = house.pack_at(b"", since, 5);
    let last = house.pack_at(b"", since + DAY, 9);
    let after = house.pack_at(b"", since + 2 * DAY, 10);
    let unreadable = house.pack_at(b"", since + 3 * DAY + 1, 11);
    let text = fs::read(&unreadable.path).expect("a file");
    fs::write(&unreadable.path, &text[..20]).expect("a cut");
    fs::write(house.backups().join("unknown.backup"), "?").expect("a file");

    let listed = archive::list(&house.backups()).expect("a list");
    assert_eq!(listed.len(), 6);
    let held = archive::holding(&listed, &position(10), since, KEEP);
    let expect = |name: String, made_at: Option<Millis>| Held {
        name,
        made_at,
        pruned_at: made_at.map(|at| at + 30 * DAY),
    };
    assert_eq!(
        held,
        [
            expect("unknown.backup".into(), None),
            expect(name(&first.path), Some(since)),
            expect(name(&last.path), Some(since + DAY)),
            // Nobody knows what it holds: named needlessly rather than left out.
            expect(name(&unreadable.path), Some(since + 3 * DAY)),
        ]
    );
    let names: Vec<String> = held.into_iter().map(|held| held.name).collect();
    assert!(!names.contains(&name(&before_they_came.path)) && !names.contains(&name(&after.path)));

    // Of another ledger: its numbers say nothing of this one's.
    let mut other = position(1);
    other.ledger = "ef".repeat(16);
    let all = archive::holding(&listed, &other, since, KEEP);
    assert_eq!(all.len(), 5, "all but the one from before they came");
    // A name tells the second: the damaged one may be of up to 999 ms later.
    let damaged = |since| archive::holding(&listed, &position(12), since, KEEP).len();
    let second = since + 3 * DAY;
    assert_eq!((damaged(second + 999), damaged(second + 1_000)), (2, 1));
}
