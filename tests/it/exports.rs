//! All that is held of a person, or of a project, taken along.

mod commands;
mod links;
mod memory;
mod ndjson;
pub mod packs;

use serde_json::{Value, json};
use usher::erasure::begin;
use usher::model::{Erasure, Origin, UserId};
use usher::people::find;
use usher::store::ErasingTx;

use crate::harness::{Reply, Server};

/// The lines of a file.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The lines of a type.
fn of<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// The id of a user, by a whole name.
fn id_of(server: &Server, name: &str) -> String {
    let body = json!({ "q": name, "filter": { "state": "all" } });
    let found = server.post("/api/users/search").bearer(&server.project().all).json(body).send().expect(200);
    found.json()["data"][0]["id"].as_str().expect("an id").to_owned()
}

fn export(server: &Server, id: &str, accept: &str) -> Reply {
    let path = format!("/api/users/{id}/export");
    server.get(&path).bearer(&server.project().all).header("Accept", accept).send()
}

/// A person with something in every place: profile, two anonymous ids, a session with a recording, events of
/// each kind.
fn fill(server: &Server, name: &str) -> String {
    let all = &server.project().all;
    let key = |method: &str, path: &str| server.request(method, path).bearer(all);
    let identify = json!({
        "userId": name, "anonymousId": format!("{name}-anon"),
        "traits": { "email": format!("{name}@example.com"), "firstName": "Ann", "plan": "gold", "big": 12_345_678_901_234_567_890_u64 },
    });
    key("POST", "/v1/identify").json(identify).send().expect(200);
    let entry = |kind: &str, n: u32| {
        json!({
            "type": kind, "userId": name, "name": format!("{kind} {n}"), "messageId": format!("{name}-{kind}-{n}"),
            "sessionId": format!("{name}-session"), "url": "https://shop.example.com/a",
            "data": { "price": 9.90, "n": n },
        })
    };
    let kinds = ["event", "page", "screen", "error", "interaction", "log"];
    let activity: Vec<Value> = kinds.iter().flat_map(|kind| (0..3).map(|n| entry(kind, n))).collect();
    key("POST", "/api/activity").json(json!({ "activity": activity })).send().expect(200);
    // A visit that its client gave no name.
    let visit =
        json!({ "type": "event", "userId": name, "name": "unnamed visit", "at": 1_700_000_000_000_i64 });
    key("POST", "/api/activity").json(json!({ "activity": [visit] })).send().expect(200);
    let path = format!("/api/sessions/{name}-session/recording");
    key("PUT", &path).body(vec![7_u8; 100_000], "video/webm").send().expect(200);
    id_of(server, name)
}

/// Erases a person with everything, and lets the job end.
fn erase(server: &Server, id: &str) {
    let id = UserId(id.parse().expect("a number"));
    server.write(move |tx: &ErasingTx| {
        let user = find::held(tx, id, tx.now())?;
        begin::begin(tx, &user, Erasure::Everything, Origin::Request).map(drop)
    });
    server.tick();
}
