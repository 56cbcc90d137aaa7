//! What let an admin in and does so no more, in an older copy of the database that is put back: it does
//! not let in again, and there is a way in on the machine.

use usher::access::{admins, credentials, second_factor};
use usher::clock::{Clock, SECOND};
use usher::store::NormalTx;

use crate::admin::second_factor::{code, sign_in, turn_on};
use crate::admin::{Browser, PASSWORD};
use crate::harness::Server;
use crate::process::{begin, directory, lines, refused, sqlite};
use crate::replays::{House, LIVE, live};

const ACCOUNT: &str = "/admin/account";
const NEW: &str = "another few random words";

fn change_password(browser: &Browser) {
    browser.get(ACCOUNT).expect(200);
    let fields = [("present", PASSWORD), ("new_password", NEW), ("password_again", NEW)];
    browser.post("/admin/account/password", &fields).expect(303);
}

fn lets_in(server: &Server, password: &str) -> bool {
    let browser = Browser::new(server);
    browser.get("/admin/login").expect(200);
    browser.post("/admin/login", &[("name", "owner"), ("password", password)]);
    browser.is_in()
}

/// The machine sets the password anew.
fn reset(server: &Server, password: &'static str) {
    server.write(move |tx: &NormalTx| {
        let owner = admins::by_name(tx, "owner")?.expect("the owner");
        credentials::set_password(tx, &owner, &admins::hash_password(password)?)
    });
}

/// Something else that a replay has to do.
fn erase_somebody(house: &House) {
    house.server.seed("ann").events(1).insert();
    let key = house.server.project().all.clone();
    house
        .server
        .delete("/v1/users/ann?hardDelete=true")
        .header("X-APTRINSIC-API-KEY", &key)
        .send()
        .expect(200);
}

#[test]
fn a_password_that_was_changed_does_not_return() {
    for changed in [true, false] {
        let house = House::new(Server::start());
        let owner = Browser::owner(&house.server);
        drop(owner);
        let (house, aside) = house.copied();
        erase_somebody(&house);
        if changed {
            change_password(&Browser::owner(&house.server));
        }
        let house = house.put_back(aside.path());
        assert_eq!(lets_in(&house.server, PASSWORD), !changed, "the twin is let in");
        assert!(!lets_in(&house.server, NEW), "what came after it is not known");
        if changed {
            assert_eq!(house.server.app.replayed().keys, 1);
            assert!(!lets_in(&house.server, credentials::NONE));
            reset(&house.server, NEW);
            assert!(lets_in(&house.server, NEW));
        }
    }
}

#[test]
fn a_recovery_code_that_was_used_does_not_return() {
    let house = House::new(Server::start());
    let (secret, codes) = turn_on(&Browser::owner(&house.server));
    let (house, aside) = house.copied();
    assert_eq!(sign_in(&house.server, &codes[0]).1, 303);
    let house = house.put_back(aside.path());
    assert_eq!(sign_in(&house.server, &codes[0]).1, 422);
    assert_eq!(sign_in(&house.server, &codes[1]).1, 303, "the others are as they were");
    // A code of these minutes may have been taken after the copy was made.
    assert_eq!(sign_in(&house.server, &code(&secret, &house.server)).1, 422);
    house.server.clock.advance(60 * SECOND);
    assert_eq!(sign_in(&house.server, &code(&secret, &house.server)).1, 303);
}

#[test]
fn recovery_codes_that_were_renewed_do_not_return() {
    let house = House::new(Server::start());
    let (secret, codes) = turn_on(&Browser::owner(&house.server));
    let (house, aside) = house.copied();
    let browser = sign_in(&house.server, &code(&secret, &house.server)).0;
    house.server.clock.advance(60 * SECOND);
    browser.get(ACCOUNT).expect(200);
    let fields = [("password", PASSWORD), ("code", &code(&secret, &house.server))];
    browser.post("/admin/account/second-factor/codes", &fields).expect(200);
    let house = house.put_back(aside.path());
    house.server.clock.advance(60 * SECOND);
    assert!(codes.iter().take(3).all(|code| sign_in(&house.server, code).1 == 422));
    assert_eq!(sign_in(&house.server, &code(&secret, &house.server)).1, 303);
}

#[test]
fn a_second_factor_since_the_copy_is_asked_for_still() {
    let house = House::new(Server::start());
    Browser::owner(&house.server);
    let (house, aside) = house.copied();
    let (secret, codes) = turn_on(&Browser::owner(&house.server));
    let house = house.put_back(aside.path());
    assert!(!lets_in(&house.server, PASSWORD), "the password alone was enough once");
    assert_eq!(sign_in(&house.server, &code(&secret, &house.server)).1, 422);
    assert_eq!(sign_in(&house.server, &codes[0]).1, 422);
    house.server.write(|tx| second_factor::turn_off_by_operator(tx, "owner"));
    assert!(lets_in(&house.server, PASSWORD));
    turn_on(&Browser::owner(&house.server));
}

#[test]
fn codes_of_a_factor_that_was_turned_off_let_nobody_in() {
    let house = House::new(Server::start());
    let (secret, codes) = turn_on(&Browser::owner(&house.server));
    let (house, aside) = house.copied();
    let browser = sign_in(&house.server, &code(&secret, &house.server)).0;
    browser.get(ACCOUNT).expect(200);
    let fields = [("password", PASSWORD), ("code", codes[0].as_str())];
    browser.post("/admin/account/second-factor/off", &fields).expect(303);
    let house = house.put_back(aside.path());
    house.server.clock.advance(60 * SECOND);
    assert_eq!(sign_in(&house.server, &code(&secret, &house.server)).1, 422);
    assert_eq!(sign_in(&house.server, &codes[1]).1, 422);
    assert!(!lets_in(&house.server, PASSWORD));
    house.server.write(|tx| second_factor::turn_off_by_operator(tx, "owner"));
    assert!(lets_in(&house.server, PASSWORD));
}

#[test]
fn what_everybody_must_have_since_the_copy_they_must_have_still() {
    let house = House::new(Server::start());
    let (secret, _) = turn_on(&Browser::owner(&house.server));
    let (house, aside) = house.copied();
    let browser = sign_in(&house.server, &code(&secret, &house.server)).0;
    browser.get(ACCOUNT).expect(200);
    let fields = [("password", PASSWORD), ("needed", "yes")];
    browser.post("/admin/account/second-factor/needed", &fields).expect(303);
    let house = house.put_back(aside.path());
    assert!(house.server.read(second_factor::is_needed));
}

/// A stop between ledger and database: nobody was told of another password, so the old one counts.
#[test]
fn a_change_that_a_kill_cut_off_keeps_nobody_out() {
    let server = Server::start();
    let owner = Browser::owner(&server);
    let dir = server.path().parent().expect("a folder").to_owned();
    let left = live(&dir);
    change_password(&owner);
    let now = server.clock.now();
    let dir = server.stop();
    let _ = std::fs::remove_file(dir.path().join("usher.db-shm"));
    for (name, bytes) in LIVE.iter().zip(left) {
        std::fs::write(dir.path().join(name), bytes).expect("a file");
    }
    let server = Server::over(dir, |options| options.clock = Clock::manual(now));
    assert!(lets_in(&server, PASSWORD) && !lets_in(&server, NEW));
}

#[test]
fn the_machine_turns_a_second_factor_off() {
    let dir = directory();
    begin(dir.path());
    let conn = sqlite(dir.path());
    conn.execute_batch(
        "INSERT INTO admins (id, name, password_hash, created_at) VALUES (9, 'mia', 'x', 1), (8, 'ann', 'x', 1);
         INSERT INTO admin_sessions (hash, admin_id, created_at, expires_at)
             VALUES (zeroblob(32), 9, 1, 9999999999999), (randomblob(32), 8, 1, 9999999999999);
         INSERT INTO second_factors (admin_id, secret, created_at, confirmed_at) VALUES (9, x'01', 1, 1);
         INSERT INTO recovery_codes (admin_id, digest) VALUES (9, zeroblob(32))",
    )
    .expect("an admin");
    drop(conn);
    let said = lines(dir.path(), &["admin", "totp-off", "mia"]).remove(0);
    assert!(said.starts_with("The second factor of mia is off"), "{said}");
    let count =
        |sql: &str| sqlite(dir.path()).query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    assert_eq!(count("SELECT COUNT(*) FROM second_factors"), 0);
    assert_eq!(count("SELECT COUNT(*) FROM recovery_codes"), 0);
    assert_eq!(count("SELECT COUNT(*) FROM admin_sessions WHERE admin_id = 9"), 0);
    assert_eq!(count("SELECT COUNT(*) FROM admin_sessions WHERE admin_id = 8"), 1, "of nobody else");
    let noted = "SELECT COUNT(*) FROM audit WHERE action = 'turn off second factor' AND actor = 'operator'";
    assert_eq!(count(noted), 1);
    let why = refused(dir.path(), &["admin", "totp-off", "mia"]);
    assert!(why.contains("this admin has no second factor"), "{why}");
    let why = refused(dir.path(), &["admin", "totp-off", "eve"]);
    assert!(why.contains("there is no such admin"), "{why}");
}
