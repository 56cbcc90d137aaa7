//! Links by which a person downloads what is held.

use serde_json::{Value, json};
use usher::clock::DAY;

use super::{erase, fill, packs};
use crate::admin::{Browser, page_of};
use crate::harness::{Reply, Server};

fn make(server: &Server, body: Value) -> Reply {
    server.post("/api/exports").bearer(&server.project().all).json(body).send()
}

/// The path and the PIN of a new link to ann.
fn link(server: &Server, more: Value) -> (String, String) {
    let mut body = json!({ "subject": { "identifier": "ann" } });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    let made = make(server, body).expect(201).json();
    let url = made["data"]["url"].as_str().expect("an address").to_owned();
    let path = url[url.find("/x/").expect("a path")..].to_owned();
    (path, made["data"]["pin"].as_str().unwrap_or_default().to_owned())
}

/// Opens the page of a link and presses its button.
fn click(server: &Server, path: &str, pin: &str) -> Reply {
    let guest = Browser::new(server);
    let page = guest.get(path);
    if page.status != 200 {
        return page;
    }
    guest.post(path, &[("pin", pin)])
}

#[test]
fn a_link_gives_the_pack_after_a_click() {
    let server = Server::start();
    fill(&server, "ann");
    let (path, _) = link(&server, json!({}));
    for _ in 0..10 {
        let page = Browser::new(&server).get(&path).expect(200);
        assert!(!page.text.contains("ann"), "the page names nobody");
    }
    let given = click(&server, &path, "").expect(200);
    assert!(packs::files(&given.bytes).contains_key("manifest.json"));
    // A program that sends a form without having looked gets nothing.
    let blind = server.post(&path).body("pin=", "application/x-www-form-urlencoded").send();
    assert_eq!(blind.status, 403);
    let noted = "SELECT COUNT(*) FROM audit WHERE action = 'export user' AND reason = 'ZIP by a link'";
    assert_eq!(server.sqlite().query_row(noted, [], |row| row.get::<_, i64>(0)).expect("a count"), 1);
}

#[test]
fn a_link_gives_three_times_and_no_more() {
    let server = Server::start();
    fill(&server, "ann");
    let (path, _) = link(&server, json!({}));
    for _ in 0..3 {
        click(&server, &path, "").expect(200);
    }
    click(&server, &path, "").expect(410);
    let (once, _) = link(&server, json!({ "downloads": 1 }));
    click(&server, &once, "").expect(200);
    click(&server, &once, "").expect(410);
}

#[test]
fn a_link_ends_with_its_seventh_day() {
    let server = Server::start();
    fill(&server, "ann");
    let (path, _) = link(&server, json!({}));
    server.clock.advance(7 * DAY - 1);
    click(&server, &path, "").expect(200);
    server.clock.advance(1);
    click(&server, &path, "").expect(410);
    server.tick();
    let rows = "SELECT COUNT(*) FROM export_links";
    assert_eq!(server.sqlite().query_row(rows, [], |row| row.get::<_, i64>(0)).expect("a count"), 0);
}

#[test]
fn five_wrong_pins_end_a_link() {
    let server = Server::start();
    fill(&server, "ann");
    let (path, pin) = link(&server, json!({ "pin": true }));
    assert!(pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit()), "{pin}");
    let wrong = if pin == "123456" { "654321" } else { "123456" };
    for left in (1..5).rev() {
        let page = click(&server, &path, wrong).expect(422);
        assert!(page.text.contains(&format!("{left} left")), "{}", page.text);
    }
    click(&server, &path, wrong).expect(410);
    click(&server, &path, &pin).expect(410);
    // The twin: four wrong ones end nothing.
    let (path, pin) = link(&server, json!({ "pin": true }));
    let wrong = if pin == "123456" { "654321" } else { "123456" };
    for _ in 0..4 {
        click(&server, &path, wrong).expect(422);
    }
    click(&server, &path, &pin).expect(200);
}

#[test]
fn links_go_with_the_person() {
    let server = Server::start();
    let id = fill(&server, "ann");
    let (path, _) = link(&server, json!({}));
    let hidden = server.delete("/v1/users/ann").header("X-APTRINSIC-API-KEY", &server.project().all).send();
    assert!(hidden.status < 300, "{}", hidden.text);
    click(&server, &path, "").expect(410);
    make(&server, json!({ "subject": { "identifier": "ann" } })).expect(409);
    let user = usher::model::UserId(id.parse().expect("a number"));
    server.write(move |tx| usher::erasure::trash::restore(tx, user).map(drop));
    click(&server, &path, "").expect(200);
    erase(&server, &id);
    click(&server, &path, "").expect(410);
    assert_eq!(server.rows_of(user), 0);
}

#[test]
fn a_link_can_be_listed_and_withdrawn() {
    let server = Server::start();
    fill(&server, "ann");
    let all = server.project().all.clone();
    let (path, _) = link(&server, json!({}));
    let list = server.get("/api/exports").bearer(&all).send().expect(200);
    assert!(!list.text.contains(&path[3..]), "the secret is not shown again");
    let list = list.json();
    let one = &list["data"][0];
    assert_eq!((&one["downloadsLeft"], &one["hasPin"]), (&json!(3), &json!(false)));
    assert_eq!(list["nextCursor"], Value::Null);
    let address = format!("/api/exports/{}", one["id"].as_str().expect("an id"));
    assert_eq!(server.get(&address).bearer(&all).send().expect(200).json()["data"], *one);
    // Another project's key sees nothing of it.
    let other = server.second();
    server.get(&address).bearer(&other.all).send().expect(404);
    server.delete(&address).bearer(&other.all).send().expect(404);
    server.delete(&address).bearer(&all).send().expect(204);
    click(&server, &path, "").expect(410);
    server.delete(&address).bearer(&all).send().expect(404);
}

#[test]
fn what_is_asked_wrongly_is_named() {
    let server = Server::start();
    fill(&server, "ann");
    let cases = [
        (json!({}), "subject"),
        (json!({ "subject": { "identifier": "ann" }, "days": 0 }), "days"),
        (json!({ "subject": { "identifier": "ann" }, "days": 31 }), "days"),
        (json!({ "subject": { "identifier": "ann" }, "downloads": 11 }), "downloads"),
        (json!({ "subject": { "identifier": "ann" }, "pin": "1234" }), "pin"),
        (json!({ "subject": { "identifier": "ann" }, "dayz": 1 }), "dayz"),
    ];
    for (body, field) in cases {
        let problem = make(&server, body).expect(400).json();
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    make(&server, json!({ "subject": { "identifier": "nobody" } })).expect(404);
    make(&server, json!({ "subject": { "identifier": "ann" }, "days": 30, "downloads": 10 })).expect(201);
    for path in ["/x/nothing", "/x/", "/x"] {
        assert!([404, 410].contains(&server.get(path).send().status), "{path}");
    }
}

/// In the pages, by an admin who may.
#[test]
fn an_admin_downloads_and_makes_links() {
    let server = Server::start();
    let id = fill(&server, "ann");
    let user = usher::model::UserId(id.parse().expect("a number"));
    let owner = Browser::owner(&server);
    owner.get(&page_of(user)).expect(200);
    let given = owner.post(&format!("{}/export", page_of(user)), &[]).expect(200);
    assert_eq!(given.header("content-disposition"), Some("attachment; filename=\"access.zip\""));
    assert!(packs::files(&given.bytes).contains_key("manifest.json"));
    owner.get(&page_of(user)).expect(200);
    let page = owner.post(&format!("{}/export-link", page_of(user)), &[("pin", "yes")]).expect(200).text;
    let path = &page[page.find("/x/").expect("a link")..];
    let path = path.split('<').next().expect("a path").to_owned();
    let pin = page.split("PIN: <code class=\"secret pick\">").nth(1).expect("a PIN");
    let pin = pin.split('<').next().expect("a PIN");
    click(&server, &path, pin).expect(200);
    let noted = "SELECT COUNT(*) FROM audit WHERE action = 'export user' AND actor LIKE 'admin %'";
    assert_eq!(server.sqlite().query_row(noted, [], |row| row.get::<_, i64>(0)).expect("a count"), 1);
}

/// Support sees values masked, and carries nothing off.
#[test]
fn support_and_auditors_export_nothing() {
    use usher::model::{Reach, Role};

    let server = Server::start();
    let id = fill(&server, "ann");
    let path = page_of(usher::model::UserId(id.parse().expect("a number")));
    for (role, status) in [(Role::Support, 403), (Role::Auditor, 403), (Role::PrivacyOfficer, 200)] {
        let browser = crate::admin::roles::signed_in(&server, role.as_str(), role, &Reach::All);
        let shown = browser.get(&path).text.contains("Download ZIP");
        assert_eq!(shown, status == 200, "{role:?}");
        assert_eq!(browser.post(&format!("{path}/export"), &[]).status, status, "{role:?}");
        assert_eq!(browser.post(&format!("{path}/export-link"), &[]).status, status, "{role:?}");
    }
}
