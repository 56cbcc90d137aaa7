//! What the vendor's browser client does beside events: cookies, beacons, signing out,
//! leaving a page, fetching ahead.

use serde_json::{Value, json};
use usher::clock::{HOUR, MINUTE};
use usher::model::TRASH_PERIOD;

use super::ingest::{rows, taken};
use super::lists::{events, titles};
use super::{count, hide, invalid, list, refused, user};
use crate::harness::{Reply, Server};

const VIEW: &str = r#"{"name":"$$pageView","url":"https://shop.example.com/a"}"#;

struct Browser<'a> {
    server: &'a Server,
    /// As the browser would send it back.
    cookie: Option<String>,
    agent: &'static str,
    /// The public token, unless it is an app's server that sends.
    key: String,
}

impl<'a> Browser<'a> {
    fn new(server: &'a Server) -> Browser<'a> {
        Browser { server, cookie: None, agent: "Firefox", key: server.project().token.clone() }
    }

    /// With a key that is not public.
    fn of_a_server(server: &'a Server) -> Browser<'a> {
        Browser { key: crate::public_credentials::ingest_key(server), ..Browser::new(server) }
    }

    fn post(&mut self, path: &str, body: &str) -> Reply {
        self.send(path, body, "true")
    }

    fn send(&mut self, path: &str, body: &str, allowed: &str) -> Reply {
        let request = self.server.post(path).header("Token", &self.key);
        let request = request.header("Allow-Cookies", allowed).header("User-Agent", self.agent);
        let request = match &self.cookie {
            Some(value) => request.header("Cookie", &format!("theme=dark; _vuid={value}")),
            None => request,
        };
        let reply = request.body(body, "application/json").send();
        if let Some(set) = reply.header("set-cookie") {
            let value = set.strip_prefix("_vuid=").expect("the cookie").split(';').next().expect("a value");
            self.cookie = (!value.is_empty()).then(|| value.to_owned());
        }
        reply
    }
}

fn identify(name: &str) -> String {
    json!({ "identifier": name }).to_string()
}

fn visitors(server: &Server) -> i64 {
    count(server, "users WHERE identifier IS NULL AND state = 'live'")
}

fn seen(server: &Server, name: &str) -> usize {
    titles(&events(server, name, json!({ "dateRange": "7days" }))).len()
}

#[test]
fn a_cookie_is_set_once_and_names_one_visitor() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    let reply = browser.post("/e", VIEW).expect(200);
    let set = reply.header("set-cookie").expect("a cookie").to_owned();
    let (value, attributes) = set.split_once("; ").expect("attributes");
    let mut attributes: Vec<&str> = attributes.split("; ").collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Max-Age=34550000", "Path=/", "SameSite=None", "Secure"]);
    assert_eq!(value.len(), "_vuid=".len() + 32 + 1 + 32);
    // With another program and on another day it is the same visitor.
    browser.agent = "Firefox 2";
    server.clock.advance(30 * HOUR);
    let reply = browser.post("/e", VIEW).expect(200);
    assert_eq!(reply.header("set-cookie"), None);
    assert_eq!((visitors(&server), count(&server, "events")), (1, 2));
    assert_eq!(count(&server, "visitor_salts"), 0);
    // Where none may be set, one that is there counts.
    assert_eq!(browser.send("/e", VIEW, "false").expect(200).header("set-cookie"), None);
    assert_eq!(visitors(&server), 1);
    browser.cookie = None;
    assert_eq!(browser.send("/e", VIEW, "false").expect(200).header("set-cookie"), None);
    assert_eq!(visitors(&server), 2);
    // Two browsers of one kind at one address are two visitors.
    browser.cookie = None;
    browser.post("/e", VIEW);
    browser.cookie = None;
    browser.post("/e", VIEW);
    assert_eq!(visitors(&server), 4);
}

#[test]
fn a_cookie_that_is_not_this_projects_is_ignored() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.post("/e", VIEW);
    let good = browser.cookie.clone().expect("a cookie");
    let second = server.second();
    let reply = server
        .post("/e")
        .header("Token", &second.token)
        .header("Allow-Cookies", "true")
        .header("Cookie", &format!("_vuid={good}"))
        .body(VIEW, "application/json")
        .send();
    assert!(reply.header("set-cookie").is_some_and(|set| !set.contains(&good)), "{reply:?}");
    let (name, seal) = good.split_once('.').expect("a seal");
    let other = if seal.starts_with('0') { "1" } else { "0" };
    let forged = [
        format!("{name}.{other}{}", &seal[1..]),
        format!("{}.{seal}", "0".repeat(32)),
        format!("{name}."),
        name.to_owned(),
        format!("{name}.{seal}00"),
        good.to_uppercase(),
        "1234567890".to_owned(),
        "%ff".to_owned(),
    ];
    for (n, cookie) in forged.iter().enumerate() {
        browser.cookie = Some(cookie.clone());
        let reply = browser.post("/e", VIEW).expect(200);
        assert!(reply.header("set-cookie").is_some(), "{cookie}");
        assert_eq!(visitors(&server), 3 + i64::try_from(n).expect("a number"), "{cookie}");
    }
    browser.cookie = Some(good);
    browser.post("/e", VIEW).expect(200);
    assert_eq!(visitors(&server), 2 + 8);
}

#[test]
fn the_cookies_visitor_becomes_the_person() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.post("/e", VIEW);
    let first = browser.cookie.clone();
    taken(browser.post("/i", &identify("ann")));
    assert_eq!(browser.cookie, first);
    server.clock.advance(HOUR);
    taken(browser.post("/e", VIEW));
    assert_eq!((seen(&server, "ann"), visitors(&server)), (2, 0));
    // A browser that says who it is before anything else gets one, too.
    let mut phone = Browser::new(&server);
    let reply = phone.post("/i", &identify("ann")).expect(200);
    assert!(reply.header("set-cookie").is_some());
    taken(phone.post("/e", VIEW));
    assert_eq!((seen(&server, "ann"), visitors(&server)), (3, 0));
}

#[test]
fn a_cookie_never_names_a_person_to_an_update() {
    let server = Server::start();
    let mut browser = Browser::of_a_server(&server);
    let update = r#"{"data":{"set":{"plan":"free"}},"displayName":"Mallory"}"#;
    refused(browser.post("/u", update), 400, "USER_NOT_FOUND", "No user found");
    browser.post("/e", VIEW);
    taken(browser.post("/u", update));
    let listed = list(&server, json!({ "dateRange": "live" }));
    assert_eq!(listed["users"][0]["displayName"], "Mallory");
    taken(browser.post("/i", &identify("ann")));
    let before = user(&server, "ann");
    refused(browser.post("/u", r#"{"displayName":"Eve"}"#), 400, "USER_NOT_FOUND", "No user found");
    assert_eq!(user(&server, "ann"), before);
    taken(browser.post("/u", r#"{"identifier":"ann","displayName":"Ann"}"#));
    assert_eq!(user(&server, "ann")["displayName"], "Ann");
}

#[test]
fn a_cookie_of_one_person_is_no_part_of_another() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.post("/e", VIEW);
    browser.post("/i", &identify("ann"));
    let anns = browser.cookie.clone();
    taken(browser.post("/i", &identify("bob")));
    assert_ne!(browser.cookie, anns);
    taken(browser.post("/e", VIEW));
    assert_eq!((seen(&server, "ann"), seen(&server, "bob")), (1, 1));
    // Where none may be set, it is left as it is.
    browser.cookie.clone_from(&anns);
    taken(browser.send("/i", &identify("cid"), "false"));
    assert_eq!(browser.cookie, anns);
    assert_eq!((seen(&server, "ann"), seen(&server, "cid")), (1, 0));
}

#[test]
fn the_cookie_of_the_erased_is_changed() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.post("/e", VIEW);
    browser.post("/i", &identify("ann"));
    let old = browser.cookie.clone();
    server.clock.advance(1);
    let erasure = server.delete("/v1/users/ann?hardDelete=true");
    erasure.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    // Two pages that are opened at once are of one new visitor.
    let mut tab = Browser::new(&server);
    tab.cookie.clone_from(&old);
    taken(browser.post("/e", VIEW));
    taken(tab.post("/e", VIEW));
    assert_ne!(browser.cookie, old);
    assert_eq!(browser.cookie, tab.cookie);
    assert_eq!(visitors(&server), 1);
    assert_eq!(server.tick().completed, 1);
    assert_eq!((count(&server, "users"), count(&server, "events")), (1, 2));
}

#[test]
fn signing_out_makes_a_new_visitor() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.post("/e", VIEW);
    browser.post("/i", &identify("ann"));
    let old = browser.cookie.clone();
    let before = rows(&server);
    taken(browser.post("/r", ""));
    assert!(browser.cookie.is_some() && browser.cookie != old);
    assert_eq!(rows(&server), before);
    taken(browser.post("/e", VIEW));
    assert_eq!((seen(&server, "ann"), visitors(&server)), (1, 1));
    // Without leave to set one, it is removed.
    let reply = browser.send("/r", "", "false").expect(200);
    let set = reply.header("set-cookie").expect("a cookie");
    assert!(set.starts_with("_vuid=;") && set.contains("Max-Age=0") && set.contains("Path=/"), "{set}");
    assert_eq!(browser.cookie, None);
    let broken = browser.post("/r", "{").expect(400).json();
    assert_eq!(broken["error"]["details"][0]["field"], "body");
}

#[test]
fn a_beacon_says_in_its_body_what_else_stands_in_headers() {
    let server = Server::start();
    let beacon = |path: &str, mut body: Value, allowed: &str| {
        body["Token"] = json!(server.project().token);
        body["Allow-Cookies"] = json!(allowed);
        body["V-Host"] = json!("evil.example");
        body["V-SDK"] = json!("web");
        server.post(path).body(body.to_string(), "text/plain;charset=UTF-8").send()
    };
    let view: Value = serde_json::from_str(VIEW).expect("JSON");
    for (path, body) in [("/e", view), ("/i", json!({ "identifier": "ann" })), ("/r", json!({}))] {
        let reply = beacon(path, body.clone(), "true").expect(200);
        let set = reply.header("set-cookie").expect("a cookie");
        assert!(!set.contains("Domain"), "{set}");
        let reply = beacon(path, body, "yes").expect(200);
        assert!(reply.header("set-cookie").is_none_or(|set| set.contains("Max-Age=0")), "{path}");
    }
    taken(beacon("/u", json!({ "identifier": "ann", "displayName": "Ann" }), "true"));
    assert_eq!(user(&server, "ann")["displayName"], "Ann");
    taken(beacon("/l", json!({}), "false"));
}

#[test]
fn leaving_a_page_makes_the_running_session_longer() {
    let server = Server::start();
    let mut browser = Browser::of_a_server(&server);
    let not_started = |reply| refused(reply, 401, "UNAUTHORIZED", "Session has not started");
    let unknown = |reply| refused(reply, 401, "UNAUTHORIZED", "User is not identified");
    let ends = || -> Vec<i64> {
        let conn = server.sqlite();
        let mut statement = conn.prepare("SELECT ended_at FROM sessions ORDER BY id").expect("a query");
        let ends = statement.query_map([], |row| row.get(0)).expect("rows");
        ends.map(|end| end.expect("a time")).collect()
    };
    unknown(browser.post("/l", ""));
    not_started(browser.send("/l", "{}", "false"));
    browser.post("/r", "");
    not_started(browser.post("/l", ""));
    browser.post("/e", VIEW);
    server.clock.advance(30 * MINUTE);
    taken(browser.post("/l", ""));
    assert_eq!(ends(), [server.clock.now()]);
    server.clock.advance(30 * MINUTE);
    taken(browser.post("/l", ""));
    let last = server.clock.now();
    server.clock.advance(30 * MINUTE + 1);
    not_started(browser.post("/l", ""));
    assert_eq!(ends(), [last]);
    // By the sender, and so is the next event of its session.
    browser.cookie = None;
    browser.send("/e", VIEW, "false");
    browser.send("/i", &identify("ann"), "false");
    for _ in 0..2 {
        server.clock.advance(20 * MINUTE);
        taken(browser.send("/l", "", "false"));
    }
    server.clock.advance(20 * MINUTE);
    browser.send("/e", VIEW, "false");
    assert_eq!((seen(&server, "ann"), count(&server, "sessions")), (2, 2));
}

#[test]
fn a_page_of_another_site_is_not_told_who_was_here() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    for (path, body) in [("/l", "{}"), ("/u", r#"{"displayName":"Eve"}"#)] {
        for allowed in ["true", "false"] {
            taken(browser.send(path, body, allowed));
        }
    }
    browser.cookie = None;
    browser.post("/e", VIEW);
    browser.post("/i", &identify("ann"));
    let before = user(&server, "ann");
    taken(browser.post("/u", r#"{"displayName":"Eve"}"#));
    assert_eq!(user(&server, "ann"), before);
    for minutes in [1, 31] {
        server.clock.advance(minutes * MINUTE);
        taken(browser.post("/l", ""));
    }
    assert_eq!(count(&server, &format!("sessions WHERE ended_at = {}", server.clock.now())), 0);
    let started = server.clock.now() - 31 * MINUTE;
    assert_eq!(count(&server, &format!("sessions WHERE ended_at = {started}")), 1, "the session went on");
}

#[test]
fn leaving_tells_nobody_whether_a_person_is_there() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.send("/e", r#"{"name":"x","identifier":"ann"}"#, "false");
    server.clock.advance(MINUTE);
    for name in ["ann", "nobody"] {
        taken(browser.send("/l", &identify(name), "false"));
    }
    assert_eq!(count(&server, "users"), 1);
    let stayed = format!("sessions WHERE ended_at = {}", server.clock.now());
    assert_eq!(count(&server, &stayed), 1);
    invalid(browser.send("/l", r#"{"identifier":true}"#, "false"), &[("identifier", "must be a string")]);
}

#[test]
fn what_a_browser_fetches_ahead_is_not_kept() {
    let server = Server::start();
    let send = |name: &str, value: &str, body: &str| {
        let request = server.post("/e").header("Token", &server.project().token);
        request.header(name, value).body(body, "application/json").send()
    };
    let headers = [
        ("X-Purpose", "prefetch"),
        ("X-Purpose", "preview"),
        ("Purpose", "prefetch"),
        ("Purpose", "preview"),
        ("X-Moz", "prefetch"),
    ];
    for (name, value) in headers {
        taken(send(name, value, VIEW));
        // What is wrong with the body comes first.
        send(name, value, "{}").expect(400);
    }
    assert_eq!((count(&server, "users"), count(&server, "events")), (0, 0));
    for (name, value) in [("X-Moz", "preview"), ("Purpose", "browse")] {
        taken(send(name, value, VIEW));
    }
    assert_eq!(count(&server, "events"), 2);
}

#[test]
fn a_page_view_has_an_address_and_an_outbound_link_leads_out() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    let mut event = |name: &str, url: Option<&str>, data: Value| {
        let body = json!({ "name": name, "url": url, "customData": data });
        browser.send("/e", &body.to_string(), "false")
    };
    let (view, link) = ("$$pageView", "$$outboundLink");
    let page = "https://shop.example.com/a";
    invalid(event(view, None, json!({})), &[("url", "is required of $$pageView")]);
    invalid(event(link, None, json!({ "href": page })), &[("url", "is required of $$outboundLink")]);
    for data in [json!({}), json!({ "href": null }), json!({ "href": 5 })] {
        let missing = [("customData.href", "is required of $$outboundLink")];
        invalid(event(link, Some(page), data), &missing);
    }
    for inside in ["https://shop.example.com/b", "http://SHOP.example.com:81/", "https://a.shop.example.com/"]
    {
        taken(event(link, Some(page), json!({ "href": inside })));
    }
    assert_eq!(count(&server, "events"), 0);
    let outside =
        ["https://example.com/", "https://myshop.example.com.evil/", "https://xshop.example.com", "tel:1"];
    for outside in outside {
        taken(event(link, Some(page), json!({ "href": outside })));
    }
    assert_eq!(count(&server, "events"), 4);
    taken(event("plain", None, json!({})));
    assert_eq!(count(&server, "events"), 5);
}

#[test]
fn a_cookie_brings_nobody_back_from_the_trash() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.post("/e", VIEW);
    browser.post("/i", &identify("ann"));
    let old = browser.cookie.clone();
    hide(&server, "ann");
    server.clock.advance(TRASH_PERIOD - 1);
    taken(browser.post("/e", VIEW));
    assert_eq!(browser.cookie, old);
    assert_eq!(count(&server, "users WHERE state = 'hidden' AND event_count = 2"), 1);
    // A millisecond later she is gone, and the browser is a new visitor's.
    server.clock.advance(1);
    taken(browser.post("/e", VIEW));
    assert_ne!(browser.cookie, old);
    server.tick();
    assert_eq!((visitors(&server), count(&server, "users"), count(&server, "events")), (1, 1, 1));
}

#[test]
fn a_cookie_goes_on_after_what_its_visitor_did_was_erased() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.post("/e", VIEW);
    let listed = list(&server, json!({ "dateRange": "live" }));
    let id: u64 = listed["users"][0]["id"].as_str().expect("a text").parse().expect("a number");
    server.clock.advance(1);
    let request = server.delete(&format!("/users/{id:024x}/logs")).header("x-api-version", "2025-09");
    assert!(request.bearer(&server.project().all).send().status < 300);
    browser.post("/u", r#"{"identifier":"ann"}"#);
    browser.post("/i", &identify("ann"));
    server.tick();
    server.clock.advance(MINUTE);
    taken(browser.post("/e", VIEW));
    assert_eq!((seen(&server, "ann"), visitors(&server)), (1, 0));
}

#[test]
fn control_characters_in_a_name_cost_no_message() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    let broken = "Ann\n\tLee\u{7f}";
    let said = [
        ("/i", json!({ "identifier": "ann", "displayName": broken, "avatarUrl": "https://a.example/\u{1}" })),
        ("/u", json!({ "userIdentifier": "bob", "displayName": broken })),
        ("/e", json!({ "name": "Signed\u{0}up", "identifier": "cai", "displayName": broken })),
    ];
    for (path, body) in said {
        taken(browser.send(path, &body.to_string(), "false"));
    }
    for name in ["ann", "bob", "cai"] {
        assert_eq!(user(&server, name)["displayName"], "Ann Lee", "{name}");
    }
    assert_eq!(user(&server, "ann")["avatarUrl"], "https://a.example/");
    assert_eq!(count(&server, "events WHERE name = 'Signed up'"), 1);
    assert_eq!(crate::tolerance::times(&server, "repaired", "control characters"), 5);
    // What is good is no repair.
    taken(browser.send("/u", r#"{"userIdentifier":"bob","displayName":"Bob"}"#, "false"));
    assert_eq!(crate::tolerance::times(&server, "repaired", "control characters"), 5);
}

#[test]
fn a_suppressed_visitor_leaves_a_page_unseen() {
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.post("/r", "");
    browser.post("/e", VIEW);
    browser.post("/i", &identify("ann"));
    let ended = || -> i64 {
        let sql = "SELECT max(ended_at) FROM sessions";
        server.sqlite().query_row(sql, [], |row| row.get(0)).expect("a time")
    };
    server.clock.advance(MINUTE);
    taken(browser.post("/l", ""));
    assert_eq!(ended(), server.clock.now(), "the twin: who is not suppressed was there until now");
    let before = ended();
    crate::suppressions::suppress(&server, "ann", usher::people::suppressions::Policy::Forever);
    server.clock.advance(MINUTE);
    taken(browser.post("/l", ""));
    assert_eq!(ended(), before);
    assert_eq!(crate::tolerance::times(&server, "dropped", "suppressed"), 1);
}
