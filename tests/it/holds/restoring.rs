//! An older copy of the database learns who is held before it serves anybody.

use serde_json::json;
use usher::model::{State, TRASH_PERIOD};

use super::{copy, hold, put_back, release, restrict, state};
use crate::harness::Server;
use crate::segment::count;

fn erase(server: &Server, status: u16) {
    let request = server.delete("/v1/users/ann?hardDelete=true");
    request.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(status);
}

#[test]
fn an_older_copy_holds_again_who_is_held() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let before = copy(&server);
    hold(&server, ann, json!({ "reason": "Case 17" })).expect(200);
    let server = put_back(server, &before);
    assert_eq!(server.app.replayed().holds, 1);
    erase(&server, 409);
    assert_eq!(count(&server, "holds WHERE reason IS NULL"), 1, "the ledger has no reason");
}

/// The twin: without the entry the older copy erases.
#[test]
fn an_older_copy_of_nobody_held_erases() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let before = copy(&server);
    server.seed("bob").insert();
    let server = put_back(server, &before);
    erase(&server, 200);
    server.tick();
    assert_eq!(state(&server, ann), None);
}

#[test]
fn an_older_copy_releases_who_was_released() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    hold(&server, ann, json!({ "reason": "Case 17" })).expect(200);
    let before = copy(&server);
    release(&server, ann);
    let server = put_back(server, &before);
    assert_eq!(count(&server, "holds"), 0);
    erase(&server, 200);
}

#[test]
fn who_is_held_in_the_copy_and_was_erased_since_is_erased() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    hold(&server, ann, json!({})).expect(200);
    let before = copy(&server);
    release(&server, ann);
    erase(&server, 200);
    server.tick();
    let server = put_back(server, &before);
    server.tick();
    assert_eq!((state(&server, ann), count(&server, "holds")), (None, 0));
}

#[test]
fn who_is_held_in_the_trash_stays_held_in_an_older_copy() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let before = copy(&server);
    let request = server.delete("/v1/users/ann");
    request.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    hold(&server, ann, json!({})).expect(200);
    restrict(&server, ann);
    let server = put_back(server, &before);
    server.clock.advance(TRASH_PERIOD);
    server.tick();
    assert_eq!(state(&server, ann), Some(State::Hidden));
    assert_eq!(count(&server, "users WHERE restricted_at IS NOT NULL"), 1);
}

#[test]
fn a_job_that_waits_for_a_hold_waits_in_an_older_copy() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let before = copy(&server);
    hold(&server, ann, json!({})).expect(200);
    let body = json!({ "regulationType": "DELETE_ONLY", "subjectType": "USER_ID", "subjectIds": ["ann"] });
    server.post("/regulations").bearer(&server.project().all).json(body).send().expect(200);
    let server = put_back(server, &before);
    server.tick();
    assert_eq!(state(&server, ann), Some(State::Live));
    release(&server, ann);
    server.tick();
    assert_eq!(state(&server, ann), None);
}

#[test]
fn a_merged_visitor_is_held_by_itself_in_an_older_copy() {
    let server = Server::start();
    let track = json!({ "batch": [{ "type": "track", "anonymousId": "phone", "event": "x" }] });
    server.post("/v1/batch").bearer(&server.project().all).json(track).send().expect(200);
    let phone = crate::merging::holder(&server, "phone").expect("a visitor").id;
    let ann = server.seed("ann").insert();
    let before = copy(&server);
    hold(&server, ann, json!({})).expect(200);
    let both = json!({ "batch": [{ "type": "identify", "anonymousId": "phone", "userId": "ann" }] });
    server.post("/v1/batch").bearer(&server.project().all).json(both).send().expect(200);
    let server = put_back(server, &before);
    assert_eq!(count(&server, "holds"), 2);
    for id in [ann, phone] {
        assert_eq!(count(&server, &format!("holds WHERE user_id = {id}")), 1);
    }
}
