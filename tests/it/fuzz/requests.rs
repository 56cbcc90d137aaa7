//! Every route of every API and of the pages: bodies, paths, queries, cursors and cookies.

use fastrand::Rng;
use serde_json::{Value, json};
use usher::api;

use super::wire::Sent;
use super::{alter, requests};
use crate::admin::Browser;
use crate::harness::{START, Server};
use crate::segment::{send, track};

/// A server with a few people, who have done something.
fn inhabited() -> Server {
    let server = Server::start();
    for (n, name) in ["ann", "bob", "cid", "dan", "eve"].iter().enumerate() {
        server.seed(name).events(3).email(&format!("{name}@example.com")).insert();
        server.clock.advance(1_000 * (n as i64 + 1));
    }
    send(&server, "/v1/track", track("ann", "Opened")).expect(200);
    server.delete("/users/eve").bearer(&server.project().all).send();
    server
}

/// Nothing that was sent has hurt anything: a file that is sound, and a server that serves.
#[track_caller]
fn check_unhurt(server: &Server) {
    let sound: String =
        server.sqlite().query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer");
    assert_eq!(sound, "ok");
    server.get("/readyz").send().expect(200);
    // A key may have been revoked meanwhile.
    let key = server.key(Some(server.project().id), "ingest");
    server.post("/v1/track").bearer(&key).json(track("ann", "still here")).send().expect(200);
}

/// A key, as the clients of an API send it.
fn with_key(face: &str, key: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut headers = match face {
        "Gainsight" => vec![("X-APTRINSIC-API-KEY", key.as_bytes().to_vec())],
        "ProficientClient" => vec![("X-PROFICIENT-API-KEY", key.as_bytes().to_vec())],
        "Vemetric" => vec![("Token", key.as_bytes().to_vec())],
        "Alloy" => vec![("x-api-version", b"2025-09".to_vec())],
        _ => Vec::new(),
    };
    let authorization = if face == "OpenReplay" { key.to_owned() } else { format!("Bearer {key}") };
    headers.push(("Authorization", authorization.into_bytes()));
    headers
}

/// A body that a route takes.
fn good_body(face: &str, path: &str) -> Value {
    let message = json!({
        "type": "track", "userId": "ann", "anonymousId": "a1", "event": "Opened", "messageId": "m1",
        "timestamp": "2026-03-04T09:00:00Z", "properties": { "n": 1, "list": [1, { "a": "b" }] },
        "traits": { "email": "ann@example.com", "age": 3 }, "previousId": "old", "groupId": "g",
        "context": { "page": { "url": "https://example.com/a?b=c" }, "userAgent": "Mozilla/5.0" },
    });
    match (face, path) {
        ("Segment", path) if path.ends_with("batch") || path.ends_with("/b") || path.ends_with("import") => {
            json!({ "batch": [message, { "type": "identify", "userId": "bob", "traits": {} }], "sentAt": 5 })
        }
        ("Segment", _) => message,
        ("Native", "/api/activity") => json!({ "activity": [
            { "type": "event", "userId": "ann", "name": "x", "properties": { "a": 1 }, "at": START },
            { "type": "profile", "userId": "ann", "attributes": { "plan": "pro" } },
        ] }),
        ("Native", "/api/suppressions" | "/api/suppressions/check") => {
            json!({ "subject": { "identifier": "ann" }, "policy": "days", "days": 3, "reason": "asked" })
        }
        ("Native", _) => json!({ "origins": ["https://example.com"], "publicWrites": "open" }),
        ("Regulations", "/v2/regulations") => {
            json!({ "regulationType": "suppress", "users": [{ "userId": "zoe" }], "sourceIds": [] })
        }
        ("Regulations", _) => {
            json!({ "regulationType": "SUPPRESS_ONLY", "subjectType": "USER_ID", "subjectIds": ["zoe"] })
        }
        ("Vemetric", "/v1/users") => json!({
            "page": 1, "dateRange": "24hrs", "filtersOperator": "and", "search": "a",
            "filters": [{ "type": "user", "operator": "is", "value": "ann" }],
        }),
        ("Vemetric", _) => json!({
            "name": "Opened", "identifier": "ann", "userIdentifier": "ann", "displayName": "Ann",
            "dateRange": "24hrs", "customData": { "a": 1 }, "page": 1,
            "userData": { "set": { "a": 1 }, "setOnce": {}, "unset": ["b"] },
            "data": { "set": { "a": 1 }, "setOnce": {}, "unset": ["b"] }, "url": "https://example.com/",
        }),
        ("Gainsight", path) if path.contains("preferences") => {
            json!({ "identifyId": "ann", "identifyIds": ["ann"], "preferences": { "engagements": true } })
        }
        ("Gainsight", path) if path.contains("denylist") => json!({ "denylist": true }),
        ("Gainsight", _) => json!({
            "identifyId": "ann", "email": "ann@example.com", "firstName": "Ann", "score": 3,
            "accountId": "acme", "propertyKeys": ["AP-1"], "eventName": "Opened", "date": START,
            "attributes": { "a": "b" }, "customAttributes": { "c": 1 }, "signUpDate": START,
        }),
        ("OpenReplayV2" | "OpenReplay", _) => json!({
            "name": "Shop", "platform": "web", "startTimestamp": 1, "endTimestamp": START, "limit": 2,
            "page": 1, "sortBy": "startTs", "sortOrder": "desc", "filters": [], "query": "a",
        }),
        ("Alloy", _) => json!({ "username": "zoe", "fullName": "Zoe", "name": "Zoe" }),
        (_, _) => json!({
            "external_id": "zoe", "email": "zoe@example.com", "user_id": "ann", "agent_id": "a",
            "content": "Hello", "interaction_id": "i", "parent_id": null, "name": "Zoe",
        }),
    }
}

/// A query that a list takes.
fn good_query(face: &str) -> &'static [(&'static str, &'static str)] {
    match face {
        "Vemetric" => &[("id", "1"), ("identifier", "ann")],
        "Gainsight" => &[
            ("pageSize", "2"),
            ("scrollId", ""),
            ("filter", "email==ann@example.com;score>=3"),
            ("sort", "-lastSeen"),
            ("hardDelete", "false"),
            ("pageNumber", "0"),
            ("dateRangeStart", "1"),
        ],
        "OpenReplay" | "OpenReplayV2" => &[("start_date", "1"), ("end_date", "1772618400000"), ("q", "Shop")],
        "Regulations" => &[
            ("pagination[count]", "2"),
            ("pagination[cursor]", ""),
            ("regulationTypes[]", "SUPPRESS_ONLY"),
            ("status", "FINISHED"),
            ("after_cursor", ""),
        ],
        "Native" => &[("limit", "2"), ("cursor", ""), ("days", "3")],
        "pages" => &[("q", "ann"), ("after", ""), ("project", "1"), ("action", "view"), ("page", "1")],
        _ => &[("live_mode", "true"), ("limit", "2"), ("starting_after", ""), ("agent_id", "a")],
    }
}

fn is_taken(name: &str) -> &str {
    match name {
        "{version}" => "2025-09",
        "{userId}" | "{identifyId}" | "{user_id}" | "{userID}" => "ann",
        name if name.starts_with('{') => "1",
        name => name,
    }
}

/// A pattern with its places filled, here and there with what does not belong there.
fn target(rng: &mut Rng, project: &str, pattern: &str, query: &[(&str, &str)]) -> Vec<u8> {
    let mut target = Vec::new();
    for segment in pattern.split('/').skip(1) {
        target.push(b'/');
        match segment {
            "{projectKey}" | "{sourceId}" | "{writeKey}" if rng.u8(..4) > 0 => target.extend(project.bytes()),
            name if name.starts_with('{') && rng.bool() => target.extend(alter::part(rng, is_taken(name))),
            name => target.extend(is_taken(name).bytes()),
        }
    }
    let mut mark = b'?';
    for (name, value) in query.iter().filter(|_| rng.bool()).collect::<Vec<_>>() {
        target.push(mark);
        mark = b'&';
        target.extend(if rng.u8(..8) == 0 { alter::part(rng, name) } else { name.bytes().collect() });
        target.push(b'=');
        target.extend(if rng.bool() { alter::part(rng, value) } else { value.bytes().collect() });
    }
    target
}

/// Of the faces that are named, or of all.
fn routes(faces: &[&str]) -> Vec<(String, &'static str, String)> {
    let all = api::routes().into_iter().map(|(face, route)| {
        let method: &'static str = match route.method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PUT" => "PUT",
            "PATCH" => "PATCH",
            _ => "DELETE",
        };
        (format!("{face:?}"), method, route.path.to_string())
    });
    all.filter(|(face, ..)| faces.is_empty() || faces.contains(&face.as_str())).collect()
}

/// The key that a route takes: some are the organisation's.
fn key_for(server: &Server, organisation: &str, face: &str, path: &str) -> String {
    let is_organisations = face.starts_with("OpenReplay")
        || ["/api/backups", "/metrics"].contains(&path)
        || path.starts_with("/api/projects/");
    if is_organisations { organisation.to_owned() } else { server.project().all.clone() }
}

#[track_caller]
fn bodies_of(faces: &[&str]) {
    let server = inhabited();
    let organisation = server.key(None, "ingest,read,write,delete,admin");
    let routes: Vec<_> = routes(faces).into_iter().filter(|(_, method, _)| *method != "GET").collect();
    let send = |(face, method, path): &(String, &'static str, String), body: Vec<u8>| {
        let key = key_for(&server, &organisation, face, path);
        let mut headers = with_key(face, &key);
        headers.push(("Content-Type", b"application/json".to_vec()));
        let target = path
            .replace("{projectKey}", &server.project().key)
            .replace("{sourceId}", &server.project().key)
            .replace("{version}", "2025-09")
            .replace(['{', '}'], "");
        let answer = Sent { method, target: target.into_bytes(), headers, body }.to(&server);
        // Vemetric's `/l` answers so where no session has begun.
        assert!(answer.status != 401 || path == "/l", "{method} {path}: the key is good");
        answer.status
    };
    // The twin: as they are, they are not refused for what they look like.
    let good = routes.iter().map(|route| send(route, good_body(&route.0, &route.2).to_string().into_bytes()));
    assert!(good.filter(|status| *status < 300).count() > 0, "nothing was taken");
    requests(60 * faces.len() as u64, |rng| {
        let route = &routes[rng.usize(..routes.len())];
        send(route, alter::body(rng, &good_body(&route.0, &route.2)));
    });
    check_unhurt(&server);
}

#[test]
fn altered_bodies_of_openreplay_get_clear_answers() {
    bodies_of(&["OpenReplay", "OpenReplayV2"]);
}

#[test]
fn altered_bodies_of_vemetric_get_clear_answers() {
    bodies_of(&["Vemetric"]);
}

#[test]
fn altered_bodies_of_gainsight_get_clear_answers() {
    bodies_of(&["Gainsight"]);
}

#[test]
fn altered_bodies_of_alloy_get_clear_answers() {
    bodies_of(&["Alloy"]);
}

#[test]
fn altered_bodies_of_proficient_get_clear_answers() {
    bodies_of(&["Proficient", "ProficientClient"]);
}

#[test]
fn altered_bodies_of_segment_get_clear_answers() {
    bodies_of(&["Segment"]);
}

#[test]
fn altered_bodies_of_regulations_get_clear_answers() {
    bodies_of(&["Regulations"]);
}

#[test]
fn altered_bodies_of_the_native_api_get_clear_answers() {
    bodies_of(&["Native"]);
}

#[test]
fn altered_paths_and_queries_get_clear_answers() {
    let server = inhabited();
    let organisation = server.key(None, "ingest,read,write,delete,admin");
    let routes = routes(&[]);
    requests(1_500, |rng| {
        let (face, method, path) = &routes[rng.usize(..routes.len())];
        let target = target(rng, &server.project().key, path, good_query(face));
        let headers = with_key(face, &key_for(&server, &organisation, face, path));
        let body = if rng.bool() { good_body(face, path).to_string().into_bytes() } else { Vec::new() };
        Sent { method, target, headers, body }.to(&server);
    });
    check_unhurt(&server);
}

/// Where a page of a list says how to go on.
fn cursors(server: &Server) -> Vec<(&'static str, String, String)> {
    let key = &server.project().all;
    let page =
        server.get("/v1/users?pageSize=2").header("X-APTRINSIC-API-KEY", key).send().expect(200).json();
    let scroll = page["scrollId"].as_str().expect("a scrollId").to_owned();
    for name in ["x1", "x2", "x3"] {
        let body = json!({
            "regulationType": "SUPPRESS_ONLY", "subjectType": "USER_ID", "subjectIds": [name]
        });
        server.post("/regulations").bearer(key).json(body).send().expect(200);
    }
    let of = |path: &str| {
        let page = server.get(path).bearer(key).send().expect(200).json();
        page["data"]["pagination"]["next"].as_str().expect("a cursor").to_owned()
    };
    let all = "pagination%5Bcount%5D=1";
    let regulations = of(&format!("/regulations?{all}"));
    let suppressions = of(&format!("/suppressions?{all}"));
    vec![
        ("Gainsight", "/v1/users?pageSize=2&scrollId=".into(), scroll),
        ("Regulations", format!("/regulations?{all}&pagination%5Bcursor%5D="), regulations),
        ("Regulations", format!("/suppressions?{all}&pagination%5Bcursor%5D="), suppressions),
    ]
}

#[test]
fn altered_cursors_get_clear_answers() {
    let server = inhabited();
    let key = server.project().all.clone();
    let cursors = cursors(&server);
    let (mut refused, mut other) = (0, 0);
    requests(400, |rng| {
        let (face, before, good) = &cursors[rng.usize(..cursors.len())];
        let mut target = before.clone().into_bytes();
        target.extend(alter::part(rng, good));
        let sent = Sent { method: "GET", target, headers: with_key(face, &key), body: Vec::new() };
        match sent.to(&server).status {
            200 => other += 1,
            _ => refused += 1,
        }
    });
    assert!(refused > 0 && other > 0, "{refused} refused, {other} answered");
    check_unhurt(&server);
}

#[test]
fn an_altered_cookie_signs_nobody_in() {
    let server = inhabited();
    let browser = Browser::owner(&server);
    let names = ["usher_sign_in", "usher_guest", "usher_device", "usher_flash", "usher_theme"];
    let good = browser.cookie("usher_sign_in").expect("a session");
    let held: Vec<(&str, String)> =
        names.iter().map(|name| (*name, browser.cookie(name).unwrap_or_else(|| "light".into()))).collect();
    requests(400, |rng| {
        let mut cookies = Vec::new();
        let mut is_whole = false;
        for (name, value) in &held {
            let altered = alter::part(rng, value);
            let read: Vec<u8> = percent_encoding::percent_decode(&altered).collect();
            is_whole |= *name == "usher_sign_in" && read.trim_ascii() == good.as_bytes();
            if !cookies.is_empty() {
                cookies.extend(b"; ");
            }
            cookies.extend(name.bytes());
            cookies.push(b'=');
            cookies.extend(altered.into_iter().filter(|byte| !matches!(byte, 0 | b';')));
        }
        let target = b"/admin/users".to_vec();
        let answer =
            Sent { method: "GET", target, headers: vec![("Cookie", cookies)], body: Vec::new() }.to(&server);
        assert!(answer.status != 200 || is_whole, "{}", answer.head);
        assert!(answer.status == 200 || !String::from_utf8_lossy(&answer.body).contains("ann@"));
    });
    check_unhurt(&server);
}

#[test]
fn an_altered_visitor_cookie_gets_a_clear_answer() {
    let server = inhabited();
    let key = server.project().all.clone();
    let body = json!({ "name": "Opened" }).to_string();
    let first = server.post("/e").header("Token", &server.project().token).header("Allow-Cookies", "true");
    let first = first.body(&*body, "application/json");
    let first = first.send().expect(200);
    let set = first.all("set-cookie").find(|cookie| cookie.starts_with("_vuid=")).expect("a cookie");
    let good = set.trim_start_matches("_vuid=").split(';').next().unwrap_or_default().to_owned();
    requests(300, |rng| {
        let mut cookie = b"_vuid=".to_vec();
        cookie.extend(alter::part(rng, &good).into_iter().filter(|byte| *byte != 0));
        let mut headers = with_key("Vemetric", &key);
        headers.push(("Cookie", cookie));
        let path = ["/e", "/i", "/u", "/r", "/l"][rng.usize(..5)];
        let body = good_body("Vemetric", path).to_string().into_bytes();
        Sent { method: "POST", target: path.as_bytes().to_vec(), headers, body }.to(&server);
    });
    check_unhurt(&server);
}

/// What signs out, turns people away for guessing, or takes the admin's own rights, ends the round.
const ENDING: [&str; 7] = ["log", "setup", "/end", "/reset", "/remove", "/rights", "/account/"];

#[test]
fn altered_addresses_and_forms_of_pages_get_clear_answers() {
    let server = inhabited();
    let browser = Browser::owner(&server);
    let cookie = format!("usher_sign_in={}", browser.cookie("usher_sign_in").expect("a session"));
    let token = browser.token();
    let routes = usher::admin::routes();
    let routes: Vec<_> =
        routes.iter().filter(|route| !ENDING.iter().any(|ending| route.path.contains(ending))).collect();
    requests(200, |rng| {
        let route = routes[rng.usize(..routes.len())];
        let method = if route.method == "POST" { "POST" } else { "GET" };
        let target = target(rng, &server.project().key, route.path, good_query("pages"));
        let origin = format!("http://{}", server.addr).into_bytes();
        let form = b"application/x-www-form-urlencoded".to_vec();
        let headers =
            vec![("Cookie", cookie.clone().into_bytes()), ("Origin", origin), ("Content-Type", form)];
        let mut body = format!("form_token={token}").into_bytes();
        for name in ["name", "reason", "confirm", "project", "scopes", "origins", "kind", "days", "value"] {
            body.extend(format!("&{name}=").bytes());
            body.extend(alter::part(rng, "1"));
        }
        Sent { method, target, headers, body }.to(&server);
    });
    assert!(browser.is_in(), "it is still signed in");
    check_unhurt(&server);
}
