//! A server, a backup and a restore that are cut off at any change they make to a file, by a kill
//! or a power cut: what is left opens, and has all that was acknowledged before.
//!
//! `POWER_CUTS=10000` makes so many states: four tenths of a server under load, four of a backup
//! beside it, a tenth each of a restore and of a start (`start_kills`). `FUZZ_SEED` is as in `fuzz`.

pub mod disk;

use std::path::Path;

use fastrand::Rng;
use tempfile::TempDir;
use usher::archive::{self, Identities};

use crate::process::{Process, directory, key, lines, sqlite, usher, wait_until};
use crate::restore_kills::Shelf;
use crate::shim::{Shim, copied, each, number, read_changes};
use crate::traffic::Traffic;
use disk::{Cut, Run};

/// Points at which each is cut in the long form.
const POINTS: usize = 500;
/// Each so many states the whole directory is verified.
const VERIFIED: usize = 50;

fn seed() -> u64 {
    let seed = number("FUZZ_SEED").map_or_else(|| fastrand::u64(..u64::MAX / 2), |seed| seed as u64);
    eprintln!("FUZZ_SEED={seed}");
    seed
}

/// So many of the states that are asked for, in tenths.
fn states(tenths: usize, short: usize) -> usize {
    number("POWER_CUTS").map_or(short, |states| states * tenths / 10)
}

/// A server with its changes, and what its clients were told.
struct Served {
    shim: Shim,
    traffic: Traffic,
    run: Run,
    /// Before and after the backup.
    backup: (u64, u64),
}

impl Served {
    fn new(seed: u64) -> Served {
        let (shim, before) = (Shim::new(), directory());
        let key = key(before.path(), "test");
        let traced = copied(before.path());
        let dir = traced.path();
        let mut command = usher(dir, &["serve", "--listen", "127.0.0.1:0", "--rate-limit", "off"]);
        let trace = shim.trace(&mut command, dir);
        let server = Process::run(dir, command);
        let time = || std::fs::metadata(&trace).expect("a trace").len();
        let traffic = Traffic::new(&key, seed);
        let (base, many) = (server.base.clone(), if number("POWER_CUTS").is_some() { 3_000 } else { 300 });
        let backup = traffic.run(&base, 3, &time, || {
            let wait = |writes| {
                wait_until("writes", || (traffic.acknowledged() >= writes).then_some(()));
            };
            wait(many / 2);
            let from = time();
            lines(dir, &["backup", &dir.join("backups").to_string_lossy()]);
            let backup = (from, time());
            wait(many);
            assert!(server.terminate().success());
            backup
        });
        assert_eq!(traffic.odd_answers(), [""; 0]);
        assert!(!traffic.erased().is_empty(), "nobody was erased");
        let run = Run::new(before.path(), read_changes(&trace));
        assert_eq!(run.differences(dir), [""; 0], "changes that are not in the trace");
        Served { shim, traffic, run, backup }
    }

    /// A cut before a change: what is left, made and looked at.
    fn cut(&self, upto: usize, cut: Cut, rng: &mut Rng, with_verify: bool) -> Result<(), String> {
        let dir = directory();
        self.run.make(upto, cut, rng, dir.path());
        self.check(dir.path(), self.run.time(upto), with_verify)
    }

    fn check(&self, dir: &Path, upto: u64, with_verify: bool) -> Result<(), String> {
        let key = Identities::machine(&dir.join("secrets")).map_err(|error| error.to_string())?;
        for entry in std::fs::read_dir(dir.join("backups")).into_iter().flatten().flatten() {
            let is_backup = entry.file_name().to_string_lossy().ends_with(".backup");
            if is_backup {
                archive::check(&entry.path(), &key).map_err(|error| error.to_string())?;
            }
        }
        opens(&self.shim, dir)?;
        let conn = sqlite(dir);
        let sound: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        if sound != "ok" {
            return Err(sound);
        }
        match self.traffic.losses(&conn, upto, false) {
            losses if losses.is_empty() => {}
            losses => return Err(losses.join("\n")),
        }
        drop(conn);
        if with_verify { verified(dir) } else { Ok(()) }
    }

    /// Cut at some of the points, several times at each.
    fn cut_many(&self, seed: u64, points: &[usize], states: usize) {
        let mut rng = Rng::with_seed(seed);
        let mut sampled = points.to_vec();
        rng.shuffle(&mut sampled);
        sampled.truncate(POINTS.min(states.div_ceil(4)));
        assert!(!sampled.is_empty(), "no change was made");
        let kills = each(states, |n| {
            let mut rng = Rng::with_seed(seed.wrapping_add(n as u64));
            let change = sampled[n % sampled.len()];
            let cut = match n / sampled.len() {
                0 => Cut::Kill,
                1 => Cut::Torn,
                _ => Cut::Power,
            };
            let outcome = self.cut(change + 1, cut, &mut rng, n.is_multiple_of(VERIFIED));
            let of = &self.run.changes[change];
            outcome.map_err(|why| {
                format!(
                    "state {n}, {cut:?} behind change {change} ({} of {}, {} bytes at {}): {why}",
                    of.kind as char,
                    of.name,
                    of.bytes.len(),
                    of.at
                )
            })
        });
        eprintln!("{kills} states at {} of {} points: 0 lost", sampled.len(), points.len());
    }
}

/// The next start, that finds what is left.
fn opens(shim: &Shim, dir: &Path) -> Result<(), String> {
    let mut command = usher(dir, &["project", "list"]);
    shim.spare(&mut command);
    let output = command.output().expect("the program runs");
    let why = String::from_utf8_lossy(&output.stderr);
    match output.status.success() && !why.contains("panicked") {
        true => Ok(()),
        false => Err(format!("it does not open: {why}")),
    }
}

fn verified(dir: &Path) -> Result<(), String> {
    let output = usher(dir, &["verify"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() { Ok(()) } else { Err(format!("verify: {said}")) }
}

#[test]
fn a_cut_while_serving_or_backing_up_loses_nothing() {
    let seed = seed();
    let served = Served::new(seed);
    let (from, to) = served.backup;
    let while_serving: Vec<usize> = [served.run.points(0, from), served.run.points(to, u64::MAX)].concat();
    served.cut_many(seed, &while_serving, states(4, 20));
    served.cut_many(seed + 1, &served.run.points(from, to), states(4, 20));
    // The twin: a disk that loses what it had synced is found out.
    let all = served.run.changes.len();
    let lost = served.cut(all, Cut::SyncedToo, &mut Rng::with_seed(seed), false);
    assert!(lost.is_err(), "synced writes were lost, and nobody noticed");
}

/// A backup and what lies beside it, restored on a machine with nothing.
fn restored() -> (Shelf, Shim, Run) {
    let (shelf, shim) = (Shelf::new(), Shim::new());
    let (before, traced): (TempDir, TempDir) = (directory(), directory());
    let mut command = shelf.command(traced.path());
    let trace = shim.trace(&mut command, traced.path());
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = Run::new(before.path(), read_changes(&trace));
    assert_eq!(run.differences(traced.path()), [""; 0], "changes that are not in the trace");
    (shelf, shim, run)
}

/// Whom the erasures since the backup meant is not there; who lives is.
fn people_are_right(dir: &Path) -> Result<(), String> {
    let conn = sqlite(dir);
    let mut names =
        conn.prepare("SELECT identifier FROM users WHERE identifier IS NOT NULL").expect("a query");
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).expect("rows").map(|name| name.expect("a name")).collect();
    if names == ["dan-the-living"] { Ok(()) } else { Err(format!("there are {names:?}")) }
}

/// Started as it is, it does not open, or has everything.
fn half_restored(shim: &Shim, dir: &Path) -> Result<(), String> {
    match opens(shim, dir) {
        Ok(()) => people_are_right(dir).map_err(|why| format!("started half restored: {why}")),
        Err(why) if why.contains("panicked") => Err(why),
        Err(_) => Ok(()),
    }
}

#[test]
fn a_cut_in_a_restore_is_made_good_by_the_next_one() {
    let seed = seed();
    let (shelf, shim, run) = restored();
    let states = states(1, 16);
    let mut points = run.points(0, u64::MAX);
    Rng::with_seed(seed).shuffle(&mut points);
    points.truncate(POINTS.min(states.div_ceil(2)));
    let done = each(states, |n| {
        let mut rng = Rng::with_seed(seed.wrapping_add(n as u64));
        let change = points[n % points.len()];
        let cut = if n < points.len() { Cut::Kill } else { Cut::Power };
        let dir = directory();
        run.make(change + 1, cut, &mut rng, dir.path());
        let half = half_restored(&shim, dir.path());
        let mut command = shelf.command(dir.path());
        shim.spare(&mut command);
        let output = command.output().expect("the program runs");
        let again = match output.status.success() {
            true => people_are_right(dir.path()).and_then(|()| verified(dir.path())),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        };
        let of = &run.changes[change];
        half.and(again).map_err(|why| {
            format!("state {n}, {cut:?} behind change {change} ({} of {}): {why}", of.kind as char, of.name)
        })
    });
    eprintln!("{done} states at {} points of a restore: 0 lost", points.len());
}
