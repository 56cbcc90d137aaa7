//! Log lines, as text and as JSON: what is in them, and that nobody and no secret is.

use std::io::Read;

use serde_json::{Value, json};

use crate::harness::fields;
use crate::process::{Process, agent, directory, key, refused, sqlite, usher};

/// What must be in no line.
const NAMES: [&str; 7] =
    ["ann-4711", "ann.lee@example.com", "Annabel", "visitor-0815", "secret-plan", "203.0.113.77", "q-3141"];

/// All that a server writes that is asked this and that about somebody, and the keys that it was asked with.
fn written(format: Option<&str>, filter: &str) -> (String, Vec<String>) {
    let dir = directory();
    let key = key(dir.path(), "logs");
    let token: String = sqlite(dir.path())
        .query_row("SELECT ingest_token FROM projects", [], |row| row.get(0))
        .expect("the project's token");
    let mut command = usher(dir.path(), &["serve", "--listen", "127.0.0.1:0"]);
    command.env("RUST_LOG", filter);
    if let Some(format) = format {
        command.env("USHER_LOG_FORMAT", format);
    }
    let (server, mut log) = Process::with_log(dir.path(), command);
    let (agent, bearer) = (agent(), format!("Bearer {key}"));
    let track = json!({
        "userId": "ann-4711", "anonymousId": "visitor-0815", "event": "secret-plan",
        "context": { "ip": "203.0.113.77", "traits": { "email": "ann.lee@example.com", "name": "Annabel" } },
    });
    let identify =
        json!({ "userId": "ann-4711", "traits": { "email": "ann.lee@example.com", "name": "Annabel" } });
    for (path, body) in [("/v1/track", &track), ("/v1/identify", &identify), ("/v1/nowhere/ann-4711", &track)]
    {
        let request = agent.post(server.url(path)).header("Authorization", &bearer);
        request.header("X-Forwarded-For", "203.0.113.77").send_json(body).expect("an answer");
    }
    let broken = agent.post(server.url("/v1/track")).header("Authorization", &bearer);
    broken.content_type("application/json").send("{\"userId\":\"ann-4711\",").expect("an answer");
    for path in [
        "/v1/users/ann-4711?note=q-3141",
        "/v1/users/ann.lee@example.com/x?q-3141",
        "/admin/users?q=ann.lee@example.com&x=q-3141",
        "/api/jobs/visitor-0815",
        &format!("/v1/projects/{token}/settings?q-3141"),
    ] {
        agent.get(server.url(path)).header("X-APTRINSIC-API-KEY", &key).call().expect("an answer");
        agent
            .get(server.url(path))
            .header("Authorization", "Bearer us_wrong_q-3141")
            .call()
            .expect("an answer");
    }
    let erase = agent.delete(server.url("/v1/users/ann-4711?hardDelete=true"));
    let erased = erase.header("X-APTRINSIC-API-KEY", &key).call().expect("an answer");
    assert_eq!(erased.status(), 200);
    assert!(server.terminate().success());
    let mut text = String::new();
    log.read_to_string(&mut text).expect("a log");
    (text, vec![key, token])
}

#[track_caller]
fn names_nobody(text: &str, keys: &[String]) {
    for name in NAMES.into_iter().chain(keys.iter().map(String::as_str)) {
        assert!(!text.contains(name), "{name} is in the log: {text}");
    }
    // The twin: what was asked is there, by its pattern.
    assert!(text.contains("GET /v1/users/{identifyId} 200"), "{text}");
}

#[test]
fn no_line_of_text_names_anybody_or_has_a_key() {
    let (text, keys) = written(None, "debug,usher=trace,actix_http=off");
    names_nobody(&text, &keys);
    assert!(text.lines().all(|line| !line.starts_with('{')), "{text}");
}

#[test]
fn no_line_of_json_names_anybody_or_has_a_key() {
    let (text, keys) = written(Some("json"), "debug,usher=trace,actix_http=off");
    names_nobody(&text, &keys);
    let (mut of_requests, mut others) = (0, 0);
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(fields(&line), ["level", "message", "request", "target", "time"]);
        let time = line["time"].as_str().and_then(usher::clock::parse_rfc3339);
        assert!(time.is_some_and(|at| at > crate::harness::START), "{line}");
        assert!(
            ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&line["level"].as_str().expect("a level"))
        );
        match line["request"].as_str() {
            Some(id) => of_requests += usize::from(!id.is_empty()),
            None => others += 1,
        }
    }
    assert!(of_requests > 5 && others > 2, "{text}");
}

#[test]
fn a_refused_start_is_a_line_of_json_too() {
    let dir = directory();
    let args = ["serve", "--listen", "127.0.0.1:0", "--tls-cert", "none.pem"];
    let said = refused(dir.path(), &[&args[..], &["--log-format", "json"]].concat());
    let line: Value = serde_json::from_str(said.trim()).expect("one object");
    assert_eq!(line["level"], "ERROR");
    let message = line["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("--tls-cert needs --tls-key"), "{message}");
    // The twin: for people the same words are no object.
    assert_eq!(refused(dir.path(), &args), format!("usher: {message}\n"));
}
