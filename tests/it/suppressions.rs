//! Who is kept out: what is dropped of them, whom it covers, for how long. The race of an erasure
//! with what comes in meanwhile is in `suppression_race.rs`.

use serde_json::{Value, json};
use usher::clock::{DAY, Millis};
use usher::error::Place;
use usher::people::suppressions::Policy;
use usher::people::{find, subject, suppressions};
use usher::store::NormalTx;

use crate::harness::{Reply, Server, encode, named};
use crate::late_bounds::erase;
use crate::merging::holder;
use crate::public_credentials::post;
use crate::segment::{count, find, names, send, user};
use crate::tolerance::times;

pub fn suppress(server: &Server, name: &str, policy: Policy) {
    let (project, name) = (server.project().id, named(name));
    server.write(move |tx: &NormalTx| suppressions::add(tx, project, &name, policy));
}

fn lift(server: &Server, name: &str) -> bool {
    let (project, name) = (server.project().id, named(name));
    server.write(move |tx: &NormalTx| suppressions::lift(tx, project, &name))
}

/// What each family says of a person, and what it answers: the last of a request's own words.
fn say(server: &Server, name: &str) -> Vec<(&'static str, Reply)> {
    let all = &server.project().all;
    let mut said = Vec::new();
    for kind in ["identify", "track", "page", "screen", "group", "alias"] {
        let message =
            json!({ "type": kind, "userId": name, "event": "x", "groupId": "g", "previousId": "before" });
        said.push(("/v1/batch", send(server, "/v1/batch", json!({ "batch": [message] }))));
    }
    let token = &server.project().token;
    said.push(("/e", post(server, "/e", token, json!({ "userIdentifier": name, "name": "x" }))));
    said.push(("/u", post(server, "/u", token, json!({ "userIdentifier": name, "displayName": "X" }))));
    said.push(("/i", post(server, "/i", token, json!({ "identifier": name, "displayName": "X" }))));
    let own = json!({ "activity": [{ "type": "event", "userId": name, "name": "x" }] });
    said.push(("/api/activity", post(server, "/api/activity", all, own)));
    let px = |method: &str, path: &str, body: Value| {
        server.request(method, path).header("X-APTRINSIC-API-KEY", all).json(body).send()
    };
    let event = json!({ "identifyId": name, "eventName": "x" });
    said.push(("PX event", px("POST", "/v1/events/custom", event)));
    let body = json!({ "identifyId": name, "propertyKeys": ["p"], "firstName": "X" });
    said.push(("PX create", px("POST", "/v1/users", body)));
    said
}

#[test]
fn messages_of_every_family_are_dropped_with_2xx() {
    let server = Server::start();
    suppress(&server, "ann", Policy::Forever);
    let said = say(&server, "ann");
    for (path, reply) in &said {
        assert!((200..300).contains(&reply.status), "{path}: {} {}", reply.status, reply.text);
    }
    assert_eq!((count(&server, "users"), count(&server, "aliases"), count(&server, "events")), (0, 0, 0));
    assert_eq!(times(&server, "dropped", "suppressed"), said.len() as i64, "each is counted");
    // Somebody else is taken.
    say(&server, "bob");
    assert!(user(&server, "bob").event_count > 0);
    assert_eq!(times(&server, "dropped", "suppressed"), said.len() as i64);
}

#[test]
fn who_may_read_is_told_that_it_is_suppressed() {
    let server = Server::start();
    suppress(&server, "ann", Policy::Forever);
    let message = json!({ "batch": [{ "type": "identify", "userId": "ann" }] });
    let told = post(&server, "/v1/batch", &server.project().all, message.clone()).expect(200).json();
    assert_eq!(told["dropped"], json!([{ "index": 0, "reason": "suppressed" }]));
    let other = server.key(Some(server.project().id), "ingest,write,delete");
    assert_eq!(post(&server, "/v1/batch", &other, message).expect(200).text, r#"{"success":true}"#);
    let own = json!({ "activity": [{ "type": "event", "userId": "ann", "name": "x" }] });
    let told = post(&server, "/api/activity", &server.project().all, own.clone()).expect(200).json();
    assert_eq!(told["data"]["suppressed"], 1);
    let told = post(&server, "/api/activity", &other, own).expect(200).json();
    assert_eq!(told["data"], json!({ "accepted": 1 }));
}

fn alloy(server: &Server, method: &str, path: &str, body: Value) -> Reply {
    let request = server.request(method, path).header("x-api-version", "2025-09");
    request.bearer(&server.project().all).json(body).send()
}

fn proficient(server: &Server, path: &str, body: Value) -> Reply {
    server.post(path).bearer(&server.project().all).json(body).send()
}

#[test]
fn apis_that_show_the_person_answer_409_in_their_words() {
    let server = Server::start();
    let id = server.seed("known").insert();
    suppress(&server, "ann", Policy::Forever);
    suppress(&server, "known", Policy::Forever);
    let replies = [
        alloy(&server, "POST", "/users", json!({ "username": "ann" })),
        alloy(&server, "PUT", "/users/known", json!({ "fullName": "X" })),
    ];
    for reply in replies {
        let body = reply.expect(409).json();
        assert!(body["message"].as_str().is_some_and(|message| !message.contains("ann")), "{body}");
    }
    let replies = [
        proficient(&server, "/users", json!({ "external_id": "ann" })),
        proficient(&server, &format!("/users/u_{id}"), json!({ "first_name": "X" })),
    ];
    for reply in replies {
        assert_eq!(reply.expect(409).json()["error"]["code"], "conflict");
    }
    assert!(find(&server, "ann").is_none());
    let known = user(&server, "known").profile;
    assert_eq!((known.display_name, known.first_name), (None, None));
    assert_eq!(times(&server, "dropped", "suppressed"), 4);
}

#[test]
fn another_name_leads_nobody_out_of_a_suppression() {
    let server = Server::start();
    server.seed("kept").insert();
    server.seed("free").insert();
    suppress(&server, "kept", Policy::Forever);
    suppress(&server, "unknown", Policy::Forever);
    alloy(&server, "PUT", "/users/kept", json!({ "username": "other" })).expect(409);
    alloy(&server, "PUT", "/users/free", json!({ "username": "unknown" })).expect(409);
    assert!(find(&server, "other").is_none() && find(&server, "unknown").is_none());
    assert!(find(&server, "kept").is_some() && find(&server, "free").is_some());
    alloy(&server, "PUT", "/users/free", json!({ "username": "freer" })).expect(200);
    assert!(find(&server, "freer").is_some());
}

fn page(server: &Server, visitor: &str) {
    send(server, "/v1/page", json!({ "anonymousId": visitor })).expect(200);
}

fn both(server: &Server, name: &str, visitor: &str) {
    send(server, "/v1/identify", json!({ "userId": name, "anonymousId": visitor })).expect(200);
}

#[test]
fn the_anonymous_ids_held_then_are_covered() {
    let server = Server::start();
    both(&server, "ann", "phone");
    both(&server, "ann", "tablet");
    suppress(&server, "ann", Policy::Forever);
    let before = user(&server, "ann").event_count;
    page(&server, "phone");
    page(&server, "tablet");
    assert_eq!((user(&server, "ann").event_count, times(&server, "dropped", "suppressed")), (before, 2));
    erase(&server, "ann");
    page(&server, "phone");
    assert_eq!((count(&server, "users"), count(&server, "aliases")), (0, 0));
    page(&server, "watch");
    assert!(holder(&server, "watch").is_some(), "one that was not hers");
}

#[test]
fn an_anonymous_id_that_others_sent_too_is_not_covered() {
    let server = Server::start();
    both(&server, "ann", "kiosk");
    both(&server, "ann", "phone");
    both(&server, "bob", "kiosk");
    suppress(&server, "ann", Policy::Forever);
    erase(&server, "ann");
    server.clock.advance(40 * DAY);
    page(&server, "kiosk");
    page(&server, "phone");
    assert!(holder(&server, "kiosk").is_some() && holder(&server, "phone").is_none());
}

#[test]
fn a_name_that_was_drawn_for_a_visitor_is_not_covered() {
    let server = Server::start();
    let event = json!({ "name": "x" });
    post(&server, "/e", &server.project().token, event).expect(200);
    let drawn: String = server
        .sqlite()
        .query_row("SELECT anonymous_id FROM aliases", [], |row| row.get(0))
        .expect("a visitor");
    assert!(drawn.starts_with(subject::VISITOR));
    both(&server, "ann", &drawn);
    both(&server, "ann", "phone");
    suppress(&server, "ann", Policy::Forever);
    assert_eq!(count(&server, "suppressions"), 2, "her identifier and her phone");
}

#[test]
fn a_policy_of_days_ends_to_the_millisecond() {
    let server = Server::start();
    suppress(&server, "ann", Policy::Days(2));
    server.clock.advance(2 * DAY - 1);
    both(&server, "ann", "phone");
    assert!(find(&server, "ann").is_none());
    server.clock.advance(1);
    both(&server, "ann", "phone");
    assert!(find(&server, "ann").is_some());
    assert_eq!(count(&server, "suppressions"), 1);
    server.tick();
    assert_eq!(count(&server, "suppressions"), 0, "forgotten");
}

#[test]
fn a_policy_is_1_to_36500_days() {
    for (days, good) in
        [(0, false), (1, true), (36_500, true), (36_501, false), (-1, false), (i64::MAX, false)]
    {
        assert_eq!(suppressions::days(Place::Body, "days", days).is_ok(), good, "{days}");
    }
}

#[test]
fn the_user_id_is_judged_and_the_anonymous_id_without_one() {
    let server = Server::start();
    both(&server, "ann", "phone");
    suppress(&server, "ann", Policy::Forever);
    // Somebody else on ann's phone.
    send(&server, "/v1/track", json!({ "userId": "bob", "anonymousId": "phone", "event": "x" })).expect(200);
    assert_eq!(names(&server, "bob"), ["x"]);
    // Ann on another's phone.
    send(&server, "/v1/track", json!({ "userId": "ann", "anonymousId": "other", "event": "x" })).expect(200);
    assert_eq!((names(&server, "ann").len(), holder(&server, "other").is_none()), (0, true));
}

#[test]
fn a_suppressed_anonymous_id_is_linked_to_nobody() {
    let server = Server::start();
    both(&server, "ann", "phone");
    suppress(&server, "ann", Policy::Forever);
    erase(&server, "ann");
    both(&server, "bob", "phone");
    assert!(find(&server, "bob").is_some() && holder(&server, "phone").is_none());
    let alias = json!({ "batch": [{ "type": "alias", "userId": "bob", "previousId": "phone" }] });
    let errors = send(&server, "/v1/batch", alias).expect(200).json()["errors"].clone();
    assert_eq!(errors[0]["field"], "previousId");
    assert_eq!(count(&server, "aliases"), 0);
    both(&server, "bob", "watch");
    assert!(holder(&server, "watch").is_some(), "another one is");
}

#[test]
fn a_suppressed_identifier_is_kept_out_as_an_anonymous_id_too() {
    let server = Server::start();
    suppress(&server, "ann@example.com", Policy::Forever);
    page(&server, "ann@example.com");
    both(&server, "bob", "ann@example.com");
    assert_eq!((count(&server, "aliases"), count(&server, "users")), (0, 1));
    assert_eq!(times(&server, "dropped", "suppressed"), 1);
}

#[test]
fn one_that_is_lifted_is_let_in_again_with_its_anonymous_ids() {
    let server = Server::start();
    both(&server, "ann", "phone");
    suppress(&server, "ann", Policy::Forever);
    erase(&server, "ann");
    assert!(!lift(&server, "bob"), "who was never kept out");
    assert!(lift(&server, "ann"));
    assert!(!lift(&server, "ann"), "once");
    both(&server, "ann", "phone");
    assert_eq!(holder(&server, "phone").map(|user| user.id), Some(user(&server, "ann").id));
    assert_eq!(count(&server, "suppressions"), 0);
}

#[test]
fn a_suppression_is_of_one_project() {
    let server = Server::start();
    suppress(&server, "ann", Policy::Forever);
    let other = server.second();
    let message = json!({ "userId": "ann", "event": "x" });
    post(&server, "/v1/track", &other.token, message.clone()).expect(200);
    post(&server, "/v1/track", &server.project().token, message).expect(200);
    assert_eq!(count(&server, &format!("users WHERE project_id = {}", other.id.0)), 1);
    assert_eq!(count(&server, "users"), 1);
}

#[test]
fn a_list_shows_subjects_without_names_and_their_hits() {
    let server = Server::start();
    let project = server.project().id;
    both(&server, "ann", "phone");
    for name in ["ann", "bob", "cai"] {
        suppress(&server, name, Policy::Days(9));
    }
    for _ in 0..3 {
        send(&server, "/v1/track", json!({ "userId": "ann", "event": "x" })).expect(200);
    }
    let now: Millis = server.clock.now();
    let list = |after: Option<Vec<u8>>, limit| {
        server.read(|db| suppressions::list(db, project, after.as_ref(), limit, now))
    };
    let all = list(None, 10);
    assert_eq!(all.len(), 3, "anonymous ids go with their subjects");
    let mut hits: Vec<i64> = all.iter().map(|one| one.hits).collect();
    hits.sort_unstable();
    assert_eq!(hits, [0, 0, 3]);
    assert!(all.iter().all(|one| one.until == Some(now + 9 * DAY) && one.created_at == now));
    let shown = suppressions::shown(&all[0].digest);
    assert_eq!((&shown[..11], shown.len()), ("suppressed:", 23));
    // Page by page it is the same.
    let first = list(None, 2);
    let rest = list(first.last().map(|one| one.digest.clone()), 2);
    let paged: Vec<&[u8]> = first.iter().chain(&rest).map(|one| one.digest.as_slice()).collect();
    assert_eq!(paged, all.iter().map(|one| one.digest.as_slice()).collect::<Vec<&[u8]>>());
}

/// Files of the directory that hold a text.
fn files_with(server: &Server, text: &str) -> Vec<String> {
    let dir = server.path().parent().expect("a directory").to_owned();
    let files = std::fs::read_dir(dir).expect("files").filter_map(|file| {
        let file = file.expect("a file");
        let bytes = std::fs::read(file.path()).ok()?;
        let found = bytes.windows(text.len()).any(|part| part == text.as_bytes());
        found.then(|| file.file_name().to_string_lossy().into_owned())
    });
    files.collect()
}

#[test]
fn nothing_of_a_suppressed_name_stands_in_a_file() {
    let server = Server::start();
    let (unknown, known, visitor) = ("zoe-unknown-7f3a", "zoe-known-7f3b", "phone-of-zoe-7f3c");
    both(&server, known, visitor);
    assert!(!files_with(&server, known).is_empty() && !files_with(&server, visitor).is_empty());
    suppress(&server, unknown, Policy::Forever);
    suppress(&server, known, Policy::Days(10));
    say(&server, unknown);
    erase(&server, known);
    say(&server, known);
    page(&server, visitor);
    both(&server, unknown, visitor);
    server.tick();
    for name in [unknown, known, visitor] {
        assert_eq!(files_with(&server, name), [] as [&str; 0], "{name}");
        assert_eq!(files_with(&server, &encode(name)), [] as [&str; 0], "{name}");
    }
    let project = server.project().id;
    assert!(
        server.write(move |tx: &NormalTx| suppressions::is_suppressed(tx, project, unknown)),
        "it is known all the same"
    );
    let now = server.clock.now();
    assert_eq!(server.read(|db| find::find(db, &[project], known, &[], now)).len(), 0);
}
