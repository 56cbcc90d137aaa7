//! The vendor's own paths beside that of a user: their words are never somebody's id there.

use serde_json::{Value, json};

use super::{bad, call, create, delete, get, put, refused, unknown};
use crate::harness::{Reply, Server, fields};

fn delete_named(server: &Server, query: &str, body: Value) -> Reply {
    call(server, "DELETE", &format!("/v1/users/delete{query}")).json(body).send()
}

fn update_named(server: &Server, body: Value) -> Reply {
    call(server, "PUT", "/v1/users/update").json(body).send()
}

#[test]
fn the_user_in_the_body_is_deleted_and_not_the_one_named_delete() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "delete" }));
    for query in ["", "?hardDelete=true", "?hardDelete=True"] {
        create(&server, json!({ "identifyId": "ann" }));
        let reply = delete_named(&server, query, json!({ "identifyId": "ann" })).expect(200);
        assert_eq!(reply.json(), json!({ "body": {}, "statusCode": "200", "statusCodeValue": 200 }));
        unknown(call(&server, "GET", "/v1/users/ann").send(), "ann");
        // Soft: it comes back with a change; hard: nobody does.
        put(&server, "ann", json!({})).expect(if query.is_empty() { 204 } else { 404 });
    }
    assert_eq!(get(&server, "delete")["identifyId"], "delete");
    delete_named(&server, "", json!({ "identifyId": "delete" })).expect(200);
    unknown(call(&server, "GET", "/v1/users/delete").send(), "delete");
}

#[test]
fn delete_without_a_body_erases_nobody() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "delete" }));
    // However the word is written.
    for path in ["/v1/users/delete", "/v1/users/%64elete", "/v1/users/d%65lete"] {
        for query in ["", "?hardDelete=true"] {
            let path = format!("{path}{query}");
            assert_eq!(bad(call(&server, "DELETE", &path).send()).len(), 1);
            let nobody = call(&server, "DELETE", &path).json(json!({})).send();
            assert_eq!(bad(nobody), ["identifyId: is required"]);
        }
    }
    assert_eq!(get(&server, "delete")["identifyId"], "delete");
}

#[test]
fn delete_refuses_what_the_path_of_a_user_refuses() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "ann" }));
    unknown(delete_named(&server, "", json!({ "identifyId": "nobody" })), "nobody");
    unknown(delete_named(&server, "?hardDelete=true", json!({ "identifyId": "nobody" })), "nobody");
    for (body, fault) in [
        (json!({ "id": "ann" }), "is required"),
        (json!({ "identifyId": null }), "is required"),
        (json!({ "identifyId": "" }), "must not be empty"),
        (json!({ "identifyId": ["ann"] }), "must be a string"),
    ] {
        assert_eq!(bad(delete_named(&server, "", body)), [format!("identifyId: {fault}")]);
    }
    let reply = delete_named(&server, "?hardDelete=maybe", json!({ "identifyId": "ann" }));
    assert_eq!(bad(reply), ["hardDelete: must be true or false"]);
    let writer = server.key(Some(server.project().id), "read,write,ingest");
    let reply = server.delete("/v1/users/delete").header("X-APTRINSIC-API-KEY", &writer);
    refused(reply.json(json!({ "identifyId": "ann" })).send(), 403, "FORBIDDEN");
    assert_eq!(get(&server, "ann")["identifyId"], "ann");
}

#[test]
fn update_changes_the_user_in_the_body() {
    let server = Server::start();
    create(&server, json!({ "identifyId": "ann" }));
    create(&server, json!({ "identifyId": "update" }));
    let reply = update_named(&server, json!({ "identifyId": "ann", "title": "Dr" })).expect(204);
    assert_eq!(reply.text, "");
    assert_eq!(
        (get(&server, "ann")["title"].clone(), get(&server, "update")["title"].clone()),
        (json!("Dr"), json!(""))
    );
    unknown(update_named(&server, json!({ "identifyId": "nobody", "title": "Dr" })), "nobody");
    assert_eq!(bad(update_named(&server, json!({ "title": "Dr" }))), ["identifyId: is required"]);
    let encoded = call(&server, "PUT", "/v1/users/%75pdate").json(json!({ "title": "Dr" })).send();
    assert_eq!(bad(encoded), ["identifyId: is required"]);
    // Who is hidden comes back.
    delete(&server, "ann").expect(200);
    update_named(&server, json!({ "identifyId": "ann" })).expect(204);
    assert_eq!(get(&server, "ann")["title"], "Dr");
}

#[test]
fn any_identifier_fits_the_body() {
    let server = Server::start();
    for name in ["a/b", "%2F", "a%b", "..", "delete", "update", " ", "a;b=c&d?#", "😀"] {
        create(&server, json!({ "identifyId": name }));
        update_named(&server, json!({ "identifyId": name, "title": "Dr" })).expect(204);
        assert_eq!(get(&server, name)["title"], "Dr", "{name}");
        delete_named(&server, "", json!({ "identifyId": name })).expect(200);
        unknown(call(&server, "GET", &super::at(name)).send(), name);
        delete_named(&server, "?hardDelete=true", json!({ "identifyId": name })).expect(200);
        unknown(delete_named(&server, "?hardDelete=true", json!({ "identifyId": name })), name);
    }
}

#[test]
fn for_other_methods_the_words_are_ids() {
    let server = Server::start();
    for name in ["delete", "update"] {
        create(&server, json!({ "identifyId": name, "title": name }));
        assert_eq!(get(&server, name)["title"], name);
    }
    put(&server, "delete", json!({ "title": "Dr" })).expect(204);
    assert_eq!(get(&server, "delete")["title"], "Dr");
    delete(&server, "update").expect(200);
    unknown(call(&server, "GET", "/v1/users/update").send(), "update");
    let reply = call(&server, "POST", "/v1/users/delete").send();
    assert_eq!(reply.header("allow"), Some("DELETE, GET, HEAD, PUT"));
    refused(reply, 405, "METHOD_NOT_ALLOWED");
}

#[test]
fn the_attributes_of_accounts_are_listed_though_none_is_kept() {
    let server = Server::start();
    let list = |of: &str| call(&server, "GET", &format!("/v1/admin/model/{of}/attributes")).send();
    let (users, accounts) = (list("user").expect(200).json(), list("account").expect(200).json());
    let accounts = accounts.as_array().expect("a bare list");
    for attribute in accounts {
        assert_eq!(fields(attribute), fields(&users[0]));
        assert_eq!((&attribute["origin"], &attribute["state"]), (&json!("DEFAULT"), &json!("ENABLED")));
    }
    let kind = |name: &str| accounts.iter().find(|one| one["apiName"] == name).map(|one| one["type"].clone());
    assert_eq!(kind("id"), Some(json!("STRING")));
    assert_eq!(kind("renewalDate"), Some(json!("DATE_TIME")));
    assert_eq!(kind("numberOfUsers"), Some(json!("NUMBER")));
    for other in ["visitor", "User", "users", "%ff"] {
        refused(list(other), 404, "NOT_FOUND");
    }
}
