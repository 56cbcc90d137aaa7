//! Small things that a stranger tries: odd hosts, repeated parameters, wrong keys, names that
//! mislead, jobs for people who are not there.

use std::time::{Duration, Instant};

use serde_json::Value;
use usher::clock::{DAY, MINUTE};
use usher::error::Error;
use usher::projects;

use crate::harness::{Reply, Server};

#[test]
fn answers_are_kept_by_no_cache_and_taken_for_nothing_else() {
    let server = Server::start();
    let all = &server.project().all;
    server.seed("ann").insert();
    let asks = [
        server.get("/v1/users/ann").header("X-APTRINSIC-API-KEY", all).send().expect(200),
        server.get("/v1/users/ann").header("X-APTRINSIC-API-KEY", "x").send().expect(401),
        server.get("/api/jobs/1").bearer(all).send().expect(404),
        server.get("/healthz").send().expect(200),
        server.post("/v1/t").header("X-Write-Key", all).body("{", "application/json").send().expect(400),
        server.get("/admin/login").send().expect(200),
    ];
    for reply in asks {
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{reply:?}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{reply:?}");
        assert_eq!(reply.header("strict-transport-security"), None);
    }
    let sheet = server.get("/static/usher.css").send().expect(200);
    assert_eq!(sheet.header("cache-control"), Some("no-cache"));
    let page = server.get("/admin/login").send().expect(200);
    assert_eq!(page.header("cross-origin-opener-policy"), Some("same-origin"));
}

#[test]
fn behind_https_browsers_are_told_to_stay_there() {
    for (url, told) in
        [("https://usher.example.com", Some("max-age=31536000")), ("http://usher.example.com", None)]
    {
        let server = Server::with(|options| options.public_url = Some(url));
        for path in ["/admin/login", "/healthz", "/v1/users/ann"] {
            let reply = server.get(path).header("Host", "usher.example.com").send();
            assert_eq!(reply.header("strict-transport-security"), told, "{url} {path}");
        }
    }
}

#[test]
fn many_parameters_are_looked_through_once() {
    let server = Server::start();
    let query: Vec<String> = (0..6_000).map(|n| format!("p{n}=")).collect();
    let ask = |query: &str| {
        let request = server.get(&format!("/v1/users?{query}"));
        request.header("X-APTRINSIC-API-KEY", &server.project().all).send()
    };
    let begun = Instant::now();
    for _ in 0..10 {
        ask(&query.join("&")).expect(200);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let doubled = ask(&format!("{}&p0=", query.join("&"))).expect(400);
    assert!(doubled.text.contains("p0"), "{}", doubled.text);
}

#[test]
fn requests_without_a_good_key_are_counted_by_address() {
    let server = Server::with(|options| {
        options.rate_limit = Some(10_000);
        options.trusted_proxies = vec!["127.0.0.1"];
    });
    server.seed("ann").insert();
    let ask = |address: &str, key: &str| -> Reply {
        let request = server.get("/v1/users/ann").header("X-Forwarded-For", address);
        request.header("X-APTRINSIC-API-KEY", key).send()
    };
    for _ in 0..600 {
        ask("192.0.2.1", "wrong").expect(401);
    }
    let refused = ask("192.0.2.1", "wrong").expect(429);
    assert!(refused.header("retry-after").is_some());
    // Who has a good key is not held up, nor is another address.
    ask("192.0.2.1", &server.project().all).expect(200);
    ask("192.0.2.2", "wrong").expect(401);
    server.clock.advance(MINUTE);
    ask("192.0.2.1", "wrong").expect(401);
}

#[test]
fn a_header_with_a_key_is_taken_once() {
    let server = Server::start();
    server.seed("ann").insert();
    let (key, project) = (server.project().all.clone(), server.project().key.clone());
    let bearer = format!("Bearer {key}");
    let basic = format!("Basic {}", data_encoding::BASE64.encode(format!("{key}:").as_bytes()));
    let openreplay = format!("/api/v1/{project}/jobs");
    let v2 = format!("/v2/api/public/{project}/jobs");
    let asks = [
        ("GET", "/v1/project", "Authorization", bearer.as_str()),
        ("GET", "/v1/users/ann", "X-APTRINSIC-API-KEY", key.as_str()),
        ("GET", openreplay.as_str(), "Authorization", key.as_str()),
        ("GET", v2.as_str(), "Authorization", bearer.as_str()),
        ("GET", "/api/jobs/1", "Authorization", bearer.as_str()),
        ("GET", "/regulations", "Authorization", basic.as_str()),
        ("POST", "/v1/t", "Authorization", basic.as_str()),
        ("POST", "/v1/t", "X-Write-Key", key.as_str()),
        ("POST", "/e", "Token", key.as_str()),
        ("GET", "/agents", "x-proficient-api-key", key.as_str()),
    ];
    for (method, path, name, value) in asks {
        let ask = |other: Option<&str>| {
            let request = server.request(method, path).header(name, value);
            let request = if let Some(other) = other { request.header(name, other) } else { request };
            if method == "GET" { request.send() } else { request.body("{", "application/json").send() }
        };
        let once = ask(None);
        assert!(![401, 403].contains(&once.status), "{path}: {}", once.text);
        // The same key twice, too: no server may choose between them.
        for other in ["wrong", value] {
            let twice = ask(Some(other));
            // Some APIs answer every bad request with 422.
            assert!([400, 422].contains(&twice.status), "{path}: {}", twice.text);
            assert!(twice.text.contains("given once"), "{path}: {}", twice.text);
        }
    }
}

#[test]
fn a_key_pays_for_what_it_may_not_do() {
    let server = Server::with(|options| options.rate_limit = Some(5));
    let key = server.key(Some(server.project().id), "ingest");
    let ask = || server.get("/v1/users/ann").header("X-APTRINSIC-API-KEY", &key).send();
    for left in (0..5).rev() {
        assert_eq!(ask().expect(403).header("x-ratelimit-remaining"), Some(left.to_string().as_str()));
    }
    ask().expect(429);
}

#[test]
fn names_that_turn_what_follows_around_are_refused() {
    let server = Server::start();
    let create = |name: &'static str| server.app.write_blocking(move |tx| projects::create(tx, name, "web"));
    for name in ["good\u{202e}txt", "a\u{2066}b", "a\u{200f}b", "a\u{200b}b", "\u{feff}a", "a\u{2028}b"] {
        assert!(matches!(create(name), Err(Error::Invalid(_))), "{name:?}");
    }
    // The twin: scripts that run from right to left, and joiners, are as good as any.
    for name in ["מוצר", "می\u{200c}خواهم", "👨\u{200d}👩\u{200d}👧"] {
        assert!(create(name).is_ok(), "{name:?}");
    }
}

fn schedule(server: &Server, name: &str) -> Reply {
    let org = server.key(None, "read, write, delete");
    let path = format!("/api/v1/{}/users/{name}", server.project().key);
    server.delete(&path).header("Authorization", &org).send()
}

#[test]
fn jobs_for_people_whom_nobody_knows_have_a_bound() {
    let server = Server::start();
    server.seed("ann").insert();
    let org = server.key(None, "read, write, delete");
    let base = format!("/api/v1/{}", server.project().key);
    let delete =
        |name: &str| server.delete(&format!("{base}/users/{name}")).header("Authorization", &org).send();
    for n in 0..1_000 {
        delete(&format!("nobody-{n}")).expect(200);
    }
    let refused = delete("one-more").expect(429);
    assert_eq!(refused.header("retry-after"), Some("50401"), "until midnight");
    // For somebody who is there it is taken.
    delete("ann").expect(200);
    // All of them are in the list, page by page.
    let list = |query: &str| -> Vec<Value> {
        let reply = server.get(&format!("{base}/jobs{query}")).header("Authorization", &org).send();
        reply.expect(200).json()["data"].as_array().expect("a list").clone()
    };
    assert_eq!(list("").len(), 1_001);
    let pages: Vec<Value> = (1..=3).flat_map(|page| list(&format!("?limit=400&page={page}"))).collect();
    assert_eq!(pages, list(""));
    assert_eq!(list("?limit=400&page=4").len(), 0);
    for wrong in ["limit=0", "limit=10001", "page=0", "page=x", "limit=-1"] {
        server.get(&format!("{base}/jobs?{wrong}")).header("Authorization", &org).send().expect(422);
    }
    server.clock.advance(DAY);
    server.tick();
    schedule(&server, "one-more").expect(200);
}
