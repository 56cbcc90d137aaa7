//! Guessing passwords: it gets slower for the guesser, and keeps nobody out.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use usher::admin::{Guest, LoginThrottle};
use usher::clock::{Clock, HOUR, SECOND};
use usher::worker;

use super::{Browser, FORM, PASSWORD, form, words};
use crate::harness::{Reply, START, Server};

/// Behind a proxy that names the address of each guesser.
fn proxied() -> Server {
    let server = Server::with(|options| options.trusted_proxies = vec!["127.0.0.1"]);
    Browser::owner(&server);
    server
}

fn sign_in(browser: &Browser, address: &str, name: &str, password: &str) -> Reply {
    if browser.cookie("usher_guest").is_none() {
        browser.get("/admin/login");
    }
    let token = browser.token();
    let fields = form(&[("name", name), ("password", password), ("form_token", &token)]);
    let request = browser.request("POST", "/admin/login").header("X-Forwarded-For", address);
    browser.take(request.body(fields, FORM).send())
}

#[test]
fn guesses_at_a_name_wait_longer_each_time() {
    let server = proxied();
    let browser = Browser::new(&server);
    let guess = |status: u16| sign_in(&browser, "192.0.2.1", "owner", "a guess").expect(status);
    for _ in 0..10 {
        guess(422);
    }
    let mut seconds = 15;
    for _ in 0..3 {
        let page = guess(429);
        assert_eq!(page.header("retry-after"), Some(seconds.to_string().as_str()));
        assert!(words(&page.text).contains(&format!("Too many attempts. Try again in {seconds} second")));
        assert!(page.text.contains("value=\"owner\""));
        server.clock.advance(seconds * SECOND - 1);
        assert_eq!(guess(429).header("retry-after"), Some("1"));
        server.clock.advance(1);
        guess(422);
        seconds *= 2;
    }
    // Another name there is not held up, nor is the same one elsewhere.
    sign_in(&browser, "192.0.2.1", "somebody", "a guess").expect(422);
    sign_in(&Browser::new(&server), "192.0.2.2", "owner", PASSWORD).expect(303);
    // Who knows the password has all tries again, once the wait is over.
    server.clock.advance(seconds * SECOND);
    sign_in(&browser, "192.0.2.1", "owner", PASSWORD).expect(303);
    let again = Browser::new(&server);
    for _ in 0..10 {
        sign_in(&again, "192.0.2.1", "owner", "a guess").expect(422);
    }
    sign_in(&again, "192.0.2.1", "owner", PASSWORD).expect(429);
}

#[test]
fn an_address_that_goes_from_name_to_name_waits_too() {
    let server = proxied();
    let browser = Browser::new(&server);
    for n in 0..60 {
        sign_in(&browser, "192.0.2.1", &format!("name {n}"), "a guess").expect(422);
    }
    let refused = sign_in(&browser, "192.0.2.1", "another", "a guess").expect(429);
    assert_eq!(refused.header("retry-after"), Some("2"));
    sign_in(&Browser::new(&server), "192.0.2.2", "another", "a guess").expect(422);
    server.clock.advance(2 * SECOND);
    sign_in(&browser, "192.0.2.1", "another", "a guess").expect(422);
    assert_eq!(sign_in(&browser, "192.0.2.1", "other", "x").expect(429).header("retry-after"), Some("4"));
}

/// Who is trusted with naming addresses is not the guesser.
#[test]
fn a_guesser_that_claims_addresses_is_one_guesser() {
    let server = Server::start();
    Browser::owner(&server);
    let browser = Browser::new(&server);
    for n in 0..10 {
        sign_in(&browser, &format!("192.0.2.{n}"), "owner", "a guess").expect(422);
    }
    sign_in(&browser, "192.0.2.99", "owner", "a guess").expect(429);
}

#[test]
fn a_name_that_is_guessed_at_from_everywhere_is_never_refused() {
    let door = LoginThrottle::new(Clock::manual(START));
    let mut delays = Vec::new();
    for n in 0..1_000_u32 {
        let address = Some(IpAddr::from(n.to_be_bytes()));
        let guest = Guest { name: "owner", address, device: None };
        delays.push(door.let_try(&guest).expect("a try"));
    }
    assert_eq!(delays[..11], [Duration::ZERO; 11]);
    assert_eq!(delays[11], Duration::from_millis(50));
    assert!(delays.is_sorted());
    assert_eq!(delays[999], Duration::from_secs(1));
    // Another name is not held up at all.
    let other = Guest { name: "mia", address: Some(IpAddr::from([192, 0, 2, 1])), device: None };
    assert_eq!(door.let_try(&other).expect("a try"), Duration::ZERO);
}

#[test]
fn guesses_are_forgotten_after_an_hour_without_one() {
    let clock = Clock::manual(START);
    let door = LoginThrottle::new(clock.clone());
    let guest = Guest { name: "owner", address: Some(IpAddr::from([192, 0, 2, 1])), device: None };
    for _ in 0..9 {
        door.let_try(&guest).expect("a try");
    }
    clock.advance(HOUR - 1);
    door.let_try(&guest).expect("the tenth");
    assert!(door.let_try(&guest).is_err());
    clock.advance(HOUR);
    for _ in 0..10 {
        door.let_try(&guest).expect("a try");
    }
    assert!(door.let_try(&guest).is_err());
}

#[test]
fn a_browser_that_signed_in_before_is_not_kept_out() {
    let server = proxied();
    let known = Browser::new(&server);
    sign_in(&known, "192.0.2.1", "owner", PASSWORD).expect(303);
    let device = known.cookie("usher_device").expect("a cookie");
    known.post("/admin/logout", &[]);
    let guesser = Browser::new(&server);
    for _ in 0..10 {
        sign_in(&guesser, "192.0.2.1", "owner", "a guess").expect(422);
    }
    sign_in(&guesser, "192.0.2.1", "owner", PASSWORD).expect(429);
    let begun = Instant::now();
    sign_in(&known, "192.0.2.1", "owner", PASSWORD).expect(303);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // Not with a cookie that was changed, and not for another name.
    let mut other = device.clone();
    let first = if other.remove(0) == 'A' { 'B' } else { 'A' };
    other.insert(0, first);
    guesser.set_cookie("usher_device", &other);
    sign_in(&guesser, "192.0.2.1", "owner", PASSWORD).expect(429);
    // It has tries of its own, and they have an end, too.
    guesser.set_cookie("usher_device", &device);
    for _ in 0..10 {
        sign_in(&guesser, "192.0.2.1", "owner", "a guess").expect(422);
    }
    sign_in(&guesser, "192.0.2.1", "owner", PASSWORD).expect(429);
}

#[test]
fn a_flood_of_failed_sign_ins_is_summed_in_the_audit_log() {
    let server = proxied();
    let rows = || {
        let sql = "SELECT COUNT(*), MAX(reason) FROM audit WHERE action = 'fail to sign in'";
        let read = |row: &rusqlite::Row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?));
        server.sqlite().query_row(sql, [], read).expect("a count")
    };
    for n in 0..20 {
        sign_in(&Browser::new(&server), &format!("192.0.2.{n}"), &format!("name {n}"), "a guess").expect(422);
    }
    assert_eq!(rows(), (20, None), "a few are written down one by one");
    for n in 20..45 {
        sign_in(&Browser::new(&server), &format!("192.0.2.{n}"), &format!("name {n}"), "a guess").expect(422);
    }
    assert_eq!(rows(), (20, None));
    worker::note_uses(&server.app).expect("a round");
    assert_eq!(rows(), (21, Some("25 more times".to_owned())));
    worker::note_uses(&server.app).expect("a round");
    assert_eq!(rows().0, 21);
    // In another hour they are few again.
    server.clock.advance(HOUR);
    sign_in(&Browser::new(&server), "192.0.2.77", "name", "a guess").expect(422);
    assert_eq!(rows().0, 22);
}
