//! RudderStack's regulations: one for each user, that can be cancelled.

use serde_json::{Value, json};

use crate::harness::{Reply, Server, fields};
use crate::regulations::say;
use crate::segment::{count, find, track};

fn ask(server: &Server, body: Value) -> Reply {
    server.post("/v2/regulations").bearer(&server.project().all).json(body).send()
}

fn list(server: &Server, key: &str, query: &str) -> Value {
    server.get(&format!("/v2/regulations{query}")).bearer(key).send().expect(200).json()
}

#[test]
fn each_user_gets_a_regulation_that_does_not_name_them() {
    let server = Server::start();
    server.seed("ann").insert();
    let users = json!([{ "userId": "ann", "email": "ann@example.com" }, { "userId": "bob" }]);
    let made = ask(&server, json!({ "regulationType": "suppress_with_delete", "users": users })).expect(201);
    assert!(!made.text.contains("ann") && !made.text.contains("bob"), "{}", made.text);
    let made = made.json();
    assert_eq!(made.as_array().map(Vec::len), Some(2));
    assert_eq!(fields(&made[0]), ["attributes", "canceled", "id", "regulationType", "workspaceId"]);
    assert_eq!(
        (&made[0]["canceled"], &made[0]["regulationType"]),
        (&json!(false), &json!("suppress_with_delete"))
    );
    assert!(find(&server, "ann").is_none());
    assert_eq!(count(&server, "suppressions"), 2);
}

#[test]
fn one_that_is_cancelled_stays_listed_and_lets_in_again() {
    let server = Server::start();
    let users = json!([{ "userId": "ann" }, { "userId": "bob" }]);
    let made = ask(&server, json!({ "regulationType": "suppress", "users": users })).expect(201).json();
    let id = made[0]["id"].as_str().expect("an id");
    let path = format!("/v2/regulations/{id}");
    let other = server.second();
    server.delete(&path).bearer(&other.all).send().expect(404);
    assert_eq!(count(&server, "suppressions"), 2);
    // Twice is once.
    for _ in 0..2 {
        server.delete(&path).bearer(&server.project().all).send().expect(204);
    }
    let of_cancelled = |shown: &Value| {
        shown["data"]
            .as_array()
            .map(|all| all.iter().map(|one| (one["id"] == id, one["canceled"] == true)).collect::<Vec<_>>())
    };
    let shown = list(&server, &server.project().all, "");
    assert_eq!(of_cancelled(&shown), Some(vec![(false, false), (true, true)]));
    say(&server, json!([track("ann", "x"), track("bob", "x")]));
    assert_eq!(count(&server, "events"), 1);
    assert_eq!(list(&server, &other.all, "")["data"], json!([]));
    // The other API does not know it any more.
    server.get(&format!("/regulations/{id}")).bearer(&server.project().all).send().expect(404);
}

#[test]
fn one_for_several_people_is_not_cancelled_here() {
    let server = Server::start();
    let body =
        json!({ "regulationType": "SUPPRESS_ONLY", "subjectType": "USER_ID", "subjectIds": ["a", "b"] });
    let made = server.post("/regulations").bearer(&server.project().all).json(body).send().expect(200).json();
    let path = format!("/v2/regulations/{}", made["data"]["regulateId"].as_str().expect("an id"));
    server.delete(&path).bearer(&server.project().all).send().expect(409);
    assert_eq!(count(&server, "suppressions"), 2);
}

#[test]
fn a_page_has_a_hundred_and_names_the_next() {
    let server = Server::start();
    let users: Vec<Value> = (0..101).map(|n| json!({ "userId": format!("u{n}") })).collect();
    ask(&server, json!({ "regulationType": "suppress", "users": users })).expect(201);
    let first = list(&server, &server.project().all, "");
    assert_eq!(first["data"].as_array().map(Vec::len), Some(100));
    let next = first["paging"]["next"].as_str().expect("a next page");
    let last = server.get(next).bearer(&server.project().all).send().expect(200).json();
    assert_eq!((last["data"].as_array().map(Vec::len), &last["paging"]), (Some(1), &json!({})));
    server.get("/v2/regulations?after_cursor=x").bearer(&server.project().all).send().expect(422);
}

#[test]
fn what_is_said_wrong_is_named() {
    let server = Server::start();
    let good = json!({ "regulationType": "suppress", "users": [{ "userId": "ann" }] });
    let cases = [
        ("regulationType", json!("delete")),
        ("users", json!([])),
        ("users", json!([{ "email": "ann@example.com" }])),
        ("users", json!([7])),
        ("sourceIds", json!(["nothing"])),
        ("sourceIds", json!([server.second().key])),
        ("destinationIds", json!(["d"])),
    ];
    for (field, value) in cases {
        let mut body = good.clone();
        body[field] = value;
        let error = ask(&server, body).expect(422).json();
        assert_eq!(error["errors"][0]["field"], field, "{error}");
    }
    assert_eq!((count(&server, "regulations"), count(&server, "suppressions")), (0, 0));
    let mut body = good;
    body["sourceIds"] = json!([server.project().key]);
    ask(&server, body).expect(201);
}

#[test]
fn the_key_may_be_the_user_of_basic() {
    let server = Server::start();
    let basic = |key: &str| format!("Basic {}", data_encoding::BASE64.encode(format!("{key}:").as_bytes()));
    let with = |value: &str| server.get("/v2/regulations").header("Authorization", value).send();
    with(&basic(&server.project().all)).expect(200);
    for wrong in [basic("ush_wrong"), "Basic ?".to_owned(), basic("")] {
        with(&wrong).expect(401);
    }
}
