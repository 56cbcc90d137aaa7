//! A client with a server of its own, and what both of them are asked afterwards: who is
//! there, with which events, once, at which times; and whether what the client sent brings
//! anybody back who was erased since.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use usher::clock;

use super::wire::{Sent, Wire};
use super::{check_traits, id, list, text, user};
use crate::process::{Process, agent, check_file, directory, key, sqlite, wait_until};

pub struct Run {
    pub wire: Wire,
    /// The public one, which apps ship: the write key of every client here.
    pub token: String,
    /// With every scope.
    pub key: String,
    server: Process,
    dir: TempDir,
}

impl Run {
    pub fn begin() -> Run {
        let dir = directory();
        let key = key(dir.path(), "client");
        let token = sqlite(dir.path())
            .query_row("SELECT ingest_token FROM projects", [], |row| row.get(0))
            .expect("the project's token");
        let wire = Wire::open();
        let server = Process::start_behind(dir.path(), &wire.base);
        wire.lead_to(&server.base);
        Run { wire, token, key, server, dir }
    }

    pub fn path(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub fn conn(&self) -> Connection {
        sqlite(self.dir.path())
    }

    /// Checks all that the report of a client of Segment's kind says, then erases its first
    /// user and checks that nothing of what was sent brings that user back.
    pub fn check(self, report: &Value) {
        let expected = usize::try_from(report["messages"].as_u64().expect("a number")).expect("a number");
        wait_until("the messages", || (self.wire.messages().len() >= expected).then_some(()));
        self.settle();
        assert_eq!(self.wire.messages().len(), expected, "each message is sent once");
        self.check_answers();
        for person in list(report, "users") {
            self.check_person(person);
        }
        for visitor in list(report, "anonymous") {
            let name = text(visitor, "anonymousId");
            let holder = self.holder(name).unwrap_or_else(|| panic!("{name} is missing"));
            self.check_events(holder, list(visitor, "events"));
        }
        for name in list(report, "absent") {
            assert_eq!(user(&self.conn(), name.as_str().expect("a name")), None, "{name}");
        }
        self.check_late(text(&list(report, "users")[0], "identifier"));
        self.end();
    }

    /// Everything that was asked was answered, and answered well.
    pub fn check_answers(&self) {
        let (asked, answered) = (self.wire.requests(), self.wire.statuses());
        assert_eq!(answered.len(), asked.len(), "{asked:?}");
        let paths: Vec<_> = asked.iter().map(|sent| format!("{} {}", sent.method, sent.path)).collect();
        assert!(answered.iter().all(|status| (200..300).contains(status)), "{paths:?}: {answered:?}");
    }

    fn check_person(&self, expected: &Value) {
        let (conn, identifier) = (self.conn(), text(expected, "identifier"));
        let held = user(&conn, identifier).unwrap_or_else(|| panic!("{identifier} is missing"));
        self.check_events(held, list(expected, "events"));
        check_traits(&conn, held, expected);
        // What is said of a group is said of nobody in it.
        let attributes: String = conn
            .query_row("SELECT attributes FROM users WHERE id = ?1", [held], |row| row.get(0))
            .expect("the user");
        assert!(!attributes.contains("employees"), "{attributes}");
        for name in list(expected, "anonymousIds") {
            let name = name.as_str().expect("a name");
            assert_eq!(self.holder(name), Some(held), "{name}");
        }
    }

    fn holder(&self, anonymous_id: &str) -> Option<i64> {
        id(&self.conn(), "SELECT user_id FROM aliases WHERE anonymous_id = ?1", anonymous_id)
    }

    /// The events of a user are those that the report names, each once, under the message id
    /// and at the time that the client gave it.
    fn check_events(&self, user: i64, expected: &[Value]) {
        let messages = self.wire.messages();
        let mut wanted: Vec<Event> = expected.iter().map(|event| Event::sent(&messages, event)).collect();
        let conn = self.conn();
        let mut statement = conn
            .prepare("SELECT kind, name, at, message_id FROM events WHERE user_id = ?1")
            .expect("a query");
        let rows = statement.query_map([user], |row| {
            // The server draws an id of its own for a message that has none.
            let message_id = Some(row.get(3)?).filter(|id: &String| !id.starts_with("usher-"));
            Ok(Event { kind: row.get(0)?, name: row.get(1)?, at: row.get(2)?, message_id })
        });
        let mut held: Vec<Event> = rows.expect("rows").map(|row| row.expect("an event")).collect();
        wanted.sort();
        held.sort();
        assert_eq!(held, wanted);
    }

    /// Erases somebody, then sends all of it once more, byte for byte, as a client does that
    /// was offline. The twin: the same, dated now, makes a new person of that name.
    fn check_late(&self, identifier: &str) {
        self.erase(identifier);
        let before = self.counts();
        let sent: Vec<Sent> = self.wire.requests();
        let writes = sent.iter().filter(|sent| sent.method == "POST" && !sent.messages().is_empty());
        for sent in writes.clone() {
            assert_eq!(sent.again(&self.wire.base), 200, "{}", sent.path);
        }
        self.settle();
        assert_eq!(user(&self.conn(), identifier), None, "a late message brings {identifier} back");
        assert_eq!(self.counts(), before, "a late message is stored");
        let of_them = |sent: &&Sent| sent.messages().iter().any(|message| message["userId"] == identifier);
        for sent in writes.filter(of_them) {
            assert_eq!(sent.anew(&self.wire.base), 200, "{}", sent.path);
        }
        self.settle();
        assert!(user(&self.conn(), identifier).is_some(), "a message of today is not late");
    }

    /// As the vendor's own route does it, for good.
    pub fn erase(&self, identifier: &str) {
        let path = format!("/v1/users/{}?hardDelete=true", crate::harness::encode(identifier));
        let answer = agent()
            .delete(self.server.url(&path))
            .header("X-APTRINSIC-API-KEY", &self.key)
            .call()
            .expect("an answer");
        assert_eq!(answer.status(), 200);
        self.settle();
        assert_eq!(user(&self.conn(), identifier), None);
    }

    /// Rows of people and of what they did.
    pub fn counts(&self) -> (i64, i64) {
        let counts = "SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM events)";
        self.conn().query_row(counts, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("counts")
    }

    /// Moves after a merge and erasures go on in the background.
    pub fn settle(&self) {
        wait_until("the moves", || {
            let open = "SELECT (SELECT COUNT(*) FROM users WHERE state IN ('merged', 'erasing'))
                             + (SELECT COUNT(*) FROM jobs WHERE status = 'running')";
            let open: i64 = self.conn().query_row(open, [], |row| row.get(0)).expect("a count");
            (open == 0 && self.wire.statuses().len() == self.wire.requests().len()).then_some(())
        });
    }

    /// Who is there of Vemetric's: the profile, and how often with which event.
    pub fn check_vemetric(&self, expected: &Value) {
        check_vemetric(&self.conn(), expected);
    }

    /// Vemetric's messages have no time. After an erasure an event of that name is late, for
    /// 30 days and until somebody is registered under it; `/i` and `/u` register.
    pub fn check_vemetric_late(&self, identifier: &str, registers: &str) {
        self.erase(identifier);
        let before = self.counts();
        let names = |sent: &&Sent| {
            let body = sent.json();
            ["identifier", "userIdentifier"].iter().any(|name| body[*name] == identifier)
        };
        let sent: Vec<Sent> = self.wire.requests();
        for event in sent.iter().filter(names).filter(|sent| sent.path == "/e") {
            assert_eq!(event.again(&self.wire.base), 200);
        }
        self.settle();
        assert_eq!(user(&self.conn(), identifier), None, "a late event brings {identifier} back");
        assert_eq!(self.counts(), before, "a late event is stored");
        let registration = sent.iter().filter(names).find(|sent| sent.path == registers);
        assert_eq!(registration.expect("a registration").again(&self.wire.base), 200);
        assert!(user(&self.conn(), identifier).is_some(), "{registers} registers");
    }

    pub fn end(self) {
        assert!(self.server.terminate().success());
        check_file(self.dir.path());
    }
}

/// Who is there of Vemetric's: the profile, and how often with which event.
pub fn check_vemetric(conn: &Connection, expected: &Value) {
    let identifier = text(expected, "identifier");
    let held = user(conn, identifier).unwrap_or_else(|| panic!("{identifier} is missing"));
    let (name, avatar, data): (Option<String>, Option<String>, String) = conn
        .query_row("SELECT display_name, avatar_url, attributes FROM users WHERE id = ?1", [held], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .expect("the user");
    assert_eq!(name.as_deref(), expected["displayName"].as_str());
    assert_eq!(avatar.as_deref(), expected["avatarUrl"].as_str());
    assert_eq!(serde_json::from_str::<Value>(&data).expect("JSON"), expected["data"]);
    let mut statement =
        conn.prepare("SELECT name, COUNT(*) FROM events WHERE user_id = ?1 GROUP BY name").expect("a query");
    let rows = statement.query_map([held], |row| Ok((row.get(0)?, row.get(1)?)));
    let counts: BTreeMap<String, i64> = rows.expect("rows").map(|row| row.expect("a count")).collect();
    assert_eq!(json!(counts), expected["events"]);
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    kind: String,
    name: String,
    at: i64,
    message_id: Option<String>,
}

impl Event {
    /// The one message on the wire that a report's `[kind, name, time?]` means.
    fn sent(messages: &[Value], expected: &Value) -> Event {
        let (kind, name) = (expected[0].as_str().expect("a kind"), expected[1].as_str().expect("a name"));
        let means = |message: &&Value| match kind {
            "event" => message["type"] == "track" && message["event"] == name,
            kind => message["type"] == kind && message["name"].as_str().unwrap_or_default() == name,
        };
        let mut found = messages.iter().filter(means);
        let message = found.next().unwrap_or_else(|| panic!("{expected} was not sent: {messages:?}"));
        assert!(found.next().is_none(), "{expected} was sent twice");
        // RudderStack's clients give the time of an event as `originalTimestamp` alone.
        let time = ["originalTimestamp", "timestamp"].iter().find_map(|name| message[*name].as_str());
        let at = clock::parse_rfc3339(time.expect("a time")).expect("a time");
        if let Some(set) = expected[2].as_i64() {
            assert_eq!(at, set, "{name} is dated as the app dated it");
        }
        let message_id = message["messageId"].as_str().map(str::to_owned);
        Event { kind: kind.to_owned(), name: name.to_owned(), at, message_id }
    }
}
