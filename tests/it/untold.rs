//! What keys that cannot read are not told, and what anybody with a public credential is not told: who
//! is known, erased or suppressed, and what others do.

use serde_json::{Value, json};
use usher::people::suppressions::Policy;

use crate::harness::{Reply, Server};
use crate::late_bounds::erase;
use crate::proficient_client::unsigned;
use crate::public_credentials::{post, public};
use crate::segment::{find, send, user};
use crate::suppressions::suppress;
use crate::tolerance::times;

fn without_id(reply: &Reply) -> (u16, Value) {
    let mut body = reply.json();
    for field in ["id", "userId", "external_id"] {
        if let Some(value) = body.get_mut(field) {
            *value = json!(value.as_str().map_or(0, str::len));
        }
    }
    (reply.status, body)
}

fn alloy(server: &Server, key: &str, method: &str, path: &str, body: Value) -> Reply {
    server.request(method, path).header("x-api-version", "2025-09").bearer(key).json(body).send()
}

#[test]
fn a_key_that_cannot_read_is_not_told_who_is_suppressed() {
    let server = Server::start();
    let write = server.key(Some(server.project().id), "write");
    for name in ["out", "aut"] {
        server.seed(name).insert();
    }
    let ids = ["out", "aut"].map(|name| user(&server, name).id);
    suppress(&server, "out", Policy::Forever);
    suppress(&server, "new", Policy::Forever);
    let proficient = |key: &str, path: &str, body: Value| server.post(path).bearer(key).json(body).send();
    let create = |key: &str, name: &str| {
        proficient(key, "/users", json!({ "external_id": name, "first_name": "N", "live_mode": false }))
    };
    let edit = |key: &str, id| proficient(key, &format!("/users/u_{id}"), json!({ "first_name": "N" }));
    assert_eq!(without_id(&create(&write, "new")), without_id(&create(&write, "nex")));
    assert_eq!(without_id(&create(&write, "out")), without_id(&create(&write, "aut")));
    assert_eq!(without_id(&edit(&write, ids[0])), without_id(&edit(&write, ids[1])));
    let alloys = |key: &str, name: &str| alloy(&server, key, "POST", "/users", json!({ "username": name }));
    assert_eq!(without_id(&alloys(&write, "new")), without_id(&alloys(&write, "ney")));
    let put = |key: &str, name: &str, to: &str| {
        let body = json!({ "fullName": "F", "username": to });
        alloy(&server, key, "PUT", &format!("/users/{name}"), body)
    };
    assert_eq!(without_id(&put(&write, "out", "nex")), without_id(&put(&write, "aut", "nex")), "taken");
    let told = put(&write, "out", "outer").expect(200).json();
    assert_eq!((&told["username"], &told["fullName"]), (&json!("outer"), &json!("F")));
    assert!(find(&server, "new").is_none() && find(&server, "outer").is_none());
    assert_eq!(user(&server, "out").profile.first_name, None);
    // The twin: who may read is told.
    let all = server.project().all.clone();
    create(&all, "new").expect(409);
    edit(&all, ids[0]).expect(409);
    alloys(&all, "new").expect(409);
    put(&all, "out", "outer").expect(409);
}

#[test]
fn a_key_that_cannot_read_is_not_told_whose_a_previous_id_is() {
    let server = Server::start();
    let ingest = server.key(Some(server.project().id), "ingest");
    server.seed("known").insert();
    let alias = |key: &str, previous: &str| {
        let message = json!({ "type": "alias", "userId": "ann", "previousId": previous });
        post(&server, "/v1/batch", key, json!({ "batch": [message] })).expect(200).text
    };
    assert_eq!(alias(&ingest, "known"), alias(&ingest, "unknown"));
    assert_eq!(times(&server, "refused", "refused"), 1);
    assert!(alias(&server.project().all, "known").contains("previousId"));
}

#[test]
fn an_answer_to_a_message_tells_not_who_is_kept_out() {
    let server = Server::start();
    let call = |path: &str, who: &str, body: Value| {
        unsigned(&server, "POST", path, who).json(body).send().expect(200).json()
    };
    // A conversation of each, begun while they were known.
    let mut begun = Vec::new();
    for who in ["live", "erased", "suppressed"] {
        send(&server, "/v1/identify", json!({ "userId": who })).expect(200);
        let interaction = call("/interactions", who, json!({ "agent_id": "a" }))["interaction"].clone();
        let within = interaction["id"].clone();
        let say = json!({ "interaction_id": within, "content": "hello" });
        let parent = call("/messages", who, say)["id"].clone();
        let below = json!({ "interaction_id": within, "content": "so", "parent_id": parent });
        let parent = call("/messages", who, below)["id"].clone();
        begun.push((who, within, parent));
    }
    erase(&server, "erased");
    suppress(&server, "suppressed", Policy::Forever);
    server.clock.advance(1_000);
    let mut told = Vec::new();
    for (who, within, parent) in &begun {
        let mut of_one = vec![call("/interactions", who, json!({ "agent_id": "a" }))["interaction"].clone()];
        for parent in [&Value::Null, parent] {
            let body = json!({ "interaction_id": within, "content": "hello", "parent_id": parent });
            of_one.push(call("/messages", who, body));
        }
        for one in &mut of_one {
            for field in ["id", "interaction_id", "parent_id"] {
                if let Some(value) = one.get_mut(field).filter(|value| value.is_string()) {
                    *value = json!(value.as_str().map_or(0, str::len));
                }
            }
        }
        told.push(of_one);
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
}

#[test]
fn a_public_credential_is_not_told_how_much_it_is_used() {
    let server = Server::with(|options| options.rate_limit = Some(1));
    let plain = server.key(Some(server.project().id), "ingest");
    let message = json!({ "userId": "ann", "event": "x" });
    for key in public(&server) {
        for status in [200, 429] {
            let reply = post(&server, "/v1/track", &key, message.clone()).expect(status);
            for name in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
                assert_eq!(reply.header(name), None, "{status}");
            }
        }
    }
    let reply = post(&server, "/v1/track", &plain, message).expect(200);
    assert_eq!(reply.header("x-ratelimit-remaining"), Some("0"));
}
