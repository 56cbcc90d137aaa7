//! The thread that keeps the place of copies up to date.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use usher::archive::{self, Copier, Destination, KEEP, Pace, Pending, Sources};
use usher::clock::{Clock, DAY};

use super::script;
use crate::common::house::{House, MADE, random};
use crate::common::names_in;
use crate::process::wait_until;

/// Quick, but with a pause between looks that no test outlives.
const QUICK: Pace = Pace {
    first: Duration::from_millis(5),
    longest: Duration::from_millis(40),
    idle: Duration::from_secs(600),
    last: Duration::from_secs(10),
};

struct Scene {
    house: House,
    place: TempDir,
    clock: Clock,
    ledger: Vec<u8>,
}

impl Scene {
    fn new() -> Scene {
        let place = tempfile::tempdir().expect("a directory");
        let scene =
            Scene { house: House::on_disk(), place, clock: Clock::manual(MADE), ledger: random(10_000) };
        fs::write(scene.house.path().join("erasures.ledger"), &scene.ledger).expect("a ledger");
        scene
    }

    fn start(&self, place: Destination, pace: Pace) -> Copier {
        let sources = Sources {
            ledger: self.house.path().join("erasures.ledger"),
            backups: self.house.backups(),
            receipts: self.house.path().join("receipts"),
        };
        Copier::start(sources, place, self.clock.clone(), KEEP, pace).expect("a thread")
    }

    fn directory(&self) -> Destination {
        Destination::directory(self.place.path())
    }

    /// A command that notes the names of what it is given in `taken`.
    fn command(&self, argument: &str) -> Destination {
        let words = format!("{} {argument}", self.program().display());
        Destination::command(&words, Duration::from_secs(60)).expect("a command")
    }

    fn program(&self) -> PathBuf {
        self.house.path().join("take")
    }

    fn takes(&self, more: &str) {
        script(
            &self.program(),
            &format!("cd \"$(dirname \"$0\")\"\n{more}\nfor file; do :; done\nbasename \"$file\" >> taken\n"),
        );
    }

    fn taken(&self) -> Vec<String> {
        let taken = fs::read_to_string(self.house.path().join("taken")).unwrap_or_default();
        taken.lines().map(str::to_owned).collect()
    }
}

/// Waits until nothing is left to copy.
fn settle(copier: &Copier) {
    wait_until("all to be copied", || {
        let state = copier.state();
        (state.behind == Pending::default() && state.fault.is_none() && state.last_success.is_some())
            .then_some(())
    });
}

fn name(packed: &archive::Packed) -> String {
    packed.path.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn what_is_new_is_copied_and_what_is_old_removed() {
    let scene = Scene::new();
    let first = scene.house.pack_at(b"1", MADE, 1);
    let mut copier = scene.start(scene.directory(), QUICK);
    let notices = copier.notices();
    notices.ledger_grew(4_000);
    settle(&copier);
    let copy = scene.place.path().join("erasures.ledger");
    wait_until("the ledger", || (fs::read(&copy).ok()? == scene.ledger[..4_000]).then_some(()));
    assert_eq!(names_in(scene.place.path()), ["erasures.ledger".to_owned(), name(&first)]);

    notices.ledger_grew(10_000);
    // News that come late change nothing.
    notices.ledger_grew(3_000);
    let second = scene.house.pack_at(b"2", MADE + DAY, 2);
    notices.backup_made();
    settle(&copier);
    assert_eq!(fs::read(&copy).expect("a copy"), scene.ledger);
    archive::check(&scene.place.path().join(name(&second)), &scene.house.recovery).expect("whole");
    assert_eq!(copier.state().last_success, Some(MADE));

    // It goes by its age, whether or not its original is still there.
    scene.clock.advance(KEEP - 1);
    wait_until("a look", || (copier.state().last_success == Some(MADE + KEEP - 1)).then_some(()));
    assert!(names_in(scene.place.path()).contains(&name(&first)));
    scene.clock.advance(1);
    wait_until("a look", || (copier.state().last_success == Some(MADE + KEEP)).then_some(()));
    assert_eq!(names_in(scene.place.path()), ["erasures.ledger".to_owned(), name(&second)]);
    // And does not come back, though it is still here.
    notices.try_now();
    copier.stop();
    assert_eq!(names_in(scene.place.path()), ["erasures.ledger".to_owned(), name(&second)]);
    assert!(first.path.exists());
}

#[test]
fn the_last_good_copy_stays_until_a_younger_one_is_whole() {
    let scene = Scene::new();
    let older = scene.house.pack_at(b"1", MADE - DAY, 1);
    let last = scene.house.pack_at(b"2", MADE, 2);
    let copier = scene.start(scene.directory(), QUICK);
    settle(&copier);
    assert_eq!(names_in(scene.place.path()), [name(&older), name(&last)]);
    let look = |day| {
        wait_until("a look", || (copier.state().last_success == Some(MADE + day * DAY)).then_some(()));
    };
    scene.clock.advance(40 * DAY);
    look(40);
    assert_eq!(names_in(scene.place.path()), [name(&last)], "no younger one is there");
    // A disk that is new gets it, too.
    fs::remove_file(scene.place.path().join(name(&last))).expect("a removal");
    scene.clock.advance(DAY);
    look(41);
    assert_eq!(names_in(scene.place.path()), [name(&last)]);

    // One that is damaged here makes no room there.
    let damaged = scene.house.pack_at(&random(10_000), MADE + 41 * DAY, 3);
    let mut bytes = fs::read(&damaged.path).expect("a file");
    bytes[5_000] ^= 1;
    fs::write(&damaged.path, &bytes).expect("damage");
    scene.clock.advance(DAY);
    look(42);
    assert_eq!(names_in(scene.place.path()), [name(&last)]);

    let young = scene.house.pack_at(b"4", MADE + 42 * DAY, 4);
    copier.notices().backup_made();
    wait_until("the copy, and room", || (names_in(scene.place.path()) == [name(&young)]).then_some(()));
}

#[test]
fn a_place_that_comes_back_gets_all_that_it_missed() {
    let scene = Scene::new();
    let missing = scene.place.path().join("disk");
    let copier = scene.start(Destination::directory(&missing), QUICK);
    let packed = scene.house.pack(b"data");
    copier.notices().ledger_grew(10_000);
    copier.notices().backup_made();
    let state = wait_until("three tries", || {
        Some(copier.state()).filter(|state| state.fault.as_ref().is_some_and(|fault| fault.tries > 3))
    });
    let fault = state.fault.expect("a fault");
    assert!(fault.words.contains("is its disk mounted?"), "{}", fault.words);
    assert_eq!((fault.since, state.last_success), (MADE, None));
    // Seen by a look before it was told of, it may for a moment count as two.
    let one = Pending { ledger: 10_000, backups: 1 };
    wait_until("a count", || (copier.state().behind == one).then_some(()));
    assert!(!missing.exists());

    fs::create_dir(&missing).expect("a folder");
    settle(&copier);
    assert_eq!(names_in(&missing), ["erasures.ledger".to_owned(), name(&packed)]);

    // Another disk in its place, with nothing on it.
    fs::rename(&missing, scene.place.path().join("old disk")).expect("a rename");
    fs::create_dir(&missing).expect("a folder");
    copier.notices().try_now();
    wait_until("all to be copied again", || {
        (names_in(&missing) == ["erasures.ledger".to_owned(), name(&packed)]).then_some(())
    });
}

#[test]
fn a_ledger_that_cannot_be_copied_holds_up_no_backup() {
    let scene = Scene::new();
    let copy = scene.place.path().join("erasures.ledger");
    fs::write(&copy, random(20_000)).expect("another ledger");
    let before = fs::read(&copy).expect("a copy");
    let copier = scene.start(scene.directory(), QUICK);
    copier.notices().ledger_grew(10_000);
    let packed = scene.house.pack(b"data");
    copier.notices().backup_made();
    let place = scene.place.path();
    wait_until("the backup", || names_in(place).contains(&name(&packed)).then_some(()));
    let fault = wait_until("a fault", || copier.state().fault);
    assert!(fault.words.contains("is not a copy of this ledger"), "{}", fault.words);
    assert_eq!(copier.state().behind.ledger, 10_000);
    drop(copier);
    assert_eq!(fs::read(&copy).expect("a copy"), before);
}

#[test]
fn a_backup_that_is_damaged_here_is_named_and_holds_up_nothing() {
    let scene = Scene::new();
    let good = scene.house.pack_at(&random(10_000), MADE, 1);
    let damaged = scene.house.pack_at(&random(10_000), MADE + 1, 1);
    let mut bytes = fs::read(&damaged.path).expect("a file");
    bytes[5_000] ^= 1;
    fs::write(&damaged.path, &bytes).expect("damage");
    let copier = scene.start(scene.directory(), QUICK);
    settle(&copier);
    assert_eq!(copier.state().damaged, [name(&damaged)]);
    assert_eq!(names_in(scene.place.path()), [name(&good)]);
    fs::remove_file(&damaged.path).expect("a removal");
    copier.notices().backup_made();
    wait_until("a look", || copier.state().damaged.is_empty().then_some(()));
}

#[test]
fn a_command_that_fails_is_run_again_until_it_does_not() {
    let scene = Scene::new();
    scene.takes("echo . >> runs\n[ \"$(wc -l < runs)\" -ge 4 ] || exit 1");
    let packed = scene.house.pack(b"data");
    let copier = scene.start(scene.command("one"), QUICK);
    settle(&copier);
    assert_eq!(scene.taken(), [name(&packed)]);
    let runs = fs::read_to_string(scene.house.path().join("runs")).expect("a file");
    assert_eq!(runs.lines().count(), 4);
}

#[test]
fn a_command_is_not_given_the_same_twice_also_after_a_restart() {
    let scene = Scene::new();
    scene.takes("");
    let first = scene.house.pack_at(b"1", MADE, 1);
    let mut copier = scene.start(scene.command("one"), QUICK);
    copier.notices().ledger_grew(4_000);
    settle(&copier);
    copier.stop();
    let mut taken = scene.taken();
    taken.sort();
    assert_eq!(taken, ["erasures.ledger".to_owned(), name(&first)]);

    let second = scene.house.pack_at(b"2", MADE + 1, 1);
    let mut copier = scene.start(scene.command("one"), QUICK);
    settle(&copier);
    copier.stop();
    assert_eq!(scene.taken()[2..], [name(&second)]);
    // Another place has neither.
    let mut copier = scene.start(scene.command("two"), QUICK);
    settle(&copier);
    copier.stop();
    assert_eq!(scene.taken()[3..], [name(&second), name(&first)]);

    // The marks go with what they mark.
    assert_eq!(names_in(&scene.house.backups()).len(), 4);
    archive::prune(&scene.house.backups(), MADE + KEEP, KEEP).expect("a pruning");
    let mut copier = scene.start(scene.command("two"), QUICK);
    settle(&copier);
    copier.stop();
    assert_eq!(names_in(&scene.house.backups()), [format!(".{}.copied", name(&second)), name(&second)]);
}

#[test]
fn a_stop_finishes_its_copies_but_none_that_takes_too_long() {
    let scene = Scene::new();
    let mut copier = scene.start(scene.directory(), QUICK);
    settle(&copier);
    let packed = scene.house.pack(&random(3_000_000));
    copier.notices().ledger_grew(10_000);
    copier.notices().backup_made();
    copier.stop();
    assert_eq!(names_in(scene.place.path()), ["erasures.ledger".to_owned(), name(&packed)]);
    assert_eq!(copier.state().behind, Pending::default());

    // In the middle of a long pause after a fault it tries once more, and ends.
    let missing = scene.place.path().join("disk");
    let slow = Pace { first: Duration::from_secs(600), longest: Duration::from_secs(600), ..QUICK };
    let mut copier = scene.start(Destination::directory(&missing), slow);
    wait_until("a fault", || copier.state().fault);
    fs::create_dir(&missing).expect("a folder");
    copier.stop();
    assert_eq!(names_in(&missing), [name(&packed)]);

    scene.takes("echo $$ > pid.new\nmv pid.new pid\nexec sleep 1000");
    let short = Pace { last: Duration::from_millis(200), ..QUICK };
    let mut copier = scene.start(scene.command("one"), short);
    let pid = wait_until("the command", || fs::read_to_string(scene.house.path().join("pid")).ok());
    let started = Instant::now();
    copier.stop();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(!Path::new(&format!("/proc/{}", pid.trim())).exists(), "the command still runs");
    assert_eq!(copier.state().behind.backups, 1);
}

#[test]
fn news_of_the_ledger_do_not_shorten_the_pause_after_a_fault() {
    let scene = Scene::new();
    let slow = Pace { first: Duration::from_secs(600), longest: Duration::from_secs(600), ..QUICK };
    let copier = scene.start(Destination::directory(scene.place.path().join("disk")), slow);
    wait_until("a fault", || copier.state().fault);
    for upto in 1..200 {
        copier.notices().ledger_grew(upto);
    }
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(copier.state().fault.expect("a fault").tries, 1);
    copier.notices().try_now();
    wait_until("a try", || copier.state().fault.filter(|fault| fault.tries == 2));
}
