//! The page with a project's settings: each is set by its form, shown, and checked.

use serde_json::{Value, json};

use super::{Browser, part, words};
use crate::harness::Server;
use crate::settings::{set, settings};

fn path(server: &Server) -> String {
    format!("/admin/projects/{}/settings", server.project().key)
}

/// The form as it first stands.
const USUAL: [(&str, &str); 4] =
    [("public_writes", "open"), ("usual_names", "yes"), ("days", "3650"), ("why", "")];

fn with(change: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let kept = USUAL.into_iter().filter(|(name, _)| change.iter().all(|(changed, _)| changed != name));
    kept.chain(change.iter().copied()).collect()
}

#[test]
fn the_form_as_it_stands_changes_nothing() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let before = settings(&server);
    let audited = crate::segment::count(&server, "audit");
    let reply = browser.post(&path(&server), &USUAL).expect(303);
    assert_eq!(reply.header("location"), Some(path(&server).as_str()));
    assert!(words(&browser.get(&path(&server)).expect(200).text).contains("The settings are saved."));
    assert_eq!(settings(&server), before);
    assert_eq!(crate::segment::count(&server, "audit"), audited, "nothing was changed");
}

#[test]
fn each_setting_is_set_in_the_page_and_shown() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let form = [
        ("public_writes", "events-only"),
        ("per_address", "5"),
        ("per_hour", " 50 "),
        ("placeholders", "n/a\r\n\r\n test \r\n"),
        ("for_good", "yes"),
        ("days", ""),
        ("why", "a law"),
        ("client_secret", "sixteen letters."),
    ];
    browser.post(&path(&server), &form).expect(303);
    let told = settings(&server);
    let expected = json!({ "publicWrites": "events-only", "peoplePerAddress": 5, "peoplePerHour": 50,
        "placeholders": ["n/a", "test"], "erasedKeptDays": "forever", "erasedKeptWhy": "a law",
        "hasClientSecret": true });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&told[name], value, "{name}");
    }
    let page = browser.get(&path(&server)).expect(200).text;
    assert!(part(&page, "value=\"events-only\"", ">").contains("checked"), "{page}");
    for field in ["name=\"per_address\" value=\"5\"", "name=\"per_hour\" value=\"50\"", "value=\"a law\""] {
        assert!(page.contains(field), "{field}: {page}");
    }
    assert!(page.contains(">n/a\ntest</textarea>") && !page.contains("sixteen letters."), "{page}");
    // What the API sets is shown, and the usual is set again by what is left empty.
    set(&server, json!({ "peoplePerHour": 77 })).expect(200);
    assert!(browser.get(&path(&server)).text.contains("name=\"per_hour\" value=\"77\""));
    browser.post(&path(&server), &with(&[("days", "40"), ("remove_secret", "yes")])).expect(303);
    let told = settings(&server);
    assert_eq!((&told["peoplePerHour"], &told["erasedKeptDays"]), (&json!(100_000), &json!(40)));
    assert_eq!((&told["hasClientSecret"], &told["erasedKeptWhy"]), (&json!(false), &Value::Null));
}

#[test]
fn a_client_secret_stays_unless_another_is_typed() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    set(&server, json!({ "clientSecret": "a secret of the app" })).expect(200);
    browser.post(&path(&server), &with(&[("client_secret", "")])).expect(303);
    assert_eq!(settings(&server)["hasClientSecret"], true);
}

#[test]
fn what_is_wrong_is_named_and_comes_back_as_it_was_typed() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    let before = settings(&server);
    let cases = [
        (("public_writes", "all"), "The setting of public credentials must be open"),
        (("per_address", "x<b>"), "The limit per address must be a whole number."),
        (("per_address", "0"), "The limit per address must be from 1 to 1000000000."),
        (("per_hour", "-1"), "The total limit must be from 1"),
        (("days", "29"), "The number of days must be from 30 to 36500 days"),
        (("days", ""), "The number of days must be a whole number."),
        (("for_good", "yes"), "The reason is required"),
        (("client_secret", "short"), "The client secret must have 16 to 256 characters"),
    ];
    for (wrong, why) in cases {
        // Beside one that is good.
        let form = with(
            &[("per_hour", "7")]
                .into_iter()
                .filter(|(name, _)| *name != wrong.0)
                .chain([wrong])
                .collect::<Vec<_>>(),
        );
        let page = browser.post(&path(&server), &form).expect(422).text;
        assert!(words(&page).contains(why), "{why}: {}", words(&page));
        assert!(!page.contains("x<b>") && !page.contains("\"short\""), "{page}");
        assert_eq!(settings(&server), before, "{why}");
    }
    let page = browser.post(&path(&server), &with(&[("per_address", "x<b>")])).expect(422).text;
    assert!(page.contains("value=\"x&#60;b&#62;\""), "{page}");
    browser.get("/admin/projects/NOBODYS/settings").expect(404);
    browser.post("/admin/projects/NOBODYS/settings", &USUAL).expect(404);
}

#[test]
fn a_change_of_settings_stands_in_the_audit_log_as_the_admins() {
    let server = Server::start();
    let browser = Browser::owner(&server);
    browser.post(&path(&server), &with(&[("per_hour", "7")])).expect(303);
    let sql = "SELECT actor FROM audit WHERE action = 'change project'";
    let actor: String = server.sqlite().query_row(sql, [], |row| row.get(0)).expect("an entry");
    assert!(actor.starts_with("admin "), "{actor}");
}
