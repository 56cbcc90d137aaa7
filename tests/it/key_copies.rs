//! A copy from before, put back: a secret that has ended since opens nothing.

use std::path::Path;

use serde_json::json;
use usher::access::keys::{Bounds, Change};
use usher::access::rotation::OVERLAP;
use usher::access::{keys, rotation};
use usher::clock::{DAY, HOUR, Millis};
use usher::model::{Credential, KeyId, ProjectId};

use crate::harness::Server;
use crate::key_lives::{change, rotated, status, within};
use crate::replays::House;

/// A key, and a copy of the directory that has it.
fn copied(bounds: Bounds) -> (House, tempfile::TempDir, KeyId, String) {
    let server = Server::start();
    let (id, key) = within(&server, bounds);
    let (house, aside) = House::new(server).copied();
    (house, aside, id, key)
}

fn back_after(house: House, aside: &Path, time: Millis) -> House {
    house.server.clock.advance(time);
    house.put_back(aside)
}

#[test]
fn a_replaced_secret_ends_in_an_older_copy_when_it_does() {
    for (left, opens) in [(1, 200), (0, 401)] {
        let (house, aside, id, old) = copied(Bounds::default());
        let new = rotated(&house.server, id, OVERLAP);
        let house = back_after(house, aside.path(), OVERLAP - left);
        assert_eq!(house.server.app.replayed().keys, 1);
        assert_eq!(status(&house.server, &old), opens);
        // No copy has the new one: the key is given another.
        assert_eq!(status(&house.server, &new), 401);
        let key = house.server.read(|db| keys::good(db, id));
        assert!(!key.has_secret());
        let another = rotated(&house.server, id, OVERLAP);
        assert_eq!(status(&house.server, &another), 200);
        house.server.clock.advance(left);
        assert_eq!((status(&house.server, &old), status(&house.server, &another)), (401, 200));
    }
}

/// The twin: what was not replaced is good in the copy.
#[test]
fn a_secret_that_was_not_replaced_is_good_in_a_copy() {
    let (house, aside, _, key) = copied(Bounds::default());
    let house = back_after(house, aside.path(), 2 * OVERLAP);
    assert_eq!(status(&house.server, &key), 200);
}

#[test]
fn an_overlap_that_a_copy_knows_ends_when_it_did() {
    for (left, opens) in [(1, 200), (0, 401)] {
        let server = Server::start();
        let (id, old) = within(&server, Bounds::default());
        let new = rotated(&server, id, OVERLAP);
        let (house, aside) = House::new(server).copied();
        let house = back_after(house, aside.path(), OVERLAP - left);
        assert_eq!((status(&house.server, &old), status(&house.server, &new)), (opens, 200));
    }
}

#[test]
fn an_overlap_that_was_cut_short_stays_so_in_a_copy() {
    let server = Server::start();
    let (id, old) = within(&server, Bounds::default());
    let new = rotated(&server, id, OVERLAP);
    let (house, aside) = House::new(server).copied();
    change(&house.server, move |tx| rotation::end_old(tx, Credential::Key(id)));
    let house = back_after(house, aside.path(), HOUR);
    assert_eq!((status(&house.server, &old), status(&house.server, &new)), (401, 200));
}

#[test]
fn a_key_revoked_after_its_rotation_is_so_in_a_copy() {
    let (house, aside, id, old) = copied(Bounds::default());
    rotated(&house.server, id, OVERLAP);
    change(&house.server, move |tx| keys::revoke(tx, id));
    let house = back_after(house, aside.path(), HOUR);
    assert_eq!(status(&house.server, &old), 401);
    let key = house.server.read(keys::list).into_iter().find(|key| key.id == id).expect("the key");
    assert!(key.revoked_at.is_some());
}

#[test]
fn an_end_that_was_moved_forward_stays_so_in_a_copy() {
    for (end, to, after, opens) in [
        (None, 2 * HOUR, 2 * HOUR - 1, 200),
        (None, 2 * HOUR, 2 * HOUR, 401),
        (Some(3 * DAY), 2 * HOUR, 2 * HOUR, 401),
        // Put off: the copy has the earlier one.
        (Some(2 * HOUR), 3 * DAY, 2 * HOUR, 401),
    ] {
        let now = crate::harness::START;
        let bounds = Bounds { expires_at: end.map(|end| now + end), ..Bounds::default() };
        let (house, aside, id, key) = copied(bounds);
        let other = Change { expires_at: Some(Some(now + to)), ..Change::default() };
        change(&house.server, move |tx| keys::change(tx, id, &other));
        let house = back_after(house, aside.path(), after);
        assert_eq!(status(&house.server, &key), opens, "{end:?} to {to}, after {after}");
    }
}

fn listed(addresses: &[&str]) -> Vec<String> {
    addresses.iter().map(|&text| text.to_owned()).collect()
}

/// The list of a key with `before` in a copy, after it was changed to each of the others in turn.
fn list_after(before: &[&str], changes: &[&[&str]]) -> Vec<String> {
    let (house, aside, id, _) = copied(Bounds { addresses: listed(before), ..Bounds::default() });
    for list in changes {
        let other = Change { addresses: Some(listed(list)), ..Change::default() };
        change(&house.server, move |tx| keys::change(tx, id, &other));
    }
    let house = back_after(house, aside.path(), HOUR);
    house.server.read(|db| keys::good(db, id)).addresses
}

#[test]
fn an_address_that_a_list_lost_is_lost_in_a_copy() {
    let two: &[&str] = &["192.0.2.1", "10.0.0.0/8"];
    assert_eq!(list_after(two, &[&["10.0.0.0/8"]]), ["10.0.0.0/8"]);
    // What came in its place no copy knows.
    assert_eq!(list_after(two, &[&["198.51.100.7"]]), ["nowhere"]);
    assert_eq!(list_after(&[], &[&["10.0.0.0/8"]]), ["nowhere"]);
    // A part of a range is another one.
    assert_eq!(list_after(two, &[&["192.0.2.1", "10.1.0.0/16"]]), ["192.0.2.1"]);
    // Wider, and then narrower: the copy's list is not the narrow one.
    assert_eq!(list_after(two, &[&[], &["198.51.100.7"]]), ["nowhere"]);
}

/// The twin: a list that lost nothing is in the copy as it was.
#[test]
fn a_list_that_lost_no_address_stays_in_a_copy() {
    let two: &[&str] = &["192.0.2.1", "10.0.0.0/8"];
    assert_eq!(list_after(two, &[]), two);
    assert_eq!(list_after(two, &[two]), two);
    assert_eq!(list_after(two, &[&["10.0.0.0/8", "198.51.100.7", "192.0.2.1"]]), two);
    assert!(list_after(&[], &[]).is_empty());
}

#[test]
fn a_key_good_from_nowhere_opens_nothing_until_it_is_set() {
    let (house, aside, id, key) = copied(Bounds::default());
    assert_eq!(status(&house.server, &key), 200);
    let narrow = Change { addresses: Some(listed(&["127.0.0.1"])), ..Change::default() };
    let same = narrow.clone();
    change(&house.server, move |tx| keys::change(tx, id, &same));
    let house = back_after(house, aside.path(), HOUR);
    assert_eq!(house.server.app.replayed().keys, 1);
    assert_eq!(status(&house.server, &key), 401);
    // Saved with another name it stays so.
    let named = Change { name: Some("other".into()), ..Change::default() };
    change(&house.server, move |tx| keys::change(tx, id, &named));
    assert_eq!(status(&house.server, &key), 401);
    change(&house.server, move |tx| keys::change(tx, id, &narrow));
    assert_eq!(status(&house.server, &key), 200);
}

#[test]
fn a_replaced_ingest_token_ends_in_an_older_copy() {
    for (left, opens) in [(1, 200), (0, 401)] {
        let server = Server::start();
        let (project, old) = (server.project().id, server.project().token.clone());
        let (house, aside) = House::new(server).copied();
        let new = change(&house.server, move |tx| rotation::of_token(tx, project, HOUR)).ingest_token;
        let house = back_after(house, aside.path(), HOUR - left);
        assert_eq!([sends(&house.server, &old), sends(&house.server, &new)], [opens, 401]);
        let drawn = token(&house.server, project);
        assert!(drawn != old && drawn != new);
        assert_eq!(sends(&house.server, &drawn), 200);
    }
}

fn token(server: &Server, project: ProjectId) -> String {
    server.read(|db| usher::projects::get(db, project)).ingest_token
}

fn sends(server: &Server, token: &str) -> u16 {
    let event = json!({ "userId": "ann", "event": "x" });
    server.post("/v1/track").bearer(token).json(event).send().status
}
