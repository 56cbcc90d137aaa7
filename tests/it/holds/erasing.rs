//! Each way of erasing against a hold.

use serde_json::json;
use usher::clock::{DAY, next_midnight};
use usher::model::{JobStatus, State, TRASH_PERIOD, UserId};

use super::{hold, release, state};
use crate::harness::{Reply, START, Server};
use crate::segment::count;

/// A way of erasing a user at once, over an API.
type Way = (&'static str, fn(&Server, UserId) -> Reply);

const WAYS: [Way; 7] = [
    ("OpenReplay", |server, _| {
        let path = format!("/api/v1/{}/users/ann", server.project().key);
        server.delete(&path).header("Authorization", &server.project().all).send()
    }),
    ("OpenReplay v2", |server, _| {
        let path = format!("/v2/api/public/{}/users/ann", server.project().key);
        server.delete(&path).bearer(&server.project().all).send()
    }),
    ("Gainsight PX", |server, _| {
        let request = server.delete("/v1/users/ann?hardDelete=true");
        request.header("X-APTRINSIC-API-KEY", &server.project().all).send()
    }),
    ("Gainsight PX, in the body", |server, _| {
        let request = server.delete("/v1/users/delete?hardDelete=true");
        let request = request.header("X-APTRINSIC-API-KEY", &server.project().all);
        request.json(json!({ "identifyId": "ann" })).send()
    }),
    ("Alloy, the account", |server, id| alloy(server, &format!("/users/{:024x}", id.0))),
    ("Alloy, the activity", |server, id| alloy(server, &format!("/users/{:024x}/logs", id.0))),
    ("Proficient AI", |server, id| {
        server.delete(&format!("/users/u_{id}")).bearer(&server.project().all).send()
    }),
];

fn alloy(server: &Server, path: &str) -> Reply {
    let request = server.delete(path).bearer(&server.project().all);
    request.header("x-api-version", "2025-09").send()
}

/// Until nothing is due any more.
fn pass(server: &Server, time: i64) {
    server.clock.advance(time);
    server.tick();
}

#[test]
fn a_vendors_deletion_of_a_held_user_is_409() {
    for (name, ask) in WAYS {
        let server = Server::start();
        let id = server.seed("ann").events(3).insert();
        hold(&server, id, json!({ "reason": "Case 17" })).expect(200);
        let before = server.rows_of(id);
        let refused = ask(&server, id).expect(409);
        assert!(refused.text.contains("legal hold"), "{name}: {}", refused.text);
        assert!(!refused.text.contains("Case 17"), "{name}: {}", refused.text);
        pass(&server, 8 * DAY);
        assert_eq!((state(&server, id), server.rows_of(id)), (Some(State::Live), before), "{name}");
        assert_eq!(count(&server, "jobs"), 0, "{name}");
        // The twin: the same request erases once the hold is released.
        release(&server, id);
        let done = ask(&server, id);
        assert!(done.status < 300, "{name}: {} {}", done.status, done.text);
        pass(&server, DAY);
        assert!(server.rows_of(id) < before, "{name}");
    }
}

#[test]
fn the_trash_takes_a_held_user_and_the_reaper_does_not() {
    let server = Server::start();
    let (ann, bob) = (server.seed("ann").events(2).insert(), server.seed("bob").insert());
    hold(&server, ann, json!({})).expect(200);
    for name in ["ann", "bob"] {
        let request = server.delete(&format!("/v1/users/{name}"));
        request.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    }
    pass(&server, TRASH_PERIOD);
    assert_eq!(state(&server, bob), None, "the twin");
    assert_eq!(state(&server, ann), Some(State::Hidden));
    // The name is free, and whoever has it next is somebody else.
    let body = json!({ "external_id": "ann" });
    server.post("/users").bearer(&server.project().all).json(body).send().expect(200);
    assert_eq!(state(&server, ann), Some(State::Waiting));
    let listed = server.get("/api/holds").bearer(&server.project().all).send().expect(200).json();
    assert_eq!(
        (&listed["data"][0]["identifier"], &listed["data"][0]["state"]),
        (&json!("ann"), &json!("waiting"))
    );
    pass(&server, 30 * DAY);
    assert_eq!(count(&server, "events"), 2);
    release(&server, ann);
    server.tick();
    assert_eq!((state(&server, ann), count(&server, "users"), count(&server, "events")), (None, 1, 0));
}

#[test]
fn a_scheduled_deletion_waits_for_the_hold_and_runs_after_it() {
    let server = Server::start();
    let (ann, bob) = (server.seed("ann").events(2).insert(), server.seed("bob").insert());
    for name in ["ann", "bob"] {
        let path = format!("/api/v1/{}/users/{name}", server.project().key);
        server.delete(&path).header("Authorization", &server.project().all).send().expect(200);
    }
    hold(&server, ann, json!({})).expect(200);
    pass(&server, next_midnight(START) - START);
    assert_eq!((state(&server, ann), state(&server, bob)), (Some(State::Live), None));
    let job = server.get("/api/jobs/1").bearer(&server.project().all).send().expect(200).json();
    assert_eq!((&job["data"]["status"], &job["data"]["held"]), (&json!("scheduled"), &json!(true)));
    release(&server, ann);
    server.tick();
    assert_eq!(state(&server, ann), None);
    assert_eq!(count(&server, "jobs WHERE status = 'completed'"), 2);
}

#[test]
fn a_hold_ends_to_the_millisecond_and_what_waited_runs() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let path = format!("/api/v1/{}/users/ann", server.project().key);
    server.delete(&path).header("Authorization", &server.project().all).send().expect(200);
    let until = usher::clock::rfc3339(START + 3 * DAY);
    hold(&server, ann, json!({ "until": until })).expect(200);
    pass(&server, 3 * DAY - 1);
    assert_eq!(state(&server, ann), Some(State::Live));
    pass(&server, 1);
    assert_eq!(state(&server, ann), None);
    assert_eq!(count(&server, "audit WHERE action = 'hold ended'"), 1);
}

#[test]
fn a_hold_does_not_end_by_a_clock_that_is_not_trusted() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let until = usher::clock::rfc3339(START + 3 * DAY);
    hold(&server, ann, json!({ "until": until })).expect(200);
    server.clock.set_wall(10 * DAY);
    server.tick();
    let delete = || {
        let request = server.delete("/v1/users/ann?hardDelete=true");
        request.header("X-APTRINSIC-API-KEY", &server.project().all).send()
    };
    delete().expect(409);
    server.app.confirm_clock().expect("confirmed");
    server.tick();
    delete().expect(200);
}

#[test]
fn of_many_the_others_are_erased_and_the_held_one_waits() {
    let server = Server::start();
    let (ann, bob) = (server.seed("ann").events(2).insert(), server.seed("bob").insert());
    hold(&server, ann, json!({})).expect(200);
    let body =
        json!({ "regulationType": "DELETE_ONLY", "subjectType": "USER_ID", "subjectIds": ["ann", "bob"] });
    let made = server.post("/regulations").bearer(&server.project().all).json(body).send().expect(200);
    let id = made.json()["data"]["regulateId"].as_str().expect("an id").to_owned();
    server.tick();
    assert_eq!((state(&server, ann), state(&server, bob)), (Some(State::Live), None));
    let status = || {
        let seen = server.get(&format!("/regulations/{id}")).bearer(&server.project().all).send().expect(200);
        assert!(!seen.text.contains("ann"), "who waits is not told: {}", seen.text);
        seen.json()["data"]["regulation"]["overallStatus"].clone()
    };
    assert_eq!(status(), "RUNNING");
    release(&server, ann);
    server.tick();
    assert_eq!((state(&server, ann), status()), (None, json!("FINISHED")));
}

#[test]
fn who_has_the_name_later_is_not_erased_for_a_held_user() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    hold(&server, ann, json!({})).expect(200);
    let body = json!({ "regulationType": "DELETE_ONLY", "subjectType": "USER_ID", "subjectIds": ["ann"] });
    server.post("/regulations").bearer(&server.project().all).json(body).send().expect(200);
    let request = server.delete("/v1/users/ann").header("X-APTRINSIC-API-KEY", &server.project().all);
    request.send().expect(200);
    pass(&server, TRASH_PERIOD);
    let body = json!({ "external_id": "ann" });
    server.post("/users").bearer(&server.project().all).json(body).send().expect(200);
    release(&server, ann);
    server.tick();
    assert_eq!((state(&server, ann), count(&server, "users WHERE identifier = 'ann'")), (None, 1));
}

#[test]
fn a_project_with_held_users_is_not_deleted() {
    let server = Server::start();
    let (ann, _) = (server.seed("ann").insert(), server.seed("bob").insert());
    hold(&server, ann, json!({})).expect(200);
    let name: String = server
        .sqlite()
        .query_row("SELECT name FROM projects WHERE id = ?1", [server.project().id.0], |row| row.get(0))
        .expect("a name");
    let path = format!("/api/projects/{}?confirm={}", server.project().key, crate::harness::encode(&name));
    let delete = || server.delete(&path).bearer(&server.project().all).send();
    let refused = delete().expect(409).json();
    assert_eq!(refused["code"], "held");
    assert!(refused["detail"].as_str().expect("words").contains("users under a legal hold: 1"), "{refused}");
    server.tick();
    assert_eq!(count(&server, "users"), 2);
    release(&server, ann);
    delete().expect(202);
    server.tick();
    assert_eq!(count(&server, "users"), 0);
}

#[test]
fn a_visitor_who_is_held_brings_the_hold_along() {
    let server = Server::start();
    let track = json!({ "batch": [{ "type": "track", "anonymousId": "phone", "event": "x" }] });
    server.post("/v1/batch").bearer(&server.project().all).json(track).send().expect(200);
    let phone = crate::merging::holder(&server, "phone").expect("a visitor").id;
    hold(&server, phone, json!({ "reason": "a case" })).expect(200);
    let ann = server.seed("ann").insert();
    let both = json!({ "batch": [{ "type": "identify", "anonymousId": "phone", "userId": "ann" }] });
    server.post("/v1/batch").bearer(&server.project().all).json(both).send().expect(200);
    server.tick();
    let request = server.delete("/v1/users/ann?hardDelete=true");
    request.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(409);
    release(&server, ann);
    let request = server.delete("/v1/users/ann?hardDelete=true");
    request.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    server.tick();
    assert_eq!((count(&server, "users"), count(&server, "holds")), (0, 0));
}

#[test]
fn what_a_held_visitor_did_leaves_when_the_hold_ends() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let track = json!({ "batch": [{ "type": "track", "anonymousId": "phone", "event": "x" }] });
    server.post("/v1/batch").bearer(&server.project().all).json(track).send().expect(200);
    let phone = crate::merging::holder(&server, "phone").expect("a visitor").id;
    server.clock.advance(DAY);
    alloy(&server, &format!("/users/{:024x}/logs", ann.0)).expect(200);
    server.tick();
    hold(&server, phone, json!({})).expect(200);
    let both = json!({ "batch": [{ "type": "identify", "anonymousId": "phone", "userId": "ann" }] });
    server.post("/v1/batch").bearer(&server.project().all).json(both).send().expect(200);
    server.tick();
    assert_eq!(count(&server, "events"), 1, "kept, though nobody sees it");
    release(&server, ann);
    server.tick();
    assert_eq!(count(&server, "events"), 0);
    assert_eq!(state(&server, ann), Some(State::Live));
}

#[test]
fn a_conversation_of_a_held_user_is_not_deleted() {
    let server = Server::start();
    let project = server.project().clone();
    let id = crate::matrix::interaction(&server, &project);
    let caller = usher::model::UserId(crate::matrix::user_id(&server, &project, crate::matrix::CALLER));
    hold(&server, caller, json!({})).expect(200);
    let delete = || {
        let request = server.delete(&format!("/interactions/{id}"));
        let request = request.header("X-PROFICIENT-API-KEY", &project.all);
        request.header("X-PROFICIENT-USER-EXTERNAL-ID", crate::matrix::CALLER).send()
    };
    delete().expect(409);
    release(&server, caller);
    assert!(delete().status < 300, "the twin");
}

#[test]
fn the_reason_is_erased_with_the_person() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let until = usher::clock::rfc3339(START + DAY);
    hold(&server, ann, json!({ "until": until, "reason": "Ann Lee against us, court of Z" })).expect(200);
    let table = usher::store::data_inventory::TABLES.iter().find(|table| table.name == "holds");
    assert!(table.expect("the table").columns.iter().any(|column| column.name == "reason"));
    release(&server, ann);
    let request = server.delete("/v1/users/ann?hardDelete=true");
    request.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    server.tick();
    let (status, left) = (JobStatus::Completed.as_str(), count(&server, "holds"));
    assert_eq!((count(&server, &format!("jobs WHERE status = '{status}'")), left), (1, 0));
    let bytes = std::fs::read(server.app.store().folder().join("usher.db")).expect("the file");
    assert!(!bytes.windows(10).any(|window| window == b"court of Z"));
    let audit: String = server
        .sqlite()
        .query_row("SELECT group_concat(coalesce(reason, '')) FROM audit", [], |row| row.get(0))
        .expect("reasons");
    assert!(!audit.contains("court"), "{audit}");
}
