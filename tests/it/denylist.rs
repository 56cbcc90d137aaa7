//! PX's denylist: one user's own switch.

use serde_json::{Value, json};
use usher::clock::DAY;
use usher::people::suppressions::Policy;

use crate::harness::{Reply, Server};
use crate::regulations::say;
use crate::segment::{count, find, names, track};
use crate::suppressions::suppress;

fn px(server: &Server, method: &str, path: &str, body: Option<Value>) -> Reply {
    let request = server.request(method, path).header("X-APTRINSIC-API-KEY", &server.project().all);
    match body {
        Some(body) => request.json(body).send(),
        None => request.send(),
    }
}

fn deny(server: &Server, id: &str, denied: bool) -> Reply {
    px(server, "PUT", &format!("/v1/users/denylist/{id}"), Some(json!({ "denied": denied })))
}

#[track_caller]
fn check(server: &Server, id: &str, denied: bool) {
    let told = px(server, "GET", &format!("/v1/users/denylist/{id}"), None).expect(200).json();
    assert_eq!(told, json!({ "denied": denied, "identifyId": id }));
}

#[test]
fn a_denied_user_is_kept_out_until_they_are_not() {
    let server = Server::start();
    server.seed("ann").insert();
    check(&server, "ann", false);
    assert_eq!(deny(&server, "ann", true).expect(200).text, "");
    check(&server, "ann", true);
    say(&server, json!([track("ann", "in vain")]));
    deny(&server, "ann", false).expect(200);
    check(&server, "ann", false);
    say(&server, json!([track("ann", "again")]));
    assert_eq!(names(&server, "ann"), ["again"]);
}

#[test]
fn only_who_is_known_can_be_denied() {
    let server = Server::start();
    let path = "/v1/users/denylist/nobody";
    px(&server, "GET", path, None).expect(404);
    deny(&server, "nobody", true).expect(404);
    server.seed("ann").insert();
    for body in [json!({}), json!({ "denied": "yes" }), json!({ "denied": null })] {
        px(&server, "PUT", "/v1/users/denylist/ann", Some(body)).expect(400);
    }
    assert_eq!(count(&server, "suppressions"), 0);
}

#[test]
fn a_soft_deletion_leaves_it_and_a_hard_one_takes_it_along() {
    let server = Server::start();
    server.seed("ann").insert();
    deny(&server, "ann", true).expect(200);
    px(&server, "DELETE", "/v1/users/ann", None).expect(200);
    check(&server, "ann", true);
    px(&server, "DELETE", "/v1/users/ann?hardDelete=true", None).expect(200);
    assert_eq!(count(&server, "suppressions"), 0);
    px(&server, "GET", "/v1/users/denylist/ann", None).expect(404);
    server.clock.advance(1);
    say(&server, json!([{ "type": "identify", "userId": "ann", "traits": {} }]));
    check(&server, "ann", false);
}

#[test]
fn a_hard_deletion_leaves_a_suppression_of_another_api() {
    for denied_too in [false, true] {
        let server = Server::start();
        server.seed("ann").insert();
        suppress(&server, "ann", Policy::Forever);
        if denied_too {
            deny(&server, "ann", true).expect(200);
        }
        px(&server, "DELETE", "/v1/users/ann?hardDelete=true", None).expect(200);
        say(&server, json!([{ "type": "identify", "userId": "ann", "traits": {} }]));
        assert!(find(&server, "ann").is_none(), "{denied_too}");
    }
    // Nor one that came after the switch.
    let server = Server::start();
    server.seed("ann").insert();
    deny(&server, "ann", true).expect(200);
    suppress(&server, "ann", Policy::Forever);
    px(&server, "DELETE", "/v1/users/ann?hardDelete=true", None).expect(200);
    assert_eq!(count(&server, "suppressions"), 1);
}

#[test]
fn seven_days_after_a_soft_deletion_nobody_is_known() {
    let server = Server::start();
    server.seed("ann").insert();
    px(&server, "DELETE", "/v1/users/ann", None).expect(200);
    server.clock.advance(7 * DAY - 1);
    check(&server, "ann", false);
    server.clock.advance(1);
    px(&server, "GET", "/v1/users/denylist/ann", None).expect(404);
}
