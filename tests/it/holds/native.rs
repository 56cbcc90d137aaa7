//! Holds and restrictions over the native API: who may do what, and what is shown.

use serde_json::json;
use usher::clock::DAY;

use super::{hold, release, restrict, unrestrict};
use crate::harness::{START, Server};

#[test]
fn a_hold_is_shown_and_listed_until_it_is_released() {
    let server = Server::start();
    let (ann, bob) = (server.seed("ann").insert(), server.seed("bob").insert());
    let until = usher::clock::rfc3339(START + DAY);
    let held = hold(&server, ann, json!({ "until": until, "reason": " Case 17 " })).expect(200).json();
    let shown = &held["data"];
    assert_eq!((&shown["id"], &shown["identifier"]), (&json!(ann.to_string()), &json!("ann")));
    assert_eq!((&shown["hold"]["until"], &shown["hold"]["reason"]), (&json!(until), &json!("Case 17")));
    assert_eq!(shown["restriction"], json!(null));
    restrict(&server, bob);
    let get = |path: &str| server.get(path).bearer(&server.project().all).send().expect(200).json();
    let listed = get("/api/holds");
    assert_eq!((listed["data"].as_array().map(Vec::len), &listed["nextCursor"]), (Some(2), &json!(null)));
    assert_eq!(get(&format!("/api/users/{ann}/hold"))["data"], held["data"]);
    // Held again, it is held like that.
    assert_eq!(hold(&server, ann, json!({})).expect(200).json()["data"]["hold"]["until"], json!(null));
    release(&server, ann);
    unrestrict(&server, bob);
    assert_eq!(get("/api/holds")["data"], json!([]));
    for path in ["hold", "restriction"] {
        let path = format!("/api/users/{ann}/{path}");
        server.delete(&path).bearer(&server.project().all).send().expect(404);
    }
}

#[test]
fn a_key_that_deletes_neither_puts_nor_releases_a_hold() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    let deletes = server.key(Some(server.project().id), "delete");
    let path = format!("/api/users/{ann}/hold");
    server.post(&path).bearer(&deletes).json(json!({})).send().expect(403);
    hold(&server, ann, json!({ "reason": "Case 17" })).expect(200);
    server.delete(&path).bearer(&deletes).send().expect(403);
    let seen = server.get("/api/holds").bearer(&deletes).send().expect(200).json();
    assert_eq!(seen["data"][0]["hold"]["reason"], json!(null), "the reason is for admins");
    // The twin: one that administers does.
    let administers = server.key(Some(server.project().id), "admin");
    server.delete(&path).bearer(&administers).send().expect(204);
}

#[test]
fn what_cannot_be_a_hold_is_refused() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    for (body, field) in [
        (json!({ "until": usher::clock::rfc3339(START) }), "until"),
        (json!({ "until": "soon" }), "until"),
        (json!({ "reason": "x".repeat(1_001) }), "reason"),
        (json!({ "reason": "a\u{1}b" }), "reason"),
    ] {
        let refused = hold(&server, ann, body).expect(400).json();
        assert_eq!(refused["errors"][0]["field"], field);
    }
    let missing = usher::model::UserId(ann.0 - 12_345);
    assert_eq!(hold(&server, missing, json!({})).expect(404).json()["code"], "user_not_found");
    assert_eq!(crate::segment::count(&server, "holds"), 0);
}

#[test]
fn each_step_is_in_the_audit_log_and_in_the_ledger() {
    let server = Server::start();
    let ann = server.seed("ann").insert();
    hold(&server, ann, json!({ "reason": "secret words" })).expect(200);
    release(&server, ann);
    restrict(&server, ann);
    unrestrict(&server, ann);
    let mut acts: Vec<String> = Vec::new();
    let conn = server.sqlite();
    let mut statement = conn.prepare("SELECT action FROM audit ORDER BY seq").expect("a query");
    acts.extend(statement.query_map([], |row| row.get(0)).expect("rows").map(|act| act.expect("an act")));
    let ours: Vec<&str> = acts
        .iter()
        .map(String::as_str)
        .filter(|act| act.contains("hold") || act.contains("restrict"))
        .collect();
    assert_eq!(ours, ["hold", "release hold", "restrict", "lift restriction"]);
    let ledger = std::fs::read_to_string(server.app.store().ledger()).expect("the ledger");
    for act in ["held", "released", "restricted", "unrestricted"] {
        assert!(ledger.contains(&format!("\"act\":\"{act}\"")), "{act}");
    }
    assert!(!ledger.contains("secret words"));
}

#[test]
fn over_the_command_line_the_same_is_done() {
    use crate::process::{begin, directory, lines, refused, sqlite};
    let dir = directory();
    begin(dir.path());
    let file = dir.path().join("users.csv");
    std::fs::write(&file, "id,email\nann,ann@example.com\n").expect("a file");
    lines(dir.path(), &["import", &file.to_string_lossy()]);
    let made = lines(
        dir.path(),
        &["hold", "ann@example.com", "--by", "email", "--reason", "Case 17", "--until", "2999-01-01"],
    );
    let parts: Vec<&str> = made[0].split('\t').collect();
    assert_eq!(parts[1..], ["ann", "live", "held until 2999-01-01T00:00:00Z", "not restricted", "Case 17"]);
    assert_eq!(lines(dir.path(), &["user", "held"]), made);
    lines(dir.path(), &["user", "restrict", "ann"]);
    assert!(lines(dir.path(), &["user", "held"])[0].contains("\trestricted\t"));
    lines(dir.path(), &["user", "unrestrict", "ann"]);
    lines(dir.path(), &["release", parts[0], "--by", "id"]);
    assert!(lines(dir.path(), &["user", "held"]).is_empty());
    assert!(refused(dir.path(), &["release", "ann"]).contains("no such hold"));
    assert!(refused(dir.path(), &["hold", "ann", "--until", "soon"]).contains("--until"));
    let reasons: i64 =
        sqlite(dir.path()).query_row("SELECT count(*) FROM holds", [], |row| row.get(0)).expect("a count");
    assert_eq!(reasons, 0);
}
