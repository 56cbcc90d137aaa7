//! Requests of pages of other sites: preflights, what answers allow, and each project's list
//! of origins.

use serde_json::{Value, json};
use usher::api;
use usher::worker;

use crate::harness::{Reply, Request, Server};

const APP: &str = "https://app.example.com";
const ASKED: &str = "authorization,content-type,token";

fn preflight(server: &Server, path: &str) -> Reply {
    let request = server.request("OPTIONS", path).header("Origin", APP);
    let request = request.header("Access-Control-Request-Method", "POST");
    request.header("Access-Control-Request-Headers", ASKED).send()
}

fn with_token<'a>(server: &'a Server, path: &str) -> Request<'a> {
    let request = server.post(path).header("Origin", APP);
    match path {
        "/e" | "/u" | "/i" | "/r" | "/l" => request.header("Token", &server.project().token),
        _ => request.header("X-Write-Key", &server.project().token),
    }
}

fn cors(reply: &Reply) -> Vec<&str> {
    let names = ["origin", "credentials", "methods", "headers"];
    let all = names.iter().filter_map(|name| reply.header(&format!("access-control-allow-{name}")));
    all.chain(reply.header("access-control-expose-headers"))
        .chain(reply.header("access-control-max-age"))
        .collect()
}

/// What a page needs to read an answer.
#[track_caller]
fn is_readable(reply: &Reply, origin: &str) {
    assert_eq!(reply.header("access-control-allow-origin"), Some(origin), "{} {}", reply.status, reply.text);
    assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(reply.header("access-control-expose-headers"), Some("Retry-After"));
    assert!(reply.all("vary").any(|value| value.to_ascii_lowercase().contains("origin")), "{reply:?}");
}

fn stored(server: &Server) -> i64 {
    server.sqlite().query_row("SELECT COUNT(*) FROM events", [], |row| row.get(0)).expect("a count")
}

/// A body that each of these paths takes.
fn good(path: &str) -> Value {
    match path {
        "/e" => json!({ "name": "Opened", "identifier": "ann" }),
        "/u" | "/i" | "/r" | "/l" => json!({ "identifier": "ann" }),
        _ => json!({
            "userId": "ann", "event": "Opened", "groupId": "g", "previousId": "v",
            "batch": [{ "type": "track", "userId": "ann", "event": "Opened" }],
        }),
    }
}

fn paths_of_browsers() -> Vec<(String, &'static str)> {
    let routes = api::routes().into_iter().map(|(_, route)| route).filter(|route| route.browsers);
    routes.map(|route| (route.method.to_string(), route.path)).collect()
}

#[test]
fn a_preflight_is_allowed_before_any_other_check() {
    let server = Server::with(|options| options.rate_limit = Some(1));
    for (_, path) in paths_of_browsers() {
        for _ in 0..3 {
            let reply = preflight(&server, &path.replace("{writeKey}", "nobodys")).expect(204);
            assert_eq!(reply.text, "");
            let post = if ["/v1/projects/{writeKey}/settings", "/sourceConfig"].contains(&path) {
                "GET, HEAD"
            } else {
                "POST"
            };
            assert_eq!(cors(&reply), [APP, "true", post, ASKED, "900"], "{path}");
            let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
            assert_eq!(reply.header("vary"), Some(vary), "{path}");
        }
    }
    // With a slash too many it is the same path.
    for path in ["/v1/batch/", "//v1/t", "/sourceConfig/", "/v1/projects/x/settings/"] {
        assert_eq!(preflight(&server, path).expect(204).header("access-control-allow-origin"), Some(APP));
    }
}

#[test]
fn a_preflight_says_back_names_of_headers_only() {
    let server = Server::start();
    let ask = |headers: &str| {
        let request = server.request("OPTIONS", "/v1/t").header("Origin", APP);
        let reply = request.header("Access-Control-Request-Headers", headers).send().expect(204);
        reply.header("access-control-allow-headers").map(str::to_owned)
    };
    for good in ["token", "allow-cookies,content-type,token,v-host,v-sdk,v-sdk-version", "A, B"] {
        assert_eq!(ask(good).as_deref(), Some(good));
    }
    for bad in ["*", "a b", "a,,b", "a;b", "x\u{e9}", "<b>"] {
        assert_eq!(ask(bad), None, "{bad}");
    }
    // Of a program that is no browser nothing is said of origins.
    let plain = server.request("OPTIONS", "/v1/t").send().expect(204);
    assert_eq!((plain.header("allow"), plain.header("access-control-allow-origin")), (Some("POST"), None));
}

#[test]
fn an_answer_to_a_page_can_be_read_by_it() {
    let server = Server::start();
    for (method, path) in paths_of_browsers() {
        let asked = path.replace("{writeKey}", &server.project().token);
        let reply = match method.as_str() {
            "POST" => with_token(&server, path).json(good(path)).send(),
            method => {
                let request = server.request(method, &asked).header("Origin", APP);
                request.header("X-Write-Key", &server.project().token).send()
            }
        };
        is_readable(&reply.expect(200), APP);
    }
}

#[test]
fn errors_on_ingestion_paths_can_be_read_too() {
    let server = Server::with(|options| options.rate_limit = Some(3));
    for path in ["/v1/t", "/v1/batch", "/beacon/v1/batch", "/e"] {
        let key = server.key(Some(server.project().id), "ingest");
        let post = |key: &str| {
            let name = if path == "/e" { "Token" } else { "X-Write-Key" };
            server.post(path).header("Origin", APP).header(name, key)
        };
        is_readable(&post("wrong").json(good(path)).send().expect(401), APP);
        is_readable(
            &post(&server.key(Some(server.project().id), "read")).json(good(path)).send().expect(403),
            APP,
        );
        is_readable(&post(&key).body("{", "text/plain").send().expect(400), APP);
        is_readable(&post(&key).body("x".repeat(4_200_000), "text/plain").send().expect(413), APP);
        is_readable(&post(&key).json(good(path)).send().expect(200), APP);
        let refused = post(&key).json(good(path)).send().expect(429);
        assert!(refused.header("retry-after").is_some());
        is_readable(&refused, APP);
        is_readable(&server.get(path).header("Origin", APP).send().expect(405), APP);
    }
    is_readable(&server.get("/v1/projects/nobodys/settings").header("Origin", APP).send().expect(404), APP);
    is_readable(&server.get("/sourceConfig").header("Origin", APP).send().expect(401), APP);
    // Any origin, also one that a page would not tell.
    let request =
        server.post("/v1/t").header("X-Write-Key", &server.project().token).header("Origin", "null");
    is_readable(&request.json(good("/v1/t")).send().expect(200), "null");
}

#[test]
fn a_server_that_is_stopping_is_readable_too() {
    let server = Server::start();
    server.expect_faults();
    server.app.stop();
    let reply = with_token(&server, "/v1/t").json(good("/v1/t")).send().expect(503);
    assert!(reply.header("retry-after").is_some());
    is_readable(&reply, APP);
}

#[test]
fn what_reads_or_deletes_knows_no_other_site() {
    let server = Server::start();
    server.seed("ann").insert();
    let routes = api::routes().into_iter().map(|(_, route)| route);
    let browsers: Vec<&str> = paths_of_browsers().into_iter().map(|(_, path)| path).collect();
    let mut seen = 0;
    for route in routes.filter(|route| !browsers.contains(&route.path)) {
        let path = route.path.replace("{version}", "2023-01").replace(['{', '}'], "");
        let asked = preflight(&server, &path);
        // Some are another API's without its header, and then they are not there.
        assert!([404, 405].contains(&asked.status), "{path}: {}", asked.status);
        assert_eq!(cors(&asked), Vec::<&str>::new(), "{path}");
        let request = server.request(route.method.as_str(), &path).header("Origin", APP);
        let reply = request.bearer(&server.project().all).header("x-api-version", "2025-09").send();
        assert_eq!(cors(&reply), Vec::<&str>::new(), "{path}: {}", reply.status);
        seen += 1;
    }
    assert!(seen > 30, "only {seen} routes were seen");
    for path in ["/healthz", "/admin/login", "/v1/nothing", "/static/usher.css"] {
        assert_eq!(cors(&server.get(path).header("Origin", APP).send()), Vec::<&str>::new(), "{path}");
    }
}

fn set_origins(server: &Server, origins: Value) -> Reply {
    let path = format!("/api/projects/{}", server.project().key);
    server.request("PATCH", &path).bearer(&server.project().all).json(json!({ "origins": origins })).send()
}

fn refused_origins(server: &Server) -> i64 {
    worker::note_uses(&server.app).expect("the counts are written");
    let path = format!("/api/projects/{}", server.project().key);
    server.get(&path).bearer(&server.project().all).send().expect(200).json()["refusedOrigins"]
        .as_i64()
        .expect("a count")
}

#[test]
fn a_page_that_is_not_on_the_list_is_refused_and_counted() {
    let server = Server::start();
    set_origins(&server, json!([APP, "http://localhost:3000"])).expect(200);
    let post = |path: &str, origin: Option<&str>| {
        let request = match path {
            "/e" => server.post(path).header("Token", &server.project().token),
            _ => server.post(path).header("X-Write-Key", &server.project().token),
        };
        let request = origin.into_iter().fold(request, |request, origin| request.header("Origin", origin));
        request.json(good(path)).send()
    };
    let mut refused = 0;
    for path in ["/v1/t", "/v1/b", "/e"] {
        for origin in
            ["https://evil.example", "http://app.example.com", "https://app.example.com:8443", "null"]
        {
            let before = stored(&server);
            let reply = post(path, Some(origin)).expect(403);
            // The page may read why.
            is_readable(&reply, origin);
            assert!(reply.text.contains("origin"), "{}", reply.text);
            assert_eq!(stored(&server), before);
            refused += 1;
        }
        // A preflight has no key, so that it cannot be judged.
        assert_eq!(preflight(&server, path).expect(204).header("access-control-allow-origin"), Some(APP));
        for origin in [Some(APP), Some("http://localhost:3000"), None] {
            post(path, origin).expect(200);
        }
    }
    assert_eq!(refused_origins(&server), refused);
    // The settings are judged as well.
    let settings = format!("/v1/projects/{}/settings", server.project().token);
    server.get(&settings).header("Origin", "https://evil.example").send().expect(403);
    server.get(&settings).header("Origin", APP).send().expect(200);
    assert_eq!(refused_origins(&server), refused + 1);
    // Another project has a list of its own, and an empty one is every site.
    let second = server.second();
    let other =
        server.post("/v1/t").header("X-Write-Key", &second.token).header("Origin", "https://evil.example");
    other.json(good("/v1/t")).send().expect(200);
    set_origins(&server, json!([])).expect(200);
    post("/v1/t", Some("https://evil.example")).expect(200);
}

#[test]
fn the_list_holds_for_every_key_of_the_project() {
    let server = Server::start();
    set_origins(&server, json!([APP])).expect(200);
    let late = server.key(Some(server.project().id), "ingest");
    for key in [&server.project().all, &late] {
        let post = |origin: &str| {
            let request = server.post("/v1/t").bearer(key).header("Origin", origin);
            request.json(good("/v1/t")).send().status
        };
        assert_eq!((post(APP), post("https://evil.example")), (200, 403));
    }
    // It is kept over a start.
    let (key, token) = (server.project().key.clone(), server.project().token.clone());
    let again = Server::over(server.stop(), |_| {});
    assert_eq!(again.project().key, key);
    let request = again.post("/v1/t").header("X-Write-Key", &token).header("Origin", "https://evil.example");
    request.json(good("/v1/t")).send().expect(403);
}

#[test]
fn a_list_of_origins_is_checked_and_kept_in_one_form() {
    let server = Server::start();
    let given = json!(["HTTPS://App.Example.com:443", APP, " http://[::1]:3000 ", "capacitor://localhost"]);
    let kept = json!([APP, "http://[::1]:3000", "capacitor://localhost"]);
    assert_eq!(set_origins(&server, given).expect(200).json()["origins"], kept);
    let wrong = [
        "",
        "*",
        "app.example.com",
        "https://",
        "https://app.example.com/",
        "https://app.example.com/x",
        "https://u@app.example.com",
        "https://*.example.com",
        "https://app.example.com:0",
        "https://a b",
        "://x",
        "null",
    ];
    for text in wrong {
        let body = set_origins(&server, json!([APP, text])).expect(400).json();
        assert_eq!(body["errors"][0]["field"], "origins[1]", "{text}: {body}");
    }
    for (wrong, field) in
        [(json!("https://app.example.com"), "origins"), (json!([1]), "origins[0]"), (json!({}), "origins")]
    {
        assert_eq!(set_origins(&server, wrong).expect(400).json()["errors"][0]["field"], field);
    }
    let many =
        |count: usize| json!((0..count).map(|n| format!("https://a{n}.example")).collect::<Vec<String>>());
    assert_eq!(set_origins(&server, many(101)).expect(400).json()["errors"][0]["field"], "origins");
    let path = format!("/api/projects/{}", server.project().key);
    let read = || server.get(&path).bearer(&server.project().all).send().expect(200).json();
    assert_eq!(read()["origins"], kept, "what is refused changes nothing");
    set_origins(&server, many(100)).expect(200);
    assert_eq!(read()["origins"].as_array().map(Vec::len), Some(100));
}

#[test]
fn a_projects_settings_are_its_admins_alone() {
    let server = Server::start();
    let second = server.second();
    let path = |key: &str| format!("/api/projects/{key}");
    let (own, other) = (path(&server.project().key), path(&second.key));
    let body = server.get(&own).bearer(&server.project().all).send().expect(200).json();
    assert_eq!((&body["key"], &body["origins"]), (&json!(server.project().key), &json!([])));
    for path in [&other, &path("NOBODYS")] {
        let reply = server.get(path).bearer(&server.project().all).send().expect(404).json();
        assert_eq!(reply["code"], "project_not_found");
        let change = server.request("PATCH", path).bearer(&server.project().all);
        change.json(json!({ "origins": [APP] })).send().expect(404);
    }
    let organisation = server.key(None, "admin");
    for path in [&own, &other] {
        let reply = server.get(path).bearer(&organisation).send().expect(200).json();
        assert_eq!(reply["origins"], json!([]));
    }
    let lesser = server.key(Some(server.project().id), "ingest,read,write,delete");
    server.get(&own).bearer(&lesser).send().expect(403);
    // What is left out stays.
    set_origins(&server, json!([APP])).expect(200);
    let empty =
        server.request("PATCH", &own).bearer(&server.project().all).json(json!({})).send().expect(200);
    assert_eq!(empty.json()["origins"], json!([APP]));
}
