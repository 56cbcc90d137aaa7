//! A project's settings over the native API: each is set, shown and checked, and a body with a
//! fault changes nothing.

use serde_json::{Value, json};
use usher::clock::DAY;
use usher::erasure;
use usher::model::{Erasure, Origin};
use usher::people::placeholders;
use usher::projects;

use crate::harness::{Reply, Server, fields};

fn path(server: &Server) -> String {
    format!("/api/projects/{}", server.project().key)
}

pub fn settings(server: &Server) -> Value {
    server.get(&path(server)).bearer(&server.project().all).send().expect(200).json()
}

pub fn set(server: &Server, body: Value) -> Reply {
    server.request("PATCH", &path(server)).bearer(&server.project().all).json(body).send()
}

/// How a file sees what the project has.
fn row(server: &Server) -> String {
    let row = server.sqlite().query_row("SELECT * FROM projects WHERE id = 1", [], |row| {
        let all: Vec<String> = (0..row.as_ref().column_count())
            .map(|n| row.get_ref(n).map(|value| format!("{value:?}")))
            .collect::<Result<_, _>>()?;
        Ok(all.join("|"))
    });
    row.expect("the project")
}

#[test]
fn a_project_shows_what_is_in_force() {
    let server = Server::start();
    let body = settings(&server);
    let names = [
        "clientSecret",
        "createdAt",
        "erasedKeptDays",
        "erasedKeptWhy",
        "hasClientSecret",
        "key",
        "name",
        "origins",
        "peoplePerAddress",
        "peoplePerHour",
        "placeholders",
        "platform",
        "publicWrites",
        "refusedOrigins",
    ];
    let shown: Vec<&str> = names.into_iter().filter(|name| *name != "clientSecret").collect();
    assert_eq!(fields(&body), shown);
    assert_eq!(body["publicWrites"], "open");
    assert_eq!((&body["peoplePerAddress"], &body["peoplePerHour"]), (&json!(1_000), &json!(100_000)));
    assert_eq!(body["placeholders"], json!(placeholders::USUAL));
    assert_eq!((&body["erasedKeptDays"], &body["erasedKeptWhy"]), (&json!(3_650), &Value::Null));
    assert_eq!(body["hasClientSecret"], false);
}

#[test]
fn each_setting_is_set_alone_and_the_rest_stays() {
    let server = Server::start();
    let cases = [
        (json!({ "publicWrites": "own-visitors" }), json!({ "publicWrites": "own-visitors" })),
        (json!({ "publicWrites": "events-only" }), json!({ "publicWrites": "events-only" })),
        (json!({ "peoplePerAddress": 1 }), json!({ "peoplePerAddress": 1 })),
        (json!({ "peoplePerAddress": 1_000_000_000 }), json!({ "peoplePerAddress": 1_000_000_000 })),
        (json!({ "peoplePerAddress": null }), json!({ "peoplePerAddress": 1_000 })),
        (json!({ "peoplePerHour": 7 }), json!({ "peoplePerHour": 7 })),
        (json!({ "placeholders": [" n/a ", "Test"] }), json!({ "placeholders": ["n/a", "Test"] })),
        (json!({ "placeholders": [] }), json!({ "placeholders": [] })),
        (json!({ "placeholders": null }), json!({ "placeholders": placeholders::USUAL })),
        (json!({ "erasedKeptDays": 30 }), json!({ "erasedKeptDays": 30 })),
        (json!({ "erasedKeptDays": 36_500 }), json!({ "erasedKeptDays": 36_500 })),
        (
            json!({ "erasedKeptDays": "forever", "erasedKeptWhy": " a court's order " }),
            json!({ "erasedKeptDays": "forever", "erasedKeptWhy": "a court's order" }),
        ),
        (json!({ "erasedKeptWhy": "a law" }), json!({ "erasedKeptWhy": "a law" })),
        (json!({ "erasedKeptDays": 31 }), json!({ "erasedKeptDays": 31, "erasedKeptWhy": null })),
        (json!({ "clientSecret": "sixteen letters." }), json!({ "hasClientSecret": true })),
        (json!({ "clientSecret": null }), json!({ "hasClientSecret": false })),
        (json!({}), json!({})),
    ];
    let mut expected = settings(&server);
    for (body, changed) in cases {
        let reply = set(&server, body.clone()).expect(200).json();
        for (name, value) in changed.as_object().expect("an object") {
            expected[name] = value.clone();
        }
        assert_eq!(reply, expected, "{body}");
        assert_eq!(settings(&server), expected, "{body}");
    }
}

#[test]
fn a_body_that_is_shown_may_be_sent_back() {
    let server = Server::start();
    set(&server, json!({ "erasedKeptDays": 40, "peoplePerHour": 5, "placeholders": ["x"] })).expect(200);
    let shown = settings(&server);
    assert_eq!(set(&server, shown.clone()).expect(200).json(), shown);
}

#[test]
fn a_fault_names_its_field_and_nothing_is_changed() {
    let server = Server::start();
    let many: Vec<String> = (0..1_001).map(|n| format!("n{n}")).collect();
    let cases = [
        (json!({ "publicWrites": "own visitors" }), "publicWrites"),
        (json!({ "publicWrites": "" }), "publicWrites"),
        (json!({ "publicWrites": null }), "publicWrites"),
        (json!({ "publicWrites": 1 }), "publicWrites"),
        (json!({ "peoplePerAddress": 0 }), "peoplePerAddress"),
        (json!({ "peoplePerAddress": -1 }), "peoplePerAddress"),
        (json!({ "peoplePerAddress": 1_000_000_001 }), "peoplePerAddress"),
        (json!({ "peoplePerAddress": 1_i64 << 32 }), "peoplePerAddress"),
        (json!({ "peoplePerHour": 1.5 }), "peoplePerHour"),
        (json!({ "peoplePerHour": "7" }), "peoplePerHour"),
        (json!({ "placeholders": "x" }), "placeholders"),
        (json!({ "placeholders": [1] }), "placeholders[0]"),
        (json!({ "placeholders": [" "] }), "placeholders"),
        (json!({ "placeholders": ["x".repeat(257)] }), "placeholders"),
        (json!({ "placeholders": many }), "placeholders"),
        (json!({ "erasedKeptDays": 29 }), "erasedKeptDays"),
        (json!({ "erasedKeptDays": -30 }), "erasedKeptDays"),
        (json!({ "erasedKeptDays": 36_501 }), "erasedKeptDays"),
        (json!({ "erasedKeptDays": i64::MAX }), "erasedKeptDays"),
        (json!({ "erasedKeptDays": 30.5 }), "erasedKeptDays"),
        (json!({ "erasedKeptDays": "30" }), "erasedKeptDays"),
        (json!({ "erasedKeptDays": null }), "erasedKeptDays"),
        (json!({ "erasedKeptDays": "forever" }), "erasedKeptWhy"),
        (json!({ "erasedKeptDays": "forever", "erasedKeptWhy": " " }), "erasedKeptWhy"),
        (json!({ "erasedKeptDays": "forever", "erasedKeptWhy": "x".repeat(1_001) }), "erasedKeptWhy"),
        (json!({ "erasedKeptDays": "forever", "erasedKeptWhy": "a\nb" }), "erasedKeptWhy"),
        (json!({ "erasedKeptDays": 40, "erasedKeptWhy": "a law" }), "erasedKeptWhy"),
        (json!({ "erasedKeptWhy": 1 }), "erasedKeptWhy"),
        (json!({ "clientSecret": "x".repeat(15) }), "clientSecret"),
        (json!({ "clientSecret": "x".repeat(257) }), "clientSecret"),
        (json!({ "clientSecret": "a\tb and fifteen more" }), "clientSecret"),
        (json!({ "clientSecret": true }), "clientSecret"),
        (json!({ "origins": ["example.com"] }), "origins[0]"),
    ];
    let before = row(&server);
    for (fault, field) in cases {
        // Beside others that are good.
        let mut body = json!({ "origins": ["https://a.example"], "publicWrites": "events-only",
            "peoplePerAddress": 9, "peoplePerHour": 9, "placeholders": ["z"], "clientSecret": "x".repeat(16) });
        for (name, value) in fault.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let reply = set(&server, body).expect(400).json();
        assert_eq!(reply["code"], "invalid", "{fault}");
        let named: Vec<&Value> =
            reply["errors"].as_array().expect("faults").iter().map(|fault| &fault["field"]).collect();
        assert_eq!(named, [field], "{fault}: {reply}");
        assert_eq!(row(&server), before, "{fault}");
    }
    // The twin: the good ones alone change it.
    set(&server, json!({ "peoplePerAddress": 9 })).expect(200);
    assert_ne!(row(&server), before);
}

#[test]
fn all_faults_of_a_body_are_named_at_once() {
    let server = Server::start();
    let body = json!({ "origins": ["x"], "publicWrites": "all", "peoplePerAddress": 0, "peoplePerHour": 0,
        "placeholders": [""], "erasedKeptDays": 1, "clientSecret": "short" });
    let reply = set(&server, body).expect(400).json();
    let named: Vec<&Value> =
        reply["errors"].as_array().expect("faults").iter().map(|fault| &fault["field"]).collect();
    let all = [
        "origins[0]",
        "publicWrites",
        "peoplePerAddress",
        "peoplePerHour",
        "placeholders",
        "erasedKeptDays",
        "clientSecret",
    ];
    assert_eq!(named, all);
}

#[test]
fn a_client_secret_is_set_and_never_shown() {
    let server = Server::start();
    let project = server.project().id;
    let secret = "a secret of the app";
    let reply = set(&server, json!({ "clientSecret": secret })).expect(200);
    assert!(!reply.text.contains(secret) && !settings(&server).to_string().contains(secret));
    assert_eq!(server.read(|db| projects::client_secret(db, project)).as_deref(), Some(secret));
    set(&server, json!({ "clientSecret": null })).expect(200);
    assert_eq!(server.read(|db| projects::client_secret(db, project)), None);
}

#[test]
fn settings_hold_from_the_next_request_on() {
    let server = Server::with(|options| options.rate_limit = Some(1_000_000));
    set(&server, json!({ "peoplePerAddress": 1, "placeholders": ["nobody"] })).expect(200);
    let send =
        |path: &str, body: Value| server.post(path).bearer(&server.project().token).json(body).send().status;
    assert_eq!(send("/v1/identify", json!({ "userId": "ann" })), 200);
    assert_eq!(send("/v1/identify", json!({ "userId": "bob" })), 429);
    set(&server, json!({ "peoplePerAddress": null })).expect(200);
    assert_eq!(send("/v1/identify", json!({ "userId": "bob" })), 200);
    // Of two names the one that stands for nobody is left out.
    assert_eq!(send("/v1/identify", json!({ "userId": "Nobody", "anonymousId": "v1" })), 200);
    let named = |name: &str| {
        let sql = "SELECT COUNT(*) FROM users WHERE identifier = ?1";
        server.sqlite().query_row(sql, [name], |row| row.get::<_, i64>(0)).expect("a count")
    };
    assert_eq!((named("ann"), named("bob"), named("Nobody")), (1, 1, 0));
}

#[test]
fn a_shorter_time_forgets_older_digests_at_the_next_round() {
    let server = Server::start();
    server.seed("ann").insert();
    let project = server.project().id;
    server.write(move |tx| {
        erasure::by_identifier(tx, project, "ann", Erasure::Everything, Origin::Request).map(|_| ())
    });
    let digests = || {
        let sql = "SELECT COUNT(*) FROM erased_identifiers";
        server.sqlite().query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    server.tick();
    assert_eq!(digests(), 1);
    server.clock.advance(31 * DAY);
    server.tick();
    assert_eq!(digests(), 1);
    set(&server, json!({ "erasedKeptDays": 30 })).expect(200);
    assert_eq!(digests(), 1, "not before the round");
    server.tick();
    assert_eq!(digests(), 0);
}

#[test]
fn digests_stay_as_long_as_a_backup_from_before() {
    let server = Server::start();
    let project = server.project().id;
    let folder = server.app.backups().to_owned();
    std::fs::create_dir_all(&folder).expect("a folder");
    // What has a backup's name and does not read counts by the time in it.
    let backup = |time: &str| folder.join(format!("usher-{time}-1a2b3c4d.backup"));
    let erase = |name: &'static str| {
        server.seed(name).insert();
        server.write(move |tx| {
            erasure::by_identifier(tx, project, name, Erasure::Everything, Origin::Request).map(|_| ())
        });
        server.tick();
    };
    let digests = || {
        let sql = "SELECT COUNT(*) FROM erased_identifiers";
        server.sqlite().query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    let time = |at: i64| {
        usher::clock::rfc3339(at)
            .replace([':', '-'], "")
            .split('.')
            .next()
            .map(|text| text.trim_end_matches('Z').to_owned() + "Z")
            .expect("a time")
    };
    server.clock.advance(DAY);
    erase("before");
    server.clock.advance(DAY);
    let made = server.clock.now();
    std::fs::write(backup(&time(made)), "a backup").expect("a file");
    server.clock.advance(DAY);
    erase("after");
    set(&server, json!({ "erasedKeptDays": 30 })).expect(200);
    server.clock.advance(40 * DAY);
    // Its own upkeep prunes it by its age: it stands for one that is kept for longer.
    server.app.set_backup_policy(usher::app::BackupPolicy { keep: 1_000 * DAY, ..Default::default() });
    server.tick();
    assert_eq!(digests(), 1, "who was erased after the backup is in it");
    std::fs::remove_file(backup(&time(made))).expect("a file");
    // One of unknown age may hold anybody.
    std::fs::write(folder.join("unknown.backup"), "a backup").expect("a file");
    server.tick();
    assert_eq!(digests(), 1);
    std::fs::remove_file(folder.join("unknown.backup")).expect("a file");
    server.tick();
    assert_eq!(digests(), 0);
}

#[test]
fn each_change_stands_in_the_audit_log_once() {
    let server = Server::start();
    let actions = || {
        let conn = server.sqlite();
        let mut all = conn.prepare("SELECT action FROM audit ORDER BY seq").expect("the log");
        let rows = all.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        rows.map(|row| row.expect("a row")).collect::<Vec<String>>()
    };
    let before = actions().len();
    let body =
        json!({ "origins": ["https://a.example"], "peoplePerHour": 5, "clientSecret": "x".repeat(16) });
    set(&server, body.clone()).expect(200);
    assert_eq!(actions()[before..], ["set origins", "change project", "set client secret"]);
    // What is there already is no change.
    set(&server, body).expect(200);
    assert_eq!(actions().len(), before + 3);
}
