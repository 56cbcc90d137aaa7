//! Alloy Embedded's users: seeds/003, and what its Node client asks for.

use serde_json::{Value, json};
use usher::clock::MINUTE;
use usher::erasure::trash;
use usher::model::{Dropped, Kind, UserId};
use usher::people::{activity, find, subject};
use usher::store::NormalTx;

use crate::harness::{Reply, Request, START, Server, encode, event, fields, named};

const VERSIONS: &str = "must be 2025-09, or in paths 2023-01, 2023-06, 2023-12 or 2024-03";

/// A request as the seed's page makes it.
fn call<'a>(server: &'a Server, method: &str, path: &str) -> Request<'a> {
    server
        .request(method, path)
        .header("Authorization", &format!("bearer {}", server.project().all))
        .header("x-api-version", "2025-09")
}

fn create(server: &Server, username: &str) -> String {
    let reply = call(server, "POST", "/users").json(json!({ "username": username })).send().expect(200);
    reply.json()["userId"].as_str().expect("an id").to_owned()
}

fn get(server: &Server, name: &str) -> Reply {
    call(server, "GET", &format!("/users/{}", encode(name))).send()
}

fn delete(server: &Server, path: &str) -> Reply {
    call(server, "DELETE", path).send()
}

fn number(user_id: &str) -> UserId {
    UserId(i64::from_str_radix(user_id, 16).expect("hex digits"))
}

#[track_caller]
fn refused(reply: Reply, status: u16, message: &str) {
    let reply = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json(), json!({ "message": message }));
}

#[test]
fn the_seeds_deletion_answers_success() {
    let server = Server::start();
    let id = create(&server, "ann");
    let reply = delete(&server, &format!("/users/{id}")).expect(200);
    assert_eq!(reply.json(), json!({ "success": true }));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[test]
fn without_a_good_key_it_is_unauthorized_in_the_seeds_word() {
    let server = Server::start();
    let request = || server.delete("/users/x").header("x-api-version", "2025-09");
    refused(request().send(), 401, "Unauthorized");
    refused(request().bearer("wrong").send(), 401, "Unauthorized");
    refused(request().header("Authorization", "Basic eDp5").send(), 401, "Unauthorized");
    refused(server.get("/2023-01/users").bearer("wrong").send(), 401, "Unauthorized");
}

#[test]
fn a_key_without_the_scope_is_forbidden() {
    let server = Server::start();
    let id = create(&server, "ann");
    let reader = server.key(Some(server.project().id), "read");
    let organisation = server.key(None, "read,write,delete");
    let path = format!("/users/{id}");
    for (method, key) in
        [("DELETE", &reader), ("PUT", &reader), ("GET", &organisation), ("DELETE", &organisation)]
    {
        let request = server.request(method, &path).bearer(key).header("x-api-version", "2025-09");
        refused(request.send(), 403, "Forbidden");
    }
    get(&server, &id).expect(200);
}

#[test]
fn the_scheme_may_be_missing_or_in_capitals() {
    let server = Server::start();
    let key = &server.project().all;
    for value in [key.clone(), format!("BEARER {key}"), format!("Bearer {key}")] {
        let request = server.get("/users").header("Authorization", &value).header("x-api-version", "2025-09");
        request.send().expect(200);
    }
}

#[test]
fn a_user_is_created_read_listed_and_changed() {
    let server = Server::start();
    let body = json!({ "username": "ann@example.com", "fullName": "Ann Example", "unknown": [1] });
    let created = call(&server, "POST", "/users").json(body).send().expect(200).json();
    assert_eq!(fields(&created), ["userId"]);
    let id = created["userId"].as_str().expect("an id").to_owned();
    assert_eq!(id.len(), 24);
    assert!(id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)), "{id}");

    let ann = json!({ "userId": id, "username": "ann@example.com", "fullName": "Ann Example" });
    assert_eq!(get(&server, &id).expect(200).json(), ann);
    assert_eq!(get(&server, "ann@example.com").expect(200).json(), ann);

    let bob = create(&server, "bob");
    let list = call(&server, "GET", "/users").send().expect(200).json();
    let without_name = json!({ "userId": bob, "username": "bob", "fullName": null });
    assert_eq!(list, json!({ "data": [without_name, ann] }));

    let change = json!({ "fullName": "Ann Changed" });
    let changed = call(&server, "PUT", "/users/ann%40example.com").json(change).send().expect(200).json();
    assert_eq!(changed, json!({ "userId": id, "username": "ann@example.com", "fullName": "Ann Changed" }));
    assert_eq!(get(&server, &id).json(), changed);
    let emptied = call(&server, "PUT", &format!("/users/{id}")).json(json!({ "fullName": null })).send();
    assert_eq!(emptied.expect(200).json()["fullName"], Value::Null);
}

#[test]
fn both_ways_to_write_the_collections_path_are_good() {
    let server = Server::start();
    let key = &server.project().all;
    for (n, path) in ["/users/", "/2023-01/users", "/2023-01/users/"].into_iter().enumerate() {
        let request = |method: &str| match path.starts_with("/users") {
            true => call(&server, method, path),
            false => server.request(method, path).bearer(key),
        };
        request("POST").json(json!({ "username": format!("user {n}") })).send().expect(200);
        let list = request("GET").send().expect(200).json();
        assert_eq!(list["data"].as_array().expect("a list").len(), n + 1);
    }
}

#[test]
fn known_versions_are_spoken_and_others_refused_by_name() {
    let server = Server::start();
    let key = &server.project().all;
    create(&server, "ann");
    for version in ["2023-01", "2023-06", "2023-12", "2024-03"] {
        let reply = server.get(&format!("/{version}/users/ann")).bearer(key).send().expect(200);
        assert_eq!(reply.json()["username"], "ann");
        let in_header = server.get("/users/ann").bearer(key).header("x-api-version", version).send();
        refused(in_header, 400, &format!("x-api-version: {VERSIONS}"));
    }
    for version in ["2025-09", "2022-01", "2023-99"] {
        let reply = server.delete(&format!("/{version}/users/ann")).bearer(key).send();
        refused(reply, 400, &format!("version: {VERSIONS}"));
    }
    for (version, why) in
        [("", VERSIONS), ("2025-9", VERSIONS), ("v1", VERSIONS), ("é", "must be printable ASCII")]
    {
        let reply = server.delete("/users/ann").bearer(key).header("x-api-version", version).send();
        refused(reply, 400, &format!("x-api-version: {why}"));
    }
    get(&server, "ann").expect(200);
}

#[test]
fn a_path_without_version_anywhere_is_not_alloys() {
    let server = Server::start();
    create(&server, "ann");
    let reply = server.delete("/users/ann").bearer(&server.project().all).send().expect(404);
    assert_eq!(reply.json()["error"]["code"], "resource_not_found");
    get(&server, "ann").expect(200);
}

#[test]
fn an_unknown_user_is_not_found() {
    let server = Server::start();
    let second = server.second();
    let theirs = server.get("/2023-01/users/ann").bearer(&second.all);
    let id = create(&server, "ann");
    refused(theirs.send(), 404, "User not found");
    refused(server.get(&format!("/2023-01/users/{id}")).bearer(&second.all).send(), 404, "User not found");
    for name in ["nobody", "null", "000000000000000000000001", &id.to_uppercase(), &id[8..]] {
        let path = format!("/users/{name}");
        refused(call(&server, "GET", &path).send(), 404, "User not found");
        refused(call(&server, "PUT", &path).json(json!({ "fullName": "X" })).send(), 404, "User not found");
        refused(delete(&server, &path), 404, "User not found");
        refused(delete(&server, &format!("{path}/logs")), 404, "User not found");
    }
}

#[test]
fn what_alloy_has_and_we_have_not_is_missing_in_its_shape() {
    let server = Server::start();
    let key = &server.project().all;
    let id = create(&server, "ann");
    for (method, path) in [
        ("GET", format!("/2023-01/users/{id}/token")),
        ("PUT", format!("/2023-01/users/{id}/deactivate-workflows")),
        ("POST", "/2023-01/run/event".to_owned()),
    ] {
        let reply = server.request(method, &path).bearer(key).send().expect(404);
        assert_eq!(fields(&reply.json()), ["message"]);
    }
    let reply = call(&server, "PATCH", &format!("/users/{id}")).send().expect(405);
    assert_eq!(reply.header("allow"), Some("DELETE, GET, HEAD, PUT"));
    assert_eq!(fields(&reply.json()), ["message"]);
}

#[test]
fn a_get_may_carry_a_body() {
    let server = Server::start();
    create(&server, "ann");
    for path in ["/2023-01/users", "/2023-01/users/ann"] {
        server.get(path).bearer(&server.project().all).json(json!({})).send().expect(200);
    }
}

#[test]
fn a_taken_username_is_a_conflict() {
    let server = Server::start();
    let id = create(&server, "ann");
    let again =
        call(&server, "POST", "/users").json(json!({ "username": "ann", "fullName": "Other" })).send();
    refused(again, 409, "Another user has this username");
    assert_eq!(get(&server, &id).json()["fullName"], Value::Null);
    // The other project has its own names.
    let second = server.second();
    server.post("/2023-01/users").bearer(&second.all).json(json!({ "username": "ann" })).send().expect(200);
}

#[test]
fn a_username_can_be_changed_unless_another_has_it() {
    let server = Server::start();
    let ann = create(&server, "ann");
    let bob = create(&server, "bob");
    hide(&server, "bob");
    let rename = |to: &str| {
        let body = json!({ "username": to, "fullName": "New" });
        call(&server, "PUT", &format!("/users/{ann}")).json(body).send()
    };
    // Hidden, but it may come back.
    refused(rename("bob"), 409, "Another user has this username");
    assert_eq!(get(&server, &ann).json(), json!({ "userId": ann, "username": "ann", "fullName": null }));

    assert_eq!(rename("ann").expect(200).json()["username"], "ann");
    assert_eq!(
        rename("eve").expect(200).json(),
        json!({ "userId": ann, "username": "eve", "fullName": "New" })
    );
    refused(get(&server, "ann"), 404, "User not found");
    assert_eq!(get(&server, "eve").expect(200).json()["userId"], json!(ann));
    // The old name is free, and somebody new's.
    assert_ne!(create(&server, "ann"), ann);
    // From the seventh day on the hidden user's name is free, too.
    server.clock.advance(usher::model::TRASH_PERIOD);
    rename("bob").expect(200);
    server.tick();
    assert_eq!(server.rows_of(number(&bob)), 0);
}

#[test]
fn what_was_sent_under_a_former_name_makes_no_second_user() {
    let server = Server::start();
    let project = server.project().id;
    let id = create(&server, "ann");
    server.clock.advance(MINUTE);
    call(&server, "PUT", &format!("/users/{id}")).json(json!({ "username": "eve" })).send().expect(200);
    let late = server
        .write(move |tx: &NormalTx| activity::record(tx, project, &event(&named("ann"), "late", START)));
    assert_eq!(late, activity::Taken::Dropped(Dropped::Late));
    refused(get(&server, "ann"), 404, "User not found");
}

#[test]
fn an_erased_user_leaves_none_of_its_names_in_the_jobs() {
    let server = Server::start();
    let id = create(&server, "former-name");
    let jobs = format!("/api/v1/{}", server.project().key);
    let key = &server.project().all;
    let job = server.delete(&format!("{jobs}/users/former-name")).bearer(key).send().expect(200).json();
    let number = &job["data"]["jobId"];
    server.delete(&format!("{jobs}/jobs/{number}")).bearer(key).send().expect(200);
    call(&server, "PUT", &format!("/users/{id}")).json(json!({ "username": "eve" })).send().expect(200);
    delete(&server, &format!("/users/{id}")).expect(200);
    server.tick();
    let references = server.get(&format!("{jobs}/jobs")).bearer(key).send().expect(200).text;
    assert!(references.contains("erased:"), "{references}");
    assert!(!references.contains("former-name") && !references.contains("eve"), "{references}");
}

#[test]
fn an_id_wins_over_a_name() {
    let server = Server::start();
    let ann = create(&server, "ann");
    let other = create(&server, &ann);
    assert_eq!(get(&server, &ann).json()["username"], "ann");
    delete(&server, &format!("/users/{ann}")).expect(200);
    get(&server, &other).expect(200);
    refused(get(&server, "ann"), 404, "User not found");
    // Nobody has this id any more, so it is a name.
    assert_eq!(get(&server, &ann).json()["userId"], json!(other));
}

#[test]
fn a_deleted_accounts_logs_are_deleted_by_its_id() {
    let server = Server::start();
    let id = server.seed("ann").events(3).email("ann@example.com").insert();
    let shown = get(&server, "ann").expect(200).json()["userId"].as_str().expect("an id").to_owned();
    let path = format!("/users/{shown}");
    delete(&server, &path).expect(200);
    refused(get(&server, &shown), 404, "User not found");
    refused(get(&server, "ann"), 404, "User not found");
    refused(delete(&server, &path), 404, "User not found");
    server.tick();
    // 3 events of one session, and the bare row they hang on.
    assert_eq!(server.rows_of(id), 5);
    let gone = "email IS NULL AND identifier IS NULL AND state = 'detached'";
    assert_eq!(count(&server, &format!("users WHERE id = {id} AND {gone}")), 1);

    // The name is somebody new's, who has no part in them.
    let new = create(&server, "ann");
    assert_ne!(new, shown);
    let logs = delete(&server, &format!("{path}/logs")).expect(200);
    assert_eq!(logs.json(), json!({ "message": "Success" }));
    delete(&server, &format!("{path}/logs")).expect(200);
    server.tick();
    assert_eq!(server.rows_of(id), 0);
    refused(delete(&server, &format!("{path}/logs")), 404, "User not found");
    get(&server, &new).expect(200);
}

#[test]
fn deleted_logs_leave_the_account() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    let bob = server.seed("bob").events(3).insert();
    let before = get(&server, "ann").expect(200).json();
    assert_eq!(delete(&server, "/users/ann/logs").expect(200).json(), json!({ "message": "Success" }));
    server.tick();
    assert_eq!(server.rows_of(id), 1);
    assert_eq!(server.rows_of(bob), 5);
    assert_eq!(get(&server, "ann").json(), before);
}

#[test]
fn a_hidden_user_created_again_has_its_history() {
    let server = Server::start();
    let id = server.seed("ann").events(3).insert();
    let shown = get(&server, "ann").json()["userId"].as_str().expect("an id").to_owned();
    hide(&server, "ann");
    for path in [format!("/users/{shown}"), "/users/ann".to_owned()] {
        refused(call(&server, "GET", &path).send(), 404, "User not found");
        refused(call(&server, "PUT", &path).json(json!({ "fullName": "X" })).send(), 404, "User not found");
        refused(delete(&server, &path), 404, "User not found");
        refused(delete(&server, &format!("{path}/logs")), 404, "User not found");
    }
    assert_eq!(call(&server, "GET", "/users").send().json(), json!({ "data": [] }));
    assert_eq!(create(&server, "ann"), shown);
    assert_eq!(server.rows_of(id), 5);
    get(&server, &shown).expect(200);
}

#[test]
fn an_anonymous_visitor_is_in_no_list() {
    let server = Server::start();
    let project = server.project().id;
    server.write(move |tx: &NormalTx| {
        let mut seen = event(&named("x"), "seen", START);
        seen.subject = subject::Subject { identifier: None, anonymous_id: Some(named("visitor")) };
        seen.kind = Kind::Page;
        activity::record(tx, project, &seen)
    });
    assert_eq!(call(&server, "GET", "/users").send().expect(200).json(), json!({ "data": [] }));
}

#[test]
fn any_identifier_passes_through_a_path() {
    let server = Server::start();
    for name in ["a@b+c/d%e f😀".to_owned(), "😀".repeat(256), "%2F".to_owned(), "..".to_owned()] {
        let id = create(&server, &name);
        assert_eq!(get(&server, &name).expect(200).json()["userId"], json!(id));
        let path = format!("/users/{}", encode(&name));
        let full = call(&server, "PUT", &path).json(json!({ "fullName": "X" })).send().expect(200);
        assert_eq!(full.json()["username"], json!(name));
        delete(&server, &format!("{path}/logs")).expect(200);
        delete(&server, &path).expect(200);
        refused(get(&server, &id), 404, "User not found");
    }
}

#[test]
fn what_cannot_be_an_identifier_is_refused_by_name() {
    let server = Server::start();
    let long = "must have at most 256 characters";
    let control = "must not contain control characters";
    for (name, why) in [("x".repeat(257), long), ("a\nb".into(), control), ("\u{0}".into(), control)] {
        refused(get(&server, &name), 400, &format!("userId: {why}"));
        let body = json!({ "username": name });
        refused(call(&server, "POST", "/users").json(body).send(), 400, &format!("username: {why}"));
    }
    refused(call(&server, "GET", "/users/%ff").send(), 400, "userId: must be UTF-8, percent-encoded");
    assert_eq!(call(&server, "GET", "/users").send().json(), json!({ "data": [] }));
}

#[test]
fn a_bad_body_names_the_field_and_changes_nothing() {
    let server = Server::start();
    let ann = create(&server, "ann");
    let long = "x".repeat(1_025);
    for (body, message) in [
        (json!({}), "username: is required"),
        (json!({ "username": null }), "username: is required"),
        (json!({ "username": "" }), "username: must not be empty"),
        (json!({ "username": true }), "username: must be a string"),
        (json!({ "username": "bob", "fullName": {} }), "fullName: must be a string"),
        (json!({ "username": "bob", "fullName": long }), "fullName: must have at most 1024 characters"),
        (json!({ "username": "bob", "fullName": "a\tb" }), "fullName: must not contain control characters"),
        (json!([]), "the body is not valid JSON: it must be an object"),
    ] {
        refused(call(&server, "POST", "/users").json(body.clone()).send(), 400, message);
        if !message.ends_with("is required") {
            refused(call(&server, "PUT", "/users/ann").json(body).send(), 400, message);
        }
    }
    for (body, content_type) in
        [("", "application/x-www-form-urlencoded"), ("{", "application/json"), ("username=bob", "text/plain")]
    {
        let reply = call(&server, "POST", "/users").body(body, content_type).send().expect(400);
        let said = reply.json()["message"].as_str().expect("a message").to_owned();
        assert!(said.starts_with("the body is not valid JSON"), "{said}");
    }
    let large = json!({ "username": "bob", "fullName": "x".repeat(1024 * 1024) });
    let reply = call(&server, "POST", "/users").json(large).send().expect(413);
    assert_eq!(fields(&reply.json()), ["message"]);
    let list = call(&server, "GET", "/users").send().json();
    assert_eq!(list, json!({ "data": [{ "userId": ann, "username": "ann", "fullName": null }] }));
}

#[test]
fn one_request_too_many_is_told_when_to_come_again() {
    let server = Server::with(|options| options.rate_limit = Some(1));
    call(&server, "GET", "/users").send().expect(200);
    let reply = call(&server, "GET", "/users").send().expect(429);
    assert_eq!(reply.header("retry-after"), Some("60"));
    assert_eq!(fields(&reply.json()), ["message"]);
}

fn hide(server: &Server, name: &'static str) {
    let project = server.project().id;
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, name)?));
}

fn count(server: &Server, rows: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {rows}");
    server.sqlite().query_row(&sql, [], |row| row.get(0)).expect("a count")
}
