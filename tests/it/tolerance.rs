//! What clients send that is not quite right: one bad part costs no more than itself, and what was
//! repaired, dropped or refused is counted. The forms of times and ids are in `tolerance_forms.rs`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use usher::erasure::trash;
use usher::model::Device;
use usher::people::repairs::Recent;
use usher::people::{activity, find, repairs};

use crate::harness::{Reply, Server};
use crate::merging::holder;
use crate::segment::{count, events, find, names, send, user};

/// Sends a body as it stands.
pub fn raw(server: &Server, path: &str, body: impl Into<Vec<u8>>) -> Reply {
    server.post(path).bearer(&server.project().all).body(body, "application/json").send()
}

/// Sends a batch whose every message is taken; what was repaired: index, field and reason.
#[track_caller]
pub fn repaired(server: &Server, body: impl Into<Vec<u8>>) -> Vec<(u64, String, String)> {
    let answer = raw(server, "/v1/batch", body).expect(200).json();
    assert_eq!((&answer["success"], &answer["errors"]), (&json!(true), &Value::Null), "{answer}");
    let Some(list) = answer["repairs"].as_array() else { return Vec::new() };
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    list.iter()
        .map(|one| (one["index"].as_u64().expect("an index"), text(&one["field"]), text(&one["message"])))
        .collect()
}

/// How often something came of messages, by outcome and reason.
pub fn counted(server: &Server) -> BTreeMap<(String, String), i64> {
    let (project, now) = (server.project().id, server.clock.now());
    let mut all = BTreeMap::new();
    for one in server.read(|db| repairs::counts(db, project, repairs::DAYS, now)) {
        *all.entry((one.outcome, one.reason)).or_default() += one.count;
    }
    all
}

pub fn times(server: &Server, outcome: &str, reason: &str) -> i64 {
    counted(server).get(&(outcome.to_owned(), reason.to_owned())).copied().unwrap_or_default()
}

fn newest(server: &Server) -> Recent {
    let project = server.project().id;
    server.read(|db| repairs::recent(db, project)).remove(0)
}

fn fix(index: u64, field: &str, reason: &str) -> (u64, String, String) {
    (index, field.to_owned(), reason.to_owned())
}

#[test]
fn an_anonymous_id_of_another_costs_the_merge_alone() {
    let server = Server::start();
    let body = json!({ "batch": [
        { "type": "track", "anonymousId": "tablet", "event": "Opened" },
        { "type": "identify", "userId": "ann", "anonymousId": "tablet" },
        { "type": "identify", "userId": "bea", "anonymousId": "tablet",
          "traits": { "email": "bea@example.com", "plan": "gold" } },
    ] });
    assert_eq!(raw(&server, "/v1/batch", body.to_string()).expect(200).text, r#"{"success":true}"#);
    let bea = user(&server, "bea");
    assert_eq!(bea.profile.email.as_deref(), Some("bea@example.com"));
    assert_eq!(bea.profile.attributes["plan"], "gold");
    assert_eq!(holder(&server, "tablet").map(|user| user.id), Some(user(&server, "ann").id));
    assert_eq!((names(&server, "ann").len(), names(&server, "bea").len()), (1, 0));
    assert_eq!(times(&server, "repaired", "anonymous id of another user"), 1);
    assert_eq!(newest(&server).field, "anonymousId");
}

#[test]
fn an_anonymous_id_of_another_restores_its_person_all_the_same() {
    let server = Server::start();
    let project = server.project().id;
    let both = |name: &str| json!({ "userId": name, "anonymousId": "tablet", "traits": { "plan": name } });
    send(&server, "/v1/identify", both("ann")).expect(200);
    server.seed("bea").insert();
    server.write(move |tx| trash::hide(tx, &find::get(tx, project, "bea")?));
    assert!(find(&server, "bea").is_none());
    send(&server, "/v1/identify", both("bea")).expect(200);
    assert_eq!(user(&server, "bea").profile.attributes["plan"], "bea");
    assert_eq!(holder(&server, "tablet").map(|user| user.id), Some(user(&server, "ann").id));
}

#[test]
fn four_people_with_one_device_are_four_people() {
    let server = Server::start();
    for name in ["p1", "p2", "p3", "p4"] {
        let traits = json!({ "email": format!("{name}@example.com") });
        let body = json!({ "userId": name, "anonymousId": "kiosk", "traits": traits });
        assert_eq!(send(&server, "/v1/identify", body).expect(200).text, r#"{"success":true}"#);
    }
    for name in ["p1", "p2", "p3", "p4"] {
        assert_eq!(user(&server, name).profile.email, Some(format!("{name}@example.com")));
    }
    assert_eq!((count(&server, "users"), count(&server, "aliases")), (4, 1));
}

#[test]
fn a_number_that_is_none_costs_itself_alone() {
    let server = Server::start();
    let body = r#"{"batch":[{"type":"identify","userId":"ann","traits":{"plan":"x"}},
        {"type":"track","userId":"bea","event":"Seen","properties":{"price":NaN,"low":-Infinity,"high":Infinity,"n":1}},
        {"type":"track","userId":"cai","event":"NaN Infinity \" -NaN"}]}"#;
    raw(&server, "/v1/batch", body).expect(200);
    assert_eq!(user(&server, "ann").profile.attributes["plan"], "x");
    let seen = &events(&server, "bea")[0];
    assert_eq!(json!(seen.data), json!({ "price": null, "low": null, "high": null, "n": 1 }));
    assert_eq!(names(&server, "cai"), ["NaN Infinity \" -NaN"], "a text is left alone");
    assert_eq!(counted(&server), BTreeMap::from([(("repaired".into(), "not a number".into()), 1)]));
}

#[test]
fn a_key_in_a_body_with_a_number_that_is_none_is_found() {
    let server = Server::start();
    let body = |key: &str| {
        format!(
            r#"{{"batch":[{{"type":"track","userId":"ann","event":"x","properties":{{"p":NaN}}}}],"writeKey":"{key}"}}"#
        )
    };
    let post = |key: &str| server.post("/v1/batch").body(body(key), "application/json").send();
    post("wrong").expect(401);
    assert!(find(&server, "ann").is_none());
    post(&server.project().token).expect(200);
    assert_eq!(events(&server, "ann")[0].data["p"], Value::Null);
}

#[test]
fn bytes_that_are_no_characters_cost_themselves_alone() {
    let server = Server::start();
    let mut body = br#"{"batch":[{"type":"track","userId":"ann","event":"x","properties":{"p":"a"#.to_vec();
    body.extend(b"\xff\xc3b\"}},{\"type\":\"track\",\"userId\":\"bea\",\"event\":\"y\"}]}");
    raw(&server, "/v1/batch", body).expect(200);
    assert_eq!(events(&server, "ann")[0].data["p"], "a\u{fffd}\u{fffd}b");
    assert_eq!(names(&server, "bea"), ["y"]);
    assert_eq!(times(&server, "repaired", "characters lost"), 1);
}

#[test]
fn an_id_whose_characters_were_lost_is_refused_for_its_message() {
    let server = Server::start();
    let mut body = br#"{"batch":[{"type":"track","userId":"J"#.to_vec();
    body.extend(b"\xf6rg\",\"event\":\"x\"},{\"type\":\"track\",\"userId\":\"bea\",\"event\":\"y\"},");
    body.extend(b"{\"type\":\"track\",\"userId\":\"J\xfcrg\",\"anonymousId\":\"v\",\"event\":\"z\"}]}");
    let answer = raw(&server, "/v1/batch", body).expect(200).json();
    let why = "has characters that were lost on the way";
    assert_eq!(answer["errors"], json!([{ "index": 0, "field": "userId", "message": why }]));
    let named = json!([{ "index": 2, "field": "userId", "message": "unusable id" }]);
    assert_eq!(answer["repairs"], named, "the other id names the person");
    assert_eq!(count(&server, "users WHERE identifier LIKE 'J%'"), 0);
    assert_eq!((names(&server, "bea").len(), count(&server, "events")), (1, 2));
    assert_eq!(times(&server, "refused", "refused"), 1);
}

#[test]
fn half_a_surrogate_costs_itself_alone() {
    let server = Server::start();
    let text = r#"{"batch":[{"type":"track","userId":"ann","event":"a\ud83d b","messageId":"\udc00\ud800"},
        {"type":"track","userId":"x\ud83d","event":"lost"},
        {"type":"track","userId":"bea","event":"\ud83d\ude00"}]}"#;
    let answer = raw(&server, "/v1/batch", text).expect(200).json();
    assert_eq!(answer["errors"][0]["index"], 1);
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(names(&server, "ann"), ["a\u{fffd} b"]);
    assert_eq!(names(&server, "bea"), ["\u{1f600}"], "a whole one stays");
    assert_eq!(times(&server, "repaired", "characters lost"), 2, "each message for itself");
}

#[test]
fn control_characters_that_are_not_escaped_are_taken() {
    let server = Server::start();
    let text = "{\"batch\":[{\"type\":\"track\",\"userId\":\"ann\",\"event\":\"Signed\n\tUp\",\
                \"properties\":{\"note\":\"a\nb\"}},{\"type\":\"track\",\"userId\":\"bea\",\"event\":\"y\"}]}";
    raw(&server, "/v1/batch", text).expect(200);
    let event = &events(&server, "ann")[0];
    assert_eq!((event.name.as_str(), &event.data["note"]), ("Signed Up", &json!("a\nb")));
    assert_eq!(names(&server, "bea"), ["y"]);
}

#[test]
fn control_characters_and_long_texts_cost_their_field_alone() {
    let server = Server::start();
    let body = json!({ "batch": [
        { "type": "track", "userId": "ann", "event": "Clicked\n   Sign Up" },
        { "type": "identify", "userId": "bea",
          "traits": { "name": "Bea\nLee", "email": "bea@example.com", "plan": "x" } },
        { "type": "identify", "userId": "cai", "traits": { "email": "cai@example.com\t" } },
        { "type": "identify", "userId": "dan", "traits":
          { "email": "dan@example.com", "avatar": format!("data:image/png;base64,{}", "A".repeat(1_100)) } },
        { "type": "page", "userId": "eve", "name": "\u{0}\u{85}Home\u{7f}" },
    ] });
    let fixed = repaired(&server, body.to_string());
    let control = "control characters";
    assert_eq!(
        fixed,
        [
            fix(0, "event", control),
            fix(1, "traits.name", control),
            fix(2, "traits.email", control),
            fix(3, "traits.avatar", "over 1024 characters"),
            fix(4, "name", control),
        ]
    );
    assert_eq!(names(&server, "ann"), ["Clicked Sign Up"]);
    let bea = user(&server, "bea").profile;
    assert_eq!(
        (bea.display_name.as_deref(), bea.email.as_deref()),
        (Some("Bea Lee"), Some("bea@example.com"))
    );
    assert_eq!(bea.attributes["plan"], "x");
    assert_eq!(user(&server, "cai").profile.email.as_deref(), Some("cai@example.com"));
    let dan = user(&server, "dan").profile;
    assert_eq!((dan.email.as_deref(), dan.avatar_url), (Some("dan@example.com"), None));
    assert_eq!(names(&server, "eve"), ["Home"]);
}

#[test]
fn a_text_of_1024_characters_is_kept_and_one_more_is_not() {
    let server = Server::start();
    let (most, more) = ("ü".repeat(1_024), "ü".repeat(1_025));
    let body = json!({ "batch": [
        { "type": "track", "userId": "ann", "event": most },
        { "type": "identify", "userId": "ann", "traits": { "avatar": most } },
        { "type": "track", "userId": "bea", "event": more },
        { "type": "identify", "userId": "bea", "traits": { "avatar": more, "plan": "x" } },
    ] });
    let fixed = repaired(&server, body.to_string());
    let expected =
        [fix(2, "event", "cut to 1024 characters"), fix(3, "traits.avatar", "over 1024 characters")];
    assert_eq!(fixed, expected);
    assert_eq!(names(&server, "ann"), std::slice::from_ref(&most));
    assert_eq!(user(&server, "ann").profile.avatar_url.as_deref(), Some(most.as_str()));
    assert_eq!(names(&server, "bea"), [most], "cut");
    let bea = user(&server, "bea").profile;
    assert_eq!((bea.avatar_url, &bea.attributes["plan"]), (None, &json!("x")));
}

#[test]
fn an_empty_id_is_none() {
    let server = Server::start();
    let body = json!({ "batch": [
        { "type": "track", "userId": "", "anonymousId": "dev-c", "event": "Opened" },
        { "type": "track", "userId": "ann", "anonymousId": "", "event": "Opened" },
    ] });
    assert_eq!(repaired(&server, body.to_string()), []);
    assert!(holder(&server, "dev-c").is_some_and(|user| user.identifier.is_none() && user.event_count == 1));
    assert_eq!(names(&server, "ann"), ["Opened"]);
    assert_eq!((count(&server, "users"), count(&server, "aliases")), (2, 1));
    // With no other, nobody is named.
    let nobody = json!({ "userId": "", "anonymousId": null, "event": "x" });
    let errors = send(&server, "/v1/track", nobody).expect(400).json()["errors"].clone();
    assert_eq!(errors[0]["field"], "userId");
}

#[test]
fn an_empty_list_is_an_empty_map() {
    let server = Server::start();
    let body = json!({ "batch": [
        { "type": "identify", "userId": "ann", "traits": [], "context": [] },
        { "type": "track", "userId": "ann", "event": "x", "properties": [], "context": { "traits": [] } },
        { "type": "group", "userId": "ann", "groupId": "g", "traits": [] },
    ] });
    assert_eq!(repaired(&server, body.to_string()), []);
    assert_eq!(json!(events(&server, "ann")[0].data), json!({}));
    // Any other list is none, and is named.
    let body = json!({ "batch": [
        { "type": "identify", "userId": "bea", "traits": [1] },
        { "type": "track", "userId": "bea", "event": "x", "properties": "y" },
    ] });
    let fixed = repaired(&server, body.to_string());
    assert_eq!(fixed, [fix(0, "traits", "not an object"), fix(1, "properties", "not an object")]);
    assert_eq!(names(&server, "bea"), ["x"]);
}

fn device(server: &Server, name: &str) -> Device {
    let user = user(server, name);
    server.read(|db| activity::sessions(db, &user, (0, i64::MAX), 10)).remove(0).device
}

#[test]
fn a_user_agent_tells_system_browser_and_device() {
    let server = Server::start();
    let of = |name: &str, context: Value| {
        send(&server, "/v1/page", json!({ "userId": name, "context": context })).expect(200);
        let device = device(&server, name);
        (device.os, device.browser, device.device)
    };
    let some = |text: &str| Some(text.to_owned());
    let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                   Chrome/126.0.0.0 Safari/537.36";
    let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/17.5 Mobile/15E148 Safari/604.1";
    assert_eq!(
        of("ann", json!({ "userAgent": windows })),
        (some("Windows 10"), some("Chrome"), some("desktop"))
    );
    assert_eq!(of("bea", json!({ "userAgent": phone })).2, some("mobile"));
    // What the client says itself goes before.
    let said = json!({ "userAgent": windows, "os": { "name": "Haiku" }, "device": { "type": "toaster" } });
    assert_eq!(of("cai", said), (some("Haiku"), some("Chrome"), some("toaster")));
    // What says nothing tells nothing; and that of a server is not its user's.
    assert_eq!(of("dan", json!({ "userAgent": "\u{1f600}".repeat(400) })), (None, None, None));
    assert_eq!(of("eve", json!({})), (None, None, None));
    assert_eq!(count(&server, "sessions WHERE os LIKE '%Mozilla%' OR browser LIKE '%Mozilla%'"), 0);
}

#[test]
fn traits_in_the_context_are_an_identifys_profile() {
    let server = Server::start();
    let context = json!({ "traits": { "email": "old@example.com", "plan": "team", "seats": 3 } });
    let body = json!({ "batch": [
        { "type": "identify", "userId": "ann", "context": context, "traits": { "email": "ann@example.com" } },
        { "type": "identify", "userId": "bea", "context": context },
        { "type": "track", "userId": "cai", "event": "x", "context": context },
    ] });
    assert_eq!(repaired(&server, body.to_string()), []);
    let ann = user(&server, "ann").profile;
    assert_eq!(ann.email.as_deref(), Some("ann@example.com"), "traits go before");
    assert_eq!((&ann.attributes["plan"], &ann.attributes["seats"]), (&json!("team"), &json!(3)));
    assert_eq!(user(&server, "bea").profile.email.as_deref(), Some("old@example.com"));
    // Those of other messages are kept nowhere.
    let cai = user(&server, "cai").profile;
    assert_eq!((cai.email, cai.attributes.len()), (None, 0));
    assert_eq!(json!(events(&server, "cai")[0].data), json!({}));
}
