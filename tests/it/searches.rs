//! The search that a job's proof makes: of all that was written since the job began, whatever
//! happened in between; and it finds what is known to be there, or proves nothing.

use std::fs;

use usher::clock::SECOND;
use usher::proof::receipt::{Receipt, ScanMode};
use usher::store::{Scope, jobs, needles};

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
    assert_eq!(of_ann.scan.mode, ScanMode::ChangedPages);
    erase(&server, "cat-who-is-to-be-erased");
    server.tick();
    assert_eq!(receipt(&server, 2).mentions, 0);
}

#[test]
fn what_another_jobs_proof_searched_is_searched_for_those_that_were_there_too() {
    let server = Server::start();
    track(&server, ANN, "something");
    track(&server, "cat-who-is-to-be-erased", "something");
    erase(&server, ANN);
    // Her receipt cannot be written: she waits, and others are proven meanwhile.
    let folder = server.path().with_file_name("receipts");
    let away = server.path().with_file_name("away");
    fs::rename(&folder, &away).expect("a folder");
    assert_eq!(server.tick().faults, 1);
    fs::rename(&away, &folder).expect("a folder");
    mention(&server);
    erase(&server, "cat-who-is-to-be-erased");
    assert_eq!(server.tick().completed, 1);
    assert_eq!(receipt(&server, 1).mentions, 0);
    server.clock.advance(20 * SECOND);
    assert_eq!(server.tick().completed, 1);
    let of_ann = receipt(&server, 2);
    assert!(of_ann.mentions > 0, "{of_ann:?}");
    assert_eq!(of_ann.scan.mode, ScanMode::ChangedPages);
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
    assert_eq!(of_ann.scan.mode, ScanMode::WholeFiles);
}

#[test]
fn a_search_that_does_not_find_what_is_known_to_be_there_proves_nothing() {
    let server = Server::start();
    track(&server, ANN, "something");
    erase(&server, ANN);
    server.tick();
    let store = server.app.store();
    store.empty_wal().expect("an empty WAL");
    let job = server.read(|db| Ok(jobs::list(db, None, None, 1)?.remove(0).id));
    let sought = || server.read(|db| needles::of(db, store.search_key(), job));
    let whole = store.verify(sought(), Scope::Whole).expect("a search");
    assert!(whole.is_clean(), "{whole:?}");
    let blind = store.verify(sought(), Scope::Written { pages: vec![1], files: vec![] }).expect("a search");
    assert!(!blind.is_clean(), "{blind:?}");
    assert!(!blind.found[&job].sees && blind.found[&job].places.is_empty());
}
