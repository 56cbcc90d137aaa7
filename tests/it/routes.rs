//! The table of routes, and what every route answers to a caller who may not, or does not
//! say it right. A route that is not in the table fails the first test.

use serde_json::Value;
use usher::api;

use crate::harness::{Reply, Request, Server};

const ALL: &str = "ingest,read,write,delete,admin,export";
const ROUTES: &str = include_str!("routes.txt");

/// A line of the table.
struct Route {
    face: &'static str,
    method: &'static str,
    pattern: &'static str,
    /// What a key needs; "open" for everybody.
    scope: &'static str,
    /// What its body is: "json", "raw", or "none".
    body: &'static str,
}

fn routes() -> Vec<Route> {
    ROUTES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [face, method, pattern, scope, body] = words[..] else { panic!("{line}") };
            Route { face, method, pattern, scope, body }
        })
        .collect()
}

#[test]
fn every_route_is_in_the_table_and_the_table_has_no_other() {
    let mut there: Vec<String> = api::routes()
        .iter()
        .map(|(face, route)| {
            let scope = route.scope.map_or("open", |scope| scope.as_str());
            format!("{face:?} {} {} {scope}", route.method, route.path)
        })
        .collect();
    let mut listed: Vec<String> = routes()
        .iter()
        .map(|Route { face, method, pattern, scope, .. }| format!("{face} {method} {pattern} {scope}"))
        .collect();
    there.sort();
    listed.sort();
    assert_eq!(there, listed);
}

impl Route {
    /// A path that fits, of things that are not there.
    fn path(&self, server: &Server) -> String {
        let fill = |segment: &str| match segment {
            "{version}" => "2023-01".to_owned(),
            "{projectKey}" => server.project().key.clone(),
            "{jobId}" | "{jobID}" | "{sessionId}" => "999".to_owned(),
            "{user_id}" => "u_999".to_owned(),
            name if name.starts_with('{') => "nobody".to_owned(),
            plain => plain.to_owned(),
        };
        self.pattern.split('/').map(fill).collect::<Vec<String>>().join("/")
    }

    fn request<'a>(&self, server: &'a Server, method: &str) -> Request<'a> {
        let request = server.request(method, &self.path(server));
        match self.face {
            "Alloy" if !self.pattern.contains("{version}") => request.header("x-api-version", "2025-09"),
            _ => request,
        }
    }

    fn with_key<'a>(&self, server: &'a Server, key: &str) -> Request<'a> {
        let request = self.request(server, self.method);
        match (self.face, self.pattern) {
            ("OpenReplay", _) => request.header("Authorization", key),
            ("Gainsight", _) => request.header("X-APTRINSIC-API-KEY", key),
            ("ProficientClient", _) => request.header("X-PROFICIENT-API-KEY", key),
            ("Vemetric", "/e" | "/u" | "/i" | "/r" | "/l") => request.header("Token", key),
            _ => request.bearer(key),
        }
    }

    /// Of no one project: OpenReplay's, and what is of the whole installation.
    fn is_organisations(&self) -> bool {
        self.face.starts_with("OpenReplay")
            || self.face == "Regulations"
            || ["/api/backups", "/metrics"].contains(&self.pattern)
            || self.pattern.starts_with("/api/projects/")
    }

    /// A key for this route.
    fn key(&self, server: &Server, scopes: &str) -> String {
        let project = (!self.is_organisations()).then(|| server.project().id);
        server.key(project, scopes)
    }

    fn sends(&self, request: Request, body: &str) -> Reply {
        match self.body {
            "none" => request.send(),
            _ => request.body(body, "application/json").send(),
        }
    }

    /// An error has this API's shape, and no more than that.
    #[track_caller]
    fn check(&self, reply: &Reply, status: u16) {
        let at = format!("{} {} {}: {} {}", self.face, self.method, self.pattern, reply.status, reply.text);
        assert_eq!(reply.status, status, "{at}");
        if self.face == "OpenReplayV2" && status == 401 {
            assert_eq!(reply.text, "", "{at}");
            return;
        }
        let body = reply.json();
        let texts: Vec<&Value> = match self.face {
            "OpenReplay" => vec![&body["errors"][0]],
            "OpenReplayV2" => {
                assert_eq!(crate::harness::fields(&body), ["error"], "{at}");
                vec![&body["error"]]
            }
            "Vemetric" | "Proficient" | "ProficientClient" => {
                vec![&body["error"]["code"], &body["error"]["message"]]
            }
            "Gainsight" => {
                let error = &body["externalapierror"];
                assert_eq!(
                    crate::harness::fields(error),
                    ["debugMessage", "message", "status", "subErrors"],
                    "{at}"
                );
                vec![&error["status"], &error["message"]]
            }
            "Alloy" => vec![&body["message"]],
            "Segment" => {
                assert_eq!(body["success"], false, "{at}");
                vec![&body["code"], &body["message"]]
            }
            "Regulations" => vec![&body["errors"][0]["type"], &body["errors"][0]["message"]],
            "Native" => {
                assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{at}");
                assert_eq!(body["status"], status, "{at}");
                vec![&body["title"], &body["detail"], &body["code"], &body["requestId"]]
            }
            other => panic!("{other} has no shape here"),
        };
        assert!(texts.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty())), "{at}");
    }
}

fn keyed() -> impl Iterator<Item = Route> {
    routes().into_iter().filter(|route| route.scope != "open")
}

/// The same without what is counted of messages that were refused.
fn rows_but_repairs(server: &Server) -> Vec<(String, i64)> {
    let counted = ["repairs", "recent_repairs"];
    rows(server).into_iter().filter(|(name, _)| !counted.contains(&name.as_str())).collect()
}

/// Rows of every table, to see that nothing was changed.
fn rows(server: &Server) -> Vec<(String, i64)> {
    let conn = server.sqlite();
    usher::store::data_inventory::TABLES
        .iter()
        .map(|table| {
            let sql = format!("SELECT COUNT(*) FROM {}", table.name);
            (table.name.to_owned(), conn.query_row(&sql, [], |row| row.get(0)).expect("a count"))
        })
        .collect()
}

#[test]
fn without_a_key_every_route_answers_401() {
    let server = Server::start();
    let before = rows(&server);
    for route in keyed() {
        let reply = route.sends(route.request(&server, route.method), "{}");
        match (route.face, route.method, route.pattern) {
            // What makes it PX's is the header with the key.
            ("Gainsight", "POST", "/v1/users") => Route { face: "Vemetric", ..route }.check(&reply, 401),
            _ => route.check(&reply, 401),
        }
    }
    assert_eq!(rows(&server), before);
}

#[test]
fn with_a_wrong_or_revoked_key_every_route_answers_401() {
    let server = Server::start();
    let revoked = server.key(Some(server.project().id), ALL);
    server.write(|tx| {
        let last = usher::access::keys::list(tx)?.into_iter().map(|key| key.id).max();
        usher::access::keys::revoke(tx, last.expect("a key"))
    });
    server.app.reload_keys().expect("keys");
    let before = rows(&server);
    for route in keyed() {
        for key in ["ush_wrong", revoked.as_str()] {
            route.check(&route.sends(route.with_key(&server, key), "{}"), 401);
        }
    }
    assert_eq!(rows(&server), before);
}

#[test]
fn with_a_key_of_another_scope_every_route_answers_403() {
    let server = Server::start();
    let before = rows_but_repairs(&server);
    for route in keyed() {
        for scope in ["ingest", "read", "write", "delete", "admin"] {
            let reply = route.sends(route.with_key(&server, &route.key(&server, scope)), "{}");
            if scope == route.scope {
                assert_ne!(reply.status, 403, "{} {}: {}", route.method, route.pattern, reply.text);
            } else {
                route.check(&reply, 403);
            }
        }
    }
    // The right scope was allowed to schedule jobs; everything else failed on its way.
    let after = rows(&server);
    for (name, rows) in before {
        if !["jobs", "sequences", "api_keys", "audit", "ledger_mark"].contains(&name.as_str()) {
            assert!(after.contains(&(name.clone(), rows)), "{name} changed");
        }
    }
}

#[test]
fn beyond_its_rate_every_route_answers_429_and_until_when() {
    let server = Server::with(|options| options.rate_limit = Some(1));
    for route in keyed() {
        let key = route.key(&server, ALL);
        let first = route.sends(route.with_key(&server, &key), "{}");
        assert_ne!(first.status, 429, "{}", first.text);
        for (header, value) in [("x-ratelimit-limit", "1"), ("x-ratelimit-remaining", "0")] {
            assert_eq!(first.header(header), Some(value), "{} {}", route.method, route.pattern);
        }
        let reset: i64 = first.header("x-ratelimit-reset").expect("a reset").parse().expect("seconds");
        let now = server.clock.now() / 1_000;
        assert!((now + 1..=now + 61).contains(&reset), "{reset} at {now}");
        let refused = route.sends(route.with_key(&server, &key), "{}");
        route.check(&refused, 429);
        assert_eq!(refused.header("retry-after"), Some("60"));
        // It says where the key stands, too: whole again in a minute.
        for (header, value) in [("x-ratelimit-limit", "1"), ("x-ratelimit-remaining", "0")] {
            assert_eq!(refused.header(header), Some(value), "{} {}", route.method, route.pattern);
        }
        let reset = refused.header("x-ratelimit-reset").expect("a reset").parse().ok();
        assert_eq!(reset, Some(now + 61), "{} {}", route.method, route.pattern);
        server.clock.advance(60_000);
        assert_ne!(route.sends(route.with_key(&server, &key), "{}").status, 429);
    }
}

#[test]
fn a_wrong_method_is_answered_405_with_the_right_ones() {
    let server = Server::start();
    for route in routes() {
        let reply = route.request(&server, "PURGE").send();
        let allow = reply.header("allow").unwrap_or_default().to_owned();
        let at = format!("{} {}: {} {allow}", route.method, route.pattern, reply.status);
        assert_eq!(reply.status, 405, "{at}");
        assert!(!allow.is_empty(), "{at}");
        reply.json();
    }
}

#[test]
fn an_unknown_path_is_404_in_the_words_of_its_api() {
    let server = Server::start();
    let cases = [
        ("OpenReplay", "/api/v1/nothing/at/all/here"),
        ("OpenReplayV2", "/v2/api/public/nothing/at/all/here"),
        ("Vemetric", "/v1/nothing"),
        ("Gainsight", "/v1/users/a/b/c"),
        ("Alloy", "/2023-01/users/a/token"),
        ("Proficient", "/users/u_1/more"),
        ("ProficientClient", "/interactions/i_1/more"),
        ("Segment", "/v1/batch/more"),
        ("Segment", "/v1/projects/x/nothing"),
        ("Segment", "/v1//track//more/"),
        ("Regulations", "/regulations/x/y/z"),
        ("Regulations", "/v2/regulations/x/y"),
        ("Gainsight", "/v1/accounts/x/y/z"),
        ("Native", "/api/nothing"),
        ("Native", "/v2/api/publicly"),
    ];
    for (face, path) in cases {
        let route = Route { face, method: "GET", pattern: path, scope: "read", body: "none" };
        route.check(&server.get(path).send(), 404);
    }
}

#[test]
fn a_body_not_json_or_too_large_changes_nothing() {
    let server = Server::start();
    let keys = [server.project().all.clone(), server.key(None, ALL)];
    let before = rows_but_repairs(&server);
    let huge = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes));
    // Segment's and RudderStack's batches are larger than all else.
    let batches = ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch", "/sdk/batch"];
    let (huge, larger) = (huge(1_100_000), huge(4_100_000));
    for route in keyed().filter(|route| route.body == "json") {
        let key = &keys[usize::from(route.face.starts_with("OpenReplay"))];
        for broken in ["", "{", "[]", "null", "{\"a\":1}}", "{\"a\":\"\\ud800\"}"] {
            let reply = route.sends(route.with_key(&server, key), broken);
            route.check(&reply, 400);
        }
        let huge = if batches.contains(&route.pattern) { &larger } else { &huge };
        let reply = route.sends(route.with_key(&server, key), huge);
        route.check(&reply, 413);
    }
    assert_eq!(rows_but_repairs(&server), before);
}

#[test]
fn a_path_that_is_not_utf_8_once_decoded_is_refused() {
    let server = Server::start();
    for route in keyed().filter(|route| route.path(&server).contains("nobody")) {
        let path = route.path(&server).replace("nobody", "no%ffbody");
        let reply = server
            .request(route.method, &path)
            .header("x-api-version", "2025-09")
            .header(
                match route.face {
                    "Gainsight" => "X-APTRINSIC-API-KEY",
                    "ProficientClient" => "X-PROFICIENT-API-KEY",
                    _ => "Authorization",
                },
                &match route.face {
                    "OpenReplayV2" => format!("Bearer {}", server.project().all),
                    _ => server.project().all.clone(),
                },
            )
            .body("{}", "application/json")
            .send();
        assert!([400, 422].contains(&reply.status), "{path}: {} {}", reply.status, reply.text);
    }
}

#[test]
fn the_organisations_key_serves_nothing_of_one_project() {
    let server = Server::start();
    let key = server.key(None, ALL);
    for route in keyed() {
        let reply = route.sends(route.with_key(&server, &key), "{}");
        match route.is_organisations() {
            true => assert_ne!(reply.status, 403, "{}", reply.text),
            false => route.check(&reply, 403),
        }
    }
}

#[test]
fn health_needs_no_key() {
    let server = Server::start();
    server.get("/healthz").send().expect(200);
    server.get("/readyz").send().expect(200);
    assert_eq!(server.get("/").send().expect(303).header("location"), Some("/admin/"));
}
