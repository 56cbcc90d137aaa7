//! One's own account: where one is signed in, and one's password.

use usher::access::sign_ins;
use usher::access::sign_ins::{IDLE, SEEN_EVERY};
use usher::clock::{Clock, HOUR, MINUTE};
use usher::store::NormalTx;

use super::{Browser, FORM, PASSWORD, another_owner, form, part, value_of, words};
use crate::harness::{Reply, Server};

const ACCOUNT: &str = "/admin/account";
const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0";
const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
                      Gecko) Version/17.5 Mobile/15E148 Safari/604.1";

fn sign_in(browser: &Browser, name: &str, password: &str) -> Reply {
    if browser.cookie("usher_guest").is_none() {
        browser.get("/admin/login");
    }
    let page = browser.get("/admin/login");
    if let Some(token) = value_of(&page.text, "form_token") {
        browser.post_with_token("/admin/login", &[("name", name), ("password", password)], &token)
    } else {
        page
    }
}

/// Signed in as the owner with a browser of this name, at this address.
fn with_agent<'a>(server: &'a Server, agent: &str, address: &str) -> Browser<'a> {
    let browser = Browser::new(server);
    browser.get("/admin/login").expect(200);
    let fields = form(&[("name", "owner"), ("password", PASSWORD), ("form_token", &browser.token())]);
    let request = browser.request("POST", "/admin/login").header("User-Agent", agent);
    let request = request.header("X-Forwarded-For", address);
    browser.take(request.body(fields, FORM).send()).expect(303);
    browser.get("/admin/users").expect(200);
    browser
}

/// The rows of the list: what each says, and the address that ends it.
fn rows(browser: &Browser) -> Vec<(String, String)> {
    let page = browser.get(ACCOUNT).expect(200).text;
    let body = part(&page, "<tbody>", "</tbody>").to_owned();
    let rows = body.split("<tr>").skip(1);
    rows.map(|row| {
        let end = part(row, "/admin/account/sign-ins/", "\"").to_owned();
        (words(row), end)
    })
    .collect()
}

fn seen_at(server: &Server) -> i64 {
    let sql = "SELECT max(seen_at) FROM admin_sessions";
    server.sqlite().query_row(sql, [], |row| row.get(0)).expect("a time")
}

fn audited(server: &Server, action: &str) -> i64 {
    let sql = "SELECT COUNT(*) FROM audit WHERE action = ?1";
    server.sqlite().query_row(sql, [action], |row| row.get(0)).expect("a count")
}

#[test]
fn the_account_lists_the_browsers_of_its_admin_alone() {
    let server = Server::with(|options| options.trusted_proxies = vec!["127.0.0.1"]);
    Browser::owner(&server);
    server.write(|tx: &NormalTx| another_owner(tx, "mia").map(drop));
    server.clock.advance(MINUTE);
    let here = with_agent(&server, FIREFOX, "192.0.2.7");
    server.clock.advance(MINUTE);
    let there = with_agent(&server, SAFARI, "2001:db8::9");
    let mia = Browser::new(&server);
    sign_in(&mia, "mia", PASSWORD).expect(303);
    let listed = rows(&here);
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert!(listed[0].0.starts_with("Safari, iPhone 2001:db8:: just now"), "{listed:?}");
    assert!(listed[1].0.starts_with("Firefox, Windows 10 This browser 192.0.2.7 1 minute ago"), "{listed:?}");
    assert_eq!(listed.iter().filter(|(text, _)| text.contains("This browser")).count(), 1);
    assert_eq!(rows(&mia).len(), 1);
    // Another's is not there, also for one who knows its name.
    let of_mia = rows(&mia).remove(0).1;
    here.get(ACCOUNT);
    here.post(&of_mia, &[]).expect(404);
    here.post("/admin/account/sign-ins/x/end", &[]).expect(404);
    assert!(mia.is_in());
    drop(there);
}

#[test]
fn one_browser_is_signed_out_and_no_other() {
    let server = Server::with(|options| options.trusted_proxies = vec!["127.0.0.1"]);
    let here = Browser::owner(&server);
    let there = with_agent(&server, FIREFOX, "192.0.2.7");
    let third = with_agent(&server, SAFARI, "192.0.2.8");
    let end = rows(&here).into_iter().find(|(text, _)| text.contains("Firefox")).expect("a row").1;
    assert_eq!(here.post(&end, &[]).expect(303).header("location"), Some(ACCOUNT));
    assert!(words(&here.get(ACCOUNT).text).contains("That browser is signed out."));
    assert!(!there.is_in() && third.is_in() && here.is_in());
    assert_eq!(audited(&server, "end sign-in"), 1);
    // Its own leads to the door.
    let own = rows(&here).into_iter().find(|(text, _)| text.contains("This browser")).expect("a row").1;
    assert_eq!(here.post(&own, &[]).expect(303).header("location"), Some("/admin/login"));
    assert!(!here.is_in() && third.is_in());
}

#[test]
fn everywhere_else_and_everywhere_are_as_they_say() {
    let server = Server::start();
    let (here, there) = (Browser::owner(&server), Browser::owner(&server));
    here.get(ACCOUNT);
    here.post("/admin/account/sign-ins/end-others", &[]).expect(303);
    assert!(here.is_in() && !there.is_in());
    let again = Browser::owner(&server);
    here.get(ACCOUNT);
    let reply = here.post("/admin/account/sign-ins/end-all", &[]).expect(303);
    assert_eq!(reply.header("location"), Some("/admin/login"));
    assert!(!here.is_in() && !again.is_in());
    assert_eq!((audited(&server, "end other sign-ins"), audited(&server, "end all sign-ins")), (1, 1));
}

#[test]
fn an_owner_ends_all_of_somebody_elses_sign_ins() {
    let server = Server::start();
    let owner = Browser::owner(&server);
    let mia = server.write(|tx: &NormalTx| another_owner(tx, "mia")).id;
    let browser = Browser::new(&server);
    sign_in(&browser, "mia", PASSWORD).expect(303);
    assert!(browser.is_in());
    server.write(move |tx| sign_ins::end_all_of(tx, mia));
    assert!(!browser.is_in() && owner.is_in());
}

#[test]
fn a_sign_in_ends_after_exactly_an_hour_without_a_request() {
    let server = Server::start();
    let (used, idle) = (Browser::owner(&server), Browser::owner(&server));
    server.clock.advance(IDLE - 1);
    assert!(used.is_in());
    server.clock.advance(1);
    assert!(!idle.is_in(), "it was not used");
    assert!(used.is_in(), "it was");
    server.clock.advance(IDLE);
    assert!(!used.is_in());
    server.tick();
    let held: i64 = server
        .sqlite()
        .query_row("SELECT COUNT(*) FROM admin_sessions", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(held, 0);
}

#[test]
fn the_last_use_is_written_down_every_five_minutes() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let begun = server.clock.now();
    server.clock.advance(SEEN_EVERY - 1);
    assert!(browser.is_in());
    assert_eq!(seen_at(&server), begun);
    server.clock.advance(1);
    assert!(browser.is_in());
    assert_eq!(seen_at(&server), begun + SEEN_EVERY);
}

#[test]
fn a_sign_in_outlives_a_start_and_its_time_goes_on() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let kept = browser.cookie("usher_sign_in").expect("a cookie");
    let now = server.clock.now();
    let server = Server::over(server.stop(), |options| options.clock = Clock::manual(now + IDLE - 1));
    let browser = Browser::new(&server);
    browser.set_cookie("usher_sign_in", &kept);
    assert!(browser.is_in());
    server.clock.advance(IDLE);
    assert!(!browser.is_in());
}

/// A cookie that somebody planted in a browser tells nothing after its owner signed in.
#[test]
fn each_sign_in_has_a_fresh_secret() {
    let server = Server::start();
    let owner = Browser::owner(&server);
    let before = owner.cookie("usher_sign_in").expect("a cookie");
    let page = Browser::new(&server);
    let token = value_of(&page.get("/admin/login").text, "form_token").expect("a token");
    page.set_cookie("usher_sign_in", &before);
    let fields = [("name", "owner"), ("password", PASSWORD)];
    page.post_with_token("/admin/login", &fields, &token).expect(303);
    let after = page.cookie("usher_sign_in").expect("a cookie");
    assert_ne!(before, after);
    assert!(page.is_in() && !owner.is_in(), "the one before it has ended");
    // One that was made up is not taken over either.
    let page = Browser::new(&server);
    let token = value_of(&page.get("/admin/login").text, "form_token").expect("a token");
    page.set_cookie("usher_sign_in", "planted");
    page.post_with_token("/admin/login", &fields, &token).expect(303);
    assert_ne!(page.cookie("usher_sign_in").expect("a cookie"), "planted");
}

const NEW: &str = "another few random words";

fn change(browser: &Browser, present: &str, new: &str, again: &str) -> Reply {
    browser.get(ACCOUNT);
    let fields = [("present", present), ("new_password", new), ("password_again", again)];
    browser.post("/admin/account/password", &fields)
}

#[test]
fn a_changed_password_signs_all_other_browsers_out() {
    let server = Server::start();
    let (here, there) = (Browser::owner(&server), Browser::owner(&server));
    let device = here.cookie("usher_device").expect("a cookie");
    assert_eq!(change(&here, PASSWORD, NEW, NEW).expect(303).header("location"), Some(ACCOUNT));
    assert!(words(&here.get(ACCOUNT).expect(200).text).contains("The password is changed."));
    assert!(!there.is_in());
    assert_eq!(audited(&server, "change password"), 1);
    // This browser is still known, by another cookie: the old one is worth nothing.
    assert_ne!(here.cookie("usher_device"), Some(device));
    let again = Browser::new(&server);
    sign_in(&again, "owner", PASSWORD).expect(422);
    sign_in(&again, "owner", NEW).expect(303);
}

#[test]
fn a_password_that_is_not_right_changes_nothing_and_says_why() {
    let server = Server::start();
    let (browser, other) = (Browser::owner(&server), Browser::owner(&server));
    let cases = [
        ("a guess", NEW, NEW, "present", "The current password is wrong."),
        ("", NEW, NEW, "present", "The current password is wrong."),
        (PASSWORD, "123456789", "123456789", "new_password", "must have at least 10 characters"),
        (PASSWORD, NEW, "something else", "password_again", "does not match the first"),
    ];
    for (present, new, again, field, why) in cases {
        let page = change(&browser, present, new, again).expect(422);
        assert!(words(&page.text).contains(why), "{}", page.text);
        let input = part(&page.text, &format!("<input id=\"{field}\""), ">");
        assert!(input.contains("aria-invalid=\"true\"") && input.contains("form-error"), "{input}");
        assert!(!page.text.contains(NEW) && !page.text.contains(PASSWORD));
    }
    assert!(other.is_in());
    assert_eq!((audited(&server, "change password"), audited(&server, "fail to give password")), (0, 2));
    sign_in(&Browser::new(&server), "owner", PASSWORD).expect(303);
    // An answer to a form has no page of its own.
    assert_eq!(browser.get("/admin/account/password").expect(303).header("location"), Some(ACCOUNT));
}

/// A browser that was left open is no place to guess at leisure.
#[test]
fn guesses_at_ones_own_password_wait_longer_each_time() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    for _ in 0..10 {
        change(&browser, "a guess", NEW, NEW).expect(422);
    }
    assert_eq!(change(&browser, PASSWORD, NEW, NEW).expect(429).header("retry-after"), Some("15"));
    server.clock.advance(15_000);
    change(&browser, PASSWORD, NEW, NEW).expect(303);
}

/// Where somebody signed in from is kept no longer than the sign-in.
#[test]
fn a_backup_has_no_sign_ins() {
    let server = Server::start();
    Browser::owner(&server);
    let folder = tempfile::tempdir().expect("a directory");
    let copy = server.app.store().copy(folder.path()).expect("a copy");
    let held = |path: &std::path::Path, table: &str| {
        let conn = rusqlite::Connection::open(path).expect("the file opens");
        let sql = format!("SELECT COUNT(*) FROM {table}");
        conn.query_row(&sql, [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    assert_eq!((held(&server.path(), "admin_sessions"), held(&copy.database(), "admin_sessions")), (1, 0));
    assert_eq!(held(&copy.database(), "admins"), 1);
}

#[test]
fn the_menu_leads_to_the_account() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let page = browser.get("/admin/users").expect(200).text;
    assert!(part(&page, "Signed in as", "</p>").contains("href=\"/admin/account\""), "{page}");
    server.clock.advance(HOUR);
    let door = browser.get(ACCOUNT).expect(303);
    assert_eq!(door.header("location"), Some("/admin/login?next=%2Fadmin%2Faccount"));
}
