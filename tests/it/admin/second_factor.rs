//! The second factor: setting it up, signing in with it, and losing it.

use data_encoding::BASE32_NOPAD;
use sha1::{Digest, Sha1};
use usher::clock::{HOUR, MINUTE, Millis, SECOND};
use usher::domain::{admins, totp};

use super::{Browser, FORM, PASSWORD, form, part, value_of, words};
use crate::harness::{Reply, Server};

const ACCOUNT: &str = "/admin/account";
const SET_UP: &str = "/admin/account/second-factor";
const CODE: &str = "/admin/login/code";
const STEP: Millis = 30 * SECOND;

/// RFC 2104 and RFC 4226 by hand, so that the product is not held against itself.
fn hotp(secret: &[u8], counter: i64) -> String {
    let mut key = [0; 64];
    key[..secret.len()].copy_from_slice(secret);
    let inner = Sha1::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(counter.to_be_bytes());
    let outer = Sha1::new().chain_update(key.map(|byte| byte ^ 0x5c)).chain_update(inner.finalize());
    let digest = outer.finalize();
    let at = usize::from(digest[19] & 15);
    let four = [digest[at] & 0x7f, digest[at + 1], digest[at + 2], digest[at + 3]];
    format!("{:06}", u32::from_be_bytes(four) % 1_000_000)
}

/// What an app shows so many steps from now.
fn code_in(secret: &[u8], server: &Server, steps: i64) -> String {
    hotp(secret, server.clock.now().div_euclid(STEP) + steps)
}

pub fn code(secret: &[u8], server: &Server) -> String {
    code_in(secret, server, 0)
}

/// The secret that a page shows.
pub fn secret_of(page: &str) -> Vec<u8> {
    let text =
        part(page, "<code class=\"secret pick\">", "</code>").replace("<code class=\"secret pick\">", "");
    BASE32_NOPAD.decode(text.replace('-', "").as_bytes()).expect("a secret in base 32")
}

fn codes_of(page: &str) -> Vec<String> {
    let text = part(page, "<pre class=\"secret pick\">", "</pre>").replace("<pre class=\"secret pick\">", "");
    text.lines().map(str::to_owned).collect()
}

/// Turns it on: the secret, and the recovery codes.
pub fn turn_on(browser: &Browser) -> (Vec<u8>, Vec<String>) {
    browser.get(ACCOUNT).expect(200);
    let page = browser.post(SET_UP, &[("password", PASSWORD)]).expect(200);
    let secret = secret_of(&page.text);
    let code = code(&secret, browser.server);
    let page = browser.post("/admin/account/second-factor/confirm", &[("code", &code)]).expect(200);
    // The next code is another.
    browser.server.clock.advance(2 * STEP);
    (secret, codes_of(&page.text))
}

/// As far as the code: what the password is answered with.
pub fn give_password(browser: &Browser) -> Reply {
    let page = browser.get("/admin/login").expect(200);
    let token = value_of(&page.text, "form_token").expect("a token");
    browser.post_with_token("/admin/login", &[("name", "owner"), ("password", PASSWORD)], &token)
}

/// From an address that a proxy names.
fn give_code_from(browser: &Browser, address: &str, code: &str) -> Reply {
    let fields = form(&[("code", code), ("form_token", &browser.token())]);
    let request = browser.request("POST", CODE).header("X-Forwarded-For", address);
    browser.take(request.body(fields, FORM).send())
}

pub fn sign_in<'a>(server: &'a Server, code: &str) -> (Browser<'a>, u16) {
    let browser = Browser::new(server);
    give_password(&browser).expect(303);
    browser.get(CODE).expect(200);
    let status = browser.post(CODE, &[("code", code)]).status;
    (browser, status)
}

fn audited(server: &Server, action: &str) -> i64 {
    let sql = "SELECT COUNT(*) FROM audit WHERE action = ?1";
    server.sqlite().query_row(sql, [action], |row| row.get(0)).expect("a count")
}

fn count(server: &Server, what: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {what}");
    server.sqlite().query_row(&sql, [], |row| row.get(0)).expect("a count")
}

/// RFC 6238, appendix B, whose codes have two digits more.
#[test]
fn the_codes_are_those_of_the_rfc() {
    let secret = b"12345678901234567890";
    let vectors = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];
    for (second, right) in vectors {
        let (now, step) = (second * SECOND, second / 30);
        assert_eq!(hotp(secret, step), right, "{second}");
        assert_eq!(totp::step_of(secret, now, 0, right), Some(step), "{second}");
        assert_eq!(totp::step_of(secret, now, step, right), None, "{second}");
        let wrong = format!("{:06}", (right.parse::<u32>().expect("a number") + 1) % 1_000_000);
        assert_eq!(totp::step_of(secret, now, 0, &wrong), None, "{second}");
    }
}

#[test]
fn it_is_on_once_a_code_was_entered() {
    let server = Server::start();
    let (browser, other) = (Browser::owner(&server), Browser::owner(&server));
    browser.get(ACCOUNT);
    let page = browser.post(SET_UP, &[("password", "a guess")]).expect(422);
    assert!(words(&page.text).contains("The password is wrong."));
    assert_eq!(count(&server, "second_factors"), 0);
    let page = browser.post(SET_UP, &[("password", PASSWORD)]).expect(200);
    let secret = secret_of(&page.text);
    assert_eq!(secret.len(), 20);
    assert!(page.text.contains("<svg class=\"qr\"") && !page.text.contains("<script"));
    // Nothing is asked for yet, and a wrong code does not change that.
    assert_eq!(give_password(&Browser::new(&server)).header("location"), Some("/admin/users"));
    let wrong = browser.post("/admin/account/second-factor/confirm", &[("code", "000000")]).expect(422);
    assert_eq!(secret_of(&wrong.text), secret, "it is shown again");
    assert!(words(&wrong.text).contains("The code is none of this secret."));
    assert_eq!(give_password(&Browser::new(&server)).header("location"), Some("/admin/users"));

    let page = browser.post("/admin/account/second-factor/confirm", &[("code", &code(&secret, &server))]);
    let codes = codes_of(&page.expect(200).text);
    assert_eq!(codes.len(), 10);
    assert!(browser.is_in() && !other.is_in(), "a browser without it is signed out");
    assert!(words(&browser.get(ACCOUNT).text).contains("10 recovery codes left"));
    assert_eq!(give_password(&Browser::new(&server)).header("location"), Some(CODE));
    assert_eq!(audited(&server, "turn on second factor"), 1);
    // Twice is a fault of the second, not another secret.
    browser.get(ACCOUNT);
    browser.post(SET_UP, &[("password", PASSWORD)]).expect(409);
    browser.post("/admin/account/second-factor/confirm", &[("code", "000000")]).expect(409);
    for path in [SET_UP, "/admin/account/second-factor/codes", "/admin/account/second-factor/off"] {
        assert_eq!(browser.get(path).expect(303).header("location"), Some(ACCOUNT));
    }
}

#[test]
fn neither_secret_nor_recovery_codes_stand_in_the_database() {
    let server = Server::start();
    let (secret, codes) = turn_on(&Browser::owner(&server));
    let dir = server.stop();
    let bytes = std::fs::read(dir.path().join("usher.db")).expect("the file");
    let holds = |what: &[u8]| bytes.windows(what.len()).any(|some| some == what);
    assert!(holds(b"owner"), "the twin: what is in the clear is found");
    let text = BASE32_NOPAD.encode(&secret);
    assert!(!holds(&secret) && !holds(text.as_bytes()) && !holds(text.to_lowercase().as_bytes()));
    for code in codes {
        let bare = code.replace('-', "");
        assert!(!holds(code.as_bytes()) && !holds(bare.as_bytes()));
        assert!(!holds(bare.to_uppercase().as_bytes()));
        assert!(!holds(&sha2_of(&bare.to_uppercase())), "nor as a hash that can be guessed at");
    }
}

fn sha2_of(text: &str) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).into()
}

#[test]
fn only_who_knows_the_password_learns_that_there_is_a_second_factor() {
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
    assert!(words(&wrong.text).contains("The code is wrong, or it was used already."));
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
fn new_recovery_codes_take_the_place_of_the_old_ones() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let (secret, old) = turn_on(&browser);
    browser.get(ACCOUNT);
    let renew = |password: &str, code: &str| {
        let fields = [("password", password), ("code", code)];
        browser.post("/admin/account/second-factor/codes", &fields)
    };
    assert!(words(&renew("a guess", &code(&secret, &server)).expect(422).text).contains("password is wrong"));
    assert!(words(&renew(PASSWORD, "000000").expect(422).text).contains("The code is wrong"));
    let new = codes_of(&renew(PASSWORD, &code(&secret, &server)).expect(200).text);
    assert_eq!(new.len(), 10);
    assert_eq!((sign_in(&server, &old[0]).1, sign_in(&server, &new[0]).1), (422, 303));
    assert_eq!(audited(&server, "renew recovery codes"), 1);
}

#[test]
fn it_is_turned_off_with_password_and_code_alone() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let (secret, codes) = turn_on(&browser);
    browser.get(ACCOUNT);
    let off = |password: &str, code: &str| {
        let fields = [("password", password), ("code", code)];
        browser.post("/admin/account/second-factor/off", &fields)
    };
    off("a guess", &codes[0]).expect(422);
    off(PASSWORD, "000000").expect(422);
    off(PASSWORD, "").expect(422);
    assert_eq!(give_password(&Browser::new(&server)).header("location"), Some(CODE));
    off(PASSWORD, &code(&secret, &server)).expect(303);
    assert!(words(&browser.get(ACCOUNT).text).contains("The second factor is off."));
    assert_eq!(give_password(&Browser::new(&server)).header("location"), Some("/admin/users"));
    assert_eq!((count(&server, "second_factors"), count(&server, "recovery_codes")), (0, 0));
    assert_eq!(audited(&server, "turn off second factor"), 1);
    off(PASSWORD, &codes[0]).expect(409);
}

#[test]
fn whoever_is_halfway_has_five_minutes() {
    let server = Server::start();
    let (secret, _) = turn_on(&Browser::owner(&server));
    for (wait, location) in [(5 * MINUTE - 1, "/admin/users"), (5 * MINUTE, "/admin/login")] {
        let browser = Browser::new(&server);
        give_password(&browser).expect(303);
        browser.get(CODE).expect(200);
        server.clock.advance(wait);
        let reply = browser.post(CODE, &[("code", &code(&secret, &server))]).expect(303);
        assert_eq!(reply.header("location"), Some(location), "{wait}");
        assert_eq!(browser.is_in(), location == "/admin/users");
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

/// Whoever tries codes knows the password: they wait together, wherever they are.
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

fn set_needed(browser: &Browser, password: &str, needed: bool) -> Reply {
    browser.get(ACCOUNT).expect(200);
    let fields = [("password", password), ("needed", "yes")];
    browser.post("/admin/account/second-factor/needed", &fields[..if needed { 2 } else { 1 }])
}

#[test]
fn where_everybody_must_have_one_nothing_else_is_open_without() {
    let server = Server::start();
    server.write(|tx| admins::create(tx, "mia", &admins::hash_password(PASSWORD)?).map(drop));
    let owner = Browser::owner(&server);
    let refused = set_needed(&owner, PASSWORD, true).expect(409);
    assert!(words(&refused.text).contains("your own second factor"), "{}", refused.text);
    let (secret, _) = turn_on(&owner);
    set_needed(&owner, "a guess", true).expect(422);
    let mia = Browser::new(&server);
    mia.get("/admin/login").expect(200);
    mia.post("/admin/login", &[("name", "mia"), ("password", PASSWORD)]).expect(303);
    assert!(mia.is_in(), "nothing is asked of anybody yet");
    set_needed(&owner, PASSWORD, true).expect(303);
    assert!(owner.is_in());
    for path in ["/admin/users", "/admin/jobs", "/admin/"] {
        assert_eq!(mia.get(path).expect(303).header("location"), Some(ACCOUNT), "{path}");
    }
    let project = mia.post("/admin/projects", &[("name", "shop")]);
    assert_eq!((project.status, count(&server, "projects")), (303, 1), "nor does a form do anything");
    assert!(words(&mia.get(ACCOUNT).expect(200).text).contains("Set yours up to go on."));
    turn_on(&mia);
    assert!(mia.is_in());
    // Nobody turns the own one off then.
    owner.get(ACCOUNT).expect(200);
    let off = |code: &str| {
        let fields = [("password", PASSWORD), ("code", code)];
        owner.post("/admin/account/second-factor/off", &fields)
    };
    off(&code(&secret, &server)).expect(409);
    set_needed(&owner, PASSWORD, false).expect(303);
    owner.get(ACCOUNT).expect(200);
    off(&code(&secret, &server)).expect(303);
    assert_eq!(audited(&server, "require second factors"), 1);
    assert_eq!(audited(&server, "make second factors optional"), 1);
}
