//! PX's filters for a part of a name give the same with the names in memory and without them.

use serde_json::{Value, json};

use crate::harness::{Names, Server, encode};

fn server(names: Names) -> Server {
    let server = Server::with(|options| options.names = names);
    let create = |body: Value| {
        let request = server.post("/v1/users").header("X-APTRINSIC-API-KEY", &server.project().all);
        request.json(body).send().expect(201);
    };
    for n in 0..40 {
        create(json!({
            "identifyId": format!("user-{n}"),
            "email": format!("{}{n}@{}.com", if n % 3 == 0 { "Ann" } else { "bob" }, if n % 2 == 0 { "example" } else { "test" }),
            "firstName": if n % 5 == 0 { "Jürgen" } else { "Ann-Marie" },
            "lastName": format!("O'Neill {n}"),
        }));
    }
    server
}

fn found(server: &Server, filters: &[&str]) -> (Vec<String>, i64) {
    let query =
        filters.iter().map(|filter| format!("filter={}", encode(filter))).collect::<Vec<_>>().join("&");
    let path = format!("/v1/users?pageSize=100&sort=identifyId&{query}");
    let body =
        server.get(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200).json();
    let users = body["users"].as_array().expect("users");
    let ids = users.iter().map(|user| user["identifyId"].as_str().expect("an id").to_owned()).collect();
    (ids, body["totalHits"].as_i64().expect("a number"))
}

#[test]
fn a_part_of_a_name_is_found_as_without_the_index() {
    let (with, without) = (server(Names::Read), server(Names::LeftOut));
    let cases: &[&[&str]] = &[
        &["email~*ANN*"],
        &["email~ann*@example.com"],
        &["email~*nn?@*"],
        &["lastName~*neill*"],
        &["firstName~*rgen"],
        &["firstName~*Jür*"],
        &["identifyId~*-1?"],
        &["id~user*;email~*test*"],
        &["email~*ann3*", "lastName~*neill 7"],
        &["email~*ann*", "email==bob1@test.com"],
        &["email!~*ann*"],
        &["firstName~*ann*;score>0"],
        &["email~*nobody*"],
        &["email~*"],
        &["email~*@*"],
    ];
    let mut counts = Vec::new();
    for filters in cases {
        let (found, expected) = (found(&with, filters), found(&without, filters));
        assert_eq!(found, expected, "{filters:?}");
        counts.push(found.1);
    }
    assert!(counts.iter().filter(|count| **count > 0).count() > 8, "{counts:?}");
}

#[test]
fn who_was_erased_or_renamed_is_out_of_a_filter_at_once() {
    let server = server(Names::Read);
    assert_eq!(found(&server, &["email~*ann3@*"]).1, 1);
    let put = server.put("/v1/users/user-3").header("X-APTRINSIC-API-KEY", &server.project().all);
    put.json(json!({ "email": "other@example.com" })).send();
    assert_eq!(found(&server, &["email~*ann3@*"]).1, 0);
    assert_eq!(found(&server, &["email~*other*"]).0, ["user-3"]);
}
