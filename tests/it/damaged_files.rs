//! Each file of a data directory damaged in each way: either the start is refused and says what to
//! do, or all that was acknowledged is served, or somebody is told: by the log, by readiness, at the
//! latest by `usher verify`. `DAMAGED=500` is the whole of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use fastrand::Rng;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::io_faults::names_a_way_out;
use crate::process::{Process, agent, directory, key, lines, post, sqlite, usher, wait_until};
use crate::shim::{RESERVE, copied, each, number};

/// Damages of the short form.
const DAMAGES: usize = 12;
/// What is made anew at each start, or has nothing in it.
const NOT_KEPT: [&str; 4] = ["usher.db-shm", "usher.sock", "usher.lock", RESERVE];
/// Of these there are more places to damage.
const OFTEN: [&str; 3] = ["usher.db", "usher.db-wal", "erasures.ledger"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Damage {
    Flipped,
    Zeroed,
    Cut,
    Longer,
    Older,
}

use Damage::{Cut, Flipped, Longer, Older, Zeroed};

/// What became of a damaged directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The start said what is wrong and what to do.
    Refused,
    /// It serves, and says that something is wrong.
    Told,
    /// It serves all that there was.
    Whole,
    /// It serves a value of one row with another bit: the pages of SQLite have no checksum, and
    /// what reads as it should is not known to be another.
    Altered,
}

type Tables = BTreeMap<String, Vec<String>>;

/// A directory that was killed, with rows in its WAL alone; what it was some time before; and what
/// it has when it is started.
struct Past {
    dir: TempDir,
    older: TempDir,
    whole: Tables,
    warnings: BTreeSet<String>,
}

impl Past {
    fn new() -> Past {
        let (dir, older) = (directory(), directory());
        let key = key(dir.path(), "test");
        let live = |names: &[&str], erased: &str| {
            let server = Process::start(dir.path());
            let agent = agent();
            for name in names {
                let message = |n: usize| {
                    json!({ "type": "track", "userId": name, "event": format!("{name}-{n}"), "messageId": format!("{name}-{n}"),
                            "properties": { "text": "long ".repeat(60) },
                            "context": { "traits": { "email": format!("{name}@mail.example") } } })
                };
                let body = json!({ "batch": (0..30).map(message).collect::<Vec<_>>() });
                assert_eq!(post(&agent, &server.url("/v1/batch"), &key, &body).expect("an answer").0, 200);
            }
            let url = server.url(&format!("/v1/users/{erased}?hardDelete=true"));
            let answer = agent.delete(url).header("X-APTRINSIC-API-KEY", &key).call().expect("an answer");
            assert_eq!(answer.status(), 200);
            wait_until("a receipt", || (open_jobs(dir.path()) == 0).then_some(()));
            let body = json!({ "userId": names[0], "event": "last", "messageId": format!("last {erased}") });
            assert_eq!(post(&agent, &server.url("/v1/track"), &key, &body).expect("an answer").0, 200);
            server
        };
        assert!(live(&["ann", "ben", "gone-1"], "gone-1").terminate().success());
        lines(dir.path(), &["backup", &dir.path().join("backups").to_string_lossy()]);
        crate::shim::copy_all(dir.path(), older.path());
        live(&["cat", "dan", "eve", "gone-2"], "gone-2").kill();
        let mut past = Past { dir, older, whole: Tables::new(), warnings: BTreeSet::new() };
        past.look();
        past
    }

    /// What it has when it is whole; tables that no two starts have alike tell nothing.
    fn look(&mut self) {
        let (first, second) = (copied(self.dir.path()), copied(self.dir.path()));
        let (one, two) = (serve(first.path()), serve(second.path()));
        let (one, two) = (one.served.expect("it serves"), two.served.expect("it serves"));
        assert!(one.is_verified && two.is_verified && one.is_ready, "{:?}", one.said);
        self.warnings = one.said.union(&two.said).cloned().collect();
        let (one, two) = (one.tables.expect("tables"), two.tables.expect("tables"));
        self.whole = one.into_iter().filter(|(name, rows)| two.get(name) == Some(rows)).collect();
        for name in ["users", "events", "jobs"] {
            assert!(self.whole.get(name).is_some_and(|rows| !rows.is_empty()), "{name} tells nothing");
        }
    }

    /// Every file that Usher owns, the large ones several times.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        names_below(self.dir.path(), "", &mut files);
        let often = OFTEN.iter().flat_map(|name| [*name; 4]).map(str::to_owned);
        let mut all: Vec<String> = files.iter().cloned().chain(often).collect();
        assert!(OFTEN.iter().all(|name| files.iter().any(|file| file == name)), "{files:?}");
        all.sort();
        all
    }

    /// What becomes of it when a file is damaged.
    fn damaged(&self, file: &str, damage: Damage, rng: &mut Rng) -> Result<End, String> {
        let dir = copied(self.dir.path());
        let path = dir.path().join(file);
        let good = fs::read(&path).expect("a file");
        let bad = match damage {
            // Where there was none, it is empty.
            Older => fs::read(self.older.path().join(file)).unwrap_or_default(),
            other => damage_bytes(&good, other, rng),
        };
        if bad == good {
            return Ok(End::Whole);
        }
        fs::write(&path, bad).expect("a file");
        // What the database has as well is written anew from it at a start.
        let is_told_elsewhere = file.starts_with("usher.db") || file == "numbers";
        // A ledger that is longer than its head says is taken: each of its lines shows where it is from.
        let is_told_elsewhere = is_told_elsewhere || (file == "secrets/ledger.head" && damage == Older);
        // A key is read in any letter case.
        let is_same_key = |now: &[u8]| {
            file == "secrets/backup.key" && now.trim_ascii().eq_ignore_ascii_case(good.trim_ascii())
        };
        let is_mended = || {
            is_told_elsewhere || fs::read(&path).is_ok_and(|now| now.starts_with(&good) || is_same_key(&now))
        };
        self.judge(serve(dir.path()), damage == Flipped && file == "usher.db", is_mended)
    }

    /// Whether what a start came to is one of the ends that may be.
    fn judge(
        &self,
        Outcome { served, log }: Outcome,
        may_be_altered: bool,
        is_mended: impl Fn() -> bool,
    ) -> Result<End, String> {
        if log.contains("panicked") {
            return Err(format!("a panic: {log}"));
        }
        let Some(served) = served else {
            return match names_a_way_out(&log) {
                true => Ok(End::Refused),
                false => Err(format!("refused without a way out: {log}")),
            };
        };
        let is_told = !served.is_verified || !served.is_ready || !served.said.is_subset(&self.warnings);
        if is_told {
            return Ok(End::Told);
        }
        let tables = served.tables.map_err(|why| format!("it does not read, and nobody says so: {why}"))?;
        let mut altered = 0;
        for (name, rows) in &self.whole {
            let has = tables.get(name).map(Vec::as_slice).unwrap_or_default();
            let lost: Vec<&String> = rows.iter().filter(|row| !has.contains(row)).collect();
            match lost.as_slice() {
                [] => {}
                [_] if may_be_altered && has.len() == rows.len() => altered += 1,
                [row, ..] => return Err(format!("served as whole, and {name} has not {row}")),
            }
        }
        if altered > 0 {
            return if altered == 1 {
                Ok(End::Altered)
            } else {
                Err("served as whole, and altered".to_owned())
            };
        }
        match is_mended() {
            true => Ok(End::Whole),
            false => Err("served as whole, and the file stays damaged".to_owned()),
        }
    }
}

fn open_jobs(dir: &Path) -> i64 {
    let sql = "SELECT COUNT(*) FROM jobs WHERE status <> 'completed'";
    sqlite(dir).query_row(sql, [], |row| row.get(0)).expect("a count")
}

fn names_below(dir: &Path, below: &str, names: &mut Vec<String>) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            names_below(&entry.path(), &format!("{name}/"), names);
        } else if kind.is_file() && !NOT_KEPT.contains(&&*name) {
            names.push(name);
        }
    }
}

fn damage_bytes(good: &[u8], damage: Damage, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let place = rng.usize(..bytes.len().max(1));
    match damage {
        Flipped if !bytes.is_empty() => bytes[place] ^= 1 << rng.u8(..8),
        Zeroed => {
            let from = place / 4_096 * 4_096;
            let to = (from + 4_096).min(bytes.len());
            bytes[from..to].fill(0);
        }
        Cut => bytes.truncate(place),
        _ => bytes.extend((0..rng.usize(1..5_000)).map(|_| rng.u8(..))),
    }
    bytes
}

struct Served {
    tables: Result<Tables, String>,
    is_ready: bool,
    is_verified: bool,
    /// Lines of the log that warn, without what differs from start to start.
    said: BTreeSet<String>,
}

struct Outcome {
    served: Option<Served>,
    log: String,
}

/// A start, a look at everything, a stop, and what `usher verify` says then.
fn serve(dir: &Path) -> Outcome {
    let tools = directory();
    let path = tools.path().join("log");
    let command = usher(dir, &["serve", "--listen", "127.0.0.1:0", "--rate-limit", "off"]);
    let server = Process::attempt(dir, command, &path);
    let looked = server.map(|server| {
        let ready = agent().get(server.url("/readyz")).call().expect("an answer");
        let tables = tables(&sqlite(dir));
        server.terminate();
        (tables, ready.status() == 200)
    });
    let log = fs::read_to_string(&path).expect("a log");
    let served = looked.map(|(tables, is_ready)| {
        let is_verified = usher(dir, &["verify"]).output().expect("the program runs").status.success();
        Served { tables, is_ready, is_verified, said: warnings(&log) }
    });
    Outcome { served, log }
}

fn warnings(log: &str) -> BTreeSet<String> {
    let lines = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
    // Behind the time.
    lines.map(|line| line.split_once(' ').map_or(line, |(_, said)| said).to_owned()).collect()
}

/// Every row of every table, as text.
fn tables(conn: &Connection) -> Result<Tables, String> {
    let read = |sql: &str| -> rusqlite::Result<Vec<String>> {
        let mut statement = conn.prepare(sql)?;
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..columns).map(|n| row.get_ref(n).map(|value| format!("{value:?}")));
            Ok(values.collect::<rusqlite::Result<Vec<String>>>()?.join(" "))
        })?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<String>>>()?;
        rows.sort();
        Ok(rows)
    };
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table'";
    let mut statement = conn.prepare(names).map_err(|error| error.to_string())?;
    let names = statement.query_map([], |row| row.get::<_, String>(0));
    let names: rusqlite::Result<Vec<String>> = names.and_then(Iterator::collect);
    let mut tables = Tables::new();
    for name in names.map_err(|error| error.to_string())? {
        // How far ids are reserved goes with the time.
        let some = if name == "sequences" { " WHERE name <> 'id'" } else { "" };
        let rows =
            read(&format!("SELECT * FROM {name}{some}")).map_err(|error| format!("{name}: {error}"))?;
        tables.insert(name, rows);
    }
    Ok(tables)
}

#[test]
fn a_damaged_file_is_refused_or_told_or_does_no_harm() {
    let seed = number("FUZZ_SEED").map_or_else(|| fastrand::u64(..u64::MAX / 2), |seed| seed as u64);
    eprintln!("FUZZ_SEED={seed}");
    let mut past = Past::new();
    let files = past.files();
    let damages = number("DAMAGED").unwrap_or(DAMAGES);
    let ends: Mutex<BTreeMap<(String, Damage, End), usize>> = Mutex::default();
    each(damages, |n| {
        let mut rng = Rng::with_seed(seed.wrapping_add(n as u64));
        let file = &files[rng.usize(..files.len())];
        let damage = [Flipped, Flipped, Zeroed, Cut, Longer, Older][n % 6];
        let end =
            past.damaged(file, damage, &mut rng).map_err(|why| format!("{n}: {damage:?}, {file}: {why}"))?;
        let kind = file.split('/').next().unwrap_or(file).to_owned();
        *ends.lock().expect("a lock").entry((kind, damage, end)).or_default() += 1;
        Ok(())
    });
    let ends = ends.into_inner().expect("a lock");
    for ((file, damage, end), number) in &ends {
        eprintln!("{number:4}  {file}, {damage:?}: {end:?}");
    }
    let of = |wanted: End| -> usize {
        ends.iter().filter(|((.., end), _)| *end == wanted).map(|(_, number)| number).sum()
    };
    eprintln!(
        "{damages} damages: {} refused, {} told, {} harmless, {} with a bit of a value altered",
        of(End::Refused),
        of(End::Told),
        of(End::Whole),
        of(End::Altered)
    );
    assert!(of(End::Refused) > 0 && of(End::Told) > 0, "the damages do no harm");
    // The twins: what is served as whole, and is not.
    assert_eq!(past.judge(serve(copied(past.dir.path()).path()), false, || true), Ok(End::Whole));
    assert!(past.judge(serve(copied(past.dir.path()).path()), false, || false).is_err());
    past.whole.get_mut("users").expect("users").push("somebody else".to_owned());
    assert!(past.judge(serve(copied(past.dir.path()).path()), false, || true).is_err());
}
