//! A person as lines of JSON.

use serde_json::{Value, json};

use super::{export, fill, id_of, lines, of};
use crate::harness::Server;

const NDJSON: &str = "application/x-ndjson";

#[test]
fn a_persons_file_has_every_row() {
    let server = Server::start();
    let id = fill(&server, "ann");
    fill(&server, "bob");
    let reply = export(&server, &id, NDJSON).expect(200);
    assert_eq!(reply.header("content-type"), Some(NDJSON));
    let lines = lines(&reply.text);
    let first = &lines[0];
    assert_eq!((&first["format"], &first["version"]), (&json!("usher-export"), &json!(1)));
    assert_eq!(first["project"], server.project().key.as_str());
    assert_eq!(of(&lines, "user").len(), 1);
    let user = of(&lines, "user")[0];
    assert_eq!(user["email"], "ann@example.com");
    assert_eq!(user["traits"]["big"].to_string(), "12345678901234567890");
    assert_eq!((&user["sessionCount"], &user["eventCount"]), (&json!(2), &json!(19)));
    assert_eq!(of(&lines, "alias")[0]["alias"], "ann-anon");
    assert_eq!(of(&lines, "session").len(), 2);
    for kind in ["page", "screen", "error", "interaction", "log"] {
        assert_eq!(of(&lines, kind).len(), 3, "{kind}");
    }
    let track = of(&lines, "track");
    assert_eq!(track.len(), 4);
    assert_eq!(track[0]["event"], "unnamed visit");
    assert_eq!(track[0]["timestamp"], "2023-11-14T22:13:20.000Z");
    assert_eq!(track[3]["sessionId"], "ann-session");
    assert_eq!(track[3]["properties"]["price"].to_string(), "9.9");
    let bytes: usize = of(&lines, "recording").iter().map(|piece| decoded(piece).len()).sum();
    assert_eq!(bytes, 100_000);
    let end = lines.last().expect("a last line");
    assert_eq!(end["type"], "end");
    assert_eq!((&end["users"], &end["events"], &end["sessions"]), (&json!(1), &json!(19), &json!(2)));
    assert!(!reply.text.contains("bob"), "nobody else is in it");
}

fn decoded(piece: &Value) -> Vec<u8> {
    let text = piece["data"].as_str().expect("Base64");
    data_encoding::BASE64.decode(text.as_bytes()).expect("Base64")
}

/// Every session of the file has a name of its own, and each event names one of them or none.
#[test]
fn events_name_sessions_of_the_file() {
    let server = Server::start();
    let id = fill(&server, "ann");
    let lines = lines(&export(&server, &id, NDJSON).text);
    let mut names: Vec<&str> =
        of(&lines, "session").iter().map(|session| session["sessionId"].as_str().expect("a name")).collect();
    let named = lines.iter().filter(|line| line["timestamp"].is_string());
    for name in named.filter_map(|event| event["sessionId"].as_str()) {
        assert!(names.contains(&name), "{name}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 2);
}

#[test]
fn an_anonymous_person_goes_by_an_anonymous_id() {
    let server = Server::start();
    let entry = json!({ "type": "event", "anonymousId": "visitor 7", "name": "seen" });
    let body = json!({ "activity": [entry] });
    server.post("/api/activity").bearer(&server.project().all).json(body).send().expect(200);
    let lines = lines(&export(&server, &id_of(&server, "visitor 7"), NDJSON).expect(200).text);
    for kind in ["user", "alias", "session", "track"] {
        assert_eq!(of(&lines, kind)[0]["anonymousId"], "visitor 7", "{kind}");
        assert!(of(&lines, kind)[0].get("userId").is_none());
    }
}

#[test]
fn a_person_in_the_trash_is_given_with_that_word() {
    let server = Server::start();
    let id = fill(&server, "ann");
    let hidden = server.delete("/v1/users/ann").header("X-APTRINSIC-API-KEY", &server.project().all).send();
    assert!(hidden.status < 300, "{}", hidden.text);
    let lines = lines(&export(&server, &id, NDJSON).expect(200).text);
    assert!(of(&lines, "user")[0]["trashedAt"].is_string());
}

#[test]
fn an_erased_person_is_given_to_nobody() {
    let server = Server::start();
    let id = fill(&server, "ann");
    export(&server, &id, NDJSON).expect(200);
    super::erase(&server, &id);
    assert_eq!(export(&server, &id, NDJSON).expect(404).json()["code"], "user_not_found");
    for no_id in ["nobody", "0", "-1", "99999999999999999999", &format!("{id}0")] {
        export(&server, no_id, NDJSON).expect(404);
    }
}

#[test]
fn an_export_needs_the_scopes_export_and_read() {
    let server = Server::start();
    let id = fill(&server, "ann");
    let path = format!("/api/users/{id}/export");
    let project = Some(server.project().id);
    for (scopes, status) in [("export", 403), ("read", 403), ("read,admin,write", 403), ("read,export", 200)]
    {
        let reply = server.get(&path).bearer(&server.key(project, scopes)).send();
        assert_eq!(reply.status, status, "{scopes}: {}", reply.text);
    }
    // Another project's person is not there.
    let other = server.second();
    server.get(&path).bearer(&other.all).send().expect(404);
    server.get(&path).bearer(&server.project().all).header("Accept", "text/html").send().expect(400);
}

/// The twin: other calls write nothing of the kind.
#[test]
fn each_export_stands_in_the_audit_log() {
    let server = Server::start();
    let id = fill(&server, "ann");
    let noted = || {
        let count = "SELECT COUNT(*) FROM audit WHERE action = 'export user' AND subject IS NOT NULL
                     AND actor LIKE 'key %' AND request_id IS NOT NULL";
        server.sqlite().query_row(count, [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    assert_eq!(noted(), 0);
    export(&server, &id, NDJSON).expect(200);
    export(&server, &id, NDJSON).expect(200);
    assert_eq!(noted(), 2);
    export(&server, "1", NDJSON).expect(404);
    server.get("/api/users/search").bearer(&server.project().all).send();
    assert_eq!(noted(), 2);
}

/// Keys from before the scope was there.
#[test]
fn a_key_of_before_that_reads_and_administers_may_export() {
    let dir = crate::version_0_1::opened();
    let copy = tempfile::tempdir().expect("a directory");
    std::fs::copy(dir.path().join("usher.db"), copy.path().join("usher.db")).expect("a copy");
    let made = crate::process::sqlite(copy.path());
    let scopes = |of: &rusqlite::Connection| {
        let mut all = of.prepare("SELECT scopes FROM api_keys ORDER BY id").expect("keys");
        let all = all.query_map([], |row| row.get::<_, i64>(0)).expect("keys");
        all.map(|scopes| scopes.expect("a number")).collect::<Vec<i64>>()
    };
    let before = scopes(&made);
    drop(made);
    crate::process::begin(dir.path());
    let after = scopes(&crate::process::sqlite(dir.path()));
    let wanted: Vec<i64> = before.iter().map(|old| if old & 18 == 18 { old | 32 } else { *old }).collect();
    assert_eq!(after, wanted);
    assert!(before.iter().any(|old| old & 18 != 18), "a twin: {before:?}");
}
