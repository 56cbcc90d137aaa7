//! The pages of a read-only server: a sign-in that is kept in memory, and forms that are refused.

use usher::access::sign_ins::{IDLE, LONGEST, SEEN_EVERY};

use super::second_factor::{ACCOUNT, CODE, code, give_password, sign_in as sign_in_with, turn_on};
use super::{Browser, page_of, words};
use crate::harness::Server;
use crate::read_only_serve::read_only;

/// Of the sign-in.
const COOKIE: &str = "usher_sign_in";

/// A read-only server, with an owner and with ann.
fn house() -> (Server, String) {
    let server = Server::start();
    let ann = server.seed("ann").events(1).insert();
    Browser::owner(&server);
    (read_only(server), page_of(ann))
}

fn signed_in(server: &Server) -> Browser<'_> {
    let browser = Browser::new(server);
    give_password(&browser).expect(303);
    browser.get("/admin/users").expect(200);
    browser
}

fn sign_ins(server: &Server) -> i64 {
    server.sqlite().query_row("SELECT count(*) FROM admin_sessions", [], |row| row.get(0)).expect("a count")
}

#[test]
fn a_sign_in_is_kept_in_memory_alone() {
    let (server, _) = house();
    let before = sign_ins(&server);
    let browser = signed_in(&server);
    assert_eq!(sign_ins(&server), before);
    let page = browser.get("/admin/users").expect(200).text;
    assert!(words(&page).contains("This instance is read-only. Nothing can be changed."), "{page}");
    assert!(words(&browser.get(ACCOUNT).expect(200).text).contains("This browser"));
    browser.post("/admin/logout", &[]).expect(303);
    assert!(!browser.is_in());
    // The twin: a wrong password lets nobody in, and is no fault of the server.
    let stranger = Browser::new(&server);
    stranger.get("/admin/login").expect(200);
    stranger.post("/admin/login", &[("name", "owner"), ("password", "a wrong guess")]).expect(422);
    assert!(!stranger.is_in());
}

#[test]
fn a_sign_in_in_memory_ends_as_any_other() {
    let (server, _) = house();
    let browser = signed_in(&server);
    server.clock.advance(IDLE - 1);
    assert!(browser.is_in(), "it was used a moment before its end");
    server.clock.advance(IDLE);
    assert!(!browser.is_in());
    let browser = signed_in(&server);
    for _ in 0..LONGEST / (2 * SEEN_EVERY) - 1 {
        server.clock.advance(2 * SEEN_EVERY);
        assert!(browser.is_in());
    }
    server.clock.advance(2 * SEEN_EVERY);
    assert!(!browser.is_in(), "12 hours are over");
}

#[test]
fn a_sign_in_from_before_goes_on_and_can_be_ended() {
    let server = Server::start();
    let before = Browser::owner(&server);
    let value = before.cookie(COOKIE).expect("the cookie of the sign-in");
    drop(before);
    let server = read_only(server);
    let browser = Browser::new(&server);
    browser.set_cookie(COOKIE, &value);
    assert!(browser.is_in());
    browser.get("/admin/users").expect(200);
    browser.post("/admin/logout", &[]).expect(303);
    let again = Browser::new(&server);
    again.set_cookie(COOKIE, &value);
    assert!(!again.is_in(), "its row is still there, and it has ended");
}

#[test]
fn every_form_is_refused_with_a_plain_message() {
    let (server, _) = house();
    let browser = signed_in(&server);
    browser.get("/admin/projects").expect(200);
    let reply = browser.post("/admin/projects", &[("name", "another")]).expect(503);
    assert!(words(&reply.text).contains("was started read-only. Nothing was changed."), "{}", reply.text);
}

#[test]
fn what_must_be_written_down_is_not_shown() {
    let (server, ann) = house();
    let browser = signed_in(&server);
    let reply = browser.get(&ann).expect(503);
    assert!(words(&reply.text).contains("read-only") && !reply.text.contains("ann"), "{}", reply.text);
    // The twin: the list needs no row of the audit log.
    assert!(browser.get("/admin/users").expect(200).text.contains("ann"));
    for page in ["trash", "jobs", "receipts", "audit", "backups", "admins"] {
        browser.get(&format!("/admin/{page}")).expect(200);
    }
}

#[test]
fn a_code_lets_in_once_and_a_recovery_code_never() {
    let server = Server::start();
    let (secret, recovery) = turn_on(&Browser::owner(&server));
    let server = read_only(server);
    let now = code(&secret, &server);
    let (browser, status) = sign_in_with(&server, &now);
    assert_eq!((status, browser.is_in()), (303, true));
    let (again, status) = sign_in_with(&server, &now);
    assert_eq!((status, again.is_in()), (422, false), "it was taken");
    let (other, status) = sign_in_with(&server, &recovery[0]);
    assert_eq!((status, other.is_in()), (422, false), "that it is used up could not be kept");
    assert!(other.get(CODE).status < 500);
}
