//! What the proof of an erasure finds where nothing of anybody should be: the job fails, names
//! the place and gets no receipt; once the place is clean, a retry completes it.

use std::fs;

use rusqlite::Connection;
use usher::clock::{Clock, DAY};
use usher::erasure::receipts::{Person, check};
use usher::model::{Job, JobId, JobStatus};
use usher::store::layout::PAGE;
use usher::store::{ScrubMode, jobs};

use crate::harness::Server;

const ANN: &str = "ann-who-is-to-be-erased";
const CAT: &str = "cat-who-is-to-be-erased";

fn track(server: &Server, name: &str) {
    let body = format!(r#"{{"userId":"{name}","event":"Came By","messageId":"of {name}"}}"#);
    server.post("/v1/track").bearer(&server.project().all).body(body, "application/json").send().expect(200);
}

/// Asks for an erasure; the token.
fn erase(server: &Server, name: &str) -> String {
    let path = format!("/v1/users/{name}?hardDelete=true");
    let reply = server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send();
    reply.expect(200).header("usher-receipt").expect("a token").to_owned()
}

fn job(server: &Server, id: i64) -> Job {
    server.read(|db| jobs::by_id(db, JobId(id))).expect("a job")
}

fn receipts(server: &Server) -> usize {
    fs::read_dir(server.path().with_file_name("receipts")).map_or(0, Iterator::count)
}

fn retry(server: &Server, id: i64) -> u64 {
    server.write(move |tx| usher::erasure::jobs::retry(tx, JobId(id)));
    server.tick().completed
}

/// It failed because of this place alone, and there is no receipt of it.
#[track_caller]
fn failed_at(server: &Server, id: i64, place: &str) {
    let job = job(server, id);
    assert_eq!(job.status, JobStatus::Failed, "{job:?}");
    assert_eq!(job.error.as_deref(), Some(format!("values of the person were found in {place}").as_str()));
    assert_eq!((job.receipt_no, job.finished_at), (None, None));
    let reply = server.get(&format!("/api/jobs/{id}")).bearer(&server.project().all).send().expect(200);
    let told = reply.json()["data"].clone();
    assert_eq!((&told["status"], &told["receipt"]), (&"failed".into(), &serde_json::Value::Null));
    // It does not get better by waiting.
    server.clock.advance(1);
    let report = server.tick();
    assert_eq!((report.completed, report.faults), (0, 0));
}

#[track_caller]
fn completed(server: &Server, id: i64, token: &str, name: &str) {
    let job = job(server, id);
    assert_eq!((job.status, job.error.as_deref()), (JobStatus::Completed, None));
    let number = u64::try_from(job.receipt_no.expect("a receipt")).expect("a number");
    let bytes = server.app.receipts().numbered(number).expect("a receipt").bytes().expect("a file");
    let person = Person { token, identifier: name };
    check(&bytes, &server.app.signer().public(), Some(person)).expect("theirs");
}

#[test]
fn a_value_in_another_file_fails_its_job_until_it_is_gone() {
    let server = Server::start();
    track(&server, ANN);
    track(&server, CAT);
    let tokens = [ANN, CAT].map(|name| erase(&server, name));
    let folder = server.path().with_file_name("export");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("old.csv"), format!("id,name\n1,{ANN}\n")).expect("a file");
    let report = server.tick();
    assert_eq!((report.completed, report.faults), (1, 1));
    failed_at(&server, 1, "export/old.csv, at byte 10");
    completed(&server, 2, &tokens[1], CAT);
    assert_eq!(receipts(&server), 1);
    // A retry while it is there finds it again, in whatever form it is written.
    fs::write(folder.join("old.csv"), format!("?user={}", ANN.replace('-', "%2D"))).expect("a file");
    fs::write(folder.join("new.csv"), ANN).expect("a file");
    assert_eq!(retry(&server, 1), 0);
    failed_at(&server, 1, "export/new.csv, at byte 0");
    assert_eq!(receipts(&server), 1);
    fs::remove_dir_all(&folder).expect("a folder");
    assert_eq!(retry(&server, 1), 1);
    completed(&server, 1, &tokens[0], ANN);
    assert_eq!(receipts(&server), 2);
    let acts: Vec<String> = {
        let conn = server.sqlite();
        let sql = "SELECT action FROM audit WHERE job_id = 1 ORDER BY seq";
        let mut select = conn.prepare(sql).expect("a query");
        select.query_map([], |row| row.get(0)).expect("rows").map(|act| act.expect("an act")).collect()
    };
    let failed = ["erasure failed", "retry erasure"];
    assert_eq!(acts[1..], [&failed[..], &failed, &["erasure completed"]].concat());
}

/// Looks at pages, and writes them, past all that SQLite makes of them.
struct Bytes(Connection);

impl Bytes {
    fn of(server: &Server) -> Bytes {
        Bytes(server.sqlite())
    }

    fn read(&self, page: u32) -> Vec<u8> {
        let sql = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";
        self.0.query_row(sql, [page], |row| row.get(0)).expect("a page")
    }

    /// Puts a text into a page.
    fn put(&self, page: u32, at: usize, text: &[u8]) {
        let mut bytes = self.read(page);
        bytes[at..at + text.len()].copy_from_slice(text);
        let sql = "UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1";
        assert_eq!(self.0.execute(sql, rusqlite::params![page, bytes]).expect("a page"), 1);
    }

    /// The first page of a table or an index.
    fn root(&self, name: &str) -> u32 {
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        self.0.query_row(sql, [name], |row| row.get(0)).expect("a root")
    }
}

#[test]
fn an_unscrubbed_value_in_a_gap_fails_the_job_by_page() {
    let server = Server::with(|options| options.scrub_mode = ScrubMode::NoScrub);
    track(&server, ANN);
    let token = erase(&server, ANN);
    // Nothing is in that table, so all of its page is a gap.
    let bytes = Bytes::of(&server);
    let page = bytes.root("recordings");
    bytes.put(page, PAGE / 2, ANN.as_bytes());
    let report = server.tick();
    assert_eq!((report.completed, report.faults), (0, 1));
    failed_at(&server, 1, &format!("usher.db, page {page}, gap"));
    assert_eq!((retry(&server, 1), receipts(&server)), (0, 0));
    failed_at(&server, 1, &format!("usher.db, page {page}, gap"));
    drop(bytes);
    let server = scrubbed(server);
    assert_eq!((retry(&server, 1), receipts(&server)), (1, 1));
    completed(&server, 1, &token, ANN);
}

/// The same files after a start that scrubs.
fn scrubbed(server: Server) -> Server {
    let now = server.clock.now();
    Server::over(server.stop(), |options| options.clock = Clock::manual(now))
}

/// The twin: where gaps are scrubbed, the same is no harm.
#[test]
fn a_value_in_the_gap_of_a_page_is_scrubbed_before_the_search() {
    let server = Server::start();
    track(&server, ANN);
    let token = erase(&server, ANN);
    let bytes = Bytes::of(&server);
    let page = bytes.root("recordings");
    bytes.put(page, PAGE / 2, ANN.as_bytes());
    assert_eq!(server.tick().completed, 1);
    completed(&server, 1, &token, ANN);
    assert!(bytes.read(page)[8..].iter().all(|byte| *byte == 0));
}

/// Bytes that nobody is known by are nobody's proof either: the page is named, the job waits and
/// is tried again, and fails in the end.
#[test]
fn bytes_of_nobody_in_a_gap_hold_a_job_up_until_they_are_gone() {
    let server = Server::with(|options| options.scrub_mode = ScrubMode::NoScrub);
    track(&server, ANN);
    let token = erase(&server, ANN);
    let bytes = Bytes::of(&server);
    bytes.put(bytes.root("recordings"), 200, b"something");
    for attempt in 1..=5 {
        let report = server.tick();
        assert_eq!((report.completed, report.faults), (0, 1), "attempt {attempt}");
        let job = job(&server, 1);
        let error = job.error.expect("an error");
        assert!(error.starts_with("page ") && error.contains(" keeps stale bytes"), "{error}");
        let ended = if attempt < 5 { JobStatus::Running } else { JobStatus::Failed };
        assert_eq!((job.status, job.attempts), (ended, attempt));
        server.clock.advance(DAY);
    }
    assert_eq!(receipts(&server), 0);
    drop(bytes);
    let server = scrubbed(server);
    assert_eq!(retry(&server, 1), 1);
    completed(&server, 1, &token, ANN);
}

/// Another program had a table with her name in each row, and dropped it: its pages are free,
/// and look as they did.
#[test]
fn a_value_on_the_freelist_fails_the_job_until_a_start() {
    let server = Server::start();
    track(&server, ANN);
    let token = erase(&server, ANN);
    let conn = server.sqlite();
    conn.execute_batch(&format!(
        "PRAGMA secure_delete = OFF;
         CREATE TABLE theirs (text TEXT);
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 400)
             INSERT INTO theirs SELECT 'number ' || n || ' is of {ANN}' FROM n;
         DROP TABLE theirs"
    ))
    .expect("a visit");
    let free: i64 = conn.query_row("PRAGMA freelist_count", [], |row| row.get(0)).expect("a count");
    assert!(free > 3);
    drop(conn);
    let report = server.tick();
    assert_eq!((report.completed, report.faults), (0, 1));
    let job = job(&server, 1);
    let error = job.error.expect("an error");
    assert_eq!((job.status, receipts(&server)), (JobStatus::Failed, 0), "{error}");
    let places = error.strip_prefix("values of the person were found in ").expect("places");
    for place in places.split("; ") {
        assert!(place.starts_with("usher.db, page ") && place.ends_with(", freelist page"), "{place}");
    }
    let server = scrubbed(server);
    assert_eq!((retry(&server, 1), receipts(&server)), (1, 1));
    completed(&server, 1, &token, ANN);
    let file = fs::read(server.path()).expect("the file");
    assert!(!file.windows(ANN.len()).any(|window| window == ANN.as_bytes()));
}
