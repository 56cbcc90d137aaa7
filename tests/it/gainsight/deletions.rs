//! Hidden for 7 days, or gone at once: seeds/002.

use serde_json::{Value, json};
use usher::clock::DAY;
use usher::model::TRASH_PERIOD;
use usher::people::{activity, find};
use usher::store::NormalTx;

use super::{bad, call, create, delete, get, hard_delete, put, unknown, with};
use crate::harness::{START, Server, event, named};

#[test]
fn the_seeds_deletion_answers_200_with_the_seeds_keys() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "ann" }));
    let reply = delete(&server, "ann").expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json(), json!({ "body": {}, "statusCode": "200", "statusCodeValue": 200 }));
    create(&server, json!({ "identifyId": "ann" }));
    let hard = hard_delete(&server, "ann").expect(200);
    assert_eq!(hard.json(), json!({ "body": {}, "statusCode": "200", "statusCodeValue": 200 }));
}

/// Everything there is of a user's past: the events that are still told.
fn history(server: &Server, name: &str) -> usize {
    let (project, name) = (server.project().id, name.to_owned());
    server
        .read(move |db| {
            let user = find::get(db, project, &name)?;
            activity::timeline(db, &user, 0, i64::MAX, 1_000, 0)
        })
        .len()
}

#[test]
fn until_7_days_are_over_an_update_brings_back_all() {
    type Revival = fn(&Server);
    let revivals: [Revival; 2] = [
        |server| drop(put(server, "ann", json!({})).expect(204)),
        |server| create(server, json!({ "identifyId": "ann" })),
    ];
    for revive in revivals {
        let server = Server::start();
        let id = server.seed("ann").email("ann@example.com").events(50).insert();
        let before = get(&server, "ann");
        delete(&server, "ann").expect(200);
        unknown(call(&server, "GET", "/v1/users/ann").send(), "ann");
        unknown(delete(&server, "ann"), "ann");
        server.clock.advance(TRASH_PERIOD - 1);
        assert_eq!(server.tick().reaped, 0);
        revive(&server);
        let after = get(&server, "ann");
        assert_eq!(after, with(before, json!({ "lastModifiedDate": START + TRASH_PERIOD - 1 })));
        assert_eq!(history(&server, "ann"), 50);
        // It is no longer on its way out.
        server.clock.advance(30 * DAY);
        server.tick();
        assert_eq!(server.rows_of(id), 52);
    }
}

#[test]
fn from_7_days_on_a_creation_makes_a_new_user() {
    for reaped in [false, true] {
        let server = Server::start();
        let id = server.seed("ann").email("ann@example.com").events(5).insert();
        let before = get(&server, "ann");
        delete(&server, "ann").expect(200);
        server.clock.advance(TRASH_PERIOD);
        if reaped {
            assert_eq!(server.tick().reaped, 1);
            assert_eq!(server.rows_of(id), 0);
        }
        unknown(put(&server, "ann", json!({ "firstName": "A" })), "ann");
        unknown(hard_delete(&server, "ann"), "ann");
        create(&server, json!({ "identifyId": "ann" }));
        is_new(&server, &before);
        server.tick();
        assert_eq!(server.rows_of(id), 0);
        is_new(&server, &before);
    }
}

#[track_caller]
fn is_new(server: &Server, before: &Value) {
    let ann = get(server, "ann");
    assert_ne!(ann["aptrinsicId"], before["aptrinsicId"]);
    assert_eq!(
        (&ann["email"], &ann["lastSeenDate"], &ann["numberOfVisits"]),
        (&json!(""), &json!(0), &json!(0))
    );
    assert_eq!(history(server, "ann"), 0);
}

#[test]
fn after_a_hard_delete_nothing_comes_back_hidden_before_or_not() {
    for hidden in [false, true] {
        let server = Server::start();
        let id = server.seed("ann").email("ann@example.com").events(5).insert();
        let before = get(&server, "ann");
        if hidden {
            delete(&server, "ann").expect(200);
            server.clock.advance(TRASH_PERIOD - 1);
        }
        hard_delete(&server, "ann").expect(200);
        unknown(call(&server, "GET", "/v1/users/ann").send(), "ann");
        unknown(put(&server, "ann", json!({})), "ann");
        unknown(hard_delete(&server, "ann"), "ann");
        create(&server, json!({ "identifyId": "ann" }));
        is_new(&server, &before);
        server.tick();
        assert_eq!(server.rows_of(id), 0);
        is_new(&server, &before);
    }
}

#[test]
fn hard_delete_is_true_or_false_and_nothing_else() {
    let server = Server::start();
    let id = server.seed("ann").events(2).insert();
    let before = get(&server, "ann");
    for value in ["", "T", "1", "0", "yes", "true%20", "false,true", "null"] {
        let reply = call(&server, "DELETE", &format!("/v1/users/ann?hardDelete={value}")).send();
        assert_eq!(bad(reply), ["hardDelete: must be true or false"], "{value}");
    }
    let broken = call(&server, "DELETE", "/v1/users/ann?hardDelete=%ff").send();
    assert_eq!(bad(broken), ["hardDelete: must be UTF-8, percent-encoded"]);
    let twice = call(&server, "DELETE", "/v1/users/ann?hardDelete=false&hardDelete=true").send();
    assert_eq!(bad(twice), ["hardDelete: must be given once"]);
    assert_eq!(get(&server, "ann"), before);
    assert_eq!(server.rows_of(id), 4);
    call(&server, "DELETE", "/v1/users/ann?hardDelete=false&harddelete=maybe").send().expect(200);
    create(&server, json!({ "identifyId": "ann" }));
    assert_eq!(history(&server, "ann"), 2);
}

#[test]
fn two_projects_have_two_users_of_one_id() {
    let server = Server::start();
    let second = server.second();
    create(&server, json!({ "identifyId": "ann", "title": "Dr" }));
    let theirs = |method, path| server.request(method, path).header("X-APTRINSIC-API-KEY", &second.all);
    theirs("POST", "/v1/users").json(json!({ "identifyId": "ann" })).send().expect(201);
    theirs("DELETE", "/v1/users/ann?hardDelete=true").send().expect(200);
    assert_eq!(get(&server, "ann")["title"], "Dr");
}

#[test]
fn a_late_event_does_not_bring_an_erased_user_back() {
    let server = Server::start();
    let project = server.project().id;
    let id = server.seed("ann").events(2).insert();
    hard_delete(&server, "ann").expect(200);
    server.tick();
    server.write(move |tx: &NormalTx| activity::record(tx, project, &event(&named("ann"), "before", START)));
    unknown(call(&server, "GET", "/v1/users/ann").send(), "ann");
    assert_eq!(server.rows_of(id), 0);
}

#[test]
fn hard_delete_is_read_in_any_letter_case() {
    let server = Server::start();
    for (value, comes_back) in [("True", 404), ("TRUE", 404), ("False", 204)] {
        create(&server, json!({ "identifyId": "ann" }));
        call(&server, "DELETE", &format!("/v1/users/ann?hardDelete={value}")).send().expect(200);
        put(&server, "ann", json!({})).expect(comes_back);
    }
}
