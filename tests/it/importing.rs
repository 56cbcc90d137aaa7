//! Files that are sent to be imported: what is taken, what is not, and that nobody comes back.

use serde_json::{Value, json};
use usher::clock::{DAY, HOUR, rfc3339, rfc3339_millis};
use usher::erasure::{self, trash};
use usher::model::{Erasure, Origin};
use usher::people::find;

use crate::harness::{Reply, START, Server};

fn server() -> (Server, String) {
    let server = Server::start();
    let key = server.key(Some(server.project().id), "ingest,read,write,delete,admin");
    (server, key)
}

fn send(server: &Server, key: &str, query: &str, body: impl Into<Vec<u8>>) -> Reply {
    server.post(&format!("/api/imports{query}")).bearer(key).body(body, "application/x-ndjson").send()
}

/// What came of a file that is taken.
fn import(server: &Server, key: &str, query: &str, body: impl Into<Vec<u8>>) -> Value {
    send(server, key, query, body).expect(200).json()["data"].clone()
}

fn track(user: &str, id: &str, at: i64) -> String {
    let message = json!({ "type": "track", "event": "Opened", "userId": user, "messageId": id, "timestamp": rfc3339_millis(at) });
    format!("{message}\n")
}

fn identify(user: &str, traits: Value, at: i64) -> String {
    let message = json!({ "type": "identify", "userId": user, "traits": traits, "timestamp": rfc3339(at) });
    format!("{message}\n")
}

fn count(server: &Server, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    server.sqlite().query_row(&sql, [], |row| row.get(0)).expect("a count")
}

fn column(server: &Server, user: &str, column: &str) -> Option<String> {
    let sql = format!("SELECT CAST({column} AS TEXT) FROM users WHERE identifier = ?1");
    server.sqlite().query_row(&sql, [user], |row| row.get(0)).expect("a user")
}

/// Deletes somebody for good, and does what is due.
fn erase(server: &Server, name: &'static str) {
    let project = server.project().id;
    server.write(move |tx| {
        let user = find::get(tx, project, name)?;
        erasure::begin(tx, &user, Erasure::Everything, Origin::Request).map(drop)
    });
    server.tick();
}

#[test]
fn original_times_and_ids_are_kept() {
    let (server, key) = server();
    let at = START - 90 * DAY;
    let done = import(&server, &key, "", track("ann", "m-1", at) + &track("ann", "m-2", at + HOUR));
    assert_eq!((&done["from"], &done["status"]), (&json!("segment"), &json!("done")));
    assert_eq!((&done["counts"]["users"], &done["counts"]["events"]), (&json!(1), &json!(2)));
    let sql = "SELECT message_id, at FROM events ORDER BY at";
    let conn = server.sqlite();
    let mut found = conn.prepare(sql).expect("a query");
    let found: Vec<(String, i64)> = found
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("rows")
        .map(|row| row.expect("a row"))
        .collect();
    assert_eq!(found, [("m-1".to_owned(), at), ("m-2".to_owned(), at + HOUR)]);
    assert_eq!(column(&server, "ann", "first_seen"), Some(at.to_string()));
    assert_eq!(count(&server, "sessions"), 2);
}

#[test]
fn an_erased_person_never_comes_back() {
    let (server, key) = server();
    import(&server, &key, "", track("ann", "m-1", START - DAY) + &track("bob", "m-2", START - DAY));
    erase(&server, "ann");
    // Dated before the erasure, and after it.
    server.clock.advance(2 * DAY);
    let lines = track("ann", "m-3", START - HOUR)
        + &track("ann", "m-4", START + DAY)
        + &identify("ann", json!({ "email": "ann@example.com" }), START + DAY)
        + &track("bob", "m-5", START + DAY);
    let done = import(&server, &key, "", lines.clone());
    assert_eq!((&done["counts"]["erased"], &done["counts"]["events"]), (&json!(3), &json!(1)));
    let named = "SELECT COUNT(*) FROM users WHERE identifier = 'ann'";
    let there =
        |server: &Server| -> i64 { server.sqlite().query_row(named, [], |row| row.get(0)).expect("a count") };
    assert_eq!(there(&server), 0);
    // The twin: somebody who registered since has what is dated after the erasure.
    server.post("/v1/identify").bearer(&key).json(json!({ "userId": "ann" })).send().expect(200);
    let done = import(&server, &key, "?restart=true", lines);
    assert_eq!((&done["counts"]["erased"], &done["counts"]["duplicates"]), (&json!(1), &json!(1)));
    assert_eq!(there(&server), 1);
}

#[test]
fn a_list_without_times_brings_nobody_back() {
    let (server, key) = server();
    let table = "id,email\nann,ann@example.com\nbob,bob@example.com\n";
    assert_eq!(import(&server, &key, "", table)["counts"]["users"], 2);
    erase(&server, "ann");
    for query in ["?restart=true", "?restart=true&atImport=true"] {
        server.clock.advance(HOUR);
        let done = import(&server, &key, query, table);
        assert_eq!((&done["counts"]["erased"], &done["counts"]["users"]), (&json!(1), &json!(0)), "{query}");
    }
    // Registered again, ann has none of what an undated list says of before; the twin, bob, has.
    server.post("/v1/identify").bearer(&key).json(json!({ "userId": "ann" })).send().expect(200);
    let table = "id,city\nann,Graz\nbob,Graz\n";
    assert_eq!(import(&server, &key, "", table)["counts"]["erased"], 1);
    assert_eq!(column(&server, "ann", "city"), None);
    assert_eq!(column(&server, "bob", "city").as_deref(), Some("Graz"));
}

/// Of people without a line of their own, and in a file that was cut off.
#[test]
fn every_suppression_of_an_export_is_taken() {
    let (server, key) = server();
    let head = json!({ "format": "usher-export", "version": 1 });
    let lines = (0..40).map(|n| json!({ "type": "suppression", "userId": format!("user-{n}") }));
    let text = std::iter::once(head).chain(lines).map(|line| format!("{line}\n")).collect::<String>();
    let done = import(&server, &key, "?from=usher", text);
    assert_eq!((&done["counts"]["others"], &done["counts"]["faults"]), (&json!(40), &json!(1)), "{done}");
    assert_eq!(done["faults"][0]["code"], "incomplete");
    assert_eq!(count(&server, "suppressions"), 40);
}

#[test]
fn suppressed_people_stay_out() {
    let (server, key) = server();
    let suppress = json!({ "subject": { "identifier": "ann" }, "policy": "forever" });
    server.post("/api/suppressions").bearer(&key).json(suppress).send().expect(201);
    let done =
        import(&server, &key, "", track("ann", "m-1", START - DAY) + &track("bob", "m-2", START - DAY));
    assert_eq!((&done["counts"]["suppressed"], &done["counts"]["users"]), (&json!(1), &json!(1)));
    assert_eq!(count(&server, "users"), 1);
}

#[test]
fn the_trash_is_left_unless_it_is_asked_for() {
    let (server, key) = server();
    import(&server, &key, "", track("ann", "m-1", START - DAY));
    let project = server.project().id;
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?).map(drop));
    let line = identify("ann", json!({ "plan": "pro" }), START - HOUR);
    import(&server, &key, "", line.clone());
    assert_eq!(column(&server, "ann", "state").as_deref(), Some("hidden"));
    import(&server, &key, "?revive=true", line);
    assert_eq!(column(&server, "ann", "state").as_deref(), Some("live"));
}

#[test]
fn a_record_fills_or_goes_before_what_is_older() {
    let (server, key) = server();
    server
        .post("/v1/identify")
        .bearer(&key)
        .json(json!({ "userId": "ann", "traits": { "plan": "pro" } }))
        .send()
        .expect(200);
    let old = identify("ann", json!({ "plan": "free", "city": "Graz" }), START - DAY);
    import(&server, &key, "", old);
    assert_eq!(column(&server, "ann", "attributes").as_deref(), Some(r#"{"plan":"pro"}"#));
    assert_eq!(column(&server, "ann", "city").as_deref(), Some("Graz"));
    assert_eq!(column(&server, "ann", "created_at"), Some((START - DAY).to_string()));
    server.clock.advance(DAY);
    import(&server, &key, "", identify("ann", json!({ "plan": "team" }), START + HOUR));
    assert_eq!(column(&server, "ann", "attributes").as_deref(), Some(r#"{"plan":"team"}"#));
    // What is known since earlier does not move on.
    assert_eq!(column(&server, "ann", "created_at"), Some((START - DAY).to_string()));
}

#[test]
fn a_time_more_than_a_day_ahead_is_a_fault() {
    let (server, key) = server();
    let done =
        import(&server, &key, "", track("ann", "m-1", START + DAY) + &track("ann", "m-2", START + DAY + 1));
    assert_eq!((&done["counts"]["events"], &done["counts"]["faults"]), (&json!(1), &json!(1)));
    assert_eq!((&done["faults"][0]["code"], &done["faults"][0]["line"]), (&json!("future_time"), &json!(2)));
}

#[test]
fn an_event_without_a_time_needs_at_import() {
    let (server, key) = server();
    let line = "{\"type\":\"track\",\"event\":\"Opened\",\"userId\":\"ann\",\"messageId\":\"m\"}\n";
    let done = import(&server, &key, "", line);
    assert_eq!((&done["faults"][0]["code"], &done["counts"]["events"]), (&json!("no_time"), &json!(0)));
    assert_eq!(import(&server, &key, "?atImport=true", line)["counts"]["events"], 1);
}

#[test]
fn faults_name_field_and_reason_and_no_value() {
    let (server, key) = server();
    let body = format!(
        "{}{{\"type\":\"track\",\"event\":\"E\",\"userId\":\"s3cret\\u0007\",\"timestamp\":\"2026-01-01\"}}\n\
         {{\"type\":\"track\",\"event\":\"E\",\"userId\":\"ann\",\"timestamp\":\"s3cret\"}}\nno s3cret JSON\n{}",
        track("ann", "m-1", START - DAY),
        track("ann", "m-2", START - DAY)
    );
    let done = import(&server, &key, "", body);
    assert_eq!((&done["counts"]["events"], &done["counts"]["faults"]), (&json!(2), &json!(3)));
    let faults = done["faults"].as_array().expect("faults");
    let seen: Vec<(&Value, &Value, &Value)> =
        faults.iter().map(|fault| (&fault["line"], &fault["pointer"], &fault["code"])).collect();
    let expected =
        [(json!(2), "/userId", "bad_id"), (json!(3), "/timestamp", "bad_time"), (json!(4), "", "bad_json")];
    for ((line, pointer, code), seen) in expected.iter().zip(seen) {
        assert_eq!((line, &json!(pointer), &json!(code)), seen);
    }
    assert!(!done.to_string().contains("s3cret"), "{done}");
}

#[test]
fn a_dry_run_writes_nothing() {
    let (server, key) = server();
    let lines = track("ann", "m-1", START - DAY) + &track("ann", "m-2", START - DAY);
    let done = import(&server, &key, "?dryRun=true", lines.clone());
    assert_eq!((&done["counts"]["users"], &done["counts"]["events"]), (&json!(1), &json!(2)));
    assert_eq!((&done["id"], &done["dryRun"]), (&Value::Null, &json!(true)));
    assert_eq!((count(&server, "users"), count(&server, "events"), count(&server, "imports")), (0, 0, 0));
    import(&server, &key, "", lines);
    assert_eq!((count(&server, "users"), count(&server, "events"), count(&server, "imports")), (1, 2, 1));
}

#[test]
fn the_same_file_is_done_once() {
    let (server, key) = server();
    let lines = track("ann", "m-1", START - DAY);
    assert_eq!(import(&server, &key, "", lines.clone())["wasDone"], false);
    let again = import(&server, &key, "", lines.clone());
    assert_eq!((&again["wasDone"], &again["counts"]["events"]), (&json!(true), &json!(1)));
    let again = import(&server, &key, "?restart=true", lines);
    assert_eq!((&again["counts"]["duplicates"], &again["counts"]["events"]), (&json!(1), &json!(0)));
    assert_eq!(count(&server, "imports"), 1);
}

#[test]
fn what_a_newer_record_removed_stays_removed() {
    let (server, key) = server();
    let lines = identify("ann", json!({ "phone": "1", "plan": "a" }), START - 3 * DAY)
        + &identify("ann", json!({ "phone": null }), START - 2 * DAY)
        + &identify("ann", json!({ "plan": "b" }), START - DAY);
    for query in ["", "?restart=true", "?restart=true"] {
        import(&server, &key, query, lines.clone());
        assert_eq!(column(&server, "ann", "attributes").as_deref(), Some(r#"{"plan":"b"}"#), "{query}");
    }
}

#[test]
fn a_file_of_another_form_ends_early() {
    let (server, key) = server();
    let lines: String = (0..1_500).map(|n| format!("{{\"a\":{n}}}\n")).collect();
    let done = import(&server, &key, "?from=segment&maxFaults=5000", lines.clone());
    assert_eq!((&done["status"], done["counts"]["records"].as_u64() < Some(1_500)), (&json!("failed"), true));
    // The twin: one that can be taken, and it goes on to its end.
    let lines = lines + &track("ann", "m", START - DAY);
    let first = track("bob", "m", START - DAY) + &lines;
    let done = import(&server, &key, "?from=segment&maxFaults=5000", first);
    assert_eq!((&done["status"], &done["counts"]["events"]), (&json!("done"), &json!(2)));
}

#[test]
fn more_faults_than_allowed_end_an_import() {
    let (server, key) = server();
    let bad = "{\"type\":\"track\"}\n".repeat(4);
    let lines = track("ann", "m", START - DAY) + &bad;
    assert_eq!(import(&server, &key, "?maxFaults=4", lines.clone())["status"], "done");
    assert_eq!(import(&server, &key, "?maxFaults=3", lines)["status"], "done", "it was done before");
    let lines = track("bob", "m", START - DAY) + &bad;
    let done = import(&server, &key, "?maxFaults=3", lines);
    assert_eq!(done["status"], "failed");
    assert!(done["endedBy"].as_str().is_some_and(|why| why.contains("more than 3")), "{done}");
}

#[test]
fn who_may_not_is_refused() {
    let (server, key) = server();
    for scopes in ["write,read,delete", "ingest,write,read"] {
        let key = server.key(Some(server.project().id), scopes);
        send(&server, &key, "", track("ann", "m", START)).expect(403);
    }
    let error = send(&server, &key, "?dryRn=true", track("ann", "m", START)).expect(400);
    assert!(error.text.contains("dryRn"), "{}", error.text);
    let error = send(&server, &key, "?from=excel", track("ann", "m", START)).expect(400);
    assert!(error.text.contains("from") && error.text.contains("segment"), "{}", error.text);
    let error = send(&server, &key, "", "hello").expect(400);
    assert!(error.text.contains("no column"), "{}", error.text);
    let error = send(&server, &key, "", crate::import_files::zip(&[("a.json", b"{}".to_vec())])).expect(400);
    assert!(error.text.contains("ZIP"), "{}", error.text);
    assert_eq!(count(&server, "users"), 0);
}

#[test]
fn an_import_is_shown_to_its_project_alone() {
    let (server, key) = server();
    let id =
        import(&server, &key, "", track("ann", "m", START - DAY))["id"].as_str().expect("an id").to_owned();
    let shown = server.get(&format!("/api/imports/{id}")).bearer(&key).send().expect(200).json();
    assert_eq!((&shown["data"]["status"], &shown["data"]["counts"]["events"]), (&json!("done"), &json!(1)));
    let list = server.get("/api/imports").bearer(&key).send().expect(200).json();
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    let other = server.key(Some(server.second().id), "read");
    server.get(&format!("/api/imports/{id}")).bearer(&other).send().expect(404);
    server.get("/api/imports/x").bearer(&key).send().expect(404);
}

#[test]
fn an_import_is_one_entry_of_the_audit_log() {
    let (server, key) = server();
    let before = count(&server, "audit WHERE action = 'import'");
    import(&server, &key, "", track("ann", "m", START - DAY) + &track("bob", "m", START - DAY));
    assert_eq!(count(&server, "audit WHERE action = 'import'"), before + 1);
}

#[test]
fn a_packed_body_is_unpacked() {
    let (server, key) = server();
    let packed = crate::import_files::gzip(track("ann", "m", START - DAY).as_bytes());
    assert_eq!(import(&server, &key, "", packed.clone())["counts"]["events"], 1);
    // One that was cut off says so, and what came before is kept.
    let more = crate::import_files::gzip((track("bob", "m", START - DAY) + &"x".repeat(500)).as_bytes());
    let error = send(&server, &key, "", &more[..more.len() - 9]).expect(400);
    assert!(error.text.contains("cut off") || error.text.contains("broken"), "{}", error.text);
}
