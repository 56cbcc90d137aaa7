//! Proficient AI's users: seeds/004, and what its JavaScript client reads.

use serde_json::{Value, json};
use usher::clock::{DAY, MINUTE};
use usher::erasure::trash;
use usher::model::{Kind, TRASH_PERIOD, UserId};
use usher::people::{activity, find};
use usher::store::NormalTx;

use crate::harness::{Reply, Request, START, Server, event, fields, named};

const KEYS: [&str; 8] =
    ["created_at", "external_id", "first_name", "id", "last_name", "live_mode", "object", "updated_at"];

fn call<'a>(server: &'a Server, method: &str, path: &str) -> Request<'a> {
    server.request(method, path).bearer(&server.project().all)
}

fn create(server: &Server, body: Value) -> Value {
    call(server, "POST", "/users").json(body).send().expect(200).json()
}

fn path(user: &Value) -> String {
    format!("/users/{}", user["id"].as_str().expect("an id"))
}

fn number(user: &Value) -> UserId {
    let id = user["id"].as_str().expect("an id").strip_prefix("u_").expect("u_");
    UserId(id.parse().expect("a number"))
}

fn list(server: &Server, query: &str) -> Vec<Value> {
    let list = call(server, "GET", &format!("/users{query}")).send().expect(200).json();
    assert_eq!(fields(&list), ["data"]);
    list["data"].as_array().expect("a list").clone()
}

#[track_caller]
fn refused(reply: Reply, status: u16, code: &str) -> String {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = reply.json();
    assert_eq!(fields(&body), ["error"]);
    assert_eq!(fields(&body["error"]), ["code", "message"]);
    assert_eq!(body["error"]["code"], code);
    body["error"]["message"].as_str().expect("a text").to_owned()
}

fn hide(server: &Server, name: &'static str) {
    let project = server.project().id;
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, name)?));
}

#[test]
fn the_seeds_deletion_answers_the_deleted_user() {
    let server = Server::start();
    let project = server.project().id;
    let user = create(&server, json!({ "external_id": "ann", "first_name": "Ann" }));
    server.write(move |tx: &NormalTx| {
        let mut asked = event(&named("ann"), "asked", START);
        asked.kind = Kind::Interaction;
        activity::record(tx, project, &asked)
    });
    assert_eq!(server.rows_of(number(&user)), 2);
    let deleted = call(&server, "DELETE", &path(&user)).send().expect(200).json();
    assert_eq!(deleted, user);
    // At once out of sight, and soon out of the file.
    refused(call(&server, "GET", &path(&user)).send(), 404, "resource_not_found");
    refused(call(&server, "DELETE", &path(&user)).send(), 404, "resource_not_found");
    assert_eq!(list(&server, ""), Vec::<Value>::new());
    server.tick();
    assert_eq!(server.rows_of(number(&user)), 0);
}

#[test]
fn a_user_has_all_eight_fields_whatever_was_said() {
    let server = Server::start();
    let user = create(&server, json!({ "external_id": "ann", "unknown": 1 }));
    assert_eq!(fields(&user), KEYS);
    let id = user["id"].clone();
    assert_eq!(
        user,
        json!({
            "id": id, "object": "user", "created_at": START, "external_id": "ann", "first_name": "",
            "last_name": "", "live_mode": true, "updated_at": START,
        })
    );
    assert_eq!(id, format!("u_{}", number(&user)));
    assert_eq!(call(&server, "GET", &path(&user)).send().expect(200).json(), user);
    assert_eq!(list(&server, ""), [user]);
}

#[test]
fn an_update_changes_what_it_names_and_nothing_else() {
    let server = Server::start();
    let body = json!({ "external_id": "ann", "first_name": "Ann", "last_name": "Lee", "live_mode": false });
    let user = create(&server, body);
    assert_eq!(user["live_mode"], false);
    server.clock.advance(MINUTE);
    let updated =
        call(&server, "POST", &path(&user)).json(json!({ "first_name": "Anna" })).send().expect(200).json();
    let mut expected = user.clone();
    expected["first_name"] = json!("Anna");
    expected["updated_at"] = json!(START + MINUTE);
    assert_eq!(updated, expected);
    let emptied =
        call(&server, "POST", &path(&user)).json(json!({ "last_name": null })).send().expect(200).json();
    assert_eq!((&emptied["first_name"], &emptied["last_name"]), (&json!("Anna"), &json!("")));
    assert_eq!(call(&server, "GET", &path(&user)).send().expect(200).json(), emptied);
}

#[test]
fn the_newest_come_first_and_test_users_can_be_told_apart() {
    let server = Server::start();
    let first = create(&server, json!({ "external_id": "first" }));
    server.clock.advance(MINUTE);
    let test = create(&server, json!({ "external_id": "test", "live_mode": false }));
    server.clock.advance(MINUTE);
    let last = create(&server, json!({ "external_id": "last", "live_mode": true }));
    assert_eq!(list(&server, ""), [last.clone(), test.clone(), first.clone()]);
    assert_eq!(list(&server, "?live_mode=false"), [test]);
    assert_eq!(list(&server, "?live_mode=true"), [last, first]);
    assert_eq!(list(&server, "?other=1").len(), 3);
    for (query, fault) in [
        ("?live_mode=maybe", "must be true or false"),
        ("?live_mode=true&live_mode=false", "must be given once"),
    ] {
        let reply = call(&server, "GET", &format!("/users{query}")).send();
        assert_eq!(refused(reply, 400, "invalid_request"), format!("live_mode: {fault}"));
    }
    let reply = call(&server, "GET", "/users?other=%ff").send();
    assert_eq!(refused(reply, 400, "invalid_request"), "other: must be UTF-8, percent-encoded");
    let second = server.second();
    assert_eq!(server.get("/users").bearer(&second.all).send().expect(200).json(), json!({ "data": [] }));
}

#[test]
fn a_taken_external_id_is_a_conflict() {
    let server = Server::start();
    let user = create(&server, json!({ "external_id": "ann", "first_name": "Ann" }));
    let again = json!({ "external_id": "ann", "first_name": "Other" });
    refused(call(&server, "POST", "/users").json(again.clone()).send(), 409, "conflict");
    assert_eq!(list(&server, ""), [user]);
    let second = server.second();
    server.post("/users").bearer(&second.all).json(again).send().expect(200);
}

#[test]
fn without_a_good_key_or_its_scope_nobody_is_let_in() {
    let server = Server::start();
    let user = create(&server, json!({ "external_id": "ann" }));
    let reader = server.key(Some(server.project().id), "read");
    let organisation = server.key(None, "read,write,delete");
    let delete = || server.delete(&path(&user));
    refused(delete().send(), 401, "invalid_credentials");
    refused(delete().bearer("wrong").send(), 401, "invalid_credentials");
    refused(delete().header("Authorization", "Basic eDp5").send(), 401, "invalid_credentials");
    refused(delete().bearer(&reader).send(), 403, "forbidden");
    refused(delete().bearer(&organisation).send(), 403, "forbidden");
    refused(server.post("/users").bearer(&reader).send(), 403, "forbidden");
    call(&server, "GET", &path(&user)).send().expect(200);
}

#[test]
fn only_an_id_names_a_user_in_a_path() {
    let server = Server::start();
    let user = create(&server, json!({ "external_id": "ann" }));
    let id = number(&user);
    let hex = format!("{:024x}", id.0);
    let others =
        ["ann".to_owned(), id.to_string(), format!("u_0{id}"), format!("u_%2B{id}"), "u_".into(), hex];
    for other in
        others.iter().chain(&["u_1".to_owned(), "u_99999999999999999999".to_owned(), "null".to_owned()])
    {
        let path = format!("/users/{other}");
        refused(call(&server, "GET", &path).send(), 404, "resource_not_found");
        refused(
            call(&server, "POST", &path).json(json!({ "first_name": "X" })).send(),
            404,
            "resource_not_found",
        );
        refused(call(&server, "DELETE", &path).send(), 404, "resource_not_found");
    }
    let second = server.second();
    refused(server.delete(&path(&user)).bearer(&second.all).send(), 404, "resource_not_found");
    refused(call(&server, "GET", "/users/u_%ff").send(), 400, "invalid_request");
    assert_eq!(list(&server, ""), [user]);
}

#[test]
fn a_path_or_method_that_is_not_there_is_answered_in_its_shape() {
    let server = Server::start();
    refused(call(&server, "GET", "/users/u_1/interactions").send(), 404, "resource_not_found");
    let reply = call(&server, "PUT", "/users/u_1").send();
    assert_eq!(reply.header("allow"), Some("DELETE, GET, HEAD, POST"));
    refused(reply, 405, "invalid_request");
}

#[test]
fn any_identifier_is_taken_and_what_is_none_is_refused() {
    let server = Server::start();
    for name in ["a@b+c/d%e f😀".to_owned(), "😀".repeat(256)] {
        let user = create(&server, json!({ "external_id": name }));
        assert_eq!(call(&server, "GET", &path(&user)).send().expect(200).json()["external_id"], json!(name));
        call(&server, "DELETE", &path(&user)).send().expect(200);
    }
    let long = "x".repeat(1_025);
    for (body, message) in [
        (json!({}), "external_id: is required"),
        (json!({ "external_id": "" }), "external_id: must not be empty"),
        (json!({ "external_id": true }), "external_id: must be a string"),
        (json!({ "external_id": "x".repeat(257) }), "external_id: must have at most 256 characters"),
        (json!({ "external_id": "a\u{7f}" }), "external_id: must not contain control characters"),
        (json!({ "external_id": "bob", "live_mode": "false" }), "live_mode: must be true or false"),
        (json!({ "external_id": "bob", "first_name": 1 }), "first_name: must be a string"),
        (json!({ "external_id": "bob", "last_name": long }), "last_name: must have at most 1024 characters"),
        (json!("bob"), "the body is not valid JSON: it must be an object"),
    ] {
        let reply = call(&server, "POST", "/users").json(body).send();
        assert_eq!(refused(reply, 400, "invalid_request"), message);
    }
    for body in ["", "{", "\u{feff}{}"] {
        let reply = call(&server, "POST", "/users").body(body, "application/json").send();
        refused(reply, 400, "invalid_request");
    }
    let large = json!({ "external_id": "bob", "first_name": "x".repeat(1024 * 1024) });
    refused(call(&server, "POST", "/users").json(large).send(), 413, "invalid_request");
    assert_eq!(list(&server, ""), Vec::<Value>::new());
}

#[test]
fn a_bad_update_changes_nothing() {
    let server = Server::start();
    let user = create(&server, json!({ "external_id": "ann", "first_name": "Ann" }));
    server.clock.advance(MINUTE);
    let body = json!({ "first_name": "Other", "last_name": "a\nb" });
    let reply = call(&server, "POST", &path(&user)).json(body.clone()).send();
    assert_eq!(refused(reply, 400, "invalid_request"), "last_name: must not contain control characters");
    // The body is looked at before the user.
    refused(call(&server, "POST", "/users/u_1").json(body).send(), 400, "invalid_request");
    assert_eq!(list(&server, ""), [user]);
}

#[test]
fn a_hidden_user_is_unknown_until_a_post_brings_it_back() {
    let server = Server::start();
    let events = 3;
    let id = server.seed("ann").events(events).insert();
    let user = list(&server, "").remove(0);
    for (body, at) in [(json!({ "external_id": "ann" }), "/users".to_owned()), (json!({}), path(&user))] {
        hide(&server, "ann");
        refused(call(&server, "GET", &path(&user)).send(), 404, "resource_not_found");
        assert_eq!(list(&server, ""), Vec::<Value>::new());
        server.clock.advance(TRASH_PERIOD - 1);
        let back = call(&server, "POST", &at).json(body).send().expect(200).json();
        assert_eq!(back["id"], user["id"]);
        assert_eq!(back["updated_at"], server.clock.now());
        assert_eq!(list(&server, ""), [back]);
        assert_eq!(server.rows_of(id), i64::from(events) + 2);
    }
}

#[test]
fn after_seven_days_a_hidden_user_is_somebody_new() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    let user = list(&server, "").remove(0);
    hide(&server, "ann");
    server.clock.advance(7 * DAY);
    refused(call(&server, "POST", &path(&user)).json(json!({})).send(), 404, "resource_not_found");
    refused(call(&server, "DELETE", &path(&user)).send(), 404, "resource_not_found");
    assert_ne!(create(&server, json!({ "external_id": "ann" }))["id"], user["id"]);
    server.tick();
    assert_eq!(server.rows_of(id), 0);
}

#[test]
fn a_hidden_user_can_be_deleted_for_good() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    let user = list(&server, "").remove(0);
    hide(&server, "ann");
    assert_eq!(call(&server, "DELETE", &path(&user)).send().expect(200).json()["id"], user["id"]);
    refused(call(&server, "POST", &path(&user)).json(json!({})).send(), 404, "resource_not_found");
    server.tick();
    assert_eq!(server.rows_of(id), 0);
    assert_ne!(create(&server, json!({ "external_id": "ann" }))["id"], user["id"]);
}

#[test]
fn one_request_too_many_is_told_when_to_come_again() {
    let server = Server::with(|options| options.rate_limit = Some(1));
    call(&server, "GET", "/users").send().expect(200);
    let reply = call(&server, "GET", "/users").send();
    assert_eq!(reply.header("retry-after"), Some("60"));
    refused(reply, 429, "unavailable");
}
