//! Things of a project that a path can name, and names of the same form that nothing has.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::harness::{Reply, Server, TestProject};

/// Whose browser it is that calls Proficient's client API.
pub const CALLER: &str = "caller";

static COUNT: AtomicU32 = AtomicU32::new(1);

/// What is there, and what is not.
#[derive(Debug, Clone)]
pub struct Pair {
    pub there: String,
    pub missing: String,
}

/// A body that says something to every route that takes one.
pub fn body() -> Value {
    let n = COUNT.fetch_add(1, Ordering::SeqCst);
    json!({
        "userId": format!("body-{n}"), "anonymousId": format!("visitor-{n}"), "event": "Opened",
        "name": format!("name {n}"), "identifier": format!("body-{n}"), "username": format!("user-{n}"),
        "external_id": format!("external-{n}"), "identifyId": format!("body-{n}"), "groupId": "g",
        "previousId": format!("visitor-{n}"), "eventName": "Opened", "platform": "web",
        "type": "track", "batch": [{"type": "track", "userId": format!("body-{n}"), "event": "Opened"}],
        "activity": [{"type": "event", "userId": format!("body-{n}"), "name": "Opened"}],
        "regulationType": "SUPPRESS_WITH_DELETE", "subjectType": "USER_ID", "subjectIds": [format!("body-{n}")],
        "subject": {"identifier": format!("body-{n}")}, "policy": "forever",
        "agent_id": "agent", "interaction_id": "i_00000000000000000000000000000000", "content": "Hello",
        "denied": true, "guidedTours": true, "email": format!("body-{n}@example.com"), "fullName": "Body",
    })
}

/// A thing of the project that a path's name stands for, made anew.
pub fn made(server: &Server, project: &TestProject, face: &str, pattern: &str, name: &str) -> Pair {
    let n = COUNT.fetch_add(1, Ordering::SeqCst);
    let pair = |there: String, missing: String| Pair { there, missing };
    let named = pair(format!("ann-{n}"), format!("zoe-{n}"));
    let hex = |there: String| {
        let mut missing = there.clone();
        let last = missing.pop().expect("a digit");
        missing.push(if last == '0' { '1' } else { '0' });
        pair(there, missing)
    };
    match (face, name) {
        (_, "projectKey" | "sourceId") => pair(project.key.clone(), "Z".repeat(project.key.len())),
        ("OpenReplay" | "OpenReplayV2", "userId" | "userID") | ("Gainsight", "identifyId") => {
            activity(server, project, &named.there);
            named
        }
        ("Alloy", "userId") => {
            let id = user_id(server, project, &named.there);
            pair(format!("{id:024x}"), format!("{:024x}", id - 12_345))
        }
        ("Proficient", "user_id") => {
            let id = user_id(server, project, &named.there);
            pair(format!("u_{id}"), format!("u_{}", id - 12_345))
        }
        ("ProficientClient", "user_id") => {
            let id = user_id(server, project, CALLER);
            pair(format!("u_{id}"), format!("u_{}", id - 12_345))
        }
        ("ProficientClient", "interaction_id") => hex(interaction(server, project)),
        ("ProficientClient", "message_id") => {
            let message = json!({"interaction_id": interaction(server, project), "content": "Hello"});
            let made = ours(server, project, "/messages", message);
            hex(made.json()["id"].as_str().expect("an id").to_owned())
        }
        (_, "sessionId" | "sessionID") => {
            activity(server, project, &named.there);
            let id = number(server, "SELECT max(id) FROM sessions");
            pair(id.to_string(), (id - 12_345).to_string())
        }
        ("OpenReplay" | "OpenReplayV2", "jobId" | "jobID") => {
            let path = format!("/api/v1/{}/users/{}", project.key, named.there);
            let job = server.delete(&path).header("Authorization", &project.all).send().expect(200);
            let job = job.json()["data"]["jobId"].as_i64().expect("a number");
            pair(job.to_string(), (job + 1_000).to_string())
        }
        ("Native", "jobId" | "number") => {
            activity(server, project, &named.there);
            let path = format!("/v1/users/{}?hardDelete=true", named.there);
            server.delete(&path).header("X-APTRINSIC-API-KEY", &project.all).send().expect(200);
            server.tick();
            let sql = "SELECT lower(hex(receipt)) FROM jobs ORDER BY id DESC LIMIT 1";
            hex(server.sqlite().query_row(sql, [], |row| row.get(0)).expect("a receipt"))
        }
        ("Native", "id") if pattern.contains("recording") => {
            activity(server, project, &named.there);
            let session = pair(format!("visit-{}", named.there), format!("visit-{}", named.missing));
            let path = format!("/api/sessions/{}/recording", session.there);
            server.put(&path).bearer(&project.all).json(json!([1])).send();
            session
        }
        ("Native", "id") if pattern.starts_with("/api/users/") => {
            let id = user_id(server, project, &named.there);
            pair(id.to_string(), (id - 12_345).to_string())
        }
        ("Native", "id") if pattern.starts_with("/api/exports/") => {
            activity(server, project, &named.there);
            let body = json!({"subject": {"identifier": named.there}});
            let made = server.post("/api/exports").bearer(&project.all).json(body).send();
            hex(made.json()["data"]["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned())
        }
        ("Native", "id") if pattern.starts_with("/api/imports/") => {
            // A number of one digit would stand in the request's id, too.
            let sql = "INSERT OR IGNORE INTO sequences (name, value) VALUES ('import', 918273645)";
            server.sqlite().execute(sql, []).expect("a number");
            let line = json!({"type": "identify", "userId": named.there, "messageId": named.there});
            let made = server.post("/api/imports?from=segment").bearer(&project.all).json(line).send();
            let id = made.json()["data"]["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
            let missing = id.parse::<i64>().expect("a number") + 12_345;
            pair(id, missing.to_string())
        }
        ("Native", "id") => {
            let body = json!({"subject": {"identifier": named.there}, "policy": "forever"});
            let made = server.post("/api/suppressions").bearer(&project.all).json(body).send();
            hex(made.json()["data"]["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned())
        }
        ("Regulations", "regulateId") if pattern.starts_with("/v2") => {
            let body = json!({"regulationType": "suppress", "users": [{"userId": named.there}]});
            let made = server.post("/v2/regulations").bearer(&project.all).json(body).send().expect(201);
            hex(made.json()[0]["id"].as_str().expect("an id").to_owned())
        }
        ("Regulations", "regulateId") => {
            let body = json!({"regulationType": "SUPPRESS_ONLY", "subjectType": "USER_ID",
                "subjectIds": [named.there]});
            let made = server.post("/regulations").bearer(&project.all).json(body).send().expect(200);
            hex(made.json()["data"]["regulateId"].as_str().expect("an id").to_owned())
        }
        other => panic!("nothing is made for {other:?}"),
    }
}

/// Somebody who was there in a session.
pub fn activity(server: &Server, project: &TestProject, name: &str) {
    let session = format!("visit-{name}");
    let body = json!({"activity": [
        {"type": "event", "userId": name, "name": "Opened", "sessionId": session, "messageId": session}
    ]});
    server.post("/api/activity").bearer(&project.all).json(body).send().expect(200);
}

/// The number of somebody who is registered for it, or was.
pub fn user_id(server: &Server, project: &TestProject, name: &str) -> i64 {
    server.post("/users").bearer(&project.all).json(json!({"external_id": name})).send();
    number(
        server,
        &format!("SELECT id FROM users WHERE identifier = '{name}' AND project_id = {}", project.id.0),
    )
}

pub fn interaction(server: &Server, project: &TestProject) -> String {
    let made = ours(server, project, "/interactions", json!({"agent_id": "agent"}));
    made.json()["interaction"]["id"].as_str().expect("an id").to_owned()
}

/// With the project's key, for its own caller.
fn ours(server: &Server, project: &TestProject, path: &str, body: Value) -> Reply {
    let request = server.post(path).header("X-PROFICIENT-API-KEY", &project.all);
    request.header("X-PROFICIENT-USER-EXTERNAL-ID", CALLER).json(body).send().expect(200)
}

fn number(server: &Server, sql: &str) -> i64 {
    server.sqlite().query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}
