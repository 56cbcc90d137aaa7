//! Visitors who are told apart by where their messages come from, and what becomes of them:
//! they say who they are, they are erased, they come back.

use std::fs;

use rusqlite::OptionalExtension;
use serde_json::{Value, json};
use usher::clock::{DAY, HOUR, MINUTE};

use super::ingest::{rows, taken};
use super::lists::{events, titles};
use super::{call, count, list, names, refused, send, user};
use crate::harness::{Reply, Server};

/// As a browser sends it.
fn from(server: &Server, agent: &str, path: &str, body: Value) -> Reply {
    let request = server.post(path).header("Token", &server.project().token);
    request.header("User-Agent", agent).json(body).send()
}

fn view(server: &Server, agent: &str, page: &str) {
    let url = format!("https://shop.example.com/{page}");
    taken(from(server, agent, "/e", json!({ "name": "$$pageView", "url": url })));
}

fn identify(server: &Server, agent: &str, name: &str) {
    taken(from(server, agent, "/i", json!({ "identifier": name })));
}

/// The paths that somebody saw, the newest first.
fn paths(server: &Server, name: &str) -> Vec<String> {
    let list = events(server, name, json!({ "dateRange": "7days" }));
    let events = list["events"].as_array().expect("a list");
    events.iter().map(|event| event["path"].as_str().expect("a path").to_owned()).collect()
}

fn visitors(server: &Server) -> i64 {
    count(server, "users WHERE identifier IS NULL AND state = 'live'")
}

fn aliases(server: &Server) -> Vec<String> {
    let conn = server.sqlite();
    let mut statement = conn.prepare("SELECT anonymous_id FROM aliases ORDER BY 1").expect("a query");
    let names = statement.query_map([], |row| row.get(0)).expect("rows");
    names.map(|name| name.expect("a name")).collect()
}

fn erase(server: &Server, name: &str) {
    let path = format!("/v1/users/{name}?hardDelete=true");
    server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
}

/// Files of the data directory that have these bytes in them.
fn holding(server: &Server, bytes: &[u8]) -> Vec<String> {
    let folder = server.path().parent().expect("a folder").to_owned();
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    files
        .filter(|path| path.is_file())
        .filter(|path| fs::read(path).expect("a file").windows(bytes.len()).any(|window| window == bytes))
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect()
}

#[test]
fn visitors_are_told_apart_for_a_day_by_their_program() {
    let server = Server::start();
    view(&server, "Firefox", "a");
    view(&server, "Firefox", "b");
    assert_eq!((visitors(&server), count(&server, "events")), (1, 2));
    view(&server, "Safari", "a");
    assert_eq!(visitors(&server), 2);
    // One second before midnight, long after its session, it is the same visitor.
    server.clock.advance(14 * HOUR - 1_000);
    view(&server, "Firefox", "c");
    assert_eq!(visitors(&server), 2);
    // After midnight it is the same while that session runs, to the millisecond.
    server.clock.advance(30 * MINUTE);
    view(&server, "Firefox", "d");
    assert_eq!(visitors(&server), 2);
    view(&server, "Safari", "b");
    assert_eq!(visitors(&server), 3);
    server.clock.advance(30 * MINUTE + 1);
    view(&server, "Firefox", "e");
    assert_eq!(visitors(&server), 4);
    let listed = list(&server, json!({ "dateRange": "7days" }));
    assert_eq!(names(&listed), ["-", "-", "-", "-"]);
    assert_eq!(listed["users"][0]["anonymous"], true);
    // In another project it is another visitor; and nothing says who was there.
    let second = server.second();
    let request = server.post("/e").header("Token", &second.token).header("User-Agent", "Firefox");
    taken(request.json(json!({ "name": "x" })).send());
    assert_eq!(visitors(&server), 5);
    let stored = rows(&server).join("\n");
    assert_eq!(stored.matches("visitor-").count(), 5);
    for trace in ["127.0.0", "Firefox", "Safari"] {
        assert!(!stored.contains(trace), "{trace} was stored");
    }
}

#[test]
fn who_cannot_be_told_apart_is_a_new_visitor_each_time() {
    let server = Server::start();
    let send = |header: (&str, &str), path: &str, body: Value| {
        let request = server.post(path).header("Token", &server.project().token);
        request.header(header.0, header.1).json(body).send()
    };
    for header in [("X-Forwarded-For", "192.0.2.7"), ("Forwarded", "for=192.0.2.7"), ("User-Agent", "")] {
        let before = visitors(&server);
        let before_all = before;
        for _ in 0..2 {
            taken(send(header, "/e", json!({ "name": "x" })));
        }
        assert_eq!(visitors(&server), before + 2, "{header:?}");
        // Nothing would come under such a name again.
        let before = aliases(&server);
        taken(send(header, "/i", json!({ "identifier": "ann" })));
        assert_eq!(aliases(&server), before, "{header:?}");
        let update = json!({ "data": { "set": { "plan": "free" } } });
        taken(send(header, "/u", update.clone()));
        assert_eq!(visitors(&server), before_all + 2, "{header:?}");
        let request = server.post("/u").header("Token", &crate::public_credentials::ingest_key(&server));
        let reply = request.header(header.0, header.1).json(update).send();
        refused(reply, 400, "USER_NOT_FOUND", "No user found");
    }
    assert_eq!(count(&server, "visitor_salts"), 0);
}

#[test]
fn what_a_visitor_did_is_the_persons_once_it_says_who_it_is() {
    let server = Server::start();
    view(&server, "Firefox", "before");
    server.clock.advance(MINUTE);
    identify(&server, "Firefox", "ann");
    assert_eq!(paths(&server, "ann"), ["/before"]);
    assert_eq!((visitors(&server), count(&server, "users"), count(&server, "sessions")), (0, 1, 1));
    // Another program behind the same address is somebody else.
    view(&server, "Safari", "other");
    assert_eq!(paths(&server, "ann"), ["/before"]);
    // To identify once more changes nothing.
    identify(&server, "Firefox", "ann");
    assert_eq!((paths(&server, "ann").len(), visitors(&server)), (1, 1));
}

#[test]
fn a_known_person_takes_the_visitor_in() {
    let server = Server::start();
    taken(send(&server, "/e", json!({ "name": "known", "userIdentifier": "ann" })));
    let ann = user(&server, "ann")["id"].clone();
    server.clock.advance(MINUTE);
    view(&server, "Firefox", "before");
    taken(from(&server, "Firefox", "/u", json!({ "data": { "set": { "plan": "free" } } })));
    assert_eq!(visitors(&server), 1);
    identify(&server, "Firefox", "ann");
    let titles_now = || {
        let listed = events(&server, "ann", json!({ "dateRange": "live" }));
        titles(&listed).join(" ")
    };
    assert_eq!(titles_now(), "$$pageView known");
    server.tick();
    assert_eq!(titles_now(), "$$pageView known");
    assert_eq!((visitors(&server), count(&server, "users")), (0, 1));
    assert_eq!(user(&server, "ann")["id"], ann);
    assert_eq!(user(&server, "ann")["data"], json!({ "plan": "free" }));
}

#[test]
fn a_visitor_that_is_another_person_is_left_alone() {
    let server = Server::start();
    view(&server, "Firefox", "anns");
    identify(&server, "Firefox", "ann");
    let held = aliases(&server);
    identify(&server, "Firefox", "bob");
    assert_eq!((paths(&server, "ann"), paths(&server, "bob")), (vec!["/anns".to_owned()], vec![]));
    assert_ne!(user(&server, "ann")["id"], user(&server, "bob")["id"]);
    assert_eq!(aliases(&server), held);
}

#[test]
fn within_a_session_the_senders_events_are_the_persons() {
    let server = Server::start();
    view(&server, "Firefox", "a");
    identify(&server, "Firefox", "ann");
    server.clock.advance(30 * MINUTE);
    view(&server, "Firefox", "b");
    assert_eq!((paths(&server, "ann"), visitors(&server)), (vec!["/b".into(), "/a".into()], 0));
    server.clock.advance(30 * MINUTE + 1);
    view(&server, "Firefox", "c");
    assert_eq!((paths(&server, "ann").len(), visitors(&server)), (2, 1));
    view(&server, "Firefox", "d");
    assert_eq!((paths(&server, "ann").len(), visitors(&server)), (2, 1));
    // Its being hers again does not make the time between hers; what that visitor did is.
    identify(&server, "Firefox", "ann");
    assert_eq!((paths(&server, "ann").len(), visitors(&server)), (4, 0));
}

#[test]
fn the_erased_do_not_come_back_with_their_browser() {
    let server = Server::start();
    view(&server, "Firefox", "secret-page-of-ann");
    let [drawn] = &aliases(&server)[..] else { panic!("one visitor") };
    identify(&server, "Firefox", "ann");
    server.clock.advance(1);
    erase(&server, "ann");
    // At once, before any row has left.
    view(&server, "Firefox", "after");
    for needle in [drawn.as_str(), "secret-page-of-ann"] {
        assert_ne!(holding(&server, needle.as_bytes()), Vec::<String>::new(), "{needle}");
    }
    assert_eq!(server.tick().completed, 1);
    refused(
        call(&server, "GET", "/v1/users/single?identifier=ann").send(),
        404,
        "USER_NOT_FOUND",
        "User not found",
    );
    for needle in [drawn.as_str(), "secret-page-of-ann"] {
        assert_eq!(holding(&server, needle.as_bytes()), Vec::<String>::new(), "{needle}");
    }
    assert_eq!((visitors(&server), count(&server, "users"), count(&server, "events")), (1, 1, 1));
    // It stays the same new visitor.
    let anew = aliases(&server);
    assert_ne!(&anew[0], drawn);
    server.clock.advance(HOUR);
    view(&server, "Firefox", "later");
    assert_eq!((visitors(&server), count(&server, "events"), aliases(&server)), (1, 2, anew));
    // Who says who it is, is registered anew.
    identify(&server, "Firefox", "ann");
    assert_eq!(paths(&server, "ann"), ["/later", "/after"]);
}

#[test]
fn an_erased_visitor_is_another_one_when_it_comes_back() {
    let server = Server::start();
    let mut seen = Vec::new();
    for n in 0..3 {
        view(&server, "Firefox", &format!("secret-page-{n}"));
        let [drawn] = &aliases(&server)[..] else { panic!("one visitor") };
        assert!(!seen.contains(drawn), "{n}");
        seen.push(drawn.clone());
        erase(&server, drawn);
        assert_eq!(server.tick().completed, 1);
        assert_eq!((count(&server, "users"), count(&server, "events")), (0, 0));
        assert_eq!(holding(&server, drawn.as_bytes()), Vec::<String>::new());
    }
}

#[test]
fn a_salt_is_destroyed_when_yesterdays_is_another() {
    let server = Server::start();
    view(&server, "Firefox", "a");
    let salt = |age: i64| -> Option<Vec<u8>> {
        let sql = "SELECT salt FROM visitor_salts WHERE day = ?1";
        let day = server.clock.now() / DAY - age;
        server.sqlite().query_row(sql, [day], |row| row.get(0)).optional().expect("a query")
    };
    let first = salt(0).expect("today's");
    assert_eq!(first.len(), 32);
    // What leaves the machine never has it.
    let copy = server.app.store().copy(&server.path().with_file_name("backups")).expect("a copy");
    let held = fs::read(copy.database()).expect("a file");
    assert!(!held.windows(first.len()).any(|window| window == first));
    drop(copy);
    server.clock.advance(DAY);
    server.tick();
    view(&server, "Firefox", "b");
    assert_eq!(salt(1), Some(first.clone()));
    assert_ne!(salt(0), Some(first.clone()));
    assert_ne!(holding(&server, &first), Vec::<String>::new());
    // Without anybody coming by.
    server.clock.advance(DAY);
    server.tick();
    assert_eq!(count(&server, "visitor_salts"), 1);
    assert_eq!(holding(&server, &first), Vec::<String>::new());
}

#[test]
fn erasing_what_a_person_did_ends_the_visitors_session() {
    let server = Server::start();
    view(&server, "Firefox", "a");
    identify(&server, "Firefox", "ann");
    let visited = || count(&server, "aliases WHERE visited_at IS NOT NULL");
    assert_eq!(visited(), 1);
    let id: u64 = user(&server, "ann")["id"].as_str().expect("a text").parse().expect("a number");
    server.clock.advance(1);
    let path = format!("/users/{id:024x}/logs");
    let request = server.delete(&path).header("x-api-version", "2025-09").bearer(&server.project().all);
    assert!(request.send().status < 300);
    assert_eq!(visited(), 0);
    view(&server, "Firefox", "b");
    assert_eq!((paths(&server, "ann"), visitors(&server)), (Vec::<String>::new(), 1));
}

#[test]
fn a_name_erased_yesterday_is_not_used_after_midnight() {
    for erased in [false, true] {
        let server = Server::start();
        server.clock.advance(14 * HOUR - 10 * MINUTE);
        view(&server, "Firefox", "a");
        let first = aliases(&server);
        if erased {
            erase(&server, &first[0]);
            assert_eq!(server.tick().completed, 1);
        }
        server.clock.advance(20 * MINUTE);
        view(&server, "Firefox", "b");
        assert_eq!((visitors(&server), aliases(&server) == first), (1, !erased));
    }
}
