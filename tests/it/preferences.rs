//! PX's preferences: kept and shown, and who wants no usage tracked is kept out.

use serde_json::{Value, json};
use usher::people::suppressions;
use usher::people::suppressions::Policy;
use usher::store::NormalTx;

use crate::harness::{Reply, Server, fields, named};
use crate::regulations::say;
use crate::segment::{count, find, names, track};
use crate::suppressions::suppress;

const ONE: &str = "/v1/user/preferences";
const TWO: &str = "/v2/user/preferences";

fn px(server: &Server, method: &str, path: &str, body: Option<Value>) -> Reply {
    let request = server.request(method, path).header("X-APTRINSIC-API-KEY", &server.project().all);
    match body {
        Some(body) => request.json(body).send(),
        None => request.send(),
    }
}

fn prefer(server: &Server, id: &str, body: Value) {
    assert_eq!(px(server, "PUT", &format!("{ONE}/{id}"), Some(body)).expect(204).text, "");
}

fn shown(server: &Server, path: &str, id: &str) -> Value {
    let whole = px(server, "GET", &format!("{path}/{id}"), None).expect(200).json();
    let named = px(server, "POST", path, Some(json!({ "identifyId": id }))).expect(200).json();
    assert_eq!(whole, named);
    whole
}

fn deny(server: &Server, denied: bool) {
    px(server, "PUT", "/v1/users/denylist/ann", Some(json!({ "denied": denied }))).expect(200);
}

fn is_denied(server: &Server) -> bool {
    px(server, "GET", "/v1/users/denylist/ann", None).expect(200).json()["denied"] == true
}

/// Whether a message for ann is taken in.
#[track_caller]
fn check_taken(server: &Server, taken: bool) {
    let before = names(server, "ann").len();
    say(server, json!([track("ann", "x")]));
    assert_eq!(names(server, "ann").len() - before, usize::from(taken));
}

#[test]
fn preferences_are_null_until_they_are_told() {
    let server = Server::start();
    server.seed("ann").insert();
    let none = json!({ "guidedTours": null, "onboardingBot": null, "productUpdates": null, "surveys": null,
        "trackUsage": null });
    assert_eq!(shown(&server, ONE, "ann"), none);
    let mut more = none;
    more["trackEmailAnalytics"] = Value::Null;
    assert_eq!(shown(&server, TWO, "ann"), more);
}

#[test]
fn what_is_absent_or_null_changes_nothing() {
    let server = Server::start();
    server.seed("ann").insert();
    prefer(&server, "ann", json!({ "surveys": false, "guidedTours": true, "trackEmailAnalytics": true }));
    prefer(&server, "ann", json!({ "surveys": null, "guidedTours": false, "unknown": 1 }));
    let told = shown(&server, ONE, "ann");
    assert_eq!((&told["surveys"], &told["guidedTours"]), (&json!(false), &json!(false)));
    assert_eq!(told["trackUsage"], Value::Null);
    assert_eq!(shown(&server, TWO, "ann")["trackEmailAnalytics"], Value::Null, "not of the first version");
    let body = json!({ "identifyId": "ann", "trackEmailAnalytics": true });
    px(&server, "PUT", TWO, Some(body)).expect(204);
    assert_eq!(shown(&server, TWO, "ann")["trackEmailAnalytics"], true);
    check_taken(&server, true);
}

#[test]
fn a_user_is_shown_without_preferences() {
    let server = Server::start();
    server.seed("ann").insert();
    let user = || fields(&px(&server, "GET", "/v1/users/ann", None).expect(200).json()).join(",");
    let before = user();
    prefer(&server, "ann", json!({ "surveys": false }));
    assert_eq!(user(), before);
}

#[test]
fn who_wants_no_usage_tracked_is_kept_out_until_they_do() {
    let server = Server::start();
    server.seed("ann").insert();
    prefer(&server, "ann", json!({ "trackUsage": false }));
    check_taken(&server, false);
    assert!(!is_denied(&server), "it is not the app that denies them");
    prefer(&server, "ann", json!({ "surveys": true }));
    check_taken(&server, false);
    prefer(&server, "ann", json!({ "trackUsage": true }));
    check_taken(&server, true);
    assert_eq!(shown(&server, ONE, "ann")["trackUsage"], true);
    assert_eq!(count(&server, "suppressions"), 0);
}

#[test]
fn each_of_the_two_switches_keeps_out_by_itself() {
    for first in [true, false] {
        let server = Server::start();
        server.seed("ann").insert();
        if first {
            deny(&server, true);
            prefer(&server, "ann", json!({ "trackUsage": false }));
        } else {
            prefer(&server, "ann", json!({ "trackUsage": false }));
            deny(&server, true);
        }
        assert!(is_denied(&server));
        deny(&server, false);
        check_taken(&server, false);
        assert!(!is_denied(&server));
        deny(&server, true);
        prefer(&server, "ann", json!({ "trackUsage": true }));
        check_taken(&server, false);
        deny(&server, false);
        check_taken(&server, true);
    }
}

#[test]
fn a_preference_ends_no_suppression_of_somebody_else() {
    let server = Server::start();
    server.seed("ann").insert();
    prefer(&server, "ann", json!({ "trackUsage": false }));
    suppress(&server, "ann", Policy::Forever);
    prefer(&server, "ann", json!({ "trackUsage": true }));
    check_taken(&server, false);
    // Nor does the app's switch, and it says so.
    let body = Some(json!({ "denied": false }));
    px(&server, "PUT", "/v1/users/denylist/ann", body).expect(409);
    assert!(is_denied(&server));
    check_taken(&server, false);
    let (project, ann) = (server.project().id, named("ann"));
    assert!(server.write(move |tx: &NormalTx| suppressions::lift(tx, project, &ann)));
    assert!(!is_denied(&server));
    check_taken(&server, true);
}

#[test]
fn a_hard_deletion_takes_the_preferences_along() {
    let server = Server::start();
    server.seed("ann").insert();
    prefer(&server, "ann", json!({ "trackUsage": false, "surveys": false }));
    px(&server, "DELETE", "/v1/users/ann", None).expect(200);
    assert_eq!(shown(&server, ONE, "ann")["surveys"], false, "a soft one leaves them");
    say(&server, json!([{ "type": "identify", "userId": "ann" }]));
    px(&server, "DELETE", "/v1/users/ann?hardDelete=true", None).expect(200);
    server.tick();
    px(&server, "GET", &format!("{ONE}/ann"), None).expect(404);
    assert_eq!(count(&server, "suppressions"), 0);
    server.clock.advance(1);
    say(&server, json!([{ "type": "identify", "userId": "ann" }]));
    assert!(find(&server, "ann").is_some());
    assert_eq!(shown(&server, ONE, "ann")["surveys"], Value::Null);
}

#[test]
fn who_is_not_known_is_404_and_a_wrong_value_400() {
    let server = Server::start();
    let body = || Some(json!({ "identifyId": "nobody", "surveys": true }));
    px(&server, "GET", &format!("{ONE}/nobody"), None).expect(404);
    px(&server, "POST", ONE, body()).expect(404);
    px(&server, "PUT", &format!("{ONE}/nobody"), body()).expect(404);
    px(&server, "PUT", TWO, body()).expect(404);
    server.seed("ann").insert();
    px(&server, "PUT", &format!("{ONE}/ann"), body()).expect(400);
    px(&server, "PUT", ONE, Some(json!({ "surveys": true }))).expect(400);
    px(&server, "POST", ONE, Some(json!({}))).expect(400);
    px(&server, "PUT", &format!("{ONE}/ann"), Some(json!({ "surveys": "no", "guidedTours": true })))
        .expect(400);
    assert_eq!(shown(&server, ONE, "ann")["guidedTours"], Value::Null, "nothing is changed");
}

#[test]
fn to_keep_a_user_out_needs_the_scope_delete() {
    let server = Server::start();
    server.seed("ann").insert();
    let key = server.key(Some(server.project().id), "write");
    let put = |body: Value| {
        let request = server.put(&format!("{ONE}/ann")).header("X-APTRINSIC-API-KEY", &key);
        request.json(body).send().status
    };
    assert_eq!(put(json!({ "surveys": false })), 204);
    assert_eq!(put(json!({ "trackUsage": false })), 403);
    assert_eq!(put(json!({ "trackUsage": null })), 204);
    check_taken(&server, true);
}
