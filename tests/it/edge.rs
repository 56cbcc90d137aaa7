//! The public address, the proxies that are believed, and where a request is taken to
//! come from.

use serde_json::json;
use usher::clock::DAY;

use crate::admin::{Browser, PASSWORD, words};
use crate::harness::{START, Server};

fn visit(server: &Server, headers: &[(&str, &str)]) {
    let mut request =
        server.post("/e").header("Token", &server.project().token).header("User-Agent", "Firefox");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.json(json!({ "name": "x" })).send().expect(200);
}

fn visitors(server: &Server) -> i64 {
    server.sqlite().query_row("SELECT COUNT(*) FROM users", [], |row| row.get(0)).expect("a count")
}

#[test]
fn an_untrusted_peers_forwarding_headers_name_nobody() {
    for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Host"] {
        let server = Server::start();
        visit(&server, &[]);
        visit(&server, &[]);
        assert_eq!(visitors(&server), 1, "the twin: one peer is one visitor");
        let page = || words(&Browser::owner(&server).get("/admin/projects").expect(200).text);
        assert!(!page().contains("Forwarding headers"), "{name}");
        visit(&server, &[(name, "192.0.2.7")]);
        visit(&server, &[(name, "192.0.2.7")]);
        assert_eq!(visitors(&server), 3, "{name}");
        assert!(page().contains("Forwarding headers"), "{name}");
    }
}

#[test]
fn a_trusted_proxy_names_the_visitor() {
    let server = Server::with(|options| options.trusted_proxies = vec!["127.0.0.0/8"]);
    for address in ["192.0.2.7", "198.51.100.1, 192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8::2"] {
        visit(&server, &[("X-Forwarded-For", address)]);
    }
    assert_eq!(visitors(&server), 3);
    let page = Browser::owner(&server).get("/admin/projects").expect(200);
    assert!(!words(&page.text).contains("Forwarding headers"));
}

#[test]
fn under_a_public_url_the_pages_answer_that_host_alone() {
    let server = Server::with(|options| options.public_url = Some("https://usher.example.com"));
    let ask = |path: &str, host: &str| server.get(path).header("Host", host).send();
    for host in ["usher.example.com", "USHER.example.com:443"] {
        ask("/admin/login", host).expect(200);
    }
    for host in ["evil.example", "usher.example.com:8443", "usher.example.com.evil.example", "127.0.0.1"] {
        let page = ask("/admin/login", host).expect(403);
        assert!(words(&page.text).contains("--public-url"), "{}", page.text);
        ask("/healthz", host).expect(200);
        ask("/readyz", host).expect(200);
    }
    // An untrusted peer cannot say that another host was asked for.
    let claimed = server.get("/admin/login").header("Host", "evil.example");
    claimed.header("X-Forwarded-Host", "usher.example.com").send().expect(403);
}

#[test]
fn under_a_public_url_the_apis_answer_the_hosts_that_are_named() {
    let server = Server::with(|options| {
        options.public_url = Some("https://usher.example.com");
        options.api_hosts = vec!["events.example.com", "usher:8080"];
    });
    let send = |host: &str| {
        let request = server.post("/v1/track").header("Host", host).bearer(&server.project().all);
        request.json(json!({ "userId": "ann", "event": "x" })).send()
    };
    let own = server.addr.to_string();
    for host in [
        "usher.example.com",
        "Usher.Example.com:443",
        "events.example.com",
        "EVENTS.example.com:8443",
        "usher:8080",
        "localhost:8080",
        "api.usher.localhost:8080",
        "127.0.0.1",
        "127.0.0.9:80",
        "[::1]:8080",
        own.as_str(),
    ] {
        send(host).expect(200);
    }
    for host in [
        "evil.example",
        "usher.example.com.evil.example",
        "usher.example.com:8443",
        "usher:8081",
        "usher",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.0.2.1",
    ] {
        let refused = send(host).expect(403);
        assert!(refused.text.contains("--api-host"), "{host} {}", refused.text);
    }
    // Without a public URL any host is as good as another.
    let server = Server::start();
    let request = server.post("/v1/track").header("Host", "evil.example").bearer(&server.project().all);
    request.json(json!({ "userId": "ann", "event": "x" })).send().expect(200);
}

#[test]
fn a_trusted_proxy_may_name_the_host_that_was_asked_for() {
    let server = Server::with(|options| {
        options.public_url = Some("https://usher.example.com");
        options.trusted_proxies = vec!["127.0.0.1"];
    });
    let ask = |name: &str, value: &str| server.get("/admin/login").header(name, value).send();
    ask("X-Forwarded-Host", "usher.example.com").expect(200);
    ask("Forwarded", "for=192.0.2.7;host=usher.example.com").expect(200);
    ask("X-Forwarded-Host", "evil.example").expect(403);
}

#[test]
fn the_public_url_says_whether_cookies_are_secure() {
    for (url, secure) in [("https://usher.example.com", true), ("http://usher.example.com", false)] {
        let server = Server::with(|options| options.public_url = Some(url));
        // What the peer claims of the scheme changes nothing.
        let request = server.get("/admin/login").header("Host", "usher.example.com");
        let reply =
            request.header("X-Forwarded-Proto", if secure { "http" } else { "https" }).send().expect(200);
        let cookie = reply.header("set-cookie").expect("a cookie");
        assert_eq!(cookie.contains("Secure"), secure, "{cookie}");
        assert_eq!(cookie.starts_with("__Host-"), secure, "{cookie}");
    }
}

#[test]
fn under_a_public_url_a_form_must_come_from_it() {
    let server = Server::with(|options| options.public_url = Some("https://usher.example.com"));
    let post = |origin: &str| {
        let page = server.get("/admin/login").header("Host", "usher.example.com").send().expect(200);
        let cookie = page.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
        let token = crate::admin::value_of(&page.text, "form_token").expect("a token");
        let body = format!("form_token={token}&name=owner&password={}", PASSWORD.replace(' ', "+"));
        let request =
            server.post("/admin/login").header("Host", "usher.example.com").header("Origin", origin);
        request.header("Cookie", cookie).body(body, "application/x-www-form-urlencoded").send().status
    };
    // The name and the password are wrong; the form itself is taken.
    assert_eq!(post("https://usher.example.com"), 422);
    for elsewhere in
        ["http://usher.example.com", "https://usher.example.com:8443", "https://evil.example", "null"]
    {
        assert_eq!(post(elsewhere), 403, "{elsewhere}");
    }
}

#[test]
fn security_txt_names_the_contact_that_was_set() {
    let server = Server::with(|options| {
        options.security_contact = Some("mailto:security@example.com");
        options.public_url = Some("https://usher.example.com");
    });
    let told = server.get("/.well-known/security.txt").send().expect(200);
    assert_eq!(told.header("content-type"), Some("text/plain; charset=utf-8"));
    let expires = usher::clock::rfc3339(START.div_euclid(DAY) * DAY + 180 * DAY);
    assert_eq!(
        told.text,
        format!(
            "Contact: mailto:security@example.com\nExpires: {expires}\n\
             Canonical: https://usher.example.com/.well-known/security.txt\n"
        )
    );
    // The twin: where no contact is set there is no file, and no line of a made-up one.
    assert!(!Server::start().get("/.well-known/security.txt").send().expect(404).text.contains("Contact"));
}
