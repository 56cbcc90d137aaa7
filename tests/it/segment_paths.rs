//! The paths that official clients of Segment, RudderStack and Customer.io send to, where
//! they put the key, and what they ask besides.

use serde_json::{Value, json};

use crate::harness::{Reply, Server};
use crate::segment::{find, names};

const F03: &str = include_str!("segment_paths.json");

fn basic(key: &str) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(format!("{key}:").as_bytes()))
}

/// The body of a client: a message and a batch in one, the key last, as some clients have it.
fn body(key: Option<&str>) -> Value {
    let mut body: Value = serde_json::from_str(F03).expect("JSON");
    match key {
        Some(key) => body["writeKey"] = json!(key),
        None => _ = body.as_object_mut().and_then(|body| body.remove("writeKey")),
    }
    body
}

fn events(server: &Server) -> i64 {
    server.sqlite().query_row("SELECT COUNT(*) FROM events", [], |row| row.get(0)).expect("a count")
}

const BATCHES: [&str; 11] = [
    "/v1/batch",
    "/v1/b",
    "/v1/import",
    "/v1/import/",
    "/v1/batch/",
    "//v1/batch",
    "/v1//b",
    "//v1//import//",
    "/beacon/v1/batch",
    "/sdk/batch",
    "//beacon/v1/batch/",
];

#[test]
fn each_batch_path_of_the_clients_takes_a_batch() {
    let server = Server::start();
    for (n, path) in (1..).zip(BATCHES) {
        let reply = server.post(path).json(body(Some(&server.project().token))).send().expect(200);
        assert_eq!(reply.json(), json!({ "success": true }), "{path}");
        assert_eq!(events(&server), n, "{path}");
        let refused = server.post(path).json(body(Some("wrong"))).send().expect(401).json();
        assert_eq!(
            (&refused["success"], &refused["code"]),
            (&json!(false), &json!("unauthorized")),
            "{path}"
        );
    }
    assert!(names(&server, "ann").iter().all(|name| name == "Opened"));
}

#[test]
fn a_letter_of_the_browsers_client_is_a_message_of_its_type() {
    let server = Server::start();
    for letter in ["t", "i", "p", "s", "g", "a"] {
        let mut message = body(Some(&server.project().token));
        message["userId"] = json!(letter);
        message["groupId"] = json!("g");
        message["previousId"] = json!(format!("{letter}-before"));
        message["traits"] = json!({ "plan": "pro" });
        for path in [format!("/v1/{letter}"), format!("/v1/{letter}/"), format!("//v1/{letter}")] {
            let reply = server.post(&path).body(message.to_string(), "text/plain").send();
            assert_eq!(reply.expect(200).json(), json!({ "success": true }), "{path}");
        }
        message["writeKey"] = json!("wrong");
        let refused = server.post(&format!("/v1/{letter}")).json(message).send().expect(401).json();
        assert_eq!(refused["code"], "unauthorized");
    }
    let plan = |name: &str| find(&server, name).expect(name).profile.attributes.get("plan").cloned();
    assert_eq!((plan("i"), plan("t")), (Some(json!("pro")), None));
    assert_eq!(find(&server, "g").expect("g").profile.attributes["groupId"], "g");
    // Three tracks, three pages, three screens; the rest is no event.
    assert_eq!(events(&server), 9);
}

#[test]
fn the_first_place_that_has_a_key_counts() {
    let server = Server::start();
    let good = server.project().token.clone();
    // Basic, X-Write-Key, the query, the body: None has none.
    let send = |places: [Option<&str>; 4]| -> u16 {
        let query = places[2].map_or_else(String::new, |key| format!("?writeKey={key}"));
        let mut request = server.post(&format!("/v1/batch{query}"));
        if let Some(key) = places[0] {
            request = request.header("Authorization", &basic(key));
        }
        if let Some(key) = places[1] {
            request = request.header("X-Write-Key", key);
        }
        request.json(body(places[3])).send().status
    };
    for place in 0..4 {
        let mut places = [None; 4];
        places[place] = Some(good.as_str());
        assert_eq!(send(places), 200, "{place}");
        // What comes later is not asked, what is empty is passed over.
        for later in place + 1..4 {
            let mut both = places;
            both[later] = Some("wrong");
            assert_eq!(send(both), 200, "{place} {later}");
        }
        for earlier in 0..place {
            let mut both = places;
            both[earlier] = Some("wrong");
            assert_eq!(send(both), 401, "{earlier} {place}");
            both[earlier] = Some("");
            assert_eq!(send(both), 200, "{earlier} {place}");
        }
    }
    assert_eq!(send([None; 4]), 401);
}

#[test]
fn a_clients_figures_about_itself_are_taken_and_not_kept() {
    let server = Server::start();
    let figures = r#"{"series":[{"type":"Counter","metric":"m","value":1,"tags":{}}]}"#;
    let post = |path: &str| server.post(path).body(figures, "text/plain").send().expect(200).json();
    assert_eq!(post("/v1/m"), json!({ "success": true }));
    assert_eq!(post("/v1/m/"), json!({ "success": true }));
    assert_eq!(post("/rsaMetrics"), json!({}));
    let users: i64 =
        server.sqlite().query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0)).expect("a count");
    assert_eq!((users, events(&server)), (0, 0));
}

#[test]
fn nobody_is_merged_by_what_is_not_an_id() {
    let server = Server::start();
    let message = json!({
        "type": "merge",
        "mergeProperties": [{ "type": "email", "value": "a@x" }, { "type": "mobile", "value": "1" }],
    });
    let post = |key: &str| {
        server.post("/v1/merge").header("Authorization", &basic(key)).json(message.clone()).send()
    };
    let reply = post(&server.project().token).expect(200).json();
    assert_eq!((&reply["success"], &reply["errors"][0]["field"]), (&json!(true), &json!("type")));
    post("wrong").expect(401);
}

fn settings(server: &Server, key: &str) -> Reply {
    server.get(&format!("/v1/projects/{key}/settings")).header("Host", "usher.example.com").send()
}

#[test]
fn the_settings_lead_clients_here_and_keep_them_from_the_vendor() {
    let server = Server::with(|options| options.public_url = Some("https://usher.example.com"));
    let token = server.project().token.clone();
    // Never the request's own host.
    server.get(&format!("/v1/projects/{token}/settings")).header("Host", "evil.example").send().expect(403);
    let reply = settings(&server, &token).expect(200);
    assert_eq!(reply.header("cache-control"), Some("max-age=60"));
    let here = json!({ "apiKey": token, "apiHost": "usher.example.com/v1", "protocol": "https" });
    let expected = json!({
        "integrations": { "Segment.io": here, "Customer.io Data Pipelines": here },
        "plan": {}, "middlewareSettings": {}, "edgeFunction": {}, "consentSettings": {},
        "metrics": { "sampleRate": 0 }, "legacyVideoPluginsEnabled": false, "remotePlugins": [],
    });
    assert_eq!(reply.json(), expected);
    let head = server.request("HEAD", &format!("/v1/projects/{token}/settings")).send().expect(200);
    assert_eq!(head.text, "");
}

#[test]
fn without_a_public_url_settings_name_the_listening_address() {
    let server = Server::start();
    let reply = settings(&server, &server.project().token).expect(200).json();
    let here = &reply["integrations"]["Segment.io"];
    assert_eq!(
        (&here["apiHost"], &here["protocol"]),
        (&json!(format!("{}/v1", server.addr)), &json!("http"))
    );
}

#[test]
fn settings_answer_public_credentials_alone() {
    let server = Server::start();
    let keys =
        [server.project().all.clone(), server.key(Some(server.project().id), "ingest"), "wrong".into()];
    for key in &keys {
        assert_eq!(settings(&server, key).expect(404).json(), json!({ "message": "Invalid write key" }));
        let reply = server.get("/sourceConfig").header("Authorization", &basic(key)).send().expect(400);
        assert_eq!(reply.json(), json!({ "message": "Invalid write key" }));
    }
    let reply = server.get("/sourceConfig").send().expect(401);
    assert_eq!(reply.json(), json!({ "message": "Writekey not found in basic auth" }));
}

#[test]
fn the_source_config_has_what_rudderstacks_clients_insist_on() {
    let server = Server::start();
    let token = &server.project().token;
    for path in ["/sourceConfig", "/sourceConfig/?p=npm&v=3.34&build=modern", "//sourceConfig"] {
        let reply = server.get(path).header("Authorization", &basic(token)).send().expect(200).json();
        let source = &reply["source"];
        assert_eq!((&source["writeKey"], &source["enabled"]), (&json!(token), &json!(true)));
        assert!(source["id"].as_str().is_some_and(|id| id.starts_with("src_")), "{reply}");
        let off =
            json!({ "statsCollection": { "errors": { "enabled": false }, "metrics": { "enabled": false } } });
        assert_eq!((&source["config"], &source["destinations"]), (&off, &json!([])));
        assert_eq!(reply["updatedAt"], "2026-03-04T10:00:00Z");
    }
    // The key may stand in the query; the name of the project is the operator's own.
    let reply = server.get(&format!("/sourceConfig?writeKey={token}")).send().expect(200);
    assert!(!reply.text.contains("default"), "{}", reply.text);
}

#[test]
fn a_probe_for_ad_blockers_needs_no_key() {
    let server = Server::start();
    assert_eq!(server.request("HEAD", "/sourceConfig/?view=ad").send().expect(204).text, "");
    assert_eq!(server.request("HEAD", "/sourceConfig").send().expect(200).text, "");
}

#[test]
fn slashes_are_tidied_for_this_family_alone() {
    let server = Server::start();
    server.seed("ann").insert();
    let key = server.project().all.clone();
    let get = |path: &str| server.get(path).header("X-APTRINSIC-API-KEY", &key).send().status;
    assert_eq!(get("/v1/users/ann"), 200, "the twin");
    for path in ["/v1/users/ann/", "//v1/users/ann", "/v1/users//ann"] {
        assert_eq!(get(path), 404, "{path}");
    }
    for path in ["//healthz", "//admin/login", "/api//backups"] {
        server.get(path).send().expect(404);
    }
}

#[test]
fn an_unknown_path_under_v1_is_in_the_words_of_whose_key_it_is() {
    let server = Server::start();
    let key = server.project().all.clone();
    let ask = |headers: &[(&str, String)], path: &str| {
        let mut request = server.post(path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().expect(404).json()
    };
    let px = ask(&[("X-APTRINSIC-API-KEY", key.clone())], "/v1/nothing");
    assert_eq!(px["externalapierror"]["status"], "NOT_FOUND");
    for headers in [("Authorization", basic(&key)), ("X-Write-Key", key.clone())] {
        assert_eq!(ask(&[headers], "/v1/nothing")["code"], "not_found");
    }
    let vemetric = ask(&[("Authorization", format!("Bearer {key}"))], "/v1/nothing");
    assert_eq!(vemetric["error"]["code"], "NOT_FOUND");
    // The path's own family goes before the key.
    assert_eq!(ask(&[("X-APTRINSIC-API-KEY", key.clone())], "/v1/track/more")["code"], "not_found");
    assert_eq!(ask(&[], "/v1/accounts/a/b")["externalapierror"]["status"], "NOT_FOUND");
}
