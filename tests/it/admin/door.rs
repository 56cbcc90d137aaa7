//! Who gets in: the first-run link, signing in, and for how long.

use usher::access::sign_ins::{IDLE, LONGEST};
use usher::clock::HOUR;

use super::{Browser, PASSWORD, value_of, words};
use crate::harness::{Reply, Server};

const OWNER: [(&str, &str); 3] = [("name", "mia"), ("password", PASSWORD), ("password_again", PASSWORD)];

fn set_up(browser: &Browser, fields: &[(&str, &str)]) -> Reply {
    let page = browser.get(&browser.server.setup_path).expect(200);
    let token = value_of(&page.text, "setup_token").expect("the link's token");
    browser.post("/admin/setup", &[fields, &[("setup_token", &token)]].concat())
}

fn sign_in(browser: &Browser, name: &str, password: &str) -> Reply {
    if browser.cookie("usher_guest").is_none() {
        browser.get("/admin/login");
    }
    browser.post("/admin/login", &[("name", name), ("password", password)])
}

fn admins_held(server: &Server) -> i64 {
    server.sqlite().query_row("SELECT COUNT(*) FROM admins", [], |row| row.get(0)).expect("a count")
}

#[test]
fn the_first_run_link_sets_the_owners_password_once() {
    let server = Server::start();
    let link = server.setup_path.clone();
    let browser = Browser::new(&server);
    let token = link.rsplit('/').next().expect("a token").to_owned();
    assert_eq!(token.len(), 43, "256 bits");
    let reply = set_up(&browser, &OWNER).expect(303);
    assert_eq!(reply.header("location"), Some("/admin/"));
    assert!(words(&browser.get("/admin/users").expect(200).text).contains("Signed in as mia"));

    let late = Browser::new(&server);
    let page = late.get(&link).expect(410);
    assert!(words(&page.text).contains("The owner account exists"), "{}", page.text);
    late.get("/admin/login").expect(200);
    late.post("/admin/setup", &[OWNER.as_slice(), &[("setup_token", &token)]].concat()).expect(410);
    assert_eq!(admins_held(&server), 1);
    // With the hash of the password, not with the password.
    let stored: String =
        server.sqlite().query_row("SELECT password_hash FROM admins", [], |row| row.get(0)).expect("a hash");
    assert!(stored.starts_with("$argon2id$"), "{stored}");
    assert!(sign_in(&late, "mia", PASSWORD).status == 303);
}

#[test]
fn of_two_who_open_the_link_at_once_one_becomes_the_owner() {
    let server = Server::start();
    let replies: Vec<u16> = std::thread::scope(|scope| {
        let one = |name: &'static str| {
            let server = &server;
            scope.spawn(move || {
                let fields = [("name", name), ("password", PASSWORD), ("password_again", PASSWORD)];
                set_up(&Browser::new(server), &fields).status
            })
        };
        let both = [one("mia"), one("eve")];
        both.map(|thread| thread.join().expect("an answer")).to_vec()
    });
    assert_eq!(admins_held(&server), 1);
    assert!(replies.contains(&303) && replies.contains(&410), "{replies:?}");
}

#[test]
fn a_wrong_link_opens_nothing() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.get("/admin/login").expect(200);
    let mut almost = server.setup_path.clone();
    let last = almost.pop().expect("a letter");
    almost.push(if last == 'A' { 'Q' } else { 'A' });
    for path in [almost.as_str(), "/admin/setup/x"] {
        let page = browser.get(path).expect(404);
        assert!(words(&page.text).contains("This link is not valid"), "{}", page.text);
        let token = path.rsplit('/').next().expect("a token");
        browser.post("/admin/setup", &[OWNER.as_slice(), &[("setup_token", token)]].concat()).expect(404);
    }
    browser.post("/admin/setup", &OWNER).expect(404);
    assert_eq!(admins_held(&server), 0);
}

#[test]
fn the_first_run_link_ends_after_an_hour() {
    let server = Server::start();
    let (link, browser) = (server.setup_path.clone(), Browser::new(&server));
    server.clock.advance(HOUR - 1);
    let token = value_of(&browser.get(&link).expect(200).text, "setup_token").expect("the link's token");
    server.clock.advance(1);
    assert!(words(&browser.get(&link).expect(410).text).contains("This link has expired"));
    browser.post("/admin/setup", &[OWNER.as_slice(), &[("setup_token", &token)]].concat()).expect(410);
    assert_eq!(admins_held(&server), 0);
}

#[test]
fn a_start_with_an_admin_makes_no_link() {
    let server = Server::start();
    let first = server.setup_path.clone();
    Browser::owner(&server);
    let again = Server::over(server.stop(), |_| {});
    assert_eq!(again.setup_path, "");
    Browser::new(&again).get(&first).expect(404);
}

#[test]
fn a_wrong_form_for_the_owner_comes_back_with_the_reason() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let long = "x".repeat(1_001);
    let cases = [
        ("", PASSWORD, PASSWORD, "name", "The name must have 1 to 100 characters"),
        ("a\u{7}b", PASSWORD, PASSWORD, "name", "The name must have 1 to 100 characters"),
        ("mia", "123456789", "123456789", "password", "The password must have at least 10 characters"),
        ("mia", &long, &long, "password", "The password must have at most 1000 characters"),
        ("mia", PASSWORD, "another password", "password_again", "The second password does not match"),
    ];
    for (name, password, again, field, why) in cases {
        let fields = [("name", name), ("password", password), ("password_again", again)];
        let page = set_up(&browser, &fields).expect(422);
        assert!(words(&page.text).contains(why), "{}", page.text);
        let input = super::part(&page.text, &format!("<input id=\"{field}\""), ">");
        assert!(input.contains("aria-invalid=\"true\"") && input.contains("form-error"), "{input}");
        if name == "mia" {
            assert!(page.text.contains("value=\"mia\""), "{}", page.text);
        }
        assert!(!page.text.contains("another password") && !page.text.contains(PASSWORD));
    }
    assert_eq!(admins_held(&server), 0);
    set_up(&browser, &OWNER).expect(303);
}

#[test]
fn a_wrong_password_and_a_wrong_name_get_the_same_answer() {
    let server = Server::start();
    Browser::owner(&server);
    let browser = Browser::new(&server);
    let wrong = sign_in(&browser, "owner", "not the password").expect(422);
    let nobody = sign_in(&browser, "nobody", PASSWORD).expect(422);
    for page in [&wrong, &nobody] {
        assert!(words(&page.text).contains("The name or the password is wrong."), "{}", page.text);
        assert!(!page.text.contains(PASSWORD));
    }
    assert!(wrong.text.contains("value=\"owner\"") && nobody.text.contains("value=\"nobody\""));
    assert!(!browser.is_in());
    sign_in(&browser, " owner ", PASSWORD).expect(303);
    assert!(browser.is_in());
}

#[test]
fn a_sign_in_ends_after_exactly_twelve_hours() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let begun = server.clock.now();
    // Used all the time.
    while server.clock.now() + IDLE < begun + LONGEST {
        server.clock.advance(IDLE - 1);
        assert!(browser.is_in());
    }
    server.clock.advance(begun + LONGEST - 1 - server.clock.now());
    assert!(browser.is_in());
    server.clock.advance(1);
    assert!(!browser.is_in());
    // It is forgotten, too.
    server.tick();
    let held: i64 = server
        .sqlite()
        .query_row("SELECT COUNT(*) FROM admin_sessions", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(held, 0);
}

#[test]
fn signing_out_ends_the_sign_in_and_no_other() {
    let server = Server::start();
    let (here, there) = (Browser::owner(&server), Browser::owner(&server));
    let kept = here.cookie("usher_sign_in").expect("a cookie");
    let reply = here.post("/admin/logout", &[]).expect(303);
    assert_eq!(reply.header("location"), Some("/admin/login"));
    assert_eq!(here.cookie("usher_sign_in"), None);
    assert!(words(&here.get("/admin/login").expect(200).text).contains("You are signed out."));
    here.set_cookie("usher_sign_in", &kept);
    assert!(!here.is_in(), "the cookie alone lets nobody in again");
    assert!(there.is_in());
}

#[test]
fn a_sign_in_leads_to_the_page_that_was_asked_for() {
    let server = Server::start();
    Browser::owner(&server);
    let browser = Browser::new(&server);
    let first = browser.get("/admin/jobs?below=7&refresh=off").expect(303);
    let login = first.header("location").expect("a location").to_owned();
    assert_eq!(login, "/admin/login?next=%2Fadmin%2Fjobs%3Fbelow%3D7%26refresh%3Doff");
    let page = browser.get(&login).expect(200);
    let next = value_of(&page.text, "next").expect("where to go");
    let fields = [("name", "owner"), ("password", PASSWORD)];
    let sent = |next: &str| {
        let browser = Browser::new(&server);
        browser.get("/admin/login");
        let reply = browser.post("/admin/login", &[fields.as_slice(), &[("next", next)]].concat());
        reply.expect(303).header("location").expect("a location").to_owned()
    };
    assert_eq!(sent(&next.replace("&amp;", "&").replace("&#38;", "&")), "/admin/jobs?below=7&refresh=off");
    let elsewhere = [
        "https://evil.example/admin/",
        "//evil.example/admin/users",
        "/\\evil.example",
        "/admin/\\..\\evil",
        "/admin/../users",
        "/admin/%2e%2e/x",
        "/admin/./../x",
        "/api/activity",
        "/administrator",
        "/admin/login",
        "/admin/logout",
        "/admin/setup/x",
        "admin/users",
        "javascript:alert(1)",
        "/admin/users\r\nX: y",
        "",
    ];
    for next in elsewhere {
        assert_eq!(sent(next), "/admin/", "{next}");
    }
    // Who is in already does not have to sign in to go on.
    let owner = Browser::owner(&server);
    assert_eq!(owner.get(&login).expect(303).header("location"), Some("/admin/jobs?below=7&refresh=off"));
}

#[test]
fn cookies_are_secure_behind_https_and_plain_without() {
    let server = Server::with(|options| options.trusted_proxies = vec!["127.0.0.1"]);
    Browser::owner(&server);
    let plain = Browser::new(&server);
    let guest = plain.get("/admin/login").expect(200);
    let signed_in = sign_in(&plain, "owner", PASSWORD).expect(303);
    let cookies: Vec<&str> = guest.all("set-cookie").chain(signed_in.all("set-cookie")).collect();
    assert_eq!(cookies.len(), 3);
    for cookie in &cookies {
        assert!(cookie.starts_with("usher_"), "{cookie}");
        assert!(!cookie.contains("Secure"), "a browser would not keep it: {cookie}");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        assert!(cookie.contains("Path=/") && !cookie.contains("Domain"), "{cookie}");
    }
    assert!(cookies[1].contains("Max-Age=43200"), "{}", cookies[1]);
    assert!(plain.is_in());

    let proxied = Browser::https(&server);
    let guest = proxied.get("/admin/login").expect(200);
    let signed_in = proxied.post("/admin/login", &[("name", "owner"), ("password", PASSWORD)]).expect(303);
    for cookie in guest.all("set-cookie").chain(signed_in.all("set-cookie")) {
        assert!(cookie.starts_with("__Host-usher_"), "{cookie}");
        assert!(cookie.contains("; Secure") && cookie.contains("HttpOnly"), "{cookie}");
        assert!(cookie.contains("Path=/") && !cookie.contains("Domain"), "{cookie}");
    }
    assert!(proxied.is_in());
    // What came over plain HTTP, where others can write it, opens nothing here.
    let mixed = Browser::https(&server);
    mixed.set_cookie("usher_sign_in", &plain.cookie("usher_sign_in").expect("a cookie"));
    assert!(!mixed.is_in());
}

#[test]
fn before_there_is_anybody_the_sign_in_says_what_to_do() {
    let server = Server::start();
    let page = Browser::new(&server).get("/admin/login").expect(200);
    assert!(words(&page.text).contains("Open the link that the server printed"), "{}", page.text);
}
