//! A reader that does not end holds up the WAL: it is told of, and before the disk is full only
//! erasing writes.

use serde_json::json;

use crate::harness::{Reply, Server};
use crate::process::wait_until;

const LIMIT: u64 = 6 * 1024 * 1024;

fn track(server: &Server, user: &str, n: usize) -> Reply {
    let text = "x".repeat(20_000);
    let body = json!({ "userId": user, "event": "Report Exported", "messageId": format!("{user}-{n}"),
                       "properties": { "text": text } });
    server.post("/v1/track").bearer(&server.project().all).json(body).send()
}

fn ready(server: &Server, key: &str) -> (u16, String) {
    server.ready(key, "log")
}

/// Writes until it is refused; how often it was not.
fn fill(server: &Server) -> (usize, Reply) {
    for n in 0..3_000 {
        let reply = track(server, "ben", n);
        if reply.status != 200 {
            return (n, reply);
        }
    }
    panic!("the WAL grows without end");
}

#[test]
fn a_wal_that_a_reader_holds_up_takes_erasures_alone() {
    let server = Server::with(|options| options.wal_limit = LIMIT);
    server.expect_faults();
    let watch = server.key(None, "admin");
    assert_eq!(track(&server, "ann", 0).status, 200);
    assert_eq!(ready(&server, &watch), (200, "no reader blocks it".to_owned()));
    // Another program, that reads and does not end.
    let reader = server.sqlite();
    reader.execute_batch("BEGIN").expect("a transaction");
    let count =
        || reader.query_row("SELECT COUNT(*) FROM users", [], |row| row.get::<_, i64>(0)).expect("a count");
    assert_eq!(count(), 1);
    let (taken, refused) = fill(&server);
    assert!(taken > 50, "{taken}");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text.contains("usher.db-wal"), "{}", refused.text);
    let size = std::fs::metadata(server.path().with_file_name("usher.db-wal")).expect("a WAL").len();
    assert!(size > LIMIT && size < 3 * LIMIT, "{size}");
    let (status, said) = ready(&server, &watch);
    assert!(
        status == 503 && said.contains("usher.db-wal has") && said.contains("only erasing writes"),
        "{said}"
    );
    let erased =
        server.delete("/v1/users/ann?hardDelete=true").header("X-APTRINSIC-API-KEY", &server.project().all);
    assert_eq!(erased.send().status, 200);
    // A copy of ours would hold it up, too.
    let why = server.app.store().copy(server.app.backups()).err().expect("no copy").to_string();
    assert!(why.contains("the backup was cut off"), "{why}");
    assert_eq!(track(&server, "ben", 5_000).status, 503);
    // The twin: once the reader ends, all is as before.
    drop(reader);
    wait_until("writes again", || (track(&server, "ben", 5_001).status == 200).then_some(()));
    assert_eq!(ready(&server, &watch), (200, "no reader blocks it".to_owned()));
    server.app.store().copy(server.app.backups()).expect("a copy");
    server.tick();
}

#[test]
fn without_a_reader_the_wal_is_taken_in_as_it_grows() {
    let server = Server::with(|options| options.wal_limit = LIMIT);
    let watch = server.key(None, "admin");
    for n in 0..600 {
        assert_eq!(track(&server, "ben", n).status, 200);
    }
    assert_eq!(ready(&server, &watch), (200, "no reader blocks it".to_owned()));
}

#[test]
fn a_wal_that_a_burst_has_made_large_becomes_small_again() {
    const KEPT: u64 = 16 * 1024 * 1024;
    let server = Server::with(|options| options.wal_limit = 1 << 40);
    let size = || std::fs::metadata(server.path().with_file_name("usher.db-wal")).expect("a WAL").len();
    let reader = server.sqlite();
    reader.execute_batch("BEGIN; SELECT COUNT(*) FROM users").expect("a reader");
    let mut n = 0;
    while size() < 2 * KEPT {
        assert_eq!(track(&server, "ben", n).status, 200);
        n += 1;
    }
    reader.execute_batch("ROLLBACK").expect("its end");
    wait_until("a small WAL", || {
        n += 1;
        assert_eq!(track(&server, "ben", n).status, 200);
        (size() <= KEPT).then_some(())
    });
}
