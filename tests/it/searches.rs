//! The search that a job's proof makes: of all that was written since the job began, whatever
//! happened in between; and it finds what is known to be there, or proves nothing.

use std::fs;

use serde_json::json;
use usher::clock::{DAY, SECOND};
use usher::proof::receipt::{Receipt, ScanMode};
use usher::store::{Scope, fragments, jobs};
use usher::worker;

use crate::harness::Server;

const ANN: &str = "ann-who-is-to-be-erased";

/// Somebody did something; its text may have another's name in it.
fn track(server: &Server, name: &str, text: &str) {
    let body = format!(r#"{{"userId":"{name}","event":"Wrote","messageId":"{name} {text}","url":"{text}"}}"#);
    server.post("/v1/track").bearer(&server.project().all).body(body, "application/json").send().expect(200);
}

fn erase(server: &Server, name: &str) {
    let path = format!("/v1/users/{name}?hardDelete=true");
    server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
}

/// The receipt of this number.
fn receipt(server: &Server, number: u64) -> Receipt {
    let listed = server.app.receipts().numbered(number).expect("a receipt");
    listed.read().expect("a good one").receipt
}

fn mention(server: &Server) {
    track(server, "ben-who-stays-here", &format!("of {ANN}"));
}

#[test]
fn a_mention_since_the_job_began_is_counted_and_left() {
    let server = Server::start();
    track(&server, ANN, "something");
    track(&server, "cat-who-is-to-be-erased", "something");
    erase(&server, ANN);
    mention(&server);
    server.tick();
    let of_ann = receipt(&server, 1);
    assert!(of_ann.mentions > 0, "{of_ann:?}");
    assert_eq!(of_ann.scan.as_ref().expect("figures").mode, ScanMode::ChangedPages);
    erase(&server, "cat-who-is-to-be-erased");
    server.tick();
    assert_eq!(receipt(&server, 2).mentions, 0);
}

#[test]
fn a_search_counts_for_all_jobs_that_were_there() {
    let server = Server::start();
    track(&server, ANN, "something");
    track(&server, "cat-who-is-to-be-erased", "something");
    erase(&server, ANN);
    // Her receipt cannot be written: she waits, and others are proven meanwhile.
    let folder = server.path().with_file_name("receipts");
    let away = server.path().with_file_name("away");
    fs::rename(&folder, &away).expect("a folder");
    fs::write(&folder, "in the way").expect("a file");
    assert_eq!(server.tick().faults, 1);
    fs::remove_file(&folder).expect("out of the way");
    fs::rename(&away, &folder).expect("a folder");
    mention(&server);
    erase(&server, "cat-who-is-to-be-erased");
    assert_eq!(server.tick().completed, 1);
    assert_eq!(receipt(&server, 1).mentions, 0);
    server.clock.advance(20 * SECOND);
    assert_eq!(server.tick().completed, 1);
    let of_ann = receipt(&server, 2);
    assert!(of_ann.mentions > 0, "{of_ann:?}");
    assert_eq!(of_ann.scan.as_ref().expect("figures").mode, ScanMode::ChangedPages);
}

#[test]
fn for_a_job_from_before_the_start_all_files_are_searched() {
    let server = Server::start();
    track(&server, ANN, "something");
    erase(&server, ANN);
    mention(&server);
    let server = Server::over(server.stop(), |_| {});
    server.tick();
    let of_ann = receipt(&server, 1);
    assert!(of_ann.mentions > 0, "{of_ann:?}");
    assert_eq!(of_ann.scan.as_ref().expect("figures").mode, ScanMode::WholeFiles);
}

#[test]
fn a_search_that_misses_what_was_planted_proves_nothing() {
    let server = Server::start();
    track(&server, ANN, "something");
    erase(&server, ANN);
    server.tick();
    let store = server.app.store();
    store.empty_wal().expect("an empty WAL");
    let job = server.read(|db| Ok(jobs::list(db, None, None, 1)?.remove(0).id));
    let sought = || server.read(|db| fragments::of(db, store.search_key(), job));
    let whole = store.verify(&sought(), Scope::Whole).expect("a search");
    assert!(whole.is_clean(), "{whole:?}");
    let blind = store.verify(&sought(), Scope::Written { pages: vec![1], files: vec![] }).expect("a search");
    assert!(!blind.is_clean(), "{blind:?}");
    assert!(!blind.found[&job].sees && blind.found[&job].places.is_empty());
}

#[test]
fn a_strangers_file_beside_the_database_is_searched() {
    let server = Server::start();
    let notes = server.path().with_file_name("notes.txt");
    for name in [ANN, "ben-who-is-to-be-erased"] {
        track(&server, name, "something");
    }
    fs::write(&notes, "ask ben-who-is-to-be-erased").expect("a file");
    erase(&server, ANN);
    assert_eq!(server.tick().completed, 1);
    erase(&server, "ben-who-is-to-be-erased");
    server.tick();
    let job = server.read(|db| Ok(jobs::list(db, None, None, 1)?.remove(0)));
    assert!(job.error.as_ref().is_some_and(|error| error.contains("notes.txt")), "{job:?}");
}

/// A copy that a kill has left, or a draft, is not encrypted; a finished backup is.
#[test]
fn of_the_backups_folder_finished_backups_alone_are_exempt() {
    for (name, is_searched) in [
        (".copy-0badcafe/usher.db", true),
        ("usher-20260304T100000Z-0badcafe.backup/usher.db", true),
        (".usher-20260304T100000Z-0badcafe.backup.part", true),
        ("deeper/backups/old.backup", true),
        ("usher-20260304T100000Z-0badcafe.backup", false),
    ] {
        let server = Server::start();
        track(&server, ANN, "something");
        erase(&server, ANN);
        let path = server.path().with_file_name("backups").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, format!("of {ANN}")).expect("a file");
        server.tick();
        let job = server.read(|db| Ok(jobs::list(db, None, None, 1)?.remove(0)));
        let place = format!("backups/{name}");
        let found = job.error.as_ref().is_some_and(|error| error.contains(&place));
        assert_eq!(found, is_searched, "{name}: {job:?}");
    }
}

/// What a backup is made from lies unencrypted on the disk until it is packed.
#[test]
fn nothing_is_proven_while_a_backup_is_made() {
    let server = Server::start();
    for name in [ANN, "cat-who-is-to-be-erased"] {
        track(&server, name, "something");
    }
    erase(&server, ANN);
    let backup = server.app.backing_up();
    // Without what comes round: pruning would wait for the backup.
    let tick = || worker::tick(&server.app).expect("a tick");
    let report = tick();
    assert_eq!((report.completed, report.waiting), (0, 1));
    drop(backup);
    assert_eq!(tick().completed, 1);
    // As a search of all files holds it.
    let search = server.app.no_backup().expect("no backup");
    erase(&server, "cat-who-is-to-be-erased");
    assert_eq!(tick().completed, 1);
    drop(search);
}

/// What a backup is made from holds, until it is packed, whoever is erased meanwhile.
#[test]
fn the_search_by_night_waits_for_a_backup_under_way() {
    let server = Server::start();
    server.tick();
    track(&server, ANN, "something");
    erase(&server, ANN);
    server.tick();
    server.clock.advance(DAY);
    let needles = || {
        let count = |row: &rusqlite::Row| row.get::<_, i64>(0);
        server.sqlite().query_row("SELECT COUNT(*) FROM needles", [], count).expect("a count")
    };
    // It would wait for the backup, too.
    server
        .sqlite()
        .execute("UPDATE upkeep SET done_at = ?1 WHERE task = 'prune'", [server.clock.now()])
        .expect("a change");
    let backup = server.app.backing_up();
    server.tick();
    assert!(needles() > 0);
    drop(backup);
    server.tick();
    assert_eq!(needles(), 0);
}

/// All words that stand in Usher's own files, and pieces of them with what stands around.
fn own_words(server: &Server) -> Vec<String> {
    let mut words = Vec::new();
    let receipts = fs::read_dir(server.path().with_file_name("receipts")).expect("receipts");
    let mut files: Vec<_> = receipts.map(|entry| entry.expect("a receipt").path()).collect();
    files.push(server.path().with_file_name("erasures.ledger"));
    files.push(server.path().with_file_name("signing.pub"));
    for file in files {
        let text = fs::read_to_string(&file).expect("a text");
        words.extend(text.split(['"', ':', ',', ' ', '\n']).map(str::to_owned));
        let around: Vec<char> = text.chars().collect();
        words.extend(around.chunks(32).map(|piece| piece.iter().collect()));
    }
    words.retain(|word| word.len() >= 8);
    words
}

#[test]
fn what_usher_itself_writes_is_no_persons_value() {
    let server = Server::start();
    fs::write(server.path().with_file_name("signing.pub"), server.app.signer().public().file_text())
        .expect("a file");
    for name in ["eve-who-is-to-be-erased", "cat-who-is-to-be-erased"] {
        track(&server, name, "something");
        erase(&server, name);
        server.tick();
    }
    let words = own_words(&server);
    assert!(words.len() > 100 && words.iter().any(|word| word == "interactions"), "{words:?}");
    for (n, words) in words.chunks(40).enumerate() {
        let body = serde_json::json!({
            "userId": ANN, "event": "recordings", "messageId": n.to_string(), "properties": {"words": words}
        });
        server.post("/v1/track").bearer(&server.project().all).json(body).send().expect(200);
    }
    erase(&server, ANN);
    server.tick();
    let job = server.read(|db| Ok(jobs::list(db, None, None, 1)?.remove(0)));
    assert!(job.error.is_none() && job.receipt_no == Some(3), "{job:?}");
    // Nor by night, in all files; nor after a start.
    server.clock.advance(DAY);
    server.tick();
    let server = Server::over(server.stop(), |_| {});
    let failed =
        server.sqlite().query_row("SELECT COUNT(*) FROM jobs WHERE status <> 'completed'", [], |row| {
            row.get::<_, i64>(0)
        });
    assert_eq!(failed.expect("a count"), 0);
}

#[test]
fn what_is_written_into_ushers_files_by_others_is_found_there() {
    for (file, text) in [
        ("erasures.ledger", format!("{{\"note\":\"{ANN}\"}}\n")),
        ("signing.pub", format!("of {ANN}\n")),
        ("reserve", format!("\0\0\0{ANN}\0\0\0")),
    ] {
        let server = Server::start();
        track(&server, ANN, "something");
        erase(&server, ANN);
        let path = server.path().with_file_name(file);
        let before = fs::read(&path).unwrap_or_default();
        fs::write(&path, [&before[..], text.as_bytes()].concat()).expect("a file");
        server.tick();
        let job = server.read(|db| Ok(jobs::list(db, None, None, 1)?.remove(0)));
        assert!(job.error.as_ref().is_some_and(|error| error.contains(file)), "{file}: {job:?}");
    }
}

/// The newest is looked at with the next proof, older ones, which nobody writes again, once a
/// day.
#[test]
fn a_receipt_that_somebody_wrote_into_is_found() {
    for is_newest in [true, false] {
        let server = Server::start();
        server.tick();
        let names = ["ann-who-goes-first", "ben-who-goes-next", "cat-who-is-written-there"];
        for name in names {
            track(&server, name, "something");
        }
        for name in &names[..2] {
            erase(&server, name);
            assert_eq!(server.tick().completed, 1);
        }
        let path = server.app.receipts().numbered(if is_newest { 2 } else { 1 }).expect("a receipt").path;
        let before = fs::read_to_string(&path).expect("a file");
        fs::write(&path, format!("{before}{}", names[2])).expect("a change");
        erase(&server, names[2]);
        assert_eq!(server.tick().completed, u64::from(!is_newest));
        server.clock.advance(DAY);
        server.tick();
        let job = server.read(|db| Ok(jobs::list(db, None, None, 1)?.remove(0)));
        assert!(job.error.as_ref().is_some_and(|error| error.contains("receipts/")), "{job:?}");
    }
}

#[test]
fn what_many_others_have_too_is_no_mention_of_anybody() {
    let server = Server::start();
    let text = "the same words that many people write";
    let body = |name: &str, n: usize| serde_json::json!({"userId": name, "event": "Wrote", "messageId": format!("{n}"), "properties": {"t": text}});
    for n in 0..30 {
        let name = if n == 0 { ANN.to_owned() } else { format!("somebody-number-{n}") };
        server.post("/v1/track").bearer(&server.project().all).json(body(&name, n)).send().expect(200);
    }
    erase(&server, ANN);
    server.tick();
    let of_ann = receipt(&server, 1);
    assert_eq!(of_ann.mentions, 0, "{of_ann:?}");
    assert!(of_ann.scan.as_ref().is_some_and(|scan| scan.needles_dropped > 0), "{of_ann:?}");
}

/// Whoever has a word that SQLite itself has written is erased as others are.
#[test]
fn a_value_that_is_one_of_sqlites_own_is_no_trace() {
    let server = Server::start();
    let store = server.app.store();
    for value in ["SQLite format 3", "SQLite f", "format 3\0", "\0\0\0\0\0\0\0\u{1}"] {
        let all = &server.project().all;
        let identify = json!({"userId": ANN, "traits": {"word": value}});
        server.post("/v1/identify").bearer(all).json(identify).send().expect(200);
        let track = json!({"userId": ANN, "event": "Wrote", "messageId": "1", "properties": {"word": value},
                           "context": {"sessionId": "s1"}});
        server.post("/v1/track").bearer(all).json(track).send().expect(200);
        let recording = [[0; 31].as_slice(), &[1], &[0; 31], &[3], &[0; 64]].concat();
        let put = server.put("/api/sessions/s1/recording").bearer(all);
        put.body(recording, "application/octet-stream").send().expect(200);
        erase(&server, ANN);
        assert_eq!(server.tick().completed, 1, "{value:?}");
        let job = server.read(|db| Ok(jobs::list(db, None, None, 1)?.remove(0).id));
        store.empty_wal().expect("an empty WAL");
        let sought = server.read(|db| fragments::of(db, store.search_key(), job));
        let whole = store.verify(&sought, Scope::Whole).expect("a search");
        assert!(whole.is_clean(), "{value:?}: {whole:?}");
    }
}
