//! Vemetric's users: seeds/001, the vendor's documentation, and what its clients send.

mod filters;
mod hostile;
mod hub;
mod ingest;
mod lists;
mod orders;
mod periods;
mod refusals;
mod visitors;

use serde_json::{Value, json};
use usher::clock::{DAY, MINUTE, Millis, parse_rfc3339};
use usher::erasure::trash;
use usher::model::{Kind, ProfileChange, UserId};
use usher::people::{activity, find, registration, subject, users};
use usher::store::NormalTx;

use crate::harness::{Reply, Request, START, Server, encode, event, fields, named};

const KEYS: [&str; 9] =
    ["anonymous", "avatarUrl", "city", "country", "data", "displayName", "id", "identifier", "lastSeenAt"];
const ONE: &str = "Provide exactly one of id or identifier";

fn call<'a>(server: &'a Server, method: &str, path: &str) -> Request<'a> {
    server.request(method, path).bearer(&server.project().all)
}

fn single(server: &Server, query: &str) -> Reply {
    call(server, "GET", &format!("/v1/users/single{query}")).send()
}

fn user(server: &Server, name: &str) -> Value {
    let reply = single(server, &format!("?identifier={}", encode(name))).expect(200).json();
    assert_eq!(fields(&reply), ["user"]);
    assert_eq!(fields(&reply["user"]), KEYS);
    reply["user"].clone()
}

fn list(server: &Server, body: Value) -> Value {
    call(server, "POST", "/v1/users").json(body).send().expect(200).json()
}

/// The identifiers of a list, in its order.
fn names(list: &Value) -> Vec<&str> {
    let users = list["users"].as_array().expect("a list");
    users.iter().map(|user| user["identifier"].as_str().unwrap_or("-")).collect()
}

/// To the vendor's other server, with the project's token.
fn send(server: &Server, path: &str, body: Value) -> Reply {
    server.post(path).header("Token", &server.project().token).json(body).send()
}

fn at(text: &str) -> Millis {
    parse_rfc3339(text).expect("a time")
}

/// Somebody does something.
fn seen(server: &Server, name: &str, at: Millis) -> UserId {
    did(server, name, "something", at)
}

fn did(server: &Server, name: &str, what: &str, at: Millis) -> UserId {
    let (project, name, what) = (server.project().id, named(name), what.to_owned());
    server.write(move |tx: &NormalTx| {
        activity::record(tx, project, &event(&name, &what, at))?;
        Ok(find::get_hidden_too(tx, project, name.as_str(), tx.now())?.id)
    })
}

fn set(server: &Server, name: &str, change: ProfileChange) {
    let (project, name) = (server.project().id, named(name));
    server.write(move |tx: &NormalTx| users::create_or_update(tx, project, &name, &change)).expect("taken");
}

fn hide(server: &Server, name: &'static str) {
    let project = server.project().id;
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, name)?));
}

/// A page view of somebody who has no identifier.
fn visit(server: &Server, anonymous_id: &'static str, at: Millis) -> UserId {
    let project = server.project().id;
    server.write(move |tx: &NormalTx| {
        let anonymous_id = named(anonymous_id);
        let mut seen = event(&anonymous_id, "", at);
        seen.subject = subject::Subject { identifier: None, anonymous_id: Some(anonymous_id) };
        seen.kind = Kind::Page;
        seen.url = Some("https://shop.example.com/".into());
        activity::record(tx, project, &seen)?;
        Ok(registration::ensure(tx, project, &seen.subject)?.id)
    })
}

fn count(server: &Server, rows: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {rows}");
    server.sqlite().query_row(&sql, [], |row| row.get(0)).expect("a count")
}

#[track_caller]
fn refused(reply: Reply, status: u16, code: &str, message: &str) {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json(), json!({ "error": { "code": code, "message": message } }));
}

/// A refusal that names these fields, and why.
#[track_caller]
fn invalid(reply: Reply, faults: &[(&str, &str)]) {
    let reply = reply.expect(400);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let details: Vec<Value> =
        faults.iter().map(|(field, message)| json!({ "field": field, "message": message })).collect();
    let error =
        json!({ "code": "VALIDATION_ERROR", "message": "Invalid request parameters", "details": details });
    assert_eq!(reply.json(), json!({ "error": error }));
}

#[test]
fn the_seeds_request_answers_one_user_key_by_key() {
    let server = Server::start();
    let id = seen(&server, "your-user-id", START - MINUTE + 999);
    let text = |text: &str| Some(Some(text.to_owned()));
    let set_data = json!({ "plan": "pro", "company": "Vemetric" });
    let change = ProfileChange {
        display_name: text("John Doe"),
        country: text("US"),
        city: text("Berlin"),
        avatar_url: text("https://cdn.example.com/avatar.png"),
        set: set_data.as_object().expect("an object").clone(),
        ..ProfileChange::default()
    };
    set(&server, "your-user-id", change);
    let expected = json!({ "user": {
        "id": id.to_string(),
        "identifier": "your-user-id",
        "displayName": "John Doe",
        "country": "US",
        "city": "Berlin",
        "lastSeenAt": "2026-03-04T09:59:00Z",
        "avatarUrl": "https://cdn.example.com/avatar.png",
        "data": { "plan": "pro", "company": "Vemetric" },
        "anonymous": false,
    } });
    for query in ["?identifier=your-user-id".to_owned(), format!("?id={id}"), format!("?id=000{id}")] {
        let reply = single(&server, &query).expect(200);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.json(), expected);
    }
}

#[test]
fn a_user_of_whom_nothing_is_known_has_all_nine_keys() {
    let server = Server::start();
    let empty = || Some(Some(String::new()));
    let change = ProfileChange { display_name: empty(), city: empty(), ..ProfileChange::default() };
    set(&server, "ann", change);
    let ann = user(&server, "ann");
    let expected = json!({
        "id": ann["id"], "identifier": "ann", "displayName": null, "country": null, "city": null,
        "lastSeenAt": null, "avatarUrl": null, "data": {}, "anonymous": false,
    });
    assert_eq!(ann, expected);
}

#[test]
fn without_a_display_name_it_is_the_first_and_last_name() {
    let server = Server::start();
    let name = |first: Option<&str>, last: Option<&str>| ProfileChange {
        first_name: Some(first.map(str::to_owned)),
        last_name: Some(last.map(str::to_owned)),
        ..ProfileChange::default()
    };
    for (first, last, shown) in
        [(Some("Ann"), Some("Lee"), "Ann Lee"), (None, Some("Lee"), "Lee"), (Some("Ann"), None, "Ann")]
    {
        set(&server, "ann", name(first, last));
        assert_eq!(user(&server, "ann")["displayName"], shown);
    }
    send(&server, "/u", json!({ "userIdentifier": "ann", "displayName": "Annie" })).expect(200);
    assert_eq!(user(&server, "ann")["displayName"], "Annie");
}

#[test]
fn an_anonymous_user_is_found_by_its_id_alone() {
    let server = Server::start();
    let id = visit(&server, "visitor", START);
    let found = single(&server, &format!("?id={id}")).expect(200).json();
    assert_eq!(found["user"]["identifier"], Value::Null);
    assert_eq!(found["user"]["anonymous"], true);
    assert_eq!(found["user"]["lastSeenAt"], "2026-03-04T10:00:00Z");
    refused(single(&server, "?identifier=visitor"), 404, "USER_NOT_FOUND", "User not found");
}

#[test]
fn both_or_neither_of_id_and_identifier_are_faults_of_both() {
    let server = Server::start();
    seen(&server, "ann", START);
    let both = [("id", ONE), ("identifier", ONE)];
    for query in ["", "?", "?other=1", "?id=1&identifier=ann", "?id=&identifier=", "?id=x&identifier=ann"] {
        invalid(single(&server, query), &both);
        let body = json!({ "dateRange": "30days" });
        let events = call(&server, "POST", &format!("/v1/users/events{query}")).json(body).send();
        invalid(events, &both);
    }
}

#[test]
fn what_is_no_id_and_no_identifier_is_refused_by_name() {
    let server = Server::start();
    let numeric = "id must be a numeric user id";
    let control = "must not contain control characters";
    let long = format!("?identifier={}", "x".repeat(257));
    for (query, field, message) in [
        ("?id=abc", "id", numeric),
        ("?id=", "id", numeric),
        ("?id=-1", "id", numeric),
        ("?id=%2B1", "id", numeric),
        ("?id=1.0", "id", numeric),
        ("?id=u_1", "id", numeric),
        ("?id=%D9%A1", "id", numeric),
        ("?identifier=", "identifier", "must not be empty"),
        ("?identifier=a%00b", "identifier", control),
        ("?identifier=%0A", "identifier", control),
        (&long, "identifier", "must have at most 256 characters"),
        ("?id=1&id=2", "id", "must be given once"),
        ("?identifier=a&identifier=a", "identifier", "must be given once"),
        ("?identifier=%ff", "identifier", "must be UTF-8, percent-encoded"),
    ] {
        invalid(single(&server, query), &[(field, message)]);
        let body = json!({ "dateRange": "30days" });
        let events = call(&server, "POST", &format!("/v1/users/events{query}")).json(body).send();
        invalid(events, &[(field, message)]);
    }
}

#[test]
fn an_unknown_user_is_not_found() {
    let server = Server::start();
    let ann = seen(&server, "ann", START);
    let second = server.second();
    let gone = |reply: Reply| refused(reply, 404, "USER_NOT_FOUND", "User not found");
    for query in ["?id=1", "?id=99999999999999999999999", "?identifier=nobody", "?identifier=ANN"] {
        gone(single(&server, query));
        let body = json!({ "dateRange": "30days" });
        gone(call(&server, "POST", &format!("/v1/users/events{query}")).json(body).send());
    }
    // To another project's key it is nobody.
    for query in [format!("?id={ann}"), "?identifier=ann".to_owned()] {
        gone(server.get(&format!("/v1/users/single{query}")).bearer(&second.all).send());
        let body = json!({ "dateRange": "30days" });
        let path = format!("/v1/users/events{query}");
        gone(server.post(&path).bearer(&second.all).json(body).send());
    }
}

#[test]
fn any_identifier_passes_through_a_query() {
    let server = Server::start();
    for name in ["a@b+c/d%e f😀".to_owned(), "😀".repeat(256), "%2F".to_owned(), "a&b=c#d".to_owned()] {
        send(&server, "/e", json!({ "name": "Came", "userIdentifier": name })).expect(200);
        assert_eq!(user(&server, &name)["identifier"], json!(name));
        let path = format!("/v1/users/events?identifier={}", encode(&name));
        let events = call(&server, "POST", &path).json(json!({ "dateRange": "live" })).send().expect(200);
        assert_eq!(events.json()["events"][0]["name"], "Came");
    }
    // A + that is not encoded is a space, as everywhere in queries.
    seen(&server, "x y", START);
    let spaced = single(&server, "?identifier=x+y").expect(200).json();
    assert_eq!(spaced["user"]["identifier"], "x y");
}

#[test]
fn each_kind_of_wrong_key_has_its_message() {
    let server = Server::start();
    let missing = "Missing API key. Use Authorization: Bearer <key>";
    let malformed = "Malformed Authorization header. Use Bearer <key>";
    let invalid = "Invalid or revoked API key";
    for (method, path) in [
        ("GET", "/v1/users/single"),
        ("POST", "/v1/users"),
        ("POST", "/v1/users/events"),
        ("GET", "/v1/project"),
    ] {
        let request = || server.request(method, path);
        refused(request().send(), 401, "UNAUTHORIZED", missing);
        for value in ["Basic eDp5", "Bearer", "Bearer ", "Token x", ""] {
            let reply = request().header("Authorization", value).send();
            refused(reply, 401, "UNAUTHORIZED", malformed);
        }
        for key in ["vem_abcdefghijklmnopqrstuvwxyz123456", "x"] {
            refused(request().bearer(key).send(), 401, "UNAUTHORIZED", invalid);
        }
        // The header of the other server is none of this one.
        refused(request().header("Token", &server.project().all).send(), 401, "UNAUTHORIZED", missing);
    }
    for scheme in ["", "bearer ", "BEARER "] {
        let value = format!("{scheme}{}", server.project().all);
        server.get("/v1/project").header("Authorization", &value).send().expect(200);
    }
}

#[test]
fn a_key_without_the_scope_or_of_no_project_is_forbidden() {
    let server = Server::start();
    let writer = server.key(Some(server.project().id), "ingest,write,delete");
    let organisation = server.key(None, "ingest,read,write,delete");
    for (key, message) in [
        (&writer, "the key lacks the scope read"),
        (&server.project().token, "the key lacks the scope read"),
        (&organisation, "this API needs the key of a project, not one of the organisation"),
    ] {
        // The scope comes before the parameters, which are wrong here.
        let single = server.get("/v1/users/single").bearer(key).send();
        refused(single, 403, "FORBIDDEN", message);
        refused(server.get("/v1/project").bearer(key).send(), 403, "FORBIDDEN", message);
    }
}

#[test]
fn a_path_or_method_that_is_not_there_is_answered_in_its_shape() {
    let server = Server::start();
    for path in ["/v1/nothing", "/v1/project/x", "/v1/analytics/query"] {
        refused(call(&server, "GET", path).send(), 404, "NOT_FOUND", "there is nothing at this path");
    }
    for (method, path, allow) in
        [("POST", "/v1/project", "GET, HEAD"), ("GET", "/e", "POST"), ("PUT", "/up", "GET, HEAD")]
    {
        let reply = call(&server, method, path).send();
        assert_eq!(reply.header("allow"), Some(allow));
        refused(reply, 405, "METHOD_NOT_ALLOWED", &format!("this path accepts {allow}"));
    }
}

#[test]
fn every_authenticated_answer_says_where_the_key_stands() {
    let server = Server::with(|options| options.rate_limit = Some(2));
    let limits = |reply: &Reply| {
        ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
            .map(|name| reply.header(name).expect(name).parse::<i64>().expect("a number"))
    };
    let now = START / 1_000;
    let first = call(&server, "GET", "/v1/project").send().expect(200);
    assert_eq!(limits(&first), [2, 1, now + 31]);
    // A wrong parameter is counted, and told where the key stands, too.
    let second = single(&server, "").expect(400);
    assert_eq!(limits(&second), [2, 0, now + 61]);
    let third = single(&server, "");
    assert_eq!(limits(&third), [2, 0, now + 61]);
    assert_eq!(third.header("retry-after"), Some("30"));
    refused(third, 429, "RATE_LIMIT_EXCEEDED", "too many requests; try again in 30 s");
    let accepted = send(&server, "/e", json!({ "name": "Came", "userIdentifier": "ann" })).expect(200);
    // Another key has a limit of its own; of one that anybody can read it tells nothing.
    assert_eq!(accepted.header("x-ratelimit-limit"), None);
    // Whoever is not let in has none.
    assert_eq!(server.get("/v1/project").send().expect(401).header("x-ratelimit-limit"), None);
    server.clock.advance(30_000);
    call(&server, "GET", "/v1/project").send().expect(200);
}

#[test]
fn the_project_is_shown_with_the_token_that_takes_events_in() {
    let server = Server::start();
    let project = || call(&server, "GET", "/v1/project").send().expect(200).json();
    let before = project();
    assert_eq!(
        before,
        json!({ "project": {
            "id": server.project().id.to_string(),
            "name": "default",
            "domain": "",
            "token": server.project().token,
            "createdAt": "2026-03-04T10:00:00Z",
            "firstEventAt": null,
            "hasPublicDashboard": false,
            "excludedIps": [],
            "excludedCountries": [],
            "lateEvents": 0,
            "repairs": [],
        } })
    );
    server.clock.advance(MINUTE + 1);
    let token = before["project"]["token"].as_str().expect("a token");
    let came = json!({ "name": "Came", "userIdentifier": "ann" });
    server.post("/e").header("Token", token).json(came.clone()).send().expect(200);
    server.clock.advance(DAY);
    server.post("/e").header("Token", token).json(came).send().expect(200);
    assert_eq!(project()["project"]["firstEventAt"], "2026-03-04T10:01:00Z");
}

#[test]
fn the_server_is_up_for_everybody() {
    let server = Server::start();
    let reply = server.get("/up").send().expect(200);
    assert_eq!(reply.text, "");
}
