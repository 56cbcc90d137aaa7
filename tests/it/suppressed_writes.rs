//! Nothing is added to a suppressed person and nothing of theirs is changed, whichever verb is called.

use serde_json::json;
use usher::people::suppressions::Policy;

use crate::harness::{Reply, Server};
use crate::merging::holder;
use crate::proficient_client::{begin, signed, signing};
use crate::public_credentials::{ingest_key, post};
use crate::segment::{count, send, user};
use crate::suppressions::suppress;

fn record(server: &Server, key: &str, session: &str) -> Reply {
    let put = server.put(&format!("/api/sessions/{session}/recording")).bearer(key);
    put.body("piece", "application/octet-stream").send().expect(200)
}

#[test]
fn a_suppressed_person_changes_no_profile_of_their_own() {
    let server = signing();
    let id = server.seed("ann").insert();
    let rename = |name: &str| {
        let request = signed(&server, "POST", &format!("/users/u_{id}"), "ann");
        request.json(json!({ "first_name": name })).send()
    };
    rename("Ann").expect(200);
    let interaction = begin(&server, "ann");
    let path = format!("/interactions/{}", interaction["id"].as_str().expect("an id"));
    let call = |name: &str| signed(&server, "POST", &path, "ann").json(json!({ "name": name })).send();
    call("before").expect(200);
    suppress(&server, "ann", Policy::Forever);
    rename("Other").expect(409);
    call("after").expect(409);
    assert_eq!(user(&server, "ann").profile.first_name.as_deref(), Some("Ann"));
    assert_eq!(count(&server, "interactions WHERE name = 'before'"), 1);
}

#[test]
fn no_recording_goes_into_a_suppressed_persons_session() {
    let server = Server::start();
    let keys = [server.project().token.clone(), ingest_key(&server)];
    for name in ["userId", "anonymousId"] {
        for (n, key) in keys.iter().enumerate() {
            let (who, session) = (format!("{name}-{n}"), format!("session-{name}-{n}"));
            let page = json!({ "type": "page", name: who, "sessionId": session });
            post(&server, "/api/activity", key, json!({ "activity": [page] })).expect(200);
            let before = count(&server, "recordings");
            record(&server, key, &session);
            assert_eq!(count(&server, "recordings"), before + 1);
            suppress(&server, &who, Policy::Forever);
            assert_eq!(record(&server, key, &session).json(), json!({ "data": { "accepted": true } }));
            assert_eq!(count(&server, "recordings"), before + 1, "{who}");
        }
    }
}

#[test]
fn a_suppressed_visitor_is_not_changed_by_its_number() {
    let server = Server::start();
    send(&server, "/v1/page", json!({ "anonymousId": "phone" })).expect(200);
    let id = holder(&server, "phone").expect("a visitor").id;
    let change = |status: u16| {
        let request = server.post(&format!("/users/u_{id}")).bearer(&server.project().all);
        request.json(json!({ "first_name": "X" })).send().expect(status);
    };
    change(200);
    suppress(&server, "phone", Policy::Forever);
    change(409);
}
