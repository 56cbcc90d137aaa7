//! The example requests of the five vendors' pages, written down here as the pages print
//! them and sent byte for byte, but for the host and the key; and each answer that a page
//! documents, key by key and type by type.

use std::sync::mpsc;
use std::task::Poll;
use usher::store::NormalTx;

use serde_json::{Value, json};
use usher::clock::{Clock, DAY, Millis};
use usher::model::ProfileChange;
use usher::people::{activity, users};

use crate::domain::hold;
use crate::harness::{Server, event, fields, named};
use crate::printed::Printed;

/// Has the same fields, of the same types.
#[track_caller]
fn assert_shape(ours: &Value, printed: &Value) {
    match (ours, printed) {
        (Value::Object(_), Value::Object(members)) => {
            assert_eq!(fields(ours), fields(printed));
            for (name, value) in members {
                assert_shape(&ours[name], value);
            }
        }
        _ => assert_eq!(
            std::mem::discriminant(ours),
            std::mem::discriminant(printed),
            "{ours} for the printed {printed}"
        ),
    }
}

#[track_caller]
fn assert_text(value: &Value) {
    assert!(value.as_str().is_some_and(|text| !text.is_empty()), "{value} is no text");
}

// ---- seeds/000, OpenReplay ----

const STATS: &str = r"curl -X GET \
  https://openreplay.example.com/api/v1/3sWXSsqHgSKnE87YkNJK/users/mickael@openreplay.com \
  -H 'content-type: application/json' \
  -H 'Authorization: {YOUR_ORGANIZATION_API_KEY}'";

const DELETE_USER: &str = r"curl -X DELETE \
  https://openreplay.example.com/api/v1/3sWXSsqHgSKnE87YkNJK/users/mickael@example.com \
  -H 'content-type: application/json' \
  -H 'Authorization: {YOUR_ORGANIZATION_API_KEY}'";

const ORGANISATION: &str = "{YOUR_ORGANIZATION_API_KEY}";

/// A server at some time, whose project has the printed key.
fn openreplay(now: Millis) -> (Server, String) {
    let server = Server::with(|options| options.clock = Clock::manual(now));
    let renamed = server.sqlite().execute("UPDATE projects SET key = '3sWXSsqHgSKnE87YkNJK'", []);
    assert_eq!(renamed, Ok(1));
    let key = server.key(None, "read,delete");
    (server, key)
}

#[test]
fn seed_000_the_stats_are_the_printed_ones_to_the_letter() {
    let printed = json!({
        "data": {
            "userId": "mickael@openreplay.com",
            "sessionCount": 3,
            "lastSeen": 1623689478617_i64,
            "firstSeen": 1623440822825_i64,
        }
    });
    let (server, key) = openreplay(1623912962910);
    let project = server.project().id;
    server.write(move |tx: &NormalTx| {
        [1623440822825, 1623500000000, 1623689478617].into_iter().try_for_each(|at| {
            activity::record(tx, project, &event(&named("mickael@openreplay.com"), "seen", at)).map(|_| ())
        })
    });
    assert_eq!(Printed::curl(STATS).key(ORGANISATION, &key).expect(&server, 200), printed);
    // As printed, with no key of ours.
    assert_eq!(Printed::curl(STATS).expect(&server, 401), json!({ "errors": ["Invalid API Key"] }));
    let second = server.second();
    assert_eq!(
        Printed::curl(STATS).key(ORGANISATION, &second.all).expect(&server, 404),
        json!({ "errors": ["project not found."] })
    );
}

#[test]
fn seed_000_the_deletion_is_answered_with_the_printed_job() {
    let printed = json!({
        "data": {
            "jobId": 22345,
            "description": "Delete user sessions of userId = mickael@example.com",
            "status": "scheduled",
            "projectId": 1,
            "action": "delete_user_data",
            // The page prints another user's address here: a slip.
            "referenceId": "mickael@example.com",
            "createdAt": 1623912962910_i64,
            "updatedAt": 1623912962910_i64,
            "startAt": 1623954600000_i64,
            "errors": null,
        }
    });
    let (server, key) = openreplay(1623912962910);
    let mut ours = Printed::curl(DELETE_USER).key(ORGANISATION, &key).expect(&server, 200);
    assert_shape(&ours, &printed);
    // Its number is ours, and its start is the next midnight of UTC, not of the page's writer.
    assert_eq!(ours["data"]["startAt"], 1623974400000_i64);
    for field in ["jobId", "startAt"] {
        ours["data"][field] = printed["data"][field].clone();
    }
    assert_eq!(ours, printed);
    assert_eq!(Printed::curl(DELETE_USER).expect(&server, 401), json!({ "errors": ["Invalid API Key"] }));
    // "a `jobID` that you can use later on to check the status of the delete operation"
    server.clock.advance(DAY);
    server.tick();
    let jobs = server.get("/api/v1/3sWXSsqHgSKnE87YkNJK/jobs").header("Authorization", &key).send();
    assert_eq!(jobs.expect(200).json()["data"][0]["status"], "completed");
}

// ---- seeds/001, Vemetric ----

const VEMETRIC_KEY: &str = "vem_abcdefghijklmnopqrstuvwxyz123456";

fn get_single(query: &str) -> Printed {
    let header = format!("Bearer {VEMETRIC_KEY}");
    Printed::new("GET", &format!("/v1/users/single?{query}"), &[("Authorization", &header)])
}

/// Each documented type.
#[track_caller]
fn assert_vemetric_user(body: &Value) {
    assert_eq!(fields(body), ["user"]);
    let user = &body["user"];
    let keys = [
        "anonymous",
        "avatarUrl",
        "city",
        "country",
        "data",
        "displayName",
        "id",
        "identifier",
        "lastSeenAt",
    ];
    assert_eq!(fields(user), keys);
    assert!(user["id"].as_str().is_some_and(|id| id.parse::<i64>().is_ok()), "{user}");
    for key in ["identifier", "displayName", "country", "city", "avatarUrl", "lastSeenAt"] {
        assert!(user[key].is_string() || user[key].is_null(), "{key} of {user}");
    }
    if let Some(seen) = user["lastSeenAt"].as_str() {
        // ^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$
        let digits: String = seen.chars().map(|c| if c.is_ascii_digit() { 'd' } else { c }).collect();
        assert_eq!(digits, "dddd-dd-ddTdd:dd:ddZ", "{seen}");
    }
    assert!(user["data"].is_object(), "{user}");
    assert!(user["anonymous"].is_boolean(), "{user}");
}

#[track_caller]
fn assert_vemetric_error(body: &Value, code: &str) {
    assert_eq!(fields(body), ["error"]);
    assert_eq!(fields(&body["error"]), ["code", "message"]);
    assert_eq!(body["error"]["code"], code);
    assert_text(&body["error"]["message"]);
}

#[test]
fn seed_001_a_user_is_read_with_all_nine_fields() {
    // 2026-01-19T12:30:00Z, the page's example of a time.
    let server = Server::with(|options| options.clock = Clock::manual(1_768_825_800_000));
    let project = server.project();
    let batch = json!({ "batch": [
        {
            "type": "identify", "userId": "your-user-id",
            "traits": {
                "displayName": "John Doe", "country": "US", "city": "Berlin",
                "avatarUrl": "https://cdn.example.com/avatar.png", "plan": "pro", "company": "Vemetric",
            },
        },
        { "type": "page", "anonymousId": "visitor" },
    ] });
    server.post("/v1/batch").bearer(&project.all).json(batch).send().expect(200);
    let body = get_single("identifier=your-user-id").key(VEMETRIC_KEY, &project.all).expect(&server, 200);
    assert_vemetric_user(&body);
    let id = body["user"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        body["user"],
        json!({
            "id": id, "identifier": "your-user-id", "displayName": "John Doe", "country": "US",
            "city": "Berlin", "lastSeenAt": "2026-01-19T12:30:00Z",
            "avatarUrl": "https://cdn.example.com/avatar.png",
            "data": { "plan": "pro", "company": "Vemetric" }, "anonymous": false,
        })
    );
    let by_id = get_single(&format!("id={id}")).key(VEMETRIC_KEY, &project.all).expect(&server, 200);
    assert_eq!(by_id, body);
    // "It's possible to fetch anonymous, as well as identified users with this endpoint."
    let visitor: i64 = server
        .sqlite()
        .query_row("SELECT id FROM users WHERE identifier IS NULL", [], |row| row.get(0))
        .expect("the visitor");
    let body = get_single(&format!("id={visitor}")).key(VEMETRIC_KEY, &project.all).expect(&server, 200);
    assert_vemetric_user(&body);
    assert_eq!((&body["user"]["anonymous"], &body["user"]["identifier"]), (&json!(true), &Value::Null));
}

#[test]
fn seed_001_each_documented_error_has_its_code_and_a_message() {
    let server = Server::start();
    let key = server.project().all.clone();
    assert_vemetric_error(&get_single("id=123").expect(&server, 401), "UNAUTHORIZED");
    let ours = |query: &str| get_single(query).key(VEMETRIC_KEY, &key);
    assert_vemetric_error(&ours("id=123").expect(&server, 404), "USER_NOT_FOUND");
    assert_vemetric_error(&ours("identifier=your-user-id").expect(&server, 404), "USER_NOT_FOUND");
    for query in ["", "id=123&identifier=your-user-id", "id=your-user-id"] {
        let body = ours(query).expect(&server, 400);
        assert_eq!(fields(&body["error"]), ["code", "details", "message"]);
        assert_eq!(body["error"]["code"], "VALIDATION_ERROR");
        assert_text(&body["error"]["message"]);
        for detail in body["error"]["details"].as_array().expect("a list") {
            assert_eq!(fields(detail), ["field", "message"]);
            assert_text(&detail["field"]);
            assert_text(&detail["message"]);
        }
    }
    // A file that was edited by hand.
    server.expect_faults();
    server.seed("your-user-id").insert();
    server.sqlite().execute("UPDATE users SET attributes = 'x'", []).expect("a change");
    assert_vemetric_error(&ours("identifier=your-user-id").expect(&server, 503), "SERVICE_UNAVAILABLE");
    server.sqlite().execute_batch("ALTER TABLE users RENAME TO elsewhere").expect("another name");
    assert_vemetric_error(&ours("identifier=your-user-id").expect(&server, 500), "INTERNAL_SERVER_ERROR");
}

#[test]
fn seed_001_one_request_too_many_is_told_so() {
    let server = Server::with(|options| options.rate_limit = Some(1));
    let request = get_single("identifier=your-user-id").key(VEMETRIC_KEY, &server.project().all);
    request.expect(&server, 404);
    assert_vemetric_error(&request.expect(&server, 429), "RATE_LIMIT_EXCEEDED");
}

// ---- seeds/002, Gainsight PX ----

const DELETE_PX: &str = r"curl \
 --request DELETE 'https://api.aptrinsic.com/v1/users/{identifyId}'";

/// The page prints no key; the vendor's is in this header.
fn delete_px(target: &str, key: &str) -> Printed {
    let mut printed = Printed::curl(DELETE_PX).header("X-APTRINSIC-API-KEY", key);
    assert_eq!((printed.method.as_str(), printed.target.as_str()), ("DELETE", "/v1/users/{identifyId}"));
    printed.target = target.to_owned();
    printed
}

#[track_caller]
fn assert_px_error(body: &Value, status: &str) {
    assert_eq!(fields(body), ["externalapierror"]);
    let error = &body["externalapierror"];
    assert_eq!(fields(error), ["debugMessage", "message", "status", "subErrors"]);
    assert_eq!(error["status"], status);
    assert_text(&error["message"]);
}

#[test]
fn seed_002_a_deletion_answers_the_three_printed_fields() {
    let printed = json!({ "body": {}, "statusCode": "100", "statusCodeValue": 42 });
    // "Values are 100, 101, …", as texts; the example's are generated.
    let ours = json!({ "body": {}, "statusCode": "200", "statusCodeValue": 200 });
    let server = Server::start();
    let key = server.project().all.clone();
    // Braces as they are, as a careful client encodes them, and as curl itself reads them.
    for (name, target) in [
        ("{identifyId}", "/v1/users/{identifyId}"),
        ("{identifyId}", "/v1/users/%7BidentifyId%7D"),
        ("identifyId", "/v1/users/identifyId"),
        ("identifyId", "/v1/users/identifyId?hardDelete=false"),
        ("identifyId", "/v1/users/identifyId?hardDelete=true"),
    ] {
        let user = server.seed(name).events(2).insert();
        let body = delete_px(target, &key).expect(&server, 200);
        assert_shape(&body, &printed);
        assert_eq!(body, ours, "{target}");
        server.tick();
        // "Default value is false."
        let hidden = !target.ends_with("hardDelete=true");
        assert_eq!(server.rows_of(user), if hidden { 4 } else { 0 }, "{target}");
        assert_px_error(&delete_px(target, &key).expect(&server, 404), "NOT_FOUND");
        server.clock.advance(8 * DAY);
        server.tick();
    }
}

#[test]
fn seed_002_each_documented_error_has_its_status_and_a_message() {
    let server = Server::with(|options| options.rate_limit = Some(1));
    let target = "/v1/users/{identifyId}";
    assert_px_error(&delete_px(target, "wrong").expect(&server, 401), "UNAUTHORIZED");
    assert_px_error(&Printed::curl(DELETE_PX).expect(&server, 401), "UNAUTHORIZED");
    let request = delete_px(target, &server.project().all);
    assert_px_error(&request.expect(&server, 404), "NOT_FOUND");
    assert_px_error(&request.expect(&server, 429), "TOO_MANY_REQUESTS");
}

// ---- seeds/003, Alloy Embedded ----

fn delete_alloy(target: &str) -> Printed {
    let headers = [("Authorization", "bearer YOUR_API_KEY"), ("x-api-version", "2025-09")];
    Printed::new("DELETE", target, &headers)
}

#[test]
fn seed_003_the_deletion_is_a_success_by_id_and_by_username() {
    let server = Server::start();
    let key = server.project().all.clone();
    let user = server.seed("{userId}").events(2).insert();
    let by_name = delete_alloy("/users/{userId}");
    assert_eq!(by_name.expect(&server, 401), json!({ "message": "Unauthorized" }));
    let by_name = by_name.key("YOUR_API_KEY", &key);
    assert_eq!(by_name.expect(&server, 200), json!({ "success": true }));
    server.tick();
    // "this endpoint only deletes the user's account – not any corresponding workflow logs"
    assert_eq!(server.rows_of(user), 4);
    let missing = by_name.expect(&server, 404);
    assert_eq!(fields(&missing), ["message"]);
    let again = server.seed("{userId}").insert();
    let by_id = delete_alloy(&format!("/users/{:024x}", again.0)).key("YOUR_API_KEY", &key);
    assert_eq!(by_id.expect(&server, 200), json!({ "success": true }));
}

// ---- seeds/004, Proficient AI ----

const CODES: [&str; 7] = [
    "invalid_request",
    "invalid_credentials",
    "forbidden",
    "resource_not_found",
    "conflict",
    "unavailable",
    "unknown",
];

/// The page prints no key; the vendor's client sends this.
fn delete_proficient(target: &str, key: &str) -> Printed {
    Printed::new("DELETE", target, &[("Authorization", &format!("Bearer {key}"))])
}

#[track_caller]
fn assert_proficient_error(body: &Value, code: &str) {
    assert_eq!(fields(body), ["error"]);
    assert_eq!(fields(&body["error"]), ["code", "message"]);
    assert!(CODES.contains(&code));
    assert_eq!(body["error"]["code"], code);
    assert_text(&body["error"]["message"]);
}

fn proficient_user(server: &Server, name: &str) -> String {
    let (project, name) = (server.project().id, named(name));
    let id = server.write(move |tx| {
        let change = ProfileChange { first_name: Some(Some("Ann".into())), ..ProfileChange::default() };
        users::create(tx, project, &name, &change).map(|user| user.expect("taken").id)
    });
    format!("/users/u_{id}")
}

#[test]
fn seed_004_the_deletion_is_answered_with_the_documented_user() {
    let server = Server::start();
    let key = server.project().all.clone();
    let target = proficient_user(&server, "ann");
    let user = delete_proficient(&target, &key).expect(&server, 200);
    // All eight are `required`.
    let documented = json!({
        "id": "", "object": "", "created_at": 0, "external_id": "", "first_name": "", "last_name": "",
        "live_mode": true, "updated_at": 0,
    });
    assert_shape(&user, &documented);
    assert!(user["created_at"].is_i64() && user["updated_at"].is_i64());
    assert_eq!((&user["object"], &user["external_id"]), (&json!("user"), &json!("ann")));
    assert_proficient_error(&delete_proficient(&target, &key).expect(&server, 404), "resource_not_found");
    let as_printed = delete_proficient("/users/{user_id}", &key);
    assert_proficient_error(&as_printed.expect(&server, 404), "resource_not_found");
    assert_proficient_error(&delete_proficient(&target, "x").expect(&server, 401), "invalid_credentials");
}

#[test]
fn seed_004_a_fault_and_a_full_queue_have_its_shape() {
    let server = Server::start();
    server.expect_faults();
    let target = proficient_user(&server, "ann");
    let request = delete_proficient(&target, &server.project().all);
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON jobs BEGIN SELECT RAISE(ABORT, 'broken'); END";
    server.sqlite().execute_batch(broken).expect("a trigger");
    let fault = request.expect(&server, 500);
    assert_proficient_error(&fault, "unknown");
    assert!(!fault.to_string().contains("broken"), "it tells what only the log should: {fault}");
    server.sqlite().execute_batch("DROP TRIGGER broken").expect("no trigger");

    let go_on = hold(&server);
    fill_the_queue(&server, || assert_proficient_error(&request.expect(&server, 503), "unavailable"), go_on);
    request.expect(&server, 200);
}

/// Has as many writes waiting as may wait, while `then` runs.
fn fill_the_queue(server: &Server, then: impl Fn(), go_on: mpsc::Sender<()>) {
    actix_web::rt::System::new().block_on(async {
        let mut waiting = Vec::new();
        loop {
            let mut write = Box::pin(server.app.write(|_: &NormalTx| Ok(())));
            match futures_util::poll!(&mut write) {
                Poll::Ready(Err(_)) => break,
                Poll::Ready(Ok(())) => {}
                Poll::Pending => waiting.push(write),
            }
        }
        assert!(waiting.len() > 100, "the queue is short: {}", waiting.len());
        then();
        drop(go_on);
        for write in waiting {
            write.await.expect("what waited is written");
        }
    });
}
