//! What is shown of repairs, drops and refusals: the native API, Vemetric's project, the page of a
//! project, and the words for each reason. What leads to them is in `tolerance.rs`.

use std::collections::BTreeSet;
use usher::store::NormalTx;

use serde_json::{Value, json};
use usher::access::keys;
use usher::clock::DAY;
use usher::model::{Erasure, Origin, Repair};
use usher::people::repairs;

use crate::admin::{Browser, words};
use crate::harness::{Reply, Server, fields};
use crate::settings::set;

fn post(server: &Server, key: &str, body: Value) {
    server.post("/v1/batch").bearer(key).json(json!({ "batch": [body] })).send().expect(200);
}

/// With a field that is left out.
fn odd(name: &str) -> Value {
    json!({ "type": "track", "userId": name, "event": 7, "timestamp": "yesterday" })
}

/// A project with repairs of two keys on two days, a drop, and a refusal. The key's name.
fn counted() -> (Server, &'static str) {
    let server = Server::start();
    let project = server.project().id;
    let (all, token) = (server.project().all.clone(), server.project().token.clone());
    set(&server, json!({ "publicWrites": "events-only" })).expect(200);
    post(&server, &all, odd("ann"));
    server.clock.advance(DAY);
    post(&server, &token, odd("ann"));
    post(&server, &token, odd("bob"));
    post(&server, &token, json!({ "type": "identify", "userId": "eve" }));
    let refused = json!({ "batch": [{ "type": "track", "userId": "ann" }] });
    server.post("/v1/batch").bearer(&all).json(refused).send();
    let names: Vec<String> = server
        .read(keys::list)
        .into_iter()
        .filter(|key| key.project == Some(project))
        .map(|key| key.name)
        .collect();
    assert_eq!(names, ["a test's"]);
    (server, "a test's")
}

fn ask(server: &Server, query: &str) -> Reply {
    server.get(&format!("/api/repairs{query}")).bearer(&server.project().all).send()
}

#[test]
fn counts_are_by_day_key_outcome_and_reason() {
    let (server, key) = counted();
    let body = ask(&server, "").expect(200).json();
    assert_eq!(fields(&body), ["data", "recent"]);
    let row = |day: &str, key: Option<&str>, outcome: &str, reason: &str, count: i64| json!({ "day": day, "key": key, "outcome": outcome, "reason": reason, "count": count });
    let expected = json!([
        row("2026-03-05", None, "repaired", "made a string", 2),
        row("2026-03-05", None, "repaired", "time unreadable", 2),
        row("2026-03-05", None, "dropped", "not public", 1),
        row("2026-03-05", Some(key), "refused", "refused", 1),
        row("2026-03-04", Some(key), "repaired", "made a string", 1),
        row("2026-03-04", Some(key), "repaired", "time unreadable", 1),
    ]);
    assert_eq!(body["data"], expected);
}

#[test]
fn the_newest_are_shown_one_by_one_with_their_field() {
    let (server, key) = counted();
    let body = ask(&server, "").expect(200).json();
    let recent = body["recent"].as_array().expect("a list");
    assert_eq!(recent.len(), 8);
    assert_eq!(
        recent[0],
        json!({ "at": "2026-03-05T10:00:00Z", "key": key, "outcome": "refused", "reason": "refused", "field": "event" })
    );
    assert_eq!(
        recent[1],
        json!({ "at": "2026-03-05T10:00:00Z", "key": null, "outcome": "dropped", "reason": "not public", "field": null })
    );
    assert_eq!(recent[7]["at"], "2026-03-04T10:00:00Z");
    // No value of a message is among them.
    let text = body.to_string();
    assert!(["\"ann\"", "\"eve\"", "yesterday"].iter().all(|value| !text.contains(value)), "{text}");
}

#[test]
fn days_are_from_1_to_30_with_today() {
    let (server, _) = counted();
    let days = |query: &str| {
        let body = ask(&server, query).expect(200).json();
        let rows = body["data"].as_array().expect("a list").clone();
        rows.iter().map(|row| row["day"].as_str().expect("a day").to_owned()).collect::<BTreeSet<String>>()
    };
    let set = |days: &[&str]| days.iter().map(|day| (*day).to_owned()).collect::<BTreeSet<String>>();
    assert_eq!(days("?days=1"), set(&["2026-03-05"]));
    assert_eq!(days("?days=2"), set(&["2026-03-04", "2026-03-05"]));
    assert_eq!(days("?days=30"), days(""));
    for wrong in ["0", "31", "-1", "x", "1.5"] {
        let reply = ask(&server, &format!("?days={wrong}")).expect(400).json();
        assert_eq!(
            (&reply["code"], &reply["errors"][0]["field"]),
            (&json!("invalid"), &json!("days")),
            "{wrong}"
        );
    }
    // The first day is the thirtieth, and then it is over.
    server.clock.advance(28 * DAY);
    assert_eq!(days("").len(), 2);
    server.clock.advance(DAY);
    assert_eq!(days(""), set(&["2026-03-05"]));
}

#[test]
fn a_project_sees_its_own_repairs_alone() {
    let (server, _) = counted();
    let second = server.second();
    let body = server.get("/api/repairs").bearer(&second.all).send().expect(200).json();
    assert_eq!(body, json!({ "data": [], "recent": [] }));
    let writer = server.key(Some(server.project().id), "ingest,write,delete,admin");
    for key in [&writer, &server.project().token, &server.key(None, "read")] {
        assert_eq!(server.get("/api/repairs").bearer(key).send().expect(403).json()["code"], "forbidden");
    }
}

#[test]
fn vemetrics_project_has_the_sums_of_30_days() {
    let (server, _) = counted();
    let project = || {
        let reply = server.get("/v1/project").bearer(&server.project().all).send().expect(200);
        reply.json()["project"].clone()
    };
    let sum = |outcome: &str, reason: &str, count: i64| json!({ "outcome": outcome, "reason": reason, "count": count });
    let expected = json!([
        sum("repaired", "made a string", 3),
        sum("repaired", "time unreadable", 3),
        sum("dropped", "not public", 1),
        sum("refused", "refused", 1),
    ]);
    assert_eq!((&project()["repairs"], &project()["lateEvents"]), (&expected, &json!(0)));
    // Another's lines are none of it.
    let other = server.get("/v1/project").bearer(&server.second().all).send().expect(200).json();
    assert_eq!(other["project"]["repairs"], json!([]));
    let id = server.project().id;
    server.write(move |tx| {
        let (kind, origin) = (Erasure::Everything, Origin::Request);
        usher::erasure::by_identifier(tx, id, "ann", kind, origin).map(|_| ())
    });
    post(&server, &server.project().all, json!({ "type": "track", "userId": "ann", "event": "x" }));
    assert_eq!(project()["lateEvents"], 1);
    assert!(project()["repairs"].as_array().expect("a list").contains(&sum("dropped", "late", 1)));
}

#[test]
fn the_page_has_totals_by_day_and_the_newest() {
    let (server, _) = counted();
    let browser = Browser::owner(&server);
    let path = format!("/admin/projects/{}/repairs", server.project().key);
    assert!(browser.get("/admin/projects").expect(200).text.contains(&path), "it is linked");
    let text = words(&browser.get(&path).expect(200).text);
    for row in [
        "2026-03-05 repaired made a string",
        "2026-03-04 repaired made a string",
        "2026-03-05 dropped not public",
        "just now ingest token dropped not public",
        "a test's refused refused",
        "the whole message",
    ] {
        assert!(text.contains(row), "{row}: {text}");
    }
    for (reason, _) in [("made a string", 3), ("not public", 1)] {
        assert!(text.contains(repairs::meaning(reason).expect("a meaning")), "{reason}: {text}");
    }
    assert!(text.contains("Latest 8"), "{text}");
    let quiet =
        words(&browser.get(&format!("/admin/projects/{}/repairs", server.second().key)).expect(200).text);
    assert!(quiet.contains("Nothing was repaired, dropped or refused."), "{quiet}");
    browser.get("/admin/projects/NOPE/repairs").expect(404);
}

#[test]
fn a_reason_of_another_version_is_shown_without_a_meaning() {
    let server = Server::start();
    let project = server.project().id;
    server.write(move |tx: &NormalTx| repairs::note(tx, project, Repair::of("x", "a reason of tomorrow")));
    assert_eq!(repairs::meaning("a reason of tomorrow"), None);
    let browser = Browser::owner(&server);
    let path = format!("/admin/projects/{}/repairs", server.project().key);
    assert!(browser.get(&path).expect(200).text.contains("a reason of tomorrow"));
}
