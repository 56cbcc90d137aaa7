//! However much is exported, little of it is in memory. A fortieth in the suite; `EXPORT=40` is the whole:
//! 2 million events.

use std::io::Write;

use serde_json::json;
use usher::export::{Form, Person};
use usher::model::UserId;

use crate::common::app::TestApp;

const MIB: u64 = 1024 * 1024;
const EVENTS: u64 = 50_000;

/// What this process has of its own, in bytes: the database's file, which readers map, is the system's.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("a line");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number");
    kib * 1024
}

/// Counts what is written, and looks how much memory is used meanwhile.
#[derive(Default)]
struct Watching {
    bytes: u64,
    looked_at: u64,
    most: u64,
}

impl Write for Watching {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes += bytes.len() as u64;
        if self.bytes >= self.looked_at {
            self.looked_at = self.bytes + MIB / 4;
            self.most = self.most.max(memory());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn fill(app: &TestApp, user: UserId, events: u64) {
    let conn = app.sqlite();
    let data = json!({ "price": 12.5, "item": "a thing of the shop", "count": 3 }).to_string();
    let sql = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?2)
        INSERT INTO events (user_id, message_key, session_id, kind, name, at, message_id, url, data)
        SELECT ?1, n + 1000, NULL, 'event', 'Bought', 1700000000000 + n * 1000, 'm' || n, NULL, ?3 FROM n";
    conn.execute(sql, (user.0, i64::try_from(events).expect("a number"), data)).expect("events");
}

/// The other tests of this process use memory, too: it is run in a process of its own.
#[test]
fn memory_does_not_grow_with_what_is_exported() {
    const ALONE: &str = "USHER_TEST_EXPORT_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let program = std::env::current_exe().expect("this program");
        let name = "exports::memory::memory_does_not_grow_with_what_is_exported";
        let run = std::process::Command::new(program)
            .args(["--exact", name, "--nocapture"])
            .env(ALONE, "1")
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
        println!("{said}");
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let parts = std::env::var("EXPORT").ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
    let app = TestApp::new();
    let user = app.seed("ann").events(1).insert();
    let events = EVENTS * parts;
    fill(&app, user, events);
    let project = app.project().id;
    for form in [Form::Ndjson, Form::Zip] {
        let person = app.write(move |tx| Person::take(tx, project, user, form));
        let (began, before) = (std::time::Instant::now(), memory());
        let mut out = Watching::default();
        person.write(app.app.store(), app.clock.now(), form, &mut out).expect("it is written");
        let grown = out.most.saturating_sub(before);
        println!(
            "{form:?}: {events} events, {} bytes, memory grew by {grown} bytes, {:?}",
            out.bytes,
            began.elapsed()
        );
        assert!(out.bytes > events, "all of it was written");
        assert!(grown < 16 * MIB, "{form:?}: memory grew by {grown}");
    }
}
