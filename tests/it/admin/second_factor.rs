//! The second factor: setting it up, its recovery codes, turning it off, and asking it of everybody.

use data_encoding::BASE32_NOPAD;
use sha1::{Digest, Sha1};
use usher::access::{second_factor, totp};
use usher::clock::{Millis, SECOND};
use usher::store::NormalTx;

use super::{Browser, PASSWORD, another_owner, part, value_of, words};
use crate::harness::{Reply, Server};

pub const ACCOUNT: &str = "/admin/account";
const SET_UP: &str = "/admin/account/second-factor";
pub const CODE: &str = "/admin/login/code";
pub const STEP: Millis = 30 * SECOND;

/// RFC 2104 and RFC 4226 by hand, so that the product is not held against itself.
pub fn hotp(secret: &[u8], counter: i64) -> String {
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
pub fn code_in(secret: &[u8], server: &Server, steps: i64) -> String {
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

pub fn sign_in<'a>(server: &'a Server, code: &str) -> (Browser<'a>, u16) {
    let browser = Browser::new(server);
    give_password(&browser).expect(303);
    browser.get(CODE).expect(200);
    let status = browser.post(CODE, &[("code", code)]).status;
    (browser, status)
}

pub fn audited(server: &Server, action: &str) -> i64 {
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
    assert!(page.text.contains("<svg class=\"qr\"") && !page.text.contains("<script>"));
    // Nothing is asked for yet, and a wrong code does not change that.
    assert_eq!(give_password(&Browser::new(&server)).header("location"), Some("/admin/"));
    let wrong = browser.post("/admin/account/second-factor/confirm", &[("code", "000000")]).expect(422);
    assert!(!wrong.text.contains("class=\"secret"), "who finds the browser open is not shown it");
    assert!(words(&wrong.text).contains("This code does not match."));
    assert_eq!(give_password(&Browser::new(&server)).header("location"), Some("/admin/"));

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
    assert_eq!(give_password(&Browser::new(&server)).header("location"), Some("/admin/"));
    assert_eq!((count(&server, "second_factors"), count(&server, "recovery_codes")), (0, 0));
    assert_eq!(audited(&server, "turn off second factor"), 1);
    off(PASSWORD, &codes[0]).expect(409);
}

/// A browser that was left open is no place to guess at a secret that was never seen.
#[test]
fn guesses_at_the_first_code_wait_too() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    browser.get(ACCOUNT).expect(200);
    let secret = secret_of(&browser.post(SET_UP, &[("password", PASSWORD)]).expect(200).text);
    let confirm = |code: &str| browser.post("/admin/account/second-factor/confirm", &[("code", code)]);
    for _ in 0..10 {
        confirm("000000").expect(422);
    }
    confirm(&code(&secret, &server)).expect(429);
    server.clock.advance(15 * SECOND);
    confirm(&code(&secret, &server)).expect(200);
}

fn set_needed(browser: &Browser, password: &str, needed: bool) -> Reply {
    browser.get(ACCOUNT).expect(200);
    let fields = [("password", password), ("needed", "yes")];
    browser.post("/admin/account/second-factor/needed", &fields[..if needed { 2 } else { 1 }])
}

#[test]
fn where_everybody_must_have_one_nothing_else_is_open_without() {
    let server = Server::start();
    let owner = Browser::owner(&server);
    server.write(|tx: &NormalTx| another_owner(tx, "mia").map(drop));
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
    assert!(words(&mia.get(ACCOUNT).expect(200).text).contains("Set yours up to continue."));
    turn_on(&mia);
    assert!(mia.is_in());
    // Who turns theirs off, for a new phone, sets up another before anything else.
    owner.get(ACCOUNT).expect(200);
    let off = |code: &str| {
        let fields = [("password", PASSWORD), ("code", code)];
        owner.post("/admin/account/second-factor/off", &fields)
    };
    off(&code(&secret, &server)).expect(303);
    assert!(!owner.is_in());
    turn_on(&owner);
    assert!(owner.is_in());
    owner.get(ACCOUNT).expect(200);
    set_needed(&owner, PASSWORD, false).expect(303);
    assert_eq!(audited(&server, "require second factors"), 1);
    assert_eq!(audited(&server, "make second factors optional"), 1);
}

#[test]
fn a_secret_waits_for_its_first_code_for_15_minutes() {
    for (waited, status) in [(second_factor::SET_UP - 1, 200), (second_factor::SET_UP, 409)] {
        let server = Server::start();
        let browser = Browser::owner(&server);
        browser.get(ACCOUNT);
        let secret = secret_of(&browser.post(SET_UP, &[("password", PASSWORD)]).expect(200).text);
        server.clock.advance(waited);
        let given = code(&secret, &server);
        browser.post("/admin/account/second-factor/confirm", &[("code", &given)]).expect(status);
    }
}

/// Who knows the password could have collected browsers that have tries of their own.
#[test]
fn browsers_from_before_a_second_factor_have_no_own_tries() {
    let server = Server::start();
    let before = [Browser::owner(&server), Browser::owner(&server)];
    let browser = Browser::owner(&server);
    browser.get(ACCOUNT);
    let secret = secret_of(&browser.post(SET_UP, &[("password", PASSWORD)]).expect(200).text);
    let right = code(&secret, &server);
    browser.post("/admin/account/second-factor/confirm", &[("code", &right)]).expect(200);
    for guesser in &before {
        assert_eq!(give_password(guesser).header("location"), Some(CODE));
    }
    let guess = |n: usize| {
        before[n % 2].get(CODE);
        before[n % 2].post(CODE, &[("code", "000000")]).status
    };
    let answers: Vec<u16> = (0..12).map(guess).collect();
    assert!(answers[..10].iter().all(|status| *status == 422), "{answers:?}");
    assert_eq!(answers[10..], [429, 429], "ten for both together: {answers:?}");
}

#[test]
fn without_a_second_factor_nobody_removes_anothers() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    server.write(|tx| {
        let sue = another_owner(tx, "sue")?;
        usher::store::second_factors::put(tx, sue.id, &[1], Some(tx.now()))?;
        second_factor::set_needed(tx, sue.id, true)
    });
    browser.get(ACCOUNT).expect(200);
    browser.post("/admin/account/second-factor/needed", &[("password", PASSWORD)]).expect(409);
    assert!(server.read(second_factor::is_needed));
}
