//! What a single message must not be able to do: make a row unreadable, answer without a bound, or
//! lead a deletion, a suppression or a person astray.

use serde_json::{Value, json};
use usher::clock::{DAY, HOUR};
use usher::erasure;
use usher::erasure::trash;
use usher::model::{Erasure, Origin};
use usher::people::find;
use usher::people::suppressions::Policy;
use usher::store::NormalTx;

use crate::harness::{START, Server};
use crate::ingestion::time;
use crate::late_bounds;
use crate::merging::holder;
use crate::public_credentials::post;
use crate::segment::{batch, count, events, find, names, send, user};
use crate::suppressions::suppress;

/// A value that the parser unfolds to so many levels more than the text shows.
fn folded(levels: usize) -> Value {
    let text = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    json!({ "$serde_json::private::RawValue": text })
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |value, _| json!([value]))
}

fn hard_delete(server: &Server, name: &str) -> u16 {
    let path = format!("/v1/users/{name}?hardDelete=true");
    server.delete(&path).header("X-APTRINSIC-API-KEY", &server.project().all).send().status
}

#[test]
fn no_trait_makes_a_person_unreadable_or_unerasable() {
    let server = Server::start();
    for (name, value) in [("a", folded(120)), ("b", nested(100)), ("c", folded(80)), ("d", nested(65))] {
        let body = json!({ "userId": name, "traits": { "deep": value, "email": "x@example.com" } });
        send(&server, "/v1/identify", body).expect(200);
        let held = user(&server, name);
        assert_eq!(held.profile.email.as_deref(), Some("x@example.com"), "{name}");
        assert!(!held.profile.attributes.contains_key("deep"), "{name}");
        assert_eq!(hard_delete(&server, name), 200, "{name}");
    }
    // The twin: what can be read back is kept.
    send(&server, "/v1/identify", json!({ "userId": "e", "traits": { "deep": nested(60) } })).expect(200);
    assert_eq!(user(&server, "e").profile.attributes["deep"], nested(60));
    server.tick();
    assert_eq!(count(&server, "jobs WHERE status = 'completed'"), 4);
}

#[test]
fn no_property_makes_a_timeline_unreadable() {
    let server = Server::start();
    let track = |value: Value| json!({ "type": "track", "userId": "ann", "event": "x", "properties": { "p": value } });
    let list = [track(folded(120)), track(nested(100)), track(json!(1))];
    let reply = send(&server, "/v1/batch", json!({ "batch": list })).expect(200).json();
    let refused: Vec<&Value> =
        reply["errors"].as_array().expect("errors").iter().map(|e| &e["index"]).collect();
    assert_eq!(refused, [0, 1]);
    assert_eq!(events(&server, "ann").len(), 1);
}

#[test]
fn a_batch_has_at_most_10_000_messages() {
    let server = Server::start();
    let list = |n: usize| format!("{{\"batch\":[{}1]}}", "1,".repeat(n - 1));
    let post = |body: String| {
        server.post("/v1/batch").bearer(&server.project().all).body(body, "application/json").send()
    };
    assert_eq!(post(list(10_001)).expect(400).json()["errors"][0]["field"], "batch");
    let reply = post(list(10_000)).expect(200).json();
    assert_eq!(reply["errors"].as_array().map(Vec::len), Some(1_000));
    assert_eq!(reply["errorsLeftOut"], 9_000);
    assert_eq!(count(&server, "repairs WHERE count = 10000"), 1);
}

#[test]
fn a_public_credential_saves_no_visitor_from_a_deletion() {
    let server = Server::start();
    let token = server.project().token.clone();
    send(&server, "/v1/page", json!({ "anonymousId": "a1" })).expect(200);
    let path = format!("/api/v1/{}/users/a1", server.project().key);
    server.delete(&path).bearer(&server.project().all).send().expect(200);
    post(&server, "/v1/identify", &token, json!({ "userId": "x", "anonymousId": "a1" })).expect(200);
    assert!(find(&server, "x").is_some(), "the person is there, apart");
    server.clock.advance(DAY);
    server.tick();
    assert!(holder(&server, "a1").is_none());
    assert_eq!((count(&server, "users"), count(&server, "events")), (1, 0));
}

#[test]
fn a_public_credential_takes_no_visitor_into_the_trash() {
    let server = Server::start();
    let (project, token) = (server.project().id, server.project().token.clone());
    server.seed("ann").insert();
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, "ann")?).map(drop));
    send(&server, "/v1/page", json!({ "anonymousId": "v" })).expect(200);
    post(&server, "/v1/identify", &token, json!({ "userId": "ann", "anonymousId": "v" })).expect(200);
    post(&server, "/v1/alias", &token, json!({ "userId": "ann", "previousId": "v" })).expect(200);
    assert_eq!(holder(&server, "v").map(|visitor| visitor.identifier), Some(None));
    // The twin: a plain key restores the person, and joins the two.
    send(&server, "/v1/identify", json!({ "userId": "ann", "anonymousId": "v" })).expect(200);
    assert_eq!(holder(&server, "v").map(|user| user.identifier), Some(Some("ann".into())));
}

#[test]
fn an_identifier_is_never_an_anonymous_id() {
    let server = Server::start();
    server.seed("ann@x").insert();
    batch(&server, json!([{ "type": "identify", "userId": "bob", "anonymousId": "ann@x" }]));
    assert!(holder(&server, "ann@x").is_none());
    assert_eq!(hard_delete(&server, "ann@x"), 200);
    // Nor is an erased name: a deletion that is asked for again takes nobody else.
    send(&server, "/v1/identify", json!({ "userId": "bob", "anonymousId": "ann@x" })).expect(200);
    assert_eq!(hard_delete(&server, "ann@x"), 404);
    assert!(find(&server, "bob").is_some());
}

#[test]
fn what_was_sent_before_a_log_deletion_is_late() {
    let server = Server::start();
    let project = server.project().id;
    server.seed("ann").events(2).insert();
    server.clock.advance(HOUR);
    server.write(move |tx| {
        let user = find::get(tx, project, "ann")?;
        erasure::begin(tx, &user, Erasure::Activity, Origin::Request).map(|_| ())
    });
    server.tick();
    server.clock.advance(HOUR);
    let track =
        |time_of: Value| json!({ "type": "track", "userId": "ann", "event": "x", "timestamp": time_of });
    for at in [Value::Null, json!("garbage")] {
        let body = json!({ "batch": [track(at)], "sentAt": time(START + HOUR) });
        assert_eq!(send(&server, "/v1/batch", body).expect(200).json()["dropped"][0]["reason"], "late");
        let body = json!({ "batch": [track(Value::Null)], "sentAt": time(START + HOUR + 1) });
        assert_eq!(send(&server, "/v1/batch", body).expect(200).json().get("dropped"), None);
    }
    assert_eq!(names(&server, "ann"), ["x", "x"]);
}

#[test]
fn an_unreadable_time_does_not_hide_when_it_was_sent() {
    let server = Server::start();
    server.seed("ann").insert();
    late_bounds::erase(&server, "ann");
    server.clock.advance(40 * DAY);
    let message = json!({ "type": "track", "userId": "ann", "event": "x", "timestamp": "garbage" });
    let body = json!({ "batch": [message], "sentAt": time(START) });
    assert_eq!(send(&server, "/v1/batch", body).expect(200).json()["dropped"][0]["reason"], "late");
    // The twin: 40 days later, nothing says that it was before.
    send(&server, "/v1/batch", json!({ "batch": [message] })).expect(200);
    assert!(find(&server, "ann").is_some());
}

#[test]
fn leaving_a_page_says_nothing_of_who_is_suppressed() {
    let server = Server::start();
    server.seed("ann").events(1).insert();
    suppress(&server, "ann", Policy::Forever);
    server.clock.advance(60_000);
    let before = user(&server, "ann").last_seen;
    let leave = |name: &str| {
        let request = server.post("/l").header("Token", &server.project().token);
        request.json(json!({ "identifier": name })).send().expect(200)
    };
    assert_eq!(leave("ann").text, leave("nobody").text);
    assert_eq!(user(&server, "ann").last_seen, before);
}

#[test]
fn a_short_suppression_of_another_ends_no_longer_one() {
    let server = Server::start();
    batch(&server, json!([{ "type": "identify", "userId": "ann", "anonymousId": "a1" }]));
    suppress(&server, "ann", Policy::Forever);
    late_bounds::erase(&server, "ann");
    let project = server.project().id;
    server.seed("bob").insert();
    server.write(move |tx: &NormalTx| {
        let bob = find::get(tx, project, "bob")?;
        usher::store::aliases::link(tx, project, "a1", bob.id)
    });
    suppress(&server, "bob", Policy::Days(1));
    server.clock.advance(2 * DAY);
    send(&server, "/v1/page", json!({ "anonymousId": "a1" })).expect(200);
    assert_eq!(count(&server, "events"), 0);
}

#[test]
fn a_suppressed_anonymous_id_is_kept_out_as_an_identifier() {
    let server = Server::start();
    batch(&server, json!([{ "type": "identify", "userId": "ann", "anonymousId": "a1" }]));
    suppress(&server, "ann", Policy::Forever);
    late_bounds::erase(&server, "ann");
    server.clock.advance(40 * DAY);
    send(&server, "/v1/track", json!({ "userId": "a1", "event": "x" })).expect(200);
    assert!(find(&server, "a1").is_none());
}
