//! SIGKILL at any instant, under several clients: after each start all that was acknowledged is
//! there once, and erased people stay erased. `KILLS=500` is the whole of it, with 100,000
//! acknowledged writes.

use std::time::Duration;

use fastrand::Rng;

use crate::process::{Process, check_file, directory, key, lines, sqlite, usher, wait_until};
use crate::shim::number;
use crate::traffic::Traffic;

/// Kills of the short form, and acknowledged writes for each.
const KILLS: usize = 4;
const FEW: usize = 40;
/// Of the long form.
const WRITES: usize = 200;
const CLIENTS: usize = 4;
/// So many of the erased are asked for at each start.
const ASKED: usize = 5;

/// When the clients are told something does not count here: it always was before the kill.
const NOW: &(dyn Fn() -> u64 + Sync) = &|| 0;

#[test]
fn kills_under_load_lose_nothing_and_bring_nobody_back() {
    let kills = number("KILLS").unwrap_or(KILLS);
    let seed = number("FUZZ_SEED").map_or_else(|| fastrand::u64(..u64::MAX / 2), |seed| seed as u64);
    eprintln!("FUZZ_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let dir = directory();
    let key = key(dir.path(), "test");
    let traffic = Traffic::new(&key, seed);
    let mut done = 0;
    let writes = kills * if number("KILLS").is_some() { WRITES } else { FEW };
    while done < kills || traffic.acknowledged() < writes {
        // Some do not come as far as to serve.
        if rng.u8(..10) == 0 {
            killed_early(&dir, Duration::from_micros(rng.u64(..150_000)));
            done += 1;
        }
        let server = Process::start(dir.path());
        let losses = traffic.losses(&sqlite(dir.path()), 0, false);
        assert!(losses.is_empty(), "after {done} kills: {losses:#?}");
        stay_gone(&server, &traffic, &key, &mut rng);
        traffic.run(&server.base.clone(), CLIENTS, NOW, || {
            std::thread::sleep(Duration::from_micros(rng.u64(1_000..900_000)));
            server.kill();
        });
        done += 1;
        assert_eq!(traffic.odd_answers(), [""; 0]);
    }
    let server = Process::start(dir.path());
    wait_until("the end of the jobs", || (open_jobs(&dir) == 0).then_some(()));
    assert!(server.terminate().success());
    check_file(dir.path());
    let losses = traffic.losses(&sqlite(dir.path()), 0, true);
    assert!(losses.is_empty(), "at the end: {losses:#?}");
    let receipts = std::fs::read_dir(dir.path().join("receipts")).expect("receipts").count();
    let erased = traffic.erased().len();
    assert!(receipts >= erased && erased > 0, "{receipts} receipts of {erased} erasures");
    lines(dir.path(), &["verify"]);
    let (writes, refused) = (traffic.acknowledged(), traffic.refused());
    eprintln!("{done} kills, {writes} acknowledged writes, {erased} erasures, {refused} refused: 0 lost");
    // The twin: an acknowledged message that is not there is missed, and one that was erased.
    let conn = sqlite(dir.path());
    let gone = conn.execute("DELETE FROM events WHERE name = ?1", [traffic.one_stored()]).expect("a row");
    assert_eq!((gone, traffic.losses(&conn, 0, true).len()), (1, 1));
    let back = "UPDATE users SET identifier = ?1 WHERE identifier = 'person-1'";
    conn.execute(back, [&traffic.erased()[0]]).expect("a row");
    assert_eq!(traffic.losses(&conn, 0, true).len(), 2);
}

fn open_jobs(dir: &tempfile::TempDir) -> i64 {
    let sql = "SELECT COUNT(*) FROM jobs WHERE status <> 'completed'";
    sqlite(dir.path()).query_row(sql, [], |row| row.get(0)).expect("a count")
}

fn killed_early(dir: &tempfile::TempDir, after: Duration) {
    let mut command = usher(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("the program starts");
    std::thread::sleep(after);
    child.kill().expect("a kill");
    let status = child.wait().expect("an end");
    assert!(status.code().is_none(), "it ended by itself: {status}");
}

/// The server answers as if it had never heard of some of the erased.
fn stay_gone(server: &Process, traffic: &Traffic, key: &str, rng: &mut Rng) {
    let erased = traffic.erased();
    let agent = crate::process::agent();
    for _ in 0..ASKED.min(erased.len()) {
        let name = &erased[rng.usize(..erased.len())];
        let url = server.url(&format!("/v1/users/single?identifier={name}"));
        let (status, _) = crate::process::get(&agent, &url, &format!("Bearer {key}"));
        assert_eq!(status, 404, "{name} is back");
    }
}
