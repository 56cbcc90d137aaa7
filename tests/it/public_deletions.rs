//! Whom a deletion means: with a public credential nobody can have somebody else erased by planting
//! an anonymous id on them.

use serde_json::{Value, json};
use usher::clock::DAY;
use usher::people::holder;
use usher::store::NormalTx;

use crate::harness::Server;
use crate::merging::holder;
use crate::public_credentials::{ingest_key, post, public_key};
use crate::segment::{count, find, names, send, user};

const MINE: &str = "attacker-77";

fn px(server: &Server, name: &str) -> u16 {
    let path = format!("/v1/users/{name}?hardDelete=true");
    server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().status
}

/// An OpenReplay deletion, which is due at midnight; and the midnight.
fn at_midnight(server: &Server, name: &str) {
    let path = format!("/api/v1/{}/users/{name}", server.project().key);
    server.delete(&path).bearer(&server.project().all).send().expect(200);
    server.clock.advance(DAY);
    server.tick();
}

/// Deletes by the vendors' two ways.
fn delete(server: &Server, name: &str) {
    px(server, name);
    at_midnight(server, name);
    server.tick();
}

fn planted(server: &Server, key: &str) {
    server.seed("victim").events(3).email("victim@example.com").insert();
    let body = json!({ "userId": "victim", "anonymousId": MINE });
    post(server, "/v1/identify", key, body).expect(200);
    assert_eq!(holder(server, MINE).map(|user| user.id), Some(user(server, "victim").id));
}

#[test]
fn a_hard_delete_of_a_planted_name_erases_nobody() {
    let server = Server::start();
    for key in [server.project().token.clone(), public_key(&server)] {
        planted(&server, &key);
        assert_eq!(px(&server, MINE), 404);
        server.tick();
        assert_eq!(user(&server, "victim").profile.email.as_deref(), Some("victim@example.com"));
    }
    assert_eq!(count(&server, "jobs"), 0);
}

#[test]
fn a_job_for_a_planted_name_erases_nobody() {
    let server = Server::start();
    planted(&server, &server.project().token);
    at_midnight(&server, MINE);
    assert_eq!((names(&server, "victim").len(), count(&server, "jobs WHERE status = 'completed'")), (3, 1));
}

#[test]
fn an_id_that_is_planted_before_a_person_is_known_erases_nobody() {
    let server = Server::start();
    let token = server.project().token.clone();
    post(&server, "/v1/page", &token, json!({ "anonymousId": MINE })).expect(200);
    post(&server, "/v1/identify", &token, json!({ "userId": "victim", "anonymousId": MINE })).expect(200);
    send(&server, "/v1/identify", json!({ "userId": "victim", "traits": { "plan": "x" } })).expect(200);
    delete(&server, MINE);
    assert_eq!(user(&server, "victim").profile.attributes["plan"], "x");
}

#[test]
fn an_alias_message_plants_nothing_either() {
    let server = Server::start();
    server.seed("victim").events(1).insert();
    let token = server.project().token.clone();
    post(&server, "/v1/alias", &token, json!({ "userId": "victim", "previousId": MINE })).expect(200);
    delete(&server, MINE);
    assert_eq!(names(&server, "victim").len(), 1);
}

#[test]
fn a_name_that_a_plain_key_linked_means_the_person() {
    for by_job in [false, true] {
        let server = Server::start();
        planted(&server, &ingest_key(&server));
        match by_job {
            true => at_midnight(&server, MINE),
            false => assert_eq!(px(&server, MINE), 200),
        }
        server.tick();
        assert!(find(&server, "victim").is_none());
        assert_eq!((count(&server, "users"), count(&server, "events")), (0, 0));
    }
}

#[test]
fn a_plain_key_confirms_a_planted_name() {
    let server = Server::start();
    planted(&server, &server.project().token);
    assert_eq!(px(&server, MINE), 404);
    let body = json!({ "userId": "victim", "anonymousId": MINE });
    post(&server, "/v1/identify", &ingest_key(&server), body).expect(200);
    assert_eq!(px(&server, MINE), 200);
    assert!(find(&server, "victim").is_none());
}

#[test]
fn a_public_credential_takes_no_trust_away() {
    let server = Server::start();
    planted(&server, &ingest_key(&server));
    let body = json!({ "userId": "victim", "anonymousId": MINE });
    post(&server, "/v1/identify", &server.project().token, body).expect(200);
    let project = server.project().id;
    assert!(server.write(move |tx: &NormalTx| holder::named(tx, project, MINE)).is_some());
}

#[test]
fn an_anonymous_visitor_is_erased_by_its_name() {
    for by_job in [false, true] {
        let server = Server::start();
        let page: Value = json!({ "anonymousId": "v" });
        post(&server, "/v1/page", &server.project().token, page).expect(200);
        match by_job {
            true => at_midnight(&server, "v"),
            false => assert_eq!(px(&server, "v"), 200),
        }
        server.tick();
        assert_eq!((count(&server, "users"), count(&server, "events"), count(&server, "aliases")), (0, 0, 0));
    }
}

#[test]
fn an_identifier_goes_before_an_anonymous_id() {
    let server = Server::start();
    planted(&server, &ingest_key(&server));
    server.seed(MINE).insert();
    assert_eq!(px(&server, MINE), 200);
    assert!(find(&server, "victim").is_some() && find(&server, MINE).is_none());
}
