//! Signing in with a code: what is asked for and when, what a code is good for, and guesses at it.

use usher::clock::{HOUR, MINUTE, SECOND};

use super::second_factor::{
    ACCOUNT, CODE, STEP, audited, code, code_in, give_password, hotp, sign_in, turn_on,
};
use super::{Browser, FORM, PASSWORD, form, value_of, words};
use crate::harness::{Reply, Server};

/// From an address that a proxy names.
fn give_code_from(browser: &Browser, address: &str, code: &str) -> Reply {
    let fields = form(&[("code", code), ("form_token", &browser.token())]);
    let request = browser.request("POST", CODE).header("X-Forwarded-For", address);
    browser.take(request.body(fields, FORM).send())
}

#[test]
fn only_the_right_password_tells_of_a_second_factor() {
    let server = Server::start();
    let guess = |server: &Server| {
        let browser = Browser::new(server);
        let page = browser.get("/admin/login").expect(200);
        let token = value_of(&page.text, "form_token").expect("a token");
        let fields = [("name", "owner"), ("password", "a guess")];
        let reply = browser.post_with_token("/admin/login", &fields, &token);
        let set: Vec<String> = reply.all("set-cookie").map(str::to_owned).collect();
        (reply.status, words(&reply.text), set)
    };
    let owner = Browser::owner(&server);
    let without = guess(&server);
    turn_on(&owner);
    assert_eq!(guess(&server), without);
    assert_eq!(without.0, 422);
}

#[test]
fn the_password_and_a_code_let_in_and_one_alone_does_not() {
    let server = Server::start();
    let (secret, _) = turn_on(&Browser::owner(&server));
    let browser = Browser::new(&server);
    // Without the password there is nowhere to enter a code.
    assert_eq!(browser.get(CODE).expect(303).header("location"), Some("/admin/login"));
    browser.get("/admin/login");
    let alone = browser.post(CODE, &[("code", &code(&secret, &server))]).expect(303);
    assert_eq!(alone.header("location"), Some("/admin/login"));

    let page = browser.get("/admin/login?next=%2Fadmin%2Fjobs").expect(200);
    let token = value_of(&page.text, "form_token").expect("a token");
    let fields = [("name", "owner"), ("password", PASSWORD), ("next", "/admin/jobs")];
    let reply = browser.post_with_token("/admin/login", &fields, &token).expect(303);
    assert_eq!(reply.header("location"), Some(CODE));
    assert!(browser.cookie("usher_sign_in").is_none() && browser.cookie("usher_device").is_none());
    assert!(!browser.is_in(), "halfway is not in");
    browser.get(CODE).expect(200);
    let wrong = browser.post(CODE, &[("code", "000000")]).expect(422);
    assert!(words(&wrong.text).contains("The code is wrong or was already used."));
    assert!(!browser.is_in());
    assert_eq!(audited(&server, "fail second factor"), 1);
    let signed_in = browser.post(CODE, &[("code", &code(&secret, &server))]).expect(303);
    assert_eq!(signed_in.header("location"), Some("/admin/jobs"));
    assert!(browser.is_in() && browser.cookie("usher_halfway").is_none());
    assert!(browser.cookie("usher_device").is_some());
}

#[test]
fn each_code_is_taken_once_from_one_step_before_to_one_after() {
    let server = Server::start();
    let (secret, _) = turn_on(&Browser::owner(&server));
    let sign_in = |steps: i64| sign_in(&server, &code_in(&secret, &server, steps)).1;
    // To the middle of a step.
    server.clock.advance(STEP - server.clock.now().rem_euclid(STEP) + STEP / 2);
    assert_eq!((sign_in(-2), sign_in(2)), (422, 422));
    assert_eq!(sign_in(-1), 303);
    assert_eq!(sign_in(-1), 422, "a code that was used");
    assert_eq!(sign_in(0), 303);
    assert_eq!((sign_in(0), sign_in(-1)), (422, 422));
    assert_eq!(sign_in(1), 303);
    assert_eq!(sign_in(1), 422);
    // The bounds to the millisecond: a step's code counts until the next step is over.
    server.clock.advance(10 * STEP - server.clock.now().rem_euclid(STEP));
    let early = code_in(&secret, &server, 2);
    let late = code_in(&secret, &server, 0);
    server.clock.advance(STEP - 1);
    assert_eq!(self::sign_in(&server, &early).1, 422, "two steps ahead still");
    server.clock.advance(STEP);
    assert_eq!(self::sign_in(&server, &late).1, 303, "a millisecond before its end");
    server.clock.advance(1);
    assert_eq!(self::sign_in(&server, &late).1, 422);
    assert_eq!(self::sign_in(&server, &early).1, 303);
}

#[test]
fn a_code_may_be_written_with_a_space() {
    let server = Server::start();
    let (secret, _) = turn_on(&Browser::owner(&server));
    let code = code(&secret, &server);
    assert_eq!(sign_in(&server, &format!(" {} {} ", &code[..3], &code[3..])).1, 303);
}

#[test]
fn a_recovery_code_lets_in_once() {
    let server = Server::start();
    let (_, codes) = turn_on(&Browser::owner(&server));
    assert_eq!(sign_in(&server, &codes[0]).1, 303);
    assert_eq!(sign_in(&server, &codes[0]).1, 422);
    // As somebody types it.
    let typed = codes[1].to_uppercase().replace('-', " ");
    let (browser, status) = sign_in(&server, &typed);
    assert_eq!(status, 303);
    assert!(words(&browser.get(ACCOUNT).text).contains("8 recovery codes left"));
    for none in ["", "aaaa-bbbb-cccc", "äöüä-öüäö-üäöü", &codes[2][..13]] {
        assert_eq!(sign_in(&server, none).1, 422, "{none}");
    }
    assert_eq!(audited(&server, "use recovery code"), 2);
}

#[test]
fn between_password_and_code_there_are_five_minutes() {
    let server = Server::start();
    let (secret, _) = turn_on(&Browser::owner(&server));
    for (wait, location) in [(5 * MINUTE - 1, "/admin/"), (5 * MINUTE, "/admin/login")] {
        let browser = Browser::new(&server);
        give_password(&browser).expect(303);
        browser.get(CODE).expect(200);
        server.clock.advance(wait);
        let reply = browser.post(CODE, &[("code", &code(&secret, &server))]).expect(303);
        assert_eq!(reply.header("location"), Some(location), "{wait}");
        assert_eq!(browser.is_in(), location == "/admin/");
    }
}

#[test]
fn the_way_to_the_code_is_used_once_and_ends_with_the_password() {
    let server = Server::start();
    let owner = Browser::owner(&server);
    let (secret, codes) = turn_on(&owner);
    let browser = Browser::new(&server);
    give_password(&browser).expect(303);
    let halfway = browser.cookie("usher_halfway").expect("a cookie");
    browser.get(CODE).expect(200);
    browser.post(CODE, &[("code", &code(&secret, &server))]).expect(303);
    let thief = Browser::new(&server);
    thief.get("/admin/login");
    thief.set_cookie("usher_halfway", &halfway);
    let reply = thief.post(CODE, &[("code", &codes[0])]).expect(303);
    assert_eq!(reply.header("location"), Some("/admin/login"));
    assert!(!thief.is_in());
    // Who came with a password that was changed since has to begin again.
    let late = Browser::new(&server);
    give_password(&late).expect(303);
    late.get(CODE).expect(200);
    owner.get(ACCOUNT);
    let new = "another few random words";
    let fields = [("present", PASSWORD), ("new_password", new), ("password_again", new)];
    owner.post("/admin/account/password", &fields).expect(303);
    let reply = late.post(CODE, &[("code", &codes[0])]).expect(303);
    assert_eq!(reply.header("location"), Some("/admin/login"));
    assert!(!late.is_in());
}

/// Those who try codes know the password: they wait together, wherever they are.
#[test]
fn guesses_at_a_code_wait_and_a_known_browser_does_not() {
    let server = Server::with(|options| options.trusted_proxies = vec!["127.0.0.1"]);
    let known = Browser::owner(&server);
    let (secret, codes) = turn_on(&known);
    known.post("/admin/logout", &[]).expect(303);
    let guesser = Browser::new(&server);
    give_password(&guesser).expect(303);
    guesser.get(CODE).expect(200);
    for n in 0..10 {
        give_code_from(&guesser, &format!("192.0.2.{n}"), "000000").expect(422);
    }
    let refused = give_code_from(&guesser, "192.0.2.77", &code(&secret, &server)).expect(429);
    assert_eq!(refused.header("retry-after"), Some("15"));
    assert!(words(&refused.text).contains("Too many attempts. Try again in 15 seconds."));
    // Nor by coming with the password again.
    give_password(&guesser).expect(303);
    give_code_from(&guesser, "192.0.2.78", &code(&secret, &server)).expect(429);
    give_password(&known).expect(303);
    known.get(CODE).expect(200);
    known.post(CODE, &[("code", &codes[0])]).expect(303);
    assert!(known.is_in());
    // It has tries of its own, which have an end, too.
    known.get("/admin/users").expect(200);
    known.post("/admin/logout", &[]).expect(303);
    give_password(&known).expect(303);
    known.get(CODE).expect(200);
    for _ in 0..10 {
        known.post(CODE, &[("code", "000000")]).expect(422);
        give_password(&known).expect(303);
    }
    known.get(CODE).expect(200);
    known.post(CODE, &[("code", &codes[1])]).expect(429);
    server.clock.advance(15 * SECOND);
    known.post(CODE, &[("code", &codes[1])]).expect(303);
}

/// The time in force is what codes are held against, whatever the machine's clock says.
#[test]
fn where_the_clock_is_not_trusted_recovery_codes_let_in() {
    let server = Server::start();
    let (secret, codes) = turn_on(&Browser::owner(&server));
    server.clock.set_wall(2 * HOUR);
    server.tick();
    assert!(!server.app.time_standing().is_trusted());
    let by_the_wall = hotp(&secret, server.clock.wall().div_euclid(STEP));
    assert_eq!(sign_in(&server, &by_the_wall).1, 422);
    assert_eq!(sign_in(&server, &codes[0]).1, 303);
    assert_eq!(sign_in(&server, &code(&secret, &server)).1, 303);
    // Followed, it is the phone's time again; set back, no code waits for the hours to pass.
    server.app.confirm_clock().expect("confirmed");
    assert_eq!(sign_in(&server, &code(&secret, &server)).1, 303);
    server.clock.set_wall(-2 * HOUR);
    server.tick();
    server.app.confirm_clock().expect("confirmed");
    server.clock.advance(2 * STEP);
    assert_eq!(sign_in(&server, &code(&secret, &server)).1, 303);
}
