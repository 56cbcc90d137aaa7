//! Who is told that the clock is not trusted, and who says that it is right.

use usher::clock::{DAY, HOUR};
use usher::model::TRASH_PERIOD;

use super::{again, hide};
use crate::admin::{Browser, words};
use crate::harness::{START, Server};
use crate::process::{Process, agent, begin, directory, get, lines, sqlite, usher};
use crate::segment::count;

#[test]
fn pages_and_readiness_say_why_and_the_button_confirms() {
    let server = Server::start();
    let ann = server.seed("ann").events(2).insert();
    hide(&server, "ann");
    let browser = Browser::owner(&server);
    let users = || words(&browser.get("/admin/users").expect(200).text);
    let watch = server.key(None, "admin");
    let ready = || server.ready(&watch, "clock").1;
    assert!(!users().contains("Check the clock"));
    assert_eq!(ready(), "it is trusted");

    server.clock.set_wall(TRASH_PERIOD + HOUR);
    server.tick();
    let why = "the clock was set 7 days forward; time continues as before, and it is trusted in";
    assert!(ready().contains(why), "{}", ready());
    assert!(users().contains("he clock was set 7 days forward"), "{}", users());
    let page = words(&browser.get("/admin/clock").expect(200).text);
    assert!(
        page.contains("Due by this machine's clock: 1 user in the trash, 0 scheduled deletions."),
        "{page}"
    );
    assert!(server.rows_of(ann) >= 3);

    browser.post("/admin/clock", &[]).expect(303);
    // Seven days later she has to sign in again.
    let page = Browser::owner(&server).get("/admin/clock").expect(200);
    assert!(words(&page.text).contains("he clock is trusted"));
    assert_eq!(ready(), "it is trusted");
    assert_eq!(server.tick().reaped, 1);
    assert_eq!(count(&server, "audit WHERE action = 'confirm clock' AND actor LIKE 'admin%'"), 1);
}

#[test]
fn a_start_behind_the_sign_is_confirmed_and_stays_so() {
    let server = Server::start();
    server.seed("bob").insert();
    hide(&server, "bob");
    let server = again(server, START - 10 * DAY);
    assert!(!server.app.time_standing().is_trusted());
    server.app.confirm_clock().expect("confirmed");
    assert_eq!(server.clock.now(), START - 10 * DAY);
    assert_eq!(count(&server, &format!("users WHERE deleted_at = {}", START - 10 * DAY)), 1);
    let server = again(server, START - 10 * DAY + HOUR);
    assert!(server.app.time_standing().is_trusted());
}

/// The sign of life of a directory that nobody serves is moved.
fn move_sign(dir: &std::path::Path, by: i64) {
    let moved = sqlite(dir).execute("UPDATE sign_of_life SET at = at + ?1", [by]).expect("a change");
    assert_eq!(moved, 1);
}

fn doctor(dir: &std::path::Path) -> String {
    let output = usher(dir, &["doctor"]).output().expect("the program runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What readiness says of the clock.
fn ready(server: &Process, key: &str) -> String {
    // What was found counts for half a second.
    std::thread::sleep(std::time::Duration::from_millis(600));
    let (status, body) = get(&agent(), &server.url("/readyz"), &format!("Bearer {key}"));
    assert_eq!(status, 200);
    let clock = body["checks"].as_array().expect("checks").iter().find(|one| one["name"] == "clock");
    clock.expect("the check")["words"].as_str().expect("words").to_owned()
}

#[test]
fn the_command_confirms_beside_a_server_and_alone() {
    let dir = directory();
    begin(dir.path());
    let key =
        lines(dir.path(), &["key", "create", "--org", "--name", "watch", "--scopes", "admin"]).remove(0);
    for by in [-3 * DAY, 3 * DAY] {
        move_sign(dir.path(), by);
        let server = Process::start(dir.path());
        assert!(ready(&server, &key).contains("the last activity"));
        let shown = lines(dir.path(), &["clock", "show"]).join("");
        assert!(shown.contains("the last activity"), "{shown}");
        assert!(doctor(dir.path()).contains("`usher clock confirm`"));
        let said = lines(dir.path(), &["clock", "confirm"]).join("");
        assert!(said.ends_with("the clock is trusted"), "{said}");
        assert_eq!(ready(&server, &key), "it is trusted");
        assert!(!doctor(dir.path()).contains("clock"));
        assert!(server.terminate().success());

        move_sign(dir.path(), by);
        let said = lines(dir.path(), &["clock", "confirm"]).join("");
        assert!(said.ends_with("the clock is trusted"), "{said}");
        let server = Process::start(dir.path());
        assert_eq!(ready(&server, &key), "it is trusted");
        assert!(server.terminate().success());
    }
}

#[test]
fn a_grace_of_none_is_said() {
    let dir = directory();
    begin(dir.path());
    let key =
        lines(dir.path(), &["key", "create", "--org", "--name", "watch", "--scopes", "admin"]).remove(0);
    move_sign(dir.path(), -3 * DAY);
    let server = Process::start_with(dir.path(), &["--clock-grace", "0"]);
    assert_eq!(ready(&server, &key), "it is trusted");
    assert!(lines(dir.path(), &["clock", "show"]).join("").contains("--clock-grace 0"));
    assert!(server.terminate().success());
    let output = usher(dir.path(), &["--clock-grace", "x", "clock", "show"]).output().expect("it runs");
    assert!(!output.status.success());
}
