//! What is refused, in the words of this API, and that it changed nothing.

use serde_json::json;

use super::{at, bad, call, create, delete, get, hard_delete, put, refused, told, unknown, with};
use crate::harness::Server;

#[test]
fn an_unknown_user_is_not_found_by_the_id_that_was_asked_for() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "ann" }));
    let shown = get(&server, "ann")["aptrinsicId"].as_str().expect("an id").to_owned();
    for name in ["nobody", "Ann", "ann ", &shown, "erase", "a/b", "😀"] {
        unknown(call(&server, "GET", &at(name)).send(), name);
        unknown(put(&server, name, json!({ "firstName": "A" })), name);
        unknown(delete(&server, name), name);
        unknown(hard_delete(&server, name), name);
    }
    // Another project's key does not reach it.
    let second = server.second();
    let theirs = |method| server.request(method, "/v1/users/ann").header("X-APTRINSIC-API-KEY", &second.all);
    unknown(theirs("GET").send(), "ann");
    unknown(theirs("PUT").json(json!({})).send(), "ann");
    unknown(theirs("DELETE").send(), "ann");
    assert_eq!(get(&server, "ann")["firstName"], "");
}

#[test]
fn the_key_may_stand_in_either_header_and_its_own_wins() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "ann" }));
    let key = server.project().all.as_str();
    let with = |pairs: &[(&str, &str)]| {
        let request = server.get("/v1/users/ann");
        pairs.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
    };
    with(&[("x-aptrinsic-api-key", key)]).expect(200);
    with(&[("Authorization", key)]).expect(200);
    with(&[("Authorization", &format!("bEaReR {key}"))]).expect(200);
    with(&[("X-APTRINSIC-API-KEY", key), ("Authorization", "Basic eDp5")]).expect(200);
    with(&[("X-APTRINSIC-API-KEY", ""), ("Authorization", key)]).expect(200);
    for pairs in [
        vec![],
        vec![("X-APTRINSIC-API-KEY", "")],
        vec![("X-APTRINSIC-API-KEY", "wrong")],
        vec![("X-APTRINSIC-API-KEY", "wrong"), ("Authorization", key)],
        vec![("X-APTRINSIC-API-KEY", "é")],
        vec![("Authorization", "Basic eDp5")],
        vec![("Authorization", "wrong")],
    ] {
        assert!(refused(with(&pairs), 401, "UNAUTHORIZED").is_empty(), "{pairs:?}");
    }
    // Before anything else is looked at.
    refused(server.delete("/v1/users/%ff?hardDelete=maybe").send(), 401, "UNAUTHORIZED");
}

#[test]
fn what_is_wrong_besides_is_said_in_the_same_shape() {
    let server = Server::with(|options| options.rate_limit = Some(2));
    let project = server.project().id;
    create(&server, json!({ "identifyId": "ann" }));
    let reader = server.key(Some(project), "read");
    let with =
        |key: &str| server.delete("/v1/users/ann?hardDelete=x").header("X-APTRINSIC-API-KEY", key).send();
    refused(with(&reader), 403, "FORBIDDEN");
    refused(with(&server.key(None, "read,delete")), 403, "FORBIDDEN");
    refused(call(&server, "POST", "/v1/users/ann").send(), 405, "METHOD_NOT_ALLOWED");
    refused(call(&server, "GET", "/v1/users/ann/events").send(), 404, "NOT_FOUND");
    refused(call(&server, "GET", "/v1/users/").send(), 404, "NOT_FOUND");
    let large = json!({ "identifyId": "ben", "title": "x".repeat(1024 * 1024) });
    refused(call(&server, "POST", "/v1/users").json(large).send(), 413, "PAYLOAD_TOO_LARGE");
    let limited = call(&server, "GET", "/v1/users/ann").send();
    assert_eq!(limited.header("retry-after"), Some("30"));
    refused(limited, 429, "TOO_MANY_REQUESTS");
}

fn count(server: &Server) -> i64 {
    let count = "SELECT COUNT(*) FROM users";
    server.sqlite().query_row(count, [], |row| row.get(0)).expect("a count")
}

#[test]
fn a_body_that_is_no_object_changes_nothing() {
    let server = Server::start();
    create(&server, with(told(), json!({ "identifyId": "ann" })));
    let before = get(&server, "ann");
    let large = json!({ "identifyId": "ann", "customAttributes": { "text": "x".repeat(64 * 1024) } });
    let said = bad(call(&server, "POST", "/v1/users").json(large).send());
    assert_eq!(said, ["customAttributes: all attributes of a user together must be under 65536 bytes"]);
    for (body, content_type) in [
        ("", "application/json"),
        ("{", "application/json"),
        ("[]", "text/plain"),
        ("identifyId=ben", "text/plain"),
    ] {
        for (method, path) in [("POST", "/v1/users"), ("PUT", "/v1/users/ann")] {
            let said = bad(call(&server, method, path).body(body, content_type).send());
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].starts_with("body: the body is not valid JSON"), "{said:?}");
        }
    }
    assert_eq!(get(&server, "ann"), before);
    assert_eq!(count(&server), 1);
}

#[test]
fn the_id_in_a_put_is_the_paths() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "ann" }));
    put(&server, "ann", json!({ "identifyId": "ann", "title": "Dr" })).expect(204);
    let reply = put(&server, "ann", json!({ "identifyId": "ben", "title": "Prof" }));
    assert_eq!(bad(reply), ["identifyId: must be the one in the path, or left out"]);
    assert_eq!(bad(put(&server, "ann", json!({ "identifyId": true }))), ["identifyId: must be a string"]);
    assert_eq!(get(&server, "ann")["title"], "Dr");
    assert_eq!(count(&server), 1);
}

#[test]
fn what_cannot_be_an_identifier_is_refused_by_name() {
    let server = Server::start();
    let long = "identifyId: must have at most 256 characters";
    let control = "identifyId: must not contain control characters";
    for (name, fault) in [("x".repeat(257), long), ("a\nb".into(), control), ("\u{7f}".into(), control)] {
        assert_eq!(bad(call(&server, "GET", &at(&name)).send()), [fault]);
        assert_eq!(bad(put(&server, &name, json!({}))), [fault]);
        assert_eq!(bad(delete(&server, &name)), [fault]);
        assert_eq!(bad(hard_delete(&server, &name)), [fault]);
        assert_eq!(
            bad(call(&server, "POST", "/v1/users").json(json!({ "identifyId": name })).send()),
            [fault]
        );
    }
    for (body, fault) in [
        (json!({}), "is required"),
        (json!({ "identifyId": null }), "is required"),
        (json!({ "identifyId": "" }), "must not be empty"),
        (json!({ "identifyId": true }), "must be a string"),
        (json!({ "identifyId": 7.5 }), "must be a whole number of at most 256 digits, or a string"),
        (json!({ "id": "ann" }), "is required"),
    ] {
        let said = bad(call(&server, "POST", "/v1/users").json(body).send());
        assert_eq!(said, [format!("identifyId: {fault}")]);
    }
    let fault = ["identifyId: must be UTF-8, percent-encoded"];
    assert_eq!(bad(call(&server, "DELETE", "/v1/users/%ff").send()), fault);
    assert_eq!(count(&server), 0);
}
