//! What needs a process of its own: how much memory it takes, what a kill leaves, what is
//! logged. The test program runs itself once more.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use usher::archive::{self, Contents, Copier, Destination, Identities, KEEP, Pace, Recipients, Sources};
use usher::clock::{Clock, DAY};

use super::script;
use crate::common::house::{House, MADE, about};
use crate::common::names_in;
use crate::process::wait_until;

const TASK: &str = "VAULT_TEST_TASK";
const DIR: &str = "VAULT_TEST_DIR";

fn child(task: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program"));
    command
        .args(["archive::child::does_what_its_parent_asks", "--exact", "--ignored", "--nocapture"])
        .env(TASK, task)
        .env(DIR, dir);
    command
}

#[test]
#[ignore = "run by the tests of this file, as a process of its own"]
fn does_what_its_parent_asks() {
    let Ok(task) = std::env::var(TASK) else { return };
    let dir = PathBuf::from(std::env::var(DIR).expect("a directory"));
    match task.as_str() {
        "stream" => stream(&dir),
        "read whole" => {
            report("start");
            let whole = fs::read(dir.join("copy.db")).expect("a file");
            report("end");
            assert!(whole.iter().all(|byte| *byte == 0));
        }
        "pack for ever" => loop {
            pack(&dir);
        },
        "log" => log_faults(&dir),
        other => panic!("what is {other}?"),
    }
}

fn pack(dir: &Path) -> archive::Packed {
    let recipients = Recipients::load(&dir.join("secrets")).expect("recipients");
    let contents = Contents::of(dir, &dir.join("copy.db"));
    archive::pack(&contents, about(MADE, 1), &recipients, &dir.join("backups")).expect("a backup")
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

fn report(what: &str) {
    println!("\npeak {what} {}", peak());
}

fn stream(dir: &Path) {
    report("start");
    let packed = pack(dir);
    report("packed");
    let key = Identities::machine(&dir.join("secrets")).expect("a key");
    archive::check(&packed.path, &key).expect("whole");
    report("checked");
    let unpacked = archive::unpack(&packed.path, &key, dir).expect("whole");
    assert_eq!(fs::metadata(unpacked.database()).expect("a file").len(), 200 << 20);
    report("unpacked");
    fs::create_dir(dir.join("place")).expect("a folder");
    let place = Destination::directory(dir.join("place"));
    place.copy_file(&packed.path).expect("a copy");
    place.copy_file(&packed.path).expect("a look at the copy");
    report("end");
}

/// What a child reported, in KiB.
fn growth(output: &str) -> u64 {
    let at = |what: &str| -> u64 {
        let line = output.lines().find(|line| line.starts_with(&format!("peak {what} "))).expect(what);
        line.rsplit(' ').next().expect("a number").parse().expect("a number")
    };
    println!("{}", output.lines().filter(|line| line.starts_with("peak")).collect::<Vec<_>>().join(", "));
    at("end") - at("start")
}

#[test]
fn memory_stays_flat_however_large_the_database_is() {
    let house = House::on_disk();
    File::create(house.path().join("copy.db")).and_then(|file| file.set_len(200 << 20)).expect("a file");
    let run = |task| {
        let output = child(task, house.path()).output().expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        growth(&String::from_utf8_lossy(&output.stdout))
    };
    let streamed = run("stream");
    assert!(streamed < 16 * 1024, "{streamed} KiB more for 200 MiB");
    // The gauge shows it when a file is read whole.
    assert!(run("read whole") > 190 * 1024);
}

#[test]
fn a_kill_amid_a_backup_leaves_none_and_is_swept() {
    let house = House::on_disk();
    let backups = house.backups();
    File::create(house.path().join("copy.db")).and_then(|file| file.set_len(64 << 20)).expect("a file");
    let mut left = 0;
    for _ in 0..6 {
        let mut packing =
            child("pack for ever", house.path()).stdout(Stdio::null()).spawn().expect("the program runs");
        let begun = wait_until("a draft that grows", || {
            let names = if backups.exists() { names_in(&backups) } else { Vec::new() };
            names.into_iter().find(|name| {
                let bytes = fs::metadata(backups.join(name)).map_or(0, |about| about.len());
                name.ends_with(".part") && bytes > fastrand::u64(1..20 << 20)
            })
        });
        assert!(begun.starts_with(".usher-"), "{begun}");
        // What is being written is no leftover.
        archive::sweep(&backups).expect("a sweep");
        let still =
            backups.join(&begun).exists() || names_in(&backups).iter().any(|n| n.ends_with(".backup"));
        assert!(still, "it was swept away under its writer");
        packing.kill().expect("a kill");
        packing.wait().expect("an end");

        for backup in archive::list(&backups).expect("a list") {
            // Those that have the name were finished before.
            archive::check(&backup.path, &house.recovery).expect("whole");
        }
        left += names_in(&backups).iter().filter(|name| name.ends_with(".part")).count();
        let pruned = archive::prune(&backups, MADE + 30 * DAY, KEEP).expect("a pruning");
        assert_eq!(names_in(&backups), Vec::from_iter(pruned.lasting));
    }
    assert!(left > 0, "no kill was in the middle");

    // The same where it is unpacked: that is not even encrypted.
    let unpacked = house.path().join(".unpacked-0123abcd");
    fs::create_dir_all(unpacked.join("secrets")).expect("a folder");
    fs::write(unpacked.join("usher.db"), "people").expect("a file");
    assert_eq!(archive::sweep_unpacked(house.path()).expect("a sweep"), 1);
    assert_eq!(names_in(house.path()), ["backups", "copy.db", "secrets", "signing.pub"]);
}

/// Prints what is logged.
struct Printer(Mutex<()>);

impl log::Log for Printer {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let _one_at_a_time = self.0.lock().expect("a turn");
        println!("\nLOG {} {}", record.level(), record.args());
    }

    fn flush(&self) {}
}

fn log_faults(dir: &Path) {
    log::set_logger(Box::leak(Box::new(Printer(Mutex::new(()))))).expect("the first logger");
    log::set_max_level(log::LevelFilter::Trace);
    let sources = Sources {
        ledger: dir.join("erasures.ledger"),
        backups: dir.join("backups"),
        receipts: dir.join("receipts"),
    };
    let pace = Pace { first: Duration::from_millis(1), longest: Duration::from_millis(5), ..Pace::default() };
    let words = format!("{} an-argument", dir.join("take").display());
    let place = Destination::command(&words, Duration::from_secs(30)).expect("a command");
    let mut copier = Copier::start(sources, place, Clock::manual(MADE), KEEP, pace).expect("a thread");
    copier.notices().backup_made();
    wait_until("four tries", || copier.state().fault.filter(|fault| fault.tries >= 4));
    fs::write(dir.join("works"), "").expect("a file");
    wait_until("a success", || copier.state().last_success.filter(|_| copier.state().fault.is_none()));
    copier.stop();
}

#[test]
fn a_fault_is_logged_at_its_begin_and_end_alone() {
    let house = House::on_disk();
    house.pack(b"data");
    script(
        &house.path().join("take"),
        "cd \"$(dirname \"$0\")\"\necho from-the-command\necho from-the-command >&2\nenv > environment\n\
         echo \"$@\" >> taken\n[ -e works ] || exit 7\n",
    );
    let output = child("log", house.path())
        .env("USHER_RECOVERY_KEY", &house.secret)
        .env("ANOTHER", "is passed on")
        .output()
        .expect("the program runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let logged: Vec<&str> = printed.lines().filter(|line| line.starts_with("LOG ")).collect();
    assert_eq!(logged.len(), 2, "{logged:#?}");
    assert!(logged[0].starts_with("LOG ERROR copying to the backup place fails"), "{logged:#?}");
    assert!(logged[0].ends_with("ended with exit status: 7"), "{logged:#?}");
    assert!(logged[1].starts_with("LOG INFO copying to the backup place works again, after"), "{logged:#?}");
    assert!(!printed.contains("from-the-command"), "{printed}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("from-the-command"));
    // It is told the file, last, and none of our settings.
    let taken = fs::read_to_string(house.path().join("taken")).expect("a file");
    let backup = archive::list(&house.backups()).expect("a list").remove(0).path;
    assert!(taken.lines().all(|line| line == format!("an-argument {}", backup.display())), "{taken}");
    assert!(taken.lines().count() >= 5, "{taken}");
    let environment = fs::read_to_string(house.path().join("environment")).expect("a file");
    assert!(environment.contains("ANOTHER=is passed on"), "{environment}");
    assert!(!environment.contains("USHER_"), "{environment}");
}
