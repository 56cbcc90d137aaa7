//! The public address, the proxies that are believed, and where a request is taken to
//! come from.

use std::net::IpAddr;

use serde_json::json;
use usher::clock::DAY;
use usher::edge::{Contact, Edge, Network, PublicUrl};

use crate::admin::{Browser, PASSWORD, words};
use crate::harness::{START, Server};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn trusting(networks: &[&str]) -> Edge {
    Edge::new(None, networks.iter().map(|text| text.parse().expect("a network")).collect())
}

#[test]
fn a_network_has_its_first_and_last_address_and_no_other() {
    let cases = [
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
        ("192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
        ("192.0.2.0/31", ["192.0.2.0", "192.0.2.1"], ["192.0.1.255", "192.0.2.2"]),
        ("2001:db8::/32", ["2001:db8::", "2001:db8:ffff:ffff::1"], ["2001:db7::1", "2001:db9::"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1", "2001:db8::1"]),
    ];
    for (text, inside, outside) in cases {
        let network: Network = text.parse().expect("a network");
        assert!(inside.iter().all(|address| network.has(ip(address))), "{text}");
        assert!(!outside.iter().any(|address| network.has(ip(address))), "{text}");
    }
    for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/", "proxy", "10.0.0.1:80"]
    {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
}

#[test]
fn a_public_url_is_a_scheme_and_a_host() {
    let cases = [
        ("https://usher.example.com", "https://usher.example.com"),
        ("HTTPS://Usher.Example.com/", "https://usher.example.com"),
        ("https://usher.example.com:443", "https://usher.example.com"),
        ("http://usher.example.com:443", "http://usher.example.com:443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ];
    for (text, shown) in cases {
        assert_eq!(text.parse::<PublicUrl>().expect(text).to_string(), shown);
    }
    let wrong = [
        "",
        "usher.example.com",
        "ftp://usher.example.com",
        "https://",
        "https://u:p@usher.example.com",
        "https://usher.example.com/v1",
        "https://usher.example.com?x",
        "https://a..b",
        "https://a b",
        "https://usher.example.com:0",
        "https://usher.example.com:65536",
        "https://usher.example.com:+1",
        "https://[::1",
        "https://x\n.example",
    ];
    for text in wrong {
        assert!(text.parse::<PublicUrl>().is_err(), "{text}");
    }
}

#[test]
fn the_sender_is_the_right_most_address_that_is_not_trusted() {
    let edge = trusting(&["10.0.0.0/8", "fd00::/8"]);
    let cases: &[(&str, &[&str], Option<&str>)] = &[
        ("192.0.2.1", &[], Some("192.0.2.1")),
        // A peer that is no proxy of ours speaks for itself alone.
        ("192.0.2.1", &["198.51.100.9"], Some("192.0.2.1")),
        // A proxy of ours that names nobody: all its visitors would be one.
        ("10.0.0.1", &[], None),
        ("10.0.0.1", &["198.51.100.9"], Some("198.51.100.9")),
        ("10.0.0.1", &["203.0.113.66, 198.51.100.9"], Some("198.51.100.9")),
        ("10.0.0.1", &["203.0.113.66", "198.51.100.9, 10.2.3.4"], Some("198.51.100.9")),
        ("fd00::1", &["198.51.100.9:4711"], Some("198.51.100.9")),
        ("10.0.0.1", &["10.0.0.7"], Some("10.0.0.7")),
        // What nobody who is believed says is not known.
        ("10.0.0.1", &["198.51.100.9, unknown"], None),
        ("10.0.0.1", &["198.51.100.9, "], None),
        ("10.0.0.1", &["unknown, 198.51.100.9"], Some("198.51.100.9")),
        // A household of IPv6 is one.
        ("10.0.0.1", &["2001:db8:1:2:3:4:5:6"], Some("2001:db8:1:2::")),
        ("10.0.0.1", &["[2001:db8:1:2::9]:443"], Some("2001:db8:1:2::")),
        ("2001:db8:9:9:1::1", &[], Some("2001:db8:9:9::")),
        ("::ffff:192.0.2.1", &[], Some("192.0.2.1")),
    ];
    for (peer, lines, sender) in cases {
        assert_eq!(edge.sender(Some(ip(peer)), lines, &[]), sender.map(ip), "{peer} {lines:?}");
    }
    assert_eq!(edge.sender(None, &["198.51.100.9"], &[]), None);
}

#[test]
fn forwarded_is_read_where_there_is_no_x_forwarded_for() {
    let edge = trusting(&["10.0.0.1"]);
    let proxy = Some(ip("10.0.0.1"));
    let cases = [
        ("for=198.51.100.9", Some("198.51.100.9")),
        ("For=\"[2001:db8:1:2::9]:443\";proto=https", Some("2001:db8:1:2::")),
        ("for=203.0.113.1, proto=https; for=198.51.100.9", Some("198.51.100.9")),
        ("for=_hidden", None),
        ("proto=https", None),
    ];
    for (line, sender) in cases {
        assert_eq!(edge.sender(proxy, &[], &[line]), sender.map(ip), "{line}");
    }
    // A client wrote it, and the proxy passed it on.
    assert_eq!(edge.sender(proxy, &["198.51.100.9"], &["for=203.0.113.1"]), Some(ip("198.51.100.9")));
}

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

#[test]
fn a_security_contact_is_one_address_of_a_known_scheme() {
    for good in ["mailto:a@b.example", "https://b.example/report", "tel:+1-201-555-0123"] {
        good.parse::<Contact>().expect("a contact");
    }
    for bad in [
        "",
        "mailto:",
        "a@b.example",
        "http://b.example",
        "mailto:a@b.example\nContact: tel:1",
        "https://b .c",
    ] {
        assert!(bad.parse::<Contact>().is_err(), "{bad:?}");
    }
}
