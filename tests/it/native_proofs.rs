//! What programs are told of an erasure: the job, its receipt, and whether a receipt is good.

use serde_json::{Value, json};
use usher::clock::{DAY, HOUR};
use usher::erasure::{jobs, step};

use crate::harness::{Reply, Server, TestProject, fields, named};

/// Schedules an erasure of a user with three events, in the first project.
fn scheduled(server: &Server) -> i64 {
    server.seed("ann").events(3).insert();
    let project = server.project().id;
    server.write(move |tx| jobs::schedule(tx, project, &named("ann"))).number
}

fn get(server: &Server, project: &TestProject, path: &str) -> Reply {
    server.get(path).bearer(&project.all).send()
}

fn check(server: &Server, body: &[u8]) -> Value {
    let request = server.post("/api/receipts/check").bearer(&server.project().all);
    let data = request.body(body, "application/json").send().expect(200).json()["data"].clone();
    assert_eq!(fields(&data), ["faults", "good"]);
    data
}

#[test]
fn a_job_tells_its_step_its_times_its_counts_and_its_receipt() {
    let server = Server::start();
    let id = scheduled(&server);
    let path = format!("/api/jobs/{id}");
    let job = |server: &Server| get(server, server.project(), &path).expect(200).json()["data"].clone();
    let waiting = job(&server);
    assert_eq!(
        fields(&waiting),
        [
            "attempts",
            "begunAt",
            "counts",
            "createdAt",
            "erasedAt",
            "erasure",
            "finishedAt",
            "held",
            "id",
            "mentions",
            "origin",
            "receipt",
            "rowsErased",
            "scrubbedAt",
            "since",
            "startAt",
            "status",
            "step"
        ]
    );
    assert_eq!((&waiting["id"], &waiting["status"]), (&json!(id.to_string()), &json!("scheduled")));
    assert_eq!(waiting["startAt"], "2026-03-05T00:00:00Z");
    for nothing in ["step", "begunAt", "erasedAt", "scrubbedAt", "finishedAt", "receipt"] {
        assert_eq!(waiting[nothing], Value::Null, "{nothing}");
    }
    server.clock.advance(14 * HOUR);
    while server.write(step::step).more {}
    let gone = job(&server);
    assert_eq!((&gone["status"], &gone["step"]), (&json!("running"), &json!("scrubbing")));
    assert_eq!(
        (&gone["rowsErased"], &gone["receipt"]),
        (&json!(6), &Value::Null),
        "with the name in the job itself"
    );
    server.clock.advance(1_000);
    server.tick();
    let done = job(&server);
    assert_eq!(
        (&done["status"], &done["step"], &done["receipt"]),
        (&json!("completed"), &Value::Null, &json!(1))
    );
    assert_eq!(done["erasedAt"], "2026-03-05T00:00:00Z");
    assert_eq!(done["finishedAt"], "2026-03-05T00:00:01Z");
    assert_eq!((&done["counts"]["events"], &done["counts"]["users"]), (&json!(3), &json!(1)));
    assert!(!done.to_string().contains("ann"), "{done}");

    let second = server.second();
    for (project, path) in
        [(&second, path.as_str()), (server.project(), "/api/jobs/999"), (server.project(), "/api/jobs/x")]
    {
        assert_eq!(get(&server, project, path).expect(404).json()["code"], "job_not_found", "{path}");
    }
}

#[test]
fn a_receipt_goes_unchanged_to_its_own_project_alone() {
    let server = Server::start();
    scheduled(&server);
    server.clock.advance(DAY);
    server.tick();
    let reply = get(&server, server.project(), "/api/receipts/1").expect(200);
    let stored = server.app.receipts().numbered(1).expect("a receipt");
    assert_eq!(reply.bytes, stored.bytes().expect("a file"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let second = server.second();
    for (project, number) in
        [(&second, "1"), (server.project(), "2"), (server.project(), "0"), (server.project(), "x")]
    {
        let refused = get(&server, project, &format!("/api/receipts/{number}")).expect(404);
        assert_eq!(refused.json()["code"], "receipt_not_found", "{number}");
    }
    // Of a database that was put back from before, nobody's.
    server.sqlite().execute("UPDATE jobs SET receipt = zeroblob(16)", []).expect("an older job");
    get(&server, server.project(), "/api/receipts/1").expect(404);
}

#[test]
fn a_deletions_answer_leads_to_its_job_and_its_receipt() {
    let server = Server::start();
    server.seed("ann").events(3).insert();
    let call = server.delete("/v1/users/ann?hardDelete=true");
    let reply = call.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    let token = reply.header("usher-receipt").expect("a token").to_owned();
    let id = token.split_once('.').expect("a point").0;
    let (job, receipt) = (format!("/api/jobs/{id}"), format!("/api/receipts/{id}"));
    assert_eq!(get(&server, server.project(), &job).expect(200).json()["data"]["status"], "running");
    get(&server, server.project(), &receipt).expect(404);
    server.tick();
    let done = get(&server, server.project(), &job).expect(200).json()["data"].clone();
    assert_eq!((&done["status"], &done["receipt"]), (&json!("completed"), &json!(1)));
    let bytes = get(&server, server.project(), &receipt).expect(200).bytes;
    assert_eq!(bytes, get(&server, server.project(), "/api/receipts/1").expect(200).bytes);
    // Not another project's, no other id, and not the token itself.
    let (second, other) = (server.second(), "0".repeat(32));
    for (project, name) in [(&second, id), (server.project(), &other), (server.project(), &token)] {
        let job = get(&server, project, &format!("/api/jobs/{name}")).expect(404);
        assert_eq!(job.json()["code"], "job_not_found", "{name}");
        let receipt = get(&server, project, &format!("/api/receipts/{name}")).expect(404);
        assert_eq!(receipt.json()["code"], "receipt_not_found", "{name}");
    }
}

#[test]
fn what_is_wrong_with_a_receipt_is_named_by_field() {
    let server = Server::start();
    scheduled(&server);
    server.clock.advance(DAY);
    server.tick();
    let bytes = get(&server, server.project(), "/api/receipts/1").expect(200).bytes;
    assert_eq!(check(&server, &bytes), json!({ "good": true, "faults": [] }));
    for n in (0..bytes.len()).step_by(41) {
        let mut changed = bytes.clone();
        changed[n] ^= 1;
        let data = check(&server, &changed);
        assert_eq!(data["good"], false, "byte {n}");
        assert!(!data["faults"].as_array().expect("a list").is_empty(), "byte {n}");
    }
    let text = String::from_utf8(bytes).expect("a text");
    let data = check(&server, text.replace("\"mentions\":0", "\"mentions\":-1").as_bytes());
    let faults = data["faults"].as_array().expect("a list");
    assert_eq!(faults[0]["field"], Value::Null);
    assert_eq!(faults[1], json!({ "field": "mentions", "message": "must be a number, 0 or more" }));
    for body in ["", "{}", "null", "[1", "\u{feff}{}"] {
        assert_eq!(check(&server, body.as_bytes())["good"], false, "{body}");
    }
    let large = vec![b' '; 4 * 1024 * 1024 + 1];
    let reply =
        server.post("/api/receipts/check").bearer(&server.project().all).body(large, "application/json");
    reply.send().expect(413);
}
