//! A key from its making to its end: its date, the addresses it is good from, its secrets.

use std::net::IpAddr;

use usher::access::keys::{Bounds, Change, Powers};
use usher::access::rotation::{OVERLAP, OVERLAP_MAX};
use usher::access::{keys, rotation};
use usher::clock::{DAY, HOUR, Millis, SECOND};
use usher::error::Error;
use usher::model::{Credential, Key, KeyId, Scopes};
use usher::store::{ErasingTx, NormalTx, Priority, TxOf};
use usher::worker;

use crate::harness::{Reply, START, Server};

/// A key of the first project within bounds, and its secret.
pub fn within(server: &Server, bounds: Bounds) -> (KeyId, String) {
    let (project, read) = (server.project().id, Scopes::parse("read,write").expect("scopes"));
    let (key, secret) =
        server.write(move |tx| keys::create(tx, Some(project), "k", Powers::Scopes(read), &bounds));
    server.app.reload_keys().expect("keys");
    (key.id, secret)
}

/// A write that is good, with the keys loaded again.
pub fn change<P: Priority, T: Send + 'static>(
    server: &Server,
    run: impl FnMut(&TxOf<P>) -> usher::error::Result<T> + Send + 'static,
) -> T {
    let done = server.write(run);
    server.app.reload_keys().expect("keys");
    done
}

pub fn rotated(server: &Server, id: KeyId, overlap: Millis) -> String {
    change(server, move |tx| rotation::of_key(tx, id, overlap)).1
}

fn held(server: &Server, id: KeyId) -> Key {
    server.read(|db| keys::good(db, id))
}

fn ask(server: &Server, key: &str) -> Reply {
    server.get("/users").bearer(key).send()
}

pub fn status(server: &Server, key: &str) -> u16 {
    ask(server, key).status
}

/// All that is told, but for what is of the one request.
fn told(reply: &Reply) -> (u16, String, Vec<Option<String>>) {
    let headers = ["content-type", "www-authenticate", "x-ratelimit-limit", "cache-control", "retry-after"];
    let headers = headers.map(|name| reply.header(name).map(str::to_owned));
    (reply.status, reply.text.clone(), headers.to_vec())
}

fn fault<P: Priority, T: Send + 'static>(
    server: &Server,
    run: impl FnMut(&TxOf<P>) -> usher::error::Result<T> + Send + 'static,
) -> String {
    let failed = server.app.write_blocking(run);
    match failed.err().expect("a fault") {
        Error::Invalid(faults) => format!("{}: {}", faults[0].field, faults[0].message),
        error => error.to_string(),
    }
}

#[test]
fn a_key_is_good_until_the_millisecond_of_its_end() {
    let server = Server::start();
    let end = START + HOUR;
    let (id, key) = within(&server, Bounds { expires_at: Some(end), ..Bounds::default() });
    let endless = server.key(Some(server.project().id), "read");
    server.clock.advance(HOUR - 1);
    assert_eq!((status(&server, &key), status(&server, &endless)), (200, 200));
    server.clock.advance(1);
    assert_eq!((status(&server, &key), status(&server, &endless)), (401, 200));
    assert_eq!(told(&ask(&server, &key)), told(&ask(&server, "ush_nobody")));
    assert_ne!(told(&ask(&server, &key)), told(&ask(&server, &endless)), "the twin");
    // It is not gone: with another end it goes on.
    change(&server, move |tx| {
        keys::change(tx, id, &Change { expires_at: Some(Some(end + DAY)), ..Change::default() })
    });
    assert_eq!(status(&server, &key), 200);
}

#[test]
fn an_end_lies_ahead() {
    let server = Server::start();
    let project = server.project().id;
    let make = move |end: Millis| {
        move |tx: &NormalTx| {
            let bounds = Bounds { expires_at: Some(end), ..Bounds::default() };
            keys::create(tx, Some(project), "k", Powers::Public, &bounds)
        }
    };
    for end in [START - 1, START] {
        assert_eq!(fault(&server, make(end)), "expiresAt: must be later than now");
    }
    server.write(make(START + 1));
}

#[test]
fn an_end_is_read_as_a_day_or_a_time() {
    assert_eq!(keys::parse_end("2026-03-05").expect("a day"), START - 10 * HOUR + DAY);
    assert_eq!(keys::parse_end("2026-03-04T11:00:00+01:00").expect("a time"), START);
    for wrong in ["", "tomorrow", "2026-3-5", "2026-02-30", "2026-03-04T11:00:00"] {
        assert!(keys::parse_end(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_old_secret_is_good_for_the_overlap() {
    let server = Server::start();
    let (id, old) = within(&server, Bounds::default());
    let before = held(&server, id);
    let new = rotated(&server, id, OVERLAP);
    assert_eq!((status(&server, &old), status(&server, &new)), (200, 200));
    let after = held(&server, id);
    assert_eq!(
        (after.name, after.scopes, after.project, after.created_at),
        (before.name, before.scopes, before.project, before.created_at)
    );
    server.clock.advance(OVERLAP - 1);
    assert_eq!((status(&server, &old), status(&server, &new)), (200, 200));
    server.clock.advance(1);
    assert_eq!((status(&server, &old), status(&server, &new)), (401, 200));
    assert_eq!(told(&ask(&server, &old)), told(&ask(&server, "ush_nobody")));
}

#[test]
fn without_an_overlap_the_old_secret_ends_at_once() {
    let server = Server::start();
    let (id, old) = within(&server, Bounds::default());
    let new = rotated(&server, id, 0);
    assert_eq!((status(&server, &old), status(&server, &new)), (401, 200));
}

#[test]
fn an_overlap_has_30_days_at_most() {
    let server = Server::start();
    let (id, _) = within(&server, Bounds::default());
    let project = server.project().id;
    for overlap in [-1, OVERLAP_MAX + 1] {
        let why = "overlap: must be from 0 hours to 30 days";
        assert_eq!(fault(&server, move |tx| rotation::of_key(tx, id, overlap)), why);
        assert_eq!(fault(&server, move |tx| rotation::of_token(tx, project, overlap)), why);
    }
    rotated(&server, id, OVERLAP_MAX);
}

#[test]
fn each_secret_has_a_last_use_of_its_own() {
    let server = Server::start();
    let (id, old) = within(&server, Bounds::default());
    status(&server, &old);
    // Not written down yet when it is replaced.
    let new = rotated(&server, id, OVERLAP);
    let uses = || {
        worker::note_uses(&server.app).expect("they are written down");
        let all = server.read(rotation::list);
        (all.last().expect("the old one").last_used_at, held(&server, id).last_used_at)
    };
    assert_eq!(uses(), (Some(START), None));
    server.clock.advance(SECOND);
    status(&server, &new);
    assert_eq!(uses(), (Some(START), Some(START + SECOND)));
    server.clock.advance(SECOND);
    status(&server, &old);
    assert_eq!(uses(), (Some(START + 2 * SECOND), Some(START + SECOND)));
}

#[test]
fn a_rotation_within_an_overlap_leaves_that_to_its_end() {
    let server = Server::start();
    let (id, first) = within(&server, Bounds::default());
    let second = rotated(&server, id, 2 * HOUR);
    let third = rotated(&server, id, HOUR);
    let all = || [&first, &second, &third].map(|secret| status(&server, secret));
    assert_eq!(all(), [200, 200, 200]);
    server.clock.advance(HOUR);
    assert_eq!(all(), [200, 401, 200]);
    change(&server, move |tx| rotation::end_old(tx, Credential::Key(id)));
    assert_eq!(all(), [401, 401, 200]);
    let none = "there is no previous secret that is still valid";
    assert!(fault(&server, move |tx| rotation::end_old(tx, Credential::Key(id))).contains(none));
}

#[test]
fn both_secrets_have_one_limit_and_one_revocation() {
    let server = Server::with(|options| options.rate_limit = Some(1));
    let (id, old) = within(&server, Bounds::default());
    let new = rotated(&server, id, OVERLAP);
    assert_eq!((status(&server, &old), status(&server, &new)), (200, 429));
    change(&server, move |tx| keys::revoke(tx, id));
    assert_eq!((status(&server, &old), status(&server, &new)), (401, 401));
    assert!(fault(&server, move |tx| rotation::of_key(tx, id, 0)).contains("no such key"));
}

#[test]
fn an_end_holds_for_the_old_secret_too() {
    let server = Server::start();
    let (id, old) = within(&server, Bounds { expires_at: Some(START + HOUR), ..Bounds::default() });
    let new = rotated(&server, id, OVERLAP);
    server.clock.advance(HOUR);
    assert_eq!((status(&server, &old), status(&server, &new)), (401, 401));
    assert!(fault(&server, move |tx| rotation::of_key(tx, id, 0)).contains("has expired"));
}

#[test]
fn a_rotated_ingest_token_is_good_for_the_overlap() {
    let server = Server::start();
    let (project, old) = (server.project().id, server.project().token.clone());
    let new = change(&server, move |tx| rotation::of_token(tx, project, HOUR)).ingest_token;
    let sends = |token: &str| {
        let event = serde_json::json!({ "userId": "ann", "event": "x" });
        server.post("/v1/track").bearer(token).json(event).send().status
    };
    // The settings that clients ask for are the project's, whichever token asks.
    let settings = |token: &str| server.get(&format!("/v1/projects/{token}/settings")).send().status;
    server.clock.advance(HOUR - 1);
    assert_eq!([sends(&old), sends(&new), settings(&old), settings(&new)], [200; 4]);
    server.clock.advance(1);
    assert_eq!([sends(&old), sends(&new), settings(&old), settings(&new)], [401, 200, 404, 200]);
}

/// A server behind a proxy, and a key that is bound; what a client at an address is told.
fn bound(addresses: &[&str]) -> (Server, KeyId, String) {
    let server = Server::with(|options| options.trusted_proxies = vec!["127.0.0.1"]);
    let addresses = addresses.iter().map(|&text| text.to_owned()).collect();
    let (id, key) = within(&server, Bounds { addresses, ..Bounds::default() });
    (server, id, key)
}

#[test]
fn a_bound_key_is_unknown_from_elsewhere() {
    let (server, id, key) = bound(&["192.0.2.0/25", "2001:db8::7"]);
    let from = |address: &str| server.get("/users").bearer(&key).header("X-Forwarded-For", address).send();
    for good in ["192.0.2.0", "192.0.2.127", "::ffff:192.0.2.1", "2001:db8::7", "203.0.113.1, 192.0.2.1"] {
        assert_eq!(from(good).status, 200, "{good}");
    }
    // A neighbour in the same /64 is another.
    for bad in ["192.0.2.128", "192.0.1.255", "2001:db8::8", "192.0.2.1, 203.0.113.1", "unknown", ""] {
        assert_eq!(from(bad).status, 401, "{bad}");
    }
    let unknown = server.get("/users").bearer("ush_nobody").header("X-Forwarded-For", "192.0.2.1").send();
    assert_eq!(told(&from("192.0.2.128")), told(&unknown));
    worker::note_uses(&server.app).expect("they are written down");
    assert_eq!(held(&server, id).refused_addresses, 7);
}

#[test]
fn an_untrusted_claim_opens_no_bound_key() {
    let server = Server::start();
    let addresses = vec!["127.0.0.1".to_owned()];
    let (_, key) = within(&server, Bounds { addresses, ..Bounds::default() });
    assert_eq!(status(&server, &key), 200, "the peer's own address");
    // It may be a proxy that nobody named, for a client elsewhere.
    let claimed = server.get("/users").bearer(&key).header("X-Forwarded-For", "127.0.0.1").send();
    assert_eq!(claimed.status, 401);
}

#[test]
fn a_change_of_addresses_holds_at_once() {
    let (server, id, key) = bound(&["192.0.2.1"]);
    let from =
        |address: &str| server.get("/users").bearer(&key).header("X-Forwarded-For", address).send().status;
    let set = |list: &[&str]| {
        let list: Vec<String> = list.iter().map(|&text| text.to_owned()).collect();
        change(&server, move |tx| {
            keys::change(tx, id, &Change { addresses: Some(list.clone()), ..Change::default() })
        });
    };
    set(&["198.51.100.9/24", "198.51.100.7/24"]);
    assert_eq!((from("192.0.2.1"), from("198.51.100.1")), (401, 200));
    assert_eq!(held(&server, id).addresses, ["198.51.100.0/24"]);
    set(&[]);
    assert_eq!((from("192.0.2.1"), from("203.0.113.1")), (200, 200));
}

#[test]
fn addresses_are_checked_and_at_most_32() {
    let server = Server::start();
    let (id, _) = within(&server, Bounds::default());
    let set = |list: Vec<String>| {
        move |tx: &ErasingTx| {
            keys::change(tx, id, &Change { addresses: Some(list.clone()), ..Change::default() })
        }
    };
    let wrong = fault(&server, set(vec!["192.0.2.1".into(), "10.0.0.0/33".into()]));
    assert!(wrong.starts_with("addresses[1]: must be an address, or a range"), "{wrong}");
    let list = |n: u8| (0..n).map(|n| format!("192.0.2.{n}")).collect::<Vec<String>>();
    assert_eq!(fault(&server, set(list(33))), "addresses: must be at most 32");
    server.write(set(list(32)));
    assert_eq!(held(&server, id).addresses.len(), 32);
}

#[test]
fn a_key_that_is_renamed_stays_what_it_was() {
    let server = Server::start();
    let end = Some(START + HOUR);
    let (id, key) = within(&server, Bounds { expires_at: end, ..Bounds::default() });
    let rename = |name: &'static str| {
        move |tx: &ErasingTx| {
            keys::change(tx, id, &Change { name: Some(name.to_owned()), ..Change::default() })
        }
    };
    change(&server, rename(" backend "));
    let now = held(&server, id);
    assert_eq!((now.name.as_str(), now.expires_at, status(&server, &key)), ("backend", end, 200));
    assert!(fault(&server, rename(" ")).starts_with("name: must have 1 to 100 characters"));
    // Also when its end has come, which stays as it is.
    server.clock.advance(HOUR);
    change(&server, rename("old backend"));
    assert_eq!((held(&server, id).expires_at, status(&server, &key)), (end, 401));
}

#[test]
fn readiness_asks_for_the_end_and_the_address() {
    let server = Server::start();
    let make = |bounds: Bounds| {
        let admin = Scopes::parse("admin").expect("scopes");
        let create = move |tx: &NormalTx| keys::create(tx, None, "k", Powers::Scopes(admin), &bounds);
        change(&server, create).1
    };
    let ends = make(Bounds { expires_at: Some(START + HOUR), ..Bounds::default() });
    let elsewhere = make(Bounds { addresses: vec!["192.0.2.1".into()], ..Bounds::default() });
    let is_told = |key: &str| server.get("/readyz").bearer(key).send().text.contains("checks");
    assert_eq!((is_told(&ends), is_told(&elsewhere)), (true, false));
    server.clock.advance(HOUR);
    assert!(!is_told(&ends));
}

#[test]
fn an_address_is_kept_whole_for_a_key() {
    let edge = usher::edge::Edge::default();
    let peer: IpAddr = "2001:db8::1:2:3:4".parse().expect("an address");
    assert_eq!(edge.client(Some(peer), &[], &[]), Some(peer));
    assert_ne!(edge.sender(Some(peer), &[], &[]), Some(peer), "the network alone");
}
