//! The vendors' own clients, unmodified, from their registries, against the built program.
//! `tests/run` installs them. The scripts in `tests/clients/` make every call that a client
//! has, check the answers, and print who must be there afterwards; here it is looked up.

mod browsers;
mod run;
mod rust;
mod servers;
mod site;
mod wire;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;
use serde_json::Value;

use crate::needs::installed;
use crate::process::{Process, check_file, directory, key, sqlite};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

fn node(script: &str) -> Option<Command> {
    installed(folder().join("node_modules"))?;
    let mut command = Command::new("node");
    command.arg(folder().join(script));
    Some(command)
}

fn python(script: &str) -> Option<Command> {
    let mut command = Command::new(installed(folder().join("venv/bin/python"))?);
    command.arg(folder().join(script));
    Some(command)
}

/// Runs a client's script against a fresh server, stops the server, and gives the script's
/// report and the file.
fn drive(command: Option<Command>) -> Option<(Value, Connection, tempfile::TempDir)> {
    let mut command = command?;
    let dir = directory();
    let key = key(dir.path(), "client");
    let token: String = sqlite(dir.path())
        .query_row("SELECT ingest_token FROM projects", [], |row| row.get(0))
        .expect("the project's token");
    let server = Process::start(dir.path());
    let output = command
        .env("USHER_URL", &server.base)
        .env("USHER_KEY", key)
        .env("USHER_TOKEN", token)
        .env("USHER_PREFIX", "run")
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .output()
        .expect("the client runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stderr));
    let report = serde_json::from_str(said.lines().last().expect("a report")).expect("a report in JSON");
    // Moves after a merge and erasures go on in the background; a stop waits for the step
    // it is in.
    crate::process::wait_until("the moves", || {
        let open = "SELECT (SELECT COUNT(*) FROM users WHERE state IN ('merged', 'erasing'))
                         + (SELECT COUNT(*) FROM jobs WHERE status = 'running')";
        let open: i64 = sqlite(dir.path()).query_row(open, [], |row| row.get(0)).expect("a count");
        (open == 0).then_some(())
    });
    assert!(server.terminate().success());
    check_file(dir.path());
    let conn = sqlite(dir.path());
    Some((report, conn, dir))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is missing in {value}"))
}

fn id(conn: &Connection, sql: &str, name: &str) -> Option<i64> {
    let mut statement = conn.prepare(sql).expect("a query");
    let mut ids: Vec<i64> =
        statement.query_map([name], |row| row.get(0)).expect("rows").map(|id| id.expect("an id")).collect();
    assert!(ids.len() < 2, "{name} is there {} times", ids.len());
    ids.pop()
}

fn user(conn: &Connection, identifier: &str) -> Option<i64> {
    id(conn, "SELECT id FROM users WHERE identifier = ?1 AND state = 'live'", identifier)
}

/// kind, name, time and message id of each event of a user.
fn events(conn: &Connection, user: i64) -> Vec<(String, String, i64, String)> {
    let mut statement = conn
        .prepare("SELECT kind, name, at, message_id FROM events WHERE user_id = ?1 ORDER BY message_id")
        .expect("a query");
    let rows = statement.query_map([user], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
    rows.expect("rows").map(|row| row.expect("an event")).collect()
}

#[track_caller]
fn check_events(conn: &Connection, user: i64, expected: &[Value]) {
    let mut expected: Vec<_> = expected
        .iter()
        .map(|event| {
            let kind = if text(event, "type") == "track" { "event" } else { text(event, "type") };
            let name = event["name"].as_str().unwrap_or_default();
            let at = event["at"].as_i64().expect("a time");
            (kind.to_owned(), name.to_owned(), at, text(event, "messageId").to_owned())
        })
        .collect();
    expected.sort_by(|one, other| one.3.cmp(&other.3));
    expected.dedup();
    assert_eq!(events(conn, user), expected);
    let counted: i64 = conn
        .query_row("SELECT event_count FROM users WHERE id = ?1", [user], |row| row.get(0))
        .expect("a count");
    assert_eq!(counted, i64::try_from(expected.len()).expect("a number"));
}

fn check_segment(report: &Value, conn: &Connection) {
    let users = list(report, "users");
    assert!(users.len() >= 3, "{report}");
    for expected in users {
        let identifier = text(expected, "identifier");
        let user = user(conn, identifier).unwrap_or_else(|| panic!("{identifier} is missing"));
        check_events(conn, user, list(expected, "events"));
        for anonymous_id in list(expected, "anonymousIds") {
            let anonymous_id = anonymous_id.as_str().expect("an id");
            let holder = id(conn, "SELECT user_id FROM aliases WHERE anonymous_id = ?1", anonymous_id);
            assert_eq!(holder, Some(user), "{anonymous_id}");
        }
        check_traits(conn, user, expected);
    }
    for expected in list(report, "anonymous") {
        let anonymous_id = text(expected, "anonymousId");
        let user = id(conn, "SELECT user_id FROM aliases WHERE anonymous_id = ?1", anonymous_id);
        check_events(conn, user.expect("the visitor"), list(expected, "events"));
    }
    check_absent(report, conn);
}

/// The traits that have a column are in it, the others are attributes, as they were sent.
fn check_traits(conn: &Connection, user: i64, expected: &Value) {
    let (row, attributes): (BTreeMap<&str, Option<String>>, String) = conn
        .query_row(
            "SELECT email, first_name, last_name, display_name, attributes FROM users WHERE id = ?1",
            [user],
            |row| {
                let names = ["email", "firstName", "lastName", "name"].iter().enumerate();
                let columns =
                    names.map(|(n, name)| Ok((*name, row.get(n)?))).collect::<rusqlite::Result<_>>()?;
                Ok((columns, row.get(4)?))
            },
        )
        .expect("the user");
    let attributes: Value = serde_json::from_str(&attributes).expect("JSON");
    for (name, value) in expected["traits"].as_object().expect("traits") {
        match row.get(name.as_str()) {
            Some(held) => assert_eq!(held.as_deref(), value.as_str(), "{name}"),
            None => assert_eq!(&attributes[name], value, "{name}"),
        }
    }
    if let Some(group) = expected.get("groupId") {
        let group = group.as_str().map_or_else(|| group.to_string(), str::to_owned);
        assert_eq!(attributes["groupId"], group.as_str());
    }
}

fn check_absent(report: &Value, conn: &Connection) {
    assert!(!list(report, "absent").is_empty());
    for name in list(report, "absent") {
        assert_eq!(user(conn, name.as_str().expect("a name")), None, "{name}");
    }
}

#[test]
fn npm_alloy_node() {
    let Some((report, conn, _dir)) = drive(node("alloy.mjs")) else { return };
    for expected in list(&report, "users") {
        let id = user(&conn, text(expected, "identifier")).expect("the user");
        assert_eq!(format!("{id:024x}"), text(expected, "userId"));
        let name: String = conn
            .query_row("SELECT display_name FROM users WHERE id = ?1", [id], |row| row.get(0))
            .expect("a name");
        assert_eq!(name, text(expected, "fullName"));
    }
    assert_eq!(list(&report, "users").len(), 2);
    for gone in list(&report, "deleted") {
        assert_eq!(user(&conn, text(gone, "identifier")), None);
    }
    check_absent(&report, &conn);
    let everybody: i64 = conn.query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0)).expect("a count");
    assert_eq!(everybody, 2);
}

#[test]
fn npm_segment_analytics_node() {
    let Some((report, conn, _dir)) = drive(node("segment.mjs")) else { return };
    check_segment(&report, &conn);
}

#[test]
fn pypi_segment_analytics_python_plain_and_gzipped() {
    let Some((report, conn, _dir)) = drive(python("segment_python.py")) else { return };
    check_segment(&report, &conn);
}

#[test]
fn pypi_vemetric() {
    let Some((report, conn, _dir)) = drive(python("vemetric_python.py")) else { return };
    assert_eq!(list(&report, "users").len(), 3);
    for expected in list(&report, "users") {
        let user = user(&conn, text(expected, "identifier")).expect("the user");
        let mut counts = BTreeMap::new();
        for (_, name, _, _) in events(&conn, user) {
            *counts.entry(name).or_insert(0) += 1;
        }
        let wanted: BTreeMap<String, i64> =
            serde_json::from_value(expected["events"].clone()).expect("counts by name");
        assert_eq!(counts, wanted);
        let (name, avatar, data): (Option<String>, Option<String>, String) = conn
            .query_row(
                "SELECT display_name, avatar_url, attributes FROM users WHERE id = ?1",
                [user],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .expect("the user");
        assert_eq!(name.as_deref(), expected["displayName"].as_str());
        assert_eq!(avatar.as_deref(), expected["avatarUrl"].as_str());
        assert_eq!(serde_json::from_str::<Value>(&data).expect("JSON"), expected["data"]);
    }
    check_absent(&report, &conn);
}

#[test]
fn pypi_tap_gainsightpx() {
    let Some((report, conn, _dir)) = drive(python("gainsight_python.py")) else { return };
    assert_eq!(list(&report, "users").len(), 11);
    for expected in list(&report, "users") {
        let user = user(&conn, text(expected, "identifier")).expect("the user");
        let email: String = conn
            .query_row("SELECT email FROM users WHERE id = ?1", [user], |row| row.get(0))
            .expect("an e-mail");
        assert_eq!(email, text(expected, "email"));
    }
    let first = user(&conn, text(&list(&report, "users")[0], "identifier")).expect("the user");
    let names: Vec<String> = events(&conn, first).into_iter().map(|(_, name, _, _)| name).collect();
    assert_eq!(names, ["Signed Up"]);
    check_absent(&report, &conn);
}
