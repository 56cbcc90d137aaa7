//! A restriction: kept, in no list, found by a whole value by those who may erase.

use serde_json::{Value, json};
use usher::clock::{DAY, next_midnight};
use usher::model::{State, TRASH_PERIOD};

use super::{restrict, state, unrestrict};
use crate::harness::{START, Server};
use crate::segment::count;

fn search(server: &Server, key: &str, text: &str) -> Value {
    let body = json!({ "q": text, "filter": { "state": "all" } });
    server.post("/api/users/search").bearer(key).json(body).send().expect(200).json()
}

fn found(server: &Server, key: &str, text: &str) -> usize {
    search(server, key, text)["data"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_restricted_user_is_in_no_list() {
    let server = Server::start();
    let (ann, _) = (server.seed("ann").email("ann@example.com").insert(), server.seed("annika").insert());
    let all = server.project().all.clone();
    let lists = || {
        let px = server.get("/v1/users").header("X-APTRINSIC-API-KEY", &all).send().expect(200).json();
        let path = format!("/v2/api/public/{}/users", server.project().key);
        let replay = server.post(&path).bearer(&all).json(json!({})).send().expect(200);
        let names = (px["users"].as_array().map(Vec::len), replay.text.matches("\"ann\"").count());
        (names, found(&server, &all, "nn"))
    };
    let before = lists();
    assert_eq!((before.0.0, before.1), (Some(2), 2), "the twin");
    restrict(&server, ann);
    let after = lists();
    assert_eq!((after.0, after.1), ((Some(1), 0), 1));
    unrestrict(&server, ann);
    assert_eq!(lists(), before);
}

#[test]
fn a_whole_value_finds_a_restricted_user_for_who_may_erase() {
    let server = Server::start();
    let ann = server.seed("ann").email("ann@example.com").insert();
    restrict(&server, ann);
    let project = Some(server.project().id);
    let (reads, erases) = (server.key(project, "read"), server.key(project, "read,delete"));
    for text in ["ann", "ann@example.com"] {
        assert_eq!((found(&server, &erases, text), found(&server, &reads, text)), (1, 0), "{text}");
    }
    // Nothing is suggested of them either.
    let near = search(&server, &erases, "anm");
    assert_eq!((near["data"].clone(), near["suggestions"].clone()), (json!([]), json!([])));
    // A verb about this one user works.
    let single = server.get("/v1/users/single?identifier=ann").bearer(&reads).send().expect(200);
    assert!(single.text.contains("ann"));
}

#[test]
fn a_restriction_stops_reaper_schedule_and_bulk() {
    let server = Server::start();
    let [ann, bob, cy] = ["ann", "bob", "cy"].map(|name| server.seed(name).insert());
    let px = |path: &str| server.delete(path).header("X-APTRINSIC-API-KEY", &server.project().all).send();
    for id in [ann, bob, cy] {
        restrict(&server, id);
    }
    px("/v1/users/ann").expect(200);
    let path = format!("/api/v1/{}/users/bob", server.project().key);
    server.delete(&path).header("Authorization", &server.project().all).send().expect(200);
    let body = json!({ "regulationType": "DELETE_ONLY", "subjectType": "USER_ID", "subjectIds": ["cy"] });
    server.post("/regulations").bearer(&server.project().all).json(body).send().expect(200);
    server.clock.advance(TRASH_PERIOD + DAY);
    server.tick();
    assert_eq!([ann, bob, cy].map(|id| state(&server, id).is_some()), [true; 3]);
    for id in [ann, bob, cy] {
        unrestrict(&server, id);
    }
    server.tick();
    assert_eq!([ann, bob, cy].map(|id| state(&server, id)), [None; 3]);
    assert_eq!(count(&server, "jobs WHERE status <> 'completed'"), 0);
}

#[test]
fn what_the_person_asks_for_is_done_all_the_same() {
    let server = Server::start();
    let [ann, bob] = ["ann", "bob"].map(|name| server.seed(name).insert());
    restrict(&server, ann);
    restrict(&server, bob);
    let path = format!("/api/v1/{}/users/ann", server.project().key);
    let request = server.delete(&path).header("Authorization", &server.project().all);
    request.header("Usher-Ground", "request").send().expect(200);
    let request = server.delete("/v1/users/bob?hardDelete=true");
    request.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    server.clock.advance(next_midnight(START) - START);
    server.tick();
    assert_eq!([ann, bob].map(|id| state(&server, id)), [None; 2]);
}

#[test]
fn a_project_with_restricted_users_is_not_deleted() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    restrict(&server, ann);
    let id = server.project().id;
    let begin = move |tx: &usher::store::ErasingTx| {
        usher::erasure::project_deletion::begin(tx, id, usher::model::Origin::Request)
    };
    let refused = server.app.write_blocking(begin).expect_err("refused").to_string();
    assert!(refused.contains("restricted: 1"), "{refused}");
    assert_eq!(state(&server, ann), Some(State::Live));
}

#[test]
fn an_export_of_the_project_leaves_a_restricted_user_out() {
    let server = Server::start();
    let (ann, _) = (server.seed("ann").insert(), server.seed("bob").insert());
    let whole = || {
        let id = server.project().id;
        let project = server.read(|db| usher::projects::get(db, id));
        let (mut out, now) = (Vec::new(), server.clock.now());
        usher::export::write_project(server.app.store(), project, now, &mut out).expect("an export");
        String::from_utf8(out).expect("UTF-8")
    };
    assert!(whole().contains("\"ann\""), "the twin");
    restrict(&server, ann);
    let text = whole();
    assert!(text.contains("\"bob\"") && !text.contains("\"ann\""), "{text}");
}
