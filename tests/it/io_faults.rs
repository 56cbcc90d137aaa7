//! A disk that fails: an error, no room, half a write, a sync that does not work, at any change of
//! a start, of a server under load, or of a backup beside it. What was acknowledged is there after
//! the next start, nothing is answered by a fault of ours, and a start that is refused says what to
//! do. `IO_FAULTS=25` is the whole of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;
use serde_json::json;

use crate::power_cuts::disk::{Cut, Run};
use crate::process::{Process, agent, check_file, directory, key, lines, sqlite, usher, wait_until};
use crate::shim::{Shim, copied, number, read_changes};
use crate::traffic::Traffic;

/// Faults of the short form.
const FAULTS: usize = 4;
const KINDS: [&str; 5] = ["EIO", "ENOSPC", "SHORT", "SYNC", "SYNC"];
/// Changes that follow each other and fail: a hiccup, and a disk that is ill for a while.
const LASTS: [usize; 3] = [1, 3, 200];
const NOW: &(dyn Fn() -> u64 + Sync) = &|| 0;

/// Words of which one stands where somebody is told what to do.
const WAYS_OUT: [&str; 8] = ["`usher ", "--", "put ", "free ", "make room", "restart", "start ", "replace "];

pub fn names_a_way_out(said: &str) -> bool {
    let said = said.to_lowercase();
    WAYS_OUT.iter().any(|way| said.contains(way))
}

#[derive(Default)]
struct Figures {
    /// Starts that were refused, and requests that were answered 503.
    refused: usize,
    unavailable: usize,
    /// Starts after a power cut that took what lies behind the good part of a WAL for a loss.
    accepted: usize,
    acknowledged: usize,
}

struct Fault {
    kind: &'static str,
    at: usize,
    lasts: usize,
}

#[test]
fn a_disk_that_fails_makes_no_false_answer() {
    let seed = number("FUZZ_SEED").map_or_else(|| fastrand::u64(..u64::MAX / 2), |seed| seed as u64);
    eprintln!("FUZZ_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let (shim, base) = (Shim::new(), directory());
    let key = key(base.path(), "test");
    let in_start = changes_of_a_start(&shim, base.path());
    let faults = number("IO_FAULTS").unwrap_or(FAULTS);
    let mut figures = Figures::default();
    for n in 0..faults {
        // Every third falls into the start, the others into what follows.
        let at = if n % 3 == 0 { rng.usize(1..=in_start) } else { in_start + rng.usize(1..400) };
        let fault = Fault { kind: KINDS[n % KINDS.len()], at, lasts: LASTS[n / 2 % LASTS.len()] };
        let what = format!("fault {n}: {} from change {at} on, {} times", fault.kind, fault.lasts);
        eprintln!("{what}");
        let dir = copied(base.path());
        let traffic = Traffic::new(&key, seed.wrapping_add(n as u64 * 1_000_000));
        let trace = live_through(&shim, dir.path(), &fault, &traffic, &mut figures, &what);
        // A failed sync is told by a power cut alone: until then the system still has all of it.
        let run = Run::new(base.path(), read_changes(&trace));
        let cut = directory();
        run.make(run.changes.len(), Cut::Power, &mut rng, cut.path());
        has_everything(dir.path(), &traffic, &what);
        let what = format!("{what}, and a power cut");
        // Frames of several failed commits are told from damage by the index, which a power cut takes.
        if fault.kind == "SYNC" && !starts(cut.path()) {
            drop(Process::start_with(cut.path(), &["--accept-loss"]));
            figures.accepted += 1;
        }
        has_everything(cut.path(), &traffic, &what);
        figures.acknowledged += traffic.acknowledged();
        figures.unavailable += traffic.refused();
    }
    eprintln!(
        "{faults} faults, {} writes acknowledged, {} requests 503, none 500, {} starts refused, {} with \
         --accept-loss: 0 lost",
        figures.acknowledged, figures.unavailable, figures.refused, figures.accepted
    );
    assert!(figures.unavailable + figures.refused > 0, "no fault was noticed");
}

#[test]
fn a_write_that_fails_is_answered_503_and_told() {
    let (shim, base) = (Shim::new(), directory());
    let key = key(base.path(), "test");
    let after_start = changes_of_a_start(&shim, base.path()) + 2;
    for kind in ["EIO", "SYNC", "none"] {
        let (dir, tools) = (copied(base.path()), directory());
        let log = tools.path().join("log");
        let mut command = usher(dir.path(), &["serve", "--listen", "127.0.0.1:0", "--rate-limit", "off"]);
        shim.trace(&mut command, dir.path());
        if kind != "none" {
            command
                .env("FAULT_KIND", kind)
                .env("FAULT_AT", after_start.to_string())
                .env("FAULT_LASTS", "100000");
        }
        let server = Process::attempt(dir.path(), command, &log).expect("a server");
        let agent = agent();
        let body = json!({ "userId": "ann", "event": "Came By", "messageId": "1" });
        // The disk works for some changes still.
        let mut answers = (0..20).map(|_| {
            let asked = agent.post(server.url("/v1/track")).header("Authorization", &key);
            let mut answer = asked.send_json(&body).expect("an answer");
            let wait =
                answer.headers().get("retry-after").map(|wait| wait.to_str().expect("text").to_owned());
            (answer.status().as_u16(), wait, answer.body_mut().read_to_string().expect("a body"))
        });
        let said = || fs::read_to_string(&log).expect("a log");
        if kind == "none" {
            assert!(answers.all(|(status, wait, _)| (status, wait) == (200, None)), "{kind}");
            assert!(!said().contains("ERROR"), "{}", said());
            continue;
        }
        let mut taken = 0;
        let refused = answers.find(|(status, ..)| {
            taken += usize::from(*status == 200);
            *status != 200
        });
        let refused = refused.expect("a refusal");
        assert_eq!((refused.0, refused.1.as_deref()), (503, Some("1")), "{kind}: {}", refused.2);
        assert!(refused.2.contains("unavailable") && refused.2.contains("the disk"), "{kind}: {}", refused.2);
        let erase = agent.delete(server.url("/v1/users/ann?hardDelete=true"));
        let erased = erase.header("X-APTRINSIC-API-KEY", &key).call().expect("an answer");
        // Nobody is there to be erased if nothing was taken.
        let expected = if taken == 0 { 404 } else { 503 };
        assert_eq!(erased.status().as_u16(), expected, "{kind}");
        let ready = agent.get(server.url("/readyz")).call().expect("an answer");
        assert_eq!(ready.status().as_u16(), 503, "{kind}");
        assert!(said().contains("ERROR") && !said().contains(" 500"), "{kind}: {}", said());
        server.kill();
    }
}

/// Each commit leaves frames that look as good as acknowledged ones, behind the last that is.
#[test]
fn a_kill_after_failed_syncs_is_no_damage() {
    let (shim, base) = (Shim::new(), directory());
    let key = key(base.path(), "test");
    let after_start = changes_of_a_start(&shim, base.path()) + 8;
    let (dir, tools) = (copied(base.path()), directory());
    let mut command = usher(dir.path(), &["serve", "--listen", "127.0.0.1:0", "--rate-limit", "off"]);
    shim.trace(&mut command, dir.path());
    command.env("FAULT_KIND", "SYNC").env("FAULT_AT", after_start.to_string()).env("FAULT_LASTS", "100000");
    let server = Process::attempt(dir.path(), command, &tools.path().join("log")).expect("a server");
    // Large ones first, so that later ones do not reach as far.
    let texts = (0..12).map(|n| "x".repeat(20_000 / (n + 1)));
    let statuses: Vec<u16> = texts
        .enumerate()
        .map(|(n, text)| {
            let body =
                json!({ "userId": format!("user {n}"), "event": "Came By", "properties": { "text": text } });
            let asked = agent().post(server.url("/v1/track")).header("Authorization", &key);
            asked.send(body.to_string()).expect("an answer").status().as_u16()
        })
        .collect();
    assert!(statuses.iter().filter(|status| **status == 503).count() > 5, "{statuses:?}");
    server.kill();
    let server = Process::start(dir.path());
    for (n, status) in statuses.iter().enumerate().filter(|(_, status)| **status == 200) {
        let sql = "SELECT COUNT(*) FROM users WHERE identifier = ?1";
        let count: i64 =
            sqlite(dir.path()).query_row(sql, [format!("user {n}")], |row| row.get(0)).expect("a count");
        assert_eq!(count, 1, "{status}");
    }
    assert!(server.terminate().success());
    lines(dir.path(), &["verify"]);
}

/// Whether a start is not refused as one that would lose what was acknowledged.
fn starts(dir: &Path) -> bool {
    let tools = directory();
    let log = tools.path().join("log");
    let command = usher(dir, &["serve", "--listen", "127.0.0.1:0"]);
    let server = Process::attempt(dir, command, &log);
    let said = fs::read_to_string(&log).expect("a log");
    assert!(server.is_some() || said.contains("--accept-loss"), "{said}");
    server.is_some()
}

/// On a disk that works again.
fn has_everything(dir: &Path, traffic: &Traffic, what: &str) {
    eprintln!("{what}: the next start");
    let server = Process::start(dir);
    let losses = traffic.losses(&sqlite(dir), 0, false);
    assert!(losses.is_empty(), "{what}: {losses:#?}");
    wait_until("the end of the jobs", || (open_jobs(dir) == 0).then_some(()));
    assert!(server.terminate().success(), "{what}");
    check_file(dir);
    let losses = traffic.losses(&sqlite(dir), 0, true);
    assert!(losses.is_empty(), "{what}: {losses:#?}");
    lines(dir, &["verify"]);
}

fn changes_of_a_start(shim: &Shim, base: &Path) -> usize {
    let changes = shim.trace_start(copied(base).path());
    changes.iter().filter(|change| b"wts".contains(&change.kind)).count()
}

fn open_jobs(dir: &Path) -> i64 {
    let sql = "SELECT COUNT(*) FROM jobs WHERE status <> 'completed'";
    sqlite(dir).query_row(sql, [], |row| row.get(0)).expect("a count")
}

/// A start, clients, a backup and a kill, on a disk that fails meanwhile.
fn live_through(
    shim: &Shim,
    dir: &Path,
    fault: &Fault,
    traffic: &Traffic,
    figures: &mut Figures,
    what: &str,
) -> PathBuf {
    let tools = directory();
    let log = tools.path().join("log");
    let mut command = usher(dir, &["serve", "--listen", "127.0.0.1:0", "--rate-limit", "off"]);
    let trace = shim.trace(&mut command, dir);
    command.env("FAULT_KIND", fault.kind).env("FAULT_AT", fault.at.to_string());
    command.env("FAULT_LASTS", fault.lasts.to_string());
    let server = Process::attempt(dir, command, &log);
    if let Some(server) = server {
        let base = server.base.clone();
        traffic.run(&base, 3, NOW, || {
            std::thread::sleep(Duration::from_millis(700));
            // It may fail, but says so.
            let backup = usher(dir, &["backup", &dir.join("backups").to_string_lossy()]).output();
            let backup = backup.expect("the program runs");
            assert!(backup.status.success() || !backup.stderr.is_empty(), "{what}");
            std::thread::sleep(Duration::from_millis(500));
            server.kill();
        });
        assert_eq!(traffic.odd_answers(), [""; 0], "{what}");
        // A fault of the machine is told in the log, and is no fault of ours.
        let said = fs::read_to_string(&log).expect("a log");
        assert!(traffic.refused() == 0 || said.contains("ERROR"), "{what}: the log says nothing: {said}");
    } else {
        let said = fs::read_to_string(&log).expect("a log");
        assert!(names_a_way_out(&said), "{what}: refused without a way out: {said}");
        eprintln!("refused: {said}");
        figures.refused += 1;
    }
    let said = fs::read_to_string(&log).expect("a log");
    assert!(!said.contains("panicked"), "{what}: {said}");
    trace
}
