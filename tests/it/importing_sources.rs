//! The forms of other products' files: each is known by itself, taken once however often it comes, and
//! with faults in it the rest is taken. Secrets are never taken.

use serde_json::Value;

use crate::harness::Server;
use crate::import_files::{self as files, PEOPLE};

fn import(server: &Server, query: &str, body: &[u8]) -> Value {
    let key = server.key(Some(server.project().id), "admin");
    let reply = server.post(&format!("/api/imports{query}")).bearer(&key).body(body, "text/plain").send();
    reply.expect(200).json()["data"].clone()
}

/// All that is held of people, without ids of ours.
fn held(server: &Server) -> Vec<String> {
    let conn = server.sqlite();
    let mut all = Vec::new();
    for sql in [
        "SELECT concat_ws('|', 'user', identifier, email, first_name, last_name, display_name, country, city, attributes,
             extra, created_at, updated_at, first_seen, last_seen, session_count, event_count, state)
         FROM users WHERE state <> 'merged'",
        "SELECT concat_ws('|', 'event', identifier, kind, name, at, message_id, url, data)
         FROM events JOIN users ON users.id = user_id",
        "SELECT concat_ws('|', 'session', identifier, external_id, started_at, ended_at, sessions.event_count, os, browser)
         FROM sessions JOIN users ON users.id = user_id",
        "SELECT concat_ws('|', 'alias', identifier, anonymous_id) FROM aliases JOIN users ON users.id = user_id",
    ] {
        let mut rows = conn.prepare(sql).expect("a query");
        let rows = rows.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        all.extend(rows.map(|row| row.expect("a row")));
    }
    all.sort();
    all
}

#[test]
fn each_form_is_known_and_taken_once() {
    for (source, file, users, events) in files::all() {
        let server = Server::start();
        let done = import(&server, "", &file);
        let counts = &done["counts"];
        assert_eq!(done["from"], source, "{done}");
        assert_eq!((&done["status"], &counts["faults"]), (&"done".into(), &0.into()), "{source}: {done}");
        assert_eq!(
            (counts["users"].as_u64(), counts["events"].as_u64()),
            (Some(users), Some(events)),
            "{source}"
        );
        let before = held(&server);
        server.clock.advance(60_000);
        for query in [format!("?from={source}&restart=true"), "?restart=true".to_owned()] {
            let again = import(&server, &query, &file);
            let counts = &again["counts"];
            assert_eq!((&counts["users"], &counts["events"]), (&0.into(), &0.into()), "{source}: {again}");
            assert_eq!(held(&server), before, "{source}");
        }
    }
}

#[test]
fn secrets_are_counted_and_never_taken() {
    let file_of =
        [files::firebase(), files::keycloak(), files::clerk(), files::supabase(), files::mixpanel()];
    for (file, secrets) in file_of.iter().zip([2, 1, 3, 1, 8]) {
        let server = Server::start();
        let done = import(&server, "", file);
        assert_eq!(done["counts"]["leftOut"], PEOPLE * secrets, "{}: {done}", done["from"]);
        let held = held(&server).join("\n");
        for secret in ["hash", "c2FsdA", "SECRET", "bcrypt", "0123456789abcdef"] {
            assert!(!held.contains(secret), "{secret}");
        }
        // What stands beside them is taken.
        assert!(held.contains("person-7@example.com"), "{held}");
    }
}

#[test]
fn what_stands_between_faults_is_taken() {
    for (source, file, users, events) in files::all().into_iter().take(4) {
        let server = Server::start();
        let broken: Vec<u8> = file
            .split_inclusive(|byte| *byte == b'\n')
            .enumerate()
            .flat_map(|(n, line)| {
                let bad: &[u8] = match n % 30 {
                    5 => b"{\"half\": \n",
                    15 => b"[1,2]\n",
                    25 => b"{}\n",
                    _ => b"",
                };
                [line, bad].concat()
            })
            .collect();
        let done = import(&server, &format!("?from={source}"), &broken);
        let counts = &done["counts"];
        assert_eq!(
            (counts["users"].as_u64(), counts["events"].as_u64()),
            (Some(users), Some(events)),
            "{source}"
        );
        let faults = counts["faults"].as_u64().expect("a number");
        assert!(faults > 20, "{source}: {done}");
        assert_eq!(
            counts["faultsByCode"]["missing"].as_u64().map(|missing| missing > 5),
            Some(true),
            "{source}: {done}"
        );
    }
}

#[test]
fn keycloaks_other_lists_are_no_users() {
    let server = Server::start();
    assert_eq!(import(&server, "", &files::keycloak())["counts"]["records"], PEOPLE);
    assert!(!held(&server).iter().any(|row| row.contains("not-a-user")));
}

#[test]
fn columns_are_what_a_map_says() {
    let server = Server::start();
    let table =
        "Nr,Mail,Plan,Since,Pass\n7,ann@example.com,pro,2026-01-02,x\n8,bob@example.com,free,2026-01-03,y\n";
    let map = "?map=userId%3DNr,email%3DMail,traits.plan%3DPlan,timestamp%3DSince";
    let done = import(&server, map, table.as_bytes());
    assert_eq!((&done["from"], &done["counts"]["users"]), (&"csv".into(), &2.into()));
    let held = held(&server).join("\n");
    assert!(held.contains("user|7|ann@example.com") && held.contains(r#"{"plan":"pro"}"#), "{held}");
    assert!(!held.contains("|x|"), "{held}");
    let events = "who,what,when\n7,Paid,2026-01-05T10:00:00Z\n7,Left,2026-01-05T10:10:00Z\n";
    let map = "?type=track&map=userId%3Dwho,event%3Dwhat,timestamp%3Dwhen";
    assert_eq!(import(&server, map, events.as_bytes())["counts"]["events"], 2);
    let key = server.key(Some(server.project().id), "admin");
    let reply =
        server.post("/api/imports?map=userId%3DNo").bearer(&key).body(table, "text/csv").send().expect(400);
    assert!(reply.text.contains("userId"), "{}", reply.text);
}

#[test]
fn mixpanels_doubles_are_one_event() {
    let server = Server::start();
    let file = [files::mixpanel(), files::mixpanel()].concat();
    let counts = import(&server, "", &file)["counts"].clone();
    assert_eq!((counts["events"].as_u64(), counts["duplicates"].as_u64()), (Some(320), Some(320)));
}
