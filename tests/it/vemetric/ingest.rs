//! What apps send: `/e`, `/u`, `/i`, as the vendor's clients send it.

use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use usher::clock::{DAY, MINUTE, SECOND};
use usher::model::TRASH_PERIOD;
use usher::people::find;

use super::{call, count, hide, list, names, refused, seen, send, user, visit};
use crate::harness::{Reply, START, Server, encode};

/// An answer of success: 200, and an empty text.
#[track_caller]
pub(super) fn taken(reply: Reply) {
    let reply = reply.expect(200);
    assert_eq!(reply.text, "");
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
}

/// Names and data of somebody's events, the newest first.
fn events(server: &Server, name: &str) -> Vec<(String, Value)> {
    let path = format!("/v1/users/events?identifier={}", encode(name));
    let list = call(server, "POST", &path).json(json!({ "dateRange": "1year" })).send().expect(200).json();
    let events = list["events"].as_array().expect("a list");
    events
        .iter()
        .map(|event| (event["name"].as_str().expect("a name").to_owned(), event["data"].clone()))
        .collect()
}

/// Every row of every table that could have changed.
pub(super) fn rows(server: &Server) -> Vec<String> {
    let conn = server.sqlite();
    let mut found = Vec::new();
    for table in ["users", "aliases", "sessions", "events", "projects"] {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}")).expect("a query");
        let columns = statement.column_count();
        let rows = statement
            .query_map([], |row| {
                let cell = |n: usize| match row.get_ref(n)? {
                    ValueRef::Text(text) => Ok(String::from_utf8_lossy(text).into_owned()),
                    other => Ok(format!("{other:?}")),
                };
                (0..columns).map(cell).collect::<rusqlite::Result<Vec<String>>>()
            })
            .expect("rows");
        found.extend(rows.map(|row| format!("{table} {}", row.expect("a row").join(" "))));
    }
    found
}

#[test]
fn an_event_is_stored_and_its_unknown_user_created() {
    let server = Server::start();
    let name = "a@b+c/d%e f😀";
    taken(send(&server, "/e", json!({ "name": "Signed Up", "userIdentifier": name })));
    server.clock.advance(MINUTE);
    let data = json!({ "total": 19.9, "nested": { "list": [1, "two", null, true] } });
    taken(send(
        &server,
        "/e",
        json!({
            "name": "Order Completed", "userIdentifier": name, "customData": data, "displayName": "Ann",
            "userData": { "set": { "plan": "team" } }, "contextId": "c1", "unknown": {},
        }),
    ));
    assert_eq!(
        events(&server, name),
        [("Order Completed".to_owned(), data), ("Signed Up".to_owned(), json!({}))]
    );
    let ann = user(&server, name);
    assert_eq!(ann["displayName"], "Ann");
    assert_eq!(ann["data"], json!({ "plan": "team" }));
    assert_eq!(ann["lastSeenAt"], "2026-03-04T10:01:00Z");
    // No id tells a repetition from a second time: each counts.
    for _ in 0..2 {
        taken(send(&server, "/e", json!({ "name": "Page Read", "userIdentifier": name })));
    }
    assert_eq!(events(&server, name).len(), 4);
    // All within 30 minutes, so of one visit.
    assert_eq!(count(&server, "sessions"), 1);
}

#[test]
fn set_set_once_and_unset_do_as_they_say() {
    let server = Server::start();
    let update = |data: Value| taken(send(&server, "/u", json!({ "userIdentifier": "ann", "data": data })));
    update(json!({
        "set": { "plan": "free", "seats": 3, "address": { "city": "Zürich" }, "none": null },
        "setOnce": { "source": "newsletter", "plan": "once", "nothing": null },
    }));
    let first =
        json!({ "plan": "free", "seats": 3, "address": { "city": "Zürich" }, "source": "newsletter" });
    assert_eq!(user(&server, "ann")["data"], first);
    update(json!({
        "set": { "plan": "team" },
        "setOnce": { "source": "search", "first": 1 },
        "unset": ["seats", "never-set"],
    }));
    let second =
        json!({ "plan": "team", "address": { "city": "Zürich" }, "source": "newsletter", "first": 1 });
    assert_eq!(user(&server, "ann")["data"], second);
    // Null takes away, too; an empty change leaves all as it is.
    update(json!({ "set": { "address": null }, "setOnce": null, "unset": null }));
    for body in [json!({}), json!({ "data": {} }), json!({ "data": null })] {
        let mut body = body;
        body["userIdentifier"] = json!("ann");
        taken(send(&server, "/u", body));
    }
    assert_eq!(user(&server, "ann")["data"], json!({ "plan": "team", "source": "newsletter", "first": 1 }));
}

#[test]
fn a_name_and_an_avatar_are_set_left_and_emptied() {
    let server = Server::start();
    let shown = || {
        let ann = user(&server, "ann");
        [ann["displayName"].clone(), ann["avatarUrl"].clone()]
    };
    let avatar = "https://cdn.example.com/a.png";
    let both = json!({ "userIdentifier": "ann", "displayName": "Ann", "avatarUrl": avatar });
    taken(send(&server, "/u", both));
    assert_eq!(shown(), [json!("Ann"), json!(avatar)]);
    taken(send(&server, "/u", json!({ "userIdentifier": "ann" })));
    assert_eq!(shown(), [json!("Ann"), json!(avatar)]);
    taken(send(&server, "/i", json!({ "identifier": "ann", "displayName": "Annie" })));
    assert_eq!(shown(), [json!("Annie"), json!(avatar)]);
    taken(send(&server, "/u", json!({ "userIdentifier": "ann", "displayName": "", "avatarUrl": null })));
    assert_eq!(shown(), [json!(null), json!(null)]);
}

/// npm `@vemetric/node` 0.2.0 speaks HTTPS only, so it cannot be run against the server in a
/// test; this is what it puts on the wire, its headers and bodies byte by byte.
#[test]
fn what_the_node_client_sends_is_taken() {
    let server = Server::start();
    let post = |path: &str, body: &'static str| {
        let request = server.post(path).header("Token", &server.project().token);
        let request = request.header("V-SDK", "node").header("V-SDK-Version", "0.2.0");
        request.body(body, "application/json").send()
    };
    let event = r#"{"name":"MyCustomEvent","userIdentifier":"user-id","customData":{"key":"value"},"displayName":"John Doe","userData":{"set":{"a":1}}}"#;
    taken(post("/e", event));
    taken(post("/e", r#"{"name":"Bare","userIdentifier":"user-id"}"#));
    // Its updateUser leaves out what is undefined.
    taken(post("/u", r#"{"userIdentifier":"user-id"}"#));
    let update = r#"{"userIdentifier":"user-id","avatarUrl":"https://cdn.example.com/j.png","data":{"set":{"key1":"value1"},"setOnce":{"key2":"value2"},"unset":["a"]}}"#;
    taken(post("/u", update));
    let john = user(&server, "user-id");
    assert_eq!(john["displayName"], "John Doe");
    assert_eq!(john["avatarUrl"], "https://cdn.example.com/j.png");
    assert_eq!(john["data"], json!({ "key1": "value1", "key2": "value2" }));
    let stored = [("Bare".to_owned(), json!({})), ("MyCustomEvent".to_owned(), json!({ "key": "value" }))];
    assert_eq!(events(&server, "user-id"), stored);
    // A program without types may forget the user: JSON has no undefined.
    taken(post("/e", r#"{"name":"Nobody's"}"#));
    assert_eq!(events(&server, "user-id").len(), 2);
}

#[test]
fn what_a_visitor_says_of_itself_is_kept_with_it() {
    let server = Server::start();
    let body = json!({ "name": "x", "displayName": "Somebody", "userData": { "set": { "plan": "free" } } });
    taken(send(&server, "/e", body));
    let listed = list(&server, json!({ "dateRange": "live" }));
    assert_eq!(listed["users"][0]["displayName"], "Somebody");
    assert_eq!(listed["users"][0]["data"], json!({ "plan": "free" }));
}

#[test]
fn both_clients_names_for_the_identifier_are_taken() {
    let server = Server::start();
    taken(send(&server, "/e", json!({ "name": "a", "identifier": "ann", "displayName": "Ann" })));
    taken(send(&server, "/u", json!({ "identifier": "ann", "data": { "set": { "b": 1 } } })));
    taken(send(&server, "/e", json!({ "name": "c", "userIdentifier": "bob", "identifier": "ann" })));
    taken(send(&server, "/e", json!({ "name": "d", "userIdentifier": null, "identifier": "ann" })));
    let of = |name: &str| events(&server, name).into_iter().map(|(name, _)| name).collect::<String>();
    assert_eq!((of("ann"), of("bob")), ("da".to_owned(), "c".to_owned()));
    assert_eq!(user(&server, "ann")["data"], json!({ "b": 1 }));
}

#[test]
fn word_of_a_user_is_no_sight_of_it_but_identifying_is() {
    let server = Server::start();
    taken(send(&server, "/u", json!({ "userIdentifier": "ann" })));
    assert_eq!(user(&server, "ann")["lastSeenAt"], Value::Null);
    assert_eq!(names(&list(&server, json!({ "dateRange": "live" }))), Vec::<&str>::new());
    server.clock.advance(SECOND);
    taken(send(&server, "/i", json!({ "identifier": "ann" })));
    assert_eq!(user(&server, "ann")["lastSeenAt"], "2026-03-04T10:00:01Z");
    assert_eq!(names(&list(&server, json!({ "dateRange": "live" }))), ["ann"]);
    server.clock.advance(DAY);
    taken(send(&server, "/u", json!({ "userIdentifier": "ann", "displayName": "Ann" })));
    assert_eq!(user(&server, "ann")["lastSeenAt"], "2026-03-04T10:00:01Z");
    assert_eq!(count(&server, "events"), 0);
}

#[test]
fn an_event_leaves_a_hidden_user_hidden() {
    let server = Server::start();
    let id = seen(&server, "ann", START);
    hide(&server, "ann");
    let gone = || {
        let reply = call(&server, "GET", "/v1/users/single?identifier=ann").send();
        refused(reply, 404, "USER_NOT_FOUND", "User not found");
    };
    let body = json!({
        "name": "Going On", "userIdentifier": "ann", "displayName": "Ann",
        "userData": { "set": { "plan": "team" } },
    });
    server.clock.advance(TRASH_PERIOD - 1);
    taken(send(&server, "/e", body));
    gone();
    // Anybody can say this with a token that is in every page; a server with its own key means it.
    for path in ["/u", "/i"] {
        taken(send(&server, path, json!({ "userIdentifier": "ann", "identifier": "ann" })));
        gone();
    }
    let plain = server.key(Some(server.project().id), "ingest");
    let said = json!({ "userIdentifier": "ann" });
    taken(server.post("/u").header("Token", &plain).json(said).send());
    let ann = user(&server, "ann");
    assert_eq!((&ann["id"], &ann["displayName"]), (&json!(id.to_string()), &json!("Ann")));
    assert_eq!(ann["data"], json!({ "plan": "team" }));
    assert_eq!(events(&server, "ann").len(), 2);
    // Hidden for 7 days it is nobody, and what is sent is about somebody new.
    hide(&server, "ann");
    server.clock.advance(TRASH_PERIOD);
    taken(send(&server, "/i", json!({ "identifier": "ann" })));
    let new = user(&server, "ann");
    assert_ne!(new["id"], ann["id"]);
    assert_eq!((&new["displayName"], &new["data"]), (&json!(null), &json!({})));
    assert_eq!(events(&server, "ann"), []);
    let (project, now) = (server.project().id, server.clock.now());
    assert!(server.read(|db| find::get_hidden_too(db, project, "ann", now)).id != id);
}

#[test]
fn a_visitor_of_the_very_name_that_registers_becomes_the_person() {
    let server = Server::start();
    let visitor = visit(&server, "ann", START);
    taken(send(&server, "/i", json!({ "identifier": "ann" })));
    assert_eq!(user(&server, "ann")["id"], visitor.to_string());
    assert_eq!(names(&list(&server, json!({ "dateRange": "live" }))).len(), 1);
}
